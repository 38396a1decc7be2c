"""Judging an answer that is a function of arrays against frozen cases: (answer, case) → Result, without side effects.

A case lists properties in order, each with its probes, smallest first. Kinds of property: ``expected``: the value, or
the gradient in the argument that ``of`` names, is what is recorded; ``same``: equal values on an input and on its twin;
``blocked``: no gradient reaches an argument; ``raises``: ValueError, whose text holds the number that ``mentions``
gives; ``unchanged``: no argument was modified. Where the case ``returns`` several results, ``of`` names one of them. A
probe with ``within`` accepts any number between those two. The first properties, marked ``values``, are what the part
asks for; the others count only once one of these holds: a constant is invariant, too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.cases import array
from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.run_answer import Trial, Unusable, close, endless, plain

NEAR = 0.1  # relative: a value this close to the right one is the result of an inexact search
SHOWN = 30  # entries of an array that a reader can take in


def judge_function(answer: Callable, case: dict[str, Any]) -> Result:
    """Try every property, look up what the outputs resemble."""
    head = case["part"], case["title"], case["points"]
    inputs = {
        name: {k: array(v) for k, v in probe.items()} for name, probe in case["inputs"].items()
    }
    trial = Trial(answer, next(iter(inputs.values())), tuple(case["differentiable"]))
    seen = _Observations(trial, inputs, tuple(case.get("returns", ())))
    properties = []
    for spec in case["properties"]:
        failure = _failure(spec, seen, inputs)
        waits = not spec["values"] and not any(p.held for p in properties)
        earned = None if waits else 0.0 if failure else spec["points"]
        properties.append(
            Property(spec["key"], spec["name"], spec["points"], earned, None if waits else failure)
        )
    unfinished = _unfinished(trial, inputs, case["properties"]) if trial.unfinished else ()
    unfinished += endless(trial, inputs)
    if trial.first.error:
        return Result(*head, "error", tuple(properties), unfinished)
    return judged(*head, properties, unfinished + _diagnoses(case, seen, properties))


def judge_rows(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``judge_function``, for an answer that returns rows in any order: each output is sorted first."""
    return judge_function(in_any_order(answer), case)


def in_any_order(answer: Callable) -> Callable:
    """The same function, its rows sorted; no rows become shape (0,); what is not rows stays as it is."""

    def ordered(*arguments):
        value = answer(*arguments)
        if value is None:
            return None
        try:
            rows = plain(value)
        except Unusable:
            return value
        if rows.size == 0:
            return np.zeros(0)
        return rows[np.lexsort(rows.T[::-1])] if rows.ndim == 2 else rows

    try:
        return functools.wraps(answer)(ordered)
    except Exception:  # an answer's own attributes may raise
        return ordered


class _Observations:
    """What the answer does on each probe, asked once: an array, or the text of its failure."""

    def __init__(
        self, trial: Trial, inputs: dict[str, dict[str, Any]], returns: tuple[str, ...] = ()
    ):
        self.trial = trial
        self.returns = returns
        self._inputs = inputs
        self._known: dict[tuple[str, str], np.ndarray | str] = {}

    def __call__(self, probe: str, of: str = "") -> np.ndarray | str:
        if (probe, of) not in self._known:
            try:
                inputs = self._inputs[probe]
                gradient = of and of not in self.returns
                seen = (
                    self.trial.gradient(inputs, of)
                    if gradient
                    else self.trial.value(inputs, self.returns, of)
                )
            except Unusable as error:
                seen = str(error)
            self._known[probe, of] = seen
        return self._known[probe, of]


def _failure(
    spec: dict[str, Any], seen: _Observations, inputs: dict[str, dict[str, Any]]
) -> Failure | None:
    """The smallest probe on which a property fails."""
    if spec["kind"] == "unchanged":
        changed = seen.trial.changed
        return (
            Failure("any", f"{changed} was modified in place", "arguments left as they were")
            if changed
            else None
        )
    if spec["kind"] == "blocked" and seen.trial.numpy:
        return None  # numpy carries no gradients, so none can leak
    for probe in spec["probes"]:
        if spec["kind"] == "raises":
            failure = _not_refused(probe, seen, inputs[probe["input"]])
            if failure:
                return failure
            continue
        yours = seen(probe["input"], probe["of"])
        if "within" in probe and not isinstance(yours, str):
            low, high = probe["within"]
            if yours.size != 1 or not low <= yours.item() <= high:
                expected = (
                    f"{shown(array(probe['expected']))}   (anything from {low:.7g} to {high:.7g})"
                )
                return Failure(_shown_inputs(inputs[probe["input"]]), shown(yours), expected)
            continue
        expected = (
            seen(probe["twin"], probe["of"]) if spec["kind"] == "same" else array(probe["expected"])
        )
        wrong = isinstance(yours, str) or isinstance(expected, str)
        endless = (
            spec["kind"] == "expected" and not np.isfinite(expected).all()
        )  # ±∞ or NaN is the right answer there
        if (
            wrong
            or not close(yours, expected, spec["slack"])
            or not (endless or np.isfinite(yours).all())
        ):
            what = f"gradient in {probe['of']}: " if probe["of"] else ""
            what = f"{probe['of']}: " if probe["of"] in seen.returns else what
            behind = "   (your value before the change)" if spec["kind"] == "same" else ""
            return Failure(
                _shown_inputs(inputs[probe["input"]]),
                what + shown(yours),
                what + shown(expected) + behind,
            )
    return None


UNFINISHED = (  # of which outcomes, and what to say if all are so, or some
    (
        lambda outcome: not outcome.error and outcome.value is None,
        "Your function returned None on every input: is a `return` missing?",
        "On some inputs your function returned None: {}. Is a `return` missing in one branch?",
    ),
    (
        lambda outcome: outcome.empty and outcome.value is not None,
        "On every input something in what your function returned is None: is a `return` missing in "
        "what it calls?",
        "On some inputs something in what your function returned is None: {}. Is a `return` missing "
        "there?",
    ),
    (
        lambda outcome: outcome.stub,
        "Your function still raises NotImplementedError: put your answer in place of that line.",
        "One branch still raises NotImplementedError, on {}: what is to happen there?",
    ),
)


def _unfinished(
    trial: Trial, inputs: dict[str, dict[str, Any]], properties: list[dict[str, Any]]
) -> tuple[str, ...]:
    """On which inputs nothing came back or the stub is still there; those to be refused left out."""
    raises = [spec for spec in properties if spec["kind"] == "raises"]
    refused = {probe["input"] for spec in raises for probe in spec["probes"]}
    outcomes = {name: trial.outcome(given) for name, given in inputs.items() if name not in refused}
    found = []
    for holds, everywhere, somewhere in UNFINISHED:
        names = [name for name, outcome in outcomes.items() if holds(outcome)]
        if len(names) == len(outcomes):
            found.append(everywhere)
        elif names:
            found.append(somewhere.format(", ".join(f"‘{name}’" for name in names)))
    return tuple(found)


def _not_refused(
    probe: dict[str, Any], seen: _Observations, inputs: dict[str, Any]
) -> Failure | None:
    """Whether the answer raises ValueError, with the number in its text that the probe may ask for."""
    outcome = seen.trial.outcome(inputs)
    asked = "ValueError"
    if outcome.refused:
        if "mentions" not in probe:
            return None
        asked += f", and {probe['mentions']:.4g} in its text"
        numbers = [float(found) for found in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", outcome.error)]
        if any(
            abs(number - probe["mentions"]) <= 0.006 for number in numbers
        ):  # two digits after the point will do
            return None
    try:
        yours = outcome.error or shown(plain(outcome.value))  # None here is no missing `return`
    except Unusable as error:
        yours = str(error)
    return Failure(_shown_inputs(inputs), yours, asked)


def _diagnoses(
    case: dict[str, Any], seen: _Observations, properties: list[Property]
) -> tuple[str, ...]:
    """Messages of the mistakes whose frozen outputs the answer reproduces wherever they differ from the truth."""
    specs = {spec["key"]: spec for spec in case["properties"]}
    values_right = all(p.held for p in properties if specs[p.key]["values"])

    def reproduces(outputs: list[dict[str, Any]]) -> bool:
        for output in outputs:
            yours = seen(output["input"], output["of"])
            if output["of"] and output["of"] not in seen.returns and seen.trial.numpy:
                return False  # differences are no sign of a graph
            if isinstance(yours, str) or not close(
                yours, array(output["value"]), output.get("slack", 1.0)
            ):
                return False
        return True

    def overflows(keys: list[str]) -> bool:
        outputs = [
            seen(probe["input"], probe["of"]) for key in keys for probe in specs[key]["probes"]
        ]
        return values_right and any(
            not isinstance(o, str) and not np.isfinite(o).all() for o in outputs
        )

    def near(keys: list[str]) -> bool:
        probes = [probe for key in keys for probe in specs[key]["probes"]]
        pairs = [(seen(probe["input"], probe["of"]), array(probe["expected"])) for probe in probes]
        return not values_right and all(
            not isinstance(yours, str)
            and yours.size == 1
            and abs(yours.item() - right) <= NEAR * abs(right)
            for yours, right in pairs
        )

    def fails(keys: list[str]) -> bool:
        return values_right and any(p.failure is not None for p in properties if p.key in keys)

    def recognised(m: dict[str, Any]) -> bool:
        for how, test in (("not_finite_in", overflows), ("near_in", near), ("fails_in", fails)):
            if how in m:
                return test(m[how])
        return any(map(reproduces, m["writings"]))

    return tuple(m["message"] for m in case["mistakes"] if recognised(m))


def shown(values: np.ndarray | float | str, digits: int = 5) -> str:
    """Numbers for a reader: all where there are few, arrays to so many digits after the point."""
    if isinstance(values, str):
        return values
    if not isinstance(values, np.ndarray):
        return f"{values:g}"
    if values.ndim == 0:
        return f"{values.item():.6g}"
    if values.size > SHOWN:
        return f"{values.dtype} array of shape {values.shape}"
    text = np.array2string(
        values, precision=digits, separator=", ", suppress_small=True, max_line_width=72
    )
    return text if values.ndim > 1 or values.dtype == bool else f"{text}  shape {values.shape}"


def _shown_inputs(inputs: dict[str, Any]) -> str:
    return "\n".join(
        f"{name} = {_indented(shown(value, _digits(value)), len(name) + 3)}"
        for name, value in inputs.items()
    )


def _digits(given: Any) -> int:
    """Five after the point; eight where five would show as whole what is not: 1.000001 is no tie with 1."""
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f":
        return 5
    rounded = given.round(5)
    return 8 if np.any((rounded == rounded.round()) & (given != rounded)) else 5


def _indented(text: str, width: int) -> str:
    return text.replace("\n", "\n" + " " * width)
