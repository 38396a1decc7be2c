"""The figure of the clinic: logs of runs as a trainer draws them, ill beside healthy beside what looks alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, headline, styled

LOOKS = {"healthy": ("chosen", "-"), "ill": ("rejected", "-"), "look-alike": ("policy", "--")}
MARKERS = "osD^v"  # curves of one role share colour and line, and differ in these
Curve = tuple[Sequence[float], Sequence[float]]  # steps, values


def _check_panels(panels: Mapping[str, Mapping[str, Curve]], roles: Mapping[str, str]) -> None:
    if not panels:
        raise ValueError("no panels: expected at least one, title → curves")
    for panel, curves in panels.items():
        if not curves:
            raise ValueError(f"panel {panel!r} has no curves: expected at least one")
        for name, (steps, values) in curves.items():
            if roles.get(name) not in LOOKS:
                raise ValueError(
                    f"curve {name!r} has the role {roles.get(name)!r}: expected {', '.join(LOOKS)}"
                )
            if len(steps) != len(values) or len(steps) == 0:
                raise ValueError(
                    f"panel {panel!r}, curve {name!r}: {len(steps)} steps and {len(values)} "
                    "values: expected as many, at least one"
                )
            if not all(math.isfinite(v) for v in values):
                raise ValueError(f"panel {panel!r}, curve {name!r} holds NaN or infinity")


def _marker(name: str, roles: Mapping[str, str]) -> str:
    """The place of a curve among those of its role, as a marker."""
    same = [other for other in roles if roles[other] == roles[name]]
    if len(same) > len(MARKERS):
        raise ValueError(f"{len(same)} curves are {roles[name]}: expected at most {len(MARKERS)}")
    return MARKERS[same.index(name)]


def _spread(heights: Sequence[float], gap: float) -> np.ndarray:
    """Heights moved as little as needed to lie ``gap`` apart, in their order, within 0 and 1 where they fit."""
    if len(heights) == 0:
        return np.empty(0)
    order = np.argsort(heights, kind="stable")
    apart = gap * np.arange(len(order))
    free = np.clip(np.asarray(heights, dtype=float)[order], 0, 1) - apart
    room = max(1 - apart[-1], 0.0)
    blocks = [[1, x] for x in free]  # equal neighbours pooled: the least squares that never fall
    pooled: list[list[float]] = []
    for block in blocks:
        pooled.append(block)
        while len(pooled) > 1 and pooled[-2][1] > pooled[-1][1]:
            n, x = pooled.pop()
            m, y = pooled.pop()
            pooled.append([n + m, (n * x + m * y) / (n + m)])
    moved = np.concatenate([np.full(int(n), x) for n, x in pooled])
    placed = np.empty(len(order))
    placed[order] = np.clip(moved, 0, room) + apart
    return placed


def _label(axes: Axes, ends: Mapping[str, tuple[float, float]], roles: Mapping[str, str]) -> None:
    """Each name with its marker at the right of the panel, as high as its curve ends; a thin line between."""
    low, high = axes.get_ylim()
    heights = [(y - low) / (high - low) for _, y in ends.values()]
    for (name, end), height in zip(ends.items(), _spread(heights, 0.11)):
        colour = COLOURS[LOOKS[roles[name]][0]]
        line = {"arrowstyle": "-", "color": colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 3}
        axes.annotate(
            "", end, (1.05, height), textcoords="axes fraction", annotation_clip=False,
            arrowprops=line,
        )  # fmt: skip
        axes.plot(
            [1.05], [height], _marker(name, roles), ms=6, color=colour, label=f"_{name}",
            transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        axes.text(1.08, height, name, fontsize=10, va="center", transform=axes.transAxes)


@styled
def plot_logs(
    panels: Mapping[str, Mapping[str, Curve]],
    roles: Mapping[str, str],
    title: str,
    levels: Mapping[str, float] | None = None,
    across: str = "step",
) -> Figure:
    """Curves over steps, a panel for each number that is logged; each role has its own look.

    panels: what is logged, with its unit → name of a run → (steps, values), each (K,). roles: name of
    a run → 'healthy', 'ill' or 'look-alike', at most five of one role; runs that are not drawn may
    stand there too. levels: panel → a height drawn as a dotted line, such as log 2. across: the label
    of the x-axis. A name stands at the end of its curve, in the last panel that has it.
    Raises ValueError for no panels or curves, for a run without a role, for steps and values of
    different number, NaN, and a level in no panel.
    """
    _check_panels(panels, roles)
    levels = levels or {}
    for panel in levels:
        if panel not in panels:
            raise ValueError(f"level in panel {panel!r}: expected one of {', '.join(panels)}")
    figure, places = plt.subplots(1, len(panels), figsize=(8.5, 2.9), squeeze=False)
    last = {name: panel for panel, curves in panels.items() for name in curves}
    for axes, (panel, curves) in zip(places[0], panels.items()):
        for name, (steps, values) in curves.items():
            colour, line = LOOKS[roles[name]]
            axes.plot(
                steps, values, line, marker=_marker(name, roles), ms=4, lw=1.8, label=name,
                markevery=max(1, len(steps) // 8), color=COLOURS[colour],
            )  # fmt: skip
        if panel in levels:
            axes.axhline(levels[panel], ls=":", lw=1.2, color=COLOURS["optimum"], zorder=0)
        axes.set_title(panel, fontsize=10, fontweight="normal")
        axes.set_xlabel(across)
        _label(axes, {n: (s[-1], v[-1]) for n, (s, v) in curves.items() if last[n] == panel}, roles)
    headline(figure, title)
    return figure
