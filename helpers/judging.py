"""Comparing two policies by a judge who sees two replies in an order: win rates, the swap test, intervals by prompt.

A judge's *points* for policy A are 1 for a win, ½ for a tie, 0 for a loss. Every pair is judged twice, once with A's
reply shown first and once with it shown second. ``tally`` counts by prompt; the estimates are functions of these
totals, and ``interval`` leaves one prompt out at a time, since pairs that share a prompt are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.policies import WHOLE, check_floating, check_real

COLUMNS = ("pairs", "points", "first twice", "second twice", "tied", "asked", "won")


def tally(
    shown_first: Tensor, shown_second: Tensor, prompts: Tensor, people: Tensor | None = None
) -> Tensor:
    """Totals by prompt, (C, 7) float64, in the order of ``COLUMNS``.

    shown_first, shown_second (N,): A's points when A was shown first and second; prompts (N,), whole numbers; people
    (N,): A's points by people who saw no order, NaN where nobody was asked. 'points' is the mean of both orders;
    'first twice' counts the pairs whose first place won in both orders, 'tied' those with a tie in either; 'asked' and
    'won' are people's answers and points on pairs that one place won twice, other answers are left out. Raises
    ValueError for vectors that differ in length, for no pairs, for points other than 0, ½, 1, and for a pair that was
    judged in one order only (NaN).
    """
    check_floating(shown_first=shown_first, shown_second=shown_second)
    people = torch.full_like(shown_first, torch.nan) if people is None else people
    check_floating(people=people)
    check_real(prompts=prompts)
    if prompts.dtype not in WHOLE:
        raise ValueError(f"prompts of {prompts.dtype}: expected whole numbers, one a pair")
    shapes = [tuple(v.shape) for v in (shown_first, shown_second, prompts, people)]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] == 0:
        raise ValueError(f"verdicts, prompts and people {shapes}: expected vectors of one length")
    for name, points in (("first", shown_first), ("second", shown_second)):
        if torch.isnan(points).any():
            pair = int(torch.isnan(points).nonzero()[0])
            raise ValueError(
                f"pair {pair} has no verdict with A shown {name}: a judge who saw one order only "
                "cannot be checked for a place bias. Show the pair in both orders, or leave it out"
            )
    _check_points("shown_first", shown_first)
    _check_points("shown_second", shown_second)
    asked = ~torch.isnan(people)
    _check_points("people", people[asked])
    to_first, to_second = (shown_first - shown_second == side for side in (1, -1))
    asked = asked & (to_first | to_second)
    won = torch.where(asked, people, 0.0)
    points = (shown_first + shown_second) / 2
    tied = (shown_first == 0.5) | (shown_second == 0.5)
    columns = torch.ones_like(points), points, to_first, to_second, tied, asked, won
    rows = torch.stack([column.double() for column in columns], dim=1)
    names, place = prompts.unique(return_inverse=True)
    return torch.zeros(len(names), len(COLUMNS), dtype=torch.float64).index_add(0, place, rows)


def _check_points(name: str, points: Tensor) -> None:
    other = (points != 0) & (points != 0.5) & (points != 1)
    if other.any():
        place = int(other.nonzero()[0])
        raise ValueError(f"{name}[{place}] is {points[place].item()}: expected 0, 0.5 or 1")


def win_rate(totals: Tensor) -> Tensor:
    """A's points over pairs, both orders averaged, ties one half: totals (..., 7) → (...).

    A pair with one win and one loss counts one half, so this is also the win rate of those who call such a pair a tie.
    Raises ValueError for what are no totals and for no pairs.
    """
    _check_totals(totals)
    return totals[..., 1] / totals[..., 0]


def place_term(totals: Tensor) -> Tensor:
    """b̂ = ½·log(n_F/n_S), in units of the gap: totals (..., 7) → (...); above 0 the judge leans to the first place.

    n_F and n_S count the pairs that the first, the second place won twice. The maximum of the likelihood given that
    each place won or lost twice, for a judge with P(first wins) = σ(gap + b), one b, independent verdicts. Ties say
    nothing here. A judge who leans to the first in some pairs and to the second in as many others has b̂ = 0.
    Raises ValueError where either count is 0, for then no finite b is best.
    Sources: McNemar 1947 (the table); Rasch 1960, Andersen 1970 (conditioning).
    """
    _check_totals(totals)
    first, second = totals[..., 2], totals[..., 3]
    bad = (first == 0) | (second == 0)
    if bad.any():
        n_first, n_second = (int(count[bad].flatten()[0]) for count in (first, second))
        raise ValueError(
            f"the first place won twice in {n_first} pairs, the second in {n_second}: expected both "
            "above 0, no finite place term fits. Judge more pairs, or closer ones"
        )
    return (first / second).log() / 2


def corrected_win_rate(totals: Tensor) -> Tensor:
    """A's win rate without the place term, totals (..., 7) → (...).

    win_rate + (1 − 1/cosh b̂)·(share of pairs that one place won twice)·(people's share for A among them − ½). Exact
    in expectation for a judge as in ``place_term`` whose gap is people's, and who calls no ties; for one twice
    as sure as people it is not, and verdicts do not show that. Raises ValueError as ``place_term`` does, where no one
    was asked, and where the judge called ties.
    """
    b, rate = place_term(totals), win_rate(totals)
    pairs, _, first, second, tied, asked, won = totals.unbind(-1)
    if tied.any():
        raise ValueError(
            f"{int(tied.max())} pairs with a tie: expected wins and losses only, for which the "
            "correction is derived. Ask the judge to decide, or report win_rate"
        )
    if (asked == 0).any():
        raise ValueError("nobody was asked: expected people's answers to pairs won by one place")
    hidden = (first + second) / pairs * (won / asked - 0.5)
    return rate + (1 - 1 / b.cosh()) * hidden


def interval(
    estimate: Callable[[Tensor], Tensor], totals: Tensor, level: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Ends of an interval for ``estimate`` when prompts, not pairs, are drawn: totals (..., C, K) → (...), (...).

    Jackknife: the estimate without prompt c, for every c, with Student's t on C − 1 degrees of freedom. The ends are
    not cut at 0 and 1. Raises ValueError for one prompt, for a level outside (0, 1), for estimates that are not
    finite, where leaving out a prompt changes nothing beyond rounding (all ties, or all wins: such data bound
    nothing), and what ``estimate`` raises, naming the prompt if it raises it only without that one. Source: Efron &
    Stein 1981.
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: expected a probability between 0 and 1, such as 0.95")
    check_floating(totals=totals)
    if totals.ndim < 2 or totals.shape[-2] < 2:
        raise ValueError(
            f"totals {tuple(totals.shape)}: expected (..., C, K) with C ≥ 2 prompts; pairs of one "
            "prompt say nothing about other prompts"
        )
    n, total = totals.shape[-2], totals.sum(-2)
    whole, left = estimate(total), total.unsqueeze(-2) - totals
    try:
        without = estimate(left)
    except ValueError:
        _name_the_prompt(estimate, left)
        raise
    if not (torch.isfinite(whole).all() and torch.isfinite(without).all()):
        raise ValueError(
            "estimates hold NaN or ∞: expected finite ones, with and without each prompt"
        )
    spread = (without - without.mean(-1, keepdim=True)).square().sum(-1) * (n - 1) / n
    if not (spread > 1e-20 * (1 + whole**2)).all():
        raise ValueError(
            "every prompt gives the same estimate: expected prompts that differ; of ties only, or "
            "wins only, no width can be told"
        )
    half = student_quantile((1 + level) / 2, n - 1) * spread.sqrt()
    return whole - half, whole + half


def _name_the_prompt(estimate: Callable[[Tensor], Tensor], left: Tensor) -> None:
    """Raise the first error that ``estimate`` raises on totals without one prompt, (..., C, K), and say which."""
    for prompt in range(left.shape[-2]):
        try:
            estimate(left[..., prompt, :])
        except ValueError as error:
            raise ValueError(f"without prompt {prompt}: {error}") from error


def student_quantile(p: float, df: int) -> float:
    """The t below which Student's t with ``df`` degrees of freedom falls with probability p.

    By t = √df·tan φ, whose density is cos^(df−1) φ up to a factor; right to 1e-4 up to df = 100,000. Raises ValueError
    unless 0 < p < 1 and 1 ≤ df ≤ 100,000: beyond, take the normal distribution's quantile.
    """
    if not 0 < p < 1 or not 1 <= df <= 100_000:
        raise ValueError(f"p = {p}, df = {df}: expected 0 < p < 1 and 1 ≤ df ≤ 100,000")
    angle = torch.linspace(-math.pi / 2, math.pi / 2, 200_001, dtype=torch.float64)
    density = angle.cos().clamp(min=0) ** (df - 1)
    below = torch.cat([torch.zeros(1, dtype=torch.float64), (density[1:] + density[:-1]).cumsum(0)])
    below = below / below[-1]
    place = int(torch.searchsorted(below, p))
    part = (p - below[place - 1]) / (below[place] - below[place - 1])
    return math.sqrt(df) * math.tan(angle[place - 1] + part * (angle[place] - angle[place - 1]))


def _check_totals(totals: Tensor) -> None:
    check_floating(totals=totals)
    if totals.ndim == 0 or totals.shape[-1] != len(COLUMNS) or totals.numel() == 0:
        raise ValueError(f"totals {tuple(totals.shape)}: expected (..., 7): {', '.join(COLUMNS)}")
    if not ((totals >= 0) & torch.isfinite(totals)).all() or (totals[..., 0] == 0).any():
        raise ValueError(
            "totals hold NaN, ∞, a number below 0 or no pairs: expected counts as tally's"
        )
    pairs, points, first, second, tied, asked, won = totals.unbind(-1)
    parts = {
        "points ≤ pairs": (points, pairs),
        "first twice + second twice ≤ pairs": (first + second, pairs),
        "tied ≤ pairs": (tied, pairs),
        "asked ≤ first twice + second twice": (asked, first + second),
        "won ≤ asked": (won, asked),
    }
    for rule, (less, more) in parts.items():
        over = less - more > 1e-9 * pairs  # counts may be expectations, which round
        if over.any():
            found = float(less[over].flatten()[0]), float(more[over].flatten()[0])
            raise ValueError(f"totals: expected {rule}, found {found[0]:g} > {found[1]:g}")
