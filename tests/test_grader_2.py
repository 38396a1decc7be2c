"""Exercise 2 under the grader: right answers in several styles, every misconception, effects, what text promises."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from grading import mutants
from hypothesis import given
from hypothesis import strategies as st
from test_grader import HOSTILE, graded, raising, unwritten_stub

from helpers.grader import check, practice_proxies, proxy_world, tail
from helpers.grader.frozen import array, case
from helpers.grader.panel import Panel
from helpers.grader.tail import BudgetSpent, Oracle, proxy_system, selected_gold
from helpers.metrics import rank_accuracy
from helpers.policies import best_of_n
from solutions import exercise2, proxies
from solutions.runs import auc

REFERENCE = {
    "2a": exercise2.slice_accuracies,
    "2b": exercise2.best_of_n_gold,
    "2c": exercise2.proxy_examples,
    "2d": exercise2.suspicion,
}
WRONG = {
    "2a": exercise2.MISCONCEPTIONS_2A,
    "2b": exercise2.MISCONCEPTIONS_2B,
    "2c": exercise2.MISCONCEPTIONS_2C,
    "2d": exercise2.MISCONCEPTIONS_2D,
}
MUTANTS = mutants(WRONG)
NOTEBOOK = nbformat.read(Path(__file__).parents[1] / "exercises.ipynb", as_version=4)


def source_of(cell_id: str) -> str:
    return next(cell.source for cell in NOTEBOOK.cells if cell.id == cell_id)


def flowing(cell_id: str) -> str:
    """A cell's text, wherever its lines break."""
    return source_of(cell_id).replace("\n", " ")


# ---- right answers, in several styles -----------------------------------------------------


def accuracies_loop(chosen, rejected, slices, n_slices):
    """Pair by pair; a list of floats."""
    wins, count = [0.0] * n_slices, [0] * n_slices
    for c, r, s in zip(chosen, rejected, slices):
        if c != c or r != r:
            raise ValueError("NaN")
        wins[int(s)] += 1.0 if c > r else 0.5 if c == r else 0.0
        count[int(s)] += 1
    if 0 in count:
        raise ValueError("empty slice")
    found = [w / n for w, n in zip(wins, count)]
    return [*found, sum(found) / n_slices]


def accuracies_numpy(chosen, rejected, slices, n_slices):
    """By bincount on arrays."""
    chosen, rejected = chosen.astype(float), rejected.astype(float)  # tensors have no astype
    if np.isnan([chosen, rejected]).any():
        raise ValueError
    n = np.bincount(slices, minlength=n_slices)
    if (n == 0).any():
        raise ValueError
    found = np.bincount(slices, (chosen > rejected) + 0.5 * (chosen == rejected), n_slices) / n
    return np.append(found, found.mean())


def accuracies_torch(chosen, rejected, slices, n_slices):
    """By a one-hot matrix, ValueError from an assertion of one's own."""
    member = torch.nn.functional.one_hot(slices, n_slices).double()
    if (
        not (member.sum(0) > 0).all()
        or not torch.isfinite(
            torch.stack([chosen, rejected])
            .nan_to_num(nan=2e308)
            .masked_fill(chosen.isinf() | rejected.isinf(), 0)
        ).all()
    ):
        raise ValueError("unusable")
    credit = 0.5 + 0.5 * ((chosen > rejected).double() - (chosen < rejected).double())
    found = credit @ member / member.sum(0)
    return torch.cat([found, found.mean(0, keepdim=True)])


def gold_by_groups(ref, proxy, gold, n):
    """Score by score on arrays, by numpy's unique; a float."""
    values, place = np.unique(np.asarray(proxy), return_inverse=True)
    mass = np.bincount(place, np.asarray(ref).astype(float))
    worth = np.bincount(place, np.asarray(ref).astype(float) * np.asarray(gold)) / np.where(
        mass > 0, mass, 1
    )
    upto = np.append(0, mass.cumsum() / mass.sum())
    return float((np.diff(upto**n) * worth).sum())


def gold_by_the_helper(ref, proxy, gold, n):
    """Through the lesson's policy of best-of-n."""
    policy = best_of_n(ref.double().log(), proxy.double(), n).exp()
    return (policy / policy.sum() * gold).sum()


def gold_by_counting(ref, proxy, gold, n):
    """Loops; the first of equal draws by a geometric series: all earlier draws below, all later ones at most equal."""
    total = 0.0
    for p, s, g in zip(ref.tolist(), proxy.tolist(), gold.tolist()):
        below = sum(q for q, t in zip(ref.tolist(), proxy.tolist()) if t < s)
        upto = sum(q for q, t in zip(ref.tolist(), proxy.tolist()) if t <= s)
        total += p * g * sum(below**k * upto ** (n - 1 - k) for k in range(n))
    return total


def other_examples():
    """Scores as a tensor and a list: the worst two on top; ties and disorder in the lower half."""
    ref, gold = proxy_world()
    unsafe = gold.copy()
    unsafe[np.argsort(gold)[0]] = 5
    aim = tail.pair_accuracy(ref, unsafe, gold)
    rng = np.random.default_rng(1)
    for _ in range(2000):
        safe = np.where(gold < 1, gold + rng.uniform(0, 1) * rng.normal(size=20), gold + 5)
        if abs(tail.pair_accuracy(ref, safe, gold) - aim) < 0.008:
            break
    return {"safe": torch.tensor(safe), "unsafe": unsafe.tolist()}


def suspicion_simple(scores, ask):
    """Twenty best-scored against eighty at random."""
    where = np.random.default_rng(0).choice(len(scores), 80, replace=False)
    return np.mean([ask(i) for i in where]) - np.mean([ask(i) for i in np.argsort(scores)[-20:]])


def suspicion_by_correlation(scores, ask):
    """Whether score and gold still go together among the best-scored hundred."""
    where = np.argsort(scores)[-100:]
    return torch.tensor(-np.corrcoef(scores[where], [ask(int(i)) for i in where])[0, 1])


def suspicion_by_ranks(scores, ask):
    """Share of usual responses that beat a best-scored one; plain lists; errors of its own caught."""
    ranked = sorted(range(len(scores)), key=lambda i: scores[i])
    top, usual = [ask(i) for i in ranked[-15:]], [ask(i) for i in ranked[::40]]
    return sum((u > t) + 0.5 * (u == t) for u in usual for t in top) / (len(top) * len(usual))


RIGHT = [
    *REFERENCE.items(),
    ("2a", accuracies_loop),
    ("2a", accuracies_numpy),
    ("2a", accuracies_torch),
    ("2b", gold_by_groups),
    ("2b", gold_by_the_helper),
    ("2b", gold_by_counting),
    ("2c", other_examples),
    ("2d", suspicion_simple),
    ("2d", suspicion_by_correlation),
    ("2d", suspicion_by_ranks),
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


def test_an_answer_that_always_raises_earns_nothing_for_raising():
    result = graded("2a", raising(ValueError("no")))
    assert result.score == 0.0 and {
        p.earned for p in result.properties if p.key in ("nan", "empty")
    } == {None}


def test_another_exception_than_value_error_does_not_count():
    def asserts(chosen, rejected, slices, n_slices):
        assert not torch.isnan(chosen).any() and not torch.isnan(rejected).any()
        return exercise2.slice_accuracies(chosen, rejected, slices, n_slices)

    result = graded("2a", asserts)
    assert [p.key for p in result.properties if not p.held] == ["nan"]
    assert "AssertionError" in result.failure.yours and result.failure.expected == "ValueError"


def test_a_look_alike_of_value_error_does_not_count():
    def answer(chosen, rejected, slices, n_slices):
        try:
            return exercise2.slice_accuracies(chosen, rejected, slices, n_slices)
        except ValueError:
            raise type("ValueErrors", (Exception,), {})("no") from None

    assert [p.key for p in graded("2a", answer).properties if not p.held] == ["nan", "empty"]


def test_changing_an_argument_costs_its_property():
    def sorts(ref, proxy, gold, n):
        found = exercise2.best_of_n_gold(ref, proxy, gold, n)
        proxy.copy_(proxy.sort().values)
        ref += 1
        return found

    result = graded("2b", sorts)
    assert [p.key for p in result.properties if not p.held] == ["unchanged"]


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
    return lambda: {**exercise2.proxy_examples(), **sides}


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
    worth = exercise2.best_of_n_gold(
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
        tail.pair_accuracy(ref, gold, np.zeros(20))


# ---- 2d -----------------------------------------------------------------------------------


def ratings_of(stored) -> np.ndarray:
    return np.array([tail.DIGITS.index(digit) for digit in stored["gold"]])


def test_hidden_systems_are_what_the_exercise_says():
    stored = case("2d")["runs"]
    regressed = np.array([s["outcome"] == "regressed" for s in stored])
    assert len(stored) == 40 and regressed.sum() == 20
    for s in stored:
        rating = ratings_of(s)
        gain = (selected_gold(rating) - rating.mean()) / rating.std()
        assert len(rating) == proxies.N and abs(gain) > proxies.HARM
        assert (gain < 0) == (s["outcome"] == "regressed")
    accuracy = np.array([proxies.pair_accuracy(ratings_of(s)) for s in stored])
    assert 0.4 < auc(accuracy[~regressed], accuracy[regressed]) < 0.6 and accuracy.min() > 0.6
    values = [np.sort(proxy_system(s)[0]) for s in stored]
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
    assert proxies.pair_accuracy(rating) == pytest.approx(np.mean([b > a for a, b in pairs]))


def test_selected_gold_is_the_rule_of_2b():
    rating = ratings_of(case("2d")["runs"][0])[::40]
    n = len(rating)
    uniform = torch.full((n,), 1 / n, dtype=torch.float64)
    expected = exercise2.best_of_n_gold(uniform, torch.arange(n), torch.tensor(rating), 256)
    assert selected_gold(rating) == pytest.approx(expected.item())


def test_the_oracle_counts_and_stops():
    ask = Oracle(np.array([5.0, 7.0]), budget=3)
    assert [ask(0), ask(np.int64(1)), ask(torch.tensor(0))] == [5.0, 7.0, 5.0] and ask.asked == (
        0,
        1,
        0,
    )
    with pytest.raises(BudgetSpent, match="all 3 gold labels of this system are spent"):
        ask(0)
    with pytest.raises(IndexError, match="from 0 to 1"):
        Oracle(np.zeros(2))(-1)
    with pytest.raises(TypeError, match="whole number"):
        Oracle(np.zeros(2))(0.5)


def test_asking_too_often_is_explained_and_costs_the_points():
    result = graded("2d", lambda scores, ask: np.mean([ask(i) for i in range(101)]))
    assert result.score == 0.0 and result.status == "error"
    assert "all 100 gold labels of this system are spent" in result.failure.yours


def test_every_system_has_its_budget_and_every_check_begins_anew():
    for _ in range(2):
        assert graded("2d", suspicion_by_correlation).score == 2.0  # spends all


def test_metrics_without_a_place_of_their_own_earn_nothing():
    for metric in (
        proxies.random_accuracy,
        proxies.random_correlation,
        proxies.even_accuracy,
        proxies.largest_score,
        proxies.tail_gold,
    ):
        assert graded("2d", metric).score < 0.5, metric
    for metric in (proxies.random_accuracy, proxies.even_accuracy, proxies.largest_score):
        assert graded("2d", metric).score == 0.0


def test_2d_upside_down_and_unusable_scores_are_told_apart():
    result = graded("2d", lambda scores, ask: -exercise2.suspicion(scores, ask))
    assert result.score == 0.0 and result.diagnoses == (exercise2.UPSIDE_DOWN,)
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("2d", lambda scores, ask: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == "system 3 of 40"
        and "nan" in result.failure.yours
    )


def test_an_answer_may_destroy_what_it_is_given():
    def destroys(scores, ask):
        found = exercise2.suspicion(scores, ask)
        scores[:] = 0
        return -found

    assert graded("2d", destroys).diagnoses == (exercise2.UPSIDE_DOWN,)
    for nonsense in (
        lambda scores, ask: ask._asked.append(10**9) or 0,
        lambda scores, ask: setattr(ask, "asked", 3),
    ):
        assert graded("2d", nonsense).score == 0.0


def test_measured_aucs_are_reproduced_by_a_fresh_draw():
    record = json.loads(proxies.MEASURED.read_text(encoding="utf-8"))
    found = proxies.measure([record["first_seed"]], proxies.candidates())
    assert {name: row["each"][0] for name, row in record["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()}, abs=0.006
    )
    for row in record["auc"].values():
        assert len(row["each"]) == record["draws"] == len(proxies.MEASURED_SEEDS)
        assert (row["mean"], row["sd"]) == pytest.approx(
            (np.mean(row["each"]), np.std(row["each"])), abs=0.006
        )
    assert record["auc"]["reference answer"]["least"] > case("2d")["full_points_from"]


# ---- what must not score ------------------------------------------------------------------


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_answers_get_a_float_a_panel_and_no_stderr(part, name, capsys):
    score = check(part, HOSTILE[name])
    captured = capsys.readouterr()
    assert type(score) is float and score == 0.0
    assert captured.err == "" and part in captured.out
    result = graded(part, HOSTILE[name])
    assert len(Panel(result)._repr_html_()) < 20_000 and len(repr(Panel(result))) < 20_000


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("answer", [None, unwritten_stub], ids=["None", "stub"])
def test_the_stub_scores_nothing_with_a_neutral_panel(part, answer, capsys):
    assert check(part, answer) == 0.0
    captured = capsys.readouterr()
    assert captured.err == "" and "not attempted yet" in captured.out
    assert graded(part, answer).status == "unattempted"


@pytest.mark.parametrize("part", list(REFERENCE))
def test_trivial_answers_and_public_tools_score_nothing(part):
    trivial = [
        lambda *a: 0.0,
        lambda *a: torch.zeros(()),
        lambda *a: a[0] if a else {},
        lambda *a: a,
        lambda *a: [],
        lambda *a: torch.full((2,), 0.5),
        lambda *a: 0.5,
    ]
    tools = [
        best_of_n,
        rank_accuracy,
        proxy_world,
        practice_proxies,
        tail.pair_accuracy,
        selected_gold,
    ]
    for answer in [*trivial, *tools]:
        assert graded(part, answer).score == 0.0


# ---- what the text promises ---------------------------------------------------------------


def test_the_numbers_in_2d_are_the_measured_ones():
    question = source_of("q2d")
    measured = json.loads(proxies.MEASURED.read_text(encoding="utf-8"))
    table = dict(re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", question, re.M))
    expected = {
        name: f"{row['mean']:.2f} ± {row['sd']:.2f}" for name, row in measured["auc"].items()
    }
    del expected["reference answer"]
    assert table == expected and f"{measured['draws']} fresh draws" in question.replace("\n", " ")
    for bound in (case("2d")["full_points_from"], case("2d")["no_points_up_to"]):
        assert f"{bound:.2f}" in question
    assert f"best of {tail.DRAWS}" in question and f"at most {tail.BUDGET} times" in question
    assert f"{proxies.HARM:g} standard deviations" in question and f"({proxies.N},)" in question


def test_the_bounds_in_2c_are_those_that_are_checked():
    question, thresholds = flowing("q2c"), case("2c")["thresholds"]
    assert f"accuracy of at least {thresholds['accuracy']:g}" in question
    assert (
        f"equal within {thresholds['equal']:g}" in question and f"best of {tail.SELECT}" in question
    )
    assert question.count(f"by at least {thresholds['margin']:g}") == 2


def test_worked_numbers_in_the_hints_are_right():
    pairs = torch.tensor([[2.0, 1.0], [1.0, 1.0], [0.0, 3.0], [4.0, 4.0], [5.0, 1.0]])
    found = exercise2.slice_accuracies(
        pairs[:, 0], pairs[:, 1], torch.tensor([0, 0, 0, 1, 1]), 2
    ).tolist()
    assert f"{found[0]:g} and {found[1]:g}, their mean {found[2]:g}" in flowing("h2a")
    ref, gold = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, 4.0])
    worth = exercise2.best_of_n_gold(ref, torch.tensor([0.0, 1.0, 1.0]), gold, 2).item()
    assert (
        f"expected gold is {worth:.2f}. The reference's mean is {(ref * gold).sum().item():.1f}"
        in flowing("h2b")
    )
    assert f"= {1 - 0.9**64:.3f}" in flowing(
        "h2c"
    ) and f"= {1 - (1999 / 2000) ** 256:.3f}" in flowing("h2d")
