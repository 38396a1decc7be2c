"""Exercise 8 in the grader: right answers of every style, every misconception, effects, hidden surveys, the text."""

from __future__ import annotations

import functools
import json
import math
import re
from decimal import Decimal, localcontext
from statistics import NormalDist

import numpy as np
import pytest
import torch
from grading import inputs_of, mutants
from hypothesis import given, settings
from hypothesis import strategies as st
from test_exercises import UNTOUCHED, source_of
from test_grader import HOSTILE, graded, raising, unwritten_stub

from helpers import bradley_terry
from helpers.grader import check, coverage, pooled, practice_surveys
from helpers.grader.frozen import array, case
from helpers.grader.panel import Panel
from helpers.grader.trial import Trial, close
from solutions import cases_8, exercise8, runs, surveys

REFERENCE = {
    "8a": exercise8.differences,
    "8b": exercise8.graded_loss,
    "8c": exercise8.survey_examples,
    "8d": exercise8.interval_overconfidence,
}
WRONG = {
    "8a": exercise8.MISCONCEPTIONS_8A,
    "8b": exercise8.MISCONCEPTIONS_8B,
    "8c": exercise8.MISCONCEPTIONS_8C,
    "8d": exercise8.MISCONCEPTIONS_8D,
}
MUTANTS = mutants(WRONG)


def flowing(cell_id: str) -> str:
    """A cell's text, wherever its lines break."""
    return source_of(UNTOUCHED, cell_id).replace("\n", " ")


# ---- right answers, in several styles -----------------------------------------------------


def differences_walk(records, n):
    """Plain Python: a walk from every item, Zermelo's iteration inside each group; lists."""
    records = [tuple(row) for row in records.tolist()]
    if any(not 0 <= item < n for row in records for item in row) or any(i == j for i, j in records):
        raise ValueError("damaged")
    reached = []
    for start in range(n):
        seen, todo = {start}, [start]
        while todo:
            here = todo.pop()
            fresh = {loser for winner, loser in records if winner == here} - seen
            seen |= fresh
            todo += fresh
        reached.append(seen)
    table = [[math.nan] * n for _ in range(n)]
    for i in range(n):
        group = [j for j in range(n) if j in reached[i] and i in reached[j]]
        weight = dict.fromkeys(group, 1.0)
        inside = [(w, l) for w, l in records if w in weight and l in weight]
        for _ in range(3000):
            weight = {
                k: sum(w == k for w, _ in inside)
                / sum(1 / (weight[w] + weight[l]) for w, l in inside if k in (w, l))
                if inside
                else 1.0
                for k in group
            }
        for j in range(n):
            if j in weight:
                table[i][j] = math.log(weight[i] / weight[j])
            elif j in reached[i]:
                table[i][j] = math.inf
            elif i in reached[j]:
                table[i][j] = -math.inf
    return table


def differences_scipy(records, n):
    """Arrays: strong components by scipy, Newton steps with the first item of a group at 0; shortest paths."""
    from scipy.sparse.csgraph import connected_components, shortest_path

    records = records.astype(np.int64)
    if not ((records >= 0) & (records < n)).all() or np.equal(*records.T).any():
        raise ValueError("not a file of comparisons")
    wins = np.zeros((n, n))
    np.add.at(wins, tuple(records.T), 1)
    paths = np.isfinite(shortest_path(wins > 0, unweighted=True))
    table = np.where(paths, np.where(paths.T, 0.0, np.inf), np.where(paths.T, -np.inf, np.nan))
    _, member = connected_components(wins, connection="strong")
    for label in set(member.tolist()):
        group = np.flatnonzero(member == label)
        w, s = wins[np.ix_(group, group)], np.zeros(len(group))
        for _ in range(50 if len(group) > 1 else 0):
            p = 1 / (1 + np.exp(s - s[:, None]))
            weight = (w + w.T) * p * (1 - p)
            gradient = (w - (w + w.T) * p).sum(1)
            s[1:] += np.linalg.solve((np.diag(weight.sum(1)) - weight)[1:, 1:], gradient[1:])
        table[np.ix_(group, group)] = s[:, None] - s
    return table.astype(np.float32)


def differences_powers(records, n):
    """Torch: powers of the matrix of arrows, gradient ascent on all groups at once; results between groups left out."""
    if (
        records.numel()
        and ((records < 0) | (records >= n)).any()
        or (records[:, 0] == records[:, 1]).any()
    ):
        raise ValueError("damaged")
    wins = (
        torch.zeros(n * n)
        .index_add(0, records[:, 0] * n + records[:, 1], torch.ones(len(records)))
        .reshape(n, n)
    )
    paths = torch.linalg.matrix_power((wins > 0).double() + torch.eye(n), n) > 0
    wins = (wins * (paths & paths.T)).double()
    s = torch.zeros(n, dtype=torch.float64)
    for _ in range(2500):
        s = s + 0.2 * (wins - (wins + wins.T) * (s[:, None] - s).sigmoid()).sum(1)
    found = s[:, None] - s
    found[paths & ~paths.T], found[~paths & paths.T] = math.inf, -math.inf
    found[~paths & ~paths.T] = math.nan
    return found


def graded_loop(strengths, cuts, records):
    """Plain Python on arrays, record by record; the side of the curve is chosen on which nothing cancels."""
    strengths, cuts = strengths.astype(float), cuts.astype(float)
    if not all(a < b for row in cuts for a, b in zip(row, row[1:])):
        raise ValueError("cuts must increase")

    def log_sigma(x):
        return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))

    total = 0.0
    for a, i, j, g in records.tolist():
        gap, row = strengths[i] - strengths[j], cuts[a]
        low = gap - row[g - 1] if g > 0 else math.inf
        high = gap - row[g] if g < len(row) else -math.inf
        if low == math.inf or high == -math.inf:
            total += log_sigma(-high) if low == math.inf else log_sigma(low)
            continue
        if high > 0:  # both to the right of 0: the same interval, seen from the left
            low, high = -high, -low
        top, bottom = log_sigma(low), log_sigma(high)
        total += top + math.log1p(-math.exp(bottom - top))
    return -total / len(records)


def graded_softplus(strengths, cuts, records):
    """Torch, softplus; the outer grades treated apart."""
    for row in cuts:
        for k in range(len(row) - 1):
            if row[k + 1] <= row[k]:
                raise ValueError("a grade without room")
    softplus, terms = torch.nn.functional.softplus, []
    for a, i, j, g in records:
        gap = strengths[i] - strengths[j]
        term = torch.zeros((), dtype=strengths.dtype)
        if g > 0:
            term = term + softplus(cuts[a, g - 1] - gap)
        if g < cuts.shape[1]:
            term = term + softplus(gap - cuts[a, g])
        if 0 < g < cuts.shape[1]:
            term = term - torch.log1p(-torch.exp(cuts[a, g - 1] - cuts[a, g]))
        terms.append(term)
    return sum(terms) / len(terms)


def graded_sinh(strengths, cuts, records):
    """Arrays, vectorised: (1 − e^−w) = 2·sinh(w/2)·e^−w/2, logaddexp for the rest."""
    if (np.diff(cuts, axis=1) <= 0).any():
        raise ValueError("cuts")
    edges = np.pad(cuts.astype(np.float64), ((0, 0), (1, 1)), constant_values=np.nan)
    edges[:, 0], edges[:, -1] = -np.inf, np.inf
    a, i, j, g = records.T
    gap = strengths.astype(np.float64)[i] - strengths[j]
    low, high = edges[a, g], edges[a, g + 1]
    inner = np.isfinite(high - low)
    width = np.where(inner, high - low, 1.0)
    room = np.where(inner, np.log(2 * np.sinh(width / 2)) - width / 2, 0.0)
    return np.float64(np.mean(np.logaddexp(0, low - gap) + np.logaddexp(0, gap - high) - room))


def surveys_of_other_types():
    """Tensors and arrays; four items in the safe survey, a share as an array."""
    strengths = torch.tensor([[3.0, 1.0, 0.0, -1.0], [3.0, 0.0, 1.0, -1.0]])
    asked = np.ones((4, 4), dtype=int) - np.eye(4, dtype=int)
    asked[0, 3] = asked[3, 0] = 10
    unsafe = exercise8.survey_examples()["unsafe"]
    return {
        "safe": {"strengths": strengths, "share": np.array(0.7), "asked": asked},
        "unsafe": {**unsafe, "asked": torch.tensor(unsafe["asked"], dtype=torch.float32)},
    }


def surveys_at_the_bounds():
    """Six items; strengths of ±5, the largest counts; the second group is the larger one."""
    asked = np.ones((6, 6)) - np.eye(6)
    asked[4, 5] = asked[5, 4] = 1000
    rank = np.linspace(5, -5, 6)
    safe = {"strengths": [rank[[0, 1, 2, 3, 5, 4]], rank], "share": 0.2, "asked": asked}
    unsafe = {
        "strengths": [[-5, 3, 0], [5, 0, -3]],
        "share": 0.4,
        "asked": [[0, 1000, 1], [1000, 0, 1], [1, 1, 0]],
    }
    return {"safe": safe, "unsafe": unsafe}


def overconfidence_bootstrap(run):
    """Annotators drawn with replacement; spread of the log-odds over the width."""
    rng, people = np.random.default_rng(0), run["annotator"].max() + 1
    answered = np.bincount(run["annotator"], minlength=people)
    won = np.bincount(run["annotator"][run["won"]], minlength=people)
    drawn = rng.multinomial(people, np.full(people, 1 / people), size=300)
    share = (drawn @ won + 0.5) / (drawn @ answered + 1)
    return np.std(np.log(share / (1 - share))) / (run["high"] - run["low"])


def overconfidence_jackknife(run):
    """Torch: each annotator left out once; a tensor comes back."""
    annotator, won = torch.tensor(run["annotator"]), torch.tensor(run["won"]).double()
    odds = torch.stack([won[annotator != a].mean().logit() for a in annotator.unique()])
    variance = (len(odds) - 1) * odds.var(unbiased=False)
    return variance.log() - 2 * math.log(run["high"] - run["low"])


RIGHT = [
    *REFERENCE.items(),
    ("8a", differences_walk),
    ("8a", differences_scipy),
    ("8a", differences_powers),
    ("8b", graded_loop),
    ("8b", graded_softplus),
    ("8b", graded_sinh),
    ("8c", surveys_of_other_types),
    ("8c", surveys_at_the_bounds),
    ("8d", overconfidence_bootstrap),
    ("8d", overconfidence_jackknife),
]


@pytest.mark.parametrize(
    "part, answer", RIGHT, ids=[f"{part}-{answer.__name__}" for part, answer in RIGHT]
)
def test_right_answers_in_any_style_get_full_points(part, answer):
    result = graded(part, answer)
    failed = [(p.name, p.failure) for p in result.properties if not p.held]
    assert (result.score, result.status, result.diagnoses) == (case(part)["points"], "ok", ()), (
        failed
    )
    assert check(part, answer) == case(part)["points"]


def test_one_style_of_each_kind_was_there():
    first = inputs_of("8b", "three grades")
    kinds = (
        Trial(f, first, ("strengths", "cuts")).numpy
        for f in (graded_loop, graded_sinh, graded_softplus)
    )
    assert list(kinds) == [True, True, False]
    assert Trial(differences_scipy, inputs_of("8a", "two items")).numpy


# ---- mutants ------------------------------------------------------------------------------


@pytest.mark.parametrize("part, wrong, variant", MUTANTS)
def test_every_misconception_fails_with_its_own_message_and_no_other(part, wrong, variant):
    result = graded(part, variant)
    assert result.score < case(part)["points"] and result.status == "wrong"
    assert len(result.diagnoses) == 1, result.diagnoses
    assert wrong.message in result.diagnoses[0]
    others = [m.message for m in WRONG[part] if m.key != wrong.key]
    assert not any(message in result.diagnoses[0] for message in others)
    assert result.failure is not None and wrong.message in repr(Panel(result))
    assert {p.key for p in result.properties if not p.held} & set(wrong.shows_in)


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
    for variant in next(m for m in WRONG[part] if m.key == key).variants:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


@pytest.mark.parametrize("part", ["8a", "8b"])
def test_another_exception_is_no_refusal_and_always_refusing_scores_nothing(part):
    def wrong_kind(*arguments):
        try:
            return REFERENCE[part](*arguments)
        except ValueError as error:
            raise KeyError(str(error)) from None

    assert [p.key for p in graded(part, wrong_kind).properties if not p.held] == ["refuses"]
    always = graded(part, raising(ValueError("no")))
    assert always.score == 0.0 and always.status == "error"


def test_wrong_answers_in_numpy_are_recognised_too():
    def turned(records, n):
        return -differences_scipy(records, n)

    def summed(strengths, cuts, records):
        return len(records) * graded_sinh(strengths, cuts, records)

    for part, answer, key in (("8a", turned, "turned"), ("8b", summed, "sum")):
        assert graded(part, answer).diagnoses == (
            next(m.message for m in WRONG[part] if m.key == key),
        )


@pytest.mark.parametrize(
    "part, name", [("8a", "records"), ("8b", "strengths"), ("8b", "cuts"), ("8b", "records")]
)
def test_changing_an_argument_in_place_costs_its_property(part, name):
    names = list(next(iter(case(part)["inputs"].values())))

    def changes(*arguments):
        found = REFERENCE[part](*arguments)
        with torch.no_grad():
            arguments[names.index(name)].mul_(2)
        return found.detach()

    result = graded(part, changes)
    lost = {p.key for p in result.properties if not p.held}
    assert (
        "unchanged" in lost
        and name in next(p for p in result.properties if p.key == "unchanged").failure.yours
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
    found = exercise8.differences(torch.tensor(np.array(pairs)), n)
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
    assert compared == 10


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
                        ends.append(exercise8.graded_loss(**moved).item())
                    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(
                        array(probe["expected"])[place], abs=1e-6
                    )
                compared += 1
    assert compared == 10


def test_two_and_three_grades_are_the_models_that_the_exercise_names():
    gap, eta = torch.tensor([0.7, 0.0]).double(), 0.4
    record = torch.tensor([[0, 0, 1, 1]])
    assert exercise8.graded_loss(
        gap, torch.tensor([[0.0]]).double(), record
    ).item() == pytest.approx(-math.log(1 / (1 + math.exp(-0.7))))
    wins = exercise8.graded_loss(
        gap, torch.tensor([[-eta, eta]]).double(), torch.tensor([[0, 0, 1, 2]])
    )
    assert wins.item() == pytest.approx(
        -math.log(1 / (1 + math.exp(-(0.7 - eta))))
    )  # Rao and Kupper: σ(s_i − s_j − η)
    leaning = exercise8.graded_loss(
        torch.zeros(2).double(), torch.tensor([[-0.4]]).double(), record
    )
    assert math.exp(-leaning) > 0.5  # prefers the first of two equal replies


@given(st.integers(0, 10_000))
def test_grades_have_probabilities_that_sum_to_1(seed):
    rng = np.random.default_rng(seed)
    strengths, cuts = (
        torch.tensor(rng.normal(size=2) * 3),
        torch.tensor(np.sort(rng.normal(size=4) * 2))[None],
    )
    each = [exercise8.graded_loss(strengths, cuts, torch.tensor([[0, 0, 1, g]])) for g in range(5)]
    assert sum(math.exp(-loss) for loss in each) == pytest.approx(1, abs=1e-9)


def test_probes_are_those_of_solutions():
    assert set(cases_8.inputs_8a()) == set(case("8a")["inputs"])
    assert set(cases_8.inputs_8b()) == set(case("8b")["inputs"])


# ---- what must not score ------------------------------------------------------------------


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("answer", [None, unwritten_stub], ids=["None", "stub"])
def test_the_stub_scores_nothing_with_a_neutral_panel(part, answer, capsys):
    assert check(part, answer) == 0.0
    captured = capsys.readouterr()
    assert captured.err == "" and "not attempted yet" in captured.out
    assert graded(part, answer).status == "unattempted"


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize(
    "answer",
    [
        lambda *a: 0.0,
        lambda *a: a,
        lambda *a: a[0] if a else {},
        lambda *a: torch.zeros(a[1], a[1]) if len(a) == 2 else 1.0,
        lambda *a: torch.full((a[1], a[1]), math.nan) if len(a) == 2 else math.inf,
        lambda *a: (a[0] - a[0].detach()).sum() if len(a) == 3 else 1.0,
        lambda *a: {"safe": {}, "unsafe": {}},
        practice_surveys,
        bradley_terry.fit,
    ],
)
def test_trivial_answers_and_public_tools_score_nothing(part, answer):
    assert graded(part, answer).score == 0.0


# ---- hostile answers ----------------------------------------------------------------------


def both(side):
    return lambda *a: {"safe": side, "unsafe": side}


HOSTILE_8 = {
    **HOSTILE,
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


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("name", list(HOSTILE_8))
def test_hostile_answers_get_a_float_a_panel_and_no_stderr(part, name, capsys):
    score = check(part, HOSTILE_8[name])
    captured = capsys.readouterr()
    assert type(score) is float and score == 0.0
    assert captured.err == "" and part in captured.out
    result = graded(part, HOSTILE_8[name])
    assert len(Panel(result)._repr_html_()) < 20_000 and len(repr(Panel(result))) < 20_000
    assert (
        graded(part, REFERENCE[part]).score == case(part)["points"]
    )  # and it spoilt nothing for the next


@pytest.mark.parametrize("part", list(REFERENCE))
def test_text_from_an_answer_is_escaped_everywhere(part):
    evil = "<script>alert(1)</script>"
    for answer in (
        raising(ValueError(evil)),
        lambda *a: type(evil, (), {})(),
        both(type(evil, (), {})()),
        both({"strengths": type(evil, (), {})(), "share": type(evil, (), {})(), "asked": evil}),
    ):
        assert "<script" not in Panel(graded(part, answer))._repr_html_()


# ---- 8c -----------------------------------------------------------------------------------


def changed_8c(side, **changes):
    answer = exercise8.survey_examples()
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


def test_8c_one_side_alone_earns_its_points():
    assert graded("8c", lambda: {"safe": None, "unsafe": None}).status == "unattempted"
    assert graded("8c", lambda: {**exercise8.survey_examples(), "unsafe": None}).score == 1.0
    one = graded("8c", lambda: {**exercise8.survey_examples(), "safe": None})
    assert one.score == 2.0 and "not written yet" in one.failure.yours


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
    exec(source_of(UNTOUCHED, "d8c"), space)
    survey = pooled._Survey({name: space[name] for name in ("strengths", "share", "asked")}, bounds)
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


# ---- 8d -----------------------------------------------------------------------------------


def hidden_surveys():
    stored = case("8d")["runs"]
    return [coverage.survey(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def reached(metric) -> float:
    found, regressed = hidden_surveys()
    scores = np.array([metric(run) for run in found])
    return runs.auc(scores[~regressed], scores[regressed])


@pytest.fixture(scope="module")
def drawn():
    return surveys.pairs(surveys.FROZEN_SEED, 20)


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
        2 * NormalDist().cdf(surveys.Z / math.sqrt(excess)) - 1
        for excess in reversed(surveys.EXCESS)
    )
    assert low - 0.03 < regressed.min() and regressed.max() < high + 0.03
    promised = [
        int(number) / 100
        for number in re.search(r"the truth (\d+) to (\d+) times", flowing("q8d")).groups()
    ]
    assert promised[0] - 0.03 < regressed.min() and regressed.max() < promised[1] + 0.03
    assert promised[0] <= low and high <= promised[1]
    assert f"holds the truth {surveys.LEVEL * 100:.0f} times in 100" in flowing("q8d")


def test_twins_differ_in_what_annotators_share_only(drawn):
    for healthy, regressed in drawn:
        assert np.array_equal(healthy.loads, regressed.loads)
        assert (healthy.share, healthy.assumed) == (regressed.share, regressed.assumed)
        together = (healthy.loads**2).sum() / healthy.loads.sum()
        true = [1 + survey.rho * (together - 1) for survey in (healthy, regressed)]
        assert true[0] == pytest.approx(healthy.assumed)
        assert surveys.EXCESS[0] <= true[1] / healthy.assumed <= surveys.EXCESS[1]
    assert (
        sum(healthy.assumed == 1 for healthy, _ in drawn) >= 2
    )  # some took every comparison as independent


def test_the_design_effect_is_that_of_the_answers():
    """Variance of the share of wins over many repetitions, against p(1 − p)/N times the formula."""
    rng, loads, share, rho = np.random.default_rng(9), np.array([2, 5, 5, 30, 58]), 0.4, 0.2
    total = surveys.answers(rng, np.tile(loads, (40_000, 1)), share, rho).sum(1) / loads.sum()
    effect = 1 + rho * ((loads**2).sum() / loads.sum() - 1)
    assert total.mean() == pytest.approx(share, abs=0.005)
    assert total.var() == pytest.approx(share * (1 - share) / loads.sum() * effect, rel=0.03)


def test_stored_surveys_are_the_drawn_ones(drawn):
    found, regressed = hidden_surveys()
    assert len(found) == 40 and regressed.sum() == 20
    both = [survey for pair in drawn for survey in pair]
    order = np.random.default_rng(surveys.FROZEN_SEED + 1).permutation(40)
    for run, place in zip(found, order):
        assert np.array_equal(np.bincount(run["annotator"]), both[place].loads)
        assert np.array_equal(np.bincount(run["annotator"], weights=run["won"]), both[place].wins)
        assert (run["low"], run["high"]) == pytest.approx(
            (both[place].low, both[place].high), abs=1e-4
        )
        assert run["won"].dtype == bool and run["won"].shape == run["annotator"].shape
    assert (
        0.25 < runs.auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing
    assert (
        sorted(outcome for _, outcome in practice_surveys()) == ["healthy"] * 3 + ["regressed"] * 3
    )


def test_the_reported_interval_is_that_of_the_answers_under_the_assumption(drawn):
    """Against the lesson's fit of the two models, whose interval takes comparisons as independent."""
    for healthy, _ in drawn:
        won, n = healthy.wins.sum(), healthy.loads.sum()
        low, high = bradley_terry.fit(torch.tensor([[0.0, won], [n - won, 0.0]])).interval(
            0, 1, surveys.LEVEL
        )
        half = (high - low).item() / 2 * math.sqrt(healthy.assumed)
        assert (healthy.high - healthy.low) / 2 == pytest.approx(half, rel=2e-3)
        assert (healthy.high + healthy.low) / 2 == pytest.approx((high + low).item() / 2, abs=3e-3)


def test_what_the_truth_is_is_not_stored():
    keys = {"outcome", "loads", "wins", "low", "high"}
    assert all(set(stored) == keys for stored in case("8d")["runs"] + case("8d")["practice"])


def test_obvious_metrics_do_not_separate_the_hidden_surveys_and_the_answer_does():
    for metric in (
        surveys.few_answers,
        surveys.narrow,
        surveys.against_independent,
        surveys.one_sided,
    ):
        assert 0.4 < reached(metric) < 0.6
    assert reached(surveys.dissenters) < reached(surveys.spread_of_rates) < 0.9
    assert reached(surveys.design_effect) < 0.9 < reached(exercise8.interval_overconfidence)


def test_measured_aucs_are_reproduced_by_a_fresh_draw():
    record = json.loads(surveys.MEASURED.read_text(encoding="utf-8"))
    found = surveys.measure([record["first_seed"]], surveys.candidates())
    assert {name: row["each"][0] for name, row in record["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()}, abs=0.006
    )
    for row in record["auc"].values():
        assert len(row["each"]) == record["draws"] == len(surveys.MEASURED_SEEDS)
        expected = np.mean(row["each"]), np.std(row["each"]), min(row["each"])
        assert (row["mean"], row["sd"], row["least"]) == pytest.approx(expected, abs=0.006)
    assert record["auc"]["reference answer"]["least"] > case("8d")["full_points_from"]


def test_the_frozen_draw_is_the_most_typical_of_its_twenty():
    record = json.loads(surveys.MEASURED.read_text(encoding="utf-8"))["auc"]
    found = surveys.measure(range(20, 40), surveys.candidates())
    off = sum((np.array(found[name]) - np.mean(record[name]["each"])) ** 2 for name in found)
    assert 20 + off.argmin() == surveys.FROZEN_SEED


def test_the_numbers_in_8d_are_the_measured_ones():
    question, hints = source_of(UNTOUCHED, "q8d"), source_of(UNTOUCHED, "h8d")
    measured = json.loads(surveys.MEASURED.read_text(encoding="utf-8"))
    table = dict(re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", question, re.M))
    expected = {
        name: f"{row['mean']:.2f} ± {row['sd']:.2f}" for name, row in measured["auc"].items()
    }
    del expected["reference answer"]
    ignored = measured["auc"]["design effect by annotators, the interval ignored"]["mean"]
    del expected["design effect by annotators, the interval ignored"]
    assert table == expected and f"{measured['draws']} fresh draws" in question
    assert "AUC near 0.85" in hints and abs(ignored - 0.85) < 0.02
    assert (
        "AUC near 0.8.*" in hints
        and abs(measured["auc"]["standard deviation of the annotators' win rates"]["mean"] - 0.8)
        < 0.03
    )
    low, high = surveys.EXCESS
    for stated in (
        f"is {low:g} to {high:g} times the assumed one",
        f"{case('8d')['full_points_from']:.2f} earns both",
        f"{case('8d')['no_points_up_to']:.2f} none",
    ):
        assert stated in question, stated


def test_8d_points_grow_with_the_auc():
    _, regressed = hidden_surveys()
    for above, points in (
        (10, 0.0),
        (16, 0.0),
        (18, 2.0),
        (20, 2.0),
        (17, pytest.approx(1.0, abs=0.01)),
    ):
        order = iter(range(40))
        numbers = {
            i: (1.0 if rank < above else -1.0) for rank, i in enumerate(np.flatnonzero(regressed))
        }
        assert graded("8d", lambda run: numbers.get(next(order), 0.0)).score == points


def test_8d_upside_down_constant_and_unusable_scores_are_told_apart():
    assert graded("8d", lambda run: -exercise8.interval_overconfidence(run)).diagnoses == (
        exercise8.UPSIDE_DOWN,
    )
    assert "same score" in graded("8d", lambda run: 1).diagnoses[0]
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("8d", lambda run: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == "survey 3 of 40"
        and "nan" in result.failure.yours
    )
    shown = graded("8d", surveys.narrow).failure.inputs
    assert re.search(r"\d+ comparisons by \d+ annotators, A won \d\d\.\d%, interval [+-]\d", shown)


def test_8d_every_call_gets_its_own_copy():
    def destroys(run):
        score = exercise8.interval_overconfidence(run)
        run["annotator"][:] = 0
        run["won"][:] = False
        run.clear()
        return score

    assert graded("8d", destroys).score == graded("8d", destroys).score == 2.0


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_of_the_hints_are_right():
    worked = exercise8.differences(
        torch.tensor([[0, 1]] * 3 + [[1, 0]] + [[1, 2]] * 2 + [[3, 2]]), 4
    )
    assert f"log 3 = {worked[0, 1]:.3f}" in flowing("h8a")
    assert (
        worked[0, 2] == worked[1, 2] == worked[3, 2] == math.inf
        and worked[0, 3].isnan()
        and worked[1, 3].isnan()
    )

    cuts, strengths = torch.tensor([[-1.0, 0.5]]).double(), torch.tensor([1.0, 0.0]).double()
    costs = [
        exercise8.graded_loss(strengths, cuts, torch.tensor([[0, 0, 1, g]])).item()
        for g in range(3)
    ]
    lowest, middle, highest = (math.exp(-cost) for cost in costs)
    factors = [torch.tensor(x).sigmoid().item() for x in (2.0, -0.5)] + [1 - math.exp(-1.5)]
    assert math.prod(factors) == pytest.approx(middle)
    for number in (1 - lowest, highest, middle, costs[1], lowest, *factors):
        assert f"{number:.3f}" in flowing("h8b")
    assert f"{-math.log(1e-12):.0f} nats" in flowing("h8b")

    shares = torch.tensor([[0, 0.55, 0.55], [0.45, 0, 0.95], [0.45, 0.05, 0]]).double()
    assert "{:.2f}, {:.2f} and {:.2f}".format(*shares.sum(1)) in flowing("h8c")
    alike = bradley_terry.fit(shares).strengths
    often = torch.ones(3, 3).double()
    often[0, 1] = often[1, 0] = 100
    asked = bradley_terry.fit(often * shares).strengths
    log_odds = math.log(0.55 / 0.45)
    assert alike.argmax() == 1 and f"{log_odds:.2f} nats" in flowing("h8c")
    assert 0.9 * log_odds < asked[0] - asked[1] < log_odds

    won, answered = np.array([9, 8, 2, 1]), np.full(4, 10)
    run = {"annotator": np.repeat(np.arange(4), 10), "won": np.arange(40) % 10 < np.repeat(won, 10)}
    independent, clustered = 1 / math.sqrt(10), math.sqrt(surveys.clustered_variance(run))
    assert np.array_equal(surveys.by_annotator(run), [answered, won])
    for number in (
        f"{independent:.3f}",
        f"±{surveys.Z * independent:.2f}",
        f"{4 / 3 * 50:.1f}",
        f"{math.sqrt(4 / 3 * 50):.1f} wins",
        f"{clustered:.3f}",
        f"±{surveys.Z * clustered:.2f}",
        f"{clustered / independent:.1f} times",
    ):
        assert number in flowing("h8d"), number
    assert f"{2 / math.sqrt(9000):.2f}" == "0.02" and "0.26 to 0.34" in flowing("r8")
    assert 0.3 - surveys.Z * 2 / math.sqrt(9000) == pytest.approx(0.26, abs=0.005)


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
