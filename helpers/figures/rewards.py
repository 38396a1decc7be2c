"""Figures of section 3, reward modelling: the loss, margins, benchmarks."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, headline, legend_right, styled
from helpers.world import SLICES, World


@styled
def plot_loss_forms(sides: dict[str, tuple[Tensor, dict[str, Tensor], str]], title: str) -> Figure:
    """Forms of one loss against the margin: panel → (margins, form → loss, what a form becomes where its line ends).

    A line is drawn where its values are finite and above 0; a cross marks its end. The scale is logarithmic in panels
    whose largest value is below 1.
    """
    figure, panels = plt.subplots(1, len(sides), figsize=(10, 3.8))
    looks = (
        ("optimum", "-", 1),
        ("harmful", "-", 9),
        ("rejected", "-", 4),
        ("policy", (0, (1, 2)), 3),
    )
    for ax, (heading, (margins, forms, end)) in zip(panels, sides.items()):
        for (name, values), (role, line, width) in zip(forms.items(), looks):
            alive = np.isfinite(np.asarray(values)) & (np.asarray(values) > 0)
            y = np.where(alive, values, np.nan)
            ax.plot(
                margins,
                y,
                color=COLOURS[role],
                ls=line,
                lw=width,
                label=name,
                zorder=2 + (width < 4),
            )
            if not alive.all():
                k = np.abs(np.where(alive, margins, 0)).argmax()
                ax.plot(margins[k], y[k], color=COLOURS[role], marker="x", ms=13, mew=3, zorder=4)
                ends = (margins[k], y[k])
        ax.annotate(end, ends, xytext=(14, 6), textcoords="offset points")
        ax.set(xlabel="margin m", yscale="log" if np.nanmax(y) < 1 else "linear")
        ax.set_title(heading, fontweight="normal", fontsize=11)
    panels[0].set_ylabel("loss")
    legend_right(panels[-1])
    headline(figure, title)
    return figure


@styled
def plot_reward_training(
    losses: np.ndarray, batch: int, levels: dict[str, float], title: str
) -> Figure:
    """Loss of fresh pairs, (steps,), against the pairs seen, and horizontal levels: label → loss.

    A point is the mean over eight steps of ``batch`` pairs; the last steps, if fewer, are left out.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    losses = np.asarray(losses)[: len(losses) // 8 * 8].reshape(-1, 8).mean(1)
    pairs = 8 * batch * (np.arange(len(losses)) + 0.5)
    axes.plot(pairs, losses, color=COLOURS["policy"], lw=2)
    axes.annotate(
        "loss of the next pairs",
        (pairs[2], losses[2]),
        xytext=(8, 8),
        textcoords="offset points",
        color=COLOURS["policy"],
    )
    for label, level in levels.items():
        axes.axhline(level, color=COLOURS["optimum"], lw=1)
        axes.annotate(
            label,
            (pairs[-1], level),
            xytext=(0, -13),
            textcoords="offset points",
            ha="right",
            fontsize=10,
        )
    axes.set(title=title, xlabel="pairs seen, each once", ylabel="loss, nats per pair")
    axes.margins(y=0.2)
    return figure


@styled
def plot_margins(margin: Tensor, gold_gap: Tensor, slices: dict[str, Tensor], title: str) -> Figure:
    """Histograms of margins (B,), coloured by whether the answer agrees with the gold gap (B,).

    slices: name → which pairs belong to it, bool (B,); a panel each, in per cent of its pairs.
    """
    figure, panels = plt.subplots(1, len(slices), figsize=(10, 3.4), sharey=True, sharex=True)
    for ax, (name, rows) in zip(panels, slices.items()):
        parts = [np.asarray(margin[rows & side]) for side in (gold_gap > 0, gold_gap <= 0)]
        ax.hist(
            parts,
            bins=np.arange(-6, 6.1, 0.5),
            weights=[np.full(len(part), 100 / int(rows.sum())) for part in parts],
            stacked=True,
            color=[COLOURS["policy"], COLOURS["rejected"]],
            label=["answer agrees with gold", "contradicts gold, or a tie"],
        )
        ax.axvline(0, color=COLOURS["optimum"], lw=1)
        ax.set(xlabel="margin m")
        ax.set_title(name, fontweight="normal", fontsize=11)
    panels[0].set_ylabel("pairs of the slice, %")
    legend_right(panels[-1])
    headline(figure, title)
    return figure


@styled
def plot_graded(gaps: Tensor, fits: dict[str, Tensor], title: str) -> Figure:
    """The margin that each of up to four losses settles at against the true gap Δ, (N,) each."""
    figure, axes = plt.subplots(figsize=(8.5, 4))
    looks = (("optimum", "-"), ("policy", "--"), ("harmful", "-."), ("gold", ":"))
    for (name, values), (role, line) in zip(fits.items(), looks):
        axes.plot(gaps, values, color=COLOURS[role], ls=line, lw=2.5, label=name)
    axes.set(title=title, xlabel="true gap Δ, log-odds", ylabel="fitted margin, unlimited answers")
    legend_right(axes)
    return figure


@styled
def plot_centring(gold: Tensor, panels: dict[str, Tensor], world: World, title: str) -> Figure:
    """Each prompt's mean fitted reward, a panel for each model, against its mean gold reward.

    gold and the panels' values (n_prompts,), in the order of the world's prompts.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.8), sharey=True)
    looks = (("chosen", "o"), ("gold", "s"), ("harmful", "^"))
    for ax, (heading, fitted) in zip(axes, panels.items()):
        for name, (colour, marker) in zip(SLICES, looks):
            rows = world.in_slice(name)
            look = {"color": COLOURS[colour], "marker": marker, "ls": "none"}
            ax.plot(gold[rows], fitted[rows], label=name, **look)
        ax.axhline(0, color=COLOURS["optimum"], lw=1)
        ax.set(xlabel="mean gold reward of the prompt's replies", xticks=[-0.5, 0, 0.5, 1])
        ax.set_title(heading, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("mean fitted reward")
    legend_right(axes[-1])
    headline(figure, title)
    return figure


@styled
def plot_benchmark(scores: dict[str, dict[str, float]], title: str) -> Figure:
    """Accuracy in each subset under several reward models: model → subset → part of pairs won, as dots in rows."""
    subsets = list(next(iter(scores.values())))
    figure, axes = plt.subplots(figsize=(8.5, 1.4 + 0.34 * len(subsets)))
    looks = (("policy", "o"), ("gold", "s"), ("harmful", "^"), ("reference", "x"))
    offsets = np.linspace(-0.2, 0.2, len(scores))
    for (name, row), (colour, marker), offset in zip(scores.items(), looks, offsets):
        axes.plot(
            100 * np.array([row[s] for s in subsets]),
            np.arange(len(subsets)) + offset,
            color=COLOURS[colour],
            marker=marker,
            ms=8,
            ls="none",
            label=name,
        )
    axes.axvline(50, color=COLOURS["optimum"], lw=1, ls=":")
    axes.set(
        title=title,
        xlabel="pairs won, %",
        yticks=range(len(subsets)),
        yticklabels=subsets,
        xlim=(-3, 103),
    )
    axes.grid(axis="y", alpha=0.3)
    axes.invert_yaxis()
    legend_right(axes)
    return figure
