"""Figures of section 7.2: what a run on few pairs looks like, and where it ends beside its repairs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, headline, legend_right, styled

Curve = tuple[Sequence[float], Sequence[float]]  # on the pairs trained on, on held-out pairs


def _check_lengths(expected: int, what: str, **given: Sequence[float]) -> None:
    for name, values in given.items():
        if len(values) != expected:
            raise ValueError(f"{name} has {len(values)} values: expected {expected}, one {what}")
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"{name} holds NaN or infinity: expected finite numbers")


@styled
def plot_alarm(
    steps: Sequence[int], loss: Curve, accuracy: Curve, control: tuple[float, float], title: str
) -> Figure:
    """Loss and accuracy along a run, on its own pairs and on held-out ones.

    steps (K,); loss in nats and accuracy from 0 to 1, each two curves (K,): own pairs, held-out pairs.
    control: held-out loss and accuracy at which another run ended, dashed. Raises ValueError for no
    steps, curves of another length, NaN.
    """
    if len(steps) == 0:
        raise ValueError("no steps: expected at least one")
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.1))
    for ax, curves, level, name in zip(axes, (loss, accuracy), control, ("loss", "accuracy")):
        _check_lengths(len(steps), "a step", **{f"{name}, own": curves[0]})
        _check_lengths(len(steps), "a step", **{f"{name}, held-out": curves[1]})
        ax.plot(steps, curves[0], "-o", ms=4, color=COLOURS["policy"], label="own pairs")
        ax.plot(steps, curves[1], "-s", ms=4, color=COLOURS["rejected"], label="held-out pairs")
        ax.axhline(level, ls="--", color=COLOURS["optimum"], lw=1.2, label="control, held-out")
        ax.set(xlabel="steps", ylabel=name)
        ax.set_ylim(bottom=0 if name == "loss" else None)
    headline(figure, title)
    legend_right(axes[1])
    return figure


@styled
def plot_shrunk(shrunk: Curve, arms: dict[str, tuple[float, float, str]], title: str) -> Figure:
    """Expected gold against KL: one policy scaled back towards π_ref as a curve, other arms as points.

    shrunk: KL in nats and gold (K,) each; arms: name → (KL, gold, name of a colour in COLOURS).
    Raises ValueError for an empty curve, two lengths, NaN.
    """
    spent, gold = shrunk
    if len(spent) == 0:
        raise ValueError("an empty curve: expected at least one point")
    _check_lengths(len(spent), "a point", KL=spent, gold=gold)
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    axes.plot(spent, gold, color=COLOURS["policy"], lw=2, label="scaled back")
    markers = "osD^vPX*"
    for k, (name, (x, y, colour)) in enumerate(arms.items()):
        _check_lengths(2, "for KL and one for gold", **{name: (x, y)})
        axes.scatter(
            [x],
            [y],
            s=55,
            marker=markers[k % len(markers)],
            color=INK[colour],
            label=name,
            zorder=3,
        )
    axes.set(xlabel="KL to π_ref, nats", ylabel="expected gold", title=title)
    legend_right(axes)
    return figure
