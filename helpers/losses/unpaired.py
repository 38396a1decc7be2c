"""KTO: a loss on single replies that were liked or disliked."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.losses.checks import check_rows
from helpers.policies import check_beta, check_floating, check_real


def kto_loss(
    logps: Tensor,
    ref_logps: Tensor,
    liked: Tensor,
    beta: float,
    reference_point: Tensor | float = 0.0,
    liked_weight: float = 1.0,
    disliked_weight: float = 1.0,
) -> Tensor:
    """Mean over *all* examples of w_D·(1 − σ(β(u − z₀))) where liked, w_U·(1 − σ(β(z₀ − u))) where not.

    logps, ref_logps (B,): sums over response tokens; u = log π_θ − log π_ref. liked (B,): booleans, or
    0 and 1; a batch may hold one kind only, and one example. reference_point: z₀ ≥ 0 in nats, see
    ``reference_point``; it carries no gradient here. The weights are finite and at least 0. ValueError
    otherwise. One mean over the batch, as in TRL; code that averages each kind apart gives another
    weight to the rarer one. Source: Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8, without its
    constant λ_y.
    """
    check_beta(beta)
    check_floating(logps=logps, ref_logps=ref_logps)
    check_real(liked=liked)
    check_rows(logps=logps, ref_logps=ref_logps, liked=liked)
    other = (liked != 0) & (liked != 1)
    if other.any():
        place = int(other.nonzero()[0])
        raise ValueError(f"liked[{place}] is {liked[place].item()}: expected booleans, or 0 and 1")
    for name, weight in (("liked_weight", liked_weight), ("disliked_weight", disliked_weight)):
        if not 0 <= weight < float("inf"):
            raise ValueError(f"{name} = {weight}: expected a finite number from 0 on")
    zero = torch.as_tensor(reference_point, dtype=logps.dtype, device=logps.device).detach()
    if zero.ndim != 0 or not 0 <= zero.item() < float("inf"):
        raise ValueError(
            f"reference_point = {reference_point}: expected one finite number from 0 on"
        )
    liked = liked.bool()
    u = logps - ref_logps.detach()
    check_rows(**{"log-ratios": u})
    up = liked_weight * torch.sigmoid(-beta * (u - zero))
    down = disliked_weight * torch.sigmoid(beta * (u - zero))
    return torch.where(liked, up, down).mean()


def reference_point(mismatched_logps: Tensor, mismatched_ref_logps: Tensor) -> Tensor:
    """KTO's z₀ = max(0, mean of log π_θ − log π_ref), a scalar in nats without gradient.

    Both (B,): sums over the tokens of responses that were written to *other* requests (TRL hands
    each request the response of the one before it). That estimates KL(π_θ‖π_ref) where responses
    fit any request, and little else; draws of π_θ itself estimate it everywhere.
    Source: Ethayarajh et al. 2024, arXiv:2402.01306, §4.1.
    """
    two = {"mismatched_logps": mismatched_logps, "mismatched_ref_logps": mismatched_ref_logps}
    check_floating(**two)
    check_rows(**two)
    return (mismatched_logps - mismatched_ref_logps).detach().mean().clamp(min=0)
