"""Records with defects of which it is known what and where they are: what an audit is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch

from helpers.pairs import KINDS, Finding
from helpers.world import SLICES, Pair


def clean_by_construction(pairs: Sequence[Pair], max_words: int) -> list[Pair]:
    """The records whose responses ended and share no bag of words with another one to their prompt.

    Kept in order, from the first; responses without a word are left out. Two records of a prompt
    then have no response in common, so there is no copy, tie, contradiction or circle.
    """
    used, kept = set(), []
    for pair in pairs:
        texts = [text.split() for text in (pair.chosen, pair.rejected)]
        bags = {(pair.prompt, *sorted(words)) for words in texts}
        ended = all(0 < len(words) < max_words for words in texts)
        if ended and len(bags) == 2 and used.isdisjoint(bags):
            used |= bags
            kept.append(pair)
    return kept


def disguised(text: str) -> str:
    """The same words with capital letters and commas."""
    return text.title().replace(" ", ", ")


def defect(
    kind: str, pair: Pair, number: int, max_words: int
) -> tuple[Pair, list[Pair], list[Pair]]:
    """What a defect makes of a record: the record now, records added to training, to held-out.

    kind: a key of ``KINDS``, else KeyError. For an even ``number`` repeated text is ``disguised``.
    """
    say, fresh = (str if number % 2 else disguised), f"option {number}"
    x, w, l = pair.prompt, pair.chosen, pair.rejected
    turned = replace(pair, chosen=say(l), rejected=say(w))
    full = " ".join([*w.split(), *["so"] * max_words][:max_words])
    circle = [replace(pair, chosen=l, rejected=fresh), replace(pair, chosen=fresh, rejected=say(w))]
    elsewhere = next(name for name in SLICES if name != pair.slice)
    return {
        "empty": (replace(pair, rejected=""), [], []),
        "identical": (replace(pair, rejected=say(w)), [], []),
        "near-identical": (replace(pair, rejected=say(" ".join(w.split()[::-1]))), [], []),
        "truncated": (replace(pair, chosen=say(full)), [], []),
        "unknown prompt": (replace(pair, prompt=x[:-1]), [], []),
        "wrong slice": (replace(pair, slice=elsewhere), [], []),
        "other version": (replace(pair, policy_version="0"), [], []),
        "duplicate": (pair, [replace(pair, chosen=say(w))], []),
        "tie": (pair, [turned], []),
        "contradiction": (pair, [replace(turned, annotator="another")], []),
        "cycle": (pair, circle, []),
        "leaked pair": (pair, [], [turned]),
        "leaked prompt": (pair, [], [replace(pair, rejected=fresh)]),
    }[kind]


def plant(
    training: Sequence[Pair],
    held_out: Sequence[Pair],
    each: int,
    max_words: int,
    generator: torch.Generator,
) -> tuple[list[Pair], list[Pair], set[Finding]]:
    """Both lists with ``each`` defects of every kind, shuffled, and the findings they should give.

    The lists come from ``clean_by_construction``, on different prompts. Every defect has a record
    of its own, drawn at random; every second is disguised. Raises ValueError for too few records.
    """
    rows, held, truth = list(training), list(held_out), []
    victims = iter(torch.randperm(len(rows), generator=generator).tolist())
    for kind, k in product(KINDS, range(each)):
        # one whose chosen reads differently backwards, for the near-identical
        turnable = (i for i in victims if rows[i].chosen.split() != rows[i].chosen.split()[::-1])
        i = next(turnable, None)
        if i is None:
            raise ValueError(f"{len(training)} records: too few for {each} defects of each kind")
        rows[i], added, leaked = defect(kind, rows[i], k, max_words)
        at = [i, *range(len(rows), len(rows) + len(added))] if kind != "leaked prompt" else []
        truth.append((kind, at, [*range(len(held), len(held) + len(leaked))]))
        rows, held = rows + added, held + leaked
    orders = [torch.randperm(len(part), generator=generator) for part in (rows, held)]
    place, held_place = [order.argsort().tolist() for order in orders]
    planted = {
        Finding(kind, tuple(sorted(place[i] for i in at)), tuple(held_place[i] for i in out))
        for kind, at, out in truth
    }
    return [rows[i] for i in orders[0]], [held[i] for i in orders[1]], planted


def as_spelled(pairs: Sequence[Pair]) -> list[Pair]:
    """The same records with every spelling of a word of a reply made a word of its own.

    An audit of these compares replies by ==, spaces apart: “Sure,” and “sure” are two words. Each
    word is written as the hexadecimal digits of its letters, which no audit takes for another's.
    """

    def spelled(text):
        return " ".join(word.encode().hex() for word in text.split())

    return [replace(p, chosen=spelled(p.chosen), rejected=spelled(p.rejected)) for p in pairs]
