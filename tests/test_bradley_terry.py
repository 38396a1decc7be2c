"""Bradley-Terry fits: against choix, against calculus, where no fit exists, and intervals that cover."""

from __future__ import annotations

import math

import choix
import numpy as np
import pytest
import torch
from conftest import seeded
from hypothesis import given
from hypothesis import strategies as st

from helpers.bradley_terry import (
    DivergesError,
    Fit,
    NotUniqueError,
    check_existence,
    fit,
    log_likelihood,
)

CYCLE = torch.tensor([[0, 9, 1], [1, 0, 9], [9, 1, 0]])


def simulated(n: int, seed: int, games: int = 20) -> torch.Tensor:
    """Wins of n items with strengths N(0, 1), every pair compared ``games`` times, and one win for everybody."""
    generator = seeded(seed)
    s = torch.randn(n, generator=generator, dtype=torch.float64)
    count = torch.full((n, n), float(games), dtype=torch.float64).triu(1)
    upper = torch.binomial(count, torch.sigmoid(s[:, None] - s), generator=generator)
    return upper + (count - upper).mT + torch.ones(n, n, dtype=torch.float64).fill_diagonal_(0)


def as_list(wins: torch.Tensor) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i, row in enumerate(wins.tolist())
        for j, count in enumerate(row)
        for _ in range(int(count))
    ]


# ---- against an independent library and against calculus -------------------------------------


@pytest.mark.parametrize("n, seed", [(2, 0), (3, 1), (6, 2), (15, 3)])
def test_strengths_are_those_of_choix(n, seed):
    wins = simulated(n, seed)
    theirs = choix.ilsr_pairwise(n, as_list(wins), max_iter=10_000)
    np.testing.assert_allclose(fit(wins).strengths, theirs - theirs.mean(), atol=1e-6)


@pytest.mark.parametrize("prior_sd", [0.3, 1.0, 10.0])
def test_strengths_under_a_prior_are_those_of_choix_even_where_likelihood_has_no_maximum(prior_sd):
    wins = torch.tensor([[0, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]])
    theirs = choix.opt_pairwise(
        4, as_list(wins), alpha=0.5 / prior_sd**2, method="Newton-CG", tol=1e-12
    )
    np.testing.assert_allclose(fit(wins, prior_sd).strengths, theirs, atol=1e-6)


def test_two_items_have_the_log_odds_and_its_textbook_standard_error():
    found = fit(torch.tensor([[0, 30], [10, 0]]))
    assert (found.strengths[0] - found.strengths[1]).item() == pytest.approx(math.log(3), abs=1e-12)
    assert found.standard_error(0, 1).item() == pytest.approx(math.sqrt(1 / 30 + 1 / 10), abs=1e-12)
    assert found.log_likelihood.item() == pytest.approx(
        30 * math.log(0.75) + 10 * math.log(0.25), abs=1e-12
    )
    low, high = found.interval(0, 1)
    assert ((high - low) / 2).item() == pytest.approx(
        1.959964 * math.sqrt(1 / 30 + 1 / 10), abs=1e-6
    )


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_at_the_fit_everybody_wins_as_often_as_expected_and_strengths_sum_to_zero(n, seed):
    wins = simulated(n, seed, games=3)
    s = fit(wins).strengths
    expected = (wins + wins.mT) * torch.sigmoid(s[:, None] - s)
    torch.testing.assert_close(expected.sum(1), wins.sum(1), rtol=0, atol=1e-8)
    assert abs(s.sum()) < 1e-9


def test_the_covariance_is_the_inverse_of_the_negative_hessian():
    wins = simulated(4, 5)
    found = fit(wins)
    free = found.strengths[:3].clone()  # the last one is what brings the mean to 0
    hessian = torch.autograd.functional.hessian(
        lambda s: log_likelihood(wins, torch.cat([s, -s.sum(0, keepdim=True)])), free
    )
    torch.testing.assert_close(
        found.covariance[:3, :3], -torch.linalg.inv(hessian), rtol=1e-8, atol=1e-10
    )


def test_no_other_strengths_have_a_higher_likelihood():
    wins = simulated(5, 6)
    found = fit(wins)
    for seed in range(50):
        moved = found.strengths + 0.1 * torch.randn(5, generator=seeded(seed), dtype=torch.float64)
        assert log_likelihood(wins, moved) < found.log_likelihood


def test_tables_are_fitted_together_as_one_by_one():
    wins = torch.stack([simulated(4, seed) for seed in range(6)]).view(2, 3, 4, 4)
    together = fit(wins)
    for a, b in ((0, 0), (1, 2)):
        alone = fit(wins[a, b])
        torch.testing.assert_close(together.strengths[a, b], alone.strengths, rtol=0, atol=1e-9)
        torch.testing.assert_close(together.covariance[a, b], alone.covariance, rtol=0, atol=1e-9)


def test_fractions_of_a_win_and_lopsided_tables_are_fitted():
    half = fit(torch.tensor([[0.0, 2.5], [0.5, 0.0]]))
    assert (half.strengths[0] - half.strengths[1]).item() == pytest.approx(math.log(5))
    lopsided = fit(torch.tensor([[0, 1e6, 0], [1, 0, 1e6], [0, 1, 0]], dtype=torch.float64))
    assert (lopsided.strengths[0] - lopsided.strengths[2]).item() == pytest.approx(
        2 * math.log(1e6), abs=1e-6
    )


def test_steps_that_overshoot_are_halved():
    wins = torch.tensor(
        [
            [0, 2.6e-2, 0, 0, 0],
            [4.4e4, 0, 2.2e-2, 0, 5.5e4],
            [8.3e-2, 3.7, 0, 3.3e3, 0.2],
            [0.5, 0, 2.1e-2, 0, 0.12],
        ]
        + [[0, 0, 2.2e2, 0, 0]],
        dtype=torch.float64,
    )
    s = fit(wins).strengths
    expected = (wins + wins.mT) * torch.sigmoid(s[:, None] - s)
    torch.testing.assert_close(expected.sum(1), wins.sum(1), rtol=1e-8, atol=1e-8)


def test_a_circle_has_a_fit_and_it_calls_everybody_equal():
    found = fit(CYCLE)
    assert found.strengths.abs().max() < 1e-12
    assert found.log_likelihood.item() == pytest.approx(30 * math.log(0.5))


# ---- existence and uniqueness ------------------------------------------------------------------


@pytest.mark.parametrize(
    "wins, error, message",
    [
        ([[0, 3, 1], [0, 0, 2], [0, 1, 0]], DivergesError, r"items \[0\] never lost to the others"),
        ([[0, 1, 1], [1, 0, 1], [0, 0, 0]], DivergesError, r"items \[0, 1\] never lost to the others"),
        ([[0, 0, 1], [0, 0, 1], [0, 0, 0]], DivergesError, r"items \[0, 1\] never lost"),
        ([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 1, 0]], NotUniqueError, r"\[0, 1\] .* \[2, 3\]: .*ned\. "),
        ([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]], NotUniqueError, "inside a group .* no maximum"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], NotUniqueError, r"items \[0, 1\] were never compared with \[2\]"),
        ([[0, 0], [0, 0]], NotUniqueError, r"items \[0\] were never compared with \[1\]"),
    ],
)  # fmt: skip
def test_no_maximum_and_many_maxima_are_told_apart(wins, error, message):
    wins = torch.tensor(wins)
    for call in (check_existence, fit):
        with pytest.raises(error, match=message):
            call(wins)
    assert torch.isfinite(fit(wins, prior_sd=1.0).strengths).all(), "a prior always helps"


def test_the_table_at_fault_is_named():
    with pytest.raises(DivergesError, match=r"table \[1\]: items \[0\]"):
        fit(torch.stack([CYCLE[:2, :2], torch.tensor([[0, 9], [0, 0]])]))


@given(st.integers(0, 10_000))
def test_the_search_on_the_graph_says_what_ascent_finds(seed):
    """Where every item reaches every other the maximum is found; else long ascent leaves strengths of any size."""
    generator = seeded(seed)
    wins = (torch.rand(4, 4, generator=generator) < 0.4).double().fill_diagonal_(0)
    try:
        check_existence(wins)
    except ValueError:
        # along the direction towards any set that nobody outside has beaten the likelihood never falls
        groups = [torch.tensor([bool(k >> i & 1) for i in range(4)]) for k in range(1, 15)]
        unbeaten = [group for group in groups if not wins[~group][:, group].any()]
        assert unbeaten
        start = torch.randn(4, generator=generator, dtype=torch.float64)
        further = start + 5 * unbeaten[0]
        assert log_likelihood(wins, further) >= log_likelihood(wins, start) - 1e-12
    else:
        assert isinstance(fit(wins), Fit)


# ---- intervals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_cover_at_their_stated_rate(level):
    """2,000 tables at once; 4 standard deviations of a binomial share, and 0.01 for the normal approximation."""
    replications, games = 2000, 40
    s = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    count = torch.full((replications, 3, 3), float(games), dtype=torch.float64).triu(1)
    upper = torch.binomial(
        count, torch.sigmoid(s[:, None] - s).expand(replications, 3, 3), generator=seeded(11)
    )
    low, high = fit(upper + (count - upper).mT).interval(0, 2, level)
    covered = ((low <= 2) & (2 <= high)).double().mean().item()
    assert abs(covered - level) < 4 * math.sqrt(level * (1 - level) / replications) + 0.01


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: fit(torch.zeros(3)), r"wins \(3,\): expected \(\.\.\., n, n\)"),
        (lambda: fit(torch.zeros(2, 3)), r"wins \(2, 3\)"),
        (lambda: fit(torch.zeros(1, 1)), "n ≥ 2 items"),
        (lambda: fit(torch.zeros(0, 2, 2)), "expected"),
        (
            lambda: fit(torch.tensor([[0, -1], [1, 0]])),
            r"wins\[0, 1\] is -1: expected finite counts ≥ 0",
        ),
        (lambda: fit(torch.tensor([[0, math.nan], [1, 0]])), r"wins\[0, 1\] is nan"),
        (lambda: fit(torch.tensor([[1, 1], [1, 0]])), "diagonal"),
        (lambda: fit([[0, 1], [1, 0]]), "wins is a list: expected a tensor"),
        (lambda: check_existence(np.ones((2, 2))), "wins is a ndarray: expected a tensor"),
        (lambda: fit(torch.ones(2, 2) * 1j), "wins of torch.complex64: expected real numbers"),
        (lambda: log_likelihood(torch.ones(2, 2), torch.zeros(2)), "diagonal"),
        (
            lambda: log_likelihood(CYCLE, torch.zeros(3).byte()),
            "strengths of torch.uint8: expected floating",
        ),
        (lambda: log_likelihood(CYCLE, [0.0, 0.0, 0.0]), "strengths is a list: expected a tensor"),
        (
            lambda: log_likelihood(CYCLE, torch.zeros(2)),
            r"strengths \(2,\), wins \(3, 3\): expected",
        ),
        (
            lambda: log_likelihood(CYCLE, torch.tensor([math.inf, 0, 0])),
            "strengths hold NaN or infinity",
        ),
        (lambda: fit(CYCLE, prior_sd=0), "prior_sd = 0: expected a finite number above 0"),
        (lambda: fit(CYCLE, prior_sd=math.nan), "prior_sd = nan"),
        (
            lambda: fit(CYCLE).interval(0, 1, level=95),
            "level = 95: expected a probability between 0 and 1",
        ),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.float16], ids=str)
def test_tables_of_wins_may_have_any_type(dtype):
    wins = torch.tensor([[0, 1, 0], [1, 0, 1], [1, 1, 0]])
    found, wanted = fit(wins.to(dtype)), fit(wins.double())
    assert torch.equal(found.strengths, wanted.strengths)
    assert torch.equal(found.covariance, wanted.covariance)
    assert log_likelihood(wins.to(dtype), found.strengths) == found.log_likelihood


def test_wins_that_add_up_to_more_than_their_type_holds_do_not_wrap_around():
    wins = torch.tensor([[0, 200], [100, 0]], dtype=torch.uint8)
    strengths = fit(wins).strengths
    assert (strengths[0] - strengths[1]).item() == pytest.approx(math.log(2))


def test_items_that_never_met_count_nothing_however_far_apart():
    wins = torch.tensor([[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    strengths = torch.tensor([60000.0, -60000.0, 60000.0], dtype=torch.float16, requires_grad=True)
    value = log_likelihood(wins, strengths)
    value.backward()
    assert value.item() == pytest.approx(2 * math.log(0.5), rel=1e-3)
    assert torch.isfinite(strengths.grad).all()


def test_too_few_steps_are_an_error_not_an_answer():
    with pytest.raises(RuntimeError, match="no convergence in 1 steps"):
        fit(simulated(5, 7), steps=1)
