"""The pieces of PPO and the estimators of a KL, each as one pure function.

A batch is B responses of at most T tokens. Everything per token has shape (B, T); mask (B, T) is
true on the tokens that the policy chose, which stand first in each row. Log-probabilities are in
nats, rewards, values and advantages in units of reward. What is outside the mask is never read: it
may be infinite or NaN, and its gradient is 0. All raise ValueError for shapes that differ, for a
row of the mask that is empty or has a gap, for a mask of other numbers than 0 and 1, for tensors of
other than floating-point numbers, and for NaN or infinite entries inside the mask, naming the
argument and the place.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from helpers.policies import as_mask, check_floating


def _check(mask: Tensor, **arguments: Tensor) -> Tensor:
    """The mask as booleans, after every argument has been held against it."""
    mask = as_mask(mask)
    check_floating(**arguments)
    if mask.ndim != 2 or mask.numel() == 0:
        raise ValueError(f"mask {tuple(mask.shape)}: expected shape (B, T), both ≥ 1")
    broken = ~mask[:, 0] | (mask[:, 1:] & ~mask[:, :-1]).any(1)
    if broken.any():
        row = int(broken.nonzero()[0])
        raise ValueError(
            f"mask row {row} is {mask[row].int().tolist()}: expected ones, at least one, and then zeros"
        )
    for name, value in arguments.items():
        if value.shape != mask.shape:
            raise ValueError(
                f"{name} {tuple(value.shape)}: expected the shape of the mask, {tuple(mask.shape)}"
            )
        bad = mask & ~torch.isfinite(value)
        if bad.any():
            row, place = bad.nonzero()[0].tolist()
            raise ValueError(
                f"{name}[{row}, {place}] is {value[row, place].item()}: expected finite numbers"
            )
    return mask


def _check_clip(clip: float) -> None:
    if not 0 < clip < float("inf"):
        raise ValueError(f"clip = {clip}: expected a finite number above 0")


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation: advantages A_t and returns A_t + V_t, both (B, T), without gradient.

    rewards: what token t earned; values: V(x, y_<t), the value *before* token t; after a row's last token the value is
    0, since nothing follows. With δ_t = r_t + γ·V_{t+1} − V_t it is A_t = δ_t + γλ·A_{t+1}. Zero outside the mask.
    Raises ValueError also for gamma or lam outside [0, 1]. Source: Schulman et al. 2015, arXiv:1506.02438, eq. 16.
    """
    mask = _check(mask, rewards=rewards, values=values)
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
    mask = _check(mask, values=values)
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
    _check_clip(clip)
    mask = _check(mask, logps=logps, old_logps=old_logps, advantages=advantages)
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
    _check_clip(clip)
    mask = _check(mask, values=values, old_values=old_values, returns=returns)
    new, old, target = values[mask], old_values[mask].detach(), returns[mask].detach()
    near = torch.maximum(torch.minimum(new, old + clip), old - clip)
    return 0.5 * torch.maximum((new - target).square(), (near - target).square()).mean()


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
