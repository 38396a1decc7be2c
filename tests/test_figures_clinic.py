"""The clinic's figure draws every log it is given, in the look of its role, and refuses what is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers.figures.clinic import LOOKS, MARKERS, _spread, plot_logs
from helpers.figures.drawing import COLOURS

STEPS = (0, 10, 20)
PANELS = {
    "loss, nats": {"fine": (STEPS, (0.69, 0.6, 0.5)), "stuck": (STEPS, (0.69, 0.69, 0.69))},
    "accuracy": {
        "fine": (STEPS, (0.5, 0.7, 0.8)),
        "stuck": (STEPS, (0.5, 0.5, 0.5)),
        "slow": ((0, 20), (0.5, 0.51)),
    },
}
ROLES = {"fine": "healthy", "stuck": "ill", "slow": "look-alike", "not drawn": "look-alike"}


def _curves(axes):
    """The lines of a panel but for the markers beside the names."""
    return [line for line in axes.lines if line.get_transform() != axes.transAxes]


def test_every_curve_is_drawn_in_the_look_of_its_role():
    figure = plot_logs(PANELS, ROLES, "A title", levels={"loss, nats": 0.693})
    assert figure.get_suptitle() == "A title"
    for axes, (panel, curves) in zip(figure.axes, PANELS.items(), strict=True):
        lines = {line.get_label(): line for line in _curves(axes)}
        for name, (steps, values) in curves.items():
            line, (colour, style) = lines.pop(name), LOOKS[ROLES[name]]
            assert tuple(line.get_xdata()) == tuple(steps)
            assert tuple(line.get_ydata()) == tuple(values)
            assert line.get_color() == COLOURS[colour] and line.get_linestyle() == style
        assert [set(line.get_ydata()) for line in lines.values()] == (
            [{0.693}] if panel == "loss, nats" else []
        )
        assert axes.get_title(loc="left") == panel and axes.get_xlabel() == "step"


def test_roles_look_apart_and_so_do_runs_of_one_role():
    assert len({colour for colour, _ in LOOKS.values()}) == len(LOOKS)
    two = {"loss": {"a": (STEPS, STEPS), "b": (STEPS, STEPS)}}
    axes = plot_logs(two, {"a": "ill", "b": "ill"}, "A title").axes[0]
    assert [line.get_marker() for line in _curves(axes)] == list(MARKERS[:2])
    assert len({line.get_color() for line in _curves(axes)}) == 1


def test_a_name_stands_once_beside_the_end_of_its_curve_with_its_marker_and_colour():
    apart = PANELS | {"accuracy": {k: PANELS["accuracy"][k] for k in ("fine", "slow")}}
    figure = plot_logs(apart, ROLES, "A title")
    for axes, names in zip(figure.axes, (["stuck"], ["fine", "slow"]), strict=True):
        assert [text.get_text() for text in axes.texts if text.get_text()] == names
        curves = {line.get_label(): line for line in axes.lines}
        for name, text in zip(names, (text for text in axes.texts if text.get_text())):
            key, curve = curves[f"_{name}"], curves[name]
            assert key.get_marker() == curve.get_marker()
            assert key.get_color() == curve.get_color()
            assert key.get_ydata()[0] == text.get_position()[1]
        leaders = [text for text in axes.texts if not text.get_text()]
        ends = [(curves[k].get_xdata()[-1], curves[k].get_ydata()[-1]) for k in names]
        assert [leader.xy for leader in leaders] == ends


def test_names_do_not_cover_each_other_and_keep_the_order_of_their_curves():
    for heights in ([0.5, 0.5, 0.5], [0.99, 1.0, 0.98], [0.0, 0.01, 0.9], [0.3, 0.1, 0.7]):
        placed = _spread(heights, 0.1)
        assert placed.min() >= 0 and placed.max() <= 1 + 1e-9
        assert (np.diff(np.sort(placed)) >= 0.1 - 1e-9).all()
        assert list(np.argsort(placed, kind="stable")) == list(np.argsort(heights, kind="stable"))
    assert np.allclose(_spread([0.3, 0.1, 0.7], 0.1), [0.3, 0.1, 0.7])  # far apart: not moved
    assert np.allclose(_spread([0.5, 0.5], 0.1), [0.45, 0.55])
    assert len(_spread([], 0.1)) == 0


@pytest.mark.parametrize(
    ("panels", "found"),
    [
        ({}, "no panels"),
        ({"loss": {}}, "'loss' has no curves"),
        ({"loss": {"who": (STEPS, STEPS)}}, "'who' has the role None: expected healthy, ill"),
        ({"loss": {"fine": (STEPS, (1, 2))}}, "'fine': 3 steps and 2 values"),
        ({"loss": {"fine": ((), ())}}, "0 steps and 0 values"),
        ({"loss": {"fine": (STEPS, (1, math.nan, 2))}}, "'fine' holds NaN"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panels, found):
    with pytest.raises(ValueError, match=found):
        plot_logs(panels, ROLES, "A title")


def test_a_level_in_no_panel_and_too_many_runs_of_one_role_are_refused():
    with pytest.raises(ValueError, match="level in panel 'KL': expected one of loss, nats"):
        plot_logs(PANELS, ROLES, "A title", levels={"KL": 0.0})
    runs = {str(k): (STEPS, STEPS) for k in range(6)}
    with pytest.raises(ValueError, match="6 curves are ill: expected at most 5"):
        plot_logs({"loss": runs}, dict.fromkeys(runs, "ill"), "A title")
