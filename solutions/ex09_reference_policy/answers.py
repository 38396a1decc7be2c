"""Exercise 9, reference policy: the reference answers, one function for each part."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from solutions.ex09_reference_policy import hidden_runs

# ---- 9a ------------------------------------------------------------------------------------


def reply_logps(logits: Tensor, tokens: Tensor, mask: Tensor, n_prompt: Tensor, end: int) -> Tensor:
    """log π_ref(y|x) of every row's reply: (B, T, V), (B, T), (B, T), (B,), id → (B,).

    Raises ValueError where padding stands inside a row's text, or the prompt has no token or more than the row.
    """
    refuse_rows(mask, n_prompt)
    scored = scored_tokens(tokens, mask, n_prompt, end)
    each = token_logps(logits, tokens)
    return each.masked_fill(~scored[:, 1:], 0.0).sum(1)  # 0 · NaN would be NaN


def refuse_rows(mask: Tensor, n_prompt: Tensor) -> None:
    """Raises ValueError for text in several pieces and for prompts that are no part of it."""
    text = mask.bool()
    begins = (text[:, 1:] & ~text[:, :-1]).sum(1) + text[:, 0]
    if (begins != 1).any():
        raise ValueError("a row without text, or with padding inside it")
    if (n_prompt < 1).any() or (n_prompt > text.sum(1)).any():
        raise ValueError("a prompt without tokens, or with more than the row has")


def scored_tokens(tokens: Tensor, mask: Tensor, n_prompt: Tensor, end: int) -> Tensor:
    """Which tokens the reply consists of, its first end token included: (B, T) bool."""
    text = mask.bool()
    reply = text & (text.cumsum(1) > n_prompt[:, None])
    ends = (reply & (tokens == end)).int()
    return reply & (ends.cumsum(1) - ends == 0)


def token_logps(logits: Tensor, tokens: Tensor) -> Tensor:
    """(B, T, V), (B, T) → (B, T − 1): entry t belongs to the token at t + 1."""
    return logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)


# ---- 9b ------------------------------------------------------------------------------------


def on_right_reference(
    policy: Tensor, wrong: Tensor, right: Tensor, beta: float, new_beta: float
) -> Tensor:
    """The optimum for ``right`` and ``new_beta``, of the reward for which ``policy`` is optimal with ``wrong``
    and ``beta``.
    Log-probabilities, (B, K) each, up to a constant per row → (B, K), normalised. Raises ValueError where a β is not
    positive, the policy says what ``wrong`` never says, ``right`` says what ``wrong`` never says, or nothing is left.
    """
    refuse_references(policy, wrong, right, beta, new_beta)
    never = policy.isneginf() | right.isneginf()
    learned = torch.where(never, 0.0, policy) - torch.where(never, 0.0, wrong)
    tilted = torch.where(never, 0.0, right) + beta / new_beta * learned
    return tilted.masked_fill(never, -torch.inf).log_softmax(-1)


def refuse_references(
    policy: Tensor, wrong: Tensor, right: Tensor, beta: float, new_beta: float
) -> None:
    """Raises ValueError where there is no answer."""
    if not (beta > 0 and new_beta > 0):
        raise ValueError(f"β = {beta} and {new_beta}: expected both above 0")
    unsaid = wrong.isneginf()
    if (unsaid & ~policy.isneginf()).any():
        raise ValueError("the policy says what its reference never says: no optimum does")
    if (unsaid & ~right.isneginf()).any():
        raise ValueError("nothing was learned about a reply that the wrong reference never says")
    if (policy.isneginf() | right.isneginf()).all(-1).any():
        raise ValueError("no reply is left")


# ---- 9c ------------------------------------------------------------------------------------


BETA = 0.5  # of the loss


def reference_examples() -> dict:
    """A wrong reference that alarms and costs nothing, and one that costs gold while the first loss is log 2."""
    # the first two replies keep their ratio 3 : 2; no pair contains the third, which gets the rest
    safe = {
        "ref": [0.3, 0.2, 0.5],
        "wrong": [0.15, 0.1, 0.75],
        "rewards": [1.0, 0.0, 0.0],
        "pairs": [[0, 1]],
    }
    # annotators prefer the first of two replies by 1 nat; with h = 2.18 instead of 0 the expected loss is log 2 again
    ratio = np.exp(-first_loss_is_log_two(1.0) / BETA)  # ν's odds of the two; π_ref's are 1
    unsafe = {
        "ref": [0.45, 0.45, 0.1],
        "wrong": [0.9 * ratio / (1 + ratio), 0.9 / (1 + ratio), 0.1],
        "rewards": [1.0, 0.0, 0.0],
        "pairs": [[0, 1]],
    }
    return {"safe": safe, "unsafe": unsafe}


def first_loss_is_log_two(gap: float) -> float:
    """The h > 0 at which −p log σ(h) − (1 − p) log σ(−h) is log 2 again, where p = σ(gap)."""
    p = 1 / (1 + np.exp(-gap))
    low, high = gap, 100.0
    for _ in range(100):
        h = (low + high) / 2
        low, high = (h, high) if np.logaddexp(0, h) - p * h < np.log(2) else (low, h)
    return low


# ---- 9d ------------------------------------------------------------------------------------


def reference_score(run: hidden_runs.Run) -> float:
    """Largest of the slices: by how much the log-ratio, read as log-odds of who spoke, misses, in standard errors."""
    return max(abs(miss) for miss in hidden_runs.misses(run))
