"""What 1d is answered with before thinking of the two places on the screen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solutions.ex01_choices import hidden_runs
from solutions.ex01_choices.hidden_runs import Run
from solutions.obvious import correlation

LOGPS = "policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps"


def _less(one: str, other: str) -> Callable:
    return lambda run: run[one] - run[other]


def _corrected(size: float) -> Callable:
    return lambda run: hidden_runs.win_rate(run) - size * hidden_runs.first_share(run)


def _later_wins(run: Run) -> float:
    half = len(run["policy_won"]) // 2
    return float(run["policy_won"][half:].mean() - run["policy_won"][:half].mean())


OBVIOUS = {
    **{name: lambda run, name=name: run[name] for name in (*LOGPS, "policy_first", "policy_won")},
    "gain of the chosen": _less("policy_chosen_logps", "ref_chosen_logps"),
    "gain of the rejected": _less("policy_rejected_logps", "ref_rejected_logps"),
    "policy's chosen less rejected": _less("policy_chosen_logps", "policy_rejected_logps"),
    "reference's chosen less rejected": _less("ref_chosen_logps", "ref_rejected_logps"),
    "margin": lambda run: (
        _less(*LOGPS[:2])(run) - _less("ref_chosen_logps", "ref_rejected_logps")(run)
    ),
    "DPO loss": lambda run: np.logaddexp(0, -OBVIOUS["margin"](run)),
    "wins when first": lambda run: run["policy_won"][run["policy_first"]],
    "wins when second": lambda run: run["policy_won"][~run["policy_first"]],
    "the first place won": lambda run: run["policy_won"] == run["policy_first"],
    "won and shown first": lambda run: run["policy_won"] & run["policy_first"],
    "correlation of place and win": lambda run: correlation(run["policy_first"], run["policy_won"]),
    "distance of the win rate from one half": lambda run: abs(hidden_runs.win_rate(run) - 0.5),
    "win rate times share first": lambda run: (
        hidden_runs.win_rate(run) * hidden_runs.first_share(run)
    ),
    "wins over places first": lambda run: hidden_runs.win_rate(run) / hidden_runs.first_share(run),
    **{
        f"win rate less {size} of the share first": _corrected(size)
        for size in (-1.0, 0.1, 0.2, 0.3, 0.5, 1.0)
    },
    "wins in the second half less the first": _later_wins,
    "correlation of policy and reference on the chosen": lambda run: correlation(
        run["policy_chosen_logps"], run["ref_chosen_logps"]
    ),
    "win rate plus gain of the chosen": lambda run: (
        hidden_runs.win_rate(run) + hidden_runs.chosen_gain(run)
    ),
}
