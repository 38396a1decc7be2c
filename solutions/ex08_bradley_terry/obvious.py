"""What 8d is answered with before thinking of comparing the interval with what annotators share."""

from __future__ import annotations

import numpy as np

from solutions.ex08_bradley_terry import hidden_runs
from solutions.ex08_bradley_terry.hidden_runs import Run, by_annotator
from solutions.obvious import correlation


def rates(run: Run) -> np.ndarray:
    """Win rate of each annotator."""
    answered, won = by_annotator(run)
    return won / answered


def variances(run: Run) -> np.ndarray:
    """p(1 − p) of each annotator."""
    return rates(run) * (1 - rates(run))


def clear(run: Run) -> float:
    """Middle of the interval over its width."""
    return float(abs(run["low"] + run["high"]) / (run["high"] - run["low"]))


OBVIOUS = {
    "annotator": lambda run: run["annotator"],
    "won": lambda run: run["won"],
    "low": lambda run: run["low"],
    "high": lambda run: run["high"],
    "width": hidden_runs.narrow,
    "middle": lambda run: run["low"] + run["high"],
    "size of the middle": lambda run: abs(run["low"] + run["high"]),
    "holds 0": lambda run: float(run["low"] < 0 < run["high"]),
    "middle over width": clear,
    "comparisons": hidden_runs.few_answers,
    "annotators": lambda run: len(np.unique(run["annotator"])),
    "answers of each annotator": lambda run: by_annotator(run)[0],
    "wins of each annotator": lambda run: by_annotator(run)[1],
    "win rate of each annotator": rates,
    "distance of rates from one half": lambda run: np.abs(rates(run) - 0.5),
    "p(1 − p) of each annotator": variances,
    "annotators of one mind with themselves": lambda run: float(np.mean(variances(run) == 0)),
    "win rate less the middle's": lambda run: float(
        run["won"].mean() - 1 / (1 + np.exp(-(run["low"] + run["high"]) / 2))
    ),
    "distance of the win rate from one half": hidden_runs.one_sided,
    "dissenters": hidden_runs.dissenters,
    "variance by annotators": hidden_runs.clustered_variance,
    "design effect by annotators": hidden_runs.design_effect,
    "width for independent answers over width": hidden_runs.against_independent,
    "correlation of answers and rate": lambda run: correlation(by_annotator(run)[0], rates(run)),
    "comparisons times width": lambda run: len(run["won"]) * (run["high"] - run["low"]),
}
