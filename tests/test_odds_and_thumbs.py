"""The figures of 6.2 and 6.3: every curve and every distance that they were given, where it belongs."""

from __future__ import annotations

import numpy as np
import torch

from helpers.figures.drawing import COLOURS
from helpers.figures.odds_and_thumbs import plot_lifted, plot_pulls


def test_pulls_are_drawn_as_given_with_their_names_and_the_marked_place():
    x = torch.linspace(0, 1, 5)
    pulls = {"one": x, "two": 2 - x, "three": x * 0 + 0.5}
    axes = plot_pulls(x, pulls, "p", (0.25, "here"), "A title").axes[0]
    curves = {line.get_label(): line for line in axes.lines if len(line.get_xdata()) == 5}
    assert list(curves) == list(pulls)
    for name, line in curves.items():
        assert np.allclose(line.get_ydata(), pulls[name]) and np.allclose(line.get_xdata(), x)
    assert len({line.get_linestyle() for line in curves.values()}) == 3
    assert [line.get_color() for line in curves.values()] == [
        COLOURS[name] for name in ("chosen", "rejected", "reference")
    ]
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 2
    assert [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2] == [
        [0.25, 0.25]
    ]
    assert axes.get_title(loc="left") == "A title" and axes.get_xlabel() == "p"


def test_winners_and_losers_lie_at_their_values_with_the_distance_between():
    arms = {"base": (-10.0, -12.5), "tuned": (-5.0, -6.7)}
    axes = plot_lifted(arms, "A title").axes[0]
    for k, points in enumerate(axes.collections):
        assert np.allclose(points.get_offsets()[:, 0], [both[k] for both in arms.values()])
        assert np.allclose(points.get_offsets()[:, 1], [1, 0])
    words = [text.get_text() for text in axes.texts]
    assert words == ["2.5", "1.7", "winners", "losers"]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(arms)
    assert list(axes.get_yticks()) == [1, 0]
