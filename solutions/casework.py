"""What the frozen cases of all exercises are made with: misconceptions, properties, recorded values, fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.frozen import array
from helpers.grader.trial import Trial, close

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Misconception:
    """A wrong answer (in one or more variants), what the learner is told, and the properties it shows itself in.

    shows_in: property keys; the frozen outputs of the variants on those properties' probes are the fingerprint.
    overflows: recognised instead by outputs that are not finite there, although all values are right elsewhere.
    near: recognised instead by values that are within a few per cent of the right ones, and yet not right.
    fails: recognised instead by any of these properties failing although all values are right.
    """

    key: str
    message: str
    variants: tuple[Callable, ...]
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


def frozen(values: Any) -> Any:
    """Arrays as {'dtype', 'data'}: as many digits as the dtype is good for; words for what JSON has no number for."""
    if not isinstance(values, np.ndarray):
        return values

    digits = 7 if values.dtype == np.float32 else 8

    def number(x):
        if isinstance(x, float):
            return float(f"{x:.{digits}g}") + 0.0 if np.isfinite(x) else str(x)  # + 0.0: no −0.0
        return x

    def walk(x):
        return [walk(entry) for entry in x] if isinstance(x, list) else number(x)

    return {"dtype": values.dtype.name, "data": walk(values.tolist())}


def observe(function, inputs: Inputs, of: str, returns: tuple[str, ...] = ()) -> np.ndarray:
    """Value, one of several results, or gradient of one of our own functions; it has to run on tensors."""
    trial = Trial(function, inputs)
    if trial.first.error or trial.numpy:
        raise RuntimeError(f"{function} on {inputs}: {trial.first.error or 'ran on arrays only'}")
    return (
        trial.gradient(inputs, of) if of and of not in returns else trial.value(inputs, returns, of)
    )


def function_case(
    part: str,
    title: str,
    reference,
    inputs: dict[str, Inputs],
    properties: list[dict],
    wrong,
    differentiable=(),
    returns: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Expected values and fingerprints of the wrong answers: where, and only where, they differ from the truth."""
    for spec in properties:
        for probe in spec["probes"]:
            if spec["kind"] not in ("same", "raises"):
                probe["expected"] = frozen(
                    observe(reference, inputs[probe["input"]], probe["of"], returns)
                )
    return {
        "part": part,
        "title": title,
        "points": round(sum(spec["points"] for spec in properties), 2),
        "asks_for": reference.__name__,
        "judge": "functions",
        "differentiable": list(differentiable),
        **({"returns": list(returns)} if returns else {}),
        "inputs": {
            name: {k: frozen(v) for k, v in probe.items()} for name, probe in inputs.items()
        },
        "properties": properties,
        "misconceptions": [misconception(m, inputs, properties, returns) for m in wrong],
    }


def misconception(
    m: Misconception, inputs: dict[str, Inputs], properties: list[dict], returns=()
) -> dict[str, Any]:
    """What the learner's side needs to recognise it."""
    head = {"key": m.key, "message": m.message}
    for how, holds in (("not_finite_in", m.overflows), ("near_in", m.near), ("fails_in", m.fails)):
        if holds:
            return {**head, how: list(m.shows_in)}
    return {
        **head,
        "variants": [fingerprint(v, m, inputs, properties, returns) for v in m.variants],
    }


def fingerprint(
    variant,
    m: Misconception,
    inputs: dict[str, Inputs],
    properties: list[dict],
    returns: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """The observations of one wrong answer that differ from the truth, on the properties it shows itself in."""
    outputs = []
    for spec in properties:
        for probe in spec["probes"] if spec["key"] in m.shows_in else ():
            given = inputs[probe["input"]]
            if spec["kind"] == "raises" and Trial(variant, given).first.refused:
                continue  # as it should
            value = observe(variant, given, probe["of"], returns)
            if spec["kind"] == "raises" or not close(
                value, array(probe["expected"]), spec["slack"]
            ):
                outputs.append({"input": probe["input"], "of": probe["of"], "value": frozen(value)})
                outputs[-1].update({"slack": spec["slack"]} if "within" in probe else {})
    if not outputs:
        raise RuntimeError(f"{m.key}: right on every probe, so nothing would be found")
    return outputs
