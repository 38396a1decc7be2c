"""The figure of 7.3: a row for each arm, at its words, with its gold beside it."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from helpers.figures.drawing import COLOURS
from helpers.figures.length import plot_words

ARMS = {"fair": (3.0, 1.7), "biased": (3.6, 1.66), "repaired": (2.9, 1.75)}


def test_each_arm_is_a_row_at_its_words_joined_to_the_control():
    figure = plot_words(ARMS, 3.2, "title")
    axes = figure.axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == [3.0, 3.6, 2.9]
    assert [dot.get_ydata()[0] for dot in dots] == [2, 1, 0]
    colours = [COLOURS[name] for name in ("policy", "rejected", "rejected")]
    assert [dot.get_color() for dot in dots] == colours
    joined = [line for line in axes.lines if line.get_marker() != "o"][:3]
    assert [list(line.get_xdata()) for line in joined] == [[3.0, 3.0], [3.0, 3.6], [3.0, 2.9]]
    plt.close(figure)


def test_gold_names_and_the_two_lines_are_written():
    figure = plot_words(ARMS, 3.2, "title")
    axes = figure.axes[0]
    words = [text.get_text() for text in axes.texts]
    assert words == ["gold 1.70", "gold 1.66", "gold 1.75", "π_ref"]
    assert [text.xy[1] for text in axes.texts[:3]] == [2, 1, 0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(ARMS)
    assert list(axes.get_yticks()) == [2, 1, 0]
    upright = [x for x in axes.lines if x.get_marker() != "o" and list(x.get_ydata()) == [0, 1]]
    assert [line.get_xdata()[0] for line in upright] == [3.0, 3.2]
    assert figure._suptitle.get_text() == "title"
    plt.close(figure)


def test_bad_numbers_and_a_lonely_arm_are_refused():
    with pytest.raises(ValueError, match="1 arms: expected a control"):
        plot_words({"fair": (3.0, 1.7)}, 3.2, "title")
    with pytest.raises(ValueError, match="'biased' has .*nan.*: expected finite numbers"):
        plot_words({"fair": (3.0, 1.7), "biased": (float("nan"), 1.0)}, 3.2, "title")
    with pytest.raises(ValueError, match="'π_ref' has .*inf"):
        plot_words(ARMS, float("inf"), "title")
