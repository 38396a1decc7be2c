"""Calibration against scikit-learn and torchmetrics, and against what must hold of any forecaster."""

import numpy as np
import pytest
import torch
from conftest import seeded
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss
from torchmetrics.classification import BinaryCalibrationError

from helpers.calibration import (
    brier,
    calibration_error,
    fit_temperature,
    log_loss,
    orient,
    reliability,
)


@st.composite
def forecasts(draw):
    n = draw(st.integers(2, 40))
    p = draw(st.lists(st.floats(0.001, 0.999), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    return torch.tensor(p, dtype=torch.float64), torch.tensor(labels, dtype=torch.float64)


@given(forecasts(), st.integers(1, 15))
def test_reliability_is_scikit_learns(found, bins):
    p, labels = found
    # bins as in the library: (a, b], where ours are [a, b); the same unless a forecast lies on an edge
    if (p[:, None] - torch.linspace(0, 1, bins + 1)).abs().min() < 1e-6:
        return
    frequency, forecast = calibration_curve(labels.numpy(), p.numpy(), n_bins=bins, pos_label=1)
    ours = reliability(p, labels, bins)
    np.testing.assert_allclose(ours.frequency, frequency, atol=1e-12)
    np.testing.assert_allclose(ours.forecast, forecast, atol=1e-12)
    assert ours.count.sum() == len(p)


@given(forecasts(), st.integers(1, 15))
def test_calibration_error_is_torchmetrics(found, bins):
    p, labels = found
    if (p[:, None] - torch.linspace(0, 1, bins + 1)).abs().min() < 1e-6:
        return
    expected = BinaryCalibrationError(n_bins=bins, norm="l1")(p, labels.long()).item()
    assert calibration_error(p, labels, bins) == pytest.approx(expected, abs=1e-6)


@given(forecasts())
def test_brier_and_log_loss_are_scikit_learns(found):
    p, labels = found
    assert brier(p, labels) == pytest.approx(
        brier_score_loss(labels.numpy(), p.numpy(), pos_label=1), abs=1e-12
    )
    expected = sklearn_log_loss(labels.numpy(), p.numpy(), labels=[0, 1])
    assert log_loss(p.logit(), labels) == pytest.approx(expected, rel=1e-6)


def test_forecasts_on_the_edges_have_a_bin():
    ours = reliability(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0, 1, 1]), bins=2)
    assert ours.count.tolist() == [1, 2]


def test_the_true_probabilities_have_the_brier_floor_and_no_one_beats_it_in_expectation():
    p = torch.rand(200_000, generator=seeded(0), dtype=torch.float64)
    labels = (torch.rand(200_000, generator=seeded(1), dtype=torch.float64) < p).double()
    floor = (p * (1 - p)).mean().item()
    assert brier(p, labels) == pytest.approx(floor, abs=0.002)
    assert brier((2 * p.logit()).sigmoid(), labels) > floor + 0.01


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_temperature_recovers_the_scale_and_leaves_the_order_alone(scale):
    true = 1.5 * torch.randn(50_000, generator=seeded(2), dtype=torch.float64)
    labels = (
        torch.rand(50_000, generator=seeded(3), dtype=torch.float64) < true.sigmoid()
    ).double()
    found = fit_temperature(scale * true, labels)
    assert found == pytest.approx(scale, rel=0.05)
    near = [log_loss(scale * true / (found * factor), labels) for factor in (0.99, 1.0, 1.01)]
    assert near[1] <= near[0] and near[1] <= near[2]


def test_orientation_makes_half_the_labels_one_and_keeps_every_margin():
    chosen, rejected = torch.arange(10_000.0) + 1, torch.zeros(10_000)
    margins, labels = orient(chosen, rejected, seeded(4))
    assert abs(labels.mean() - 0.5) < 0.02
    torch.testing.assert_close(torch.where(labels > 0, margins, -margins), chosen)


TYPES = [torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.float32]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_labels_may_have_any_type(dtype):
    margins = torch.randn(50, generator=seeded(5), dtype=torch.float64)
    labels = (torch.rand(50, generator=seeded(6), dtype=torch.float64) < margins.sigmoid()).double()
    p, typed = margins.sigmoid(), labels.to(dtype)
    for measure in (brier, calibration_error):
        assert measure(p, typed) == measure(p, labels)
    for measure in (log_loss, fit_temperature):
        assert measure(margins, typed) == measure(margins, labels)
    assert torch.equal(reliability(p, typed).frequency, reliability(p, labels).frequency)


HALF = torch.tensor([0.5, 0.5])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: reliability(HALF, torch.tensor([0, 1, 1])), "one length"),
        (lambda: reliability(torch.tensor([]), torch.tensor([])), "B ≥ 1"),
        (lambda: reliability(torch.tensor([0.5, 1.5]), torch.tensor([0, 1])), "outside .0, 1."),
        (lambda: brier(torch.tensor([0.5, float("nan")]), torch.tensor([0, 1])), "NaN"),
        (lambda: brier(HALF, torch.tensor([0.5, 1.0])), "labels other than 0 and 1"),
        (lambda: reliability(HALF, torch.tensor([0, 1]), bins=0), "bins = 0"),
        (lambda: log_loss(torch.tensor([1.0, float("inf")]), torch.tensor([0, 1])), "infinity"),
        (
            lambda: log_loss(torch.tensor([1, 2]), torch.tensor([0, 1])),
            "margins of torch.int64: expected floating",
        ),
        (
            lambda: fit_temperature(torch.tensor([1, 2], dtype=torch.uint8), torch.tensor([0, 1])),
            "torch.uint8",
        ),
        (lambda: brier([0.5, 0.5], torch.tensor([0, 1])), "forecasts is a list: expected a tensor"),
        (lambda: brier(HALF, np.array([0, 1])), "labels is a ndarray: expected a tensor"),
        (lambda: reliability(HALF, [0, 1]), "labels is a list"),
        (lambda: log_loss([1.0, 2.0], torch.tensor([0, 1])), "margins is a list"),
        (lambda: orient([1.0], [0.0], seeded(0)), "chosen is a list"),
        (
            lambda: orient(torch.tensor([3]), torch.tensor([7]), seeded(0)),
            "chosen of torch.int64: expected floating",
        ),
        (lambda: orient(HALF, torch.tensor([0.5]), seeded(0)), "one length B ≥ 1"),
        (lambda: orient(HALF, HALF / 0, seeded(0)), r"margins\[0\] is -inf: expected finite"),
        (lambda: orient(HALF / 0, HALF / 0, seeded(0)), r"margins\[0\] is nan: expected finite"),
        (lambda: orient(1e5 * HALF.half(), -1e5 * HALF.half(), seeded(0)), r"margins\[0\] is inf"),
        (
            lambda: fit_temperature(torch.tensor([1.0, -2.0]), torch.tensor([1, 0])),
            "every margin has the right sign",
        ),
        (
            lambda: fit_temperature(torch.tensor([1.0, -2.0]), torch.tensor([0, 1])),
            "no better than chance",
        ),
    ],
)
def test_what_is_no_forecast_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
