"""What 9d is answered with before thinking of a log-ratio as a claim about who said a reply.

The mean of π/π_ref over the reference's replies, by slice, is not here: with the right reference it is 1, since π sums
to 1, and with a wrong one it is not. That reads the log-ratio as a claim too, and is among the right variants.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solutions.ex09_reference_policy import hidden_runs
from solutions.ex09_reference_policy.hidden_runs import Run, in_slices, ratios
from solutions.obvious import correlation

WHOSE: dict[str, Callable[[Run], np.ndarray]] = {
    "all": lambda run: np.ones(len(run["slices"]), dtype=bool),
    "the policy's": lambda run: run["by_policy"],
    "the reference's": lambda run: ~run["by_policy"],
}
WHAT: dict[str, Callable[[Run], np.ndarray]] = {
    "log π": lambda run: run["policy_logps"],
    "log π_ref": lambda run: run["ref_logps"],
    "log-ratio": ratios,
}


def _of(what: Callable, whose: Callable) -> Callable:
    return lambda run: what(run)[whose(run)]


def _slice_means(what: Callable, whose: Callable) -> Callable:
    return lambda run: np.array([what(run)[s & whose(run)].mean() for s in in_slices(run)])


OBVIOUS = {
    "slices": lambda run: run["slices"],
    "replies in a slice": lambda run: np.bincount(run["slices"]),
    **{
        f"{what} of {whose} replies": _of(WHAT[what], WHOSE[whose])
        for what in WHAT
        for whose in WHOSE
    },
    **{
        f"mean {what} of {whose} replies, by slice": _slice_means(WHAT[what], WHOSE[whose])
        for what in WHAT
        for whose in WHOSE
    },
    "size of log-ratios": hidden_runs.size_of_ratios,
    "KL estimates of both added": lambda run: (
        hidden_runs.kl_of_policy(run) + hidden_runs.kl_of_reference(run)
    ),
    "`ref_logps`: policy's less reference's": hidden_runs.prefers_the_policy,
    "π_ref/π over the policy's replies": hidden_runs.mean_inverse_ratio,
    "told apart": hidden_runs.told_apart,
    "told apart, by slice": lambda run: np.array(
        [((ratios(run) > 0) != run["by_policy"])[s].mean() for s in in_slices(run)]
    ),
    "correlation of log π and log π_ref": lambda run: correlation(
        run["policy_logps"], run["ref_logps"]
    ),
    "correlation of log-ratio and who spoke": lambda run: correlation(
        ratios(run), run["by_policy"]
    ),
    "implied margin by slice": lambda run: np.array(
        [
            ratios(run)[s & run["by_policy"]].mean() - ratios(run)[s & ~run["by_policy"]].mean()
            for s in in_slices(run)
        ]
    ),
}
