"""Exercise 2, reward models as proxies: right answers written otherwise than the reference."""

from __future__ import annotations

import numpy as np
import torch

from helpers.grader import proxy_world
from helpers.grader.exercises.ex02_proxies import examples
from helpers.policies import best_of_n


def accuracies_loop(chosen, rejected, slices, n_slices):
    """Pair by pair; a list of floats."""
    wins, count = [0.0] * n_slices, [0] * n_slices
    for c, r, s in zip(chosen, rejected, slices):
        if c != c or r != r:
            raise ValueError("NaN")
        wins[int(s)] += 1.0 if c > r else 0.5 if c == r else 0.0
        count[int(s)] += 1
    if 0 in count:
        raise ValueError("empty slice")
    found = [w / n for w, n in zip(wins, count)]
    return [*found, sum(found) / n_slices]


def accuracies_numpy(chosen, rejected, slices, n_slices):
    """By bincount on arrays."""
    chosen, rejected = chosen.astype(float), rejected.astype(float)  # tensors have no astype
    if np.isnan([chosen, rejected]).any():
        raise ValueError
    n = np.bincount(slices, minlength=n_slices)
    if (n == 0).any():
        raise ValueError
    found = np.bincount(slices, (chosen > rejected) + 0.5 * (chosen == rejected), n_slices) / n
    return np.append(found, found.mean())


def accuracies_torch(chosen, rejected, slices, n_slices):
    """By a one-hot matrix, ValueError from an assertion of one's own."""
    member = torch.nn.functional.one_hot(slices, n_slices).double()
    if (
        not (member.sum(0) > 0).all()
        or not torch.isfinite(
            torch.stack([chosen, rejected])
            .nan_to_num(nan=2e308)
            .masked_fill(chosen.isinf() | rejected.isinf(), 0)
        ).all()
    ):
        raise ValueError("unusable")
    credit = 0.5 + 0.5 * ((chosen > rejected).double() - (chosen < rejected).double())
    found = credit @ member / member.sum(0)
    return torch.cat([found, found.mean(0, keepdim=True)])


def gold_by_groups(ref, proxy, gold, n):
    """Score by score on arrays, by numpy's unique; a float."""
    values, place = np.unique(np.asarray(proxy), return_inverse=True)
    mass = np.bincount(place, np.asarray(ref).astype(float))
    worth = np.bincount(place, np.asarray(ref).astype(float) * np.asarray(gold)) / np.where(
        mass > 0, mass, 1
    )
    upto = np.append(0, mass.cumsum() / mass.sum())
    return float((np.diff(upto**n) * worth).sum())


def gold_by_the_helper(ref, proxy, gold, n):
    """Through the lesson's policy of best-of-n."""
    policy = best_of_n(ref.double().log(), proxy.double(), n).exp()
    return (policy / policy.sum() * gold).sum()


def gold_by_counting(ref, proxy, gold, n):
    """Loops; the first of equal draws by a geometric series: all earlier draws below, all later ones at most equal."""
    total = 0.0
    for p, s, g in zip(ref.tolist(), proxy.tolist(), gold.tolist()):
        below = sum(q for q, t in zip(ref.tolist(), proxy.tolist()) if t < s)
        upto = sum(q for q, t in zip(ref.tolist(), proxy.tolist()) if t <= s)
        total += p * g * sum(below**k * upto ** (n - 1 - k) for k in range(n))
    return total


def other_examples():
    """Scores as a tensor and a list: the worst two on top; ties and disorder in the lower half."""
    ref, gold = proxy_world()
    unsafe = gold.copy()
    unsafe[np.argsort(gold)[0]] = 5
    aim = examples.pair_accuracy(ref, unsafe, gold)
    rng = np.random.default_rng(1)
    for _ in range(2000):
        safe = np.where(gold < 1, gold + rng.uniform(0, 1) * rng.normal(size=20), gold + 5)
        if abs(examples.pair_accuracy(ref, safe, gold) - aim) < 0.008:
            break
    return {"safe": torch.tensor(safe), "unsafe": unsafe.tolist()}


def suspicion_simple(scores, ask):
    """Twenty best-scored against eighty at random."""
    where = np.random.default_rng(0).choice(len(scores), 80, replace=False)
    return np.mean([ask(i) for i in where]) - np.mean([ask(i) for i in np.argsort(scores)[-20:]])


def suspicion_by_halves(scores, ask):
    """Half of the labels for the best-scored, all alike, half for the first that come; in the raters' own unit."""
    return np.mean([ask(i) for i in range(50)]) - np.mean([ask(i) for i in scores.argsort()[-50:]])


def suspicion_by_correlation(scores, ask):
    """Whether score and gold still go together among the best-scored hundred."""
    where = np.argsort(scores)[-100:]
    return torch.tensor(-np.corrcoef(scores[where], [ask(int(i)) for i in where])[0, 1])


def suspicion_by_ranks(scores, ask):
    """Share of usual responses that beat a best-scored one; plain lists; errors of its own caught."""
    ranked = sorted(range(len(scores)), key=lambda i: scores[i])
    top, usual = [ask(i) for i in ranked[-15:]], [ask(i) for i in ranked[::40]]
    return sum((u > t) + 0.5 * (u == t) for u in usual for t in top) / (len(top) * len(usual))


RIGHT = {
    "2a": (accuracies_loop, accuracies_numpy, accuracies_torch),
    "2b": (gold_by_groups, gold_by_the_helper, gold_by_counting),
    "2c": (other_examples,),
    "2d": (suspicion_simple, suspicion_by_halves, suspicion_by_correlation, suspicion_by_ranks),
}
