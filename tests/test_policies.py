"""The exact formulas on distributions, against plain Python and against each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from conftest import seeded
from hypothesis import assume, given
from hypothesis import strategies as st

from helpers.policies import (
    as_mask,
    best_of_n,
    by_reward,
    check_beta,
    check_floating,
    check_real,
    draw_best_of_n,
    expected,
    frontier,
    kl,
    mean_of_top,
    mean_over_pairs,
    objective,
    optimum,
    top_fraction,
)
from helpers.world import Annotator, ResponseSampler, draw_pairs

INF = float("inf")

# ---- the formulas in plain Python -----------------------------------------------------------


def plain_kl(p: list[float], q: list[float]) -> float:
    """Σ p log(p / q) over probabilities."""
    if any(a > 0 and b == 0 for a, b in zip(p, q)):
        return INF
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)


def plain_optimum(ref: list[float], rewards: list[float], beta: float) -> tuple[list[float], float]:
    """π*(y) = π_ref(y) exp(r(y)/β) / Z and log Z, shifted by the largest reward so that nothing overflows."""
    top = max(r for p, r in zip(ref, rewards) if p > 0)
    weights = [p * math.exp((r - top) / beta) for p, r in zip(ref, rewards)]
    total = math.fsum(weights)
    return [w / total for w in weights], math.log(total) + top / beta


def table(probabilities) -> torch.Tensor:
    """Probabilities as log-probabilities in float64; 0 becomes −inf."""
    return torch.tensor(probabilities, dtype=torch.float64).log()


@st.composite
def policies(draw, count: int = 1, holes: bool = False):
    """``count`` lists of probabilities over one number of responses; with ``holes`` some are 0."""
    n = draw(st.integers(2, 8))
    weight = st.floats(0.01, 1) | st.just(0.0) if holes else st.floats(0.01, 1)
    found = []
    for _ in range(count):
        weights = draw(st.lists(weight, min_size=n, max_size=n))
        assume(sum(weights) > 0)
        total = math.fsum(weights)
        found.append([w / total for w in weights])
    return found


def rewards_for(n: int):
    return st.lists(st.floats(-5, 5), min_size=n, max_size=n)


betas = st.floats(0.05, 20)


def close(found: torch.Tensor, value, tolerance: float = 1e-9) -> None:
    expected_value = torch.as_tensor(value, dtype=torch.float64).expand(found.shape)
    torch.testing.assert_close(found, expected_value, rtol=tolerance, atol=tolerance)


# ---- against the formulas -------------------------------------------------------------------


@given(policies(2, holes=True), st.data())
def test_expected_is_the_sum_of_probability_times_value(two, data):
    p, _ = two
    values = data.draw(rewards_for(len(p)))
    close(
        expected(table(p), torch.tensor(values, dtype=torch.float64)),
        math.fsum(a * v for a, v in zip(p, values)),
    )


@given(policies(2, holes=True))
def test_kl_is_the_sum_of_p_log_p_over_q(two):
    p, q = two
    close(kl(table(p), table(q)), plain_kl(p, q))


@given(policies(2), betas, st.data())
def test_objective_is_expected_reward_minus_beta_times_kl_to_the_reference(two, beta, data):
    p, ref = two
    r = data.draw(rewards_for(len(p)))
    value = math.fsum(a * b for a, b in zip(p, r)) - beta * plain_kl(p, ref)
    close(objective(table(p), table(ref), torch.tensor(r, dtype=torch.float64), beta), value)


@given(policies(1, holes=True), betas, st.data())
def test_optimum_is_the_reference_tilted_by_the_reward(one, beta, data):
    (ref,) = one
    r = data.draw(rewards_for(len(ref)))
    best, log_z = optimum(table(ref), torch.tensor(r, dtype=torch.float64), beta)
    probabilities, plain_log_z = plain_optimum(ref, r, beta)
    close(best.exp(), probabilities)
    close(log_z, plain_log_z)
    close(best.exp().sum(), 1.0)


def test_all_formulas_work_row_by_row_on_any_number_of_leading_axes():
    drawn = torch.randn(3, 2, 4, 5, generator=seeded(0), dtype=torch.float64)
    logps, ref = drawn[:2].log_softmax(-1)
    rewards = drawn[2]
    best, log_z = optimum(ref, rewards, 0.5)
    for i in range(2):
        for j in range(4):
            close(expected(logps, rewards)[i, j], expected(logps[i, j], rewards[i, j]))
            close(kl(logps, ref)[i, j], kl(logps[i, j], ref[i, j]))
            close(
                objective(logps, ref, rewards, 0.5)[i, j],
                objective(logps[i, j], ref[i, j], rewards[i, j], 0.5),
            )
            close(best[i, j], optimum(ref[i, j], rewards[i, j], 0.5)[0])
            close(log_z[i, j], optimum(ref[i, j], rewards[i, j], 0.5)[1])


# ---- identities -----------------------------------------------------------------------------


@given(policies(2), betas, st.data())
def test_the_objective_is_beta_log_z_minus_beta_times_kl_to_the_optimum(two, beta, data):
    p, ref = two
    r = torch.tensor(data.draw(rewards_for(len(p))), dtype=torch.float64)
    best, log_z = optimum(table(ref), r, beta)
    close(objective(table(p), table(ref), r, beta), beta * log_z - beta * kl(table(p), best))


@given(policies(2, holes=True), betas, st.data())
def test_no_policy_has_a_higher_objective_than_the_optimum(two, beta, data):
    p, ref = two
    r = torch.tensor(data.draw(rewards_for(len(p))), dtype=torch.float64)
    best, log_z = optimum(table(ref), r, beta)
    top = objective(best, table(ref), r, beta)
    close(top, beta * log_z)
    assert objective(table(p), table(ref), r, beta) <= top + 1e-9


def test_every_small_step_away_from_the_optimum_lowers_the_objective():
    generator = seeded(1)
    ref = torch.randn(6, generator=generator, dtype=torch.float64).log_softmax(-1)
    r = torch.randn(6, generator=generator, dtype=torch.float64)
    best, _ = optimum(ref, r, 0.3)
    top = objective(best, ref, r, 0.3)
    for _ in range(50):
        moved = (
            best + 0.05 * torch.randn(6, generator=generator, dtype=torch.float64)
        ).log_softmax(-1)
        assert objective(moved, ref, r, 0.3) < top - 1e-6


def test_the_optimum_is_a_stationary_point():
    ref = torch.randn(6, generator=seeded(2), dtype=torch.float64).log_softmax(-1)
    r = torch.randn(6, generator=seeded(3), dtype=torch.float64)
    scores = optimum(ref, r, 0.3)[0].requires_grad_()
    objective(scores.log_softmax(-1), ref, r, 0.3).backward()
    close(scores.grad, 0.0, 1e-12)


@given(policies(1), betas, st.data())
def test_beta_times_the_log_ratio_is_the_reward_up_to_a_constant(one, beta, data):
    """The step from the optimum to DPO: β log(π*/π_ref) = r − β log Z."""
    (ref,) = one
    r = torch.tensor(data.draw(rewards_for(len(ref))), dtype=torch.float64)
    best, log_z = optimum(table(ref), r, beta)
    close(beta * (best - table(ref)), r - beta * log_z)


@given(policies(1), betas, st.floats(-100, 100))
def test_a_constant_added_to_the_reward_moves_log_z_only(one, beta, shift):
    (ref,) = one
    r = torch.linspace(-1, 1, len(ref), dtype=torch.float64)
    best, log_z = optimum(table(ref), r, beta)
    moved, moved_log_z = optimum(table(ref), r + shift, beta)
    close(moved, best)
    close(moved_log_z, log_z + shift / beta)


# ---- limits ---------------------------------------------------------------------------------


def test_what_the_reference_never_says_the_optimum_never_says():
    ref, r = table([0.5, 0.0, 0.5]), torch.tensor([0.0, 100.0, 1.0], dtype=torch.float64)
    best, log_z = optimum(ref, r, 1.0)
    assert best[1] == -INF
    close(best.exp(), [1 / (1 + math.e), 0.0, math.e / (1 + math.e)])
    close(log_z, math.log((1 + math.e) / 2))
    assert objective(table([0.2, 0.6, 0.2]), ref, r, 1.0) == -INF, (
        "mass outside the support costs infinitely much"
    )


def test_a_large_beta_keeps_the_optimum_at_the_reference():
    ref, r = table([0.1, 0.2, 0.7]), torch.tensor([3.0, -1.0, 0.0], dtype=torch.float64)
    distances = [kl(optimum(ref, r, beta)[0], ref).item() for beta in (0.5, 1.0, 10.0, 100.0, 1e6)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.5 and distances[-1] < 1e-11


def test_a_small_beta_puts_everything_on_the_best_response():
    ref, r = table([0.1, 0.2, 0.7]), torch.tensor([3.0, -1.0, 0.0], dtype=torch.float64)
    best, log_z = optimum(ref, r, 3e-4)  # rewards/β from −3,333 to 10,000
    close(best.exp(), [1.0, 0.0, 0.0])
    close(log_z, 1e4 + math.log(0.1))
    assert torch.isfinite(best).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("rewards", [(1.0, 0.0, -1.0), (-1.0, -1.0, -1.0), (1.0, 1.0, 0.999)])
def test_rewards_ten_thousand_times_beta_stay_finite(rewards, dtype):
    ref, r = table([0.1, 0.2, 0.7]).to(dtype), torch.tensor(rewards, dtype=dtype)
    best, log_z = optimum(ref, r, 1e-4)
    assert torch.isfinite(best).all() and torch.isfinite(log_z)
    torch.testing.assert_close(
        best.exp().sum(), torch.ones((), dtype=dtype)
    )  # log Z is 10,000 and must not round it
    assert torch.isfinite(objective(best, ref, r, 1e-4))


# ---- KL -------------------------------------------------------------------------------------


@given(policies(2, holes=True))
def test_kl_is_never_negative_and_zero_only_between_equal_policies(two):
    p, q = two
    assert kl(table(p), table(q)) >= -1e-12
    close(kl(table(p), table(p)), 0.0, 1e-12)
    if max(abs(a - b) for a, b in zip(p, q)) > 1e-3:
        assert kl(table(p), table(q)) > 1e-7


def test_kl_points_from_the_first_policy_to_the_second_and_is_in_nats():
    """By hand: ½ log 2 + ½ log ⅔ = ½ log 4/3 one way, ¼ log ½ + ¾ log 3/2 the other."""
    even, odd = table([0.5, 0.5]), table([0.25, 0.75])
    close(kl(even, odd), 0.14384103622589045, 1e-15)
    close(kl(odd, even), 0.13081203594113694, 1e-15)


def test_kl_counts_zero_times_log_zero_as_zero_and_missing_mass_as_infinite():
    sure, even = table([1.0, 0.0]), table([0.5, 0.5])
    close(kl(sure, even), math.log(2))
    close(kl(sure, sure), 0.0)
    assert kl(even, sure) == INF


def test_the_gradient_of_kl_is_right_and_finite_where_a_response_has_no_probability():
    """With logits z and p = softmax(z): ∂KL(p‖q)/∂z_i = p_i (log p_i/q_i − KL), which is 0 where p_i = 0."""
    logits = torch.tensor([0.3, -INF, -1.0, -INF], dtype=torch.float64, requires_grad=True)
    q = [0.2, 0.3, 0.5, 0.0]
    divergence = kl(logits.log_softmax(-1), table(q))
    divergence.backward()
    p = [
        math.exp(0.3) / (math.exp(0.3) + math.exp(-1)),
        0.0,
        math.exp(-1) / (math.exp(0.3) + math.exp(-1)),
        0.0,
    ]
    close(divergence, plain_kl(p, q))
    close(logits.grad, [a * (math.log(a / b) - plain_kl(p, q)) if a else 0.0 for a, b in zip(p, q)])


def test_the_gradient_of_kl_with_respect_to_the_second_policy_is_q_minus_p():
    logits = torch.tensor([0.3, 0.0, -1.0], dtype=torch.float64, requires_grad=True)
    p = table([0.5, 0.0, 0.5])
    kl(p, logits.log_softmax(-1)).backward()
    close(logits.grad, logits.detach().softmax(-1) - p.exp())


# ---- bad input ------------------------------------------------------------------------------

GOOD = table([0.5, 0.5])
ZERO = torch.zeros(2, dtype=torch.float64)
NAN_POLICY = torch.tensor([float("nan"), 0.0], dtype=torch.float64)
CALLS = {
    "expected": lambda policy: expected(policy, torch.zeros_like(policy)),
    "kl, first": lambda policy: kl(policy, torch.full_like(policy, -math.log(2))),
    "kl, second": lambda policy: kl(GOOD, policy),
    "objective, policy": lambda policy: objective(policy, GOOD, ZERO, 1.0),
    "objective, reference": lambda policy: objective(GOOD, policy, ZERO, 1.0),
    "optimum": lambda policy: optimum(policy, torch.zeros_like(policy), 1.0),
}
BAD_POLICIES = {
    "sums to 1.5": table([0.75, 0.75]),
    "sums to 0": torch.full((2,), -INF, dtype=torch.float64),
    "one row of two is off": table([[0.5, 0.5], [0.5, 0.4]]),
    "logits": torch.tensor([1.0, 2.0], dtype=torch.float64),
    "NaN": NAN_POLICY,
    "+inf": torch.tensor([INF, -INF], dtype=torch.float64),
    "no responses": torch.zeros(0, dtype=torch.float64),
    "no prompts": torch.zeros(0, 2, dtype=torch.float64),
    "one number": torch.zeros((), dtype=torch.float64),
}


@pytest.mark.parametrize("policy", BAD_POLICIES.values(), ids=BAD_POLICIES.keys())
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_what_is_not_a_policy_is_refused(call, policy):
    with pytest.raises(
        ValueError, match="logps: .*: expected log-probabilities that sum to 1 over the last axis"
    ):
        call(policy)


@pytest.mark.parametrize(
    "call",
    [
        lambda: expected(GOOD, torch.zeros(3)),
        lambda: kl(GOOD, table([0.2, 0.3, 0.5])),
        lambda: kl(GOOD, table([[0.5, 0.5]])),
        lambda: objective(GOOD, table([0.2, 0.3, 0.5]), ZERO, 1.0),
        lambda: objective(GOOD, GOOD, torch.zeros(1, 2), 1.0),
        lambda: optimum(GOOD, torch.zeros(1), 1.0),
    ],
)
def test_shapes_that_differ_are_refused_not_broadcast(call):
    with pytest.raises(ValueError, match="shape"):
        call()


@pytest.mark.parametrize("bad", [float("nan"), INF, -INF])
def test_values_that_are_not_finite_are_refused(bad):
    values = torch.tensor([0.0, bad], dtype=torch.float64)
    for call in (lambda: expected(GOOD, values), lambda: objective(GOOD, GOOD, values, 1.0)):
        with pytest.raises(ValueError, match="values holds NaN or infinity"):
            call()
    with pytest.raises(ValueError, match="rewards holds NaN or infinity"):
        optimum(GOOD, values, 1.0)


@pytest.mark.parametrize("beta", [0, -1.0, float("nan"), INF, -INF])
def test_beta_must_be_a_finite_number_above_zero(beta):
    for call in (
        check_beta,
        lambda b: objective(GOOD, GOOD, ZERO, b),
        lambda b: optimum(GOOD, ZERO, b),
    ):
        with pytest.raises(ValueError, match=f"beta = {beta}: expected a finite number above 0"):
            call(beta)
    check_beta(1e-9)


# ---- best-of-n, top fraction, frontier ------------------------------------------------------


def plain_best_of_n(ref: list[float], scores: list[float], n: int) -> list[float]:
    """P(kept) by listing all sequences of n draws; the first of the best is kept."""
    found = [0.0] * len(ref)
    for draws in itertools.product(range(len(ref)), repeat=n):
        found[max(draws, key=lambda y: scores[y])] += math.prod(
            ref[y] for y in draws
        )  # max keeps the first
    return found


few_scores = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=8, max_size=8)


@given(policies(holes=True), few_scores, st.integers(1, 4))
def test_best_of_n_is_the_sum_over_all_draws(one, scores, n):
    (ref,) = one
    ref, scores = ref[:5], scores[: len(ref[:5])]
    total = math.fsum(ref)
    assume(total > 0)
    ref = [p / total for p in ref]
    found = best_of_n(table(ref), torch.tensor(scores, dtype=torch.float64), n)
    close(found.exp(), plain_best_of_n(ref, scores, n))


@given(policies(), st.data(), st.integers(2, 10_000))
def test_the_kl_of_best_of_n_is_below_its_bound_and_reward_below_the_frontier(one, data, n):
    (ref,) = one
    rewards = torch.tensor(data.draw(rewards_for(len(ref))), dtype=torch.float64)
    ref = table(ref)
    kept = best_of_n(ref, rewards, n)
    spent = kl(kept, ref)
    assert spent <= math.log(n) - (n - 1) / n + 1e-9
    for beta in (0.1, 1.0, 10.0):  # no policy has more reward minus price
        assert objective(kept, ref, rewards, beta) <= beta * optimum(ref, rewards, beta)[1] + 1e-9


def test_best_of_n_without_ties_and_with_little_mass_each_reaches_the_bound():
    ref = table([1 / 20_000] * 20_000)
    spent = kl(best_of_n(ref, torch.arange(20_000, dtype=torch.float64), 8), ref)
    close(spent, math.log(8) - 7 / 8, 1e-3)
    tied = kl(best_of_n(ref, (torch.arange(20_000) % 2).double(), 8), ref)
    close(tied, math.log(2), 0.02)  # two values: at most the better half, whatever n


def test_best_of_one_is_the_reference_and_of_many_the_best():
    ref, scores = table([0.5, 0.3, 0.2]), torch.tensor([0.0, 2.0, 1.0], dtype=torch.float64)
    close(best_of_n(ref, scores, 1), ref)
    close(best_of_n(ref, scores, 10**6).exp(), torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))


@given(policies(holes=True), st.data(), st.floats(0.01, 1))
def test_the_top_fraction_keeps_the_best_mass(one, data, fraction):
    (ref,) = one
    scores = data.draw(few_scores)[: len(ref)]
    kept = top_fraction(table(ref), torch.tensor(scores, dtype=torch.float64), fraction).exp()
    left = fraction
    for value in sorted(set(scores), reverse=True):
        members = [y for y, score in enumerate(scores) if score == value]
        mass = math.fsum(ref[y] for y in members)
        taken = min(mass, left)
        left -= taken
        for y in members:
            assert kept[y].item() == pytest.approx(
                ref[y] * taken / mass / fraction if mass else 0.0, abs=1e-9
            )


@given(policies(2, holes=True), st.data(), st.lists(st.floats(0.01, 1), min_size=1, max_size=3))
def test_the_mean_of_the_top_is_the_expectation_under_the_top_fraction(two, data, fractions):
    n = len(two[0])
    scores = torch.tensor([data.draw(few_scores)[:n] for _ in two], dtype=torch.float64)
    values = torch.tensor([data.draw(rewards_for(n)) for _ in two], dtype=torch.float64)
    ref = table(two)
    kept = torch.stack([expected(top_fraction(ref, scores, f), values) for f in fractions], dim=-1)
    close(mean_of_top(ref, scores, values, fractions), kept)


@given(policies(), st.data())
def test_by_reward_keeps_optimum_kl_and_reward(one, data):
    (ref,) = one
    rewards = torch.tensor(data.draw(few_scores)[: len(ref)], dtype=torch.float64)
    ref = table(ref)
    values, mass, place = by_reward(ref, rewards)
    close(values[place], rewards)
    long, short = optimum(ref, rewards, 0.7)[0], optimum(mass, values, 0.7)[0]
    close(kl(short, mass), kl(long, ref))
    close(expected(short, values), expected(long, rewards))


@pytest.mark.parametrize(
    "rewards", [[0.5, 0.5, -1.0, 2.0], [1.0, 1.0, 1.0, 1.0], [0.0, 3.0, 1.0, 2.0]]
)
def test_the_mean_over_pairs_is_the_double_sum_over_different_responses(rewards):
    """In plain Python, for a function that is not symmetric, with ties and a response of probability 0."""
    for p in ([0.4, 0.3, 0.2, 0.1], [0.7, 0.0, 0.3, 0.0]):
        plain = math.fsum(
            p[i] * p[j] / (1 - p[i]) * (2 * rewards[i] - rewards[j] ** 2)
            for i in range(4)
            for j in range(4)
            if i != j
        )
        found = mean_over_pairs(table([p]), torch.tensor([rewards]), lambda a, b: 2 * a - b**2)
        assert found.shape == (1,)
        assert found.item() == pytest.approx(plain, abs=1e-12)


def test_the_mean_over_pairs_needs_two_responses():
    with pytest.raises(ValueError, match="one response only"):
        mean_over_pairs(table([[0.0, 1.0]]), torch.zeros(1, 2), lambda a, b: a - b)


def test_the_mean_over_pairs_agrees_with_pairs_that_are_drawn(world):
    ref = (
        torch.randn(48, world.n_responses, generator=seeded(0), dtype=torch.float64)
        .mul(3)
        .log_softmax(-1)
    )
    pairs = draw_pairs(world, ResponseSampler(ref), Annotator(), 20_000, seeded(1))
    exact = mean_over_pairs(ref, world.gold, lambda a, b: torch.sigmoid((a - b).abs())).mean()
    assert pairs.label.mean().item() == pytest.approx(exact.item(), abs=4 * 0.15 / 20_000**0.5)


def test_the_frontier_lists_kl_and_reward_of_the_optima_averaged_over_rows():
    ref = table([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    rewards = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, -1.0]], dtype=torch.float64)
    kls, gains = frontier(ref, rewards, [2.0, 0.5])
    for k, beta in enumerate((2.0, 0.5)):
        star, _ = optimum(ref, rewards, beta)
        close(kls[k], kl(star, ref).mean())
        close(gains[k], expected(star, rewards).mean())
    assert kls[1] > kls[0] and gains[1] > gains[0]


def test_drawing_best_of_n_agrees_with_the_exact_policy():
    ref = table([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    scores = torch.tensor([[0.0, 1.0, 1.0], [3.0, 2.0, 1.0]], dtype=torch.float64)
    prompts = torch.arange(2).repeat_interleave(40_000)
    drawn = draw_best_of_n(ResponseSampler(ref), scores, prompts, 3, seeded(0)).view(2, -1)
    exact = best_of_n(ref, scores, 3).exp()
    frequency = torch.stack([(drawn == y).double().mean(1) for y in range(3)], dim=1)
    assert ((frequency - exact).abs() < 5 * (exact * (1 - exact) / 40_000).sqrt() + 1e-12).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda r, s: best_of_n(r, s, 0), "n = 0: expected a whole number of draws"),
        (lambda r, s: best_of_n(r, s, 1.5), "n = 1.5"),
        (lambda r, s: best_of_n(r, s[:2], 2), "expected the shape of the policy"),
        (lambda r, s: top_fraction(r, s, 0.0), "fraction = 0.0"),
        (lambda r, s: top_fraction(r, s, 1.1), "fraction = 1.1"),
        (lambda r, s: mean_of_top(r, s, s, []), "fractions"),
        (lambda r, s: mean_of_top(r, s, s, [0.5, 0.0]), "fractions"),
        (lambda r, s: mean_of_top(r, s, s[:2], [0.5]), "values"),
        (lambda r, s: frontier(r, s, []), "no betas"),
        (lambda r, s: by_reward(r, s * float("nan")), "NaN or infinity"),
        (
            lambda r, s: draw_best_of_n(lambda x, g: x, s[None], torch.tensor([0]), 0, seeded(0)),
            "n = 0",
        ),
        (
            lambda r, s: draw_best_of_n(lambda x, g: x, s[None], torch.tensor([]), 2, seeded(0)),
            "prompts",
        ),
        (
            lambda r, s: draw_best_of_n(
                lambda x, g: x, s[None] * float("nan"), torch.tensor([0]), 2, seeded(0)
            ),
            "NaN",
        ),
    ],
)
def test_selection_refuses_what_it_cannot_use(call, message):
    with pytest.raises(ValueError, match=message):
        call(table([0.5, 0.3, 0.2]), torch.tensor([0.0, 2.0, 1.0], dtype=torch.float64))


# ---- checks that others share, and types ----------------------------------------------------


def test_real_and_floating_arguments_are_told_apart_and_named():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        check_floating(x=torch.zeros(2, dtype=dtype))
    for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        check_real(x=torch.zeros(2, dtype=dtype))
        with pytest.raises(
            ValueError,
            match=rf"y of {dtype}: expected floating-point numbers. Convert with .double",
        ):
            check_floating(x=torch.zeros(2), y=torch.zeros(2, dtype=dtype))
    for dtype in (torch.uint16, torch.uint64, torch.complex64):
        with pytest.raises(ValueError, match=f"y of {dtype}: expected real numbers"):
            check_real(x=torch.zeros(2), y=torch.zeros(2, dtype=dtype))
    for bad in ([0.0], np.zeros(2), None, 1.0):
        with pytest.raises(ValueError, match=f"y is a {type(bad).__name__}: expected a tensor"):
            check_floating(x=torch.zeros(2), y=bad)


def test_a_mask_is_booleans_or_zeros_and_ones():
    wanted = torch.tensor([[True, False]])
    for dtype in (torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64):
        assert torch.equal(as_mask(wanted.to(dtype)), wanted)
    for bad in (2.0, -1.0, 0.5, INF, float("nan")):
        with pytest.raises(
            ValueError, match=rf"mask\[0, 1\] is {bad}: expected booleans, or 0 and 1"
        ):
            as_mask(torch.tensor([[1.0, bad]]))


REWARDS = torch.tensor([0, 1, 1, 3])
REF = table([0.4, 0.3, 0.2, 0.1])
OF_REWARDS = {
    "expected": lambda r: expected(REF, r),
    "objective": lambda r: objective(REF, REF, r, 0.5),
    "optimum": lambda r: optimum(REF, r, 0.5)[0],
    "frontier": lambda r: torch.stack(frontier(REF, r, [0.5, 2.0])),
    "by_reward": lambda r: by_reward(REF, r)[1],
    "best_of_n": lambda r: best_of_n(REF, r, 3),
    "top_fraction": lambda r: top_fraction(REF, r, 0.25),
    "mean_of_top": lambda r: mean_of_top(REF, r, r, [0.25, 0.5]),
    "draw_best_of_n": lambda r: draw_best_of_n(
        lambda x, g: torch.randint(4, x.shape, generator=g),
        r[None],
        torch.zeros(50).long(),
        3,
        seeded(0),
    ),
}


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16], ids=str
)
@pytest.mark.parametrize("call", OF_REWARDS.values(), ids=OF_REWARDS)
def test_rewards_of_every_type_count_as_the_numbers_they_are(call, dtype):
    found, wanted = call(REWARDS.to(dtype)), call(REWARDS.to(dtype).double())
    torch.testing.assert_close(found.double(), wanted.double(), rtol=1e-6, atol=0)


def test_the_mean_over_pairs_subtracts_no_whole_numbers():
    with pytest.raises(ValueError, match="rewards of torch.uint8: expected floating-point"):
        mean_over_pairs(REF, REWARDS.byte(), lambda a, b: a - b)


def test_lists_and_arrays_are_refused():
    for call in OF_REWARDS.values():
        with pytest.raises(ValueError, match="is a ndarray: expected a tensor"):
            call(np.array([0.0, 1.0, 1.0, 3.0]))
    for call in (lambda p: kl(p, REF), lambda p: kl(REF, p), lambda p: expected(p, REWARDS)):
        with pytest.raises(ValueError, match="logps is a list: expected a tensor"):
            call(REF.tolist())
