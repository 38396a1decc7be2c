"""A table of numbers, fitted to rounding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def fit_table(loss: Callable[[Tensor], Tensor], start: Tensor, steps: int = 200) -> Tensor:
    """Minimise a smooth ``loss`` of a table of numbers by L-BFGS, from ``start``; returns the minimiser, float64.

    For tables so small that the optimum is reached to rounding. Raises ValueError if the loss becomes NaN or infinite.
    """
    table = start.detach().double().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [table],
        max_iter=steps,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = loss(table)
        if not torch.isfinite(value):
            raise ValueError(
                f"the loss became {value.item()}: expected a smooth loss, finite along the way"
            )
        value.backward()
        return value

    optimizer.step(closure)
    return table.detach()
