"""The loops: reproducible, descending, towards the right optimum, and harmless to the reference."""

from __future__ import annotations

import copy
import math
from functools import partial

import pytest
import torch
from conftest import seeded

from helpers.gpt import RewardModel, all_logps, all_rewards, new_gpt, sequence_logps, token_logps
from helpers.losses import bradley_terry_loss, dpo_loss, robust_dpo_loss
from helpers.metrics import rank_accuracy
from helpers.policies import kl, optimum
from helpers.training import (
    WATCH_EVERY,
    Config,
    fit_table,
    train_dpo,
    train_reward_model,
    train_sft,
)
from helpers.world import (
    EXACT,
    Annotator,
    Pair,
    PairBatch,
    ResponseSampler,
    demonstrations,
    draw_pairs,
    encode_pairs,
)


def weights(policy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


@pytest.fixture(scope="module")
def reference(world, sft_gpt):
    """Exact log-probabilities of the reference, (48, 11111)."""
    with torch.no_grad():
        return all_logps(sft_gpt, world)


def fresh_pairs(world, logps):
    """Bradley-Terry probabilities as labels on fresh pairs from the reference."""
    sampler = ResponseSampler(logps)
    return lambda n, generator: draw_pairs(world, sampler, Annotator(), n, generator)


# ---- SFT ------------------------------------------------------------------------------------


def test_sft_is_reproducible_for_a_seed_whatever_the_global_state(world):
    data = demonstrations(world, 200, seeded(0))
    found = []
    for seed, global_seed in ((1, 10), (1, 20), (2, 10)):
        torch.manual_seed(global_seed)
        policy = new_gpt(world, 0)
        history = train_sft(policy, world, data, Config(steps=5, batch=16, lr=1e-3), seed)
        found.append((weights(policy), history["loss"].tolist()))
    assert torch.equal(found[0][0], found[1][0]) and found[0][1] == found[1][1]
    assert not torch.equal(found[0][0], found[2][0])


def test_training_leaves_the_global_random_state_alone(world, reference, sft_gpt):
    data, before = demonstrations(world, 50, seeded(0)), torch.get_rng_state()
    config = Config(steps=2, batch=8, lr=1e-3)
    train_sft(new_gpt(world, 0), world, data, config, 0)
    train_dpo(
        copy.deepcopy(sft_gpt), world, fresh_pairs(world, reference), reference, 1.0, config, 0
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_sft_loss_falls_from_log_eleven(world):
    policy = new_gpt(world, 0)
    history = train_sft(
        policy, world, demonstrations(world, 500, seeded(0)), Config(60, 64, 3e-3), 0
    )
    loss = history["loss"]
    assert loss.shape == (60,)
    assert abs(loss[0] - math.log(world.n_outputs)) < 0.2
    assert loss[-10:].mean() < 0.75 * loss[0]


def test_sft_starts_at_the_loss_of_its_response_tokens_and_learns_to_end(world):
    """One demonstration, so the batch is known: the words and the first END are scored, and the policy learns both."""
    prompt, row = torch.tensor([7]), world.encode("cut wait").unsqueeze(0)
    policy = new_gpt(world, 0)
    scored = token_logps(policy, world.prompt_tokens[prompt], row)[0, :3].detach()
    history = train_sft(policy, world, (prompt, row), Config(80, 4, 3e-3), 0)
    assert history["loss"][0] == pytest.approx(-scored.mean().item(), abs=1e-5)
    learned = sequence_logps(policy, world.prompt_tokens[prompt], row, world.mask(row))
    assert learned.exp().item() > 0.9


# ---- DPO ------------------------------------------------------------------------------------


def test_dpo_moves_the_policy_to_the_optimum_and_leaves_the_reference_alone(
    world, sft_gpt, reference
):
    best, _ = optimum(reference, world.gold, 1.0)
    ref_weights, ref_table, policy = (
        weights(sft_gpt).clone(),
        reference.clone(),
        copy.deepcopy(sft_gpt),
    )
    train_dpo(
        policy, world, fresh_pairs(world, reference), reference, 1.0, Config(50, 128, 1e-3), 0
    )
    with torch.no_grad():
        found = all_logps(policy, world)
    before, after = kl(reference, best).mean(), kl(found, best).mean()
    assert after < 0.5 * before, f"KL(π‖π*) from {before:.3f} to {after:.3f}"
    assert torch.equal(weights(sft_gpt), ref_weights) and torch.equal(reference, ref_table)
    assert not reference.requires_grad


def test_dpo_is_reproducible_for_a_seed(world, sft_gpt, reference):
    found = []
    for seed in (1, 1, 2):
        policy = copy.deepcopy(sft_gpt)
        train_dpo(
            policy, world, fresh_pairs(world, reference), reference, 0.3, Config(3, 16, 1e-3), seed
        )
        found.append(weights(policy))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def fixed_batch() -> PairBatch:
    """Four comparisons with labels that differ, responses of several lengths."""
    return PairBatch(
        prompts=torch.tensor([0, 11, 29, 47]),
        chosen=torch.tensor([57, 0, 3_004, 9]),
        rejected=torch.tensor([11_110, 432, 5, 98]),
        label=torch.tensor([1.0, 0.7, 0.2, 0.9], dtype=torch.float64),
    )


def test_dpo_starts_at_log_two_when_the_policy_is_its_reference(world, sft_gpt, reference):
    history = train_dpo(
        copy.deepcopy(sft_gpt),
        world,
        lambda n, generator: fixed_batch(),
        reference,
        0.5,
        Config(1, 4, 1e-3),
        0,
    )
    assert history["loss"][0] == pytest.approx(math.log(2), abs=1e-5)
    assert history["margin"][0] == pytest.approx(0, abs=1e-5)
    assert history["chosen"][0] == pytest.approx(0, abs=1e-5)


def test_dpo_starts_at_the_loss_of_the_exact_log_probabilities(world, sft_gpt, reference):
    """From another reference the first loss, margin and log-ratio are those of the tables."""
    batch, beta = fixed_batch(), 0.5
    other = torch.full_like(reference, -math.log(world.n_responses))
    history = train_dpo(
        copy.deepcopy(sft_gpt),
        world,
        lambda n, generator: batch,
        other,
        beta,
        Config(1, 4, 1e-3),
        0,
    )
    chosen, rejected = (
        reference[batch.prompts, batch.chosen],
        reference[batch.prompts, batch.rejected],
    )
    flat = other[batch.prompts, batch.chosen]
    exact = dpo_loss(chosen, rejected, flat, flat, beta, batch.label).item()
    assert history["loss"][0] == pytest.approx(exact, abs=1e-5)
    assert history["margin"][0] == pytest.approx(
        (beta * (chosen - rejected)).mean().item(), abs=1e-5
    )
    assert history["chosen"][0] == pytest.approx((chosen - flat).mean().item(), abs=1e-5)


def test_dpo_on_a_fixed_batch_lowers_its_loss_and_an_sft_term_raises_the_chosen(
    world, sft_gpt, reference
):
    chosen = {}
    for sft_weight in (0.0, 1.0):
        history = train_dpo(
            copy.deepcopy(sft_gpt), world, lambda n, generator: fixed_batch(), reference, 0.5, Config(20, 4, 1e-3), 0,
            sft_weight=sft_weight,
        )  # fmt: skip
        assert history["loss"][-1] < history["loss"][0] - 0.05
        chosen[sft_weight] = history["chosen"][-1]
    assert chosen[1.0] > chosen[0.0] + 0.5


def test_dpo_records_every_step_and_watches_at_intervals(world, sft_gpt, reference):
    steps = 2 * WATCH_EVERY + 1
    asked = []

    def draw(n, generator):
        asked.append(n)
        return fixed_batch()

    history = train_dpo(
        copy.deepcopy(sft_gpt),
        world,
        draw,
        reference,
        0.5,
        Config(steps, 4, 1e-3),
        0,
        watch=lambda: {"two": 2.0},
    )
    assert asked == [4] * steps
    for name in ("loss", "margin", "chosen"):
        assert history[name].shape == (steps,)
    assert history["watched"].tolist() == [0, WATCH_EVERY, 2 * WATCH_EVERY]
    assert history["two"].tolist() == [2.0] * 3


def test_dpo_watches_as_often_as_it_is_told(world, sft_gpt, reference):
    history = train_dpo(
        copy.deepcopy(sft_gpt), world, lambda n, generator: fixed_batch(), reference, 0.5, Config(5, 4, 1e-3), 0,
        watch=lambda: {"two": 2.0}, watch_every=2,
    )  # fmt: skip
    assert history["watched"].tolist() == [0, 2, 4]


@pytest.mark.parametrize("bad", [0, -3])
def test_dpo_refuses_to_watch_every_zero_steps(world, sft_gpt, reference, bad):
    with pytest.raises(ValueError, match=f"watch_every = {bad}: expected a number of steps ≥ 1"):
        train_dpo(
            copy.deepcopy(sft_gpt), world, lambda n, generator: fixed_batch(), reference, 0.5, Config(1, 4, 1e-3), 0,
            watch_every=bad,
        )  # fmt: skip


def test_dpo_minimises_the_objective_it_is_given(world, sft_gpt, reference):
    """Both see the same first batch, so their first losses differ by the tilt −βh·ε/(1 − 2ε) alone."""
    other, batch, epsilon = (
        torch.full_like(reference, -math.log(world.n_responses)),
        fixed_batch(),
        0.3,
    )
    first, weights_after = {}, {}
    for name, objective in (
        ("plain", dpo_loss),
        ("robust", partial(robust_dpo_loss, epsilon=epsilon)),
    ):
        policy = copy.deepcopy(sft_gpt)
        history = train_dpo(
            policy,
            world,
            lambda n, generator: batch,
            other,
            0.5,
            Config(2, 4, 1e-3),
            0,
            objective=objective,
        )
        first[name], weights_after[name] = history["loss"][0], weights(policy)
    h = reference[batch.prompts, batch.chosen] - reference[batch.prompts, batch.rejected]
    tilt = (0.5 * h * (2 * batch.label - 1)).mean().item() * epsilon / (1 - 2 * epsilon)
    assert first["robust"] == pytest.approx(first["plain"] - tilt, abs=1e-5) and abs(tilt) > 0.1
    assert not torch.equal(weights_after["plain"], weights_after["robust"])


# ---- reward model ---------------------------------------------------------------------------


def test_a_reward_model_starts_at_log_two_and_learns_to_rank_fresh_pairs(world, sft_gpt, reference):
    model, draw = RewardModel(sft_gpt), fresh_pairs(world, reference)
    history = train_reward_model(model, world, draw, Config(60, 64, 1e-3), 0)
    assert history["loss"][0] == pytest.approx(math.log(2)) and history["loss"][-1] < 0.65
    assert len(history["accuracy"]) == 60
    pairs, scores = draw(2000, seeded(9)), all_rewards(model, world)
    gold = rank_accuracy(
        world.gold[pairs.prompts, pairs.chosen], world.gold[pairs.prompts, pairs.rejected]
    )
    found = rank_accuracy(
        scores[pairs.prompts, pairs.chosen], scores[pairs.prompts, pairs.rejected]
    )
    assert 60 < found <= gold


def test_training_a_reward_model_is_reproducible_and_leaves_the_policy_alone(
    world, sft_gpt, reference
):
    before, found = weights(sft_gpt).clone(), []
    for seed in (1, 1, 2):
        model = RewardModel(sft_gpt)
        train_reward_model(model, world, fresh_pairs(world, reference), Config(3, 16, 1e-3), seed)
        found.append(weights(model))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(weights(sft_gpt), before)


def test_a_reward_model_can_be_trained_on_another_loss_and_watched(world, sft_gpt, reference):
    """Centring alone, c·(r_w + r_l)², has no reason to leave rewards of 0; a margin of 2 starts at softplus(2)."""
    draw, config = fresh_pairs(world, reference), Config(4, 16, 1e-3)
    model, seen = RewardModel(sft_gpt), []
    before = weights(model).clone()
    history = train_reward_model(
        model,
        world,
        draw,
        config,
        0,
        lambda w, l, label: (w + l).pow(2).mean(),
        lambda: seen.append(1) or {"n": 1},
        3,
    )
    assert (
        torch.equal(weights(model), before)
        and history["watched"].tolist() == [0, 3]
        and len(seen) == 2
    )
    history = train_reward_model(
        model, world, draw, config, 0, lambda w, l, label: bradley_terry_loss(w - 2, l)
    )
    assert (
        history["loss"][0] == pytest.approx(math.log1p(math.exp(2)))
        and history["loss"][-1] < history["loss"][0]
    )
    with pytest.raises(ValueError, match="watch_every = 0"):
        train_reward_model(model, world, draw, config, 0, watch_every=0)


# ---- tables ---------------------------------------------------------------------------------


def test_fit_table_finds_a_known_minimum_and_keeps_its_start():
    target = torch.tensor([[1.0, -2.0], [3.0, 0.5]], dtype=torch.float64)
    start = torch.zeros(2, 2)
    found = fit_table(
        lambda table: ((table - target) ** 2).sum() + (table - target).pow(4).sum(), start
    )
    torch.testing.assert_close(found, target, rtol=0, atol=1e-6)
    assert found.dtype == torch.float64 and not found.requires_grad
    assert torch.equal(start, torch.zeros(2, 2))


def test_fit_table_refuses_a_loss_that_is_nan():
    with pytest.raises(ValueError, match="the loss became nan"):
        fit_table(lambda table: (table * float("nan")).sum(), torch.tensor([1.0]))


@pytest.mark.parametrize(
    "loss, start", [(lambda t: t.log().sum(), -1.0), (lambda t: t.sqrt().sum(), 1.0)]
)
def test_fit_table_refuses_a_loss_that_becomes_nan_where_its_gradient_does_not(loss, start):
    with pytest.raises(ValueError, match="the loss became (nan|inf|-inf)"):
        fit_table(loss, torch.tensor([start]))


# ---- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": -1},
        {"batch": 0},
        {"lr": 0.0},
        {"lr": -1e-3},
        {"lr": float("nan")},
        {"lr": float("inf")},
    ],
    ids=str,
)
def test_a_config_without_steps_batch_or_learning_rate_is_refused(wrong):
    with pytest.raises(ValueError, match="expected steps ≥ 1, batch ≥ 1 and a finite lr above 0"):
        Config(**{"steps": 1, "batch": 1, "lr": 1e-3, **wrong})


@pytest.mark.parametrize("beta", [0.0, -1.0, float("nan"), float("inf")])
def test_dpo_refuses_a_beta_that_is_not_a_finite_number_above_zero(world, sft_gpt, reference, beta):
    policy = copy.deepcopy(sft_gpt)
    with pytest.raises(ValueError, match=f"beta = {beta}"):
        train_dpo(
            policy, world, fresh_pairs(world, reference), reference, beta, Config(1, 4, 1e-3), 0
        )
    assert torch.equal(weights(policy), weights(sft_gpt))


@pytest.mark.parametrize(
    "prompts, responses, message",
    [
        (
            torch.empty(0, dtype=torch.long),
            torch.empty(0, 4, dtype=torch.long),
            "0 prompts, 0 responses",
        ),
        (torch.tensor([0, 1]), torch.tensor([[10, 10, 10, 10]]), "2 prompts, 1 responses"),
        (
            torch.tensor([48]),
            torch.tensor([[10, 10, 10, 10]]),
            "prompt indices from 48 to 48: expected 0 to 47",
        ),
        (torch.tensor([0]), torch.tensor([[11, 10, 10, 10]]), "token 11 at"),
    ],
)
def test_sft_refuses_demonstrations_that_do_not_fit(prompts, responses, message):
    with pytest.raises(ValueError, match=message):
        train_sft(new_gpt(EXACT, 0), EXACT, (prompts, responses), Config(1, 1, 1e-3), 0)


def test_dpo_refuses_a_reference_of_another_shape_and_a_beta_that_is_no_price():
    pairs = encode_pairs(EXACT, [Pair("fix lamp", "cut wait", "")])
    table = torch.zeros(len(EXACT.prompts), EXACT.n_responses)
    with pytest.raises(ValueError, match=r"ref_logps \(48, 7\): expected all responses"):
        train_dpo(new_gpt(EXACT, 0), EXACT, pairs.draw, table[:, :7], 1.0, Config(1, 1, 1e-3), 0)
    with pytest.raises(ValueError, match="beta = -1"):
        train_dpo(new_gpt(EXACT, 0), EXACT, pairs.draw, table, -1, Config(1, 1, 1e-3), 0)
