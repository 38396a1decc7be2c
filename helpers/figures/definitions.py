"""Figures of section 2, formal definitions."""

from __future__ import annotations

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, INK, headline, legend_right, shades, styled
from helpers.pairs import KINDS, Finding


@styled
def plot_cycle(
    replies: dict[str, str], won: dict[tuple[str, str], int], of: int, title: str
) -> Figure:
    """Replies in a ring, an arrow from each winner of a majority to its loser, with the numbers.

    replies: name → text; won: (text, other text) → how many of ``of`` people preferred the first.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.9))
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(replies)) / len(replies)
    places = {
        name: 1.7 * np.array([1.6 * np.cos(a), np.sin(a)]) for name, a in zip(replies, angles)
    }
    arrow = {"arrowstyle": "-|>", "lw": 2, "color": COLOURS["chosen"], "mutation_scale": 22}
    at = {text: places[name] for name, text in replies.items()}
    for winner, loser in (pair for pair, n in won.items() if 2 * n > of):
        start, end, label = at[winner], at[loser], f"{won[winner, loser]} of {of}"
        axes.annotate(
            "", start + 0.73 * (end - start), start + 0.27 * (end - start), arrowprops=arrow
        )
        axes.annotate(
            label, (start + end) / 2, ha="center", va="center", backgroundcolor="white", fontsize=10
        )
    for name, (x, y) in places.items():
        axes.annotate(
            f"{name}\n“{replies[name]}”", (x, y), ha="center", va="center", fontweight="bold"
        )
    axes.set(title=title, xlim=(-4, 4), ylim=(-1.4, 2.2))
    axes.axis("off")
    return figure


@styled
def plot_audit(planted: set[Finding], found: dict[str, set[Finding]], title: str) -> Figure:
    """For each kind of defect, how many were planted (outline) and how many of them two audits found.

    found: name of the audit → its findings.
    """
    total = Counter(finding.kind for finding in planted)
    kinds = [kind for kind in KINDS if kind in total]
    figure, axes = plt.subplots(figsize=(8.5, 0.9 + 0.36 * len(kinds)))
    place, height = np.arange(len(kinds)), 0.8 / len(found)
    for k, ((name, findings), colour) in enumerate(zip(found.items(), ("policy", "reference"))):
        right = Counter(finding.kind for finding in findings & planted)
        widths, at = [right[kind] for kind in kinds], place - 0.4 + (k + 0.5) * height
        axes.barh(at, widths, height, color=COLOURS[colour], label=name)
    outline = [total[kind] for kind in kinds]
    axes.barh(place, outline, 0.8, fill=False, edgecolor=COLOURS["optimum"], label="planted")
    axes.set(title=title, xlabel="defects", yticks=place, yticklabels=kinds)
    axes.invert_yaxis()
    legend_right(axes)
    return figure


@styled
def plot_kept(counts: dict[str, Tensor], per_prompt: int, title: str) -> Figure:
    """How many replies to each prompt two scorers keep, one upwards and one downwards, and the even share."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    largest = max(int(kept.max()) for kept in counts.values())
    for (name, kept), sign, colour, place in zip(
        counts.items(), (1, -1), ("policy", "gold"), ("top", "bottom")
    ):
        axes.bar(np.arange(len(kept)), sign * kept.numpy(), 0.85, color=COLOURS[colour])
        axes.axhline(sign * per_prompt, color=COLOURS["optimum"], ls="--", lw=1)
        axes.annotate(
            name,
            (0.01, 0.97 if sign > 0 else 0.03),
            xycoords="axes fraction",
            ha="left",
            va=place,
            color=INK[colour],
            fontweight="bold",
        )
    axes.axhline(0, color=COLOURS["optimum"], lw=1)
    axes.set(title=title, ylabel="replies kept", ylim=(-1.2 * largest, 1.2 * largest), xticks=[])
    axes.set_xlabel(
        "prompts, ordered by the difference of their mean rewards (dashed: the same number for each)"
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    return figure


@styled
def plot_choice_curve(gaps: Tensor, shares: dict[str, Tensor], title: str) -> Figure:
    """Sampled shares of choices against the gap of strengths for two kinds of noise, and their distance from σ."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
    grid = np.linspace(float(gaps.min()) - 0.3, float(gaps.max()) + 0.3, 200)
    axes[0].plot(grid, 1 / (1 + np.exp(-grid)), color=COLOURS["optimum"], lw=1, label="σ(gap)")
    axes[1].axhline(0, color=COLOURS["optimum"], lw=1)
    for (name, share), colour, marker in zip(shares.items(), ("policy", "rejected"), "ox"):
        axes[0].plot(gaps, share, marker, color=COLOURS[colour], label=name)
        axes[1].plot(gaps, 100 * (share - gaps.sigmoid()), marker, color=COLOURS[colour])
    axes[0].set(xlabel="gap of strengths", ylabel="share of choices")
    axes[1].set(xlabel="gap of strengths", ylabel="share − σ(gap), % points")
    axes[0].legend(loc="lower right")
    headline(figure, title)
    return figure


@styled
def plot_ways_to_fit(panels: dict[str, dict[str, Tensor]], title: str) -> Figure:
    """A difference of strengths during ascent from several starts, one panel per table of wins; steps logarithmic."""
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.5), sharey=True)
    for ax, (name, paths) in zip(axes, panels.items()):
        for (start, path), colour, style in zip(
            paths.items(), ("policy", "gold", "rejected"), ("-", "--", ":")
        ):
            ax.plot(
                np.arange(1, len(path) + 1),
                path,
                color=COLOURS[colour],
                ls=style,
                lw=2,
                label=start,
            )
        ax.set(xscale="log", xlabel="step of gradient ascent")
        ax.set_title(name, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("strength of A minus strength of D")
    axes[0].legend(fontsize=9)
    headline(figure, title)
    return figure


@styled
def plot_coverage(
    levels: list[float], covered: dict[str, list[float]], replications: int, title: str
) -> Figure:
    """Part of the intervals that hold the true value against the stated level, ± four standard deviations."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    axes.plot([0, 100], [0, 100], color=COLOURS["optimum"], lw=1)
    axes.annotate(
        "as stated", (60, 60), xytext=(-4, 4), textcoords="offset points", ha="right", va="bottom"
    )
    for (name, shares), colour, marker in zip(
        covered.items(), ("policy", "rejected", "gold"), "os^"
    ):
        shares = np.array(shares)
        bar = 400 * np.sqrt(shares * (1 - shares) / replications)
        axes.errorbar(
            100 * np.array(levels),
            100 * shares,
            bar,
            fmt=f"{marker}-",
            color=COLOURS[colour],
            capsize=3,
            label=name,
        )
    axes.set(
        title=title,
        xlabel="stated level, %",
        ylabel="intervals that hold it, %",
        xlim=(45, 102),
        ylim=(0, 104),
    )
    axes.legend(loc="lower right")
    return figure


@styled
def plot_references(
    curves: dict[str, list[tuple]], betas: list[float], trained: dict[str, tuple], title: str
) -> Figure:
    """Gold reward against KL to π_ref: optima for every β under up to three references.

    curves: reference → [(KL, reward), …], one for each of ``betas``, a dot each; trained: name,
    which ends in that of its reference → (KL, reward), a cross in its colour.
    """
    figure, axes = plt.subplots(figsize=(9.5, 4.2))
    looks = (("policy", "-"), ("rejected", "--"), ("gold", "-."))
    for (name, curve), (colour, line) in zip(curves.items(), looks):
        look = {"color": COLOURS[colour], "ls": line, "lw": 2, "marker": "o", "ms": 5}
        axes.plot(*zip(*curve), label=f"optima with {name}", **look)
        at_one = curve[betas.index(1)]
        axes.annotate("β = 1", at_one, xytext=(6, -14), textcoords="offset points", fontsize=9)
    for name, place in trained.items():
        (colour,) = (look[0] for key, look in zip(curves, looks) if name.endswith(key))
        axes.plot(*place, "X", ms=11, color=COLOURS[colour], mec="white", ls="none", label=name)
    axes.set(
        title=title,
        xlabel="KL(π‖π_ref) to the policy that training starts from, nats",
        ylabel="expected gold",
    )
    legend_right(axes)
    return figure


@styled
def plot_support(ref_probabilities: Tensor, found: dict[str, Tensor], title: str) -> Figure:
    """Probability of the best response at the optimum against what the reference gives it, both logarithmic."""
    figure, axes = plt.subplots()
    for (name, probability), shade in zip(found.items(), reversed(shades(len(found)))):
        axes.plot(ref_probabilities, probability, "o-", color=shade, ms=5, label=name)
    axes.plot(
        ref_probabilities, ref_probabilities, color=COLOURS["reference"], ls="--", label="unchanged"
    )
    axes.axhline(0.5, color=COLOURS["optimum"], lw=1, ls=":")
    axes.set(
        title=title,
        xscale="log",
        yscale="log",
        xlabel="π_ref(better reply)",
        ylabel="π*(better reply)",
    )
    legend_right(axes)
    return figure


@styled
def plot_beta_limits(
    betas: list[float], kls: Tensor, golds: Tensor, limits: tuple, title: str
) -> Figure:
    """KL and gold reward of the optimum against β (logarithmic), with limits (KL at 0, gold at ∞, gold at 0)."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
    largest, start, best = limits
    sides = (
        (kls, "policy", "KL(π*‖π_ref), nats", {"−log π_ref(best)": largest, "π_ref": 0.0}),
        (golds, "gold", "expected gold reward", {"best replies only": best, "π_ref": start}),
    )
    for ax, (values, colour, what, lines) in zip(axes, sides):
        ax.plot(betas, values, "o-", color=COLOURS[colour])
        for (name, height), x, side in zip(lines.items(), (0.98, 0.02), ("right", "left")):
            ax.axhline(height, color=COLOURS["optimum"], ls="--", lw=1)
            ax.annotate(name, (x, height), xycoords=("axes fraction", "data"), ha=side, va="bottom")
        ax.set(xscale="log", xlabel="β, reward per nat", ylabel=what)
        ax.margins(y=0.15)
    headline(figure, title)
    return figure


@styled
def plot_beta_in_training(
    panels: dict[str, tuple[Tensor, Tensor | float]], betas: Tensor, title: str
) -> Figure:
    """KL to the reference during training for several β, one panel per way to train.

    panels: name → (KL before each step, (steps, n), levels): one level per β, its optimum (a
    circle), or one number, the limit of all (dashed). betas: n numbers. Both axes are logarithmic;
    the first row, where KL is 0, is left out.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 3.8))
    betas = betas.flatten().tolist()
    blues = shades(len(betas))
    for ax, (name, (paths, levels)) in zip(axes, panels.items()):
        steps = np.arange(1, len(paths))
        for k, beta in enumerate(betas):
            ax.plot(steps, paths[1:, k], color=blues[k], lw=2, label=f"β = {beta:g}")
            if not isinstance(levels, float):
                ax.plot(
                    steps[-1],
                    levels[k],
                    "o",
                    color=blues[k],
                    mec=COLOURS["optimum"],
                    ms=7,
                    clip_on=False,
                )
        if isinstance(levels, float):
            ax.axhline(levels, color=COLOURS["optimum"], ls="--", lw=1)
            ax.annotate(
                "−log π_ref(best)",
                (0.98, levels),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
            )
        ax.set(xscale="log", yscale="log", xlabel="step")
        ax.margins(y=0.1)
        ax.set_title(name, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("KL(π_θ‖π_ref), nats (circles: optima)")
    legend_right(axes[-1])
    headline(figure, title)
    return figure
