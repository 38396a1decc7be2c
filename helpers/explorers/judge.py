"""A judge who leans to the first place, and what the swap test mends (section 7.4), exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from helpers import judging
from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show
from helpers.policies import by_reward, optimum
from helpers.world import EXACT

NAME = "a judge who leans to the first place, and the swap test"
KINDS = ("place term", "additive", "lazy", "twice as sure")


@dataclass(frozen=True)
class State:
    """Win rates of A over all pairs: by people, and by the ways of counting a judge's verdicts; b̂ and split pairs."""

    people: float
    one_order: float
    split_dropped: float
    both_orders: float
    repaired: float
    split: float
    place_term: float


def verdicts(kind: str, lean: float, gaps: Tensor) -> tuple[Tensor, Tensor]:
    """P(A wins) shown first and shown second, for gaps of any shape. Raises ValueError for an unknown kind.

    place term: σ(d ± b), b the lean; twice as sure: σ(2d ± b). additive: σ(d) ± a with a = 0.45 · lean ·
    min(p, 1 − p), which leaves both within (0, 1). lazy: with probability 0.3 · lean says “first” unread.
    """
    p = gaps.sigmoid()
    if kind == "place term":
        return (gaps + lean).sigmoid(), (gaps - lean).sigmoid()
    if kind == "twice as sure":
        return (2 * gaps + lean).sigmoid(), (2 * gaps - lean).sigmoid()
    if kind == "additive":
        a = 0.45 * lean * torch.minimum(p, 1 - p)
        return p + a, p - a
    if kind == "lazy":
        unread = 0.3 * lean
        return (1 - unread) * p + unread, (1 - unread) * p
    raise ValueError(f"judge {kind!r}: expected one of {', '.join(KINDS)}")


def law(policy: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """The values (K,) that the gap of gold takes between replies of two policies, and their probabilities (K,).

    policy, other: log π of all replies, (n_prompts, N); requests are equally frequent.
    """
    values, won, _ = by_reward(policy, EXACT.gold)
    _, lost, _ = by_reward(other, EXACT.gold)
    gaps, at = (values[:, None] - values).flatten().unique(return_inverse=True)
    each = (won.exp()[:, :, None] * lost.exp()[:, None, :]).mean(0).flatten()
    return gaps, torch.zeros(len(gaps), dtype=torch.float64).index_add(0, at, each)


def state(gaps: Tensor, mass: Tensor, kind: str, lean: float) -> State:
    """Every way of counting with unlimited pairs: the package's estimates on expected totals. gaps, mass (K,)."""
    one, two = verdicts(kind, lean, gaps)
    to_first, to_second, p = one * (1 - two), two * (1 - one), gaps.sigmoid()
    asked = to_first + to_second
    columns = [torch.ones_like(p), (one + two) / 2, to_first, to_second, 0 * p, asked, asked * p]
    totals = torch.stack([mass @ column for column in columns]) / mass.sum()
    split, both = totals[5].item(), judging.win_rate(totals).item()
    dropped = ((mass @ (one * two)) / (mass @ (1 - asked))).item()
    repaired, b = judging.corrected_win_rate(totals).item(), judging.place_term(totals).item()
    return State((mass @ p).item(), (mass @ one).item(), dropped, both, repaired, split, b)


def look(gaps: Tensor, mass: Tensor, judge: str, lean: float) -> View:
    """The ways of counting as points against people's win rate, and P(A wins) over the gap in both orders."""
    now = state(gaps, mass, judge, lean)
    reading = (
        f"A is π* at β = 1, B is π_ref. Judge: {judge}, lean {lean:.1f}. By people A wins {now.people:.3f}. "
        f"Counted: one order {now.one_order:.3f}, split pairs dropped {now.split_dropped:.3f}, "
        f"both orders {now.both_orders:.3f}, with the place term repaired {now.repaired:.3f}. "
        f"Split pairs {100 * now.split:.1f} %, b̂ = {now.place_term:.2f}."
    )
    left = svg.Panel(160, 40, 180, 170, (0.5, 1.0), (-0.5, 3.5))
    right = svg.Panel(405, 40, 235, 170, (-4, 4), (0, 1))
    rows = {
        "one order": now.one_order,
        "split pairs dropped": now.split_dropped,
        "both orders": now.both_orders,
        "place term repaired": now.repaired,
    }
    xs = torch.linspace(-4, 4, 41, dtype=torch.float64)
    first, second = (p.tolist() for p in verdicts(judge, lean, xs))
    parts = [
        left.axes("win rate of A", "dashed: by people", (0.5, 0.75, 1), ()),
        left.upright(now.people, "gold"),
    ]
    for k, (name, rate) in enumerate(rows.items()):
        parts += [
            svg.text(150, left.place(0.5, 3 - k)[1] + 4, name, anchor="end"),
            left.dot(rate, 3 - k, "policy"),
        ]
    parts += [
        right.axes(
            "P(A wins) by the gap in gold", "gap of gold, A less B", (-4, -2, 0, 2, 4), (0, 0.5, 1)
        ),
        right.line(xs.tolist(), first, "policy"),
        right.line(xs.tolist(), second, "rejected"),
        right.line(xs.tolist(), xs.sigmoid().tolist(), "gold", dashed=True),
        svg.legend(405, 262, [("A shown first", "policy")]),
        svg.legend(505, 262, [("A shown second", "rejected")]),
        svg.legend(160, 262, [("people", "gold")]),
    ]
    return View(svg.picture(660, 275, NAME, reading, parts), reading)


def explorer(ref_logps: Tensor) -> Explorer:
    """Knobs: the kind of judge, and how far it leans. A is π* at β = 1, B is π_ref; ref_logps (n_prompts, N)."""
    ref = ref_logps.double().log_softmax(-1)
    gaps, mass = law(optimum(ref, EXACT.gold, 1.0)[0], ref)
    knobs = {
        "judge": Choice("judge", KINDS, KINDS[0]),
        "lean": Slider("lean to the first", 0, 2, 0.1, 1.0),
    }
    return Explorer(NAME, knobs, partial(look, gaps, mass))


def explore_judge(ref_logps: Tensor) -> None:
    """Show the explorer; ``ref_logps`` as ``helpers.lesson.reference`` returns them."""
    show(explorer(ref_logps))
