"""Fair controls: the setting at which a control equals its arm in one number."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from helpers.policies import frontier


def beta_that_spends(
    ref_logps: Tensor, rewards: Tensor, nats: float, between: Sequence[float] = (1e-3, 1e3)
) -> float:
    """The β whose optimum lies ``nats`` from the reference, as a mean of KL over rows.

    ref_logps, rewards (..., N). KL falls as β rises, so the β is found by halving the logarithmic
    range ``between``. Raises ValueError when no β of that range spends as much or as little.
    """
    low, high = between

    def spends(beta):
        return frontier(ref_logps, rewards, [beta])[0].item()

    if not spends(high) <= nats <= spends(low):
        raise ValueError(
            f"nats = {float(nats):.4g}: expected from {spends(high):.4g} to {spends(low):.4g}, "
            f"what the optima of β = {high:g} and {low:g} spend"
        )
    for _ in range(50):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if spends(middle) > nats else (low, middle)
    return high
