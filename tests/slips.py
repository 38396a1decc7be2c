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
from helpers.grader.judge_function import (
    Observations,
    _failed,
    _trial,
    in_any_order,
    judge_function,
    observed,
    right_on,
)
from helpers.grader.recognition import best_explanation


def observations(part: str, answer) -> tuple[dict, dict, set]:
    """(yours, right, wrong) of an answer, by place."""
    frozen = case(part)
    answer = answer if judges()[part] is judge_function else in_any_order(answer)
    inputs = {
        name: {k: array(v) for k, v in given.items()} for name, given in frozen["inputs"].items()
    }
    seen = Observations(_trial(answer, frozen, inputs), inputs, tuple(frozen.get("returns", ())))
    failed = {spec["key"]: _failed(spec, seen, inputs) for spec in frozen["properties"]}
    return observed(frozen, seen, failed)


def again_wrong(part: str, yours: dict, right: dict, before: set) -> set:
    """The places that are wrong after values have changed."""
    wrong = {place for place in before if place not in right}
    for spec in case(part)["properties"]:
        for probe in spec["probes"]:
            place = probe["input"], probe["of"]
            if place not in right or spec["kind"] in ("same", "raises"):
                continue
            mine = yours[place]
            if "within" in probe and not isinstance(mine, str):
                low, high = probe["within"]
                fine = mine.size == 1 and low <= mine.item() <= high
            else:
                fine = right_on(mine, right[place], spec)
            wrong |= set() if fine else {place}
    return wrong


def _each(change):
    return lambda yours, right, wrong: {
        place: value if isinstance(value, str) else change(value) for place, value in yours.items()
    }


def _half(value: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return value.astype(np.float16).astype(np.float64)


def _right_once(yours, right, wrong):
    """Right, by luck or by a special case, at one place where the mistake shows."""
    places = sorted(place for place in wrong if place in right)
    lucky = places[zlib.crc32(repr(places).encode()) % len(places)] if places else None
    return {place: right[place] if place == lucky else value for place, value in yours.items()}


def _wrong_once(yours, right, wrong):
    """Wrong in another way at one place where the answer was right."""
    places = sorted(place for place in right if place not in wrong and not isinstance(yours[place], str))
    there = places[zlib.crc32(repr(places).encode()) % len(places)] if places else None
    return {p: 0.7 * value + 0.31 if p == there else value for p, value in yours.items()}


def _raises_first(yours, right, wrong):
    first = next(iter(yours))[0]
    return {p: "raised IndexError" if p[0] == first else value for p, value in yours.items()}


SLIPS = {
    "right once": _right_once,
    "wrong once more": _wrong_once,
    "raises on the first": _raises_first,
    "float16": _each(_half),
    "float32": _each(lambda value: value.astype(np.float32).astype(np.float64)),
    "1 + 1e-6": _each(lambda value: value * (1 + 1e-6)),
}


def without(mistakes: list[dict[str, Any]], message: str, place: int) -> list[dict[str, Any]]:
    """The list without one writing of one mistake."""
    return [
        {**m, "writings": [w for i, w in enumerate(m["writings"]) if i != place]}
        if m["message"] == message
        else m
        for m in mistakes
    ]


def _of(outputs, yours, wrong) -> bool:
    """Whether recorded outputs are this writing's: everything that it gets wrong, and the same."""
    from helpers.grader.run_answer import close

    return all(
        not isinstance(yours.get((o["input"], o["of"]), ""), str)
        and close(yours[o["input"], o["of"]], array(o["value"]), 0.5)
        for o in outputs
    ) and wrong <= {(o["input"], o["of"]) for o in outputs} | {
        p for p in wrong if isinstance(yours.get(p, ""), str)
    }


@functools.cache
def measured_recognition(part: str) -> list[dict[str, Any]]:
    """One row for each writing and each way of disguising it: what was told instead or beside.

    Rows: mistake, how ('left out' or a slip), told (whether its own message was), wrongly (messages of others).
    """
    mistakes, rows = case(part)["mistakes"], []
    frozen = {m["key"]: m for m in mistakes}
    for mistake in key(part, "mistakes").MISTAKES[part]:
        stored = frozen[mistake.key]
        for answer in mistake.writings if "writings" in stored else ():
            yours, right, wrong = observations(part, answer)

            def note(how, told, mistake=mistake):
                rows.append(
                    {
                        "mistake": mistake.key,
                        "how": how,
                        "told": mistake.message in told,
                        "wrongly": [m["key"] for m in mistakes if m["message"] in told and m["key"] != mistake.key],
                    }
                )

            mine = [i for i, outputs in enumerate(stored["writings"]) if _of(outputs, yours, wrong)]
            if len(stored["writings"]) > 1 and mine:
                fewer = without(mistakes, mistake.message, mine[0])
                note("left out", best_explanation(fewer, yours, right, wrong))
            for name, slip in SLIPS.items():
                changed = slip(yours, right, wrong)
                note(
                    name,
                    best_explanation(
                        mistakes, changed, right, again_wrong(part, changed, right, wrong)
                    ),
                )
    return rows
