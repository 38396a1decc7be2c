"""Exercise 3b: of several sentences on a search, or on what should be refused, the one that explains the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from helpers.grader.cases import array
from helpers.grader.judge_function import judge_function
from helpers.grader.recognition import fits
from helpers.grader.result import Result
from helpers.grader.run_answer import Trial, Unusable

FOLLOW = {  # where the first is told, the others only follow from it
    "no_refusal": ("one_prompt", "tied", "best_unsaid", "outside"),
    "refused": ("one_prompt", "tied", "best_unsaid"),
    "one_prompt": ("tied", "best_unsaid"),
}


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``judge_function``; a budget that is refused wrongly is told apart from a search that ends too early."""
    result = judge_function(answer, case)
    messages = {m["key"]: m["message"] for m in case["mistakes"]}
    told = {key for key, message in messages.items() if message in result.diagnoses}
    out_of_reach = {"interval", "refused", "unstable"}
    if told & out_of_reach or result.status == "wrong" and not result.diagnoses:
        why = _why_out_of_reach(answer, case, result)
        if why == "unstable" and not result.diagnoses:
            return replace(result, diagnoses=(messages[why],))
        told -= out_of_reach - {why}
    for key, others in FOLLOW.items():
        told -= set(others) if key in told else set()
    dropped = {message for key, message in messages.items() if key not in told}
    return replace(result, diagnoses=tuple(d for d in result.diagnoses if d not in dropped))


def _why_out_of_reach(answer: Callable, case: dict[str, Any], result: Result) -> str:
    """Key of the mistake that keeps a search from some budgets or units.

    A search that is led astray by a KL that is NaN ends below every β that it finds elsewhere, although the one that it
    looks for lies above: a fixed interval does not end there.
    """
    if _refused(result):
        return "refused"
    found, lost = [], []
    trial = None
    for spec in case["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            inputs = {name: array(v) for name, v in case["inputs"][probe["input"]].items()}
            trial = trial or Trial(answer, inputs)
            try:
                beta = trial.value(inputs)
            except Unusable:
                continue
            expected = array(probe["expected"])
            right = fits(beta, expected, {**spec, **probe})
            (found if right else lost).append((beta.item(), expected.item()))
    below = min((beta for beta, _ in found), default=0.0)
    return "unstable" if lost and all(b < min(below, r) for b, r in lost) else "interval"


def _refused(result: Result) -> bool:
    """Whether a budget that can be spent raised ValueError."""
    failed = [p.failure for p in result.properties if p.key in ("range", "units") and p.failure]
    return any("ValueError" in failure.yours for failure in failed)
