"""Figures of 3.3 and 3.4: labels of several annotators, and probabilities held against labels."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, legend_right, styled

Line = tuple[list[float], str, str]  # values, role in COLOURS, line style


@styled
def plot_vote_rules(items: list[int], panels: dict[str, dict[str, Line]], title: str) -> Figure:
    """Percent of labels that a rule gets right against the number of items, a panel per crew: rule → Line."""
    figure, axes = plt.subplots(1, len(panels), figsize=(9.5, 3.8), sharey=True)
    for ax, (crew, rules) in zip(axes, panels.items()):
        for rule, (values, role, line) in rules.items():
            ax.plot(items, values, color=COLOURS[role], ls=line, lw=2.2, marker="o", ms=5, label=rule)
        ax.set(xscale="log", xlabel="items labelled by all five", xticks=items, xticklabels=[f"{n:,}" for n in items])
        ax.set_title(crew, fontweight="normal", fontsize=11)
        ax.minorticks_off()
    axes[0].set_ylabel("labels right, %")
    legend_right(axes[-1])
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def plot_claimed(panels: dict[str, list[list[float]]], title: str) -> Figure:
    """Mean posterior of an answer and how often it is right, in percent, by votes (3, 4, 5 of five): name → lists."""
    figure, axes = plt.subplots(1, len(panels), figsize=(9.5, 3.6), sharey=True)
    place = np.arange(3)
    for ax, (name, (claimed, right)) in zip(axes, panels.items()):
        ax.vlines(place, right, claimed, color=COLOURS["reference"], lw=2, zorder=1)
        ax.plot(place, claimed, "D", color=COLOURS["rejected"], ms=9, mec="white", label="mean posterior")
        ax.plot(place, right, "o", color=COLOURS["policy"], ms=9, mec="white", label="right")
        ax.set(
            xticks=place,
            xticklabels=["3 of 5", "4 of 5", "5 of 5"],
            xlabel="votes for the winning side",
            xlim=(-0.5, 2.5),
        )
        ax.set_title(name, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("%")
    legend_right(axes[-1])
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def plot_reliability(
    panels: dict[str, dict[str, tuple[Tensor, Tensor, str]]], xlabel: str, ylabel: str, title: str
) -> Figure:
    """Observed frequency against forecast, a point per bin, a panel per name: curve → (forecast, frequency, role)."""
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * max(len(panels), 1.5), 4.0), squeeze=False, sharey=True)
    for ax, (name, curves) in zip(axes[0], panels.items()):
        ax.plot([0, 1], [0, 1], color=COLOURS["optimum"], lw=1, ls=":", label="calibrated")
        for (curve, (forecast, frequency, role)), marker in zip(curves.items(), "os^v"):
            ax.plot(forecast, frequency, color=COLOURS[role], lw=2, marker=marker, ms=6, label=curve)
        ax.set(xlabel=xlabel, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        ax.set_title(name, fontweight="normal", fontsize=11)
        ax.legend(loc="upper left", fontsize=10)
    axes[0, 0].set_ylabel(ylabel)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def plot_two_groups(
    kappas: Tensor, raters: list[str], replies: list[str], ladders: dict[str, tuple[Tensor, str]], title: str
) -> Figure:
    """Left: κ of every two raters, (raters, raters). Right: order of the replies on each ladder → (values, role)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), width_ratios=(1, 1.35))
    left.imshow(kappas, cmap="Greys", vmin=-0.2, vmax=1.6)
    for i in range(len(raters)):
        for j in range(len(raters)):
            left.text(j, i, f"{kappas[i, j]:.2f}" if i != j else "–", ha="center", va="center", fontsize=10)
    left.set(xticks=range(len(raters)), xticklabels=raters, yticks=range(len(raters)), yticklabels=raters)
    left.set_title("Cohen's κ of every two raters", fontweight="normal", fontsize=11)
    ranks = np.array([np.argsort(np.argsort(-np.asarray(values))) + 1 for values, _ in ladders.values()])
    place = np.arange(len(ladders))
    for k, reply in enumerate(replies):
        right.plot(place, ranks[:, k], color=COLOURS["reference"], lw=1.2, zorder=1)
        for x, (_, role) in zip(place, ladders.values()):
            right.plot(x, ranks[x, k], "o", ms=9, color=COLOURS[role], zorder=2)
        right.annotate(
            reply, (0, ranks[0, k]), (-9, 0), textcoords="offset points", ha="right", va="center", fontsize=10
        )
        right.annotate(reply, (place[-1], ranks[-1, k]), (9, 0), textcoords="offset points", va="center", fontsize=10)
    right.set(
        xticks=place, xticklabels=ladders, yticks=[], xlim=(-1.1, place[-1] + 1.1), ylim=(len(replies) + 0.5, 0.5)
    )
    right.spines["left"].set_visible(False)
    right.set_title("order of six replies, the best on top", fontweight="normal", fontsize=11)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def plot_ece_bias(
    sizes: list[int], measured: dict[str, tuple[list[float], list[float], str]], hidden: tuple, title: str
) -> Figure:
    """Left: ECE of a perfect forecaster against pairs: bins → (measured, by the formula, role).

    Right: hidden = (bin counts, measured ECE, true error) of a forecaster whose errors alternate.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9), sharey=False)
    for name, (found, formula, role) in measured.items():
        left.plot(sizes, formula, color=COLOURS[role], lw=1.5, ls="--")
        left.plot(sizes, found, color=COLOURS[role], ls="none", marker="o", ms=7, label=name)
    left.axhline(0, color=COLOURS["optimum"], lw=1)
    left.set(xscale="log", xlabel="pairs", ylabel="ECE", xticks=sizes, xticklabels=[f"{n:,}" for n in sizes])
    left.set_title("true error 0 (dashed: the formula)", fontweight="normal", fontsize=11)
    left.minorticks_off()
    left.legend()
    bins, found, truth = hidden
    right.bar([str(n) for n in bins], found, color=COLOURS["policy"], width=0.6)
    right.axhline(truth, color=COLOURS["optimum"], lw=1.5, ls="--")
    right.annotate("true error", (0, truth), (0, 4), textcoords="offset points", ha="center", fontsize=10)
    right.set(xlabel="bins of equal width", ylabel="ECE", ylim=(0, 1.25 * truth))
    right.set_title("errors of alternating sign", fontweight="normal", fontsize=11)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def plot_brier(rows: dict[str, tuple[float, float]], floor: float, title: str) -> Figure:
    """Brier score of each forecaster beside its own E[q(1 − q)]: name → (Brier, own). floor: E[p(1 − p)]."""
    figure, axes = plt.subplots(figsize=(8.5, 1.2 + 0.6 * len(rows)))
    place = np.arange(len(rows))
    score, own = np.array(list(rows.values())).T
    axes.barh(place, score, 0.55, color=COLOURS["policy"], label="Brier score")
    ends = np.maximum(score, own)  # the number stands behind bar and diamond, whichever is longer
    for end, y, value in zip(ends, place, score):
        axes.annotate(f"{value:.3f}", (end, y), (12, 0), textcoords="offset points", va="center", fontsize=10)
    axes.plot(
        own,
        place,
        color=COLOURS["rejected"],
        ls="none",
        marker="D",
        ms=9,
        mec="white",
        label="E[q(1 − q)], the wrong floor",
    )
    axes.axvline(floor, color=COLOURS["optimum"], lw=1.5, ls="--", label="E[p(1 − p)], the floor")
    axes.invert_yaxis()
    axes.set(title=title, xlabel="mean squared error of the forecast", yticks=place, yticklabels=list(rows))
    axes.set_xlim(0, 1.15 * ends.max())
    legend_right(axes)
    return figure
