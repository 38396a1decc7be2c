"""Estimators of a KL from samples."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.policies import check_floating


def kl_estimates(logps: Tensor, ref_logps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three estimates of KL(π‖π_ref) in nats from samples of π: k1 = u, k2 = u²/2, k3 = e^(−u) − 1 + u.

    u = log π − log π_ref of each sample, in any one shape: whole responses (B,) or tokens. Nothing
    is masked: of tokens (B, T) with places behind an end give those that count, ``logps[mask]``.
    ref_logps carries no gradient. In the mean over samples of π, k1 and k3 are the KL and k2 is
    not; differentiated as losses they have other means than in value (section 4.4). Raises
    ValueError for shapes that differ, no samples, NaN or infinity.
    Source: Schulman 2020, "Approximating KL divergence", with r = e^(−u).
    """
    check_floating(logps=logps, ref_logps=ref_logps)
    if logps.shape != ref_logps.shape or logps.numel() == 0:
        shapes = f"logps {tuple(logps.shape)}, ref_logps {tuple(ref_logps.shape)}"
        raise ValueError(f"{shapes}: expected one shape, with at least one sample")
    for name, value in (("logps", logps), ("ref_logps", ref_logps)):
        if not torch.isfinite(value).all():
            place = (~torch.isfinite(value)).nonzero()[0].tolist()
            raise ValueError(
                f"{name}{place} is {value[tuple(place)].item()}: expected finite numbers"
            )
    u = logps - ref_logps.detach()
    return u, 0.5 * u.square(), torch.expm1(-u) + u
