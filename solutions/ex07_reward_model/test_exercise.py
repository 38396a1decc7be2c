"""Exercise 7, reward model: what is true of it alone."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from grading import SOLVED, flowing, graded, inputs_of, measured, source_of, survives
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli

from helpers.calibration import brier, calibration_error, fit_temperature, log_loss, orient
from helpers.grader import practice_reward_models, temperature_report
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex07_reward_model import examples, held_out
from helpers.grader.judge_metric import auc
from helpers.grader.run_answer import Trial, close
from helpers.losses import bradley_terry_loss
from solutions.ex07_reward_model import answers, hidden_runs, mistakes
from solutions.ex07_reward_model.right_variants import loss_bce, loss_loop, table_loop


def test_one_style_of_each_kind_was_there():
    assert Trial(loss_loop, inputs_of("7b", "one pair"), ("rewards",)).numpy
    assert not Trial(loss_bce, inputs_of("7b", "one pair"), ("rewards",)).numpy


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
    for variant in next(m for m in mistakes.MISTAKES[part] if m.key == key).writings:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


def test_no_refusal_at_all_is_told_twice():
    result = graded("7a", lambda r, p, f, s, g: answers.pair_table(r, torch.zeros_like(p), f, s, g))
    assert [p.key for p in result.properties if not p.held] == ["across", "itself"][:1]
    result = graded("7a", lambda r, p, f, s, g: answers.turned_table(r, f, s, (g + 2) / 4))
    assert [p.key for p in result.properties if not p.held] == ["across", "itself"] and len(
        result.diagnoses
    ) == 2


def test_a_loss_without_gradient_costs_the_gradients():
    def cut(rewards, *others):
        return answers.excess_loss(rewards.detach(), *others)

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
        next(m.message for m in mistakes.MISTAKES["7b"] if m.key == "floor"),
    )


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
            answers.excess_loss(rewards, prompts, pairs, labels, counts, c), rewards
        )[0]
        for c in (0.0, 0.7)
    ]
    for prompt in (0, 1):
        here = prompts == prompt
        assert (both[1] - both[0])[here].std() < 1e-12 and abs(both[0][here].sum()) < 1e-12


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


HOSTILE = {
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


@pytest.mark.parametrize("part", ["7a", "7b", "7c", "7d"])
def test_more_hostile_answers_are_survived(part, capsys):
    survives(part, HOSTILE, capsys)


# ---- 7c -----------------------------------------------------------------------------------


def changed_7c(side, **slices):
    answer = answers.slice_examples()
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
    assert graded("7c", lambda: {**answers.slice_examples(), "unsafe": None}).score == 1.0
    one = graded("7c", lambda: {**answers.slice_examples(), "safe": None})
    assert one.score == 1.0 and "not written yet" in one.failure.yours
    assert (
        "it is a list, not a dict"
        in graded("7c", lambda: {**answers.slice_examples(), "safe": [1]}).failure.yours
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
        for name in examples.SLICES
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
        f"at least {examples.LEAST_PAIRS} pairs in each slice, at most {examples.MOST_PAIRS} in all"
        in question
    )
    assert f"at most {examples.MOST_ROWS} rows in a slice" in question
    assert f"margins above 0 and at most {examples.LARGEST_MARGIN:g}" in question


# ---- 7d -----------------------------------------------------------------------------------


def stored_models():
    stored = case("7d")["runs"]
    return [held_out.scored_pairs(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def reached(metric) -> float:
    found, regressed = stored_models()
    scores = np.array([metric(*system) for system in found])
    return auc(scores[~regressed], scores[regressed])


@pytest.fixture(scope="module")
def drawn():
    """The twins that are frozen, and as many fresh ones."""
    streams = [np.random.default_rng(seed) for seed in (hidden_runs.FROZEN_SEED, 1)]
    return [hidden_runs.draw(rng) for rng in streams for _ in range(hidden_runs.FROZEN_RUNS)]


def in_order(stored: dict) -> tuple[np.ndarray, np.ndarray]:
    """Margins of chosen over rejected and slices, (N,) each, as they are stored."""
    margins = np.array(stored["margins"].split(), dtype=float) / 10
    return margins, np.repeat(np.arange(hidden_runs.SLICES), stored["sizes"])


def _said(margins: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.abs(margins)))


def test_twins_say_the_same_and_are_wrong_as_often_at_every_level(drawn):
    for twins in drawn:
        (healthy, slices), (regressed, other) = map(in_order, (twins.healthy, twins.regressed))
        assert np.array_equal(slices, other) and np.array_equal(abs(healthy), abs(regressed))
        assert healthy.all() and (healthy < 0).sum() == (regressed < 0).sum()
        wrong = [np.sort(-m[m < 0]) for m in (healthy, regressed)]
        assert abs(wrong[0] - wrong[1]).max() <= hidden_runs.ALIKE / 10 + 1e-9
        turned = healthy != regressed
        assert (regressed[turned & (slices == twins.suspect)] < 0).all()
        assert (regressed[turned & (slices != twins.suspect)] > 0).all() and turned.any()


def test_scored_pairs_are_the_stored_ones_in_another_order(drawn):
    for twins in drawn:
        margins, slices = in_order(twins.regressed)
        chosen, rejected, shown = held_out.scored_pairs(twins.regressed)
        found = sorted(zip(shown.tolist(), (chosen - rejected).round(6).tolist()))
        assert (
            found == sorted(zip(slices.tolist(), margins.tolist())) and (np.diff(shown) < 0).any()
        )


def test_one_small_slice_of_a_regressed_model_is_too_sure_by_what_is_stated(drawn):
    low, high = hidden_runs.TOO_SURE
    for twins in drawn:
        assert twins.T.max() <= 1
        sizes = twins.regressed["sizes"]
        assert hidden_runs.SMALL[0] <= sizes[twins.suspect] < hidden_runs.SMALL[1]
        assert max(sizes) >= hidden_runs.LARGE[0]
        margins, slices = in_order(twins.regressed)
        here = margins[slices == twins.suspect]
        surplus = _said(here).mean() - (here > 0).mean()
        rounded = 0.5 / len(here) + 1e-9  # to whole pairs
        assert surplus == pytest.approx(twins.too_sure, abs=rounded)
        assert low <= twins.too_sure <= high


def test_margins_of_a_healthy_model_divided_by_their_temperature_are_calibrated(drawn):
    margins, right = [], []
    for twins in drawn:
        stored, slices = in_order(twins.healthy)
        margins.append(np.abs(stored) / twins.T[slices])
        right.append(stored > 0)
    margins, right = np.concatenate(margins), np.concatenate(right)
    for low in (0.5, 1.0, 1.5, 2.0, 3.0):
        some = (margins >= low) & (margins < low + 0.5)
        off = (_said(margins) - right)[some]
        assert abs(off.mean()) < 4 * 0.5 / np.sqrt(some.sum())


def test_stored_models_are_the_drawn_ones():
    stored = case("7d")["runs"]
    both = [
        system
        for pair in hidden_runs.pairs(hidden_runs.FROZEN_SEED, hidden_runs.FROZEN_RUNS)
        for system in pair
    ]
    order = np.random.default_rng(hidden_runs.FROZEN_SEED + 1).permutation(
        2 * hidden_runs.FROZEN_RUNS
    )
    assert [{k: v for k, v in s.items() if k != "outcome"} for s in stored] == [
        both[i] for i in order
    ]
    regressed = np.array([s["outcome"] == "regressed" for s in stored])
    assert regressed.sum() == hidden_runs.FROZEN_RUNS and list(regressed) == [
        bool(i % 2) for i in order
    ]
    assert (
        0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing
    assert (
        sorted(system[-1] for system in practice_reward_models())
        == ["healthy"] * 3 + ["regressed"] * 3
    )
    smallest, largest = hidden_runs.SMALL[0], hidden_runs.LARGE[1]
    counts = [np.bincount(slices) for _, _, slices in stored_models()[0]]
    assert all(
        len(n) == hidden_runs.SLICES and n.min() >= smallest and n.max() < largest for n in counts
    )


def test_where_scores_lie_says_nothing():
    found, regressed = stored_models()
    for level in (lambda c, r: c.mean(), lambda c, r: np.concatenate([c, r]).std()):
        scores = np.array([level(c, r) for c, r, _ in found])
        assert 0.3 < auc(scores[~regressed], scores[regressed]) < 0.7


def test_obvious_metrics_do_not_separate_the_hidden_models_and_the_answer_does():
    for metric in (
        hidden_runs.accuracy,
        hidden_runs.mean_confidence,
        hidden_runs.overall_gap,
        hidden_runs.overall_ece,
        hidden_runs.overall_temperature,
        hidden_runs.log_loss,
    ):
        assert 0.48 < reached(metric) < 0.52
    for metric in (
        hidden_runs.least_slice_accuracy,
        hidden_runs.largest_slice_loss,
        hidden_runs.largest_slice_ece,
        hidden_runs.surest_mistake,
    ):
        assert reached(metric) < case("7d")["no_points_up_to"]
    for answer in (answers.slice_overconfidence, answers.sharper_overconfidence):
        assert reached(answer) >= case("7d")["full_points_from"]


def test_metrics_over_all_pairs_are_the_lessons():
    chosen, rejected, slices = stored_models()[0][0]
    margin = torch.tensor(chosen - rejected)
    first, won = margin.abs(), (margin > 0).double()
    assert hidden_runs.overall_ece(chosen, rejected, slices) == pytest.approx(
        calibration_error(first.sigmoid(), won)
    )
    assert hidden_runs.overall_temperature(chosen, rejected, slices) == pytest.approx(
        fit_temperature(first, won), 1e-6
    )
    assert hidden_runs.log_loss(chosen, rejected, slices) == pytest.approx(log_loss(first, won))
    ones = torch.ones_like(margin)
    assert hidden_runs.chosen_first_ece(chosen, rejected, slices) == pytest.approx(
        calibration_error(margin.sigmoid(), ones)
    )


def test_what_the_text_of_7d_says_of_its_draw_is_true():
    question, hints = flowing("q7d"), flowing("h7d")
    auc_of = {name: row["mean"] for name, row in measured("7d")["auc"].items()}
    (few, many), (low, high) = hidden_runs.SMALL, hidden_runs.TOO_SURE
    fewest = (hidden_runs.SLICES - 1) * few + hidden_runs.LARGE[0]
    most = (hidden_runs.SLICES - 1) * (many - 1) + hidden_runs.LARGE[1] - 1
    for stated in (
        f"{fewest} to {most} held-out pairs",
        f"{few} to {many - 1} pairs",
        f"{low:.2f} to {high:.2f} above",
        f"{case('7d')['full_points_from']:.2f} earns both",
        f"{case('7d')['no_points_up_to']:.2f} none",
    ):
        assert stated in question, stated
    for name, near in (("smallest accuracy of a slice", 0.66), ("largest ECE of a slice", 0.7)):
        assert auc_of[name] == pytest.approx(near, abs=0.03) and f"AUC near {near:g}.*" in hints


def test_7d_upside_down_constant_and_unusable_scores_are_told_apart():
    assert graded("7d", lambda *system: -answers.slice_overconfidence(*system)).diagnoses == (
        mistakes.UPSIDE_DOWN,
    )
    assert "same score" in graded("7d", lambda *system: 1).diagnoses[0]
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("7d", lambda *system: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == f"model 3 of {2 * hidden_runs.FROZEN_RUNS}"
        and "nan" in result.failure.yours
    )
    shown = graded("7d", hidden_runs.overall_ece).failure.inputs
    assert re.search(r"\d+ pairs, \d\d\.\d% ranked right, mean confidence \d\d\.\d%", shown)


def test_what_a_score_of_7d_does_not_read_is_told():
    def median_margin(chosen, rejected, slices):
        return float(np.median(np.abs(chosen - rejected)) ** 2 + np.mean(chosen - rejected < -1))

    def range_of_accuracies(chosen, rejected, slices):
        return float(np.ptp([np.mean((chosen > rejected)[slices == k]) for k in np.unique(slices)]))

    def spread_of_scores(chosen, rejected, slices):
        return float(max(rejected[slices == k].std() for k in np.unique(slices)))

    for metric, key in (
        (median_margin, "slices_ignored"),
        (range_of_accuracies, "ranks"),
        (spread_of_scores, "single_scores"),
    ):
        told = next(m.message for m in mistakes.MISTAKES["7d"] if m.key == key)
        assert graded("7d", metric).diagnoses == (told,), key


def test_a_turned_margin_does_not_hide_hard_labels():
    def table(rewards, prompts, first, second, grades):
        rows = answers.pair_table(rewards, prompts, first, second, grades.sign() * 2)
        return rows * torch.tensor([1, 1, -1, 1, 1])

    told = graded("7a", table).diagnoses
    lost = next(m.message for m in mistakes.MISTAKES["7a"] if m.key == "grades_lost")
    assert told == (
        lost,
        "Column 3 of your rows is the negative of what is asked: a sign is turned there.",
    )


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_of_7a_and_7b_are_right():
    rewards = torch.tensor([0.0, 0, 0, 0, 2.0, 0, 0, 0.5])
    shown = [torch.tensor(x) for x in ([7, 4, 7], [4, 7, 4], [-2, 1, 1])]
    i, j, margin, label, count = answers.pair_table(rewards, torch.zeros(8).long(), *shown)[
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
    alone = answers.excess_loss(
        rewards[:2], prompts[:2], pairs[:1], labels[:1], counts[:1], 0.0
    ).item()
    both = answers.excess_loss(rewards, prompts, pairs, labels, counts, 0.0).item()
    centred = answers.excess_loss(rewards, prompts, pairs, labels, counts, 0.1).item()
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
    z = answers.slice_overconfidence(margin, np.zeros(4), np.zeros(4, dtype=int))
    hint = flowing("h7d")
    for stated in (
        f"says {forecast[0]:.3f}, {forecast[1]:.3f}",
        f"({forecast.sum():.3f} − 3)/4 = {forecast.mean() - 0.75:.3f}",
    ):
        assert stated in hint, stated
    many, none = np.tile(margin, 100), np.zeros(400, dtype=int)
    assert answers.slice_overconfidence(many, 0 * many, none) == pytest.approx(10 * z)
    timid = np.repeat([1.0, -1.0], [300, 100]) * math.log(
        1.5
    )  # says 0.60 and is right in three of four
    together = np.concatenate([margin, many, timid])
    assert hidden_runs.overall_gap(together, 0 * together, none) < 0
    gaps = [abs(hidden_runs.overall_gap(m, 0 * m, none)) for m in (margin, many, timid)]
    assert max(gaps) == gaps[2] and gaps[0] == pytest.approx(gaps[1])
    for method in ("variance", "standard error", "weigh"):  # a case, not the way to the answer
        assert method not in hint.split("Worked idea")[1]


def test_the_model_answer_quotes_its_own_example():

    report = temperature_report(answers.slice_examples()["unsafe"])
    assert report.ece[
        "all"
    ] < 1e-9 and f"too sure by {report.too_sure['risky']:.2f} on risky" in source_of(
        "a7r", SOLVED
    ).replace("\n", " ")
