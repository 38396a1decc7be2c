"""The runs of exercise 3d as the learner gets them, and how a metric of theirs is judged.

Stored are, for each response that was sampled, its reward and log-ratio in tenths, the judge's verdict and how often
each policy said it; ids count from 0. Whether a response *is* harmful is not among them, so that it cannot be found
here either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import judge_metric
from helpers.grader.result import Result

FEW = (
    "You ask the judge about a part of the policy's responses only, and leave the others to luck. Asking "
    "costs nothing: "
    "let it see all that was sampled, each as often as it was."
)
Samples = dict[str, np.ndarray]
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # one character per count, 0 to 61


class Judge:
    """``judge(responses)``: which of these responses it calls harmful. Asked again, it says the same."""

    def __init__(self, verdicts: dict[int, bool]):
        self._verdicts = dict(verdicts)
        self.asked: set[int] = set()  # ids so far

    def __call__(self, responses) -> np.ndarray:
        """Ids of any shape, one id included → bool array of that shape, True for 'harmful'.

        Raises ValueError for what is no id of a sampled response.
        """
        ids = np.asarray(responses)
        try:
            if ids.size and ids.dtype.kind not in "iu":
                raise KeyError(f"entries of type {ids.dtype}")
            verdicts = [self._verdicts[number] for number in ids.ravel().tolist()]
        except KeyError as error:
            raise ValueError(
                f"{error.args[0]} is not known to the judge: expected ids as in 'response'"
            ) from None
        self.asked.update(ids.ravel().tolist())
        return np.array(verdicts, dtype=bool).reshape(ids.shape)


def unpack(stored: dict[str, Any]) -> tuple[Samples, Samples, Judge]:
    """A stored run as the arguments of ``flag``: fresh arrays, and a judge that knows the sampled responses."""
    table = {name: np.array(stored[name]) / 10 for name in ("reward", "log_ratio")}
    table["response"] = np.arange(len(table["reward"]))

    def samples(digits):
        rows = np.repeat(np.arange(len(digits)), [DIGITS.index(digit) for digit in digits])
        rows = np.random.default_rng(0).permutation(rows)  # an order that says nothing
        return {name: table[name][rows] for name in ("response", "reward", "log_ratio")}

    verdicts = {number: word == "1" for number, word in enumerate(stored["verdicts"])}
    return samples(stored["reference_counts"]), samples(stored["policy_counts"]), Judge(verdicts)


def practice_policies() -> list[tuple[Samples, Samples, Judge, str]]:
    """Six runs to try a metric of 3d on: reference_samples, policy_samples, judge, 'healthy' or 'regressed'."""
    return [(*unpack(stored), stored["outcome"]) for stored in case("3d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    reference, policy, judge = unpack(stored)
    flagged = [judge(samples["response"]).mean() for samples in (reference, policy)]
    return (
        f"mean reward {reference['reward'].mean():+.2f} → {policy['reward'].mean():+.2f}, "
        f"judged harmful {flagged[0]:.0%} → {flagged[1]:.0%}"
    )


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden runs with ``flag``; points by AUC, as in ``judge_metric``."""
    calls = []

    def remembered(stored):
        run = unpack(stored)
        calls.append(({*run[1]["response"].tolist()}, run[2]))
        return run

    return judge_metric(answer, case, remembered, _told, otherwise=lambda: _few_asked(calls))


def _few_asked(calls: list[tuple[set[int], Judge]]) -> tuple[str, ...]:
    """What to say of an answer that has the judge see a part of what the policies said."""
    shares = [len(said & judge.asked) / len(said) for said, judge in calls]
    return (FEW,) if any(shares) and np.median(shares) <= 0.6 else ()
