"""The figures of 6.5: they draw the numbers they are given, each curve under its own name."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers.figures.group_rl import plot_checkers, plot_divisions, plot_tries


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def named(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def test_divisions_show_each_ratio_over_p_and_each_length_over_the_steps():
    p = np.array([0.1, 0.5, 0.9])
    ratios = {"G = 4": np.array([2.0, 1.0, 2.5]), "G = 64": np.array([3.0, 2.0, 3.5])}
    own = np.array([3.0, 2.0, 1.5]), np.array([3.0, 5.0, 7.0])
    constant = np.array([3.0, 3.1, 3.2]), np.array([3.0, 2.9, 2.8])
    figure = plot_divisions(p, ratios, {"own length": own, "a constant": constant}, "title")
    left, right = figure.axes
    assert named(left) == {name: list(values) for name, values in ratios.items()}
    assert all(list(line.get_xdata()) == list(p) for line in left.lines)
    drawn = [list(line.get_ydata()) for line in right.lines]
    assert drawn == [list(values) for values in (own[1], own[0], constant[1], constant[0])]
    written = {text.get_text(): text.xy for text in right.texts}
    assert written == {
        "wrong replies, own length": (2, 7.0),
        "both, by a constant": (2, 2.8),
        "right replies, by their length": (2, 1.5),
    }
    assert figure._suptitle.get_text() == "title"


def test_checkers_show_two_columns_of_the_log_and_what_it_does_not_hold():
    long = {"reward": np.linspace(0, 1, 21), "flat": np.linspace(0.5, 0, 21)}
    short = {"reward": np.linspace(0, 0.5, 11), "flat": np.linspace(0.5, 1, 11)}
    runs = {"honest": long | {"right": np.array([0.2, 0.5, 0.8])}}
    runs["fooled"] = short | {"right": np.array([0.2, 0.1])}
    figure = plot_checkers(runs, [0, 10, 20], "title")
    for axes, key in zip(figure.axes, ("reward", "flat", "right")):
        assert named(axes) == {name: list(run[key]) for name, run in runs.items()}
        assert list(axes.get_xticks()) == [0, 10, 20]
    held_out = figure.axes[2].lines
    assert [list(line.get_xdata()) for line in held_out] == [[0, 10, 20], [0, 10]]


def test_tries_show_pass_at_k_and_the_spread_of_each_policy_side_by_side():
    solved = {"base": np.array([0.2, 0.6]), "trained": np.array([0.5, 0.6])}
    shares = {"base": np.array([4, 5, 1]), "trained": np.array([2, 1, 7])}
    left, right = plot_tries([1, 8], solved, shares, "title").axes
    assert named(left) == {name: list(values) for name, values in solved.items()}
    assert [label.get_text() for label in left.get_xticklabels()] == ["1", "8"]
    heights = [[bar.get_height() for bar in bars] for bars in right.containers]
    assert heights == [list(values) for values in shares.values()]
    spans = sorted(
        (bar.get_x(), bar.get_x() + bar.get_width()) for bars in right.containers for bar in bars
    )
    assert all(end <= start + 1e-9 for (_, end), (start, _) in zip(spans, spans[1:])), "overlap"
