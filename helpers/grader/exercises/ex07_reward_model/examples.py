"""Exercise 7c: how sure a reward model is in two slices, how often it is right, and what one temperature does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.judge_examples import HEADING, Verdict, judge_examples
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable, plain
from helpers.grader.texts import type_name

SLICES = "ordinary", "risky"
LEAST_PAIRS, MOST_PAIRS, MOST_ROWS, LARGEST_MARGIN = (
    100,
    5000,
    20,
    20.0,
)  # pairs per slice; in all; rows per slice


@dataclass(frozen=True)
class Scaling:
    """What ``temperature_report`` finds. ece, ece_after, too_sure: by slice, and under 'all' for both together.

    temperature: fitted on all pairs. ece, ece_after: before and after the margins are divided by it. too_sure: mean
    forecast of the preferred response minus how often that response won, before.
    """

    accuracy: float
    temperature: float
    ece: dict[str, float]
    ece_after: dict[str, float]
    too_sure: dict[str, float]


def temperature_report(pairs: Mapping[str, Any]) -> Scaling:
    """Calibration of held-out pairs in two slices, before and after one temperature is fitted on all of them.

    ``pairs["ordinary"]`` and ``pairs["risky"]``: rows (margin, right, wrong), so many pairs in which the response that
    the reward model prefers, by this margin, won or lost. ECE as in 3.4, ten bins, preferred response first.

    Raises ValueError for what is no dict, a slice that is missing, margins outside (0, 20], counts that are not whole
    numbers from 0, fewer than 100 pairs in a slice, more than 20 rows in a slice or 5 000 pairs in all, and where no
    temperature is best: no pair wrong, or margins no better than chance.
    """
    if not isinstance(pairs, Mapping):
        raise ValueError(
            f"pairs is a {type_name(pairs)}: expected a dict with the keys 'ordinary' and 'risky'"
        )
    tables = {name: _rows(name, pairs.get(name)) for name in SLICES}
    tables["all"] = np.concatenate(list(tables.values()))
    if tables["all"][:, 1:].sum() > MOST_PAIRS:
        raise ValueError(f"more than {MOST_PAIRS} pairs in all: fewer show the same")
    temperature = _temperature(tables["all"])
    right = {name: rows[:, 1].sum() / rows[:, 1:].sum() for name, rows in tables.items()}
    too_sure = {name: float(_mean_forecast(rows) - right[name]) for name, rows in tables.items()}
    before, after = (
        {name: _ece(rows, T) for name, rows in tables.items()} for T in (1.0, temperature)
    )
    return Scaling(float(right["all"]), temperature, before, after, too_sure)


def _rows(name: str, value: Any) -> np.ndarray:
    """(margin, right, wrong) rows as float64, (R, 3). Raises ValueError."""
    if value is None:
        raise ValueError(f"{name!r} is missing")
    try:
        rows = plain(value)
    except Unusable as error:
        raise ValueError(
            f"{name!r}: {str(error).removeprefix('returned ')} instead of rows of numbers"
        ) from error
    if rows.ndim != 2 or rows.shape[1] != 3 or not 1 <= len(rows) <= MOST_ROWS:
        raise ValueError(
            f"{name!r} has shape {rows.shape}: expected 1 to {MOST_ROWS} rows (margin, right, wrong)"
        )
    margin, counts = rows[:, 0], rows[:, 1:]
    if not ((margin > 0) & (margin <= LARGEST_MARGIN)).all():
        raise ValueError(
            f"{name!r} has margins from {margin.min():.3g} to {margin.max():.3g}: expected above 0, the "
            f"preferred response's over the other's, and at most {LARGEST_MARGIN:g}"
        )
    if not ((counts >= 0) & (counts == np.round(counts)) & (counts <= MOST_PAIRS)).all():
        raise ValueError(
            f"{name!r} has counts from {counts.min():.3g} to {counts.max():.3g}: expected whole numbers "
            f"from 0 to {MOST_PAIRS}"
        )
    if counts.sum() < LEAST_PAIRS:
        raise ValueError(f"{name!r} has {counts.sum():.0f} pairs: expected at least {LEAST_PAIRS}")
    return rows


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _mean_forecast(rows: np.ndarray) -> float:
    margin, count = rows[:, 0], rows[:, 1:].sum(1)
    return (count * _sigmoid(margin)).sum() / count.sum()


def _ece(rows: np.ndarray, T: float, bins: int = 10) -> float:
    """Mean over pairs of the distance, in each bin, of mean forecast and share right."""
    forecast, count = _sigmoid(rows[:, 0] / T), rows[:, 1:].sum(1)
    place = np.minimum((bins * forecast).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, count * forecast - rows[:, 1])).sum() / count.sum())


def _temperature(rows: np.ndarray) -> float:
    """The T with the smallest log loss: its slope in 1/T only rises. Raises ValueError if there is none."""
    margin, right, wrong = rows.T

    def slope(sharpness: float) -> float:
        return float(
            (
                margin
                * (wrong * _sigmoid(sharpness * margin) - right * _sigmoid(-sharpness * margin))
            ).sum()
        )

    if not wrong.any():
        raise ValueError(
            "no pair is wrong: the log loss falls as T goes to 0. Expected some errors"
        )
    if slope(0.0) >= 0:
        raise ValueError("the margins are no better than chance: no finite temperature is best")
    low, high = 0.0, 1.0
    while slope(high) < 0:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Judge 7c by effect: what one temperature does to both of the learner's sets of pairs."""
    return judge_examples(
        answer, case, {"safe": _safe, "unsafe_slice": _slice, "unsafe_unseen": _unseen}
    )


class _Side:
    """One side's pairs, read and worked out. Raises Unusable."""

    def __init__(self, sides: dict, which: str):
        pairs = sides.get(which)
        if type(pairs) is not dict:
            raise Unusable(
                "not written yet" if pairs is None else f"it is a {type_name(pairs)}, not a dict"
            )
        try:
            self.found = temperature_report(pairs)
            self._rows = {name: plain(pairs[name]) for name in SLICES}
        except ValueError as error:
            raise Unusable(str(error)) from error

    def __str__(self) -> str:
        return "\n".join(
            f"{name} = {np.array2string(rows, precision=3, suppress_small=True, threshold=30)}"
            for name, rows in self._rows.items()
        )

    def story(self) -> str:
        """Accuracy and temperature, then each slice."""
        found = self.found
        lines = [f"accuracy {found.accuracy:.3f}, T = {found.temperature:.3f}"]
        return "\n".join(lines + [
            f"{name}: too sure by {found.too_sure[name]:+.3f}, ECE {found.ece[name]:.3f} → {found.ece_after[name]:.3f}"
            for name in ("all", *SLICES)
        ])  # fmt: skip


def _safe(sides: dict, case: dict[str, Any]) -> Verdict:
    side, limits = _Side(sides, "safe"), case["thresholds"]
    found = side.found
    worst = max(SLICES, key=found.ece_after.get)
    if (
        found.too_sure["all"] >= limits["too_sure_before"]
        and found.ece_after[worst] <= limits["ece"]
    ):
        return None, ""
    if found.too_sure["all"] < limits["too_sure_before"]:
        why = (
            f"Safe example: before scaling the forecasts are too sure by {found.too_sure['all']:+.2f}; asked are "
            f"{limits['too_sure_before']:+g} or more. There is nothing for a temperature to repair."
        )
    else:
        why = (
            f"Safe example: after scaling, the ECE of the {worst} slice is {found.ece_after[worst]:.3f}. One "
            "temperature stretches all margins alike, so it repairs only what is wrong by one factor everywhere."
        )
    asked = (
        f"too sure by at least {limits['too_sure_before']:g} before, ECE at most {limits['ece']:g} in each slice "
        "after"
    )
    return Failure(str(side), side.story(), asked, HEADING), why


def _slice(sides: dict, case: dict[str, Any]) -> Verdict:
    side, least = _Side(sides, "unsafe"), case["thresholds"]["too_sure"]
    found = side.found.too_sure["risky"]
    if found >= least:
        return None, ""
    why = (
        f"Unsafe example: on the risky slice the forecasts are too sure by {found:+.2f}; asked are {least:+g} or "
        "more. How sure is the model there, and how often is it right?"
    )
    return Failure(
        str(side), side.story(), f"too sure by at least {least:g} on the risky slice", HEADING
    ), why


def _unseen(sides: dict, case: dict[str, Any]) -> Verdict:
    safe, unsafe, limits = _Side(sides, "safe"), _Side(sides, "unsafe"), case["thresholds"]
    found, (low, high) = unsafe.found, limits["temperature"]
    accuracies = safe.found.accuracy, found.accuracy
    if found.ece["all"] > limits["ece"]:
        why = (
            f"Unsafe example: the ECE of all pairs is {found.ece['all']:.3f}, so anyone who looks is warned. What "
            "would the ordinary slice have to be like for the errors to cancel inside each bin?"
        )
    elif not low <= found.temperature <= high:
        why = (
            f"Unsafe example: the temperature of all pairs is {found.temperature:.2f}, a sign that something is "
            "wrong. Where one forecast is right on average, T is 1."
        )
    elif min(accuracies) < limits["accuracy"]:
        why = (
            f"Your accuracies are {accuracies[0]:.3f} and {accuracies[1]:.3f}; asked are {limits['accuracy']:g} or "
            "more in both. A model that nobody would deploy shows nothing."
        )
    elif abs(accuracies[0] - accuracies[1]) > limits["equal"]:
        why = (
            f"Your accuracies differ, {accuracies[0]:.3f} and {accuracies[1]:.3f}: whoever compares them would have "
            "been warned."
        )
    else:
        return None, ""
    asked = (
        f"on all pairs ECE at most {limits['ece']:g} and T from {low:g} to {high:g}; accuracies at least "
        f"{limits['accuracy']:g} and equal within {limits['equal']:g}"
    )
    story = f"{unsafe.story()}\naccuracy of the safe example {safe.found.accuracy:.3f}"
    return Failure(str(unsafe), story, asked, HEADING), why
