"""Judging metrics, part d of every exercise: does the learner's score tell regressed runs from healthy ones?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.result import Failure, Property, Result, judged
from helpers.grader.run_answer import Unusable, attempt, numbers_returned
from helpers.grader.texts import type_name

SAME_ORDER = (
    0.98  # rank correlation from which two scores are the same metric; others reach 0.97 by chance
)
TURNED = 0.3  # an AUC up to here is no chance among twenty and twenty: the score is upside down
CLEARLY_TURNED = 0.2  # one up to here would be worth something, the other way round
AGAIN = 5  # runs that are scored a second time
RANDOM = (
    "Scored again, the same {each} gets another score: chance decides, or what was scored before."
)
MANY = "One {each} is to get one number, and yours gets {size}: a mean or a sum over the entries is missing."
TEXT = "A text is no score: hand back the number from which you chose it, so that every {each} can be compared."
NO_NAME = "You look up {name}, and there is no such entry: the question lists what a {each} holds, and its names."
NO_ENTRY = (
    "You look up {name} where it does not occur: not everything that stands in one place of a {each} stands in the "
    "others. What should count for what is missing there?"
)
NOT_FINITE = (
    "NaN or infinity is no score: on the way to it stands a mean over nothing, 0 / 0 or a logarithm of 0, say. What "
    "should a {each} score for which a part of your formula has nothing to go by?"
)
NOTHING = (
    "Your function computes and returns nothing: it runs to its end without a `return`, and a {each} without a number "
    "has no score."
)
NO_NUMBER = "A score is one number, and yours is a {kind}: return the number itself."
FEW_VALUES = 3  # a score that takes no more of them over all runs is a verdict
VERDICT = (
    "Your score takes only {n} values: it is a verdict, as after a comparison with a threshold. The AUC asks in which "
    "order the {each}s stand, and a tie counts one half: hand back the number that you compare."
)
CONSTANT = "All {each}s get the same score: nothing that you compute differs between them."


@dataclass(frozen=True)
class Change:
    """A change of a run that shows what a score reads. change: arguments of a call → those of another, fresh ones.

    key: of the mistake that is told if all scores ``stay``, ``move`` or ``rise`` at it.
    """

    key: str
    change: Callable[..., tuple]
    told_if: str = "stay"


def judge_metric(
    answer: Callable,
    case: dict[str, Any],
    unpack: Callable[[dict], tuple],
    told: Callable[[dict], str],
    habits: Callable[[], tuple[str, ...]] = tuple,
    changes: tuple[Change, ...] = (),
    otherwise: Callable[[], tuple[str, ...]] = tuple,
) -> Result:
    """Score all hidden runs. Points rise linearly from AUC ``no_points_up_to`` to ``full_points_from``.

    unpack: stored run → the arguments of one call; told: stored run → one line about it.
    habits: what is to be said, once all runs are scored, before mistakes are looked up; changes, then ``otherwise``:
    what is tried where none is found. case["each"], if given, is what a run is called; case["constant"] is told in
    place of ``CONSTANT``; case["blind_to"] lists names, or places, of what an answer is given, and what to say of a
    score that does not change with all of it.
    """
    each = case.get("each", "run")
    head, spec = (case["part"], case["title"], case["points"]), case["properties"][0]
    scores = []
    for number, stored in enumerate(case["runs"]):
        given = unpack(stored)
        names = _names(given)
        outcome = attempt(answer, *given)
        try:
            scores.append(_score(outcome))
        except Unusable as error:
            where, heading = (
                f"{each} {number + 1} of {len(case['runs'])}",
                f"First {each} that it cannot score",
            )
            failure = Failure(where, str(error), "one finite number", heading)
            prop = Property(spec["key"], spec["name"], spec["points"], 0.0, failure)
            status = "error" if number == 0 else "wrong"
            return Result(*head, status, (prop,), _unusable(outcome, each, names))
    scores = np.array(scores)
    regressed = np.array([stored["outcome"] == "regressed" for stored in case["runs"]])
    reached = auc(scores[~regressed], scores[regressed])
    low, high = case["no_points_up_to"], case["full_points_from"]
    earned = round(spec["points"] * min(max((reached - low) / (high - low), 0.0), 1.0), 2)
    note = (
        f"AUC {_shown(reached, high)}: so often does a regressed {each} score above a healthy one. "
        f"Full points from {high:g}, none up to {low:g}."
    )
    failure = None if reached >= high else _confusion(case["runs"], scores, regressed, told, each)
    properties = [Property(spec["key"], spec["name"], spec["points"], earned, failure)]
    if reached >= high:
        return judged(*head, properties, note=note)
    if _by_chance(answer, case["runs"], unpack, scores):
        return judged(*head, properties, habits() or (RANDOM.format(each=each),), note)
    if not np.ptp(scores):
        constant = case.get("constant", CONSTANT.format(each=each))
        return judged(*head, properties, habits() or (constant,), note)
    known, turned = recognised(case["mistakes"], scores)
    verdict = _verdict(scores, each)
    if not known and not verdict and reached > 1 - high:
        known = _by_changes(answer, case, unpack, changes)
    upside_down, worth = (), 1 - reached > low  # whether it would earn points, turned
    if reached <= TURNED and (turned or not known or reached <= CLEARLY_TURNED):
        note += f" Turned round, your score would reach {1 - reached:.2f}."
        if turned or not known:  # some listed metrics are listed with either sign
            upside_down = (case["upside_down"],)
            if (
                reached <= 1 - high
            ):  # the whole of what is asked, turned: no other cause is to be told
                return judged(*head, properties, upside_down, note)
            if turned or worth:
                known += upside_down
    told = habits() or known or verdict or otherwise() or _blind(answer, case, unpack, scores)
    return judged(*head, properties, told or upside_down, note)


def _shown(reached: float, bar: float) -> str:
    """An AUC in two digits; in three, cut off, where two would round it up to the bar that it does not reach."""
    text = f"{reached:.2f}"
    return text if reached >= bar or float(text) < bar else f"{np.floor(1000 * reached) / 1000:.3f}"


def _verdict(scores: np.ndarray, each: str) -> tuple[str, ...]:
    n = len(np.unique(scores))
    return (VERDICT.format(n=n, each=each),) if n <= FEW_VALUES else ()


def _blind(
    answer: Callable, case: dict[str, Any], unpack: Callable, scores: np.ndarray
) -> tuple[str, ...]:
    """The first message whose data may be another run's without a score changing, on each of the first runs."""
    for entry in case.get("blind_to", ()):
        for number, before in enumerate(scores[:AGAIN]):
            mine, other = unpack(case["runs"][number]), unpack(case["runs"][number + 1])
            try:
                again = _score(attempt(answer, *_with_data_of(mine, other, entry["names"])))
            except Unusable:
                break
            if not np.isclose(again, before, rtol=1e-6, atol=1e-9):
                break
        else:
            return (entry["message"],)
    return ()


def _with_data_of(mine: tuple, other: tuple, names: list[str]) -> list:
    """The arguments of one run, those named, by their place or their key in a dict, from another one."""
    return [
        theirs
        if str(place) in names
        else {name: theirs[name] if name in names else value for name, value in given.items()}
        if isinstance(given, dict)
        else given
        for place, (given, theirs) in enumerate(zip(mine, other))
    ]


def _by_chance(answer: Callable, runs: list[dict], unpack: Callable, scores: np.ndarray) -> bool:
    """Whether some of the first runs get another score when they are scored again."""
    for stored, before in zip(runs[:AGAIN], scores):
        try:
            again = _score(attempt(answer, *unpack(stored)))
        except Unusable:
            continue
        if not np.isclose(again, before, rtol=1e-6, atol=1e-9):
            return True
    return False


def _by_changes(
    answer: Callable, case: dict, unpack: Callable, changes: tuple[Change, ...]
) -> tuple[str, ...]:
    """The mistake that the first change reveals which does so on each of the first runs; or nothing.

    A score that is one number on most of them, cut off at 0, say, moves little whatever it reads.
    """
    for tried in changes:
        seen, scores = [], set()
        for stored in case["runs"][:AGAIN]:
            try:
                before = _score(attempt(answer, *unpack(stored)))
                after = _score(attempt(answer, *tried.change(*unpack(stored))))
            except Unusable:
                break  # on what an answer does not survive, it says nothing
            moved = not np.isclose(after, before, rtol=1e-6, atol=1e-12)
            seen.append({"stay": not moved, "move": moved, "rise": moved and after > before})
            scores.add(before)
        told = len(seen) == AGAIN and all(found[tried.told_if] for found in seen)
        if told and len(scores) > AGAIN // 2:
            return tuple(m["message"] for m in case["mistakes"] if m["key"] == tried.key)
    return ()


def _score(outcome) -> float:
    if outcome.error:
        raise Unusable(outcome.error)
    value = numbers_returned(outcome.value)
    if value.size != 1 or not np.isfinite(value).all():
        raise Unusable(
            f"returned {value.item():g}" if value.size == 1 else f"returned shape {value.shape}"
        )
    return value.item()


def _names(given: tuple) -> set[str]:
    """The names in what an answer is given (of a run's arrays, say), as a KeyError writes them; none without a dict."""
    return {repr(name) for one in given if isinstance(one, dict) for name in one}


def _unusable(outcome, each: str, names: set[str]) -> tuple[str, ...]:
    """Why a score that came back is none: nothing, no number, several, NaN, infinity; or a look-up in vain.

    A text that is looked up may be a name or one of the data: a name only where the run has ``names``, and not this.
    """
    if outcome.error:
        raised, _, name = outcome.error.partition(": ")
        if raised != "raised KeyError":
            return ()
        no_name = name.startswith("'") and names and name not in names
        return ((NO_NAME if no_name else NO_ENTRY).format(each=each, name=name),)
    if type(outcome.value) is str:
        return (TEXT.format(each=each),)
    try:
        value = numbers_returned(outcome.value)
    except Unusable:
        if outcome.value is None:
            return (NOTHING.format(each=each),)
        return () if outcome.empty else (NO_NUMBER.format(kind=type_name(outcome.value)),)
    if value.size != 1:
        return (MANY.format(each=each, size=value.size),)
    return (NOT_FINITE.format(each=each),)


def auc(healthy: np.ndarray, regressed: np.ndarray) -> float:
    """Chance that a regressed run scores above a healthy one; a tie counts one half. (H,), (R,) → float.

    Raises ValueError where one of the two is empty.
    """
    if not len(healthy) or not len(regressed):
        raise ValueError(
            f"{len(healthy)} healthy, {len(regressed)} regressed: expected scores of both"
        )
    return float(((regressed[:, None] > healthy) + 0.5 * (regressed[:, None] == healthy)).mean())


def _confusion(
    runs: list[dict], scores: np.ndarray, regressed: np.ndarray, told: Callable, each: str
) -> Failure:
    """The healthy run with the largest score beside the regressed run with the smallest."""
    h = int(np.where(regressed, -np.inf, scores).argmax())
    r = int(np.where(regressed, scores, np.inf).argmin())
    yours = f"healthy {each} scores {scores[h]:.4g}\nregressed {each} scores {scores[r]:.4g}"
    inputs = f"healthy {each} {h + 1}: {told(runs[h])}\nregressed {each} {r + 1}: {told(runs[r])}"
    return Failure(
        inputs,
        yours,
        f"the regressed {each} scores higher",
        f"The pair of {each}s that it confuses most",
    )


def recognised(mistakes: list[dict[str, Any]], scores: np.ndarray) -> tuple[tuple[str, ...], bool]:
    """Messages of the listed metrics whose order comes nearest, and whether it is that order turned round.

    Any increasing transformation of a metric is the same metric. Nothing is told below ``SAME_ORDER``; several only
    where they come equally near.
    """
    mine = _ranks(scores)
    found = [
        (float(np.corrcoef(mine, _ranks(np.array(other)))[0, 1]), m["message"])
        for m in mistakes
        for other in m["writings"]
    ]
    nearest = max((abs(alike) for alike, _ in found), default=0.0)
    if nearest <= SAME_ORDER:
        return (), False
    best = [(alike, message) for alike, message in found if abs(alike) >= nearest - 1e-9]
    return tuple(dict.fromkeys(message for _, message in best)), all(a < 0 for a, _ in best)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Mean rank of each entry, ties sharing theirs."""
    return (scores[:, None] > scores).sum(1) + 0.5 * (scores[:, None] == scores).sum(1)
