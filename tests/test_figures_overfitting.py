"""The figures of section 7.2 draw every number they are given, and refuse what is none."""

import math

import pytest

from helpers.figures.overfitting import plot_alarm, plot_shrunk

STEPS = (0, 10, 20)
OWN, UNSEEN = (0.7, 0.3, 0.1), (0.7, 0.8, 0.9)


def test_alarm_draws_both_curves_and_the_control_of_both_numbers():
    right = (0.5, 0.9, 1.0), (0.5, 0.6, 0.6)
    figure = plot_alarm(STEPS, (OWN, UNSEEN), right, (0.4, 0.75), "a title")
    for ax, curves, level in zip(figure.axes, ((OWN, UNSEEN), right), (0.4, 0.75)):
        own, unseen, control = ax.lines
        assert tuple(own.get_ydata()) == curves[0]
        assert tuple(unseen.get_ydata()) == curves[1]
        assert tuple(own.get_xdata()) == tuple(unseen.get_xdata()) == STEPS
        assert set(control.get_ydata()) == {level}
    assert figure.get_suptitle() == "a title"
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "accuracy"]


@pytest.mark.parametrize(
    ("curve", "found"), [((0.1, 0.2), "2 values: expected 3"), ((0.1, math.nan, 0.2), "NaN")]
)
def test_alarm_refuses_curves_that_do_not_fit(curve, found):
    with pytest.raises(ValueError, match=found):
        plot_alarm(STEPS, (OWN, curve), (OWN, OWN), (0.4, 0.7), "a title")
    with pytest.raises(ValueError, match=found):
        plot_alarm(STEPS, (OWN, OWN), (curve, OWN), (0.4, 0.7), "a title")


def test_alarm_refuses_no_steps():
    with pytest.raises(ValueError, match="no steps"):
        plot_alarm((), ((), ()), ((), ()), (0.4, 0.7), "a title")


def test_shrunk_draws_the_curve_and_every_arm_with_a_marker_of_its_own():
    arms = {"few": (3.0, 0.8, "rejected"), "many": (1.0, 2.0, "chosen")}
    figure = plot_shrunk(((0, 1, 3), (0.5, 1.2, 0.8)), arms, "a title")
    (axes,) = figure.axes
    (line,) = axes.lines
    assert tuple(line.get_xdata()) == (0, 1, 3) and tuple(line.get_ydata()) == (0.5, 1.2, 0.8)
    places = [tuple(points.get_offsets()[0]) for points in axes.collections]
    assert places == [(3.0, 0.8), (1.0, 2.0)]
    shapes = {points.get_paths()[0].vertices.tobytes() for points in axes.collections}
    assert len(shapes) == 2
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["scaled back", "few", "many"]


@pytest.mark.parametrize(
    ("curve", "arms", "found"),
    [
        (((), ()), {}, "empty curve"),
        (((0, 1), (0.5,)), {}, "gold has 1 values: expected 2"),
        (((0, 1), (0.5, math.inf)), {}, "gold holds NaN or infinity"),
        (((0, 1), (0.5, 1)), {"few": (math.nan, 1.0, "gold")}, "few holds NaN"),
    ],
)
def test_shrunk_refuses_what_it_cannot_draw(curve, arms, found):
    with pytest.raises(ValueError, match=found):
        plot_shrunk(curve, arms, "a title")
