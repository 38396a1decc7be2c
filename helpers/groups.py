"""Bradley–Terry rewards fitted to shares of wins of several people, for many small sets at once."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.losses import bradley_terry_loss
from helpers.training import fit_table


def fit_shares(shares: Tensor, n: int) -> tuple[Tensor, float]:
    """Rewards (B, n), centred, of the n items of B sets, and the largest misfit of a share.

    shares (B, n(n−1)/2): how often item i beats item j, pairs in the order of
    ``torch.tril_indices(n, n, -1)``, each strictly between 0 and 1. Raises ValueError for another
    shape or other numbers.
    """
    i, j = torch.tril_indices(n, n, -1)
    if shares.ndim != 2 or shares.shape[1] != len(i):
        raise ValueError(
            f"shares {tuple(shares.shape)}: expected (B, {len(i)}), all pairs of {n} items"
        )
    if not ((shares > 0) & (shares < 1)).all():
        raise ValueError(
            "shares of 0 or 1, or NaN: expected numbers between them, or no fit is finite"
        )

    def loss(u):
        return len(shares) * bradley_terry_loss(
            *(u[:, k].flatten() for k in (i, j)), shares.flatten()
        )

    u = fit_table(loss, torch.zeros(len(shares), n))
    misfit = (torch.sigmoid(u[:, i] - u[:, j]) - shares).abs().max().item()
    return u - u.mean(1, keepdim=True), misfit
