"""Losses on comparisons: Bradley–Terry, DPO and what is built like it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.losses.checks import as_floating, check_label, check_rows
from helpers.policies import check_beta, check_floating, check_real


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
    check_rows(chosen_rewards=chosen_rewards, rejected_rewards=rejected_rewards, label=label)
    check_label(label)
    label, gap = as_floating(label, chosen_rewards), chosen_rewards - rejected_rewards
    check_rows(**{"chosen_rewards − rejected_rewards": gap})
    return -(label * logsigmoid(gap) + (1 - label) * logsigmoid(-gap)).mean()


def _named(*four: Tensor) -> dict[str, Tensor]:
    """The four log-probabilities of a pair by name, once they are known to be floating-point."""
    names = "chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps"
    named = dict(zip(names, four))
    check_floating(**named)
    return named


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
    four = _named(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    check_rows(**four)
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
    turned = dpo_loss(*four, beta, 1 - as_floating(label, chosen_logps))
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
    label = as_floating(label, chosen_logps)
    h = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    check_rows(**{"difference of log-ratios": h})
    return plain - epsilon / (1 - 2 * epsilon) * (beta * h * (2 * label - 1)).mean()


def ipo_loss(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    tau: float,
    label: Tensor | None = None,
) -> Tensor:
    """IPO: (h − 1/(2τ))², a squared distance of the log-ratios' difference h from a margin.

    The four log-probabilities (B,) are *sums* over response tokens, as in the paper and its first
    code; some libraries average the log-ratios over tokens, and their τ is per token. tau, in units
    of preference per nat, is finite and above 0, else ValueError. label as in
    ``bradley_terry_loss``: label·(h − 1/(2τ))² + (1 − label)·(−h − 1/(2τ))², whose minimum stands at
    h = (2·label − 1)/(2τ). Source: Azar et al. 2023, arXiv:2310.12036, eq. 17.
    """
    if not 0 < tau < float("inf"):
        raise ValueError(f"tau = {tau}: expected a finite number above 0")
    four = _named(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    label = torch.ones_like(chosen_logps) if label is None else label
    check_real(label=label)
    check_rows(**four, label=label)
    check_label(label)
    label = as_floating(label, chosen_logps)
    h = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    check_rows(**{"difference of log-ratios": h})
    target = 1 / (2 * tau)
    right, turned = (h - target).square(), (h + target).square()
    check_rows(**{"(h − 1/(2τ))²": right, "(−h − 1/(2τ))²": turned})  # 0·∞ would be NaN
    return (label * right + (1 - label) * turned).mean()


def simpo_loss(
    chosen_mean_logps: Tensor,
    rejected_mean_logps: Tensor,
    beta: float,
    gamma: float,
    label: Tensor | None = None,
) -> Tensor:
    """SimPO: −log σ(β(m_w − m_l) − γ), without a reference.

    chosen_mean_logps, rejected_mean_logps (B,): *means* over response tokens m. beta > 0; gamma, the
    margin asked for, is finite and at least 0, else ValueError. γ is subtracted as it stands, as in
    the paper's equation and in TRL; the paper's code is set by the quotient γ/β. label as in
    ``bradley_terry_loss``: with probability 1 − label the two change places, and each is then asked
    for the margin. Source: Meng et al. 2024, arXiv:2405.14734, eq. 6.
    """
    check_beta(beta)
    if not 0 <= gamma < float("inf"):
        raise ValueError(f"gamma = {gamma}: expected a finite number from 0 on")
    two = {"chosen_mean_logps": chosen_mean_logps, "rejected_mean_logps": rejected_mean_logps}
    check_floating(**two)
    label = torch.ones_like(chosen_mean_logps) if label is None else label
    check_real(label=label)
    check_rows(**two, label=label)
    check_label(label)
    label, gap = as_floating(label, chosen_mean_logps), chosen_mean_logps - rejected_mean_logps
    check_rows(**{"β·|chosen_mean_logps − rejected_mean_logps| + γ": beta * gap.abs() + gamma})
    right, turned = logsigmoid(beta * gap - gamma), logsigmoid(-beta * gap - gamma)
    return -(label * right + (1 - label) * turned).mean()
