"""Are probabilities of a preference as good as they say?

Labels are 1 where the first response won, else 0, as booleans, whole or floating-point numbers;
scores and margins are floating-point numbers. All raise ValueError for what is no such tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.policies import check_floating, check_real, check_scores


def orient(chosen: Tensor, rejected: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs turned round at random: scores (B,), (B,) → margins first minus second (B,), labels (B,) of 0 and 1.

    Stored chosen-first, every label is 1, and a forecaster who always says 1 looks perfect. Raises
    ValueError for scores that are no two vectors of one length B ≥ 1, and for margins that are not
    finite in the scores' type.
    """
    check_floating(chosen=chosen, rejected=rejected)
    check_scores(chosen, rejected)
    margins = chosen - rejected
    _check_finite(margins)
    flip = torch.rand(len(margins), generator=generator) < 0.5
    return torch.where(flip, -margins, margins), (~flip).double()


@dataclass(frozen=True)
class Reliability:
    """Bins that hold forecasts: edges (bins + 1,), count, mean forecast and observed frequency, (bins in use,)."""

    edges: Tensor
    count: Tensor
    forecast: Tensor
    frequency: Tensor


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 10) -> Reliability:
    """Forecasts in ``bins`` of equal width, (B,) and (B,); empty bins are left out.

    Raises ValueError for shapes that differ, no forecasts, probabilities outside [0, 1], labels other than 0 and 1,
    bins < 1.
    """
    _check(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins = {bins}: expected at least one")
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = (torch.bucketize(probabilities.double(), edges, right=True) - 1).clamp(0, bins - 1)
    count = torch.bincount(place, minlength=bins)
    some = count > 0
    forecast = torch.bincount(place, probabilities.double(), bins)[some] / count[some]
    frequency = torch.bincount(place, labels.double(), bins)[some] / count[some]
    return Reliability(edges, count[some], forecast, frequency)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 10) -> float:
    """Expected calibration error: mean distance of forecast and frequency over bins, weighted by count.

    Biased upwards where bins hold few forecasts (chance moves frequencies) and downwards where errors cancel inside a
    bin. Raises ValueError as ``reliability`` does. Source: Naeini et al. 2015.
    """
    found = reliability(probabilities, labels, bins)
    return ((found.forecast - found.frequency).abs() * found.count).sum().item() / len(
        probabilities
    )


def mean_drawn_error(
    probabilities: Tensor, size: int, bins: int, generator: torch.Generator
) -> float:
    """Mean ECE of the true probabilities (n,) themselves, over draws of ``size`` labelled pairs."""
    values = []
    for _ in range(max(10, 10_000 // size)):
        rows = torch.randint(len(probabilities), (size,), generator=generator)
        q = probabilities[rows]
        y = (torch.rand(size, generator=generator, dtype=torch.float64) < q).double()
        values.append(calibration_error(q, y, bins))
    return sum(values) / len(values)


def brier(probabilities: Tensor, labels: Tensor) -> float:
    """Mean squared distance of forecast and label. Its floor is E[p(1 − p)] of the *true* probabilities p.

    Raises ValueError as ``reliability`` does. Source: Brier 1950.
    """
    _check(probabilities, labels)
    return (probabilities.double() - labels.double()).square().mean().item()


def log_loss(margins: Tensor, labels: Tensor) -> float:
    """Mean −log probability of what happened, in nats, for forecasts σ(margin): (B,), (B,).

    Raises ValueError for shapes that differ, no margins, margins that are not finite, labels other than 0 and 1.
    """
    check_floating(margins=margins)
    _check(margins.sigmoid(), labels)
    _check_finite(margins)
    return binary_cross_entropy_with_logits(margins.double(), labels.double()).item()


def measured(margins: Tensor, labels: Tensor) -> dict[str, float]:
    """ECE, Brier score and log loss of the forecasts σ(margins), (B,), against labels (B,)."""
    q = torch.sigmoid(margins)
    return {
        "ECE": calibration_error(q, labels),
        "Brier": brier(q, labels),
        "log loss": log_loss(margins, labels),
    }


def fit_temperature(margins: Tensor, labels: Tensor) -> float:
    """The T > 0 for which σ(margin / T) has the smallest log loss, (B,), (B,). Above 1: the margins were overconfident.

    The loss is convex in 1/T, so bisection of its slope finds the one minimum. Raises ValueError where there is none:
    margins that always have the right sign (the loss falls as T → 0) or that are no better than chance (T → ∞), and
    as ``log_loss`` does. Source: Guo et al. 2017, §4.2.
    """
    log_loss(margins, labels)
    signed = torch.where(
        labels > 0, margins, -margins
    ).double()  # above 0 where the forecast was on the right side

    def slope(inverse: float) -> float:
        return -(signed * torch.sigmoid(-inverse * signed)).mean().item()

    if slope(0.0) >= 0:
        raise ValueError(
            "margins are no better than chance on these labels: no finite temperature is best"
        )
    if (signed >= 0).all():
        raise ValueError(
            "every margin has the right sign: the loss falls as T goes to 0. Expected some errors"
        )
    low, high = 0.0, 1.0 / signed.abs().max().item()
    while slope(high) < 0:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / middle


def _check_finite(margins: Tensor) -> None:
    bad = ~torch.isfinite(margins)
    if bad.any():
        place = int(bad.nonzero()[0])
        raise ValueError(
            f"margins[{place}] is {margins[place].item()}: expected finite numbers, no infinity"
        )


def _check(probabilities: Tensor, labels: Tensor) -> None:
    check_real(forecasts=probabilities, labels=labels)
    if probabilities.shape != labels.shape or probabilities.ndim != 1 or len(labels) == 0:
        shapes = f"forecasts {tuple(probabilities.shape)}, labels {tuple(labels.shape)}"
        raise ValueError(f"{shapes}: expected two vectors of one length B ≥ 1")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("forecasts outside [0, 1] or NaN: expected probabilities")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError(
            "labels other than 0 and 1: expected 1 where the first response won, else 0"
        )
