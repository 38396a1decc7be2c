"""The figures of the tour: they draw the numbers they are given and refuse what is no such number."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from helpers.figures.tour import plot_run, plot_what_goes_wrong

STEPS, CLASSES = [0, 15, 30], ("bad", "middling", "good")
ARMS = {"answers": [0.6, 1.2, 1.8], "coin": [0.6, 0.5, 0.4]}
PARTS = {"before": [0.3, 0.4, 0.3], "after": [0.05, 0.35, 0.6]}
N = [1, 4, 16]
LINES = {"proxy": [1.0, 2.0, 3.0], "gold": [0.5, 1.5, 1.0]}
KNOWN = {"900 pairs": {"own": 77.4, "fresh": 74.0}, "40 pairs": {"own": 98.0, "fresh": 66.0}}
CUT = {"before": 39.0, "fair": 34.0, "like length": 66.0}
TITLES = "first", "second", "third"


def test_a_run_shows_both_arms_and_the_parts():
    figure = plot_run(STEPS, ARMS, CLASSES, PARTS, "title")
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in left.lines] == [STEPS, STEPS]
    assert [list(line.get_ydata()) for line in left.lines] == list(ARMS.values())
    assert [text.get_text() for text in left.texts] == list(ARMS)
    widths = [bar.get_width() for bar in right.patches]
    starts = [bar.get_x() for bar in right.patches]
    assert widths == pytest.approx([0.3, 0.05, 0.4, 0.35, 0.3, 0.6])
    assert starts == pytest.approx([0, 0, 0.3, 0.05, 0.7, 0.4])
    assert [t.get_text() for t in right.texts] == ["30 %", "", "40 %", "35 %", "30 %", "60 %"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(CLASSES)
    assert figure.get_suptitle() == "title"
    plt.close(figure)


@pytest.mark.parametrize(
    ("arms", "classes", "parts", "found"),
    [
        ({"answers": [0.6, 1.2, 1.8]}, CLASSES, PARTS, "1 arms, 3 classes: expected two arms"),
        (ARMS, CLASSES[:2], PARTS, "2 arms, 2 classes: expected two arms and three"),
        (ARMS | {"coin": [0.6, 0.5]}, CLASSES, PARTS, "gold of 'coin'.*expected 3 finite"),
        (ARMS | {"coin": [0.6, 0.5, float("nan")]}, CLASSES, PARTS, "'coin'.*expected 3 finite"),
        (ARMS, CLASSES, {"after": [0.5, 0.5]}, "parts of 'after'.*expected 3 finite"),
        (ARMS, CLASSES, {"after": [0.5, 0.3, 0.1]}, "parts of 'after' sum to 0.9000: expected 1"),
    ],
)
def test_a_run_refuses_other_numbers(arms, classes, parts, found):
    with pytest.raises(ValueError, match=found):
        plot_run(STEPS, arms, classes, parts, "title")


def test_what_goes_wrong_shows_gains_and_percentages():
    figure = plot_what_goes_wrong(N, LINES, KNOWN, CUT, TITLES)
    first, second, third = figure.axes
    assert [list(line.get_ydata()) for line in first.lines] == [[0, 1, 2], [0, 1, 0.5]]
    assert [list(line.get_xdata()) for line in first.lines] == [N, N]
    assert first.get_xscale() == "log"
    assert [text.get_text() for text in first.get_legend().get_texts()] == list(LINES)
    assert [bar.get_height() for bar in second.patches] == [77.4, 74.0, 98.0, 66.0]
    assert [text.get_text() for text in second.texts] == ["77 %", "74 %", "900 pairs"] + [
        "98 %",
        "66 %",
        "40 pairs",
    ]
    under = [label.get_text() for label in second.get_xticklabels()]
    assert under == ["own", "fresh"] * 2
    assert [bar.get_height() for bar in third.patches] == list(CUT.values())
    assert [label.get_text() for label in third.get_xticklabels()] == list(CUT)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(TITLES)
    plt.close(figure)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"lines": {"gold": [0, 1, 2]}}, "1 lines, 3 titles: expected two lines and three titles"),
        ({"titles": TITLES[:2]}, "2 lines, 2 titles: expected two lines and three titles"),
        ({"lines": LINES | {"gold": [0.5, 1.5]}}, "values of 'gold'.*expected 3 finite"),
        ({"lines": LINES | {"gold": [0, float("inf"), 1]}}, "values of 'gold'.*expected 3 finite"),
        ({"known": {"40 pairs": {"own": 101.0}}}, "'own 40 pairs' 101.0: expected 0 to 100"),
        ({"cut": {"before": float("nan")}}, "'before' nan: expected 0 to 100"),
        ({"cut": CUT | {"fourth": 1.0}}, "4 bars.*expected at most 3"),
    ],
)
def test_what_goes_wrong_refuses_other_numbers(changed, found):
    given = {"n": N, "lines": LINES, "known": KNOWN, "cut": CUT, "titles": TITLES} | changed
    with pytest.raises(ValueError, match=found):
        plot_what_goes_wrong(**given)
