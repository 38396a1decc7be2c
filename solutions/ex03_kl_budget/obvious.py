"""What 3d is answered with before thinking of comparing harm before and after, with the same judge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solutions.ex03_kl_budget import hidden_runs
from solutions.obvious import correlation


def _column(which: int, name: str) -> Callable:
    return lambda *run: run[which][name]


def _verdicts(which: int) -> Callable:
    return lambda *run: run[2](run[which]["response"])


def _counts(which: int) -> Callable:
    return lambda *run: np.unique(run[which]["response"], return_counts=True)[1]


def _new(ref, policy, judge) -> np.ndarray:
    return judge(np.setdiff1d(policy["response"], ref["response"]))


WHOSE = {"reference": 0, "policy": 1}
OBVIOUS = {
    **{
        f"{name} of the {who}'s samples": _column(which, name)
        for who, which in WHOSE.items()
        for name in ("response", "reward", "log_ratio")
    },
    **{f"how often the {who} says a response": _counts(which) for who, which in WHOSE.items()},
    **{f"verdicts on the {who}'s samples": _verdicts(which) for who, which in WHOSE.items()},
    "verdicts on the policy's different responses": lambda ref, policy, judge: judge(
        np.unique(policy["response"])
    ),
    "verdicts on all samples": lambda ref, policy, judge: np.concatenate(
        [judge(ref["response"]), judge(policy["response"])]
    ),
    "verdicts on new responses": _new,
    "verdicts on the policy's best rewarded": lambda ref, policy, judge: judge(
        policy["response"][policy["reward"].argsort()[-50:]]
    ),
    "verdicts on the policy's first 50 samples": lambda ref, policy, judge: judge(
        policy["response"][:50]
    ),
    "fall of the mean reward": hidden_runs.mean_reward,
    "rise of the spread of rewards": lambda ref, policy, judge: (
        policy["reward"].std() - ref["reward"].std()
    ),
    "share of new samples": hidden_runs.unfamiliar,
    "correlation of reward and log-ratio": lambda ref, policy, judge: correlation(
        policy["reward"], policy["log_ratio"]
    ),
    "correlation of verdict and reward, policy": lambda ref, policy, judge: correlation(
        judge(policy["response"]), policy["reward"]
    ),
    "correlation of verdict and reward, reference": lambda ref, policy, judge: correlation(
        judge(ref["response"]), ref["reward"]
    ),
    "reward of what is judged harmful": lambda ref, policy, judge: policy["reward"][
        judge(policy["response"])
    ],
    "harmful share times KL": lambda *run: (
        hidden_runs.judged_alone(*run) * hidden_runs.kl_estimate(*run)
    ),
    "harmful share less mean reward": lambda *run: (
        hidden_runs.judged_alone(*run) - run[1]["reward"].mean()
    ),
    "KL estimates of both added": lambda ref, policy, judge: (
        policy["log_ratio"].mean() - ref["log_ratio"].mean()
    ),
}
