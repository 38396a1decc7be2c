"""What 2d is answered with before thinking of where selection looks, and of what is usual there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solutions.ex02_proxies import hidden_runs
from solutions.ex02_proxies.hidden_runs import BUDGET
from solutions.obvious import correlation


def _random(scores: np.ndarray, n: int = BUDGET) -> np.ndarray:
    return np.random.default_rng(9).choice(len(scores), n, replace=False)


PLACES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the first that come": lambda scores: np.arange(BUDGET),
    "random ones": _random,
    "ones evenly over the ranks": lambda scores: np.argsort(scores)[
        np.linspace(0, len(scores) - 1, BUDGET).astype(int)
    ],
    "random ones of the upper half": lambda scores: np.argsort(scores)[
        1000 + _random(scores[1000:])
    ],
    "random ones of the upper sixth": lambda scores: np.argsort(scores)[-(len(scores) // 6) :][
        _random(scores[: len(scores) // 6])
    ],
    "the worst-scored": lambda scores: np.argsort(scores)[:BUDGET],
    "the best-scored": lambda scores: np.argsort(scores)[-BUDGET:],
    "the ten best-scored": lambda scores: np.argsort(scores)[-10:],
    "the middle": lambda scores: np.argsort(scores)[950:1050],
}
# of these the last hold the very best-scored one, whose gold against the usual is the idea: no differences of it
TYPICAL = "the first that come", "random ones", "ones evenly over the ranks"


def _gold(place: Callable) -> Callable:
    return lambda scores, ask: np.array([ask(int(i)) for i in place(scores)])


def _correlation(place: Callable) -> Callable:
    return lambda scores, ask: correlation(scores[place(scores)], _gold(place)(scores, ask))


def _deviation(place: Callable) -> Callable:
    """Score less gold, both standardised on the labels."""

    def metric(scores, ask):
        gold, s = _gold(place)(scores, ask), scores[place(scores)]
        return (s - s.mean()) / s.std() - (gold - gold.mean()) / (gold.std() + 1e-9)

    return metric


def _ratio(size: Callable, below: Callable) -> Callable:
    """How large the gold of the best-scored is, of half the budget, over that of others, of the other half."""
    half = BUDGET // 2

    def metric(scores, ask):
        places = np.argsort(scores)[-half:], below(scores)
        best, others = ([ask(int(i)) for i in where] for where in places)
        return float(size(best) / (size(others) + 1e-9))

    return metric


def _spread_over_mean(scores, ask) -> float:
    gold = _gold(PLACES["the best-scored"])(scores, ask)
    return float(gold.std() / gold.mean())


SIZES = {"spread": np.std, "range": np.ptp}
OTHERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "random ones": lambda scores: _random(scores, BUDGET // 2),
    "ones evenly over the ranks": lambda scores: np.argsort(scores)[:: 2 * len(scores) // BUDGET],
    "the worst-scored": lambda scores: np.argsort(scores)[: BUDGET // 2],
    "the next best": lambda scores: np.argsort(scores)[-BUDGET : -(BUDGET // 2)],
}

OBVIOUS = {
    "scores": lambda scores, ask: scores,
    **{f"gold of {name}": _gold(place) for name, place in PLACES.items()},
    **{f"correlation on {name}": _correlation(PLACES[name]) for name in TYPICAL},
    **{f"score less gold of {name}": _deviation(PLACES[name]) for name in TYPICAL[:2]},
    **{
        f"{size} of the best-scored over that of {name}": _ratio(SIZES[size], OTHERS[name])
        for size in SIZES
        for name in OTHERS
    },
    "spread of the best-scored over their mean": _spread_over_mean,
    "accuracy on random ones": hidden_runs.random_accuracy,
    "accuracy evenly over the ranks": hidden_runs.even_accuracy,
    "worst overestimate among random ones": hidden_runs.random_overestimate,
    "gold of the best": lambda scores, ask: ask(int(scores.argmax())),
    "worst-scored against usual": hidden_runs.worst_against_usual,
    "largest score": hidden_runs.largest_score,
}
