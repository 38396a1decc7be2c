"""GRPO and its relatives: what a reply earned against the others of its group, and the loss of that."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from helpers.policies import check_floating, check_real
from helpers.policy_gradient.checks import check_clip, check_tokens

NORMALISATIONS = "grpo", "dapo", "dr_grpo"


def group_advantages(rewards: Tensor, divide: bool = True) -> Tensor:
    """(r − mean of its group) / (standard deviation of its group + 1e-4), (N, G) → (N, G), without gradient.

    N requests, G replies to each; rewards may be booleans. The variance is the unbiased one (G − 1).
    A group whose rewards are all equal gets zeros. ``divide=False`` only subtracts the mean (Dr.
    GRPO; in TRL ``scale_rewards="none"``, the default being "group"). Float64 for rewards that are
    not floating-point numbers. Raises ValueError for another shape, a group of one, and rewards
    that are NaN or infinite. Source: Shao et al. 2024, arXiv:2402.03300, §4.1.2.
    """
    values, scale = _by_group(rewards)
    centred = values - values.mean(1, keepdim=True)
    if divide:
        centred = centred / (values.std(1, keepdim=True) + 1e-4 / scale)
    else:
        centred = centred * scale
    return _without_signal_zero(centred, rewards)


def leave_one_out(rewards: Tensor) -> Tensor:
    """r − mean of the others of its group, (N, G) → (N, G), without gradient: RLOO's advantage.

    That is G/(G − 1) times the distance from the group's mean. Types, equal rewards and errors as in
    ``group_advantages``. Source: Ahmadian et al. 2024, arXiv:2402.14740.
    """
    values, scale = _by_group(rewards)
    G = rewards.shape[1]
    centred = (values - values.mean(1, keepdim=True)) * (G / (G - 1)) * scale
    return _without_signal_zero(centred, rewards)


def _by_group(rewards: Tensor) -> tuple[Tensor, float]:
    """The rewards in float64, brought near 1 by a power of two, and that power."""
    check_real(rewards=rewards)
    if rewards.ndim != 2 or rewards.numel() == 0 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards {tuple(rewards.shape)}: expected (N, G), N ≥ 1 groups of G ≥ 2 replies; "
            "a single reply has nothing to be compared with"
        )
    values = rewards.detach().double()
    bad = ~torch.isfinite(values)
    if bad.any():
        n, g = bad.nonzero()[0].tolist()
        raise ValueError(f"rewards[{n}, {g}] is {rewards[n, g].item()}: expected finite numbers")
    scale = 2.0 ** (math.frexp(max(values.abs().max().item(), 1.0))[1] - 1)
    return values / scale, scale


def _without_signal_zero(advantages: Tensor, rewards: Tensor) -> Tensor:
    flat = (rewards == rewards[:, :1]).all(1, keepdim=True)
    dtype = rewards.dtype if rewards.is_floating_point() else torch.float64
    return advantages.masked_fill(flat, 0.0).to(dtype)


def grpo_loss(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip: float,
    normalise: str = "grpo",
    max_length: int | None = None,
    ref_logps: Tensor | None = None,
    beta: float = 0.0,
) -> Tensor:
    """GRPO's loss of B replies: −min(ρA, clip(ρ, 1 − c, 1 + c)·A) + β·k3 of each token, then one of three means.

    logps, old_logps, ref_logps, mask (B, T); advantages (B,), one for all tokens of a reply, those of
    all groups in one row. ρ = π_θ/π_old per token; k3 = π_ref/π_θ − 1 − log(π_ref/π_θ), outside the
    clip. ``normalise``, with TRL's names for ``loss_type``: "grpo", mean over the tokens of each
    reply, then over replies; "dapo", sum over all tokens of the batch by their number (TRL's "bnpo"
    is the same for a batch in one piece); "dr_grpo", that sum by B·max_length, a constant. No
    gradient flows into old_logps, ref_logps and advantages. Returns a scalar. Raises ValueError also
    for advantages of another shape or not finite, another name, "dr_grpo" without a max_length of at
    least the longest reply, β > 0 without ref_logps, a clip that is not finite and above 0, and a
    ratio that is too large for its type.
    Source: Shao et al. 2024, arXiv:2402.03300, eq. 3; Liu et al. 2025, arXiv:2503.20783.
    """
    check_clip(clip)
    if normalise not in NORMALISATIONS:
        raise ValueError(f"normalise = {normalise!r}: expected one of {', '.join(NORMALISATIONS)}")
    if not 0 <= beta < float("inf") or (beta > 0 and ref_logps is None):
        raise ValueError(
            f"beta = {beta}: expected a finite number from 0 on, and ref_logps where it is above 0"
        )
    given = {"logps": logps, "old_logps": old_logps}
    mask = check_tokens(mask, **given, **({} if ref_logps is None else {"ref_logps": ref_logps}))
    _check_advantages(advantages, len(mask))
    change = (logps - old_logps.detach()).masked_fill(~mask, 0.0)
    ratio, A = change.exp(), advantages.detach().unsqueeze(1)
    if not torch.isfinite(ratio).all():
        found = f"log-probability up by {change.max().item():.4g} nats on a token"
        raise ValueError(
            f"{found}: expected a ratio that {ratio.dtype} can hold. Take smaller steps"
        )
    per_token = -torch.minimum(ratio * A, ratio.clamp(1 - clip, 1 + clip) * A)
    if beta > 0:
        log_ratio = (ref_logps.detach() - logps).masked_fill(~mask, 0.0)
        per_token = per_token + beta * (torch.expm1(log_ratio) - log_ratio)
    of_reply, tokens = per_token.masked_fill(~mask, 0.0).sum(1), mask.sum(1)
    if normalise == "grpo":
        return (of_reply / tokens).mean()
    if normalise == "dapo":
        return of_reply.sum() / tokens.sum()
    longest = int(tokens.max())
    if max_length is None or max_length < longest:
        raise ValueError(
            f"max_length = {max_length}: dr_grpo expects a number of tokens, here at least {longest}"
        )
    return of_reply.mean() / max_length


def _check_advantages(advantages: Tensor, replies: int) -> None:
    check_floating(advantages=advantages)
    if advantages.shape != (replies,):
        raise ValueError(
            f"advantages {tuple(advantages.shape)}: expected ({replies},), one for each reply"
        )
    if not torch.isfinite(advantages).all():
        place = int((~torch.isfinite(advantages)).nonzero()[0])
        found = advantages[place].item()
        raise ValueError(f"advantages[{place}] is {found}: expected finite numbers")


def pass_at_k(n: int, c: Tensor, k: int) -> Tensor:
    """Unbiased estimate of pass@k, the chance that at least one of k samples is right: 1 − C(n−c, k)/C(n, k).

    c: how many of n samples were right, whole numbers of any shape, one for each request; float64 of
    the same shape. The fraction is the product of (n−c−i)/(n−i) over i < k. Raises ValueError unless
    1 ≤ k ≤ n and 0 ≤ c ≤ n. Source: Chen et al. 2021, arXiv:2107.03374, eq. 1.
    """
    if n != int(n) or k != int(k) or not 1 <= k <= n:
        raise ValueError(f"n = {n}, k = {k}: expected whole numbers with 1 ≤ k ≤ n")
    check_real(c=c)
    bad = (c < 0) | (c > n) | (c != c.round() if c.is_floating_point() else False)
    if bad.any():
        raise ValueError(
            f"c holds {c[bad].flatten()[0].item()}: expected whole numbers from 0 to n = {n}"
        )
    i = torch.arange(k, dtype=torch.float64)
    return 1 - ((n - c.double().unsqueeze(-1) - i) / (n - i)).prod(-1)
