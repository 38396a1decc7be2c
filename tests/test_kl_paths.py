"""Where k3 in the loss rests, and sums along replies: against their equations and a slow walk."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import seeded

from helpers.kl_paths import along, resting_with_k3
from helpers.world import EXACT

F64 = torch.float64


@pytest.mark.parametrize("beta", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_resting_point_solves_its_equation(seed, beta):
    generator = seeded(seed)
    ref = torch.randn(40, generator=generator, dtype=F64).log_softmax(0)
    rewards = torch.randn(40, generator=generator, dtype=F64)
    logps = resting_with_k3(ref, rewards, beta)
    assert logps.exp().sum().item() == pytest.approx(1, abs=1e-9)
    level = rewards - beta + beta * (ref - logps).exp()  # the same for every response
    assert (level - level[0]).abs().max() < 1e-6
    assert level[0].item() + beta > rewards.max().item()


def test_sums_along_replies_are_those_of_a_walk():
    of_states = torch.randn(1111, generator=seeded(1), dtype=F64)
    found = along(of_states)
    assert found.shape == (EXACT.n_responses,)
    for k in (0, 1, 57, 900, 4321, 11110):
        words = [w for w in EXACT.responses[k].tolist() if w != EXACT.end]
        total = []
        for t in range(
            min(len(words), 3) + 1
        ):  # four words were cut off: no state behind the third's
            row = torch.tensor(words[:t] + [EXACT.end] * (4 - t))
            total.append(of_states[int(EXACT.index(row))].item())
        assert found[k].item() == pytest.approx(math.fsum(total), abs=1e-12)


def test_refused_by_name():
    with pytest.raises(ValueError, match="of_states"):
        along(torch.zeros(1110))
    with pytest.raises(ValueError, match="beta"):
        resting_with_k3(torch.zeros(1), torch.zeros(1), 0.0)
    with pytest.raises(ValueError, match="rewards"):
        resting_with_k3(torch.zeros(1), torch.zeros(2), 1.0)
