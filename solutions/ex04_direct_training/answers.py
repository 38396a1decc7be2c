"""Exercise 4, DPO as direct training: the reference answers, one function for each part."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from solutions.ex04_direct_training import hidden_runs

# ---- 4a ------------------------------------------------------------------------------------


def implicit_rewards(
    policy_logits: Tensor, ref_logits: Tensor, tokens: Tensor, mask: Tensor, beta: float
) -> Tensor:
    """β Σ_response (log π − log π_ref), (B,)."""
    return beta * (
        masked_logps(policy_logits, tokens, mask) - masked_logps(ref_logits, tokens, mask)
    )


def logps_of_tokens(logits: Tensor, tokens: Tensor) -> Tensor:
    """(B, T, V), (B, T) → (B, T − 1): entry t belongs to token t + 1."""
    return logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)


def masked_logps(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """Log-probability of each response: (B, T, V), (B, T), (B, T) → (B,)."""
    return (logps_of_tokens(logits, tokens) * mask[:, 1:]).sum(1)


# ---- 4b ------------------------------------------------------------------------------------


def ranked_loss(policy_logps: Tensor, ref_logps: Tensor, beta: float) -> Tensor:
    """DPO for rankings, (B, K) and (B, K) → (). Source: Rafailov et al. 2023, appendix A.3, eq. 20."""
    scores = ranking_scores(policy_logps, ref_logps, beta)
    remaining = scores.flip(1).logcumsumexp(1).flip(1)  # log Σ_{j ≥ k} e^{s_j}
    return (remaining - scores)[:, :-1].sum(1).mean()  # the last factor is 1


def ranking_scores(policy_logps, ref_logps, beta):
    """β·log π/π_ref of each place of a ranking, the reference without gradient: (B, K)."""
    return beta * (policy_logps - ref_logps.detach())


# ---- 4c ------------------------------------------------------------------------------------


def feature_examples() -> dict:
    """Three responses with two features. Response k's score moves along φ_k·(φ_w − φ_l)."""
    safe = {"features": [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], "chosen": 0, "rejected": 1}
    # chosen and rejected point almost the same way; the third lies where their difference points, but further out
    unsafe = {
        "features": [[1.0, 1.0], [0.0, 1.0], [4.0, 0.0]],
        "chosen": 0,
        "rejected": 1,
        "harmful": 2,
    }
    return {"safe": safe, "unsafe": unsafe}


# ---- 4d ------------------------------------------------------------------------------------


def harm_score(run: hidden_runs.Run) -> float:
    """Mean win rate of the reference's samples minus that of the policy's; win rates from the held-out pairs."""
    n = 1 + int(
        max(run[ids].max() for ids in ("chosen", "rejected", "ref_samples", "policy_samples"))
    )
    wins, losses = (
        np.bincount(run["chosen"], minlength=n),
        np.bincount(run["rejected"], minlength=n),
    )
    rate = (wins + 1) / (wins + losses + 2)  # a response that was never compared counts as average
    return float(rate[run["ref_samples"]].mean() - rate[run["policy_samples"]].mean())
