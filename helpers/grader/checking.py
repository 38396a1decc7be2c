"""What a learner calls: ``check`` and ``progress``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from IPython.display import display

from helpers.grader import points
from helpers.grader.cases import case, parts
from helpers.grader.exercises import judges
from helpers.grader.listening import listening
from helpers.grader.panel import Panel, Progress
from helpers.grader.result import Result
from helpers.grader.surroundings import kept
from helpers.grader.texts import described, type_name
from helpers.grader.time_limit import Clock, one_check
from helpers.grader.unwritten import untouched

_judges = MappingProxyType(judges())
_latest: dict[str, Result] = {}  # of this session, for progress()

STOPPED = (
    "You stopped this check before it was done, so nothing was counted and earlier points stay. If your function was "
    "not slow but endless: which condition of its loop never changes on these inputs?"
)
ENDLESS = (
    "No call of your function came to an end in time, so each was stopped. What does its loop wait for, and which line "
    "inside the loop brings that about? Or is it only slow: is there a faster method?"
)


def judge(answer: Any, case: dict[str, Any]) -> Result:
    """Judge one answer against one part's frozen case: no display, nothing kept.

    Raises nothing but KeyboardInterrupt, for Ctrl-C.
    """
    head = case["part"], case["title"], case["points"]
    if answer is None or untouched(answer):
        return Result(*head, "unattempted")
    if not callable(answer):
        return Result(
            *head,
            "error",
            note=f"This is a {type_name(answer)}: expected the function itself, as in "
            f'check("{case["part"]}", {case["asks_for"]}), without calling it.',
        )
    with kept(), one_check() as clock, listening() as heard:
        try:
            result = _judges[case["part"]](answer, case)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # what no judge foresees; the cell still ends with 0.0
            note = f"The check itself could not finish: it {described(error)}."
            result = Result(*head, "error", note=note)
    return replace(result, printed=heard.printed(), diagnoses=_diagnoses(result, clock))


def _diagnoses(result: Result, clock: Clock) -> tuple[str, ...]:
    """Those of the judge, unless every call had to be stopped."""
    return (ENDLESS,) if clock.stopped == clock.made > 1 else result.diagnoses


def check(part: str, answer: Callable | None) -> float:
    """Judge an answer, show a panel, return the points: 0.0 while nothing is written or when stopped by hand.

    Never raises, whatever the answer does; what ends the interpreter ends the check, too. Raises ValueError for a part
    that does not exist.

    An answer is stopped when it does not end, and what it changes around it is put back: see ``time_limit`` and
    ``surroundings``. So a slip spoils nothing for the next cell, and replacing ``np.all`` or a function of the grader
    earns nothing. Yet all this happens in the learner's own Python: code that wants to can read the frozen cases from
    disk or from the frames of its callers and return what it finds there. ``check`` is for learning; marks come from a
    run on the instructor's machine.
    """
    with kept():  # around all: with a replaced isinstance, Python 3.12 and 3.13 find no file
        if not isinstance(part, str) or part not in parts():
            raise ValueError(f"unknown part {part!r}: expected one of {', '.join(parts())}")
        panel, score = _judged(part, answer)
        _show(panel)
    return score


def _judged(part: str, answer: Any) -> tuple[Panel, float]:
    asked = case(part)
    try:
        result = judge(answer, asked)
    except KeyboardInterrupt:
        stopped = Result(part, asked["title"], asked["points"], "error", note=STOPPED)
        return Panel(stopped), 0.0
    _latest[part] = result
    if result.status != "unattempted":
        points.keep(part, result.score)
    return Panel(result), result.score


def progress() -> float:
    """Show the points of every part, as last checked; return their sum.

    Parts that this session has not checked show what an earlier one earned.
    """
    rows, before = [], points.earlier()
    for part in parts():
        recorded = case(part)
        full = recorded["points"]
        earned = _latest[part].score if part in _latest else before.get(part, 0.0)
        rows.append((part, recorded["title"], min(max(earned, 0.0), full), full))
    _show(Progress(rows))
    return float(sum(earned for _, _, earned, _ in rows))


def _show(panel: Panel | Progress) -> None:
    """Display; a terminal without a tick or a bar shows ? instead."""
    try:
        display(panel)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(repr(panel).encode(encoding, "replace").decode(encoding))
