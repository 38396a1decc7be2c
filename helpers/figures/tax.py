"""Figures of section 7.5: what preference training costs elsewhere, and where refusals spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, headline, styled

MARKS = (
    ("rejected", "o"), ("reference", "s"), ("policy", "^"), ("chosen", "D"), ("gold", "v"),
)  # fmt: skip

APART = (("reference", "s"), ("rejected", "X"), ("chosen", "D"), ("gold", "v"))


@styled
def plot_tax(
    arms: Mapping[str, Mapping[str, Sequence[float]]],
    across: tuple[str, str],
    panels: Mapping[str, str],
    title: str,
) -> Figure:
    """One line per training run in each panel, a marker at every measurement.

    arms: run → column → values along the run, all columns of a run equally long; across: the column
    on the x-axis and its label; panels: column → label, a panel each. Raises ValueError for no or
    more than five arms, for a column that an arm lacks and for columns of unequal length.
    """
    if not 1 <= len(arms) <= len(MARKS):
        raise ValueError(f"{len(arms)} arms: expected from 1 to {len(MARKS)}")
    for name, columns in arms.items():
        for wanted in (across[0], *panels):
            if wanted not in columns:
                raise ValueError(
                    f"arm {name!r} has no column {wanted!r}: expected {', '.join(panels)}"
                )
            if len(columns[wanted]) != len(columns[across[0]]):
                raise ValueError(
                    f"arm {name!r}: {len(columns[wanted])} values of {wanted!r}, "
                    f"{len(columns[across[0]])} of {across[0]!r}: expected as many"
                )
    figure, axes = plt.subplots(1, len(panels), figsize=(8.5, 2.8), squeeze=False)
    for place, (column, label) in zip(axes[0], panels.items()):
        for (name, columns), (colour, marker) in zip(arms.items(), MARKS):
            place.plot(
                columns[across[0]], columns[column], marker=marker, ms=4.5, lw=1.8,
                color=COLOURS[colour], label=name,
            )  # fmt: skip
        place.set_xlabel(across[1])
        place.set_ylabel(label, fontsize=10)
    headline(figure, title)
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False,
        fontsize=10,
    )  # fmt: skip
    return figure


@styled
def plot_refusals(
    mixes: Sequence[tuple[str, float, float]],
    others: Sequence[tuple[str, float, float]],
    title: str,
) -> Figure:
    """Unsafe requests refused against look-alikes refused, percent.

    mixes: (name, look-alikes, unsafe) of policies along one knob, joined by a line in this order;
    others: the same of policies that stand apart, a colour and a marker for each. Raises ValueError
    for no mixes, for more than four others and for what is no percentage.
    """
    if not mixes:
        raise ValueError("no mixes: expected at least one (name, look-alikes, unsafe)")
    if len(others) > len(APART):
        raise ValueError(f"{len(others)} others: expected at most {len(APART)}")
    for name, across, up in (*mixes, *others):
        if not (0 <= across <= 100 and 0 <= up <= 100):
            raise ValueError(f"{name!r} at ({across}, {up}): expected percentages from 0 to 100")
    figure, axes = plt.subplots(figsize=(8.5, 2.7))
    axes.plot(*zip(*[mix[1:] for mix in mixes]), "o-", color=COLOURS["policy"], lw=1.8)
    spots = [(*mix, "policy", (7, -12)) for mix in mixes]
    for (name, across, up), (colour, marker) in zip(others, APART):
        axes.plot(across, up, marker, ms=8, color=COLOURS[colour], label=name)
        spots.append((name, across, up, colour, (8, 4)))
    for name, across, up, colour, away in spots:
        axes.annotate(
            name, (across, up), away, textcoords="offset points", fontsize=10, color=INK[colour]
        )
    axes.set_xlabel("look-alikes refused, %")
    axes.set_ylabel("unsafe refused, %", fontsize=10)
    axes.set(xlim=(-3, 118), ylim=(0, 112))
    axes.set_title(title)
    return figure
