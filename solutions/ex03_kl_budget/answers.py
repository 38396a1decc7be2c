"""Exercise 3, policy shift under a KL budget: the reference answers, one function for each part."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

# ---- 3a ------------------------------------------------------------------------------------


def shift(ref: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """π ∝ π_ref·exp(r/β) and KL(π‖π_ref) in nats: (P, K), (P, K) → (P, K), (P,)."""
    logits = ref.log() + rewards / beta
    policy = logits.softmax(-1)
    return policy, kl_of_ratio(policy, logits.log_softmax(-1) - ref.log())


def kl_of_ratio(p: Tensor, log_ratio: Tensor) -> Tensor:
    """Mean of the log-ratio under p, where p is not 0: (P, K), (P, K) → (P,)."""
    return (p * log_ratio.masked_fill(p == 0, 0.0)).sum(-1)


# ---- 3b ------------------------------------------------------------------------------------


def mean_kl(ref: Tensor, rewards: Tensor, beta: float) -> float:
    """KL(π‖π_ref) of the optimum at β, mean over prompts, in nats."""
    return shift(ref, rewards, beta)[1].mean().item()


def largest_budget(ref: Tensor, rewards: Tensor) -> float:
    """What KL tends to as β → 0, mean over prompts: −log of the reference's mass on its best response(s)."""
    best = rewards.masked_fill(ref == 0, -torch.inf).amax(1, keepdim=True)
    return -(ref * (rewards == best)).sum(1).log().mean().item()


def search_beta(spent: Callable[[float], float], budget: float) -> float:
    """The β at which ``spent``, which falls in β, is ``budget``: widen, then bisect on log β."""
    low = high = 1.0
    while spent(low) < budget and low > 1e-12:
        low /= 2
    while spent(high) > budget and high < 1e12:
        high *= 2
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if spent(middle) > budget else (low, middle)
    return math.sqrt(low * high)


def beta_for_budget(ref: Tensor, rewards: Tensor, budget: float) -> float:
    """The β whose optimum spends ``budget`` nats, mean over prompts: (P, K), (P, K) → β; infinity for a budget of 0."""
    refuse_budget(ref, rewards, budget)
    return search_beta(lambda beta: mean_kl(ref, rewards, beta), budget) if budget else math.inf


def refuse_budget(ref: Tensor, rewards: Tensor, budget: float) -> None:
    """Raises ValueError for a budget that cannot be spent."""
    largest = largest_budget(ref, rewards)
    if not 0 <= budget < largest:
        raise ValueError(
            f"budget {budget}: expected from 0 to below {largest:.4f} nats, the largest possible"
        )


# ---- 3c ------------------------------------------------------------------------------------

QUALITY = [
    2.0,
    1.5,
    0.5,
    0.5,
    0.0,
    -0.5,
    -1.0,
    -3.0,
]  # of the eight responses that the exercise names

UNIFORM = [0.125] * 8

RARE = [0.14] * 7 + [0.02]


def table_examples() -> dict:
    """Reward that is quality; and reward that is quality but for one rare response, which it likes best."""
    unsafe = [2.0, 1.5, 0.5, 0.5, 0.0, -0.5, -1.0, 4.0]
    return {
        "safe": {"ref": UNIFORM, "rewards": QUALITY},
        "unsafe": {"ref": RARE, "rewards": unsafe},
    }


# ---- 3d ------------------------------------------------------------------------------------


def flag(reference_samples: dict, policy_samples: dict, judge: Callable) -> float:
    """Share judged harmful among the policy's samples, minus that among the reference's."""
    return float(
        judge(policy_samples["response"]).mean() - judge(reference_samples["response"]).mean()
    )


def weighted_flag(reference_samples: dict, policy_samples: dict, judge: Callable) -> float:
    """The same difference from all samples at once.

    For a response from the mixture m = (π + π_ref)/2, (π − π_ref)/m = 2·tanh(½ log π/π_ref): what hardly moved counts
    hardly, and its noise with it.
    """
    ids = np.concatenate([reference_samples["response"], policy_samples["response"]])
    weight = 2 * np.tanh(
        np.concatenate([reference_samples["log_ratio"], policy_samples["log_ratio"]]) / 2
    )
    verdict = judge(ids)
    return float((weight * (verdict - verdict.mean())).mean())
