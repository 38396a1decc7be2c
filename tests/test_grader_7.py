"""Exercise 7 in the grader: right answers of every style, every misconception, hostile answers, the hidden models."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import torch
from grading import inputs_of, mutants
from hypothesis import given
from hypothesis import strategies as st
from test_exercises import UNTOUCHED, source_of
from test_grader import HOSTILE, graded, raising, unwritten_stub
from torch.distributions import Bernoulli

from helpers.calibration import (
    brier,
    calibration_error,
    fit_temperature,
    log_loss,
    orient,
    reliability,
)
from helpers.grader import check, confidence, practice_reward_models, temperature_report
from helpers.grader.frozen import array, case
from helpers.grader.panel import Panel
from helpers.grader.trial import Trial, close
from helpers.losses import bradley_terry_loss
from solutions import build, cases_7, exercise7, forecasters, runs

REFERENCE = {
    "7a": exercise7.pair_table,
    "7b": exercise7.excess_loss,
    "7c": exercise7.slice_examples,
    "7d": exercise7.slice_overconfidence,
}
WRONG = {
    "7a": exercise7.MISCONCEPTIONS_7A,
    "7b": exercise7.MISCONCEPTIONS_7B,
    "7c": exercise7.MISCONCEPTIONS_7C,
    "7d": exercise7.MISCONCEPTIONS_7D,
}
MUTANTS = mutants(WRONG)


def flowing(cell_id: str) -> str:
    """A cell's text on one line."""
    return source_of(UNTOUCHED, cell_id).replace("\n", " ")


# ---- right answers, in several styles -----------------------------------------------------


def table_loop(rewards, prompts, first, second, grades):
    """Plain Python over all pairs of responses; a list of lists, larger pairs first."""
    if any(prompts[a] != prompts[b] or a == b for a, b in zip(first.tolist(), second.tolist())):
        raise ValueError("not two responses to one prompt")
    rows = []
    for j in reversed(range(len(rewards))):
        for i in range(j):
            labels = []
            for a, b, grade in zip(first, second, grades):
                if (int(a), int(b)) == (i, j):
                    labels.append({2: 1.0, 1: 0.75, 0: 0.5, -1: 0.25, -2: 0.0}[int(grade)])
                elif (int(a), int(b)) == (j, i):
                    labels.append({-2: 1.0, -1: 0.75, 0: 0.5, 1: 0.25, 2: 0.0}[int(grade)])
            if labels:
                rows.append(
                    [
                        i,
                        j,
                        float(rewards[i]) - float(rewards[j]),
                        sum(labels) / len(labels),
                        len(labels),
                    ]
                )
    return rows


def table_numpy(rewards, prompts, first, second, grades):
    """Arrays only: dense sums and counts; an array of shape (0, 5) where nothing was compared."""
    same = np.equal(prompts[first], prompts[second])
    if not np.all(same) or np.any(first == second):
        raise ValueError("strangers")
    N = len(rewards)
    total, count = np.zeros((N, N)), np.zeros((N, N))
    np.add.at(total, (first, second), grades.astype(float))
    np.add.at(count, (first, second), 1)
    total, count = np.triu(total - total.T), np.triu(count + count.T)
    i, j = np.nonzero(count)
    label = 0.5 + total[i, j] / (4 * count[i, j])
    return np.column_stack([i, j, rewards[i] - rewards[j], label, count[i, j]])


def loss_loop(rewards, prompts, pairs, labels, counts, centring):
    """Plain Python, pair by pair; math.log only of what is above 0. Returns a float on arrays."""
    if isinstance(rewards, torch.Tensor):
        raise TypeError("written for arrays")
    found = []
    for prompt in range(int(max(prompts)) + 1):
        total = weight = 0.0
        for (i, j), q, n in zip(pairs.tolist(), labels.tolist(), counts.tolist()):
            if prompts[i] == prompt:
                m = float(rewards[i]) - float(rewards[j])
                log_q = max(m, 0) - m + math.log1p(math.exp(-abs(m)))  # −log σ(m)
                cost = q * log_q + (1 - q) * (log_q + m)
                cost += sum(p * math.log(p) for p in (q, 1 - q) if p > 0)
                total, weight = total + n * cost, weight + n
        mean = np.mean([float(r) for r, x in zip(rewards, prompts) if x == prompt])
        found.append(total / weight + centring * mean**2)
    return sum(found) / len(found)


def loss_distributions(rewards, prompts, pairs, labels, counts, centring):
    """By torch.distributions and one-hot matrices of prompts."""
    rewards, labels, counts = rewards.double(), labels.double(), counts.double()
    i, j = pairs.unbind(1)
    forecast = Bernoulli(
        logits=rewards[i] - rewards[j], validate_args=False
    )  # or it refuses labels of ¾
    excess = -forecast.log_prob(labels) - Bernoulli(probs=labels).entropy()
    of_pair = torch.nn.functional.one_hot(prompts[i]).double()  # (C, P)
    of_response = torch.nn.functional.one_hot(prompts).double()  # (N, P)
    fit = (of_pair.T @ (counts * excess)) / (of_pair.T @ counts)
    return (fit + centring * ((of_response.T @ rewards) / of_response.sum(0)) ** 2).mean()


def loss_bce(rewards, prompts, pairs, labels, counts, centring):
    """Binary cross-entropy with logits, minus itself at the labels' own logits; single precision where it is given."""
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    margin = rewards[pairs[:, 0]] - rewards[pairs[:, 1]]
    floor = torch.distributions.Bernoulli(probs=labels).entropy()
    excess = bce(margin, labels, reduction="none") - floor
    losses = []
    for prompt in range(int(prompts.max()) + 1):
        mine = prompts[pairs[:, 0]] == prompt
        losses.append(torch.dot(counts[mine] / counts[mine].sum(), excess[mine]))
        losses[-1] = losses[-1] + centring * rewards[prompts == prompt].mean().square()
    return torch.stack(losses).mean()


def examples_of_several_rows():
    """Arrays and tensors; margins twice what they should be, and two forecasts that are right on the whole."""
    risky = torch.tensor([[2.0, 110, 40], [4.0, 44, 6]])
    safe = {"ordinary": np.array([[2.0, 767, 283], [4.0, 308, 42]]), "risky": risky}
    unsafe = {
        "ordinary": [[1.6, 882, 118], [0.85, 655, 245]],
        "risky": [(1.6, 75, 75), (0.85, 60, 60)],
    }
    return {"safe": safe, "unsafe": unsafe}


def examples_with_the_fewest_pairs():
    """A hundred risky pairs, and a timid slice four times as large."""
    fair, sure = math.log(4), math.log(24)
    safe = {"ordinary": [(sure, 80, 20)], "risky": [(sure, 80, 20)]}
    return {"safe": safe, "unsafe": {"ordinary": [(fair, 345, 55)], "risky": [(fair, 55, 45)]}}


def largest_gap(chosen, rejected, slices):
    """Plain numbers: mean confidence minus accuracy, the largest of the slices; the error bar is left out."""
    gaps = []
    for s in set(slices.tolist()):
        margins = [c - r for c, r, place in zip(chosen, rejected, slices) if place == s]
        gaps.append(sum(1 / (1 + math.exp(-abs(m))) - (m > 0) for m in margins) / len(margins))
    return np.float64(max(gaps))


def sharpness_torch(chosen, rejected, slices):
    """One Newton step of log T away from 1, per slice, in units of its error; a tensor of one element."""
    margin = torch.tensor(chosen - rejected)
    found = []
    for s in range(5):
        m = margin[torch.tensor(slices == s)]
        slope = (m * torch.sigmoid(-m)).sum()  # of the log-likelihood in 1/T, at 1
        curvature = (m**2 * torch.sigmoid(m) * torch.sigmoid(-m)).sum()
        found.append(-slope / curvature.sqrt())
    return torch.stack(found).max()[None]


RIGHT = [
    *REFERENCE.items(),
    ("7a", table_loop),
    ("7a", table_numpy),
    ("7b", loss_loop),
    ("7b", loss_distributions),
    ("7b", loss_bce),
    ("7c", examples_of_several_rows),
    ("7c", examples_with_the_fewest_pairs),
    ("7d", exercise7.sharper_overconfidence),
    ("7d", largest_gap),
    ("7d", sharpness_torch),
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
    assert Trial(loss_loop, inputs_of("7b", "one pair"), ("rewards",)).numpy
    assert not Trial(loss_bce, inputs_of("7b", "one pair"), ("rewards",)).numpy


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
        ("7a", "strangers", ["across"]),
        ("7a", "itself", ["itself"]),
        ("7a", "nothing_is_an_error", ["nothing"]),
        ("7b", "log_of_zero", ["certain"]),
        ("7b", "overflow", ["extreme"]),
        ("7b", "centre_pairs", ["centring", "gradient"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in WRONG[part] if m.key == key).variants:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


def test_another_exception_is_no_refusal():
    def wrong_kind(*arguments):
        try:
            return exercise7.pair_table(*arguments)
        except ValueError as error:
            raise KeyError(str(error)) from None

    assert [p.key for p in graded("7a", wrong_kind).properties if not p.held] == [
        "across",
        "itself",
    ]
    assert graded("7a", raising(ValueError("no"))).score == 0.0


def test_no_refusal_at_all_is_told_twice():
    result = graded(
        "7a", lambda r, p, f, s, g: exercise7.pair_table(r, torch.zeros_like(p), f, s, g)
    )
    assert [p.key for p in result.properties if not p.held] == ["across", "itself"][:1]
    result = graded("7a", lambda r, p, f, s, g: exercise7._table(r, f, s, (g + 2) / 4))
    assert [p.key for p in result.properties if not p.held] == ["across", "itself"] and len(
        result.diagnoses
    ) == 2


def test_a_loss_without_gradient_costs_the_gradients():
    def cut(rewards, *others):
        return exercise7.excess_loss(rewards.detach(), *others)

    assert [p.key for p in graded("7b", cut).properties if not p.held] == [
        "gradient",
        "certain",
        "extreme",
    ]


def test_wrong_answers_in_numpy_are_recognised_too():
    def cross_entropy(rewards, prompts, pairs, labels, counts, centring):
        floor = -(labels * np.log(labels) + (1 - labels) * np.log(1 - labels))
        weights = counts / np.bincount(prompts[pairs[:, 0]], counts)[prompts[pairs[:, 0]]]
        return loss_loop(rewards, prompts, pairs, labels, counts, centring) + weights @ floor / (
            prompts.max() + 1
        )

    assert graded("7b", cross_entropy).diagnoses == (
        next(m.message for m in WRONG["7b"] if m.key == "floor"),
    )


@pytest.mark.parametrize(
    "part, name", [("7a", "rewards"), ("7a", "grades"), ("7b", "rewards"), ("7b", "labels")]
)
def test_changing_an_argument_in_place_costs_its_property(part, name):
    place = list(case(part)["inputs"]["one comparison" if part == "7a" else "one pair"]).index(name)

    def changes(*arguments):
        found = REFERENCE[part](*arguments)
        arguments[place].data.mul_(2)
        return found

    result = graded(part, changes)
    assert [p.key for p in result.properties if not p.held] == [
        "unchanged"
    ] and name in result.failure.yours


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_tables_are_those_of_a_loop():
    for spec in case("7a")["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            rows = sorted(table_loop(*inputs_of("7a", probe["input"]).values()))
            assert close(np.array(rows), array(probe["expected"])), probe["input"]


def test_the_drawn_table_has_what_it_is_to_test():
    """Repeated pairs, both orders, ties, several prompts: else the probe would pass what it should not."""
    shown = inputs_of("7a", "three prompts, float32")
    pairs = set(zip(shown["first"].tolist(), shown["second"].tolist()))
    assert any((j, i) in pairs for i, j in pairs) and len(pairs) < len(shown["first"])
    assert set(shown["grades"].tolist()) == {-2, -1, 0, 1, 2} and set(
        shown["prompts"].tolist()
    ) == {0, 1, 2}


def test_frozen_losses_are_the_lessons_loss_above_its_floor():
    for spec in case("7b")["properties"]:
        for probe in (
            spec["probes"] if spec["kind"] == "expected" and spec["key"] != "extreme" else ()
        ):
            given = {
                k: torch.tensor(v) if isinstance(v, np.ndarray) else v
                for k, v in inputs_of("7b", probe["input"]).items()
            }
            rewards = given["rewards"].double().requires_grad_()
            total = 0.0
            for prompt in range(int(given["prompts"].max()) + 1):
                mine = given["prompts"][given["pairs"][:, 0]] == prompt
                each = given["counts"][mine].long()  # every comparison by itself
                i, j = given["pairs"][mine].repeat_interleave(each, 0).T
                label = given["labels"][mine].double().repeat_interleave(each)
                best = torch.logit(label, eps=1e-15)
                floor = bradley_terry_loss(best, torch.zeros_like(best), label)
                total = total + bradley_terry_loss(rewards[i], rewards[j], label) - floor
                total = total + given["centring"] * rewards[given["prompts"] == prompt].mean() ** 2
            total = total / (given["prompts"].max() + 1)
            truth = torch.autograd.grad(total, rewards)[0] if probe["of"] else total.detach()
            assert close(truth.numpy(), array(probe["expected"])), probe


@given(st.integers(0, 10_000))
def test_the_centring_term_leaves_every_margin_alone(seed):
    """Its gradient is the same for all responses to a prompt, and the rest's sums to 0 there."""
    rng = np.random.default_rng(seed)
    prompts = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    pairs = torch.tensor([[0, 1], [1, 2], [3, 4], [3, 5], [4, 6]])
    labels, counts = torch.tensor(rng.random(5)), torch.tensor(rng.integers(1, 5, 5)).double()
    rewards = torch.tensor(rng.normal(size=7), requires_grad=True)
    both = [
        torch.autograd.grad(
            exercise7.excess_loss(rewards, prompts, pairs, labels, counts, c), rewards
        )[0]
        for c in (0.0, 0.7)
    ]
    for prompt in (0, 1):
        here = prompts == prompt
        assert (both[1] - both[0])[here].std() < 1e-12 and abs(both[0][here].sum()) < 1e-12


def test_fresh_inputs_are_those_that_are_frozen():
    assert set(cases_7.inputs_7a()) == set(case("7a")["inputs"])
    assert set(cases_7.inputs_7b()) == set(case("7b")["inputs"])
    assert set(build.all_cases()) >= set(REFERENCE)


# ---- what must not score ------------------------------------------------------------------


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("answer", [None, unwritten_stub], ids=["None", "stub"])
def test_the_stub_scores_nothing_with_a_neutral_panel(part, answer, capsys):
    assert check(part, answer) == 0.0
    captured = capsys.readouterr()
    assert captured.err == "" and "not attempted yet" in captured.out
    assert graded(part, answer).status == "unattempted"


@pytest.mark.parametrize("part", list(REFERENCE))
def test_trivial_answers_and_the_lessons_tools_score_nothing(part):
    trivial = [
        lambda *a: 0.0,
        lambda *a: [],
        lambda *a: a,
        lambda *a: a[0] if a else {},
        lambda *a: torch.zeros(()),
        lambda *a: np.zeros((0, 5)),
        lambda *a: {"safe": {}, "unsafe": {}},
        lambda *a: 0.0 * a[0].sum(),
    ]
    tools = [
        brier,
        calibration_error,
        fit_temperature,
        log_loss,
        orient,
        reliability,
        bradley_terry_loss,
        temperature_report,
        practice_reward_models,
        confidence.scored_pairs,
    ]
    for answer in [*trivial, *tools]:
        assert graded(part, answer).score == 0.0, answer


def of_tensors(metric):
    """A tool of the lesson on a system of 7d, as tensors, chosen first; its first result where there are several."""
    return lambda chosen, rejected, slices: metric(*map(torch.tensor, (chosen, rejected, slices)))


def test_7d_is_no_single_call_of_the_lessons_tools():
    def turned(metric):
        def on(chosen, rejected, slices):
            margins, labels = orient(chosen, rejected, torch.Generator().manual_seed(0))
            return metric(margins, labels)

        return on

    tools = [
        lambda c, r, s: bradley_terry_loss(c, r),
        turned(fit_temperature),
        turned(log_loss),
        turned(lambda m, y: calibration_error(m.sigmoid(), y)),
        turned(lambda m, y: brier(m.sigmoid(), y)),
    ]
    for tool in tools:
        assert graded("7d", of_tensors(tool)).score == 0.0


# ---- hostile answers ----------------------------------------------------------------------


def both_sides(**slices):
    return lambda *arguments: {"safe": slices, "unsafe": slices}


HOSTILE_7 = {
    **HOSTILE,
    "rows of NaN": lambda *a: np.full((1, 5), np.nan),
    "rows of infinity": lambda *a: torch.full((3, 5), math.inf),
    "many columns": lambda *a: np.zeros((3, 1000)),
    "three dimensions": lambda *a: np.zeros((2, 2, 5)),
    "slices of strings": both_sides(ordinary="many", risky="few"),
    "huge counts": both_sides(ordinary=[(1, 1e308, 1e308)], risky=[(1, 1e18, 0)]),
    "NaN counts": both_sides(ordinary=[(1, math.nan, 5)], risky=[(math.nan, 1, 1)]),
    "many rows": both_sides(ordinary=[(1, 1, 1)] * 50_000, risky=[(1, 9, 1)]),
    "nested": both_sides(ordinary=[[[1]]], risky=[1, 2, 3]),
}


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("name", list(HOSTILE_7))
def test_hostile_answers_get_a_float_a_panel_and_no_stderr(part, name, capsys):
    score = check(part, HOSTILE_7[name])
    captured = capsys.readouterr()
    assert type(score) is float and score == 0.0
    assert captured.err == "" and part in captured.out
    result = graded(part, HOSTILE_7[name])
    assert len(Panel(result)._repr_html_()) < 20_000 and len(repr(Panel(result))) < 20_000
    assert (
        graded(part, REFERENCE[part]).score == case(part)["points"]
    )  # and it spoilt nothing for the next


@pytest.mark.parametrize("part", list(REFERENCE))
def test_text_from_an_answer_is_escaped_everywhere(part):
    evil = "<script>alert(1)</script>"
    strange = type(evil, (), {})()
    for answer in (
        raising(ValueError(evil)),
        lambda *a: strange,
        lambda *a: {"safe": strange, "unsafe": strange},
        lambda *a: {side: {"ordinary": strange, "risky": evil} for side in ("safe", "unsafe")},
    ):
        assert "<script" not in Panel(graded(part, answer))._repr_html_()


# ---- 7c -----------------------------------------------------------------------------------


def changed_7c(side, **slices):
    answer = exercise7.slice_examples()
    answer[side] = {**answer[side], **slices}
    return lambda: answer


@pytest.mark.parametrize(
    "slices, found",
    [
        ({"risky": None}, "'risky' is missing"),
        ({"risky": "few"}, "'risky': a str instead of rows of numbers"),
        ({"risky": [(1.0, 90)]}, "shape (1, 2): expected 1 to 20 rows"),
        ({"risky": []}, "expected 1 to 20 rows"),
        ({"risky": [(1.0, 90, 10)] * 21}, "shape (21, 3): expected 1 to 20 rows"),
        ({"risky": [(0.0, 90, 10)]}, "margins from 0 to 0: expected above 0"),
        ({"risky": [(-1.0, 90, 10)]}, "margins from -1 to -1"),
        ({"risky": [(20.5, 90, 10)]}, "at most 20"),
        ({"risky": [(np.nan, 90, 10)]}, "margins from nan"),
        ({"risky": [(1.0, 90.5, 10)]}, "expected whole numbers"),
        ({"risky": [(1.0, 190, -10)]}, "counts from -10 to 190"),
        ({"risky": [(1.0, np.inf, 10)]}, "counts from 10 to inf"),
        ({"risky": [(1.0, 90, 9)]}, "99 pairs: expected at least 100"),
        ({"risky": [(1.0, 4000, 900)]}, "more than 5000 pairs"),
        ({"ordinary": [(1.0, 100, 0)], "risky": [(2.0, 100, 0)]}, "no pair is wrong"),
        ({"ordinary": [(1.0, 100, 100)], "risky": [(1.0, 40, 60)]}, "no better than chance"),
    ],
)
def test_7c_says_what_is_wrong_with_a_set_of_pairs(slices, found):
    result = graded("7c", changed_7c("safe", **slices))
    assert found in result.failure.yours and result.failure.heading == "Your example"
    held = {p.key: p.held for p in result.properties}
    assert held == {"safe": False, "unsafe_slice": True, "unsafe_unseen": False}
    answer = changed_7c("safe", **slices)()
    with pytest.raises(ValueError, match=re.escape(found)):
        temperature_report(answer["safe"])


@pytest.mark.parametrize("pairs", [None, [(1.0, 90, 10)], 3])
def test_the_report_refuses_what_is_no_dict(pairs):
    with pytest.raises(ValueError, match="expected a dict with the keys 'ordinary' and 'risky'"):
        temperature_report(pairs)


def test_7c_one_side_alone_earns_its_point():
    assert graded("7c", lambda: {"safe": None, "unsafe": None}).status == "unattempted"
    assert graded("7c", lambda: {**exercise7.slice_examples(), "unsafe": None}).score == 1.0
    one = graded("7c", lambda: {**exercise7.slice_examples(), "safe": None})
    assert one.score == 1.0 and "not written yet" in one.failure.yours
    assert (
        "it is a list, not a dict"
        in graded("7c", lambda: {**exercise7.slice_examples(), "safe": [1]}).failure.yours
    )


@given(st.integers(0, 10_000))
def test_7c_points_follow_from_the_effect(seed):
    """On random pairs: the verdict is what a calculation by rows makes of them."""
    rng = np.random.default_rng(seed)

    def drawn(sure: float) -> dict:
        margin = rng.uniform(0.5, 3, size=2)
        shift = np.array([0.05, -0.2]) * rng.integers(0, 2)
        right = np.clip(1 / (1 + np.exp(-margin[0] / sure)) + shift, 0.02, 0.98)
        n = np.array([800, 200])
        k = (n * right).round()
        rows = [[(margin[0], k[s], n[s] - k[s])] for s in (0, 1)]
        return dict(zip(("ordinary", "risky"), rows))

    sides = {"safe": drawn(2.0), "unsafe": drawn(1.0)}
    earned = {p.key: p.earned for p in graded("7c", lambda: sides).properties}

    def by_hand(pairs: dict) -> tuple[dict, dict, float, float]:
        one = {
            name: np.array(rows)[0] for name, rows in pairs.items()
        }  # one row, one margin in both slices
        one["all"] = np.array([one["ordinary"][0], *(one["ordinary"] + one["risky"])[1:]])
        share = {name: row[1] / row[1:].sum() for name, row in one.items()}
        gap = {name: 1 / (1 + np.exp(-row[0])) - share[name] for name, row in one.items()}
        after = {
            name: abs(share["all"] - share[name]) for name in share
        }  # σ(m/T) is the share over all
        return gap, after, share["all"], one["all"][0] / np.log(share["all"] / (1 - share["all"]))

    (gap, after, accuracy, _), (unsafe_gap, _, unsafe_accuracy, T) = map(by_hand, sides.values())
    safe = gap["all"] >= 0.1 and max(after.values()) <= 0.02
    in_slice = unsafe_gap["risky"] >= 0.2
    unseen = (
        abs(unsafe_gap["all"]) <= 0.02
        and 0.95 <= T <= 1.05
        and abs(accuracy - unsafe_accuracy) <= 0.01
    )
    unseen = unseen and min(accuracy, unsafe_accuracy) >= 0.7
    assert earned == {
        "safe": float(safe),
        "unsafe_slice": float(in_slice),
        "unsafe_unseen": float(unseen) if safe and in_slice else None,
    }


def test_the_report_is_the_lessons_calibration():
    """Counted by rows against the lesson's functions on single pairs turned at random."""
    pairs = {"ordinary": [(0.5, 300, 200), (1.5, 240, 60)], "risky": [(2.5, 80, 40)]}
    report = temperature_report(pairs)
    chosen, rejected = [], []
    for margin, right, wrong in pairs["ordinary"] + pairs["risky"]:
        chosen += [margin] * right + [0.0] * wrong
        rejected += [0.0] * right + [margin] * wrong
    chosen, rejected = torch.tensor(chosen), torch.tensor(rejected)
    margins, labels = orient(chosen, rejected, torch.Generator().manual_seed(1))
    assert report.temperature == pytest.approx(fit_temperature(margins, labels))
    assert report.accuracy == pytest.approx(620 / 920)
    forecast = {0.5: 300 / 500, 1.5: 240 / 300, 2.5: 80 / 120}
    n = {0.5: 500, 1.5: 300, 2.5: 120}
    gaps = {m: 1 / (1 + math.exp(-m)) - share for m, share in forecast.items()}
    assert report.too_sure["risky"] == pytest.approx(gaps[2.5])
    assert report.too_sure["all"] == pytest.approx(sum(n[m] * gap for m, gap in gaps.items()) / 920)
    assert report.ece["all"] == pytest.approx(sum(n[m] * abs(gap) for m, gap in gaps.items()) / 920)
    scaled = {
        m: 1 / (1 + math.exp(-m / report.temperature)) - share for m, share in forecast.items()
    }
    ordinary = (500 * abs(scaled[0.5]) + 300 * abs(scaled[1.5])) / 800
    assert report.ece_after["ordinary"] == pytest.approx(ordinary)


@given(st.integers(0, 10_000))
def test_the_reports_ece_is_the_lessons_before_and_after(seed):
    rng = np.random.default_rng(seed)
    pairs = {
        name: np.column_stack(
            [rng.uniform(0.1, 5, 6), rng.integers(20, 90, 6), rng.integers(5, 30, 6)]
        )
        for name in confidence.SLICES
    }
    report = temperature_report(pairs)
    for name, rows in pairs.items():
        right, wrong = rows[:, 1].astype(int), rows[:, 2].astype(int)
        margins = torch.tensor(
            np.concatenate([np.repeat(rows[:, 0], right), np.repeat(rows[:, 0], wrong)])
        )
        won = torch.cat([torch.ones(right.sum()), torch.zeros(wrong.sum())]).double()
        assert report.ece[name] == pytest.approx(calibration_error(margins.sigmoid(), won))
        assert report.ece_after[name] == pytest.approx(
            calibration_error((margins / report.temperature).sigmoid(), won)
        )
        assert report.too_sure[name] == pytest.approx((margins.sigmoid() - won).mean().item())


def test_7c_states_the_bounds_that_are_checked():
    question, limits = flowing("q7c"), case("7c")["thresholds"]
    assert f"too sure by at least {limits['too_sure_before']:g} over all pairs" in question
    assert question.count(f"ECE is at most {limits['ece']:g}") == 2
    assert f"risky slice the forecasts are too sure by at least {limits['too_sure']:g}" in question
    low, high = limits["temperature"]
    assert f"T lies between {low:g} and {high:g}" in question
    assert f"within {limits['equal']:g} (both {limits['accuracy']:g} or more)" in question
    assert (
        f"at least {confidence.LEAST_PAIRS} pairs in each slice, at most {confidence.MOST_PAIRS} in all"
        in question
    )
    assert f"at most {confidence.MOST_ROWS} rows in a slice" in question
    assert f"margins above 0 and at most {confidence.LARGEST_MARGIN:g}" in question


# ---- 7d -----------------------------------------------------------------------------------


def hidden_models():
    stored = case("7d")["runs"]
    return [confidence.scored_pairs(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def reached(metric) -> float:
    found, regressed = hidden_models()
    scores = np.array([metric(*system) for system in found])
    return runs.auc(scores[~regressed], scores[regressed])


@pytest.fixture(scope="module")
def drawn():
    """The twins that are frozen, and twenty fresh ones."""
    streams = [np.random.default_rng(seed) for seed in (forecasters.FROZEN_SEED, 1)]
    return [forecasters.draw(rng) for rng in streams for _ in range(20)]


def test_twins_rank_alike_and_are_as_sure_on_average(drawn):
    for twins in drawn:
        (c, r, slices), (c2, r2, slices2) = map(
            confidence.scored_pairs, (twins.healthy, twins.regressed)
        )
        assert (
            np.array_equal(slices, slices2)
            and np.array_equal(c > r, c2 > r2)
            and not (c == r).any()
        )
        sure = [(1 / (1 + np.exp(-np.abs(a - b)))).mean() for a, b in ((c, r), (c2, r2))]
        assert sure[0] == pytest.approx(sure[1], abs=1e-3)  # margins have two digits


def test_only_one_small_slice_of_a_regressed_model_is_too_sure(drawn):
    for twins in drawn:
        assert twins.healthy_T.max() <= 1 and np.delete(twins.regressed_T, twins.suspect).max() <= 1
        size = np.bincount([int(digit) for digit in twins.regressed["slices"]])
        assert forecasters.SMALL[0] <= size[twins.suspect] < forecasters.SMALL[1]
        assert size.max() >= forecasters.LARGE[0]


def test_margins_divided_by_their_temperature_are_calibrated_and_the_surplus_is_as_stated(drawn):
    margins, right = [], []
    for twins in drawn:
        for stored, T in ((twins.healthy, twins.healthy_T), (twins.regressed, twins.regressed_T)):
            chosen, rejected, slices = confidence.scored_pairs(stored)
            margins.append(np.abs(chosen - rejected) / T[slices])
            right.append(chosen > rejected)
        here = slices == twins.suspect
        sure, fair = (1 / (1 + np.exp(-m[here])) for m in (np.abs(chosen - rejected), margins[-1]))
        assert (sure - fair).mean() == pytest.approx(twins.too_sure, abs=2e-3)
        assert forecasters.TOO_SURE[0] <= twins.too_sure <= forecasters.TOO_SURE[1]
    margins, right = np.concatenate(margins), np.concatenate(right)
    for low in (0.0, 0.5, 1.0, 2.0, 3.0):
        some = (margins >= low) & (margins < low + 0.5)
        off = (1 / (1 + np.exp(-margins)) - right)[some]
        assert abs(off.mean()) < 4 * 0.5 / np.sqrt(some.sum() / 2)  # twins share their outcomes


def test_stored_models_are_the_drawn_ones():
    stored = case("7d")["runs"]
    both = [system for pair in forecasters.pairs(forecasters.FROZEN_SEED, 20) for system in pair]
    order = np.random.default_rng(forecasters.FROZEN_SEED + 1).permutation(40)
    assert [{k: v for k, v in s.items() if k != "outcome"} for s in stored] == [
        both[i] for i in order
    ]
    regressed = np.array([s["outcome"] == "regressed" for s in stored])
    assert regressed.sum() == 20 and list(regressed) == [bool(i % 2) for i in order]
    assert (
        0.25 < runs.auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing
    assert (
        sorted(system[-1] for system in practice_reward_models())
        == ["healthy"] * 3 + ["regressed"] * 3
    )
    smallest, largest = forecasters.SMALL[0], forecasters.LARGE[1]
    counts = [np.bincount(slices) for _, _, slices in hidden_models()[0]]
    assert all(len(n) == 5 and n.min() >= smallest and n.max() < largest for n in counts)


def test_where_scores_lie_says_nothing():
    found, regressed = hidden_models()
    for level in (lambda c, r: c.mean(), lambda c, r: np.concatenate([c, r]).std()):
        scores = np.array([level(c, r) for c, r, _ in found])
        assert 0.3 < runs.auc(scores[~regressed], scores[regressed]) < 0.7


def test_obvious_metrics_do_not_separate_the_hidden_models_and_the_answer_does():
    for metric in (forecasters.accuracy, forecasters.mean_confidence, forecasters.overall_gap):
        assert 0.45 < reached(metric) < 0.55
    for metric in (
        forecasters.overall_ece,
        forecasters.overall_temperature,
        forecasters.largest_slice_ece,
        forecasters.surest_mistake,
        forecasters.log_loss,
    ):
        assert reached(metric) < case("7d")["no_points_up_to"]
    assert (
        0.95 < reached(exercise7.slice_overconfidence) < reached(exercise7.sharper_overconfidence)
    )


def test_metrics_over_all_pairs_are_the_lessons():
    chosen, rejected, slices = hidden_models()[0][0]
    margin = torch.tensor(chosen - rejected)
    first, won = margin.abs(), (margin > 0).double()
    assert forecasters.overall_ece(chosen, rejected, slices) == pytest.approx(
        calibration_error(first.sigmoid(), won)
    )
    assert forecasters.overall_temperature(chosen, rejected, slices) == pytest.approx(
        fit_temperature(first, won), 1e-6
    )
    assert forecasters.log_loss(chosen, rejected, slices) == pytest.approx(log_loss(first, won))
    ones = torch.ones_like(margin)
    assert forecasters.chosen_first_ece(chosen, rejected, slices) == pytest.approx(
        calibration_error(margin.sigmoid(), ones)
    )


def test_measured_aucs_are_reproduced_by_a_fresh_draw():
    record = json.loads(forecasters.MEASURED.read_text(encoding="utf-8"))
    found = forecasters.measure([record["first_seed"]], forecasters.candidates())
    assert {name: row["each"][0] for name, row in record["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()}, abs=0.006
    )
    for row in record["auc"].values():
        assert len(row["each"]) == record["draws"] == len(forecasters.MEASURED_SEEDS) == 60
        expected = np.mean(row["each"]), np.std(row["each"]), min(row["each"])
        assert (row["mean"], row["sd"], row["least"]) == pytest.approx(expected, abs=0.006)
    assert record["auc"]["reference answer"]["least"] > case("7d")["full_points_from"]


def test_the_numbers_in_7d_are_the_measured_ones():
    question, hints = flowing("q7d"), flowing("h7d")
    measured = json.loads(forecasters.MEASURED.read_text(encoding="utf-8"))
    table = dict(
        re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", source_of(UNTOUCHED, "q7d"), re.M)
    )
    expected = {
        name: f"{row['mean']:.2f} ± {row['sd']:.2f}" for name, row in measured["auc"].items()
    }
    better = expected.pop("reference answer, weighted by margin")
    del expected["reference answer"]
    assert table == expected and f"{measured['draws']} fresh draws" in question
    assert f"AUC is near {better.split()[0]}" in hints
    (few, many), (low, high) = forecasters.SMALL, forecasters.TOO_SURE
    fewest = (forecasters.SLICES - 1) * few + forecasters.LARGE[0]
    most = (forecasters.SLICES - 1) * (many - 1) + forecasters.LARGE[1] - 1
    for stated in (
        f"{fewest} to {most} held-out pairs",
        f"{few} to {many - 1} pairs",
        f"by {low:.2f} to {high:.2f}",
        f"{case('7d')['full_points_from']:.2f} earns both",
        f"{case('7d')['no_points_up_to']:.2f} none",
    ):
        assert stated in question, stated
    for name, near in (("temperature fitted on all pairs", 0.7), ("largest ECE of a slice", 0.8)):
        assert (
            measured["auc"][name]["mean"] == pytest.approx(near, abs=0.03)
            and f"AUC near {near:g}.*" in hints
        )


def test_7d_points_grow_with_the_auc():
    _, regressed = hidden_models()
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
        assert graded("7d", lambda *system: numbers.get(next(order), 0.0)).score == points


def test_7d_upside_down_constant_and_unusable_scores_are_told_apart():
    assert graded("7d", lambda *system: -exercise7.slice_overconfidence(*system)).diagnoses == (
        exercise7.UPSIDE_DOWN,
    )
    assert "same score" in graded("7d", lambda *system: 1).diagnoses[0]
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("7d", lambda *system: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == "model 3 of 40"
        and "nan" in result.failure.yours
    )
    shown = graded("7d", forecasters.overall_ece).failure.inputs
    assert re.search(r"\d+ pairs, \d\d\.\d% ranked right, mean confidence \d\d\.\d%", shown)


def test_7d_every_call_gets_its_own_copy():
    def destroys(*system):
        score = exercise7.slice_overconfidence(*system)
        for values in system:
            values[:] = 0
        return score

    assert graded("7d", destroys).score == graded("7d", destroys).score == 2.0


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_of_7a_and_7b_are_right():
    rewards = torch.tensor([0.0, 0, 0, 0, 2.0, 0, 0, 0.5])
    shown = [torch.tensor(x) for x in ([7, 4, 7], [4, 7, 4], [-2, 1, 1])]
    i, j, margin, label, count = exercise7.pair_table(rewards, torch.zeros(8).long(), *shown)[
        0
    ].tolist()
    assert f"The row is ({i:.0f}, {j:.0f}, {margin:g}, {label:.3f}, {count:.0f})" in flowing("h7a")

    hint = flowing("h7b")
    rewards = torch.tensor([2.0, 0.0, 0.5, 0.0, -0.5])
    prompts, pairs = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([[0, 1], [2, 3], [3, 4], [2, 4]])
    labels = torch.cat(
        [torch.tensor([0.7]), (rewards[pairs[1:, 0]] - rewards[pairs[1:, 1]]).sigmoid()]
    )
    counts = torch.ones(4)
    alone = exercise7.excess_loss(
        rewards[:2], prompts[:2], pairs[:1], labels[:1], counts[:1], 0.0
    ).item()
    both = exercise7.excess_loss(rewards, prompts, pairs, labels, counts, 0.0).item()
    centred = exercise7.excess_loss(rewards, prompts, pairs, labels, counts, 0.1).item()
    loss = bradley_terry_loss(rewards[:1], rewards[1:2], labels[:1]).item()
    floor = Bernoulli(probs=labels[:1]).entropy().item()
    won, lost = (-torch.tensor([2.0, -2.0]).sigmoid().log()).tolist()
    for stated in (
        f"σ(2) = {torch.tensor(2.0).sigmoid():.3f}",
        f"0.7 · {won:.3f} + 0.3 · {lost:.3f} = {loss:.3f}",
        f"entropy of 0.7 is {floor:.3f}",
        f"costs {alone:.3f} too much",
        f"{alone:.3f}/2 = {both:.3f}",
        f"four pairs it would be {alone / 4:.3f}",
        f"({alone:.3f} + 0.1)/2 = {centred:.3f}",
        f"With a label of 0.7 it is {floor:.3f}",
    ):
        assert stated in hint, stated


def test_worked_numbers_of_7c_and_7d_are_right():
    nine = temperature_report(
        {"ordinary": [(math.log(9), 800, 0)], "risky": [(math.log(9), 100, 100)]}
    )
    assert nine.too_sure == pytest.approx(
        {"all": 0.0, "ordinary": -0.1, "risky": 0.4}
    ) and nine.temperature == pytest.approx(1)
    half = temperature_report(
        {"ordinary": [(math.log(9), 300, 100)], "risky": [(math.log(9), 75, 25)]}
    )
    assert half.temperature == pytest.approx(2) and max(half.ece_after.values()) < 1e-9
    assert "too timid by 0.1, in the other too sure by 0.4" in flowing(
        "h7c"
    ) and "log 9/log 3 = 2" in flowing("h7c")

    margin = np.array([2.0, 1.0, -2.0, 1.0])
    forecast = 1 / (1 + np.exp(-np.abs(margin)))
    variance = (forecast * (1 - forecast)).sum()
    z = exercise7.slice_overconfidence(margin, np.zeros(4), np.zeros(4, dtype=int))
    hint = flowing("h7d")
    for stated in (
        f"says {forecast[0]:.3f}, {forecast[1]:.3f}",
        f"({forecast.sum():.3f} − 3)/4 = {forecast.mean() - 0.75:.3f}",
        f"= {variance:.3f}",
        f"so {forecast.sum() - 3:.3f} is {z:.2f} standard errors",
    ):
        assert stated in hint, stated
    tiled = exercise7.slice_overconfidence(
        np.tile(margin, 100), np.zeros(400), np.zeros(400, dtype=int)
    )
    assert tiled == pytest.approx(10 * z)


def test_the_model_answer_quotes_its_own_example():
    from test_exercises import SOLVED

    report = temperature_report(exercise7.slice_examples()["unsafe"])
    assert report.ece[
        "all"
    ] < 1e-9 and f"too sure by {report.too_sure['risky']:.2f} on risky" in source_of(
        SOLVED, "a7r"
    ).replace("\n", " ")
