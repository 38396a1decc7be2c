"""Exercise 2d: systems whose gold must be asked for, and how a metric that does so is judged."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import judge_metric
from helpers.grader.result import Result

DRAWS = 256  # the best of so many is what selection picks
BUDGET = 100  # gold labels of one system
SPENT = (
    "You ask more than 100 times about one proxy. Its budget is shared by all that asks, a second time about the same "
    "response included: keep what you were told, and choose whom to ask about."
)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # one character per gold rating, 0 to 61


class BudgetSpent(Exception):
    """More gold labels were asked for than there are."""


class Oracle:
    """``ask(i)``: the gold rating of response i, a number; at most ``BUDGET`` times."""

    def __init__(self, gold: np.ndarray, budget: int = BUDGET):
        self._gold = gold
        self.budget = budget
        self._asked: list[int] = []

    @property
    def asked(self) -> tuple[int, ...]:
        """The indices that were asked for, in order."""
        return tuple(i for i in self._asked if 0 <= i < len(self._gold))

    def __call__(self, index: int) -> float:
        """Raises BudgetSpent after ``budget`` calls, TypeError for no whole number, IndexError for no response."""
        try:
            place = operator.index(index)
        except TypeError:
            raise TypeError("ask takes the index of one response, a whole number") from None
        if not 0 <= place < len(self._gold):
            raise IndexError(f"ask({place}): expected an index from 0 to {len(self._gold) - 1}")
        if len(self._asked) >= self.budget:
            raise BudgetSpent(
                f"all {self.budget} gold labels of this system are spent; this call was one more"
            )
        self._asked.append(place)
        return float(self._gold[place])


def ratings(stored: dict[str, Any]) -> np.ndarray:
    """Gold ratings of a system in ascending order of the proxy's score, (N,)."""
    value = np.zeros(128, dtype=int)
    value[[ord(digit) for digit in DIGITS]] = np.arange(len(DIGITS))
    return value[np.frombuffer(stored["gold"].encode("ascii"), dtype=np.uint8)]


def proxy_system(stored: dict[str, Any]) -> tuple[np.ndarray, Oracle]:
    """A system of 2d as the learner gets it: scores, (N,), and the function to ask. Fresh, nothing asked yet."""
    rating = ratings(stored)
    n = len(rating)
    grid = np.log(
        (np.arange(n) + 0.5) / (n - np.arange(n) - 0.5)
    )  # ascending, the same for every proxy
    order = np.random.default_rng(stored["order"]).permutation(n)
    scores, gold = np.empty(n), np.empty(n)
    scores[order], gold[order] = grid, rating
    return scores, Oracle(gold)


def selected_gold(rating: np.ndarray, n: int = DRAWS) -> float:
    """Mean gold of the best of n independent draws; ratings of equally likely responses in ascending order of score."""
    upto = (np.arange(len(rating) + 1) / len(rating)) ** n
    return float((np.diff(upto) * rating).sum())


def practice_proxies() -> list[tuple[np.ndarray, Oracle, str]]:
    """Six systems to try a metric on: (scores, ask, 'healthy' or 'regressed'); each has its budget once."""
    return [(*proxy_system(stored), stored["outcome"]) for stored in case("2d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    """One line about a system, for the panel."""
    rating = ratings(stored)
    return f"mean gold {rating.mean():.1f}, of the best of {DRAWS} by the proxy {selected_gold(rating):.1f}"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden systems with ``suspicion``; points by AUC, as in ``judge_metric``."""
    calls = []

    def unpack(stored):
        scores, ask = proxy_system(stored)
        calls.append((scores.copy(), ask))  # scores stay, whatever an answer does to its own
        return scores, ask

    result = judge_metric(answer, case, unpack, _told, lambda: habits(calls, case))
    spent = any(p.failure and "BudgetSpent" in p.failure.yours for p in result.properties)
    return replace(result, diagnoses=(SPENT,)) if spent else result


def habits(calls: list[tuple[np.ndarray, Oracle]], case: dict[str, Any]) -> tuple[str, ...]:
    """What the places that an answer asked about say about it: the message of a recognised habit, or nothing."""
    places = [  # 0 for the worst-scored, 1 for the best-scored of a system
        (scores[list(oracle.asked), None] > scores).mean(1)
        for scores, oracle in calls
        if oracle.asked
    ]
    if not places:
        return (case["habits"]["nothing_asked"],)
    asked = np.concatenate(places)
    lowest = np.mean(asked <= 0.05) >= 0.2
    # too wide: three to seven labels in ten lie up there, yet fewer than six in ten of these on top
    upper = asked[asked >= 0.87]
    wide = 0.3 <= len(upper) / len(asked) < 0.7 and np.mean(upper >= 0.95) < 0.6
    if wide and not lowest:
        return (case["habits"]["too_wide"],)
    if np.mean(asked >= 0.95) < 0.2:
        low = np.mean(asked < 0.5) > 0.9 or lowest
        return (case["habits"]["worst_scored" if low else "away_from_the_tail"],)
    if lowest:
        return (case["habits"]["against_the_worst"],)
    return (case["habits"]["tail_only"],) if np.mean(asked >= 0.8) > 0.97 else ()
