"""The runs of exercise 1d as the learner gets them, and how a metric of theirs is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import judge_metric
from helpers.grader.result import Result


def imitator(stored: dict[str, Any]) -> dict[str, np.ndarray]:
    """A run of 1d as the learner gets it; fresh arrays."""
    policy, ref = np.array(stored["policy_logps"]), np.array(stored["ref_logps"])
    chosen, rejected = np.array(stored["chosen"]), np.array(stored["rejected"])
    return {
        "policy_chosen_logps": policy[chosen],
        "policy_rejected_logps": policy[rejected],
        "ref_chosen_logps": ref[chosen],
        "ref_rejected_logps": ref[rejected],
        "policy_first": np.array([bit == "1" for bit in stored["policy_first"]]),
        "policy_won": np.array([bit == "1" for bit in stored["policy_won"]]),
    }


def practice_imitators() -> list[tuple[dict[str, np.ndarray], str]]:
    """Six runs to try a metric of 1d on, each with what became of it: 'healthy' or 'regressed'."""
    return [(imitator(stored), stored["outcome"]) for stored in case("1d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    run = imitator(stored)
    first, won = run["policy_first"], run["policy_won"]
    return f"log π(chosen) {run['policy_chosen_logps'].mean():.2f}, won {won.sum()} of {len(won)}, first {first.sum()}"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden runs with ``imitation_score``; points by AUC, as in ``judge_metric``."""
    return judge_metric(answer, case, lambda stored: (imitator(stored),), _told)
