"""The pieces of PPO: advantages, the clipped losses of policy and value."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from helpers.policy_gradient.checks import check_clip, check_tokens


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation: advantages A_t and returns A_t + V_t, both (B, T), without gradient.

    rewards: what token t earned; values: V(x, y_<t), the value *before* token t; after a row's last token the value is
    0, since nothing follows. With δ_t = r_t + γ·V_{t+1} − V_t it is A_t = δ_t + γλ·A_{t+1}. Zero outside the mask.
    Raises ValueError also for gamma or lam outside [0, 1]. Source: Schulman et al. 2015, arXiv:1506.02438, eq. 16.
    """
    mask = check_tokens(mask, rewards=rewards, values=values)
    for name, value in (("gamma", gamma), ("lam", lam)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} = {value}: expected a number from 0 to 1")
    rewards = rewards.detach().masked_fill(~mask, 0.0)
    values = values.detach().masked_fill(~mask, 0.0)
    advantages = torch.zeros_like(rewards, dtype=torch.promote_types(rewards.dtype, values.dtype))
    later, next_value = torch.zeros_like(advantages[:, 0]), 0.0
    for t in reversed(range(mask.shape[1])):
        later = (
            rewards[:, t] + gamma * next_value - values[:, t] + gamma * lam * later
        )  # (B,); 0 behind the end
        advantages[:, t], next_value = later, values[:, t]
    return advantages, advantages + values


def whiten(values: Tensor, mask: Tensor) -> Tensor:
    """(value − mean) / standard deviation over all tokens of the batch, (B, T); zero outside the mask.

    The variance is the unbiased one (n − 1). Where nothing varies, that is for a single token or for values that are
    equal up to rounding, the result is 0.
    """
    mask = check_tokens(mask, values=values)
    inside = values[mask] * _near_one(values[mask])
    centred = inside - inside.mean()
    spread = centred.square().sum().div(max(1, len(inside) - 1)).sqrt()
    rounding = 8 * torch.finfo(values.dtype).eps * inside.abs().max()
    scaled = torch.zeros_like(centred) if spread <= rounding else centred / spread
    return torch.zeros_like(values).masked_scatter(mask, scaled)


def _near_one(values: Tensor) -> float:
    """A power of two that brings the largest value near 1: exact, and no square leaves the type."""
    largest = max(values.detach().abs().max().item(), torch.finfo(values.dtype).tiny)
    return 2.0 ** -math.frexp(largest)[1]


def clipped_policy_loss(
    logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor, clip: float
) -> Tensor:
    """PPO's loss: mean over the batch's tokens of max(−ρA, −clip(ρ, 1 − ε, 1 + ε)·A), ρ = π_θ/π_old per token.

    That is −min(ρA, clip(ρ)A). It has no gradient where A > 0 and ρ > 1 + ε, nor where A < 0 and ρ < 1 − ε. old_logps
    and advantages carry no gradient; clip is ε. Returns a scalar. Raises ValueError also unless ε
    is finite and above 0, and for a ratio that is too large for its type: its gradient would be
    NaN, clipped or not.
    Source: Schulman et al. 2017, arXiv:1707.06347, eq. 7.
    """
    check_clip(clip)
    mask = check_tokens(mask, logps=logps, old_logps=old_logps, advantages=advantages)
    change, gain = logps[mask] - old_logps[mask].detach(), advantages[mask].detach()
    ratio = change.exp()
    if not torch.isfinite(ratio).all():
        found = f"log-probability up by {change.max().item():.4g} nats on a token"
        raise ValueError(
            f"{found}: expected a ratio that {ratio.dtype} can hold. Take smaller steps"
        )
    return torch.maximum(-ratio * gain, -ratio.clamp(1 - clip, 1 + clip) * gain).mean()


def clipped_value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float
) -> Tensor:
    """½ · mean over the batch's tokens of the larger of (V − R)² and (V' − R)², V' = V kept within old V ± clip.

    old_values and returns carry no gradient; clip is in units of reward. Returns a scalar. Raises ValueError also
    unless clip is finite and above 0. Source: the PPO implementation of OpenAI baselines, as in TRL.
    """
    check_clip(clip)
    mask = check_tokens(mask, values=values, old_values=old_values, returns=returns)
    new, old, target = values[mask], old_values[mask].detach(), returns[mask].detach()
    near = torch.maximum(torch.minimum(new, old + clip), old - clip)
    return 0.5 * torch.maximum((new - target).square(), (near - target).square()).mean()
