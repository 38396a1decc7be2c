"""What the frozen cases of all exercises are made with: mistakes, properties, recorded values, hidden runs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from helpers.grader.cases import array
from helpers.grader.judge_function import in_any_order
from helpers.grader.run_answer import Unusable, close
from solutions.observe import Inputs, observe, refusal
from solutions.shrink import Judge, Shape, with_smaller_probes


@dataclass(frozen=True)
class Mistake:
    """A wrong answer (in one or more writings), what the learner is told, and the properties it shows itself in.

    shows_in: property keys; the frozen outputs of the writings on those properties' probes are the fingerprint.
    overflows: recognised instead by outputs that are not finite there, although all values are right elsewhere.
    near: recognised instead by values that are within a few per cent of the right ones, and yet not right.
    fails: recognised instead by any of these properties failing although all values are right.
    """

    key: str
    message: str
    writings: tuple[Callable, ...]
    shows_in: tuple[str, ...]
    overflows: bool = False
    near: bool = False
    fails: bool = False


def prop(
    key: str,
    name: str,
    points: float,
    kind: str,
    probes: list,
    values: bool = False,
    slack: float = 1.0,
) -> dict[str, Any]:
    """One property. probes: names of inputs; (input, twin) for kind 'same'; (input, argument) to observe a gradient,
    (input, result) to observe one of several results; (input, twin, result) for both.

    slack: how far a value may be off, in units of the tolerance for rounding; float32 has a grain of 0.001 at 10⁴.
    """
    listed = []
    for probe in probes:
        name_of, other, *result = probe if isinstance(probe, tuple) else (probe, "")
        listed.append({"input": name_of, "of": "".join(result) if kind == "same" else other})
        if kind == "same":
            listed[-1]["twin"] = other
    head = {
        "key": key,
        "name": name,
        "points": points,
        "kind": kind,
        "values": values,
        "slack": slack,
    }
    return {**head, "probes": listed}


def _frozen(values: Any, digits: int = 8) -> Any:
    """Arrays as {'dtype', 'data'}: as many digits as the dtype is good for; words for what JSON has no number for."""
    if not isinstance(values, np.ndarray):
        return values

    digits = min(digits, 7) if values.dtype == np.float32 else digits

    def number(x):
        if isinstance(x, float):
            return float(f"{x:.{digits}g}") + 0.0 if np.isfinite(x) else str(x)  # + 0.0: no −0.0
        return x

    def walk(x):
        return [walk(entry) for entry in x] if isinstance(x, list) else number(x)

    return {"dtype": values.dtype.name, "data": walk(values.tolist())}


def function_case(
    part: str,
    title: str,
    reference,
    inputs: dict[str, Inputs],
    properties: list[dict],
    wrong,
    shape: Shape,
    differentiable=(),
    returns: tuple[str, ...] = (),
    rows: bool = False,
    rule: Callable[[dict[str, Any], Inputs], dict[str, Any]] = lambda spec, given: {},
) -> dict[str, Any]:
    """A part that asks for a function: expected values, and what tells each mistake from the truth.

    To the inputs come smaller ones that show the mistakes, found by search. differentiable: arguments in which
    gradients are taken. returns: names of several results. rows: the function returns rows in any order, and
    ``judge_rows`` judges it. rule: (property, input) → how a probe is judged beyond that: 'within', 'mentions'.
    """
    if rows:
        reference = in_any_order(reference)
        wrong = [replace(m, writings=tuple(map(in_any_order, m.writings))) for m in wrong]
    properties = deepcopy(properties)
    judge = Judge(reference, returns, rule)
    inputs = with_smaller_probes(inputs, properties, wrong, judge, shape)
    for spec in properties:
        for probe in spec["probes"]:
            probe.update(rule(spec, inputs[probe["input"]]))
            if spec["kind"] not in ("same", "raises"):
                probe["expected"] = _frozen(
                    observe(reference, inputs[probe["input"]], probe["of"], returns)
                )
    return {
        "part": part,
        "title": title,
        "points": round(sum(spec["points"] for spec in properties), 2),
        "asks_for": reference.__name__,
        "differentiable": list(differentiable),
        **({"returns": list(returns)} if returns else {}),
        "inputs": {
            name: {k: _frozen(v) for k, v in probe.items()} for name, probe in inputs.items()
        },
        "properties": properties,
        "mistakes": _mark_common([_recognised(m, inputs, properties, returns) for m in wrong]),
    }


def _recognised(
    m: Mistake, inputs: dict[str, Inputs], properties: list[dict], returns=()
) -> dict[str, Any]:
    """What the learner's side needs to recognise it."""
    head = {"key": m.key, "message": m.message}
    for how, holds in (("not_finite_in", m.overflows), ("near_in", m.near), ("fails_in", m.fails)):
        if holds:
            return {**head, how: list(m.shows_in)}
    found = []
    for writing in m.writings:
        outputs = _fingerprint(writing, m, inputs, properties, returns)
        if not any(_same_outputs(outputs, earlier) for earlier in found):
            found.append(outputs)
    return {**head, "writings": found}


def _same_outputs(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Whether two writings of a mistake do the same wherever they are wrong."""
    return len(one) == len(other) and all(
        (a["input"], a["of"]) == (b["input"], b["of"])
        and close(array(a["value"]), array(b["value"]), 0.1)
        for a, b in zip(one, other)
    )


def _fingerprint(
    writing,
    m: Mistake,
    inputs: dict[str, Inputs],
    properties: list[dict],
    returns: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """The observations of one wrong answer that differ from the truth.

    Those outside the properties it shows itself in are ``aside``, and left out where it fails or ValueError is asked.
    """
    outputs = []
    for spec in properties:
        aside = spec["key"] not in m.shows_in
        for probe in spec["probes"]:
            given, refuse = inputs[probe["input"]], spec["kind"] == "raises"
            if spec["kind"] == "same" or refuse and (aside or refusal(writing, given) is not None):
                continue
            try:
                value = observe(writing, given, probe["of"], returns)
            except (RuntimeError, Unusable):
                if aside:
                    continue
                raise
            if refuse or not close(value, array(probe["expected"]), spec["slack"]):
                outputs.append(
                    {"input": probe["input"], "of": probe["of"], "value": _frozen(value, digits=6)}
                )
                outputs[-1].update({"slack": spec["slack"]} if "within" in probe else {})
                outputs[-1].update({"aside": True} if aside else {})
    if all(output.get("aside") for output in outputs):
        raise RuntimeError(f"{m.key}: right on every probe, so nothing would be found")
    return outputs


def _mark_common(mistakes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mark outputs that tell nothing: another mistake gives them too, or all entries are 0, ±1, NaN or ±∞."""
    found = [
        (m["key"], output, array(output["value"]))
        for m in mistakes
        for outputs in m.get("writings", ())
        for output in outputs
    ]
    for key, output, value in found:
        place = output["input"], output["of"]
        plain = not np.isin(value, (0.0, 1.0, -1.0)).all() and np.isfinite(value).any()
        shared = any(
            (other["input"], other["of"]) == place and close(value, elsewhere)
            for another, other, elsewhere in found
            if another != key
        )
        output.update({"common": True} if shared or not plain else {})
    return mistakes


def side(key: str, name: str, which: str, asked: str, **more) -> dict[str, Any]:
    """One property of examples, 1 point. which: the side that it is about; asked: what should have been there."""
    return {"key": key, "name": name, "points": 1.0, "side": which, "asked": asked, **more}


def metric_case(
    part: str,
    title: str,
    asks_for: str,
    name: str,
    points_from: float,
    full_from: float,
    wrong,
    upside_down: str,
    hidden: ModuleType,
    each: str = "run",
    **more,
) -> dict[str, Any]:
    """A part that asks for a metric: hidden runs, as many of each kind as the exercise says, and 3 + 3 for practice.

    Their order says nothing.

    name: of the one property. Points rise from AUC ``points_from`` to ``full_from``. hidden: an exercise's module
    ``hidden_runs``. each: what a run is called.
    """
    runs, labelled = _drawn(hidden, hidden.FROZEN_SEED, hidden.FROZEN_RUNS)

    def scores(metric) -> list[float]:
        return [float(f"{metric(*hidden.arguments(run)):.6g}") for run in runs]

    return {
        "part": part,
        "title": title,
        "points": 2.0,
        "asks_for": asks_for,
        **({} if each == "run" else {"each": each}),
        "properties": [{"key": "separates", "name": name, "points": 2.0}],
        "full_points_from": full_from,
        "no_points_up_to": points_from,
        "mistakes": [
            {"key": m.key, "message": m.message, "writings": [scores(w) for w in m.writings]}
            for m in wrong
        ],
        **more,
        "upside_down": upside_down,
        "practice": _drawn(hidden, hidden.PRACTICE_SEED, 3)[1],
        "runs": labelled,
    }


def _drawn(hidden: ModuleType, seed: int, n: int) -> tuple[list, list[dict[str, Any]]]:
    """n + n runs, shuffled: as they were drawn, and as they are stored."""
    both = [
        (run, outcome)
        for pair in hidden.pairs(seed, n)
        for run, outcome in zip(pair, ("healthy", "regressed"))
    ]
    both = [both[i] for i in np.random.default_rng(seed + 1).permutation(len(both))]
    stored = [{"outcome": outcome, **hidden.stored(run)} for run, outcome in both]
    return [run for run, _ in both], stored
