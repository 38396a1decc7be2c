"""Judging a function that returns rows in any order: each output is sorted, then judged as by ``functions``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader import functions
from helpers.grader.result import Result
from helpers.grader.trial import Unusable, plain


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``functions.judge``, on the sorted rows; case as there."""
    return functions.judge(in_any_order(answer), case)


def in_any_order(answer: Callable) -> Callable:
    """The same function, its rows sorted; no rows become shape (0,); what is not rows stays as it is."""

    def ordered(*arguments):
        value = answer(*arguments)
        if value is None:
            return None
        try:
            rows = plain(value)
        except Unusable:
            return value
        if rows.size == 0:
            return np.zeros(0)
        return rows[np.lexsort(rows.T[::-1])] if rows.ndim == 2 else rows

    try:
        return functools.wraps(answer)(ordered)
    except Exception:  # an answer's own attributes may raise
        return ordered
