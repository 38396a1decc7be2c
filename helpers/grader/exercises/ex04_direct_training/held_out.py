"""Exercise 4d: trained runs as the learner gets them, and how a metric of theirs is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import judge_metric
from helpers.grader.number_text import digits, read
from helpers.grader.result import Result


def unpack_run(stored: dict[str, Any]) -> dict[str, np.ndarray]:
    """A run as the learner gets it, from its tables of log-probabilities by response; fresh arrays.

    Stored are −log-probabilities in hundredths, how often each response won and was sampled, as ``written``, and the
    losers in the winners' order, one character each.
    """
    policy, ref = -read(stored["policy_logps"]) / 100, -read(stored["ref_logps"]) / 100
    ids = {
        name: np.repeat(np.arange(len(ref)), read(stored[name]))
        for name in ("chosen", "ref_samples", "policy_samples")
    }
    rng = np.random.default_rng(0)  # the orders say nothing
    pairs = rng.permutation(len(ids["chosen"]))
    chosen, rejected = ids["chosen"][pairs], digits(stored["rejected"])[pairs]
    return {
        "chosen": chosen,
        "rejected": rejected,
        "policy_chosen_logps": policy[chosen],
        "policy_rejected_logps": policy[rejected],
        "ref_chosen_logps": ref[chosen],
        "ref_rejected_logps": ref[rejected],
        "ref_samples": rng.permutation(ids["ref_samples"]),
        "policy_samples": rng.permutation(ids["policy_samples"]),
    }


def practice_runs() -> list[tuple[dict[str, np.ndarray], str]]:
    """Six runs to try a metric on, each with what became of it: 'healthy' or 'regressed'."""
    return [(unpack_run(stored), stored["outcome"]) for stored in case("4d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    run = unpack_run(stored)
    chosen = run["policy_chosen_logps"] - run["ref_chosen_logps"]
    rejected = run["policy_rejected_logps"] - run["ref_rejected_logps"]
    return f"mean margin {np.mean(chosen - rejected):+.2f}, mean change of chosen {np.mean(chosen):+.2f} nats"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden runs with ``harm_score``; points by AUC, as in ``judge_metric``."""
    return judge_metric(answer, case, lambda stored: (unpack_run(stored),), _told)
