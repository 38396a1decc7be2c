"""ORPO's loop: one step against a gradient by hand, where it starts, what it refuses."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from conftest import seeded

from helpers.gpt import all_logps
from helpers.training import Config, train_orpo, train_sft
from helpers.world import Annotator, PairBatch, ResponseSampler, draw_pairs

PAIRS = PairBatch(
    prompts=torch.tensor([0, 11, 29, 47]),
    chosen=torch.tensor([57, 0, 3_004, 9]),
    rejected=torch.tensor([11_110, 432, 5, 98]),
    label=torch.ones(4, dtype=torch.float64),
)


def weights(policy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def by_hand(policy, world, pairs, lam):
    """The loss, from the table of all log-probabilities, one pair after another, with plain logarithms."""
    table = all_logps(policy, world)
    imitate, tokens, compare = 0.0, 0, 0.0
    for x, w, l in zip(pairs.prompts.tolist(), pairs.chosen.tolist(), pairs.rejected.tolist()):
        odds = []
        for y in (w, l):
            n = int(world.mask(world.responses[y]).sum())
            p = (table[x, y] / n).exp()
            odds.append(p / (1 - p))
        n = int(world.mask(world.responses[w]).sum())
        imitate, tokens = imitate - table[x, w], tokens + n
        compare = compare + torch.log(1 + odds[1] / odds[0])
    return imitate / tokens + lam * compare / len(pairs)


def one_step(policy, world, pairs, lam, lr=1e-3):
    found = copy.deepcopy(policy)
    history = train_orpo(found, world, lambda n, _: pairs, lam, Config(1, len(pairs), lr), 0)
    return found, history


@pytest.mark.parametrize("rows", [slice(0, 4), slice(2, 3)], ids=["four", "one"])
@pytest.mark.parametrize("lam", [0.0, 0.3, 2.0])
def test_one_step_follows_the_gradient_by_hand(world, rough_gpt, rows, lam):
    pairs, expected = PAIRS[rows], copy.deepcopy(rough_gpt)
    found, history = one_step(rough_gpt, world, pairs, lam)
    loss = by_hand(expected, world, pairs, lam)
    assert history["loss"][0] == pytest.approx(loss.item(), abs=1e-10)
    adam = torch.optim.AdamW(expected.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    loss.backward()
    adam.step()
    moved = weights(expected) - weights(rough_gpt)
    assert moved.abs().max() > 5e-4
    assert torch.allclose(weights(found), weights(expected), atol=1e-7)


def test_it_records_the_mean_log_probability_per_token_of_each_side(world, rough_gpt):
    with torch.no_grad():
        table = all_logps(rough_gpt, world)
    n = world.mask(world.responses).sum(1)
    _, history = one_step(rough_gpt, world, PAIRS, 1.0)
    for name, side in (("chosen", PAIRS.chosen), ("rejected", PAIRS.rejected)):
        exact = (table[PAIRS.prompts, side] / n[side]).mean().item()
        assert history[name][0] == pytest.approx(exact, abs=1e-10)


def test_descent_raises_the_odds_and_with_lambda_the_rejected_falls_behind(world, sft_gpt):
    gaps = {}
    for lam in (0.0, 3.0):
        policy = copy.deepcopy(sft_gpt)
        history = train_orpo(policy, world, lambda n, _: PAIRS, lam, Config(30, 4, 1e-3), 0)
        gap = history["chosen"] - history["rejected"]
        assert history["chosen"][-1] > history["chosen"][0] + 0.3
        gaps[lam] = gap[-1] - gap[0]
    assert gaps[3.0] > gaps[0.0] + 0.5


def test_with_lambda_zero_it_is_sft_on_the_chosen(world, sft_gpt):
    one, other = copy.deepcopy(sft_gpt), copy.deepcopy(sft_gpt)
    config = Config(5, 16, 1e-3)
    pairs = PAIRS[torch.arange(4).repeat(10)]
    train_orpo(one, world, pairs.draw, 0.0, config, 7)
    train_sft(other, world, (pairs.prompts, world.tokens(pairs.chosen)), config, 7)
    assert torch.allclose(weights(one), weights(other), atol=1e-5)


def test_it_takes_tokens_as_well_as_indices_and_is_reproducible(world, sft_gpt):
    as_tokens = PairBatch(
        PAIRS.prompts, world.tokens(PAIRS.chosen), world.tokens(PAIRS.rejected), PAIRS.label
    )
    found = [weights(one_step(sft_gpt, world, pairs, 1.0)[0]) for pairs in (PAIRS, as_tokens)]
    assert torch.equal(*found)
    for seed, same in ((1, True), (2, False)):
        runs = []
        for s in (1, seed):
            policy = copy.deepcopy(sft_gpt)
            train_orpo(policy, world, PAIRS.draw, 1.0, Config(3, 2, 1e-3), s)
            runs.append(weights(policy))
        assert torch.equal(*runs) == same


@pytest.mark.parametrize("lam", [-0.1, math.inf, math.nan])
def test_it_refuses_a_weight_that_is_none(world, sft_gpt, lam):
    with pytest.raises(ValueError, match=f"lam = {lam}: expected a finite number from 0 on"):
        one_step(sft_gpt, world, PAIRS, lam)


def test_it_refuses_probabilities_as_labels(world, sft_gpt):
    soft = draw_pairs(
        world, ResponseSampler(torch.full((48, 11111), 1 / 11111).log()), Annotator(), 8, seeded(0)
    )
    soft.label[:3] = 1.0
    soft.label[3] = 0.75
    with pytest.raises(ValueError, match=r"label\[3\] is 0.75: expected answers, labels of 1"):
        one_step(sft_gpt, world, soft, 1.0)


def test_a_reply_of_probability_one_has_no_odds(world, sft_gpt):
    sure = copy.deepcopy(sft_gpt)
    with torch.no_grad():  # a head that says the same word whatever it has read
        for name, parameter in sure.named_parameters():
            if "head" in name or "unembed" in name:
                parameter.zero_()
    bias = torch.zeros(world.n_outputs)
    bias[0] = 500.0
    forward = type(sure).forward
    sure.forward = lambda *given: forward(sure, *given) * 0 + bias
    only = PairBatch(
        torch.tensor([3]), world.index("mix mix mix mix")[None], torch.tensor([5]), torch.ones(1)
    )
    with pytest.raises(ValueError, match="a probability of 1 has no odds"):
        train_orpo(sure, world, lambda n, _: only, 1.0, Config(1, 1, 1e-3), 0)
