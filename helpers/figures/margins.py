"""Figures of 6.1 and 6.6: losses as functions of a margin, and where their runs end."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, INK, headline, styled

Curve = tuple[Tensor, Tensor, Tensor]
Panel = tuple[dict[str, Curve], str, tuple[tuple[float, float], tuple[float, float]]]
TICKS = (0, 0.1, 0.25, 0.5, 1, 2)  # nats
Line = tuple[Sequence[float], Sequence[float]]  # across, upwards


@styled
def plot_leaving(
    table: dict[str, Line],
    ceiling: float,
    gpt: dict[str, Line],
    targets: dict[str, float],
    title: str,
) -> Figure:
    """Left the KL to the reference of policies of a table, right the margin h of GPTs, along training.

    table, gpt: name → (steps, values); names that begin with ‘DPO’ are drawn blue, others green, and
    each is written at its line's end. ceiling: the largest KL there is; targets: margins asked for.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for ax, lines in zip(axes, (table, gpt)):
        last = max(steps[-1] for steps, _ in lines.values())
        for name, (steps, values) in lines.items():
            ax.plot(steps, values, color=COLOURS[_family(name)], lw=2)
        ax.set(xlim=(0, 1.35 * last), xticks=[0, last // 2, last])
        ends = {name: float(values[-1]) for name, (_, values) in lines.items()}
        for name, height in _apart(ends, 0.065).items():
            ax.annotate(
                name, (1.02 * last, height), color=INK[_family(name)], va="center", fontsize=10
            )
    axes[0].hlines(
        ceiling,
        0,
        max(steps[-1] for steps, _ in table.values()),
        color=COLOURS["optimum"],
        ls="--",
        lw=1,
    )
    above = {"xytext": (4, 3), "textcoords": "offset points", "fontsize": 10}
    axes[0].annotate("−log π_ref(best reply)", (0, ceiling), **above)
    for name, target in targets.items():
        axes[1].hlines(target, 0, gpt[name][0][-1], color=COLOURS["optimum"], ls="--", lw=1)
    axes[0].set(xlabel="step of Adam, six replies", ylabel="KL(π‖π_ref), nats")
    axes[1].set(xlabel="step, GPT on 100 pairs", ylabel="margin h, nats")
    headline(figure, title)
    return figure


def _family(name: str) -> str:
    return "policy" if name.startswith("DPO") else "chosen"


def _apart(ends: dict[str, float], gap: float) -> dict[str, float]:
    """Heights for labels, lowest first, at least ``gap`` of the largest end apart."""
    placed, least = {}, -float("inf")
    for name in sorted(ends, key=ends.get):
        placed[name] = max(ends[name], least)
        least = placed[name] + gap * max(ends.values())
    return placed


@styled
def plot_losses(panels: list[Panel], title: str) -> Figure:
    """Losses (above) and their derivatives (below), one column a panel.

    Each panel: curves as name → (across, loss, derivative), the label of the axis across, and the limits
    of the two axes upwards. Curves are told apart by colour and by dashes; a dot marks where a
    derivative changes sign.
    """
    looks = [("policy", "-"), ("rejected", "--"), ("gold", "-."), ("chosen", ":"), ("harmful", "-")]
    figure, axes = plt.subplots(
        2, len(panels), figsize=(5.9, 2.7), sharex="col", height_ratios=[3, 2]
    )
    for (above, below), (curves, across, limits) in zip(axes.T, panels):
        for (name, (x, loss, slope)), (colour, dashes) in zip(curves.items(), looks):
            look = {"color": COLOURS[colour], "ls": dashes, "lw": 2}
            above.plot(x, loss, label=name, **look)
            below.plot(x, slope, **look)
            zeros = _sign_changes(x, slope)
            below.plot(zeros, 0 * zeros, "o", color=COLOURS[colour], ms=6, zorder=3)
        below.axhline(0, color=COLOURS["optimum"], lw=1)
        above.set(ylim=limits[0])
        below.set(xlabel=across, ylim=limits[1])
        above.legend(fontsize=7, loc="upper right", labelspacing=0.2)
    axes[0, 0].set(ylabel="loss")
    axes[1, 0].set(ylabel="derivative")
    headline(figure, title)
    return figure


def _sign_changes(x: Tensor, slope: Tensor) -> Tensor:
    """Where a derivative changes sign, on the lines between its values (those that are 0 left out)."""
    x, slope = x[slope != 0], slope[slope != 0]
    k = (slope[:-1] * slope[1:] < 0).nonzero()[:, 0]
    return x[k] - slope[k] * (x[k + 1] - x[k]) / (slope[k + 1] - slope[k])


@styled
def plot_gold_by_method(
    curve: tuple[Tensor, Tensor], methods: dict[str, Sequence[tuple[float, float]]], title: str
) -> Figure:
    """Gold against KL to the reference: the frontier as a curve, each method's settings as joined markers.

    At most twelve methods, else ValueError: no more are told apart."""
    looks = [
        ("reference", "h"),
        ("reference", "X"),
        ("policy", "o"),
        ("policy", "s"),
        ("policy", "^"),
        ("chosen", "D"),
        ("rejected", "v"),
        ("gold", "P"),
        ("harmful", "*"),
        ("harmful", "p"),
        ("chosen", "d"),
        ("optimum", "*"),
    ]
    if len(methods) > len(looks):
        raise ValueError(
            f"{len(methods)} methods: expected at most {len(looks)}, told apart by eye"
        )
    figure, axes = plt.subplots(figsize=(6.2, 2.8))
    axes.plot(*curve, color=COLOURS["optimum"], lw=1, label="frontier")
    for (name, points), (colour, marker) in zip(methods.items(), looks):
        axes.plot(*zip(*points), color=COLOURS[colour], marker=marker, ms=7, lw=1, label=name)
    axes.set_xscale("function", functions=(np.sqrt, np.square))
    axes.set(title=title, xlabel="KL(π‖π_ref), nats, on a scale of roots", xticks=TICKS)
    axes.set(ylabel="expected gold reward", xticklabels=[f"{tick:g}" for tick in TICKS])
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return figure
