"""Figures of 3.3 and 3.4: labels of several annotators, and probabilities held against labels."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from helpers.calibration import reliability
from helpers.figures.drawing import COLOURS, headline, legend_right, styled


@styled
def plot_vote_rules(found: dict[tuple[str, int], list[float]], title: str) -> Figure:
    """Percent of labels right against the number of items, a panel per crew.

    (crew, items) → percent by the majority, by Dawid–Skene and by the first rater alone.
    """
    crews = list(dict.fromkeys(crew for crew, _ in found))
    items = list(dict.fromkeys(n for _, n in found))
    figure, axes = plt.subplots(1, len(crews), figsize=(9.5, 3.8), sharey=True)
    looks = {"majority vote": "reference", "Dawid–Skene": "policy", "the first rater alone": "gold"}
    for ax, crew in zip(axes, crews):
        for k, (rule, role) in enumerate(looks.items()):
            values = [found[crew, n][k] for n in items]
            ax.plot(
                items,
                values,
                color=COLOURS[role],
                ls=":" if k == 2 else "-",
                lw=2.2,
                marker="o",
                ms=5,
                label=rule,
            )
        ax.set(
            xscale="log",
            xlabel="items labelled by all five",
            xticks=items,
            xticklabels=[f"{n:,}" for n in items],
        )
        ax.set_title(crew, fontweight="normal", fontsize=11)
        ax.minorticks_off()
    axes[0].set_ylabel("labels right, %")
    legend_right(axes[-1])
    headline(figure, title)
    return figure


@styled
def plot_claimed(panels: dict[str, list[list[float]]], title: str) -> Figure:
    """Mean posterior and how often it is right, in percent, by votes (3, 4, 5): name → lists."""
    figure, axes = plt.subplots(1, len(panels), figsize=(9.5, 3.6), sharey=True)
    place = np.arange(3)
    for ax, (name, (claimed, right)) in zip(axes, panels.items()):
        ax.vlines(place, right, claimed, color=COLOURS["reference"], lw=2, zorder=1)
        ax.plot(
            place,
            claimed,
            "D",
            color=COLOURS["rejected"],
            ms=9,
            mec="white",
            label="mean posterior",
        )
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
    headline(figure, title)
    return figure


@styled
def plot_reliability(models: dict[str, tuple[Tensor, Tensor, float]], title: str) -> Figure:
    """Observed frequency against forecast by bins, a panel per model: before and after scaling.

    models: name → (margins (n,), labels (n,), temperature).
    """
    panels = {
        name: {k: reliability((m / t).sigmoid(), y) for k, t in (("as it is", 1.0), ("scaled", T))}
        for name, (m, y, T) in models.items()
    }
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.6 * max(len(panels), 1.5), 4.0), squeeze=False, sharey=True
    )
    for ax, (name, curves) in zip(axes[0], panels.items()):
        ax.plot([0, 1], [0, 1], color=COLOURS["optimum"], lw=1, ls=":", label="calibrated")
        for (curve, bins), (role, marker) in zip(
            curves.items(), (("rejected", "o"), ("policy", "s"))
        ):
            ax.plot(
                bins.forecast,
                bins.frequency,
                color=COLOURS[role],
                lw=2,
                marker=marker,
                ms=6,
                label=curve,
            )
        ax.set(
            xlabel="forecast that the first reply wins", xlim=(0, 1), ylim=(0, 1), aspect="equal"
        )
        ax.set_title(name, fontweight="normal", fontsize=11)
        ax.legend(loc="upper left", fontsize=10)
    axes[0, 0].set_ylabel("how often it wins")
    headline(figure, title)
    return figure


@styled
def plot_kappas(kappas: dict[str, Tensor], alphas: dict[str, float], title: str) -> Figure:
    """Cohen's κ of every two raters, a table (raters, raters) per crew, with the crew's α."""
    figure, panels = plt.subplots(1, len(kappas), figsize=(10, 3.6))
    tones = ListedColormap(["#FFFFFF", "#D6E6F2", "#8FBBDD"])  # light: numbers stand on them
    for ax, (crew, table) in zip(panels, kappas.items()):
        raters = range(len(table))
        ax.pcolormesh(
            table, cmap=tones, norm=BoundaryNorm([-1, 0.4, 0.7, 1.01], 3), ec="white", lw=1
        )
        for i in raters:
            for j in raters:
                text = f"{table[i, j]:.2f}" if i != j else "–"
                ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=10)
        ticks, labels = [i + 0.5 for i in raters], [i + 1 for i in raters]
        ax.set(xticks=ticks, xticklabels=labels, yticks=ticks, yticklabels=labels, xlabel="rater")
        ax.invert_yaxis()
        ax.set_title(f"{crew}, α = {alphas[crew]:.2f}", fontweight="normal", fontsize=11)
    panels[0].set_ylabel("rater")
    headline(figure, title)
    return figure


@styled
def plot_orders(replies: list[str], fits: dict[str, tuple[Tensor, float]], title: str) -> Figure:
    """Order of the replies by each of three fits, name → (rewards, misfit), the best on top."""
    figure, ax = plt.subplots(figsize=(8.5, 3.6))
    rewards = [np.asarray(values).ravel() for values, _ in fits.values()]
    ranks = np.array([np.argsort(np.argsort(-values)) + 1 for values in rewards])
    place = np.arange(len(fits))
    for k, reply in enumerate(f"“{text}”" for text in replies):
        ax.plot(place, ranks[:, k], color=COLOURS["reference"], lw=1.2, zorder=1)
        for x, role in zip(place, ("policy", "optimum", "gold")):
            ax.plot(x, ranks[x, k], "o", ms=9, color=COLOURS[role], zorder=2)
        for x, offset, side in ((0, -9, "right"), (place[-1], 9, "left")):
            at = (x, ranks[x, k])
            ax.annotate(
                reply,
                at,
                (offset, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                fontsize=10,
            )
    ax.set(title=title, xticks=place, xticklabels=fits, yticks=[])
    ax.set(xlim=(-1.1, place[-1] + 1.1), ylim=(len(replies) + 0.5, 0.5))
    ax.spines["left"].set_visible(False)
    return figure


@styled
def plot_ece_bias(
    sizes: list[int],
    drawn: dict[int, list[float]],
    formula: dict[int, list[float]],
    hidden: dict[int, float],
    error: float,
    title: str,
) -> Figure:
    """Left: ECE of a perfect forecaster: bins → value for each size, measured and by the formula.

    Right: ECE by bins of a forecaster whose errors, ``error`` in size, alternate in sign.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9), sharey=False)
    for (bins, found), role in zip(drawn.items(), ("policy", "gold")):
        left.plot(sizes, formula[bins], color=COLOURS[role], lw=1.5, ls="--")
        left.plot(
            sizes, found, color=COLOURS[role], ls="none", marker="o", ms=7, label=f"{bins} bins"
        )
    left.axhline(0, color=COLOURS["optimum"], lw=1)
    left.set(
        xscale="log",
        xlabel="pairs",
        ylabel="ECE",
        xticks=sizes,
        xticklabels=[f"{n:,}" for n in sizes],
    )
    left.set_title("true error 0 (dashed: the formula)", fontweight="normal", fontsize=11)
    left.minorticks_off()
    left.legend()
    right.bar([str(n) for n in hidden], list(hidden.values()), color=COLOURS["policy"], width=0.6)
    right.axhline(error, color=COLOURS["optimum"], lw=1.5, ls="--")
    right.annotate(
        "true error", (0, error), (0, 4), textcoords="offset points", ha="center", fontsize=10
    )
    right.set(xlabel="bins of equal width", ylabel="ECE", ylim=(0, 1.25 * error))
    right.set_title("errors of alternating sign", fontweight="normal", fontsize=11)
    headline(figure, title)
    return figure


@styled
def plot_brier(rows: dict[str, dict[str, float]], floor: float, title: str) -> Figure:
    """Brier score of each forecaster beside its own E[q(1 − q)]; floor: E[p(1 − p)].

    name → a row of numbers, the Brier score first and E[q(1 − q)] last.
    """
    figure, axes = plt.subplots(figsize=(8.5, 1.2 + 0.6 * len(rows)))
    place = np.arange(len(rows))
    score, *_, own = np.array([list(row.values()) for row in rows.values()]).T
    axes.barh(place, score, 0.55, color=COLOURS["policy"], label="Brier score")
    ends = np.maximum(score, own)  # the number stands behind bar and diamond, whichever is longer
    for end, y, value in zip(ends, place, score):
        axes.annotate(
            f"{value:.3f}", (end, y), (12, 0), textcoords="offset points", va="center", fontsize=10
        )
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
    axes.set(
        title=title,
        xlabel="mean squared error of the forecast",
        yticks=place,
        yticklabels=list(rows),
    )
    axes.set_xlim(0, 1.15 * ends.max())
    legend_right(axes)
    return figure
