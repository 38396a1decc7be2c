"""Which of the listed mistakes explains best what an answer does: pure functions of what was observed.

A *place* is (input, of): one input, and the result or the gradient that is looked at. Of every writing of a mistake the
case holds what it gives at the places where it is wrong. An output is ``aside`` where it lies outside the properties in
which the mistake is to show itself, and ``common`` where others give it too, or where it is 0, infinite or the like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from helpers.grader.cases import array
from helpers.grader.run_answer import ATOL, RTOL, close

Place = tuple[str, str]
Seen = Mapping[Place, "np.ndarray | str"]

WIDE = 10.0  # tolerance for a mistake's values, in units of that for right ones: float16 is no other mistake
NEARER = 0.2  # so many times closer to the mistake's value than that is to the right one
AGAINST = (
    0.5  # places that speak against a mistake or are not explained, for each one that it explains
)
TOGETHER = 2  # places that a second mistake has to explain beyond the first


@dataclass(frozen=True)
class Observed:
    """What an answer gives at every place, or the text of its failure, and what is expected where a value is.

    failed: places where it is wrong. rules: how a place of ``right`` is judged, with 'slack' and perhaps 'within'.
    main: places of values that the part asks for; ``returns``: names of several results.
    """

    yours: Seen
    right: Mapping[Place, np.ndarray]
    failed: frozenset[Place]
    rules: Mapping[Place, dict[str, Any]]
    main: tuple[Place, ...]
    returns: tuple[str, ...] = ()

    def again(self, yours: Seen) -> Observed:
        """The same with other values at the places where a value is expected."""
        kept = {place for place in self.failed if place not in self.right}
        wrong = {p for p in self.right if not fits(yours[p], self.right[p], self.rules[p])}
        return replace(self, yours=yours, failed=frozenset(kept | wrong))

    @property
    def values(self) -> frozenset[Place]:
        """Places where it is wrong in a value, no gradient, and something can be compared."""
        names = self.returns or ("",)
        return frozenset(p for p in self.usable if p in self.right and p[1] in names)

    @property
    def usable(self) -> frozenset[Place]:
        """Places where it is wrong and something can be compared."""
        return frozenset(p for p in self.failed if not isinstance(self.yours[p], str))


@dataclass(frozen=True)
class Output:
    """What one writing of a mistake gives at a place where it is wrong; first: of its entries, for a quick look."""

    place: Place
    value: np.ndarray
    first: float
    slack: float
    aside: bool
    common: bool


@dataclass(frozen=True)
class Writing:
    """One writing of a listed mistake: the mistake's message, and its recorded outputs."""

    message: str
    outputs: tuple[Output, ...]


def recorded(mistakes: list[dict[str, Any]]) -> list[Writing]:
    """The writings of a case's mistakes; a mistake that is recognised otherwise has none."""
    return [
        Writing(mistake["message"], tuple(map(_output, outputs)))
        for mistake in mistakes
        for outputs in mistake.get("writings", ())
    ]


def _output(stored: dict[str, Any]) -> Output:
    value, slack = array(stored["value"]), max(WIDE, stored.get("slack", 1.0))
    aside, common = stored.get("aside", False), stored.get("common", False)
    return Output((stored["input"], stored["of"]), value, _first(value), slack, aside, common)


def _first(values: np.ndarray) -> float:
    return float(values.flat[0]) if values.size else 0.0


def fits(yours: np.ndarray | str, expected: np.ndarray | str, rule: Mapping[str, Any]) -> bool:
    """Whether what came back is what is expected; both may be the text of a failure."""
    if isinstance(yours, str) or isinstance(expected, str):
        return False
    if "within" in rule:
        low, high = rule["within"]
        return yours.shape == expected.shape and bool(low <= yours.item() <= high)
    # where ±∞ or NaN is the right answer it may come back, elsewhere not
    finite = rule.get("kind") == "expected" and not np.isfinite(expected).all()
    return close(yours, expected, rule["slack"]) and (finite or bool(np.isfinite(yours).all()))


@dataclass(frozen=True)
class Account:
    """How one writing, or two of different mistakes together, account for what was observed.

    shows: places where it is wrong and something usable was observed; hits: those of them where the answer does the
    same; telling: hits that others would not give; whole: each hits everywhere in its own properties.
    """

    messages: tuple[str, ...]
    shows: frozenset[Place]
    hits: frozenset[Place]
    telling: frozenset[Place]
    core: bool
    whole: bool
    both: frozenset[Place] = field(
        default=frozenset()
    )  # where two mistakes mix, nothing is foreseen

    @property
    def against(self) -> frozenset[Place]:
        return self.shows - self.hits - self.both

    @property
    def worth(self) -> float:
        return len(self.hits) - len(self.against)

    def admissible(self, failed: frozenset[Place]) -> bool:
        """Whether it may be told at all; failed: where values are wrong and can be compared."""
        if self.whole and len(self.telling) < 2:
            return len(failed - self.hits) <= len(self.hits)
        amiss = len(self.against) + len(failed - self.hits - self.shows)
        most = amiss <= AGAINST * len(self.hits)
        return self.whole or self.core and len(self.telling) >= 2 and most


def best_explanation(
    writings: list[Writing], observed: Observed
) -> tuple[tuple[str, ...], frozenset[Place]]:
    """Messages of the mistake, or the mistakes, that explain best what failed, and what of it they do; or ()."""
    accounts = [account for writing in writings if (account := _account(writing, observed)).hits]
    values = observed.usable.intersection(observed.right)
    told = _best([account for account in accounts if account.admissible(values)])
    left = observed.usable - (told[0].hits if told else frozenset())
    if left:
        pairs = _best(
            [
                pair
                for one, other in combinations(accounts, 2)
                if one.messages != other.messages
                and (one.hits | other.hits) & left
                and (pair := _together(one, other, observed))
            ]
        )
        if pairs and pairs[0].worth >= (told[0].worth + TOGETHER if told else 0):
            told = pairs
    found = {message for account in told for message in account.messages}
    hits = frozenset().union(*(account.hits for account in told))
    return tuple(dict.fromkeys(w.message for w in writings if w.message in found)), hits


def partial_explanation(writings: list[Writing], observed: Observed) -> tuple[str, str]:
    """The one mistake that explains all of a property that the part asks for, and the property's name; or ('', '').

    For an answer that is wrong elsewhere in yet another way: the mistake has to show wherever the values are wrong.
    """
    wrong = {place for place in observed.main if place in observed.usable}
    of_property: dict[str, set[Place]] = {}
    for place in observed.main:
        if place in wrong:
            of_property.setdefault(observed.rules[place]["name"], set()).add(place)
    for name, places in of_property.items():
        found = {
            writing.message
            for writing in writings
            if places <= (account := _account(writing, observed)).hits
            and len(places) > 1
            and account.telling
            and wrong <= account.shows
        }
        if len(found) == 1:
            return found.pop(), name
    return "", ""


def _best(accounts: list[Account]) -> list[Account]:
    """Those that explain most; several only where nothing tells them apart."""
    most = max((account.worth for account in accounts), default=0)
    return [account for account in accounts if account.worth == most]


def _account(writing: Writing, observed: Observed) -> Account:
    shows, hits, telling, core, missed = set(), set(), set(), False, False
    for output in writing.outputs:
        yours = observed.yours.get(output.place, "")
        if isinstance(yours, str):
            missed = missed or not output.aside
            continue
        shows.add(output.place)
        if output.place in observed.failed and _alike(yours, output, observed):
            hits.add(output.place)
            core = core or not output.aside
            telling |= set() if output.common else {output.place}
        else:
            missed = missed or not output.aside
    known = frozenset(shows), frozenset(hits), frozenset(telling)
    return Account((writing.message,), *known, core, core and not missed)


def _alike(yours: np.ndarray, output: Output, observed: Observed) -> bool:
    """Whether an output is a mistake's: close to it, and much closer than that is to the right one."""
    mistake, gap = output.value, abs(_first(yours) - output.first)
    if gap > output.slack * (ATOL + RTOL * abs(output.first)):
        return False  # most end here, at little cost
    if not close(yours, mistake, output.slack):
        return False
    right = observed.right.get(output.place)
    if close(yours, mistake) or right is None or right.shape != mistake.shape:
        return True
    with np.errstate(all="ignore"):
        off, apart = np.abs(yours - mistake), np.abs(mistake - right)
    finite = np.isfinite(off) & np.isfinite(apart)
    return bool(off[finite].max(initial=0.0) <= NEARER * apart[finite].max(initial=0.0))


def _together(one: Account, other: Account, observed: Observed) -> Account | None:
    """Two mistakes at once: each shows where the other does not, and together they explain what failed."""
    both = one.shows & other.shows
    mine, theirs = one.telling - other.shows, other.telling - one.shows
    hits = one.hits | other.hits
    whole = one.whole and other.whole
    if not (one.core and other.core) or one.hits <= other.hits or other.hits <= one.hits:
        return None
    pair = Account(
        one.messages + other.messages,
        one.shows | other.shows,
        hits,
        mine | theirs,
        True,
        whole,
        both - hits,
    )
    if whole:
        return pair
    alone = len(mine) >= 1 and len(theirs) >= 1 and len(mine) + len(theirs) >= 3
    left = observed.usable - hits - both
    fits = len(pair.against) <= len(hits) / 4 and len(left) <= len(hits) / 4
    return pair if alone and fits else None
