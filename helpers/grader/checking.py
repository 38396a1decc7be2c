"""What a learner calls: ``check`` and ``progress``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from IPython.display import display

from helpers.grader import (
    budget,
    confidence,
    coverage,
    detection,
    displacement,
    functions,
    harm,
    imitation,
    pooled,
    separation,
    tail,
    unordered,
)
from helpers.grader.frozen import FOLDER, case
from helpers.grader.listening import listening
from helpers.grader.panel import Panel, Progress
from helpers.grader.result import Result
from helpers.grader.texts import described, type_name
from helpers.grader.unwritten import untouched

JUDGES = {
    "functions": functions.judge,
    "unordered": unordered.judge,
    "imitation": imitation.judge,
    "tail": tail.judge,
    "tail_metric": tail.judge_metric,
    "budget": budget.judge,
    "displacement": displacement.judge,
    "detection": detection.judge,
    "harm": harm.judge,
    "separation": separation.judge,
    "confidence": confidence.judge,
    "confidence_metric": confidence.judge_metric,
    "pooled": pooled.judge,
    "coverage": coverage.judge,
}
_latest: dict[str, Result] = {}  # of this session, for progress()


def parts() -> list[str]:
    """The parts that can be checked, in order: '4a', '4b', …"""
    return sorted(
        (path.stem for path in FOLDER.glob("*.json")), key=lambda part: (int(part[:-1]), part[-1])
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
    with listening() as heard:
        try:
            result = JUDGES[case["judge"]](answer, case)
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
    _show(Panel(result))
    return result.score


def progress() -> float:
    """Show the points of every part, as last checked in this session; return their sum."""
    rows = []
    for part in parts():
        earned = _latest[part].score if part in _latest else 0.0
        rows.append((part, case(part)["title"], earned, case(part)["points"]))
    _show(Progress(rows))
    return float(sum(earned for _, _, earned, _ in rows))


def _show(panel: Panel | Progress) -> None:
    """Display; a terminal without a tick or a bar shows ? instead."""
    try:
        display(panel)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(repr(panel).encode(encoding, "replace").decode(encoding))
