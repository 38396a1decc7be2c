"""How fast do the explorers answer? ``python -m tools.explorers`` prints median and 95th percentile of an update.

An update is what the kernel does when a knob was moved: state, drawing, words, and the new value of the widget. Every
knob is moved to random places, 100 moves for each explorer. The policies are trained first, in two minutes.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

import torch

from helpers import explorers
from helpers.explorers import wiring
from helpers.lesson import chat_base, chat_reference, chat_reward_model, reference, unpenalised
from tools.console import say

MOVES = 100


def all_explorers() -> dict[str, wiring.Explorer]:
    """Every explorer of the package with the lesson's reference, and made-up pairs where it asks for pairs."""
    ref_logps, drawn = reference()[1], torch.Generator().manual_seed(0)
    margins = 2 * torch.randn(7000, generator=drawn, dtype=torch.float64)
    labels = (torch.rand(7000, generator=drawn, dtype=torch.float64) < margins.sigmoid()).double()
    policies = {"base": chat_base, "SFT": chat_reference, "PPO": lambda: unpenalised()[0]}
    given = {"temperature": ({"a model": (margins, labels)},)}
    given["playground"] = policies, chat_reference, chat_reward_model
    alone = "clip", "group", "ipo", "margin"
    names = [name.removeprefix("explore_") for name in explorers.__all__]
    return {
        name: getattr(explorers, name).explorer(
            *given.get(name, () if name in alone else (ref_logps,))
        )
        for name in names
    }


def seconds(explorer: wiring.Explorer, moves: int, luck: random.Random) -> list[float]:
    """Seconds of each move of a knob."""
    *controls, _card = wiring.wired(explorer).children
    controls = [
        c for c in controls if len(getattr(c, "options", "two")) > 1
    ]  # one option cannot move
    took = []
    for _ in range(moves):
        control = luck.choice(controls)
        if hasattr(control, "options"):
            value = luck.choice(control.options)
        else:
            value = luck.uniform(control.min, control.max)
            value = (
                10**value
                if "Log" in type(control).__name__
                else round(value / control.step) * control.step
            )
        start = time.perf_counter()
        control.value = value
        took.append(time.perf_counter() - start)
    return took


def main() -> int:
    """Print the table."""
    torch.set_num_threads(1)
    say(f"{'explorer':12} {'median, ms':>11} {'p95, ms':>9}   of {MOVES} moves, one thread")
    for name, explorer in all_explorers().items():
        took = [1000 * s for s in seconds(explorer, MOVES, random.Random(0))]
        p95 = statistics.quantiles(took, n=20)[-1]
        say(f"{name:12} {statistics.median(took):11.1f} {p95:9.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
