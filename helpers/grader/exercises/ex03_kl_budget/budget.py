"""Exercise 3b: of several sentences on what should have been refused, or not, the one that explains the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from helpers.grader.judge_function import judge_function
from helpers.grader.result import Result

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
    told -= {"interval"} if _refused(result) else {"refused"}
    for key, others in FOLLOW.items():
        told -= set(others) if key in told else set()
    dropped = {message for key, message in messages.items() if key not in told}
    return replace(result, diagnoses=tuple(d for d in result.diagnoses if d not in dropped))


def _refused(result: Result) -> bool:
    """Whether a budget that can be spent raised ValueError."""
    failed = [p.failure for p in result.properties if p.key in ("range", "units") and p.failure]
    return any("ValueError" in failure.yours for failure in failed)
