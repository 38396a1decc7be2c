"""Training loops: each is (model, data, config, seed) → History, with a progress bar.

The loops train the model they are given, in place. ``LESSON_QUIET=1`` turns the bars off.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import trange

from helpers.gpt import TinyGPT, new_gpt, sequence_logps, token_logps
from helpers.losses import bradley_terry_loss, dpo_loss, sft_loss
from helpers.world import PairBatch, World, demonstrations


@dataclass(frozen=True)
class Config:
    """steps of ``batch`` examples with AdamW (no weight decay); the learning rate falls linearly to 0."""

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


def _descend(parameters, config: Config, title: str, loss_of_step: Callable[[int], Tensor], history: History) -> History:
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / config.steps)
    for step in trange(config.steps, desc=title, leave=False, disable=bool(os.environ.get("LESSON_QUIET"))):
        loss = loss_of_step(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        history.record(step=step, loss=loss.item())
    return history


def train_sft(policy: TinyGPT, world: World, data: tuple[Tensor, Tensor], config: Config, seed: int) -> History:
    """Maximise the log-likelihood of demonstrations, response tokens only.

    data: prompt indices (n,) and response token ids (n, max_length).
    """
    prompts, responses = data
    generator = torch.Generator().manual_seed(seed)

    def loss(step):
        rows = torch.randint(len(prompts), (config.batch,), generator=generator)
        tokens = responses[rows]
        return sft_loss(token_logps(policy, world.prompt_tokens[prompts[rows]], tokens), world.mask(tokens))

    return _descend(policy.parameters(), config, "SFT", loss, History())


def train_dpo(policy, world, draw, ref_logps, beta, config, seed, watch=None):
    generator = torch.Generator().manual_seed(seed)
    history = History()

    def loss(step):
        if watch and step % 25 == 0:
            history.record(**watch(policy))
        pairs = draw(config.batch, generator)
        both = world.responses[torch.cat([pairs.chosen, pairs.rejected])]
        prompts = world.prompt_tokens[pairs.prompts].repeat(2, 1)
        chosen, rejected = sequence_logps(policy, prompts, both, world.mask(both)).chunk(2)
        return dpo_loss(chosen, rejected, ref_logps[pairs.prompts, pairs.chosen], ref_logps[pairs.prompts, pairs.rejected], beta, pairs.label)

    return _descend(policy.parameters(), config, f"DPO, β = {beta:g}", loss, history)
