"""Figures of section 4, the pipeline of reinforcement learning from human feedback."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, headline, legend_right, styled

ESTIMATORS = {"k1": ("policy", "-", "o"), "k2": ("gold", "--", "s"), "k3": ("rejected", "-.", "^")}


@styled
def plot_estimator_noise(
    exact: np.ndarray, means: dict[str, np.ndarray], deviations: dict[str, np.ndarray], title: str
) -> Figure:
    """For policies ever farther away: mean of k1, k2, k3 against the exact KL, and the deviation of one sample."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    for name, (colour, line, marker) in ESTIMATORS.items():
        look = dict(color=COLOURS[colour], ls=line, marker=marker, ms=5, lw=1.5)
        axes[0].plot(exact, means[name], **look)
        axes[1].plot(exact, deviations[name], label=name, **look)
    axes[0].plot(exact, exact, color=COLOURS["optimum"], lw=0.8)
    axes[0].annotate(
        "k1, k3: the KL itself", (exact[-3], exact[-3]), xytext=(-6, 8), ha="right", **_points()
    )
    axes[0].annotate(
        "k2", (exact[-4], means["k2"][-4]), xytext=(8, -12), color=INK["gold"], **_points()
    )
    axes[0].set(xlabel="KL(π‖π_ref), nats", ylabel="mean, nats")
    axes[0].set_title("mean of the estimate", fontweight="normal", fontsize=11)
    axes[1].set(xlabel="KL(π‖π_ref), nats", ylabel="nats", yscale="log")
    axes[1].set_title("standard deviation of one sample", fontweight="normal", fontsize=11)
    axes[1].legend(loc="upper left")
    headline(figure, title)
    return figure


def _points() -> dict:
    return dict(textcoords="offset points", fontsize=10)


@styled
def plot_estimates(panels: dict[str, tuple[dict[str, np.ndarray], float]], title: str) -> Figure:
    """Histograms of many batch means of k1 and k3 beside the exact KL; panels: name → (estimates by name, KL)."""
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.5))
    for ax, (name, (estimates, exact)) in zip(axes, panels.items()):
        low = min(np.quantile(part, 0.005) for part in estimates.values())
        high = max(np.quantile(part, 0.98) for part in estimates.values())
        for key, part in estimates.items():
            bins = np.linspace(min(low, exact), max(high, exact), 50)
            inside = part.clip(bins[0], bins[-1])
            ax.hist(
                inside,
                bins,
                histtype="stepfilled",
                alpha=0.5,
                color=COLOURS[ESTIMATORS[key][0]],
                label=key,
            )
        ax.axvline(exact, color=COLOURS["optimum"], lw=1.5)
        ax.annotate(
            "exact", (exact, 1), xycoords=("data", "axes fraction"), xytext=(4, -12), **_points()
        )
        ax.set(xlabel="estimated KL, nats", yticks=[])
        ax.locator_params(axis="x", nbins=5)
        ax.set_title(name, fontweight="normal", fontsize=11)
    axes[0].legend(loc="upper left")
    axes[0].set_ylabel("batches")
    headline(figure, title)
    return figure


@styled
def plot_kl_roads(roads: dict[str, np.ndarray], levels: dict[str, float], title: str) -> Figure:
    """KL to the reference at each step of up to four ascents (name → KL), with levels to compare."""
    figure, axes = plt.subplots()
    looks = (("policy", "-"), ("gold", ":"), ("rejected", "-."), ("harmful", "--"))
    for (name, path), (colour, line) in zip(roads.items(), looks):
        axes.plot(path, color=COLOURS[colour], ls=line, lw=2.2, label=name)
    for name, level in levels.items():
        axes.axhline(level, color=COLOURS["optimum"], lw=0.8, ls=":")
        axes.annotate(name, (len(path) - 1, level), xytext=(0, 4), ha="right", **_points())
    top = 1.12 * max(*levels.values(), *(float(max(path)) for path in roads.values()))
    axes.set(title=title, xlabel="step of ascent", ylabel="KL(π‖π_ref), nats", ylim=(0, top))
    legend_right(axes)
    return figure
