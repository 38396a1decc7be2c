"""The files of exercise 6d as the learner gets them, and how a metric of theirs is judged.

Stored are, for each person, a name and which of the two replies they preferred, comparison by comparison. The texts
follow from a comparison's number alone and say nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.grader.cases import case
from helpers.grader.judge_metric import Change, judge_metric
from helpers.grader.result import Result
from helpers.grader.run_answer import Unusable, attempt, plain
from helpers.world import Pair

RANDOM = "One file gets another score when it is asked about again: chance decides, not the file."
DEEDS = "fix", "clean", "paint", "sell", "move", "open", "lend", "store", "wrap"
THINGS = (
    "lamp",
    "bike",
    "door",
    "clock",
    "tent",
    "sofa",
    "radio",
    "kettle",
    "ladder",
    "guitar",
    "mirror",
)
WAYS = (
    "Ask a friend to hold it",
    "Take your time",
    "Look at the bottom first",
    "Read what is printed on it",
    "Use a soft cloth",
    "Make a list of its parts",
    "Begin in daylight",
)


@functools.cache
def texts(number: int) -> tuple[str, str, str]:
    """Prompt and two replies of comparison ``number``: different for each number below 99.

    Some dialogues are longer, some replies empty, cut off, or nearly the same as the other one, as in real files.
    """
    deed, thing = DEEDS[number % len(DEEDS)], THINGS[number % len(THINGS)]
    way, other = WAYS[number % len(WAYS)], WAYS[(number // 3 + 1) % len(WAYS)]
    prompt = f"\n\nHuman: How do I {deed} a {thing}?"
    if number % 3 == 1:
        prompt += f"\n\nAssistant: Is the {thing} your own?\n\nHuman: Yes, it is."
    prompt += "\n\nAssistant:"
    first, second = f" {way}, then {deed} the {thing}.", f" {other}. The {thing} will be all right."
    if number % 13 == 5:
        second = ""
    if number % 11 == 3:
        second = first.replace("then", "and only then")
    if number % 17 == 7:
        first = first[: len(first) // 2]
    return prompt, first, second


def records(stored: dict[str, Any]) -> list[Pair]:
    """A stored file as the learner gets it: one record for each answer, in an order that says nothing."""
    found = []
    for name, answers in zip(stored["names"], stored["answers"]):
        for number, answer in enumerate(answers):
            if answer != "-":
                prompt, *sides = texts(number)
                chosen, rejected = sides if answer == "0" else sides[::-1]
                found.append(Pair(prompt, chosen, rejected, name))
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]


def practice_files() -> list[tuple[list[Pair], str]]:
    """Six files to try a metric of 6d on, each with what became of it: 'healthy' or 'regressed'."""
    return [(records(stored), stored["outcome"]) for stored in case("6d")["practice"]]


def _told(stored: dict[str, Any]) -> str:
    number = sum(answer != "-" for answers in stored["answers"] for answer in answers)
    comparisons = len(stored["answers"][0])
    return f"{number} answers to {comparisons} comparisons by {len(stored['names'])} people"


def _dealt_anew(file: list[Pair]) -> tuple[list[Pair]]:
    """The file with the answers to each comparison dealt out anew among the people who gave them."""
    places: dict[tuple, list[int]] = {}
    for k, record in enumerate(file):
        pair = record.prompt, frozenset((record.chosen, record.rejected))
        places.setdefault(pair, []).append(k)
    draw, dealt = np.random.default_rng(0), list(file)
    for of_pair in places.values():
        for k, other in zip(of_pair, draw.permutation(of_pair)):
            dealt[k] = replace(file[k], annotator=file[other].annotator)
    return (dealt,)


CHANGES = (Change("whoever", _dealt_anew),)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Score all hidden files with ``copied_answers``; points as in ``judge_metric``."""

    def asked() -> list | float | str:
        outcome = attempt(answer, records(case["runs"][0]))
        try:
            return outcome.error or plain(outcome.value).tolist()
        except Unusable as error:
            return str(error)

    def habits() -> tuple[str, ...]:
        return () if asked() == asked() else (RANDOM,)

    return judge_metric(answer, case, lambda stored: (records(stored),), _told, habits, CHANGES)
