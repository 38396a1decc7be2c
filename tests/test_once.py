"""Results that are made once, also where several threads ask, and ahead of need."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch
from grading import ROOT

from helpers.once import ahead, once
from helpers.training.loop import bar


@pytest.fixture(autouse=True)
def arms_as_by_default(monkeypatch):
    monkeypatch.delenv("LESSON_ARMS", raising=False)


def test_a_result_is_made_once_for_each_argument():
    made = []

    @once
    def double(k):
        made.append(k)
        return [2 * k]

    assert double(3) is double(3) and double(3) == [6] and double(4) == [8]
    assert made == [3, 4]


def test_who_asks_while_it_is_made_waits_and_gets_the_same():
    started, go, made = threading.Event(), threading.Event(), []

    @once
    def slow():
        started.set()
        assert go.wait(20)
        made.append(1)
        return object()

    thread = ahead(slow)
    assert started.wait(20) and made == []
    threading.Timer(0.05, go.set).start()
    assert slow() is slow()
    thread.join(20)
    assert made == [1]


def test_what_raises_is_not_remembered_and_is_told_to_whoever_asks():
    tries = []

    @once
    def second_time():
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("first time")
        return len(tries)

    with pytest.raises(RuntimeError, match="first time"):
        second_time()
    assert second_time() == 2 and second_time() == 2


def test_a_thread_that_was_stopped_anywhere_does_not_wait_for_itself():
    """The time limit of a check raises between any two steps: here after each line of ``once`` in turn."""
    for at in range(1, 12):
        slow, steps = once(lambda: 7), []

        def stop(frame, event, argument, steps=steps, at=at):
            if frame.f_code.co_name != "remembered":
                return None
            steps.append(event)
            if len(steps) == at:
                raise KeyboardInterrupt
            return stop

        before = sys.gettrace()
        sys.settrace(stop)
        try:
            slow()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert slow() == 7, at


def test_who_waited_for_what_raises_hears_it():
    started, go = threading.Event(), threading.Event()

    @once
    def fails():
        started.set()
        assert go.wait(20)
        raise RuntimeError("here")

    ahead(fails)
    assert started.wait(20)
    threading.Timer(0.05, go.set).start()
    with pytest.raises(RuntimeError, match="here"):
        fails()


def test_an_interrupt_leaves_nothing_behind():
    tries = []

    @once
    def interrupted():
        tries.append(1)
        if len(tries) == 1:
            raise KeyboardInterrupt
        return "made"

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert interrupted() == "made"


def test_calls_ahead_follow_one_another_past_a_failure_with_one_torch_thread_and_no_bars():
    seen = []

    def look():
        seen.append((torch.get_num_threads(), threading.current_thread().daemon))

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ahead(look, lambda: 1 / 0, look).join(20)
    finally:
        torch.set_num_threads(before)
    assert seen == [(1, True)] * 2


def test_nothing_starts_where_one_run_at_a_time_is_wanted(monkeypatch):
    monkeypatch.setenv("LESSON_ARMS", "1")
    assert ahead(lambda: pytest.fail("started")) is None


def test_no_call_is_refused():
    with pytest.raises(ValueError, match="no calls: expected at least one"):
        ahead()


def test_training_in_the_background_shows_no_bar_and_counts_the_same_steps(monkeypatch):
    monkeypatch.delenv("LESSON_QUIET", raising=False)
    counted = []
    ahead(lambda: counted.append((hasattr(bar(3, "x"), "disable"), list(bar(3, "x"))))).join(20)
    assert counted == [(False, [0, 1, 2])] and not bar(3, "x").disable


def test_a_model_made_ahead_is_the_model_bit_for_bit():
    code = (
        "import torch, sys; torch.set_num_threads(1)\n"
        "from helpers.once import ahead\n"
        "from helpers.lesson import reference\n"
        "thread = ahead(reference) if sys.argv[1] == 'ahead' else None\n"
        "if thread: thread.join()\n"
        "print(repr(reference()[1].sum().item()), reference()[1].tolist()[5][:3])"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code, how],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for how in ("ahead", "now")
    ]
    assert made[0] == made[1] and made[0]


@pytest.mark.parametrize("seconds", [0.0, 0.4, 0.8])
def test_a_process_that_ends_while_something_is_made_ends_well(seconds):
    """Killed in the midst of a backward pass, the thread would end the process by an abort."""
    code = (
        "import torch, time\nfrom helpers.once import ahead\n"
        "from helpers.lesson import chat_reference\n"
        f"ahead(chat_reference, chat_reference)\ntime.sleep({seconds})"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
