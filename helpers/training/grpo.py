"""GRPO and its relatives: learn from a score of several replies to each request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, sample, token_logps
from helpers.policy_gradient import group_advantages, grpo_loss
from helpers.training.loop import WATCH_EVERY, History, Watch, bar, check_watch_every, trim
from helpers.training.ppo import Score, checked_scores
from helpers.world import World


@dataclass(frozen=True)
class GRPOConfig:
    """iterations of ``requests`` groups of ``group`` fresh replies, which serve for ``epochs`` passes, all at once.

    advantages: from rewards (requests, group) to a number for each reply, ``group_advantages`` by
    default. clip, normalise, beta as in ``grpo_loss``. AdamW as in ``Config``, at a constant
    learning rate.
    """

    iterations: int
    requests: int
    group: int
    lr: float
    epochs: int = 1
    clip: float = 0.2
    beta: float = 0.0
    normalise: str = "grpo"
    advantages: Callable[[Tensor], Tensor] = group_advantages

    def __post_init__(self):
        counts = self.iterations, self.requests, self.epochs
        if min(counts) < 1 or self.group < 2 or not 0 < self.lr < float("inf"):
            raise ValueError(
                f"{self}: expected counts ≥ 1, a group of at least 2 and a finite lr above 0"
            )


def train_grpo(
    policy: TinyGPT,
    world: World,
    score: Score,
    requests: Tensor,
    config: GRPOConfig,
    seed: int,
    ref: TinyGPT | None = None,
    watch: Watch | None = None,
    watch_every: int = WATCH_EVERY,
) -> History:
    """Group relative policy optimization of the score, on requests (P,), prompt indices drawn with replacement.

    Conventions: every token of a reply has the reply's advantage; no critic; β·k3 to ref in the
    loss, ref needed where β > 0. Records for each iteration, before its update: mean ``reward``;
    ``flat``, the share of groups without variance; ``entropy``, the mean of −log π of a reply in
    nats; ``length`` in tokens; and of its update ``loss``, the mean over its passes, ``last_loss``
    and ``clip_fraction``, the share of ratios outside 1 ± clip in the last pass. Every
    ``watch_every`` iterations also what ``watch()`` measures. Raises ValueError for no requests, β >
    0 without ref, watch_every < 1 and for scores of another shape than (replies,) or not finite.
    Source: Shao et al. 2024, arXiv:2402.03300.
    """
    check_watch_every(watch_every)
    if requests.ndim != 1 or len(requests) == 0:
        raise ValueError(
            f"requests {tuple(requests.shape)}: expected prompt indices (P,), at least one"
        )
    if config.beta > 0 and ref is None:
        raise ValueError(f"beta = {config.beta} without ref: expected a reference policy")
    generator, history = torch.Generator().manual_seed(seed), History()
    optimizer = torch.optim.AdamW(
        policy.parameters(), lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    for step in bar(config.iterations, "GRPO"):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        # act: several replies to each request
        drawn = torch.randint(len(requests), (config.requests,), generator=generator)
        asked = requests[drawn].repeat_interleave(config.group)
        prompts = world.prompt_tokens[asked]
        responses = sample(policy, world, prompts, generator)
        # judge: how much better than the rest of its group?
        scores = checked_scores(score(asked, responses), len(asked))
        groups = scores.view(-1, config.group)
        tokens, mask = trim(responses, world.mask(responses))
        advantages = config.advantages(groups).flatten().to(torch.float32)
        with torch.no_grad():
            old_logps = token_logps(policy, prompts, tokens)
            ref_logps = token_logps(ref, prompts, tokens) if config.beta > 0 else None
        # learn
        losses = []
        for _ in range(config.epochs):
            logps = token_logps(policy, prompts, tokens)
            loss = grpo_loss(
                logps,
                old_logps,
                advantages,
                mask,
                config.clip,
                config.normalise,
                world.max_length,
                ref_logps,
                config.beta,
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        ratio = (logps.detach() - old_logps)[mask].exp()
        history.record(
            step=step,
            reward=scores.double().mean(),
            flat=(groups == groups[:, :1]).all(1).double().mean(),
            entropy=-old_logps.masked_fill(~mask, 0.0).sum(1).mean(),
            length=mask.sum(1).double().mean(),
            loss=sum(losses) / len(losses),
            last_loss=losses[-1],
            clip_fraction=((ratio - 1).abs() > config.clip).double().mean(),
        )
    return history
