"""The figure of 6.4: bars of the data it is given, and a refusal of parts that make no whole."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from helpers.figures.rlaif import plot_coverage_and_policy

CLASSES = "gold below 0", "0 to 1", "above 1"
PANELS = {
    "pairs": {"modest": [0.6, 0.4, 0.0], "own": [0.3, 0.3, 0.4]},
    "policy": {"π_ref": [0.3, 0.2, 0.5]},
}


def test_bars_stand_side_by_side_with_the_widths_given():
    figure = plot_coverage_and_policy(CLASSES, PANELS, "title")
    left, right = figure.axes
    widths = [bar.get_width() for bar in left.patches]
    starts = [bar.get_x() for bar in left.patches]
    assert widths == pytest.approx([0.6, 0.3, 0.4, 0.3, 0.0, 0.4])
    assert starts == pytest.approx([0, 0, 0.6, 0.3, 1.0, 0.6])
    assert [text.get_text() for text in left.texts] == ["60", "30", "40", "30", "", "40"]
    assert [label.get_text() for label in right.get_yticklabels()] == ["π_ref"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(CLASSES)
    plt.close(figure)


@pytest.mark.parametrize("parts", [[0.6, 0.3, 0.0], [0.5, 0.5], [float("nan"), 0.5, 0.5]])
def test_parts_that_make_no_whole_are_refused(parts):
    with pytest.raises(ValueError, match="parts of 'modest' in 'pairs'.*expected 3, with sum 1"):
        plot_coverage_and_policy(CLASSES, {"pairs": {"modest": parts}}, "title")


def test_another_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="2 classes: expected three"):
        plot_coverage_and_policy(CLASSES[:2], {"pairs": {"modest": [0.5, 0.5]}}, "title")
