"""Exercise 2, reward models as proxies: what is true of it alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from grading import flowing, graded, source_of
from hostile import raising
from hypothesis import given
from hypothesis import strategies as st

from helpers.grader import practice_proxies, proxy_world
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex02_proxies import examples, held_out
from helpers.grader.judge_metric import auc
from helpers.metrics import rank_accuracy
from solutions.ex02_proxies import answers, hidden_runs, mistakes
from solutions.ex02_proxies.right_variants import suspicion_by_correlation


def test_an_answer_that_always_raises_earns_nothing_for_raising():
    result = graded("2a", raising(ValueError("no")))
    assert result.score == 0.0 and {
        p.earned for p in result.properties if p.key in ("nan", "empty")
    } == {None}


def test_another_exception_than_value_error_does_not_count():
    def asserts(chosen, rejected, slices, n_slices):
        assert not torch.isnan(chosen).any() and not torch.isnan(rejected).any()
        return answers.slice_accuracies(chosen, rejected, slices, n_slices)

    result = graded("2a", asserts)
    assert [p.key for p in result.properties if not p.held] == ["nan"]
    assert "AssertionError" in result.failure.yours and result.failure.expected == "ValueError"


def test_a_look_alike_of_value_error_does_not_count():
    def answer(chosen, rejected, slices, n_slices):
        try:
            return answers.slice_accuracies(chosen, rejected, slices, n_slices)
        except ValueError:
            raise type("ValueErrors", (Exception,), {})("no") from None

    assert [p.key for p in graded("2a", answer).properties if not p.held] == ["nan", "empty"]


def test_sampling_is_not_exact():
    def sampled(ref, proxy, gold, n):
        rng = np.random.default_rng(0)
        draws = rng.choice(
            len(ref), size=(2000, min(n, 100)), p=np.asarray(ref).astype(float) / float(ref.sum())
        )
        return np.asarray(gold)[draws[np.arange(2000), np.asarray(proxy)[draws].argmax(1)]].mean()

    assert graded("2b", sampled).score < 1


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_accuracies_are_the_lessons():
    for name in ("three pairs", "five pairs", "ties"):
        stored = {k: array(v) for k, v in case("2a")["inputs"][name].items()}
        percent = rank_accuracy(torch.tensor(stored["chosen"]), torch.tensor(stored["rejected"]))
        probe = next(
            p for spec in case("2a")["properties"] for p in spec["probes"] if p["input"] == name
        )
        np.testing.assert_allclose(array(probe["expected"]), percent / 100)


def test_frozen_gold_is_what_listing_all_draws_gives():
    """Every sequence of n draws, with its probability, and the first of the best-scored."""
    for name in (
        "two responses",
        "three responses",
        "two tied",
        "two groups",
        "one draw",
        "never said",
    ):
        stored = {k: array(v) for k, v in case("2b")["inputs"][name].items()}
        probe = next(
            p for spec in case("2b")["properties"] for p in spec["probes"] if p["input"] == name
        )
        total = 0.0
        for draws in itertools.product(range(len(stored["ref"])), repeat=stored["n"]):
            kept = max(draws, key=lambda i: stored["proxy"][i])  # the first of the largest
            total += np.prod(stored["ref"][list(draws)]) * stored["gold"][kept]
        assert total == pytest.approx(float(array(probe["expected"])), abs=1e-6)


# ---- 2c -----------------------------------------------------------------------------------


def changed(**sides):
    return lambda: {**answers.proxy_examples(), **sides}


@pytest.mark.parametrize(
    "side, value, found",
    [
        ("safe", [1.0] * 19, "19 scores"),
        ("safe", [[1.0] * 20], "shape (1, 20)"),
        ("safe", [np.nan] * 20, "NaN or infinity"),
        ("safe", "abc", "instead of numbers"),
        ("safe", {"scores": 1}, "instead of numbers"),
        ("unsafe", [np.inf] * 20, "NaN or infinity"),
        ("unsafe", None, "not written yet"),
        ("unsafe", [0.0] * 20, "accuracy 0.500"),
    ],
)
def test_2c_says_what_is_wrong_with_a_proxy(side, value, found):
    result = graded("2c", changed(**{side: value}))
    assert found in result.failure.yours and result.failure.heading == "Your example"
    assert result.score == 1.0 and {p.key: p.earned for p in result.properties}["equal"] is None


@given(st.integers(0, 10_000))
def test_2c_points_follow_from_the_effect(seed):
    """On gold with random responses moved: the verdict is what sampling and counting pairs say."""
    rng = np.random.default_rng(seed)
    ref, gold = proxy_world()
    proxy = gold.copy()
    proxy[rng.integers(20, size=2)] = rng.uniform(-3, 3, size=2)
    earned = {
        p.key: p.earned for p in graded("2c", lambda: {"safe": proxy, "unsafe": proxy}).properties
    }
    pairs = [(i, j) for i in range(20) for j in range(20) if gold[i] > gold[j]]
    right = sum(ref[i] * ref[j] * (np.sign(proxy[i] - proxy[j]) + 1) / 2 for i, j in pairs)
    accurate = right / sum(ref[i] * ref[j] for i, j in pairs) >= 0.9
    worth = answers.best_of_n_gold(
        torch.tensor(ref), torch.tensor(proxy), torch.tensor(gold), 64
    ).item()
    assert earned["safe"] == float(accurate and worth >= ref @ gold + 0.5)
    assert earned["unsafe"] == float(accurate and worth <= ref @ gold - 0.5)
    assert earned["equal"] is None  # one proxy cannot be both


def test_the_world_of_2c_is_one():
    ref, gold = proxy_world()
    assert ref.shape == gold.shape == (20,) and ref.sum() == pytest.approx(1) and ref.min() >= 0.02
    proxy_world()[0][:] = 0
    assert proxy_world()[0].sum() == pytest.approx(1)  # a copy each time
    with pytest.raises(ValueError, match="expected"):
        examples.pair_accuracy(ref, gold, np.zeros(20))


# ---- 2d -----------------------------------------------------------------------------------


def test_a_rating_is_stored_as_its_digit():
    stored = {"gold": held_out.DIGITS[::-1]}
    assert held_out.ratings(stored).tolist() == list(range(len(held_out.DIGITS)))[::-1]


def test_hidden_systems_are_what_the_exercise_says():
    stored = case("2d")["runs"]
    regressed = np.array([s["outcome"] == "regressed" for s in stored])
    n = hidden_runs.FROZEN_RUNS
    assert len(stored) == 2 * n and regressed.sum() == n
    for s in stored:
        rating = held_out.ratings(s)
        gain = (held_out.selected_gold(rating) - rating.mean()) / rating.std()
        assert len(rating) == hidden_runs.N and abs(gain) > hidden_runs.HARM
        assert (gain < 0) == (s["outcome"] == "regressed")
    accuracy = np.array([hidden_runs.pair_accuracy(held_out.ratings(s)) for s in stored])
    assert 0.4 < auc(accuracy[~regressed], accuracy[regressed]) < 0.6 and accuracy.min() > 0.6
    ratings = [held_out.ratings(s) for s in stored]
    spread = np.array([r[-hidden_runs.TOP :].std() / r.std() for r in ratings])
    assert 0.4 < auc(spread[~regressed], spread[regressed]) < 0.6
    assert max(np.mean((r == 0) | (r == len(held_out.DIGITS) - 1)) for r in ratings) < 0.01
    values = [np.sort(held_out.proxy_system(s)[0]) for s in stored]
    assert all(np.array_equal(v, values[0]) for v in values)  # scores alone say nothing
    assert (
        0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # nor does the order
    assert (
        sorted(outcome for *_, outcome in practice_proxies()) == ["healthy"] * 3 + ["regressed"] * 3
    )


@given(st.integers(0, 1000))
def test_pair_accuracy_counts_pairs(seed):
    rating = np.random.default_rng(seed).integers(0, 5, size=12)
    pairs = [(a, b) for a, b in itertools.combinations(rating, 2) if a != b]
    assert hidden_runs.pair_accuracy(rating) == pytest.approx(np.mean([b > a for a, b in pairs]))


def test_selected_gold_is_the_rule_of_2b():
    rating = held_out.ratings(case("2d")["runs"][0])[::40]
    n = len(rating)
    uniform = torch.full((n,), 1 / n, dtype=torch.float64)
    expected = answers.best_of_n_gold(uniform, torch.arange(n), torch.tensor(rating), 256)
    assert held_out.selected_gold(rating) == pytest.approx(expected.item())


def test_the_oracle_counts_and_stops():
    ask = held_out.Oracle(np.array([5.0, 7.0]), budget=3)
    assert [ask(0), ask(np.int64(1)), ask(torch.tensor(0))] == [5.0, 7.0, 5.0] and ask.asked == (
        0,
        1,
        0,
    )
    with pytest.raises(held_out.BudgetSpent, match="all 3 gold labels of this system are spent"):
        ask(0)
    with pytest.raises(IndexError, match="from 0 to 1"):
        held_out.Oracle(np.zeros(2))(-1)
    with pytest.raises(TypeError, match="whole number"):
        held_out.Oracle(np.zeros(2))(0.5)


def test_asking_too_often_is_explained_and_costs_the_points():
    result = graded("2d", lambda scores, ask: np.mean([ask(i) for i in range(101)]))
    assert result.score == 0.0 and result.status == "error"
    assert "all 100 gold labels of this system are spent" in result.failure.yours


def test_every_system_has_its_budget_and_every_check_begins_anew():
    for _ in range(2):
        assert graded("2d", suspicion_by_correlation).score == 2.0  # spends all


def test_metrics_without_a_place_of_their_own_earn_nothing():
    for metric in (
        hidden_runs.random_accuracy,
        hidden_runs.random_correlation,
        hidden_runs.even_accuracy,
        hidden_runs.largest_score,
        hidden_runs.tail_gold,
    ):
        assert graded("2d", metric).score < 0.5, metric
    for metric in (
        hidden_runs.random_accuracy,
        hidden_runs.even_accuracy,
        hidden_runs.largest_score,
    ):
        assert graded("2d", metric).score == 0.0


def test_an_answer_may_destroy_what_it_is_given():
    def destroys(scores, ask):
        found = answers.suspicion(scores, ask)
        scores[:] = 0
        return -found

    assert graded("2d", destroys).diagnoses == (mistakes.UPSIDE_DOWN,)
    for nonsense in (
        lambda scores, ask: ask._asked.append(10**9) or 0,
        lambda scores, ask: setattr(ask, "asked", 3),
    ):
        assert graded("2d", nonsense).score == 0.0


# ---- what must not score ------------------------------------------------------------------


# ---- what the text promises ---------------------------------------------------------------


def test_what_the_text_of_2d_says_of_its_draw_is_true():
    question = source_of("q2d")
    for bound in (case("2d")["full_points_from"], case("2d")["no_points_up_to"]):
        assert f"{bound:.2f}" in question
    assert (
        f"best of {held_out.DRAWS}" in question and f"at most {held_out.BUDGET} times" in question
    )
    assert (
        f"{hidden_runs.HARM:g} standard deviations" in question
        and f"({hidden_runs.N},)" in question
    )
    words = flowing("q2d")
    assert hidden_runs.FROZEN_RUNS == 50 == hidden_runs.TOP
    for said in ("A hundred reward models", "For fifty of them", "its fifty best-scored"):
        assert said in words
    # two panels as far apart, in mean and in range, as the text says are among the hidden ones
    means, spreads = zip(*((r.mean(), r.std()) for r in map(held_out.ratings, case("2d")["runs"])))
    assert "15 on average, another gives 45" in words and min(means) < 15 < 45 < max(means)
    assert "up to four times the range" in words and max(spreads) > 3.5 * min(spreads)
    ends = hidden_runs.RATING_SPREAD
    assert ends[1] == pytest.approx(4 * ends[0])


def test_the_bounds_in_2c_are_those_that_are_checked():
    question, thresholds = flowing("q2c"), case("2c")["thresholds"]
    assert f"accuracy of at least {thresholds['accuracy']:g}" in question
    assert (
        f"equal within {thresholds['equal']:g}" in question
        and f"best of {examples.SELECT}" in question
    )
    assert question.count(f"by at least {thresholds['margin']:g}") == 2


def test_worked_numbers_in_the_hints_are_right():
    pairs = torch.tensor([[2.0, 1.0], [1.0, 1.0], [0.0, 3.0], [4.0, 4.0], [5.0, 1.0]])
    found = answers.slice_accuracies(
        pairs[:, 0], pairs[:, 1], torch.tensor([0, 0, 0, 1, 1]), 2
    ).tolist()
    assert f"{found[0]:g} and {found[1]:g}, their mean {found[2]:g}" in flowing("h2a")
    ref, gold = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, 4.0])
    worth = answers.best_of_n_gold(ref, torch.tensor([0.0, 1.0, 1.0]), gold, 2).item()
    assert (
        f"expected gold is {worth:.2f}. The reference's mean is {(ref * gold).sum().item():.1f}"
        in flowing("h2b")
    )
    assert f"= {1 - 0.9**64:.3f}" in flowing(
        "h2c"
    ) and f"= {1 - (1999 / 2000) ** 256:.3f}" in flowing("h2d")


# ---- near ties ----------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["2a", "2b"])
def test_the_panel_shows_the_gap_that_a_tolerance_does_not_see(part):
    mistake = next(m for m in mistakes.MISTAKES[part] if m.key == "near_ties")
    for writing in mistake.writings:
        assert "1.000001" in graded(part, writing).failure.inputs
