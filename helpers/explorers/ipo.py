"""One pair of replies, a share of wins, and where DPO and IPO stop (section 6.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from helpers.explorers import svg
from helpers.explorers.wiring import Explorer, Slider, View, show
from helpers.losses import dpo_loss, ipo_loss

NAME = "a share of wins, and where DPO and IPO stop"


@dataclass(frozen=True)
class State:
    """Two replies A and B, equally likely before; A wins the share ``wins``. Margins in nats, and what is left of B.

    dpo_margin is log(p/(1 − p))/β, infinite at p = 1; ipo_margin is (2p − 1)/(2τ).
    """

    wins: float
    beta: float
    tau: float
    dpo_margin: float
    ipo_margin: float
    dpo_left: float
    ipo_left: float


def state(wins: float, beta: float, tau: float) -> State:
    """The minima of both losses. Raises ValueError unless ½ ≤ wins ≤ 1, β > 0, τ > 0."""
    if not 0.5 <= wins <= 1 or not beta > 0 or not tau > 0:
        raise ValueError(
            f"wins = {wins}, beta = {beta}, tau = {tau}: expected ½ ≤ wins ≤ 1, the others above 0"
        )
    dpo = math.inf if wins == 1 else math.log(wins / (1 - wins)) / beta
    ipo = (2 * wins - 1) / (2 * tau)
    left = [
        1 / (1 + math.exp(min(margin, 700))) if margin < math.inf else 0.0 for margin in (dpo, ipo)
    ]
    return State(wins, beta, tau, dpo, ipo, *left)


def losses(
    margins: list[float], wins: float, beta: float, tau: float
) -> tuple[list[float], list[float]]:
    """Mean loss of DPO and of IPO at each margin, by the package's losses with the label ``wins``."""
    rows = torch.tensor(margins, dtype=torch.float64).unsqueeze(1)
    zero, label = torch.zeros(1).double(), torch.tensor([wins], dtype=torch.float64)

    def at(loss: partial, h: Tensor) -> float:
        return loss(h, zero, zero, zero, label=label).item()

    return tuple(
        [at(loss, h) for h in rows]
        for loss in (partial(dpo_loss, beta=beta), partial(ipo_loss, tau=tau))
    )


def look(wins: float, beta: float, tau: float) -> View:
    """Margins at the minimum over the share of wins, and both losses over the margin."""
    now = state(wins, beta, tau)
    if now.dpo_margin < math.inf:
        dpo = f"DPO's minimum is at h = {now.dpo_margin:.2f} nats and leaves B {now.dpo_left:.3f}"
    else:
        dpo = "DPO's loss falls for ever: no minimum, nothing of B is left in the limit"
    reading = (
        f"A wins {100 * wins:.1f} % of the answers, β = {beta:.3g}, τ = {tau:.3g}. {dpo}. IPO's is at h = "
        f"{now.ipo_margin:.2f} and leaves B {now.ipo_left:.3f}. Before, both had 0.5."
    )
    shares = svg.grid(0.5, 1, 101)
    found = [state(p, beta, tau) for p in shares]
    margins = svg.grid(0, 8, 33)
    curves = [
        [loss / max(curve[0], 1e-9) for loss in curve] for curve in losses(margins, wins, beta, tau)
    ]
    left = svg.Panel(45, 40, 240, 190, (0.5, 1), (0, 8))
    right = svg.Panel(385, 40, 240, 190, (0, 8), (0, 2))
    parts = [
        left.axes("margin h at the minimum", "share of wins of A", (0.5, 0.75, 1), (0, 4, 8)),
        left.upright(wins),
        left.line([s.wins for s in found[:-1]], [s.dpo_margin for s in found[:-1]], "policy"),
        left.line(shares, [s.ipo_margin for s in found], "rejected", dashed=True),
        left.dot(wins, now.ipo_margin, "rejected"),
        left.dot(wins, now.dpo_margin, "policy", hollow=now.dpo_margin > 8),
        right.axes("loss, that of h = 0 being 1", "margin h, nats", (0, 4, 8), (0, 1, 2)),
        right.line(margins, curves[0], "policy"),
        right.line(margins, curves[1], "rejected", dashed=True),
        svg.legend(45, 285, [("DPO (hollow: beyond the edge)", "policy")]),
        svg.legend(385, 285, [("IPO", "rejected")]),
    ]
    for margin, role, loss in zip((now.dpo_margin, now.ipo_margin), ("policy", "rejected"), (0, 1)):
        if margin <= 8:
            both = losses([0.0, margin], wins, beta, tau)[loss]
            parts.append(right.dot(margin, both[1] / both[0], role))
    return View(svg.picture(660, 298, NAME, reading, parts), reading)


def explorer() -> Explorer:
    """Knobs: the share of wins, β and τ."""
    knobs = {
        "wins": Slider("share of wins", 0.5, 1.0, 0.005, 0.9),
        "beta": Slider("β of DPO", -1, 1, 0.1, 1.0, log=True),
        "tau": Slider("τ of IPO", -1, 1, 0.1, 0.25, log=True),
    }
    return Explorer(NAME, knobs, look)


def explore_ipo() -> None:
    """Show the explorer."""
    show(explorer())
