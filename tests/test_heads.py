"""Heads that are widened, warmed and cut back."""

import pytest
import torch

from helpers.chat import CHAT, demonstrations
from helpers.gpt import new_gpt
from helpers.heads import LOW, warmed, with_outputs


@pytest.fixture(scope="module")
def policy():
    return new_gpt(CHAT, 3)


@pytest.fixture(scope="module")
def rows():
    x, y = demonstrations(CHAT, 40, torch.Generator().manual_seed(1))
    return torch.cat([CHAT.prompt_tokens[x], y], dim=1)


def test_old_rows_say_what_they_said_and_new_ones_are_unlikely(policy, rows):
    wide = with_outputs(policy, CHAT.n_tokens)
    assert torch.equal(wide(rows)[..., : CHAT.n_outputs], policy(rows))
    assert (wide(rows)[..., CHAT.n_outputs :] == LOW).all()
    back = with_outputs(wide, CHAT.n_outputs)
    assert torch.equal(back(rows), policy(rows)) and back.config == policy.config


def test_warming_moves_the_new_rows_only(policy, rows):
    wide = with_outputs(policy, CHAT.n_tokens)
    scored = torch.ones_like(rows).bool()
    warm = warmed(wide, rows, scored, CHAT.n_outputs, steps=50)
    before, after = dict(wide.named_parameters()), dict(warm.named_parameters())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head.weight", "head.bias"}
    assert torch.equal(warm.head.weight[: CHAT.n_outputs], policy.head.weight)
    target = rows[:, 1:, None]
    loss = [-m(rows[:, :-1]).log_softmax(-1).gather(-1, target).mean().item() for m in (wide, warm)]
    assert loss[1] < loss[0] - 1


def test_what_does_not_fit_is_refused(policy, rows):
    for n in (0, CHAT.n_tokens + 1):
        with pytest.raises(ValueError, match="n_outputs"):
            with_outputs(policy, n)
    with pytest.raises(ValueError, match="one shape"):
        warmed(policy, rows, rows[:, 1:] > 0, 3)
    with pytest.raises(ValueError, match="fewer than"):
        warmed(policy, rows, rows >= 0, CHAT.n_outputs)
