"""Judging 10b: of what is wrong with the β that was chosen, one sentence, and only where the worths are right.

Whoever has other worths chooses another β, often the one that some mistake of choice would take: that mistake is
none of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from helpers.grader.judge_function import judge_function
from helpers.grader.result import Result

CHOICE = (  # keys of the mistakes that concern the choice alone: the first that is recognised is told
    "least_worth",
    "extreme_beta",
    "place",
    "chosen_without_cost",
    "all_seen",
    "tie_of_near",
    "tie",
)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``judge_function``, less what the other causes explain."""
    result = judge_function(answer, case)
    message = {mistake["key"]: mistake["message"] for mistake in case["mistakes"]}
    worth = {spec["key"] for spec in case["properties"] if spec["values"]}
    worth_wrong = any(not p.held for p in result.properties if p.key in worth)
    about_choice = [message[key] for key in CHOICE if message[key] in result.diagnoses]
    others = [told for told in result.diagnoses if told not in about_choice]
    kept = [] if worth_wrong and others else about_choice[:1]
    if len(about_choice) < 2 and kept == about_choice:
        return result
    return replace(
        result, diagnoses=tuple(told for told in result.diagnoses if told in others + kept)
    )
