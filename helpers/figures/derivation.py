"""Figures of section 5, the DPO derivation."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, INK, headline, legend_right, shades, styled


@styled
def plot_policies(responses: list[str], policies: dict[str, Tensor], title: str) -> Figure:
    """Grouped bars: the probability of each response under several policies, the reference first and grey."""
    figure, axes = plt.subplots(figsize=(8.5, 0.6 + 0.62 * len(responses)))
    height, place = 0.8 / len(policies), np.arange(len(responses))
    colours = [COLOURS["reference"], *shades(len(policies) - 1)]
    for k, (name, logps) in enumerate(policies.items()):
        axes.barh(
            place + (k - (len(policies) - 1) / 2) * height,
            logps.exp(),
            height,
            color=colours[k],
            label=name,
        )
    axes.set(title=title, xlabel="probability", yticks=place, yticklabels=responses)
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


@styled
def plot_ascent(paths: dict[str, list[float]], ceiling: float, title: str) -> Figure:
    """The objective J during ascent from several starts, below its ceiling β log Z."""
    figure, axes = plt.subplots()
    for (name, path), colour in zip(paths.items(), ("reference", "policy")):
        axes.plot(path, color=COLOURS[colour], lw=2, label=name)
    axes.axhline(ceiling, color=COLOURS["optimum"], ls="--", lw=1)
    axes.annotate(
        "β log Z", (len(path) - 1, ceiling), xytext=(0, 4), textcoords="offset points", ha="right"
    )
    axes.set(title=title, xlabel="step of gradient ascent", ylabel="J(π), units of reward")
    axes.legend(loc="lower right")
    return figure


@styled
def plot_implicit_reward(panels: dict[str, tuple[Tensor, Tensor, float]], title: str) -> Figure:
    """For several prompts, implicit against true reward of responses, with the line of slope 1 at offset −β log Z."""
    figure, axes = plt.subplots(1, len(panels), figsize=(8.5, 3.4), sharex=True, sharey=True)
    for ax, (prompt, (true, implicit, log_z)) in zip(axes, panels.items()):
        ax.scatter(true, implicit, s=8, color=COLOURS["policy"], alpha=0.35, linewidths=0)
        ends = np.array([true.min(), true.max()])
        ax.plot(ends, ends - log_z, color=COLOURS["optimum"], lw=1)
        ax.annotate(f"line: r* − {log_z:.2f}", (0.97, 0.04), xycoords="axes fraction", ha="right")
        ax.set(xlabel="gold reward r*(x, y)")
        ax.set_title(f"“{prompt}”", fontweight="normal", fontsize=11)
    axes[0].set_ylabel("implicit β log π/π_ref")
    headline(figure, title)
    return figure


@styled
def plot_closing_the_loop(
    table: tuple[list, dict], gpt: tuple[list, dict], betas: dict[str, tuple], title: str
) -> Figure:
    """Reward against KL: exact optima as a curve, trained policies as markers; a table left, the tiny GPT right.

    Each side: the curve as [(KL, reward), …], and the markers as name → [(KL, reward), …]; betas: the β to write at
    the markers of these names.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4))
    looks = {
        "reward model, then policy": dict(
            marker="s", ms=13, mfc="none", mec=COLOURS["gold"], mew=2
        ),
        "DPO": dict(marker="X", ms=8, mfc=COLOURS["policy"], mec=COLOURS["policy"]),
        "exact optimum π*": dict(marker="o", ms=5, mfc=COLOURS["optimum"], mec=COLOURS["optimum"]),
        "DPO, probabilities as labels": dict(marker="X", ms=9, mfc=COLOURS["policy"], mec="white"),
        "DPO, one answer per pair": dict(marker="^", ms=9, mfc=COLOURS["chosen"], mec="white"),
        "DPO, 1,000 fixed pairs": dict(marker="v", ms=10, mfc=COLOURS["rejected"], mec="white"),
    }
    for ax, (curve, points), where in zip(
        axes, (table, gpt), ("six responses", "tiny GPT, 48 prompts")
    ):
        ax.plot(*zip(*curve), color=COLOURS["optimum"], lw=1, label="optima for every β")
        for name in (name for name in looks if name in points):
            for i, (kl, reward) in enumerate(points[name]):
                ax.plot(kl, reward, ls="none", label=name if i == 0 else None, **looks[name])
                if name in betas:
                    label = f"β = {betas[name][i]}"
                    ax.annotate(
                        label,
                        (kl, reward),
                        xytext=(7, -13),
                        textcoords="offset points",
                        fontsize=10,
                    )
        ax.margins(x=0.1)
        ax.set(xlabel="KL(π‖π_ref), nats")
        ax.set_title(where, fontweight="normal", fontsize=11)
        ax.legend(loc="lower right", fontsize=9)
    axes[0].set_ylabel("expected gold reward")
    headline(figure, title)
    return figure


@styled
def plot_weights(groups: dict[str, Tensor], title: str) -> Figure:
    """How the pair weights σ(−βh) are distributed in groups of pairs, with each group's mean."""
    figure, axes = plt.subplots()
    for (name, weights), colour in zip(groups.items(), ("chosen", "rejected")):
        axes.hist(
            weights,
            bins=np.linspace(0, 1, 31),
            density=True,
            histtype="stepfilled",
            alpha=0.45,
            color=COLOURS[colour],
        )
        axes.axvline(weights.mean(), color=COLOURS[colour], lw=2)
        axes.annotate(
            name,
            (weights.mean(), 1),
            xycoords=("data", "axes fraction"),
            xytext=(5, -12),
            textcoords="offset points",
            color=INK[colour],
        )
    axes.set(
        title=title,
        xlabel="weight σ(−βh) of the pair in the gradient",
        ylabel="density of pairs",
        xlim=(0, 1),
    )
    return figure


@styled
def plot_rise_or_fall(surplus: Tensor, change: Tensor, title: str) -> Figure:
    """Change of the log-probability of chosen responses against their reward's surplus over β log Z."""
    figure, axes = plt.subplots()
    axes.scatter(surplus, change, s=7, alpha=0.3, color=COLOURS["chosen"], linewidths=0)
    axes.axhline(0, color=COLOURS["optimum"], lw=1)
    axes.axvline(0, color=COLOURS["optimum"], lw=1)
    axes.annotate(
        "chosen, and yet less likely than before",
        (0.98, 0.06),
        xycoords="axes fraction",
        ha="right",
    )
    axes.set(
        title=title,
        xlabel="r*(x, y_w) − β log Z(x)",
        ylabel="change of log π(y_w|x), nats",
        ylim=(change.min() - 0.2, change.max() + 0.2),
    )
    return figure


@styled
def plot_displacement(runs: dict, title: str) -> Figure:
    """Margin, chosen log-probability and refusals during two runs: plain (solid) and repaired (dashed).

    runs: name → training history with columns step, margin, watched, chosen change and refuses.
    """
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    for (name, run), style in zip(runs.items(), ("-", "--")):
        axes[0].plot(run["step"], run["margin"], color=COLOURS["policy"], ls=style)
        axes[1].plot(run["watched"], run["chosen change"], color=COLOURS["chosen"], ls=style)
        axes[2].plot(run["watched"], run["refuses"], color=COLOURS["harmful"], ls=style, label=name)
    axes[1].axhline(0, color=COLOURS["optimum"], lw=1)
    for ax, what in zip(
        axes, ("margin βh", "log π/π_ref of the chosen, nats", "P(refuses | unsafe)")
    ):
        ax.set(xlabel="step")
        ax.set_title(what, fontweight="normal", fontsize=11)
    axes[2].set(ylim=(0, 1))
    axes[2].legend(loc="upper right", fontsize=10)
    headline(figure, title)
    return figure


@styled
def plot_gold_against_kl(
    curves: dict[str, tuple[list[float], list[float], str, str]], title: str
) -> Figure:
    """Gold reward against KL: name → (KL in nats, gold, role in ``COLOURS``, line style), the highest point ringed."""
    figure, axes = plt.subplots(figsize=(8.5, 4.2))
    for name, (kls, golds, role, line) in curves.items():
        axes.plot(kls, golds, color=COLOURS[role], ls=line, marker="o", ms=4, lw=2, label=name)
        top = max(range(len(golds)), key=lambda k: golds[k])
        axes.plot(kls[top], golds[top], "o", ms=12, mfc="none", mec=COLOURS[role], mew=2)
    axes.set(title=title, xlabel="KL(π‖π_ref), nats", ylabel="expected gold reward")
    legend_right(axes)
    return figure
