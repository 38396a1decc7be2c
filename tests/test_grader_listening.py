"""What an answer writes: kept from the cell, told in the panel; afterwards all is as before."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import warnings

import nbformat
import pytest
from grading import ROOT, executed
from IPython.display import display

from helpers.grader import check, checking
from helpers.grader.cases import case
from helpers.grader.checking import judge
from helpers.grader.listening import LINES, WIDTH, Heard, listening
from helpers.grader.panel import Panel
from helpers.grader.result import Printed, Result
from helpers.grader.run_answer import attempt
from solutions.ex04_direct_training.answers import implicit_rewards as RIGHT


def noisy(write):
    """The right answer to 4a, which writes first."""

    def answer(*arguments):
        write()
        return RIGHT(*arguments)

    return answer


def replaces_streams():
    sys.stdout = sys.stderr = sys.__stderr__ = io.StringIO()


def closes_streams():
    sys.stdout.close()
    sys.stderr.close()


def makes_warnings_errors():
    warnings.warn("in the second call, this must not be an error")
    warnings.simplefilter("error")
    warnings.showwarning = None


def clears_filters():
    warnings.filters = []


def replaces_logging():
    logging.Logger.callHandlers = None


def interrupts():
    raise KeyboardInterrupt


def interrupts_after_all_that():
    replaces_streams()
    makes_warnings_errors()


SABOTAGE = [
    replaces_streams,
    closes_streams,
    makes_warnings_errors,
    clears_filters,
    replaces_logging,
    interrupts,
    interrupts_after_all_that,
]


def surroundings() -> tuple:
    return (
        sys.stdout,
        sys.stderr,
        sys.__stdout__,
        sys.__stderr__,
        warnings.filters,
        list(warnings.filters),
        warnings.showwarning,
        logging.Logger.callHandlers,
    )


def next_descriptor() -> int:
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


def judged(answer) -> Result:
    result = judge(answer, case("4a"))
    assert "could not finish" not in result.note, result.note
    return result


# ---- as it was --------------------------------------------------------------------------------


@pytest.mark.parametrize("sabotage", SABOTAGE)
@pytest.mark.parametrize("call", [judged, attempt], ids=["judge", "attempt"])
def test_streams_filters_and_logging_are_as_before_whatever_an_answer_does(sabotage, call):
    before = surroundings()
    free = next_descriptor()
    try:
        call(noisy(sabotage))
    except KeyboardInterrupt:
        assert sabotage in (interrupts, interrupts_after_all_that)
    assert surroundings() == before
    assert next_descriptor() == free  # none is left open


@pytest.mark.parametrize("sabotage", [s for s in SABOTAGE if s is not interrupts])
def test_sabotage_costs_an_answer_nothing(sabotage, capfd):
    assert check("4a", noisy(sabotage)) == 2.0
    assert capfd.readouterr().err == ""


def test_what_an_answer_puts_in_place_is_gone_when_its_call_is_over(capsys):
    """Its result writes when it is thrown away, which is after the call."""
    real = sys.stderr

    class Parting:
        def __del__(self):
            print("bye", file=sys.stderr)

    def answer(*arguments):
        sys.stderr = real
        return Parting()

    assert judged(answer).printed.first.startswith("bye") and capsys.readouterr().err == ""


def test_an_interrupted_call_leaves_everything_as_before():
    """By a real signal, in mid-call."""
    import signal

    before = surroundings()

    def slow(*arguments):
        signal.raise_signal(signal.SIGINT)
        return RIGHT(*arguments)

    assert check("4a", slow) == 0.0
    assert surroundings() == before


def test_checks_in_several_threads_leave_everything_as_before(capsys):
    """They overlap: each answer waits in its first call until all of them are in theirs."""
    before = surroundings()
    together = threading.Barrier(4)
    results = {}

    def run(number: int):
        first = iter([True])

        def answer(*arguments):
            if next(first, False):
                together.wait(timeout=60)
            print(f"thread {number}")
            sys.stderr.write("to stderr\n")
            return RIGHT(*arguments)

        results[number] = judged(answer)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert surroundings() == before and capsys.readouterr() == ("", "")
    assert {number: result.score for number, result in results.items()} == dict.fromkeys(
        range(4), 2.0
    )
    for number, result in results.items():
        assert result.printed.first.splitlines()[0] == f"thread {number}"
        assert len({line for line in result.printed.first.splitlines() if "thread" in line}) == 1


def test_an_answer_may_run_a_check_in_a_thread_and_wait_for_it(capsys):
    """With a lock around the attempts, this would wait forever."""

    def answer(*arguments):
        inner = threading.Thread(target=lambda: judged(noisy(lambda: print("inner"))))
        inner.start()
        inner.join(timeout=60)
        assert not inner.is_alive()
        return RIGHT(*arguments)

    assert check("4a", answer) == 2.0
    assert capsys.readouterr().err == ""


def test_other_threads_write_where_they_did(capsys):
    """A thread that ran before the check keeps its output, one that the answer starts does not."""
    go, done = threading.Event(), threading.Event()

    def other():
        go.wait(timeout=60)
        print("from another thread")
        sys.stderr.write("complaint from another thread\n")
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def write():
        own = threading.Thread(target=lambda: print("from its own thread", file=sys.stderr))
        own.start()
        own.join()
        go.set()
        done.wait(timeout=60)

    result = judged(noisy(write))
    thread.join()
    assert capsys.readouterr() == ("from another thread\n", "complaint from another thread\n")
    assert set(result.printed.first.splitlines()) == {"from its own thread"}


def test_a_thread_that_another_one_starts_during_a_check_is_no_thread_of_the_answer(capsys):
    """It writes where it would have, and so do its own threads; the answer's end is not theirs."""
    go, begun, over = threading.Event(), threading.Event(), threading.Event()
    told = []

    def own_of_late():
        print("from a thread of the late one")
        begun.set()
        over.wait(timeout=60)
        told.append("went on")

    def late():
        print("from the late one")
        own = threading.Thread(target=own_of_late)
        own.start()
        own.join()

    def other():
        go.wait(timeout=60)
        begun_late.start()

    begun_late = threading.Thread(target=late)
    before = threading.Thread(target=other)
    before.start()
    result = judged(noisy(lambda: (go.set(), begun.wait(timeout=60))))
    over.set()
    before.join()
    begun_late.join()
    assert told == ["went on"] and result.printed is None
    assert capsys.readouterr().out == "from the late one\nfrom a thread of the late one\n"


def test_a_stream_kept_by_an_answer_writes_on_to_the_cell_afterwards(capsys):
    kept = []
    judged(noisy(lambda: kept.append(sys.stdout)))
    print("after", file=kept[0], flush=True)
    assert capsys.readouterr().out == "after\n"


def test_a_check_inside_an_answer_is_heard_by_the_outer_one(capsys):
    with listening() as outer:
        with listening() as inner:
            print("inside")
        print("still inside")
    assert inner is outer and outer.printed() == Printed(2, "inside\nstill inside")
    assert capsys.readouterr().out == ""


# ---- what is heard ----------------------------------------------------------------------------


class LyingText(str):
    def __getitem__(self, key):
        raise SystemExit

    __len__ = __str__ = count = endswith = __getitem__


LOGGER = logging.getLogger("an answer")
WRITES = {
    "print": lambda: print("hello"),
    "print to stderr": lambda: print("hello", file=sys.stderr),
    "stdout": lambda: sys.stdout.write("hello\n"),
    "stderr": lambda: sys.stderr.write("hello\n"),
    "Python's own stderr": lambda: sys.__stderr__.write("hello\n"),
    "lines": lambda: sys.stdout.writelines(["hel", "lo\n"]),
    "a lying text": lambda: sys.stdout.write(LyingText("hello\n")),
    "display": lambda: display("hello"),
    "a thread": lambda: (t := threading.Thread(target=print, args=("hello",))).start() or t.join(),
    "a nested check": lambda: check("4a", noisy(lambda: print("hello"))),
}


@pytest.mark.parametrize("name", list(WRITES))
def test_whatever_an_answer_writes_is_in_the_panel_and_not_above_it(name, capfd):
    result = judged(noisy(WRITES[name]))
    assert "hello" in result.printed.first and result.score == 2.0
    assert capfd.readouterr() == ("", "")
    text, page = repr(Panel(result)), Panel(result)._repr_html_()
    assert (
        text.splitlines()[-LINES - 1].startswith("Your function printed")
        and "  | " in text.splitlines()[-1]
    )
    assert page.count("<details><summary>Your function printed") == 1 == page.count("</details>")


def test_log_records_are_heard_whatever_stream_their_handlers_hold(capsys):
    handler = logging.StreamHandler(sys.stderr)  # of before the check
    LOGGER.addHandler(handler)
    try:
        result = judged(noisy(lambda: LOGGER.warning("hello %s", "there")))
        assert result.printed.first.splitlines()[0] == "WARNING: hello there"
        assert judged(noisy(lambda: LOGGER.warning("%d", "no number"))).score == 2.0
        assert capsys.readouterr() == ("", "")
        LOGGER.warning("afterwards")
        assert capsys.readouterr().err == "afterwards\n"
    finally:
        LOGGER.removeHandler(handler)


def test_warnings_are_dropped_and_not_called_printed(recwarn):
    assert judged(noisy(lambda: warnings.warn("hello"))).printed is None and not recwarn.list


def test_an_answer_that_writes_nothing_is_told_nothing():
    assert judged(RIGHT).printed is None and "printed" not in repr(Panel(judged(RIGHT)))


def test_nine_thousand_lines_are_counted_and_five_are_shown(capsys):
    """In every call a thousand lines; the panel stays as small as it was."""
    calls = []

    def flood():
        calls.append(1)
        print("\n".join(f"line {i}" for i in range(1000)))

    assert check("4a", noisy(flood)) == 2.0
    shown = capsys.readouterr().out.splitlines()
    assert (
        shown[-6]
        == f"Your function printed {1000 * len(calls):,} lines during this check; the first 5:"
    )
    assert shown[-5:] == [f"  | line {i}" for i in range(5)] and len(shown) < 20


@pytest.mark.parametrize(
    "texts, lines, first",
    [
        ([], 0, None),
        ([""], 0, None),
        (["a"], 1, "a"),
        (["a\n"], 1, "a"),
        (["a", "b\nc"], 2, "ab\nc"),
        (["\n"], 1, ""),
        (["1\n2\n3\n4\n5\n6\n"], 6, "1\n2\n3\n4\n5"),
        (["a\r\nb\n"], 2, "a\nb"),
        (["\x1b[31mred\a\n"], 1, "�[31mred�"),
        (["x" * 1_000_000], 1, "x" * WIDTH + "…"),
    ],
)
def test_lines_are_counted_and_cut(texts, lines, first):
    heard = Heard()
    for text in texts:
        heard.add(text)
    assert heard.printed() == (Printed(lines, first) if lines else None)


@pytest.mark.parametrize(
    "printed, heading",
    [
        (Printed(1, "a"), "Your function printed 1 line during this check:"),
        (Printed(2, "a\nb"), "Your function printed 2 lines during this check:"),
        (
            Printed(9072, "a\nb"),
            "Your function printed 9,072 lines during this check; the first 2:",
        ),
    ],
)
def test_the_heading_is_true(printed, heading):
    panel = Panel(Result("4x", "title", 1.0, "wrong", printed=printed))
    assert heading in repr(panel) and f"<summary>{heading}</summary>" in panel._repr_html_()


def test_what_an_answer_prints_is_escaped():
    page = Panel(judged(noisy(lambda: print("</details><script>alert(1)</script>"))))._repr_html_()
    assert "<script" not in page and "&lt;script&gt;" in page and page.count("</details>") == 1


def test_what_is_no_text_is_refused_as_by_a_stream():
    result = judged(noisy(lambda: sys.stdout.write(b"hello")))
    assert result.score == 0.0 and "TypeError" in result.failure.yours


# ---- in a kernel ------------------------------------------------------------------------------

IN_A_KERNEL = """
import logging, os, subprocess, sys, threading, warnings
import IPython.display
logging.basicConfig(level="DEBUG")
before = sys.stdout, sys.stderr, get_ipython().display_pub

def implicit_rewards(*arguments):
    print("hello", file=sys.stderr)
    sys.__stderr__.write("hello\\n")
    os.write(2, b"hello\\n")
    if not calls:
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('hello')"])
    calls.append(1)
    logging.error("hello")
    warnings.warn("hello")
    IPython.display.clear_output()
    IPython.display.display("hello")
    own = threading.Thread(target=lambda: 1 / 0)
    own.start(), own.join()
    raise ValueError("enough")

calls = []
print("above", flush=True)
check("4a", implicit_rewards)
"""
AFTERWARDS = """
assert (sys.stdout, sys.stderr, get_ipython().display_pub) == before
print("out"), os.write(2, b"err\\n")
import time
time.sleep(0.5)  # for the thread that brings descriptor 2 to the cell
"""


def test_in_a_kernel_nothing_reaches_the_cell_but_the_panel_and_the_points():
    setup = nbformat.read(ROOT / "exercises.ipynb", as_version=4).cells[1]
    cells = [setup, *(nbformat.v4.new_code_cell(source) for source in (IN_A_KERNEL, AFTERWARDS))]
    checked, afterwards = executed(nbformat.v4.new_notebook(cells=cells)).cells[1:]
    kinds = [output.output_type for output in checked.outputs]
    assert kinds == ["stream", "display_data", "execute_result"]
    assert checked.outputs[0] == {"output_type": "stream", "name": "stdout", "text": "above\n"}
    assert "Your function printed" in checked.outputs[1].data["text/html"]
    outputs = [output for output in afterwards.outputs if output.output_type == "stream"]
    streams = {output.name: output.text for output in outputs}
    assert streams == {"stdout": "out\n", "stderr": "err\n"}


# ---- a terminal without ticks -----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_panel_appears_on_a_terminal_that_knows_few_characters(encoding, tmp_path):
    program = (
        "from helpers.grader import check, progress; print(check('4a', lambda *a: 0), progress())"
    )
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]  # in a folder without the points of earlier sessions
    found = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True)
    assert (found.returncode, found.stderr) == (0, b"") and found.stdout.split()[-2:] == [
        b"0.0",
        b"0.0",
    ]
    assert b"4a" in found.stdout and b"of 100 points" in found.stdout


def test_check_shows_the_panel_itself_where_there_is_a_front_end(monkeypatch):
    shown = []
    monkeypatch.setattr(checking, "display", shown.append)
    check("4a", noisy(lambda: print("hello")))
    assert shown[0].result.printed.first.splitlines()[0] == "hello"
