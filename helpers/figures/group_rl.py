"""Figures of section 6.5: what two divisions do, what a run's log shows, what k tries find."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers.figures.drawing import COLOURS, INK, headline, styled

LOOKS = (("policy", "-", "o"), ("rejected", "--", "s"), ("chosen", "-.", "^"))
OF_POLICIES = (("reference", "-", "o"), ("policy", "--", "s"), ("rejected", "-.", "^"))


@styled
def plot_divisions(
    p: np.ndarray,
    ratios: dict[str, np.ndarray],
    lengths: dict[str, tuple[np.ndarray, np.ndarray]],
    title: str,
) -> Figure:
    """Two exact panels: what dividing by the standard deviation, and by the length, does.

    p (P,): chance of a right reply; ratios: size of group → expected gradient in units of the true
    one, (P,). lengths: division → mean length of right and of wrong replies over the steps.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.7))
    for (name, values), (colour, line, _) in zip(ratios.items(), LOOKS):
        left.plot(p, values, color=COLOURS[colour], ls=line, label=name)
    left.set(xlabel="p, chance of a right reply", ylabel="push, 1 = true gradient", ylim=(0, 6))
    left.set_title("divided by the group's s.d.", fontweight="normal", fontsize=11)
    left.legend()
    for (name, (of_right, of_wrong)), line in zip(lengths.items(), ("-", ":")):
        for values, colour in ((of_wrong, "rejected"), (of_right, "chosen")):
            right.plot(values, color=COLOURS[colour], ls=line)
        right.annotate(
            f"wrong replies, {name}",
            (len(of_wrong) - 1, of_wrong[-1]),
            (0, -14 if line == "-" else 6),
            textcoords="offset points",
            ha="right",
            fontsize=10,
            color=INK["rejected"] if line == "-" else INK["optimum"],
        )
    right.texts[-1].set_text("both, by a constant")
    of_right = next(iter(lengths.values()))[0]
    right.annotate(
        "right replies, by their length",
        (len(of_right) - 1, of_right[-1]),
        (0, 8),
        textcoords="offset points",
        ha="right",
        fontsize=10,
        color=INK["chosen"],
    )
    right.set(xlabel="steps", ylabel="mean length, tokens", ylim=(0, 8.6))
    right.set_title("divided by the reply's length", fontweight="normal", fontsize=11)
    headline(figure, title)
    return figure


@styled
def plot_checkers(runs: dict[str, dict[str, np.ndarray]], marks: list[int], title: str) -> Figure:
    """Two curves of each run's log, and beside them what the log does not hold.

    runs: name → 'reward' and 'flat' over the iterations, and 'right', the share of held-out sums
    right, at the first of the iterations ``marks``; a run may end before the others.
    """
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.5))
    labels = {
        "reward": "mean score in the log",
        "flat": "groups without signal in the log",
        "right": "held-out sums right",
    }
    for axes, (key, label) in zip(panels, labels.items()):
        for (name, seen), (colour, line, marker) in zip(runs.items(), LOOKS):
            look = {"color": COLOURS[colour], "ls": line, "label": name}
            if key == "right":
                axes.plot(marks[: len(seen[key])], seen[key], marker=marker, ms=5, **look)
            else:
                axes.plot(seen[key], **look)
        axes.set_xlabel("iteration")
        axes.set_ylim(bottom=0, top=1.03)
        axes.set_xticks(marks)
        axes.set_title(label, fontweight="normal", fontsize=11)
    panels[0].legend(loc="lower right", fontsize=10)
    headline(figure, title)
    return figure


@styled
def plot_tries(
    tries: list[int], solved: dict[str, np.ndarray], shares: dict[str, np.ndarray], title: str
) -> Figure:
    """pass@k over k, and how the chance of a right reply is spread over the sums.

    solved: policy → pass@k for each of ``tries``; shares: policy → numbers of sums by the share of
    right replies, in bins of equal width from 0 to 1.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.7))
    for k, ((name, values), (colour, line, marker)) in enumerate(zip(solved.items(), OF_POLICIES)):
        look = {"color": COLOURS[colour], "ls": line, "label": name}
        left.plot(tries, values, marker=marker, ms=4, **look)
        bins = len(shares[name])
        places = (np.arange(bins) + 0.24 + 0.26 * k) / bins
        right.bar(places, shares[name], 0.24 / bins, color=COLOURS[colour])
    left.set(xscale="log", xlabel="k, tries", ylim=(0, 1.02))
    left.set_xticks(tries, [str(k) for k in tries])
    left.minorticks_off()
    left.set_title("pass@k, held-out sums", fontweight="normal", fontsize=11)
    left.legend(loc="lower right")
    right.set(xlabel="share of right replies to a sum", ylabel="held-out sums")
    right.set_title("how the sums are spread", fontweight="normal", fontsize=11)
    headline(figure, title)
    return figure
