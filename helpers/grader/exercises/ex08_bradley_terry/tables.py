"""Judging 8a: where no listed table is recognised, the kinds of entries tell the cause.

A search that stopped has no outcome that could be recorded: how large its numbers grew depends on when it stopped. But
a number where ±∞ is asked is the same mistake, whatever the number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.grader.cases import array
from helpers.grader.judge_function import judge_function
from helpers.grader.result import Result
from helpers.grader.run_answer import Trial, Unusable

KINDS = (  # key of the mistake, and what has to be true of entries: (yours, asked) → places that show it
    ("prior", lambda yours, asked: np.isfinite(yours) & np.isinf(asked)),
    ("undetermined_infinite", lambda yours, asked: np.isinf(yours) & np.isnan(asked)),
    ("linked", lambda yours, asked: np.isfinite(yours) & np.isnan(asked)),
    ("infinite_as_nan", lambda yours, asked: np.isnan(yours) & np.isinf(asked)),
)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``judge_function``; one cause more where the numbers inside groups are right and nothing else is told."""
    result = judge_function(answer, case)
    if result.diagnoses or result.score == case["points"] or result.score == 0:
        return result
    return replace(result, diagnoses=_by_kind(answer, case))


def _by_kind(answer: Callable, case: dict[str, Any]) -> tuple[str, ...]:
    """The first kind of entry that stands in the wrong place."""
    messages = {mistake["key"]: mistake["message"] for mistake in case["mistakes"]}
    inputs = {name: {k: array(v) for k, v in i.items()} for name, i in case["inputs"].items()}
    trial = Trial(answer, next(iter(inputs.values())))
    tables, refused = [], []
    for spec in case["properties"]:
        for probe in spec["probes"] if spec["key"] in ("infinite", "undetermined") else ():
            given, asked = inputs[probe["input"]], array(probe["expected"])
            refused.append(trial.outcome(given).refused)
            try:
                yours = trial.value(given)
            except Unusable:
                continue
            if yours.shape == asked.shape:
                tables.append((yours, asked))
    if all(refused):
        return (messages["all_or_nothing"],)
    for key, shows in KINDS:
        if any(shows(yours, asked).any() for yours, asked in tables):
            return (messages[key],)
    return ()
