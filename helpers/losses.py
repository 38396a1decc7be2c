"""Every objective as one pure function.

Log-probabilities are in nats: sums over response tokens, but for ``sft_loss``, which takes tokens
and their mask. B is the number of pairs or examples. Every loss is a mean and returns a scalar. All
raise ValueError for an empty batch, for shapes that differ, and for NaN or infinite entries, naming
the argument and the place; also for rewards and log-probabilities that are not tensors of
floating-point numbers. Labels may be booleans or whole numbers too.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.policies import as_mask, check_beta, check_floating, check_real


def _check(**arguments: Tensor) -> None:
    shapes = {name: tuple(value.shape) for name, value in arguments.items()}
    first = next(iter(shapes.values()))
    if len(first) != 1 or first[0] == 0 or any(shape != first for shape in shapes.values()):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{found}: expected one-dimensional tensors of one length B ≥ 1")
    for name, value in arguments.items():
        if not torch.isfinite(value).all():
            place = int((~torch.isfinite(value)).nonzero()[0])
            raise ValueError(f"{name}[{place}] is {value[place].item()}: expected finite numbers")


def _floating(label: Tensor | None, like: Tensor) -> Tensor:
    """A checked label in a type in which 1 − label means what it says; ones where there is none."""
    if label is None:
        return torch.ones_like(like)
    return label if label.is_floating_point() else label.to(like.dtype)


def bradley_terry_loss(
    chosen_rewards: Tensor, rejected_rewards: Tensor, label: Tensor | None = None
) -> Tensor:
    """Pairwise logistic loss −log σ(r_w − r_l).

    chosen_rewards, rejected_rewards (B,); label (B,), the probability that chosen is preferred, in
    [0, 1] (default 1), booleans and whole numbers allowed: then the cross-entropy
    −label·log σ(r_w − r_l) − (1 − label)·log σ(r_l − r_w).
    The result has the widest of the floating-point types. Raises ValueError also where the
    difference of two rewards is too large for their type.
    Source: Bradley & Terry 1952; Ouyang et al. 2022, eq. 1.
    """
    check_floating(chosen_rewards=chosen_rewards, rejected_rewards=rejected_rewards)
    label = torch.ones_like(chosen_rewards) if label is None else label
    check_real(label=label)
    _check(chosen_rewards=chosen_rewards, rejected_rewards=rejected_rewards, label=label)
    low, high = label.min().item(), label.max().item()
    if low < 0 or high > 1:
        raise ValueError(f"label from {low:.3g} to {high:.3g}: expected probabilities from 0 to 1")
    label, gap = _floating(label, chosen_rewards), chosen_rewards - rejected_rewards
    _check(**{"chosen_rewards − rejected_rewards": gap})
    return -(label * logsigmoid(gap) + (1 - label) * logsigmoid(-gap)).mean()


def dpo_loss(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    beta: float,
    label: Tensor | None = None,
) -> Tensor:
    """Bradley-Terry loss on implicit rewards β·log(π_θ/π_ref).

    The four log-probabilities (B,) are sums over response tokens; the reference's carry no gradient here. beta > 0;
    label as in ``bradley_terry_loss``. Source: Rafailov et al. 2023, eq. 7.
    """
    check_beta(beta)
    four = {
        "chosen_logps": chosen_logps,
        "rejected_logps": rejected_logps,
        "ref_chosen_logps": ref_chosen_logps,
        "ref_rejected_logps": ref_rejected_logps,
    }
    check_floating(**four)
    _check(**four)
    chosen_rewards = beta * (chosen_logps - ref_chosen_logps.detach())
    rejected_rewards = beta * (rejected_logps - ref_rejected_logps.detach())
    return bradley_terry_loss(chosen_rewards, rejected_rewards, label)


def _check_flip_rate(epsilon: float) -> None:
    if not 0 <= epsilon < 0.5:
        raise ValueError(
            f"epsilon = {epsilon}: expected a flip rate from 0 to below ½; at ½ an answer says nothing"
        )


def conservative_dpo_loss(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    beta: float,
    label: Tensor | None = None,
    *,
    epsilon: float,
) -> Tensor:
    """DPO with smoothed labels: (1 − ε)·[−log σ(βh)] + ε·[−log σ(−βh)].

    Its minimum is finite, but it is *not* a correction for flips: it aims at the preferences that labels turned round
    at rate ε would show. epsilon in [0, ½), else ValueError; other arguments as in ``dpo_loss``; with soft labels the
    mean over them. Source: Mitchell 2023, "A note on DPO with noisy preferences & relationship to IPO".
    """
    _check_flip_rate(epsilon)
    four = chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps
    plain = dpo_loss(*four, beta, label)  # which checks every argument
    turned = dpo_loss(*four, beta, 1 - _floating(label, chosen_logps))
    return (1 - epsilon) * plain + epsilon * turned


def robust_dpo_loss(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    beta: float,
    label: Tensor | None = None,
    *,
    epsilon: float,
) -> Tensor:
    """DPO corrected for labels turned round at rate ε: ((1 − ε)·[−log σ(βh)] − ε·[−log σ(−βh)]) / (1 − 2ε).

    Its mean over the flips is the loss on clean labels. Because −log σ(−u) = −log σ(u) + u, it equals the plain loss
    minus βh·ε/(1 − 2ε): convex in h, and unbounded below on pairs that no flip contradicts, so stop early. epsilon in
    [0, ½), else ValueError; other arguments as in ``dpo_loss``; with soft labels the mean over them.
    Source: Ray Chowdhury, Kini & Natarajan 2024, arXiv:2403.00409.
    """
    _check_flip_rate(epsilon)
    four = chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps
    plain = dpo_loss(*four, beta, label)  # which checks every argument
    label = _floating(label, chosen_logps)
    h = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    _check(**{"difference of log-ratios": h})
    return plain - epsilon / (1 - 2 * epsilon) * (beta * h * (2 * label - 1)).mean()


def sft_loss(token_logps: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood per token: token_logps (B, R), mask (B, R) true where scored.

    What is outside the mask is never read: it may be infinite or NaN, and its gradient is 0. Raises
    ValueError also for a mask without a token and for a mask of other numbers than 0 and 1.
    """
    check_floating(token_logps=token_logps)
    mask = as_mask(mask)
    if token_logps.shape != mask.shape or token_logps.ndim != 2 or len(token_logps) == 0:
        raise ValueError(
            f"token_logps {tuple(token_logps.shape)}, mask {tuple(mask.shape)}: expected one shape (B, R), B ≥ 1"
        )
    if not mask.any():
        raise ValueError("mask has no response token: expected at least one")
    bad = mask & ~torch.isfinite(token_logps)
    if bad.any():
        row, place = bad.nonzero()[0].tolist()
        raise ValueError(
            f"token_logps[{row}, {place}] is {token_logps[row, place].item()}: expected finite numbers"
        )
    return -token_logps[mask].mean()
