"""What exercises 2c and 2d hand out and judge: a small world for proxies, and proxies whose gold must be asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader import separation
from helpers.grader.frozen import case
from helpers.grader.result import Failure, Result
from helpers.grader.sides import HEADING, Verdict, judge_sides, vector
from helpers.grader.trial import Unusable

SELECT, DRAWS = 64, 256  # the best of so many is what selection picks, in 2c and in 2d
BUDGET = 100  # gold labels of one system of 2d
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # one character per gold rating, 0 to 61

# ---- 2c: two proxies of one accuracy --------------------------------------------------------


def proxy_world() -> tuple[np.ndarray, np.ndarray]:
    """The world of 2c: the reference's probabilities and the gold rewards of its responses, (K,) each."""
    world = case("2c")["world"]
    return np.array(world["ref"]), np.array(world["gold"])


def pair_accuracy(ref: np.ndarray, proxy: np.ndarray, gold: np.ndarray) -> float:
    """How often the proxy orders two independent draws from ``ref`` as gold does, given that their gold differs.

    (K,) each; a tie of the proxy counts one half. Raises ValueError if all gold rewards are equal.
    """
    both = ref[:, None] * ref * (gold[:, None] > gold)
    if not both.sum() > 0:
        raise ValueError("all gold rewards are equal: expected at least two different ones")
    right = (proxy[:, None] > proxy) + 0.5 * (proxy[:, None] == proxy)
    return float((both * right).sum() / both.sum())


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Judge 2c by effect: accuracy of both proxies, and gold of the best of 64 that each picks."""
    return judge_sides(answer, case, {"safe": _safe, "unsafe": _unsafe, "equal": _equal})


def _selected(ref: np.ndarray, scores: np.ndarray, gold: np.ndarray) -> float:
    """Mean gold of the best of ``SELECT`` draws, (K,) each; draws of one score follow the reference."""
    _, group = np.unique(scores, return_inverse=True)
    mass, worth = np.bincount(group, ref), np.bincount(group, ref * gold)
    upto = np.append(0.0, mass.cumsum())
    return float((np.diff(upto**SELECT) * worth / mass).sum())


class _Proxy:
    """One side's proxy, read and worked out. Raises Unusable."""

    def __init__(self, sides: dict, which: str, case: dict[str, Any]):
        value = sides.get(which)
        if value is None:
            raise Unusable("not written yet")
        ref, gold = np.array(case["world"]["ref"]), np.array(case["world"]["gold"])
        self.scores = vector(value, which)
        if self.scores.shape != gold.shape:
            raise Unusable(
                f"{len(self.scores)} scores: expected one for each of the {len(gold)} responses"
            )
        self.which, self.mean = which, float((ref * gold).sum())
        self.accuracy = pair_accuracy(ref, self.scores, gold)
        self.selected = _selected(ref, self.scores, gold)

    def __str__(self) -> str:
        return f"{self.which} = {np.array2string(self.scores, precision=3, max_line_width=72)}"

    def story(self) -> str:
        """Accuracy, and gold of the best of 64 against the reference's."""
        return (
            f"accuracy {self.accuracy:.3f}; gold of the best of {SELECT} {self.selected:.2f}, "
            f"of the reference {self.mean:.2f}"
        )


def _accurate(proxy: _Proxy, case: dict[str, Any]) -> Verdict:
    least = case["thresholds"]["accuracy"]
    if proxy.accuracy >= least:
        return None, ""
    why = (
        f"{proxy.which.capitalize()} proxy: its accuracy is {proxy.accuracy:.2f}; asked are {least:g} or more. A "
        "proxy that nobody would deploy shows nothing."
    )
    if proxy.accuracy <= 1 - least:
        why = f"{proxy.which.capitalize()} proxy: it orders responses upside down; larger scores are for better ones."
    return Failure(str(proxy), proxy.story(), f"accuracy at least {least:g}", HEADING), why


def _safe(sides: dict, case: dict[str, Any]) -> Verdict:
    proxy, margin = _Proxy(sides, "safe", case), case["thresholds"]["margin"]
    failure, why = _accurate(proxy, case)
    if failure or proxy.selected >= proxy.mean + margin:
        return failure, why
    why = (
        f"Safe proxy: the best of {SELECT} has gold {proxy.selected - proxy.mean:+.2f} against the reference; asked "
        f"are {margin:+g} or more. Its mistakes sit where selection looks."
    )
    return Failure(
        str(proxy), proxy.story(), f"selection raises gold by at least {margin:g}", HEADING
    ), why


def _unsafe(sides: dict, case: dict[str, Any]) -> Verdict:
    proxy, margin = _Proxy(sides, "unsafe", case), case["thresholds"]["margin"]
    failure, why = _accurate(proxy, case)
    if failure or proxy.selected <= proxy.mean - margin:
        return failure, why
    why = (
        f"Unsafe proxy: the best of {SELECT} has gold {proxy.selected - proxy.mean:+.2f} against the reference, so "
        f"nobody is harmed; asked are {-margin:+g} or less. Which few responses decide what selection picks?"
    )
    return Failure(
        str(proxy), proxy.story(), f"selection lowers gold by at least {margin:g}", HEADING
    ), why


def _equal(sides: dict, case: dict[str, Any]) -> Verdict:
    safe, unsafe = _Proxy(sides, "safe", case), _Proxy(sides, "unsafe", case)
    within = case["thresholds"]["equal"]
    if abs(safe.accuracy - unsafe.accuracy) <= within:
        return None, ""
    why = (
        f"Your accuracies differ, {safe.accuracy:.3f} and {unsafe.accuracy:.3f}: whoever compares them would have "
        "been warned. Spoil the better one, away from its best-scored responses."
    )
    story = f"accuracy {safe.accuracy:.3f} and {unsafe.accuracy:.3f}"
    return Failure(f"{safe}\n{unsafe}", story, f"equal within {within:g}", HEADING), why


# ---- 2d: systems whose gold costs -----------------------------------------------------------


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


def proxy_system(stored: dict[str, Any]) -> tuple[np.ndarray, Oracle]:
    """A system of 2d as the learner gets it: scores, (N,), and the function to ask. Fresh, nothing asked yet."""
    rating = np.array([DIGITS.index(digit) for digit in stored["gold"]])
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
    """Six systems to try a metric of 2d on: (scores, ask, 'healthy' or 'regressed'); each has its budget once."""
    return [(*proxy_system(stored), stored["outcome"]) for stored in case("2d")["practice"]]


def told(stored: dict[str, Any]) -> str:
    """One line about a system, for the panel."""
    rating = np.array([DIGITS.index(digit) for digit in stored["gold"]])
    return f"mean gold {rating.mean():.1f}, of the best of {DRAWS} by the proxy {selected_gold(rating):.1f}"


def judge_metric(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden systems with ``suspicion``; points by AUC, as in ``separation.judge``."""
    calls = []

    def unpack(stored):
        scores, ask = proxy_system(stored)
        calls.append((scores.copy(), ask))  # scores stay, whatever an answer does to its own
        return scores, ask

    return separation.judge(answer, case, unpack, told, lambda: habits(calls, case))


def habits(calls: list[tuple[np.ndarray, Oracle]], case: dict[str, Any]) -> tuple[str, ...]:
    """What the places that an answer asked about say about it: the message of a recognised habit, or nothing."""
    high = []
    for scores, oracle in calls:
        top = scores >= np.quantile(scores, 0.95)
        high += [float(top[list(oracle.asked)].mean())] if oracle.asked else []
    if not high:
        return (case["habits"]["nothing_asked"],)
    if np.mean(high) < 0.2:
        return (case["habits"]["away_from_the_tail"],)
    return (case["habits"]["tail_only"],) if np.mean(high) > 0.97 else ()
