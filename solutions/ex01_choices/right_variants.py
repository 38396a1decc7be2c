"""Exercise 1, preferences optimize choices: right answers written otherwise than the reference."""

from __future__ import annotations

import math

import numpy as np
import torch


def comparisons_loop(ratings):
    """Pairs in two loops, a list of tuples, losers found by sorting nothing."""
    rows = []
    for a, row in enumerate(ratings):
        for i in range(len(row)):
            for j in range(i):
                if row[i] > row[j]:
                    rows.append((a, i, j))
                elif row[j] > row[i]:
                    rows.append((a, j, i))
    return rows


def comparisons_numpy(ratings):
    """By numpy's argwhere on arrays, in reverse order, floats."""
    ratings = ratings.astype(float)  # a tensor has no astype
    return np.argwhere(np.subtract(ratings[:, :, None], ratings[:, None]) > 0)[::-1].astype(float)


def comparisons_by_rank(ratings):
    """Rated responses sorted per annotator, each against those strictly below it."""
    rows = []
    for a in range(len(ratings)):
        rated = [k for k in range(ratings.shape[1]) if not math.isnan(ratings[a, k])]
        for k in sorted(rated, key=lambda k: -float(ratings[a, k])):
            rows += [[a, k, other] for other in rated if ratings[a, other] < ratings[a, k]]
    return torch.tensor(rows)


def loss_numpy_loop(logits, ref_logits, wins, beta):
    """A triple loop on arrays; returns a Python float."""
    total = count = 0.0
    for b in range(len(logits)):
        scores = beta * (logits[b].astype(float) - ref_logits[b])
        for i, j in zip(*np.nonzero(wins[b])):
            total += wins[b, i, j] * np.logaddexp(0, scores[j] - scores[i])
            count += wins[b, i, j]
    return float(total / count)


def loss_softplus(logits, ref_logits, wins, beta):
    """Softplus of the rejected's lead, weights normalised first."""
    with torch.no_grad():
        ref = ref_logits.log_softmax(-1)
    reward = beta * (logits.log_softmax(-1) - ref)
    weights = wins / wins.sum()
    return (weights * torch.nn.functional.softplus(reward.unsqueeze(1) - reward.unsqueeze(2))).sum()


def loss_cross_entropy(logits, ref_logits, wins, beta):
    """Each comparison written out as a row of two scores, weighted by its count."""
    scores = beta * (logits - ref_logits.detach())
    b, i, j = wins.nonzero(as_tuple=True)
    two = torch.stack([scores[b, i], scores[b, j]], 1)
    terms = torch.nn.functional.cross_entropy(
        two, torch.zeros(len(b), dtype=torch.long), reduction="none"
    )
    return (terms * wins[b, i, j]).sum() / wins.sum()


def other_examples():
    """Six responses, tensors and lists."""
    policy = torch.tensor([0.1, 0.2, 0.4, 0.1, 0.1, 0.1])
    rewards = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    wild, dull = np.array([0.6, 0.02, 0.02, 0.01, 0.05, 0.3]), (0.02, 0.9, 0.02, 0.02, 0.02, 0.02)
    return {
        "safe": {
            "policy": policy.double() / policy.double().sum(),
            "generator": wild,
            "rewards": rewards,
        },
        "unsafe": {
            "policy": [0.1, 0.2, 0.4, 0.1, 0.1, 0.1],
            "generator": dull,
            "rewards": np.array(rewards),
        },
    }


def score_logistic(run):
    """Logistic regression of the win on a constant and the place, by torch; the constant, negated."""
    place = torch.where(torch.as_tensor(run["policy_first"]), 1.0, -1.0)
    won = torch.as_tensor(run["policy_won"]).float()
    w = torch.zeros(2, requires_grad=True)
    for _ in range(150):
        margin = w[0] + w[1] * place
        loss = (
            torch.nn.functional.binary_cross_entropy_with_logits(margin, won)
            + 0.005 * w.square().sum()
        )
        (gradient,) = torch.autograd.grad(loss, w)
        w = (w - 1.5 * gradient).detach().requires_grad_()
    return -w[:1]


def score_log_odds(run):
    """Mean log-odds of the two orders, counted in a loop."""
    total = 0.0
    for order in (True, False):
        outcomes = [
            bool(w) for f, w in zip(run["policy_first"], run["policy_won"]) if bool(f) == order
        ]
        total += math.log((outcomes.count(False) + 0.5) / (outcomes.count(True) + 0.5))
    return total / 2


RIGHT = {
    "1a": (comparisons_loop, comparisons_numpy, comparisons_by_rank),
    "1b": (loss_numpy_loop, loss_softplus, loss_cross_entropy),
    "1c": (other_examples,),
    "1d": (
        score_logistic,
        score_log_odds,
        lambda run: np.float32(
            -run["policy_won"][run["policy_first"]].mean()
            - run["policy_won"][~run["policy_first"]].mean()
        ),
    ),
}
