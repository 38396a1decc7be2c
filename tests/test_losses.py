"""The losses, in value and gradient, against formulas in plain Python and against frozen values of TRL."""

from __future__ import annotations

import json
import math
from functools import partial
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
    conservative_dpo_loss,
    dpo_loss,
    robust_dpo_loss,
    sft_loss,
)

TRL = json.loads((Path(__file__).parent / "data" / "trl.json").read_text(encoding="utf-8"))
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}

# ---- the formulas in plain Python -----------------------------------------------------------


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    return math.exp(log_sigmoid(x))


def plain_bradley_terry(chosen, rejected, label):
    """Value, and gradient with respect to the chosen rewards: (σ(gap) − label) / B. The rejected's is its negative."""
    gaps = [w - l for w, l in zip(chosen, rejected)]
    value = -math.fsum(
        q * log_sigmoid(d) + (1 - q) * log_sigmoid(-d) for d, q in zip(gaps, label)
    ) / len(gaps)
    # σ(d) − q without cancellation: (1 − q) σ(d) − q σ(−d)
    return value, [
        ((1 - q) * sigmoid(d) - q * sigmoid(-d)) / len(gaps) for d, q in zip(gaps, label)
    ]


def plain_dpo(chosen, rejected, ref_chosen, ref_rejected, beta, label):
    """Value, and gradient with respect to the chosen log-probabilities: −β (label − σ(βh)) / B."""
    h = [(w - rw) - (l - rl) for w, l, rw, rl in zip(chosen, rejected, ref_chosen, ref_rejected)]
    value, gradient = plain_bradley_terry([beta * x for x in h], [0.0] * len(h), label)
    return value, [beta * g for g in gradient]


def plain_sft(logps, mask):
    """Value, and gradient: −1 / (number of scored tokens) on each of them."""
    scored = [x for row, keep in zip(logps, mask) for x, k in zip(row, keep) if k]
    return -math.fsum(scored) / len(scored), [
        [-1 / len(scored) if k else 0.0 for k in keep] for keep in mask
    ]


def drawn(n: int, seed: int, dtype=torch.float64) -> list[torch.Tensor]:
    """Four vectors of response log-probabilities, the first two as leaves."""
    four = (-8 + 3 * torch.randn(4, n, generator=seeded(seed), dtype=torch.float64)).to(dtype)
    return [row.clone().requires_grad_(i < 2) for i, row in enumerate(four)]


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
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_bradley_terry_is_the_formula_in_value_and_gradient(n, kind, dtype):
    chosen, rejected, *_ = drawn(n, n, dtype)
    label = LABELS[kind](n).to(dtype)
    loss = bradley_terry_loss(chosen, rejected, label)
    loss.backward()
    value, gradient = plain_bradley_terry(chosen.tolist(), rejected.tolist(), label.tolist())
    assert loss.shape == ()
    same(loss, value, TOLERANCE[dtype])
    same(chosen.grad, gradient, TOLERANCE[dtype])
    same(rejected.grad, [-g for g in gradient], TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("n, beta", [(1, 0.1), (2, 1.0), (7, 0.3), (64, 5.0)])
def test_dpo_is_the_formula_in_value_and_gradient(n, beta, kind, dtype):
    four, label = drawn(n, n + 100, dtype), LABELS[kind](n).to(dtype)
    loss = dpo_loss(*four, beta, label)
    loss.backward()
    value, gradient = plain_dpo(*(x.tolist() for x in four), beta, label.tolist())
    assert loss.shape == ()
    tolerance = 10 * TOLERANCE[dtype]  # differences of log-probabilities near −8 lose a digit
    same(loss, value, tolerance)
    same(four[0].grad, gradient, tolerance)
    same(four[1].grad, [-g for g in gradient], tolerance)


def test_the_hard_label_gradient_is_minus_beta_sigma_of_minus_beta_h_over_B():
    chosen, rejected, ref_chosen, ref_rejected = drawn(3, 1)
    beta = 0.3
    dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta).backward()
    h = ((chosen - ref_chosen) - (rejected - ref_rejected)).detach()
    torch.testing.assert_close(chosen.grad, -beta * torch.sigmoid(-beta * h) / 3)
    torch.testing.assert_close(rejected.grad, beta * torch.sigmoid(-beta * h) / 3)


def test_a_missing_label_means_that_chosen_is_preferred():
    four = drawn(5, 2)
    ones = torch.ones(5, dtype=torch.float64)
    assert dpo_loss(*four, 0.5) == dpo_loss(*four, 0.5, ones)
    assert bradley_terry_loss(*four[:2]) == bradley_terry_loss(*four[:2], ones)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (16, 5)])
def test_sft_is_the_formula_in_value_and_gradient(shape, dtype):
    logps = (
        (-2 * torch.rand(shape, generator=seeded(3), dtype=torch.float64))
        .to(dtype)
        .requires_grad_()
    )
    lengths = torch.randint(
        shape[1] + 1, shape[:1], generator=seeded(4)
    )  # rows without a scored token included
    lengths[0] = shape[1]
    mask = torch.arange(shape[1]) < lengths[:, None]
    loss = sft_loss(logps, mask)
    loss.backward()
    value, gradient = plain_sft(logps.tolist(), mask.tolist())
    same(loss, value, TOLERANCE[dtype])
    same(logps.grad, gradient, TOLERANCE[dtype])
    assert sft_loss(logps, mask.long()) == loss, (
        "a mask of 0 and 1 says the same as one of False and True"
    )


def test_sft_is_the_mean_over_tokens_not_over_responses():
    logps = torch.tensor([[-1.0, -1.0, -1.0], [-5.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert sft_loss(logps, mask).item() == 2.0, "(1 + 1 + 1 + 5) / 4; the mean of means would be 3"


# ---- frozen values of TRL -------------------------------------------------------------------


def tensors(case: dict, *names: str, dtype: str = "float64") -> list[torch.Tensor]:
    return [torch.tensor(case[name], dtype=getattr(torch, dtype)) for name in names]


SEQUENCES = ("chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps")


@pytest.mark.parametrize(
    "case",
    TRL["sequences"],
    ids=lambda c: f"{c['dtype']}-B{len(c['chosen_logps'])}-beta{c['beta']}",
)
def test_dpo_agrees_with_trl_in_value_and_gradient(case):
    four = tensors(case, *SEQUENCES, dtype=case["dtype"])
    chosen, rejected = (x.requires_grad_() for x in four[:2])
    loss = dpo_loss(*four, case["beta"])
    loss.backward()
    tolerance = {"float64": 1e-12, "float32": 1e-6}[case["dtype"]]
    same(loss, case["loss"], tolerance)
    same(chosen.grad, case["chosen_grad"], tolerance)
    same(rejected.grad, case["rejected_grad"], tolerance)


@pytest.mark.parametrize("case", TRL["soft"], ids=lambda c: f"label{c['label']}-beta{c['beta']}")
def test_dpo_with_soft_labels_agrees_with_trl_in_value_and_gradient(case):
    four = tensors(case, *SEQUENCES)
    chosen, rejected = (x.requires_grad_() for x in four[:2])
    loss = dpo_loss(*four, case["beta"], torch.tensor([case["label"]], dtype=torch.float64))
    loss.backward()
    same(loss, case["loss"], 1e-12)
    same(chosen.grad, case["chosen_grad"], 1e-12)
    same(rejected.grad, case["rejected_grad"], 1e-12)


@pytest.mark.parametrize(
    "case", TRL["rewards"], ids=lambda c: f"{c['dtype']}-B{len(c['chosen_rewards'])}"
)
def test_bradley_terry_agrees_with_trl_in_value_and_gradient(case):
    two = tensors(case, "chosen_rewards", "rejected_rewards", dtype=case["dtype"])
    chosen, rejected = (x.requires_grad_() for x in two)
    loss = bradley_terry_loss(chosen, rejected)
    loss.backward()
    tolerance = {"float64": 1e-12, "float32": 1e-6}[case["dtype"]]
    same(loss, case["loss"], tolerance)
    same(chosen.grad, case["chosen_grad"], tolerance)
    same(rejected.grad, case["rejected_grad"], tolerance)


class Recorded:
    """A policy that answers with recorded logits (2B, T, V), whatever it reads."""

    def __init__(self, logits: torch.Tensor):
        self.logits = logits
        self.config = SimpleNamespace(
            n_tokens=logits.shape[-1], n_outputs=logits.shape[-1], context=logits.shape[1]
        )

    def __call__(self, tokens: torch.Tensor, read: tuple) -> torch.Tensor:
        return self.logits[:, : tokens.shape[1]][read]


def from_logits(case: dict):
    """Logits as a leaf, then per policy and reference: token log-probabilities and their sums; mask; lengths."""
    logits, ref_logits = tensors(case, "logits", "ref_logits")
    logits.requires_grad_()
    prompts = torch.tensor(case["prompts"]).repeat(2, 1)
    responses = torch.cat([torch.tensor(case["chosen"]), torch.tensor(case["rejected"])])
    ended = responses == case["end"]
    mask = ended.cumsum(1) - ended.long() == 0  # the words and the first END
    sums = [sequence_logps(Recorded(x), prompts, responses, mask) for x in (logits, ref_logits)]
    return logits, token_logps(Recorded(logits), prompts, responses), mask, *sums


def four_of(sums: torch.Tensor, ref_sums: torch.Tensor) -> list[torch.Tensor]:
    return [*sums.chunk(2), *ref_sums.chunk(2)]


@pytest.mark.parametrize(
    "case", TRL["tokens"], ids=lambda c: f"B{len(c['chosen'])}-P{len(c['prompts'][0])}"
)
def test_dpo_from_token_logits_agrees_with_trl_in_value_and_gradient(case):
    """The causal shift, the mask, END and the sum over tokens too: TRL does them itself here (in float32)."""
    logits, _, _, sums, ref_sums = from_logits(case)
    loss = dpo_loss(*four_of(sums, ref_sums), case["beta"])
    loss.backward()
    same(loss, case["sigmoid"]["loss"], 1e-6)
    same(logits.grad, case["sigmoid"]["grad"], 1e-6)


@pytest.mark.parametrize(
    "case", TRL["tokens"], ids=lambda c: f"B{len(c['chosen'])}-P{len(c['prompts'][0])}"
)
def test_sft_from_token_logits_agrees_with_trl_in_value_and_gradient(case):
    """TRL's 'sft' term is the loss of the chosen responses alone."""
    logits, token, mask, *_ = from_logits(case)
    loss = sft_loss(token.chunk(2)[0], mask.chunk(2)[0])
    loss.backward()
    same(loss, case["sft"]["loss"], 1e-6)
    same(logits.grad, case["sft"]["grad"], 1e-6)


@pytest.mark.parametrize(
    "case", TRL["tokens"], ids=lambda c: f"B{len(c['chosen'])}-P{len(c['prompts'][0])}"
)
def test_dpo_is_on_the_sum_over_tokens_and_the_mean_is_another_objective(case):
    *_, mask, sums, ref_sums = from_logits(case)
    lengths = mask.sum(1)
    on_sums = dpo_loss(*four_of(sums, ref_sums), case["beta"])
    on_means = dpo_loss(*four_of(sums / lengths, ref_sums / lengths), case["beta"])
    same(on_sums, case["sigmoid"]["loss"], 1e-6)
    same(on_means, case["sigmoid_norm"]["loss"], 1e-6)
    assert abs(on_sums - on_means) > 0.1


def test_two_responses_of_different_length_are_compared_by_their_sums():
    """One token of log-probability −2 against four of −1: the sum prefers the short one, the mean the long one."""
    uniform = torch.full((2, 5, 5), 0.0, dtype=torch.float64)
    logits = uniform.clone()
    # the logit of the token that comes, so that log π is −2 (first row) or −1 (second row) at every position
    for row, logp in ((0, -2.0), (1, -1.0)):
        logits[row, :, 0] = logp
        logits[row, :, 1:] = math.log((1 - math.exp(logp)) / 4)
    prompts, responses = torch.tensor([[3], [3]]), torch.zeros(2, 4, dtype=torch.long)
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1]])
    chosen, rejected = sequence_logps(Recorded(logits), prompts, responses, mask).split(1)
    same(chosen, [-2.0], 1e-12)
    same(rejected, [-4.0], 1e-12)
    zero = torch.zeros(1, dtype=torch.float64)
    same(dpo_loss(chosen, rejected, zero, zero, 1.0), math.log1p(math.exp(-2)), 1e-12)


# ---- properties -----------------------------------------------------------------------------

finite = st.floats(-50, 50)
betas = st.floats(1e-3, 10)
labels = st.floats(0, 1)


@st.composite
def batches(draw, numbers=finite):
    """Four vectors of one length, and labels."""
    n = draw(st.integers(1, 6))
    rows = [
        draw(st.lists(values, min_size=n, max_size=n))
        for values in (numbers, numbers, numbers, numbers, labels)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@given(batches(), betas, finite)
def test_a_common_shift_of_both_responses_changes_nothing(batch, beta, shift):
    chosen, rejected, ref_chosen, ref_rejected, label = batch
    loss = dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, label)
    close(dpo_loss(chosen + shift, rejected + shift, ref_chosen, ref_rejected, beta, label), loss)
    close(dpo_loss(chosen, rejected, ref_chosen + shift, ref_rejected + shift, beta, label), loss)
    close(dpo_loss(chosen + shift, rejected, ref_chosen + shift, ref_rejected, beta, label), loss)


@given(batches(), betas)
def test_swapping_the_responses_is_the_same_as_turning_the_label(batch, beta):
    chosen, rejected, ref_chosen, ref_rejected, label = batch
    close(
        dpo_loss(rejected, chosen, ref_rejected, ref_chosen, beta, 1 - label),
        dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, label),
    )


@given(batches(), betas, st.floats(0.1, 5))
def test_scaling_beta_is_the_same_as_scaling_the_log_ratios(batch, beta, factor):
    *four, label = batch
    close(dpo_loss(*four, beta * factor, label), dpo_loss(*(factor * x for x in four), beta, label))


@given(batches(), betas)
def test_dpo_is_bradley_terry_on_beta_times_the_log_ratios(batch, beta):
    chosen, rejected, ref_chosen, ref_rejected, label = batch
    rewards = beta * (chosen - ref_chosen), beta * (rejected - ref_rejected)
    close(
        dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, label),
        bradley_terry_loss(*rewards, label),
    )


@given(batches(), betas)
def test_the_loss_is_the_mean_of_the_losses_of_its_pairs(batch, beta):
    alone = torch.stack(
        [dpo_loss(*four, beta, label) for *four, label in (column.split(1) for column in batch.T)]
    )
    *four, label = batch
    close(dpo_loss(*four, beta, label), alone.mean())


@given(batches(), betas)
def test_a_policy_equal_to_its_reference_loses_log_two(batch, beta):
    chosen, rejected, *_, label = batch
    close(
        dpo_loss(chosen, rejected, chosen, rejected, beta, label),
        torch.tensor(math.log(2), dtype=torch.float64),
    )


@given(st.floats(0.01, 0.99), betas)
def test_the_gradient_vanishes_exactly_where_the_implied_preference_is_the_label(label, beta):
    chosen = torch.tensor(
        [math.log(label / (1 - label)) / beta], dtype=torch.float64, requires_grad=True
    )
    zero = torch.zeros(1, dtype=torch.float64)
    dpo_loss(chosen, zero, zero, zero, beta, torch.tensor([label], dtype=torch.float64)).backward()
    assert abs(chosen.grad.item()) < 1e-12 * max(1, beta)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("margin", [1e4, -1e4])
def test_value_and_gradient_stay_finite_and_right_at_extreme_margins(margin, label, dtype):
    """At |margin| = 1e4 the loss is a straight line: (1 − label)·margin above, −label·margin below."""
    chosen = torch.tensor([margin], dtype=dtype, requires_grad=True)
    zero = torch.zeros(1, dtype=dtype)
    weight = torch.tensor([label], dtype=dtype)
    slope = 1 - label if margin > 0 else -label
    for value in (
        bradley_terry_loss(chosen, zero, weight),
        dpo_loss(chosen, zero, zero, zero, 1.0, weight),
    ):
        chosen.grad = None
        value.backward()
        same(value, slope * margin, 1e-6)
        same(chosen.grad, [slope], 1e-6)


@given(batches(st.floats(-1e4, 1e4)), betas)
def test_no_margin_makes_a_value_or_gradient_that_is_not_finite(batch, beta):
    leaf = batch[:2].clone().requires_grad_()
    loss = dpo_loss(*leaf, *batch[2:4], beta, batch[4])
    loss.backward()
    assert loss >= 0 and torch.isfinite(loss) and torch.isfinite(leaf.grad).all()


def test_no_gradient_flows_into_the_reference():
    four = [x.detach().requires_grad_() for x in drawn(4, 7)]
    dpo_loss(*four, 0.5).backward()
    assert four[0].grad.abs().min() > 0 and four[1].grad.abs().min() > 0
    assert four[2].grad is None and four[3].grad is None


def test_no_argument_is_changed():
    four = drawn(4, 8)
    label = LABELS["soft"](4)
    before = [x.detach().clone() for x in (*four, label)]
    dpo_loss(*four, 0.5, label).backward()
    bradley_terry_loss(*four[:2], label).backward()
    assert all(torch.equal(a, b) for a, b in zip(before, (*four, label)))


# ---- bad input ------------------------------------------------------------------------------

NAMES = ("chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
BAD_NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("position", range(4))
def test_dpo_names_the_argument_and_place_of_a_number_that_is_not_finite(position, bad):
    four = [x.detach() for x in drawn(5, 9)]
    four[position][3] = bad
    with pytest.raises(ValueError, match=rf"^{NAMES[position]}\[3\] is {bad}: expected finite"):
        dpo_loss(*four, 0.1)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("name", ["chosen_rewards", "rejected_rewards", "label"])
def test_bradley_terry_names_the_argument_and_place_of_a_number_that_is_not_finite(name, bad):
    arguments = {
        key: torch.full((4,), 0.5) for key in ("chosen_rewards", "rejected_rewards", "label")
    }
    arguments[name][2] = bad
    with pytest.raises(ValueError, match=rf"^{name}\[2\] is {bad}: expected finite"):
        bradley_terry_loss(**arguments)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_sft_names_the_place_of_a_scored_number_that_is_not_finite(bad):
    logps, mask = torch.full((3, 4), -1.0), torch.ones(3, 4, dtype=torch.bool)
    mask[0, 0] = False
    logps[2, 1] = bad
    with pytest.raises(ValueError, match=rf"^token_logps\[2, 1\] is {bad}: expected finite"):
        sft_loss(logps, mask)


def test_sft_does_not_mind_what_stands_behind_the_mask():
    logps = torch.tensor([[-1.0, float("nan")], [-3.0, float("-inf")]], requires_grad=True)
    loss = sft_loss(logps, torch.tensor([[True, False], [True, False]]))
    loss.backward()
    assert loss.item() == 2.0
    assert logps.grad.tolist() == [[-0.5, 0.0], [-0.5, 0.0]]


@pytest.mark.parametrize("beta", [0, 0.0, -0.1, float("nan"), float("inf"), float("-inf")])
def test_dpo_refuses_a_beta_that_is_not_a_finite_number_above_zero(beta):
    with pytest.raises(ValueError, match=rf"beta = {beta}: expected a finite number above 0"):
        dpo_loss(*drawn(2, 1), beta)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("shape", [(3,), (2, 1), (), (0,)], ids=str)
def test_dpo_refuses_log_probabilities_of_different_shapes(position, shape):
    four = [torch.zeros(2)] * 4
    four[position] = torch.zeros(shape)
    with pytest.raises(
        ValueError, match="expected one-dimensional tensors of one length B ≥ 1"
    ) as raised:
        dpo_loss(*four, 0.1)
    assert f"{NAMES[position]} {shape}" in str(raised.value)


@pytest.mark.parametrize("shape", [(0,), (), (2, 3)], ids=str)
def test_an_empty_batch_or_a_matrix_is_refused(shape):
    with pytest.raises(ValueError, match="expected one-dimensional"):
        dpo_loss(*[torch.zeros(shape)] * 4, 0.1)
    with pytest.raises(ValueError, match="expected one-dimensional"):
        bradley_terry_loss(*[torch.zeros(shape)] * 2)


def test_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"label \(3,\)"):
        bradley_terry_loss(torch.zeros(2), torch.zeros(2), torch.ones(3))
    with pytest.raises(ValueError, match=r"label \(3,\)"):
        dpo_loss(*[torch.zeros(2)] * 4, 0.1, torch.ones(3))


@pytest.mark.parametrize("bad", [-0.01, 1.01, 2.0, -1.0])
def test_labels_outside_zero_to_one_are_refused(bad):
    label = torch.tensor([0.5, bad])
    with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
        bradley_terry_loss(torch.zeros(2), torch.zeros(2), label)
    with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
        dpo_loss(*[torch.zeros(2)] * 4, 0.1, label)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_dpo_names_a_label_that_is_not_finite(bad):
    with pytest.raises(ValueError, match=rf"^label\[1\] is {bad}"):
        dpo_loss(*[torch.zeros(2)] * 4, 0.1, torch.tensor([0.5, bad]))


@pytest.mark.parametrize(
    "logps, mask", [((2, 3), (2, 4)), ((2, 3), (3,)), ((3,), (3,)), ((0, 3), (0, 3))], ids=str
)
def test_sft_refuses_shapes_that_do_not_fit(logps, mask):
    with pytest.raises(ValueError, match=r"expected one shape \(B, R\), B ≥ 1"):
        sft_loss(torch.zeros(logps), torch.ones(mask, dtype=torch.bool))


def test_sft_refuses_a_mask_without_a_response_token():
    with pytest.raises(ValueError, match="mask has no response token"):
        sft_loss(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool))


# ---- losses for labels that are sometimes turned round --------------------------------------

FLIP_RATES = [0.0, 0.1, 0.3, 0.49]
rates = st.floats(0, 0.45)


def plain_pair(h, beta):
    return -log_sigmoid(beta * h)


def noisy_cases():
    return [(n, beta, epsilon) for n, beta in ((1, 1.0), (7, 0.3)) for epsilon in FLIP_RATES]


@pytest.mark.parametrize("n, beta, epsilon", noisy_cases())
def test_conservative_dpo_is_the_formula_in_value_and_gradient(n, beta, epsilon):
    four = drawn(n, n + 200)
    loss = conservative_dpo_loss(*four, beta, epsilon=epsilon)
    loss.backward()
    h = [(w - rw) - (l - rl) for w, l, rw, rl in zip(*(x.tolist() for x in four))]
    same(
        loss,
        math.fsum((1 - epsilon) * plain_pair(d, beta) + epsilon * plain_pair(-d, beta) for d in h)
        / n,
        1e-12,
    )
    same(four[0].grad, [beta * (sigmoid(beta * d) - (1 - epsilon)) / n for d in h], 1e-12)
    same(four[1].grad, (-four[0].grad).tolist(), 1e-15)


@pytest.mark.parametrize("n, beta, epsilon", noisy_cases())
def test_robust_dpo_is_the_formula_in_value_and_gradient(n, beta, epsilon):
    four = drawn(n, n + 300)
    loss = robust_dpo_loss(*four, beta, epsilon=epsilon)
    loss.backward()
    h = [(w - rw) - (l - rl) for w, l, rw, rl in zip(*(x.tolist() for x in four))]
    terms = ((1 - epsilon) * plain_pair(d, beta) - epsilon * plain_pair(-d, beta) for d in h)
    same(loss, math.fsum(terms) / (1 - 2 * epsilon) / n, 1e-10)
    aim = (1 - epsilon) / (
        1 - 2 * epsilon
    )  # above 1: an answer that survived the flips counts for more than one
    same(four[0].grad, [beta * (sigmoid(beta * d) - aim) / n for d in h], 1e-10)
    same(four[1].grad, (-four[0].grad).tolist(), 1e-15)


@pytest.mark.parametrize(
    "case", TRL["robust"], ids=lambda c: f"eps{c['epsilon']}-B{len(c['chosen_logps'])}"
)
def test_robust_dpo_agrees_with_trl_in_value_and_gradient(case):
    four = tensors(case, *SEQUENCES)
    chosen, rejected = (x.requires_grad_() for x in four[:2])
    loss = robust_dpo_loss(*four, case["beta"], epsilon=case["epsilon"])
    loss.backward()
    same(loss, case["loss"], 1e-12)
    same(chosen.grad, case["chosen_grad"], 1e-12)
    same(rejected.grad, case["rejected_grad"], 1e-12)


@pytest.mark.parametrize(
    "case", [c for c in TRL["soft"] if c["label"] > 0.5], ids=lambda c: f"eps{1 - c['label']:.2f}"
)
def test_conservative_dpo_agrees_with_trl_in_value_and_gradient(case):
    """TRL's 'aot' loss of one pair is the smoothed loss; its 'sigmoid' ignores label_smoothing."""
    four = tensors(case, *SEQUENCES)
    chosen, rejected = (x.requires_grad_() for x in four[:2])
    loss = conservative_dpo_loss(*four, case["beta"], epsilon=1 - case["label"])
    loss.backward()
    same(loss, case["loss"], 1e-12)
    same(chosen.grad, case["chosen_grad"], 1e-12)
    same(rejected.grad, case["rejected_grad"], 1e-12)


def over_flips(loss, batch, beta, epsilon):
    """Mean of ``loss`` over every way to turn the pairs round, each with its probability."""
    chosen, rejected, ref_chosen, ref_rejected, label = batch
    n, total = len(chosen), 0.0
    for flips in range(2**n):
        turned = torch.tensor([bool(flips >> i & 1) for i in range(n)])
        probability = epsilon ** int(turned.sum()) * (1 - epsilon) ** int((~turned).sum())
        w, l = torch.where(turned, rejected, chosen), torch.where(turned, chosen, rejected)
        rw, rl = (
            torch.where(turned, ref_rejected, ref_chosen),
            torch.where(turned, ref_chosen, ref_rejected),
        )
        total = total + probability * loss(w, l, rw, rl, beta, label, epsilon=epsilon)
    return total


@given(batches(), betas, rates)
def test_the_mean_of_robust_dpo_over_flips_is_the_clean_loss(batch, beta, epsilon):
    *four, label = batch
    torch.testing.assert_close(over_flips(robust_dpo_loss, batch, beta, epsilon), dpo_loss(*four, beta, label),
                               rtol=1e-7, atol=1e-7)  # fmt: skip


def test_the_mean_of_the_plain_and_of_the_conservative_loss_over_flips_is_not_the_clean_loss():
    """Label smoothing is no correction: on flipped labels it is further from the clean loss than the plain loss."""
    batch = torch.tensor(
        [[3.0, 1.0], [0.0, 0.5], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]], dtype=torch.float64
    )
    *four, label = batch
    clean = dpo_loss(*four, 1.0, label).item()
    plain = over_flips(lambda *a, epsilon: dpo_loss(*a), batch, 1.0, 0.3).item()
    smoothed = over_flips(conservative_dpo_loss, batch, 1.0, 0.3).item()
    assert clean + 0.3 < plain and plain + 0.2 < smoothed


@given(batches(), betas)
def test_without_flips_both_losses_are_dpo(batch, beta):
    *four, label = batch
    for loss in (conservative_dpo_loss, robust_dpo_loss):
        close(loss(*four, beta, label, epsilon=0.0), dpo_loss(*four, beta, label))
        close(loss(*four, beta, epsilon=0.0), dpo_loss(*four, beta))


@given(batches(), betas, rates)
def test_a_soft_label_is_the_mean_of_both_answers(batch, beta, epsilon):
    w, l, rw, rl, label = (row[:1] for row in batch)
    for loss in (conservative_dpo_loss, robust_dpo_loss):
        both = label * loss(w, l, rw, rl, beta, epsilon=epsilon) + (1 - label) * loss(
            l, w, rl, rw, beta, epsilon=epsilon
        )
        torch.testing.assert_close(
            loss(w, l, rw, rl, beta, label, epsilon=epsilon), both[0], rtol=1e-7, atol=1e-7
        )


def test_robust_dpo_is_unbounded_below_and_conservative_dpo_is_not():
    far, zero = torch.tensor([1e4], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert robust_dpo_loss(far, zero, zero, zero, 1.0, epsilon=0.25).item() == pytest.approx(-5000)
    assert conservative_dpo_loss(far, zero, zero, zero, 1.0, epsilon=0.25).item() == pytest.approx(
        2500
    )


@pytest.mark.parametrize("loss", [conservative_dpo_loss, robust_dpo_loss])
def test_no_gradient_flows_into_the_reference_of_a_noisy_loss_and_nothing_is_changed(loss):
    four = [x.detach().requires_grad_() for x in drawn(4, 7)]
    before = [x.detach().clone() for x in four]
    loss(*four, 0.5, epsilon=0.2).backward()
    assert four[0].grad.abs().min() > 0 and four[1].grad.abs().min() > 0
    assert four[2].grad is None and four[3].grad is None
    assert all(torch.equal(a, b) for a, b in zip(before, four))


@pytest.mark.parametrize("loss", [conservative_dpo_loss, robust_dpo_loss])
@pytest.mark.parametrize("bad", [-0.1, 0.5, 0.7, 1.0, float("nan"), float("inf")])
def test_a_flip_rate_outside_zero_to_below_one_half_is_refused(loss, bad):
    with pytest.raises(
        ValueError, match=rf"epsilon = {bad}: expected a flip rate from 0 to below ½"
    ):
        loss(*drawn(2, 1), 1.0, epsilon=bad)


@pytest.mark.parametrize("loss", [conservative_dpo_loss, robust_dpo_loss])
def test_noisy_losses_refuse_what_dpo_refuses(loss):
    with pytest.raises(ValueError, match="expected a finite number above 0"):
        loss(*drawn(2, 1), 0.0, epsilon=0.1)
    with pytest.raises(ValueError, match=r"^chosen_logps\[1\] is nan"):
        loss(torch.tensor([0.0, float("nan")]), *[torch.zeros(2)] * 3, 1.0, epsilon=0.1)
    with pytest.raises(ValueError, match="expected one-dimensional"):
        loss(*[torch.zeros(0)] * 4, 1.0, epsilon=0.1)
    with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
        loss(*[torch.zeros(2)] * 4, 1.0, torch.tensor([0.5, 1.01]), epsilon=0.1)
    with pytest.raises(ValueError, match=r"label \(3,\)"):
        loss(*[torch.zeros(2)] * 4, 1.0, torch.ones(3), epsilon=0.1)


# ---- types ----------------------------------------------------------------------------------

NOISY = {
    "plain": dpo_loss,
    "conservative": partial(conservative_dpo_loss, epsilon=0.2),
    "robust": partial(robust_dpo_loss, epsilon=0.2),
    "Bradley-Terry": lambda w, l, rw, rl, beta, label=None: bradley_terry_loss(w, l, label),
}
LABEL_TYPES = [torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.float64]


def value_and_gradients(loss, four, label):
    leaves = [x.detach().clone().requires_grad_() for x in four]
    value = loss(*leaves, 0.5, label)
    value.backward()
    return value, [x.grad for x in leaves[:2]]


@pytest.mark.parametrize("dtype", LABEL_TYPES, ids=str)
@pytest.mark.parametrize("loss", NOISY.values(), ids=NOISY)
def test_labels_of_every_type_are_labels(loss, dtype):
    for kind in (torch.float32, torch.float64):
        four = [x.to(kind) for x in drawn(6, 3)]
        label = torch.tensor([1, 0, 0, 1, 0, 1])
        wanted, slopes = value_and_gradients(loss, four, label.to(kind))
        found, same_slopes = value_and_gradients(loss, four, label.to(dtype))
        assert found.dtype == (
            torch.promote_types(kind, dtype) if dtype.is_floating_point else kind
        )
        torch.testing.assert_close(found.to(kind), wanted)
        torch.testing.assert_close(same_slopes, slopes)


@pytest.mark.parametrize("loss", NOISY.values(), ids=NOISY)
def test_whole_labels_outside_zero_and_one_are_refused(loss):
    for label in (
        torch.tensor([0, 2]),
        torch.tensor([-1, 1]),
        torch.tensor([0, 255], dtype=torch.uint8),
    ):
        with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
            loss(*[torch.zeros(2)] * 4, 0.1, label)


@pytest.mark.parametrize("loss", NOISY.values(), ids=NOISY)
def test_whole_numbers_and_what_is_no_tensor_are_refused(loss):
    four = [torch.zeros(2)] * 4
    for position in range(2 if loss is NOISY["Bradley-Terry"] else 4):
        for bad, message in (
            (torch.tensor([3, 7]), "of torch.int64: expected floating-point"),
            (torch.tensor([3, 7], dtype=torch.uint8), "of torch.uint8: expected floating-point"),
            (torch.tensor([True, False]), "of torch.bool: expected floating-point"),
            (torch.zeros(2) * 1j, "of torch.complex64: expected real"),
            ([0.0, 0.0], "is a list: expected a tensor"),
        ):
            wrong = [bad if i == position else x for i, x in enumerate(four)]
            with pytest.raises(ValueError, match=message):
                loss(*wrong, 0.1)
    for label in ([1, 0], np.array([1.0, 0.0])):
        with pytest.raises(ValueError, match="label is a .*: expected a tensor"):
            loss(*four, 0.1, label)


def test_a_difference_that_its_type_cannot_hold_is_refused():
    large = torch.tensor([60000.0], dtype=torch.float16)
    with pytest.raises(ValueError, match=r"chosen_rewards − rejected_rewards\[0\] is inf"):
        bradley_terry_loss(large, -large)
    zero = torch.zeros(1, dtype=torch.float16)
    with pytest.raises(ValueError, match=r"difference of log-ratios\[0\] is inf"):
        robust_dpo_loss(large, -large, zero, zero, 1e-3, epsilon=0.1)


# ---- what is masked -------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", BAD_NUMBERS)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32], ids=str)
def test_sft_is_finite_in_value_and_gradient_whatever_is_masked(hidden, dtype):
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]]).to(dtype)
    logps = torch.where(mask.bool(), -torch.ones(2, 3), hidden).requires_grad_()
    loss = sft_loss(logps, mask)
    loss.backward()
    assert loss.item() == 1
    same(logps.grad, [[-1 / 3, -1 / 3, 0], [-1 / 3, 0, 0]], 1e-6)


@pytest.mark.parametrize(
    "mask", [[[1.0, 0.5]], [[1, 2]], [[1.0, float("nan")]], [[1, -1]]], ids=str
)
def test_sft_refuses_a_mask_of_other_numbers(mask):
    with pytest.raises(ValueError, match=r"mask\[0, 1\] is .*: expected booleans, or 0 and 1"):
        sft_loss(torch.zeros(1, 2), torch.tensor(mask))


def test_sft_refuses_whole_numbers_and_lists():
    with pytest.raises(ValueError, match="token_logps of torch.int64: expected floating-point"):
        sft_loss(torch.tensor([[-1, -2]]), torch.ones(1, 2))
    with pytest.raises(ValueError, match="token_logps is a list"):
        sft_loss([[-1.0]], torch.ones(1, 1))
    with pytest.raises(ValueError, match="mask is a list"):
        sft_loss(torch.zeros(1, 1), [[1]])
