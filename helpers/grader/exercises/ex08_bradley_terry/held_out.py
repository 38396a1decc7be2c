"""The surveys of exercise 8d as the learner gets them, and how a metric of theirs is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import Change, judge_metric
from helpers.grader.result import Result

Run = dict[str, np.ndarray | float]


def survey(stored: dict[str, Any]) -> Run:
    """A stored survey as the learner gets it, one entry for each answer; fresh arrays.

    Stored are, for each annotator, how many comparisons they answered and in how many they preferred model A.
    """
    loads, wins = np.array(stored["loads"]), np.array(stored["wins"])
    annotator = np.repeat(np.arange(len(loads)), loads)
    place = np.arange(len(annotator)) - np.repeat(loads.cumsum() - loads, loads)
    order = np.random.default_rng(0).permutation(len(annotator))  # says nothing
    return {
        "annotator": annotator[order],
        "won": (place < wins[annotator])[order],
        "low": float(stored["low"]),
        "high": float(stored["high"]),
    }


def practice_surveys() -> list[tuple[Run, str]]:
    """Six surveys to try a metric of 8d on, each with what became of it: 'healthy' or 'regressed'."""
    return [(survey(stored), stored["outcome"]) for stored in case("8d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    answered, won = sum(stored["loads"]), sum(stored["wins"])
    return (
        f"{answered} comparisons by {len(stored['loads'])} annotators, A won {won / answered:.1%}, "
        f"interval {stored['low']:+.2f} to {stored['high']:+.2f}"
    )


def _other_hands(run: Run) -> tuple[Run]:
    """The same answers, given by other annotators; each gives as many as before."""
    return ({**run, "annotator": np.random.default_rng(0).permutation(run["annotator"])},)


def _wider(run: Run) -> tuple[Run]:
    """The same answers under an interval three times as wide."""
    width = run["high"] - run["low"]
    return ({**run, "low": run["low"] - width, "high": run["high"] + width},)


CHANGES = (Change("whoever", _other_hands), Change("interval_ignored", _wider))


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden surveys with ``interval_overconfidence``; points as in ``judge_metric``."""
    return judge_metric(answer, case, lambda stored: (survey(stored),), _told, changes=CHANGES)
