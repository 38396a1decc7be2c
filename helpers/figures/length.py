"""Figures of 7.3: how many words the arms of an experiment write, beside their gold."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, headline, styled


@styled
def plot_words(arms: dict[str, tuple[float, float]], reference: float, title: str) -> Figure:
    """Mean words of replies, a row per arm; the first arm is the control, from which lines are drawn to the others.

    arms: name → (mean words, mean gold); the gold is written at the right. reference: mean words of π_ref. Raises
    ValueError for fewer than two arms and for numbers that are not finite.
    """
    if len(arms) < 2:
        raise ValueError(f"{len(arms)} arms: expected a control and at least one other")
    for name, numbers in (*arms.items(), ("π_ref", (reference,))):
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"{name!r} has {numbers}: expected finite numbers")
    figure, axes = plt.subplots(figsize=(5.8, 0.3 * len(arms) + 1.2))
    control = next(iter(arms.values()))[0]
    for row, (name, (words, gold)) in zip(range(len(arms))[::-1], arms.items()):
        family = "policy" if row == len(arms) - 1 else "rejected"
        axes.plot([control, words], [row, row], color=COLOURS[family], lw=2)
        axes.plot([words], [row], "o", color=COLOURS[family], ms=8)
        axes.annotate(
            f"gold {gold:.2f}", (1.02, row), xycoords=("axes fraction", "data"), va="center",
            fontsize=10,
        )  # fmt: skip
    axes.axvline(control, color=COLOURS["policy"], lw=1)
    axes.axvline(reference, color=COLOURS["reference"], lw=1, ls="--")
    axes.annotate(
        "π_ref", (reference, len(arms) - 0.5), (3, -2), textcoords="offset points", fontsize=9,
        color=INK["reference"], va="top",
    )  # fmt: skip
    axes.set_yticks(range(len(arms))[::-1], arms)
    axes.set(xlabel="words in a reply, mean", ylim=(-0.5, len(arms) - 0.5))
    headline(figure, title)
    return figure
