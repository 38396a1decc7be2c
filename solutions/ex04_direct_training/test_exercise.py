"""Exercise 4, DPO as direct training: what is true of it alone."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from grading import graded, source_of
from hypothesis import given
from hypothesis import strategies as st

from helpers.grader import practice_runs, train_pair
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex04_direct_training import examples, held_out
from helpers.grader.judge_metric import auc
from helpers.grader.panel import Panel
from helpers.grader.run_answer import Trial
from helpers.losses import dpo_loss
from solutions.ex04_direct_training import answers, hidden_runs, mistakes
from solutions.ex04_direct_training.right_variants import loss_numpy_loop, rewards_numpy_loop


def test_overflow_costs_the_stability_property_only():
    for part in ("4a", "4b"):
        for variant in next(m for m in mistakes.MISTAKES[part] if m.key == "overflow").writings:
            assert [p.key for p in graded(part, variant).properties if not p.held] == ["extreme"]


def test_overflow_is_no_explanation_where_values_are_wrong_too():
    def naive_sum(policy_logps, ref_logps, beta):
        scores = beta * (policy_logps - ref_logps.detach())
        return -(scores.exp()[:, 0] / scores.exp().sum(1)).log().sum() - 1

    result = graded("4b", naive_sum)
    assert result.status == "wrong" and result.diagnoses == ()


def test_wrong_answers_in_numpy_are_recognised_too():
    def all_pairs(policy_logps, ref_logps, beta):
        scores = beta * (np.asarray(policy_logps) - ref_logps)
        better, worse = np.triu_indices(scores.shape[1], 1)
        return np.logaddexp(0, scores[:, worse] - scores[:, better]).mean()

    def mean(policy_logits, ref_logits, tokens, mask, beta):
        rows = rewards_numpy_loop(policy_logits, ref_logits, tokens, mask, beta)
        return np.array(rows) / mask.sum(1)

    for part, answer, key in (("4b", all_pairs, "all_pairs"), ("4a", mean, "mean")):
        assert graded(part, answer).diagnoses == tuple(
            m.message for m in mistakes.MISTAKES[part] if m.key == key
        )


def test_a_loss_without_gradient_costs_the_gradient():
    def detached(policy_logps, ref_logps, beta):
        return answers.ranked_loss(policy_logps.detach(), ref_logps, beta)

    def number(policy_logps, ref_logps, beta):
        return answers.ranked_loss(policy_logps, ref_logps, beta).item()

    held = {p.key: p.held for p in graded("4b", detached).properties}
    assert [key for key in held if not held[key]] == ["gradient", "extreme"]
    result = graded("4b", number)
    assert not {p.key: p.held for p in result.properties}["gradient"]
    assert "returned a float, which carries no gradient" in result.failure.yours


def test_one_wrong_place_is_shown_with_the_smallest_input_yours_and_expected():
    def from_four_on(policy_logps, ref_logps, beta):
        loss = answers.ranked_loss(policy_logps, ref_logps, beta)
        return loss if policy_logps.shape[1] < 4 else loss + 1

    result = graded("4b", from_four_on)
    stored = case("4b")["inputs"]["three rankings of four"]
    expected = answers.ranked_loss(
        torch.tensor(array(stored["policy_logps"])),
        torch.tensor(array(stored["ref_logps"])),
        stored["beta"],
    ).item()
    assert (
        result.diagnoses == () and result.failure.inputs.count("-10.1") == 1
    )  # the row of that probe
    assert float(result.failure.yours) == pytest.approx(expected + 1, abs=1e-5)
    assert float(result.failure.expected) == pytest.approx(expected, abs=1e-5)


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_pairs_are_the_lessons_dpo():
    found = 0
    for probe in next(p for p in case("4b")["properties"] if p["key"] == "pairs")["probes"]:
        stored = {k: array(v) for k, v in case("4b")["inputs"][probe["input"]].items()}
        policy, ref = torch.tensor(stored["policy_logps"]), torch.tensor(stored["ref_logps"])
        dpo = dpo_loss(policy[:, 0], policy[:, 1], ref[:, 0], ref[:, 1], stored["beta"])
        assert dpo.item() == pytest.approx(float(array(probe["expected"])), rel=1e-5)
        found += 1
    assert found == 2


def test_frozen_rankings_are_probabilities_of_permutations():
    """Over all K! orders of one prompt, exp(−loss) sums to 1: it is the probability of a ranking."""
    from itertools import permutations

    stored = {k: array(v) for k, v in case("4b")["inputs"]["three rankings of four"].items()}
    policy, ref = torch.tensor(stored["policy_logps"]), torch.tensor(stored["ref_logps"])
    orders = list(permutations(range(4)))
    for row in range(3):
        losses = [
            answers.ranked_loss(policy[row, o][None], ref[row, o][None], stored["beta"])
            for o in orders
        ]
        assert torch.stack(losses).neg().exp().sum().item() == pytest.approx(1.0, abs=1e-9)


def test_frozen_gradients_are_differences_of_the_loss():
    spec = next(p for p in case("4b")["properties"] if p["key"] == "gradient")
    for probe in spec["probes"]:
        inputs = {k: array(v) for k, v in case("4b")["inputs"][probe["input"]].items()}
        differences = Trial(loss_numpy_loop, inputs, ("policy_logps",)).gradient(
            inputs, "policy_logps"
        )
        np.testing.assert_allclose(differences, array(probe["expected"]), atol=1e-6)


def test_texts_of_a_4c_answer_are_escaped_in_every_field():
    evil = "<script>"

    class Key:
        pass

    Key.__name__ = evil
    for side in ({"features": Key(), "chosen": 0, "rejected": 1}, Key()):
        page = Panel(graded("4c", lambda: {"safe": side, "unsafe": None}))._repr_html_()
        assert evil not in page and "&lt;script&gt;" in page


# ---- 4c -----------------------------------------------------------------------------------


def test_train_pair_is_gradient_descent_on_the_lessons_loss():
    """Its first step against autograd through helpers.losses, and the loss it reports against the same."""
    rng = np.random.default_rng(3)
    features, start = rng.normal(size=(5, 3)), rng.normal(size=3)
    training = train_pair(features, 1, 4, start)
    phi, w0 = torch.tensor(features), torch.tensor(start)
    w = w0.clone().requires_grad_()
    ref = (phi @ w0).log_softmax(0)
    for step in range(3):
        logps = (phi @ w).log_softmax(0)
        loss = dpo_loss(logps[[1]], logps[[4]], ref[[1]], ref[[4]], examples.BETA)
        np.testing.assert_allclose(training.logps[step], logps.detach(), atol=1e-12)
        assert training.loss[step] == pytest.approx(loss.item(), abs=1e-12)
        (gradient,) = torch.autograd.grad(loss, w)
        w = (w - 0.5 * gradient).detach().requires_grad_()
    assert np.all(np.diff(training.loss) < 0) and np.all(np.diff(training.margin) > 0)


@pytest.mark.parametrize(
    "arguments, found",
    [
        (([1.0, 2.0], 0, 1), "shape (2,)"),
        (([[1.0], [np.nan]], 0, 1), "shape (2, 1)"),
        (([[1.0], [2.0]], 0, 2), "rejected = 2"),
        (([[1.0], [2.0]], -1, 1), "chosen = -1"),
        (([[1.0], [2.0]], 0.0, 1), "chosen = 0.0"),
        (([[1.0], [2.0]], 1, 1), "both 1"),
        (([[1.0], [2.0]], 0, 1, [1.0, 2.0]), "start of shape (2,)"),
    ],
)
def test_train_pair_refuses_bad_input(arguments, found):
    with pytest.raises(ValueError, match="expected") as error:
        train_pair(*arguments)
    assert found in str(error.value)


def changed_4c(side, **changes):
    answer = answers.feature_examples()
    answer[side] = {**answer[side], **changes}
    return lambda: answer


@pytest.mark.parametrize(
    "side, changes, found",
    [
        ("safe", {"features": [[1.0, 0], [0, 1]]}, "shape (2, 2)"),
        ("safe", {"features": np.zeros((51, 2))}, "shape (51, 2)"),
        ("safe", {"features": [[11.0, 0], [0, 1], [0, 0]]}, "length 11"),
        ("safe", {"features": [[np.inf, 0], [0, 1], [0, 0]]}, "length inf"),
        ("safe", {"features": [[np.nan, 0], [0, 1], [0, 0]]}, "length nan"),
        ("safe", {"features": "abc"}, "'features'"),
        ("safe", {"features": None}, "'features' is missing"),
        ("safe", {"chosen": 3}, "'chosen' is 3"),
        ("safe", {"chosen": 0.5}, "whole number"),
        ("safe", {"chosen": [0]}, "whole number"),
        ("safe", {"rejected": 0}, "both 0"),
        ("safe", {"start": [9.0, 0.0]}, "starts with probability"),
        ("safe", {"start": [9.0]}, "start of shape (1,)"),
        ("unsafe", {"harmful": -1}, "'harmful' is -1"),
        ("unsafe", {"features": [[1.0, 1.0], [0.0, 1.0], [10.0, 1.0]]}, "length 10"),
    ],
)
def test_4c_says_what_is_wrong_with_an_example(side, changes, found):
    result = graded("4c", changed_4c(side, **changes))
    assert found in result.failure.yours and result.failure.heading == "Your example"
    assert {p.key: p.held for p in result.properties}["safe"] == (side == "unsafe")


def test_4c_needs_the_third_response_to_be_named():
    result = graded("4c", changed_4c("unsafe", harmful=None))
    assert result.score == 2.0 and result.failure.yours == "'harmful' is missing"


@given(st.integers(0, 10_000))
def test_4c_points_follow_from_the_effect(seed):
    """On random examples: the verdict is what one reads off the training itself."""
    rng = np.random.default_rng(seed)
    K = int(rng.integers(3, 7))
    features, harmful = rng.normal(size=(K, 3)), int(rng.integers(K))
    side = {"features": features, "chosen": 0, "rejected": 1, "harmful": harmful}
    earned = {
        p.key: p.earned for p in graded("4c", lambda: {"safe": side, "unsafe": side}).properties
    }
    before, *_, after = train_pair(features, 0, 1).logps
    rise, gain = after[0] - before[0], np.exp(after) - np.exp(before)
    assert earned["safe"] == float(rise >= 0.1)
    assert earned["unsafe_falls"] == float(rise <= -0.1)
    took = harmful > 1 and gain.argmax() == harmful and gain[harmful] >= 0.1
    assert earned["unsafe_mass"] == (float(took) if rise <= -0.1 else None)


# ---- 4d -----------------------------------------------------------------------------------


SAMPLED = ["ref_samples"], ["policy_samples"]


def stored_runs():
    stored = case("4d")["runs"]
    return [held_out.unpack_run(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def test_hidden_runs_are_what_the_exercise_says():
    found, regressed = stored_runs()
    n = hidden_runs.FROZEN_RUNS
    assert len(found) == 2 * n and regressed.sum() == n
    assert all(
        hidden_runs.mean_margin(run) > 0.1 and hidden_runs.mean_chosen_change(run) < -0.1
        for run in found
    )
    shapes = {key: value.shape for key, value in found[0].items()}
    assert (
        shapes
        == {
            k: (hidden_runs.SAMPLES if k.endswith("samples") else hidden_runs.HELD_OUT_PAIRS,)
            for k in shapes
        }
        and len(shapes) == 8
    )
    practice = [outcome for _, outcome in practice_runs()]
    assert sorted(practice) == ["healthy"] * 3 + ["regressed"] * 3


@pytest.mark.parametrize("metric", hidden_runs.MATCHED)
def test_matched_metrics_are_near_chance_on_the_hidden_runs(metric):
    """What training prints is matched closely, wins and losses less so."""
    found, regressed = stored_runs()
    scores = np.array([metric(run) for run in found])
    off = 0.05 if metric in hidden_runs.MATCHED[:3] else 0.2
    assert abs(auc(scores[~regressed], scores[regressed]) - 0.5) < off


def test_stored_runs_come_back_in_another_order():
    run = hidden_runs.pairs(6, 1)[0][1]
    found = held_out.unpack_run(hidden_runs.stored(run))
    assert found.keys() == run.keys()
    for names in ([name for name in run if not name.endswith("samples")], *SAMPLED):
        (mine, again) = (np.array([source[name] for name in names]) for source in (run, found))
        in_order = (rows[:, np.lexsort(rows)] for rows in (mine, again))
        assert next(in_order) == pytest.approx(next(in_order), abs=1e-9)


def test_the_references_samples_win_half_of_their_comparisons_whatever_happened():
    """Why the policy's samples alone are enough: a right variant."""
    for twins in hidden_runs.pairs(7, 20):
        for run in twins:
            won, lost = (np.bincount(run[which], minlength=64) for which in ("chosen", "rejected"))
            rate = ((won + 1) / (won + lost + 2))[run["ref_samples"]].mean()
            assert rate == pytest.approx(0.5, abs=0.1)


def test_the_order_of_the_hidden_runs_says_nothing():
    _, regressed = stored_runs()
    assert 0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75


def test_4d_recognises_a_metric_in_any_units():
    result = graded("4d", lambda run: 100 - 7 * np.exp(hidden_runs.mean_margin(run)))
    assert result.diagnoses == (
        next(m.message for m in mistakes.MISTAKES["4d"] if m.key == "margin"),
    )


# ---- what the text promises ---------------------------------------------------------------


def test_what_the_text_of_4d_says_of_its_draw_is_true():
    question = source_of("q4d")
    for bound in (case("4d")["full_points_from"], case("4d")["no_points_up_to"], hidden_runs.HARM):
        assert f"{bound:.2f}" in question or f"{bound:g} nats" in question
    shapes = dict(re.findall(r"^\| (`.*?`) \| \((\d+),\) \|", question, re.M))
    assert set(shapes.values()) == {str(hidden_runs.HELD_OUT_PAIRS), str(hidden_runs.SAMPLES)}


def test_the_bounds_in_4c_are_those_that_are_checked():
    question, bounds, thresholds = (
        source_of("q4c"),
        case("4c")["bounds"],
        case("4c")["thresholds"],
    )
    low, high = bounds["responses"]
    assert f"{low} to {high} responses, at most {bounds['features']} features" in question
    assert (
        f"longer than {bounds['norm']:g}" in question
        and f"below {bounds['least_start_probability']:g}" in question
    )
    assert question.count(f"{thresholds['chosen_nats']:g} nats") == 2


def test_worked_numbers_in_the_hints_are_right():
    logits = torch.tensor([[[0.3, -0.5], [0.0, 1.0], [7.0, 7.0]]])
    uniform = answers.implicit_rewards(
        logits,
        torch.zeros_like(logits),
        torch.tensor([[1, 0, 1]]),
        torch.tensor([[False, True, True]]),
        1.0,
    )
    logp = uniform.item() - 2 * math.log(2)  # the uniform reference gives each token ½
    assert f"{logp:.3f}".replace("-", "−") in source_of("h4a")
    loss = answers.ranked_loss(
        torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0]]), 1.0
    ).item()
    assert f"{loss:.3f}" in source_of("h4b") and f"{math.exp(-loss):.3f}" in source_of("h4b")
