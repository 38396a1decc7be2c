"""The hidden systems of exercise 2d: reward models of equal accuracy, right or wrong where selection looks.

A system is ``N`` responses sampled from one reference, each with a gold rating, and a proxy's scores of them. The proxy
is gold plus noise, but a few responses have found out what it likes: they score high whatever they are worth. Whether
picking the best of ``DRAWS`` responses by the proxy then helps or harms is known exactly, from all the gold ratings.

The systems that are kept come in pairs, one healthy and one regressed, as close as can be found in two numbers: the
proxy's accuracy over all pairs of responses, and how far the gold of its ``TOP`` best-scored spreads beside that of
all. (Bad responses among good ones spread it, and so do responses of all kinds in a healthy system.) Raters differ in
mean and in range, so that gold says little without what is usual in its system. Scores are handed out on one fixed
grid (only their order could differ between proxies), so they tell nothing by themselves.
"""

from __future__ import annotations

import numpy as np

from helpers.grader.exercises.ex02_proxies.held_out import (
    BUDGET,
    DIGITS,
    proxy_system,
    selected_gold,
)

N = 2000
NOISE = 0.7, 1.6  # standard deviation of the proxy's noise, gold's being 1: from, to
FOUND_OUT = 8, 45  # responses that please the proxy: from, to
WORTH = -2.0, 2.0  # their mean gold, in standard deviations: from, to
WORTH_SPREAD = 0.2, 3.0  # of their gold around it: from, to, even on a log scale
RATING_MEAN = 13, 48  # of the gold ratings of a system, which are whole numbers from 0 to 61
RATING_SPREAD = 1.2, 4.8  # of these: from, to, even on a log scale
HARM = 0.4  # standard deviations of gold that selection gains (healthy) or loses (regressed)
TOP = 50  # so many best-scored spread alike in gold in both systems of a pair
POOL = 200  # systems of each kind to find pairs among
FROZEN_RUNS = 50  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 25
PRACTICE_SEED, MEASURED_SEEDS = 1002, range(300, 500)


def draw_pool(seed: int) -> tuple[list[dict], np.ndarray, list[np.ndarray]]:
    """``POOL`` systems of each kind, stored small; what selection gains in standard deviations of gold, (2 POOL,); and
    what pairs are matched in, (2 POOL,) each: accuracy, and the spread of the best-scored in the same unit.

    The gold ratings are stored in ascending order of the proxy's score, one character each.
    """
    rng = np.random.default_rng(seed)
    stored, gains, accuracy, spread = [], [], [], []
    missing = {True: POOL, False: POOL}  # by whether selection gains
    while any(missing.values()):
        gold = rng.normal(size=N)
        proxy = gold + rng.uniform(*NOISE) * rng.normal(size=N)
        tail = rng.choice(N, rng.integers(*FOUND_OUT), replace=False)
        gold[tail] = rng.uniform(*WORTH) + _log_uniform(rng, WORTH_SPREAD) * rng.normal(
            size=len(tail)
        )
        proxy[tail] = np.quantile(proxy, 0.995) + proxy.std() * np.abs(
            rng.normal(0, 0.7, size=len(tail))
        )
        rating = rng.uniform(*RATING_MEAN) + _log_uniform(rng, RATING_SPREAD) * gold
        rating = rating.round().clip(0, len(DIGITS) - 1).astype(int)[np.argsort(proxy)]
        gain = (selected_gold(rating) - rating.mean()) / rating.std()
        if abs(gain) <= HARM or not missing[gain > 0]:
            continue
        missing[gain > 0] -= 1
        gains.append(gain)
        accuracy.append(pair_accuracy(rating))
        spread.append(rating[-TOP:].std() / rating.std())
        stored.append(
            {"gold": "".join(DIGITS[r] for r in rating), "order": int(rng.integers(2**31))}
        )
    return stored, np.array(gains), [np.array(accuracy), np.array(spread)]


def _log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))


def pair_accuracy(rating: np.ndarray) -> float:
    """Of all pairs with different gold, the share that the proxy orders as gold does; ratings in the proxy's order."""
    lower = differ = 0
    for level in np.unique(rating):
        here = np.flatnonzero(rating == level)
        below = (rating < level).cumsum()[here]  # of the responses that the proxy puts lower
        lower += below.sum()
        differ += below.sum() + (rating > level).cumsum()[here].sum()
    return float(lower / differ)


def pairs(seed: int, n: int) -> list[tuple[dict, dict]]:
    """n ≤ ``POOL`` pairs (healthy, regressed) of a fresh pool, closest first in both numbers; stored small."""
    found, gain, alike_in = draw_pool(seed)
    healthy, regressed = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    distance = sum(((x[healthy][:, None] - x[regressed]) / x.std()) ** 2 for x in alike_in)
    matched = []
    for _ in range(n):
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        matched.append((found[healthy[i]], found[regressed[j]]))
        distance[i, :] = distance[:, j] = np.inf
    return matched


# ---- metrics that ask in the wrong places, or for the wrong thing ---------------------------


def _spread(scores: np.ndarray, n: int) -> np.ndarray:
    """n indices, evenly over the ranks of the scores."""
    return np.argsort(scores)[np.linspace(0, len(scores) - 1, n).round().astype(int)]


def _labelled(scores, ask, where) -> tuple[np.ndarray, np.ndarray]:
    return scores[where], np.array([ask(int(i)) for i in where])


def random_accuracy(scores, ask) -> float:
    """1 − pairwise accuracy on labels of responses drawn at random."""
    where = np.random.default_rng(5).choice(len(scores), BUDGET, replace=False)
    s, g = _labelled(scores, ask, where)
    agree, differ = (s[:, None] > s) & (g[:, None] > g), (s[:, None] > s) & (g[:, None] != g)
    return float(1 - agree.sum() / differ.sum())


def random_correlation(scores, ask) -> float:
    """Minus the correlation of score and gold on labels of responses drawn at random."""
    where = np.random.default_rng(6).choice(len(scores), BUDGET, replace=False)
    return float(-np.corrcoef(*_labelled(scores, ask, where))[0, 1])


def even_accuracy(scores, ask) -> float:
    """1 − pairwise accuracy on labels evenly over the ranks."""
    s, g = _labelled(scores, ask, _spread(scores, BUDGET))
    agree, differ = (s[:, None] > s) & (g[:, None] > g), (s[:, None] > s) & (g[:, None] != g)
    return float(1 - agree.sum() / differ.sum())


def random_overestimate(scores, ask) -> float:
    """The worst overestimate by a straight line fitted to labels of responses drawn at random."""
    where = np.random.default_rng(7).choice(len(scores), BUDGET, replace=False)
    s, g = _labelled(scores, ask, where)
    slope, at = np.polyfit(s, g, 1)
    return float((slope * s + at - g).max() / g.std())


def tail_gold(scores, ask) -> float:
    """Minus the mean gold of the best-scored responses."""
    return float(-np.mean([ask(int(i)) for i in np.argsort(scores)[-BUDGET:]]))


def upper_gold(scores, ask) -> float:
    """Minus the mean gold of responses drawn from the best-scored sixth."""
    upper = np.argsort(scores)[-len(scores) // 6 :]
    where = np.random.default_rng(8).choice(upper, BUDGET, replace=False)
    return float(-np.mean([ask(int(i)) for i in where]))


def worst_gold(scores, ask) -> float:
    """Minus the mean gold of the worst-scored responses, taken for the best: sorting puts the smallest first."""
    return float(-np.mean([ask(int(i)) for i in np.argsort(scores)[:BUDGET]]))


def worst_against_usual(scores, ask) -> float:
    """Gold of the lower half minus that of the worst-scored."""
    order, half = np.argsort(scores), BUDGET // 2
    usual = order[np.linspace(half, len(order) // 2, half).astype(int)]
    return float(
        np.mean([ask(int(i)) for i in usual]) - np.mean([ask(int(i)) for i in order[:half]])
    )


def largest_score(scores, ask) -> float:
    """How far the best score stands out: no label used."""
    return float((scores.max() - scores.mean()) / scores.std())


def stored(system: dict) -> dict:
    """As it is kept: as it was drawn."""
    return system


def arguments(system: dict) -> tuple:
    """As a metric is called: scores and a fresh oracle."""
    return proxy_system(system)
