"""From a margin to a probability, a loss and the weight of a DPO step (sections 2.3 and 5.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from helpers.explorers import svg
from helpers.explorers.wiring import Explorer, Slider, View, show
from helpers.losses import dpo_loss

NAME = "margin, probability, and the weight of a pair"


@dataclass(frozen=True)
class State:
    """One pair with margin h in nats: P(chosen preferred) = σ(βh), its loss, and how hard it pulls.

    weight is βσ(−βh), the length of −∇L along ∇h; slope is dL/d(βh) = −σ(−βh).
    """

    h: float
    beta: float
    probability: float
    loss: float
    slope: float
    weight: float


def state(h: float, beta: float) -> State:
    """By ``dpo_loss`` and autograd. Raises ValueError for β ≤ 0 and an h that is not finite."""
    margin, zero = (
        torch.tensor([h], dtype=torch.float64, requires_grad=True),
        torch.zeros(1).double(),
    )
    loss = dpo_loss(margin, zero, zero, zero, beta)
    (along_h,) = torch.autograd.grad(loss, margin)
    weight = -along_h.item()
    return State(h, beta, (-loss).exp().item(), loss.item(), -weight / beta, weight)


def weights(margins: list[float], beta: float) -> list[float]:
    """The weight of a pair at each of these margins, in one call of the loss."""
    h = torch.tensor(margins, dtype=torch.float64, requires_grad=True)
    zero = torch.zeros_like(h)
    (along_h,) = torch.autograd.grad(dpo_loss(h, zero, zero, zero, beta), h)
    return (-along_h * len(h)).tolist()  # the loss is a mean


def look(h: float, beta: float) -> View:
    """σ(βh) and the weight over h, and the pair on both curves."""
    now = state(h, beta)
    side = "as the label says" if h > 0 else "against the label" if h < 0 else "not at all"
    reading = (
        f"h = {svg.signed(h, 1)} nats, β = {beta:.3g}: the pair is ranked {side}. P(chosen preferred) = σ(βh) = "
        f"{now.probability:.3f}, loss {now.loss:.3f}. The step on this pair has the weight βσ(−βh) = "
        f"{now.weight:.3f}, {100 * now.weight / beta:.1f} % of its most, β."
    )
    xs = svg.grid(-8, 8, 81)
    pulls = weights(xs, beta)
    left = svg.Panel(45, 40, 240, 180, (-8, 8), (0, 1))
    right = svg.Panel(385, 40, 240, 180, (-8, 8), (0, beta * 1.05))
    ticks, axis = (-8, -4, 0, 4, 8), "margin h, nats"
    parts = [
        left.axes("P(chosen preferred) = σ(βh)", axis, ticks, (0, 0.5, 1)),
        left.level(0.5),
        left.line(xs, [1 - pull / beta for pull in pulls], "policy"),
        left.dot(h, now.probability, "policy"),
        right.axes(
            "weight βσ(−βh)", axis, ticks, (0, float(f"{beta / 2:.3g}"), float(f"{beta:.3g}"))
        ),
        right.line(xs, pulls, "rejected"),
        right.dot(h, now.weight, "rejected"),
    ]
    return View(svg.picture(660, 262, NAME, reading, parts), reading)


def explorer() -> Explorer:
    """Knobs: the margin and β."""
    knobs = {
        "h": Slider("margin h", -8, 8, 0.1, 1.0),
        "beta": Slider("β", -1.3, 0.7, 0.1, 1.0, log=True),
    }
    return Explorer(NAME, knobs, look)


def explore_margin() -> None:
    """Show the explorer."""
    show(explorer())
