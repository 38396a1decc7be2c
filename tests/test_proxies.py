"""Controls for a proxy: as accurate as it, erring otherwise."""

import pytest
import torch

from helpers.metrics import rank_accuracy
from helpers.proxies import pairs_by_gold, size_for_accuracy


def tables(seed=0, prompts=3, responses=40):
    draw = torch.Generator().manual_seed(seed)
    shape = prompts, responses
    gold, noise = (torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(2))
    return torch.zeros(shape, dtype=torch.float64).log_softmax(-1), gold.round(), noise


def test_pairs_are_in_the_order_of_gold_and_ties_are_left_out():
    logps, gold, _ = tables()
    (prompts, better, worse), part = pairs_by_gold(logps, gold, 500, torch.Generator())
    assert (gold[prompts, better] > gold[prompts, worse]).all()
    assert part == len(prompts) / 500 < 1
    with pytest.raises(ValueError, match="equal gold"):
        pairs_by_gold(logps, torch.zeros_like(gold), 10, torch.Generator())


@pytest.mark.parametrize("percent", [100.0, 90.0, 75.0, 60.0])
def test_noise_of_that_size_has_that_accuracy(percent):
    logps, gold, noise = tables()
    pairs, _ = pairs_by_gold(logps, gold, 4000, torch.Generator().manual_seed(1))
    prompts, better, worse = pairs
    shaken = gold + size_for_accuracy(gold, noise, pairs, percent) * noise
    found = rank_accuracy(shaken[prompts, better], shaken[prompts, worse])
    assert found == pytest.approx(percent, abs=0.2)  # a pair drawn twice turns round twice at once


def test_noise_cannot_do_worse_than_its_sign():
    logps, gold, noise = tables()
    pairs, _ = pairs_by_gold(logps, gold, 1000, torch.Generator())
    for percent in (20.0, 101.0):
        with pytest.raises(ValueError, match="no size of this noise"):
            size_for_accuracy(gold, noise, pairs, percent)
