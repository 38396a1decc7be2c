"""Numbers that one computes before thinking: what no metric part may give full points for.

An exercise's module ``obvious`` lists ``OBVIOUS``, {label: metric}. A metric gets what an answer gets and returns a
number, or an array whose every summary is a number to try. None of them needs the section's idea.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def summaries(x: np.ndarray) -> dict[str, float]:
    """What one asks of an array first, by name; of an empty one 0."""
    if not len(x):
        return dict.fromkeys(summaries(np.zeros(1)), 0.0)
    ascending, changes = np.sort(x), np.flatnonzero(np.diff(x))
    tenth = len(x) // 10
    return {
        "mean": x.mean(),
        "standard deviation": x.std(),
        "median": ascending[len(x) // 2],
        "smallest": ascending[0],
        "largest": ascending[-1],
        "second largest": ascending[-2:][0],
        "lower decile": ascending[tenth],
        "upper decile": ascending[-1 - tenth],
        "first": x[0],
        "last": x[-1],
        "share above 0": np.mean(x > 0),
        "mean size": np.abs(x).mean(),
        "different values": 1 + np.count_nonzero(np.diff(ascending)),
        "changes from one to the next": len(changes),
    }


def scores(metric: Callable, runs: list[tuple]) -> dict[str, np.ndarray]:
    """The scores of runs, (R,) each, by summary: one, named '', where the metric returns a number.

    NaN scores 0, as an answer that takes care of it would have it.
    """
    found = [np.atleast_1d(np.asarray(metric(*run), dtype=float)) for run in runs]
    if all(len(values) == 1 for values in found):
        return {"": np.nan_to_num([values[0] for values in found])}
    each = [summaries(values) for values in found]
    return {name: np.nan_to_num([row[name] for row in each]) for name in each[0]}


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation of two arrays; 0 where one of them is constant."""
    return float(np.corrcoef(x, y)[0, 1]) if np.std(x) and np.std(y) else 0.0
