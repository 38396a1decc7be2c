"""GRPO's advantages and loss, RLOO's, and pass@k: plain loops in float64, hand values, degenerate groups, gradients."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
import torch
from conftest import seeded

from helpers.policy_gradient import (
    clipped_policy_loss,
    group_advantages,
    grpo_loss,
    leave_one_out,
    pass_at_k,
)

F64 = torch.float64
NAMES = "grpo", "dapo", "dr_grpo"


def batch(seed: int, rows: int = 6, width: int = 5):
    """Mask, logps, old_logps, ref_logps (rows, width) and advantages (rows,); ratios leave the band on both sides."""
    generator = seeded(seed)
    lengths = torch.randint(1, width + 1, (rows,), generator=generator)
    mask = torch.arange(width) < lengths[:, None]
    old = -torch.rand(rows, width, generator=generator, dtype=F64)
    logps = old + 0.4 * torch.randn(rows, width, generator=generator, dtype=F64)
    ref = old + 0.4 * torch.randn(rows, width, generator=generator, dtype=F64)
    return mask, logps, old, ref, torch.randn(rows, generator=generator, dtype=F64)


# ---- advantages ---------------------------------------------------------------------------------


def test_group_advantages_against_the_statistics_module():
    rewards = torch.randn(4, 7, generator=seeded(0), dtype=F64)
    for row, divided, centred in zip(
        rewards.tolist(), group_advantages(rewards), group_advantages(rewards, divide=False)
    ):
        mean, spread = statistics.mean(row), statistics.stdev(row)
        assert divided.tolist() == pytest.approx([(r - mean) / (spread + 1e-4) for r in row])
        assert centred.tolist() == pytest.approx([r - mean for r in row])


def test_three_right_of_eight_by_hand():
    scores = torch.tensor([[1, 0, 0, 1, 0, 1, 0, 0]], dtype=F64)
    s = math.sqrt((3 * 0.625**2 + 5 * 0.375**2) / 7)
    found = group_advantages(scores)[0]
    assert found[0].item() == pytest.approx(0.625 / (s + 1e-4), rel=1e-12)
    assert found[1].item() == pytest.approx(-0.375 / (s + 1e-4), rel=1e-12)


def test_leave_one_out_against_a_loop():
    rewards = torch.randn(3, 5, generator=seeded(1), dtype=F64)
    for row, found in zip(rewards.tolist(), leave_one_out(rewards).tolist()):
        for i, value in enumerate(found):
            others = row[:i] + row[i + 1 :]
            assert value == pytest.approx(row[i] - sum(others) / len(others), abs=1e-12)


@pytest.mark.parametrize("function", [group_advantages, leave_one_out])
def test_a_group_without_variance_gets_zeros_and_leaves_the_others_alone(function):
    rewards = torch.tensor([[0.1] * 3, [0.1 + 0.2, 0.3, 0.5], [1e9] * 3], dtype=F64)
    found = function(rewards)
    assert (found[[0, 2]] == 0).all()
    assert torch.equal(found[1:2], function(rewards * torch.tensor([[0.0], [1.0], [0.0]]))[1:2])


@pytest.mark.parametrize("function", [group_advantages, leave_one_out])
@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_no_size_of_reward_leaves_the_type(function, size):
    rewards = size * torch.tensor([[1.0, -1.0, 0.5, 0.0]], dtype=F64)
    found = function(rewards)
    assert torch.isfinite(found).all() and (found[0, 0] > 0) and (found[0, 1] < 0)
    if function is leave_one_out:
        assert torch.allclose(found, size * function(rewards / size), rtol=1e-12, atol=0)


@pytest.mark.parametrize("function", [group_advantages, leave_one_out])
def test_types_and_no_gradient(function):
    booleans = torch.tensor([[True, False, False]])
    assert function(booleans).dtype == F64
    assert torch.equal(function(booleans), function(booleans.double()))
    rewards = torch.tensor([[1.0, 2.0]], requires_grad=True)
    assert function(rewards).dtype == torch.float32 and not function(rewards).requires_grad


@pytest.mark.parametrize("function", [group_advantages, leave_one_out])
@pytest.mark.parametrize(
    "rewards, message",
    [
        (torch.ones(3, 1), r"\(3, 1\).*single reply has nothing"),
        (torch.ones(4), r"\(4,\).*expected \(N, G\)"),
        (torch.ones(0, 4), "N ≥ 1"),
        (torch.tensor([[1.0, 2.0], [1.0, float("nan")]]), r"rewards\[1, 1\] is nan"),
        (torch.tensor([[1.0, float("inf")]]), r"rewards\[0, 1\] is inf"),
        ([[1.0, 2.0]], "list"),
    ],
)
def test_bad_groups(function, rewards, message):
    with pytest.raises(ValueError, match=message):
        function(rewards)


@pytest.mark.parametrize("G", [2, 3, 5])
def test_the_expected_push_over_all_groups_is_the_gradient(G):
    """Over all 2^G outcomes: leave-one-out gives p(1−p), the plain mean (G−1)/G of it, for every p."""
    for p in (0.1, 0.5, 0.8):
        scores = torch.tensor(list(itertools.product([0.0, 1.0], repeat=G)), dtype=F64)
        chance = (p * scores + (1 - p) * (1 - scores)).prod(1)

        def push(A):
            return (chance @ (A * (scores - p)).mean(1)).item()

        assert push(leave_one_out(scores)) == pytest.approx(p * (1 - p), rel=1e-12)
        centred = group_advantages(scores, divide=False)
        assert push(centred) == pytest.approx((G - 1) / G * p * (1 - p), rel=1e-12)


# ---- the loss -----------------------------------------------------------------------------------


def by_hand(mask, logps, old, ref, A, clip, normalise, max_length, beta):
    """GRPO's loss, one token at a time."""
    replies, tokens = [], 0
    for i, row in enumerate(mask.tolist()):
        terms = []
        for t in range(sum(row)):
            ratio = math.exp(logps[i, t] - old[i, t])
            kept = min(max(ratio, 1 - clip), 1 + clip)
            r = math.exp(ref[i, t] - logps[i, t])
            term = -min(ratio * A[i].item(), kept * A[i].item())
            terms.append(term + beta * (r - 1 - math.log(r)))
        replies.append(terms)
        tokens += len(terms)
    if normalise == "grpo":
        return sum(sum(terms) / len(terms) for terms in replies) / len(replies)
    total = sum(map(sum, replies))
    return total / (tokens if normalise == "dapo" else len(replies) * max_length)


@pytest.mark.parametrize("normalise", NAMES)
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_loss_against_a_loop(normalise, beta):
    for seed in range(5):
        mask, logps, old, ref, A = batch(seed)
        found = grpo_loss(logps, old, A, mask, 0.2, normalise, 9, ref, beta)
        wanted = by_hand(mask, logps, old, ref, A, 0.2, normalise, 9, beta)
        assert found.item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("normalise", NAMES)
def test_its_gradient_against_differences(normalise):
    mask, logps, old, ref, A = batch(7)
    logps.requires_grad_()

    def loss(values):
        return grpo_loss(values, old, A, mask, 0.2, normalise, 5, ref, 0.3)

    assert torch.autograd.gradcheck(loss, (logps,), eps=1e-7, atol=1e-6)
    assert (torch.autograd.grad(loss(logps), logps)[0][~mask] == 0).all()


def test_dapo_is_ppo_with_one_advantage_for_all_tokens():
    mask, logps, old, _, A = batch(3)
    ppo = clipped_policy_loss(logps, old, A.unsqueeze(1).expand(mask.shape), mask, 0.2)
    assert torch.allclose(grpo_loss(logps, old, A, mask, 0.2, "dapo"), ppo, rtol=1e-12)


def test_on_the_first_pass_the_value_is_zero_and_the_gradient_is_not():
    mask, _, old, _, _ = batch(4, rows=8)
    A = group_advantages(torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]], dtype=F64)).flatten()
    logps = old.clone().requires_grad_()
    loss = grpo_loss(logps, old, A, mask, 0.2)
    assert abs(loss.item()) < 1e-12
    slope = torch.autograd.grad(loss, logps)[0]
    wanted = -A[:, None] / mask.sum(1, keepdim=True) / 8 * mask
    assert torch.allclose(slope, wanted, rtol=1e-12)


def test_clipped_tokens_have_no_gradient_but_the_kl_has():
    old, A, mask = (
        torch.zeros(2, 1, dtype=F64),
        torch.tensor([1.0, -1.0], dtype=F64),
        torch.ones(2, 1),
    )
    logps = torch.tensor([[0.5], [-0.5]], dtype=F64, requires_grad=True)
    assert (torch.autograd.grad(grpo_loss(logps, old, A, mask, 0.2), logps)[0] == 0).all()
    loss = grpo_loss(logps, old, A, mask, 0.2, ref_logps=old, beta=1.0)
    slope = torch.autograd.grad(loss, logps)[0]
    wanted = (1 - torch.exp(-logps.detach())) / 2
    assert torch.allclose(slope, wanted, rtol=1e-12)


def test_no_gradient_flows_into_what_is_given():
    mask, logps, old, ref, A = batch(5)
    for given in (logps, old, ref, A):
        given.requires_grad_()
    grpo_loss(logps, old, A, mask, 0.2, ref_logps=ref, beta=0.1).backward()
    assert logps.grad is not None and old.grad is None and ref.grad is None and A.grad is None


@pytest.mark.parametrize("normalise", NAMES)
def test_what_is_outside_the_mask_is_never_read(normalise):
    mask, logps, old, ref, A = batch(6)
    wanted = grpo_loss(logps, old, A, mask, 0.2, normalise, 5, ref, 0.1)
    junk = [
        v.masked_fill(~mask, bad) for v, bad in zip((logps, old, ref), (math.nan, math.inf, 1e300))
    ]
    junk[0].requires_grad_()
    found = grpo_loss(junk[0], junk[1], A, mask, 0.2, normalise, 5, junk[2], 0.1)
    assert torch.equal(found, wanted)
    assert torch.isfinite(torch.autograd.grad(found, junk[0])[0]).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"normalise": "mean"}, "normalise = 'mean'.*grpo, dapo, dr_grpo"),
        ({"normalise": "dr_grpo"}, "max_length = None"),
        ({"normalise": "dr_grpo", "max_length": 2}, "max_length = 2.*at least 5"),
        ({"beta": 0.1}, "beta = 0.1.*ref_logps"),
        ({"beta": -0.1}, "beta = -0.1"),
        ({"clip": 0.0}, "clip = 0.0"),
        ({"advantages": torch.zeros(3, dtype=F64)}, r"advantages \(3,\).*\(6,\)"),
        ({"advantages": torch.full((6,), math.nan, dtype=F64)}, r"advantages\[0\] is nan"),
        ({"old_logps": torch.full((6, 5), -2000.0, dtype=F64)}, "Take smaller steps"),
        ({"mask": torch.zeros(6, 5)}, "mask row 0"),
    ],
)
def test_bad_input_of_the_loss(change, message):
    mask, logps, old, _, A = batch(8)
    mask[0] = True
    given = {"logps": logps, "old_logps": old, "advantages": A, "mask": mask, "clip": 0.2}
    with pytest.raises(ValueError, match=message):
        grpo_loss(**given | change)


# ---- pass@k -------------------------------------------------------------------------------------


def test_pass_at_k_against_all_choices():
    for n, k in ((5, 1), (5, 3), (6, 6), (7, 2)):
        for c in range(n + 1):
            outcomes = [1] * c + [0] * (n - c)
            choices = [any(some) for some in itertools.combinations(outcomes, k)]
            found = pass_at_k(n, torch.tensor([c]), k).item()
            assert found == pytest.approx(sum(choices) / len(choices), abs=1e-12)


def test_pass_at_k_is_unbiased():
    n, p = 10, 0.2
    chance = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    for k in (1, 4, 10):
        mean = torch.tensor(chance, dtype=F64) @ pass_at_k(n, torch.arange(n + 1), k)
        assert mean.item() == pytest.approx(1 - (1 - p) ** k, abs=1e-12)


def test_pass_at_k_keeps_the_shape_and_large_numbers():
    assert pass_at_k(2000, torch.tensor([[3, 0], [2000, 1]]), 1000).shape == (2, 2)
    assert pass_at_k(2000, torch.tensor([1.0]), 1000).item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    "n, c, k, message",
    [
        (4, torch.tensor([2]), 5, "1 ≤ k ≤ n"),
        (4, torch.tensor([2]), 0, "1 ≤ k ≤ n"),
        (4, torch.tensor([5]), 2, "c holds 5"),
        (4, torch.tensor([-1]), 2, "c holds -1"),
        (4, torch.tensor([1.5]), 2, "c holds 1.5"),
        (4, torch.tensor([math.nan]), 2, "c holds nan"),
    ],
)
def test_bad_input_of_pass_at_k(n, c, k, message):
    with pytest.raises(ValueError, match=message):
        pass_at_k(n, c, k)
