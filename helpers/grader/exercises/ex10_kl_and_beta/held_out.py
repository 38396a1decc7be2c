"""The runs of exercise 10d as the learner gets them, and how a metric of theirs is judged.

Grades cost: a run's ``grade`` answers for ``BUDGET`` different samples and then no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import judge_metric
from helpers.grader.result import Result
from helpers.grader.run_answer import Unusable, attempt, numbers_returned

BUDGET = 60  # different samples of the policy that are graded for one run
Run = dict[str, np.ndarray | float]


class Grade:
    """``grade(which)``: gold grades of these samples of the policy. Asked again about a sample, it says the same."""

    def __init__(self, grades: list[float]):
        self._grades = list(grades)
        self._asked: set[int] = set()

    @property
    def asked(self) -> int:
        """How many different samples were graded so far."""
        return len(self._asked)

    def __call__(self, which) -> np.ndarray:
        """Places in ``run["proxy"]``, of any shape → grades of that shape.

        Raises ValueError for what is no place, and once more than ``BUDGET`` different ones were asked about.
        """
        places = np.asarray(which)
        if places.size and places.dtype.kind not in "iu":
            raise ValueError(f"entries of type {places.dtype}: expected places in run['proxy']")
        flat = places.ravel().tolist()
        wrong = [k for k in flat if not 0 <= k < len(self._grades)]
        if wrong:
            raise ValueError(f"place {wrong[0]}: expected 0 to {len(self._grades) - 1}")
        if len(self._asked | set(flat)) > BUDGET:
            raise ValueError(
                f"{len(self._asked | set(flat))} different samples to be graded: the budget is {BUDGET}"
            )
        self._asked |= set(flat)
        return np.array([self._grades[k] for k in flat], dtype=float).reshape(places.shape)


def unpack(stored: dict[str, Any]) -> tuple[Run, Grade]:
    """A stored run as the arguments of ``beta_is_off``: fresh arrays, and a grader with its whole budget."""
    proxy = np.array(stored["proxy"], dtype=float)
    run = {
        "beta": float(stored["beta"]),
        "proxy": proxy,
        "log_ratio": proxy / stored["beta"] - stored["log_z"],
        "reference_proxy": np.array(stored["reference_proxy"], dtype=float),
        "reference_grades": np.array(stored["reference_grades"], dtype=float),
    }
    return run, Grade(stored["grades"])


def practice_betas() -> list[tuple[Run, Grade, str]]:
    """Six runs to try a metric of 10d on: run, grade, and what became of it: 'healthy' or 'regressed'."""
    return [(*unpack(stored), stored["outcome"]) for stored in case("10d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    run, _ = unpack(stored)
    gain = run["proxy"].mean() - run["reference_proxy"].mean()
    return f"β = {run['beta']:.3g}, mean proxy {gain:+.2f}, KL about {run['log_ratio'].mean():.2f} nats"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden runs with ``beta_is_off``; points by AUC, as in ``judge_metric``."""
    return judge_metric(answer, case, unpack, _told, lambda: _habits(answer, case))


def _habits(answer: Callable, case: dict[str, Any]) -> tuple[str, ...]:
    """What three runs, scored three times, show: chance decides, or no grade of the policy's samples is asked for.

    The third time the reference's grades stand in another order: whoever uses them scores differently.
    """
    scores, asked = [], False
    for turned in (False, False, True):
        for stored in case["runs"][:3]:
            run, grade = unpack(stored)
            if turned:
                run["reference_grades"] = run["reference_grades"][::-1].copy()
            outcome = attempt(answer, run, grade)
            try:
                scores.append(numbers_returned(outcome.value).item())
            except (Unusable, ValueError):
                return ()
            asked = asked or grade.asked > 0
    first, again, turned = scores[:3], scores[3:6], scores[6:]
    if first != again:
        return (case["by_chance"],)
    if asked or len(set(first)) == 1:
        return ()
    key = "no_gold" if first == turned else "reference_only"
    return tuple(m["message"] for m in case["mistakes"] if m["key"] == key)
