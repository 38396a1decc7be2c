"""The hidden files of exercise 6d: answers of nine people, or of eight and a copy.

Every comparison i has a margin m_i; a person with lapse rate l prefers its first reply with probability
(1 − l)·σ(m_i) + l/2. Two people are careful and two are not; each of these couples answered many of the same
comparisons. In a healthy file all answer for themselves. In its regressed twin, with the same comparisons, margins and
people asked, ``COPIED`` of the answers that the second of the careless couple gave to comparisons of the first are the
first's. Copies make a file more unanimous; the other people of the twin are a little less careful, so that as many
answers contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from helpers.grader.exercises.ex06_preference_pair.held_out import records
from helpers.world import Pair

PEOPLE, COMPARISONS = 9, (80, 98)  # in a file; comparisons from, to
ANSWERS = 5, 6  # to one comparison: from, to
SPREAD = 6.0  # standard deviation of the margins
CAREFUL, CARELESS, LONER = (0.0, 0.03), (0.6, 0.8), (0.8, 1.0)  # lapse rates: from, to
OTHERS = {"healthy": (0.10, 0.34), "regressed": (0.16, 0.40)}
SHARED = (
    (66, 74),
    (56, 64),
)  # comparisons that both of the careful, both of the careless answered: from, to
COPIED = 0.7
FROZEN_RUNS = 20  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 23
PRACTICE_SEED, MEASURED_SEEDS = 1011, range(800, 840)


@dataclass(frozen=True)
class File:
    """One file: answers (people, comparisons), 0 or 1 for the first or second reply preferred, −1 for not asked."""

    names: tuple[str, ...]
    answers: np.ndarray

    @property
    def stored(self) -> dict:
        """As it is kept."""
        rows = ["".join("-" if a < 0 else str(a) for a in row) for row in self.answers.tolist()]
        return {"names": list(self.names), "answers": rows}


def pairs(seed: int, n: int) -> list[tuple[File, File]]:
    """n pairs (healthy, regressed) of files with the same comparisons and the same people asked."""
    rng = np.random.default_rng(seed)
    return [_twins(rng) for _ in range(n)]


def _twins(rng: np.random.Generator) -> tuple[File, File]:
    comparisons = rng.integers(*COMPARISONS, endpoint=True)
    first = 1 / (1 + np.exp(-rng.normal(0, SPREAD, comparisons)))
    asked = _asked(rng, comparisons)
    rates = [rng.uniform(*CAREFUL, 2), rng.uniform(*CARELESS, 2), rng.uniform(*LONER, 1)]
    place = rng.uniform(size=PEOPLE - 5)  # of the others, from the most careful to the least
    order = rng.permutation(PEOPLE)
    names = tuple(f"P{k}" for k in rng.permutation(90)[:PEOPLE] + 10)
    twins = []
    for outcome, (low, high) in OTHERS.items():
        lapse = np.concatenate([*rates, low + (high - low) * place])[:, None]
        prefers = rng.random(asked.shape) < (1 - lapse) * first + lapse / 2
        if outcome == "regressed":
            copied = asked[2] & asked[3] & (rng.random(comparisons) < COPIED)
            prefers[3, copied] = prefers[2, copied]
        twins.append(File(names, np.where(asked, (~prefers).astype(int), -1)[order]))
    return tuple(twins)


def _asked(rng: np.random.Generator, comparisons: int) -> np.ndarray:
    """Who answers what, (people, comparisons) bool: the couples what they share, the others fill up."""
    asked = np.zeros((PEOPLE, comparisons), dtype=bool)
    for couple, bounds in zip(((0, 1), (2, 3)), SHARED):
        shared = rng.permutation(comparisons)[: rng.integers(*bounds, endpoint=True)]
        asked[np.ix_(couple, shared)] = True
    for i in range(comparisons):
        others = 4 + rng.permutation(PEOPLE - 4)
        asked[others[: max(rng.integers(*ANSWERS, endpoint=True) - asked[:, i].sum(), 2)], i] = True
    return asked


def stored(one: File) -> dict:
    """As it is kept."""
    return one.stored


def arguments(one: File) -> tuple[list[Pair]]:
    """As a metric is called."""
    return (records(one.stored),)


# ---- metrics that do not look at who dissents with whom -------------------------------------


def by_person(file: list[Pair]) -> dict[str, dict]:
    """Each person's answers: which reply, by comparison (a prompt and its two replies in alphabetical order)."""
    found: dict[str, dict] = {}
    for pair in file:
        comparison = (pair.prompt, *sorted((pair.chosen, pair.rejected)))
        found.setdefault(pair.annotator, {})[comparison] = pair.chosen
    return found


def couples(file: list[Pair]) -> Iterator[tuple[int, int]]:
    """For any two people who share comparisons: how many, and on how many they agree."""
    for a, b in combinations(by_person(file).values(), 2):
        shared = a.keys() & b.keys()
        if shared:
            yield len(shared), sum(a[c] == b[c] for c in shared)


def few_answers(file: list[Pair]) -> float:
    """Minus the number of records."""
    return -float(len(file))


def agreement(file: list[Pair]) -> float:
    """Share of all couples of answers to one comparison that agree."""
    shared, agreed = map(sum, zip(*couples(file)))
    return agreed / shared


def few_contradictions(file: list[Pair]) -> float:
    """Minus what ``audit`` counts as contradictions."""
    return float(sum(agreed - shared for shared, agreed in couples(file)))


def largest_agreement(least: int) -> Callable[[list[Pair]], float]:
    """The largest share of agreement of any two people with at least ``least`` comparisons in common."""

    def metric(file: list[Pair]) -> float:
        return max(agreed / shared for shared, agreed in couples(file) if shared >= least)

    return metric


def largest_excess(file: list[Pair]) -> float:
    """The largest excess of agreement over that of the whole file, in standard errors, of any two people."""
    p = agreement(file)
    return max((agreed - p * n) / np.sqrt(p * (1 - p) * n) for n, agreed in couples(file))


def largest_excess_share(file: list[Pair]) -> float:
    """The largest excess of agreement over that of the whole file, as a share, of two people who share 20 or more."""
    return largest_agreement(20)(file) - agreement(file)


def largest_overlap(file: list[Pair]) -> float:
    """The most comparisons that any two people have in common."""
    return float(max(shared for shared, _ in couples(file)))


def contrarian(file: list[Pair]) -> float:
    """The largest share of answers against most of the others, of any one person."""
    signs = votes(file)
    others = signs.sum(0) - signs
    counted = (signs != 0) & (others != 0)
    return float((((signs * others < 0) & counted).sum(1) / counted.sum(1)).max())


def votes(file: list[Pair]) -> np.ndarray:
    """Answers as signs, (people, comparisons): 1 or −1 for one reply or the other, 0 for no answer."""
    people, comparisons = {}, {}
    for pair in file:
        people.setdefault(pair.annotator, len(people))
        sides = sorted((pair.chosen, pair.rejected))
        comparisons.setdefault((pair.prompt, *sides), len(comparisons))
    signs = np.zeros((len(people), len(comparisons)), dtype=int)
    for pair in file:
        sides = sorted((pair.chosen, pair.rejected))
        column = comparisons[(pair.prompt, *sides)]
        signs[people[pair.annotator], column] = 1 if pair.chosen == sides[0] else -1
    return signs


def dissents(signs: np.ndarray) -> Iterator[np.ndarray]:
    """For any two people: (2, n) bool, who of them answered against most of all others; comparisons of both."""
    for a, b in combinations(range(len(signs)), 2):
        others = signs.sum(0) - signs[a] - signs[b]
        use = (signs[a] != 0) & (signs[b] != 0) & (others != 0)
        yield signs[[a, b]][:, use] * others[use] < 0
