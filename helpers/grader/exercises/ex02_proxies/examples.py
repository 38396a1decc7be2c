"""Exercise 2c: a small world for proxies, and what selection by the learner's two proxies does to gold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_examples import HEADING, Verdict, judge_examples, vector
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

SELECT = 64  # the best of so many is what selection picks


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
    return judge_examples(answer, case, {"safe": _safe, "unsafe": _unsafe, "equal": _equal})


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
    if np.all(np.diff(proxy.scores) >= 0) or np.all(np.diff(proxy.scores) <= 0):
        why = (
            f"{proxy.which.capitalize()} proxy: your scores stand in order of size. Entry k is the score of "
            f"response k, "
            f"and the responses do not stand in the order of their gold: accuracy {proxy.accuracy:.2f}."
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
