"""Exercise 3, policy shift under a KL budget: what is true of it alone."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from grading import graded, inputs_of, measured, source_of, survives
from hostile import raising
from hypothesis import given
from hypothesis import strategies as st

from helpers.grader import practice_policies
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex03_kl_budget import held_out
from helpers.grader.judge_metric import auc
from helpers.grader.run_answer import Trial, Unusable, attempt, close
from helpers.policies import frontier, kl, optimum
from solutions.ex03_kl_budget import answers, freeze, hidden_runs, mistakes
from solutions.ex03_kl_budget.right_variants import shift_by_log_z, shift_loop, shift_numpy


def test_one_style_of_each_kind_was_there():
    first = inputs_of("3a", "one prompt")
    assert Trial(shift_numpy, first).numpy and not Trial(shift_by_log_z, first).numpy


@pytest.mark.parametrize(
    "part, key, left",
    [
        ("3a", "overflow", ["extreme"]),
        ("3a", "log_of_zero", ["zeros"]),
        ("3b", "one_prompt", ["average", "named"]),
        ("3b", "tied", ["tied", "named"]),
        ("3b", "best_unsaid", ["best_unsaid", "named"]),
        ("3b", "outside", ["outside"]),
        ("3b", "zero", ["zero"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in mistakes.MISTAKES[part] if m.key == key).writings:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


def test_a_bare_refusal_costs_the_number_only():
    def bare(ref, rewards, budget):
        try:
            return answers.beta_for_budget(ref, rewards, budget)
        except ValueError:
            raise ValueError("too much") from None

    result = graded("3b", bare)
    assert [p.key for p in result.properties if not p.held] == ["named"] and result.score == 2.9
    assert "1.386 in its text" in result.failure.expected and "too much" in result.failure.yours


@pytest.mark.parametrize(
    "returned, found",
    [
        (lambda policy, kl: policy, "returned a Tensor: expected (policy, kl)"),
        (lambda policy, kl: (policy, kl, 1.0), "returned a tuple: expected (policy, kl)"),
        (lambda policy, kl: (policy,), "returned a tuple: expected (policy, kl)"),
        (lambda policy, kl: {"policy": policy, "kl": kl}, "returned a dict: expected (policy, kl)"),
        (lambda policy, kl: (None, kl), "returned None"),
    ],
)
def test_3a_says_what_came_back_instead_of_a_pair(returned, found):
    result = graded("3a", lambda *arguments: returned(*answers.shift(*arguments)))
    assert found in result.failure.yours and result.score < 2


def test_3a_the_pair_turned_round_scores_nothing():
    assert graded("3a", lambda *arguments: answers.shift(*arguments)[::-1]).score == 0.0


def test_3a_each_result_is_named_where_it_fails():
    result = graded(
        "3a", lambda *arguments: (answers.shift(*arguments)[0], answers.shift(*arguments)[1] + 1)
    )
    assert result.failure.yours.startswith("kl: ") and result.failure.expected.startswith("kl: ")
    assert next(p for p in result.properties if p.key == "policy").held


def test_3a_wrong_answers_in_numpy_are_recognised_too():
    def bits(ref, rewards, beta):
        policy, nats = shift_numpy(ref, rewards, beta)
        return policy, nats / np.log(2)

    assert graded("3a", bits).diagnoses == (
        next(m.message for m in mistakes.MISTAKES["3a"] if m.key == "bits"),
    )


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_policies_are_the_lessons_optimum():
    for spec in case("3a")["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            given = inputs_of("3a", probe["input"])
            ref, rewards = (torch.tensor(given[name]).double() for name in ("ref", "rewards"))
            policy, _ = optimum(ref.log().log_softmax(-1), rewards, given["beta"])
            truth = (
                policy.exp() if probe["of"] == "policy" else kl(policy, ref.log().log_softmax(-1))
            )
            assert close(truth.numpy(), array(probe["expected"])), probe


def test_frozen_betas_spend_their_budget_and_what_is_accepted_is_a_tenth_of_a_millinat():
    counted = 0
    for spec in case("3b")["properties"]:
        for probe in spec["probes"]:
            if "within" in probe:
                given = inputs_of("3b", probe["input"])
                ref, rewards = (torch.tensor(given[name]).double() for name in ("ref", "rewards"))
                low, high = probe["within"]
                spent, _ = frontier(
                    ref.log(), rewards, [low, float(array(probe["expected"])), high]
                )
                expected = given["budget"] + freeze.ACCEPTED * np.array([1, 0, -1])
                np.testing.assert_allclose(spent.numpy(), expected, atol=3e-6)
                counted += 1
    assert counted >= 9 and array(case("3b")["properties"][5]["probes"][0]["expected"]) == math.inf


@given(st.integers(0, 10_000))
def test_the_largest_budget_is_the_limit_of_the_kl(seed):
    rng = np.random.default_rng(seed)
    ref = torch.tensor(rng.dirichlet(np.ones(4), size=3))
    rewards = torch.tensor(rng.integers(0, 4, size=(3, 4)).astype(float))  # ties happen
    largest = answers.largest_budget(ref, rewards)
    assert answers.mean_kl(ref, rewards, 1e-4) == pytest.approx(largest, abs=1e-9)
    if largest > 0.01:
        beta = answers.beta_for_budget(ref, rewards, 0.7 * largest)
        assert answers.mean_kl(ref, rewards, beta) == pytest.approx(0.7 * largest, abs=1e-7)
        assert answers.beta_for_budget(ref, rewards, 0.6 * largest) > beta


# ---- hostile answers ----------------------------------------------------------------------


def asks_nonsense(reference_samples, policy_samples, judge):
    return judge("all")


def turns_the_judge(reference_samples, policy_samples, judge):
    judge._verdicts.clear()
    return judge(policy_samples["response"]).mean()


HOSTILE = {
    "a pair of NaN": lambda *a: (float("nan"), float("nan")),
    "a pair of infinities": lambda *a: (torch.full((1, 2), math.inf), torch.full((1,), math.inf)),
    "a huge pair": lambda *a: (np.full((1, 2), 1e308), np.full(1, 1e308)),
    "a pair of strings": lambda *a: ("a", "b"),
    "a pair of pairs": lambda *a: ((1, 2), (3, 4)),
    "tables of strings": lambda *a: {
        "safe": {"ref": "a", "rewards": 1},
        "unsafe": {"ref": [1] * 8, "rewards": "b"},
    },
    "huge tables": lambda *a: {
        s: {"ref": [1e308] * 8, "rewards": [1e308] * 8} for s in ("safe", "unsafe")
    },
    "tables of NaN": lambda *a: {
        s: {"ref": [math.nan] * 8, "rewards": [0] * 8} for s in ("safe", "unsafe")
    },
    "asks nonsense": asks_nonsense,
    "turns the judge": turns_the_judge,
}


@pytest.mark.parametrize("part", ["3a", "3b", "3c", "3d"])
def test_more_hostile_answers_are_survived(part, capsys):
    survives(part, HOSTILE, capsys)


# ---- 3c -----------------------------------------------------------------------------------


def changed_3c(side, **changes):
    answer = answers.table_examples()
    answer[side] = {**answer[side], **changes}
    return lambda: answer


@pytest.mark.parametrize(
    "side, changes, found",
    [
        ("safe", {"ref": [0.25] * 4}, "'ref' of shape (4,)"),
        ("safe", {"rewards": [[1.0] * 8]}, "'rewards' of shape (1, 8)"),
        ("safe", {"rewards": None}, "'rewards' is missing"),
        ("safe", {"rewards": "high"}, "'rewards': a str instead of numbers"),
        ("safe", {"rewards": [np.inf] + [0.0] * 7}, "'rewards' up to inf"),
        ("safe", {"rewards": [np.nan] + [0.0] * 7}, "'rewards' up to nan"),
        ("safe", {"rewards": [1001.0] + [0.0] * 7}, "'rewards' up to 1e+03"),
        ("safe", {"ref": [0.25] * 4 + [0.0] * 4}, "probability 0"),
        ("safe", {"ref": [0.3] * 4 + [-0.05] * 4}, "probability -0.05"),
        ("safe", {"ref": [0.2] * 8}, "sums to 1.6"),
        ("safe", {"rewards": [3.0] * 8}, "all rewards are equal"),
        ("safe", {"rewards": [3.0] * 4 + [1.0] * 4}, "at most 0.693 nats"),
        (
            "safe",
            {"rewards": [3.0, 3.0 - 4e-16 * 8] + [1.0] * 6, "ref": [0.3, 0.2] + [0.5 / 6] * 6},
            "nearly equal",
        ),
    ],
)
def test_3c_says_what_is_wrong_with_a_table(side, changes, found):
    result = graded("3c", changed_3c(side, **changes))
    assert found in result.failure.yours and result.failure.heading == "Your table"
    assert {p.key: p.held for p in result.properties} == {
        "safe": False,
        "unsafe_lowers": True,
        "unsafe_unseen": True,
    }


@given(st.integers(0, 10_000))
def test_3c_points_follow_from_the_effect(seed):
    """On random tables: the verdict is what the reference answers of 3a and 3b make of them."""
    rng = np.random.default_rng(seed)
    ref, rewards = (
        rng.dirichlet(np.full(8, 3.0)),
        rng.normal(size=8) + rng.normal() * np.array(answers.QUALITY),
    )
    quality = np.array(answers.QUALITY)
    side = {"ref": ref, "rewards": rewards}
    earned = {
        p.key: p.earned for p in graded("3c", lambda: {"safe": side, "unsafe": side}).properties
    }
    tensors = torch.tensor(ref)[None], torch.tensor(rewards)[None]
    if answers.largest_budget(*tensors) <= 1:
        assert set(earned.values()) == {0.0, None}
        return
    policy, spent = answers.shift(*tensors, answers.beta_for_budget(*tensors, 1.0))
    assert spent.item() == pytest.approx(1, abs=1e-6)
    change = float((policy[0].numpy() - ref) @ quality)
    deviations = rewards - ref @ rewards, quality - ref @ quality
    correlation = ref @ np.prod(deviations, 0) / np.sqrt(np.prod([ref @ d**2 for d in deviations]))
    assert earned["safe"] == float(change >= 0.2)
    assert earned["unsafe_lowers"] == float(change <= -0.2)
    assert earned["unsafe_unseen"] == (float(correlation >= 0.5) if change <= -0.2 else None)


def test_3c_the_learner_has_the_quality_and_the_bounds_that_are_checked():
    data, question = case("3c"), source_of("q3c")
    listed = [
        float(q.replace("−", "-"))
        for q in re.findall(r"^\| \d \| [^|]* \| ([−\d.]+) \|$", question, re.M)
    ]
    space: dict = {"np": np}
    exec(source_of("d3c"), space)  # prints, and defines what the learner works with
    assert listed == data["quality"] == space["quality"].tolist()
    unsafe = answers.table_examples()["unsafe"]
    correlation = space["correlation"](np.array(unsafe["ref"]), np.array(unsafe["rewards"]))
    assert correlation > data["thresholds"]["correlation"]
    assert (
        f"**{data['budget']:g} nat**" in question
        and f"{data['thresholds']['correlation']:g} or more" in question
    )
    assert question.count(f"at least {data['thresholds']['change']:g}") == 2
    assert f"{data['bounds']['least_probability']:f}" in question
    assert f"{data['bounds']['largest_reward']:g}" in question


# ---- 3d -----------------------------------------------------------------------------------


def stored_runs():
    stored = case("3d")["runs"]
    return [held_out.unpack(s) for s in stored], np.array(
        [s["outcome"] == "regressed" for s in stored]
    )


def reached(metric) -> float:
    found, regressed = stored_runs()
    scores = np.array([metric(*run) for run in found])
    return auc(scores[~regressed], scores[regressed])


@pytest.fixture(scope="module")
def drawn():
    return hidden_runs.pairs(hidden_runs.FROZEN_SEED, hidden_runs.FROZEN_RUNS)


def test_drawn_runs_are_what_the_exercise_says(drawn):
    for healthy, regressed in drawn:
        assert healthy.reward_gain == pytest.approx(hidden_runs.GAIN, abs=1e-9)
        assert regressed.reward_gain == pytest.approx(hidden_runs.GAIN, abs=1e-9)
        assert (
            healthy.kl == pytest.approx(regressed.kl, abs=1e-6)
            and hidden_runs.KL[0] <= healthy.kl <= hidden_runs.KL[1]
        )
        assert hidden_runs.HARM["healthy"][0] - 1e-9 <= healthy.harm_change <= 1e-9
        assert (
            hidden_runs.HARM["regressed"][0] - 1e-9
            <= regressed.harm_change
            <= hidden_runs.HARM["regressed"][1] + 1e-9
        )


def test_stored_runs_are_the_drawn_ones(drawn):
    """In the stored order, up to the order of samples: the same samples, rewards, log-ratios and verdicts."""
    found, regressed = stored_runs()
    n = hidden_runs.FROZEN_RUNS
    assert len(found) == 2 * n and regressed.sum() == n
    both = [run for pair in drawn for run in pair]
    order = np.random.default_rng(hidden_runs.FROZEN_SEED + 1).permutation(
        2 * hidden_runs.FROZEN_RUNS
    )
    for (reference, policy, judge), place in zip(found, order):
        for mine, theirs in (
            (reference, both[place].reference_samples),
            (policy, both[place].policy_samples),
        ):
            assert {name: values.shape for name, values in mine.items()} == dict.fromkeys(
                theirs, (200,)
            )
            for name in mine:
                assert sorted(mine[name].tolist()) == sorted(theirs[name].tolist())
            assert np.array_equal(judge(mine["response"]), both[place].judge(mine["response"]))
    assert (
        0.25 < auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing
    assert sorted(run[-1] for run in practice_policies()) == ["healthy"] * 3 + ["regressed"] * 3


def test_whether_a_response_is_harmful_is_not_stored():
    keys = {"outcome", "reward", "log_ratio", "verdicts", "reference_counts", "policy_counts"}
    assert all(set(stored) == keys for stored in case("3d")["runs"] + case("3d")["practice"])


def test_the_judge_is_right_seven_times_in_ten_and_as_strict_as_it_happens_to_be():
    rng = np.random.default_rng(5)
    sharpness, readiness = [], []
    for _ in range(60):
        run = hidden_runs.draw(rng, 0.45, 0.25, 0.6)
        both = run.reference_samples, run.policy_samples
        seen = np.unique([samples["response"] for samples in both])
        readiness.append(run.judge(seen).mean())
        flagged = [run.judge(samples["response"]).mean() for samples in both]
        sharpness.append((flagged[1] - flagged[0]) / run.harm_change)
    # flagged share = strictness offset + (2·0.7 − 1)·share harmful: the difference is 0.4 of the change of harm
    assert np.mean(sharpness) == pytest.approx(2 * hidden_runs.ACCURACY - 1, abs=0.1)
    assert max(readiness) - min(readiness) > 0.3


def test_obvious_metrics_do_not_separate_the_hidden_runs_and_the_answer_does():
    for metric in (hidden_runs.mean_reward, hidden_runs.kl_estimate, hidden_runs.unfamiliar):
        assert 0.3 < reached(metric) < 0.7
    assert (
        reached(hidden_runs.judged_alone)
        < case("3d")["full_points_from"]
        < reached(answers.flag)
        < reached(answers.weighted_flag)
    )


def test_what_the_text_of_3d_says_of_its_draw_is_true():
    question, hints = source_of("q3d"), source_of("h3d")
    auc_of = {name: row["mean"] for name, row in measured("3d")["auc"].items()}
    assert f"AUC near {auc_of['reference answer, weighted by log-ratio']:.2f}" in hints
    low, high = hidden_runs.HARM["regressed"]
    for stated in (
        f"by {low:g} to {high:g}",
        "half a standard deviation",
        f"{hidden_runs.ACCURACY:.0%}".replace("%", " %"),
        f"({hidden_runs.SAMPLES},)",
        f"{case('3d')['full_points_from']:.2f} earns both",
        f"{case('3d')['no_points_up_to']:.2f} none",
    ):
        assert stated in question, stated
    assert hidden_runs.GAIN == 0.5


def test_3d_upside_down_constant_and_unusable_scores_are_told_apart():
    assert graded("3d", lambda *run: -answers.flag(*run)).diagnoses == (mistakes.UPSIDE_DOWN,)
    assert "same score" in graded("3d", lambda *run: 1).diagnoses[0]
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("3d", lambda *run: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == f"run 3 of {2 * hidden_runs.FROZEN_RUNS}"
        and "nan" in result.failure.yours
    )
    shown = graded("3d", hidden_runs.kl_estimate).failure.inputs
    assert re.search(r"judged harmful \d+% → \d+%", shown)


def test_the_judge_answers_in_the_shape_of_the_question_and_refuses_what_is_no_id():
    _, policy, judge, _ = practice_policies()[0]
    ids = policy["response"]
    assert judge(ids).shape == (200,) and judge(ids).dtype == bool
    assert (
        judge(ids.reshape(20, 10)).shape == (20, 10)
        and judge(int(ids[0])).shape == ()
        and judge([]).shape == (0,)
    )
    assert np.array_equal(judge(ids), judge(torch.tensor(ids)))
    for nonsense in (-1, 10**9, "all", [0.5], None, ["a"]):
        with pytest.raises(ValueError, match="expected ids"):
            judge(nonsense)


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_of_the_hints_are_right():
    ref, rewards = torch.tensor([[0.8, 0.2]]).double(), torch.tensor([[0.0, 1.0]]).double()
    first, spent = answers.shift(ref, rewards, 1.0)
    half = answers.shift(ref, rewards, 0.5)[1].item()
    hints_a, hints_b = source_of("h3a"), source_of("h3b")
    for number in (
        *first[0].tolist(),
        spent.item(),
        half,
        0.2 * math.e,
        0.8 + 0.2 * math.e,
        0.2 * math.e**2,
    ):
        assert f"{number:.3f}" in hints_a
    middle = answers.shift(ref, rewards, math.sqrt(0.5))[1].item()
    for number in (spent.item(), half, middle, answers.largest_budget(ref, rewards)):
        assert f"{number:.3f}" in hints_b
    assert half > 4 * spent.item()


def test_worked_tables_of_3c_do_what_the_hint_says():
    assert f"{math.log(1 / 0.495):.2f} nats" in source_of("h3c")
    ref, rewards = (
        torch.tensor([[0.495, 0.495, 0.01]]).double(),
        torch.tensor([[1.0, 0.0, 2.0]]).double(),
    )
    quality = torch.tensor([1.0, 0.0, -5.0]).double()
    betas = [answers.beta_for_budget(ref, rewards, budget) for budget in (0.02, 1.5)]
    little, much = ((answers.shift(ref, rewards, beta)[0] @ quality).item() for beta in betas)
    assert much < (ref @ quality).item() < little


def test_trial_reads_one_of_several_results():
    trial = Trial(shift_loop, inputs_of("3a", "one prompt"))
    assert trial.value(inputs_of("3a", "one prompt"), ("policy", "kl"), "kl").shape == (1,)
    with pytest.raises(Unusable):
        trial.value(inputs_of("3a", "one prompt"), ("policy", "kl", "more"), "kl")
    assert attempt(raising(ValueError())).refused and not attempt(raising(TypeError())).refused


def test_infinity_is_near_itself_only():
    infinite = np.array(np.inf)
    assert (
        close(infinite, infinite)
        and not close(np.array(1e300), infinite)
        and not close(-infinite, infinite)
    )
