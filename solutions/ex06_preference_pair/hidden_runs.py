"""The hidden files of exercise 6d: answers of twelve people, or the same with copies.

Every comparison i has a margin m_i; a person with lapse rate l prefers its first reply with probability
(1 − l)·σ(m_i) + l/2. Eight people are asked about most comparisons: three careful ones, three careless ones and two in
between; four more about a few. In a healthy file all answer for themselves. Its regressed twin is the same file, but
of the comparisons that two of the careless ones share, the second has the first's answer on ``COPIED``. So there are
couples with as many comparisons in common, as many agreed on and as many not, in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from helpers.grader.exercises.ex06_preference_pair.held_out import records
from helpers.world import Pair

COMPARISONS = 88, 98  # in a file: from, to
SPREAD = 6.0  # standard deviation of the margins
CAREFUL, CARELESS, BETWEEN, LONER = (0.0, 0.03), (0.5, 0.7), (0.10, 0.34), (0.8, 1.0)  # lapse rates
PEOPLE = (*3 * [CAREFUL], *3 * [CARELESS], *5 * [BETWEEN], LONER)
COPIED_FROM, COPIED_TO = 3, 4  # both careless
FREQUENT, ASKED = (
    8,
    (0.70, 0.85),
)  # the first of them, and the share of comparisons that each answers
FURTHER = 1, 2  # answers of the others to one comparison: from, to
COPIED = 0.75
FROZEN_RUNS = 24  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 20
PRACTICE_SEED, MEASURED_SEEDS = 1011, range(800, 1000)


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
    lapse = np.array([rng.uniform(*bounds) for bounds in PEOPLE])[:, None]
    prefers = rng.random(asked.shape) < (1 - lapse) * first + lapse / 2
    copies = prefers.copy()
    copied = asked[COPIED_FROM] & asked[COPIED_TO] & (rng.random(comparisons) < COPIED)
    copies[COPIED_TO, copied] = prefers[COPIED_FROM, copied]
    order = rng.permutation(len(PEOPLE))
    names = tuple(f"P{k}" for k in rng.permutation(90)[: len(PEOPLE)] + 10)
    return tuple(
        File(names, np.where(asked, (~given).astype(int), -1)[order]) for given in (prefers, copies)
    )


def _asked(rng: np.random.Generator, comparisons: int) -> np.ndarray:
    """Who answers what, (people, comparisons) bool: the frequent ones most, of the others one or two each."""
    asked = np.zeros((len(PEOPLE), comparisons), dtype=bool)
    for person in range(FREQUENT):
        most = round(comparisons * rng.uniform(*ASKED))
        asked[person, rng.permutation(comparisons)[:most]] = True
    for i in range(comparisons):
        others = FREQUENT + rng.permutation(len(PEOPLE) - FREQUENT)
        asked[others[: rng.integers(*FURTHER, endpoint=True)], i] = True
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
    signs = votes(file)
    shared, balance = abs(signs) @ abs(signs).T, signs @ signs.T
    for a, b in zip(*np.triu_indices(len(signs), 1)):
        if shared[a, b]:
            yield int(shared[a, b]), int(shared[a, b] + balance[a, b]) // 2


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


def of_one_mind(file: list[Pair]) -> float:
    """Share of the comparisons of which all answers are the same."""
    signs = votes(file)
    return float((np.abs(signs.sum(0)) == np.abs(signs).sum(0)).mean())


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
