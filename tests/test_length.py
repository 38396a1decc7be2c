"""The length-controlled win rate: against scikit-learn, and on input that has no answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from conftest import seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from helpers.length import length_controlled


def by_sklearn(wins, extra):
    """The same regression by scikit-learn: a comparison won by w is a win of weight w and a loss of weight 1 − w."""
    wins, extra = np.asarray(wins, float), np.asarray(extra, float)
    X = np.tanh(extra / extra.std())[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(
        np.vstack([X, X]),
        np.repeat([1, 0], len(wins)),
        sample_weight=np.concatenate([wins, 1 - wins]),
    )
    return 1 / (1 + math.exp(-model.intercept_[0])), model.coef_[0, 0]


def judged(n, seed, slope=0.5, hard=False):
    """Extra words and wins that rise with them."""
    extra = torch.randint(-4, 5, (n,), generator=seeded(seed)).double()
    p = torch.sigmoid(torch.randn(n, generator=seeded(seed + 1)).double() + slope * extra)
    return ((torch.rand(n, generator=seeded(seed + 2)) < p).double() if hard else p), extra


@pytest.mark.parametrize("hard", [False, True])
@given(seed=st.integers(0, 999), slope=st.floats(-1, 1))
@settings(max_examples=20, deadline=None)
def test_it_is_the_regression_of_scikit_learn(hard, seed, slope):
    wins, extra = judged(300, seed, slope, hard)
    assert length_controlled(wins, extra) == pytest.approx(by_sklearn(wins, extra), abs=1e-5)


def test_at_equal_length_it_finds_what_was_put_in():
    extra = torch.arange(-5, 6).double()
    wins = torch.sigmoid(0.7 - 1.3 * torch.tanh(extra / extra.std(unbiased=False)))
    rate, slope = length_controlled(wins, extra)
    assert rate == pytest.approx(1 / (1 + math.exp(-0.7)), abs=1e-9)
    assert slope == pytest.approx(-1.3, abs=1e-9)


def test_the_unit_of_length_does_not_matter():
    wins, extra = judged(200, 5)
    assert length_controlled(wins, extra) == pytest.approx(length_controlled(wins, 7 * extra))


def test_whole_numbers_and_booleans_will_do():
    won, extra = torch.tensor([True, False, True, False]), torch.tensor([0, 0, 1, -1])
    extra = torch.cat([extra, -extra])
    won = torch.cat([won, won])
    assert length_controlled(won, extra) == pytest.approx((0.5, 0.0), abs=1e-9)


def test_a_steep_slope_is_found_too():
    extra = torch.tensor([-3.0, -1.0, 1.0, 3.0]).repeat(50)
    wins = torch.tensor([1e-6, 1e-6, 1 - 1e-6, 1 - 1e-6], dtype=torch.float64).repeat(50)
    rate, slope = length_controlled(wins, extra)
    assert rate == pytest.approx(0.5, abs=1e-6) and math.isfinite(slope) and slope > 5


def test_where_length_nearly_tells_won_from_lost_it_ends_at_the_maximum():
    extra = torch.tensor([0, 2, -2058, 4, -3, 9, 2, -1, -19]).double()
    wins = torch.tensor([1, 1, 1, 1, 1, 0, 1, 1, 1]).double().clamp(1e-4, 1 - 1e-4)
    rate, slope = length_controlled(wins, extra)
    x = torch.tanh(extra / extra.std(correction=0))
    rest = wins - torch.sigmoid(math.log(rate / (1 - rate)) + slope * x)
    assert rest.sum().abs() < 1e-6 and (rest * x).sum().abs() < 1e-6


@pytest.mark.parametrize(
    "wins, extra",
    [
        ([0.0, 1e-16, 1e-16, 0.0], [1.0, 3.0, -1.0, 2.0]),
        ([0.5, 1 - 1e-9, 1 - 1e-9], [-1.0, 0.0, 1.0]),
        ([0.5, 1 - 1e-12, 1 - 1e-9, 1.0], [-1.0, 0.0, 1.0, 40.0]),
    ],
)
def test_wins_very_near_0_or_1_have_their_maximum_too(wins, extra):
    wins, extra = (torch.tensor(v, dtype=torch.float64) for v in (wins, extra))
    rate, slope = length_controlled(wins, extra)
    x = torch.tanh(extra / extra.std(correction=0))
    logits = math.log(rate / (1 - rate)) + slope * x
    rest = wins * torch.sigmoid(-logits) - (1 - wins) * torch.sigmoid(logits)
    scale = (wins * (1 - wins)).max()
    assert rest.sum().abs() < 1e-6 * scale and (rest * x).sum().abs() < 1e-6 * scale


def test_where_rounding_hides_the_maximum_it_says_so():
    wins = torch.tensor([0.0, 1e-320, 1e-320, 0.0], dtype=torch.float64)
    with pytest.raises(ValueError, match="did not settle: wins from 0 to .*less extreme wins"):
        length_controlled(wins, torch.tensor([1.0, 3.0, -1.0, 2.0]))


def test_ties_only_are_one_half_and_no_slope():
    assert length_controlled(torch.full((6,), 0.5), torch.arange(6)) == pytest.approx((0.5, 0.0))


def test_without_a_difference_in_length_it_is_the_plain_win_rate():
    wins = torch.tensor([1.0, 0.0, 1.0, 0.5])
    assert length_controlled(wins, torch.zeros(4)) == (0.625, 0.0)


@pytest.mark.parametrize(
    "wins, extra, says",
    [
        ([1.0, 0.0, 1.0], [2.0, 2.0, 2.0], "extra_words are all 2: expected different"),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0], "no maximum"),
        ([0.0, 0.0, 0.0], [0.0, 1.0, 2.0], "no maximum"),
        ([0.0, 0.0, 1.0], [0.0, 1.0, 2.0], "no maximum"),
        ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0], "no maximum"),
        ([0.5, 1.0, 1.0], [0.0, 1.0, 2.0], "no maximum"),
        ([1.2, 0.0], [0.0, 1.0], "wins from 0 to 1.2: expected shares"),
        ([-0.1, 0.0], [0.0, 1.0], "wins from -0.1 to 0: expected shares"),
        ([1.0, float("nan")], [0.0, 1.0], r"wins\[1\] is nan"),
        ([1.0, 0.0], [float("inf"), 1.0], r"extra_words\[0\] is inf"),
        ([1.0, 0.0], [1.0], "expected two vectors"),
        ([], [], "expected two vectors"),
    ],
)
def test_what_has_no_answer_is_refused(wins, extra, says):
    with pytest.raises(ValueError, match=says):
        length_controlled(torch.tensor(wins), torch.tensor(extra))


def test_lists_are_refused():
    with pytest.raises(ValueError, match="wins is a list: expected a tensor"):
        length_controlled([1.0, 0.0], torch.tensor([0.0, 1.0]))
