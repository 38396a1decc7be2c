"""What to measure on a policy or a scorer besides its loss."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.policies import check_real, check_scores


def rank_accuracy(chosen_scores: Tensor, rejected_scores: Tensor) -> float:
    """Percent of pairs whose chosen response has the higher score, (B,) and (B,); a tie counts one half.

    Only the order counts, so any real numbers will do, whole or infinite ones too; equal infinities
    are a tie. Raises ValueError for shapes that differ, an empty batch, NaN, what is no tensor of
    real numbers, and whole numbers beside floating-point ones.
    """
    check_scores(chosen_scores, rejected_scores)
    won, tied = chosen_scores > rejected_scores, chosen_scores == rejected_scores
    return 100 * (won.double() + 0.5 * tied.double()).mean().item()


def share(logps: Tensor, member: Tensor) -> Tensor:
    """Probability that a policy's response belongs to a set: logps (..., N), member (N,) bool → (...).

    Raises ValueError unless ``member`` is boolean with one entry per response, and for what is no
    tensor.
    """
    check_real(logps=logps, member=member)
    if member.dtype != torch.bool or member.shape != logps.shape[-1:]:
        raise ValueError(
            f"member {tuple(member.shape)} of {member.dtype}: expected bool of shape {tuple(logps.shape[-1:])}"
        )
    return logps[..., member].exp().sum(-1)
