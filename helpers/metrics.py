"""What to measure on a policy or a scorer besides its loss."""

from __future__ import annotations

import torch
from torch import Tensor


def rank_accuracy(chosen_scores: Tensor, rejected_scores: Tensor) -> float:
    """Percent of pairs whose chosen response has the higher score, (B,) and (B,); a tie counts one half.

    Raises ValueError for shapes that differ, an empty batch, or NaN.
    """
    if chosen_scores.shape != rejected_scores.shape or chosen_scores.ndim != 1 or len(chosen_scores) == 0:
        raise ValueError(
            f"scores of shapes {tuple(chosen_scores.shape)} and {tuple(rejected_scores.shape)}: "
            "expected two vectors of one length B ≥ 1"
        )
    gap = chosen_scores - rejected_scores
    if torch.isnan(gap).any():
        raise ValueError(f"score of pair {int(torch.isnan(gap).nonzero()[0])} is NaN: expected comparable numbers")
    return 100 * ((gap > 0).double() + 0.5 * (gap == 0).double()).mean().item()


def share(logps: Tensor, member: Tensor) -> Tensor:
    """Probability that a policy's response belongs to a set: logps (..., N), member (N,) bool → (...).

    Raises ValueError unless ``member`` is boolean with one entry per response.
    """
    if member.dtype != torch.bool or member.shape != logps.shape[-1:]:
        raise ValueError(
            f"member {tuple(member.shape)} of {member.dtype}: expected bool of shape {tuple(logps.shape[-1:])}"
        )
    return logps[..., member].exp().sum(-1)
