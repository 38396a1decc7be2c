"""Exercise 8, Bradley-Terry: right answers written otherwise than the reference."""

from __future__ import annotations

import math

import numpy as np
import torch

from solutions.ex08_bradley_terry import answers


def differences_walk(records, n):
    """Plain Python: a walk from every item, Zermelo's iteration inside each group; lists."""
    records = [tuple(row) for row in records.tolist()]
    if any(not 0 <= item < n for row in records for item in row) or any(i == j for i, j in records):
        raise ValueError("damaged")
    reached = []
    for start in range(n):
        seen, todo = {start}, [start]
        while todo:
            here = todo.pop()
            fresh = {loser for winner, loser in records if winner == here} - seen
            seen |= fresh
            todo += fresh
        reached.append(seen)
    table = [[math.nan] * n for _ in range(n)]
    for i in range(n):
        group = [j for j in range(n) if j in reached[i] and i in reached[j]]
        weight = dict.fromkeys(group, 1.0)
        inside = [(w, l) for w, l in records if w in weight and l in weight]
        for _ in range(3000):
            weight = {
                k: sum(w == k for w, _ in inside)
                / sum(1 / (weight[w] + weight[l]) for w, l in inside if k in (w, l))
                if inside
                else 1.0
                for k in group
            }
        for j in range(n):
            if j in weight:
                table[i][j] = math.log(weight[i] / weight[j])
            elif j in reached[i]:
                table[i][j] = math.inf
            elif i in reached[j]:
                table[i][j] = -math.inf
    return table


def differences_scipy(records, n):
    """Arrays: strong components by scipy, Newton steps with the first item of a group at 0; shortest paths."""
    from scipy.sparse.csgraph import connected_components, shortest_path

    records = records.astype(np.int64)
    if not ((records >= 0) & (records < n)).all() or np.equal(*records.T).any():
        raise ValueError("not a file of comparisons")
    wins = np.zeros((n, n))
    np.add.at(wins, tuple(records.T), 1)
    paths = np.isfinite(shortest_path(wins > 0, unweighted=True))
    table = np.where(paths, np.where(paths.T, 0.0, np.inf), np.where(paths.T, -np.inf, np.nan))
    _, member = connected_components(wins, connection="strong")
    for label in set(member.tolist()):
        group = np.flatnonzero(member == label)
        w, s = wins[np.ix_(group, group)], np.zeros(len(group))
        for _ in range(50 if len(group) > 1 else 0):
            p = 1 / (1 + np.exp(s - s[:, None]))
            weight = (w + w.T) * p * (1 - p)
            gradient = (w - (w + w.T) * p).sum(1)
            s[1:] += np.linalg.solve((np.diag(weight.sum(1)) - weight)[1:, 1:], gradient[1:])
        table[np.ix_(group, group)] = s[:, None] - s
    return table.astype(np.float32)


def differences_powers(records, n):
    """Torch: powers of the matrix of arrows, gradient ascent on all groups at once; results between groups left out."""
    if (
        records.numel()
        and ((records < 0) | (records >= n)).any()
        or (records[:, 0] == records[:, 1]).any()
    ):
        raise ValueError("damaged")
    wins = (
        torch.zeros(n * n)
        .index_add(0, records[:, 0] * n + records[:, 1], torch.ones(len(records)))
        .reshape(n, n)
    )
    paths = torch.linalg.matrix_power((wins > 0).double() + torch.eye(n), n) > 0
    wins = (wins * (paths & paths.T)).double()
    s = torch.zeros(n, dtype=torch.float64)
    for _ in range(2500):
        s = s + 0.2 * (wins - (wins + wins.T) * (s[:, None] - s).sigmoid()).sum(1)
    found = s[:, None] - s
    found[paths & ~paths.T], found[~paths & paths.T] = math.inf, -math.inf
    found[~paths & ~paths.T] = math.nan
    return found


def graded_loop(strengths, cuts, records):
    """Plain Python on arrays, record by record; the side of the curve is chosen on which nothing cancels."""
    strengths, cuts = strengths.astype(float), cuts.astype(float)
    if not all(a < b for row in cuts for a, b in zip(row, row[1:])):
        raise ValueError("cuts must increase")

    def log_sigma(x):
        return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))

    total = 0.0
    for a, i, j, g in records.tolist():
        gap, row = strengths[i] - strengths[j], cuts[a]
        low = gap - row[g - 1] if g > 0 else math.inf
        high = gap - row[g] if g < len(row) else -math.inf
        if low == math.inf or high == -math.inf:
            total += log_sigma(-high) if low == math.inf else log_sigma(low)
            continue
        if high > 0:  # both to the right of 0: the same interval, seen from the left
            low, high = -high, -low
        top, bottom = log_sigma(low), log_sigma(high)
        total += top + math.log1p(-math.exp(bottom - top))
    return -total / len(records)


def graded_softplus(strengths, cuts, records):
    """Torch, softplus; the outer grades treated apart."""
    for row in cuts:
        for k in range(len(row) - 1):
            if row[k + 1] <= row[k]:
                raise ValueError("a grade without room")
    softplus, terms = torch.nn.functional.softplus, []
    for a, i, j, g in records:
        gap = strengths[i] - strengths[j]
        term = torch.zeros((), dtype=strengths.dtype)
        if g > 0:
            term = term + softplus(cuts[a, g - 1] - gap)
        if g < cuts.shape[1]:
            term = term + softplus(gap - cuts[a, g])
        if 0 < g < cuts.shape[1]:
            term = term - torch.log1p(-torch.exp(cuts[a, g - 1] - cuts[a, g]))
        terms.append(term)
    return sum(terms) / len(terms)


def graded_sinh(strengths, cuts, records):
    """Arrays, vectorised: (1 − e^−w) = 2·sinh(w/2)·e^−w/2, logaddexp for the rest."""
    if (np.diff(cuts, axis=1) <= 0).any():
        raise ValueError("cuts")
    edges = np.pad(cuts.astype(np.float64), ((0, 0), (1, 1)), constant_values=np.nan)
    edges[:, 0], edges[:, -1] = -np.inf, np.inf
    a, i, j, g = records.T
    gap = strengths.astype(np.float64)[i] - strengths[j]
    low, high = edges[a, g], edges[a, g + 1]
    inner = np.isfinite(high - low)
    width = np.where(inner, high - low, 1.0)
    room = np.where(inner, np.log(2 * np.sinh(width / 2)) - width / 2, 0.0)
    return np.float64(np.mean(np.logaddexp(0, low - gap) + np.logaddexp(0, gap - high) - room))


def surveys_of_other_types():
    """Tensors and arrays; four items in the safe survey, a share as an array."""
    strengths = torch.tensor([[3.0, 1.0, 0.0, -1.0], [3.0, 0.0, 1.0, -1.0]])
    asked = np.ones((4, 4), dtype=int) - np.eye(4, dtype=int)
    asked[0, 3] = asked[3, 0] = 10
    unsafe = answers.survey_examples()["unsafe"]
    return {
        "safe": {"strengths": strengths, "share": np.array(0.7), "asked": asked},
        "unsafe": {**unsafe, "asked": torch.tensor(unsafe["asked"], dtype=torch.float32)},
    }


def surveys_at_the_bounds():
    """Six items; strengths of ±5, the largest counts; the second group is the larger one."""
    asked = np.ones((6, 6)) - np.eye(6)
    asked[4, 5] = asked[5, 4] = 1000
    rank = np.linspace(5, -5, 6)
    safe = {"strengths": [rank[[0, 1, 2, 3, 5, 4]], rank], "share": 0.2, "asked": asked}
    unsafe = {
        "strengths": [[-5, 3, 0], [5, 0, -3]],
        "share": 0.4,
        "asked": [[0, 1000, 1], [1000, 0, 1], [1, 1, 0]],
    }
    return {"safe": safe, "unsafe": unsafe}


def overconfidence_bootstrap(run):
    """Annotators drawn with replacement; spread of the log-odds over the width."""
    rng, people = np.random.default_rng(0), run["annotator"].max() + 1
    answered = np.bincount(run["annotator"], minlength=people)
    won = np.bincount(run["annotator"][run["won"]], minlength=people)
    drawn = rng.multinomial(people, np.full(people, 1 / people), size=300)
    share = (drawn @ won + 0.5) / (drawn @ answered + 1)
    return np.std(np.log(share / (1 - share))) / (run["high"] - run["low"])


def overconfidence_jackknife(run):
    """Torch: each annotator left out once; a tensor comes back."""
    annotator, won = torch.tensor(run["annotator"]), torch.tensor(run["won"]).double()
    odds = torch.stack([won[annotator != a].mean().logit() for a in annotator.unique()])
    variance = (len(odds) - 1) * odds.var(unbiased=False)
    return variance.log() - 2 * math.log(run["high"] - run["low"])


RIGHT = {
    "8a": (differences_walk, differences_scipy, differences_powers),
    "8b": (graded_loop, graded_softplus, graded_sinh),
    "8c": (surveys_of_other_types, surveys_at_the_bounds),
    "8d": (overconfidence_bootstrap, overconfidence_jackknife),
}
