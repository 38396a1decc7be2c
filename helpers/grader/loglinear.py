"""The small policy of exercise 4c, trained by DPO on one pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BETA, LEARNING_RATE, STEPS = 0.5, 0.5, 100


@dataclass(frozen=True)
class PairTraining:
    """What was true before each step and after the last: logps (steps + 1, K) in nats, loss, margin (steps + 1,)."""

    logps: np.ndarray
    loss: np.ndarray
    margin: np.ndarray


def train_pair(features, chosen: int, rejected: int, start=None) -> PairTraining:
    """DPO by gradient descent on one pair, for the log-linear policy π_w(y) ∝ exp(φ(y)·w) over K responses.

    features (K, d): row y is φ(y). chosen, rejected: two different rows. start (d,): the weights of π_ref, where
    training begins (default zeros: all responses equally likely). β = 0.5, learning rate 0.5, 100 steps. ``margin``
    is the logit of the loss, β·(log π/π_ref(chosen) − log π/π_ref(rejected)).

    Raises ValueError for features that are not a finite matrix, a start of another length, or rows that do not exist.
    """
    features = np.array(features, dtype=np.float64)
    if features.ndim != 2 or features.size == 0 or not np.isfinite(features).all():
        raise ValueError(
            f"features of shape {features.shape}: expected finite numbers of shape (K, d)"
        )
    K, d = features.shape
    start = np.zeros(d) if start is None else np.array(start, dtype=np.float64)
    if start.shape != (d,) or not np.isfinite(start).all():
        raise ValueError(
            f"start of shape {start.shape}: expected {d} finite numbers, one for each feature"
        )
    for name, row in (("chosen", chosen), ("rejected", rejected)):
        if not isinstance(row, (int, np.integer)) or not 0 <= row < K:
            raise ValueError(f"{name} = {row}: expected a row of features, from 0 to {K - 1}")
    if chosen == rejected:
        raise ValueError(f"chosen and rejected are both {chosen}: expected two different responses")
    w, ref_logps = start, _logps(features, start)
    logps, margins = [ref_logps], [0.0]
    for _ in range(STEPS):
        # ∇_w of −log σ(margin); log Z is the same for both responses and cancels in the difference
        weight = np.exp(-np.logaddexp(0, margins[-1]))  # σ(−margin)
        gradient = -BETA * weight * (features[chosen] - features[rejected])
        w = w - LEARNING_RATE * gradient
        logps.append(_logps(features, w))
        ratios = logps[-1] - ref_logps
        margins.append(BETA * (ratios[chosen] - ratios[rejected]))
    margin = np.array(margins)
    return PairTraining(np.array(logps), np.logaddexp(0, -margin), margin)


def _logps(features: np.ndarray, w: np.ndarray) -> np.ndarray:
    scores = (features * w).sum(1)
    return scores - np.logaddexp.reduce(scores)
