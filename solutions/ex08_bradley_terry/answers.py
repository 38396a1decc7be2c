"""Exercise 8, Bradley-Terry: the reference answers, one function for each part."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers import bradley_terry
from solutions.ex08_bradley_terry import hidden_runs

# ---- 8a ------------------------------------------------------------------------------------


def differences(records: Tensor, n: int) -> Tensor:
    """What comparisons say of s_i − s_j: (C, 2) rows (winner, loser) → (n, n) numbers, ±∞ or NaN.

    Raises ValueError for items outside 0 … n − 1 and for an item compared with itself.
    """
    refuse_records(records, n)
    wins = win_counts(records, n)
    return extended_table(wins, reachable(wins))


def refuse_records(records: Tensor, n: int) -> None:
    """Raises ValueError for items that do not exist and for an item against itself."""
    if records.min() < 0 or records.max() >= n:
        raise ValueError(
            f"items from {int(records.min())} to {int(records.max())}: expected 0 to {n - 1}"
        )
    if (records[:, 0] == records[:, 1]).any():
        raise ValueError("an item was compared with itself")


def win_counts(records: Tensor, n: int) -> Tensor:
    """How often each item beat each other: (C, 2) → (n, n)."""
    one = torch.ones(len(records), dtype=torch.float64)
    return torch.zeros(n, n, dtype=torch.float64).index_put(
        (records[:, 0], records[:, 1]), one, accumulate=True
    )


def reachable(arrows: Tensor) -> Tensor:
    """Which items reach which along arrows from winner to loser, themselves included: (n, n) → (n, n) bool."""
    reach = (arrows > 0) | torch.eye(len(arrows), dtype=torch.bool)
    for k in range(len(reach)):
        reach = reach | (reach[:, k : k + 1] & reach[k])
    return reach


def _in_groups(wins: Tensor, together: Tensor) -> Tensor:
    """Maximum-likelihood differences inside each group of items, NaN between groups."""
    table = torch.full(wins.shape, torch.nan, dtype=torch.float64)
    for i in range(len(wins)):
        group = together[i].nonzero().flatten()
        s = torch.zeros(1, dtype=torch.float64)
        if len(group) > 1:
            s = bradley_terry.fit(wins[group][:, group]).strengths
        table[group[:, None], group] = s[:, None] - s
    return table


def extended_table(wins: Tensor, reach: Tensor) -> Tensor:
    """Differences inside groups, ±∞ where comparisons lead one way only, NaN elsewhere: (n, n)."""
    table = _in_groups(wins, reach & reach.T)
    table[reach & ~reach.T] = torch.inf
    table[~reach & reach.T] = -torch.inf
    return table


# ---- 8b ------------------------------------------------------------------------------------


def graded_loss(strengths: Tensor, cuts: Tensor, records: Tensor) -> Tensor:
    """Negative log-likelihood per graded comparison: (n,), (A, G − 1), (C, 4) → scalar.

    Raises ValueError where an annotator's cuts do not increase.
    """
    refuse_cuts(cuts)
    gap, low, high = placed(strengths, cuts, records)
    # σ(a) − σ(b) = σ(a)·σ(−b)·(1 − e^(b−a)): a difference of nearly equal numbers becomes a product
    return -(
        logsigmoid(gap - low) + logsigmoid(high - gap) + (-torch.expm1(low - high)).log()
    ).mean()


def refuse_cuts(cuts: Tensor) -> None:
    """Raises ValueError where an annotator's cuts do not increase."""
    if (cuts[:, 1:] <= cuts[:, :-1]).any():
        raise ValueError(
            "cuts of an annotator do not increase: a grade between them would have no probability"
        )


def placed(strengths, cuts, records):
    """For each record: s_first − s_second, and the ends of what its annotator calls by that grade, (C,) each."""
    annotator, first, second, grade = records.T
    infinite = torch.full((len(cuts), 1), torch.inf, dtype=cuts.dtype)
    edges = torch.cat([-infinite, cuts, infinite], dim=1)
    return (
        strengths[first] - strengths[second],
        edges[annotator, grade],
        edges[annotator, grade + 1],
    )


# ---- 8c ------------------------------------------------------------------------------------


def survey_examples() -> dict:
    """Two groups that differ about the last two of three items; and two that pull one item to both ends."""
    safe = {
        "strengths": [[2, 1, 0], [2, 0, 1]],
        "share": 0.7,
        "asked": [[0, 1, 1], [1, 0, 20], [1, 20, 0]],
    }
    unsafe = {
        "strengths": [[4, 0, -3], [-4, 3, 0]],
        "share": 0.6,
        "asked": [[0, 100, 1], [100, 0, 1], [1, 1, 0]],
    }
    return {"safe": safe, "unsafe": unsafe}


# ---- 8d ------------------------------------------------------------------------------------


def interval_overconfidence(run: hidden_runs.Run) -> float:
    """Standard error with annotators as the independent units, over the one that the interval was made with."""
    return (
        math.sqrt(hidden_runs.clustered_variance(run))
        * 2
        * hidden_runs.Z
        / (run["high"] - run["low"])
    )
