"""The figures of 7.5: every run and every policy that they were given, where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.figures.drawing import COLOURS
from helpers.figures.tax import APART, MARKS, plot_refusals, plot_tax

ARMS = {
    "plain": {"step": [0, 15, 30], "sums": [50.0, 30.0, 10.0], "loss": [5.0, 6.0, 8.0]},
    "mixed": {"step": [0, 15, 30], "sums": [50.0, 48.0, 47.0], "loss": [5.0, 5.1, 5.2]},
}
PANELS = {"sums": "sums right", "loss": "loss of documents"}


def test_every_run_is_a_line_in_every_panel():
    figure = plot_tax(ARMS, ("step", "steps"), PANELS, "A title")
    assert len(figure.axes) == 2
    for axes, (column, label) in zip(figure.axes, PANELS.items()):
        assert [line.get_label() for line in axes.lines] == list(ARMS)
        for line, columns, (colour, marker) in zip(axes.lines, ARMS.values(), MARKS):
            assert np.allclose(line.get_xdata(), columns["step"])
            assert np.allclose(line.get_ydata(), columns[column])
            assert line.get_color() == COLOURS[colour] and line.get_marker() == marker
        assert axes.get_ylabel() == label and axes.get_xlabel() == "steps"
    assert figure.get_suptitle() == "A title"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(ARMS)


def test_bad_runs_are_refused_by_name():
    def draw(arms):
        return plot_tax(arms, ("step", "steps"), PANELS, "A title")

    with pytest.raises(ValueError, match="0 arms: expected from 1 to 5"):
        draw({})
    with pytest.raises(ValueError, match="6 arms"):
        draw({str(k): ARMS["plain"] for k in range(6)})
    with pytest.raises(ValueError, match="'plain' has no column 'loss'"):
        draw({"plain": {"step": [0], "sums": [1.0]}})
    with pytest.raises(ValueError, match="1 values of 'loss', 3 of 'step'"):
        draw({"plain": ARMS["plain"] | {"loss": [1.0]}})


def test_refusals_lie_at_their_percentages_with_their_names():
    mixes = [("0 %", 90.0, 95.0), ("50 %", 10.0, 60.0)]
    others = [("reference", 25.0, 35.0), ("control", 45.0, 75.0)]
    axes = plot_refusals(mixes, others, "A title").axes[0]
    line, *rest = axes.lines
    assert np.allclose(line.get_xdata(), [90, 10]) and np.allclose(line.get_ydata(), [95, 60])
    assert [(point.get_xdata()[0], point.get_ydata()[0]) for point in rest] == [
        (25.0, 35.0),
        (45.0, 75.0),
    ]
    assert [text.get_text() for text in axes.texts] == ["0 %", "50 %", "reference", "control"]
    assert [text.xy for text in axes.texts] == [(*place,) for _, *place in mixes + others]
    assert axes.get_title(loc="left") == "A title"


def test_policies_that_stand_apart_look_apart():
    others = [("one", 25.0, 35.0), ("two", 45.0, 75.0)]
    axes = plot_refusals([("0 %", 90.0, 95.0)], others, "A title").axes[0]
    _, *rest = axes.lines
    assert [(point.get_color(), point.get_marker()) for point in rest] == [
        (COLOURS[colour], marker) for colour, marker in APART[:2]
    ]
    assert len({text.get_color() for text in axes.texts}) == 3
    with pytest.raises(ValueError, match="5 others: expected at most 4"):
        plot_refusals([("0 %", 90.0, 95.0)], [("x", 1.0, 2.0)] * 5, "A title")


def test_what_is_no_percentage_is_refused():
    with pytest.raises(ValueError, match="no mixes"):
        plot_refusals([], [], "A title")
    for bad in (-1.0, 101.0, float("nan")):
        with pytest.raises(ValueError, match="'odd' at .*: expected percentages"):
            plot_refusals([("fine", 1.0, 2.0)], [("odd", 5.0, bad)], "A title")
        with pytest.raises(ValueError, match="'odd' at"):
            plot_refusals([("odd", bad, 5.0)], [], "A title")
