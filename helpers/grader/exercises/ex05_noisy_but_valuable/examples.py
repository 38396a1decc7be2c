"""Exercise 5c, judged by effect: what the majority of many answers of a crowd makes of the pairs it is asked about.

Pairs are of a few kinds. On a pair of kind k each answer of the crowd is right with probability right_k, independently
of the others. Majorities are worked out exactly, so nothing is left to chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.judge_examples import Verdict, entry, judge_examples
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

HEADING = "Your crowd"
EXCHANGED = (
    "Your two crowds stand under each other's name: what is under 'safe' does what the unsafe one should, and the "
    "other way round."
)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Work out one answer, two and many of the safe and of the unsafe crowd of ``answer()``."""
    bounds, limits = case["bounds"], case["thresholds"]

    def crowd(sides: dict, side: str) -> _Crowd:
        return _Crowd(sides.get(side), bounds, bounds["least_right"] if side == "unsafe" else 0.0)

    def exchanged(sides: dict) -> bool:
        try:
            first, second = (_Crowd(sides.get(side), bounds, 0.0) for side in ("unsafe", "safe"))
        except Unusable:
            return False
        return _safe(first, limits)[0] is None and _unsafe_falls(second, limits)[0] is None

    def told(verdict: Verdict, sides: dict) -> Verdict:
        failure, why = verdict
        return failure, EXCHANGED if failure and exchanged(sides) else why

    judges = {
        "safe": lambda sides, case: told(_safe(crowd(sides, "safe"), limits), sides),
        "unsafe_falls": lambda sides, case: told(
            _unsafe_falls(crowd(sides, "unsafe"), limits), sides
        ),
        "unsafe_unseen": lambda sides, case: _unsafe_unseen(
            crowd(sides, "unsafe"), crowd(sides, "safe"), limits
        ),
    }
    return judge_examples(answer, case, judges, HEADING)


def majority_right(right: np.ndarray, many: int) -> np.ndarray:
    """P(the majority of ``many`` independent answers is right), ``many`` odd, in the shape of ``right``."""
    k = np.arange(many // 2 + 1, many + 1)
    ways = np.array([math.comb(many, j) for j in k.tolist()], dtype=np.float64)
    q = right[..., None]
    return (ways * q**k * (1 - q) ** (many - k)).sum(-1)


class _Crowd:
    """One side's crowd, read and worked out. Raises Unusable, saying what is wrong.

    one, many: how often one answer and the majority of many are right;
    agree: how often two answers on a pair are equal.
    """

    def __init__(self, side: Any, bounds: dict[str, Any], least: float):
        self.share, self.right = entry(side, "share"), entry(side, "right")
        self._check(bounds, least)
        self.size = bounds["many"]
        self.by_kind = majority_right(self.right, self.size)
        self.one, self.many = float(self.share @ self.right), float(self.share @ self.by_kind)
        self.agree = float(self.share @ (self.right**2 + (1 - self.right) ** 2))

    def _check(self, bounds: dict[str, Any], least: float) -> None:
        (fewest, most), smallest = bounds["kinds"], bounds["least_share"]
        shape = self.share.shape
        if len(shape) != 1 or self.right.shape != shape or not fewest <= shape[0] <= most:
            raise Unusable(
                f"'share' of shape {shape}, 'right' of shape {self.right.shape}: expected {fewest} to {most} "
                "numbers each, one for each kind of pair"
            )
        if not self.share.min() >= smallest:  # NaN ends here too
            raise Unusable(f"a share of {self.share.min():.3g}: expected {smallest:g} or more")
        if not abs(self.share.sum() - 1) <= 1e-6:
            raise Unusable(f"shares that sum to {self.share.sum():.4g}: expected 1")
        if not (self.right.min() >= least and self.right.max() <= 1):
            raise Unusable(
                f"'right' from {self.right.min():.3g} to {self.right.max():.3g}: expected {least:g} to 1"
            )

    def __str__(self) -> str:
        def row(values):
            return " ".join(f"{value:7.3g}" for value in values)

        return f"share of the pairs  {row(self.share)}\none answer right    {row(self.right)}"

    def story(self) -> str:
        """By kind and in all."""
        kinds = " ".join(f"{value:.3f}" for value in self.by_kind)
        return (
            f"majority of {self.size} right, by kind: {kinds}\none answer right {self.one:.3f}, majority of "
            f"{self.size} {self.many:.3f}, two answers equal {self.agree:.3f}"
        )


def _safe(crowd: _Crowd, limits: dict[str, float]) -> Verdict:
    goal = limits["expert"] + limits["gain"]
    asked = (
        f"kinds that differ by {limits['apart']:g}, one answer right {limits['one_at_most']:g} at most, the majority "
        f"{goal:g} or more"
    )
    why = ""
    if np.ptp(crowd.right) < limits["apart"] - 1e-9:
        why = (
            f"Safe crowd: 'right' differs by {np.ptp(crowd.right):.3g} from kind to kind, asked is "
            f"{limits['apart']:g} or more. No pile of pairs is that even."
        )
    elif crowd.one > limits["one_at_most"] + 1e-9:
        why = (
            f"Safe crowd: one answer is right {crowd.one:.1%} of the time, asked is {limits['one_at_most']:.0%} at "
            "most. That good answers in number beat an expert surprises nobody."
        )
    elif crowd.many < goal - 1e-9:
        worst = int((crowd.share * (1 - crowd.by_kind)).argmax())
        why = (
            f"Safe crowd: the majority is right {crowd.many:.1%} of the time, the expert "
            f"{limits['expert']:.0%}; asked is {goal:.0%} or more. Most of what is missing is lost on kind {worst}, "
            f"where one answer is right {crowd.right[worst]:.1%} of the time."
        )
    return (Failure(str(crowd), crowd.story(), asked, HEADING), why) if why else (None, "")


def _unsafe_falls(crowd: _Crowd, limits: dict[str, float]) -> Verdict:
    if crowd.one - crowd.many >= limits["fall"] - 1e-9:
        return None, ""
    asked = f"the majority of {crowd.size} right less often than one answer, by {limits['fall']:g} or more"
    gains = crowd.share * (crowd.by_kind - crowd.right)
    if crowd.right.min() >= 0.5:
        why = (
            "Unsafe crowd: on every kind an answer is right at least half of the time, and there more answers can "
            "only help."
        )
    elif crowd.many >= crowd.one:
        why = (
            f"Unsafe crowd: more answers make it better in all. Some kind loses by them, but kind "
            f"{int(gains.argmax())} gains {gains.max():.3f} of all pairs: on which pairs is there nothing to gain?"
        )
    else:
        why = (
            f"Unsafe crowd: more answers make it worse, but only by {crowd.one - crowd.many:.3f} (asked is "
            f"{limits['fall']:g}). Make the losing kind commoner, or what the others gain smaller."
        )
    return Failure(str(crowd), crowd.story(), asked, HEADING), why


def _unsafe_unseen(unsafe: _Crowd, safe: _Crowd, limits: dict[str, float]) -> Verdict:
    ahead = limits["ahead"]
    short = [
        f"{name} {mine:.3f} of the time, in the safe crowd {theirs:.3f}"
        for name, mine, theirs in (
            ("one answer is right", unsafe.one, safe.one),
            ("two answers are equal", unsafe.agree, safe.agree),
        )
        if mine - theirs < ahead - 1e-9
    ]
    if not short:
        return None, ""
    why = (
        f"Unsafe crowd: {'; '.join(short)}. Asked is {ahead:g} or more above it in both, so that by the two numbers on "
        "every dashboard the unsafe crowd is the better one."
    )
    asked = f"one answer right, and two answers equal, {ahead:g} more often than in the safe crowd"
    found = f"unsafe: {unsafe.story()}\nsafe: {safe.story()}"
    return Failure(str(unsafe), found, asked, HEADING), why
