"""Losses on tokens: imitation, and ORPO, which adds the odds of a comparison to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.losses.checks import check_rows
from helpers.policies import as_mask, check_floating


def sft_loss(token_logps: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood per token: token_logps (B, R), mask (B, R) true where scored.

    What is outside the mask is never read: it may be infinite or NaN, and its gradient is 0. Raises
    ValueError also for a mask without a token and for a mask of other numbers than 0 and 1.
    """
    mask = _check_tokens("token_logps", token_logps, mask)
    if not mask.any():
        raise ValueError("mask has no response token: expected at least one")
    return -token_logps[mask].mean()


def _check_tokens(name: str, token_logps: Tensor, mask: Tensor) -> Tensor:
    """The mask as booleans, after the log-probabilities inside it have been looked at."""
    check_floating(**{name: token_logps})
    mask = as_mask(mask)
    if token_logps.shape != mask.shape or token_logps.ndim != 2 or len(token_logps) == 0:
        shapes = f"{name} {tuple(token_logps.shape)}, mask {tuple(mask.shape)}"
        raise ValueError(f"{shapes}: expected one shape (B, R), B ≥ 1")
    bad = mask & ~torch.isfinite(token_logps)
    if bad.any():
        row, place = bad.nonzero()[0].tolist()
        found = token_logps[row, place].item()
        raise ValueError(f"{name}[{row}, {place}] is {found}: expected finite numbers")
    return mask


def odds_ratio_loss(chosen_mean_logps: Tensor, rejected_mean_logps: Tensor) -> Tensor:
    """−log σ(log odds_w − log odds_l), with odds p/(1 − p) of p = exp(mean log-probability per token).

    chosen_mean_logps, rejected_mean_logps (B,), all below 0: a probability of exactly 1 has no odds
    and is a ValueError, as is one above 1. log(1 − p) is computed without cancellation at both ends.
    Source: Hong et al. 2024, arXiv:2403.07691, eq. 7.
    """
    two = {"chosen_mean_logps": chosen_mean_logps, "rejected_mean_logps": rejected_mean_logps}
    check_floating(**two)
    check_rows(**two)
    for name, value in two.items():
        bad = value >= 0
        if bad.any():
            place = int(bad.nonzero()[0])
            raise ValueError(
                f"{name}[{place}] is {value[place].item()}: expected a mean log-probability below 0; "
                "a probability of 1 has no odds"
            )
    return -logsigmoid(_log_odds(chosen_mean_logps) - _log_odds(rejected_mean_logps)).mean()


def _log_odds(logp: Tensor) -> Tensor:
    """log(p/(1 − p)) from log p < 0. What log(1 − p) loses where p is small, log p would not show."""
    return logp - torch.log(-torch.expm1(logp))


def orpo_loss(
    chosen_token_logps: Tensor,
    chosen_mask: Tensor,
    rejected_token_logps: Tensor,
    rejected_mask: Tensor,
    lam: float,
) -> Tensor:
    """ORPO: ``sft_loss`` of the chosen responses + λ·``odds_ratio_loss``, without a reference.

    Token log-probabilities and masks (B, R), each side with its own R. The first term is a mean over
    all chosen tokens of the batch, of the response alone (some libraries count the prompt too); the
    odds are of each response's own mean. lam is finite and at least 0, else ValueError; ValueError
    also for a response without a token. Source: Hong et al. 2024, arXiv:2403.07691, eq. 6.
    """
    if not 0 <= lam < float("inf"):
        raise ValueError(f"lam = {lam}: expected a finite number from 0 on")
    _check_tokens("chosen_token_logps", chosen_token_logps, chosen_mask)
    _check_tokens("rejected_token_logps", rejected_token_logps, rejected_mask)
    chosen = mean_logps(chosen_token_logps, chosen_mask)
    rejected = mean_logps(rejected_token_logps, rejected_mask)
    return sft_loss(chosen_token_logps, chosen_mask) + lam * odds_ratio_loss(chosen, rejected)


def mean_logps(token_logps: Tensor, mask: Tensor) -> Tensor:
    """Mean log-probability over the tokens of each response, (B, R) → (B,).

    What is outside the mask is never read. Raises ValueError for shapes that differ, for NaN or
    infinite entries inside the mask and for a response without a token, naming it.
    """
    mask = _check_tokens("token_logps", token_logps, mask)
    empty = ~mask.any(1)
    if empty.any():
        row = int(empty.nonzero()[0])
        raise ValueError(f"mask row {row} has no token: expected at least one, a mean needs it")
    return token_logps.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)
