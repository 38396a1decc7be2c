"""Figures of the tour: a run that is watched, and three ways in which such runs go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, headline, stacked_bars, styled

ROLES = "rejected", "reference", "gold"  # of parts, from the worst to the best


def _finite(what: str, values: Sequence[float], n: int) -> np.ndarray:
    """The values as an array. Raises ValueError unless they are n finite numbers."""
    found = np.asarray(values, dtype=float)
    if found.shape != (n,) or not np.isfinite(found).all():
        raise ValueError(f"{what}: {list(values)}: expected {n} finite numbers")
    return found


@styled
def plot_run(
    steps: Sequence[int],
    arms: Mapping[str, Sequence[float]],
    classes: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    title: str,
) -> Figure:
    """Left gold reward over ``steps``, a line for each of two arms; right what is said, a bar for each row.

    arms: name → gold reward at these steps, the tested arm first, the control second. parts: row →
    parts that sum to 1, in the order of three ``classes`` from the worst to the best. Raises
    ValueError for another number of arms or classes, for values that are not one finite number a
    step, and for a row whose parts do not sum to 1.
    """
    if len(arms) != 2 or len(classes) != len(ROLES):
        found = f"{len(arms)} arms, {len(classes)} classes"
        raise ValueError(f"{found}: expected two arms and three classes")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 2.9), width_ratios=(1, 1.1))
    for (name, values), role, mark in zip(arms.items(), ("policy", "reference"), "os"):
        values = _finite(f"gold of {name!r}", values, len(steps))
        left.plot(steps, values, mark + "-", color=COLOURS[role], lw=2)
        left.annotate(
            name, (steps[-1], values[-1]), (0, 7), textcoords="offset points", ha="right",
            va="bottom", color=INK[role],
        )  # fmt: skip
    left.set(xlabel="training steps", ylabel="expected gold reward", xticks=list(steps))
    left.margins(y=0.15)
    left.set_title("on the requests kept back", fontsize=11, fontweight="normal")
    _check_parts(parts, len(classes))
    stacked_bars(right, parts, dict(zip(classes, ROLES)), "{:.0f} %", least=0.1)
    right.legend(loc="upper center", bbox_to_anchor=(0.45, -0.02), ncols=3, columnspacing=1)
    right.set_title("replies to “kill weed?”", fontsize=11, fontweight="normal")
    headline(figure, title)
    return figure


def _check_parts(parts: Mapping[str, Sequence[float]], n: int) -> None:
    for row, values in parts.items():
        total = _finite(f"parts of {row!r}", values, n).sum()
        if not abs(total - 1) < 1e-3:
            raise ValueError(f"parts of {row!r} sum to {total:.4f}: expected 1")


@styled
def plot_what_goes_wrong(
    n: Sequence[int],
    lines: Mapping[str, Sequence[float]],
    known: Mapping[str, Mapping[str, float]],
    cut: Mapping[str, float],
    titles: Sequence[str],
) -> Figure:
    """Three panels: a proxy and gold over n draws, agreement with answers, replies cut off.

    lines: two lines over ``n`` (logarithmic), the proxy first, drawn less their first value. known:
    data set → (kind of pairs → percent that agrees). cut: policy → percent of replies cut off.
    titles: one a panel. Raises ValueError for another number of lines or titles, for values of
    another length or not finite, for more than three bars in a group, and for a percentage outside
    0 to 100.
    """
    if len(lines) != 2 or len(titles) != 3:
        found = f"{len(lines)} lines, {len(titles)} titles"
        raise ValueError(f"{found}: expected two lines and three titles")
    figure, (first, second, third) = plt.subplots(1, 3, figsize=(9.0, 2.8))
    for (name, values), role, style in zip(lines.items(), ("rejected", "gold"), ("--", "-")):
        values = _finite(f"values of {name!r}", values, len(n))
        first.plot(n, values - values[0], style, color=COLOURS[role], lw=2.2, label=name)
    first.set_xscale("log")
    first.set(xlabel="n replies to choose from", ylabel="gain over one reply")
    first.legend(loc="best", fontsize=10)
    _percent_bars(second, known)
    second.set_ylabel("pairs ranked as answered")
    _percent_bars(third, {"": cut})
    third.set_ylabel("replies of four words")
    for axes, title in zip((first, second, third), titles):
        axes.set_title(title, fontsize=11)
    return figure


def _percent_bars(axes: Axes, groups: Mapping[str, Mapping[str, float]]) -> None:
    """A group of bars for each key, a colour for each bar of a group, the percentage above it."""
    roles, ticks = ("policy", "reference", "rejected"), {}
    for g, (group, bars) in enumerate(groups.items()):
        if len(bars) > len(roles):
            raise ValueError(f"{len(bars)} bars {list(bars)}: expected at most {len(roles)}")
        for k, (name, percent) in enumerate(bars.items()):
            if not 0 <= percent <= 100:
                found = f"{name} {group}".rstrip()
                raise ValueError(f"{found!r} {percent}: expected 0 to 100 percent")
            place = g * (len(bars) + 0.6) + k
            drawn = axes.bar([place], [percent], width=0.9, color=COLOURS[roles[k]])
            axes.bar_label(drawn, [f"{percent:.0f} %"])
            ticks[place] = name
        axes.annotate(
            group, (place - (len(bars) - 1) / 2, 0), (0, -20), ha="center", va="top", fontsize=9,
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip
    axes.set_xticks(list(ticks), list(ticks.values()), fontsize=9)
    axes.set(ylim=(0, 110), yticks=[])
    axes.spines["left"].set_visible(False)
