"""Exact formulas on distributions over all responses.

A policy here is a table of log-probabilities in nats, shape (..., N): the last axis runs over all N responses and its
exponentials sum to 1. −inf stands for a response without probability. Rewards have the same shape and are finite.
All raise ValueError for shapes that differ, rows that do not sum to 1, and NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor


def check_beta(beta: float) -> None:
    """Raise ValueError unless β is a finite number above 0."""
    if not 0 < beta < float("inf"):
        raise ValueError(f"beta = {beta}: expected a finite number above 0")


def _check_policy(name: str, logps: Tensor) -> None:
    total = logps.detach().double().logsumexp(-1)
    off = ~(total.abs() < 1e-3)  # NaN counts as off
    empty = logps.ndim == 0 or logps.numel() == 0
    if empty or off.any():
        found = f"shape {tuple(logps.shape)}" if empty else f"Σ exp = {total[off].flatten()[0].exp().item():.4g}"
        raise ValueError(f"{name}: {found}: expected log-probabilities that sum to 1 over the last axis")


def _check_values(logps: Tensor, name: str, values: Tensor) -> None:
    if values.shape != logps.shape:
        raise ValueError(f"{name} {tuple(values.shape)}: expected the shape of the policy, {tuple(logps.shape)}")
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity: expected finite numbers")


def expected(logps: Tensor, values: Tensor) -> Tensor:
    """E_π[values], (..., N) → (...)."""
    _check_policy("logps", logps)
    _check_values(logps, "values", values)
    return (logps.exp() * values).sum(-1)


def kl(logps: Tensor, other_logps: Tensor) -> Tensor:
    """KL(π‖other) in nats, (..., N) → (...); 0·log 0 is 0, and +inf where π has mass that ``other`` lacks."""
    _check_policy("logps", logps)
    _check_policy("other_logps", other_logps)
    if logps.shape != other_logps.shape:
        raise ValueError(f"policies of shapes {tuple(logps.shape)} and {tuple(other_logps.shape)}: expected one shape")
    some = logps > -torch.inf
    terms = logps.exp() * torch.where(some, logps - other_logps, 0.0)
    return terms.masked_fill(~some, 0.0).sum(-1)


def objective(logps: Tensor, ref_logps: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """J(π) = E_π[r] − β·KL(π‖π_ref) in units of the reward, (..., N) → (...)."""
    check_beta(beta)
    return expected(logps, rewards) - beta * kl(logps, ref_logps)


def optimum(ref_logps: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """The policy that maximises ``objective``: log π* = log π_ref + r/β − log Z, (..., N), and log Z, (...).

    Source: Rafailov et al. 2023, eq. 4; derived in section 5.1.
    """
    check_beta(beta)
    _check_policy("ref_logps", ref_logps)
    _check_values(ref_logps, "rewards", rewards)
    unnormalised = ref_logps + rewards / beta
    return unnormalised.log_softmax(-1), unnormalised.logsumexp(-1)
