"""Answers that do not end, and answers that change what is around them: stopped, and put back."""

from __future__ import annotations

import builtins
import ctypes
import importlib
import signal
import sys
import threading

import numpy as np
import pytest
import torch
from grading import REFERENCE, inputs_of
from hostile import (
    CHANGES,
    ENDLESS,
    INSIDE,
    PATCHES,
    keeps_a_thread_running,
    patch,
    raising,
    spoils_the_case,
    turns,
    world,
)

from helpers.grader import check, checking, points, surroundings, time_limit
from helpers.grader.cases import case
from helpers.grader.checking import judge
from helpers.grader.listening import listening
from helpers.grader.panel import Panel
from helpers.grader.run_answer import attempt, close
from helpers.grader.time_limit import Stopped, limited, one_check
from solutions.ex04_direct_training.answers import implicit_rewards as RIGHT

WRONG = lambda *arguments: torch.zeros(3)


@pytest.fixture
def python_alone(monkeypatch):
    """Python says nothing of a thread that SystemExit ends. pytest would, and a second one breaks its saying so."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)


@pytest.fixture
def short(monkeypatch):
    """Limits that a test can wait for: of one call, and of one check."""
    monkeypatch.setattr(time_limit, "ONE_CALL", 0.2)
    monkeypatch.setattr(time_limit, "ONE_CHECK", 0.5)


def after(change, answer=RIGHT):
    """An answer that changes something first."""

    def changed(*arguments):
        change()
        return answer(*arguments)

    return changed


# ---- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("endless", ENDLESS, ids=lambda f: f.__name__)
def test_an_endless_answer_is_stopped_and_told_so(short, endless, capsys):
    assert check("4a", lambda *arguments: endless()) == 0.0
    shown = capsys.readouterr()
    assert shown.err == "" and "did not end within 0.2 seconds and was stopped" in shown.out
    assert "which condition of a loop never becomes false here? If none, which step" in shown.out
    assert checking.ENDLESS in shown.out and "  Input " in shown.out
    assert sys.gettrace() is None and check("4a", RIGHT) == 2.0


@pytest.mark.parametrize("part", ["3c", "4d", "6a", "6d", "10d"])
def test_an_endless_answer_of_another_kind_is_stopped(short, part):
    result = judge(lambda *arguments: turns(), case(part))
    assert result.score == 0.0 and "did not end" in repr(Panel(result))


def test_the_input_on_which_a_call_does_not_end_is_named(short):
    padded = torch.tensor(inputs_of("4a", "padded")["policy_logits"])

    def answer(policy_logits, *others):
        return turns() if torch.equal(policy_logits, padded) else RIGHT(policy_logits, *others)

    result = judge(answer, case("4a"))
    assert "did not end in time on ‘padded’" in repr(Panel(result)) and 0 < result.score < 2


def test_an_answer_that_does_not_end_on_its_first_input_is_tried_on_the_others(short):
    smallest = torch.tensor(inputs_of("4a", "one of two")["policy_logits"])

    def answer(policy_logits, *others):
        return turns() if torch.equal(policy_logits, smallest) else RIGHT(policy_logits, *others)

    with one_check() as clock:
        result = judge(answer, case("4a"))
    assert clock.stopped == 1 and not clock.left_out and result.score == 1.7
    assert "did not end in time on ‘one of two’" in repr(Panel(result))


def test_inputs_are_named_also_when_no_time_is_left_for_the_others(short):
    def answer(policy_logits, *others):
        return turns() if len(policy_logits) > 1 else RIGHT(policy_logits, *others)

    result = judge(answer, case("4a"))
    assert len(result.diagnoses) == 1 and "did not end in time on ‘" in result.diagnoses[0]
    assert "was not called" in " ".join(p.failure.yours for p in result.properties if p.failure)


def test_an_endless_backward_is_stopped(short):
    class Endless(torch.autograd.Function):
        @staticmethod
        def forward(ctx, loss):
            return loss.clone()

        @staticmethod
        def backward(ctx, gradient):
            turns()

    result = judge(lambda *arguments: Endless.apply(REFERENCE["4b"](*arguments)), case("4b"))
    gradient = next(p for p in result.properties if p.key == "gradient")
    assert "backward() did not end" in gradient.failure.yours and 1.8 <= result.score < 3


@pytest.mark.parametrize("part", REFERENCE)
def test_an_endless_answer_costs_no_more_than_the_limit(monkeypatch, part):
    """Seconds of the calls, as the check counts them, not of the check: the machine may be busy."""
    monkeypatch.setattr(time_limit, "ONE_CALL", 0.1)
    monkeypatch.setattr(time_limit, "ONE_CHECK", 0.2)
    with one_check() as clock:
        result = judge(lambda *arguments: turns(), case(part))
    assert result.score == 0.0 and "did not end" in repr(Panel(result))
    assert 1 <= clock.stopped == clock.made <= 3


def test_calls_are_no_longer_made_when_the_time_of_the_check_is_over(short):
    made = []
    with one_check() as clock:
        for _ in range(4):
            made.append(attempt(turns))
    assert [outcome.stopped for outcome in made] == [True] * 3 + [False] and made[3].left_out
    assert "when all calls of this check together had taken 0.5 seconds" in made[2].error
    assert "a faster method" in made[2].error and "never becomes false" not in made[2].error
    assert "was not called: all calls before this one took 0.5 seconds" in made[3].error
    assert (clock.made, clock.stopped, clock.left_out) == (3, 3, 1)


def test_a_slow_answer_below_the_limit_loses_nothing():
    def slow(*arguments):
        threading.Event().wait(0.01)
        return RIGHT(*arguments)

    assert judge(slow, case("4a")).score == 2.0


def test_no_exception_is_left_over_when_a_call_is(short, monkeypatch):
    """Calls that end just when their time does: the exception comes inside the call or not at all."""
    monkeypatch.setattr(time_limit, "AGAIN", 0.0005)
    monkeypatch.setattr(time_limit, "ONE_CALL", 0.003)
    ends = 0

    def about_as_long(turns: int):
        for _ in range(turns):
            pass

    for turns_ in range(1_000, 120_000, 1_000):
        try:
            limited(about_as_long, turns_)
            ends += 1
        except Stopped:
            pass
        about_as_long(1_000)  # here an exception left over would come
    assert ends and ctypes.pythonapi.PyThreadState_SetAsyncExc is not None


def test_a_check_inside_an_answer_is_watched_by_the_outer_one(short):
    def answer(*arguments):
        return judge(lambda *a: turns(), case("4a")).score

    assert "did not end" in judge(answer, case("4a")).failure.yours


def test_a_watcher_is_no_thread_of_the_answer():
    """Or it would be ended with them, and a check inside the answer lose its limit."""
    with listening() as heard, one_check():
        assert heard.started == []


def test_no_watcher_outlives_its_check():
    before = threading.active_count()
    judge(RIGHT, case("4a"))
    assert threading.active_count() == before


# ---- what is around an answer -------------------------------------------------------------------


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "call", [lambda f: judge(f, case("4a")), attempt], ids=["judge", "attempt"]
)
def test_what_an_answer_changes_is_as_before(change, call):
    before = world()
    call(after(change))
    assert world() == before


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_changes_cost_a_right_answer_nothing(change):
    assert judge(after(change), case("4a")).score == 2.0


def test_changes_are_undone_after_every_call_and_random_numbers_go_on():
    seen, drawn = [], []

    def answer(*arguments):
        seen.append((torch.get_default_dtype(), np.geterr()["over"]))
        drawn.append((np.random.rand(), torch.rand(()).item()))
        torch.set_default_dtype(torch.float64), np.seterr(over="raise")
        return RIGHT(*arguments)

    judge(answer, case("4a"))
    assert len(seen) > 3 and len(set(seen)) == 1 and len(set(drawn)) == len(drawn)


def test_the_handler_of_ctrl_c_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    judge(after(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)), case("4a"))
    assert signal.getsignal(signal.SIGINT) is before


def kept_functions():
    return [getattr(place, name, None) for place, name, _ in PATCHES.values()]


@pytest.mark.parametrize("name", [*PATCHES, *INSIDE])
def test_functions_replaced_during_a_call_earn_nothing(name, monkeypatch):
    before = kept_functions()
    assert judge(after(lambda: patch(name), WRONG), case("4a")).score == 0.0
    assert all(now is was for now, was in zip(kept_functions(), before))
    assert not close(np.ones(1), np.zeros(1)) and judge(RIGHT, case("4a")).score == 2.0


@pytest.mark.parametrize("name", [*PATCHES, *INSIDE])
def test_functions_replaced_before_the_check_earn_nothing(name, capsys):
    replaced = surroundings.Functions()
    replaced.add_new()
    try:
        patch(name)
        score = check("4a", WRONG)
        shown = capsys.readouterr().out
    finally:
        changed = replaced.put_back()
    assert score == 0.0 and "0 of 2 points" in shown
    assert changed  # the cell's own replacement stands again after the check


def test_functions_replaced_before_the_check_stand_again_after_it(monkeypatch):
    mine = lambda *a, **k: True
    monkeypatch.setattr(torch, "allclose", mine)
    judge(RIGHT, case("4a"))
    assert torch.allclose is mine


def test_new_names_stay():
    def answer(*arguments):
        builtins.new_name_of_an_answer = 1
        importlib.import_module("helpers.length")
        return RIGHT(*arguments)

    assert judge(answer, case("4a")).score == 2.0
    assert builtins.new_name_of_an_answer == 1
    del builtins.new_name_of_an_answer


def test_a_case_changed_in_memory_earns_nothing():
    spoils_the_case()
    assert (
        check("4a", after(spoils_the_case, WRONG)) == 0.0 and case("4a")["properties"][0]["probes"]
    )


def test_threads_left_running_are_ended(python_alone):
    running: list[threading.Thread] = []
    assert judge(after(lambda: keeps_a_thread_running(running)), case("4a")).score == 2.0
    assert len(running) > 3 and not any(thread.is_alive() for thread in running)


def test_a_thread_that_waits_for_ever_holds_nobody_up(python_alone, monkeypatch):
    monkeypatch.setattr(surroundings, "PATIENCE", 0.05)
    gate, waiting = threading.Event(), []

    def waits():
        waiting.append(threading.Thread(target=gate.wait, daemon=True))
        waiting[-1].start()

    try:
        assert judge(after(waits), case("4a")).score == 2.0
    finally:
        gate.set()
        for thread in waiting:
            thread.join()


def test_the_watcher_of_another_check_goes_on(short):
    """Two checks overlap. The second begins during the first, and its answer outlasts it."""
    first_runs, second_runs, first_is_over = (threading.Event() for _ in range(3))
    results = []

    def waits(*arguments):
        first_runs.set()
        assert second_runs.wait(60)
        return RIGHT(*arguments)

    def outlasts(*arguments):
        second_runs.set()
        assert first_is_over.wait(60)
        for _ in range(100_000_000):
            pass

    def first():
        attempt(waits)
        first_is_over.set()

    def second():
        results.append(judge(outlasts, case("4a")))

    threads = [threading.Thread(target=run) for run in (first, second)]
    threads[0].start()
    assert first_runs.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert "did not end" in results[0].failure.yours


def test_threads_of_others_go_on():
    gate, told = threading.Event(), []
    other = threading.Thread(target=lambda: (gate.wait(60), told.append("done")))
    other.start()
    judge(RIGHT, case("4a"))
    gate.set()
    other.join()
    assert told == ["done"]


def test_points_are_those_of_the_result_whatever_an_answer_replaces():
    patched = after(lambda: patch("Result.score"), WRONG)
    assert check("4a", patched) == 0.0 and points.earlier()["4a"] == 0.0


@pytest.mark.parametrize("error", [SystemExit(0), RecursionError(), MemoryError()])
def test_what_would_leave_the_cell_does_not(error):
    assert check("4a", raising(error)) == 0.0


@pytest.mark.parametrize("part", REFERENCE)
def test_references_keep_their_points(part):
    assert judge(REFERENCE[part], case(part)).score == case(part)["points"]
