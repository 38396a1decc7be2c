"""Judging metrics on hidden systems, for the parts whose systems are not the runs of 4d: 1d and 2d."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader import separation, tail
from helpers.grader.frozen import case
from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.trial import Unusable, attempt


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


def _told_imitator(stored: dict[str, Any]) -> str:
    run = imitator(stored)
    first, won = run["policy_first"], run["policy_won"]
    return f"log π(chosen) {run['policy_chosen_logps'].mean():.2f}, won {won.sum()} of {len(won)}, first {first.sum()}"


ARGUMENTS: dict[str, Callable[[dict], tuple]] = {
    "imitators": lambda stored: (imitator(stored),),
    "proxies": tail.proxy_system,
}
TOLD: dict[str, Callable[[dict], str]] = {"imitators": _told_imitator, "proxies": tail.told}


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden systems. Points rise linearly from AUC ``no_points_up_to`` to ``full_points_from``.

    case["systems"] names how one is unpacked; otherwise as for ``separation.judge``.
    """
    head, spec = (case["part"], case["title"], case["points"]), case["properties"][0]
    arguments, scores, calls = ARGUMENTS[case["systems"]], [], []
    for number, stored in enumerate(case["runs"]):
        given = arguments(stored)
        calls.append((given[0].copy(), *given[1:]))  # scores stay, whatever an answer does to its own
        outcome = attempt(answer, *given)
        if number == 0 and outcome.missing:
            return Result(*head, "unattempted")
        try:
            scores.append(separation._score(outcome))
        except Unusable as error:
            where = f"system {number + 1} of {len(case['runs'])}"
            failure = Failure(where, str(error), "one finite number", "First system that it cannot score")
            prop = Property(spec["key"], spec["name"], spec["points"], 0.0, failure)
            return Result(*head, "error" if number == 0 else "wrong", (prop,))
    scores = np.array(scores)
    regressed = np.array([stored["outcome"] == case["larger"] for stored in case["runs"]])
    reached = separation.auc(scores[~regressed], scores[regressed])
    low, high = case["no_points_up_to"], case["full_points_from"]
    earned = round(spec["points"] * min(max((reached - low) / (high - low), 0.0), 1.0), 2)
    larger, smaller = case["larger"], case["smaller"]
    note = (f"AUC {reached:.2f}: so often does a {larger} one score above a {smaller} one. "
            f"Full points from {high:g}, none up to {low:g}.")
    failure, diagnoses = None, ()
    if reached < high:
        told = TOLD[case["systems"]]
        h = int(np.where(regressed, -np.inf, scores).argmax())
        r = int(np.where(regressed, scores, np.inf).argmin())
        shown = [(smaller, h), (larger, r)]
        inputs = "\n".join(f"{which}, number {i + 1}: {told(case['runs'][i])}" for which, i in shown)
        yours = f"{smaller} one scores {scores[h]:.4g}\n{larger} one scores {scores[r]:.4g}"
        failure = Failure(inputs, yours, f"the {larger} one scores higher", "The two that it confuses most")
        diagnoses = tail.habits(calls, case) if "habits" in case else ()
        diagnoses = diagnoses or separation._diagnoses(case["misconceptions"], scores)
    if reached <= 1 - high:
        diagnoses = (case["upside_down"],)
    return judged(*head, [Property(spec["key"], spec["name"], spec["points"], earned, failure)], diagnoses, note)
