"""What is said of a wrong answer: the smallest failing input, listed mistakes beside a slip, habits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grading import REFERENCE, graded, key
from hostile import raising

from helpers.grader import habits, judge_examples, judge_metric
from helpers.grader.cases import case, parts
from helpers.grader.judge_function import shown
from helpers.grader.panel import Panel
from helpers.grader.result import Failure, Property, Result

FUNCTIONS = [part for part in parts() if "differentiable" in case(part)]
EXAMPLES = [part for part in parts() if part[-1] == "c"]
METRICS = [part for part in parts() if part[-1] == "d"]


def writing(part: str, name: str, place: int = 0):
    """One of the wrong answers that the exercise lists."""
    return next(m for m in key(part, "mistakes").MISTAKES[part] if m.key == name).writings[place]


def message(part: str, name: str) -> str:
    return next(m["message"] for m in case(part)["mistakes"] if m["key"] == name)


def changed(part: str, change, answer=None):
    """An answer whose result, or each of its results, is changed."""
    answer = answer or REFERENCE[part]

    def other(*arguments):
        value = answer(*arguments)
        if isinstance(value, tuple):
            return tuple(change(torch.as_tensor(entry)) for entry in value)
        return change(torch.as_tensor(value))

    return other


# ---- the smallest failing input -------------------------------------------------------------


def failed(size: int, main: bool) -> Property:
    return Property("k", "name", 1.0, 0.0, Failure(f"{size}, {main}", "", "", size=size), main)


def test_the_smallest_failing_input_of_what_the_part_asks_for_is_shown():
    properties = failed(9, True), failed(4, True), failed(4, True), failed(1, False)
    assert Result("4x", "t", 4.0, "wrong", properties).failure is properties[1].failure
    others = failed(9, False), failed(2, False)
    assert Result("4x", "t", 4.0, "wrong", others).failure is others[1].failure
    assert Result("4x", "t", 4.0, "ok", (Property("k", "n", 1.0, 1.0),)).failure is None


def test_a_property_shows_the_smallest_of_its_failing_probes():
    """8b's 'own' holds on neither input; the smaller one is recorded behind the larger."""
    result = graded("8b", writing("8b", "mean_of_means"))
    sizes = {p.key: p.failure.size for p in result.properties if p.failure}
    probes = next(s["probes"] for s in case("8b")["properties"] if s["key"] == "own")
    assert [p["input"] for p in probes].index("one annotator wrote nothing") > 0
    assert result.failure.size == min(sizes.values())


def test_of_a_long_array_the_ends_are_shown():
    text = shown(np.arange(100.0))
    assert "0." in text and "99." in text and "..." in text and "shape (100,)" in text
    assert (
        "50." not in text
        and "..." in shown(np.ones((9, 9)))
        and "shape (9, 9)" in shown(np.ones((9, 9)))
    )


# ---- listed mistakes ------------------------------------------------------------------------


def test_a_mistake_is_told_although_the_smallest_input_raises():
    wrong = writing("4b", "reversed")

    def raises_on_one_pair(policy_logps, ref_logps, beta):
        if policy_logps.shape == (1, 2):
            raise IndexError("too few")
        return wrong(policy_logps, ref_logps, beta)

    result = graded("4b", raises_on_one_pair)
    assert result.status == "wrong" and result.diagnoses == (message("4b", "reversed"),)
    assert graded("4b", raising(IndexError("always"))).status == "error"


def test_a_mistake_is_told_in_half_precision_and_with_an_exception_for_one_input():
    half = changed("4b", lambda x: x.half().double(), writing("4b", "all_pairs"))
    assert graded("4b", half).diagnoses == (message("4b", "all_pairs"),)

    def right_for_one(policy_logps, ref_logps, beta):
        some = REFERENCE["4b"] if len(policy_logps) == 3 else writing("4b", "all_pairs")
        return some(policy_logps, ref_logps, beta)

    assert graded("4b", right_for_one).diagnoses == (message("4b", "all_pairs"),)


def test_two_mistakes_at_once_are_both_told():
    """3a's policy and its KL, each wrong in its own way."""
    batch, bits = writing("3a", "unnormalised"), writing("3a", "bits")

    def both(ref, rewards, beta):
        return batch(ref, rewards, beta)[0], bits(ref, rewards, beta)[1]

    assert set(graded("3a", both).diagnoses) == {
        message("3a", "unnormalised"),
        message("3a", "bits"),
    }


def test_a_turned_sign_does_not_hide_a_listed_mistake():
    turned = changed("4b", lambda x: -x, writing("4b", "all_pairs"))
    told = graded("4b", turned).diagnoses
    assert message("4b", "all_pairs") in told and len(told) == 2 and "negative" in told[1]


def test_answers_that_no_listed_mistake_explains_are_told_none():
    listed = {m["message"] for part in FUNCTIONS for m in case(part)["mistakes"]}
    for part in FUNCTIONS:
        strange = changed(part, lambda x: x.double() * 1.37 + 0.219 * torch.sin(3 * x.double()))
        assert not listed & set(graded(part, strange).diagnoses), part


# ---- habits of any kind ---------------------------------------------------------------------

LOSSES = ["1b", "2b", "3b", "4b", "7b", "8b"]  # one number
LISTED = {
    ("7b", "bits"),
    ("8b", "bits"),
    ("8b", "negative"),
}  # there the exercise has words of its own

HABITS = {
    "negative": (lambda x: -x, "the negative of what is asked"),
    "exp": (torch.exp, "e to the power of what is asked"),
    "bits": (lambda x: x / np.log(2), "logarithm to base 2"),
    "twice": (lambda x: 2 * x, "2 times the right one"),
    "more": (lambda x: x + 1, "the right one plus 1"),
    "complement": (lambda x: 1 - x, "1 minus what is asked"),
    "axis": (lambda x: x[None], "one number is asked, and yours is an array of shape (1,)"),
    "several": (lambda x: torch.stack([x, x + 1]), "one number is asked, and yours is an array"),
    "two digits": (lambda x: x.round(decimals=2), "right to a few digits only"),
    "half": (lambda x: x.half(), "right to a few digits only"),
    "the same": (lambda x: torch.full_like(x, 0.3), "0.3 on every input"),
    "NaN": (lambda x: x * np.nan, "NaN or infinity comes back on"),
    "random": (lambda x: x + torch.rand(()), "Asked again about the same input"),
}


@pytest.mark.parametrize("name", HABITS)
@pytest.mark.parametrize("part", LOSSES)
def test_habits_are_told_where_one_number_is_asked(part, name):
    change, sentence = HABITS[name]
    told = graded(part, changed(part, change)).diagnoses
    if (part, name) in LISTED:
        assert told in [(m["message"],) for m in case(part)["mistakes"]]
        return
    assert sentence in told[-1] and (part == "3b" or len(told) == 1), told


@pytest.mark.parametrize(
    "part, change, sentence",
    [
        ("2a", lambda x: x.mean(), "an array of shape (2,) is asked, and yours is one number"),
        ("2a", lambda x: x[:, None], "There is an axis of length 1 too many"),
        ("2a", lambda x: x.flip(0), "in another order"),
        ("3a", lambda x: x.T if x.ndim == 2 else x, "rows and columns are exchanged"),
        ("4a", lambda x: x.flip(0), "in another order"),
        (
            "8a",
            lambda x: x.nan_to_num(0.5).clamp(-9, 9).round(decimals=1) * 0 + 0.3,
            "0.3 on every input",
        ),
        ("7a", lambda x: x[:-1], "some rows are missing"),
        ("7a", lambda x: torch.cat([x, x]), "some of them several times"),
        ("1a", lambda x: torch.cat([x, x + 7]) if x.ndim == 2 else x, "others that should not be"),
    ],
)
def test_habits_are_told_of_arrays_and_rows(part, change, sentence):
    (told,) = graded(part, changed(part, change)).diagnoses
    assert sentence in told


def test_swapped_results_and_arguments_handed_back_are_told():
    (told,) = graded("3a", lambda *a: REFERENCE["3a"](*a)[::-1]).diagnoses
    assert told == habits.SWAPPED.format("policy, kl")
    (told,) = graded("4b", lambda policy_logps, ref_logps, beta: ref_logps).diagnoses
    assert told == "Your function returns `ref_logps` as it was handed in."


def test_fractions_cut_off_are_not_called_independent_of_the_arguments():
    (told,) = graded("7b", changed("7b", lambda x: x.double().nan_to_num(0, 0, 0).long())).diagnoses
    assert "whole numbers" in told


def test_a_sum_in_place_of_a_mean_is_told_by_the_length_of_the_argument():
    def divided(policy_logps, ref_logps, beta):
        """In three recorded rankings as many rows as picks: no reason to tell of picks."""
        return REFERENCE["4b"](policy_logps, ref_logps, beta) / len(policy_logps)

    (told,) = graded("4b", divided).diagnoses
    assert "divided by the number of rows of `policy_logps`" in told


# ---- examples and metrics -------------------------------------------------------------------


@pytest.mark.parametrize("part", EXAMPLES)
def test_exchanged_and_equal_sides_are_told(part):
    whole = REFERENCE[part]()
    safe, unsafe = whole["safe"], whole["unsafe"]
    told = graded(part, lambda: {**whole, "safe": unsafe, "unsafe": safe}).diagnoses
    words = "each other", "exchanged", "changed places"  # some exercises say it in their own
    assert len(told) == 1 and any(word in told[0] for word in words)
    for one in (safe, unsafe):
        told = graded(part, lambda: {**whole, "safe": one, "unsafe": one}).diagnoses
        assert told[0] == judge_examples.ALIKE
    assert judge_examples.ALIKE not in graded(part, lambda: {**whole, "unsafe": None}).diagnoses


@pytest.mark.parametrize("part", METRICS)
def test_scores_by_chance_and_constant_scores_are_told(part):
    draw = np.random.default_rng(1)
    (told,) = graded(part, lambda *run: draw.random()).diagnoses
    (constant,) = graded(part, lambda *run: 1.0).diagnoses
    if part not in ("2d", "6d", "10d"):  # these have words of their own
        each = case(part).get("each", "run")
        assert told == judge_metric.RANDOM.format(each=each)
        assert constant == judge_metric.CONSTANT.format(each=each)


def fake(part: str, above: int, sign: float):
    """A score with a known AUC: so many of 20 bad runs stand above all others, the rest of them below."""
    bad = [stored["outcome"] == "regressed" for stored in case(part)["runs"]]
    place = np.cumsum(bad)
    numbers = [
        sign * (2.0 if p <= above else -2.0) if b else i % 7 / 10
        for i, (b, p) in enumerate(zip(bad, place))
    ]
    asked = iter([*numbers, *numbers[: judge_metric.AGAIN]])
    return lambda *run: next(asked)


def test_a_score_that_is_upside_down_for_the_most_part_is_told_so():
    upside_down = key("8d", "mistakes").UPSIDE_DOWN
    result = graded("8d", fake("8d", 15, -1.0))
    assert result.diagnoses == (upside_down,) and "would reach 0.75" in result.note
    for answer in (fake("8d", 12, -1.0), fake("8d", 12, 1.0)):
        result = graded("8d", answer)
        assert result.diagnoses == () and "Turned round" not in result.note


def test_the_nearest_listed_metric_is_told_and_no_other():
    scores = np.arange(40.0)
    noisy = scores + np.random.default_rng(0).normal(size=40)
    mistakes = [
        {"message": "near", "writings": [noisy.tolist()]},
        {"message": "nearest", "writings": [(scores**3).tolist(), (-scores).tolist()]},
        {"message": "far", "writings": [np.cos(scores).tolist()]},
    ]
    assert judge_metric.recognised(mistakes, scores)[0] == ("nearest",)
    assert judge_metric.recognised(mistakes[:1], -scores) == (("near",), True)
    assert judge_metric.recognised(mistakes[2:], scores) == ((), False)


def test_what_is_told_reaches_the_panel():
    text = repr(Panel(graded("4b", changed("4b", lambda x: -x))))
    assert "→ Your values are the negative of what is asked" in text


def test_infinity_is_no_fault_where_it_may_be_the_answer():
    """In 8a NaN and ±∞ are entries that are asked: nothing of 0 · ∞ is said of them."""

    def of_those_that_met(records, n):
        right = REFERENCE["8a"](records, n)
        return torch.where(right.isfinite() & (right != 0), torch.nan, right)

    for told in graded("8a", of_those_that_met).diagnoses:
        assert "NaN or infinity comes back" not in told
