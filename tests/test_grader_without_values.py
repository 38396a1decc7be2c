"""What the grader says where no value tells anything: errors, refusals, a missing gradient, examples out of bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grading import REFERENCE, graded

from helpers.grader import judge_examples, judge_metric
from helpers.grader.cases import case, parts

EXAMPLES = [part for part in parts() if part[-1] == "c"]
METRICS = [part for part in parts() if part[-1] == "d"]


def test_a_missing_gradient_is_told():
    (told,) = graded("1b", lambda *given: REFERENCE["1b"](*given).detach()).diagnoses
    assert "no gradient reaches `logits`" in told


def test_numbers_cut_off_at_extreme_inputs_are_told():
    def clamped(ref, rewards, beta):
        return REFERENCE["3a"](ref, (rewards / beta).clamp(-50, 50), 1.0)

    (told,) = graded("3a", clamped).diagnoses
    assert "finite but wrong where they are extreme" in told


def test_half_precision_at_extreme_inputs_is_not_called_a_clamp():
    def in_half(*given):
        return torch.as_tensor(REFERENCE["10a"](*given)).half()

    (told,) = graded("10a", in_half).diagnoses
    assert "half precision" in told


def test_one_result_for_two_is_told():
    (told,) = graded("3a", lambda *given: REFERENCE["3a"](*given)[0]).diagnoses
    assert "asked are 2 results together: (policy, kl)" in told


def test_refusing_too_much_names_the_input():
    def finite_only(chosen, rejected, slices, n_slices):
        if not torch.isfinite(chosen).all():
            raise ValueError("inf")
        return REFERENCE["2a"](chosen, rejected, slices, n_slices)

    (told,) = graded("2a", finite_only).diagnoses
    assert "‘infinite’" in told and "refuses what is allowed" in told


def test_another_exception_and_a_missing_number_are_told():
    def another(ref, rewards, budget):
        try:
            return REFERENCE["3b"](ref, rewards, budget)
        except ValueError as error:
            raise ValueError("cannot be spent") from error

    assert any(
        "number that its text should give" in told for told in graded("3b", another).diagnoses
    )

    def other_class(*given):
        try:
            return REFERENCE["2a"](*given)
        except ValueError as error:
            raise TypeError("no") from error

    assert any("asked is ValueError" in told for told in graded("2a", other_class).diagnoses)


@pytest.mark.parametrize("part", ["1c", "2c", "3c", "4c", "5c"])
def test_an_example_that_cannot_be_tried_says_why(part):
    right = REFERENCE[part]()
    emptied = {name: [] for name in right["safe"]} if isinstance(right["safe"], dict) else []
    told = graded(part, lambda: {**right, "safe": emptied}).diagnoses
    assert any("safe side cannot be tried" in sentence for sentence in told), told


def test_two_examples_without_names_are_told():
    right = REFERENCE["1c"]()
    (told,) = graded("1c", lambda: (right["safe"], right["unsafe"])).diagnoses
    assert "without names" in told


def test_scores_that_are_no_number_are_told():
    (told,) = graded("1d", lambda run: run["policy_won"].astype(float)).diagnoses
    assert "One run is to get one number" in told
    (told,) = graded("1d", lambda run: np.nan).diagnoses
    assert "NaN or infinity" in told


def test_asking_too_often_is_told():
    (told,) = graded("2d", lambda scores, ask: sum(ask(i) for i in range(200))).diagnoses
    assert "more than 100 times" in told


class Hostile:
    """A key that cannot be compared."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        raise RuntimeError("no")


@pytest.mark.parametrize("part", EXAMPLES)
def test_examples_in_no_dict_or_under_other_names_are_told_so(part):
    right = REFERENCE[part]()
    told = graded(part, lambda: None).diagnoses
    assert told == (judge_examples.NOTHING,)
    told = graded(part, lambda: [right]).diagnoses
    assert told == (judge_examples.NO_DICT.format(kind="list"),)
    result = graded(part, lambda: {"Safe": right["safe"], "bad": right["unsafe"]})
    assert result.status == "error" and result.score == 0.0
    assert result.diagnoses == (judge_examples.NAMES.format(names="'Safe', 'bad'"),)
    result = graded(part, lambda: {"safe": right["safe"], "Unsafe": right["unsafe"]})
    assert result.diagnoses[0].startswith("The names in your dict are 'safe', 'Unsafe'")
    assert graded(part, lambda: {**right, "note": "mine"}).score == case(part)["points"]
    assert graded(part, lambda: {Hostile(): right}).diagnoses == (
        judge_examples.NAMES.format(names="Hostile"),
    )


@pytest.mark.parametrize("part", METRICS)
def test_a_score_that_is_nothing_or_no_number_is_told_so(part):
    each = case(part).get("each", "run")
    assert graded(part, lambda *run: None).diagnoses == (judge_metric.NOTHING.format(each=each),)
    for value, kind in (({"score": 1.0}, "dict"), ([[0.3], "x"], "list")):
        told = graded(part, lambda *run, value=value: value).diagnoses
        assert told == (judge_metric.NO_NUMBER.format(kind=kind),)


def test_a_yes_or_no_is_told_that_an_order_is_asked():
    (told,) = graded("8d", lambda run: REFERENCE["8d"](run) > 1.8).diagnoses
    assert told == judge_metric.VERDICT.format(n=2, each="survey")
