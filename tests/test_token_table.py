"""All replies token by token, against plain loops over some of them and against autograd."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import seeded

from helpers.gpt import ValueModel, all_logps, new_gpt, token_logps
from helpers.token_table import TokenTable
from helpers.world import EXACT

F64 = torch.float64


@pytest.fixture(scope="module")
def table() -> TokenTable:
    """Some policy under which long replies carry mass."""
    logits = torch.randn(EXACT.n_responses, generator=seeded(1), dtype=F64)
    return TokenTable(logits.log_softmax(0))


@pytest.fixture(scope="module")
def rewards() -> torch.Tensor:
    return torch.randn(EXACT.n_responses, generator=seeded(2), dtype=F64)


def rows_through(words: tuple[int, ...]) -> list[int]:
    """Places of all replies that begin with these words, by looking at each."""
    return [
        k for k, row in enumerate(EXACT.responses.tolist()) if tuple(row[: len(words)]) == words
    ]


def test_token_logps_are_those_of_the_gpt():
    policy = new_gpt(EXACT, 3).double()
    prompts = EXACT.prompt_tokens[:1]
    some = torch.tensor([0, 5, 77, 1000, 5000, 11110])
    with torch.no_grad():
        logps = all_logps(policy, EXACT, prompts)[0]
        wanted = token_logps(policy, prompts.expand(len(some), -1), EXACT.responses[some])
    table = TokenTable(logps)
    found = table.token_logps(logps)[some]
    torch.testing.assert_close(found, wanted.masked_fill(~table.mask[some], 0.0), rtol=0, atol=1e-9)
    torch.testing.assert_close(table.token_logps(logps).sum(1), logps, rtol=0, atol=1e-9)


def test_states_values_and_returns_are_the_slow_ones(table, rewards):
    earned = table.at_end(rewards)
    values, to_come = table.values(earned), table.to_come(earned)
    for k in (0, 8, 321, 9999):
        row, n = EXACT.responses[k].tolist(), int(table.mask[k].sum())
        assert to_come[k, :n].tolist() == [rewards[k].item()] * n and (to_come[k, n:] == 0).all()
        for t in range(n):
            passing = rows_through(tuple(row[:t]))
            mass = math.fsum(table.p[i].item() for i in passing)
            mean = math.fsum(table.p[i].item() * rewards[i].item() for i in passing) / mass
            assert values[k, t].item() == pytest.approx(mean, abs=1e-9)
        assert (values[k, n:] == 0).all()


def test_the_gradient_is_that_of_the_expected_reward(table, rewards):
    given = table.logits.log_softmax(-1)[table.state, table.reply].masked_fill(~table.mask, 0.0)
    (wanted,) = torch.autograd.grad((given.sum(1).exp() * rewards).sum(), table.logits)
    earned = table.at_end(rewards)
    found = table.gradient(table.to_come(earned))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)
    off = table.gradient(table.to_come(earned) * 1.01)
    assert (off - wanted).abs().max() > 1e-5


def test_noise_is_the_spread_of_single_gradients(table, rewards):
    weight = table.to_come(table.at_end(rewards))
    pi, p, w = table.logits.detach().softmax(-1).numpy(), table.p.tolist(), weight.tolist()
    squares, mean = [], torch.zeros(1111, 11, dtype=F64).numpy()
    for k, (states, row) in enumerate(zip(table.state.tolist(), EXACT.responses.tolist())):
        n = int(table.mask[k].sum())
        assert len(set(states[:n])) == n  # a reply passes a state once
        for t in range(n):
            push = -pi[states[t]] * w[k][t]
            push[row[t]] += w[k][t]
            squares.append(p[k] * float(push @ push))
            mean[states[t]] += p[k] * push
    wanted = math.sqrt(math.fsum(squares) - float((mean**2).sum()))
    assert table.noise(weight) == pytest.approx(wanted, rel=1e-9)
    assert (
        table.noise(2 * weight) == pytest.approx(2 * wanted, rel=1e-9)
        and table.noise(0 * weight) == 0
    )


def test_length_is_the_expected_number_of_tokens(table):
    assert table.length().item() == pytest.approx(
        (table.p * table.mask.sum(1)).sum().item(), abs=1e-9
    )


def test_a_critic_is_read_before_each_token(table):
    critic = ValueModel(new_gpt(EXACT, 4))
    torch.nn.init.normal_(critic.trunk.head.weight, generator=seeded(5))
    prompt, some = EXACT.prompt_tokens[7], torch.tensor([0, 3, 42, 600, 2222, 11000])
    with torch.no_grad():
        wanted = critic(prompt.expand(len(some), -1), EXACT.responses[some]).double()
    found = table.of_critic(critic, prompt)[some]
    torch.testing.assert_close(found, wanted * table.mask[some], rtol=0, atol=1e-5)


def test_learning_brings_a_critic_nearer_to_the_true_values(table, rewards):
    earned = table.at_end(rewards + 3)
    values, returns = table.values(earned), table.to_come(earned)
    weight = table.p.unsqueeze(1) * table.mask
    critic = ValueModel(new_gpt(EXACT, 4))
    learned = table.learn(critic, EXACT.prompt_tokens[7], returns, 64, 30, seeded(6))
    assert (weight * (learned - values).square()).sum() < 0.5 * (weight * values.square()).sum()


def test_refused_by_name(table):
    with pytest.raises(ValueError, match="summing to 1"):
        TokenTable(torch.zeros(EXACT.n_responses))
    with pytest.raises(ValueError, match="logps"):
        TokenTable(torch.zeros(3))
    with pytest.raises(ValueError, match="steps = 0"):
        table.learn(
            ValueModel(new_gpt(EXACT, 4)),
            EXACT.prompt_tokens[0],
            table.mask.double(),
            8,
            0,
            seeded(1),
        )
