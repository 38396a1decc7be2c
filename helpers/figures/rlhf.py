"""Figures of section 4, the RLHF pipeline in the chat world."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, legend_right, styled


@styled
def plot_imitation(gold: dict[str, dict[str, float]], title: str) -> Figure:
    """Mean gold reward by kind of request, a bar for each of base model, SFT policy and demonstrators."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    kinds = list(next(iter(gold.values())))
    place, width = np.arange(len(kinds)), 0.8 / len(gold)
    for k, ((name, means), colour) in enumerate(zip(gold.items(), ("reference", "policy", "gold"))):
        heights = [means[kind] for kind in kinds]
        axes.bar(place - 0.4 + (k + 0.5) * width, heights, width, color=COLOURS[colour], label=name)
    axes.axhline(0, color=COLOURS["optimum"], lw=0.8)
    axes.set(title=title, ylabel="gold reward, nats", xticks=place, xticklabels=kinds)
    legend_right(axes)
    return figure


@styled
def plot_masks(steps: list[int], runs: dict[str, dict[str, list[float]]], title: str) -> Figure:
    """Two masks over training steps: a panel for each quantity (axis label → run → values), labelled at the end."""
    figure, panels = plt.subplots(1, len(runs), figsize=(8.5, 3.6))
    for axes, (label, lines) in zip(panels, runs.items()):
        for (name, values), colour in zip(lines.items(), ("policy", "rejected")):
            axes.plot(steps, values, "o-", color=COLOURS[colour], label=name)
        axes.set(xlabel="gradient steps", ylabel=label, xticks=steps)
    panels[0].legend()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


@styled
def plot_reward_accuracy(pairs: list[int], accuracy: dict[str, list[float]], ceiling: float, title: str) -> Figure:
    """Percent of honest answers that reward models predict, over the number of training pairs, under the ceiling."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    for (name, values), colour in zip(accuracy.items(), ("policy", "rejected")):
        axes.semilogx(pairs, values, "o-", color=COLOURS[colour])
        end = (pairs[-1], values[-1])
        axes.annotate(name, end, (8, 0), textcoords="offset points", va="center", color=COLOURS[colour])
    for height, name in ((ceiling, "ceiling: the gold reward's own accuracy"), (50, "a coin")):
        axes.axhline(height, color=COLOURS["optimum"], ls="--", lw=1)
        axes.annotate(name, (pairs[-1] * 2.1, height), (0, 4), textcoords="offset points", va="bottom", ha="right")
    axes.minorticks_off()
    axes.set(title=title, xlabel="training pairs", ylabel="honest answers predicted, %")
    axes.set(xticks=pairs, xticklabels=[f"{n:,}" for n in pairs], xlim=(pairs[0] * 0.9, pairs[-1] * 2.2))
    axes.set_ylim(48, ceiling + 4)
    return figure


@styled
def plot_test_sets(measured: dict[int, Tensor], population: float, ceiling: float, title: str) -> Figure:
    """How often test sets of different sizes measure which accuracy (percent), with the true value and the ceiling."""
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    for (n, values), colour in zip(measured.items(), ("harmful", "policy")):
        grid = np.arange(-0.5, n + 1) * 100 / n if n < 100 else np.arange(0, 101)
        weights = np.full(len(values), 100 / len(values))
        axes.hist(values.numpy(), grid, weights=weights, color=COLOURS[colour], alpha=0.6, label=f"{n:,} pairs")
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
    axes.set(title=title, xlabel="measured accuracy, percent", ylabel="percent of test sets", xlim=(low - 2, 101))
    legend_right(axes)
    return figure
