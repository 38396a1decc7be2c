"""What can be wrong with comparisons, found from the records alone.

``audit`` reads Pair records, before any training, and returns plain findings. It sees form, not meaning: that a reply
belongs to another prompt of the same slice, or that an annotator was mistaken, leaves no trace in the records.
"""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from helpers.world import Pair

KINDS = {
    "identical": "chosen and rejected are the same text, but for case, spaces and punctuation",
    "near-identical": "chosen and rejected have nearly the same words, in whatever order",
    "truncated": "a response has as many words as fit: it was cut off, its writer did not end it",
    "unknown prompt": "the prompt is not one of the known ones",
    "wrong slice": "the record names another slice than its prompt has: prompt or record were mixed up",
    "other version": "labelled under another version of the policy text",
    "duplicate": "the same annotator, prompt, chosen and rejected as in an earlier record",
    "tie": "one annotator preferred each of two responses to the other",
    "contradiction": "two annotators preferred opposite responses",
    "cycle": "preferences run in a circle over three responses or more; opposite answers are set aside first",
    "leaked pair": "a held-out comparison of two responses that training compares too",
    "leaked prompt": "a held-out comparison of other responses to a prompt of training",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One defect: its kind (a key of ``KINDS``), the training and the held-out records that have it, in order."""

    kind: str
    records: tuple[int, ...]
    held_out: tuple[int, ...] = ()


def normal_words(text: str) -> tuple[str, ...]:
    """Words in lower case without the punctuation around them; what is nothing but punctuation stays."""
    return tuple(word.strip(string.punctuation) or word for word in text.casefold().split())


def similarity(first: str, second: str) -> float:
    """Words in common divided by words in either, counting repetitions and not order (1 for two empty texts)."""
    a, b = Counter(normal_words(first)), Counter(normal_words(second))
    return (a & b).total() / max(1, (a | b).total()) if a or b else 1.0


def strong_components(edges: Iterable[tuple[int, int]], n: int) -> list[list[int]]:
    """Strongly connected components of a directed graph on 0 … n − 1, each sorted, by their smallest member.

    Two nodes belong together when each can be reached from the other. Kosaraju's method: nodes in the order in which a
    depth-first search leaves them, then the reversed graph searched in the opposite order. Raises ValueError for an
    edge that leaves the graph.
    """
    ahead, back = [[] for _ in range(n)], [[] for _ in range(n)]
    for a, b in edges:
        if not (0 <= a < n and 0 <= b < n):
            raise ValueError(f"edge ({a}, {b}): expected nodes from 0 to {n - 1}")
        ahead[a].append(b)
        back[b].append(a)

    def leave_order(start, neighbours, seen):
        """Nodes newly reached from ``start``, in the order in which the search leaves them (no recursion)."""
        seen[start], order, stack = True, [], [(start, iter(neighbours[start]))]
        while stack:
            node, rest = stack[-1]
            step = next((other for other in rest if not seen[other]), None)
            if step is None:
                order.append(node)
                stack.pop()
            else:
                seen[step] = True
                stack.append((step, iter(neighbours[step])))
        return order

    seen, order = [False] * n, []
    for node in range(n):
        if not seen[node]:
            order += leave_order(node, ahead, seen)
    seen, found = [False] * n, []
    for node in reversed(order):
        if not seen[node]:
            found.append(sorted(leave_order(node, back, seen)))
    return sorted(found)


def audit(
    pairs: Sequence[Pair],
    held_out: Sequence[Pair] = (),
    *,
    slices: Mapping[str, str] | None = None,
    max_words: int | None = None,
    policy_version: str | None = None,
    near: float = 0.9,
) -> list[Finding]:
    """All findings in ``pairs``, and what ``held_out`` shares with them, sorted by kind and record.

    slices: the known prompts and their slices; max_words: the length at which responses are cut off; policy_version:
    the one that labels should follow. What is None is not checked, nor is a record's own field that is None. ``near``:
    the ``similarity`` from which two responses count as near-identical. A finding's records are indices: of one
    record; of both sides of a duplicate, tie or contradiction; of all comparisons in a cycle; of the held-out record
    and the training records it repeats. Texts are compared by ``normal_words``. Records whose annotator is None, so
    unknown, count as one person's where they agree (a duplicate), as two people's where they do not (a contradiction).

    Not every finding is an error. A contradiction is what honest annotators produce, and says how noisy they are; a
    cycle may be three of them averaged. Raises ValueError for an empty list, ``near`` outside (0, 1], max_words < 1.
    """
    if not pairs:
        raise ValueError("no pairs: expected at least one record")
    if not 0 < near <= 1:
        raise ValueError(f"near = {near}: expected a similarity above 0, at most 1")
    if max_words is not None and max_words < 1:
        raise ValueError(f"max_words = {max_words}: expected at least one word, or None")
    found = [
        Finding(kind, (i,))
        for i, pair in enumerate(pairs)
        for kind in _of_one(pair, slices, max_words, policy_version, near)
    ]
    compared = defaultdict(lambda: defaultdict(list))  # prompt → (chosen, rejected) → records
    for i, pair in enumerate(pairs):
        sides = normal_words(pair.chosen), normal_words(pair.rejected)
        compared[normal_words(pair.prompt)][sides].append(i)
    for answers in compared.values():
        found += _of_repeats(answers, pairs)
        found += _cycles(answers)
    for i, pair in enumerate(held_out):
        answers = compared.get(normal_words(pair.prompt))
        if answers is not None:
            sides = normal_words(pair.chosen), normal_words(pair.rejected)
            same = tuple(sorted(answers.get(sides, []) + answers.get(sides[::-1], [])))
            found.append(Finding("leaked pair" if same else "leaked prompt", same, (i,)))
    return sorted(found)


def _of_one(pair: Pair, slices, max_words, policy_version, near) -> list[str]:
    kinds = []
    if normal_words(pair.chosen) == normal_words(pair.rejected):
        kinds.append("identical")
    elif similarity(pair.chosen, pair.rejected) >= near:
        kinds.append("near-identical")
    if max_words is not None and max(len(pair.chosen.split()), len(pair.rejected.split())) >= max_words:
        kinds.append("truncated")
    if slices is not None and pair.prompt not in slices:
        kinds.append("unknown prompt")
    elif slices is not None and pair.slice is not None and slices[pair.prompt] != pair.slice:
        kinds.append("wrong slice")
    if None not in (policy_version, pair.policy_version) and pair.policy_version != policy_version:
        kinds.append("other version")
    return kinds


def _of_repeats(answers: dict, pairs: Sequence[Pair]) -> list[Finding]:
    """Duplicates, ties and contradictions among the answers to one prompt."""
    found = []
    for sides, records in answers.items():
        first = {}
        for i in records:
            if pairs[i].annotator in first:
                found.append(Finding("duplicate", (first[pairs[i].annotator], i)))
            else:
                first[pairs[i].annotator] = i
        if sides < sides[::-1]:
            for i in records:
                for j in answers.get(sides[::-1], []):
                    same = pairs[i].annotator is not None and pairs[i].annotator == pairs[j].annotator
                    found.append(Finding("tie" if same else "contradiction", (min(i, j), max(i, j))))
    return found


def _cycles(answers: dict) -> list[Finding]:
    names = {text: k for k, text in enumerate(sorted({text for sides in answers for text in sides}))}
    edges = {(names[a], names[b]): rows for (a, b), rows in answers.items() if (b, a) not in answers}
    found = []
    for component in strong_components(edges, len(names)):
        inside = [i for (a, b), rows in edges.items() if a in component and b in component for i in rows]
        if inside:
            found.append(Finding("cycle", tuple(sorted(inside))))
    return found
