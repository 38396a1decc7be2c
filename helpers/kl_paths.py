"""Two computations of section 4.4: where k3 in the loss comes to rest, and sums along replies."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.policies import check_beta


def resting_with_k3(ref_logps: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """log π of the policy β·π_ref/(λ − r), λ > max r such that it sums to 1: (N,), (N,) → (N,).

    At λ = max r + β the sum is at most 1, so λ is found between the two by bisection. Raises
    ValueError for a β that is not finite and above 0 and for shapes that differ.
    """
    check_beta(beta)
    if ref_logps.shape != rewards.shape or ref_logps.ndim != 1:
        raise ValueError(
            f"ref_logps {tuple(ref_logps.shape)}, rewards {tuple(rewards.shape)}: "
            "expected one shape (N,)"
        )
    p, low, high = ref_logps.exp(), rewards.max(), rewards.max() + beta
    for _ in range(60):
        lam = (low + high) / 2
        low, high = (lam, high) if (beta * p / (lam - rewards)).sum() > 1 else (low, lam)
    return (beta * p / (high - rewards)).log()


def along(of_states: Tensor) -> Tensor:
    """Σ over the states that each response of the exact world passes, (1111,) → (11111,).

    of_states: one number for each state, shortest first, as ``lesson.by_prefix`` lists them. The
    order is that of ``world.responses``. Raises ValueError for another shape.
    """
    if of_states.shape != (1111,):
        raise ValueError(
            f"of_states {tuple(of_states.shape)}: expected (1111,), one number for each state"
        )
    parts = of_states.split([1, 10, 100, 1000])
    sums = [parts[0]]
    for part in parts[1:]:
        sums.append(sums[-1].repeat_interleave(10) + part)
    return torch.cat([*sums, sums[-1].repeat_interleave(10)])
