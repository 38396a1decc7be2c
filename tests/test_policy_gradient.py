"""The pieces of PPO and the KL estimators: plain loops, values frozen from TRL and TorchRL, exact gradients."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import pytest
import torch
from conftest import seeded
from hypothesis import given
from hypothesis import strategies as st

from helpers.gpt import all_logps, token_logps
from helpers.policies import expected, kl
from helpers.policy_gradient import (
    clipped_policy_loss,
    clipped_value_loss,
    gae,
    kl_estimates,
    whiten,
)

F64 = torch.float64


def batch(
    seed: int, rows: int = 5, width: int = 6, n: int = 4
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A right-padded mask and n tensors (rows, width)."""
    generator = seeded(seed)
    lengths = torch.randint(1, width + 1, (rows,), generator=generator)
    mask = torch.arange(width) < lengths[:, None]
    return mask, [torch.randn(rows, width, generator=generator, dtype=F64) for _ in range(n)]


def scored(mask: torch.Tensor):
    return [(i, t) for i, row in enumerate(mask.tolist()) for t, on in enumerate(row) if on]


def same(found, wanted, tolerance=1e-12):
    torch.testing.assert_close(
        found, torch.as_tensor(wanted, dtype=F64), rtol=tolerance, atol=tolerance
    )


# ---- generalised advantages -----------------------------------------------------------------


def plain_gae(rewards, values, length, gamma, lam):
    """The double sum Σ_l (γλ)^l δ_{t+l}, without recursion."""
    v = values[:length] + [0.0]
    delta = [rewards[t] + gamma * v[t + 1] - v[t] for t in range(length)]
    return [
        math.fsum((gamma * lam) ** (k - t) * delta[k] for k in range(t, length))
        for t in range(length)
    ]


@pytest.mark.parametrize(
    "gamma, lam", [(1.0, 1.0), (1.0, 0.95), (0.9, 0.5), (0.7, 0.0), (0.0, 1.0)]
)
@pytest.mark.parametrize("seed", range(3))
def test_gae_is_the_sum_of_its_definition(seed, gamma, lam):
    mask, (rewards, values, *_) = batch(seed)
    advantages, returns = gae(rewards, values, mask, gamma, lam)
    for i, row in enumerate(mask.tolist()):
        n = sum(row)
        wanted = plain_gae(rewards[i].tolist(), values[i].tolist(), n, gamma, lam)
        same(advantages[i, :n], wanted)
        same(returns[i, :n], [a + v for a, v in zip(wanted, values[i].tolist())])
        assert (advantages[i, n:] == 0).all() and (returns[i, n:] == 0).all()


@given(st.integers(0, 10_000))
def test_with_gamma_and_lambda_one_the_returns_are_the_rewards_still_to_come(seed):
    mask, (rewards, values, *_) = batch(seed)
    _, returns = gae(rewards, values, mask, 1.0, 1.0)
    for i, t in scored(mask):
        same(
            returns[i, t],
            math.fsum(r for r, on in zip(rewards[i, t:].tolist(), mask[i, t:].tolist()) if on),
        )


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_a_perfect_value_function_leaves_no_advantage(seed, gamma, lam):
    mask, (rewards, *_) = batch(seed)
    _, values = gae(
        rewards, torch.zeros_like(rewards), mask, gamma, 1.0
    )  # discounted rewards to come
    advantages, returns = gae(rewards, values, mask, gamma, lam)
    same(advantages, torch.zeros_like(advantages), 1e-9)
    same(returns, values, 1e-9)


def test_gae_reads_nothing_outside_the_mask_and_carries_no_gradient():
    mask, (rewards, values, *_) = batch(1)
    wanted = gae(rewards, values, mask, 1.0, 0.9)
    rewards[~mask], values[~mask] = torch.nan, torch.inf
    found = gae(rewards.requires_grad_(), values.requires_grad_(), mask, 1.0, 0.9)
    for a, b in zip(found, wanted):
        assert torch.equal(a, b) and not a.requires_grad


# ---- whitening ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_whiten_is_the_formula_with_n_minus_one(seed):
    mask, (values, *_) = batch(seed)
    inside = [values[i, t].item() for i, t in scored(mask)]
    mean = math.fsum(inside) / len(inside)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in inside) / (len(inside) - 1))
    found = whiten(values, mask)
    for i, t in scored(mask):
        same(found[i, t], (values[i, t].item() - mean) / deviation)
    assert (found[~mask] == 0).all()


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_whiten_forgets_scale_and_shift(seed, scale, shift):
    mask, (values, *_) = batch(seed)
    if mask.sum() > 1:
        same(whiten(scale * values + shift, mask), whiten(values, mask), 1e-8)


@given(st.floats(-1e6, 1e6), st.integers(1, 7), st.sampled_from([torch.float32, torch.float64]))
def test_where_nothing_varies_whiten_gives_zero(value, n, dtype):
    values = torch.full((n, 3), value, dtype=dtype)
    assert (whiten(values, torch.ones(n, 3)) == 0).all()
    assert (whiten(values, torch.tensor([[1, 0, 0]] + [[1, 1, 0]] * (n - 1))) == 0).all()


def test_whiten_does_not_read_padding():
    mask, (values, *_) = batch(2)
    wanted = whiten(values, mask)
    values[~mask] = torch.nan
    assert torch.equal(whiten(values, mask), wanted)


# ---- the clipped losses ---------------------------------------------------------------------

ONE = torch.ones(1, 1, dtype=F64)


@pytest.mark.parametrize(
    "ratio, advantage, loss, slope",  # ε = 0.2; slope: d loss / d log π
    [
        (1.5, 2.0, -1.2 * 2, 0.0),  # A > 0, ρ above: cut off
        (0.5, 2.0, -0.5 * 2, -0.5 * 2),  # A > 0, ρ below: pulled back in full
        (
            1.5,
            -2.0,
            1.5 * 2,
            1.5 * 2,
        ),  # A < 0, ρ above: pulled back in full, the loss is not bounded
        (0.5, -2.0, 0.8 * 2, 0.0),  # A < 0, ρ below: cut off
        (1.1, 2.0, -1.1 * 2, -1.1 * 2),
        (0.9, -2.0, 0.9 * 2, 0.9 * 2),
        (1000.0, -1.0, 1000.0, 1000.0),
        (1.0, 3.0, -3.0, -3.0),
    ],
)
def test_the_clip_by_sign_of_advantage_and_side_of_ratio(ratio, advantage, loss, slope):
    logps = torch.full((1, 1), math.log(ratio), dtype=F64, requires_grad=True)
    found = clipped_policy_loss(logps, 0 * ONE, advantage * ONE, ONE, 0.2)
    found.backward()
    same(found.detach(), loss)
    same(logps.grad, [[slope]])


@pytest.mark.parametrize("clip", [0.1, 0.2, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_clipped_policy_loss_is_the_loop(seed, clip):
    mask, (logps, old, advantages, _) = batch(seed)
    terms = []
    for i, t in scored(mask):
        ratio, a = math.exp(logps[i, t].item() - old[i, t].item()), advantages[i, t].item()
        terms.append(-min(ratio * a, min(max(ratio, 1 - clip), 1 + clip) * a))
    same(clipped_policy_loss(logps, old, advantages, mask, clip), math.fsum(terms) / len(terms))


@pytest.mark.parametrize("clip", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_clipped_value_loss_is_the_loop(seed, clip):
    mask, (values, old, returns, _) = batch(seed)
    terms = []
    for i, t in scored(mask):
        v, o, r = values[i, t].item(), old[i, t].item(), returns[i, t].item()
        near = min(max(v, o - clip), o + clip)
        terms.append(max((v - r) ** 2, (near - r) ** 2))
    same(clipped_value_loss(values, old, returns, mask, clip), 0.5 * math.fsum(terms) / len(terms))


def test_a_value_that_ran_past_the_clip_away_from_its_target_is_still_pulled_back():
    for value, slope in (
        (2.0, 2.0),
        (-2.0, 0.0),
    ):  # target −3 or beyond: away from it, and towards it
        values = torch.full((1, 1), value, dtype=F64, requires_grad=True)
        target = 0.0 if slope else -3.0
        clipped_value_loss(values, 0 * ONE, target * ONE, ONE, 0.5).backward()
        same(values.grad, [[slope]])


@given(st.integers(0, 10_000), st.floats(0.01, 2))
def test_the_clipped_losses_are_never_below_the_plain_ones(seed, clip):
    mask, (a, b, c, _) = batch(seed)
    plain = -((a - b).exp() * c)[mask].mean()
    assert clipped_policy_loss(a, b, c, mask, clip) >= plain - 1e-12
    assert clipped_value_loss(a, b, c, mask, clip) >= 0.5 * (a - c).square()[mask].mean() - 1e-12


def test_only_the_new_policy_and_the_new_values_get_gradients_and_padding_gets_none():
    mask, tensors = batch(3)
    for loss in (clipped_policy_loss, clipped_value_loss):
        a, b, c = (x.clone().requires_grad_() for x in tensors[:3])
        loss(a, b, c, mask, 0.2).backward()
        assert b.grad is None and c.grad is None
        assert (a.grad[~mask] == 0).all() and (a.grad[mask] != 0).any()


# ---- values frozen from TRL and TorchRL (tests/oracle/freeze_ppo.py) -----------------------

FROZEN = json.loads((Path(__file__).parent / "data" / "ppo.json").read_text(encoding="utf-8"))


def recorded(case: dict, *names: str) -> tuple[torch.Tensor, ...]:
    """The mask and the named tensors of a frozen case; where the mask is 0, they too hold ordinary numbers."""
    tensors = [torch.tensor(case[name], dtype=F64) for name in names]
    return torch.arange(tensors[0].shape[1]) < torch.tensor(case["lengths"])[:, None], *tensors


@pytest.mark.parametrize(
    "case", FROZEN["advantages"], ids=lambda c: f"{c['gamma']}-{c['lam']}-{len(c['lengths'])}"
)
def test_gae_against_trl_and_torchrl(case):
    mask, rewards, values = recorded(case, "rewards", "values")
    advantages, returns = gae(rewards, values, mask, case["gamma"], case["lam"])
    same(advantages[mask], case["torchrl_advantages"])
    same(returns[mask], case["trl_returns"])
    # TRL adds 1e-8 to the variance
    same(
        whiten(advantages, mask)[mask],
        case["trl_whitened_advantages"],
        1e-8 / advantages[mask].var().item(),
    )


@pytest.mark.parametrize("case", FROZEN["whiten"])
def test_whiten_against_trl(case):
    mask, values = recorded(case, "values")
    same(whiten(values, mask)[mask], case["trl_whitened"], 1e-8 / values[mask].var().item())


@pytest.mark.parametrize("case", FROZEN["losses"], ids=lambda c: f"{c['clip']}-{c['value_clip']}")
def test_the_clipped_losses_and_their_gradients_against_trl_and_torchrl(case):
    mask, logps, old_logps, advantages = recorded(case, "logps", "old_logps", "advantages")
    loss = clipped_policy_loss(logps.requires_grad_(), old_logps, advantages, mask, case["clip"])
    loss.backward()
    same(loss.detach(), case["policy_loss"])
    same(logps.grad, case["logps_grad"])
    mask, values, old_values, returns = recorded(case, "values", "old_values", "returns")
    loss = clipped_value_loss(
        values.requires_grad_(), old_values, returns, mask, case["value_clip"]
    )
    loss.backward()
    same(loss.detach(), case["value_loss"])
    same(values.grad, case["values_grad"])


def test_the_frozen_losses_visit_every_case_of_the_clip():
    seen = set()
    for case in FROZEN["losses"]:
        mask, logps, old_logps, advantages, new, old, returns = recorded(
            case, "logps", "old_logps", "advantages", "values", "old_values", "returns"
        )
        ratio, moved = (logps - old_logps).exp(), new - old
        side = (ratio > 1 + case["clip"]).int() - (ratio < 1 - case["clip"]).int()
        seen |= {
            ("policy", s, a > 0) for s, a in zip(side[mask].tolist(), advantages[mask].tolist())
        }
        side = (moved > case["value_clip"]).int() - (moved < -case["value_clip"]).int()
        seen |= {
            ("value", s, t > 0) for s, t in zip(side[mask].tolist(), (returns - old)[mask].tolist())
        }
    assert seen == set(product(("policy", "value"), (-1, 0, 1), (True, False)))


# ---- estimators of the KL -------------------------------------------------------------------


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=6))
def test_kl_estimates_are_the_formulas(us):
    ref = torch.full((len(us),), -7.0, dtype=F64)
    k1, k2, k3 = kl_estimates(ref + torch.tensor(us, dtype=F64), ref)
    u = [x + -7.0 + 7.0 for x in us]
    same(k1, u, 1e-9)
    same(k2, [x * x / 2 for x in u], 1e-9)
    same(k3, [math.expm1(-x) + x for x in u], 1e-9)
    assert (k3 >= 0).all() and (k2 >= 0).all()


def two_policies(seed, n=7):
    draws = torch.randn(2, n, generator=seeded(seed), dtype=F64)
    return draws[0].clone().requires_grad_(), draws[1].log_softmax(-1)


@given(st.integers(0, 10_000))
def test_values_and_gradients_of_the_estimators_by_enumeration(seed):
    logits, ref = two_policies(seed)
    logps = logits.log_softmax(-1)
    estimates = kl_estimates(logps, ref)
    for k, value in zip(
        estimates, (kl(logps, ref), expected(logps, 0.5 * (logps - ref) ** 2), kl(logps, ref))
    ):
        same(expected(logps, k).detach(), value.detach())
    wanted = (0 * logps.sum(), kl(logps, ref), kl(ref, logps))
    for k, target in zip(estimates, wanted):
        surrogate = (logps.detach().exp() * k).sum()
        (found,) = torch.autograd.grad(surrogate, logits, retain_graph=True)
        (exact,) = torch.autograd.grad(target, logits, retain_graph=True)
        same(found, exact, 1e-11)


def test_k3_of_nearly_equal_policies_is_not_lost_to_rounding():
    u = torch.tensor(
        [1e-2, 1e-3, 3e-4, -3e-4]
    )  # float32, where e^(−u) − 1 + u would be off by a tenth and more
    _, k2, k3 = kl_estimates(u, torch.zeros(4))
    torch.testing.assert_close(k3, k2, rtol=1e-2, atol=0)


def test_kl_estimates_take_tokens_and_leave_the_reference_alone():
    logps, ref = torch.zeros(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    for k in kl_estimates(logps, ref):
        assert k.shape == (2, 3)
        k.sum().backward(retain_graph=True)
    assert ref.grad is None


# ---- the policy gradient --------------------------------------------------------------------


class Tree:
    """A table policy over words {0, 1} and END = 2, at most two tokens: one row of logits per prefix (), (0), (1)."""

    responses = ((2,), (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2))

    def __init__(self, seed):
        self.logits = torch.randn(3, 3, generator=seeded(seed), dtype=F64).requires_grad_()
        self.tokens = torch.tensor([(y + (2,))[:2] for y in self.responses])
        self.mask = torch.tensor([[1, len(y) > 1] for y in self.responses]).bool()

    def token_logps(self, tokens):
        logps = self.logits.log_softmax(-1)
        second = logps[1 + tokens[:, 0].clamp(max=1)].gather(1, tokens[:, 1:])[:, 0]
        return torch.stack([logps[0, tokens[:, 0]], second], 1)

    def logps(self):
        return (self.token_logps(self.tokens) * self.mask).sum(1)


def sampled_gradient(tree, rows, rewards, lam=1.0, values=None):
    """Gradient of −(tokens per response)·loss, from the responses ``rows``; the reward lands on the last token."""
    mask, tokens = tree.mask[rows], tree.tokens[rows]
    last = mask.sum(1) - 1
    earned = torch.zeros(len(rows), 2, dtype=F64)
    earned[torch.arange(len(rows)), last] = rewards[rows]
    values = torch.zeros_like(earned) if values is None else values[rows]
    advantages, _ = gae(earned, values, mask, 1.0, lam)
    logps = tree.token_logps(tokens)
    loss = clipped_policy_loss(logps, logps.detach(), advantages, mask, 0.2)
    return torch.autograd.grad(-loss * mask.sum() / len(rows), tree.logits)[0]


def exact_gradient(tree, rewards):
    return torch.autograd.grad(expected(tree.logps(), rewards), tree.logits)[0]


def mean_gradient(tree, rewards, **options):
    """The sampled gradient's expectation: each response alone, weighted by its probability."""
    p = tree.logps().detach().exp()
    return sum(
        p[y] * sampled_gradient(tree, torch.tensor([y]), rewards, **options) for y in range(len(p))
    )


def state_values(tree, seed):
    """Any value function: one number per state, repeated in every response that passes it, (7, 2)."""
    per_state = torch.randn(4, generator=seeded(seed), dtype=F64)
    state = torch.stack([torch.zeros(7).long(), 1 + tree.tokens[:, 0]], 1)
    return per_state[state]


@given(st.integers(0, 10_000))
def test_on_policy_the_gradient_is_unbiased_with_any_value_function_at_lambda_one(seed):
    tree, rewards = Tree(seed), torch.randn(7, generator=seeded(seed + 1), dtype=F64)
    exact = exact_gradient(tree, rewards)
    same(mean_gradient(tree, rewards), exact, 1e-11)
    same(mean_gradient(tree, rewards, values=state_values(tree, seed)), exact, 1e-11)


def test_below_lambda_one_a_wrong_value_function_biases_it_and_the_true_one_does_not():
    tree, rewards = Tree(0), torch.randn(7, generator=seeded(1), dtype=F64)
    exact, p = exact_gradient(tree, rewards), tree.logps().detach().exp()
    true = torch.zeros(7, 2, dtype=F64)
    true[:, 0] = (p * rewards).sum()
    for word in (0, 1):
        below = (tree.tokens[:, 0] == word).double() * p
        true[tree.tokens[:, 0] == word, 1] = (below * rewards).sum() / below.sum()
    same(mean_gradient(tree, rewards, lam=0.5, values=true), exact, 1e-11)
    off = mean_gradient(tree, rewards, lam=0.5, values=state_values(tree, 3)) - exact
    assert off.norm() > 0.05 * exact.norm()


def test_sampled_in_batches_it_meets_the_exact_gradient_within_monte_carlo_error():
    tree, rewards = Tree(4), torch.randn(7, generator=seeded(5), dtype=F64)
    p = tree.logps().detach().exp()
    one = torch.stack([sampled_gradient(tree, torch.tensor([y]), rewards) for y in range(7)])
    exact = exact_gradient(tree, rewards)
    error = (p[:, None, None] * (one - exact).square()).sum(0).sqrt() / math.sqrt(20_000)
    rows = torch.multinomial(p, 20_000, replacement=True, generator=seeded(6))
    found = sampled_gradient(tree, rows, rewards)
    assert ((found - exact).abs() < 5 * error + 1e-12).all()
    assert ((found - 1.2 * exact).abs() > 5 * error).any(), (
        "the error is small enough to notice 20 %"
    )


def test_the_gradient_of_a_gpt_is_the_exact_one(world, rough_gpt):
    """One prompt, all 11,111 responses weighted by their probabilities, with γ = λ = 1 and the KL in the reward."""
    x, beta = world.prompt_tokens[:1], 0.7
    logps = all_logps(rough_gpt, world, x)
    ref = torch.randn(1, world.n_responses, generator=seeded(1), dtype=F64).log_softmax(-1)
    gold = world.gold[:1].double()
    weights = [p for p in rough_gpt.parameters()]
    exact = torch.autograd.grad((expected(logps, gold) - beta * kl(logps, ref)).sum(), weights)
    mask = world.mask(world.responses)
    with torch.no_grad():
        reward = (gold - beta * kl_estimates(logps, ref)[0])[0]
    rewards = torch.zeros(mask.shape, dtype=F64)
    rewards[torch.arange(len(mask)), mask.sum(1) - 1] = reward
    advantages, _ = gae(rewards, torch.zeros_like(rewards), mask, 1.0, 1.0)
    tokens = token_logps(rough_gpt, x.expand(len(mask), -1), world.responses)
    frequency = logps[0].detach().exp()[:, None] * mask.sum()  # undoes the mean over tokens
    loss = clipped_policy_loss(tokens, tokens.detach(), frequency * advantages, mask, 0.2)
    found = torch.autograd.grad(-loss, weights)
    for a, b in zip(found, exact):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


# ---- bad input ------------------------------------------------------------------------------

GOOD = torch.ones(2, 3)
CALLS = {
    "gae": lambda *a, mask: gae(a[0], a[1], mask, 1.0, 0.9),
    "whiten": lambda *a, mask: whiten(a[0], mask),
    "policy": lambda *a, mask: clipped_policy_loss(*a, mask, 0.2),
    "value": lambda *a, mask: clipped_value_loss(*a, mask, 0.2),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "mask, message",
    [
        (torch.tensor([[1, 1, 0], [0, 0, 0]]), r"mask row 1 is \[0, 0, 0\]: expected ones"),
        (torch.tensor([[1, 0, 1], [1, 0, 0]]), r"mask row 0 is \[1, 0, 1\]: expected ones"),
        (torch.tensor([[0, 1, 1], [1, 0, 0]]), r"mask row 0 is \[0, 1, 1\]: expected ones"),
        (torch.ones(0, 3), r"mask \(0, 3\): expected shape"),
        (torch.ones(3), r"mask \(3,\): expected shape"),
    ],
)
def test_a_mask_with_a_hole_or_nothing_in_it_is_refused(call, mask, message):
    with pytest.raises(ValueError, match=message):
        CALLS[call](GOOD, GOOD, GOOD, mask=mask)


@pytest.mark.parametrize(
    "call, place",
    [(c, k) for c, k in product(CALLS, range(3)) if k < {"gae": 2, "whiten": 1}.get(c, 3)],
)
def test_other_shapes_and_numbers_that_are_none_are_refused(call, place):
    wrong = [GOOD, GOOD, GOOD]
    wrong[place] = torch.ones(2, 1)
    with pytest.raises(ValueError, match=r"\(2, 1\): expected the shape of the mask, \(2, 3\)"):
        CALLS[call](*wrong, mask=GOOD)
    for bad in (torch.nan, torch.inf):
        wrong[place] = GOOD.clone()
        wrong[place][1, 2] = bad
        with pytest.raises(ValueError, match=rf"\[1, 2\] is {bad}: expected finite"):
            CALLS[call](*wrong, mask=GOOD)


@pytest.mark.parametrize("clip", [0.0, -0.1, math.nan, math.inf])
def test_a_clip_that_is_none_is_refused(clip):
    for loss in (clipped_policy_loss, clipped_value_loss):
        with pytest.raises(ValueError, match="clip = .*: expected a finite number above 0"):
            loss(GOOD, GOOD, GOOD, GOOD, clip)


@pytest.mark.parametrize(
    "name, gamma, lam", [("gamma", 1.1, 0.5), ("gamma", math.nan, 0.5), ("lam", 1.0, -0.1)]
)
def test_discounts_outside_zero_to_one_are_refused(name, gamma, lam):
    with pytest.raises(ValueError, match=f"{name} = .*: expected a number from 0 to 1"):
        gae(GOOD, GOOD, GOOD, gamma, lam)


def test_kl_estimates_refuse_other_shapes_nothing_and_infinity():
    with pytest.raises(ValueError, match=r"logps \(2,\), ref_logps \(3,\): expected one shape"):
        kl_estimates(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="at least one sample"):
        kl_estimates(torch.zeros(0), torch.zeros(0))
    with pytest.raises(ValueError, match=r"ref_logps\[1\] is -inf: expected finite"):
        kl_estimates(torch.zeros(2), torch.tensor([0.0, -torch.inf]))


# ---- what is masked, and types --------------------------------------------------------------

HIDDEN = [torch.nan, torch.inf, -torch.inf]
SCALARS = {
    "policy": (3, lambda a, b, c, mask: clipped_policy_loss(a, b, c, mask, 0.2)),
    "value": (3, lambda a, b, c, mask: clipped_value_loss(a, b, c, mask, 0.2)),
    "whiten": (1, lambda a, mask: (whiten(a, mask) * torch.arange(6.0)).sum()),
    "kl": (2, lambda a, b, mask: sum(k.mean() for k in kl_estimates(a[mask], b[mask]))),
}


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("name", SCALARS)
def test_value_and_gradient_do_not_depend_on_what_is_masked(name, hidden):
    n, call = SCALARS[name]
    mask, tensors = batch(7)
    for place in range(n):
        found = []
        for behind in (0.0, hidden):
            leaves = [x.masked_fill(~mask, 0.0) for x in tensors[:n]]
            leaves[place] = leaves[place].masked_fill(~mask, behind)
            leaves[0].requires_grad_()
            value = call(*leaves, mask)
            value.backward()
            assert torch.isfinite(value) and torch.isfinite(leaves[0].grad).all()
            assert (leaves[0].grad[~mask] == 0).all() and (leaves[0].grad[mask] != 0).any()
            found.append((value.detach(), leaves[0].grad))
        torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_gae_does_not_depend_on_what_is_masked(hidden):
    mask, (rewards, values, *_) = batch(8)
    wanted = gae(rewards, values, mask, 0.9, 0.8)
    found = gae(
        rewards.masked_fill(~mask, hidden), values.masked_fill(~mask, hidden), mask, 0.9, 0.8
    )
    assert all(torch.equal(a, b) for a, b in zip(found, wanted))


@pytest.mark.parametrize("call", CALLS)
def test_masks_of_other_numbers_and_whole_or_no_tensors_are_refused(call):
    with pytest.raises(ValueError, match=r"mask\[0, 1\] is 0.5: expected booleans, or 0 and 1"):
        CALLS[call](GOOD, GOOD, GOOD, mask=torch.tensor([[1, 0.5, 0], [1, 1, 1]]))
    with pytest.raises(ValueError, match="mask is a list: expected a tensor"):
        CALLS[call](GOOD, GOOD, GOOD, mask=[[1, 1, 1], [1, 1, 1]])
    for bad in (GOOD.long(), GOOD.byte(), GOOD.bool()):
        with pytest.raises(ValueError, match=f"of {bad.dtype}: expected floating-point numbers"):
            CALLS[call](bad, bad, bad, mask=GOOD)
    with pytest.raises(ValueError, match="is a list: expected a tensor"):
        CALLS[call](GOOD.tolist(), GOOD.tolist(), GOOD.tolist(), mask=GOOD)


def test_kl_estimates_refuse_whole_numbers_and_lists():
    with pytest.raises(ValueError, match="logps of torch.uint8: expected floating-point numbers"):
        kl_estimates(torch.tensor([3], dtype=torch.uint8), torch.tensor([7], dtype=torch.uint8))
    with pytest.raises(ValueError, match="ref_logps is a list: expected a tensor"):
        kl_estimates(torch.zeros(1), [0.0])


def test_gae_of_two_types_has_the_wider_one():
    mask, (rewards, values, *_) = batch(9)
    narrow = rewards.float()
    for found, wanted in zip(
        gae(narrow, values, mask, 0.9, 0.8), gae(narrow.double(), values, mask, 0.9, 0.8)
    ):
        assert found.dtype == F64
        same(found, wanted)


@pytest.mark.parametrize("scale", [1e-45, 1e-30, 1e-20, 1e20, 1e38])
def test_whitening_does_not_depend_on_the_unit_even_where_squares_leave_the_type(scale):
    values = torch.tensor([[1.0, 2.0, 3.0]]) * scale
    torch.testing.assert_close(whiten(values, torch.ones(1, 3)), torch.tensor([[-1.0, 0.0, 1.0]]))
    half = torch.tensor([[1.0, 2.0, 3.0]]).half()
    for factor in (2.0**-20, 2.0**14):
        torch.testing.assert_close(
            whiten(half * factor, torch.ones(1, 3)), whiten(half, torch.ones(1, 3))
        )


@pytest.mark.parametrize("advantage", [1.0, 0.0, -1.0])
def test_a_ratio_that_is_too_large_is_refused_instead_of_a_gradient_that_is_none(advantage):
    logps, old = torch.tensor([[-1.0, -1.0]]).requires_grad_(), torch.tensor([[-1.0, -100.0]])
    with pytest.raises(
        ValueError, match="up by 99 nats on a token: expected a ratio that torch.float32 can hold"
    ):
        clipped_policy_loss(logps, old, torch.full((1, 2), advantage), torch.ones(1, 2), 0.2)
    assert torch.isfinite(
        clipped_policy_loss(logps, old, torch.ones(1, 2), torch.tensor([[1, 0]]), 0.2)
    )
