"""What can be wrong with comparisons, found from the records alone.

``audit`` reads Pair records, before any training, and returns plain findings. It sees form, not
meaning: that a reply belongs to another prompt of the same slice, or that an annotator was
mistaken, leaves no trace in the records.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from helpers.world import Pair

KINDS = {
    "empty": "chosen or rejected has no text, or only spaces and characters that nobody sees",
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


Words = tuple[str, ...]

APOSTROPHES = "'‘’‛′ʼ`´｀"
FILLERS = {0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)}  # not seen, yet letters
# Punctuation that belongs to a word: don't; 3.14 and 1,000; -5; .5
INSIDE = r"(?<=[^\W\d_])'(?=[^\W\d_])|(?<=\d)[.,](?=\d)|(?<!\w)-(?=\.?\d)|(?<![\w.])\.(?=\d)"


def normal_words(text: str) -> Words:
    """A text's words, by which texts are compared: equal up to case, spaces and punctuation.

    Punctuation is what Unicode calls so (categories P*). It parts words as a space does, but for an
    apostrophe between letters and the point, comma and minus of a number (don't, 3.14, −5). Symbols
    such as + and < stay. Characters that nobody sees (format and control characters, such as a
    zero-width space or a soft hyphen) are left out; forms of one character, such as full-width or
    decomposed ones, are the same (NFKC). A text of nothing but punctuation keeps it, so that "?" is
    not "!"; a text that shows nothing has no words. Raises ValueError for what is not a str.
    """
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}: expected a str")
    folded = _folded(text)
    marks = "".join(c for c in set(folded) if unicodedata.category(c).startswith("P"))
    parted = re.sub(rf"(?!{INSIDE})[{re.escape(marks)}]", " ", folded) if marks else folded
    return tuple(parted.split() or folded.split())


def _folded(text: str) -> str:
    """Without unseen characters, case, and other forms of a character (NFKC, before and after)."""
    shown = text.translate({ord(c): _stands_for(c) for c in set(text)})
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


def _stands_for(character: str) -> str:
    """' for all apostrophes, - for all dashes, nothing for what is not seen."""
    category = unicodedata.category(character)
    if character in APOSTROPHES:
        return "'"
    if category == "Pd" or character == "−":
        return "-"
    unseen = category in ("Cf", "Cc") or ord(character) in FILLERS
    return "" if unseen and not character.isspace() else character


def similarity(first: str, second: str) -> float:
    """Words in common divided by words in either, counting repetitions and not order.

    1 for two texts without words. Words are ``normal_words``, with the same ValueError.
    """
    return _overlap(normal_words(first), normal_words(second))


def _overlap(first: Words, second: Words) -> float:
    a, b = Counter(first), Counter(second)
    return (a & b).total() / (a | b).total() if a or b else 1.0


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

    slices: the known prompts and their slices; max_words: the number of words, parted by spaces, at
    which responses are cut off; policy_version: the one that labels should follow. What is None is
    not checked, nor is a record's own field that is None. ``near``: the ``similarity`` from which
    two responses count as near-identical. A finding's records are indices: of one record; of both
    sides of a duplicate, tie or contradiction; of all comparisons in a cycle; of the held-out
    record and the training records it repeats. Held-out records are searched for leaks only: for
    their own defects audit them alone.

    Texts, prompts of ``slices`` too, are compared by ``normal_words``, responses as they are after
    the cut: what training reads is the first ``max_words`` words, and two responses that agree in
    them are identical to it, whatever followed; so are duplicates, ties, contradictions, cycles and
    leaks those of the cut responses. Prompts are not cut. Records whose annotator is None, so
    unknown, count as one person's where they agree (a duplicate), as two people's where they do not
    (a contradiction).

    Not every finding is an error. A contradiction is what honest annotators produce, and says how
    noisy they are; a cycle may be three of them averaged. Raises ValueError for an empty list,
    ``near`` outside (0, 1], max_words < 1, prompts of ``slices`` that are the same in two slices,
    and for a record, named with the field, whose prompt, chosen or rejected is not text or whose
    other fields are neither text nor None.
    """
    if not pairs:
        raise ValueError("no pairs: expected at least one record")
    if not 0 < near <= 1:
        raise ValueError(f"near = {near}: expected a similarity above 0, at most 1")
    if max_words is not None and max_words < 1:
        raise ValueError(f"max_words = {max_words}: expected at least one word, or None")
    known = None if slices is None else _known(slices)
    read = [_read(f"pairs[{i}]", pair, max_words) for i, pair in enumerate(pairs)]
    found = []
    compared = defaultdict(lambda: defaultdict(list))  # prompt → (chosen, rejected) → records
    for i, (pair, words) in enumerate(zip(pairs, read)):
        kinds = [*_of_sides(words, near), *_of_context(pair, words.prompt, known, policy_version)]
        found += [Finding(kind, (i,)) for kind in kinds]
        compared[words.prompt][words.sides].append(i)
    for answers in compared.values():
        found += _of_repeats(answers, pairs)
        found += _cycles(answers)
    for i, pair in enumerate(held_out):
        words = _read(f"held_out[{i}]", pair, max_words)
        answers = compared.get(words.prompt)
        if answers is not None:
            same = answers.get(words.sides, []) + answers.get(words.sides[::-1], [])
            kind = "leaked pair" if same else "leaked prompt"
            found.append(Finding(kind, tuple(sorted(same)), (i,)))
    return sorted(found)


class _Read(NamedTuple):
    """A record's normal words, and whether a response was as long as the cut."""

    prompt: Words
    sides: tuple[Words, Words]
    truncated: bool


def _read(place: str, pair: Pair, max_words: int | None) -> _Read:
    for field in ("prompt", "chosen", "rejected"):
        if not isinstance(value := getattr(pair, field), str):
            found = f"{place}.{field} is {value!r}"
            raise ValueError(f"{found}: expected text. Fill it in, or leave the record out")
    for field in ("annotator", "slice", "policy_version"):
        if not isinstance(value := getattr(pair, field), str | None):
            raise ValueError(f"{place}.{field} is {value!r}: expected text, or None if not known")
    texts = [text.split() for text in (pair.chosen, pair.rejected)]
    chosen, rejected = (normal_words(" ".join(text[:max_words])) for text in texts)
    truncated = max_words is not None and max(map(len, texts)) >= max_words
    return _Read(normal_words(pair.prompt), (chosen, rejected), truncated)


def _known(slices: Mapping[str, str]) -> dict[Words, str]:
    known = {}
    for prompt, name in slices.items():
        if known.setdefault(normal_words(prompt), name) != name:
            raise ValueError(f"slices: prompt {prompt!r} is there twice: expected one slice for it")
    return known


def _of_sides(words: _Read, near: float) -> Iterator[str]:
    chosen, rejected = words.sides
    if not chosen or not rejected:
        yield "empty"
    if chosen == rejected:
        yield "identical"
    elif _overlap(chosen, rejected) >= near:
        yield "near-identical"
    if words.truncated:
        yield "truncated"


def _of_context(pair: Pair, prompt: Words, known, policy_version) -> Iterator[str]:
    if known is not None and prompt not in known:
        yield "unknown prompt"
    elif known is not None and pair.slice is not None and known[prompt] != pair.slice:
        yield "wrong slice"
    if None not in (policy_version, pair.policy_version) and pair.policy_version != policy_version:
        yield "other version"


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
                    same = (
                        pairs[i].annotator is not None and pairs[i].annotator == pairs[j].annotator
                    )
                    found.append(
                        Finding("tie" if same else "contradiction", (min(i, j), max(i, j)))
                    )
    return found


def _cycles(answers: dict) -> list[Finding]:
    names = {
        text: k for k, text in enumerate(sorted({text for sides in answers for text in sides}))
    }
    edges = {
        (names[a], names[b]): rows for (a, b), rows in answers.items() if (b, a) not in answers
    }
    found = []
    for component in strong_components(edges, len(names)):
        inside = [
            i for (a, b), rows in edges.items() if a in component and b in component for i in rows
        ]
        if inside:
            found.append(Finding("cycle", tuple(sorted(inside))))
    return found
