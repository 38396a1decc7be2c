"""Exercise 1, preferences optimize choices: what is true of it alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from grading import flowing, graded, source_of
from hypothesis import given
from hypothesis import strategies as st

from helpers.grader import practice_imitators, two_rules
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex01_choices import held_out
from helpers.grader.judge_metric import auc
from helpers.grader.panel import Panel
from helpers.losses import dpo_loss
from helpers.policies import optimum
from solutions.ex01_choices import answers, hidden_runs, mistakes
from solutions.ex01_choices.right_variants import comparisons_loop


def message(part: str, name: str) -> str:
    return next(m["message"] for m in case(part)["mistakes"] if m["key"] == name)


def test_overflow_costs_the_stability_property_only():
    for variant in next(m for m in mistakes.MISTAKES["1b"] if m.key == "overflow").writings:
        assert [p.key for p in graded("1b", variant).properties if not p.held] == ["extreme"]


def test_wrong_answers_in_numpy_are_recognised_too():
    def sorted_pairs(ratings):
        order = np.argsort(-np.nan_to_num(np.asarray(ratings), nan=-1e9), axis=1)
        places = [(i, j) for j in range(order.shape[1]) for i in range(j)]
        return [(a, row[i], row[j]) for a, row in enumerate(order) for i, j in places]

    def imitation(logits, ref_logits, wins, beta):
        logits, wins = np.asarray(logits, dtype=float), np.asarray(wins)
        logps = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return -(wins.sum(2) * logps).sum() / wins.sum()

    assert graded("1a", sorted_pairs).score < 1
    assert graded("1b", imitation).diagnoses == (mistakes.MISTAKES["1b"][0].message,)


def test_a_loss_without_gradient_costs_the_gradient():
    result = graded("1b", lambda *a: answers.choice_loss(*a).item())
    assert [p.key for p in result.properties if not p.held] == [
        "gradient",
        "no_reference_gradient",
        "extreme",
    ]
    assert "which carries no gradient" in result.failure.yours


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_choices_are_the_lessons_dpo_on_each_comparison():
    """The table written out comparison by comparison, through the lesson's loss."""
    for probe in [p for spec in case("1b")["properties"][:3] for p in spec["probes"]]:
        stored = {k: array(v) for k, v in case("1b")["inputs"][probe["input"]].items()}
        policy, ref = (
            torch.tensor(stored[name]).double().log_softmax(-1) for name in ("logits", "ref_logits")
        )
        rows = [(b, i, j) for (b, i, j), n in np.ndenumerate(stored["wins"]) for _ in range(int(n))]
        b, i, j = map(list, zip(*rows))
        loss = dpo_loss(policy[b, i], policy[b, j], ref[b, i], ref[b, j], stored["beta"])
        assert loss.item() == pytest.approx(float(array(probe["expected"])), rel=1e-5)


@given(st.integers(0, 10_000))
def test_comparisons_are_antisymmetric_and_complete(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(1, 4, size=(3, 4)).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    rows = {tuple(row) for row in answers.comparisons(torch.tensor(ratings)).tolist()}
    pairs = [(a, i, j) for a in range(3) for i in range(4) for j in range(i)]
    for a, i, j in pairs:
        known = not np.isnan(ratings[a, [i, j]]).any() and ratings[a, i] != ratings[a, j]
        assert ((a, i, j) in rows) + ((a, j, i) in rows) == known
    assert len(rows) == len(comparisons_loop(ratings))


# ---- 1c -----------------------------------------------------------------------------------


def test_two_rules_are_what_they_say():
    """Chosen responses by sampling; learning by gradient on expected DPO loss, and by the lesson's closed form."""
    rng = np.random.default_rng(0)
    policy, generator = np.array([0.3, 0.5, 0.2]), np.array([0.5, 0.2, 0.3])
    rewards = np.array([0.0, 1.0, 2.5])
    rules = two_rules(policy, generator, rewards)
    i, j = rng.choice(3, size=(2, 200_000), p=generator)
    chosen = np.where(rng.random(len(i)) < 1 / (1 + np.exp(rewards[j] - rewards[i])), i, j)
    np.testing.assert_allclose(np.bincount(chosen) / len(chosen), rules.imitated, atol=0.005)
    best, _ = optimum(torch.tensor(policy).log(), torch.tensor(rewards), 1.0)
    np.testing.assert_allclose(best.exp(), rules.learnt, atol=1e-12)

    prefers = 1 / (1 + np.exp(rewards - rewards[:, None]))
    wins = torch.tensor(generator[:, None] * generator * prefers * (1 - np.eye(3)))[None]
    logits, ref = torch.zeros(1, 3, dtype=torch.float64), torch.tensor(policy).log()[None]
    for _ in range(3000):
        logits.requires_grad_()
        (gradient,) = torch.autograd.grad(answers.choice_loss(logits, ref, wins, 1.0), logits)
        logits = (logits - 2 * gradient).detach()
    np.testing.assert_allclose(logits.softmax(1)[0], rules.learnt, atol=1e-4)
    assert rules.imitation == pytest.approx(
        rules.imitated @ rewards
    ) and rules.before == pytest.approx(1.0)


@pytest.mark.parametrize(
    "arguments, found",
    [
        (([1.0], [1.0], [0.0]), "shapes (1,)"),
        (([0.5, 0.5], [1.0], [0.0, 1.0]), "shapes (2,), (1,)"),
        (([0.5, 0.6], [0.5, 0.5], [0.0, 1.0]), "policy: expected probabilities"),
        (([0.5, 0.5], [1.5, -0.5], [0.0, 1.0]), "generator: expected probabilities"),
        (([0.5, 0.5], [np.nan, 0.5], [0.0, 1.0]), "generator: expected probabilities"),
        (([0.5, 0.5], [1.0, 0.0], [0.0, 1.0]), "never says response 1"),
        (([0.5, 0.5], [0.5, 0.5], [0.0, np.inf]), "NaN or infinity"),
    ],
)
def test_two_rules_refuses_bad_input(arguments, found):
    with pytest.raises(ValueError, match="expected") as error:
        two_rules(*arguments)
    assert found in str(error.value)


def changed(side, **changes):
    answer = answers.generator_examples()
    answer[side] = {**answer[side], **changes}
    return lambda: answer


@pytest.mark.parametrize(
    "side, changes, found",
    [
        ("safe", {"policy": [0.5, 0.5]}, "2 entries"),
        ("safe", {"policy": [0.1, 0.8, 0.2]}, "sum 1"),
        ("safe", {"policy": [0.1, 0.9, 0.0]}, "probability 0"),
        ("safe", {"policy": [0.1, 0.6, 0.2, 0.1]}, "shapes (4,)"),
        ("safe", {"policy": None}, "'policy' is missing"),
        ("safe", {"generator": "abc"}, "'generator'"),
        ("safe", {"generator": [[0.5, 0.25, 0.25]]}, "shape (1, 3)"),
        ("safe", {"rewards": [0, np.nan, 1]}, "NaN or infinity"),
        ("safe", {"rewards": [0, 2, 6]}, "from 0 to 6"),
        ("safe", {"rewards": [-1, 2, 5]}, "from -1 to 5"),
        ("unsafe", {"policy": np.full(60, 1 / 60)}, "60 entries"),
    ],
)
def test_1c_says_what_is_wrong_with_an_example(side, changes, found):
    result = graded("1c", changed(side, **changes))
    assert found in result.failure.yours and result.failure.heading == "Your example"
    assert {p.key: p.held for p in result.properties}["safe"] == (side == "unsafe")


def test_1c_one_side_alone_earns_its_points():
    assert graded("1c", lambda: {"safe": None, "unsafe": None}).status == "unattempted"
    assert graded("1c", lambda: {**answers.generator_examples(), "unsafe": None}).score == 1.0
    assert graded("1c", lambda: {**answers.generator_examples(), "safe": None}).score == 2.0
    result = graded("1c", changed("unsafe", policy=[0.005, 0.005, 0.99]))
    assert result.score == 2.0 and "nothing to choose" in result.diagnoses[0]


@given(st.integers(0, 10_000))
def test_1c_points_follow_from_the_effect(seed):
    """On random examples: the verdict is what one reads off the two rules."""
    rng = np.random.default_rng(seed)
    K = int(rng.integers(3, 6))
    policy, generator = rng.dirichlet(np.ones(K), size=2).clip(0.01)
    side = {
        "policy": policy / policy.sum(),
        "generator": generator / generator.sum(),
        "rewards": 5 * rng.random(K),
    }
    earned = {
        p.key: p.earned for p in graded("1c", lambda: {"safe": side, "unsafe": side}).properties
    }
    rules = two_rules(**side)
    worse = rules.before - rules.generator >= 0.2
    lowers = worse and rules.imitation - rules.before <= -0.2
    assert earned["safe"] == float(worse and rules.imitation - rules.before >= 0.2)
    assert earned["unsafe_imitation"] == float(lowers)
    assert earned["unsafe_learning"] == (
        float(rules.learning - rules.before >= 0.2) if lowers else None
    )


def test_the_texts_of_a_1c_answer_are_escaped():
    evil = type("<script>", (), {})()
    for side in (evil, {"policy": evil, "generator": [1.0], "rewards": [1.0]}):
        page = Panel(graded("1c", lambda: {"safe": side, "unsafe": None}))._repr_html_()
        assert "<script" not in page and "&lt;script&gt;" in page


# ---- 1d -----------------------------------------------------------------------------------


def stored_runs():
    stored = case("1d")["runs"]
    return [held_out.imitator(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def test_hidden_runs_are_what_the_exercise_says():
    found, regressed = stored_runs()
    n = hidden_runs.FROZEN_RUNS
    assert len(found) == 2 * n and regressed.sum() == n
    shapes = {key: value.shape for key, value in found[0].items()}
    assert shapes == {
        k: (hidden_runs.PAIRS if k.endswith("logps") else hidden_runs.FRESH,) for k in shapes
    }
    firsts = [run["policy_first"].sum() for run in found]
    assert min(firsts) > 5 and max(firsts) < hidden_runs.FRESH - 5  # both orders occur in every run
    assert (
        sorted(outcome for _, outcome in practice_imitators())
        == ["healthy"] * 3 + ["regressed"] * 3
    )
    assert (
        0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing


def test_obvious_metrics_earn_nothing_on_the_hidden_runs():
    found, regressed = stored_runs()
    for metric in (*hidden_runs.MATCHED, hidden_runs.first_share):
        scores = np.array([metric(run) for run in found])
        assert 0.3 < auc(scores[~regressed], scores[regressed]) < 0.7
    for metric in (*hidden_runs.MATCHED, hidden_runs.first_share, hidden_runs.win_rate):
        assert graded("1d", metric).score == graded("1d", lambda run: -metric(run)).score == 0.0


# ---- what must not score ------------------------------------------------------------------


# ---- what the text promises ---------------------------------------------------------------


def test_what_the_text_of_1d_says_of_its_draw_is_true():
    question = source_of("q1d")
    for bound in (case("1d")["full_points_from"], case("1d")["no_points_up_to"], hidden_runs.HARM):
        assert f"{bound:.2f}" in question or f"{bound:g} nats" in question
    shapes = set(re.findall(r"^\| (?:`.*?`) \| \((\d+),\)", question, re.M))
    assert shapes == {str(hidden_runs.FRESH), str(hidden_runs.PAIRS)}


def test_the_bounds_in_1c_are_those_that_are_checked():
    question, bounds, thresholds = flowing("q1c"), case("1c")["bounds"], case("1c")["thresholds"]
    low, high = bounds["responses"]
    assert f"{low} to {high} responses, rewards from 0 to {bounds['largest_reward']:g}" in question
    assert f"at least {bounds['least_probability']:g}." in question
    assert (
        question.count(f"{thresholds['margin']:g}") >= 3
        and thresholds["margin"] == thresholds["worse"]
    )


def test_worked_numbers_in_the_hints_are_right():
    logits, flat = torch.tensor([[1.0, 0.0, 0.0]]), torch.zeros(1, 3)
    wins = torch.zeros(1, 3, 3)
    wins[0, 0, 1], wins[0, 1, 0] = 7, 3
    assert f"= {answers.choice_loss(logits, flat, wins, 1.0).item():.3f}. " in flowing("h1b")
    imitation = mistakes.MISTAKES["1b"][0].writings[0](logits, flat, wins, 1.0).item()
    assert f"pay {imitation:.3f} " in flowing("h1b")
    even, rare = (
        two_rules([0.5, 0.5], [0.5, 0.5], [0, 4]),
        two_rules([0.5, 0.5], [0.9, 0.1], [0, 4]),
    )
    assert (
        f"{even.imitated[1]:.3f}, and the expected reward rises from 2 to {even.imitation:.2f}"
        in flowing("h1c")
    )
    assert f"gets to {rare.imitated[1]:.3f} and {rare.imitation:.2f}" in flowing("h1c")


ROWS = {
    "neighbours": lambda known: list(zip(known, known[1:])),
    "best_only": lambda known: [(known[0], k) for k in known[1:]],
    "both_directions": lambda known: [(i, j) for i in known for j in known if i != j],
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_of_1a_are_told_by_what_they_compare(kind):
    """By a sort that puts ties in an order of its own, so that no recorded output is met everywhere."""

    def sorted_first(ratings):
        rows = []
        for a, row in enumerate(ratings.tolist()):
            known = sorted((k for k, r in enumerate(row) if r == r), key=lambda k: (-row[k], -k))
            rows += [(a, i, j) for i, j in ROWS[kind](known) if row[i] != row[j]]
        return np.array(rows).reshape(-1, 3)

    assert graded("1a", sorted_first).diagnoses == (message("1a", kind),)


def test_unrated_responses_of_1a_are_told_whatever_number_stands_for_them():
    def by_the_column(ratings):
        filled = torch.where(ratings.isnan(), ratings.nanmean(0).nan_to_num(2.5), ratings)
        return (filled[:, :, None] > filled[:, None, :]).nonzero()

    assert graded("1a", by_the_column).diagnoses == (message("1a", "unrated_as_number"),)
