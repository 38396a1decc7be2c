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

KINDS = (  # key of the mistake, and what has to be true of entries: (yours, asked, met) → places that show it
    ("direct", lambda yours, asked, met: np.isnan(yours) & np.isfinite(asked) & ~met),
    ("prior", lambda yours, asked, met: np.isfinite(yours) & np.isinf(asked)),
    ("undetermined_infinite", lambda yours, asked, met: np.isinf(yours) & np.isnan(asked)),
    ("linked", lambda yours, asked, met: np.isfinite(yours) & np.isnan(asked)),
    ("infinite_as_nan", lambda yours, asked, met: np.isnan(yours) & np.isinf(asked)),
)
LOOKED_AT = (
    "finite",
    "infinite",
    "undetermined",
)  # keys of the properties whose entries are looked at


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``judge_function``; where no listed mistake is told, kinds of entries come before what is said anywhere."""
    result = judge_function(answer, case)
    listed = {mistake["message"] for mistake in case["mistakes"]}
    if listed & {*result.diagnoses} or result.score in (0, case["points"]):
        return result
    return replace(result, diagnoses=_by_kind(answer, case) or result.diagnoses)


def _by_kind(answer: Callable, case: dict[str, Any]) -> tuple[str, ...]:
    """The first kind of entry that stands in the wrong place."""
    messages = {mistake["key"]: mistake["message"] for mistake in case["mistakes"]}
    inputs = {name: {k: array(v) for k, v in i.items()} for name, i in case["inputs"].items()}
    trial = Trial(answer, next(iter(inputs.values())))
    tables, refused = [], []
    for spec in case["properties"]:
        for probe in spec["probes"] if spec["key"] in LOOKED_AT else ():
            given, asked = inputs[probe["input"]], array(probe["expected"])
            if spec["key"] != "finite":
                refused.append(trial.outcome(given).refused)
            try:
                yours = trial.value(given)
            except Unusable:
                continue
            if yours.shape == asked.shape:
                tables.append((yours, asked, _met(given)))
    if all(refused):
        return (messages["all_or_nothing"],)
    for key, shows in KINDS:
        if any(shows(*table).any() for table in tables):
            return (messages[key],)
    return ()


def _met(given: dict[str, Any]) -> np.ndarray:
    """Which items were compared with each other, or are the same: (n, n) bool."""
    met = np.eye(int(given["n"]), dtype=bool)
    for winner, loser in np.asarray(given["records"]):
        met[winner, loser] = met[loser, winner] = True
    return met
