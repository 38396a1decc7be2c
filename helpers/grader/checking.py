"""What a learner calls: ``check`` and ``progress``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from IPython.display import display

from helpers.grader import points
from helpers.grader.cases import case, parts
from helpers.grader.exercises import judges
from helpers.grader.listening import listening
from helpers.grader.panel import Panel, Progress
from helpers.grader.result import Result
from helpers.grader.texts import described, type_name
from helpers.grader.unwritten import untouched

_judges = judges()
_latest: dict[str, Result] = {}  # of this session, for progress()


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
    with listening() as heard:
        try:
            result = _judges[case["part"]](answer, case)
        except KeyboardInterrupt:
            raise
        except (
            BaseException
        ) as error:  # an answer can break Python's tools; the cell still ends with 0.0
            note = f"The check itself could not finish: it {described(error)}."
            result = Result(*head, "error", note=note)
    return replace(result, printed=heard.printed())


def check(part: str, answer: Callable | None) -> float:
    """Judge an answer, show a panel, return the points: 0.0 while nothing is written.

    Never raises, whatever the answer does. Raises ValueError for a part that does not exist.
    """
    if not isinstance(part, str) or part not in parts():
        raise ValueError(f"unknown part {part!r}: expected one of {', '.join(parts())}")
    result = judge(answer, case(part))
    _latest[part] = result
    if result.status != "unattempted":
        points.keep(part, result.score)
    _show(Panel(result))
    return result.score


def progress() -> float:
    """Show the points of every part, as last checked; return their sum.

    Parts that this session has not checked show what an earlier one earned.
    """
    rows, before = [], points.earlier()
    for part in parts():
        full = case(part)["points"]
        earned = _latest[part].score if part in _latest else before.get(part, 0.0)
        rows.append((part, case(part)["title"], min(max(earned, 0.0), full), full))
    _show(Progress(rows))
    return float(sum(earned for _, _, earned, _ in rows))


def _show(panel: Panel | Progress) -> None:
    """Display; a terminal without a tick or a bar shows ? instead."""
    try:
        display(panel)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(repr(panel).encode(encoding, "replace").decode(encoding))
