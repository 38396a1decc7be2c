"""What can be said where no value tells anything: errors, refusals, a missing gradient, one result for several.

Pure functions of what was observed; only where nothing else is recognised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader import habits
from helpers.grader.cases import array
from helpers.grader.run_answer import Outcome, Unusable, plain
from helpers.grader.texts import type_name

Probes = list[tuple[dict[str, Any], str, str]]  # that fail, each with two texts


def told_without_values(
    case: dict[str, Any],
    outcome: Callable[[str], Outcome],
    seen: Callable[[str, str], np.ndarray | str],
    failed: dict[str, Probes],
) -> tuple[str, ...]:
    """One sentence, or none. outcome: of a call on the input of that name; seen: as ``Observations``."""
    kinds = {spec["key"]: spec for spec in case["properties"]}
    values = [key for key, spec in kinds.items() if spec["values"] and failed[key]]
    probes = {
        kind: [p for key, spec in kinds.items() if spec["kind"] == kind for p, *_ in failed[key]]
        for kind in ("expected", "raises")
    }
    found = (
        _results_missing(case, outcome, probes["expected"])
        or _errors(outcome, probes["expected"], len(case["inputs"]))
        or _in_pieces(case, outcome, probes["expected"])
        or ("" if values else _cut_off(kinds, seen, failed))
        or ("" if values else _no_gradient(case, seen, probes["expected"]))
        or ("" if values else _not_refused(outcome, probes["raises"], _refusals(kinds)))
    )
    return (found,) if found else ()


def _refusals(kinds: dict[str, dict[str, Any]]) -> int:
    return sum(len(spec["probes"]) for spec in kinds.values() if spec["kind"] == "raises")


def _names(probes: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(probe["input"] for probe in probes))


def _quoted(names: list[str]) -> str:
    return ", ".join(f"‘{name}’" for name in names[:3])


def _results_missing(case: dict[str, Any], outcome: Callable, probes: list) -> str:
    """Another number of results than the case asks for, whatever the input."""
    asked = case.get("returns", ())
    names = _names(probes) if asked else []
    returned = [outcome(name) for name in names]
    if not names or any(o.error or o.value is None for o in returned):
        return ""
    if any(type(o.value) in (tuple, list) and len(o.value) == len(asked) for o in returned):
        return ""
    value = returned[0].value
    mine = f"{len(value)} results" if type(value) in (tuple, list) else f"a {type_name(value)}"
    return f"You return {mine}; asked are {len(asked)} results together: ({', '.join(asked)})."


def _in_pieces(case: dict[str, Any], outcome: Callable, probes: list) -> str:
    """Several things of different shape, where one array is asked."""
    names = _names(probes)
    found = [outcome(name).value for name in names]
    if case.get("returns") or not names or any(type(value) not in (tuple, list) for value in found):
        return ""
    try:
        shapes = [[plain(entry).shape for entry in value[:9]] for value in found]
    except Unusable:
        return ""
    if any(len(set(each)) < 2 for each in shapes):
        return ""
    return (
        f"You return {len(found[0])} things of different shape together, {', '.join(map(str, shapes[0]))}: "
        f"asked is one "
        "array that holds all of it."
    )


def _errors(outcome: Callable, probes: list, inputs: int) -> str:
    """An exception on some inputs for which numbers are asked."""
    raising = {
        name: o.error for name in _names(probes) if (o := outcome(name)).error and not o.stub
    }
    raising = {name: text for name, text in raising.items() if text.startswith("raised")}
    if not raising or len(raising) == inputs or len(raising) < len(_names(probes)):
        return ""  # where numbers are wrong, too, the error is not the cause
    first = next(iter(raising))
    where = f"On {_quoted(list(raising))} a result is asked, and your function"
    if outcome(first).refused:
        return f"{where} raises ValueError: it refuses what is allowed, or something in it does not fit this input."
    return f"{where} {raising[first]}. What is different about such an input?"


def _no_gradient(case: dict[str, Any], seen: Callable, probes: list) -> str:
    """Gradients that are 0 everywhere although values are right."""
    probes = [p for p in probes if p["of"] in case["differentiable"]]
    gradients = [(seen(p["input"], p["of"]), array(p["expected"])) for p in probes]
    if not gradients or any(isinstance(yours, str) or yours.any() for yours, _ in gradients):
        return ""
    if not all(right.any() for _, right in gradients):
        return ""
    return (
        f"The value is right, but no gradient reaches `{probes[0]['of']}`: something cuts the graph, as `.item()`, "
        "`float()`, `.detach()` and `torch.tensor(...)` do."
    )


def _cut_off(kinds: dict[str, dict[str, Any]], seen: Callable, failed: dict[str, Probes]) -> str:
    """Numbers at extreme inputs that are finite and wrong, although all others are right."""
    wrong = [key for key, spec in kinds.items() if spec["kind"] == "expected" and failed[key]]
    if "extreme" not in wrong or not {*wrong} <= {"extreme", "support"}:
        return ""
    found = [seen(p["input"], p["of"]) for key in wrong for p, *_ in failed[key]]
    if any(isinstance(yours, str) or not np.isfinite(yours).all() for yours in found):
        return ""
    asked = [array(p["expected"]) for p, *_ in failed["extreme"]]
    if all(map(habits.rounded, found, asked)):
        return habits.ROUNDED
    return (
        "Right where numbers are moderate, finite but wrong where they are extreme: something is cut off there (a "
        "clamp, a small number added before a logarithm). A stable form needs neither."
    )


def _not_refused(outcome: Callable, probes: list, asked: int) -> str:
    """Where ValueError is asked: another exception, none, or one whose text lacks a number."""
    names = _names(probes)
    if not names:
        return ""
    found = outcome(names[0])
    if found.refused:
        return (
            f"On {_quoted(names)} ValueError is right, but the number that its text should give is not there, or "
            "another one is."
        )
    if found.error:
        return (
            f"On {_quoted(names)} your function {found.error.split(':')[0]}; asked is ValueError."
        )
    others = ", though it comes on others" if len(probes) < asked else ""
    return f"On {_quoted(names)} ValueError is asked, and none comes{others}."
