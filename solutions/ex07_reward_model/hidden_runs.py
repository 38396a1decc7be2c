"""The hidden reward models of exercise 7d: twins that rank all held-out pairs alike, and differ in where they are sure.

A system is a set of held-out pairs in ``SLICES`` slices and a reward model's margins on them. Underneath lie calibrated
margins m: the response that they prefer wins with probability σ(|m|). The reward model says T·m instead, with a T of
its own in every slice; it is too sure where T > 1 and timid where T < 1. In a healthy system no T is above 1. In a
regressed one a single small slice has a T so large that its forecasts are too sure by ``TOO_SURE`` on average.

Systems come in pairs that share their held-out pairs and outcomes, so that they are right about the same ones. The T of
the regressed twin's other slices share one factor, which is solved for: the mean confidence over all pairs is that of
the healthy twin, which leaves every one of them timid (twins of which it does not are drawn again).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.grader.exercises.ex07_reward_model.held_out import scored_pairs

SLICES = 5
SMALL, LARGE = (60, 140), (400, 500)  # pairs in a slice: from, to; one slice is large
SPREAD, LARGE_SPREAD, TOO_SURE_SPREAD = (
    (2.0, 6.0),
    (2.0, 6.0),
    (0.7, 1.1),
)  # calibrated |m| is uniform from 0 to this
TIMID, TIMID_SLICE = (
    (0.95, 1.0),
    (0.1, 1.0),
)  # T of a slice: a factor of the system times one of the slice
TOO_SURE = (0.12, 0.15)  # mean confidence minus probability of being right, in the one slice
FROZEN_RUNS = 20  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 21
PRACTICE_SEED, MEASURED_SEEDS = 1007, range(700, 760)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _solve(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a rising function is ``target``, by bisection."""
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return low


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float], size: int | None = None):
    return np.exp(rng.uniform(*np.log(bounds), size=size))


@dataclass(frozen=True)
class Twins:
    """Two systems, stored small (margins of chosen over rejected in hundredths), and what is true of them.

    suspect: the slice in which the regressed one is too sure, by ``too_sure``. healthy_T, regressed_T: (SLICES,).
    """

    healthy: dict
    regressed: dict
    suspect: int
    too_sure: float
    healthy_T: np.ndarray
    regressed_T: np.ndarray


def draw(rng: np.random.Generator) -> Twins:
    """A healthy system and its regressed twin."""
    place, suspect = rng.permutation(SLICES)[
        :2
    ]  # of the large slice, and of the one that a regressed model overrates
    sizes, spread = rng.integers(*SMALL, size=SLICES), _log_uniform(rng, SPREAD, SLICES)
    sizes[place], spread[place] = rng.integers(*LARGE), _log_uniform(rng, LARGE_SPREAD)
    spread[suspect] = _log_uniform(rng, TOO_SURE_SPREAD)
    slices = np.repeat(np.arange(SLICES), sizes)
    calibrated = spread[slices] * rng.random(len(slices))
    sign = np.where(rng.random(len(slices)) < _sigmoid(calibrated), 1, -1)

    healthy_T = rng.uniform(*TIMID) * rng.uniform(*TIMID_SLICE, size=SLICES)
    regressed_T, too_sure = rng.uniform(*TIMID_SLICE, size=SLICES), rng.uniform(*TOO_SURE)
    inside = calibrated[slices == suspect]
    right = _sigmoid(inside).mean()
    regressed_T[suspect] = _solve(
        lambda T: _sigmoid(T * inside).mean() - right, too_sure, 1.0, 60.0
    )

    def scaled(factor: float) -> np.ndarray:
        return np.where(np.arange(SLICES) == suspect, regressed_T, factor * regressed_T)

    def confidence(T: np.ndarray) -> float:
        return _sigmoid(T[slices] * calibrated).mean()

    regressed_T = scaled(
        _solve(lambda factor: confidence(scaled(factor)), confidence(healthy_T), 0.0, 4.0)
    )
    if np.delete(regressed_T, suspect).max() > 1:  # a second slice would be too sure: draw again
        return draw(rng)
    order = rng.permutation(len(slices))

    def stored(T: np.ndarray) -> dict:
        hundredths = np.maximum((100 * T[slices] * calibrated).round(), 1).astype(
            int
        )  # at least one: no ties
        names = "".join(map(str, slices[order]))
        return {
            "margins": (sign * hundredths)[order].tolist(),
            "slices": names,
            "scores": int(rng.integers(2**31)),
        }

    return Twins(
        stored(healthy_T), stored(regressed_T), int(suspect), too_sure, healthy_T, regressed_T
    )


def pairs(seed: int, n: int) -> list[tuple[dict, dict]]:
    """n pairs (healthy, regressed), stored small."""
    rng = np.random.default_rng(seed)
    return [(twins.healthy, twins.regressed) for twins in (draw(rng) for _ in range(n))]


# ---- metrics that look at the whole, at the size alone, or in no direction -------------------


def _confidence(chosen, rejected) -> np.ndarray:
    return _sigmoid(np.abs(chosen - rejected))


def _binned(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error with bins of equal width from 0 to 1."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, confidence - right)).sum() / len(right))


def accuracy(chosen, rejected, slices) -> float:
    """Share of pairs that the model ranks wrongly."""
    return float((chosen <= rejected).mean())


def mean_margin(chosen, rejected, slices) -> float:
    """Mean margin of chosen over rejected."""
    return float((chosen - rejected).mean())


def mean_confidence(chosen, rejected, slices) -> float:
    """Mean forecast for the response that the model prefers."""
    return float(_confidence(chosen, rejected).mean())


def log_loss(chosen, rejected, slices) -> float:
    """Mean −log σ(margin)."""
    return float(np.logaddexp(0, rejected - chosen).mean())


def chosen_first_ece(chosen, rejected, slices) -> float:
    """ECE of pairs as stored: every label is 1."""
    return _binned(_sigmoid(chosen - rejected), np.ones(len(chosen)))


def overall_ece(chosen, rejected, slices) -> float:
    """ECE over all pairs, turned so that the preferred response comes first."""
    return _binned(_confidence(chosen, rejected), chosen > rejected)


def overall_temperature(chosen, rejected, slices) -> float:
    """The T with the smallest log loss over all pairs."""
    margin = chosen - rejected

    def slope(
        sharpness: float,
    ) -> float:  # of the loss of σ(sharpness·margin): rises in the sharpness
        return float(-(margin * _sigmoid(-sharpness * margin)).mean())

    return 1 / max(_solve(slope, 0.0, 0.0, 20.0), 1e-6)


def overall_gap(chosen, rejected, slices) -> float:
    """Mean confidence minus accuracy over all pairs."""
    return mean_confidence(chosen, rejected, slices) - float((chosen > rejected).mean())


def surest_mistake(chosen, rejected, slices) -> float:
    """The largest margin on the wrong side."""
    return float((rejected - chosen).max())


def _by_slice(metric: Callable) -> Callable:
    def values(chosen, rejected, slices) -> list[float]:
        return [
            metric(chosen[slices == s], rejected[slices == s], slices) for s in np.unique(slices)
        ]

    return values


def mean_slice_ece(chosen, rejected, slices) -> float:
    """Mean over slices of the ECE."""
    return float(np.mean(_by_slice(overall_ece)(chosen, rejected, slices)))


def largest_slice_ece(chosen, rejected, slices) -> float:
    """Largest ECE of a slice."""
    return float(np.max(_by_slice(overall_ece)(chosen, rejected, slices)))


def largest_absolute_gap(chosen, rejected, slices) -> float:
    """Largest distance of mean confidence and accuracy in a slice, whichever is larger."""
    return float(np.abs(_by_slice(overall_gap)(chosen, rejected, slices)).max())


def stored(system: dict) -> dict:
    """As it is kept: as it was drawn."""
    return system


def arguments(system: dict) -> tuple:
    """As a metric is called."""
    return scored_pairs(system)
