"""Judging metrics, part d of every exercise: does the learner's score tell regressed runs from healthy ones?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.run_answer import Unusable, attempt, numbers_returned

SAME_ORDER = 0.98  # rank correlation from which two scores count as the same metric


def judge_metric(
    answer: Callable,
    case: dict[str, Any],
    unpack: Callable[[dict], tuple],
    told: Callable[[dict], str],
    habits: Callable[[], tuple[str, ...]] = tuple,
) -> Result:
    """Score all hidden runs. Points rise linearly from AUC ``no_points_up_to`` to ``full_points_from``.

    unpack: stored run → the arguments of one call; told: stored run → one line about it.
    habits: what is to be said, once all runs are scored, before mistakes are looked up. case["each"], if given, is
    what a run is called.
    """
    each = case.get("each", "run")
    head, spec = (case["part"], case["title"], case["points"]), case["properties"][0]
    scores = []
    for number, stored in enumerate(case["runs"]):
        outcome = attempt(answer, *unpack(stored))
        try:
            scores.append(_score(outcome))
        except Unusable as error:
            where, heading = (
                f"{each} {number + 1} of {len(case['runs'])}",
                f"First {each} that it cannot score",
            )
            failure = Failure(where, str(error), "one finite number", heading)
            prop = Property(spec["key"], spec["name"], spec["points"], 0.0, failure)
            return Result(*head, "error" if number == 0 else "wrong", (prop,))
    scores = np.array(scores)
    regressed = np.array([stored["outcome"] == "regressed" for stored in case["runs"]])
    reached = auc(scores[~regressed], scores[regressed])
    low, high = case["no_points_up_to"], case["full_points_from"]
    earned = round(spec["points"] * min(max((reached - low) / (high - low), 0.0), 1.0), 2)
    note = (
        f"AUC {reached:.2f}: so often does a regressed {each} score above a healthy one. "
        f"Full points from {high:g}, none up to {low:g}."
    )
    failure = None if reached >= high else _confusion(case["runs"], scores, regressed, told, each)
    properties = [Property(spec["key"], spec["name"], spec["points"], earned, failure)]
    diagnoses = () if reached >= high else habits() or _diagnoses(case["mistakes"], scores)
    if reached <= 1 - high:
        diagnoses = (case["upside_down"],)
    return judged(*head, properties, diagnoses, note)


def _score(outcome) -> float:
    if outcome.error:
        raise Unusable(outcome.error)
    value = numbers_returned(outcome.value)
    if value.size != 1 or not np.isfinite(value).all():
        raise Unusable(
            f"returned {value.item():g}" if value.size == 1 else f"returned shape {value.shape}"
        )
    return value.item()


def auc(healthy: np.ndarray, regressed: np.ndarray) -> float:
    """Chance that a regressed run scores above a healthy one; a tie counts one half. (H,), (R,) → float.

    Raises ValueError where one of the two is empty.
    """
    if not len(healthy) or not len(regressed):
        raise ValueError(
            f"{len(healthy)} healthy, {len(regressed)} regressed: expected scores of both"
        )
    return float(((regressed[:, None] > healthy) + 0.5 * (regressed[:, None] == healthy)).mean())


def _confusion(
    runs: list[dict], scores: np.ndarray, regressed: np.ndarray, told: Callable, each: str
) -> Failure:
    """The healthy run with the largest score beside the regressed run with the smallest."""
    h = int(np.where(regressed, -np.inf, scores).argmax())
    r = int(np.where(regressed, scores, np.inf).argmin())
    yours = f"healthy {each} scores {scores[h]:.4g}\nregressed {each} scores {scores[r]:.4g}"
    inputs = f"healthy {each} {h + 1}: {told(runs[h])}\nregressed {each} {r + 1}: {told(runs[r])}"
    return Failure(
        inputs,
        yours,
        f"the regressed {each} scores higher",
        f"The pair of {each}s that it confuses most",
    )


def _diagnoses(mistakes: list[dict[str, Any]], scores: np.ndarray) -> tuple[str, ...]:
    """A metric is recognised by the order it gives: any increasing transformation of it is the same metric."""
    mine = _ranks(scores)
    if not mine.std():
        return ("All runs get the same score: nothing that you compute differs between them.",)
    return tuple(
        m["message"]
        for m in mistakes
        if any(
            np.corrcoef(mine, _ranks(np.array(other)))[0, 1] > SAME_ORDER for other in m["writings"]
        )
    )


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Mean rank of each entry, ties sharing theirs."""
    return (scores[:, None] > scores).sum(1) + 0.5 * (scores[:, None] == scores).sum(1)
