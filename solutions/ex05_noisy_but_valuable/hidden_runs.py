"""The hidden crews of exercise 5d: answers with errors that fall at random, or that follow a rule, at equal rates.

Twelve annotators work in four teams of three; a team's three label the same pairs. Each annotator errs at a rate of
their own where the first reply is better and at another where the second is: everybody errs at ``BASE``, the hurried
more, and who leans towards one side of the screen (the same side for all) still more where the other reply is better.
How many hurry and how many lean differs from crew to crew, and so does whether teams were made of like people. In a
healthy crew errors fall independently given that. In its regressed twin, of the same people with the same two rates
each, a share ``TRAPS`` of all pairs lures everybody, at rate ``LURED``; elsewhere each errs correspondingly less.

Gold tasks are pairs of the same pile whose better reply is known. Each is shown to one annotator only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from helpers.grader.exercises.ex05_noisy_but_valuable.held_out import Run, crew

ANNOTATORS, TEAM = 12, 3
PAIRS, GOLD = (
    900,
    75,
)  # pairs of a crew; gold tasks of each annotator with the first reply better, and as many more
BASE, HURRIED, LEANING = (
    (0.066, 0.09),
    (0.2, 0.38),
    (0.6, 0.85),
)  # error rates: from, to; the last two are added
TOGETHER = (
    0.95  # an annotator's two rates of error, at most: all say 'first' more often where it is right
)
TRAPS, LURED = (0.06, 0.068), 0.95
FROZEN_RUNS = 66  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 20
PRACTICE_SEED, MEASURED_SEEDS = 1005, range(500, 700)


@dataclass(frozen=True)
class Crew:
    """What a crew recorded, and what nobody is told: traps (share of the pairs) and rates (A, 2) of saying 'first'.

    teams (4, 3), said_first (pairs, 3) bool, gold (A, 2): how often 'first' was said on gold tasks of either kind.
    """

    teams: np.ndarray
    said_first: np.ndarray
    gold: np.ndarray
    traps: float
    rates: np.ndarray

    @property
    def stored(self) -> dict:
        """As it is kept."""
        digits = self.said_first @ (1 << np.arange(TEAM))
        return {
            "teams": self.teams.tolist(),
            "answers": "".join(map(str, digits.tolist())),
            "gold_tasks": GOLD,
            "gold": self.gold.tolist(),
        }


def draw(rng: np.random.Generator, errs: np.ndarray, traps: float) -> Crew:
    """A crew with these rates of error, (2, A): where the first reply is better, where the second is."""
    alike = rng.random() < 0.5
    order = np.argsort(errs.sum(0), kind="stable") if alike else rng.permutation(ANNOTATORS)
    teams = order.reshape(-1, TEAM)
    elsewhere = (errs - LURED * traps) / (1 - traps)

    def said_first(second_better, annotator):
        lured = rng.random(second_better.shape) < traps
        rate = np.where(
            lured[..., None], LURED, elsewhere[second_better[..., None].astype(int), annotator]
        )
        return second_better[..., None] == (rng.random(rate.shape) < rate)

    who = teams[np.arange(PAIRS) % len(teams)]
    said = said_first(rng.random(PAIRS) < 0.5, who)
    kind = np.broadcast_to([[False], [True]], (ANNOTATORS, 2, GOLD))
    people = np.broadcast_to(np.arange(ANNOTATORS)[:, None, None], kind.shape)
    gold = said_first(kind, people[..., None])[..., 0].sum(-1)
    return Crew(teams, said, gold, traps, np.stack([1 - errs[0], errs[1]], 1))


def pairs(seed: int, n: int) -> list[tuple[Crew, Crew]]:
    """n pairs (healthy, regressed), of the same people."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        hurry, lean = (
            rng.permutation(ANNOTATORS) < rng.integers(0, ANNOTATORS, endpoint=True)
            for _ in range(2)
        )
        errs = rng.uniform(*BASE, ANNOTATORS) + hurry * rng.uniform(*HURRIED, ANNOTATORS)
        leant = errs + lean * rng.uniform(*LEANING, ANNOTATORS)
        errs = np.stack([errs, np.minimum(leant, TOGETHER - errs)])
        errs = errs[:: rng.choice([-1, 1])]  # towards which side people lean
        found.append((draw(rng, errs, 0.0), draw(rng, errs, rng.uniform(*TRAPS))))
    return found


def stored(run: Crew) -> dict:
    """As it is kept."""
    return run.stored


def arguments(run: Crew) -> tuple[Run]:
    """As a metric is called."""
    return (crew(run.stored),)


# ---- metrics that do not compare agreement with what the people's own rates explain -----------


def gold_error(run: Run) -> float:
    """Share of gold tasks that were answered wrong."""
    return float((run["gold_first"] != run["gold_said_first"]).mean())


def by_pair(run: Run, name: str) -> np.ndarray:
    """A column of the work with one row for each pair, (pairs, 3)."""
    return run[name][np.argsort(run["pair"], kind="stable")].reshape(-1, TEAM)


def agreement(run: Run) -> float:
    """Share of pairs of answers to one pair that are equal."""
    said = by_pair(run, "said_first")
    return float(np.mean([said[:, i] == said[:, j] for i, j in combinations(range(TEAM), 2)]))


def unanimous(run: Run) -> float:
    """Share of pairs on which all three are of one mind."""
    said = by_pair(run, "said_first").sum(1)
    return float(((said == 0) | (said == TEAM)).mean())


def alpha(run: Run) -> float:
    """Krippendorff's α of the work, for two classes and three answers each."""
    first, n = run["said_first"].sum(), len(run["said_first"])
    by_chance = 2 * first * (n - first) / (n * (n - 1))
    return float(1 - (1 - agreement(run)) / by_chance)


def spread(run: Run) -> float:
    """Standard deviation of the annotators' shares of wrong gold tasks."""
    wrong = run["gold_first"] != run["gold_said_first"]
    who = run["gold_annotator"]
    return float(np.std(np.bincount(who, weights=wrong) / np.bincount(who)))


def beyond_one_rate(run: Run) -> float:
    """Agreement less what one error rate for everybody would explain."""
    e = gold_error(run)
    return agreement(run) - (e**2 + (1 - e) ** 2)


def beyond_two_rates(run: Run) -> float:
    """Agreement less what one rate for either side, the same for everybody, would explain."""
    first = run["gold_first"]
    rates = [run["gold_said_first"][rows].mean() for rows in (first, ~first)]
    return agreement(run) - float(np.mean([q**2 + (1 - q) ** 2 for q in rates]))


def beyond_own_rate(run: Run) -> float:
    """Agreement less what one error rate for each annotator would explain, the same on both sides."""
    wrong, who = run["gold_first"] != run["gold_said_first"], run["gold_annotator"]
    e = (np.bincount(who, weights=wrong) / np.bincount(who))[by_pair(run, "annotator")]
    explained = [
        e[:, i] * e[:, j] + (1 - e[:, i]) * (1 - e[:, j]) for i, j in combinations(range(TEAM), 2)
    ]
    return agreement(run) - float(np.mean(explained))
