"""β and the optimal policy of one request (sections 1.3 and 5.1), exact over all 11,111 replies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show
from helpers.policies import by_reward, expected, kl, optimum
from helpers.world import EXACT

NAME = "β and the optimal policy of one request"
BETAS = torch.tensor(np.geomspace(50, 0.05, 60))  # of the frontier that is drawn


@dataclass(frozen=True)
class Reply:
    """One reply, its gold reward, and its probability under π_ref and under π*."""

    text: str
    gold: float
    before: float
    after: float


@dataclass(frozen=True)
class State:
    """One request at one β: some of its replies, log Z, KL(π*‖π_ref) in nats, expected gold of both policies."""

    prompt: str
    beta: float
    replies: tuple[Reply, ...]
    log_z: float
    kl: float
    gold_before: float
    gold: float


def row(ref_logps: Tensor, prompt: str) -> tuple[Tensor, Tensor]:
    """log π_ref and gold of all replies to one request, (N,) each, float64."""
    at = EXACT.prompt_index(prompt)
    return ref_logps[at].double().log_softmax(-1), EXACT.gold[at]


def state(ref_logps: Tensor, prompt: str, beta: float) -> State:
    """The optimum of one request. ref_logps: (n_prompts, N). ValueError for an unknown prompt and β ≤ 0.

    The replies are the same at every β: the likeliest four of π_ref, and the likeliest four of π* at β = ¼.
    """
    ref, gold = row(ref_logps, prompt)
    star, log_z = optimum(ref, gold, beta)
    some = torch.cat([ref.topk(4).indices, optimum(ref, gold, 0.25)[0].topk(4).indices]).unique()
    some = sorted(some.tolist(), key=lambda y: (-gold[y].item(), -ref[y].item()))
    replies = tuple(
        Reply(
            EXACT.text(y) or "(nothing)", gold[y].item(), ref[y].exp().item(), star[y].exp().item()
        )
        for y in some
    )
    spent, earned = kl(star, ref).item(), expected(star, gold).item()
    return State(prompt, beta, replies, log_z.item(), spent, expected(ref, gold).item(), earned)


def frontier_of(ref_logps: Tensor, prompt: str) -> tuple[list[float], list[float]]:
    """KL and gold of the request's optimum at each of ``BETAS``."""
    values, mass, _ = by_reward(*row(ref_logps, prompt))
    each, mass = (
        values / BETAS.unsqueeze(1),
        mass.expand(len(BETAS), -1),
    )  # r/β with β = 1 is r with β
    star, _ = optimum(mass, each, 1.0)
    return kl(star, mass).tolist(), expected(star, values.expand_as(star)).tolist()


def look(ref_logps: Tensor, prompt: str, beta: float) -> View:
    """Bars of the replies, and the point on the request's frontier."""
    now = state(ref_logps, prompt, beta)
    spent, earned = frontier_of(ref_logps, prompt)
    best = max(now.replies, key=lambda reply: reply.after)
    reading = (
        f"“{prompt}?”, β = {beta:.3g}: log Z = {now.log_z:.3f}, KL(π*‖π_ref) = {now.kl:.3f} nats, "
        f"gold {svg.signed(now.gold_before)} under π_ref and {svg.signed(now.gold)} under π*. "
        "The likeliest of these replies is "
        f"“{best.text}” with {best.after:.3f} (π_ref: {best.before:.3f})."
    )
    rows = [(f"{y.text} ({svg.number(y.gold)})", (y.before, y.after)) for y in now.replies]
    others = [1 - sum(column) for column in zip(*(values for _, values in rows))]
    rows.append(("all others", others))
    high = max(max(values) for _, values in rows)
    edge = max(spent[-1], 0.1)
    panel = svg.Panel(480, 52, 165, 200, (0, edge), (min(earned) - 0.05, max(earned) + 0.1))
    bottom = 40 + svg.row_height(2) * len(rows)
    parts = [
        svg.text(10, 20, "Probabilities of replies (their gold reward)", bold=True),
        svg.bars(205, 32, 190, rows, ("reference", "optimum"), high),
        svg.legend(205, bottom + 10, [("π_ref", "reference"), ("π*, the optimum", "optimum")]),
        panel.axes("Gold reward", "KL from π_ref, nats", _ticks(0, edge), _ticks(*panel.y)),
        panel.line(spent, earned, "reference"),
        panel.dot(now.kl, now.gold, "optimum"),
    ]
    return View(svg.picture(660, max(bottom + 35, 300), NAME, reading, parts), reading)


def _ticks(low: float, high: float) -> list[float]:
    step = 1.0 if high - low > 2 else 0.5 if high - low > 1 else 0.2
    return [round(k * step, 1) for k in range(-20, 40) if low <= k * step <= high]


def explorer(ref_logps: Tensor) -> Explorer:
    """Knobs: the request and β. ref_logps: log π_ref of all replies, (n_prompts, N)."""
    requests = tuple(prompt.text for prompt in EXACT.prompts)
    knobs = {
        "prompt": Choice("request", requests, "fix lamp"),
        "beta": Slider("β", -1, 1, 0.05, 1.0, log=True),
    }
    return Explorer(NAME, knobs, partial(look, ref_logps))


def explore_beta(ref_logps: Tensor) -> None:
    """Show the explorer; ``ref_logps`` as ``helpers.lesson.reference`` returns them."""
    show(explorer(ref_logps))
