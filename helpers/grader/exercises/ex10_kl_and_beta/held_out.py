"""The runs of exercise 10d as the learner gets them, and how a metric of theirs is judged.

Grades cost: a run's ``grade`` answers for ``BUDGET`` different samples and then no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import AGAIN, Change, judge_metric
from helpers.grader.result import Result
from helpers.grader.run_answer import Unusable, attempt, numbers_returned

BUDGET = 60  # different samples of the policy that are graded for one run
FEW = 12  # of them, with which chance decides more than β does
Run = dict[str, np.ndarray | float]


class Grade:
    """``grade(which)``: gold grades of these samples of the policy. Asked again about a sample, it says the same."""

    def __init__(self, grades: list[float]):
        self._grades = list(grades)
        self._asked: set[int] = set()

    @property
    def asked(self) -> list[int]:
        """The samples that were graded so far, by their places."""
        return sorted(self._asked)

    def counted_from(self, zero: float, unit: float) -> Grade:
        """A fresh one that gives the same grades in another unit, from another zero."""
        return Grade([zero + unit * grade for grade in self._grades])

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


def _graded(run: Run, grade: Grade, zero: float, unit: float) -> tuple[Run, Grade]:
    """The same run, its grades in another unit and from another zero."""
    graded = {**run, "reference_grades": zero + unit * run["reference_grades"]}
    return graded, grade.counted_from(zero, unit)


def _proxy_in_hundredths(run: Run, grade: Grade) -> tuple[Run, Grade]:
    names = "beta", "proxy", "reference_proxy"
    return {**run, **{name: 100 * run[name] for name in names}}, grade


def _from_another_zero(run: Run, grade: Grade) -> tuple[Run, Grade]:
    return _graded(run, grade, 20 * float(np.ptp(run["reference_grades"])), 1)


CHANGES = (
    Change("units", lambda run, grade: _graded(run, grade, 0, 100), told_if="move"),
    Change("units", _proxy_in_hundredths, told_if="move"),
    Change("zero", _from_another_zero, told_if="move"),
)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden runs with ``beta_is_off``; points by AUC, as in ``judge_metric``.

    Where nothing is recognised: whether few grades are asked for, and whether a grade and its sample's proxy meet.
    """
    return judge_metric(
        answer,
        case,
        unpack,
        _told,
        lambda: _habits(answer, case),
        CHANGES,
        lambda: _use_of_grades(answer, case),
    )


def _use_of_grades(answer: Callable, case: dict[str, Any]) -> tuple[str, ...]:
    """What the places tell that are asked about: of the first runs, all have to agree."""
    few, apart = [], []
    for stored in case["runs"][:AGAIN]:
        run, grade = unpack(stored)
        before = attempt(answer, run, grade)
        asked = grade.asked
        turned, grade = unpack(stored)
        for name in ("proxy", "log_ratio"):
            turned[name][asked] = np.random.default_rng(0).permutation(turned[name][asked])
        after = attempt(answer, turned, grade)
        try:
            one, other = (numbers_returned(outcome.value).item() for outcome in (before, after))
        except (Unusable, ValueError):
            return ()
        few.append(len(asked) <= FEW)
        apart.append(bool(np.isclose(one, other, rtol=1e-6)))
    key = "few" if all(few) else "apart" if all(apart) else ""
    return tuple(m["message"] for m in case["mistakes"] if m["key"] == key)


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
            asked = asked or bool(grade.asked)
    first, again, turned = scores[:3], scores[3:6], scores[6:]
    if first != again:
        return (case["by_chance"],)
    if asked or len(set(first)) == 1:
        return ()
    key = "no_gold" if first == turned else "reference_only"
    return tuple(m["message"] for m in case["mistakes"] if m["key"] == key)
