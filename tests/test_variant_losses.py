"""IPO, SimPO, ORPO and KTO, in value and gradient, against plain Python and against frozen values of TRL."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import seeded
from hypothesis import given
from hypothesis import strategies as st

from helpers.gpt import sequence_logps, token_logps
from helpers.losses import (
    bradley_terry_loss,
    ipo_loss,
    kto_loss,
    mean_logps,
    odds_ratio_loss,
    orpo_loss,
    reference_point,
    sft_loss,
    simpo_loss,
)

TRL = json.loads((Path(__file__).parent / "data" / "variants.json").read_text(encoding="utf-8"))
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-5}
BAD_NUMBERS = [float("nan"), float("inf"), float("-inf")]

# ---- the formulas in plain Python -----------------------------------------------------------


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    return math.exp(log_sigmoid(x))


def plain_ipo(four, tau, label):
    """Value, and gradient of the chosen log-probabilities; the rejected's is its negative."""
    target, n = 1 / (2 * tau), len(label)
    h = [(w - rw) - (l - rl) for w, l, rw, rl in zip(*four)]
    value = math.fsum(
        q * (d - target) ** 2 + (1 - q) * (-d - target) ** 2 for d, q in zip(h, label)
    )
    return value / n, [
        (2 * q * (d - target) - 2 * (1 - q) * (-d - target)) / n for d, q in zip(h, label)
    ]


def plain_simpo(chosen, rejected, beta, gamma, label):
    """Value, and gradient of the chosen means; the rejected's is its negative."""
    n, gaps = len(label), [w - l for w, l in zip(chosen, rejected)]
    value = -math.fsum(
        q * log_sigmoid(beta * d - gamma) + (1 - q) * log_sigmoid(-beta * d - gamma)
        for d, q in zip(gaps, label)
    )
    return value / n, [
        beta * ((1 - q) * sigmoid(beta * d + gamma) - q * sigmoid(gamma - beta * d)) / n
        for d, q in zip(gaps, label)
    ]


def one_minus(logp: float) -> float:
    """1 − p of log p, with all its digits."""
    return -math.expm1(logp)


def log_odds(logp: float) -> float:
    return logp - math.log(one_minus(logp))


def plain_odds(chosen, rejected):
    """Value, and both gradients: d log odds/d log p = 1/(1 − p)."""
    n, gaps = len(chosen), [log_odds(w) - log_odds(l) for w, l in zip(chosen, rejected)]
    pulls = [sigmoid(-d) / n for d in gaps]
    return (
        -math.fsum(log_sigmoid(d) for d in gaps) / n,
        [-pull / one_minus(w) for pull, w in zip(pulls, chosen)],
        [pull / one_minus(l) for pull, l in zip(pulls, rejected)],
    )


def plain_means(logps, mask):
    return [
        math.fsum(x for x, k in zip(row, keep) if k) / sum(keep) for row, keep in zip(logps, mask)
    ]


def plain_orpo(chosen, chosen_mask, rejected, rejected_mask, lam):
    """Value, and both gradients per token."""
    value, of_chosen, of_rejected = plain_odds(
        plain_means(chosen, chosen_mask), plain_means(rejected, rejected_mask)
    )
    scored = [x for row, keep in zip(chosen, chosen_mask) for x, k in zip(row, keep) if k]
    return (
        -math.fsum(scored) / len(scored) + lam * value,
        [
            [(-1 / len(scored) + lam * slope / sum(keep)) if k else 0.0 for k in keep]
            for slope, keep in zip(of_chosen, chosen_mask)
        ],
        [
            [lam * slope / sum(keep) if k else 0.0 for k in keep]
            for slope, keep in zip(of_rejected, rejected_mask)
        ],
    )


def plain_kto(logps, ref_logps, liked, beta, z0, liked_weight, disliked_weight):
    """Value, and gradient of the log-probabilities."""
    value, gradient, n = [], [], len(liked)
    for logp, ref, good in zip(logps, ref_logps, liked):
        x = beta * (logp - ref - z0)
        weight, sign = (liked_weight, 1) if good else (disliked_weight, -1)
        value.append(weight * sigmoid(-sign * x))
        gradient.append(-sign * weight * beta * sigmoid(x) * sigmoid(-x) / n)
    return math.fsum(value) / n, gradient


# ---- inputs ---------------------------------------------------------------------------------


def normal(shape, seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def four_of(n: int, seed: int, dtype=torch.float64) -> list[torch.Tensor]:
    """Four vectors of response log-probabilities, the first two as leaves."""
    rows = (-8 + normal((4, n), seed)).to(dtype)
    return [row.clone().requires_grad_(i < 2) for i, row in enumerate(rows)]


def means_of(n: int, seed: int, dtype=torch.float64) -> list[torch.Tensor]:
    """Two vectors of mean log-probabilities, leaves, from nearly 0 down to about −3."""
    return [x.to(dtype).requires_grad_() for x in -normal((2, n), seed, 1.0).abs() - 0.01]


def tokens_of(shape: tuple[int, int], seed: int, dtype=torch.float64):
    """Token log-probabilities (B, R), a leaf, and a ragged mask whose second row has one token."""
    logps = (-2 * torch.rand(shape, generator=seeded(seed), dtype=torch.float64) - 0.01).to(dtype)
    lengths = torch.randint(1, shape[1] + 1, shape[:1], generator=seeded(seed + 1))
    lengths[0], lengths[1:2] = shape[1], 1
    return logps.requires_grad_(), torch.arange(shape[1]) < lengths[:, None]


def lists(*tensors: torch.Tensor) -> list:
    return [x.tolist() for x in tensors]


def same(found: torch.Tensor, expected, tolerance: float) -> None:
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


LABELS = {
    "hard": lambda n: torch.ones(n, dtype=torch.float64),
    "soft": lambda n: torch.rand(n, generator=seeded(n), dtype=torch.float64),
}

# ---- value and gradient ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("n, tau", [(1, 0.1), (2, 1.0), (7, 0.03), (64, 5.0)])
def test_ipo_is_the_formula_in_value_and_gradient(n, tau, kind, dtype):
    four, label = four_of(n, n + 10, dtype), LABELS[kind](n).to(dtype)
    loss = ipo_loss(*four, tau, label)
    loss.backward()
    value, gradient = plain_ipo(lists(*four), tau, label.tolist())
    assert loss.shape == () and loss.dtype == dtype
    same(loss, value, TOLERANCE[dtype])
    same(four[0].grad, gradient, TOLERANCE[dtype])
    same(four[1].grad, [-g for g in gradient], TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(
    "n, beta, gamma", [(1, 2.0, 1.0), (2, 1.0, 0.0), (7, 10.0, 5.0), (64, 0.3, 0.5)]
)
def test_simpo_is_the_formula_in_value_and_gradient(n, beta, gamma, kind, dtype):
    (chosen, rejected), label = means_of(n, n + 20, dtype), LABELS[kind](n).to(dtype)
    loss = simpo_loss(chosen, rejected, beta, gamma, label)
    loss.backward()
    value, gradient = plain_simpo(*lists(chosen, rejected), beta, gamma, label.tolist())
    assert loss.shape == () and loss.dtype == dtype
    same(loss, value, TOLERANCE[dtype])
    same(chosen.grad, gradient, TOLERANCE[dtype])
    same(rejected.grad, [-g for g in gradient], TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_the_odds_ratio_is_the_formula_in_value_and_gradient(n, dtype):
    chosen, rejected = means_of(n, n + 30, dtype)
    loss = odds_ratio_loss(chosen, rejected)
    loss.backward()
    value, of_chosen, of_rejected = plain_odds(*lists(chosen, rejected))
    assert loss.shape == () and loss.dtype == dtype
    same(loss, value, TOLERANCE[dtype])
    same(chosen.grad, of_chosen, TOLERANCE[dtype])
    same(rejected.grad, of_rejected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (16, 5)])
def test_a_mean_is_over_the_tokens_of_its_own_response(shape, dtype):
    logps, mask = tokens_of(shape, 40, dtype)
    means = mean_logps(logps, mask)
    means.sum().backward()
    assert means.shape == shape[:1] and means.dtype == dtype
    same(means, plain_means(*lists(logps, mask)), TOLERANCE[dtype])
    same(logps.grad, [[k / sum(row) for k in row] for row in mask.tolist()], TOLERANCE[dtype])
    assert torch.equal(mean_logps(logps, mask.long()), means)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("lam", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("shapes", [((1, 1), (1, 3)), ((3, 4), (3, 2)), ((16, 5), (16, 5))])
def test_orpo_is_the_formula_in_value_and_gradient(shapes, lam, dtype):
    (chosen, chosen_mask), (rejected, rejected_mask) = (
        tokens_of(shape, seed, dtype) for shape, seed in zip(shapes, (50, 60))
    )
    loss = orpo_loss(chosen, chosen_mask, rejected, rejected_mask, lam)
    loss.backward()
    value, of_chosen, of_rejected = plain_orpo(
        *lists(chosen, chosen_mask, rejected, rejected_mask), lam
    )
    assert loss.shape == () and loss.dtype == dtype
    same(loss, value, TOLERANCE[dtype])
    same(chosen.grad, of_chosen, TOLERANCE[dtype])
    same(rejected.grad, of_rejected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.5, 0.25), (0.0, 2.0)])
@pytest.mark.parametrize("z0", [0.0, 1.7])
@pytest.mark.parametrize("n, beta", [(1, 0.1), (2, 1.0), (7, 0.3), (64, 5.0)])
def test_kto_is_the_formula_in_value_and_gradient(n, beta, z0, weights, dtype):
    logps, _, ref_logps, _ = four_of(n, n + 70, dtype)
    liked = torch.rand(n, generator=seeded(n)) < 0.4
    loss = kto_loss(logps, ref_logps, liked, beta, z0, *weights)
    loss.backward()
    value, gradient = plain_kto(*lists(logps, ref_logps, liked), beta, z0, *weights)
    assert loss.shape == () and loss.dtype == dtype
    same(loss, value, TOLERANCE[dtype])
    same(logps.grad, gradient, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("lift", [-1.0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_reference_point_is_the_mean_or_zero(n, lift, dtype):
    ref_logps = (-8 + normal((n,), n + 80)).to(dtype)
    logps = ref_logps + lift * normal((n,), n + 90).abs().to(dtype)
    expected = max(0.0, math.fsum(a - b for a, b in zip(*lists(logps, ref_logps))) / n)
    found = reference_point(logps, ref_logps)
    assert found.shape == () and found.dtype == dtype
    assert (found > 0) == (lift > 0)
    same(found, expected, TOLERANCE[dtype])


def test_defaults_are_a_certain_label_a_reference_point_of_zero_and_weights_of_one():
    four, (chosen, rejected), ones = four_of(5, 2), means_of(5, 3), LABELS["hard"](5)
    assert ipo_loss(*four, 0.5) == ipo_loss(*four, 0.5, ones)
    assert simpo_loss(chosen, rejected, 2.0, 0.5) == simpo_loss(chosen, rejected, 2.0, 0.5, ones)
    liked = torch.tensor([True, False, True, True, False])
    one = kto_loss(four[0], four[2], liked, 0.5)
    assert one == kto_loss(four[0], four[2], liked, 0.5, 0.0, 1.0, 1.0)


# ---- frozen values of TRL -------------------------------------------------------------------


def tensors(case: dict, *names: str) -> list[torch.Tensor]:
    dtype = getattr(torch, case.get("dtype", "float64"))
    return [torch.tensor(case[name], dtype=dtype) for name in names]


def of(case: dict) -> str:
    size = len(case.get("liked", case.get("chosen_mean_logps", case.get("chosen_logps", []))))
    settings = "-".join(f"{key}{case[key]}" for key in ("tau", "beta", "gamma") if key in case)
    return f"{case.get('dtype', 'tokens')}-B{size}-{settings}"


TIGHT = {"float64": 1e-12, "float32": 2e-6}
SEQUENCES = ("chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
MEANS = ("chosen_mean_logps", "rejected_mean_logps")


@pytest.mark.parametrize("case", TRL["ipo"], ids=of)
def test_ipo_agrees_with_trl_in_value_and_gradient(case):
    """Responses of one token, for which TRL's mean over tokens is the sum."""
    four = tensors(case, *SEQUENCES)
    chosen, rejected = (x.requires_grad_() for x in four[:2])
    loss = ipo_loss(*four, case["tau"])
    loss.backward()
    tolerance = TIGHT[case["dtype"]]
    same(loss, case["loss"], tolerance)
    same(chosen.grad, case["chosen_grad"], tolerance)
    same(rejected.grad, case["rejected_grad"], tolerance)


@pytest.mark.parametrize("case", [c for c in TRL["simpo"] if c["smoothing"] == 0], ids=of)
def test_simpo_agrees_with_trl_in_value_and_gradient(case):
    chosen, rejected = (x.requires_grad_() for x in tensors(case, *MEANS))
    loss = simpo_loss(chosen, rejected, case["beta"], case["gamma"])
    loss.backward()
    tolerance = TIGHT[case["dtype"]]
    same(loss, case["loss"], tolerance)
    same(chosen.grad, case["chosen_grad"], tolerance)
    same(rejected.grad, case["rejected_grad"], tolerance)


@pytest.mark.parametrize("case", [c for c in TRL["simpo"] if c["smoothing"] > 0], ids=of)
def test_smoothed_simpo_of_trl_gives_the_turned_pair_the_margin_instead_of_asking_it(case):
    """TRL turns round the whole argument, margin and all; a soft label here turns the two responses."""
    chosen, rejected = tensors(case, *MEANS)
    beta, gamma, epsilon = case["beta"], case["gamma"], case["smoothing"]
    right, _ = plain_simpo(*lists(chosen, rejected), beta, gamma, [1.0] * len(chosen))
    turned, _ = plain_simpo(*lists(rejected, chosen), beta, -gamma, [1.0] * len(chosen))
    tolerance = TIGHT[case["dtype"]]
    assert (1 - epsilon) * right + epsilon * turned == pytest.approx(case["loss"], rel=tolerance)
    label = torch.full_like(chosen, 1 - epsilon)
    assert simpo_loss(chosen, rejected, beta, gamma, label) > case["loss"] + 0.01


@pytest.mark.parametrize("case", TRL["odds"], ids=of)
def test_the_odds_ratio_agrees_with_trl_in_value_and_gradient(case):
    """TRL casts to float32, whatever it is given."""
    chosen, rejected = (x.requires_grad_() for x in tensors(case, *MEANS))
    loss = odds_ratio_loss(chosen, rejected)
    loss.backward()
    same(loss, case["loss"], 2e-6)
    same(chosen.grad, case["chosen_grad"], 2e-6)
    same(rejected.grad, case["rejected_grad"], 2e-6)


class Table:
    """A policy whose logits are recorded per place and per token that it reads there, (T, V, V)."""

    def __init__(self, table: torch.Tensor):
        self.table = table
        size = table.shape[-1]
        self.config = SimpleNamespace(n_tokens=size, n_outputs=size, context=len(table))

    def __call__(self, tokens: torch.Tensor, read: tuple) -> torch.Tensor:
        return self.table[torch.arange(tokens.shape[1]), tokens][read]


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Responses (B, R) and their mask."""
    width = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    return tokens, torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]


def from_tables(case: dict):
    """Two tables, prompts, and per side the responses with their mask."""
    table, ref_table = tensors(case, "table", "ref_table")
    prompts = torch.tensor(case["prompts"])
    sides = padded(case["chosen"]), padded(case["rejected"])
    return table.requires_grad_(), ref_table, prompts, *sides


def by_prompt(case: dict) -> str:
    return f"B{len(case['prompts'])}-P{len(case['prompts'][0])}"


@pytest.mark.parametrize("case", TRL["pairs"], ids=by_prompt)
def test_simpo_from_tokens_agrees_with_trl_in_value_and_gradient(case):
    table, _, prompts, *sides = from_tables(case)
    means = [mean_logps(token_logps(Table(table), prompts, y), mask) for y, mask in sides]
    loss = simpo_loss(*means, case["beta"], case["gamma"])
    loss.backward()
    same(loss, case["simpo"]["loss"], 1e-11)
    same(table.grad, case["simpo"]["grad"], 1e-11)


@pytest.mark.parametrize("case", TRL["pairs"], ids=by_prompt)
def test_orpo_agrees_with_trl_in_value_and_gradient_where_the_prompt_is_not_scored(case):
    """TRL's NLL is over the prompt too, but for its first token, which nothing predicts."""
    table, _, prompts, *sides = from_tables(case)
    (chosen, chosen_mask), (rejected, rejected_mask) = (
        (token_logps(Table(table), prompts, y), mask) for y, mask in sides
    )
    loss = orpo_loss(chosen, chosen_mask, rejected, rejected_mask, case["lam"])
    nll = sft_loss(chosen, chosen_mask)
    if prompts.shape[1] == 1:
        loss.backward()
        same(nll, case["orpo"]["nll"], 1e-6)
        same(loss, case["orpo"]["loss"], 1e-6)
        same(table.grad, case["orpo"]["grad"], 1e-6)
        return
    assert abs(nll.item() - case["orpo"]["nll"]) > 0.01
    responses, mask = sides[0]
    scored = torch.cat([prompts[:, 1:], responses], dim=1)
    wider = torch.cat([torch.ones_like(prompts[:, 1:]).bool(), mask], dim=1)
    theirs = sft_loss(token_logps(Table(table), prompts[:, :1], scored), wider)
    (loss - nll + theirs).backward()
    same(loss - nll + theirs, case["orpo"]["loss"], 1e-6)
    same(table.grad, case["orpo"]["grad"], 1e-6)


@pytest.mark.parametrize("case", TRL["pairs"], ids=by_prompt)
def test_ipo_of_means_is_trl_and_ipo_of_sums_is_another_objective(case):
    table, ref_table, prompts, *sides = from_tables(case)
    policies = Table(table), Table(ref_table)
    sums = [sequence_logps(policy, prompts, *side) for policy in policies for side in sides]
    lengths = [mask.sum(1) for _, mask in sides] * 2
    of_means = ipo_loss(*(s / n for s, n in zip(sums, lengths)), case["tau"])
    of_means.backward()
    same(of_means, case["ipo_of_means"]["loss"], 1e-6)
    same(table.grad, case["ipo_of_means"]["grad"], 1e-6)
    assert abs(ipo_loss(*sums, case["tau"]) - of_means) > 1


@pytest.mark.parametrize("case", TRL["kto"], ids=of)
def test_kto_agrees_with_trl_in_value_and_gradient(case):
    logps, ref_logps, *mismatched = tensors(
        case, "logps", "ref_logps", "mismatched_logps", "mismatched_ref_logps"
    )
    z0 = reference_point(*mismatched)
    liked, weights = torch.tensor(case["liked"]), (case["liked_weight"], case["disliked_weight"])
    loss = kto_loss(logps.requires_grad_(), ref_logps, liked, case["beta"], z0, *weights)
    loss.backward()
    tolerance = TIGHT[case["dtype"]]
    same(z0, case["reference_point"], tolerance)
    same(loss, case["loss"], tolerance)
    same(logps.grad, case["grad"], tolerance)


@pytest.mark.parametrize("case", TRL["kto_tokens"], ids=by_prompt)
def test_kto_from_tokens_agrees_with_trl_in_value_and_gradient(case):
    """TRL's own mismatching too: each prompt gets the reply to the one before it, the first that to the last."""
    answers = case["answers"]
    assert case["mismatched"] == answers[-1:] + answers[:-1]
    table, ref_table = tensors(case, "table", "ref_table")
    policies = Table(table.requires_grad_()), Table(ref_table)
    prompts = torch.tensor(case["prompts"])
    own, other = (
        [sequence_logps(policy, prompts, *padded(case[name])) for policy in policies]
        for name in ("answers", "mismatched")
    )
    z0 = reference_point(*other)
    weights = case["liked_weight"], case["disliked_weight"]
    loss = kto_loss(*own, torch.tensor(case["liked"]), case["beta"], z0, *weights)
    loss.backward()
    same(z0, case["reference_point"], 1e-6)
    same(loss, case["loss"], 1e-6)
    same(table.grad, case["grad"], 1e-6)


def test_the_frozen_cases_reach_both_sides_of_the_clamp_and_batches_of_one_kind():
    points = [case["reference_point"] for case in TRL["kto"]]
    assert 0 in points and max(points) > 1
    assert {case["reference_point"] > 0 for case in TRL["kto_tokens"]} == {True, False}
    kinds = [set(case["liked"]) for case in TRL["kto"]]
    assert {True} in kinds and {False} in kinds and {True, False} in kinds


# ---- properties -----------------------------------------------------------------------------

finite = st.floats(-50, 50)
betas = st.floats(1e-2, 10)
taus = st.floats(1e-2, 10)
gammas = st.floats(0, 10)
labels = st.floats(0, 1)
below_zero = st.floats(-30, -1e-3)


@st.composite
def batches(draw, rows: int, numbers=finite):
    """``rows`` vectors of one length, and labels."""
    n = draw(st.integers(1, 6))
    drawn = [
        draw(st.lists(values, min_size=n, max_size=n)) for values in (*[numbers] * rows, labels)
    ]
    return torch.tensor(drawn, dtype=torch.float64)


def close(a: torch.Tensor, b) -> None:
    torch.testing.assert_close(a, torch.as_tensor(b, dtype=a.dtype), rtol=1e-9, atol=1e-9)


@given(labels, taus)
def test_ipo_is_smallest_where_the_margin_is_the_label_stretched_by_tau(label, tau):
    zero, q = torch.zeros(1, dtype=torch.float64), torch.tensor([label], dtype=torch.float64)
    best = ((2 * q - 1) / (2 * tau)).requires_grad_()
    smallest = ipo_loss(best, zero, zero, zero, tau, q)
    smallest.backward()
    assert best.grad.abs().item() < 1e-12 / tau
    close(smallest, (1 - (2 * label - 1) ** 2) / (2 * tau) ** 2)
    for step in (-0.1, 0.1):
        close(ipo_loss(best.detach() + step, zero, zero, zero, tau, q), smallest.item() + step**2)


@given(batches(4), taus, finite)
def test_ipo_does_not_see_a_common_shift(batch, tau, shift):
    w, l, rw, rl, label = batch
    loss = ipo_loss(w, l, rw, rl, tau, label)
    torch.testing.assert_close(ipo_loss(w + shift, l + shift, rw, rl, tau, label), loss)
    torch.testing.assert_close(ipo_loss(w, l, rw + shift, rl + shift, tau, label), loss)
    torch.testing.assert_close(ipo_loss(w + shift, l, rw + shift, rl, tau, label), loss)


@given(batches(4), taus)
def test_swapping_the_responses_is_turning_the_label_in_ipo(batch, tau):
    w, l, rw, rl, label = batch
    close(ipo_loss(l, w, rl, rw, tau, 1 - label), ipo_loss(w, l, rw, rl, tau, label))


@given(batches(2), betas, gammas)
def test_swapping_the_responses_is_turning_the_label_in_simpo(batch, beta, gamma):
    w, l, label = batch
    close(simpo_loss(l, w, beta, gamma, 1 - label), simpo_loss(w, l, beta, gamma, label))


@given(batches(4), taus, st.floats(0.1, 5))
def test_stretching_the_log_ratios_is_shrinking_tau_and_squares_the_loss(batch, tau, factor):
    *four, label = batch
    found = ipo_loss(*(factor * x for x in four), tau / factor, label)
    close(found / factor**2, ipo_loss(*four, tau, label))


@given(batches(4), taus)
def test_a_soft_label_is_the_mixture_of_both_answers_in_ipo(batch, tau):
    w, l, rw, rl, label = (row[:1] for row in batch)
    q = label.item()
    both = q * ipo_loss(w, l, rw, rl, tau) + (1 - q) * ipo_loss(l, w, rl, rw, tau)
    close(ipo_loss(w, l, rw, rl, tau, label), both)


@given(batches(2), betas, gammas)
def test_a_soft_label_is_the_mixture_of_both_answers_in_simpo(batch, beta, gamma):
    w, l, label = (row[:1] for row in batch)
    q = label.item()
    both = q * simpo_loss(w, l, beta, gamma) + (1 - q) * simpo_loss(l, w, beta, gamma)
    close(simpo_loss(w, l, beta, gamma, label), both)


@given(batches(2), betas)
def test_simpo_without_a_margin_is_bradley_terry_on_beta_times_the_means(batch, beta):
    w, l, label = batch
    close(simpo_loss(w, l, beta, 0.0, label), bradley_terry_loss(beta * w, beta * l, label))


@given(batches(2), betas, gammas)
def test_the_margin_of_simpo_is_gamma_over_beta_nats_per_token(batch, beta, gamma):
    w, l, _ = batch
    close(simpo_loss(w, l, beta, gamma), simpo_loss(w - gamma / beta, l, beta, 0.0))
    close(simpo_loss(l + gamma / beta, l, beta, gamma), math.log(2))


@given(batches(2, below_zero))
def test_the_odds_ratio_loss_is_bradley_terry_on_log_odds(batch):
    w, l, _ = batch
    expected = bradley_terry_loss(torch.logit(w.exp()), torch.logit(l.exp()))
    torch.testing.assert_close(odds_ratio_loss(w, l), expected, rtol=1e-6, atol=1e-9)


@given(batches(2, below_zero))
def test_swapping_the_responses_changes_the_odds_ratio_loss_by_the_mean_log_odds_ratio(batch):
    w, l, _ = batch
    ratio = math.fsum(log_odds(a) - log_odds(b) for a, b in zip(*lists(w, l))) / len(w)
    close(odds_ratio_loss(l, w) - odds_ratio_loss(w, l), ratio)
    close(odds_ratio_loss(w, w), math.log(2))


@given(st.floats(0, 5))
def test_orpo_is_imitation_plus_lambda_times_the_odds_ratio_loss(lam):
    (chosen, chosen_mask), (rejected, rejected_mask) = tokens_of((4, 3), 5), tokens_of((4, 6), 6)
    odds = odds_ratio_loss(mean_logps(chosen, chosen_mask), mean_logps(rejected, rejected_mask))
    loss = orpo_loss(chosen, chosen_mask, rejected, rejected_mask, lam)
    close(loss, sft_loss(chosen, chosen_mask) + lam * odds)


def test_in_orpo_imitation_is_a_mean_over_tokens_and_the_odds_are_of_means_per_response():
    chosen = torch.tensor([[-1.0, -1.0, -1.0], [-5.0, 0.0, 0.0]], dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    rejected, own = torch.tensor([[-1.0], [-5.0]], dtype=torch.float64), torch.ones(2, 1)
    assert mean_logps(chosen, mask).tolist() == [-1.0, -5.0]
    close(orpo_loss(chosen, mask, rejected, own, 1.0), 2.0 + math.log(2))


@st.composite
def examples(draw):
    """Log-probabilities, the reference's, and what was liked."""
    n = draw(st.integers(1, 6))
    logps, ref = (draw(st.lists(finite, min_size=n, max_size=n)) for _ in range(2))
    liked = torch.tensor(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return *torch.tensor([logps, ref], dtype=torch.float64), liked


weights = st.floats(0, 4)
points = st.floats(0, 20)


@given(examples(), examples(), betas, points, weights, weights)
def test_the_mean_of_kto_is_over_all_examples_whatever_their_kind(one, two, beta, z0, up, down):
    joined = [torch.cat(pair) for pair in zip(one, two)]
    parts = [kto_loss(*part, beta, z0, up, down) * len(part[0]) for part in (one, two)]
    close(kto_loss(*joined, beta, z0, up, down), sum(parts) / len(joined[0]))


def test_ten_liked_and_one_disliked_count_alike_each():
    """A mean per kind would give the single disliked reply the weight of ten."""
    logps = torch.zeros(11, dtype=torch.float64, requires_grad=True)
    liked = torch.arange(11) < 10
    kto_loss(logps, torch.zeros(11, dtype=torch.float64), liked, 1.0).backward()
    same(logps.grad, [-0.25 / 11] * 10 + [0.25 / 11], 1e-15)


@given(examples(), betas, points)
def test_liking_and_disliking_the_same_replies_add_up_to_one(example, beta, z0):
    logps, ref, liked = example
    close(kto_loss(logps, ref, liked, beta, z0) + kto_loss(logps, ref, ~liked, beta, z0), 1.0)


@given(examples(), betas, points, weights, weights)
def test_kto_is_linear_in_its_weights_and_each_is_of_one_kind(example, beta, z0, up, down):
    one = kto_loss(*example, beta, z0, 1.0, 0.0)
    other = kto_loss(*example, beta, z0, 0.0, 1.0)
    close(kto_loss(*example, beta, z0, up, down), up * one + down * other)
    assert (one == 0) == (not example[2].any() or one.item() < 1e-300)
    assert 0 <= one <= example[2].double().mean() and 0 <= other <= (~example[2]).double().mean()


@given(examples(), betas, points)
def test_kto_sees_only_how_far_a_reply_is_above_the_reference_point(example, beta, z0):
    logps, ref, liked = example
    close(kto_loss(logps + z0, ref, liked, beta, z0), kto_loss(logps, ref, liked, beta))
    close(kto_loss(ref + z0, ref, liked, beta, z0), 0.5)


@given(examples(), betas, points)
def test_kto_pushes_liked_replies_up_and_disliked_ones_down(example, beta, z0):
    logps, ref, liked = example
    leaf = logps.clone().requires_grad_()
    kto_loss(leaf, ref, liked, beta, z0).backward()
    assert (leaf.grad[liked] <= 0).all() and (leaf.grad[~liked] >= 0).all()


# ---- gradients that are not to flow ---------------------------------------------------------


def test_no_gradient_flows_into_the_reference_of_ipo_and_kto():
    four = [x.detach().requires_grad_() for x in four_of(4, 7)]
    ipo_loss(*four, 0.5).backward()
    assert four[0].grad.abs().min() > 0 and four[1].grad.abs().min() > 0
    assert four[2].grad is None and four[3].grad is None
    logps, ref = (x.detach().requires_grad_() for x in four[:2])
    z0 = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    kto_loss(logps, ref, torch.tensor([1, 0, 1, 0]), 0.5, z0).backward()
    assert logps.grad.abs().min() > 0
    assert ref.grad is None and z0.grad is None


def test_the_reference_point_carries_no_gradient():
    logps = torch.tensor([1.0, 2.0], requires_grad=True)
    found = reference_point(logps, torch.zeros(2, requires_grad=True))
    assert found == 1.5 and not found.requires_grad


def test_both_sides_of_the_losses_without_a_reference_carry_gradient():
    for loss in (lambda w, l: simpo_loss(w, l, 2.0, 0.5), odds_ratio_loss):
        chosen, rejected = means_of(4, 8)
        loss(chosen, rejected).backward()
        assert (chosen.grad < 0).all() and (rejected.grad > 0).all()


def test_no_argument_is_changed():
    four, means, label = four_of(4, 8), means_of(4, 9), LABELS["soft"](4)
    (chosen, mask), (rejected, other) = tokens_of((4, 3), 10), tokens_of((4, 5), 11)
    liked = torch.tensor([1, 0, 0, 1])
    given_ = [*four, *means, label, chosen, mask, rejected, other, liked]
    before = [x.detach().clone() for x in given_]
    ipo_loss(*four, 0.5, label).backward()
    simpo_loss(*means, 2.0, 0.5, label).backward()
    orpo_loss(chosen, mask, rejected, other, 0.5).backward()
    kto_loss(four[0], four[2], liked, 0.5, reference_point(four[0], four[2])).backward()
    assert all(torch.equal(a, b) for a, b in zip(before, given_))


# ---- limits ---------------------------------------------------------------------------------


def leaf_of(x: float, dtype) -> torch.Tensor:
    return torch.tensor([x], dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("far", [1e4, -1e4, 1e8])
def test_ipo_at_far_margins(far, label, dtype):
    chosen, zero = leaf_of(far, dtype), torch.zeros(1, dtype=dtype)
    loss = ipo_loss(chosen, zero, zero, zero, 0.1, torch.tensor([label], dtype=dtype))
    loss.backward()
    value, gradient = plain_ipo([[far], [0.0], [0.0], [0.0]], 0.1, [label])
    same(loss / far**2, value / far**2, 1e-6)
    same(chosen.grad / far, [gradient[0] / far], 1e-6)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("far", [1e4, -1e4, 1e30, -1e30])
def test_simpo_is_a_straight_line_at_far_margins(far, label, dtype):
    chosen, zero = leaf_of(far, dtype), torch.zeros(1, dtype=dtype)
    loss = simpo_loss(chosen, zero, 2.0, 1.0, torch.tensor([label], dtype=dtype))
    loss.backward()
    slope = 2 * (1 - label) if far > 0 else -2 * label
    offset = 1 - label if far > 0 else label  # the margin that the far side is asked for
    same(loss / abs(far), (slope * far + offset) / abs(far), 1e-6)
    same(chosen.grad, [slope], 1e-6)


ENDS = [-1.2e-38, -1e-30, -1e-7, -1e-3, -0.69, -0.7, -1.0, -20.0, -90.0, -1e4, -3e38]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("rejected", ENDS)
@pytest.mark.parametrize("chosen", ENDS)
def test_the_odds_ratio_at_probabilities_next_to_one_and_to_zero(chosen, rejected, dtype):
    w, l = leaf_of(chosen, dtype), leaf_of(rejected, dtype)
    loss = odds_ratio_loss(w, l)
    loss.backward()
    value, (of_chosen,), (of_rejected,) = plain_odds(w.tolist(), l.tolist())
    for found, expected in ((loss, value), (w.grad, of_chosen), (l.grad, of_rejected)):
        assert torch.isfinite(found).all()
        # in float32 σ(−D) underflows where D > 103; what is lost is below 1e-8 nats
        smallest = 1e-8 if dtype == torch.float32 else 1e-300
        assert found.item() == pytest.approx(expected, rel=3e-5, abs=smallest)


def test_the_odds_of_nearly_certain_responses_keep_their_digits():
    """1 − exp(−1e-7) in float32 by subtraction would be 1.19e-7."""
    one, half = torch.tensor([-1e-7]), torch.tensor([-math.log(2)])
    assert odds_ratio_loss(half, one).item() == pytest.approx(7 * math.log(10), abs=1e-5)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("liked", [0, 1])
@pytest.mark.parametrize("far", [1e4, -1e4, 3e38, -3e38])
def test_kto_is_flat_at_far_log_ratios(far, liked, dtype):
    logps, zero = leaf_of(far, dtype), torch.zeros(1, dtype=dtype)
    for z0 in (0.0, 1e4, 3e38):
        logps.grad = None
        loss = kto_loss(logps, zero, torch.tensor([liked]), 0.5, z0, 2.0, 3.0)
        loss.backward()
        if far != z0:
            assert loss == ((2.0 if far < z0 else 0.0) if liked else (3.0 if far > z0 else 0.0))
            assert logps.grad == 0


@given(examples(), betas, points)
def test_a_batch_of_one_kind_is_the_batch_of_that_kind(example, beta, z0):
    logps, ref, liked = example
    for kind, loss in ((True, sigmoid), (False, lambda x: sigmoid(-x))):
        rows = liked == kind
        if rows.any():
            terms = [loss(-beta * (a - b - z0)) for a, b in zip(*lists(logps[rows], ref[rows]))]
            close(kto_loss(logps[rows], ref[rows], liked[rows], beta, z0), sum(terms) / len(terms))


# ---- types ----------------------------------------------------------------------------------

LABEL_TYPES = [torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.float64]


@pytest.mark.parametrize("dtype", LABEL_TYPES, ids=str)
def test_labels_and_likes_of_every_type_are_the_same(dtype):
    for kind in (torch.float32, torch.float64):
        four, means = [x.to(kind) for x in four_of(6, 3)], [x.to(kind) for x in means_of(6, 4)]
        label = torch.tensor([1, 0, 0, 1, 0, 1])
        found, wanted = (
            (
                ipo_loss(*four, 0.5, q),
                simpo_loss(*means, 2.0, 0.5, q),
                kto_loss(four[0], four[2], q, 0.5),
            )
            for q in (label.to(dtype), label.to(kind))
        )
        for one, other in zip(found, wanted):
            torch.testing.assert_close(one.to(kind), other)


def test_a_reference_point_may_be_a_number_or_a_scalar_of_another_type():
    logps, liked = torch.tensor([1.0, 2.0]), torch.tensor([1, 0])
    expected = kto_loss(logps, torch.zeros(2), liked, 0.5, 2.0)
    for z0 in (2, torch.tensor(2.0), torch.tensor(2.0, dtype=torch.float64), torch.tensor(2)):
        found = kto_loss(logps, torch.zeros(2), liked, 0.5, z0)
        assert found == expected and found.dtype == torch.float32


# ---- bad input ------------------------------------------------------------------------------

LIKED = torch.tensor([1.0, 0.0, 1.0])
ARGUMENTS = {  # name of the loss: the loss of keyword arguments, and the names of its vectors
    "ipo": (lambda **x: ipo_loss(**x, tau=0.5), SEQUENCES),
    "simpo": (lambda **x: simpo_loss(**x, beta=2.0, gamma=0.5), MEANS),
    "odds": (odds_ratio_loss, MEANS),
    "kto": (lambda liked=LIKED, **x: kto_loss(**x, liked=liked, beta=0.5), ("logps", "ref_logps")),
    "reference": (reference_point, ("mismatched_logps", "mismatched_ref_logps")),
}
EACH = [(loss, name) for loss, (_, names) in ARGUMENTS.items() for name in names]
WITH_LABELS = [("ipo", "label"), ("simpo", "label"), ("kto", "liked")]


def call(loss: str, **changed):
    function, names = ARGUMENTS[loss]
    return function(**{name: torch.full((3,), -1.0) for name in names} | changed)


def test_what_the_tests_of_bad_input_start_from_is_good():
    assert all(torch.isfinite(call(loss)) for loss in ARGUMENTS)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("loss, name", EACH + WITH_LABELS)
def test_a_number_that_is_not_finite_is_named_with_its_place(loss, name, bad):
    good = [0.0, 1.0] if name in ("label", "liked") else [-1.0, -1.0]
    with pytest.raises(ValueError, match=rf"^{name}\[2\] is {bad}: expected finite numbers"):
        call(loss, **{name: torch.tensor([*good, bad])})


@pytest.mark.parametrize("shape", [(2,), (3, 1), (), (0,)], ids=str)
@pytest.mark.parametrize("loss, name", EACH + WITH_LABELS)
def test_other_shapes_are_refused(loss, name, shape):
    message = "expected one-dimensional tensors of one length"
    with pytest.raises(ValueError, match=message) as raised:
        call(loss, **{name: torch.full(shape, 1.0 if name in ("label", "liked") else -1.0)})
    assert f"{name} {shape}" in str(raised.value)


@pytest.mark.parametrize("shape", [(0,), (), (2, 3)], ids=str)
@pytest.mark.parametrize("loss", ARGUMENTS)
def test_an_empty_batch_or_a_matrix_is_refused(loss, shape):
    names = [*ARGUMENTS[loss][1], *(["liked"] if loss == "kto" else [])]
    with pytest.raises(ValueError, match="expected one-dimensional"):
        call(loss, **{name: torch.zeros(shape) for name in names})


@pytest.mark.parametrize("loss, name", EACH)
def test_whole_numbers_and_what_is_no_tensor_are_refused(loss, name):
    for bad, message in (
        (torch.tensor([-3, -7, -1]), "of torch.int64: expected floating-point"),
        (torch.tensor([3, 7, 1], dtype=torch.uint8), "of torch.uint8: expected floating-point"),
        (torch.tensor([True, False, True]), "of torch.bool: expected floating-point"),
        (torch.zeros(3) * 1j, "of torch.complex64: expected real"),
        ([-1.0, -1.0, -1.0], "is a list: expected a tensor"),
    ):
        with pytest.raises(ValueError, match=rf"^{name} {message}"):
            call(loss, **{name: bad})


@pytest.mark.parametrize("loss, name", WITH_LABELS)
def test_labels_that_are_no_tensors_are_refused(loss, name):
    for bad in ([1, 0, 1], np.array([1.0, 0.0, 1.0])):
        with pytest.raises(ValueError, match=rf"^{name} is a .*: expected a tensor"):
            call(loss, **{name: bad})


@pytest.mark.parametrize("bad", [-0.01, 1.01, 2.0, -1.0])
@pytest.mark.parametrize("loss", ["ipo", "simpo"])
def test_labels_outside_zero_to_one_are_refused(loss, bad):
    with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
        call(loss, label=torch.tensor([0.5, 0.5, bad]))


@pytest.mark.parametrize(
    "liked", [[1, 0, 2], [1, 0, -1], [1.0, 0.0, 0.5], [True, False, 7]], ids=str
)
def test_likes_other_than_zero_and_one_are_refused(liked):
    bad = torch.tensor(liked)
    message = rf"^liked\[2\] is {bad[2].item()}: expected booleans, or 0 and 1"
    with pytest.raises(ValueError, match=message):
        call("kto", liked=bad)


NOT_ABOVE_ZERO = [0, 0.0, -0.1, *BAD_NUMBERS]
BELOW_ZERO = [-0.1, -1, *BAD_NUMBERS]


@pytest.mark.parametrize("bad", NOT_ABOVE_ZERO)
def test_a_tau_or_beta_that_is_not_a_finite_number_above_zero_is_refused(bad):
    four, two, liked = four_of(2, 1), means_of(2, 1), torch.tensor([1, 0])
    with pytest.raises(ValueError, match=rf"^tau = {bad}: expected a finite number above 0"):
        ipo_loss(*four, bad)
    with pytest.raises(ValueError, match=rf"^beta = {bad}: expected a finite number above 0"):
        simpo_loss(*two, bad, 0.5)
    with pytest.raises(ValueError, match=rf"^beta = {bad}: expected a finite number above 0"):
        kto_loss(four[0], four[2], liked, bad)


@pytest.mark.parametrize("bad", BELOW_ZERO)
def test_a_margin_a_lambda_or_a_weight_below_zero_is_refused(bad):
    four, two, liked = four_of(2, 1), means_of(2, 1), torch.tensor([1, 0])
    tokens = tokens_of((2, 3), 1)
    with pytest.raises(ValueError, match=rf"^gamma = {bad}: expected a finite number from 0 on"):
        simpo_loss(*two, 2.0, bad)
    with pytest.raises(ValueError, match=rf"^lam = {bad}: expected a finite number from 0 on"):
        orpo_loss(*tokens, *tokens, bad)
    for name in ("liked_weight", "disliked_weight"):
        with pytest.raises(ValueError, match=rf"^{name} = {bad}: expected a finite number from 0"):
            kto_loss(four[0], four[2], liked, 0.5, **{name: bad})
    message = "^reference_point = .*: expected one finite number from 0"
    for point in (bad, torch.tensor(bad)):
        with pytest.raises(ValueError, match=message):
            kto_loss(four[0], four[2], liked, 0.5, point)


@pytest.mark.parametrize("shape", [(1,), (2,), (0,)], ids=str)
def test_a_reference_point_per_example_is_refused(shape):
    with pytest.raises(ValueError, match="expected one finite number"):
        kto_loss(torch.zeros(2), torch.zeros(2), torch.tensor([1, 0]), 0.5, torch.zeros(shape))


@pytest.mark.parametrize("bad", [0.0, -0.0, 1e-30, 0.5])
@pytest.mark.parametrize("name", MEANS)
def test_a_probability_of_one_or_above_has_no_odds(name, bad):
    found = torch.tensor(bad).item()
    message = rf"^{name}\[1\] is {found}: expected a mean log-probability below 0"
    with pytest.raises(ValueError, match=message):
        call("odds", **{name: torch.tensor([-1.0, bad, -1.0])})


def test_a_certain_response_is_refused_by_orpo_too():
    sure, other = torch.zeros(1, 2), torch.full((1, 2), -1.0)
    for two in ((sure, other), (other, sure)):
        with pytest.raises(ValueError, match="a probability of 1 has no odds"):
            orpo_loss(two[0], torch.ones(1, 2), two[1], torch.ones(1, 2), 0.5)


def test_results_that_their_type_cannot_hold_are_refused():
    zero, large = torch.zeros(1, dtype=torch.float16), torch.tensor([60000.0], dtype=torch.float16)
    with pytest.raises(ValueError, match=r"^difference of log-ratios\[0\] is inf"):
        ipo_loss(large, -large, zero, zero, 0.1)
    with pytest.raises(ValueError, match=r"^\(h − 1/\(2τ\)\)²\[0\] is inf"):
        ipo_loss(large / 100, zero, zero, zero, 0.1)
    with pytest.raises(ValueError, match=r"^\(h − 1/\(2τ\)\)²\[0\] is inf"):
        ipo_loss(zero, zero, zero, zero, 0.001)
    with pytest.raises(ValueError, match=r"^\(h − 1/\(2τ\)\)²\[0\] is inf"):
        ipo_loss(*[torch.zeros(1)] * 4, 1e-320)
    for beta, gamma in ((2.0, 0.0), (1.0, 1e5)):
        with pytest.raises(ValueError, match=r"^β·.*chosen_mean_logps.*\[0\] is inf"):
            simpo_loss(zero, large, beta, gamma)
    with pytest.raises(ValueError, match=r"^log-ratios\[0\] is inf"):
        kto_loss(large, -large, torch.tensor([1]), 0.1)


# ---- what is masked -------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", BAD_NUMBERS)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32], ids=str)
def test_what_is_masked_is_not_read(hidden, dtype):
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]]).to(dtype)
    logps = torch.where(mask.bool(), -torch.ones(2, 3), hidden).requires_grad_()
    means = mean_logps(logps, mask)
    means.sum().backward()
    assert means.tolist() == [-1.0, -1.0]
    same(logps.grad, [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], 1e-7)
    logps.grad = None
    loss = orpo_loss(logps, mask, logps.detach(), mask, 0.5)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logps.grad).all()
    assert (logps.grad[~mask.bool()] == 0).all() and (logps.grad[mask.bool()] < 0).all()


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_a_scored_number_that_is_not_finite_is_named_with_its_place(bad):
    good, mask = torch.full((3, 4), -1.0), torch.ones(3, 4, dtype=torch.bool)
    mask[0, 0] = False
    logps = good.clone()
    logps[2, 1] = bad
    with pytest.raises(ValueError, match=rf"^token_logps\[2, 1\] is {bad}: expected finite"):
        mean_logps(logps, mask)
    with pytest.raises(ValueError, match=rf"^chosen_token_logps\[2, 1\] is {bad}: expected finite"):
        orpo_loss(logps, mask, good, mask, 0.5)
    with pytest.raises(ValueError, match=rf"^rejected_token_logps\[2, 1\] is {bad}: expected fin"):
        orpo_loss(good, mask, logps, mask, 0.5)


def test_a_response_without_a_token_is_refused():
    good, mask = torch.full((3, 2), -1.0), torch.tensor([[1, 0], [0, 0], [1, 1]])
    with pytest.raises(ValueError, match="^mask row 1 has no token: expected at least one"):
        mean_logps(good, mask)
    for masks in ((mask, torch.ones(3, 2)), (torch.ones(3, 2), mask)):
        with pytest.raises(ValueError, match="^mask row 1 has no token: expected at least one"):
            orpo_loss(good, masks[0], good, masks[1], 0.5)


@pytest.mark.parametrize(
    "mask", [[[1.0, 0.5]], [[1, 2]], [[1.0, float("nan")]], [[1, -1]]], ids=str
)
def test_a_mask_of_other_numbers_is_refused(mask):
    good, mask = torch.full((1, 2), -1.0), torch.tensor(mask)
    for use in (
        lambda: mean_logps(good, mask),
        lambda: orpo_loss(good, mask, good, torch.ones(1, 2), 0.5),
        lambda: orpo_loss(good, torch.ones(1, 2), good, mask, 0.5),
    ):
        with pytest.raises(ValueError, match=r"mask\[0, 1\] is .*: expected booleans, or 0 and 1"):
            use()


@pytest.mark.parametrize(
    "logps, mask", [((2, 3), (2, 4)), ((2, 3), (3,)), ((3,), (3,)), ((0, 3), (0, 3))], ids=str
)
def test_token_shapes_that_do_not_fit_are_refused(logps, mask):
    with pytest.raises(ValueError, match=r"^token_logps .*: expected one shape \(B, R\), B ≥ 1"):
        mean_logps(torch.zeros(logps), torch.ones(mask, dtype=torch.bool))
    good, fits = torch.full((2, 3), -1.0), torch.ones(2, 3)
    with pytest.raises(ValueError, match=r"^chosen_token_logps .*: expected one shape"):
        orpo_loss(torch.zeros(logps), torch.ones(mask), good, fits, 0.5)
    with pytest.raises(ValueError, match=r"^rejected_token_logps .*: expected one shape"):
        orpo_loss(good, fits, torch.zeros(logps), torch.ones(mask), 0.5)


def test_sides_of_different_batch_size_are_refused():
    one, two = torch.full((1, 3), -1.0), torch.full((2, 3), -1.0)
    with pytest.raises(ValueError, match=r"chosen_mean_logps \(1,\), rejected_mean_logps \(2,\)"):
        orpo_loss(one, torch.ones(1, 3), two, torch.ones(2, 3), 0.5)


def test_tokens_that_are_whole_numbers_or_lists_are_refused():
    with pytest.raises(ValueError, match="token_logps of torch.int64: expected floating-point"):
        mean_logps(torch.tensor([[-1, -2]]), torch.ones(1, 2))
    with pytest.raises(ValueError, match="token_logps is a list"):
        mean_logps([[-1.0]], torch.ones(1, 1))
    with pytest.raises(ValueError, match="mask is a list"):
        mean_logps(torch.zeros(1, 1), [[1]])
