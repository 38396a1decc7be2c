"""Figures of sections 4.3 and 4.5: the pieces of PPO, what a run shows, what it hides, and what keeps it honest."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, legend_right, styled

LOOKS = (("policy", "-", "o"), ("reference", "--", "s"), ("rejected", "-.", "^"))


def _headline(figure: Figure, title: str) -> None:
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")


@styled
def plot_lambda(
    lams: list[float], bias: dict[str, list[float]], noise: dict[str, list[float]], title: str
) -> Figure:
    """Bias of the mean gradient and noise of one reply's, in units of the exact one, for each value function over λ."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.7))
    for axes, lines, label in zip(panels, (bias, noise), ("bias, part of ∇J", "noise of one reply, part of ∇J")):
        for (name, values), (colour, line, marker) in zip(lines.items(), LOOKS):
            axes.plot(lams, values, color=COLOURS[colour], ls=line, marker=marker, ms=5, label=name)
        axes.set(xlabel="λ", ylabel=label)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    panels[0].legend(title="value function")
    _headline(figure, title)
    return figure


@styled
def plot_reuse(steps: tuple[int, ...], runs: dict[str, tuple[list[float], ...]], title: str) -> Figure:
    """Largest ratio and KL to the old policy over steps on one batch; runs: name → (largest ratio, share, KL, …)."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.7))
    for axes, k in zip(panels, (0, 2)):
        for (name, series), (colour, line, marker) in zip(runs.items(), LOOKS[::2]):
            axes.plot(steps, series[k], color=COLOURS[colour], ls=line, marker=marker, ms=5, label=name)
        axes.set_xlabel("steps on one batch")
    panels[0].set(yscale="log", ylabel="largest π/π_old of a token")
    panels[0].axhline(1.2, color=COLOURS["optimum"], lw=0.8, ls=":")
    panels[0].annotate("1 + ε", (steps[-1], 1.2), (0, 3), textcoords="offset points", ha="right", fontsize=10)
    panels[1].set_ylabel("KL(π‖π_old), nats")
    panels[1].legend()
    _headline(figure, title)
    return figure


@styled
def plot_training_log(steps: np.ndarray, panels: dict[str, np.ndarray], title: str) -> Figure:
    """What a run recorded, a small panel for each quantity (label → one value per iteration)."""
    figure, grid = plt.subplots(2, 3, figsize=(10, 4.6), sharex=True)
    for axes, (label, values) in zip(grid.flat, panels.items()):
        axes.plot(steps, values, color=COLOURS["policy"], lw=1.8)
        axes.set_title(label, fontweight="normal", fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("iteration")
    _headline(figure, title)
    return figure


@styled
def plot_hump(kl: np.ndarray, gains: dict[str, np.ndarray], title: str) -> Figure:
    """Gain over the reference against √KL, for proxy and gold, each labelled at its end."""
    figure, axes = plt.subplots(figsize=(8.5, 3.9))
    x = np.sqrt(np.maximum(kl, 0))
    for (name, values), colour, line in zip(gains.items(), ("policy", "gold"), ("-", "--")):
        axes.plot(x, values, color=COLOURS[colour], ls=line, marker="o", ms=5)
        axes.annotate(name, (x[-1], values[-1]), (8, -4), textcoords="offset points", color=INK[colour])
    axes.axhline(0, color=COLOURS["optimum"], lw=0.8)
    axes.set(title=title, xlabel="√KL(π‖π_ref), √nats", ylabel="gain over π_ref, nats")
    axes.set_xlim(right=x.max() * 1.1)
    return figure


@styled
def plot_controls(arms: dict[str, tuple[float, float]], before: float, title: str) -> Figure:
    """Gold at the end with each control (policy) and in its control arm (rejected); arms: name → (with, without)."""
    figure, axes = plt.subplots(figsize=(8.5, 0.62 * len(arms) + 1.3))
    for k, (with_it, without) in enumerate(reversed(arms.values())):
        axes.plot([without, with_it], [k, k], color=COLOURS["reference"], lw=2, zorder=1)
        axes.scatter([without], [k], s=60, marker="s", color=COLOURS["rejected"], label="without" if not k else None)
        axes.scatter([with_it], [k], s=70, color=COLOURS["policy"], label="with" if not k else None)
    axes.axvline(before, color=COLOURS["optimum"], lw=0.8, ls=":")
    axes.annotate("π_ref", (before, len(arms) - 0.55), (4, 0), textcoords="offset points", fontsize=10)
    axes.set(title=title, xlabel="gold reward at the end, nats", yticks=range(len(arms)), yticklabels=[*reversed(arms)])
    axes.set_ylim(-0.5, len(arms) - 0.3)
    legend_right(axes)
    return figure
