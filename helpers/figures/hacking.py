"""The figure of 7.1: what an optimiser maximises, and gold, on the way from the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, headline, styled

Gains = Mapping[str, Sequence[float]]


@styled
def plot_proxy_and_gold(panels: Mapping[str, tuple[Sequence[float], Gains]], title: str) -> Figure:
    """Gains over the reference against √KL, one panel an optimiser.

    panels: name → (KL in nats, (n,); gains as name → (n,) values). A curve named ‘gold’ has gold's
    colour, the other one another and dashes. Points are joined in the order given. Raises
    ValueError for no panels, lengths that differ, a KL below 0 by more than rounding, and panels
    without exactly two curves, one of them ‘gold’.
    """
    if not panels:
        raise ValueError("no panels: expected at least one")
    figure, axes = plt.subplots(1, len(panels), figsize=(3.1 * len(panels), 2.9), squeeze=False)
    for ax, (name, (nats, gains)) in zip(axes[0], panels.items()):
        across = np.sqrt(_checked(name, nats, gains))
        for label, values in gains.items():
            look = ("gold", "-") if label == "gold" else ("rejected", "--")
            ax.plot(across, values, look[1], marker="o", ms=4, color=COLOURS[look[0]], label=label)
        ax.axhline(0, color=COLOURS["optimum"], lw=0.8)
        ax.set_title(name, fontsize=11)
        ax.set(xlabel="√KL, KL in nats")
        ax.legend(fontsize=9)
    axes[0, 0].set(ylabel="gain over π_ref")
    headline(figure, title)
    return figure


def _checked(name: str, nats: Sequence[float], gains: Gains) -> np.ndarray:
    """The KL as an array, rounding below 0 taken off."""
    nats = np.asarray(nats, dtype=float)
    if len(gains) != 2 or "gold" not in gains:
        raise ValueError(f"curves {list(gains)} in {name!r}: expected two, one of them 'gold'")
    lengths = {label: len(values) for label, values in gains.items()}
    if len(nats) == 0 or set(lengths.values()) != {len(nats)}:
        raise ValueError(f"{lengths} values in {name!r}: expected {len(nats)} ≥ 1, as KL has")
    if not (nats >= -1e-6).all():
        raise ValueError(f"KL {nats.min():.3g} in {name!r}: expected nats, 0 or above")
    return nats.clip(min=0)
