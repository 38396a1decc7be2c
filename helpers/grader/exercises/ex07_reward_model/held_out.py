"""Exercise 7d: reward models that rank alike, as the learner gets them, and how a metric of theirs is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import Change, judge_metric
from helpers.grader.result import Result

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def scored_pairs(stored: dict[str, Any]) -> Pairs:
    """A stored system as the arguments of the metric: scores of chosen and rejected, and slices, (N,) each; fresh.

    Margins are stored, slice by slice; where a pair's scores lie is drawn, since pairs say nothing about that, and so
    is the order of the pairs.
    """
    draw = np.random.default_rng(stored["scores"])
    margins = np.array([*map(int, stored["margins"].split())])
    slices = np.repeat(np.arange(len(stored["sizes"])), stored["sizes"])
    order = draw.permutation(len(margins))
    chosen = draw.normal(0, 30, size=len(margins)).round()
    return chosen / 10, (chosen - margins[order]) / 10, slices[order]


def practice_reward_models() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, str]]:
    """Six systems to try a metric on: chosen, rejected, slices, and 'healthy' or 'regressed'."""
    return [(*scored_pairs(stored), stored["outcome"]) for stored in case("7d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    """One line about a system, for the panel."""
    chosen, rejected, _ = scored_pairs(stored)
    sure, right = np.exp(-np.logaddexp(0, -np.abs(chosen - rejected))), chosen > rejected
    share = f"{right.mean():.1%} ranked right"
    return f"{len(chosen)} pairs, {share}, mean confidence {sure.mean():.1%}"


def _moved(chosen, rejected, slices) -> Pairs:
    """Both scores of each pair elsewhere, its margin as it was."""
    where = np.random.default_rng(0).normal(0, 5, size=len(slices)).round(2)
    return chosen + where, rejected + where, slices


CHANGES = (
    Change("single_scores", _moved, told_if="move"),
    Change("ranks", lambda chosen, rejected, slices: (3 * chosen, 3 * rejected, slices)),
    Change("no_direction", lambda c, r, slices: (c / 4, r / 4, slices), told_if="rise"),
    Change(
        "slices_ignored", lambda c, r, slices: (c, r, np.random.default_rng(0).permutation(slices))
    ),
)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden systems with ``slice_overconfidence``; points as in ``judge_metric``."""
    return judge_metric(answer, case, scored_pairs, _told, changes=CHANGES)
