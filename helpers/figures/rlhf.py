"""Figures of section 4, the RLHF pipeline in the chat world."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, legend_right, styled


@styled
def plot_imitation(gold: dict[str, dict[str, float]], title: str) -> Figure:
    """Mean gold reward by kind of request, a bar for each who (at most four)."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    kinds = list(next(iter(gold.values())))
    place, width = np.arange(len(kinds)), 0.8 / len(gold)
    for k, ((name, means), colour) in enumerate(
        zip(gold.items(), ("reference", "policy", "chosen", "gold"))
    ):
        heights = [means[kind] for kind in kinds]
        axes.bar(place - 0.4 + (k + 0.5) * width, heights, width, color=COLOURS[colour], label=name)
    axes.axhline(0, color=COLOURS["optimum"], lw=0.8)
    axes.set(title=title, ylabel="gold reward", xticks=place, xticklabels=kinds)
    legend_right(axes)
    return figure


@styled
def plot_masks(steps: list[int], arms: dict[str, list[float]], title: str) -> Figure:
    """Nats per held-out reply over training steps, a line for each arm."""
    figure, axes = plt.subplots(figsize=(8.5, 3.4))
    for (name, nats), colour in zip(arms.items(), ("policy", "rejected", "harmful")):
        axes.plot(steps, nats, "o-", color=COLOURS[colour], label=name)
    axes.set(title=title, xlabel="gradient steps", ylabel="nats per held-out reply", xticks=steps)
    legend_right(axes)
    return figure


@styled
def plot_reward_accuracy(
    honest: dict[int, float], flipped: float, endless: float, ceiling: float, title: str
) -> Figure:
    """Percent of honest answers that reward models predict, over training pairs → percent.

    At the largest number of pairs also with a quarter flipped, and with probabilities for answers.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    pairs = list(honest)
    axes.semilogx(pairs, list(honest.values()), "o-", color=COLOURS["policy"])
    points = {
        "honest answers": honest[pairs[-1]],
        "a quarter flipped": flipped,
        "probabilities": endless,
    }
    for (name, value), role in zip(points.items(), ("policy", "rejected", "chosen")):
        axes.plot(pairs[-1], value, "o", color=COLOURS[role])
        at = (pairs[-1], value)
        axes.annotate(name, at, (8, 0), textcoords="offset points", va="center")
    for height, name in ((ceiling, "ceiling: the gold reward's own accuracy"), (50, "a coin")):
        axes.axhline(height, color=COLOURS["optimum"], ls="--", lw=1)
        axes.annotate(name, (pairs[0], height), (0, 4), textcoords="offset points", va="bottom")
    axes.set(title=title, xlabel="training pairs", ylabel="honest answers predicted, %")
    axes.minorticks_off()
    axes.set(xticks=pairs, xticklabels=[f"{n:,}" for n in pairs])
    axes.set(xlim=(0.8 * pairs[0], 2.2 * pairs[-1]), ylim=(48, ceiling + 4))
    return figure


@styled
def plot_test_sets(
    measured: dict[int, Tensor], population: float, ceiling: float, title: str
) -> Figure:
    """How often test sets measure which accuracy, percent, with the true value and the ceiling."""
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    for (n, values), colour in zip(measured.items(), ("harmful", "policy")):
        grid = np.arange(-0.5, n + 1) * 100 / n if n < 100 else np.arange(0, 101)
        weights = np.full(len(values), 100 / len(values))
        axes.hist(
            values.numpy(),
            grid,
            weights=weights,
            color=COLOURS[colour],
            alpha=0.6,
            label=f"{n:,} pairs",
        )
    for x, name, side in ((population, "accuracy", -1), (ceiling, "ceiling", 1)):
        axes.axvline(x, color=COLOURS["optimum"], ls="-" if side < 0 else "--", lw=1.5)
        axes.annotate(
            f"{name} ",
            (x, 1.0),
            (6 * side, -4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="top",
        )
    low = min(values.min().item() for values in measured.values())
    axes.set(
        title=title,
        xlabel="measured accuracy, percent",
        ylabel="percent of test sets",
        xlim=(low - 2, 101),
    )
    legend_right(axes)
    return figure
