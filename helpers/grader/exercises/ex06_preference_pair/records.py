"""Judging 6a and 6b: functions of texts, on records small enough to read.

A case lists inputs, and properties in order, each with its probes. ``expected``: what comes back is what is recorded;
``raises``: ValueError; ``unchanged``: no argument was modified. The properties marked ``values`` are what the part asks
for; the others count once one of these holds. A mistake is recognised by the probes on which it shows: recorded is what
it makes of each of them, and the mistake that explains most of what failed is told, then others that explain the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.run_answer import Outcome, Unusable, attempt, plain
from helpers.grader.texts import type_name
from helpers.grader.unwritten import returned

Inputs = dict[str, Any]
Read = Callable[
    [Any, Inputs], list
]  # what came back → a list that can be compared; may raise Unusable
EXPLAINS = 0.5  # share of what failed and of what a mistake shows that has to coincide, for it to be told alone

RANDOM = (
    "Asked again about the same input, your function returns something else: "
    "chance decides, or what was asked before."
)


# ---- what came back -------------------------------------------------------------------------


def read_triple(value: Any, inputs: Inputs) -> list[str]:
    """The three texts of a pair, also in an array. Raises Unusable."""
    if type(value) is np.ndarray and value.ndim == 1:
        value = value.tolist()
    if type(value) not in (tuple, list):
        raise Unusable(
            returned(value)
            if value is None
            else f"returned a {type_name(value)}: expected three texts, (prompt, y_w, y_l)"
        )
    if len(value) != 3:
        raise Unusable(f"returned {len(value)} things: expected three texts, (prompt, y_w, y_l)")
    for place, entry in zip(("prompt", "y_w", "y_l"), value):
        if type(entry) is not str:
            raise Unusable(f"{place} is a {type_name(entry)}: expected text")
    return [str.encode(entry, "utf-8", "replace").decode() for entry in value]


def read_groups(value: Any, inputs: Inputs) -> list[int]:
    """Group numbers, whatever they are, as numbers from 0 by first appearance. Raises Unusable."""
    n = len(inputs["prompts"])
    asked = f"expected one number for each of {n} prompts"
    if type(value) in (set, frozenset, dict) or (
        type(value) in (list, tuple) and any(type(v) in (list, tuple, set) for v in value[:1000])
    ):
        raise Unusable(f"returned groups of prompts (a {type_name(value)} of them): {asked}")
    if type(value) in (list, tuple) and any(type(v) is str for v in value[:1000]):
        raise Unusable(f"returned texts: {asked}")
    if value is None:
        raise Unusable(returned(value))
    numbers = plain(value)
    if numbers.shape != (n,):
        raise Unusable(f"returned shape {numbers.shape}: {asked}, shape ({n},)")
    if not np.isfinite(numbers).all():
        raise Unusable(f"returned NaN or infinity: {asked}")
    names: dict[float, int] = {}
    return [names.setdefault(number, len(names)) for number in numbers.tolist()]


@dataclass(frozen=True)
class Seen:
    """What an answer did on one input: ``kind`` is 'value', 'refused' (ValueError), 'raised' or 'unusable'."""

    kind: str
    value: list | None = None
    text: str = ""


def arguments(stored: Inputs) -> Inputs:
    """Recorded inputs as they are handed out, fresh: dialogues are tuples of turns."""
    given = copy.deepcopy(stored)
    if "prompts" in given:
        given["prompts"] = [tuple(turns) for turns in given["prompts"]]
    return given


def observe(answer: Callable, stored: Inputs, read: Read) -> tuple[Seen, Outcome, str]:
    """One call: what was seen, the bare outcome, and the name of an argument that was changed, or ''."""
    given, before = arguments(stored), arguments(stored)
    outcome = attempt(answer, *given.values())
    changed = next((name for name in before if _differs(given[name], before[name])), "")
    if outcome.error:
        return (
            Seen("refused" if outcome.refused else "raised", text=outcome.error),
            outcome,
            changed,
        )
    try:
        return Seen("value", read(outcome.value, stored)), outcome, changed
    except Unusable as error:
        return Seen("unusable", text=str(error)), outcome, changed


def _differs(given: Any, before: Any) -> bool:
    if type(given) is list:
        return len(given) != len(before) or any(map(_differs, given, before))
    if type(given) is tuple:
        return (
            type(before) is not tuple
            or len(given) != len(before)
            or any(map(_differs, given, before))
        )
    return type(given) is not type(before) or given != before


# ---- judging --------------------------------------------------------------------------------


def judge_with(read: Read) -> Callable[[Callable, dict[str, Any]], Result]:
    """A judge (answer, case) → Result for answers whose results ``read`` understands."""

    def judge(answer: Callable, case: dict[str, Any]) -> Result:
        head = case["part"], case["title"], case["points"]
        seen, outcomes, changed = {}, {}, ""
        for name, stored in case["inputs"].items():
            seen[name], outcomes[name], touched = observe(answer, stored, read)
            changed = changed or touched
        properties = []
        for spec in case["properties"]:
            failure = _failure(spec, seen, case["inputs"], changed)
            waits = not spec["values"] and not any(p.held for p in properties)
            earned = None if waits else 0.0 if failure else spec["points"]
            properties.append(
                Property(
                    spec["key"], spec["name"], spec["points"], earned, None if waits else failure
                )
            )
        unfinished = _unfinished(outcomes, _refused_inputs(case))
        first = next(iter(outcomes.values()))
        if first.error:
            return Result(*head, "error", tuple(properties), unfinished)
        if unfinished or all(p.held for p in properties):
            return judged(*head, properties, unfinished)
        if any(
            observe(answer, case["inputs"][name], read)[0] != seen[name] for name in list(seen)[:3]
        ):
            return judged(*head, properties, (RANDOM,))
        if changed:
            seen[""] = Seen("changed")
        return judged(*head, properties, _diagnoses(case, seen))

    return judge


def _failure(
    spec: dict, seen: dict[str, Seen], inputs: dict[str, Inputs], changed: str
) -> Failure | None:
    if spec["kind"] == "unchanged":
        asked = "arguments left as they were"
        return Failure("any", f"{changed} was modified in place", asked) if changed else None
    for probe in spec["probes"]:
        yours = seen[probe["input"]]
        if not right(spec, probe, yours):
            expected = "ValueError" if spec["kind"] == "raises" else shown(probe["expected"])
            told = yours.text or shown(yours.value)
            if spec["kind"] == "raises" and told.startswith("returned None"):
                told = "returned None"
            return Failure(_shown_inputs(inputs[probe["input"]]), told, expected)
    return None


def right(spec: dict, probe: dict, yours: Seen) -> bool:
    """Whether a property holds on one probe."""
    if spec["kind"] == "raises":
        return yours.kind == "refused"
    return yours.kind == "value" and yours.value == probe["expected"]


def _refused_inputs(case: dict[str, Any]) -> set[str]:
    return {
        p["input"]
        for spec in case["properties"]
        if spec["kind"] == "raises"
        for p in spec["probes"]
    }


def _unfinished(outcomes: dict[str, Outcome], refused: set[str]) -> tuple[str, ...]:
    """On which inputs nothing came back or the stub is still there; those to be refused left out."""
    asked = {name: outcome for name, outcome in outcomes.items() if name not in refused}
    empty = [n for n, o in asked.items() if not o.error and o.value is None]
    stub = [n for n, o in asked.items() if o.stub]
    found = []
    if len(empty) == len(asked):
        found.append("Your function returned None on every input: is a `return` missing?")
    elif empty:
        names = ", ".join(f"‘{n}’" for n in empty)
        found.append(
            f"On some inputs your function returned None: {names}. Is a `return` missing in one branch?"
        )
    if len(stub) == len(asked):
        found.append(
            "Your function still raises NotImplementedError: put your answer in place of that line."
        )
    elif stub:
        names = ", ".join(f"‘{n}’" for n in stub)
        found.append(
            f"One branch still raises NotImplementedError, on {names}: what is to happen there?"
        )
    return tuple(found)


def _diagnoses(case: dict[str, Any], seen: dict[str, Seen]) -> tuple[str, ...]:
    """What explains the failures: one mistake, or up to three beside each other; replies exchanged are seen through."""
    refused = _refused_inputs(case)
    if all(seen[name].kind == "unusable" for name in set(case["inputs"]) - refused):
        return (case["wrong_shape"],)
    told, amiss = _causes(case, seen)
    if case["exchanged"]:
        again, less = _causes(case, {name: _exchanged(one) for name, one in seen.items()})
        if again and less < amiss:
            first = next(m["message"] for m in case["mistakes"] if m["key"] == case["exchanged"])
            return (first, *again)
    return told


def _exchanged(one: Seen) -> Seen:
    """The same with the last two results in the other order."""
    return Seen(one.kind, [*one.value[:-2], *one.value[:-3:-1]]) if one.kind == "value" else one


def _causes(case: dict[str, Any], seen: dict[str, Seen]) -> tuple[tuple[str, ...], int]:
    """Messages of up to three mistakes that explain what failed, each something new; and on how many
    of the failed inputs none of them does what the answer does.

    In the order of the properties. Beside another mistake, and for one that is ``exact``, all that it shows has to be
    there; of refusals some may be missing.
    """
    refused, failed, told = _refused_inputs(case), _failed(case, seen), {}
    left, explained = set(failed), 0
    while left and len(told) < 3:
        best, found = 0.0, None
        for mistake in case["mistakes"]:
            for writing in mistake["writings"]:
                shows = set(writing)
                alike = {n for n in shows & left if _alike(seen[n], writing[n], n in refused)}
                whole = shows - refused - (failed - left) <= alike
                if (
                    not alike
                    or mistake["message"] in told
                    or mistake["exact"]
                    and not shows <= alike
                ):
                    continue
                if told:
                    share = len(alike) / len(left) if whole else 0.0
                else:
                    share = (len(alike) + len(shows & left)) / 2 / len(shows | left)
                    share = share if share >= EXPLAINS or whole else 0.0
                if share > best:
                    best, found = share, (mistake["message"], shows, alike)
        if found is None:
            break
        told[found[0]] = min(
            list(case["inputs"]).index(n) if n else len(case["inputs"]) for n in found[1] & left
        )
        left -= found[1]
        explained += len(found[2])
    return tuple(sorted(told, key=told.get)), len(failed) - explained


def _alike(yours: Seen, stored: dict[str, Any], refused: bool) -> bool:
    """Whether a recorded mistake did the same; where ValueError is asked for, whether neither raised it."""
    if refused and "raised" not in (yours.kind, stored["kind"]):
        return True
    return yours.kind == stored["kind"] and yours.value == stored.get("value")


def _failed(case: dict[str, Any], seen: dict[str, Seen]) -> set[str]:
    """Inputs on which a property fails; '' stands for a changed argument."""
    failed = {
        probe["input"]
        for spec in case["properties"]
        for probe in spec["probes"]
        if not right(spec, probe, seen[probe["input"]])
    }
    return failed | ({""} & set(seen))


# ---- what is shown --------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A result for a reader."""
    if type(value) is list and value and type(value[0]) is str:
        return "\n".join(
            f"{name:<6} {text!r}" for name, text in zip(("prompt", "y_w", "y_l"), value)
        )
    return repr(value)


def _shown_inputs(inputs: Inputs) -> str:
    lines = []
    for name, value in inputs.items():
        if type(value) is list:
            rows = [f"  {k}  " + " | ".join(map(repr, turns)) for k, turns in enumerate(value)]
            lines.append(f"{name}, turn | turn | …" + "".join("\n" + row for row in rows))
        else:
            lines.append(f"{name} = {value!r}")
    return "\n".join(lines)
