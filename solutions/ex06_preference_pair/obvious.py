"""What 6d is answered with before thinking of two people who stand together against the others."""

from __future__ import annotations

from collections import Counter

import numpy as np

from helpers.world import Pair
from solutions.ex06_preference_pair import hidden_runs
from solutions.ex06_preference_pair.hidden_runs import by_person, couples, votes

File = list[Pair]


def agreements(file: File) -> np.ndarray:
    """Share of agreement of any two people who share 20 comparisons or more."""
    return np.array([agreed / shared for shared, agreed in couples(file) if shared >= 20])


def overlaps(file: File) -> np.ndarray:
    """How many comparisons any two people share."""
    return np.array([shared for shared, _ in couples(file)])


def agreed(file: File) -> np.ndarray:
    """On how many comparisons any two people agree."""
    return np.array([same for _, same in couples(file)])


def answers_each(file: File) -> np.ndarray:
    """Answers of each person."""
    return np.array(list(Counter(pair.annotator for pair in file).values()))


def lengths(file: File, name: str) -> np.ndarray:
    """Characters."""
    return np.array([len(getattr(pair, name)) for pair in file])


def against_all(file: File) -> np.ndarray:
    """Share of each person's answers against most of the others'."""
    signs = votes(file)
    others = signs.sum(0) - signs
    counted = (signs != 0) & (others != 0)
    return ((signs * others < 0) & counted).sum(1) / counted.sum(1)


def majorities(file: File) -> np.ndarray:
    """How clear each comparison is: size of its sum of votes."""
    return np.abs(votes(file).sum(0))


def minorities(file: File) -> np.ndarray:
    """How many dissent, by comparison."""
    signs = votes(file)
    return (np.abs(signs).sum(0) - np.abs(signs.sum(0))) / 2


def in_standard_errors(file: File) -> np.ndarray:
    """Agreement of any two people above the file's, in standard errors."""
    p, shared = hidden_runs.agreement(file), overlaps(file)
    return (agreed(file) - p * shared) / np.sqrt(p * (1 - p) * shared)


def same_text(file: File) -> float:
    """Records that are equal but for the annotator, as a share."""
    texts = Counter((pair.prompt, pair.chosen, pair.rejected) for pair in file)
    return float(np.mean(list(texts.values())))


OBVIOUS = {
    **{
        f"length of {name}": lambda file, name=name: lengths(file, name)
        for name in ("prompt", "chosen", "rejected")
    },
    "chosen longer than rejected": lambda file: lengths(file, "chosen") > lengths(file, "rejected"),
    "records": hidden_runs.few_answers,
    "people": lambda file: len(by_person(file)),
    "answers of each person": answers_each,
    "agreement of two people": agreements,
    "comparisons of two people": overlaps,
    "agreed comparisons of two people": agreed,
    "disagreed comparisons of two people": lambda file: overlaps(file) - agreed(file),
    "agreement of the file": hidden_runs.agreement,
    "contradictions": hidden_runs.few_contradictions,
    "largest agreement in standard errors": hidden_runs.largest_excess,
    "largest agreement above the file's": hidden_runs.largest_excess_share,
    "largest above second largest agreement": lambda file: float(
        np.diff(np.sort(agreements(file))[-2:])[0]
    ),
    "against the others, by person": against_all,
    "clearness of comparisons": majorities,
    "comparisons of one mind": hidden_runs.of_one_mind,
    "dissenters of comparisons": minorities,
    "comparisons with one dissenter": lambda file: float((minorities(file) == 1).mean()),
    "comparisons with two dissenters": lambda file: float((minorities(file) == 2).mean()),
    "one dissenter, of the comparisons with any": lambda file: float(
        (minorities(file) == 1).sum() / (minorities(file) > 0).sum()
    ),
    "agreement of two people in standard errors": in_standard_errors,
    "agreement of two people above the file's": lambda file: (
        agreed(file) - hidden_runs.agreement(file) * overlaps(file)
    ),
    "answers equal in text": same_text,
}
