"""The hidden surveys of exercise 8d: intervals for a Bradley-Terry difference that hold their promise, or do not.

A survey compares two models, A and B; some annotators answer many comparisons, some few. Each prefers A with a
probability of their own, drawn from a Beta distribution around the population's share p; the intraclass correlation of
that distribution, ``rho``, says how much two answers of one person have in common. If annotator a gave n_a answers, N
in all, the share of wins has the variance p(1 − p)/N times the design effect 1 + rho·(Σ n_a²/N − 1).

The survey reports a 95 % interval for s_A − s_B, the log-odds of the population's share, with a design effect that
somebody *assumed*: often 1 (every comparison counts as independent), sometimes more. In a healthy survey it is the true
one; in its regressed twin, with the same loads, share and assumption, the true one is ``EXCESS`` times as large.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from helpers.grader.exercises.ex08_bradley_terry.held_out import Run, survey

ANNOTATORS = 60, 120  # in a survey: from, to
LOAD, LOAD_SPREAD, LOAD_RANGE = (
    20,
    1.0,
    (2, 120),
)  # median answers per annotator, spread of its logarithm, bounds
SHARE = 1.0  # the population's log-odds are drawn uniformly from ± this
NAIVE, ASSUMED = (
    0.3,
    (2.0, 10.0),
)  # how often a design effect of 1 is assumed; otherwise from, to, even on a log scale
EXCESS = 2.4, 3.0  # true over assumed design effect in a regressed survey: from, to
LEVEL = 0.95  # of the intervals
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
FROZEN_RUNS = 20  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 29
PRACTICE_SEED, MEASURED_SEEDS = 1011, range(800, 1000)


@dataclass(frozen=True)
class Survey:
    """One survey: answers and wins of A by annotator, (A,) each, the reported interval, and what nobody is told."""

    loads: np.ndarray
    wins: np.ndarray
    low: float
    high: float
    share: float  # of the population that prefers A
    rho: float
    assumed: float  # design effect

    @property
    def run(self) -> Run:
        """As ``interval_overconfidence`` gets it."""
        return survey(self.stored)

    @property
    def stored(self) -> dict:
        """As it is kept: answers and wins by annotator, and the interval in nats."""
        return {
            "loads": self.loads.tolist(),
            "wins": self.wins.tolist(),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
        }

    def coverage(self, rng: np.random.Generator, repetitions: int = 1000) -> float:
        """How often the interval holds the truth when the survey is repeated with fresh annotators."""
        wins = answers(rng, np.tile(self.loads, (repetitions, 1)), self.share, self.rho).sum(1)
        low, high = interval(wins, self.loads.sum(), self.assumed)
        truth = np.log(self.share / (1 - self.share))
        return float(((low <= truth) & (truth <= high)).mean())


def answers(rng: np.random.Generator, loads: np.ndarray, share: float, rho: float) -> np.ndarray:
    """Wins of A by annotator, in the shape of ``loads``."""
    own = np.full(loads.shape, share)
    if rho > 0:
        own = rng.beta(share * (1 / rho - 1), (1 - share) * (1 / rho - 1), size=loads.shape)
    return rng.binomial(loads, own)


def interval(wins, n: int, design_effect: float) -> tuple:
    """The reported interval for the log-odds of the share, from wins of A among n answers: ends in nats."""
    share = (wins + 0.5) / (n + 1)
    middle, half = (
        np.log(share / (1 - share)),
        Z * np.sqrt(design_effect / (n * share * (1 - share))),
    )
    return middle - half, middle + half


def pairs(seed: int, n: int) -> list[tuple[Survey, Survey]]:
    """n pairs (healthy, regressed) of surveys with the same loads, the same population share, the same assumption."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        loads = np.exp(
            rng.normal(np.log(LOAD), LOAD_SPREAD, size=rng.integers(*ANNOTATORS, endpoint=True))
        )
        loads = loads.round().clip(*LOAD_RANGE).astype(int)
        share = 1 / (1 + np.exp(-rng.uniform(-SHARE, SHARE)))
        assumed = 1.0 if rng.random() < NAIVE else np.exp(rng.uniform(*np.log(ASSUMED)))
        together = (
            loads**2
        ).sum() / loads.sum()  # answers of the annotator who gave a typical answer
        twins = []
        for true in (assumed, assumed * rng.uniform(*EXCESS)):
            rho = (true - 1) / (together - 1)
            wins = answers(rng, loads, share, rho)
            ends = interval(wins.sum(), loads.sum(), assumed)
            twins.append(
                Survey(loads, wins, *map(float, ends), float(share), float(rho), float(assumed))
            )
        found.append(tuple(twins))
    return found


# ---- metrics that do not compare the interval with what annotators share -------------------


def by_annotator(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Answers and wins of each annotator, (A,) each."""
    answered = np.bincount(run["annotator"])
    return answered, np.bincount(run["annotator"], weights=run["won"])


def few_answers(run: Run) -> float:
    """Minus the number of comparisons."""
    return -float(len(run["won"]))


def narrow(run: Run) -> float:
    """Minus the width of the interval."""
    return float(run["low"] - run["high"])


def against_independent(run: Run) -> float:
    """Width that independent answers would give, over the width of the interval."""
    share = np.mean(run["won"])
    return float(
        2 * Z / np.sqrt(len(run["won"]) * share * (1 - share)) / (run["high"] - run["low"])
    )


def one_sided(run: Run) -> float:
    """How far the share of wins is from one half."""
    return float(abs(np.mean(run["won"]) - 0.5))


def dissenters(run: Run) -> float:
    """Share of annotators whose own majority is not that of all answers."""
    answered, won = by_annotator(run)
    return float(np.mean((won > answered / 2) != (np.mean(run["won"]) > 0.5)))


def spread_of_rates(run: Run) -> float:
    """Standard deviation of the annotators' own shares of wins, each counting alike."""
    answered, won = by_annotator(run)
    return float(np.std(won / answered))


def clustered_variance(run: Run) -> float:
    """Variance of the log-odds of the share of wins when annotators, not answers, are independent."""
    answered, won = by_annotator(run)
    share, people = np.mean(run["won"]), len(answered)
    excess = won - share * answered  # of each annotator over what the pooled share expects
    return float(
        (excess**2).sum() * people / (people - 1) / (len(run["won"]) * share * (1 - share)) ** 2
    )


def design_effect(run: Run) -> float:
    """Clustered variance over that of independent answers: what the interval should have assumed."""
    share = np.mean(run["won"])
    return clustered_variance(run) * len(run["won"]) * share * (1 - share)


def stored(one: Survey) -> dict:
    """As it is kept."""
    return one.stored


def arguments(one: Survey) -> tuple[Run]:
    """As a metric is called."""
    return (one.run,)
