"""Exact formulas on distributions over all responses.

A policy here is a table of log-probabilities in nats, shape (..., N): the last axis runs over all N responses and its
exponentials sum to 1. −inf stands for a response without probability. Rewards have the same shape and are finite.
All raise ValueError for shapes that differ, rows that do not sum to 1, and NaN.

The checks of arguments that other modules share stand here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_real(**arguments: Tensor) -> None:
    """Raise ValueError unless every argument is a tensor of real numbers.

    Booleans and whole numbers are real too. Types with which torch does next to nothing, such as
    uint64, are refused as complex ones are.
    """
    for name, value in arguments.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{name} is a {type(value).__name__}: expected a tensor. "
                "Convert it with torch.as_tensor(…, dtype=torch.float64), labels without a dtype"
            )
        if value.dtype not in (torch.bool, *WHOLE, *FLOATING):
            raise ValueError(
                f"{name} of {value.dtype}: expected real numbers, such as torch.float64"
            )


def check_floating(**arguments: Tensor) -> None:
    """Raise ValueError unless every argument is a tensor of floating-point numbers.

    Differences of whole numbers may wrap around: 3 − 7 is 252 in uint8.
    """
    check_real(**arguments)
    for name, value in arguments.items():
        if value.dtype not in FLOATING:
            raise ValueError(
                f"{name} of {value.dtype}: expected floating-point numbers. Convert with .double()"
            )


def check_scores(chosen: Tensor, rejected: Tensor) -> None:
    """Raise ValueError unless ``>`` and ``==`` compare two vectors of scores (B,), B ≥ 1, exactly.

    Any real numbers will do, infinite ones too; not NaN, nor whole numbers beside floating-point
    ones, which torch rounds before it compares.
    """
    check_real(chosen=chosen, rejected=rejected)
    if chosen.shape != rejected.shape or chosen.ndim != 1 or len(chosen) == 0:
        shapes = f"{tuple(chosen.shape)} and {tuple(rejected.shape)}"
        raise ValueError(f"scores of shapes {shapes}: expected two vectors of one length B ≥ 1")
    if chosen.is_floating_point() != rejected.is_floating_point():
        raise ValueError(
            f"scores of {chosen.dtype} and {rejected.dtype}: expected both floating-point or "
            "neither. Convert one of them"
        )
    bad = torch.isnan(chosen) | torch.isnan(rejected)
    if bad.any():
        raise ValueError(
            f"score of pair {int(bad.nonzero()[0])} is NaN: expected comparable numbers"
        )


def as_mask(mask: Tensor) -> Tensor:
    """The mask as booleans. Raises ValueError unless it is a tensor of booleans or zeros and ones.

    Masked sums are taken by leaving out, ``torch.where(mask, x, 0)``: ∞·0 would be NaN.
    """
    check_real(mask=mask)
    other = (mask != 0) & (mask != 1)
    if other.any():
        place = other.nonzero()[0].tolist()
        raise ValueError(
            f"mask{place} is {mask[tuple(place)].item()}: expected booleans, or 0 and 1"
        )
    return mask.bool()


def check_beta(beta: float) -> None:
    """Raise ValueError unless β is a finite number above 0."""
    if not 0 < beta < float("inf"):
        raise ValueError(f"beta = {beta}: expected a finite number above 0")


def _check_policy(name: str, logps: Tensor) -> None:
    check_floating(**{name: logps})
    total = logps.detach().double().logsumexp(-1)
    off = ~(total.abs() < 1e-3)  # NaN counts as off
    empty = logps.ndim == 0 or logps.numel() == 0
    if empty or off.any():
        found = (
            f"shape {tuple(logps.shape)}"
            if empty
            else f"Σ exp = {total[off].flatten()[0].exp().item():.4g}"
        )
        raise ValueError(
            f"{name}: {found}: expected log-probabilities that sum to 1 over the last axis"
        )


def _check_values(logps: Tensor, name: str, values: Tensor) -> None:
    check_real(**{name: values})
    if values.shape != logps.shape:
        raise ValueError(
            f"{name} {tuple(values.shape)}: expected the shape of the policy, {tuple(logps.shape)}"
        )
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity: expected finite numbers")


def expected(logps: Tensor, values: Tensor) -> Tensor:
    """E_π[values], (..., N) → (...)."""
    _check_policy("logps", logps)
    _check_values(logps, "values", values)
    return (logps.exp() * values).sum(-1)


def kl(logps: Tensor, other_logps: Tensor) -> Tensor:
    """KL(π‖other) in nats, (..., N) → (...); 0·log 0 is 0, and +inf where π has mass that ``other`` lacks."""
    _check_policy("logps", logps)
    _check_policy("other_logps", other_logps)
    if logps.shape != other_logps.shape:
        raise ValueError(
            f"policies of shapes {tuple(logps.shape)} and {tuple(other_logps.shape)}: expected one shape"
        )
    some = logps > -torch.inf
    terms = logps.exp() * torch.where(some, logps - other_logps, 0.0)
    return terms.masked_fill(~some, 0.0).sum(-1)


def objective(logps: Tensor, ref_logps: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """J(π) = E_π[r] − β·KL(π‖π_ref) in units of the reward, (..., N) → (...)."""
    check_beta(beta)
    return expected(logps, rewards) - beta * kl(logps, ref_logps)


def optimum(ref_logps: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """The policy that maximises ``objective``: log π* = log π_ref + r/β − log Z, (..., N), and log Z, (...).

    Source: Rafailov et al. 2023, eq. 4; derived in section 5.1.
    """
    check_beta(beta)
    _check_policy("ref_logps", ref_logps)
    _check_values(ref_logps, "rewards", rewards)
    unnormalised = ref_logps + rewards / beta
    return unnormalised.log_softmax(-1), unnormalised.logsumexp(-1)


def frontier(ref_logps: Tensor, rewards: Tensor, betas: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The most reward that each KL buys: KL and reward of the optimum at each β, two tensors (len(betas),).

    Both are means over all rows, which share one β. Raises ValueError for no betas.
    """
    if len(betas) == 0:
        raise ValueError("no betas: expected at least one")
    optima = [optimum(ref_logps, rewards, beta)[0] for beta in betas]
    return (
        torch.stack([kl(logps, ref_logps).mean() for logps in optima]),
        torch.stack([expected(logps, rewards).mean() for logps in optima]),
    )


def by_reward(ref_logps: Tensor, rewards: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A policy seen through the reward alone: how much mass it has at each value that the rewards take.

    Returns the V different values in ascending order, (V,), the log mass at each, (..., V), and for every response the
    place of its value, (..., N). The optimum re-weights all responses of one reward alike, so its KL and its reward are
    those of this shorter table.
    """
    _check_policy("ref_logps", ref_logps)
    _check_values(ref_logps, "rewards", rewards)
    values, place = rewards.unique(return_inverse=True)
    mass = torch.zeros(*ref_logps.shape[:-1], len(values), dtype=ref_logps.dtype)
    return values, mass.scatter_add(-1, place, ref_logps.exp()).log(), place


def mean_over_pairs(
    logps: Tensor, rewards: Tensor, of_two: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """E[of_two(r(y₁), r(y₂))] over two *different* responses, (..., N) → (...), by enumeration, float64.

    As ``world.draw_pairs`` draws them: y₁ from the policy, y₂ from the policy given that it differs
    from y₁. of_two takes two tensors of rewards of one shape. Responses of equal reward are summed
    up first, so that V different values cost V² calls and not N². Raises ValueError for a policy
    with all its mass on one response, and for rewards that are not floating-point numbers, since
    of_two may subtract them.
    """
    check_floating(rewards=rewards)
    values, log_mass, place = by_reward(logps, rewards)
    table = of_two(
        values[:, None].expand(len(values), -1), values[None].expand(len(values), -1)
    ).double()  # (V, V)
    p = logps.double().exp()
    p = p / p.sum(-1, keepdim=True)
    if (p >= 1).any():
        raise ValueError("a policy gives one response only: expected two different responses")
    mass = torch.zeros_like(log_mass, dtype=torch.float64).scatter_add(-1, place, p)
    with_all = (mass @ table.T).gather(-1, place)  # Σ over every y₂ of p(y₂)·of_two
    return (p * (with_all - p * table.diagonal()[place]) / (1 - p)).sum(-1)


def _sortable(scores: Tensor) -> Tensor:
    """Booleans as 0 and 1, since torch does not rank them; other numbers as they are."""
    return scores.to(torch.uint8) if scores.dtype == torch.bool else scores


def _tie_groups(ref_logps: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log p normalised, mass of each response's group of equal scores, mass of lower scores; all (..., N)."""
    _check_policy("ref_logps", ref_logps)
    _check_values(ref_logps, "scores", scores)
    logps, scores = ref_logps.double().log_softmax(-1), _sortable(scores)
    ascending, order = scores.sort(-1)
    start = torch.searchsorted(
        ascending, scores.contiguous()
    )  # place where the response's group begins
    mass = torch.zeros_like(logps).scatter_add(
        -1, start, logps.exp()
    )  # summed per group: no cancellation
    below = logps.exp().gather(-1, order).cumsum(-1)
    below = torch.cat([torch.zeros_like(below[..., :1]), below], dim=-1).gather(-1, start)
    return logps, mass.gather(-1, start), below


def best_of_n(ref_logps: Tensor, scores: Tensor, n: int) -> Tensor:
    """log π of the response with the highest score among n independent draws from the reference, (..., N), exactly.

    Tie rule: of equally good draws the first is taken, so responses of one score keep the reference's ratios. For a
    group of equal scores with mass m, above mass b: P(group) = (b + m)ⁿ − bⁿ. Float64. Raises ValueError for n < 1.
    """
    if n != int(n) or n < 1:
        raise ValueError(f"n = {n}: expected a whole number of draws ≥ 1")
    logps, mass, below = _tie_groups(ref_logps, scores)
    upto = below + mass
    log_group = (
        n * upto.log() + (-torch.expm1(n * torch.log1p(-(mass / upto).clamp(max=1.0)))).log()
    )
    return torch.where(logps > -torch.inf, logps - mass.log() + log_group, -torch.inf).log_softmax(
        -1
    )


def top_fraction(ref_logps: Tensor, scores: Tensor, fraction: float) -> Tensor:
    """log π of the reference cut down to the best-scoring ``fraction`` of its mass, (..., N).

    The group of equal scores that the cut goes through is kept in part, all its responses in the same proportion.
    Float64. Raises ValueError unless 0 < fraction ≤ 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(
            f"fraction = {fraction}: expected a part of the mass, above 0 and at most 1"
        )
    logps, mass, below = _tie_groups(ref_logps, scores)
    above = (1 - below - mass).clamp(min=0.0)
    kept = ((fraction - above) / mass).clamp(0.0, 1.0)
    return torch.where(mass > 0, logps + kept.log(), -torch.inf).log_softmax(-1)


def mean_of_top(
    ref_logps: Tensor, scores: Tensor, values: Tensor, fractions: Sequence[float]
) -> Tensor:
    """E[values] under ``top_fraction`` for several fractions with one sort per row: (..., N) each → (..., fractions).

    Float64. Raises ValueError for no fractions or one outside (0, 1].
    """
    parts = np.asarray(fractions, dtype=np.float64)
    if len(parts) == 0 or not ((parts > 0) & (parts <= 1)).all():
        raise ValueError(
            f"fractions {list(fractions)}: expected at least one, each above 0 and at most 1"
        )
    _check_policy("ref_logps", ref_logps)
    _check_values(ref_logps, "scores", scores)
    _check_values(ref_logps, "values", values)
    tables = (
        t.double().reshape(-1, ref_logps.shape[-1])
        for t in (ref_logps.log_softmax(-1), scores, values)
    )
    means = []
    for logps, score, value in zip(*(t.numpy() for t in tables)):
        order = np.argsort(-score, kind="stable")
        ends = np.append(
            np.flatnonzero(np.diff(score[order])), len(order) - 1
        )  # where groups of equal scores end
        p = np.exp(logps[order])
        mass, total = ([0.0, *np.cumsum(terms)[ends]] for terms in (p, p * value[order]))
        means.append(np.interp(parts, mass, total) / parts)
    return torch.tensor(np.array(means)).reshape(*ref_logps.shape[:-1], len(parts))


def draw_best_of_n(
    sampler: Callable[[Tensor, torch.Generator], Tensor],
    scores: Tensor,
    prompts: Tensor,
    n: int,
    generator: torch.Generator,
) -> Tensor:
    """Best-of-n by sampling: for each prompt draw n responses, keep the first of those with the highest score.

    sampler: (prompts (B,), generator) → responses (B,), indices; scores (n_prompts, N); prompts (B,) → (B,).
    Raises ValueError for n < 1, no prompts, scores that hold NaN.
    """
    if n != int(n) or n < 1:
        raise ValueError(f"n = {n}: expected a whole number of draws ≥ 1")
    if prompts.ndim != 1 or len(prompts) == 0:
        raise ValueError(
            f"prompts {tuple(prompts.shape)}: expected a vector of prompt indices, at least one"
        )
    check_real(scores=scores)
    if torch.isnan(scores).any():
        raise ValueError("scores hold NaN: expected comparable numbers")
    drawn = sampler(prompts.repeat_interleave(n), generator).view(len(prompts), n)
    first_best = _sortable(scores)[prompts.unsqueeze(1), drawn].argmax(1)
    return drawn.gather(1, first_best.unsqueeze(1)).squeeze(1)
