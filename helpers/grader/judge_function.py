"""Judging an answer that is a function of arrays against frozen cases: (answer, case) → Result, without side effects.

A case lists properties in order, each with its probes, of which the smallest that fails is shown. Kinds of property:
``expected``: the value, or the gradient in the argument that ``of`` names, is what is recorded; ``same``: equal values
on an input and on its twin; ``blocked``: no gradient reaches an argument; ``raises``: ValueError, whose text holds the
number that ``mentions`` gives; ``unchanged``: no argument was modified. Where the case ``returns`` several results,
``of`` names one of them. A probe with ``within`` accepts any number between those two. The first properties, marked
``values``, are what the part asks for; the others count only once one of these holds: a constant is invariant, too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader import habits
from helpers.grader.arguments import moved_about
from helpers.grader.cases import array
from helpers.grader.recognition import (
    Observed,
    Writing,
    best_explanation,
    fits,
    partial_explanation,
    recorded,
)
from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.run_answer import Trial, Unusable, close, endless, plain
from helpers.grader.without_values import told_without_values

BESIDE = (
    "That explains what fails in ‘{}’. Elsewhere your values are others: another form of it, or something "
    "else besides."
)
NEAR = 0.1  # relative: a value this close to the right one is the result of an inexact search
LEFT_OUT = float("inf")  # size of an input that was not tried: any other is shown before it
SHOWN = 30  # entries of an array that a reader can take in; of more, the first and last are shown


def judge_function(answer: Callable, case: dict[str, Any]) -> Result:
    """Try every property, look up what the outputs resemble."""
    head = case["part"], case["title"], case["points"]
    inputs = {
        name: {k: array(v) for k, v in probe.items()} for name, probe in case["inputs"].items()
    }
    trial = _trial(answer, case, inputs)
    seen = Observations(trial, inputs, tuple(case.get("returns", ())))
    properties, failed = [], {}
    for spec in case["properties"]:
        failed[spec["key"]] = _failed(spec, seen, inputs)
        failure = _smallest(spec, failed[spec["key"]], seen, inputs)
        waits = not spec["values"] and not any(p.held for p in properties)
        earned = None if waits else 0.0 if failure else spec["points"]
        made = failure is None or failure.size < LEFT_OUT
        shown_first = {"failure": None if waits else failure, "main": spec["values"] and made}
        properties.append(
            Property(spec["key"], spec["name"], spec["points"], earned, **shown_first)
        )
    unfinished = _unfinished(trial, inputs, case) if trial.unfinished else ()
    unfinished += endless(trial, inputs)
    if trial.first.error:
        return Result(*head, "error", tuple(properties), unfinished)
    if trial.left_out:  # what those calls would have returned, nobody knows
        return judged(*head, properties, unfinished)
    if all(p.held for p in properties):
        return judged(*head, properties)
    return judged(*head, properties, unfinished + _diagnoses(case, seen, properties, failed))


def _trial(answer: Callable, case: dict[str, Any], inputs: dict[str, dict[str, Any]]) -> Trial:
    """The answer on the first input that it does not fail on; on the very first where it fails on all."""
    refused = inputs_to_refuse(case)
    tried = []
    for name, given in inputs.items():
        if name in refused:
            continue
        trial = Trial(answer, given, tuple(case["differentiable"]))
        tried.append(trial)
        if not trial.first.error:
            break
    chosen = tried[0] if tried[-1].first.error else tried[-1]
    chosen.stopped = [stopped for trial in tried for stopped in trial.stopped]
    return chosen


def inputs_to_refuse(case: dict[str, Any]) -> set[str]:
    """Names of the inputs for which ValueError is asked."""
    raises = [spec for spec in case["properties"] if spec["kind"] == "raises"]
    return {probe["input"] for spec in raises for probe in spec["probes"]}


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


class Observations:
    """What the answer does on each probe, asked once: an array, or the text of its failure."""

    def __init__(
        self, trial: Trial, inputs: dict[str, dict[str, Any]], returns: tuple[str, ...] = ()
    ):
        self.trial = trial
        self.returns = returns
        self.inputs = inputs
        self._known: dict[tuple[str, str], np.ndarray | str] = {}

    def __call__(self, probe: str, of: str = "") -> np.ndarray | str:
        if (probe, of) not in self._known:
            try:
                inputs = self.inputs[probe]
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

    def asked(self, inputs: dict[str, Any], of: str) -> np.ndarray:
        """What the answer gives on an input that is not recorded. Raises Unusable."""
        return self.trial.value(inputs, self.returns, of)


def _failed(
    spec: dict[str, Any], seen: Observations, inputs: dict[str, dict[str, Any]]
) -> list[tuple[dict[str, Any], str, str]]:
    """The probes on which a property fails, each with texts of what came back and what is expected."""
    if spec["kind"] == "blocked" and seen.trial.numpy:
        return []  # numpy carries no gradients, so none can leak
    return [
        (probe, *texts)
        for probe in spec["probes"]
        if (texts := _wrong_on(probe, spec, seen, inputs[probe["input"]]))
    ]


def _smallest(
    spec: dict[str, Any], failed: list, seen: Observations, inputs: dict[str, dict[str, Any]]
) -> Failure | None:
    """What fails on the smallest of the probes on which a property fails."""
    if spec["kind"] == "unchanged" and seen.trial.changed:
        found = f"{seen.trial.changed} was modified in place"
        return Failure("any", found, "arguments left as they were")
    if not failed:
        return None
    sizes = [_size(inputs[probe["input"]], seen.trial) for probe, *_ in failed]
    probe, yours, expected = failed[sizes.index(min(sizes))]
    return Failure(_shown_inputs(inputs[probe["input"]]), yours, expected, size=min(sizes))


def _size(inputs: dict[str, Any], trial: Trial) -> float:
    """How many numbers an input holds; LEFT_OUT where there was no time to try it."""
    if any(those is inputs and outcome.left_out for those, outcome in trial.stopped):
        return LEFT_OUT
    return sum(np.size(value) for value in inputs.values())


def _wrong_on(
    probe: dict[str, Any], spec: dict[str, Any], seen: Observations, given: dict[str, Any]
) -> tuple[str, str] | None:
    """Texts of what came back and of what is expected, where these two differ."""
    if spec["kind"] == "raises":
        return _not_refused(probe, seen, given)
    yours = seen(probe["input"], probe["of"])
    same = spec["kind"] == "same"
    expected = seen(probe["twin"], probe["of"]) if same else array(probe["expected"])
    if fits(yours, expected, {**spec, **probe}):
        return None
    if "within" in probe and not isinstance(yours, str):
        low, high = probe["within"]
        return shown(yours), f"{shown(expected)}   (anything from {low:.7g} to {high:.7g})"
    what = f"gradient in {probe['of']}: " if probe["of"] else ""
    what = f"{probe['of']}: " if probe["of"] in seen.returns else what
    behind = "   (your value before the change)" if same else ""
    return what + shown(yours), what + shown(expected) + behind


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
    trial: Trial, inputs: dict[str, dict[str, Any]], case: dict[str, Any]
) -> tuple[str, ...]:
    """On which inputs nothing came back or the stub is still there; those to be refused left out."""
    refused = inputs_to_refuse(case)
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
    probe: dict[str, Any], seen: Observations, inputs: dict[str, Any]
) -> tuple[str, str] | None:
    """Texts of what came back and what is asked, unless the answer raises ValueError.

    Its text has to hold the number that the probe may ask for.
    """
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
        return outcome.error or shown(plain(outcome.value)), asked  # None is no missing `return`
    except Unusable as error:
        return str(error), asked


def _diagnoses(
    case: dict[str, Any], seen: Observations, properties: list[Property], failed: dict[str, list]
) -> tuple[str, ...]:
    """Sentences on what explains the failures: listed mistakes in their order, then habits."""
    what = observed(case, seen, failed)
    if _by_chance(seen, what):
        return (habits.RANDOM,)
    mistakes = recorded(case["mistakes"])
    by_values, sentences = explanation(mistakes, what)
    told = {*by_values, *_told_by_properties(case, seen, properties, failed)}
    listed = tuple(m["message"] for m in case["mistakes"] if m["message"] in told)
    if listed or sentences:
        return (*listed, *sentences)
    return (
        moved_about(what, seen.inputs, seen.asked)
        or _beside(mistakes, what)
        or habits.described(what, seen.inputs)
        or told_without_values(
            case, lambda name: seen.trial.outcome(seen.inputs[name]), seen, failed
        )
    )


def _beside(mistakes: list[Writing], what: Observed) -> tuple[str, ...]:
    """A mistake that explains one property only, and that it does; or nothing."""
    message, where = partial_explanation(mistakes, what)
    return (message, BESIDE.format(where)) if message else ()


def explanation(mistakes: list[Writing], what: Observed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Messages of listed mistakes, and sentences of habits through which these, or what is right, are seen."""
    listed, explained = best_explanation(mistakes, what)
    same = habits.constant(what)
    if same and what.usable.intersection(what.main) - explained:
        return (), (same,)
    if not what.usable - explained or not what.usable.intersection(what.main):
        return listed, ()
    seen_through = habits.seen_through(what, len(explained))
    if seen_through:
        sentence, undone = seen_through
        beside, explained = best_explanation(mistakes, undone)
        return beside if not undone.values - explained else (), (sentence,)
    if listed:
        return listed, ()
    for sentence, undone in habits.undoings(what):
        if len(undone.failed) > len(what.failed):
            continue  # a habit would be undone that is not there
        listed, explained = best_explanation(mistakes, undone)
        if len(explained) >= 3 and not undone.values - explained:
            return listed, (sentence,)
    return (), ()


def _by_chance(seen: Observations, what: Observed) -> bool:
    """Whether the answer, asked again about the smallest input on which it fails, gives something else."""
    for place in [place for place in what.main if place in what.usable][:3]:
        try:
            again = seen.trial.value(seen.inputs[place[0]], seen.returns, place[1])
        except Unusable:
            continue
        if not close(again, what.yours[place]):
            return True
    return False


def observed(case: dict[str, Any], seen: Observations, failed: dict[str, list]) -> Observed:
    """All that was observed, by place; the twins of invariances left out."""
    yours, right, rules, main, wrong = {}, {}, {}, [], set()
    for spec in case["properties"]:
        for probe in spec["probes"] if spec["kind"] != "same" else ():
            place = probe["input"], probe["of"]
            if seen.returns and not probe["of"]:
                continue  # all results together: of refusals
            yours[place] = seen(*place)
            if spec["kind"] == "expected":
                right[place] = array(probe["expected"])
                rules[place] = {**spec, **probe}
                main += [place] if spec["values"] else []
            wrong |= {place} if any(probe is one for one, *_ in failed[spec["key"]]) else set()
    missing = set(seen.returns) - {
        place[1] for place in main
    }  # results that no main property looks at
    main += [place for place in right if place[1] in missing]
    return Observed(yours, right, frozenset(wrong), rules, tuple(main), seen.returns)


def _told_by_properties(
    case: dict[str, Any], seen: Observations, properties: list[Property], failed: dict[str, list]
) -> set[str]:
    """Messages of the mistakes that show in how a property fails, whatever the values are."""
    specs = {spec["key"]: spec for spec in case["properties"]}
    values_right = all(p.held for p in properties if specs[p.key]["values"])

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
            and yours.shape == ()
            and abs(yours.item() - right) <= NEAR * abs(right)
            for yours, right in pairs
        )

    def another_shape(probe: dict[str, Any]) -> bool:
        yours = seen(probe["input"], probe["of"]) if "expected" in probe else ""
        return not isinstance(yours, str) and yours.shape != array(probe["expected"]).shape

    def fails(keys: list[str]) -> bool:
        probes = [probe for key in keys for probe, *_ in failed[key]]
        shown = values_right and any(p.failure for p in properties if p.key in keys)
        return shown and not (probes and all(map(another_shape, probes)))

    tests = (("not_finite_in", overflows), ("near_in", near), ("fails_in", fails))
    return {
        m["message"] for m in case["mistakes"] for how, test in tests if how in m and test(m[how])
    }


def shown(values: np.ndarray | float | str, digits: int = 5) -> str:
    """Numbers for a reader: all where there are few, arrays to so many digits after the point."""
    if isinstance(values, str):
        return values
    if not isinstance(values, np.ndarray):
        return f"{values:g}"
    if values.ndim == 0:
        return f"{values.item():.6g}"
    text = np.array2string(
        values,
        precision=digits,
        separator=", ",
        suppress_small=True,
        max_line_width=72,
        threshold=SHOWN,
    )
    told = values.size > SHOWN or values.ndim == 1 and values.dtype != bool
    return f"{text}  shape {values.shape}" if told else text


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
