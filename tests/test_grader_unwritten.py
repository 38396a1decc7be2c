"""Answers not begun, half written, without `return`, stopped by another's NotImplementedError."""

from __future__ import annotations

import functools
import itertools

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from grading import REFERENCE, ROOT

from helpers.grader import check
from helpers.grader.cases import case, parts
from helpers.grader.checking import judge
from helpers.grader.panel import Panel
from helpers.grader.result import Result
from helpers.grader.run_answer import Trial, Unusable, as_torch, attempt, numbers_returned, plain
from helpers.grader.unwritten import untouched

RETURN = "is a `return` missing"
METRICS = [part for part in parts() if part[-1] == "d"]
EXAMPLES = [part for part in parts() if part[-1] == "c"]
FUNCTIONS = [part for part in parts() if part[-1] in "ab"]


def judged(part: str, answer) -> Result:
    result = judge(answer, case(part))
    assert "could not finish" not in result.note, result.note
    return result


def told(result: Result) -> str:
    """All that a learner is shown, as text."""
    assert "did not run" not in repr(Panel(result))
    return repr(Panel(result))


# ---- the stub, and nothing else ----------------------------------------------------------------


def documented(ratings):
    """With a docstring."""
    # and a comment
    raise NotImplementedError()


def without_brackets(*arguments, **more):
    raise NotImplementedError


@torch.no_grad()
def decorated(logits, ref_logits, wins, beta):
    raise NotImplementedError()


class Holder:
    def method(self, *arguments):
        raise NotImplementedError()


STUBS = {
    "documented": documented,
    "without brackets": without_brackets,
    "decorated": decorated,
    "a method": Holder().method,
    "a partial": functools.partial(without_brackets, beta=1),
}


@pytest.mark.parametrize("part", parts())
@pytest.mark.parametrize("name", list(STUBS))
def test_the_stub_is_not_attempted_and_called_nothing_else(part, name):
    result = judged(part, STUBS[name])
    assert result == Result(part, case(part)["title"], case(part)["points"], "unattempted")


@pytest.mark.parametrize("part", parts())
def test_the_stubs_of_the_notebook_are_recognised(part):
    cells = nbformat.read(ROOT / "exercises.ipynb", as_version=4).cells
    names = {"np": np, "torch": torch}
    exec(next(cell.source for cell in cells if cell.id == f"a{part}"), names)
    assert untouched(names[case(part)["asks_for"]])


def test_no_answer_is_taken_for_a_stub():
    for answer in (
        *REFERENCE.values(),
        print,
        3,
        None,
        type,
        np.add,
        Holder,
        F.relu,
        lambda *a: None,
    ):
        assert not untouched(answer)


# ---- the stub, left in an answer ----------------------------------------------------------------


def printed_first(*arguments):
    print(len(arguments))
    raise NotImplementedError()


def computed_first(*arguments):
    rows = list(arguments)
    raise NotImplementedError


def written_below(*arguments):
    raise NotImplementedError()
    rows = list(arguments)
    return rows


def assigned_below(*arguments):
    raise NotImplementedError()
    rows = arguments
    return rows


@pytest.mark.parametrize("part", parts())
@pytest.mark.parametrize("answer", [printed_first, computed_first, written_below, assigned_below])
def test_an_answer_around_the_stub_is_told_that_it_is_still_there(part, answer):
    result = judged(part, answer)
    assert (result.status, result.score) == ("error", 0.0)
    assert "raised NotImplementedError: the line that your answer replaces is still there" in told(
        result
    )


def test_a_stub_in_every_branch_is_no_branch():
    assert judged("4b", computed_first).diagnoses == (
        "Your function still raises NotImplementedError: put your answer in place of that line.",
    )


def test_a_stub_left_in_one_branch_is_said_to_be_in_one_branch():
    def ranked_loss(policy_logps, ref_logps, beta):
        if policy_logps.shape[1] == 2:
            return REFERENCE["4b"](policy_logps, ref_logps, beta)
        raise NotImplementedError()

    result = judged("4b", ranked_loss)
    assert 0 < result.score < 3 and result.status == "wrong"
    (why,) = result.diagnoses
    assert (
        why.startswith("One branch still raises NotImplementedError, on ‘")
        and "‘three rankings of four’" in why
    )
    assert (
        "one pair" not in why
        and "the line that your answer replaces is still there" in result.failure.yours
    )


def test_a_stub_left_in_the_first_branch_is_one_branch_too():
    def ranked_loss(policy_logps, ref_logps, beta):
        if policy_logps.shape[1] > 2:
            return REFERENCE["4b"](policy_logps, ref_logps, beta)
        raise NotImplementedError()

    result = judged("4b", ranked_loss)
    assert result.diagnoses[0].startswith(
        "One branch still raises NotImplementedError, on ‘one pair’"
    )


def test_a_stub_left_for_some_runs_names_the_run():
    seen = itertools.count()

    def harm_score(run):
        if next(seen) == 6:
            raise NotImplementedError()
        return REFERENCE["4d"](run)

    result = judged("4d", harm_score)
    assert (
        result.failure.inputs == f"run 7 of {len(case('4d')['runs'])}"
        and "still there" in result.failure.yours
    )


# ---- NotImplementedError of others ----------------------------------------------------------


def test_torchs_own_words_are_shown():
    result = judged("1b", lambda l, r, w, b: -F.logsigmoid(w.long()).sum())
    assert result.status == "error" and "log_sigmoid" in result.failure.yours
    assert "not implemented for 'Long'" in told(result) and RETURN not in told(result)
    assert check("1b", lambda l, r, w, b: -F.logsigmoid(w.long()).sum()) == 0.0


def test_what_torch_has_not_got_is_tried_on_arrays():
    def choice_loss(logits, ref_logits, wins, beta):
        if isinstance(wins, torch.Tensor):
            F.logsigmoid(wins.long())
        reward = beta * (logits - ref_logits)
        return (wins * np.logaddexp(0, reward[:, None, :] - reward[:, :, None])).sum() / wins.sum()

    assert judged("1b", choice_loss).score == 3.0


class Planned(NotImplementedError):
    pass


def helper(*arguments):
    raise NotImplementedError()


def error_with_words(*arguments):
    raise NotImplementedError("ties are missing")


def error_of_a_subclass(*arguments):
    raise Planned()


def error_of_a_helper(*arguments):
    return helper(*arguments)


def error_of_a_function_inside(*arguments):
    def inside():
        raise NotImplementedError()

    return inside()


@pytest.mark.parametrize("part", parts())
@pytest.mark.parametrize(
    "answer, words",
    [
        (error_with_words, "raised NotImplementedError: ties are missing"),
        (error_of_a_subclass, "raised Planned"),
        (error_of_a_helper, "raised NotImplementedError in helper(), which your function calls"),
        (
            error_of_a_function_inside,
            "raised NotImplementedError in inside(), which your function calls",
        ),
    ],
    ids=["words", "a subclass", "a helper", "a function inside"],
)
def test_a_not_implemented_error_of_others_is_an_error_with_its_words(part, answer, words):
    result = judged(part, answer)
    assert (result.status, result.score) == ("error", 0.0)
    assert (
        words in told(result)
        and "still there" not in told(result)
        and "One branch" not in told(result)
    )


def test_an_answer_that_needs_one_not_yet_written_is_told_which():
    def shift(ref, rewards, beta):
        raise NotImplementedError()

    assert "in shift(), which" in told(
        judged("3b", lambda ref, rewards, budget: shift(ref, rewards, 1.0))
    )


# ---- no return ----------------------------------------------------------------------------------


def forgets(answer):
    """The answer without its return."""

    @functools.wraps(answer)
    def forgetful(*arguments):
        answer(*arguments)

    return forgetful


@pytest.mark.parametrize("part", parts())
def test_an_answer_without_return_is_asked_about_it(part):
    result = judged(part, forgets(REFERENCE[part]))
    assert result.score == 0.0 and result.status in ("error", "wrong")
    assert f"returned None: {RETURN}?" in result.failure.yours and "not attempted" not in told(
        result
    )


@pytest.mark.parametrize("part", FUNCTIONS)
def test_an_answer_without_any_return_is_told_once(part):
    question = "Your function returned None on every input: is a `return` missing?"
    assert judged(part, forgets(REFERENCE[part])).diagnoses == (question,)


@pytest.mark.parametrize("part", parts())
def test_a_pass_is_an_answer_without_return(part):
    def answer(*arguments):
        pass

    assert f"returned None: {RETURN}?" in told(judged(part, answer))


@pytest.mark.parametrize("part", FUNCTIONS)
def test_where_one_branch_forgets_the_inputs_are_named(part):
    """Right on some inputs: those that it forgets are named, and none that are to be refused."""
    names = list(case(part)["inputs"])
    fails = {
        probe["input"]
        for spec in case(part)["properties"]
        if spec["kind"] == "raises"
        for probe in spec["probes"]
    }
    known = {name: as_torch(inputs) for name, inputs in recorded(part).items()}
    forgotten = [name for name in names[1::2] if name not in fails]

    def answer(*arguments):
        for name in (*forgotten, *fails):
            if all(map(alike, arguments, known[name].values())):
                return None
        return REFERENCE[part](*arguments)

    result = judged(part, answer)
    (why,) = [why for why in result.diagnoses if "`return` missing" in why]
    assert (
        why.startswith("On some inputs your function returned None: ")
        and result.score < case(part)["points"]
    )
    assert [name for name in names if f"‘{name}’" in why] == forgotten


def recorded(part: str) -> dict[str, dict]:
    from helpers.grader.cases import array

    return {
        name: {k: array(v) for k, v in given.items()}
        for name, given in case(part)["inputs"].items()
    }


def alike(a, b) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and torch.equal(a.nan_to_num(-7.5), b.nan_to_num(-7.5))
        )
    return type(a) is type(b) and untupled(a) == untupled(b)


def untupled(value):
    """Records as JSON holds them."""
    return [untupled(entry) for entry in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("part", METRICS)
def test_a_metric_that_forgets_for_some_runs_is_told_for_which(part):
    calls = itertools.count()
    result = judged(part, lambda *given: None if next(calls) == 6 else REFERENCE[part](*given))
    assert (
        f" 7 of {len(case(part)['runs'])}" in result.failure.inputs
        and RETURN in result.failure.yours
        and result.status == "wrong"
    )


@pytest.mark.parametrize("part", METRICS)
@pytest.mark.parametrize("value", [(None,), [1.0, None], (None, None)])
def test_a_metric_that_returns_a_tuple_with_none_is_asked_what_it_calls(part, value):
    result = judged(part, lambda *given: value)
    assert (
        "with None in it: is a `return` missing in what your function calls?"
        in result.failure.yours
    )


@pytest.mark.parametrize("part", EXAMPLES)
def test_examples_in_a_tuple_with_none_are_asked_about(part):
    result = judged(part, lambda: (REFERENCE[part]()["safe"], None))
    assert "a tuple with None in it" in result.failure.yours and result.score == 0.0


@pytest.mark.parametrize("part", EXAMPLES)
def test_none_inside_an_example_is_named_without_a_question(part):
    """There no function was called: a `return` is not what is missing."""
    answer = REFERENCE[part]()
    side = answer["safe"]
    broken = (
        {**side, next(iter(side)): [None, 1.0]} if isinstance(side, dict) else [None] * len(side)
    )
    result = judged(part, lambda: {**answer, "safe": broken})
    assert RETURN not in told(result) and result.score < case(part)["points"]
    assert "None" in result.failure.yours or part == "7c"


def test_one_of_two_results_that_is_none_is_asked_about_and_costs_only_itself():
    def shift(ref, rewards, beta):
        return REFERENCE["3a"](ref, rewards, beta)[0], None

    result = judged("3a", shift)
    assert 0 < result.score < 2 and f"returned None: {RETURN}?" in result.failure.yours
    assert result.diagnoses == (
        "On every input something in what your function returned is None: "
        "is a `return` missing in what it calls?",
    )


def test_a_tuple_with_none_on_some_inputs_is_asked_about_there():
    def shift(ref, rewards, beta):
        policy, kl = REFERENCE["3a"](ref, rewards, beta)
        return policy, kl if len(ref) > 1 else None

    (why,) = judged("3a", shift).diagnoses
    assert why.startswith(
        "On some inputs something in what your function returned is None: ‘one prompt, two"
    )


def test_a_refusal_that_returns_none_is_not_asked_about_a_return():
    """Where ValueError is expected, None is no missing `return`."""

    def slice_accuracies(chosen, rejected, slices, n_slices):
        try:
            return REFERENCE["2a"](chosen, rejected, slices, n_slices)
        except ValueError:
            return None

    result = judged("2a", slice_accuracies)
    assert (
        0 < result.score < 2
        and RETURN not in told(result)
        and result.failure.yours == "returned None"
    )


def test_a_gradient_of_nothing_is_asked_about():
    inputs = recorded("4b")["one pair"]
    with pytest.raises(Unusable, match=RETURN):
        Trial(lambda *a: None, inputs).gradient(inputs, "policy_logps")


def test_numbers_returned_asks_and_plain_does_not():
    for value in (None, [1, None], (None,)):
        with pytest.raises(Unusable, match="return` missing"):
            numbers_returned(value)
        with pytest.raises(Unusable) as error:
            plain(value)
        assert "?" not in str(error.value)
    assert (
        attempt(lambda: None).empty
        and attempt(lambda: (1, None)).empty
        and not attempt(lambda: 0).empty
    )
    assert not attempt(lambda: 1 / 0).empty
