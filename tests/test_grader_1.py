"""Exercise 1 under the grader: right answers in several styles, every misconception, effects, what text promises."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from grading import mutants
from hypothesis import given
from hypothesis import strategies as st
from test_grader import HOSTILE, graded, public_callables, unwritten_stub

from helpers.grader import check, practice_imitators, train_pair, two_rules
from helpers.grader.detection import imitator
from helpers.grader.frozen import array, case
from helpers.grader.panel import Panel
from helpers.losses import dpo_loss
from helpers.policies import optimum
from solutions import exercise1, imitators
from solutions.runs import auc

REFERENCE = {
    "1a": exercise1.comparisons,
    "1b": exercise1.choice_loss,
    "1c": exercise1.generator_examples,
    "1d": exercise1.imitation_score,
}
WRONG = {
    "1a": exercise1.MISCONCEPTIONS_1A,
    "1b": exercise1.MISCONCEPTIONS_1B,
    "1c": exercise1.MISCONCEPTIONS_1C,
    "1d": exercise1.MISCONCEPTIONS_1D,
}
MUTANTS = mutants(WRONG)
NOTEBOOK = nbformat.read(Path(__file__).parents[1] / "exercises.ipynb", as_version=4)


def source_of(cell_id: str) -> str:
    return next(cell.source for cell in NOTEBOOK.cells if cell.id == cell_id)


def flowing(cell_id: str) -> str:
    """A cell's text, wherever its lines break."""
    return source_of(cell_id).replace("\n", " ")


# ---- right answers, in several styles -----------------------------------------------------


def comparisons_loop(ratings):
    """Pairs in two loops, a list of tuples, losers found by sorting nothing."""
    rows = []
    for a, row in enumerate(ratings):
        for i in range(len(row)):
            for j in range(i):
                if row[i] > row[j]:
                    rows.append((a, i, j))
                elif row[j] > row[i]:
                    rows.append((a, j, i))
    return rows


def comparisons_numpy(ratings):
    """By numpy's argwhere on arrays, in reverse order, floats."""
    ratings = ratings.astype(float)  # a tensor has no astype
    return np.argwhere(np.subtract(ratings[:, :, None], ratings[:, None]) > 0)[::-1].astype(float)


def comparisons_by_rank(ratings):
    """Rated responses sorted per annotator, each against those strictly below it."""
    rows = []
    for a in range(len(ratings)):
        rated = [k for k in range(ratings.shape[1]) if not math.isnan(ratings[a, k])]
        for k in sorted(rated, key=lambda k: -float(ratings[a, k])):
            rows += [[a, k, other] for other in rated if ratings[a, other] < ratings[a, k]]
    return torch.tensor(rows)


def loss_numpy_loop(logits, ref_logits, wins, beta):
    """A triple loop on arrays; returns a Python float."""
    total = count = 0.0
    for b in range(len(logits)):
        scores = beta * (logits[b].astype(float) - ref_logits[b])
        for i, j in zip(*np.nonzero(wins[b])):
            total += wins[b, i, j] * np.logaddexp(0, scores[j] - scores[i])
            count += wins[b, i, j]
    return float(total / count)


def loss_softplus(logits, ref_logits, wins, beta):
    """Softplus of the rejected's lead, weights normalised first."""
    with torch.no_grad():
        ref = ref_logits.log_softmax(-1)
    reward = beta * (logits.log_softmax(-1) - ref)
    weights = wins / wins.sum()
    return (weights * torch.nn.functional.softplus(reward.unsqueeze(1) - reward.unsqueeze(2))).sum()


def loss_cross_entropy(logits, ref_logits, wins, beta):
    """Each comparison written out as a row of two scores, weighted by its count."""
    scores = beta * (logits - ref_logits.detach())
    b, i, j = wins.nonzero(as_tuple=True)
    two = torch.stack([scores[b, i], scores[b, j]], 1)
    terms = torch.nn.functional.cross_entropy(
        two, torch.zeros(len(b), dtype=torch.long), reduction="none"
    )
    return (terms * wins[b, i, j]).sum() / wins.sum()


def other_examples():
    """Six responses, tensors and lists."""
    policy = torch.tensor([0.1, 0.2, 0.4, 0.1, 0.1, 0.1])
    rewards = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    wild, dull = np.array([0.6, 0.02, 0.02, 0.01, 0.05, 0.3]), (0.02, 0.9, 0.02, 0.02, 0.02, 0.02)
    return {
        "safe": {
            "policy": policy.double() / policy.double().sum(),
            "generator": wild,
            "rewards": rewards,
        },
        "unsafe": {
            "policy": [0.1, 0.2, 0.4, 0.1, 0.1, 0.1],
            "generator": dull,
            "rewards": np.array(rewards),
        },
    }


def score_logistic(run):
    """Logistic regression of the win on a constant and the place, by torch; the constant, negated."""
    place = torch.where(torch.as_tensor(run["policy_first"]), 1.0, -1.0)
    won = torch.as_tensor(run["policy_won"]).float()
    w = torch.zeros(2, requires_grad=True)
    for _ in range(150):
        margin = w[0] + w[1] * place
        loss = (
            torch.nn.functional.binary_cross_entropy_with_logits(margin, won)
            + 0.005 * w.square().sum()
        )
        (gradient,) = torch.autograd.grad(loss, w)
        w = (w - 1.5 * gradient).detach().requires_grad_()
    return -w[:1]


def score_log_odds(run):
    """Mean log-odds of the two orders, counted in a loop."""
    total = 0.0
    for order in (True, False):
        outcomes = [
            bool(w) for f, w in zip(run["policy_first"], run["policy_won"]) if bool(f) == order
        ]
        total += math.log((outcomes.count(False) + 0.5) / (outcomes.count(True) + 0.5))
    return total / 2


RIGHT = [
    *REFERENCE.items(),
    ("1a", comparisons_loop),
    ("1a", comparisons_numpy),
    ("1a", comparisons_by_rank),
    ("1b", loss_numpy_loop),
    ("1b", loss_softplus),
    ("1b", loss_cross_entropy),
    ("1c", other_examples),
    ("1d", score_logistic),
    ("1d", score_log_odds),
    (
        "1d",
        lambda run: np.float32(
            -run["policy_won"][run["policy_first"]].mean()
            - run["policy_won"][~run["policy_first"]].mean()
        ),
    ),
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


def test_overflow_costs_the_stability_property_only():
    for variant in next(m for m in WRONG["1b"] if m.key == "overflow").variants:
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
    assert graded("1b", imitation).diagnoses == (WRONG["1b"][0].message,)


def test_changing_the_argument_costs_its_property():
    def fills(ratings):
        found = exercise1.comparisons(ratings)
        ratings[torch.isnan(ratings)] = 0
        return found

    def shifts(logits, ref_logits, wins, beta):
        loss = exercise1.choice_loss(logits, ref_logits, wins.clone(), beta)
        wins /= wins.sum()
        return loss

    for part, answer, name in (("1a", fills, "ratings"), ("1b", shifts, "wins")):
        result = graded(part, answer)
        assert [p.key for p in result.properties if not p.held] == [
            "unchanged"
        ] and name in result.failure.yours


def test_a_loss_without_gradient_costs_the_gradient():
    result = graded("1b", lambda *a: exercise1.choice_loss(*a).item())
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
    rows = {tuple(row) for row in exercise1.comparisons(torch.tensor(ratings)).tolist()}
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
        (gradient,) = torch.autograd.grad(exercise1.choice_loss(logits, ref, wins, 1.0), logits)
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
    answer = exercise1.generator_examples()
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
    assert graded("1c", lambda: {**exercise1.generator_examples(), "unsafe": None}).score == 1.0
    assert graded("1c", lambda: {**exercise1.generator_examples(), "safe": None}).score == 2.0
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


def hidden_runs():
    stored = case("1d")["runs"]
    return [imitator(s) for s in stored], np.array([s["outcome"] == "regressed" for s in stored])


def test_hidden_runs_are_what_the_exercise_says():
    found, regressed = hidden_runs()
    assert len(found) == 40 and regressed.sum() == 20
    shapes = {key: value.shape for key, value in found[0].items()}
    assert shapes == {
        k: (imitators.PAIRS if k.endswith("logps") else imitators.FRESH,) for k in shapes
    }
    firsts = [run["policy_first"].sum() for run in found]
    assert min(firsts) > 5 and max(firsts) < imitators.FRESH - 5  # both orders occur in every run
    assert (
        sorted(outcome for _, outcome in practice_imitators())
        == ["healthy"] * 3 + ["regressed"] * 3
    )
    assert (
        0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing


def test_obvious_metrics_earn_nothing_on_the_hidden_runs():
    found, regressed = hidden_runs()
    for metric in (*imitators.MATCHED, imitators.first_share):
        scores = np.array([metric(run) for run in found])
        assert 0.3 < auc(scores[~regressed], scores[regressed]) < 0.7
    for metric in (*imitators.MATCHED, imitators.first_share, imitators.win_rate):
        assert graded("1d", metric).score == graded("1d", lambda run: -metric(run)).score == 0.0


def test_measured_aucs_are_reproduced_by_a_fresh_draw():
    record = json.loads(imitators.MEASURED.read_text(encoding="utf-8"))
    found = imitators.measure([record["first_seed"]], imitators.candidates())
    assert {name: row["each"][0] for name, row in record["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()}, abs=0.006
    )
    for row in record["auc"].values():
        assert len(row["each"]) == record["draws"] == len(imitators.MEASURED_SEEDS)
        assert (row["mean"], row["sd"]) == pytest.approx(
            (np.mean(row["each"]), np.std(row["each"])), abs=0.006
        )
    assert record["auc"]["reference answer"]["least"] > case("1d")["full_points_from"]


def test_1d_constant_upside_down_and_unusable_scores_are_told_apart():
    assert "same score" in graded("1d", lambda run: 1).diagnoses[0]
    result = graded("1d", lambda run: -exercise1.imitation_score(run))
    assert result.score == 0.0 and result.diagnoses == (exercise1.UPSIDE_DOWN,)
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("1d", lambda run: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == "run 3 of 40"
        and "nan" in result.failure.yours
    )


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
        lambda *a: np.zeros((0, 3)),
        lambda *a: torch.tensor(0.693147),
    ]
    for answer in [*trivial, two_rules, practice_imitators, imitator, train_pair]:
        assert graded(part, answer).score == 0.0


def test_the_walk_over_public_helpers_covers_these_parts_too():
    assert len(list(public_callables())) > 30 and {"1a", "1b", "1c", "1d"} <= set(
        case(p)["part"] for p in REFERENCE
    )


# ---- what the text promises ---------------------------------------------------------------


def test_the_numbers_in_1d_are_the_measured_ones():
    question = source_of("q1d")
    measured = json.loads(imitators.MEASURED.read_text(encoding="utf-8"))
    table = dict(re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", question, re.M))
    expected = {
        name: f"{row['mean']:.2f} ± {row['sd']:.2f}" for name, row in measured["auc"].items()
    }
    del expected["reference answer"]
    assert table == expected and f"{measured['draws']} fresh draws" in question.replace("\n", " ")
    for bound in (case("1d")["full_points_from"], case("1d")["no_points_up_to"], imitators.HARM):
        assert f"{bound:.2f}" in question or f"{bound:g} nats" in question
    shapes = set(re.findall(r"^\| (?:`.*?`) \| \((\d+),\)", question, re.M))
    assert shapes == {str(imitators.FRESH), str(imitators.PAIRS)}


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
    assert f"= {exercise1.choice_loss(logits, flat, wins, 1.0).item():.3f}. " in flowing("h1b")
    imitation = exercise1.MISCONCEPTIONS_1B[0].variants[0](logits, flat, wins, 1.0).item()
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
