"""Figure of 6.4: what the replies of a data set are worth, and what the policies trained on them say."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.figures.drawing import headline, stacked_bars, styled


@styled
def plot_coverage_and_policy(
    classes: Sequence[str], panels: dict[str, dict[str, Sequence[float]]], title: str
) -> Figure:
    """Stacked bars, a panel each: name → (row → parts that sum to 1, in the order of three ``classes``).

    Raises ValueError for another number of classes, and for a row whose parts do not sum to 1.
    """
    roles = "rejected", "reference", "gold"
    if len(classes) != len(roles):
        raise ValueError(f"{len(classes)} classes: expected three, from the worst to the best")
    figure, axes = plt.subplots(1, len(panels), figsize=(9.5, 3.0), squeeze=False)
    for ax, (name, rows) in zip(axes[0], panels.items()):
        for row, parts in rows.items():
            if len(parts) != len(classes) or not abs(sum(parts) - 1) < 1e-3:
                found = [round(float(part), 4) for part in parts]
                raise ValueError(
                    f"parts of {row!r} in {name!r}: {found}: expected {len(classes)}, with sum 1"
                )
        stacked_bars(ax, rows, dict(zip(classes, roles)), "{:.0f}", least=0.06)
        ax.set(xlabel="%")
        ax.set_title(name, fontweight="normal", fontsize=11)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    headline(figure, title)
    return figure
