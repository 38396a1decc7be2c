"""Training loops: each is (model, data, config, seed) → History, with a progress bar.

The loops train the model they are given, in place. ``LESSON_QUIET=1`` turns the bars off.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import trange

from helpers.gpt import RewardModel, TinyGPT, ValueModel, sample, sequence_logps, token_logps
from helpers.losses import bradley_terry_loss, dpo_loss, sft_loss
from helpers.metrics import rank_accuracy
from helpers.policies import check_beta
from helpers.policy_gradient import clipped_policy_loss, clipped_value_loss, gae, whiten
from helpers.world import PairBatch, World


@dataclass(frozen=True)
class Config:
    """steps of ``batch`` examples with AdamW (β₂ 0.95, no weight decay); the learning rate falls linearly to 0."""

    steps: int
    batch: int
    lr: float

    def __post_init__(self):
        if self.steps < 1 or self.batch < 1 or not 0 < self.lr < float("inf"):
            raise ValueError(f"{self}: expected steps ≥ 1, batch ≥ 1 and a finite lr above 0")


@dataclass
class History:
    """What a run recorded: ``history["loss"]`` is an array with one entry per recorded step."""

    columns: dict[str, list[float]] = field(default_factory=dict)

    def record(self, **values: float) -> None:
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self.columns[name])


def _descend(
    parameters, config: Config, title: str, loss_of_step: Callable[[int], Tensor], history: History
) -> History:
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / config.steps)
    for step in trange(config.steps, desc=title, leave=False, disable=bool(os.environ.get("LESSON_QUIET"))):
        loss = loss_of_step(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        history.record(step=step, loss=loss.item())
    return history


def _trim(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out the places behind a batch's longest response, which nothing scores."""
    longest = int(mask.sum(1).max())
    return tokens[:, :longest], mask[:, :longest]


def _check_prompts(prompts: Tensor, world: World) -> None:
    if prompts.min() < 0 or prompts.max() >= len(world.prompts):
        raise ValueError(
            f"prompt indices from {int(prompts.min())} to {int(prompts.max())}: expected 0 to {len(world.prompts) - 1}"
        )


def train_sft(policy: TinyGPT, world: World, data: tuple[Tensor, Tensor], config: Config, seed: int) -> History:
    """Maximise the log-likelihood of demonstrations, response tokens only.

    data: prompts, as indices (n,) or as token ids (n, prompt length), and response token ids (n, max_length). Raises
    ValueError for no demonstrations, for numbers of prompts and responses that differ, for a prompt index or a response
    that the world does not have.
    """
    prompts, responses = data
    if len(prompts) == 0 or len(prompts) != len(responses):
        raise ValueError(f"{len(prompts)} prompts, {len(responses)} responses: expected as many of each, at least one")
    if prompts.ndim == 1:
        _check_prompts(prompts, world)
        prompts = world.prompt_tokens[prompts]
    masks = world.mask(responses)
    generator = torch.Generator().manual_seed(seed)

    def loss(step):
        rows = torch.randint(len(prompts), (config.batch,), generator=generator)
        tokens, mask = _trim(responses[rows], masks[rows])
        return sft_loss(token_logps(policy, prompts[rows], tokens), mask)

    return _descend(policy.parameters(), config, "SFT", loss, History())


WATCH_EVERY = 5
Draw = Callable[[int, torch.Generator], PairBatch]  # (batch size, generator) → a batch of comparisons
RewardLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # the arguments of bradley_terry_loss
PairLoss = Callable[[Tensor, Tensor, Tensor, Tensor, float, Tensor], Tensor]  # the arguments of dpo_loss


def train_dpo(
    policy: TinyGPT,
    world: World,
    draw: Draw,
    ref_logps: Tensor,
    beta: float,
    config: Config,
    seed: int,
    sft_weight: float = 0.0,
    watch: Callable[[], dict[str, float]] | None = None,
    watch_every: int = WATCH_EVERY,
    objective: PairLoss = dpo_loss,
) -> History:
    """Minimise ``objective`` on batches from ``draw``, plus sft_weight · mean −log π(y_w|x).

    ref_logps (n_prompts, n_responses): the reference's exact log-probabilities, looked up instead of recomputed.
    ``draw(n, generator)`` may give fresh pairs at every step or rows of a fixed data set. Records the loss and, as
    means over the batch, ``margin`` (β·h, the logit of the loss) and ``chosen`` (log π/π_ref of the chosen responses);
    every ``watch_every`` steps also what ``watch()`` measures.
    Raises ValueError for a beta ≤ 0, another shape of ref_logps, or watch_every < 1.
    """
    check_beta(beta)
    if ref_logps.shape != (len(world.prompts), world.n_responses):
        raise ValueError(
            f"ref_logps {tuple(ref_logps.shape)}: expected all responses to all prompts, "
            f"({len(world.prompts)}, {world.n_responses})"
        )
    if watch_every < 1:
        raise ValueError(f"watch_every = {watch_every}: expected a number of steps ≥ 1")
    generator, history = torch.Generator().manual_seed(seed), History()

    def loss(step):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        pairs = draw(config.batch, generator)
        prompts = world.prompt_tokens[pairs.prompts].repeat(2, 1)
        tokens = world.responses[torch.cat([pairs.chosen, pairs.rejected])]
        chosen, rejected = sequence_logps(policy, prompts, tokens, world.mask(tokens)).chunk(2)
        ref_chosen, ref_rejected = ref_logps[pairs.prompts, pairs.chosen], ref_logps[pairs.prompts, pairs.rejected]
        with torch.no_grad():
            margin = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
            history.record(margin=margin.mean(), chosen=(chosen - ref_chosen).mean())
        return objective(chosen, rejected, ref_chosen, ref_rejected, beta, pairs.label) - sft_weight * chosen.mean()

    return _descend(policy.parameters(), config, f"DPO β={beta:g}", loss, history)


def train_reward_model(
    model: RewardModel,
    world: World,
    draw: Draw,
    config: Config,
    seed: int,
    objective: RewardLoss = bradley_terry_loss,
    watch: Callable[[], dict[str, float]] | None = None,
    watch_every: int = WATCH_EVERY,
) -> History:
    """Minimise ``objective`` on batches from ``draw``, such as a fixed data set's ``PairBatch.draw``.

    objective: (rewards of the chosen, of the rejected, labels), each (B,) → a scalar; the pairwise logistic loss by
    default. Records the loss and ``accuracy``, the percent of the batch's pairs that are ranked as labelled, before
    each step; every ``watch_every`` steps also what ``watch()`` measures. Raises ValueError for watch_every < 1.
    """
    if watch_every < 1:
        raise ValueError(f"watch_every = {watch_every}: expected a number of steps ≥ 1")
    generator, history = torch.Generator().manual_seed(seed), History()

    def loss(step):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        pairs = draw(config.batch, generator)
        prompts = world.prompt_tokens[pairs.prompts].repeat(2, 1)
        tokens = world.tokens(torch.cat([pairs.chosen, pairs.rejected]))
        chosen, rejected = model(prompts, *_trim(tokens, world.mask(tokens))).chunk(2)
        history.record(accuracy=rank_accuracy(chosen.detach(), rejected.detach()))
        return objective(chosen, rejected, pairs.label)

    return _descend(model.parameters(), config, "reward model", loss, history)


@dataclass(frozen=True)
class PPOConfig:
    """iterations of ``batch`` fresh responses, which serve for ``epochs`` passes in ``minibatches`` parts each.

    beta: price of a nat, in units of reward, 0 allowed. clip: ε of the ratio, and in units of reward of the value. lam:
    λ of the advantages (γ is 1). AdamW as in ``Config``, at a constant learning rate.
    """

    iterations: int
    batch: int
    lr: float
    beta: float
    epochs: int = 2
    minibatches: int = 2
    clip: float = 0.2
    lam: float = 0.95

    def __post_init__(self):
        counts = self.iterations, self.batch, self.epochs, self.minibatches
        if min(counts) < 1 or self.minibatches > self.batch or not 0 < self.lr < float("inf"):
            raise ValueError(f"{self}: expected counts ≥ 1, minibatches ≤ batch and a finite lr above 0")
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta = {self.beta}: expected a finite number, 0 or above")


Score = Callable[[Tensor, Tensor], Tensor]  # (prompt indices (B,), token ids (B, max_length)) → rewards (B,)


def train_ppo(
    policy: TinyGPT,
    value: ValueModel,
    world: World,
    reward: Score,
    ref: TinyGPT,
    config: PPOConfig,
    seed: int,
    watch: Callable[[], dict[str, float]] | None = None,
    watch_every: int = WATCH_EVERY,
) -> History:
    """Proximal policy optimization of E[reward] − β·KL(π‖ref), with the KL in the reward, token by token.

    Conventions: the score of a response is earned at its last token, −β·log(π/ref) at every token; advantages are
    whitened over all tokens of the batch; the policy loss is a mean over tokens; value and policy share no weights.
    Records for each iteration, before its update: mean ``reward`` (without the KL), ``kl`` (k1, nats per response),
    ``entropy`` (−log π of the sampled tokens, nats), ``length`` in tokens and ``explained_variance`` of the returns by
    the values; and of its update ``clip_fraction``, the share of ratios outside 1 ± ε. Every ``watch_every`` iterations
    also what ``watch()`` measures. ref is left alone. Raises ValueError for watch_every < 1 and for rewards of another
    shape than (batch,) or not finite. Source: Schulman et al. 2017, arXiv:1707.06347; Ouyang et al. 2022, App. C.4.
    """
    if watch_every < 1:
        raise ValueError(f"watch_every = {watch_every}: expected a number of iterations ≥ 1")
    generator, history = torch.Generator().manual_seed(seed), History()
    parameters = [*policy.parameters(), *value.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    for step in trange(config.iterations, desc="PPO", leave=False, disable=bool(os.environ.get("LESSON_QUIET"))):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        # act: the policy answers fresh requests
        asked = world.draw_prompts(config.batch, generator)
        prompts, responses = world.prompt_tokens[asked], sample(policy, world, world.prompt_tokens[asked], generator)
        scores = _checked_scores(reward(asked, responses), config.batch)
        tokens, mask = _trim(responses, world.mask(responses))
        # judge: what did each token earn, and how much more than expected?
        with torch.no_grad():
            old_logps, ref_logps = token_logps(policy, prompts, tokens), token_logps(ref, prompts, tokens)
            old_values = value(prompts, tokens)
        log_ratio = (old_logps - ref_logps).masked_fill(~mask, 0.0)  # (B, T)
        earned = -config.beta * log_ratio
        earned[torch.arange(config.batch), mask.sum(1) - 1] += scores.to(earned)
        advantages, returns = gae(earned, old_values, mask, gamma=1.0, lam=config.lam)
        advantages = whiten(advantages, mask)
        # learn: several passes over the same responses, so the ratio leaves 1
        outside = []
        for _ in range(config.epochs):
            for rows in torch.randperm(config.batch, generator=generator).tensor_split(config.minibatches):
                logps = token_logps(policy, prompts[rows], tokens[rows])
                values = value(prompts[rows], tokens[rows])
                loss = clipped_policy_loss(logps, old_logps[rows], advantages[rows], mask[rows], config.clip)
                loss = loss + clipped_value_loss(values, old_values[rows], returns[rows], mask[rows], config.clip)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                ratio = (logps.detach() - old_logps[rows])[mask[rows]].exp()
                outside.append(((ratio - 1).abs() > config.clip).double().mean().item())
        history.record(
            step=step,
            reward=scores.double().mean(),
            kl=log_ratio.sum(1).mean(),
            entropy=-old_logps[mask].mean(),
            length=mask.sum(1).double().mean(),
            explained_variance=_explained(returns[mask], old_values[mask]),
            clip_fraction=sum(outside) / len(outside),
        )
    return history


def _checked_scores(scores: Tensor, batch: int) -> Tensor:
    if scores.shape != (batch,) or not torch.isfinite(scores).all():
        raise ValueError(f"rewards {tuple(scores.shape)}: expected ({batch},), all finite: one for each response")
    return scores.detach()


def _explained(returns: Tensor, values: Tensor) -> float:
    """1 − Var(returns − values)/Var(returns); 0 where the returns do not vary."""
    spread = returns.var(unbiased=False).item()
    return 1 - (returns - values).var(unbiased=False).item() / spread if spread > 0 else 0.0


def fit_table(loss: Callable[[Tensor], Tensor], start: Tensor, steps: int = 200) -> Tensor:
    """Minimise a smooth ``loss`` of a table of numbers by L-BFGS, from ``start``; returns the minimiser, float64.

    For tables so small that the optimum is reached to rounding. Raises ValueError if the loss becomes NaN or infinite.
    """
    table = start.detach().double().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [table], max_iter=steps, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = loss(table)
        if not torch.isfinite(value):
            raise ValueError(f"the loss became {value.item()}: expected a smooth loss, finite along the way")
        value.backward()
        return value

    optimizer.step(closure)
    return table.detach()
