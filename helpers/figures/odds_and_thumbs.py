"""Figures of sections 6.2 and 6.3: how hard a loss pulls, and whom imitation lifts."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, INK, legend_right, styled

STYLES = ("-", "--", "-.")


@styled
def plot_pulls(
    x: Tensor,
    pulls: dict[str, Tensor],
    axis: str,
    marked: tuple[float, str],
    title: str,
    colours: tuple[str, ...] = ("chosen", "rejected", "reference"),
) -> Figure:
    """How hard a loss pulls on a log-probability, three curves over ``x`` (N,).

    marked: a place on the x-axis and what it is; colours: names in COLOURS, a curve each.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.3))
    for (name, pull), colour, style in zip(pulls.items(), colours, STYLES):
        axes.plot(x, pull, style, color=COLOURS[colour], lw=2.2, label=name)
    highest = max(pull.max().item() for pull in pulls.values())
    place, words = marked
    axes.axvline(place, color=COLOURS["optimum"], lw=0.8)
    axes.annotate(
        words, (place, 1.0), (4, -10), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=10,
    )  # fmt: skip
    axes.set(xlabel=axis, ylabel="size of the pull", ylim=(0, 1.2 * highest), title=title)
    legend_right(axes)
    return figure


@styled
def plot_lifted(arms: dict[str, tuple[float, float]], title: str) -> Figure:
    """Mean log π of winners and of losers, a row per policy, the distance between them written out.

    arms: policy → (winners, losers), in nats.
    """
    figure, axes = plt.subplots(figsize=(8.5, 0.5 * len(arms) + 1.3))
    rows = range(len(arms))[::-1]
    for row, (winners, losers) in zip(rows, arms.values()):
        axes.plot([losers, winners], [row, row], color=COLOURS["reference"], lw=1.5, zorder=1)
        axes.annotate(
            f"{winners - losers:.1f}", ((winners + losers) / 2, row), (0, 4),
            textcoords="offset points", ha="center", fontsize=10,
        )  # fmt: skip
    for k, (name, marker) in enumerate((("chosen", "o"), ("rejected", "X"))):
        places = [both[k] for both in arms.values()]
        axes.scatter(places, rows, marker=marker, s=60, color=COLOURS[name], zorder=2)
        axes.annotate(
            ("winners", "losers")[k], (places[0], len(arms) - 1), (0, 13),
            textcoords="offset points", ha="center", fontsize=10, color=INK[name],
        )  # fmt: skip
    axes.set_yticks(rows, arms)
    axes.set(xlabel="mean log π of held-out replies, nats", ylim=(-0.5, len(arms) - 0.3))
    axes.set_title(title)
    return figure
