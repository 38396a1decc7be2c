"""How robustly listed mistakes are recognised: from writings that the case does not hold, and beside a small slip.

Everything is worked out on what each writing was observed to do, so that a thousand judgements cost little.
"""

from __future__ import annotations

import functools
import zlib
from typing import Any

import numpy as np
from grading import key

from helpers.grader.cases import array, case
from helpers.grader.exercises import judges
from helpers.grader.exercises.ex01_choices import rows
from helpers.grader.judge_function import (
    Observations,
    _failed,
    _trial,
    explanation,
    in_any_order,
    judge_function,
    judge_rows,
    observed,
)
from helpers.grader.recognition import Observed, recorded
from helpers.grader.run_answer import close


BY_NUMBERS = judge_function, judge_rows, rows.judge  # in these the frozen numbers decide first


def observations(part: str, answer) -> Observed:
    """What an answer gives at every place of a part."""
    frozen = case(part)
    answer = answer if judges()[part] is judge_function else in_any_order(answer)
    inputs = {
        name: {k: array(v) for k, v in given.items()} for name, given in frozen["inputs"].items()
    }
    seen = Observations(_trial(answer, frozen, inputs), inputs, tuple(frozen.get("returns", ())))
    failed = {spec["key"]: _failed(spec, seen, inputs) for spec in frozen["properties"]}
    return observed(frozen, seen, failed)


def _each(dtype):
    """Every value held in another dtype for a while, or multiplied by a number."""

    def slip(what: Observed) -> dict:
        with np.errstate(all="ignore"):
            return {
                place: value
                if isinstance(value, str)
                else value * dtype
                if isinstance(dtype, float)
                else value.astype(dtype).astype(np.float64)
                for place, value in what.yours.items()
            }

    return slip


def _any_of(places: list):
    """One of them, the same in every run."""
    return places[zlib.crc32(repr(places).encode()) % len(places)] if places else None


def _right_once(what: Observed) -> dict:
    """Right, by luck or by a special case, at one place where the mistake shows."""
    lucky = _any_of(sorted(place for place in what.failed if place in what.right))
    return {p: what.right[p] if p == lucky else value for p, value in what.yours.items()}


def _wrong_once_more(what: Observed) -> dict:
    """Wrong in another way at one place where the answer was right."""
    there = _any_of(sorted(place for place in what.right if place not in what.failed))
    return {p: 0.7 * value + 0.31 if p == there else value for p, value in what.yours.items()}


def _raises_first(what: Observed) -> dict:
    first = next(iter(what.yours))[0]
    return {p: "raised IndexError" if p[0] == first else v for p, v in what.yours.items()}


SLIPS = {
    "right once": _right_once,
    "wrong once more": _wrong_once_more,
    "raises on the first": _raises_first,
    "float16": _each(np.float16),
    "float32": _each(np.float32),
    "1 + 1e-6": _each(1 + 1e-6),
}


def without(mistakes: list[dict[str, Any]], message: str, place: int) -> list[dict[str, Any]]:
    """The list without one writing of one mistake."""
    return [
        {**m, "writings": [w for i, w in enumerate(m["writings"]) if i != place]}
        if m["message"] == message
        else m
        for m in mistakes
    ]


def _recorded(outputs: list[dict], what: Observed) -> bool:
    """Whether recorded outputs are all that this writing gets wrong."""
    there = {(o["input"], o["of"]): array(o["value"]) for o in outputs}
    return what.usable <= set(there) and all(
        not isinstance(what.yours[p], str) and close(what.yours[p], value, 0.5)
        for p, value in there.items()
    )


@functools.cache
def measured_recognition(part: str) -> list[dict[str, Any]]:
    """One row for each writing and each way of disguising it: what was told instead or beside.

    Rows: mistake, how ('left out' or a slip), told (whether its own message was), wrongly (messages of others).
    """
    mistakes, rows = case(part)["mistakes"], []
    known_all = recorded(mistakes)
    frozen = {m["key"]: m for m in mistakes}
    for mistake in key(part, "mistakes").MISTAKES[part]:
        stored = frozen[mistake.key].get("writings", [])
        for answer in mistake.writings if stored else ():
            what = observations(part, answer)
            mine = [i for i, outputs in enumerate(stored) if _recorded(outputs, what)]
            tried = {name: (known_all, what.again(slip(what))) for name, slip in SLIPS.items()}
            if len(stored) > 1 and mine:
                fewer = without(mistakes, mistake.message, mine[0])
                tried["left out"] = recorded(fewer), what
            for how, (known, seen) in tried.items():
                told, habits = explanation(known, seen)
                others = [
                    m["key"] for m in mistakes if m["message"] in told and m["key"] != mistake.key
                ]
                rows.append(
                    {
                        "mistake": mistake.key,
                        "how": how,
                        "told": mistake.message in told,
                        "wrongly": others,
                        "habits": habits,
                    }
                )
    return rows
