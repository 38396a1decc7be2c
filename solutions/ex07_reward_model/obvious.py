"""What 7d is answered with before thinking of confidence above accuracy, slice by slice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solutions.ex07_reward_model import hidden_runs
from solutions.obvious import correlation


def _margin(chosen, rejected, slices) -> np.ndarray:
    return chosen - rejected


def _confidence(chosen, rejected, slices) -> np.ndarray:
    return 1 / (1 + np.exp(-np.abs(chosen - rejected)))


def _by_slice(metric: Callable) -> Callable:
    def values(chosen, rejected, slices) -> np.ndarray:
        return np.array(
            [
                metric(chosen[slices == s], rejected[slices == s], slices[slices == s])
                for s in np.unique(slices)
            ]
        )

    return values


def _brier(chosen, rejected, slices) -> float:
    sure = _confidence(chosen, rejected, slices)
    return float(((sure - (chosen > rejected)) ** 2).mean())


def _accuracy_where_sure(chosen, rejected, slices) -> float:
    """Share of the forecasts above 0.8 that are right; 1 where there are none."""
    sure = _confidence(chosen, rejected, slices) > 0.8
    return float((chosen > rejected)[sure].mean()) if sure.any() else 1.0


WHOLE: dict[str, Callable[..., float]] = {
    "accuracy": hidden_runs.accuracy,
    "mean margin": hidden_runs.mean_margin,
    "mean confidence": hidden_runs.mean_confidence,
    "log loss": hidden_runs.log_loss,
    "Brier score": _brier,
    "ECE": hidden_runs.overall_ece,
    "ECE as stored": hidden_runs.chosen_first_ece,
    "surest mistake": hidden_runs.surest_mistake,
    "spread of margins": lambda *pairs: float(_margin(*pairs).std()),
    "temperature": hidden_runs.overall_temperature,
}
SURE: dict[str, Callable[..., float]] = {
    "sure mistakes": lambda *pairs: float(
        ((_margin(*pairs) < 0) & (_confidence(*pairs) > 0.8)).mean()
    ),
    "sure forecasts": lambda *pairs: float((_confidence(*pairs) > 0.8).mean()),
    "accuracy where sure": _accuracy_where_sure,
}
OBVIOUS = {
    "scores of the chosen": lambda chosen, rejected, slices: chosen,
    "scores of the rejected": lambda chosen, rejected, slices: rejected,
    "slices": lambda chosen, rejected, slices: slices,
    "pairs in a slice": lambda chosen, rejected, slices: np.bincount(slices),
    "margins": _margin,
    "sizes of margins": lambda *pairs: np.abs(_margin(*pairs)),
    "forecasts": _confidence,
    "forecasts where wrong": lambda *pairs: _confidence(*pairs)[_margin(*pairs) < 0],
    "losses of pairs": lambda *pairs: np.logaddexp(0, -_margin(*pairs)),
    **WHOLE,
    "mean confidence less accuracy": hidden_runs.overall_gap,
    **SURE,
    **{
        f"{name}, by slice": _by_slice(metric)
        for name, metric in {**WHOLE, **SURE}.items()
        if name != "temperature"
    },
    "absolute gap, by slice": lambda *pairs: np.abs(_by_slice(hidden_runs.overall_gap)(*pairs)),
    "correlation of confidence and right, by slice": _by_slice(
        lambda *pairs: correlation(_confidence(*pairs), _margin(*pairs) > 0)
    ),
    "correlation of confidence and right": lambda *pairs: correlation(
        _confidence(*pairs), _margin(*pairs) > 0
    ),
}
