"""The runs of exercise 9d as the learner gets them, and how a metric of theirs is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import Change, judge_metric
from helpers.grader.number_text import read
from helpers.grader.result import Result

Run = dict[str, np.ndarray]


def replies(stored: dict[str, Any]) -> Run:
    """A stored run as the learner gets it, one entry for each reply drawn; fresh arrays.

    Stored are, slice after slice and prompt after prompt, −log π and −log π_ref of every reply in hundredths
    of a nat, and how often it was drawn from either model, each as ``written``; ``sizes`` says how many replies are
    listed for each slice.
    """
    policy, ref = -read(stored["policy"]) / 100, -read(stored["ref"]) / 100
    by_policy, by_ref = read(stored["by_policy"]), read(stored["by_ref"])
    slices = np.repeat(np.arange(len(stored["sizes"])), stored["sizes"])
    row = np.repeat(np.tile(np.arange(len(slices)), 2), np.concatenate([by_policy, by_ref]))
    order = np.random.default_rng(0).permutation(len(row))  # says nothing
    own, row = (np.arange(len(row)) < by_policy.sum())[order], row[order]
    return {
        "slices": slices[row],
        "by_policy": own,
        "policy_logps": policy[row],
        "ref_logps": ref[row],
    }


def practice_references() -> list[tuple[Run, str]]:
    """Six runs to try a metric of 9d on, each with what became of it: 'healthy' or 'regressed'."""
    return [(replies(stored), stored["outcome"]) for stored in case("9d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    run = replies(stored)
    ratio, own = run["policy_logps"] - run["ref_logps"], run["by_policy"]
    return (
        f"{len(own)} replies in {len(stored['sizes'])} slices, mean log-ratio {ratio[own].mean():+.2f} "
        f"on the policy's replies, {ratio[~own].mean():+.2f} on the reference's"
    )


def _added(run: Run, policy: float, ref: float, where: np.ndarray | bool = True) -> tuple[Run]:
    """Some nats, so many times, added to the log-probabilities of the replies ``where``."""
    nats = np.random.default_rng(0).normal(0, 0.5, size=len(run["slices"])) * where
    logps = {"policy_logps": run["policy_logps"] + policy * nats}
    return ({**run, **logps, "ref_logps": run["ref_logps"] + ref * nats},)


CHANGES = (
    Change("counts", lambda run: _added(run, 1, -1)),
    Change("likelihood", lambda run: _added(run, 1, 1), told_if="move"),
    Change("own_replies", lambda run: _added(run, 0, 1, where=~run["by_policy"])),
    Change(
        "whole",
        lambda run: ({**run, "slices": np.random.default_rng(0).permutation(run["slices"])},),
    ),
)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden runs with ``reference_score``; points as in ``judge_metric``."""
    return judge_metric(answer, case, lambda stored: (replies(stored),), _told, changes=CHANGES)
