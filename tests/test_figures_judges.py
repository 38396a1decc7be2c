"""The figure of 7.4: a line, a dot and a coverage for each row given, and refusal of what cannot be drawn."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch

from helpers.figures.judges import plot_replications

ROWS = {
    "one order": (torch.linspace(0.8, 0.9, 101), 0.0),
    "both orders": (torch.linspace(0.6, 0.8, 101), 0.693),
    "people": (torch.linspace(0.4, 1.0, 101), 1.0),
}


def test_each_row_has_its_line_its_dot_and_its_coverage():
    figure = plot_replications(ROWS, 0.7, "win rate", "title")
    (axes,) = figure.axes
    *drawn, truth = axes.lines
    assert list(truth.get_xdata()) == [0.7, 0.7]
    lines, dots = drawn[::2], drawn[1::2]
    assert len(lines) == len(dots) == len(ROWS)
    ends = [list(line.get_xdata()) for line in lines]
    expected = [[0.8025, 0.8975], [0.605, 0.795], [0.415, 0.985]]
    assert ends == [pytest.approx(pair, abs=1e-4) for pair in expected]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([0.85, 0.7, 0.7])
    assert [line.get_ydata()[0] for line in lines] == [2, 1, 0], "the first row on top"
    assert [text.get_text() for text in axes.texts] == ["0 %", "69 %", "100 %"]
    labels = dict(zip(axes.get_yticks(), (t.get_text() for t in axes.get_yticklabels())))
    assert labels == {2: "one order", 1: "both orders", 0: "people"}
    assert axes.get_title(loc="left") == "title" and axes.get_xlabel() == "win rate"
    plt.close(figure)


@pytest.mark.parametrize(
    "rows, message",
    [
        ({}, "no rows: expected at least one"),
        ({"a": (torch.zeros(0), 0.5)}, "estimates of 'a' are none or not finite"),
        ({"a": (torch.tensor([0.5, float("nan")]), 0.5)}, "estimates of 'a' are none or not"),
        ({"a": (torch.zeros(3), 95.0)}, "coverage of 'a' is 95.0: expected a share from 0 to 1"),
        ({"a": (torch.zeros(3), float("nan"))}, "coverage of 'a' is nan"),
        ({"a": ([0.1, 0.2], 0.5)}, "estimates of 'a' is a list: expected a tensor"),
        ({"a": (torch.zeros(2, 2), 0.5)}, r"estimates of 'a' \(2, 2\): expected \(R,\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        plot_replications(rows, 0.7, "win rate", "title")


@pytest.mark.parametrize("truth", [float("nan"), float("inf")])
def test_a_truth_that_is_no_number_is_refused(truth):
    with pytest.raises(ValueError, match="truth = .*: expected a finite number"):
        plot_replications(ROWS, truth, "win rate", "title")
