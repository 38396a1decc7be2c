"""A reward model from comparisons."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.gpt import RewardModel
from helpers.losses import bradley_terry_loss
from helpers.metrics import rank_accuracy
from helpers.training.loop import (
    WATCH_EVERY,
    Config,
    Draw,
    History,
    Watch,
    check_watch_every,
    descend,
    trim,
)
from helpers.world import World

RewardLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # the arguments of bradley_terry_loss


def train_reward_model(
    model: RewardModel,
    world: World,
    draw: Draw,
    config: Config,
    seed: int,
    objective: RewardLoss = bradley_terry_loss,
    watch: Watch | None = None,
    watch_every: int = WATCH_EVERY,
) -> History:
    """Minimise ``objective`` on batches from ``draw``, such as a fixed data set's ``PairBatch.draw``.

    objective: (rewards of the chosen, of the rejected, labels), each (B,) → a scalar; the pairwise logistic loss by
    default. Records the loss and ``accuracy``, the percent of the batch's pairs that are ranked as labelled, before
    each step; every ``watch_every`` steps also what ``watch()`` measures. Raises ValueError for watch_every < 1.
    """
    check_watch_every(watch_every)
    generator, history = torch.Generator().manual_seed(seed), History()

    def loss(step):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        pairs = draw(config.batch, generator)
        prompts = world.prompt_tokens[pairs.prompts].repeat(2, 1)
        tokens = world.tokens(torch.cat([pairs.chosen, pairs.rejected]))
        chosen, rejected = model(prompts, *trim(tokens, world.mask(tokens))).chunk(2)
        history.record(accuracy=rank_accuracy(chosen.detach(), rejected.detach()))
        return objective(chosen, rejected, pairs.label)

    return descend(model.parameters(), config, "reward model", loss, history)
