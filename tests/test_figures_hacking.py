"""The figure of 7.1: a line for each curve given, at its values, and bad input refused."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex

from helpers.figures.drawing import COLOURS
from helpers.figures.hacking import plot_proxy_and_gold

PANELS = {
    "best-of-n": ([-1e-12, 1.0, 4.0], {"proxy": [0.0, 1.0, 1.5], "gold": [0.0, 0.7, 0.2]}),
    "DPO": ([0.0, 9.0], {"its margin": [0.0, 3.0], "gold": [0.0, 0.8]}),
}


def test_each_curve_is_drawn_at_its_values_against_the_root_of_kl():
    figure = plot_proxy_and_gold(PANELS, "title")
    for ax, (name, (_, gains)) in zip(figure.axes, PANELS.items(), strict=True):
        lines = {line.get_label(): line for line in ax.get_lines() if line.get_label() in gains}
        assert ax.get_title(loc="left") == name and set(lines) == set(gains)
        assert [list(lines[label].get_ydata()) for label in gains] == list(gains.values())
        assert to_hex(lines["gold"].get_color()).upper() == COLOURS["gold"]
        assert len({line.get_color() for line in lines.values()}) == 2
    assert list(figure.axes[0].get_lines()[0].get_xdata()) == pytest.approx([0, 1, 2])
    assert list(figure.axes[1].get_lines()[0].get_xdata()) == pytest.approx([0, 3])
    plt.close(figure)


@pytest.mark.parametrize(
    "panel, found",
    [
        (([0.0, 1.0], {"gold": [0.0, 1.0]}), r"curves \['gold'\] in 'x': expected two"),
        (([0.0], {"proxy": [0.0], "silver": [0.0]}), "expected two, one of them 'gold'"),
        (([0.0, 1.0], {"proxy": [0.0], "gold": [0.0, 1.0]}), "in 'x': expected 2"),
        (([], {"proxy": [], "gold": []}), "in 'x': expected 0 ≥ 1"),
        (([0.0, -0.5], {"proxy": [0.0, 1.0], "gold": [0.0, 1.0]}), "KL -0.5 in 'x'"),
        (([0.0, float("nan")], {"proxy": [0.0, 1.0], "gold": [0.0, 1.0]}), "KL nan in 'x'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panel, found):
    with pytest.raises(ValueError, match=found):
        plot_proxy_and_gold({"x": panel}, "title")


def test_no_panels_are_refused():
    with pytest.raises(ValueError, match="no panels"):
        plot_proxy_and_gold({}, "title")
