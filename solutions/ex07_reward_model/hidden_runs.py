"""The hidden reward models of exercise 7d: twins that say the same and are wrong as often, in other slices.

A system is a set of held-out pairs in ``SLICES`` slices and a reward model's margins on them. Underneath lie calibrated
margins m: the response that they prefer wins with probability σ(|m|). The model says T·m instead, with a T of its own
in every slice, at most 1: a healthy system is calibrated or timid everywhere. In about half of the small slices all
pairs are nearly as hard as each other (``EVEN``), so that some slices hold many sure mistakes and are calibrated.

Its regressed twin has the same pairs, slices and margins, up to their sign. Pairs of one small slice on which it was
right are exchanged for pairs of other slices, of the same confidence, on which it was wrong, until its mean confidence
in this slice lies ``TOO_SURE`` above its accuracy there. So nothing that is counted over all pairs tells the two apart,
and no forecast does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.grader.exercises.ex07_reward_model.held_out import scored_pairs

SLICES = 6
SMALL, LARGE = (60, 120), (350, 450)  # pairs in a slice: from, to; one slice is large
# calibrated |m| is uniform from 0 to this
SPREAD, LARGE_SPREAD, SUSPECT_SPREAD = (0.8, 8.0), (4.0, 6.0), (3.0, 6.0)
TIMID, LARGE_TIMID, SUSPECT_TIMID = (0.2, 1.0), (0.6, 1.0), (0.6, 0.9)  # T of a slice: from, to
EVEN, EVEN_TIMID = 0.5, (0.85, 1.0)  # chance that a slice is even, and its T
EVEN_FROM, EVEN_SPREAD = (1.0, 2.0), 0.5  # the least |m| there: from, to; and the most above it
TOO_SURE = (0.10, 0.12)  # mean confidence minus accuracy in the one slice, after the exchange
EXCHANGED_FROM, ALIKE = 8, 1  # tenths: margins of exchanged pairs at least, how far apart at most
FROZEN_RUNS = 36  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 28
PRACTICE_SEED, MEASURED_SEEDS = 1007, range(700, 900)


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
    """Two systems, stored small (margins of chosen over rejected in tenths, slice by slice), and what is true of them.

    suspect: the slice in which the regressed one is too sure, by ``too_sure``. T: (SLICES,), of the healthy one.
    """

    healthy: dict
    regressed: dict
    suspect: int
    too_sure: float
    T: np.ndarray


def draw(rng: np.random.Generator) -> Twins:
    """A healthy system and its regressed twin."""
    large, suspect = rng.permutation(SLICES)[:2]
    sizes = rng.integers(*SMALL, size=SLICES)
    least, most = np.zeros(SLICES), _log_uniform(rng, SPREAD, SLICES)
    even = rng.random(SLICES) < EVEN
    least[even] = rng.uniform(*EVEN_FROM, size=even.sum())
    most[even] = least[even] + EVEN_SPREAD
    T = np.where(even, rng.uniform(*EVEN_TIMID, size=SLICES), rng.uniform(*TIMID, size=SLICES))
    sizes[large], least[[large, suspect]] = rng.integers(*LARGE), 0.0
    most[large], most[suspect] = _log_uniform(rng, LARGE_SPREAD), _log_uniform(rng, SUSPECT_SPREAD)
    T[large], T[suspect] = rng.uniform(*LARGE_TIMID), rng.uniform(*SUSPECT_TIMID)
    slices = np.repeat(np.arange(SLICES), sizes)
    calibrated = rng.uniform(least[slices], most[slices])
    right = rng.random(len(slices)) < _sigmoid(calibrated)
    said = np.maximum((10 * T[slices] * calibrated).round(), 1).astype(int)  # no ties
    here, too_sure = slices == suspect, rng.uniform(*TOO_SURE)
    surplus = _sigmoid(said[here] / 10).sum() - right[here].sum()
    exchanged = _exchanged(rng, said, right, here, round(too_sure * sizes[suspect] - surplus))
    if exchanged is None:
        return draw(rng)

    def stored(right: np.ndarray) -> dict:
        return {
            "margins": " ".join(map(str, np.where(right, said, -said))),
            "sizes": sizes.tolist(),
            "scores": int(rng.integers(2**31)),
        }

    return Twins(stored(right), stored(exchanged), int(suspect), too_sure, T)


def _exchanged(rng, said, right, here, number: int) -> np.ndarray | None:
    """``right`` after ``number`` exchanges of a right pair ``here`` for a wrong one elsewhere.

    None if it is no positive number, or there are fewer.
    """
    after, sure, left = right.copy(), said >= EXCHANGED_FROM, number
    for i in rng.permutation(np.flatnonzero(here & right & sure)):
        others = np.flatnonzero(~here & ~after & sure & (abs(said - said[i]) <= ALIKE))
        if left > 0 and len(others):
            j = others[abs(said[others] - said[i]).argmin()]
            after[i], after[j], left = False, True, left - 1
    return after if number > 0 and left <= 0 else None


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


def least_slice_accuracy(chosen, rejected, slices) -> float:
    """Largest share of a slice that the model ranks wrongly."""
    return float(np.max(_by_slice(accuracy)(chosen, rejected, slices)))


def largest_slice_loss(chosen, rejected, slices) -> float:
    """Largest mean −log σ(margin) of a slice."""
    return float(np.max(_by_slice(log_loss)(chosen, rejected, slices)))


def largest_absolute_gap(chosen, rejected, slices) -> float:
    """Largest distance of mean confidence and accuracy in a slice, whichever is larger."""
    return float(np.abs(_by_slice(overall_gap)(chosen, rejected, slices)).max())


def stored(system: dict) -> dict:
    """As it is kept: as it was drawn."""
    return system


def arguments(system: dict) -> tuple:
    """As a metric is called."""
    return scored_pairs(system)
