"""Exercise 10c, judged by effect: β is lowered step by step on the learner's own table, until gold has turned.

Everything is exact: at each β the policy is the optimum for the proxy, and gold is its expectation. The search stops at
the first β whose gold lies clearly below the best so far, and ships that best one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.judge_examples import Verdict, entry, judge_examples, refuse_logarithms
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

HEADING = "Your table"
EXCHANGED = "The two are exchanged: the search finds the best β on your unsafe table and misses it on your safe one."


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Search on the safe and the unsafe table of ``answer()``. case: points, betas, bounds, thresholds."""

    def on_search(side: str, verdict: Callable[[_Search, dict], Verdict]) -> Callable:
        def judged(sides, case):
            failure, why = verdict(_Search(sides.get(side), case), case["thresholds"])
            if failure and verdict is not _ends and _exchanged(sides, case):
                why = EXCHANGED
            return failure, why

        return judged

    judges = {
        "safe": on_search("safe", _safe),
        "unsafe_misses": on_search("unsafe", _misses),
        "unsafe_ends": on_search("unsafe", _ends),
    }
    return judge_examples(answer, case, judges, HEADING)


def _exchanged(sides: dict, case: dict) -> bool:
    try:
        safe, unsafe = (_Search(sides.get(side), case) for side in ("unsafe", "safe"))
    except Unusable:
        return False
    limits = case["thresholds"]
    return _safe(safe, limits)[0] is None and _misses(unsafe, limits)[0] is None


class _Search:
    """One side's table, read, with gold along β and what the search ships. Raises Unusable, saying what is wrong."""

    def __init__(self, side: Any, case: dict[str, Any]):
        self.ref, self.proxy, self.gold = (
            self._column(side, name, case["bounds"]) for name in ("ref", "proxy", "gold")
        )
        sizes = {len(column) for column in (self.ref, self.proxy, self.gold)}
        if len(sizes) > 1:
            raise Unusable(
                f"{len(self.ref)} entries in 'ref', {len(self.proxy)} in 'proxy', {len(self.gold)} in 'gold': "
                "expected one of each for every response"
            )
        least = case["bounds"]["least_probability"]
        if not self.ref.min() >= least:
            raise Unusable(
                f"one response has probability {self.ref.min():.2g} under the reference: expected at least {least:g}"
            )
        if not abs(self.ref.sum() - 1) <= 1e-5:
            raise Unusable(f"'ref' sums to {self.ref.sum():.6g}: expected 1")
        self.ref = self.ref / self.ref.sum()
        self.betas = case["betas"]
        self.curve = [float(self._optimum(beta) @ self.gold) for beta in self.betas]
        self.shipped, self.stopped = _lower_until_it_turns(self.curve, case["thresholds"]["fall"])
        self.best = int(np.argmax(self.curve))

    def _column(self, side: Any, name: str, bounds: dict[str, Any]) -> np.ndarray:
        found = entry(side, name)
        (fewest, most), largest = bounds["responses"], bounds["largest"][name]
        if found.ndim != 1 or not fewest <= len(found) <= most:
            raise Unusable(
                f"{name!r} of shape {found.shape}: expected one number for each of {fewest} to {most} responses"
            )
        if name == "ref":
            refuse_logarithms(found, name)
        if not np.abs(found).max() <= largest:  # NaN and infinity end here too
            raise Unusable(
                f"{name!r} up to {np.abs(found).max():.3g}: expected finite, at most {largest:g} either way"
            )
        return found

    def _optimum(self, beta: float) -> np.ndarray:
        scores = np.log(self.ref) + self.proxy / beta
        weights = np.exp(scores - scores.max())
        return weights / weights.sum()

    @property
    def reference_gold(self) -> float:
        return float(self.ref @ self.gold)

    @property
    def missed(self) -> float:
        """Gold of the best β on the grid minus gold of the one that is shipped."""
        return self.curve[self.best] - self.curve[self.shipped]

    def __str__(self) -> str:
        rows = zip(self.ref, self.proxy, self.gold)
        lines = [f"  {k}  {p:>9.4g} {r:>8.4g} {g:>8.4g}" for k, (p, r, g) in enumerate(rows)]
        return "response, ref, proxy, gold\n" + "\n".join(lines)

    def story(self) -> str:
        """Gold along β, and where the search stopped."""
        lines = [f"gold of the reference {self.reference_gold:+.2f}", "gold by β:"]
        row = [f"{beta:g}: {gold:+.2f}" for beta, gold in zip(self.betas, self.curve)]
        lines += ["  " + ", ".join(row[k : k + 5]) for k in range(0, len(row), 5)]
        end = "at the last β" if self.stopped is None else f"at β = {self.betas[self.stopped]:g}"
        lines.append(
            f"the search stops {end} and ships β = {self.betas[self.shipped]:g}; best is β = {self.betas[self.best]:g}"
        )
        return "\n".join(lines)


def _lower_until_it_turns(curve: list[float], fall: float) -> tuple[int, int | None]:
    """Place of the β that is shipped, and of the one at which the search stopped, None if it never did."""
    shipped = 0
    for k, gold in enumerate(curve):
        if gold > curve[shipped]:
            shipped = k
        elif gold <= curve[shipped] - fall:
            return shipped, k
    return shipped, None


def _safe(search: _Search, limits: dict[str, float]) -> Verdict:
    rise = search.curve[search.best] - search.reference_gold
    turn = search.curve[search.best] - search.curve[-1]
    if search.missed <= limits["near"] and min(rise, turn) >= limits["change"]:
        return None, ""
    asked = (
        f"the search ships the best gold on the grid, at least {limits['change']:g} above the reference and above "
        "the smallest β"
    )
    if search.missed > limits["near"]:
        why = (
            f"Safe table: the search stopped too early and missed {search.missed:.2f} of gold. Gold rises again "
            "after it has fallen; on a safe table it turns once."
        )
    elif rise < limits["change"]:
        why = (
            f"Safe table: gold rises by {rise:.2f} above the reference at best; asked is {limits['change']:g} or "
            "more. Somewhere the proxy has to be right."
        )
    else:
        why = (
            f"Safe table: gold ends {turn:.2f} below its best; asked is {limits['change']:g} or more. A proxy that is "
            "right to the end needs no search: which response does it like best?"
        )
    return Failure(str(search), search.story(), asked, HEADING), why


def _misses(search: _Search, limits: dict[str, float]) -> Verdict:
    if search.missed >= limits["change"]:
        return None, ""
    asked = f"the search stops, and a smaller β has at least {limits['change']:g} more gold"
    if search.stopped is None:
        why = (
            f"Unsafe table: gold never falls by {limits['fall']:g} from its best so far, so nothing stops the search. "
            "There has to be a valley."
        )
    elif search.missed <= limits["near"]:
        why = "Unsafe table: the search ships the best β there is. After its stop, gold has to rise again, and higher."
    else:
        why = f"Unsafe table: the search misses {search.missed:.2f} of gold; asked is {limits['change']:g} or more."
    return Failure(str(search), search.story(), asked, HEADING), why


def _ends(search: _Search, limits: dict[str, float]) -> Verdict:
    end = search.reference_gold - search.curve[-1]
    if end >= limits["change"]:
        return None, ""
    why = (
        "Unsafe table: the smallest β does no harm, so whoever never stops loses nothing. Asked is gold at least "
        f"{limits['change']:g} below the reference's there; it is {abs(end):.2f} {'below' if end > 0 else 'above'}."
    )
    asked = f"gold at the smallest β lies at least {limits['change']:g} below that of the reference"
    return Failure(str(search), search.story(), asked, HEADING), why
