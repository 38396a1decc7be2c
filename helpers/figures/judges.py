"""Figure of 7.4: how the estimates of many evaluations fall, and which intervals keep their promise."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, styled
from helpers.policies import check_real


@styled
def plot_replications(
    rows: Mapping[str, tuple[Tensor, float]], truth: float, axis: str, title: str
) -> Figure:
    """How an estimate falls in many evaluations, a row each: the middle 95 % as a line, the mean as a dot.

    rows: name → (estimates (R,), share of intervals that held the truth, 0 to 1), written at the right. Raises
    ValueError for no rows, for estimates that are no tensor (R,) or that are none or not finite, for a coverage
    outside [0, 1], and for a truth that is not finite.
    """
    if not rows:
        raise ValueError("no rows: expected at least one estimate")
    if not np.isfinite(truth):
        raise ValueError(f"truth = {truth}: expected a finite number")
    for name, (values, coverage) in rows.items():
        check_real(**{f"estimates of {name!r}": values})
        if values.ndim != 1:
            raise ValueError(f"estimates of {name!r} {tuple(values.shape)}: expected (R,)")
        if values.numel() == 0 or not np.isfinite(np.asarray(values)).all():
            raise ValueError(f"estimates of {name!r} are none or not finite: expected numbers (R,)")
        if not 0 <= coverage <= 1:
            raise ValueError(f"coverage of {name!r} is {coverage}: expected a share from 0 to 1")
    figure, axes = plt.subplots(figsize=(9.0, 0.34 * len(rows) + 1.1))
    places = range(len(rows))[::-1]
    for place, (values, coverage) in zip(places, rows.values()):
        low, high = np.quantile(np.asarray(values), [0.025, 0.975])
        axes.plot([low, high], [place, place], color=COLOURS["policy"], lw=2.4)
        axes.plot([float(values.mean())], [place], "o", color=COLOURS["policy"], ms=6)
        axes.annotate(
            f"{100 * coverage:.0f} %", (1.01, place), xycoords=("axes fraction", "data"), va="center"
        )  # fmt: skip
    axes.axvline(truth, color=COLOURS["gold"], lw=1.6, ls="--")
    axes.set_yticks(places, rows)
    axes.set(xlabel=axis, ylim=(-0.6, len(rows) - 0.4))
    axes.set_title(title)
    return figure
