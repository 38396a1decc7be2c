"""A win rate from which length has been taken out, as public leaderboards do it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from helpers.policies import check_real


def length_controlled(wins: Tensor, extra_words: Tensor) -> tuple[float, float]:
    """The win rate that a logistic regression predicts at equal length, from 0 to 1, and its slope φ.

    wins (B,): how far each comparison was won, from 0 to 1 (1 won, ½ a tie, or a judge's probability). extra_words
    (B,): length of the policy's reply minus that of the other, in any unit. The model is
    P(win) = σ(θ + φ·tanh(extra/s)), s the standard deviation of extra (over B); fitted by maximum likelihood, without
    a penalty; the rate is σ(θ). Where no reply differs in length it is the mean of wins, with slope 0. Where no
    extra_words lie near 0, σ(θ) is an extrapolation, as good as the model: nothing was measured there. Raises
    ValueError for shapes other than (B,), B ≥ 1, NaN, infinite entries, wins outside [0, 1]; where all differ by one
    length, which leaves θ and φ undetermined; where length alone tells won from lost (or all are won, or lost), so
    that the likelihood has no maximum; and where wins lie so close to 0 or 1 that rounding hides it. Source: Dubois
    et al. 2024, arXiv:2404.04475, without the difficulty of instructions.
    """
    check_real(wins=wins, extra_words=extra_words)
    if wins.shape != extra_words.shape or wins.ndim != 1 or len(wins) == 0:
        raise ValueError(
            f"wins {tuple(wins.shape)}, extra_words {tuple(extra_words.shape)}: expected two vectors "
            "of one length B ≥ 1"
        )
    y, extra = wins.detach().double().numpy(), extra_words.detach().double().numpy()
    for name, values in (("wins", y), ("extra_words", extra)):
        if not np.isfinite(values).all():
            place = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"{name}[{place}] is {values[place]}: expected finite numbers")
    if y.min() < 0 or y.max() > 1:
        raise ValueError(f"wins from {y.min():.3g} to {y.max():.3g}: expected shares from 0 to 1")
    if not extra.any():
        return float(y.mean()), 0.0
    if (extra == extra[0]).all():
        raise ValueError(
            f"extra_words are all {extra[0]:g}: expected different ones, else length and quality cannot be told apart"
        )
    x = np.tanh(extra / extra.std())
    won, lost = x[y > 0], x[y < 1]
    if not len(won) or not len(lost) or won.min() >= lost.max() or won.max() <= lost.min():
        raise ValueError(
            "length alone tells won from lost, or all are won or lost: expected both at overlapping "
            "lengths, else the likelihood has no maximum"
        )
    theta, phi = _fit(np.stack([np.ones_like(x), x], 1), y)
    return torch.tensor(theta).sigmoid().item(), float(phi)


def _fit(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Maximum likelihood of a logistic regression by Newton's method; a step that loses likelihood is halved.

    Raises ValueError where rounding keeps it from the maximum.
    """

    def likelihood(weights):
        logits = X @ weights
        return -(y * np.logaddexp(0, -logits) + (1 - y) * np.logaddexp(0, logits)).sum()

    weights = np.zeros(X.shape[1])
    for _ in range(100):
        logits = X @ weights
        p, q = np.exp(-np.logaddexp(0, -logits)), np.exp(-np.logaddexp(0, logits))
        try:  # y·q − (1 − y)·p is y − p, exact where p is near 1 too
            step = np.linalg.solve((X.T * (p * q)) @ X, X.T @ (y * q - (1 - y) * p))
        except np.linalg.LinAlgError:
            break
        if np.abs(step).max() <= 1e-9 * max(1.0, np.abs(weights).max()):
            return weights + step
        now = likelihood(weights)
        while likelihood(weights + step) < now - 1e-13 * abs(now):
            step = step / 2
        weights = weights + step
    raise ValueError(
        f"the regression did not settle: wins from {y.min():.17g} to {y.max():.17g} lie too close to 0 or 1 for "
        "double precision: expected less extreme wins"
    )
