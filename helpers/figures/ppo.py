"""Figures of sections 4.3 and 4.5: the pieces of PPO, what a run shows and hides, what helps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.drawing import COLOURS, INK, headline, legend_right, styled

LOOKS = (("policy", "-", "o"), ("reference", "--", "s"), ("rejected", "-.", "^"))


@styled
def plot_credit(words: list[str], values: list[float], rewards: list[float], title: str) -> Figure:
    """One reply, token by token: V before each; the steps δ of V, and G − V, of each.

    words, values, rewards (T,): the tokens as read aloud, V(h_t), and what each token earned.
    """
    T, path = len(words), [*values, 0.0]
    delta = [r + path[t + 1] - path[t] for t, r in enumerate(rewards)]
    left = [sum(rewards[t:]) - v for t, v in enumerate(values)]
    figure, (top, low) = plt.subplots(2, 1, figsize=(8.5, 5), sharex=True)
    top.plot(range(T + 1), [*values, sum(rewards)], color=COLOURS["policy"], marker="o", ms=6)
    for t, value in enumerate([*values, sum(rewards)]):
        name = f"r = {value:.2f}" if t == T else f"V = {value:.2f}"
        dips = 0 < t < T and value < min(path[t - 1], [*values, sum(rewards)][t + 1])
        top.annotate(
            name,
            (t, value),
            (0, -18 if dips else 8),
            textcoords="offset points",
            ha="center",
            fontsize=10,
        )
    top.set_ylabel("expected reward")
    top.margins(y=0.25)
    for k, (name, bars, look) in enumerate(
        (("δ, its own step", delta, "chosen"), ("G − V, all that follows", left, "reference"))
    ):
        places = [t + 0.32 + 0.36 * k for t in range(T)]
        low.bar(places, bars, 0.32, color=COLOURS[look], label=name)
        for place, value in zip(places, bars):
            side = 3 if value >= 0 else -12
            low.annotate(
                f"{value:+.2f}",
                (place, value),
                (0, side),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
    low.axhline(0, color=COLOURS["optimum"], lw=0.8)
    low.margins(y=0.25)
    low.set_ylabel("credit of the token")
    low.set_xticks([t + 0.5 for t in range(T)], words)
    low.tick_params(axis="x", length=0, labelsize=12)
    low.legend(loc="lower right")
    headline(figure, title)
    return figure


@styled
def plot_batch_error(
    found: dict[str, dict[float, tuple[float, float]]], lams: tuple[float, ...], title: str
) -> Figure:
    """Error √(bias² + noise²/B) of the gradient of B replies, a panel per critic, a line per λ.

    found: critic → λ → (bias, noise of one reply), both in units of the exact gradient's length.
    """
    figure, panels = plt.subplots(1, len(found), figsize=(10, 3.7), sharey=True)
    B = 4 ** np.arange(1, 8)
    for axes, (critic, of_lam) in zip(panels, found.items()):
        for lam, (colour, line, marker) in zip(lams, LOOKS):
            bias, noise = of_lam[lam]
            error, look = np.sqrt(bias**2 + noise**2 / B), {"ls": line, "marker": marker, "ms": 4}
            axes.plot(B, error, color=COLOURS[colour], label=f"λ = {lam:g}", **look)
        axes.set(xscale="log", yscale="log", xlabel="replies in a batch")
        axes.set_title(critic, fontweight="normal", fontsize=11)
    panels[0].set_ylabel("error of its gradient, part of ∇J")
    panels[0].legend()
    headline(figure, title)
    return figure


@styled
def plot_clip(objective: Callable[[Tensor, float], Tensor], clip: float, title: str) -> Figure:
    """PPO's objective(ρ, A) for one token against its ratio, A = ±1; dashed: without a clip."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.7))
    ratio = torch.linspace(0.3, 1.9, 161, dtype=torch.float64)
    for axes, A in zip(panels, (1.0, -1.0)):
        values, edge = objective(ratio, A), 1 + A * clip
        flat = ratio >= edge if A > 0 else ratio <= edge
        axes.plot(ratio, ratio * A, color=COLOURS["rejected"], ls="--", lw=1.5)
        axes.plot(ratio[~flat], values[~flat], color=COLOURS["policy"], lw=2.5)
        axes.plot(ratio[flat], values[flat], color=COLOURS["reference"], lw=2.5)
        axes.plot([1], [A], "o", color=COLOURS["optimum"], ms=6)
        for end in (1 - clip, 1 + clip):
            axes.axvline(end, color=COLOURS["optimum"], lw=0.8, ls=":")
        middle = float(ratio[flat].mean())
        axes.annotate("flat: no pull", (middle, edge * A - 0.17), ha="center", fontsize=10)
        name = "a good" if A > 0 else "a bad"
        axes.set_title(f"A = {A:+.0f}: {name} token", fontweight="normal", fontsize=11)
        axes.set(xlabel="ρ = π/π_old of the token", ylabel="objective")
    panels[0].annotate("pulled up,\nhowever rare\nit has become", (0.33, 0.8), fontsize=10)
    panels[1].annotate("pulled down,\nhowever common\nit has become", (1.45, -1.25), fontsize=10)
    headline(figure, title)
    return figure


@styled
def plot_reuse(
    steps: tuple[int, ...], runs: dict[str, dict[str, list[float]]], title: str
) -> Figure:
    """Largest ratio, KL to the old policy and gold over steps on one batch.

    runs: name → what ``stale_batch.reuse_batch`` saw at the steps.
    """
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.5))
    labels = {
        "ratio": "largest π/π_old of a token",
        "KL": "KL(π‖π_old), nats",
        "gold": "gold reward",
    }
    for axes, (key, label) in zip(panels, labels.items()):
        for (name, seen), (colour, line, marker) in zip(runs.items(), LOOKS[::2]):
            axes.plot(
                steps, seen[key], color=COLOURS[colour], ls=line, marker=marker, ms=5, label=name
            )
        axes.set_xlabel("steps on one batch")
        axes.set_title(label, fontweight="normal", fontsize=11)
    panels[0].set_yscale("log")
    panels[0].axhline(1.2, color=COLOURS["optimum"], lw=0.8, ls=":")
    panels[0].annotate(
        "1 + c", (steps[-1], 1.2), (0, 3), textcoords="offset points", ha="right", fontsize=10
    )
    panels[1].legend()
    headline(figure, title)
    return figure


LOGGED = {
    "reward, by the reward model": "reward",
    "KL to π_ref (k1), nats": "kl",
    "entropy per token, nats": "entropy",
    "ratios outside 1 ± c, share": "clip_fraction",
    "explained variance": "explained_variance",
    "length, tokens": "length",
}


@styled
def plot_training_log(history: Mapping[str, np.ndarray], title: str) -> Figure:
    """What a run of PPO recorded of itself, a small panel for each quantity over the iterations."""
    figure, grid = plt.subplots(2, 3, figsize=(10, 4.6), sharex=True)
    for axes, (label, name) in zip(grid.flat, LOGGED.items()):
        axes.plot(history["step"], history[name], color=COLOURS["policy"], lw=1.8)
        axes.set_title(label, fontweight="normal", fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("iteration")
    headline(figure, title)
    return figure


@styled
def plot_hump(kl: np.ndarray, gains: dict[str, np.ndarray], title: str) -> Figure:
    """Gain over the reference against √KL, for proxy and gold, each labelled at its end."""
    figure, axes = plt.subplots(figsize=(8.5, 3.9))
    x = np.sqrt(np.maximum(kl, 0))
    for (name, values), colour, line in zip(gains.items(), ("policy", "gold"), ("-", "--")):
        axes.plot(x, values, color=COLOURS[colour], ls=line, marker="o", ms=5)
        axes.annotate(
            name, (x[-1], values[-1]), (8, -4), textcoords="offset points", color=INK[colour]
        )
    axes.axhline(0, color=COLOURS["optimum"], lw=0.8)
    axes.set(title=title, xlabel="√KL(π‖π_ref), √nats", ylabel="gain over π_ref")
    axes.set_xlim(right=x.max() * 1.1)
    return figure


@styled
def plot_brakes(
    path: list[tuple[float, float]], ends: dict[str, tuple[float, float]], title: str
) -> Figure:
    """Gold against KL: the free run as a line, the end of each other run as a marker.

    path: (KL, gold) along the free run; ends: name → (KL, gold).
    """
    figure, axes = plt.subplots(figsize=(9.5, 4.4))
    axes.plot(*zip(*path), color=COLOURS["reference"], marker=".", lw=1.5, label="free run")
    roles = ("policy", "policy", "rejected", "rejected", "gold", "chosen", "chosen")
    for (name, place), role, marker in zip(ends.items(), roles, "osDdXv<"):
        axes.plot(*place, marker, color=COLOURS[role], ms=9, mec="white", label=name)
    axes.set(title=title, xlabel="KL(π‖π_ref), nats", ylabel="gold reward of fresh replies")
    legend_right(axes)
    return figure
