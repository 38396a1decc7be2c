"""The crews of exercise 5d as the learner gets them, and how a metric of theirs is judged.

Stored are who worked together, what they said about each pair, and how often each annotator said 'first' on gold tasks
of either kind. Which reply of a pair is the better one is not among them, so that it cannot be found here either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import judge_metric
from helpers.grader.result import Result

Run = dict[str, np.ndarray]


def crew(stored: dict[str, Any]) -> Run:
    """A stored crew as the learner gets it: fresh arrays.

    Stored 'answers' has one digit for each pair, bit k set where person k of its team said 'first'; pair i went to team
    i modulo the number of teams. 'gold' has, for each annotator, how often they said 'first' on the 'gold_tasks' whose
    first reply is better, and on as many whose second is.
    """
    teams = np.array(stored["teams"])
    digits = np.frombuffer(stored["answers"].encode("ascii"), dtype=np.uint8) - ord("0")
    pair = np.arange(len(digits))
    said = (digits[:, None] >> np.arange(teams.shape[1])) & 1
    tasks, gold = stored["gold_tasks"], np.array(stored["gold"])  # (A, 2)
    annotator, kind, place = np.indices((len(gold), 2, tasks)).reshape(3, -1)
    rng = np.random.default_rng(0)  # orders that say nothing
    work, tests = rng.permutation(said.size), rng.permutation(len(annotator))
    return {
        "pair": np.repeat(pair, teams.shape[1])[work],
        "annotator": teams[pair % len(teams)].ravel()[work],
        "said_first": (said == 1).ravel()[work],
        "gold_annotator": annotator[tests],
        "gold_first": (kind == 0)[tests],
        "gold_said_first": (place < gold[annotator, kind])[tests],
    }


def practice_crews() -> list[tuple[Run, str]]:
    """Six crews to try a metric of 5d on, each with what became of it: 'healthy' or 'regressed'."""
    return [(crew(stored), stored["outcome"]) for stored in case("5d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    said = crew(stored)
    wrong = (said["gold_first"] != said["gold_said_first"]).mean()
    alike = np.mean([digit in "07" for digit in stored["answers"]])
    return f"gold tasks {wrong:.1%} wrong, all three of one mind on {alike:.1%} of the pairs"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden crews with ``rule_score``; points as in ``judge_metric``."""
    return judge_metric(answer, case, lambda stored: (crew(stored),), _told)
