"""Rank accuracy and shares: hand-worked values and bad input."""

import pytest
import torch

from helpers.metrics import rank_accuracy, share


def test_rank_accuracy_counts_a_tie_as_one_half():
    assert rank_accuracy(torch.tensor([2.0, 1.0, 0.0, 5.0]), torch.tensor([1.0, 1.0, 1.0, 4.0])) == 62.5


def test_rank_accuracy_needs_only_the_order_even_at_infinity():
    chosen, rejected = torch.tensor([0.0, -1e4]), torch.tensor([-torch.inf, 1e4])
    assert rank_accuracy(chosen, rejected) == 50
    assert rank_accuracy(3 * chosen + 7, 3 * rejected + 7) == 50


@pytest.mark.parametrize(
    "chosen, rejected, message",
    [
        (torch.zeros(2), torch.zeros(3), r"shapes \(2,\) and \(3,\)"),
        (torch.zeros(0), torch.zeros(0), "B ≥ 1"),
        (torch.zeros(1, 2), torch.zeros(1, 2), "two vectors"),
        (torch.tensor([0.0, torch.nan]), torch.zeros(2), "pair 1 is NaN"),
        (torch.tensor([-torch.inf]), torch.tensor([-torch.inf]), "pair 0 is NaN"),
    ],
)
def test_rank_accuracy_refuses(chosen, rejected, message):
    with pytest.raises(ValueError, match=message):
        rank_accuracy(chosen, rejected)


def test_share_sums_the_probability_of_the_members():
    logps = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log()
    torch.testing.assert_close(share(logps, torch.tensor([True, False, True])), torch.tensor([0.7, 0.9]))
    assert share(logps, torch.zeros(3, dtype=torch.bool)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("member", [torch.tensor([1, 0, 1]), torch.tensor([True, False])])
def test_share_refuses_what_is_no_set_of_responses(member):
    with pytest.raises(ValueError, match="expected bool of shape"):
        share(torch.zeros(2, 3), member)
