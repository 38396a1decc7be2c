"""Judging examples, part c of every exercise: what the learner's own inputs do has to be what was asked.

An answer returns a dict with the keys 'safe' and 'unsafe'. An exercise brings one function for each property.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.run_answer import Outcome, Unusable, attempt, plain
from helpers.grader.texts import exact_text, type_name
from helpers.grader.unwritten import returned

HEADING = "Your example"
EXCHANGED = (
    "Your two sides stand under each other's name: what is under 'unsafe' does what the safe one should, and the other "
    "way round."
)
MISPLACED = (
    "What is under '{other}' does what the {side} one should. Have the two changed places? Then the other "
    "one is not yet "
    "what is asked."
)
PAIR = "Two things came back, without names: asked is one dict, {'safe': …, 'unsafe': …}."
NOTHING = "Your function builds and returns nothing: it runs to its end without a `return`."
NO_DICT = (
    "What came back is a {kind}; asked is one dict with two entries, {{'safe': …, 'unsafe': …}}, so that each example "
    "has its name."
)
NAMED = "safe", "unsafe"
NAMES = "The names in your dict are {names}; asked are 'safe' and 'unsafe', spelled like that."
UNTRIED = "Your {side} side cannot be tried: {found}."
ALIKE = "Both sides are the same: the safe one and the unsafe one have to differ in what happens to them."
Verdict = tuple[Failure | None, str]


class Refused(Unusable):
    """An example that cannot be worked out, and the explanation."""

    def __init__(self, found: str, why: str):
        super().__init__(found)
        self.why = why


def judge_examples(
    answer: Callable,
    case: dict[str, Any],
    judges: dict[str, Callable[[dict, dict], Verdict]],
    heading: str = HEADING,
) -> Result:
    """Call ``answer()`` and ask ``judges[key](sides, case)`` for every property.

    Each raises Unusable or gives a Verdict: what failed, if anything, and why it did, or ''. A property with
    ``waits_for`` counts once the properties of those names hold. heading: what the panel calls an example.
    case["exchanged"], if given, is told in place of ``EXCHANGED``.
    """
    head = case["part"], case["title"], case["points"]
    outcome = attempt(answer)
    sides = outcome.value if type(outcome.value) is dict else None
    blank = sides is not None and all(sides.get(side) is None for side in NAMED)
    if blank and not _misnamed(sides):
        return Result(*head, "unattempted")
    if sides is None or blank:
        found = outcome.error or (_keys(sides) if blank else returned(outcome.value))
        failure = Failure(
            f"{case['asks_for']}()",
            found,
            "a dict with the keys 'safe' and 'unsafe'",
            "What came back",
        )
        first, *others = case["properties"]
        properties = [
            _property(first, failure, False),
            *(_property(spec, None, True) for spec in others),
        ]
        return Result(*head, "error", tuple(properties), _no_examples(outcome))
    properties, diagnoses = _tried(sides, case, judges, heading)
    if all(p.held for p in properties):
        return judged(*head, properties)
    if _misnamed(sides):
        return judged(*head, properties, (NAMES.format(names=_listed(sides)), *diagnoses))
    turned = {**sides, "safe": sides.get("unsafe"), "unsafe": sides.get("safe")}
    if _same(sides.get("safe"), sides.get("unsafe")):
        diagnoses = (ALIKE, *diagnoses)
    elif not any("each other" in why or "exchanged" in why for why in diagnoses):
        found = _tried(turned, case, judges, heading)[0]
        if _earned(found) > _earned(properties):
            diagnoses = (_exchanged(case, found),)
    return judged(*head, properties, diagnoses)


def _misnamed(sides: dict) -> bool:
    """Whether something stands under another name, and one of the two names is missing."""
    others = [v for name, v in sides.items() if type(name) is not str or name not in NAMED]
    return not {*NAMED} <= sides.keys() and any(value is not None for value in others)


def _listed(sides: dict) -> str:
    """Its first names, for a reader."""
    names = [repr(exact_text(n, 20)) if type(n) is str else type_name(n) for n in list(sides)[:4]]
    return ", ".join(names)


def _keys(sides: dict) -> str:
    return f"returned a dict with the keys {_listed(sides)}"


def _no_examples(outcome: Outcome) -> tuple[str, ...]:
    """Why what came back holds no examples; nothing where an error says so or the panel asks about a `return`."""
    value = outcome.value
    if outcome.error:
        return ()
    if value is None:
        return (NOTHING,)
    if type(value) is dict:
        return (NAMES.format(names=_listed(value)),)
    if outcome.empty:
        return ()
    pair = type(value) in (tuple, list) and len(value) == 2
    return (PAIR if pair else NO_DICT.format(kind=type_name(value)),)


def _tried(
    sides: dict, case: dict[str, Any], judges: dict[str, Callable], heading: str
) -> tuple[list[Property], tuple[str, ...]]:
    """Every property, and why those fail that do."""
    properties, diagnoses = [], []
    for spec in case["properties"]:
        waits = any(p.key in spec.get("waits_for", ()) and not p.held for p in properties)
        failure, why = None, ""
        if not waits:
            try:
                failure, why = judges[spec["key"]](sides, case)
            except Unusable as error:
                failure = Failure(f"the {spec['side']} one", str(error), spec["asked"], heading)
                why = (
                    error.why
                    if isinstance(error, Refused)
                    else _untried(spec["side"], sides, error)
                )
        properties.append(_property(spec, failure, waits))
        diagnoses += [why] if why and why not in diagnoses else []
    return properties, tuple(diagnoses)


def _exchanged(case: dict[str, Any], turned: list[Property]) -> str:
    """What to say where sides earn more in each other's place: both of them, or one alone."""
    held = {
        side: [p.held for spec, p in zip(case["properties"], turned) if spec["side"] == side]
        for side in ("safe", "unsafe")
    }
    right = [side for side, each in held.items() if any(each)]
    if len(right) != 1:
        return case.get("exchanged", EXCHANGED)
    other = "unsafe" if right == ["safe"] else "safe"
    return MISPLACED.format(side=right[0], other=other)


def _untried(side: str, sides: dict, error: Unusable) -> str:
    """Why an example cannot be worked out; '' where it is not written yet."""
    if sides.get(side, sides) is None:
        return ""
    return UNTRIED.format(side=side, found=error)


def _earned(properties: list[Property]) -> float:
    return sum(p.earned or 0.0 for p in properties)


def _same(one: Any, other: Any) -> bool:
    """Whether two sides hold the same numbers or texts under the same names."""
    if type(one) is not type(other) or one is None:
        return False
    if type(one) is dict:
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if type(one) in (list, tuple) and not _numbers(one):
        return len(one) == len(other) and all(map(_same, one, other))
    if type(one) in (str, int, float, bool):
        return one == other
    try:
        mine, theirs = plain(one), plain(other)
    except Unusable:
        return False
    return np.array_equal(mine, theirs, equal_nan=True)


def _numbers(value: Any) -> bool:
    try:
        return bool(plain(value).size)
    except Unusable:
        return False


def _property(spec: dict[str, Any], failure: Failure | None, waits: bool) -> Property:
    earned = None if waits else 0.0 if failure else spec["points"]
    return Property(spec["key"], spec["name"], spec["points"], earned, failure)


def entry(side: Any, name: str) -> np.ndarray:
    """``side[name]`` as float64 numbers of any shape. Raises Unusable, saying what was found."""
    if type(side) is not dict:
        raise Unusable(
            "not written yet" if side is None else f"it is a {type_name(side)}, not a dict"
        )
    if side.get(name) is None:
        raise Unusable(f"{name!r} is missing")
    return _read(side[name], name)


def vector(value: Any, name: str) -> np.ndarray:
    """A vector of finite numbers from an answer, (K,). Raises Unusable."""
    found = _read(value, name)
    if found.ndim != 1:
        raise Unusable(f"{name!r} has shape {found.shape}: expected one number for each response")
    if not np.isfinite(found).all():
        raise Unusable(f"{name!r} holds NaN or infinity: expected finite numbers")
    return found


def refuse_logarithms(values: np.ndarray, name: str) -> None:
    """Raises Unusable where probabilities are asked and their logarithms are given."""
    if values.size and (values <= 0).all() and abs(np.exp(values).sum() - 1) < 0.01:
        raise Unusable(f"{name!r} holds logarithms of probabilities: expected the probabilities")


def _read(value: Any, name: str) -> np.ndarray:
    try:
        return plain(value)
    except Unusable as error:
        raise Unusable(
            f"{name!r}: {str(error).removeprefix('returned ')} instead of numbers"
        ) from error
