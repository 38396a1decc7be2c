"""Exercise 8c, judged by effect: two groups, each exactly Bradley-Terry, are asked, one fit ranks the items.

Answers are unlimited, so nothing is left to chance: item i wins the share P_ij = w·σ(a_i − a_j) + (1 − w)·σ(b_i − b_j)
of its comparisons with j, and the survey only decides how often each pair is asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from helpers import bradley_terry
from helpers.grader.judge_examples import Verdict, entry, judge_examples
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

HEADING = "Your survey"
NAMES = "ABCDEF"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Fit the safe and the unsafe survey of ``answer()``, asked equally and as asked. case: points, bounds, limits."""

    def on_survey(
        side: str, verdict: Callable[[_Survey, dict], Verdict]
    ) -> Callable[[dict, dict], Verdict]:
        return lambda sides, case: verdict(
            _Survey(sides.get(side), case["bounds"]), case["thresholds"]
        )

    judges = {
        "safe": on_survey("safe", _safe),
        "unsafe_flips": on_survey("unsafe", _unsafe_flips),
        "unsafe_clear": on_survey("unsafe", _unsafe_clear),
    }
    return judge_examples(answer, case, judges, HEADING)


class _Survey:
    """One side's survey, read and fitted. Raises Unusable, saying what is wrong.

    majority (n, n): share of all people's choices that i wins against j; equal, asked (n,): strengths of the pooled fit
    when every pair is asked about alike, and as the survey asks.
    """

    def __init__(self, side: Any, bounds: dict[str, Any]):
        self.strengths = entry(side, "strengths")
        self.share, self.counts = entry(side, "share"), entry(side, "asked")
        self._check(bounds)
        gaps = self.strengths[:, :, None] - self.strengths[:, None, :]
        first, second = 1 / (1 + np.exp(-gaps))
        self.majority = self.share * first + (1 - self.share) * second
        self.equal = self._fit(np.ones_like(self.counts))
        self.asked = self._fit(self.counts)

    def _check(self, bounds: dict[str, Any]) -> None:
        (fewest, most), largest = bounds["items"], bounds["largest_strength"]
        shape = self.strengths.shape
        if len(shape) != 2 or shape[0] != 2 or not fewest <= shape[1] <= most:
            raise Unusable(
                f"'strengths' of shape {shape}: expected two rows of {fewest} to {most} numbers"
            )
        if not np.abs(self.strengths).max() <= largest:  # NaN and infinity end here too
            raise Unusable(
                f"'strengths' up to {np.abs(self.strengths).max():.3g}: expected finite, at most "
                f"{largest:g} either way"
            )
        least, greatest = bounds["share"]
        if self.share.shape != () or not least <= self.share <= greatest:
            found = (
                f"{self.share.item():.3g}"
                if self.share.shape == ()
                else f"of shape {self.share.shape}"
            )
            raise Unusable(f"'share' {found}: expected one number from {least:g} to {greatest:g}")
        n = shape[1]
        if self.counts.shape != (n, n) or not np.array_equal(self.counts, self.counts.T):
            raise Unusable(
                f"'asked' of shape {self.counts.shape}: expected a symmetric table, ({n}, {n})"
            )
        pairs = self.counts[np.triu_indices(n, 1)]
        if self.counts.diagonal().any():
            raise Unusable(
                "'asked' has a number on its diagonal: expected 0, no item is compared with itself"
            )
        if not (pairs.min() >= 1 and pairs.max() <= bounds["most_asked"]):
            raise Unusable(
                f"'asked' from {pairs.min():.3g} to {pairs.max():.3g}: expected 1 to "
                f"{bounds['most_asked']:g} for every pair"
            )
        if not pairs.max() >= bounds["uneven"] * pairs.min():
            raise Unusable(
                f"'asked' from {pairs.min():.3g} to {pairs.max():.3g}: expected one pair at least "
                f"{bounds['uneven']:g} times as often as another"
            )

    def _fit(self, counts: np.ndarray) -> np.ndarray:
        wins = torch.tensor(counts * self.majority)
        try:
            return bradley_terry.fit(wins.fill_diagonal_(0.0)).strengths.numpy()
        except (RuntimeError, ValueError) as error:
            raise Unusable(f"the pooled fit did not end: {error}") from error

    def __str__(self) -> str:
        def row(values):
            return " ".join(f"{value:7.3g}" for value in values)

        names = NAMES[: len(self.equal)]
        lines = [
            f"items           {' '.join(f'{name:>7}' for name in names)}",
            *(f"strengths, {who}  {row(s)}" for who, s in zip(("1st", "2nd"), self.strengths)),
        ]
        lines += [f"asked, {name}       {row(counts)}" for name, counts in zip(names, self.counts)]
        return "\n".join([*lines, f"share of the 1st group {self.share.item():.3g}"])

    def story(self) -> str:
        """The order of the fits, and the majorities."""
        n = len(self.equal)
        pairs = [
            f"{NAMES[i]} over {NAMES[j]} {self.majority[i, j]:.3f}"
            for i in range(n)
            for j in range(i + 1, n)
        ]
        return (
            f"asked alike: {_order(self.equal)}\nas asked:    {_order(self.asked)}\n"
            f"majorities:  {', '.join(pairs)}"
        )


def _order(strengths: np.ndarray) -> str:
    return " > ".join(
        f"{NAMES[i]} {strengths[i]:+.2f}" for i in np.argsort(-strengths, kind="stable")
    )


def _gaps(strengths: np.ndarray) -> np.ndarray:
    return strengths[:, None] - strengths


def _unclear(survey: _Survey, thresholds: dict[str, float]) -> str:
    """Why the majorities give no clear ranking, or ''."""
    n, least = len(survey.equal), thresholds["majority"]
    i, j = np.triu_indices(n, 1)
    winning = np.maximum(survey.majority, survey.majority.T)[i, j]
    if winning.min() < least:
        k = int(winning.argmin())
        return (
            f"{NAMES[i[k]]} and {NAMES[j[k]]} are nearly tied: the larger share is {winning[k]:.3f}, asked is "
            f"{least:g} or more"
        )
    if sorted((survey.majority > 0.5).sum(1)) != list(range(n)):
        return "the majorities go round in a circle, so that no ranking could be right"
    return ""


def _safe(survey: _Survey, thresholds: dict[str, float]) -> Verdict:
    apart = thresholds["disagree"]
    first, second = (_gaps(s) for s in survey.strengths)
    asked = "groups that disagree, and in both fits every pair in the order of its majority"
    if not ((first >= apart) & (second <= -apart)).any():
        why = (
            f"Safe survey: the groups agree about every pair, or differ by less than {apart:g} nats on one side. "
            "Two groups with one order are no test of a pooled ranking."
        )
        return Failure(str(survey), survey.story(), asked, HEADING), why
    unclear = _unclear(survey, thresholds)
    if unclear:
        return Failure(str(survey), survey.story(), asked, HEADING), f"Safe survey: {unclear}."
    for fitted, when in (
        (survey.equal, "when all pairs are asked about alike"),
        (survey.asked, "as you ask"),
    ):
        against = (survey.majority > 0.5) & (_gaps(fitted) < thresholds["gap"])
        if against.any():
            i, j = np.argwhere(against)[0]
            why = (
                f"Safe survey: {when}, the fit does not follow the majorities: {NAMES[i]} is preferred to "
                f"{NAMES[j]} in {survey.majority[i, j]:.1%} of all choices, and s_{NAMES[i]} − s_{NAMES[j]} is "
                f"{_gaps(fitted)[i, j]:+.2f} nats; asked is {thresholds['gap']:+g} or more."
            )
            return Failure(str(survey), survey.story(), asked, HEADING), why
    return None, ""


def _unsafe_flips(survey: _Survey, thresholds: dict[str, float]) -> Verdict:
    least = thresholds["gap"]
    equal, asked = _gaps(survey.equal), _gaps(survey.asked)
    if ((equal >= least) & (asked <= -least)).any():
        return None, ""
    why = (
        "Unsafe survey: the fit puts all items in the same order whoever is asked about. The fit balances wins "
        "observed and expected over all comparisons: which item owes its place to one opponent?"
    )
    if ((equal > 0) & (asked < 0)).any():
        why = f"Unsafe survey: two items do change places, but by less than {least:g} nats before or after."
    return Failure(
        str(survey),
        survey.story(),
        f"two items change places, {least:g} nats apart in each fit",
        HEADING,
    ), why


def _unsafe_clear(survey: _Survey, thresholds: dict[str, float]) -> Verdict:
    unclear = _unclear(survey, thresholds)
    if not unclear:
        return None, ""
    asked = f"every pair decided by {thresholds['majority']:g} or more, and no circle"
    return Failure(str(survey), survey.story(), asked, HEADING), f"Unsafe survey: {unclear}."
