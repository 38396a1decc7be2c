"""Rewards fitted to shares of wins."""

import pytest
import torch

from helpers.groups import fit_shares

I, J = torch.tril_indices(4, 4, -1)


def shares_of(rewards):
    return torch.sigmoid(rewards[:, I] - rewards[:, J])


def test_rewards_of_one_person_come_back():
    true = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found, misfit = fit_shares(shares_of(true), 4)
    assert misfit < 1e-4
    torch.testing.assert_close(found, true - true.mean(1, keepdim=True), atol=1e-3, rtol=0)


def test_two_people_leave_a_misfit():
    rewards = torch.tensor([[0.0, 1.0, 2.0, 6.0]], dtype=torch.float64)
    _, misfit = fit_shares((shares_of(rewards) + shares_of(-2 * rewards.flip(1))) / 2, 4)
    assert misfit > 0.01


@pytest.mark.parametrize(
    "shares", [torch.full((1, 5), 0.5), torch.full((6,), 0.5), torch.ones(1, 6)]
)
def test_what_is_no_table_of_shares_is_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        fit_shares(shares, 4)
