"""The square of pairs in 1.1: what is drawn green is what is chosen."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from helpers import figures


@pytest.mark.parametrize("written, wins", [(0.1, 0.73), (0.9, 0.73), (0.5, 0.5)])
def test_the_green_area_is_the_probability_that_a_is_chosen(written, wins):
    shares = {
        "generator": written,
        "imitation of the chosen": 0.2,
        "learning from comparisons": 0.9,
    }
    figure = figures.plot_two_replies(written, wins, shares, "title")
    square, bars = figure.axes
    _, along, across = square.patches  # the first strip holds the corner: both draws are A
    area = sum(patch.get_width() * patch.get_height() for patch in (along, across))
    assert along.get_x() == 0 and across.get_x() == written  # and do not overlap
    assert area == pytest.approx(written**2 + 2 * written * (1 - written) * wins)
    widths = [bar.get_width() for container in bars.containers for bar in container]
    assert widths == pytest.approx([100 * share for share in shares.values()])
    assert [text.get_text() for text in bars.texts] == [f"{width:.0f} %" for width in widths]
    plt.close(figure)
