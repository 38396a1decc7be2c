"""Figures of 6.1 and 6.6: what is drawn is what was given, and labels do not cover one another."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from helpers.figures.drawing import COLOURS
from helpers.figures.margins import plot_gold_by_method, plot_leaving, plot_losses


def drawn(axes):
    """Label → (across, upwards, colour) of every line with a name."""
    lines = (line for line in axes.get_lines() if not line.get_label().startswith("_"))
    return {
        line.get_label(): (*map(list, line.get_data()), to_hex(line.get_color()).upper())
        for line in lines
    }


@pytest.fixture
def leaving():
    table = {
        "DPO β = 1": ([0, 50, 100], [0.0, 1.0, 1.58]),
        "IPO τ = 1": ([0, 50, 100], [0, 0.1, 0.1]),
    }
    table |= {
        "DPO β = 2": ([0, 50, 100], [0.0, 1.0, 1.57]),
        "IPO τ = 2": ([0, 50, 100], [0, 0, 0.09]),
    }
    gpt = {"DPO β = 1": ([5, 15], [3.0, 9.0]), "IPO τ = 0.25": ([5, 15], [1.5, 2.0])}
    figure = plot_leaving(table, 1.61, gpt, {"IPO τ = 0.25": 2.0}, "title")
    yield figure
    plt.close(figure)


def test_runs_are_drawn_as_given_with_one_colour_a_family(leaving):
    table, gpt = leaving.axes
    ends = [(line.get_ydata()[-1], to_hex(line.get_color()).upper()) for line in table.get_lines()]
    blue, green = COLOURS["policy"].upper(), COLOURS["chosen"].upper()
    assert ends == [(1.58, blue), (0.1, green), (1.57, blue), (0.09, green)]
    assert [line.get_ydata()[-1] for line in gpt.get_lines()] == [9.0, 2.0]


def test_ceiling_and_targets_stand_at_their_height(leaving):
    heights = [
        [segment[0, 1] for found in axes.collections for segment in found.get_segments()]
        for axes in leaving.axes
    ]
    assert heights == [[1.61], [2.0]]


def test_labels_of_ends_that_nearly_coincide_are_written_apart(leaving):
    named = {
        text.get_text(): text.xy[1] for text in leaving.axes[0].texts if "=" in text.get_text()
    }
    assert set(named) == {"DPO β = 1", "DPO β = 2", "IPO τ = 1", "IPO τ = 2"}
    in_order = sorted(named, key=named.get)
    assert in_order == ["IPO τ = 2", "IPO τ = 1", "DPO β = 2", "DPO β = 1"]
    assert min(np.diff(sorted(named.values()))) > 0.06 * 1.58
    assert named["DPO β = 2"] == 1.57 and named["IPO τ = 2"] == 0.09, (
        "the lowest stay at their ends"
    )


def test_losses_stand_above_their_derivatives():
    x = torch.linspace(-1, 1, 3)
    panels = [
        ({"a": (x, x**2, 2 * x), "b": (x, -x, -torch.ones(3))}, "margin", ((-1, 1), (-2, 2))),
        ({"c": (x, x**3, 3 * x**2)}, "log-ratio", ((-3, 3), (0, 3))),
    ]
    figure = plot_losses(panels, "title")
    above, other_above, below, other_below = figure.axes
    assert {n: y for n, (_, y, _) in drawn(above).items()} == {"a": [1, 0, 1], "b": [1, 0, -1]}
    assert drawn(other_above)["c"][1] == [-1, 0, 1]
    slopes = [list(line.get_ydata()) for line in below.get_lines() if len(line.get_ydata()) == 3]
    assert slopes == [[-2, 0, 2], [-1, -1, -1]]
    assert list(other_below.get_lines()[0].get_ydata()) == [3, 0, 3]
    assert [axes.get_xlabel() for axes in (below, other_below)] == ["margin", "log-ratio"]
    assert above.get_ylim() == (-1, 1) and below.get_ylim() == (-2, 2)
    assert other_above.get_ylim() == (-3, 3) and other_below.get_ylim() == (0, 3)
    assert len({look for *_, look in drawn(above).values()}) == 2, "two curves, two colours"
    plt.close(figure)


def test_a_dot_marks_where_a_derivative_changes_sign_and_not_where_it_touches_zero():
    x = torch.linspace(-4, 3.9, 41, dtype=torch.float64)
    touching = torch.linspace(-1, 1, 3, dtype=torch.float64)
    panels = [
        ({"IPO": (x, (x - 2) ** 2, 2 * (x - 2)), "DPO": (x, -x, x - 5)}, "h", ((0, 1), (-1, 1))),
        ({"flat": (touching, touching**3, 3 * touching**2)}, "u", ((0, 1), (-1, 1))),
    ]
    figure = plot_losses(panels, "title")
    dots = [
        [
            place
            for line in axes.get_lines()
            if line.get_marker() == "o"
            for place in line.get_xdata()
        ]
        for axes in figure.axes[2:]
    ]
    assert dots == [[pytest.approx(2)], []]
    plt.close(figure)


def test_every_setting_of_every_method_is_a_marker():
    curve = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.5, 2.0, 2.4])
    methods = {"π_ref": [(0.0, 0.5)], "DPO": [(0.3, 1.4), (0.9, 1.8)]}
    methods["SimPO"] = [(0.4, 1.0), (3.0, 0.2)]
    figure = plot_gold_by_method(curve, methods, "title")
    (axes,) = figure.axes
    found = drawn(axes)
    assert found["frontier"][:2] == ([0, 1, 2], pytest.approx([0.5, 2.0, 2.4]))
    assert {name: list(zip(*found[name][:2])) for name in methods} == methods
    assert all(line.get_marker() != "None" for line in axes.get_lines()[1:])
    assert axes.get_xlim()[0] <= 0 and axes.get_xlim()[1] >= 3
    places = axes.transData.transform([(0.0, 0.0), (0.25, 0.0), (1.0, 0.0)])[:, 0]
    assert places[1] - places[0] == pytest.approx((places[2] - places[0]) / 2), "roots of KL"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["frontier", *methods]
    plt.close(figure)


def test_twelve_methods_are_told_apart_by_colour_or_marker_and_no_more_are_drawn():
    methods = {str(k): [(0.1 * k, 1.0)] for k in range(12)}
    curve = torch.tensor([0.0, 1.0]), torch.zeros(2)
    figure = plot_gold_by_method(curve, methods, "title")
    lines = [line for line in figure.axes[0].get_lines() if line.get_label() in methods]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 12
    plt.close(figure)
    with pytest.raises(ValueError, match="13 methods"):
        plot_gold_by_method(curve, methods | {"more": [(0.0, 1.0)]}, "title")
