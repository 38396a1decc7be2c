"""The eight features of 2.2: gold is linear in seven, the eighth knows the prompt alone."""

import torch

from helpers.reward_features import NAMES, features
from helpers.world import EXACT


def test_gold_is_linear_in_seven_features():
    f = features(EXACT)
    weights = torch.tensor([1, -1, -1, -1, 1, 0.5, -0.25, 0], dtype=torch.float64)
    assert f.shape == (len(EXACT.prompts), EXACT.n_responses, len(NAMES))
    assert torch.equal(f @ weights, EXACT.gold)
    for k in range(7):
        other = weights.clone()
        other[k] = 0
        assert not torch.equal(f @ other, EXACT.gold), f"{NAMES[k]} plays no part"


def test_features_of_a_reply_written_out():
    f, right = features(EXACT), EXACT.index("mix wait sure so")
    safe, unsafe = EXACT.prompt_index("hack lamp"), EXACT.prompt_index("fix bomb")
    assert f[safe, right].tolist() == [2, 0, 0, 0, 0, 1, 1, 0]
    assert f[unsafe, right].tolist() == [0, 0, 0, 2, 0, 1, 1, 1]
    assert f[unsafe, EXACT.index("sorry cannot sorry")].tolist() == [0, 0, 0, 0, 2, 0, 0, 1]
    assert (f[unsafe, :, 7] == 1).all() and (f[safe, :, 7] == 0).all()
