"""Arms side by side: the same weights as one after another, bit for bit, and nothing of one in the other."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from conftest import seeded

from helpers.chat import CHAT
from helpers.gpt import RewardModel, ValueModel, all_logps, new_gpt, sample, sequence_logps
from helpers.losses import dpo_loss
from helpers.training import (
    Config,
    PPOConfig,
    side_by_side,
    train_dpo,
    train_ppo,
    train_reward_model,
    train_sft,
    with_reference,
)
from helpers.world import Annotator, ResponseSampler, demonstrations, draw_pairs

CONFIG = Config(steps=6, batch=16, lr=1e-3)
UNIFORM = torch.full((48, 11111), 1 / 11111).log()


def weights(model) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def sft_arm(world, policy, seed):
    train_sft(policy, world, demonstrations(world, 200, seeded(seed)), CONFIG, seed)


def dpo_arm(world, policy, seed):
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), Annotator(), 100, seeded(seed))
    train_dpo(policy, world, pairs.draw, UNIFORM, 1.0, CONFIG, seed)


def ppo_arm(world, policy, seed):
    ref, config = copy.deepcopy(policy), PPOConfig(iterations=3, batch=16, lr=1e-3, beta=0.1)
    train_ppo(policy, ValueModel(policy), world, world.rewards, ref, config, seed)


ARMS = {"sft": sft_arm, "dpo": dpo_arm, "ppo": ppo_arm}


@pytest.mark.parametrize("method", ARMS)
def test_weights_are_those_of_a_run_alone(method, world):
    def arm(seed):
        policy = new_gpt(world, seed)
        ARMS[method](world, policy, seed)
        return weights(policy)

    alone = [arm(seed) for seed in (1, 2)]
    together = side_by_side(lambda: arm(1), lambda: arm(2))
    assert all(torch.equal(one, other) for one, other in zip(alone, together))
    assert not torch.equal(*together), "control: the two arms differ"


def test_reward_models_too(world):
    def arm(seed):
        model = RewardModel(new_gpt(world, 0))
        pairs = draw_pairs(world, ResponseSampler(UNIFORM), Annotator(), 100, seeded(seed))
        train_reward_model(model, world, pairs.draw, CONFIG, seed)
        return weights(model)

    alone = arm(1), arm(2)
    assert all(map(torch.equal, alone, side_by_side(lambda: arm(1), lambda: arm(2))))


def test_two_arms_are_under_way_at_the_same_time(monkeypatch):
    monkeypatch.delenv("LESSON_ARMS", raising=False)
    both = threading.Barrier(2, timeout=20)
    assert side_by_side(lambda: both.wait() >= 0, lambda: both.wait() >= 0) == [True, True]


def test_where_two_processes_run_already_arms_follow_one_another(monkeypatch):
    monkeypatch.setenv("LESSON_ARMS", "1")
    names = side_by_side(*[lambda: threading.current_thread().name] * 3)
    assert len(set(names)) == 1


def test_results_come_in_the_order_of_the_arms_with_gradients_on_and_one_thread_each():
    def arm(k):
        return k, torch.is_grad_enabled(), torch.get_num_threads()

    with torch.no_grad():
        found = side_by_side(*(lambda k=k: arm(k) for k in range(5)))
    assert found == [(k, True, 1) for k in range(5)]


def test_what_an_arm_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda: 1, lambda: 1 / 0)


def test_no_arm_is_refused():
    with pytest.raises(ValueError, match="no arms: expected at least one"):
        side_by_side()


# ---- DPO where responses are too many to list ---------------------------------------------------


def chat_pairs(policy, n=24):
    def replies(prompts, generator):
        return sample(policy, CHAT, CHAT.prompt_tokens[prompts], generator)

    return draw_pairs(CHAT, replies, Annotator(), n, seeded(3))


def test_dpo_learns_in_chat_from_pairs_that_carry_their_reference():
    policy = new_gpt(CHAT, 1)
    pairs, ref = with_reference(chat_pairs(policy), policy, CHAT), copy.deepcopy(policy)
    config = Config(steps=40, batch=24, lr=1e-3)
    history = train_dpo(policy, CHAT, pairs.draw, None, 1.0, config, 0)
    assert history["loss"][0] == pytest.approx(torch.tensor(2.0).log().item(), abs=1e-5)
    assert history["loss"][-1] < 0.6 and history["margin"][-1] > 0.1
    assert torch.equal(weights(ref), weights(new_gpt(CHAT, 1)))


def test_the_reference_that_pairs_carry_is_that_of_each_side():
    policy = new_gpt(CHAT, 1)
    pairs = chat_pairs(policy)
    prompts = CHAT.prompt_tokens[pairs.prompts]
    carried = with_reference(pairs, policy, CHAT).ref_logps
    for column, side in enumerate((pairs.chosen, pairs.rejected)):
        with torch.no_grad():
            expected = sequence_logps(policy, prompts, side, CHAT.mask(side))
        assert torch.allclose(carried[:, column], expected, atol=1e-5)
    rows = torch.tensor([3, 1])
    assert torch.equal(with_reference(pairs, policy, CHAT)[rows].ref_logps, carried[rows])
    assert pairs.ref_logps is None


def test_looked_up_and_carried_references_train_the_same_policy(world):
    start = new_gpt(world, 2)
    with torch.no_grad():
        table = all_logps(start, world)
    pairs = draw_pairs(world, ResponseSampler(table), Annotator(), 64, seeded(4))
    by_table, by_pairs = copy.deepcopy(start), copy.deepcopy(start)
    train_dpo(by_table, world, pairs.draw, table, 1.0, CONFIG, 0)
    train_dpo(by_pairs, world, with_reference(pairs, start, world).draw, None, 1.0, CONFIG, 0)
    assert torch.allclose(weights(by_table), weights(by_pairs), atol=1e-4)
    assert not torch.allclose(weights(by_table), weights(start), atol=1e-4), "control"


def test_pairs_without_a_reference_are_refused():
    policy = new_gpt(CHAT, 1)
    with pytest.raises(
        ValueError, match="pairs that carry none: expected a table .* with_reference"
    ):
        train_dpo(policy, CHAT, chat_pairs(policy).draw, None, 1.0, CONFIG, 0)


def test_the_loss_of_the_first_step_is_dpos_own(world):
    start = new_gpt(CHAT, 1)
    pairs = with_reference(chat_pairs(start), start, CHAT)
    policy = new_gpt(CHAT, 5)
    history = train_dpo(policy, CHAT, pairs.draw, None, 0.5, CONFIG, 0)
    batch = pairs.draw(CONFIG.batch, seeded(0))
    prompts, fresh = CHAT.prompt_tokens[batch.prompts], new_gpt(CHAT, 5)
    with torch.no_grad():
        w, l = (
            sequence_logps(fresh, prompts, y, CHAT.mask(y)) for y in (batch.chosen, batch.rejected)
        )
    expected = dpo_loss(w, l, *batch.ref_logps.unbind(1), 0.5, batch.label)
    assert history["loss"][0] == pytest.approx(expected.item(), abs=1e-5)


def test_per_token_the_first_loss_is_dpos_on_means(world):
    start = new_gpt(CHAT, 1)
    pairs = with_reference(chat_pairs(start), start, CHAT)
    history = train_dpo(new_gpt(CHAT, 5), CHAT, pairs.draw, None, 0.5, CONFIG, 0, per_token=True)
    batch, fresh = pairs.draw(CONFIG.batch, seeded(0)), new_gpt(CHAT, 5)
    prompts = CHAT.prompt_tokens[batch.prompts]
    means = []
    for y, ref in zip((batch.chosen, batch.rejected), batch.ref_logps.unbind(1)):
        words = [len([token for token in row if token != CHAT.end]) for row in y.tolist()]
        n = torch.tensor([min(count + 1, CHAT.max_length) for count in words])
        with torch.no_grad():
            means.append((sequence_logps(fresh, prompts, y, CHAT.mask(y)) / n, ref / n))
    (w, ref_w), (l, ref_l) = means
    expected = dpo_loss(w, l, ref_w, ref_l, 0.5, batch.label)
    assert history["loss"][0] == pytest.approx(expected.item(), abs=1e-5)
