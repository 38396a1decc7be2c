"""The PPO loop: one step against slow loops, what it records, what moves it and what must not, bad input."""

import copy
import math

import pytest
import torch
from conftest import seeded

from helpers.gpt import RewardModel, ValueModel, all_logps, sequence_logps, token_logps
from helpers.policies import expected, kl
from helpers.training import PPOConfig, train_ppo


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def tuned(world, policy, reward, seed=0, value=None, **settings):
    """A copy of the policy after PPO, and the history."""
    student = copy.deepcopy(policy)
    config = PPOConfig(**{"iterations": 2, "batch": 32, "lr": 1e-3, "beta": 0.0} | settings)
    return student, train_ppo(
        student, value or ValueModel(policy), world, reward, policy, config, seed
    )


# ---- one step, by slow loops ------------------------------------------------------------------


def by_hand(world, policy, ref, asked, y, scores, beta, lam):
    """Gradient of the first PPO step (all ratios 1, all values 0): one token at a time, in float64."""
    policy, ref = copy.deepcopy(policy).double(), copy.deepcopy(ref).double()
    advantages, chosen = [], []
    for x, row, score in zip(world.prompt_tokens[asked], y, scores):
        n = int(world.mask(row).sum())
        logps = token_logps(policy, x[None], row[None])[0, :n]
        earned = [
            -beta * (p - q).item() for p, q in zip(logps, token_logps(ref, x[None], row[None])[0])
        ]
        earned[-1] += score.item()
        chosen += list(logps)
        advantages += [
            sum(lam ** (k - t) * earned[k] for k in range(t, n)) for t in range(n)
        ]  # δ_k = r_k, as V = 0
    a = torch.tensor(advantages, dtype=torch.float64)
    a = (a - a.mean()) / a.std()
    loss = -(torch.stack(chosen) * a).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(policy.parameters()))])


@pytest.mark.parametrize("beta, lam", [(0.0, 0.95), (0.7, 0.5), (0.7, 1.0)])
def test_the_first_step_is_the_policy_gradient_of_the_definition(
    world, sft_gpt, rough_gpt, beta, lam
):
    student, ref = copy.deepcopy(sft_gpt), copy.deepcopy(rough_gpt).float()
    seen = {}

    def reward(asked, y):
        seen.update(asked=asked, y=y, scores=world.rewards(asked, y))
        return seen["scores"]

    config = PPOConfig(iterations=1, batch=24, lr=1e-3, beta=beta, lam=lam, epochs=1, minibatches=1)
    train_ppo(student, ValueModel(sft_gpt), world, reward, ref, config, 3)
    gradient = by_hand(world, sft_gpt, ref, **seen, beta=beta, lam=lam)
    step = weights(student).double() - weights(sft_gpt).double()
    large = gradient.abs() > 1e-4  # Adam's first step is lr · sign; tiny gradients are rounding
    assert large.sum() > 1000
    expected_step = -1e-3 * gradient / (gradient.abs() + 1e-8)
    assert ((step - expected_step)[large].abs() < 2e-5).double().mean() > 0.999


# ---- what it does -----------------------------------------------------------------------------


def mean_gold(world, policy, rows):
    with torch.no_grad():
        return (
            expected(all_logps(policy, world, world.prompt_tokens[rows]), world.gold[rows])
            .mean()
            .item()
        )


def test_it_climbs_the_reward_and_a_price_keeps_it_near_the_reference(world, sft_gpt):
    rows = torch.arange(0, 48, 6)
    run = dict(iterations=12, batch=96)
    free, history = tuned(world, sft_gpt, world.rewards, **run)
    tied, _ = tuned(world, sft_gpt, world.rewards, beta=20.0, **run)
    assert mean_gold(world, free, rows) > mean_gold(world, sft_gpt, rows) + 0.3
    with torch.no_grad():
        ref, near, far = (
            all_logps(p, world, world.prompt_tokens[rows]) for p in (sft_gpt, tied, free)
        )
    assert kl(near, ref).mean() < 0.2 * kl(far, ref).mean()
    assert history["reward"][-3:].mean() > history["reward"][:3].mean()


def test_values_learn_to_explain_the_returns(world, sft_gpt):
    _, history = tuned(world, sft_gpt, world.rewards, iterations=25, batch=96)
    assert history["explained_variance"][0] == pytest.approx(0, abs=1e-6)
    assert history["explained_variance"][-5:].mean() > 0.1


def test_a_reward_that_never_varies_moves_nothing(world, sft_gpt):
    """With λ = 1 all advantages are equal: whitened they are 0, not NaN."""
    value = ValueModel(sft_gpt)
    run = dict(lam=1.0, iterations=1, value=value)
    student, history = tuned(world, sft_gpt, lambda x, y: torch.full((len(x),), 3.0), **run)
    assert torch.equal(weights(student), weights(sft_gpt))
    assert not torch.equal(weights(value), weights(ValueModel(sft_gpt))), (
        "the values learn it all the same"
    )
    assert all(math.isfinite(v) for column in history.columns.values() for v in column)


def test_a_batch_of_one_is_no_reason_for_nan(world, sft_gpt):
    student, history = tuned(world, sft_gpt, world.rewards, batch=1, minibatches=1, beta=0.1)
    assert torch.isfinite(weights(student)).all()
    assert all(math.isfinite(v) for column in history.columns.values() for v in column)


def test_it_is_reproducible_and_leaves_reference_and_global_state_alone(world, sft_gpt):
    ref, state = copy.deepcopy(sft_gpt), torch.random.get_rng_state()
    ref.zero_grad(set_to_none=True)
    first, second, other = (tuned(world, ref, world.rewards, seed=s)[0] for s in (1, 1, 2))
    assert torch.equal(weights(first), weights(second)) and not torch.equal(
        weights(first), weights(other)
    )
    assert torch.equal(weights(ref), weights(sft_gpt)) and all(
        p.grad is None for p in ref.parameters()
    )
    assert torch.equal(torch.random.get_rng_state(), state)


# ---- what it records --------------------------------------------------------------------------


def test_the_history_is_what_the_batches_say(world, sft_gpt):
    batches = []

    def reward(asked, y):
        batches.append((asked, y))
        return world.rewards(asked, y)

    _, history = tuned(world, sft_gpt, reward, iterations=3)
    for name in (
        "step",
        "reward",
        "kl",
        "entropy",
        "length",
        "explained_variance",
        "clip_fraction",
    ):
        assert len(history[name]) == 3
    asked, y = batches[0]
    mask = world.mask(y)
    with torch.no_grad():
        logps = token_logps(sft_gpt, world.prompt_tokens[asked], y)
    assert history["reward"][0] == pytest.approx(world.rewards(asked, y).mean().item())
    assert history["length"][0] == pytest.approx(mask.sum(1).double().mean().item())
    assert history["entropy"][0] == pytest.approx(-logps[mask].mean().item(), abs=1e-4)
    assert history["kl"][0] == pytest.approx(0, abs=1e-5), "the policy begins at its reference"
    assert history["kl"][-1] > 0.01
    assert 0 <= history["clip_fraction"].min() and 0 < history["clip_fraction"].max() < 1


def test_kl_is_the_mean_log_ratio_of_whole_replies(world, sft_gpt, rough_gpt):
    """Against a reference that is not where it begins: on this batch to rounding, the exact KL within its error."""
    ref, batches = copy.deepcopy(rough_gpt).float(), []

    def reward(asked, y):
        batches.append((world.prompt_tokens[asked], y, world.mask(y)))
        return world.rewards(asked, y)

    config = PPOConfig(iterations=1, batch=4000, lr=1e-3, beta=0.0, epochs=1, minibatches=1)
    history = train_ppo(copy.deepcopy(sft_gpt), ValueModel(sft_gpt), world, reward, ref, config, 0)
    with torch.no_grad():
        of_batch = sequence_logps(sft_gpt, *batches[0]) - sequence_logps(ref, *batches[0])
        exact = kl(all_logps(sft_gpt, world), all_logps(ref, world)).mean().item()
    assert history["kl"][0] == pytest.approx(of_batch.mean().item(), abs=1e-4)
    assert history["kl"][0] == pytest.approx(exact, rel=0.05)


def test_the_clipped_share_is_of_ratios_outside_the_band(world, sft_gpt):
    """Two passes over one whole batch: the ratios are 1 in the first; the second sees the policy after one step."""
    batches = []

    def reward(asked, y):
        batches.append((world.prompt_tokens[asked], y))
        return world.rewards(asked, y)

    whole = dict(iterations=1, batch=64, lr=2e-3, minibatches=1)
    after_one, once = tuned(world, sft_gpt, reward, epochs=1, **whole)
    _, twice = tuned(world, sft_gpt, reward, epochs=2, **whole)
    with torch.no_grad():
        ratio = (token_logps(after_one, *batches[0]) - token_logps(sft_gpt, *batches[0])).exp()
    outside = ((ratio - 1).abs() > 0.2)[world.mask(batches[0][1])].double().mean().item()
    assert torch.equal(batches[0][1], batches[1][1]) and 0.02 < outside < 0.98
    assert once["clip_fraction"][0] == 0 and twice["clip_fraction"][0] == pytest.approx(
        outside / 2, abs=2e-3
    )
    _, in_parts = tuned(world, sft_gpt, reward, epochs=1, **whole | {"minibatches": 4})
    assert in_parts["clip_fraction"][0] > 0, (
        "the later parts see a policy that the first ones moved"
    )


def test_it_watches_as_often_as_it_is_told(world, sft_gpt):
    student, seen = copy.deepcopy(sft_gpt), []

    def watch():
        seen.append(weights(student))
        return {"gold": 1.0}

    config = PPOConfig(iterations=5, batch=16, lr=1e-3, beta=0.0)
    history = train_ppo(
        student, ValueModel(sft_gpt), world, world.rewards, sft_gpt, config, 0, watch, 2
    )
    assert history["watched"].tolist() == [0, 2, 4] and len(history["gold"]) == 3
    assert torch.equal(seen[0], weights(sft_gpt)) and not torch.equal(seen[1], seen[0])


# ---- the value model --------------------------------------------------------------------------


def value_with_a_head(policy):
    value = ValueModel(policy).double()
    torch.nn.init.normal_(value.trunk.head.weight, generator=seeded(4))
    return value


def test_values_start_at_zero_and_are_read_before_the_token(world, rough_gpt):
    x, y = world.prompt_tokens[:6], world.responses[[5, 77, 400, 1500, 9000, 11000]]
    assert torch.equal(ValueModel(rough_gpt)(x, y), torch.zeros(6, 4, dtype=torch.float64))
    value = value_with_a_head(rough_gpt)
    before = value(x, y)
    for t in range(4):
        other = y.clone()
        other[:, t:] = world.end  # neither the token at t nor anything behind it is known at t
        torch.testing.assert_close(value(x, other)[:, : t + 1], before[:, : t + 1])
    changed = y.clone()
    changed[:, 0] = (y[:, 0] + 1) % 10
    assert (value(x, changed)[:, 1:] - before[:, 1:]).abs().min() > 1e-6, (
        "what was chosen before is known"
    )
    assert (value(x.flip(0), y) - before).abs().min() > 1e-9, "and so is the request"


def test_a_value_model_has_weights_of_its_own(world, rough_gpt):
    value, before = value_with_a_head(rough_gpt), weights(rough_gpt)
    value(world.prompt_tokens[:2], world.responses[:2]).sum().backward()
    assert all(p.grad is None for p in rough_gpt.parameters()) and torch.equal(
        weights(rough_gpt), before
    )


def test_values_refuse_what_does_not_fit(world, rough_gpt):
    value = ValueModel(rough_gpt)
    with pytest.raises(
        ValueError, match="2 prompts, 3 responses: expected one response to each prompt"
    ):
        value(world.prompt_tokens[:2], world.responses[:3])
    with pytest.raises(ValueError, match="outside the vocabulary"):
        value(world.prompt_tokens[:2], world.responses[:2] + 50)


# ---- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"iterations": 0}, "counts ≥ 1"),
        ({"batch": 0}, "counts ≥ 1"),
        ({"epochs": 0}, "counts ≥ 1"),
        ({"minibatches": 99}, "minibatches ≤ batch"),
        ({"lr": 0.0}, "finite lr above 0"),
        ({"lr": math.nan}, "finite lr above 0"),
        ({"beta": -0.1}, "beta = -0.1: expected a finite number, 0 or above"),
        ({"beta": math.nan}, "beta = nan"),
    ],
)
def test_a_configuration_that_cannot_run_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        PPOConfig(**{"iterations": 1, "batch": 8, "lr": 1e-3, "beta": 0.0} | wrong)


@pytest.mark.parametrize(
    "setting, message", [({"clip": 0.0}, "clip = 0"), ({"lam": 1.5}, "lam = 1.5")]
)
def test_a_clip_or_lambda_that_is_none_is_refused_where_it_is_used(
    world, sft_gpt, setting, message
):
    with pytest.raises(ValueError, match=message):
        tuned(world, sft_gpt, world.rewards, **setting)


@pytest.mark.parametrize(
    "reward",
    [
        lambda x, y: torch.zeros(3),
        lambda x, y: torch.zeros(len(x), 1),
        lambda x, y: torch.full((len(x),), math.nan),
        lambda x, y: torch.full((len(x),), math.inf),
    ],
)
def test_rewards_that_are_none_are_refused_before_anything_moved(world, sft_gpt, reward):
    student = copy.deepcopy(sft_gpt)
    config = PPOConfig(iterations=1, batch=8, lr=1e-3, beta=0.0)
    with pytest.raises(
        ValueError, match=r"rewards .*: expected \(8,\), all finite: one for each response"
    ):
        train_ppo(student, ValueModel(sft_gpt), world, reward, sft_gpt, config, 0)
    assert torch.equal(weights(student), weights(sft_gpt))


def test_it_refuses_to_watch_every_zero_iterations(world, sft_gpt):
    config = PPOConfig(iterations=1, batch=8, lr=1e-3, beta=0.0)
    with pytest.raises(ValueError, match="watch_every = 0"):
        train_ppo(
            copy.deepcopy(sft_gpt),
            ValueModel(sft_gpt),
            world,
            world.rewards,
            sft_gpt,
            config,
            0,
            dict,
            0,
        )


def test_a_reward_model_can_be_the_score(world, sft_gpt):
    model = RewardModel(sft_gpt)
    torch.nn.init.normal_(model.trunk.head.weight, generator=seeded(1))

    def score(asked, y):
        return model(world.prompt_tokens[asked], y, world.mask(y))

    student, _ = tuned(world, sft_gpt, score)
    assert not torch.equal(weights(student), weights(sft_gpt)) and all(
        p.grad is None for p in model.parameters()
    )
