"""Figures of section 0, the world, and of section 1, intuition."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, INK, headline, legend_right, styled


@styled
def plot_shares(shares: dict[str, dict[str, float]], title: str) -> Figure:
    """Stacked bars: for each row, what part of the probability goes where (rows → parts that sum to 1)."""
    figure, axes = plt.subplots(figsize=(8.5, 0.9 + 0.5 * len(shares)))
    palette = {"gives steps": "gold", "refuses": "policy", "neither": "reference"}
    left = np.zeros(len(shares))
    for part in next(iter(shares.values())):
        width, colour = np.array([row[part] for row in shares.values()]), COLOURS[palette[part]]
        bars = axes.barh(
            list(shares), width, left=left, color=colour, edgecolor="white", label=part
        )
        percent = [f"{100 * w:.0f}" if w > 0.06 else "" for w in width]
        axes.bar_label(
            bars, percent, label_type="center", color="white" if colour in INK.values() else "black"
        )
        left += width
    axes.invert_yaxis()
    axes.set(
        title=title,
        xlabel="probability in % (exact: summed over all responses)",
        xlim=(0, 1),
        xticks=[],
    )
    legend_right(axes)
    return figure


@styled
def plot_two_replies(written: float, wins: float, shares: dict[str, float], title: str) -> Figure:
    """Replies A and B: left all pairs of two draws as a square, right how often policies say A.

    written: probability that a draw is A; wins: that A is preferred to B; shares: name → probability
    of A, drawn as chosen for 'imitat…', as policy for names with 'compar' in them, else grey.
    """
    figure, (square, bars) = plt.subplots(1, 2, figsize=(9.5, 3.6), width_ratios=(1, 1.5))
    grey, green = "#D8D8D8", COLOURS["chosen"]
    square.add_patch(plt.Rectangle((0, 0), 1, 1, color=grey))
    square.add_patch(plt.Rectangle((0, 0), written, written + wins * (1 - written), color=green))
    square.add_patch(plt.Rectangle((written, 0), wins * (1 - written), written, color=green))
    square.axhline(written, color="white", lw=2)
    square.axvline(written, color="white", lw=2)
    middle = written / 2, (1 + written) / 2
    square.set(xticks=middle, xticklabels="AB", xlim=(0, 1), xlabel="first draw", aspect="equal")
    square.set(yticks=middle, yticklabels="AB", ylim=(0, 1), ylabel="second draw")
    square.tick_params(length=0)
    square.annotate("B is chosen", (middle[1], middle[1]), ha="center", va="center")
    square.set_title("green: A is chosen", fontweight="normal", fontsize=11, color=INK["chosen"])
    for name, part in shares.items():
        kind = "policy" if "compar" in name else "reference"
        kind = "chosen" if name.startswith("imitat") else kind
        bar = bars.barh([name], [100 * part], color=COLOURS[kind])
        bars.bar_label(bar, [f"{100 * part:.0f} %"], padding=3)
    bars.invert_yaxis()
    bars.set(xlabel="says A, %", xlim=(0, 110))
    headline(figure, title)
    return figure


@styled
def plot_generators(
    generators: list[float], after: dict[str, list[float]], start: float, title: str
) -> Figure:
    """Gold reward after training on a generator's pairs, against the generator's own: name → value per generator.

    Names that begin with 'imitation' are drawn as chosen, others as policy; start: the policy before training.
    """
    figure, axes = plt.subplots(figsize=(8.5, 4.2))
    axes.plot(
        generators,
        generators,
        color=COLOURS["rejected"],
        lw=1.5,
        ls=":",
        label="the generator itself",
    )
    axes.axhline(start, color=COLOURS["reference"], lw=1.5, label="policy before training, π_ref")
    for name, values in after.items():
        colour, marker = ("chosen", "^") if name.startswith("imitation") else ("policy", "o")
        axes.plot(generators, values, color=COLOURS[colour], marker=marker, ms=7, lw=2, label=name)
    axes.set(
        title=title, xlabel="expected gold reward of the generator", ylabel="expected gold reward"
    )
    legend_right(axes)
    return figure


def _curves(axes, x, curves: dict[str, tuple[list[float], str, str]]) -> None:
    for name, (values, role, line) in curves.items():
        axes.plot(x, values, color=COLOURS[role], ls=line, lw=2.2, marker="o", ms=4, label=name)
    axes.set(xscale="log")
    legend_right(axes)


@styled
def plot_best_of_n(
    draws: list[int], curves: dict[str, tuple[list[float], str, str]], ylabel: str, title: str
) -> Figure:
    """A quantity of best-of-n against n: name → (value for each n, role in ``COLOURS``, line style)."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    _curves(axes, draws, curves)
    axes.set(
        title=title,
        xlabel="n, draws of which the best is kept",
        ylabel=ylabel,
        xticks=draws[::2],
        xticklabels=[f"{n:,}" for n in draws[::2]],
    )
    axes.minorticks_off()
    return figure


@styled
def plot_selection(
    fractions: list[float], curves: dict[str, tuple[list[float], str, str]], title: str
) -> Figure:
    """Gold reward of the part that a score keeps, against that part: name → (value for each, role, line style)."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    _curves(axes, fractions, curves)
    axes.set(
        title=title,
        xlabel="best-scoring part of the reference that is kept",
        ylabel="expected gold reward",
        xticks=fractions,
        xticklabels=[f"{100 * part:g} %" for part in fractions],
    )
    axes.minorticks_off()
    axes.invert_xaxis()
    return figure


@styled
def plot_frontier(
    curve: tuple, points: dict[str, list[tuple[float, float, str]]], title: str, clouds={}
) -> Figure:
    """Reward against KL: the frontier as a curve (KL, reward), policies as markers name → [(KL, reward, label), …].

    clouds: many further policies or estimates as small dots, name → (KL, reward, role in ``COLOURS``).
    """
    figure, axes = plt.subplots(figsize=(9.5, 4.4))
    for name, (kls, rewards, role) in clouds.items():
        axes.scatter(kls, rewards, s=12, color=COLOURS[role], linewidths=0, label=name)
    axes.plot(*curve, color=COLOURS["optimum"], lw=1.5, label="frontier: optima for every β")
    roles = ("optimum", "policy", "chosen", "rejected", "gold", "harmful")
    for (name, places), role, marker in zip(points.items(), roles, "os^vDX"):
        kls, rewards, labels = zip(*places)
        axes.plot(
            kls,
            rewards,
            color=COLOURS[role],
            ls="none",
            marker=marker,
            ms=8,
            mec="white",
            label=name,
        )
        for label, x, y in zip(labels, kls, rewards):
            axes.annotate(
                label,
                (x, y),
                xytext=(6, -13),
                textcoords="offset points",
                fontsize=10,
                color=INK[role],
            )
    axes.set(title=title, xlabel="KL(π‖π_ref), nats", ylabel="expected gold reward")
    legend_right(axes)
    return figure


@styled
def plot_two_roads(
    panels: dict[str, dict[str, list[float]]], steps: list[int], title: str
) -> Figure:
    """A fitted reward during training on two roads to a policy: data set → road → value at each of ``steps``."""
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.6), sharey=True)
    looks = {"reward model": ("gold", "-"), "DPO": ("policy", "--")}
    for ax, (where, roads) in zip(axes, panels.items()):
        for road, values in roads.items():
            colour, line = looks[road]
            ax.plot(steps, values, color=COLOURS[colour], ls=line, lw=2.5, label=road)
        ax.set(xscale="log", xlabel="step of gradient descent")
        ax.set_title(where, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("fitted reward of the first reply")
    axes[0].legend(loc="upper left")
    headline(figure, title)
    return figure


@styled
def plot_gold_by_slice(policies: dict[str, dict[str, float]], title: str) -> Figure:
    """Grouped bars: expected gold reward in each slice under several policies, the reference first and grey.

    By name: the first grey; 'π*…' black; 'imitat…' as chosen; with 'coin' in it as harmful; others blue.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    place, height = np.arange(len(next(iter(policies.values())))), 0.8 / len(policies)
    for k, (name, gold) in enumerate(policies.items()):
        role = (
            "reference"
            if k == 0
            else "optimum"
            if name.startswith("π*")
            else "harmful"
            if "coin" in name
            else "policy"
        )
        role = "chosen" if name.startswith("imitat") else role
        where = place + (k - (len(policies) - 1) / 2) * height
        axes.barh(where, list(gold.values()), height, color=COLOURS[role], edgecolor="white")
        for y, value in zip(where, gold.values()):
            axes.annotate(
                name,
                (max(value, 0), y),
                xytext=(4, 0),
                textcoords="offset points",
                fontsize=9,
                va="center",
                color=INK[role],
            )
    axes.set(
        title=title, xlabel="expected gold reward (exact)", yticks=place, yticklabels=list(gold)
    )
    axes.margins(x=0.25)
    axes.axvline(0, color=COLOURS["optimum"], lw=1)
    axes.invert_yaxis()
    return figure


@styled
def plot_fitted_rewards(true: Tensor, panels: dict[str, dict[str, Tensor]], title: str) -> Figure:
    """Fitted against true reward of a few replies, with the line of slope 1.

    true (N,); panels: heading → name → fitted (N,), with the mean of the true ones.
    """
    roles = {
        "honest": "optimum",
        "skill ½": "gold",
        "likes length": "harmful",
        "corrected": "policy",
    }
    roles |= {"smoothed": "reference"}  # others are drawn as rejected
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 4), sharey=True)
    for ax, (heading, fits) in zip(axes, panels.items()):
        for (name, fitted), marker in zip(fits.items(), "osv^"):
            order, colour = true.argsort(), COLOURS[roles.get(name, "rejected")]
            ax.plot(
                true[order], fitted[order], color=colour, marker=marker, ms=6, lw=1.5, label=name
            )
        ends = np.array([true.min(), true.max()])
        ax.plot(ends, ends, color=COLOURS["optimum"], lw=1, ls=":")
        ax.set(xlabel="true reward r*")
        ax.set_title(heading, fontweight="normal", fontsize=11)
        ax.legend(loc="upper left", fontsize=9.5)
    axes[0].set_ylabel("fitted reward, unlimited answers")
    headline(figure, title)
    return figure


@styled
def plot_error_against_pairs(
    counts: list[int], errors: dict[str, list[float]], title: str
) -> Figure:
    """Error of an estimate against the number of pairs, both logarithmic: name → error at each count.

    By name: 'honest' black, '…corrected' blue, '…rescaled' as gold, '…plain' as rejected.
    """
    figure, axes = plt.subplots(figsize=(8.5, 4))
    roles = {"honest": "optimum", "corrected": "policy", "rescaled": "gold", "plain": "rejected"}
    for (name, values), line in zip(errors.items(), ("-", "--", "-.", ":", "-")):
        colour = COLOURS[roles[name.split(", ")[-1]]]
        axes.plot(counts, values, color=colour, ls=line, marker="o", ms=4, lw=2, label=name)
    axes.set(
        title=title,
        xscale="log",
        yscale="log",
        xlabel="pairs (one answer each)",
        ylabel="root mean square error of P(first preferred)",
    )
    legend_right(axes)
    return figure


@styled
def plot_label_noise(
    rates: list[float], runs: dict[str, list], levels: tuple[float, float, float], title: str
) -> Figure:
    """Gold and KL(π‖π_ref) of trained policies against the rate of flipped labels.

    runs: 'plain' and 'corrected' → (gold, KL, …) at each of ``rates``; levels: gold of π_ref, gold
    of π* and KL of π*.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
    looks = {"plain": ("rejected", "v", "-"), "corrected": ("policy", "o", "--")}
    percent = [100 * rate for rate in rates]
    panels = {
        "expected gold reward": {"π_ref": levels[0], "π*, β = 1": levels[1]},
        "KL(π‖π_ref), nats": {"π*, β = 1": levels[2]},
    }
    for k, (ax, (quantity, lines)) in enumerate(zip(axes, panels.items())):
        for label, level in lines.items():
            ax.axhline(level, color=COLOURS["reference" if "ref" in label else "optimum"], lw=1)
            at = dict(xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points")
            ax.annotate(label, (0.5, level), ha="center", fontsize=10, **at)
        for name, points in runs.items():
            colour, marker, line = looks[name]
            look = dict(color=COLOURS[colour], marker=marker, ms=8, ls=line, lw=2)
            ax.plot(percent, [point[k] for point in points], label=f"{name} loss", **look)
        ax.set(xlabel="labels flipped, %", xticks=percent)
        ax.margins(y=0.15)
        ax.set_title(quantity, fontweight="normal", fontsize=11)
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 0.1))
    headline(figure, title)
    return figure
