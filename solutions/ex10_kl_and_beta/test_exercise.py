"""Exercise 10, KL coefficient and inverse temperature: what is true of it alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from grading import flowing, graded, inputs_of, survives
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.grader import practice_betas
from helpers.grader.cases import array, case
from helpers.grader.exercises.ex10_kl_and_beta import examples, held_out
from helpers.grader.judge_metric import auc
from helpers.grader.run_answer import Trial
from solutions import measure
from solutions.ex10_kl_and_beta import answers, hidden_runs, mistakes
from solutions.ex10_kl_and_beta.right_variants import (
    beta_float32,
    beta_loop,
    beta_numpy,
    choose_loop,
    choose_numpy,
)


def message(part: str, key: str) -> str:
    return next(m.message for m in mistakes.MISTAKES[part] if m.key == key)


def test_one_style_of_each_kind_was_there():
    first = inputs_of("10a", "two replies")
    assert [Trial(f, first).numpy for f in (beta_loop, beta_numpy, beta_float32)] == [False] * 3
    arrays_only = Trial(lambda *tables: beta_numpy(*(t.astype(float) for t in tables)), first)
    assert arrays_only.numpy


@pytest.mark.parametrize(
    "part, key, left",
    [
        ("10a", "no_refusal", ["refuses"]),
        ("10a", "exponentiated", ["extreme"]),
        ("10a", "undetermined", ["undetermined", "support"]),
        ("10b", "no_refusal", ["refuses"]),
        ("10b", "overflow", ["extreme"]),
        ("10b", "tie", ["tie"]),
        ("10b", "all_seen", ["seen", "chosen_seen"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in mistakes.MISTAKES[part] if m.key == key).writings:
        lost = [p.key for p in graded(part, variant).properties if not p.held]
        assert lost and set(lost) <= set(left), lost


def test_wrong_answers_in_numpy_are_recognised_too():
    def inverse(*tables):
        return 1 / beta_numpy(*(t.astype(float) for t in tables))

    def turned(proxy, gold, betas, price, least):
        return choose_numpy(-proxy, gold, betas, price, least)

    def summed(proxy, gold, betas, price, least):
        beta, worth = choose_loop(proxy, gold, betas, price, least)
        return beta, [len(proxy) * x for x in worth]

    assert graded("10a", inverse).diagnoses[0] == message("10a", "inverse")
    assert graded("10b", summed).diagnoses == (message("10b", "summed"),)
    assert graded("10b", turned).score < 3


def test_a_mistake_beside_another_slip_is_still_told():
    def bits_and_nan_for_infinity(*tables):
        found = answers.acting_beta(*tables) * math.log(2)
        return found.nan_to_num(math.nan, math.nan)

    def no_price_and_first_of_equals(proxy, gold, betas, price, least):
        _, worth = answers.choose_beta(proxy, gold, betas, 0.0, least)
        return betas[worth.argmax()], worth

    assert message("10a", "bits") in graded("10a", bits_and_nan_for_infinity).diagnoses
    found = graded("10b", no_price_and_first_of_equals).diagnoses
    assert found == (message("10b", "price_ignored"),)


# ---- frozen data against what owes nothing to the reference -------------------------------


def optimum(ref: np.ndarray, r: np.ndarray, beta: float) -> np.ndarray:
    """π_ref·e^(r/β)/Z as log-probabilities, (K,)."""
    scores = ref + r / beta
    scores -= scores.max()
    return scores - np.log(np.exp(scores).sum())


def fits_at(beta: float, ref: np.ndarray, policy: np.ndarray, r: np.ndarray) -> bool:
    """Whether this β's optimum is the policy, to 0.001 in every probability."""
    return bool(np.abs(np.exp(optimum(ref, r, beta)) - np.exp(policy)).max() < 1e-3)


def test_frozen_betas_are_those_whose_optimum_is_the_policy():
    """A finite β gives back the policy; where NaN is frozen, none of 400 β does, or all do."""
    seen = {"finite": 0, "infinite": 0, "zero": 0, "none": 0, "every": 0}
    grid = np.geomspace(1e-4, 1e6, 400)
    for spec in case("10a")["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            inputs = {k: v.astype(float) for k, v in inputs_of("10a", probe["input"]).items()}
            for row, beta in zip(zip(*inputs.values()), array(probe["expected"])):
                ref, policy, r = row

                fits = np.array([fits_at(b, *row) for b in grid])
                if np.isnan(beta):
                    kind = "every" if fits.all() else "none"
                    assert fits.all() or not fits.any(), probe
                elif np.isinf(beta):
                    kind = "infinite"
                    assert fits[-1] and not fits[0]
                elif beta == 0:
                    kind = "zero"
                    assert fits[0] and not fits[-1]
                else:
                    kind = "finite"
                    some = np.isfinite(policy)
                    assert np.array_equal(some, np.isfinite(ref))
                    np.testing.assert_allclose(
                        optimum(ref, r, beta)[some], policy[some], rtol=1e-4, atol=1e-4
                    )
                seen[kind] += 1
    assert min(seen.values()) >= 2, seen


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_the_beta_of_an_optimum_comes_back(seed):
    rng = np.random.default_rng(seed)
    K = int(rng.integers(2, 6))
    ref, r = np.log(rng.dirichlet(np.ones(K))), rng.normal(size=K)
    beta = float(np.exp(rng.uniform(-2, 1)))
    tables = [torch.tensor(x)[None] for x in (ref, optimum(ref, r, beta), r)]
    for answer in (answers.acting_beta, beta_loop, beta_numpy):
        assert float(answer(*tables)[0]) == pytest.approx(beta, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_no_reweighting_of_the_samples_is_worth_more_than_the_price_where_the_proxy_is_gold(seed):
    rng = np.random.default_rng(seed)
    gold, price = torch.tensor(rng.normal(size=(2, 6))), float(np.exp(rng.uniform(-1, 1)))
    betas = torch.tensor([price, *np.exp(rng.uniform(-2, 2, size=8))])
    beta, worth = answers.choose_beta(gold, gold, betas, price, 0.0)
    assert beta == price and worth.argmax() == 0
    for weights in rng.dirichlet(np.ones(6), size=20):
        w = torch.tensor(weights)
        kl = (w * (6 * w).log()).sum()
        assert (gold @ w - price * kl).mean() <= worth[0] + 1e-9
    other = choose_loop(gold, gold, betas, price, 0.0)
    assert other[0] == beta and np.allclose(other[1], worth)


# ---- 10c -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"ref": [0.5, 0.5]}, "2 entries in 'ref'"),
        ({"ref": [0.7, 0.2, 0.05]}, "sums to 0.95"),
        ({"ref": [0.75, 0.25, 0.0]}, "probability 0 "),
        ({"ref": [[0.7, 0.25, 0.05]]}, "shape (1, 3)"),
        ({"proxy": [0, 1000, 2]}, "up to 1e+03"),
        ({"gold": [0, math.nan, 2]}, "up to nan"),
        ({"gold": [1.0]}, "shape (1,)"),
        ({"gold": None}, "'gold' is missing"),
    ],
)
def test_a_table_that_is_none_is_told_why(changes, said):
    found = graded("10c", mistakes._with("safe", **changes))
    assert said in found.failure.yours and found.score == 2.0


def test_a_search_stops_where_its_text_says():
    assert examples._lower_until_it_turns([0, 1, 0.95, 2, 1.9, 3], 0.1) == (3, 4)
    assert examples._lower_until_it_turns([0, 1, 0.95, 2], 0.1) == (3, None)
    assert examples._lower_until_it_turns([1, 0.5, 2], 0.1) == (0, 1)
    betas = case("10c")["betas"]
    assert (betas[0], betas[-1], len(betas)) == (64, 1 / 64, 13)
    assert "thirteen" in flowing("q10c")


def test_a_constant_added_to_proxy_or_gold_changes_no_verdict():
    whole = answers.search_examples()
    moved = {
        side: {
            "ref": table["ref"],
            "proxy": [x - 30 for x in table["proxy"]],
            "gold": [x + 3 for x in table["gold"]],
        }
        for side, table in whole.items()
    }
    assert graded("10c", lambda: moved).score == 3.0


def test_exchanged_tables_are_told_once():
    assert graded("10c", mistakes._swapped).diagnoses == (examples.EXCHANGED,)


# ---- 10d -----------------------------------------------------------------------------------


def test_grades_are_given_for_sixty_samples_and_not_for_more():
    run, grade, outcome = practice_betas()[0]
    assert grade(3) == grade(np.array([[3]]))[0, 0] and outcome in ("healthy", "regressed")
    grade(np.arange(60))
    grade(np.arange(60))  # again: free
    with pytest.raises(ValueError, match="the budget is 60"):
        grade(60)
    for wrong in (120, -1, 0.5, [True]):
        with pytest.raises(ValueError):
            practice_betas()[0][1](wrong)
    assert {k: np.shape(v) for k, v in run.items()} == {
        "beta": (),
        "proxy": (120,),
        "log_ratio": (120,),
        "reference_proxy": (60,),
        "reference_grades": (40,),
    }


def test_a_score_that_asks_nothing_or_leaves_it_to_chance_is_told():
    draw = np.random.default_rng(0)
    for answer, said in (
        (lambda run, grade: draw.normal(), mistakes.BY_CHANCE),
        (lambda run, grade: float(run["proxy"].max()), message("10d", "no_gold")),
        (lambda run, grade: 3, "All runs get the same score"),
    ):
        (told,) = graded("10d", answer).diagnoses
        assert told.startswith(said)


def test_a_score_in_the_runs_own_units_stays_below_full_points():
    for metric in (
        hidden_runs.unscaled,
        hidden_runs.unscaled_slope,
        hidden_runs.unscaled_difference,
    ):
        found = graded("10d", metric)
        assert found.score < 2 and found.diagnoses == (message("10d", "units"),)


def test_what_a_score_of_10d_does_with_its_grades_is_told():
    first = hidden_runs.FIRST

    def per_beta(run, grade):
        return abs(float(np.cov(run["proxy"][first], grade(first))[0, 1])) / run["beta"]

    def eight(run, grade):
        return abs(float(np.corrcoef(run["proxy"][:8], grade(first[:8]))[0, 1]))

    def both_sorted(run, grade):
        return float(np.corrcoef(np.sort(run["proxy"][first]), np.sort(grade(first)))[0, 1])

    def ratio_of_means(run, grade):
        best = run["proxy"].argsort()
        return float(grade(best[-30:]).mean() / grade(best[:30]).mean())

    for metric, key in (
        (per_beta, "units"),
        (eight, "few"),
        (both_sorted, "apart"),
        (ratio_of_means, "zero"),
    ):
        assert graded("10d", metric).diagnoses == (message("10d", key),), key


def test_asking_for_too_many_grades_is_told():
    found = graded("10d", lambda run, grade: grade(np.arange(120)).mean())
    assert found.score == 0.0 and "the budget is 60" in found.failure.yours


def test_hidden_runs_are_optima_as_the_question_says():
    """The stated log-ratio is that of a tilted normal: KL is half of λ², and probabilities sum to 1."""
    rng = np.random.default_rng(7)
    for kind in hidden_runs.SLOPE:
        shift = 1.5
        runs = [hidden_runs.draw(rng, kind, shift) for _ in range(300)]
        ratios = [run.proxy / run.beta - run.log_z for run in runs]
        assert np.mean(ratios) == pytest.approx(shift**2 / 2, abs=0.05)
        assert np.mean(np.exp(-np.array(ratios))) == pytest.approx(1, abs=0.1)


def test_each_way_of_being_wrong_is_found():
    seeds = range(600, 606)
    for k in range(2):
        found = []
        for seed in seeds:
            twins = hidden_runs.pairs(seed, 20)[k::2]
            scores = [
                [answers.beta_is_off(*hidden_runs.arguments(run)) for run in kind]
                for kind in zip(*twins)
            ]
            found.append(auc(*map(np.array, scores)))
        assert np.mean(found) > 0.95


def test_a_score_that_knows_one_way_is_at_chance():
    found = measure.measure(hidden_runs, {"one": hidden_runs.signed_correlation}, range(600, 606))
    assert np.mean(found["one"]) == pytest.approx(0.5, abs=0.06)


def test_strange_answers_are_survived(capsys):
    survives("10d", {"asks for text": lambda run, grade: grade("all")}, capsys)
    survives("10c", {"a table of text": lambda: {"safe": {"ref": "x"}, "unsafe": {}}}, capsys)


def test_unpacked_runs_are_those_that_were_drawn():
    run = hidden_runs.pairs(3, 1)[0][0]
    unpacked, grade = held_out.unpack(hidden_runs.stored(run))
    drawn, other = hidden_runs.arguments(run)
    assert all(np.array_equal(unpacked[name], drawn[name]) for name in drawn)
    assert np.array_equal(grade(np.arange(60)), other(np.arange(60)))
