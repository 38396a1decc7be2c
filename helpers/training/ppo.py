"""Proximal policy optimization: learn from a score of the policy's own responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, ValueModel, sample, token_logps
from helpers.policy_gradient import clipped_policy_loss, clipped_value_loss, gae, whiten
from helpers.training.loop import WATCH_EVERY, History, Watch, bar, check_watch_every, trim
from helpers.world import World


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
            raise ValueError(
                f"{self}: expected counts ≥ 1, minibatches ≤ batch and a finite lr above 0"
            )
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta = {self.beta}: expected a finite number, 0 or above")


Score = Callable[
    [Tensor, Tensor], Tensor
]  # (prompt indices (B,), token ids (B, max_length)) → rewards (B,)


def train_ppo(
    policy: TinyGPT,
    value: ValueModel,
    world: World,
    reward: Score,
    ref: TinyGPT,
    config: PPOConfig,
    seed: int,
    watch: Watch | None = None,
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
    check_watch_every(watch_every)
    generator, history = torch.Generator().manual_seed(seed), History()
    parameters = [*policy.parameters(), *value.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    for step in bar(config.iterations, "PPO"):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        # act: the policy answers fresh requests
        asked = world.draw_prompts(config.batch, generator)
        prompts, responses = (
            world.prompt_tokens[asked],
            sample(policy, world, world.prompt_tokens[asked], generator),
        )
        scores = checked_scores(reward(asked, responses), config.batch)
        tokens, mask = trim(responses, world.mask(responses))
        # judge: what did each token earn, and how much more than expected?
        with torch.no_grad():
            old_logps, ref_logps = (
                token_logps(policy, prompts, tokens),
                token_logps(ref, prompts, tokens),
            )
            old_values = value(prompts, tokens)
        log_ratio = (old_logps - ref_logps).masked_fill(~mask, 0.0)  # (B, T)
        earned = -config.beta * log_ratio
        earned[torch.arange(config.batch), mask.sum(1) - 1] += scores.to(earned)
        advantages, returns = gae(earned, old_values, mask, gamma=1.0, lam=config.lam)
        advantages = whiten(advantages, mask)
        # learn: several passes over the same responses, so the ratio leaves 1
        outside = []
        for _ in range(config.epochs):
            for rows in torch.randperm(config.batch, generator=generator).tensor_split(
                config.minibatches
            ):
                logps = token_logps(policy, prompts[rows], tokens[rows])
                values = value(prompts[rows], tokens[rows])
                loss = clipped_policy_loss(
                    logps, old_logps[rows], advantages[rows], mask[rows], config.clip
                )
                loss = loss + clipped_value_loss(
                    values, old_values[rows], returns[rows], mask[rows], config.clip
                )
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


def checked_scores(scores: Tensor, batch: int) -> Tensor:
    """The scores without gradient. Raises ValueError unless there is a finite one for each response."""
    if scores.shape != (batch,) or not torch.isfinite(scores).all():
        raise ValueError(
            f"rewards {tuple(scores.shape)}: expected ({batch},), all finite: one for each response"
        )
    return scores.detach()


def _explained(returns: Tensor, values: Tensor) -> float:
    """1 − Var(returns − values)/Var(returns); 0 where the returns do not vary."""
    spread = returns.var(unbiased=False).item()
    return 1 - (returns - values).var(unbiased=False).item() / spread if spread > 0 else 0.0
