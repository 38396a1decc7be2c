"""Exercise 9, reference policy: what is true of it alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from grading import flowing, graded, inputs_of, measured
from torch.nn.functional import logsigmoid

from helpers.grader import practice_references
from helpers.grader.cases import case
from helpers.grader.exercises.ex09_reference_policy import examples, held_out
from helpers.grader.run_answer import Trial
from solutions.ex09_reference_policy import answers, freeze, hidden_runs, mistakes
from solutions.ex09_reference_policy.right_variants import (
    on_right_reference_in_numpy,
    reply_logps_in_float32,
    reply_logps_in_loops,
    reply_logps_in_numpy,
)


def test_one_style_of_each_kind_was_there():
    first = inputs_of("9a", "one word and the end")
    kinds = (reply_logps_in_loops, reply_logps_in_numpy, reply_logps_in_float32)
    assert [Trial(f, first).numpy for f in kinds] == [False, False, False]
    assert not Trial(on_right_reference_in_numpy, inputs_of("9b", "two replies")).first.error


# ---- 9a ------------------------------------------------------------------------------------


def test_the_case_in_the_text_is_minus_2_079():
    p = torch.tensor([[[0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]])
    row = torch.tensor([[0, 1, 2]]), torch.ones(1, 3, dtype=torch.int64), torch.tensor([1]), 2
    assert answers.reply_logps(p.log(), *row).item() == pytest.approx(-2.079, abs=5e-4)
    assert "−2.079" in flowing("q9a")
    padded = torch.cat([torch.randn(1, 2, 3), p.log()], dim=1)
    row = torch.tensor([[2, 2, 0, 1, 2]]), torch.tensor([[0, 0, 1, 1, 1]]), torch.tensor([1]), 2
    assert answers.reply_logps(padded, *row).item() == pytest.approx(-2.079, abs=5e-4)


def test_the_probabilities_of_all_replies_sum_to_one():
    """A table of conditional probabilities; replies of up to three tokens, cut off after the third."""
    rng = np.random.default_rng(0)
    table = {
        text: rng.normal(size=3)
        for n in range(1, 5)
        for text in itertools.product(range(3), repeat=n)
    }
    replies = [(2,), *((a, 2) for a in (0, 1)), *itertools.product((0, 1), (0, 1), range(3))]
    total = 0.0
    for reply in replies:
        text = (0, *reply)
        logits = torch.tensor(np.array([[table[text[: t + 1]] for t in range(len(text))]]))
        row = torch.tensor([text]), torch.ones(1, len(text), dtype=torch.int64)
        total += answers.reply_logps(logits, *row, torch.tensor([1]), 2).exp().item()
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    "part, key, left",
    [
        ("9a", "nan", ["unused"]),
        ("9a", "overflow", ["extreme"]),
        ("9a", "no_refusal", ["refuses"]),
        ("9b", "nan", ["never_both"]),
        ("9b", "overflow", ["extreme"]),
        ("9b", "no_refusal", ["refuses"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in mistakes.MISTAKES[part] if m.key == key).writings:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


def test_one_more_slip_beside_a_mistake_does_not_hide_it():
    def after_end_and_mean(logits, tokens, mask, n_prompt, end):
        each = answers.token_logps(logits, tokens)
        reply = mask.bool() & (mask.cumsum(1) > n_prompt[:, None])
        return each.masked_fill(~reply[:, 1:], 0.0).sum(1) / reply[:, 1:].sum(1).clamp(min=1)

    def exchanged_and_not_normalised(policy, wrong, right, beta, new_beta):
        return wrong + beta / new_beta * (policy - right)

    (found,) = graded("9a", after_end_and_mean).diagnoses
    assert found.startswith("Your values are means")
    (found,) = graded("9b", exchanged_and_not_normalised).diagnoses
    assert found.startswith("You have the two references in each other's place")


# ---- 9b ------------------------------------------------------------------------------------


def logs(*tables):
    return [torch.tensor([table], dtype=torch.float64).log() for table in tables]


def test_the_case_in_the_text():
    given = logs([0.5, 0.5], [0.8, 0.2], [0.5, 0.5])
    assert answers.on_right_reference(*given, 0.3, 0.3).exp().tolist()[0] == pytest.approx(
        [0.2, 0.8]
    )
    assert answers.on_right_reference(*given, 0.3, 0.6).exp().tolist()[0] == pytest.approx(
        [1 / 3, 2 / 3]
    )


def test_it_is_the_optimum_for_the_rewards_behind_the_run():
    rng = np.random.default_rng(1)
    rewards, wrong, right = (torch.tensor(rng.normal(size=(5, 6))) for _ in range(3))
    wrong, right = wrong.log_softmax(-1), right.log_softmax(-1)
    run = (wrong + rewards / 0.7).log_softmax(-1)
    aim = (right + rewards / 0.2).log_softmax(-1)
    assert torch.allclose(answers.on_right_reference(run, wrong, right, 0.7, 0.2), aim)


# ---- 9c ------------------------------------------------------------------------------------


def test_training_ends_where_gradient_descent_does():
    ref, wrong = np.array([0.1, 0.2, 0.3, 0.25, 0.15]), np.array([0.3, 0.1, 0.2, 0.1, 0.3])
    rewards, pairs = np.array([1.0, 0.0, 0.5, -1.0, 2.0]), np.array([[0, 1], [1, 2]])
    logits = torch.tensor(np.log(ref), requires_grad=True)
    i, j = pairs.T
    share = torch.sigmoid(torch.tensor(rewards[i] - rewards[j]))
    nu = torch.tensor(np.log(wrong))
    optimiser = torch.optim.SGD([logits], lr=2.0)
    for _ in range(2000):
        ratio = logits.log_softmax(-1) - nu
        u = 0.5 * (ratio[i] - ratio[j])
        loss = -(share * logsigmoid(u) + (1 - share) * logsigmoid(-u)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = examples.end_of_training(ref, wrong, rewards, pairs, 0.5)
    assert found == pytest.approx(logits.detach().softmax(-1).numpy(), abs=1e-6)


def test_with_all_replies_connected_it_is_the_optimum_of_the_lesson():
    ref, wrong = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1])
    rewards, pairs = np.array([1.0, 0.0, 0.5]), np.array([[0, 1], [1, 2]])
    aim = wrong * np.exp(rewards / 0.5)
    found = examples.end_of_training(ref, wrong, rewards, pairs, 0.5)
    assert found == pytest.approx(aim / aim.sum())


def test_numbers_in_the_hints_of_9c():
    p, hint = 1 / (1 + math.exp(-1)), flowing("h9c")
    for u, stated in ((0, 0.693), (1, 0.582), (2, 0.665), (3, 0.855)):
        assert np.logaddexp(0, u) - p * u == pytest.approx(stated, abs=6e-4) and str(stated) in hint
    assert answers.BETA == case("9c")["beta"]
    assert answers.first_loss_is_log_two(1.0) == pytest.approx(2.17856, abs=1e-5)


@pytest.mark.parametrize(
    "entries, found",
    [
        ({"ref": [0.5, 0.5]}, "3 to 6 probabilities"),
        ({"wrong": [0.15, 0.1, 0.7]}, "sums to 0.95"),
        ({"wrong": [0.2, 0.8, 0.0]}, "entry 0"),
        ({"wrong": [float("nan"), 0.5, 0.5]}, "entry nan"),
        ({"rewards": [9.0, 0.0, 0.0]}, "at most 3"),
        ({"pairs": [[0, 0]]}, "two different replies"),
        ({"pairs": [[0, 3]]}, "from 0 to 2"),
        ({"pairs": [[0, 1], [1, 0]]}, "one pair twice"),
        ({"pairs": []}, "one row (i, j) or more"),
    ],
)
def test_what_cannot_be_worked_out_is_named(entries, found):
    whole = answers.reference_examples()
    result = graded("9c", lambda: {**whole, "safe": {**whole["safe"], **entries}})
    assert found in result.failure.yours and result.score == 2.0


# ---- 9d ------------------------------------------------------------------------------------


def test_every_regressed_policy_earns_less_in_one_slice_and_more_elsewhere():
    for _, run in hidden_runs.pairs(3, 6):
        lost, inside = run.gold(run.ref) - run.gold(run.passed), run.slices == run.suspect
        assert lost[inside].mean() > 0 > lost[~inside].mean()


def test_healthy_log_ratios_claim_what_they_should_and_regressed_ones_on_the_whole():
    for healthy, regressed in hidden_runs.pairs(4, 6):
        surplus = hidden_runs.expected_surplus(healthy)
        assert np.abs(surplus).max() < 1e-9
        surplus, drawn = hidden_runs.expected_surplus(regressed), regressed.by_policy.sum(1)
        inside = regressed.slices == regressed.suspect
        assert (surplus * drawn)[inside].sum() > 1 and abs((surplus * drawn).sum()) < 0.01


def test_the_mean_of_ref_over_policy_is_one_for_a_wrong_reference_too():
    for run in hidden_runs.pairs(5, 3)[0]:
        ratio = run.passed - run.policy
        assert (np.exp(run.policy) * np.exp(ratio)).sum(-1) == pytest.approx(np.ones(len(ratio)))


def test_stored_runs_come_back_reply_by_reply():
    run = hidden_runs.pairs(6, 1)[0][1]
    found = held_out.replies(hidden_runs.stored(run))
    assert len(found["slices"]) == run.by_policy.sum() + run.by_ref.sum()
    assert found["by_policy"].sum() == run.by_policy.sum()
    own = found["by_policy"]
    expected = (run.by_policy * run.passed).sum() / run.by_policy.sum()
    assert found["ref_logps"][own].mean() == pytest.approx(expected, abs=0.01)
    assert len(practice_references()) == 6


def test_the_mean_of_policy_over_ref_is_one_for_the_right_reference_only():
    for healthy, regressed in hidden_runs.pairs(7, 3):
        inside = regressed.slices == regressed.suspect
        right, wrong = (
            np.exp(run.ref + run.policy - run.passed).sum(-1) for run in (healthy, regressed)
        )
        assert right == pytest.approx(np.ones(len(right)))
        assert wrong[inside].mean() > 1.2


def test_the_question_names_eight_of_the_measured_scores():
    kept = measured("9d")["auc"]
    assert sum(f"| {name} |" in flowing("q9d") for name in kept) == 8
    assert list(kept) == list(freeze.COMPARED)


def test_what_a_score_of_9d_does_not_read_is_told():
    def quantile(run):
        return float(np.quantile(hidden_runs.ratios(run)[run["by_policy"]], 0.9))

    def sizes(run):
        return float(np.bincount(run["slices"]).std())

    def correlation(run):
        return -float(np.corrcoef(hidden_runs.ratios(run), run["by_policy"])[0, 1] ** 3)

    def entropy(run):
        return float(np.median(run["ref_logps"]) + run["policy_logps"].min())

    for metric, key in (
        (quantile, "own_replies"),
        (sizes, "counts"),
        (correlation, "whole"),
        (entropy, "likelihood"),
    ):
        told = next(m.message for m in mistakes.MISTAKES["9d"] if m.key == key)
        assert graded("9d", metric).diagnoses == (told,), key
