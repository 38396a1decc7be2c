"""Exercise 5, noisy but valuable: the reference answers, one function for each part.

Every pair has a clean answer, 'first' or 'second'. Annotator a records 'first' with probability t_a where the clean
answer is 'first' and f_a where it is 'second': row a of ``rates``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.grader.exercises.ex05_noisy_but_valuable.held_out import Run

# ---- 5a ------------------------------------------------------------------------------------


def worth(clean: Tensor, rates: Tensor) -> Tensor:
    """What one answer tells of the clean one, in nats: P(clean answer is 'first') (n,), rates (A, 2) → (n, A).

    Raises ValueError for a probability outside 0 … 1.
    """
    refuse_probabilities(clean, rates)
    p, (t, f) = clean[:, None], rates.T
    recorded = p * t + (1 - p) * f
    return (entropy(recorded) - p * entropy(t) - (1 - p) * entropy(f)).clamp(min=0)


def refuse_probabilities(*tables: Tensor) -> None:
    """Raises ValueError for an entry outside 0 … 1, NaN included."""
    for table in tables:
        if not ((table >= 0) & (table <= 1)).all():
            raise ValueError("a probability outside 0 to 1")


def entropy(q: Tensor) -> Tensor:
    """Of an answer that is 'first' with probability q, in nats; 0 at 0 and 1."""
    return -torch.xlogy(q, q) - torch.xlogy(1 - q, 1 - q)


# ---- 5b ------------------------------------------------------------------------------------


def corrected_loss(margins: Tensor, records: Tensor, rates: Tensor) -> Tensor:
    """Loss of noisy answers, unbiased for that of the clean ones: (n,), (C, 3), (A, 2) → scalar.

    Records are rows (pair, annotator, 1 for 'first' or 0 for 'second'). Answers about one pair are weighted by
    (t − f)²;
    the mean is over pairs that have an answer of weight above 0. Raises ValueError for damaged records, for rates
    outside 0 … 1, and where no answer has weight.
    """
    refuse_records(margins, records, rates)
    pair, annotator, said = records.T
    t, f = rates.to(margins.dtype)[annotator].T
    zero = torch.zeros_like(margins)
    # an answer is worth (said − f)/(t − f) clean 'first's; times its weight (t − f)² there is nothing to divide by
    weight = zero.index_add(0, pair, (t - f) ** 2)
    first = zero.index_add(0, pair, (t - f) * (said.to(margins.dtype) - f))
    asked = weight > 0
    if not asked.any():
        raise ValueError("no answer depends on its pair")
    share, u = first[asked] / weight[asked], margins[asked]
    return -(share * logsigmoid(u) + (1 - share) * logsigmoid(-u)).mean()


def refuse_records(margins: Tensor, records: Tensor, rates: Tensor) -> None:
    """Raises ValueError for pairs, annotators or answers that do not exist, and for rates outside 0 … 1."""
    refuse_probabilities(rates)
    for column, bound in zip(records.T, (len(margins), len(rates), 2)):
        if ((column < 0) | (column >= bound)).any():
            raise ValueError(f"a record holds {column.tolist()}: expected 0 to {bound - 1}")


# ---- 5c ------------------------------------------------------------------------------------


def crowd_examples() -> dict:
    """Pairs about which everybody is somewhat unsure; and clear pairs beside some that most people get wrong."""
    return {
        "safe": {"share": [0.5, 0.5], "right": [0.62, 0.74]},
        "unsafe": {"share": [0.75, 0.25], "right": [0.99, 0.4]},
    }


# ---- 5d ------------------------------------------------------------------------------------


def rule_score(run: Run) -> float:
    """Agreement on pairs that several people answered, beyond what their own two rates explain.

    If errors fall independently given the clean answer, annotators a and b agree with probability
    ½·[t_a·t_b + (1 − t_a)(1 − t_b)] + ½·[f_a·f_b + (1 − f_a)(1 − f_b)]. What errs in common agrees more often.
    """
    t, f = gold_rates(run)
    order = np.argsort(run["pair"], kind="stable")
    annotator = run["annotator"][order].reshape(-1, 3)
    said = run["said_first"][order].reshape(-1, 3)
    beyond = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = annotator[:, i], annotator[:, j]
        explained = 0.5 * (
            t[a] * t[b] + (1 - t[a]) * (1 - t[b]) + f[a] * f[b] + (1 - f[a]) * (1 - f[b])
        )
        beyond.append((said[:, i] == said[:, j]) - explained)
    return float(np.mean(beyond))


def gold_rates(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """How often each annotator said 'first' where it was right, and where it was not: (A,), (A,)."""
    first, n = run["gold_first"], run["annotator"].max() + 1

    def share(rows):
        who = run["gold_annotator"][rows]
        said = np.bincount(who, weights=run["gold_said_first"][rows], minlength=n)
        return said / np.bincount(who, minlength=n)

    return share(first), share(~first)
