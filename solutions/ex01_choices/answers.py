"""Exercise 1, preferences optimize choices: the reference answers, one function for each part."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from solutions.ex01_choices import hidden_runs

# ---- 1a ------------------------------------------------------------------------------------


def comparisons(ratings: Tensor) -> Tensor:
    """Rows (annotator, winner, loser), (A, K) → (C, 3): who rated one response above another. NaN, ties: no row."""
    return (ratings[:, :, None] > ratings[:, None, :]).nonzero()  # a comparison with NaN is False


# ---- 1b ------------------------------------------------------------------------------------


def choice_loss(logits: Tensor, ref_logits: Tensor, wins: Tensor, beta: float) -> Tensor:
    """Negative log-likelihood per comparison of tables of wins: (B, K), (B, K), (B, K, K) → ()."""
    return (wins * -logsigmoid(pair_margins(logits, ref_logits, beta))).sum() / wins.sum()


def pair_margins(logits, ref_logits, beta):
    """Reward of each response minus that of each other: (P, K), (P, K) → (P, K, K)."""
    reward = implicit_rewards(logits, ref_logits, beta)
    return reward[:, :, None] - reward[:, None, :]


def implicit_rewards(logits, ref_logits, beta):
    """β·log π/π_ref of every response, the reference without gradient: (P, K)."""
    return beta * (logits.log_softmax(-1) - ref_logits.detach().log_softmax(-1))


# ---- 1c ------------------------------------------------------------------------------------


def generator_examples() -> dict:
    """A wild generator, whose better draw is good; and a dull one, whose better draw is still bad."""
    safe = {"policy": [0.1, 0.8, 0.1], "generator": [0.55, 0.05, 0.4], "rewards": [0.0, 2.5, 5.0]}
    unsafe = {"policy": [0.1, 0.5, 0.4], "generator": [0.9, 0.05, 0.05], "rewards": [0.0, 1.0, 2.0]}
    return {"safe": safe, "unsafe": unsafe}


# ---- 1d ------------------------------------------------------------------------------------


def imitation_score(run: hidden_runs.Run) -> float:
    """How much oftener the reference wins than the policy, with both places on the screen counted alike."""
    first, won = run["policy_first"], run["policy_won"]
    rates = [(won[place].sum() + 1) / (place.sum() + 2) for place in (first, ~first)]
    return float(1 - (rates[0] + rates[1]))
