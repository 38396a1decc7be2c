"""What 4d is answered with before thinking of the share of its comparisons that a response won.

Wins less losses enter as a mean only: of one response, their *sign* says whether that share is above one half.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solutions.ex04_direct_training import hidden_runs
from solutions.ex04_direct_training.hidden_runs import K, Run
from solutions.obvious import correlation

PAIRS, SAMPLES = ("chosen", "rejected"), ("ref_samples", "policy_samples")


def _counts(run: Run, name: str) -> np.ndarray:
    return np.bincount(run[name], minlength=K)


def _less(one: str, other: str) -> Callable:
    return lambda run: run[one] - run[other]


def _of_samples(counts: Callable, samples: str) -> Callable:
    """How often each sampled response is in the pairs."""
    return lambda run: counts(run)[run[samples]]


def _rise(counts: Callable, summary: Callable = np.mean) -> Callable:
    return lambda run: (
        summary(counts(run)[run["policy_samples"]]) - summary(counts(run)[run["ref_samples"]])
    )


def _entropy(run: Run, samples: str) -> float:
    share = _counts(run, samples) / len(run[samples])
    return float(-(share[share > 0] * np.log(share[share > 0])).sum())


COUNTS: dict[str, Callable[[Run], np.ndarray]] = {
    "wins": lambda run: _counts(run, "chosen"),
    "losses": lambda run: _counts(run, "rejected"),
    "wins less losses": lambda run: _counts(run, "chosen") - _counts(run, "rejected"),
    "comparisons": lambda run: _counts(run, "chosen") + _counts(run, "rejected"),
}
OBVIOUS = {
    **{
        name: lambda run, name=name: run[name]
        for name in (
            *PAIRS,
            *SAMPLES,
            *(f"{who}_{which}_logps" for who in ("policy", "ref") for which in PAIRS),
        )
    },
    "change of the chosen": _less("policy_chosen_logps", "ref_chosen_logps"),
    "change of the rejected": _less("policy_rejected_logps", "ref_rejected_logps"),
    "policy's chosen less rejected": _less("policy_chosen_logps", "policy_rejected_logps"),
    "reference's chosen less rejected": _less("ref_chosen_logps", "ref_rejected_logps"),
    "margin": lambda run: (
        OBVIOUS["change of the chosen"](run) - OBVIOUS["change of the rejected"](run)
    ),
    "DPO loss": lambda run: np.logaddexp(0, -hidden_runs.BETA * OBVIOUS["margin"](run)),
    "estimate of KL": hidden_runs.kl_estimate,
    "correlation of the changes": lambda run: correlation(
        OBVIOUS["change of the chosen"](run), OBVIOUS["change of the rejected"](run)
    ),
    **{
        f"{name} of the {who.replace('_', ' ')}": _of_samples(counts, who)
        for name, counts in COUNTS.items()
        if name != "wins less losses"
        for who in SAMPLES
    },
    **{
        f"mean wins less losses of the {who.replace('_', ' ')}": lambda run, who=who: float(
            COUNTS["wins less losses"](run)[run[who]].mean()
        )
        for who in SAMPLES
    },
    **{f"rise of the mean {name}": _rise(counts) for name, counts in COUNTS.items()},
    **{
        f"rise of the median {name}": _rise(counts, np.median)
        for name, counts in COUNTS.items()
        if name != "wins less losses"
    },
    "rise of the mean wins, of different responses": lambda run: (
        _counts(run, "chosen")[np.unique(run["policy_samples"])].mean()
        - _counts(run, "chosen")[np.unique(run["ref_samples"])].mean()
    ),
    "rise of the mean losses, of different responses": lambda run: (
        _counts(run, "rejected")[np.unique(run["policy_samples"])].mean()
        - _counts(run, "rejected")[np.unique(run["ref_samples"])].mean()
    ),
    "losses of what rose most": lambda run: _counts(run, "rejected")[
        (_counts(run, "policy_samples") - _counts(run, "ref_samples")).argmax()
    ],
    "wins of what rose most": lambda run: _counts(run, "chosen")[
        (_counts(run, "policy_samples") - _counts(run, "ref_samples")).argmax()
    ],
    "how often the reference says the policy's samples": lambda run: _counts(run, "ref_samples")[
        run["policy_samples"]
    ],
    "fall of the entropy of the samples": lambda run: (
        _entropy(run, "ref_samples") - _entropy(run, "policy_samples")
    ),
    "entropy of the policy's samples": lambda run: _entropy(run, "policy_samples"),
    **{
        f"the policy's samples in {known}": lambda run, known=known: np.isin(
            run["policy_samples"], run[known]
        )
        for known in (*PAIRS, "ref_samples")
    },
    "correlation of wins and the policy's samples": lambda run: correlation(
        _counts(run, "chosen"), _counts(run, "policy_samples")
    ),
    "correlation of losses and the policy's samples": lambda run: correlation(
        _counts(run, "rejected"), _counts(run, "policy_samples")
    ),
}
