"""Exercise 8, Bradley-Terry: what is true of it alone."""

from __future__ import annotations

import functools
import math
import re
from decimal import Decimal, localcontext
from statistics import NormalDist

import numpy as np
import pytest
import torch
from grading import flowing, graded, inputs_of, measured, source_of, survives
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import bradley_terry
from helpers.grader import judge_metric, practice_surveys
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex08_bradley_terry import examples, held_out
from helpers.grader.judge_metric import auc
from helpers.grader.run_answer import Trial, close
from solutions import measure
from solutions.ex08_bradley_terry import answers, freeze, hidden_runs, mistakes
from solutions.ex08_bradley_terry.right_variants import (
    differences_scipy,
    graded_loop,
    graded_sinh,
    graded_softplus,
)


def test_one_style_of_each_kind_was_there():
    first = inputs_of("8b", "three grades")
    kinds = (
        Trial(f, first, ("strengths", "cuts")).numpy
        for f in (graded_loop, graded_sinh, graded_softplus)
    )
    assert list(kinds) == [True, True, False]
    assert Trial(differences_scipy, inputs_of("8a", "two items")).numpy


@pytest.mark.parametrize(
    "part, key, left",
    [
        ("8a", "no_refusal", ["refuses"]),
        ("8b", "no_refusal", ["refuses"]),
        ("8b", "overflow", ["extreme"]),
        ("8b", "floored", ["extreme"]),
        ("8b", "cuts_constant", ["gradient_cuts"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in mistakes.MISTAKES[part] if m.key == key).writings:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


def test_wrong_answers_in_numpy_are_recognised_too():
    def turned(records, n):
        return -differences_scipy(records, n)

    def summed(strengths, cuts, records):
        return len(records) * graded_sinh(strengths, cuts, records)

    for part, answer, key in (("8a", turned, "turned"), ("8b", summed, "sum")):
        assert graded(part, answer).diagnoses == (
            next(m.message for m in mistakes.MISTAKES[part] if m.key == key),
        )


# ---- frozen data against what owes nothing to the reference -------------------------------


def test_frozen_differences_are_what_a_vanishing_prior_tends_to():
    """Finite ones settle as the prior widens, infinite ones keep growing by 2·log 100 or more."""
    seen = {"finite": 0, "infinite": 0}
    for spec in case("8a")["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            given, expected = inputs_of("8a", probe["input"]), array(probe["expected"])
            wins = torch.zeros(given["n"], given["n"], dtype=torch.float64)
            for i, j in given["records"]:
                wins[i, j] += 1
            narrow, wide = (
                bradley_terry.fit(wins, prior_sd=sd, steps=500).strengths for sd in (1e2, 1e4)
            )
            narrow, wide = ((s[:, None] - s).numpy() for s in (narrow, wide))
            finite, infinite = np.isfinite(expected), np.isinf(expected)
            np.testing.assert_allclose(wide[finite], expected[finite], atol=2e-3)
            assert (np.sign(expected[infinite]) * (wide - narrow)[infinite] > 5).all()
            seen = {
                "finite": seen["finite"] + finite.sum(),
                "infinite": seen["infinite"] + infinite.sum(),
            }
    assert seen["finite"] > 60 and seen["infinite"] > 60


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_nan_stands_where_one_more_answer_each_way_would_decide_everything(seed):
    """Half a win more for i, half for j, or two thirds and one third: where nothing was known, that is the result."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 6))
    pairs = [rng.choice(n, 2, replace=False) for _ in range(rng.integers(1, 7))]
    found = answers.differences(torch.tensor(np.array(pairs)), n)
    assert torch.equal(found.isnan(), found.T.isnan()) and not found.diagonal().any()
    known = ~found.isnan()
    assert torch.equal(found[known], -found.T[known])
    wins = torch.zeros(n, n, dtype=torch.float64)
    for i, j in pairs:
        wins[i, j] += 1
    for i, j in ((i, j) for i in range(n) for j in range(i)):
        reached = []
        for share in (1 / 2, 2 / 3):
            more = wins.clone()
            more[i, j] += share
            more[j, i] += 1 - share
            s = bradley_terry.fit(more, prior_sd=1e3, steps=500).strengths
            reached.append((s[i] - s[j]).item())
        decided = np.allclose(reached, [0, math.log(2)], atol=1e-3)
        assert decided == found[i, j].isnan().item(), (i, j, reached)


@functools.cache
def logistic(x: Decimal) -> Decimal:
    """1 / (1 + e^−x) to 30 digits of whatever it is short of 1."""
    with localcontext() as context:
        context.prec = 40 + int(abs(x)) // 2
        return 1 / (1 + (-x).exp())


def exact_cost(gap: float, low: float | None, high: float | None) -> float:
    """−log P(low < gap + ε < high), from as many digits as e^−10000 needs."""
    upper = Decimal(1) if high is None else logistic(Decimal(high) - Decimal(gap))
    lower = Decimal(0) if low is None else logistic(Decimal(low) - Decimal(gap))
    with localcontext() as context:
        context.prec = 5100
        probability = upper - lower
    return -float((+probability).ln())  # + rounds to the usual digits first


def test_frozen_losses_are_those_of_the_probabilities_between_cuts():
    compared = 0
    for spec in case("8b")["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            if probe["of"]:
                continue
            given = inputs_of("8b", probe["input"])
            costs = []
            for a, i, j, g in given["records"].tolist():
                cuts = [None, *given["cuts"][a].tolist(), None]
                gap = float(given["strengths"][i]) - float(given["strengths"][j])
                costs.append(exact_cost(gap, cuts[g], cuts[g + 1]))
            assert float(array(probe["expected"])) == pytest.approx(np.mean(costs), rel=1e-5)
            compared += 1
    assert compared >= 15


def test_frozen_gradients_are_differences_of_the_loss():
    compared = 0
    for spec in case("8b")["properties"]:
        for probe in spec["probes"]:
            if probe.get("of") and "60" not in probe["input"] and "10000" not in probe["input"]:
                given, of = inputs_of("8b", probe["input"]), probe["of"]
                tensors = {k: torch.tensor(v) for k, v in given.items()}
                for place in np.ndindex(given[of].shape):
                    ends = []
                    for step in (1e-5, -1e-5):
                        moved = {k: v.clone() for k, v in tensors.items()}
                        moved[of][place] += step
                        ends.append(answers.graded_loss(**moved).item())
                    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(
                        array(probe["expected"])[place], abs=1e-6
                    )
                compared += 1
    assert compared == 10


def test_two_and_three_grades_are_the_models_that_the_exercise_names():
    gap, eta = torch.tensor([0.7, 0.0]).double(), 0.4
    record = torch.tensor([[0, 0, 1, 1]])
    assert answers.graded_loss(gap, torch.tensor([[0.0]]).double(), record).item() == pytest.approx(
        -math.log(1 / (1 + math.exp(-0.7)))
    )
    wins = answers.graded_loss(
        gap, torch.tensor([[-eta, eta]]).double(), torch.tensor([[0, 0, 1, 2]])
    )
    assert wins.item() == pytest.approx(
        -math.log(1 / (1 + math.exp(-(0.7 - eta))))
    )  # Rao and Kupper: σ(s_i − s_j − η)
    leaning = answers.graded_loss(torch.zeros(2).double(), torch.tensor([[-0.4]]).double(), record)
    assert math.exp(-leaning) > 0.5  # prefers the first of two equal replies


@given(st.integers(0, 10_000))
def test_grades_have_probabilities_that_sum_to_1(seed):
    rng = np.random.default_rng(seed)
    strengths, cuts = (
        torch.tensor(rng.normal(size=2) * 3),
        torch.tensor(np.sort(rng.normal(size=4) * 2))[None],
    )
    each = [answers.graded_loss(strengths, cuts, torch.tensor([[0, 0, 1, g]])) for g in range(5)]
    assert sum(math.exp(-loss) for loss in each) == pytest.approx(1, abs=1e-9)


# ---- hostile answers ----------------------------------------------------------------------


def both(side):
    return lambda *a: {"safe": side, "unsafe": side}


HOSTILE = {
    "NaN": lambda *a: float("nan"),
    "tables of strings": both({"strengths": "a", "share": "b", "asked": "c"}),
    "huge surveys": both(
        {"strengths": [[1e308] * 3] * 2, "share": 1e308, "asked": [[1e308] * 3] * 3}
    ),
    "surveys of NaN": both(
        {"strengths": [[math.nan] * 3] * 2, "share": math.nan, "asked": [[math.nan] * 3] * 3}
    ),
    "ragged surveys": both({"strengths": [[1, 2, 3], [1]], "share": 0.5, "asked": [[0]]}),
    "counts of NaN": both(
        {"strengths": [[1, 2, 3]] * 2, "share": 0.5, "asked": [[math.nan] * 3] * 3}
    ),
    "negative counts": both(
        {"strengths": [[1, 2, 3]] * 2, "share": 0.5, "asked": [[0, -1, -20]] * 3}
    ),
    "nothing but deep lists": both({"strengths": [[[[1]]]], "share": [[[0.5]]], "asked": []}),
}


@pytest.mark.parametrize("part", ["8a", "8b", "8c", "8d"])
def test_more_hostile_answers_are_survived(part, capsys):
    survives(part, HOSTILE, capsys)


# ---- 8c -----------------------------------------------------------------------------------


def changed_8c(side, **changes):
    answer = answers.survey_examples()
    answer[side] = {**answer[side], **changes}
    return lambda: answer


@pytest.mark.parametrize(
    "changes, found",
    [
        ({"strengths": [[1, 2, 3]]}, "'strengths' of shape (1, 3)"),
        ({"strengths": [[1, 2], [2, 1]]}, "'strengths' of shape (2, 2)"),
        ({"strengths": [[0] * 7] * 2}, "'strengths' of shape (2, 7)"),
        ({"strengths": None}, "'strengths' is missing"),
        ({"strengths": "strong"}, "'strengths': a str instead of numbers"),
        ({"strengths": [[6, 0, 0], [0, 0, 0]]}, "'strengths' up to 6"),
        ({"strengths": [[math.nan, 0, 0], [0, 0, 0]]}, "'strengths' up to nan"),
        ({"share": 0.1}, "'share' 0.1"),
        ({"share": math.nan}, "'share' nan"),
        ({"share": [0.5, 0.5]}, "'share' of shape (2,)"),
        ({"asked": [[0, 1], [1, 0]]}, "'asked' of shape (2, 2)"),
        ({"asked": [[0, 1, 1], [20, 0, 1], [1, 1, 0]]}, "expected a symmetric table"),
        ({"asked": [[0, math.nan, 1], [math.nan, 0, 1], [1, 1, 0]]}, "expected a symmetric table"),
        ({"asked": [[1, 1, 1], [1, 1, 20], [1, 20, 1]]}, "on its diagonal"),
        ({"asked": [[0, 0, 1], [0, 0, 20], [1, 20, 0]]}, "'asked' from 0 to 20"),
        ({"asked": [[0, 1, 1], [1, 0, 2000], [1, 2000, 0]]}, "'asked' from 1 to 2e+03"),
        ({"asked": [[0, 1, 1], [1, 0, 9], [1, 9, 0]]}, "one pair at least 10 times as often"),
    ],
)
def test_8c_says_what_is_wrong_with_a_survey(changes, found):
    result = graded("8c", changed_8c("safe", **changes))
    assert found in result.failure.yours and result.failure.heading == "Your survey"
    assert {p.key: p.held for p in result.properties} == {
        "safe": False,
        "unsafe_flips": True,
        "unsafe_clear": True,
    }


def test_8c_a_flip_that_is_too_small_says_so():
    result = graded("8c", changed_8c("unsafe", share=0.53))
    assert "two items do change places, but by less than 0.1 nats" in result.diagnoses[0]


@given(st.integers(0, 10_000))
def test_8c_points_follow_from_the_effect(seed):
    """On random surveys: the verdict is what Zermelo's iteration and counting votes make of them."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 5))
    strengths = rng.normal(size=(2, n)) * rng.uniform(0.5, 2) + rng.normal(size=n)
    strengths, share = strengths.clip(-5, 5), rng.uniform(0.2, 0.8)
    asked = np.triu(10 ** rng.uniform(0, 3, size=(n, n)), 1)
    asked[0, 1], asked[0, 2] = 1, 10
    asked += asked.T
    side = {"strengths": strengths, "share": share, "asked": asked}
    earned = {
        p.key: p.earned for p in graded("8c", lambda: {"safe": side, "unsafe": side}).properties
    }

    gaps = strengths[:, :, None] - strengths[:, None]
    majority = (np.array([share, 1 - share])[:, None, None] / (1 + np.exp(-gaps))).sum(0)
    orders = []
    for counts in (1 - np.eye(n), asked):
        weight = np.ones(n)
        for _ in range(4000):
            weight = (counts * majority).sum(1) / (counts / (weight[:, None] + weight)).sum(1)
        orders.append(np.log(weight)[:, None] - np.log(weight))
    i, j = np.triu_indices(n, 1)
    votes = (majority > 0.5)[i, j]
    decided = (abs(majority[i, j] - 0.5) >= 0.02).all()
    circle = any(
        np.linalg.matrix_power((majority > 0.5) & ~np.eye(n, dtype=bool), k).trace()
        for k in range(1, n + 1)
    )
    follow = all((np.where(votes, order[i, j], -order[i, j]) >= 0.1).all() for order in orders)
    disagree = ((gaps[0] >= 0.5) & (gaps[1] <= -0.5)).any()
    flips = ((orders[0] >= 0.1) & (orders[1] <= -0.1)).any()
    assert earned["safe"] == float(disagree and decided and not circle and follow)
    assert earned["unsafe_flips"] == float(flips)
    assert earned["unsafe_clear"] == (float(decided and not circle) if flips else None)


def test_8c_the_learner_has_the_pool_and_the_bounds_that_are_checked(capsys):
    bounds, thresholds, question = case("8c")["bounds"], case("8c")["thresholds"], flowing("q8c")
    space: dict = {"np": np, "torch": torch, "bradley_terry": bradley_terry}
    exec(source_of("d8c"), space)
    survey = examples._Survey(
        {name: space[name] for name in ("strengths", "share", "asked")}, bounds
    )
    np.testing.assert_allclose(survey.majority, space["majority"])
    printed = re.findall(
        r"-?\d\.\d+|-?\d\.(?= |\])", capsys.readouterr().out.split("asked alike")[1]
    )
    assert [float(number) for number in printed] == pytest.approx(
        [*survey.equal, *survey.asked], abs=0.006
    )
    (fewest, most), (least, greatest) = bounds["items"], bounds["share"]
    assert f"{fewest} to {most} items, strengths within ±{bounds['largest_strength']:g}" in question
    assert f"share from {least:g} to {greatest:g}" in question
    assert (
        f"from 1 to {bounds['most_asked']:g} elsewhere, the largest at least {bounds['uneven']:g} times"
        in question
    )
    assert f"each by at least {thresholds['disagree']:g} nats" in question
    assert question.count(f"majority is at least {thresholds['majority']:g}") == 1
    assert f"every majority at least {thresholds['majority']:g}" in question
    assert question.count(f"at least {thresholds['gap']:g} nats") == 3


def stored_surveys():
    stored = case("8d")["runs"]
    return [held_out.survey(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def reached(metric) -> float:
    found, regressed = stored_surveys()
    scores = np.array([metric(run) for run in found])
    return auc(scores[~regressed], scores[regressed])


@pytest.fixture(scope="module")
def drawn():
    return hidden_runs.pairs(hidden_runs.FROZEN_SEED, hidden_runs.FROZEN_RUNS)


def test_intervals_hold_the_truth_as_often_as_the_exercise_says(drawn):
    rng, rates = np.random.default_rng(8), []
    for pair in drawn:
        rates.append([survey.coverage(rng, 2000) for survey in pair])
    healthy, regressed = np.array(rates).T
    error = np.sqrt(0.95 * 0.05 / 2000)
    assert abs(healthy - 0.95).max() < 0.01 + 3 * error and healthy.mean() == pytest.approx(
        0.95, abs=0.005
    )
    low, high = (
        2 * NormalDist().cdf(hidden_runs.Z / math.sqrt(excess)) - 1
        for excess in reversed(hidden_runs.EXCESS)
    )
    assert low - 0.03 < regressed.min() and regressed.max() < high + 0.03
    promised = [
        int(number) / 100
        for number in re.search(r"the truth (\d+) to (\d+) times", flowing("q8d")).groups()
    ]
    assert promised[0] - 0.03 < regressed.min() and regressed.max() < promised[1] + 0.03
    assert promised[0] <= low and high <= promised[1]
    assert f"holds the truth {hidden_runs.LEVEL * 100:.0f} times in 100" in flowing("q8d")


def test_twins_differ_in_what_annotators_share_only(drawn):
    for healthy, regressed in drawn:
        assert np.array_equal(healthy.loads, regressed.loads)
        assert (healthy.share, healthy.assumed) == (regressed.share, regressed.assumed)
        together = (healthy.loads**2).sum() / healthy.loads.sum()
        true = [1 + survey.rho * (together - 1) for survey in (healthy, regressed)]
        assert true[0] == pytest.approx(healthy.assumed)
        assert hidden_runs.EXCESS[0] <= true[1] / healthy.assumed <= hidden_runs.EXCESS[1]
    assert (
        sum(healthy.assumed == 1 for healthy, _ in drawn) >= 2
    )  # some took every comparison as independent


def test_the_design_effect_is_that_of_the_answers():
    """Variance of the share of wins over many repetitions, against p(1 − p)/N times the formula."""
    rng, loads, share, rho = np.random.default_rng(9), np.array([2, 5, 5, 30, 58]), 0.4, 0.2
    total = hidden_runs.answers(rng, np.tile(loads, (40_000, 1)), share, rho).sum(1) / loads.sum()
    effect = 1 + rho * ((loads**2).sum() / loads.sum() - 1)
    assert total.mean() == pytest.approx(share, abs=0.005)
    assert total.var() == pytest.approx(share * (1 - share) / loads.sum() * effect, rel=0.03)


def test_stored_surveys_are_the_drawn_ones(drawn):
    found, regressed = stored_surveys()
    n = hidden_runs.FROZEN_RUNS
    assert len(found) == 2 * n and regressed.sum() == n
    both = [survey for pair in drawn for survey in pair]
    order = np.random.default_rng(hidden_runs.FROZEN_SEED + 1).permutation(
        2 * hidden_runs.FROZEN_RUNS
    )
    for run, place in zip(found, order):
        assert np.array_equal(np.bincount(run["annotator"]), both[place].loads)
        assert np.array_equal(np.bincount(run["annotator"], weights=run["won"]), both[place].wins)
        assert (run["low"], run["high"]) == pytest.approx(
            (both[place].low, both[place].high), abs=1e-4
        )
        assert run["won"].dtype == bool and run["won"].shape == run["annotator"].shape
    assert (
        0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing
    assert (
        sorted(outcome for _, outcome in practice_surveys()) == ["healthy"] * 3 + ["regressed"] * 3
    )


def test_the_reported_interval_is_that_of_the_answers_under_the_assumption(drawn):
    """Against the lesson's fit of the two models, whose interval takes comparisons as independent."""
    for healthy, _ in drawn:
        won, n = healthy.wins.sum(), healthy.loads.sum()
        low, high = bradley_terry.fit(torch.tensor([[0.0, won], [n - won, 0.0]])).interval(
            0, 1, hidden_runs.LEVEL
        )
        half = (high - low).item() / 2 * math.sqrt(healthy.assumed)
        assert (healthy.high - healthy.low) / 2 == pytest.approx(half, rel=2e-3)
        assert (healthy.high + healthy.low) / 2 == pytest.approx((high + low).item() / 2, abs=3e-3)


def test_what_the_truth_is_is_not_stored():
    keys = {"outcome", "loads", "wins", "low", "high"}
    assert all(set(stored) == keys for stored in case("8d")["runs"] + case("8d")["practice"])


def test_obvious_metrics_do_not_separate_the_hidden_surveys_and_the_answer_does():
    for metric in (
        hidden_runs.few_answers,
        hidden_runs.narrow,
        hidden_runs.against_independent,
        hidden_runs.one_sided,
    ):
        assert 0.4 < reached(metric) < 0.6
    assert reached(hidden_runs.dissenters) < reached(hidden_runs.spread_of_rates) < 0.9
    assert reached(hidden_runs.design_effect) < 0.9 < reached(answers.interval_overconfidence)


def test_the_frozen_draw_is_the_most_typical_of_those_tried():
    typical = measure.most_typical(hidden_runs, freeze.COMPARED, measured("8d")["auc"])
    assert typical == hidden_runs.FROZEN_SEED


def test_the_bar_stands_three_standard_deviations_above_what_is_obvious():
    for name, row in measured("8d")["auc"].items():
        each = np.array(row["each"])
        bound = each.mean() + 3 * each.std()
        assert name == "reference answer" or bound < case("8d")["full_points_from"], name


def test_what_the_text_of_8d_says_of_its_draw_is_true():
    question, hints = source_of("q8d"), source_of("h8d")
    auc_of = {name: row["mean"] for name, row in measured("8d")["auc"].items()}
    ignored = auc_of["design effect by annotators, the interval ignored"]
    assert "AUC near 0.8, another way" in hints and abs(ignored - 0.8) < 0.03
    assert (
        "AUC near 0.8.*" in hints
        and abs(auc_of["standard deviation of the annotators' win rates"] - 0.8) < 0.03
    )
    assert "{} to {} annotators".format(*hidden_runs.ANNOTATORS) in flowing("q8d")
    low, high = hidden_runs.EXCESS
    for stated in (
        f"is {low:g} to {high:g} times the assumed one",
        f"{case('8d')['full_points_from']:.2f} earns both",
        f"{case('8d')['no_points_up_to']:.2f} none",
    ):
        assert stated in question, stated


def test_8d_upside_down_constant_and_unusable_scores_are_told_apart():
    assert graded("8d", lambda run: -answers.interval_overconfidence(run)).diagnoses == (
        mistakes.UPSIDE_DOWN,
    )
    assert "same score" in graded("8d", lambda run: 1).diagnoses[0]
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("8d", lambda run: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == f"survey 3 of {2 * hidden_runs.FROZEN_RUNS}"
        and "nan" in result.failure.yours
    )
    shown = graded("8d", hidden_runs.narrow).failure.inputs
    assert re.search(r"\d+ comparisons by \d+ annotators, A won \d\d\.\d%, interval [+-]\d", shown)


def test_what_a_score_of_8d_does_not_read_is_told():
    def clear(run):
        return float((run["high"] + run["low"]) * len(run["won"]) ** 0.3)

    def chi_squared(run):
        answered, won = hidden_runs.by_annotator(run)
        expected = answered * run["won"].mean()
        return float(np.mean(((won - expected) ** 2)[answered > 3]))

    for metric, key in ((clear, "whoever"), (chi_squared, "interval_ignored")):
        told = next(m.message for m in mistakes.MISTAKES["8d"] if m.key == key)
        assert graded("8d", metric).diagnoses == (told,), key


def test_a_score_that_is_cut_off_is_not_said_to_read_nothing():
    """All but one of the first runs then have one score, which no change moves: no sign of what it reads."""
    runs = [held_out.survey(stored) for stored in case("8d")["runs"]]
    least = sorted(map(answers.interval_overconfidence, runs[: judge_metric.AGAIN]))[-2]

    def cut(run):
        return max(answers.interval_overconfidence(run), least)

    assert 2 < len({cut(run) for run in runs}) < 40
    result = graded("8d", cut)
    assert result.score < 2 and result.diagnoses == ()


def test_8a_entries_tell_the_cause_where_no_table_is_recognised():
    def only_met(records, n):
        """Numbers a little off, and none for items that never met."""
        right = answers.differences(records, n)
        met = torch.eye(n, dtype=torch.bool)
        met[records[:, 0], records[:, 1]] = met[records[:, 1], records[:, 0]] = True
        return torch.where(met, right, torch.nan)

    def whole_table(records, n):
        answers.refuse_records(records, n)
        s = bradley_terry.fit(answers.win_counts(records, n)).strengths
        return s[:, None] - s

    for answer, key in ((only_met, "direct"), (whole_table, "all_or_nothing")):
        told = next(m.message for m in mistakes.MISTAKES["8a"] if m.key == key)
        assert graded("8a", answer).diagnoses == (told,), key


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_of_the_hints_are_right():
    worked = answers.differences(torch.tensor([[0, 1]] * 3 + [[1, 0]] + [[1, 2]] * 2 + [[3, 2]]), 4)
    assert f"log 3 = {worked[0, 1]:.3f}" in flowing("h8a")
    assert (
        worked[0, 2] == worked[1, 2] == worked[3, 2] == math.inf
        and worked[0, 3].isnan()
        and worked[1, 3].isnan()
    )

    cuts, strengths = torch.tensor([[-1.0, 0.5]]).double(), torch.tensor([1.0, 0.0]).double()
    costs = [
        answers.graded_loss(strengths, cuts, torch.tensor([[0, 0, 1, g]])).item() for g in range(3)
    ]
    lowest, middle, highest = (math.exp(-cost) for cost in costs)
    factors = [torch.tensor(x).sigmoid().item() for x in (2.0, -0.5)] + [1 - math.exp(-1.5)]
    assert math.prod(factors) == pytest.approx(middle)
    for number in (1 - lowest, highest, middle, costs[1], lowest, *factors):
        assert f"{number:.3f}" in flowing("h8b")
    assert f"{-math.log(1e-12):.0f} nats" in flowing("h8b")

    shares = torch.tensor([[0, 0.55, 0.55], [0.45, 0, 0.95], [0.45, 0.05, 0]]).double()
    alike = bradley_terry.fit(shares).strengths
    alone = bradley_terry.fit(shares[:2, :2]).strengths
    assert alike.argmax() == 1 and f"{alike[1] - alike[0]:.2f} nats above A" in flowing("h8c")
    assert f"{alone[0] - alone[1]:.2f} nats" in flowing("h8c")
    for method in ("row", "sums", "hundred times"):  # a case, not the way to the answer
        assert method not in flowing("h8c").split("Worked idea")[1]

    independent = 1 / math.sqrt(10)
    for won, honest in (([7, 6, 4, 3], "0.72"), ([9, 8, 2, 1], "1.60")):
        wins = np.concatenate([np.arange(10) < w for w in won])
        run = {"annotator": np.repeat(np.arange(4), 10), "won": wins}
        assert np.array_equal(hidden_runs.by_annotator(run), [np.full(4, 10), won])
        half = hidden_runs.Z * math.sqrt(hidden_runs.clustered_variance(run))
        assert f"{half:.2f}" == honest and f"±{honest}" in flowing("h8d")
    assert f"±{hidden_runs.Z * independent:.2f} is reported" in flowing("h8d")
    for method in ("variance", "squared", "√"):  # a case, not the way to the answer
        assert method not in flowing("h8d").split("Worked idea")[1]
    assert f"{2 / math.sqrt(9000):.2f}" == "0.02" and "0.26 to 0.34" in flowing("r8")
    assert 0.3 - hidden_runs.Z * 2 / math.sqrt(9000) == pytest.approx(0.26, abs=0.005)


@given(st.integers(0, 10_000))
def test_asked_alike_the_fit_ranks_by_the_sum_of_each_row(seed):
    """As the hint of 8c says."""
    shares = np.triu(np.random.default_rng(seed).uniform(0.02, 0.98, size=(4, 4)), 1)
    shares += np.tril(1 - shares.T, -1)
    fitted = bradley_terry.fit(torch.tensor(shares)).strengths.numpy()
    assert np.array_equal(fitted.argsort(), shares.sum(1).argsort())


def test_a_table_with_nan_is_compared_entry_by_entry():
    expected = array(case("8a")["properties"][2]["probes"][1]["expected"])
    assert (
        np.isnan(expected).any() and np.isinf(expected).any() and close(expected.copy(), expected)
    )
    for place in ((1, 2), (0, 1)):
        changed = expected.copy()
        changed[place] = 0.0
        assert not close(changed, expected)
