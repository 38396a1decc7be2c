"""What 10d is answered with before thinking of gold's slope in the proxy, at the policy, in either direction."""

from __future__ import annotations

import numpy as np

from solutions.ex10_kl_and_beta import hidden_runs
from solutions.ex10_kl_and_beta.hidden_runs import FIRST
from solutions.obvious import correlation


def _standardised(run: dict, grade) -> np.ndarray:
    """Grades of the policy in units of the reference's."""
    start = run["reference_grades"]
    return (grade(FIRST) - start.mean()) / start.std()


OBVIOUS = {
    "β": hidden_runs.small_beta,
    **{
        name: lambda run, grade, name=name: run[name]
        for name in ("proxy", "log_ratio", "reference_proxy", "reference_grades")
    },
    "grades": lambda run, grade: grade(FIRST),
    "grades of the best by the proxy": lambda run, grade: grade(
        run["proxy"].argsort(kind="stable")[-60:]
    ),
    "grades of the worst by the proxy": lambda run, grade: grade(
        run["proxy"].argsort(kind="stable")[:60]
    ),
    "grades in standard deviations of the reference's": _standardised,
    "spread of grades over the reference's": lambda run, grade: float(
        _standardised(run, grade).std()
    ),
    "estimate of KL": hidden_runs.kl_estimate,
    "gain of the proxy": hidden_runs.proxy_gain,
    "fall of the grade": hidden_runs.gold_gain,
    "gold gained per nat": lambda run, grade: float(
        _standardised(run, grade).mean() / run["log_ratio"].mean()
    ),
    "gold gained per proxy gained": lambda run, grade: float(
        _standardised(run, grade).mean() / hidden_runs.proxy_gain(run, grade)
    ),
    "spread of the proxy over the reference's": lambda run, grade: float(
        run["proxy"].std() / run["reference_proxy"].std()
    ),
    "β over the spread of the proxy": lambda run, grade: float(run["beta"] / run["proxy"].std()),
    "correlation over the reference's": hidden_runs.reference_correlation,
    "signed correlation over the policy's": hidden_runs.signed_correlation,
    "signed difference of the ends": hidden_runs.signed_difference,
    "covariance without sign": hidden_runs.unscaled,
    "difference of the ends without sign": hidden_runs.unscaled_difference,
    "slope without sign": hidden_runs.unscaled_slope,
    "correlation over both": lambda run, grade: correlation(
        np.concatenate([run["reference_proxy"][:40], run["proxy"][FIRST]]),
        np.concatenate([run["reference_grades"], grade(FIRST)]),
    ),
}
