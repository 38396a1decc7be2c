"""Controls that match an arm in one number."""

import pytest
import torch

from helpers.matched import beta_that_spends
from helpers.policies import kl, optimum


@pytest.mark.parametrize("beta", [0.05, 1.0, 30.0])
def test_the_beta_of_an_optimum_is_found_from_its_kl(beta):
    generator = torch.Generator().manual_seed(5)
    ref = torch.randn(3, 7, generator=generator, dtype=torch.float64).log_softmax(-1)
    rewards = torch.randn(3, 7, generator=generator, dtype=torch.float64)
    nats = kl(optimum(ref, rewards, beta)[0], ref).mean().item()
    found = beta_that_spends(ref, rewards, nats)
    assert kl(optimum(ref, rewards, found)[0], ref).mean().item() == pytest.approx(nats, rel=1e-9)
    assert found == pytest.approx(beta, rel=1e-6)


def test_what_no_beta_spends_is_refused():
    ref = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
    rewards = torch.tensor([1.0, 0.0], dtype=torch.float64)
    with pytest.raises(ValueError, match="nats = 0.7: expected from .* to 0.6931"):
        beta_that_spends(ref, rewards, 0.7)
    with pytest.raises(ValueError, match="nats = 0: expected"):
        beta_that_spends(ref, rewards, 0.0)
