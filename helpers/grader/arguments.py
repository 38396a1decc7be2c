"""What an answer does with its arguments: whether two stand in each other's place, or one does not enter at all.

The answer is called again, with arguments of the recorded inputs moved about; asked only where nothing else is
recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from helpers.grader.habits import handed_back
from helpers.grader.recognition import Observed, Place, fits
from helpers.grader.run_answer import Unusable, close

Inputs = Mapping[str, Any]
Ask = Callable[[Inputs, str], np.ndarray]  # inputs, name of a result → numbers; may raise Unusable
CALLS = 6  # with another argument, of each one
EXCHANGED = (
    "With `{}` and `{}` exchanged your values are right: each stands where the other belongs."
)
IGNORED = "Your values do not depend on {}: what another input holds there changes nothing."


def moved_about(what: Observed, inputs: Mapping[str, Inputs], ask: Ask) -> tuple[str, ...]:
    """One sentence, or none. inputs: all recorded ones; ask: calls the answer."""
    if handed_back(what, [place for place in what.main if place in what.usable], inputs):
        return ()
    found = exchanged(what, inputs, ask) or ignored(what, inputs, ask)
    return (found,) if found else ()


def exchanged(what: Observed, inputs: Mapping[str, Inputs], ask: Ask) -> str:
    """Two arguments of one shape with which, exchanged, every value that failed is right; or ''."""
    wrong = [place for place in what.main if place in what.usable]
    for one, other in combinations(next(iter(inputs.values())), 2):
        alike = all(_alike(inputs[name][one], inputs[name][other]) for name, _ in wrong)
        if len(wrong) < 2 or not alike:
            continue
        turned = {
            p: {**inputs[p[0]], one: inputs[p[0]][other], other: inputs[p[0]][one]} for p in wrong
        }
        if all(_right(what, place, given, ask) for place, given in turned.items()):
            return EXCHANGED.format(one, other)
    return ""


def _right(what: Observed, place: Place, given: Inputs, ask: Ask) -> bool:
    try:
        return fits(ask(given, place[1]), what.right[place], what.rules[place])
    except Unusable:
        return False


def ignored(what: Observed, inputs: Mapping[str, Inputs], ask: Ask) -> str:
    """Arguments that may be taken from another input without a value changing; '' if each enters."""
    names = [name for name in next(iter(inputs.values())) if _ignores(name, what, inputs, ask)]
    return IGNORED.format(" and ".join(f"`{name}`" for name in names)) if names else ""


def _ignores(name: str, what: Observed, inputs: Mapping[str, Inputs], ask: Ask) -> bool:
    places = [
        place
        for place in what.main
        if not isinstance(what.yours[place], str)
        and what.yours[place].shape == what.right[place].shape
        and what.yours[place].any()
    ]  # where all is 0, everything else may have dropped out
    tried = 0
    for place, given in _with_another(name, places, inputs):
        tried += 1
        try:
            if not close(ask(given, place[1]), what.yours[place]):
                return False
        except Unusable:
            return False
        if tried == CALLS:
            break
    return tried > 1


def _with_another(
    name: str, places: list[Place], inputs: Mapping[str, Inputs]
) -> Iterator[tuple[Place, Inputs]]:
    """Places, each with its input whose argument is that of another one; the smallest inputs first.

    A mask is turned round as well: those of other inputs may differ where an answer does not look.
    """
    for place in places:
        mine = inputs[place[0]][name]
        if isinstance(mine, np.ndarray) and mine.dtype == bool:
            yield place, {**inputs[place[0]], name: ~mine}
        for other in dict.fromkeys(there for there, _ in places):
            mine, theirs = inputs[place[0]][name], inputs[other][name]
            if _alike(mine, theirs) and not np.array_equal(mine, theirs, equal_nan=True):
                like_mine = np.asarray(theirs).astype(np.asarray(mine).dtype)
                given = like_mine if isinstance(mine, np.ndarray) else float(theirs)
                yield place, {**inputs[place[0]], name: given}


def _alike(one: Any, other: Any) -> bool:
    """Whether one argument can stand for the other: arrays of one shape and kind, or two fractions."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and one.dtype.kind == other.dtype.kind
    return isinstance(one, float) and isinstance(other, float)
