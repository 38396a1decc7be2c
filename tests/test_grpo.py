"""The GRPO loop: one step against slow loops, what it records, what moves it and what must not, bad input."""

import copy
import math

import pytest
import torch

from helpers.gpt import token_logps
from helpers.policy_gradient import group_advantages, leave_one_out
from helpers.training import GRPOConfig, train_grpo

REQUESTS = torch.arange(0, 48, 5)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def tuned(world, policy, score, seed=0, ref=None, requests=REQUESTS, **settings):
    """A copy of the policy after GRPO, and the history."""
    student = copy.deepcopy(policy)
    config = GRPOConfig(**{"iterations": 1, "requests": 6, "group": 4, "lr": 1e-3} | settings)
    return student, train_grpo(student, world, score, requests, config, seed, ref)


def recorded(world):
    """A score, gold reward, that remembers what it was asked."""
    seen = []

    def score(asked, y):
        seen.append((asked, y, world.rewards(asked, y)))
        return seen[-1][-1]

    return score, seen


def by_hand(world, policy, asked, y, scores, group):
    """Gradient of the first step (all ratios 1): one reply at a time, in float64."""
    policy = copy.deepcopy(policy).double()
    rows = list(zip(world.prompt_tokens[asked], y, scores.tolist()))
    loss = 0.0
    for start in range(0, len(rows), group):
        rewards = [r for _, _, r in rows[start : start + group]]
        mean = sum(rewards) / group
        spread = math.sqrt(sum((r - mean) ** 2 for r in rewards) / (group - 1))
        for x, row, r in rows[start : start + group]:
            n = int(world.mask(row).sum())
            logps = token_logps(policy, x[None], row[None])[0, :n]
            loss = loss - (r - mean) / (spread + 1e-4) * logps.sum() / n / len(rows)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(policy.parameters()))])


def test_the_first_step_is_the_gradient_of_the_definition(world, sft_gpt):
    score, seen = recorded(world)
    student, _ = tuned(world, sft_gpt, score)
    asked, y, scores = seen[0]
    assert torch.equal(asked.view(6, 4), asked.view(6, 4)[:, :1].expand(6, 4))
    assert torch.isin(asked, REQUESTS).all()
    gradient = by_hand(world, sft_gpt, asked, y, scores, 4)
    step = weights(student).double() - weights(sft_gpt).double()
    large = gradient.abs() > 1e-4  # Adam's first step is lr · sign; tiny gradients are rounding
    assert large.sum() > 1000
    expected_step = -1e-3 * gradient / (gradient.abs() + 1e-8)
    assert ((step - expected_step)[large].abs() < 2e-5).double().mean() > 0.999


def test_what_it_records(world, sft_gpt):
    score, seen = recorded(world)
    _, history = tuned(world, sft_gpt, score, iterations=2)
    for i, (asked, y, scores) in enumerate(seen):
        groups = scores.view(6, 4)
        assert history["reward"][i] == pytest.approx(scores.mean().item())
        assert history["length"][i] == pytest.approx(world.mask(y).sum(1).double().mean().item())
        flat = (groups.amax(1) == groups.amin(1)).double().mean()
        assert history["flat"][i] == pytest.approx(flat.item())
    asked, y, _ = seen[0]
    with torch.no_grad():
        logps = token_logps(sft_gpt, world.prompt_tokens[asked], y)
    entropy = -(logps * world.mask(y)).sum(1).mean().item()
    assert history["entropy"][0] == pytest.approx(entropy, rel=1e-5)
    assert abs(history["loss"][0]) < 1e-6 and history["clip_fraction"][0] == 0


def test_later_passes_see_ratios_and_a_loss_below_zero(world, sft_gpt):
    _, history = tuned(world, sft_gpt, world.rewards, epochs=5)
    assert history["last_loss"][0] < history["loss"][0] < 0
    assert history["clip_fraction"][0] > 0


def test_groups_without_variance_move_nothing(world, sft_gpt):
    student, history = tuned(world, sft_gpt, lambda x, y: torch.ones(len(x)), iterations=2)
    assert torch.equal(weights(student), weights(sft_gpt))
    assert (history["flat"] == 1).all() and torch.isfinite(torch.tensor(history["loss"])).all()


def test_the_kl_pulls_back_to_the_reference(world, sft_gpt, rough_gpt):
    ref = copy.deepcopy(rough_gpt).float()
    before = weights(ref)
    _, history = tuned(
        world, sft_gpt, lambda x, y: torch.ones(len(x)), ref=ref, beta=0.5, iterations=6
    )
    assert history["loss"][-1] < history["loss"][0]  # scores are equal: only k3 is left
    assert torch.equal(weights(ref), before) and all(p.grad is None for p in ref.parameters())


@pytest.mark.parametrize("advantages", [group_advantages, leave_one_out, lambda rewards: rewards])
def test_the_score_rises_on_every_rung(world, sft_gpt, advantages):
    _, history = tuned(
        world,
        sft_gpt,
        world.rewards,
        iterations=15,
        requests=REQUESTS,
        group=16,
        advantages=advantages,
    )
    assert history["reward"][-4:].mean() > history["reward"][:4].mean() + 0.2


def test_same_seed_same_run_and_watch(world, sft_gpt):
    first, history = tuned(world, sft_gpt, world.rewards, seed=4, iterations=2)
    again, _ = tuned(world, sft_gpt, world.rewards, seed=4, iterations=2)
    other, _ = tuned(world, sft_gpt, world.rewards, seed=5, iterations=2)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))
    student, config = copy.deepcopy(sft_gpt), GRPOConfig(3, 2, 2, 1e-3)
    history = train_grpo(
        student, world, world.rewards, REQUESTS, config, 0, None, lambda: {"seen": 1.0}, 2
    )
    assert history["watched"].tolist() == [0, 2] and history["seen"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "bad",
    [
        {"iterations": 0},
        {"requests": 0},
        {"group": 1},
        {"lr": 0.0},
        {"lr": math.inf},
        {"epochs": 0},
    ],
)
def test_bad_settings(bad):
    with pytest.raises(ValueError, match="expected counts"):
        GRPOConfig(**{"iterations": 1, "requests": 2, "group": 2, "lr": 1e-3} | bad)


def test_bad_input(world, sft_gpt):
    with pytest.raises(ValueError, match="at least one"):
        tuned(world, sft_gpt, world.rewards, requests=REQUESTS[:0])
    with pytest.raises(ValueError, match="without ref"):
        tuned(world, sft_gpt, world.rewards, beta=0.1)
    with pytest.raises(ValueError, match=r"expected \(24,\)"):
        tuned(world, sft_gpt, lambda x, y: torch.zeros(3))
    with pytest.raises(ValueError, match="all finite"):
        tuned(world, sft_gpt, lambda x, y: torch.full((len(x),), math.nan))
    with pytest.raises(ValueError, match="normalise = 'mean'"):
        tuned(world, sft_gpt, world.rewards, normalise="mean")
