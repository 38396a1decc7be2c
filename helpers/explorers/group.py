"""A group of replies to one request (section 6.5): advantages with and without the standard deviation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from helpers.explorers import svg
from helpers.explorers.wiring import Explorer, Slider, View, show
from helpers.policy_gradient import group_advantages

NAME = "a group of replies: advantages with and without the standard deviation"


@dataclass(frozen=True)
class State:
    """A group of ``size`` replies of which ``right`` are right, and what the group's kind of request makes of it.

    rewards, plain (r − mean) and divided (by the standard deviation too): (size,) each, right replies first.
    push_plain and push_divided: expected push on the log-odds over all groups of this size, when a reply is right
    with ``chance``; true is the gradient p(1 − p).
    """

    size: int
    right: int
    chance: float
    rewards: tuple[float, ...]
    plain: tuple[float, ...]
    divided: tuple[float, ...]
    push_plain: float
    push_divided: float
    true: float


def push(chances: list[float], size: int, divide: bool) -> list[float]:
    """Expected (1/G) Σ A·∂log π/∂z for each chance, over all numbers of right replies, by enumeration."""
    p = torch.tensor(chances, dtype=torch.float64).unsqueeze(1)  # (P, 1)
    right = torch.arange(size + 1, dtype=torch.float64)  # (G + 1,)
    rewards = (torch.arange(size) < right.unsqueeze(1)).double()  # (G + 1, G): row j has j ones
    A = group_advantages(rewards, divide)
    ways = torch.tensor([math.comb(size, j) for j in range(size + 1)], dtype=torch.float64)
    weight = ways * p**right * (1 - p) ** (size - right)  # (P, G + 1)
    return (weight * ((A * rewards).mean(1) - A.mean(1) * p)).sum(1).tolist()


def state(size: int, right: int, chance: float) -> State:
    """Raises ValueError unless 0 ≤ right ≤ size, size ≥ 2 and 0 < chance < 1."""
    if not 0 <= right <= size or size < 2 or not 0 < chance < 1:
        raise ValueError(
            f"{right} right of {size}, chance {chance}: expected 0 ≤ right ≤ size ≥ 2, 0 < chance < 1"
        )
    rewards = (torch.arange(size) < right).double().unsqueeze(0)
    plain, divided = (group_advantages(rewards, divide)[0].tolist() for divide in (False, True))
    both = (push([chance], size, divide)[0] for divide in (False, True))
    return State(
        size,
        right,
        chance,
        tuple(rewards[0].tolist()),
        tuple(plain),
        tuple(divided),
        *both,
        chance * (1 - chance),
    )


def look(size: float, right: float, chance: float) -> View:
    """Advantages of the replies as bars up and down, and the expected push over the chance."""
    size = int(size)
    now = state(size, min(int(right), size), chance)
    if 0 < now.right < size:
        worth = (
            f"a right reply gets {svg.signed(now.divided[0], 2)}, a wrong one {svg.signed(now.divided[-1], 2)} "
            f"(mean subtracted only: {svg.signed(now.plain[0], 2)} and {svg.signed(now.plain[-1], 2)})"
        )
    else:
        worth = "all rewards are equal, so every advantage is 0 and the group teaches nothing"
    reading = (
        f"{now.right} of {size} replies are right: {worth}. Over all groups of requests that are solved with "
        f"probability {chance:.2f}, the expected push is {now.push_divided / now.true:.2f} times the true gradient "
        f"with the division, {now.push_plain / now.true:.2f} times without."
    )
    left = svg.Panel(45, 40, 250, 190, (-0.5, size - 0.5), (-6, 6) if size > 10 else (-3, 3))
    right_panel = svg.Panel(395, 40, 240, 190, (0, 1), (0, 6) if size > 10 else (0, 3))
    chances = svg.grid(0.02, 0.98, 49)
    parts = [
        left.axes(
            "advantage of each reply", "replies, right ones first", (), (left.y[0], 0, left.y[1])
        ),
        left.level(0),
    ]
    wide = 0.4 * left.width / size
    for k in range(size):
        for value, role, shift in (
            (now.plain[k], "reference", -wide),
            (now.divided[k], "policy", 0.0),
        ):
            (x, y), (_, zero) = left.place(k, value), left.place(k, 0)
            parts.append(
                svg.rectangle(x + shift, min(y, zero), wide, abs(y - zero), svg.COLOURS[role])
            )
    factors = [
        [found / (p * (1 - p)) for found, p in zip(push(chances, size, divide), chances)]
        for divide in (False, True)
    ]
    ticks = (0, 0.25, 0.5, 0.75, 1)
    parts.append(
        right_panel.axes(
            "expected push, 1: true gradient",
            "chance p that a reply is right",
            ticks,
            (0, 1, 2, right_panel.y[1]),
        )
    )
    parts += [
        right_panel.level(1),
        right_panel.line(chances, factors[0], "reference"),
        right_panel.line(chances, factors[1], "policy"),
        right_panel.dot(chance, now.push_plain / now.true, "reference"),
        right_panel.dot(chance, now.push_divided / now.true, "policy"),
        svg.legend(45, 285, [("mean subtracted only", "reference")]),
        svg.legend(395, 285, [("divided by the standard deviation too", "policy")]),
    ]
    return View(svg.picture(660, 298, NAME, reading, parts), reading)


def explorer() -> Explorer:
    """Knobs: size of the group, how many are right, and how often a reply is right."""
    knobs = {
        "size": Slider("replies in a group", 2, 32, 1, 8),
        "right": Slider("of them right", 0, 32, 1, 3),
        "chance": Slider("chance of right", 0.02, 0.98, 0.02, 0.1),
    }
    return Explorer(NAME, knobs, look)


def explore_group() -> None:
    """Show the explorer."""
    show(explorer())
