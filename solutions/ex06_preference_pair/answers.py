"""Exercise 6, preference pair: the reference answers, one function for each part."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from helpers.pairs import normal_words, similarity

# ---- 6a ------------------------------------------------------------------------------------

MARKS = "\n\nHuman:", "\n\nAssistant:"


def preference_pair(chosen: str, rejected: str) -> tuple[str, str, str]:
    """Two dialogues as (prompt, y_w, y_l). Raises ValueError where they are no pair."""
    (prompt, y_w), (other, y_l) = cut(chosen), cut(rejected)
    if prompt != other:
        raise ValueError("the sides differ before the last reply: these are replies to two prompts")
    return prompt, y_w, y_l


def cut(dialogue: str) -> tuple[str, str]:
    """A dialogue up to its last reply, and this reply."""
    human, assistant = (dialogue.rfind(mark) for mark in MARKS)
    if assistant < 0 or human > assistant:
        raise ValueError("the last turn is not the assistant's: expected a reply")
    end = assistant + len(MARKS[1])
    return dialogue[:end], dialogue[end:]


# ---- 6b ------------------------------------------------------------------------------------


def groups(prompts: list[tuple[str, ...]], near: float) -> list[int]:
    """Group numbers of dialogues that one split must not part, (N,). Raises ValueError."""
    refuse_dialogues(prompts, near)
    label = list(range(len(prompts)))
    for i, j in combinations(range(len(prompts)), 2):
        if label[i] != label[j] and linked(prompts[i], prompts[j], near):
            label = [label[i] if k == label[j] else k for k in label]
    return label


def refuse_dialogues(prompts, near) -> None:
    if not 0 < near <= 1:
        raise ValueError(f"near = {near}: expected a similarity above 0, at most 1")
    if not all(prompts):
        raise ValueError("a dialogue without a turn")


def linked(a: tuple[str, ...], b: tuple[str, ...], near: float) -> bool:
    return goes_on(a, b) or similarity(" ".join(a), " ".join(b)) >= near


def goes_on(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether one dialogue begins with all turns of the other."""
    return all(normal_words(s) == normal_words(t) for s, t in zip(a, b))


# ---- 6c ------------------------------------------------------------------------------------


def cut_examples() -> dict:
    """What is lost says the same as what is read; and what is lost takes it back."""
    words = "done", "sure", "well", "later", "no"
    safe = [[" ".join([a] * 4), " ".join([b] * 4)] for a, b in pairwise(words)]
    unsafe = [
        ["done well no no", "later well"],
        ["done sure no no", "later sure"],
        ["done later no no", "later later"],
        ["sure well no later", "later well"],
    ]
    return {"safe": safe, "unsafe": unsafe}


# ---- 6d ------------------------------------------------------------------------------------


def copied_answers(records) -> float:
    """The most answers against the others that any two people share beyond what chance would give them."""
    people, comparisons = {}, {}
    for pair in records:
        people.setdefault(pair.annotator, len(people))
        comparisons.setdefault(
            (pair.prompt, *sorted((pair.chosen, pair.rejected))), len(comparisons)
        )
    signs = np.zeros((len(people), len(comparisons)), dtype=int)
    for pair in records:
        column = comparisons[(pair.prompt, *sorted((pair.chosen, pair.rejected)))]
        signs[people[pair.annotator], column] = 1 if pair.chosen < pair.rejected else -1
    most, total = -np.inf, signs.sum(0)
    for a, b in combinations(signs, 2):
        rest = total - a - b
        shared = (a != 0) & (b != 0) & (rest != 0)
        if shared.any():
            one, two = (a * rest)[shared] < 0, (b * rest)[shared] < 0
            most = max(most, (one & two).sum() - one.sum() * two.sum() / shared.sum())
    return float(most)
