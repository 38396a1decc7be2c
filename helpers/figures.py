"""Drawing: one look, one colour for one thing, alternative text under every figure.

Functions are named after what they show and return the matplotlib figure; ``show`` displays it.
"""

from __future__ import annotations

import functools
import io

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure
from torch import Tensor

# After Okabe & Ito, shifted until readers with any common colour blindness tell all seven apart (tests/test_figures.py)
COLOURS = {
    "reference": "#6A6A6A",
    "policy": "#0072B2",
    "optimum": "#000000",
    "chosen": "#1FA06F",
    "rejected": "#B84A00",
    "gold": "#C28500",
    "harmful": "#CC79A7",
}
STYLE = {
    "figure.dpi": 80,
    "figure.figsize": (8.5, 3.6),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "font.size": 11,
    "legend.frameon": False,
}


def show(figure: Figure, alt: str) -> None:
    """Display a figure once, with ``alt`` as metadata and as a visible sentence below. Raises ValueError if empty."""
    if not alt.strip():
        raise ValueError("empty alternative text: expected a sentence that says what the figure shows")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    plt.close(figure)
    display(Image(buffer.getvalue(), alt=alt), Markdown(f"*Figure: {alt}*"))


def _styled(draw):
    @functools.wraps(draw)
    def styled(*args, **options) -> Figure:
        with plt.rc_context(STYLE):
            return draw(*args, **options)

    return styled


def _legend_right(axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


@_styled
def plot_shares(shares: dict[str, dict[str, float]], title: str) -> Figure:
    """Stacked bars: for each row, what part of the probability goes where (rows → parts that sum to 1)."""
    figure, axes = plt.subplots(figsize=(8.5, 0.9 + 0.5 * len(shares)))
    palette = {"gives steps": "gold", "refuses": "policy", "neither": "reference"}
    left = np.zeros(len(shares))
    for part in next(iter(shares.values())):
        width = np.array([row[part] for row in shares.values()])
        bars = axes.barh(list(shares), width, left=left, color=COLOURS[palette[part]], edgecolor="white", label=part)
        axes.bar_label(bars, [f"{100 * w:.0f}" if w > 0.06 else "" for w in width], label_type="center", color="white")
        left += width
    axes.invert_yaxis()
    axes.set(title=title, xlabel="probability in % (exact: summed over all responses)", xlim=(0, 1), xticks=[])
    _legend_right(axes)
    return figure


@_styled
def plot_policies(responses: list[str], policies: dict[str, Tensor], title: str) -> Figure:
    """Grouped bars: the probability of each response under several policies, the reference first and grey."""
    figure, axes = plt.subplots(figsize=(8.5, 0.6 + 0.62 * len(responses)))
    height, place = 0.8 / len(policies), np.arange(len(responses))
    shades = [COLOURS["reference"], *plt.get_cmap("Blues")(np.linspace(0.45, 0.95, max(1, len(policies) - 1)))]
    for k, (name, logps) in enumerate(policies.items()):
        axes.barh(place + (k - (len(policies) - 1) / 2) * height, logps.exp(), height, color=shades[k], label=name)
    axes.set(title=title, xlabel="probability", yticks=place, yticklabels=responses)
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


@_styled
def plot_ascent(paths: dict[str, list[float]], ceiling: float, title: str) -> Figure:
    """The objective J during ascent from several starts, below its ceiling β log Z."""
    figure, axes = plt.subplots()
    for (name, path), colour in zip(paths.items(), ("reference", "policy")):
        axes.plot(path, color=COLOURS[colour], lw=2, label=name)
    axes.axhline(ceiling, color=COLOURS["optimum"], ls="--", lw=1)
    axes.annotate("β log Z", (len(path) - 1, ceiling), xytext=(0, 4), textcoords="offset points", ha="right")
    axes.set(title=title, xlabel="step of gradient ascent", ylabel="J(π), units of reward")
    axes.legend(loc="lower right")
    return figure


@_styled
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
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_closing_the_loop(table: tuple[list, dict], gpt: tuple[list, dict], title: str) -> Figure:
    """Reward against KL: exact optima as a curve, trained policies as markers; a table left, the tiny GPT right.

    Each side: the curve as [(KL, reward), …], and the markers as name → [(KL, reward, label), …].
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4))
    looks = {
        "reward model, then policy": dict(marker="s", ms=13, mfc="none", mec=COLOURS["gold"], mew=2),
        "DPO": dict(marker="X", ms=8, mfc=COLOURS["policy"], mec=COLOURS["policy"]),
        "exact optimum π*": dict(marker="o", ms=5, mfc=COLOURS["optimum"], mec=COLOURS["optimum"]),
        "DPO, probabilities as labels": dict(marker="X", ms=9, mfc=COLOURS["policy"], mec="white"),
        "DPO, one answer per pair": dict(marker="^", ms=9, mfc=COLOURS["chosen"], mec="white"),
        "DPO, 1,000 fixed pairs": dict(marker="v", ms=10, mfc=COLOURS["rejected"], mec="white"),
    }
    for ax, (curve, points), where in zip(axes, (table, gpt), ("six responses", "tiny GPT, 48 prompts")):
        ax.plot(*zip(*curve), color=COLOURS["optimum"], lw=1, label="optima for every β")
        for name in (name for name in looks if name in points):
            for i, (kl, reward, label) in enumerate(points[name]):
                ax.plot(kl, reward, ls="none", label=name if i == 0 else None, **looks[name])
                ax.annotate(label, (kl, reward), xytext=(7, -13), textcoords="offset points", fontsize=10)
        ax.margins(x=0.1)
        ax.set(xlabel="KL(π‖π_ref), nats")
        ax.set_title(where, fontweight="normal", fontsize=11)
        ax.legend(loc="lower right", fontsize=9)
    axes[0].set_ylabel("expected gold reward")
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_weights(groups: dict[str, Tensor], title: str) -> Figure:
    """How the pair weights σ(−βh) are distributed in groups of pairs, with each group's mean."""
    figure, axes = plt.subplots()
    for (name, weights), colour in zip(groups.items(), ("chosen", "rejected")):
        axes.hist(
            weights, bins=np.linspace(0, 1, 31), density=True, histtype="stepfilled", alpha=0.45, color=COLOURS[colour]
        )
        axes.axvline(weights.mean(), color=COLOURS[colour], lw=2)
        axes.annotate(
            name,
            (weights.mean(), 1),
            xycoords=("data", "axes fraction"),
            xytext=(5, -12),
            textcoords="offset points",
            color=COLOURS[colour],
        )
    axes.set(title=title, xlabel="weight σ(−βh) of the pair in the gradient", ylabel="density of pairs", xlim=(0, 1))
    return figure


@_styled
def plot_rise_or_fall(surplus: Tensor, change: Tensor, title: str) -> Figure:
    """Change of the log-probability of chosen responses against their reward's surplus over β log Z."""
    figure, axes = plt.subplots()
    axes.axhspan(change.min() - 1, 0, color=COLOURS["rejected"], alpha=0.08, lw=0)
    axes.scatter(surplus, change, s=7, alpha=0.3, color=COLOURS["chosen"], linewidths=0)
    axes.axhline(0, color=COLOURS["optimum"], lw=1)
    axes.axvline(0, color=COLOURS["optimum"], lw=1)
    axes.annotate("chosen, and yet less likely than before", (0.98, 0.06), xycoords="axes fraction", ha="right")
    axes.set(
        title=title,
        xlabel="r*(x, y_w) − β log Z(x)",
        ylabel="change of log π(y_w|x), nats",
        ylim=(change.min() - 0.2, change.max() + 0.2),
    )
    return figure


@_styled
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
    for ax, what in zip(axes, ("margin βh", "log π/π_ref of the chosen, nats", "P(refuses | unsafe)")):
        ax.set(xlabel="step")
        ax.set_title(what, fontweight="normal", fontsize=11)
    axes[2].set(ylim=(0, 1))
    axes[2].legend(loc="upper right", fontsize=10)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_two_roads(panels: dict[str, dict[str, list[float]]], steps: list[int], title: str) -> Figure:
    """A fitted reward during training on two roads to a policy: data set → road → value at each of ``steps``."""
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.6), sharey=True)
    looks = {"reward model": ("gold", "-"), "DPO": ("policy", "--")}
    for ax, (where, roads) in zip(axes, panels.items()):
        for road, values in roads.items():
            colour, line = looks[road]
            ax.plot(steps, values, color=COLOURS[colour], ls=line, lw=2.5, label=road)
        ax.set(xscale="log", xlabel="step of gradient descent")
        ax.set_title(where, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("fitted reward of the first reply")
    axes[0].legend(loc="upper left")
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_gold_by_slice(policies: dict[str, dict[str, float]], title: str) -> Figure:
    """Grouped bars: expected gold reward in each slice under several policies, the reference first and grey.

    A policy whose name begins with π* is drawn black, one with 'coin' in its name as harmful, others blue.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    place, height = np.arange(len(next(iter(policies.values())))), 0.8 / len(policies)
    for k, (name, gold) in enumerate(policies.items()):
        role = (
            "reference" if k == 0 else "optimum" if name.startswith("π*") else "harmful" if "coin" in name else "policy"
        )
        where = place + (k - (len(policies) - 1) / 2) * height
        axes.barh(where, list(gold.values()), height, color=COLOURS[role], edgecolor="white")
        for y, value in zip(where, gold.values()):
            axes.annotate(
                name,
                (max(value, 0), y),
                xytext=(4, 0),
                textcoords="offset points",
                fontsize=9,
                va="center",
                color=COLOURS[role],
            )
    axes.set(title=title, xlabel="expected gold reward (exact)", yticks=place, yticklabels=list(gold))
    axes.margins(x=0.25)
    axes.axvline(0, color=COLOURS["optimum"], lw=1)
    axes.invert_yaxis()
    return figure


@_styled
def plot_fitted_rewards(panels: dict[str, dict[str, tuple[Tensor, Tensor, str]]], title: str) -> Figure:
    """Fitted against true reward of a few replies, with the line of slope 1.

    panels: heading → name → (true, fitted, role), rewards (N,) with equal means; role is a key of ``COLOURS``.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 4), sharey=True)
    for ax, (heading, fits) in zip(axes, panels.items()):
        for (name, (true, fitted, role)), marker in zip(fits.items(), "osv^"):
            order = true.argsort()
            ax.plot(true[order], fitted[order], color=COLOURS[role], marker=marker, ms=6, lw=1.5, label=name)
        ends = np.array([true.min(), true.max()])
        ax.plot(ends, ends, color=COLOURS["optimum"], lw=1, ls=":")
        ax.set(xlabel="true reward r*")
        ax.set_title(heading, fontweight="normal", fontsize=11)
        ax.legend(loc="upper left", fontsize=9.5)
    axes[0].set_ylabel("fitted reward, unlimited answers")
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_error_against_pairs(counts: list[int], errors: dict[str, tuple[list[float], str, str]], title: str) -> Figure:
    """Error of an estimate against the number of pairs, both logarithmic: name → (errors, role, line style)."""
    figure, axes = plt.subplots(figsize=(8.5, 4))
    for name, (values, role, line) in errors.items():
        axes.plot(counts, values, color=COLOURS[role], ls=line, marker="o", ms=4, lw=2, label=name)
    axes.set(
        title=title,
        xscale="log",
        yscale="log",
        xlabel="pairs (one answer each)",
        ylabel="root mean square error of P(first preferred)",
    )
    _legend_right(axes)
    return figure


@_styled
def plot_label_noise(rates: list[float], runs: dict[str, dict[str, list[float]]], lines: dict, title: str) -> Figure:
    """Two quantities of trained policies against the rate of flipped labels, plain and corrected loss.

    runs: 'plain' and 'corrected' → quantity → value at each of ``rates``; lines: quantity → label → level.
    """
    figure, axes = plt.subplots(1, len(lines), figsize=(10, 3.6))
    looks = {"plain": ("rejected", "v", "-"), "corrected": ("policy", "o", "--")}
    for ax, (quantity, levels) in zip(axes, lines.items()):
        for label, level in levels.items():
            ax.axhline(level, color=COLOURS["reference" if "ref" in label else "optimum"], lw=1)
            ax.annotate(
                label,
                (0.5, level),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=10,
            )
        for name, values in runs.items():
            colour, marker, line = looks[name]
            ax.plot(
                [100 * rate for rate in rates],
                values[quantity],
                color=COLOURS[colour],
                marker=marker,
                ms=8,
                ls=line,
                lw=2,
                label=f"{name} loss",
            )
        ax.set(xlabel="labels flipped, %", xticks=[100 * rate for rate in rates])
        ax.margins(y=0.15)
        ax.set_title(quantity, fontweight="normal", fontsize=11)
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 0.1))
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_cycle(replies: dict[str, str], wins: dict[tuple[str, str], str], title: str) -> Figure:
    """Responses in a ring, an arrow from each winner to its loser, labelled: (winner, loser) → text."""
    figure, axes = plt.subplots(figsize=(8.5, 3.9))
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(replies)) / len(replies)
    places = {name: 1.7 * np.array([1.6 * np.cos(a), np.sin(a)]) for name, a in zip(replies, angles)}
    arrow = {"arrowstyle": "-|>", "lw": 2, "color": COLOURS["chosen"], "mutation_scale": 22}
    for (winner, loser), label in wins.items():
        start, end = places[winner], places[loser]
        axes.annotate("", start + 0.73 * (end - start), start + 0.27 * (end - start), arrowprops=arrow)
        axes.annotate(label, (start + end) / 2, ha="center", va="center", backgroundcolor="white", fontsize=10)
    for name, (x, y) in places.items():
        axes.annotate(f"{name}\n“{replies[name]}”", (x, y), ha="center", va="center", fontweight="bold")
    axes.set(title=title, xlim=(-4, 4), ylim=(-1.4, 2.2))
    axes.axis("off")
    return figure


@_styled
def plot_audit(planted: dict[str, int], found: dict[str, dict[str, int]], title: str) -> Figure:
    """For each kind of defect, how many were planted (outline) and how many each of two audits found (bars)."""
    figure, axes = plt.subplots(figsize=(8.5, 0.9 + 0.36 * len(planted)))
    place, height = np.arange(len(planted)), 0.8 / len(found)
    for k, ((name, counts), colour) in enumerate(zip(found.items(), ("policy", "reference"))):
        widths = [counts[kind] for kind in planted]
        axes.barh(place - 0.4 + (k + 0.5) * height, widths, height, color=COLOURS[colour], label=name)
    axes.barh(place, list(planted.values()), 0.8, fill=False, edgecolor=COLOURS["optimum"], label="planted")
    axes.set(title=title, xlabel="defects", yticks=place, yticklabels=list(planted))
    axes.invert_yaxis()
    _legend_right(axes)
    return figure


@_styled
def plot_kept(counts: dict[str, Tensor], per_prompt: int, title: str) -> Figure:
    """How many replies to each prompt two scorers keep, one upwards and one downwards, and the even share."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    largest = max(int(kept.max()) for kept in counts.values())
    for (name, kept), sign, colour, place in zip(counts.items(), (1, -1), ("policy", "gold"), ("top", "bottom")):
        axes.bar(np.arange(len(kept)), sign * kept.numpy(), 0.85, color=COLOURS[colour])
        axes.axhline(sign * per_prompt, color=COLOURS["optimum"], ls="--", lw=1)
        axes.annotate(
            name,
            (0.99, 0.97 if sign > 0 else 0.03),
            xycoords="axes fraction",
            ha="right",
            va=place,
            color=COLOURS[colour],
            fontweight="bold",
        )
    axes.axhline(0, color=COLOURS["optimum"], lw=1)
    axes.set(title=title, ylabel="replies kept", ylim=(-1.2 * largest, 1.2 * largest), xticks=[])
    axes.set_xlabel("prompts, ordered by the difference of their mean scores (dashed: the same number for each)")
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    return figure


@_styled
def plot_choice_curve(gaps: Tensor, shares: dict[str, Tensor], title: str) -> Figure:
    """Sampled shares of choices against the gap of rewards for two kinds of noise, and their distance from σ."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
    grid = np.linspace(float(gaps.min()) - 0.3, float(gaps.max()) + 0.3, 200)
    axes[0].plot(grid, 1 / (1 + np.exp(-grid)), color=COLOURS["optimum"], lw=1, label="σ(gap)")
    axes[1].axhline(0, color=COLOURS["optimum"], lw=1)
    for (name, share), colour, marker in zip(shares.items(), ("policy", "rejected"), "ox"):
        axes[0].plot(gaps, share, marker, color=COLOURS[colour], label=name)
        axes[1].plot(gaps, 100 * (share - gaps.sigmoid()), marker, color=COLOURS[colour])
    axes[0].set(xlabel="gap of rewards", ylabel="share of choices")
    axes[1].set(xlabel="gap of rewards", ylabel="share minus σ(gap), percentage points")
    axes[0].legend(loc="lower right")
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_ways_to_fit(panels: dict[str, dict[str, Tensor]], title: str) -> Figure:
    """A difference of strengths during ascent from several starts, one panel per table of wins; steps logarithmic."""
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.5), sharey=True)
    for ax, (name, paths) in zip(axes, panels.items()):
        for (start, path), colour, style in zip(paths.items(), ("policy", "gold", "rejected"), ("-", "--", ":")):
            ax.plot(np.arange(1, len(path) + 1), path, color=COLOURS[colour], ls=style, lw=2, label=start)
        ax.set(xscale="log", xlabel="step of gradient ascent")
        ax.set_title(name, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("strength of A minus strength of D")
    axes[0].legend(fontsize=9)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_coverage(levels: list[float], covered: dict[str, list[float]], replications: int, title: str) -> Figure:
    """Part of the intervals that hold the true value against the stated level, ± four standard deviations."""
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    axes.plot([0, 100], [0, 100], color=COLOURS["optimum"], lw=1)
    axes.annotate("as stated", (60, 60), xytext=(-4, 4), textcoords="offset points", ha="right", va="bottom")
    for (name, shares), colour, marker in zip(covered.items(), ("policy", "rejected"), "os"):
        shares = np.array(shares)
        bar = 400 * np.sqrt(shares * (1 - shares) / replications)
        axes.errorbar(
            100 * np.array(levels), 100 * shares, bar, fmt=f"{marker}-", color=COLOURS[colour], capsize=3, label=name
        )
    axes.set(title=title, xlabel="stated level, %", ylabel="intervals that hold it, %", xlim=(45, 102), ylim=(0, 104))
    axes.legend(loc="lower right")
    return figure


@_styled
def plot_references(curves: dict[str, list[tuple[float, float]]], points: dict, title: str) -> Figure:
    """Gold reward against KL to π_ref: optima for every β under two references, and trained policies.

    curves: reference → [(KL, reward), …]; points: name → (KL, reward, key of its curve).
    """
    figure, axes = plt.subplots(figsize=(8.5, 4.2))
    looks = dict(zip(curves, (("policy", "-"), ("rejected", "--"))))
    for name, curve in curves.items():
        axes.plot(*zip(*curve), color=COLOURS[looks[name][0]], ls=looks[name][1], lw=2, label=f"optima, {name}")
    for name, (kl, reward, curve) in points.items():
        marker = "X" if name.startswith("trained") else "o"
        axes.plot(kl, reward, marker, ms=10, color=COLOURS[looks[curve][0]], mec="white", ls="none", label=name)
    axes.set(title=title, xlabel="KL(π‖π_ref) to the policy that training starts from, nats", ylabel="expected gold")
    axes.legend(loc="lower right", fontsize=9)
    return figure


@_styled
def plot_support(ref_probabilities: Tensor, found: dict[str, Tensor], title: str) -> Figure:
    """Probability of the best response at the optimum against what the reference gives it, both logarithmic."""
    figure, axes = plt.subplots()
    for (name, probability), shade in zip(found.items(), plt.get_cmap("Blues")(np.linspace(0.95, 0.45, len(found)))):
        axes.plot(ref_probabilities, probability, "o-", color=shade, ms=5, label=name)
    axes.plot(ref_probabilities, ref_probabilities, color=COLOURS["reference"], ls="--", label="unchanged")
    axes.axhline(0.5, color=COLOURS["optimum"], lw=1, ls=":")
    axes.set(title=title, xscale="log", yscale="log", xlabel="π_ref(better reply)", ylabel="π*(better reply)")
    _legend_right(axes)
    return figure


@_styled
def plot_beta_limits(betas: list[float], kls: list[float], golds: list[float], limits: tuple, title: str) -> Figure:
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
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


@_styled
def plot_beta_in_training(panels: dict[str, tuple[Tensor, list[float] | float]], betas: tuple, title: str) -> Figure:
    """KL to the reference during training for several β, one panel per way to train.

    panels: name → (KL, (steps, len(betas)), levels): one level per β, its optimum, or one number, the limit of all.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 3.8))
    shades = plt.get_cmap("Blues")(np.linspace(0.95, 0.4, len(betas)))
    for ax, (name, (paths, levels)) in zip(axes, panels.items()):
        for k, beta in enumerate(betas):
            ax.plot(paths[:, k], color=shades[k], lw=2, label=f"β = {beta:g}")
        if isinstance(levels, float):
            ax.axhline(levels, color=COLOURS["optimum"], ls="--", lw=1)
            ax.annotate("−log π_ref(best)", (0.98, levels), xycoords=("axes fraction", "data"), ha="right", va="bottom")
            ax.set_ylim(top=1.12 * levels)
        ax.set(xlabel="step")
        ax.set_title(name, fontweight="normal", fontsize=11)
    axes[0].set_ylabel("KL(π_θ‖π_ref), nats")
    _legend_right(axes[-1])
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure
