"""PPO's clip for one token (section 4.3): the objective, and whether the token still pulls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show
from helpers.policy_gradient import clipped_policy_loss

NAME = "the clip: one token's objective and its pull"


@dataclass(frozen=True)
class State:
    """One token with ratio ρ and advantage A: min(ρA, clip(ρ)A), ρA alone, and the objective's slope.

    slope: by the token's log-probability; it is ρA, or 0 where the clip took it away.
    """

    ratio: float
    advantage: float
    clip: float
    objective: float
    unclipped: float
    slope: float


def state(ratio: float, advantage: float, clip: float) -> State:
    """By ``clipped_policy_loss`` and autograd. Raises ValueError for clip ≤ 0 and ratio ≤ 0."""
    if not ratio > 0:
        raise ValueError(f"ratio = {ratio}: expected a number above 0")
    moved = torch.tensor([[math.log(ratio)]], dtype=torch.float64, requires_grad=True)
    old, gain = torch.zeros(1, 1).double(), torch.full((1, 1), advantage, dtype=torch.float64)
    objective = -clipped_policy_loss(moved, old, gain, torch.ones(1, 1, dtype=torch.bool), clip)
    (slope,) = torch.autograd.grad(objective, moved)
    return State(ratio, advantage, clip, objective.item(), ratio * advantage, slope.item() + 0.0)


def look(ratio: float, advantage: float, clip: float) -> View:
    """Objective and slope over ρ, and the token on both."""
    now = state(ratio, advantage, clip)
    if now.slope == 0:
        pull = "The clip holds: no pull"
    elif ratio > 1 + clip or ratio < 1 - clip:
        pull = f"ρ is outside the band, and still the clip does nothing: pull {svg.signed(now.slope, 2)}"
    else:
        pull = f"ρ is within the band: pull {svg.signed(now.slope, 2)}"
    reading = (
        f"ρ = {ratio:.2f}, A = {svg.signed(advantage, 0)}, c = {clip:.2f}: objective {svg.signed(now.objective, 2)} "
        f"(without the clip {svg.signed(now.unclipped, 2)}). {pull} on log π of this token."
    )
    bends = [edge + side for edge in (1 - clip, 1 + clip) for side in (-1e-9, 1e-9)]
    xs = [0.02, *bends, 2]  # straight lines between these
    found = [state(x, advantage, clip) for x in xs]
    high = (0, 2.1) if advantage > 0 else (-2.1, 0)
    ticks, upward = (0, 0.5, 1, 1.5, 2), (0, 1, 2) if advantage > 0 else (-2, -1, 0)
    parts = []
    for left, title, at, curve, role in (
        (45, "objective min(ρA, clip(ρ)A)", now.objective, [s.objective for s in found], "policy"),
        (385, "its slope by log π", now.slope, [s.slope for s in found], "rejected"),
    ):
        panel = svg.Panel(left, 40, 240, 180, (0, 2), high)
        parts += [
            panel.axes(title, "ratio ρ", ticks, upward),
            panel.upright(1 - clip),
            panel.upright(1 + clip),
        ]
        parts += [panel.line(xs, curve, role), panel.dot(ratio, at, role)]
    return View(svg.picture(660, 262, NAME, reading, parts), reading)


def explorer() -> Explorer:
    """Knobs: the ratio, the advantage's sign, and the clip c."""
    knobs = {
        "ratio": Slider("ratio ρ", 0.05, 2, 0.05, 1.5),
        "advantage": Choice("advantage A", (1.0, -1.0), 1.0),
        "clip": Slider("clip c", 0.05, 0.5, 0.05, 0.2),
    }
    return Explorer(NAME, knobs, look)


def explore_clip() -> None:
    """Show the explorer."""
    show(explorer())
