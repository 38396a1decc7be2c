"""Be the annotator: label pairs of replies, and see the reward that they teach and the policy that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, View, show
from helpers.policies import expected, optimum
from helpers.reward_features import NAMES, features
from helpers.world import EXACT, SLICES, Annotator, PairBatch, ResponseSampler, draw_pairs

NAME = "be the annotator: twenty pairs, the reward they teach, and its optimum"
OPEN = "not yet"
HANDS = ("nobody", "gold", "a careless hand", "who likes long replies")
PAIRS = 20


@dataclass(frozen=True)
class Known:
    """What does not change: the pairs, their features' differences, and π_ref seen through the features.

    pairs: ``PAIRS`` of them; difference (PAIRS, 8), first minus second; rows (K, 8), the different features of all
    replies to all requests; logps (48, K), log mass of each; gold (K,); weights (8,), those of gold.
    """

    pairs: PairBatch
    difference: Tensor
    rows: Tensor
    logps: Tensor
    gold: Tensor
    weights: Tensor


@dataclass(frozen=True)
class State:
    """What the labels made: weights (8,) of the fitted reward, and gold under π_ref, its optimum, gold's optimum.

    agree: how many of the ``labelled`` pairs go with gold, pairs of equal gold left out. Gold is a mean over all
    requests, by_slice of the fitted reward's optimum. β is 1.
    """

    labelled: int
    agree: int
    weights: tuple[float, ...]
    before: float
    gold: float
    best: float
    by_slice: dict[str, float]


def known(ref_logps: Tensor) -> Known:
    """Pairs of π_ref's replies, drawn once, and tables. ref_logps (48, N)."""
    drawn = torch.Generator().manual_seed(12)
    pairs, f = (
        draw_pairs(EXACT, ResponseSampler(ref_logps), Annotator(), 10 * PAIRS, drawn),
        features(EXACT),
    )
    difference = f[pairs.prompts, pairs.chosen] - f[pairs.prompts, pairs.rejected]
    told = difference.any(1)  # no features could tell the others apart
    pairs, difference = pairs[told][:PAIRS], difference[told][:PAIRS]
    key = (f.flatten(0, 1) * 5.0 ** torch.arange(f.shape[2])).sum(
        1
    )  # all features are whole numbers below 5
    keys, place = key.unique(return_inverse=True)
    rows = torch.zeros(len(keys), f.shape[2], dtype=torch.float64)
    rows[place] = f.flatten(0, 1)
    p = ref_logps.double().softmax(-1)
    mass = torch.zeros(len(p), len(rows), dtype=torch.float64).scatter_add(
        1, place.view(p.shape), p
    )
    gold = torch.zeros(len(rows), dtype=torch.float64)
    gold[place] = EXACT.gold.flatten()
    weights = torch.linalg.lstsq(rows, gold.unsqueeze(1)).solution[:, 0]
    return Known(pairs, difference, rows, mass.log(), gold, weights)


def by_hand(table: Known, hand: str) -> list[bool | None]:
    """Whether somebody prefers the first reply of each pair; None where nobody says. ValueError for an unknown hand.

    gold: the reply with more gold. A careless hand: the same, but turned round in every third pair. Who likes long
    replies: the longer one. Equal ones stay open.
    """
    if hand not in HANDS:
        raise ValueError(f"hand {hand!r}: expected one of {', '.join(HANDS)}")
    first, second = table.pairs.chosen, table.pairs.rejected
    gap = (table.difference @ table.weights).tolist()
    if hand == HANDS[3]:
        gap = (EXACT.lengths[first] - EXACT.lengths[second]).tolist()
    if hand == HANDS[2]:
        gap = [-value if k % 3 == 0 else value for k, value in enumerate(gap)]
    return [None if hand == HANDS[0] or abs(value) < 1e-9 else value > 0 for value in gap]


def fit(difference: Tensor) -> Tensor:
    """The weights (8,) of a linear Bradley–Terry reward with prior N(0, 1), from differences winner − loser (B, 8).

    The minimum of Σ −log σ(w·d) + ‖w‖²/2 by Newton's method; 0 without a pair.
    """
    w = torch.zeros(difference.shape[1], dtype=torch.float64)
    for _ in range(30):
        lost = torch.sigmoid(-difference @ w)
        slope = w - difference.T @ lost
        bend = (
            torch.eye(len(w), dtype=torch.float64)
            + (difference.T * (lost * (1 - lost))) @ difference
        )
        w = w - torch.linalg.solve(bend, slope)
    return w


def state(table: Known, answers: list[bool | None]) -> State:
    """answers: for each pair whether the first reply is better, None where that is open."""
    said = [k for k, answer in enumerate(answers) if answer is not None]
    sign = torch.tensor([1.0 if answers[k] else -1.0 for k in said]).double().unsqueeze(1)
    won = table.difference[said] * sign if said else table.difference[:0]
    w = fit(won)
    gold = table.gold.expand_as(table.logps)
    star, _ = optimum(table.logps, (table.rows @ w).expand_as(table.logps), 1.0)
    earned = expected(star, gold)
    return State(
        len(said),
        int(((won @ table.weights) > 1e-9).sum()),
        tuple(w.tolist()),
        expected(table.logps, gold).mean().item(),
        earned.mean().item(),
        expected(optimum(table.logps, gold, 1.0)[0], gold).mean().item(),
        {name: earned[EXACT.in_slice(name)].mean().item() for name in SLICES},
    )


def look(table: Known, rest: str, **answered: str) -> View:
    """Weights of the fitted reward beside gold's, and gold under the policies."""
    answers = by_hand(table, rest)
    for k, answer in enumerate(answered.values()):
        if answer != OPEN:
            answers[k] = answer == options(table, k)[1]
    now = state(table, answers)
    slices = ", ".join(f"{name} {svg.signed(value, 2)}" for name, value in now.by_slice.items())
    reading = (
        f"{now.labelled} of {PAIRS} pairs are labelled, {now.agree} as gold would. The optimum of the reward that they "
        f"teach (β = 1) has gold {svg.signed(now.gold)} ({slices}); π_ref has {svg.signed(now.before)}, "
        f"gold's own optimum {svg.signed(now.best)}."
    )
    left = svg.Panel(150, 40, 220, 190, (-2, 2), (-0.5, 6.5))
    right = svg.Panel(500, 40, 145, 110, (-1, 2.5), (-0.5, 2.5))
    parts = [
        left.axes("weights of the reward", "per feature", (-2, -1, 0, 1, 2), ()),
        left.upright(0),
    ]
    for k, (name, mine, gold) in enumerate(zip(NAMES[:7], now.weights, table.weights.tolist())):
        parts.append(svg.text(142, left.place(0, 6 - k)[1] + 4, name, anchor="end"))
        parts += [left.dot(gold, 6 - k, "gold", hollow=True), left.dot(mine, 6 - k, "policy")]
    parts += [
        right.axes("gold, all requests", "expected gold", (-1, 0, 1, 2), ()),
        right.upright(0),
    ]
    ends = (("π_ref", now.before, "reference"), ("your optimum", now.gold, "policy"))
    for k, (name, value, role) in enumerate((*ends, ("gold's optimum", now.best, "gold"))):
        parts.append(svg.text(492, right.place(0, 2 - k)[1] + 4, name, anchor="end"))
        parts.append(right.dot(value, 2 - k, role))
    parts.append(
        svg.legend(
            400, 225, [("fitted to the labels", "policy"), ("gold's weights (hollow)", "gold")]
        )
    )
    return View(svg.picture(660, 275, NAME, reading, parts), reading)


def options(table: Known, k: int) -> tuple[str, str, str]:
    """What may be said about pair k: not yet, the first reply, the second."""
    return OPEN, *(
        EXACT.text(int(y[k])) or "(nothing)" for y in (table.pairs.chosen, table.pairs.rejected)
    )


def explorer(ref_logps: Tensor) -> Explorer:
    """Knobs: who labels what is left open, and for each pair the better reply. ref_logps (48, N)."""
    table = known(ref_logps)
    knobs = {"rest": Choice("left open: by", HANDS, HANDS[0])}
    for k, x in enumerate(table.pairs.prompts.tolist()):
        knobs[f"pair_{k}"] = Choice(f"{k + 1}. {EXACT.prompts[x].text}?", options(table, k), OPEN)
    return Explorer(NAME, knobs, partial(look, table))


def explore_annotator(ref_logps: Tensor) -> None:
    """Show the explorer; ``ref_logps`` as ``helpers.lesson.reference`` returns them."""
    show(explorer(ref_logps))
