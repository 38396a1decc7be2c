"""The smallest input on which a wrong answer shows itself, found by search.

Greedy, from an input that shows it (delta debugging): leave out one index along a dimension that the arguments share,
then write one number shorter, as long as the reference still has an answer and the wrong one is still far from it. What
comes out cannot be made smaller by one such step; that no smaller input exists is not claimed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.grader.judge_function import fits
from helpers.grader.run_answer import Unusable, close
from solutions.observe import Inputs, observe, refusal

SMALL = 9  # numbers in an input that is worked by hand as it is
SPECIAL = 50.0  # numbers from here on stand where they do to be large, as NaN and ∞ do
CLEAR = 100.0  # tolerances by which a value has to be off: nobody is to think of rounding
Shows = Callable[[Inputs], bool]


def _anything(given: Inputs) -> Inputs | None:
    return given


@dataclass(frozen=True)
class Shape:
    """How the arguments of a part hang together.

    axes: by argument, a letter for each dimension ('.': not to be shortened); along one letter all have one length.
    ids: by argument, the letters along which its whole numbers count, one for all or one for each column ('': none);
    'G+': it counts the places between the indices of G, ends included. lengths: by argument, the letter that it is the
    length of. least: fewest indices along a letter, if not 1. free: letters of which a property's name says nothing:
    along the others an input keeps the length that the shortest of its property has, where the part asks for values.
    stay: arguments whose numbers are left as they are: 0 and 1 are special among probabilities. tidy: an input as it is
    to be used, or None outside the part's domain.
    """

    axes: dict[str, str]
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lengths: dict[str, str] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    free: str = ""
    stay: tuple[str, ...] = ()
    tidy: Callable[[Inputs], Inputs | None] = _anything

    @property
    def letters(self) -> str:
        letters = "".join([*self.axes.values(), *self.lengths.values()])
        return "".join(dict.fromkeys(letters.replace(".", "")))

    def length(self, given: Inputs, letter: str) -> int:
        """How many indices there are along a letter."""
        for name, own in self.lengths.items():
            if own == letter:
                return given[name]
        name = next(name for name, axes in self.axes.items() if letter in axes)
        return given[name].shape[self.axes[name].index(letter)]

    def without(self, given: Inputs, letter: str, index: int) -> Inputs:
        """The same less one index; ids of it become those of its neighbour."""
        last = self.length(given, letter) - 2
        found = {}
        for name, value in given.items():
            for axis, own in enumerate(self.axes.get(name, "")):
                value = np.delete(value, index, axis) if own == letter else value
            ids = self.ids.get(name, ())
            if len(ids) == 1 and ids[0][:1] == letter:
                value = _renumbered(value, index, last, ids[0])
            elif letter in {own[:1] for own in ids}:
                columns = [
                    _renumbered(column, index, last, own) if own[:1] == letter else column
                    for column, own in zip(value.T, ids)
                ]
                value = np.stack(columns, axis=-1)
            found[name] = value - 1 if self.lengths.get(name) == letter else value
        return found


def _renumbered(ids: Any, index: int, last: int, own: str) -> Any:
    between = own.endswith("+")
    found = np.where((ids == index) & (not between), min(index, last), ids - (ids > index))
    return found.astype(ids.dtype) if isinstance(ids, np.ndarray) else int(found)


# ---- the search ---------------------------------------------------------------------------


def size(given: Inputs) -> int:
    """How many numbers an input holds."""
    return sum(np.size(value) for value in given.values())


def shrunk(given: Inputs, shape: Shape, least: dict[str, int], shows: Shows) -> Inputs:
    """An input for which ``shows`` holds, as it does for the given one, made smaller until no step makes it smaller.

    least: fewest indices along each letter.
    """
    tried: set = set()

    def accepted(candidate: Inputs, shorter: bool) -> Inputs | None:
        candidate = shape.tidy(candidate)
        if candidate is None or key(candidate) in tried:
            return None
        tried.add(key(candidate))
        if shorter and not _text(candidate) < _text(given):
            return None
        return candidate if shows(candidate) else None

    before = None
    while before != key(given):
        before = key(given)
        for letter in shape.letters:
            for index in reversed(range(shape.length(given, letter))):
                if shape.length(given, letter) <= least[letter]:
                    break
                given = accepted(shape.without(given, letter, index), False) or given
        for name, place in _places(given, shape):
            for number in _shorter(np.asarray(given[name])[place].item()):
                changed = {**given, name: _changed(given[name], place, number)}
                if simpler := accepted(changed, True):
                    given = simpler
                    break
    return given


def key(given: Inputs) -> tuple:
    """What two inputs have in common just when they are the same."""
    arrays = [(name, np.asarray(value)) for name, value in given.items()]
    return tuple((name, array.shape, array.dtype.str, array.tobytes()) for name, array in arrays)


def _places(given: Inputs, shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, value in given.items():
        if name not in (*shape.lengths, *shape.stay) and np.asarray(value).dtype != bool:
            yield from ((name, place) for place in np.ndindex(np.shape(value)))


def _changed(value: Any, place: tuple[int, ...], number: float) -> Any:
    if not isinstance(value, np.ndarray):
        return type(value)(number)
    value = value.copy()
    value[place] = number
    return value


def _shorter(number: float) -> list[float]:
    """What may stand in its place, the nearest first."""
    if not abs(number) < SPECIAL:
        return []
    if isinstance(number, int):
        return [other for other in (2, 1) if other < abs(number)]
    return [o for o in (round(number), 1, 0, round(number, 1)) if _digits(o) < _digits(number)]


def _digits(number: float) -> int:
    return len(f"{abs(number):.7g}")


def _text(given: Inputs) -> tuple[int, float]:
    """How many digits the numbers have when they are written, and how large whole ones are."""
    numbers = [x for value in given.values() for x in np.asarray(value).reshape(-1).tolist()]
    return sum(map(_digits, numbers)), sum(abs(x) for x in numbers if type(x) is int)


# ---- what shows a mistake -----------------------------------------------------------------


class Judge:
    """The reference of a part and what differs from it; each function is asked once about each input.

    rule: (property, input) → what else a probe of it holds: 'within', 'mentions'.
    """

    def __init__(self, reference: Callable, returns: tuple[str, ...], rule: Callable):
        self.reference, self.returns, self.rule = reference, returns, rule
        self._known: dict = {}
        self._rules: dict = {}

    def seen(self, function: Callable, given: Inputs, of: str) -> np.ndarray | None:
        """What the reference or a writing returns; None if it raises, or brings nothing that can be compared."""
        place = function, of, key(given)
        if place not in self._known:
            try:
                self._known[place] = observe(function, given, of, self.returns)
            except (RuntimeError, Unusable):
                self._known[place] = None
        return self._known[place]

    def rule_for(self, spec: dict, given: Inputs) -> dict[str, Any] | None:
        """How a probe is judged; None where that can't be said."""
        place = spec["key"], key(given)
        if place not in self._rules:
            try:
                self._rules[place] = {**spec, **self.rule(spec, given)}
            except ValueError:
                self._rules[place] = None
        return self._rules[place]

    def fails(self, writing: Callable, spec: dict, given: Inputs, of: str) -> bool:
        """Whether a wrong answer fails a property that asks for a value or for ValueError."""
        if spec["kind"] == "raises":
            return refusal(writing, given) is None
        value, right = self.seen(writing, given, of), self.seen(self.reference, given, of)
        return value is None or not fits(value, right, self.rule_for(spec, given))

    def shows(self, writing: Callable, spec: dict, start: Inputs, of: str) -> Shows | None:
        """The test that an input made from ``start`` has to pass; None if that shows nothing clear itself.

        It holds NaN, ∞, −∞ and large numbers if ``start`` does, and so does what the reference returns. Where
        ValueError is asked, the reference raises it for the same reason.
        """
        kinds = _kinds(*start.values())
        if spec["kind"] == "raises":
            reason = _reason(refusal(self.reference, start))

            def still(given: Inputs) -> bool:
                return (
                    _kinds(*given.values()) == kinds
                    and _reason(refusal(self.reference, given)) == reason
                    and refusal(writing, given) is None
                )
        else:
            returned = _kinds(self.seen(self.reference, start, of))

            def still(given: Inputs) -> bool:
                right = self.seen(self.reference, given, of)
                if right is None or _kinds(right) != returned or _kinds(*given.values()) != kinds:
                    return False
                value = self.seen(writing, given, of)
                if value is None or close(value, right, max(CLEAR, 2 * spec["slack"])):
                    return False
                rule = self.rule_for(spec, given)
                return rule is not None and not fits(value, right, rule)

        return still if still(start) else None


def _reason(text: str | None) -> str | None:
    return None if text is None else re.sub(r"[-\[\], ]*\d[-+\d.e\[\], ]*", " ", text)


def _kinds(*values: Any) -> frozenset:
    """What kinds of numbers there are: 'small', 'large', 'nan', 'inf', '-inf'."""
    found = np.concatenate([np.reshape(value, -1).astype(float) for value in values])
    size = np.where(np.abs(found) < SPECIAL, "small", "large")
    return frozenset(np.where(np.isfinite(found), size, found.astype(str)).tolist())


# ---- the probes of a part -----------------------------------------------------------------


def with_smaller_probes(
    inputs: dict[str, Inputs],
    properties: list[dict[str, Any]],
    mistakes: list,
    judge: Judge,
    shape: Shape,
) -> dict[str, Inputs]:
    """The inputs and further ones: the smallest found for every writing of a mistake that showed on larger ones only.

    They are added to ``properties``, each as a probe of the one in which it was found.
    """
    floors = {
        spec["key"]: {letter: _floor(spec, letter, inputs, shape) for letter in shape.letters}
        for spec in properties
    }
    known, found = dict(inputs), []
    writings = [writing for mistake in mistakes for writing in mistake.writings]
    for writing in writings:
        failing = _failing(writing, properties, known, judge)
        best = min((size(known[probe["input"]]) for _, probe in failing), default=0)
        chosen = None
        for spec, probe in _smallest_of_each(failing) if best > SMALL else ():
            start, of = known[probe["input"]], probe["of"]
            shows = judge.shows(writing, spec, start, of)
            smaller = shrunk(start, shape, floors[spec["key"]], shows) if shows else start
            if size(smaller) < best and not _disturbs(mistakes, spec, of, smaller, known, judge):
                best, chosen = size(smaller), (spec, {"input": f"found {len(found)}", "of": of})
                known[f"found {len(found)}"] = smaller
        if chosen:
            found.append(chosen)
            chosen[0]["probes"].append(chosen[1])
    shown = [_failing(writing, properties, known, judge) for writing in writings]
    sizes = [{p["input"]: size(known[p["input"]]) for _, p in failing} for failing in shown]
    for spec, probe in _superfluous(found, sizes):
        spec["probes"].remove(probe)
        found.remove((spec, probe))
    named = dict(inputs)
    for k, (_, probe) in enumerate(found, 1):
        named[f"small case {k}"] = known[probe["input"]]
        probe["input"] = f"small case {k}"
    return named


def _floor(spec: dict, letter: str, inputs: dict[str, Inputs], shape: Shape) -> int:
    """Fewest indices along a letter in an input of a property."""
    least = shape.least.get(letter, 1)
    if letter in shape.free or not spec["values"]:
        return least
    return min(shape.length(inputs[probe["input"]], letter) for probe in spec["probes"])


def _failing(
    writing: Callable, properties: list[dict], inputs: dict[str, Inputs], judge: Judge
) -> list[tuple[dict, dict]]:
    """The probes of each property that fail, smallest first; those of what the part asks for, if any of these does."""
    found = [
        (spec, probe)
        for spec in properties
        if spec["kind"] in ("expected", "raises")
        for probe in sorted(spec["probes"], key=lambda probe: size(inputs[probe["input"]]))
        if judge.fails(writing, spec, inputs[probe["input"]], probe["of"])
    ]
    return [(spec, probe) for spec, probe in found if spec["values"]] or found


def _smallest_of_each(failing: list[tuple[dict, dict]]) -> list[tuple[dict, dict]]:
    """The first probe of each property."""
    first: dict[str, tuple[dict, dict]] = {}
    for spec, probe in failing:
        first.setdefault(spec["key"], (spec, probe))
    return list(first.values())


def _disturbs(
    mistakes: list, spec: dict, of: str, given: Inputs, inputs: dict[str, Inputs], judge: Judge
) -> bool:
    """Whether some mistake could be told no longer, were this input a probe of a property.

    That is one which is told by the properties that fail, and would fail one more; and one which raises where it is
    to show itself.
    """
    for mistake in mistakes:
        for writing in mistake.writings:
            if spec["key"] in mistake.shows_in:
                if spec["kind"] == "expected" and judge.seen(writing, given, of) is None:
                    return True
            elif (mistake.overflows or mistake.fails) and judge.fails(writing, spec, given, of):
                places = [(inputs[probe["input"]], probe["of"]) for probe in spec["probes"]]
                if not any(judge.fails(writing, spec, *place) for place in places):
                    return True
    return False


def _superfluous(found: list[tuple[dict, dict]], sizes: list[dict[str, int]]) -> list:
    """Those without which every wrong answer still fails on as small an input."""
    gone: list = []
    for spec, probe in found:
        without = {p["input"] for _, p in gone} | {probe["input"]}
        if all(
            min(own.values(), default=0)
            == min((n for name, n in own.items() if name not in without), default=0)
            for own in sizes
        ):
            gone.append((spec, probe))
    return gone


# ---- domains ------------------------------------------------------------------------------


def rows_of_logs(given: Inputs, *names: str) -> Inputs:
    """The same with rows of log-probabilities that sum to 1 as probabilities, all changed by one constant each."""
    with np.errstate(all="ignore"):
        tables = {name: given[name] - given[name].max(1, keepdims=True) for name in names}
        return given | {k: v - np.log(np.exp(v).sum(1, keepdims=True)) for k, v in tables.items()}


def rows_sum_to_one(given: Inputs, name: str) -> Inputs:
    """The same with what a row of probabilities lacks added to its largest entry."""
    table = given[name].copy()
    rows = table.reshape(-1, table.shape[-1])
    most = rows.argmax(1), rows.sum(1)
    rows[np.arange(len(rows)), most[0]] += 1 - most[1]
    return {**given, name: table.round(6)}
