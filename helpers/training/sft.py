"""Supervised fine-tuning: imitate demonstrations."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, token_logps
from helpers.losses import sft_loss
from helpers.training.loop import Config, History, descend, trim
from helpers.world import World


def train_sft(
    policy: TinyGPT, world: World, data: tuple[Tensor, Tensor], config: Config, seed: int
) -> History:
    """Maximise the log-likelihood of demonstrations, response tokens only.

    data: prompts, as indices (n,) or as token ids (n, prompt length), and response token ids (n, max_length). Raises
    ValueError for no demonstrations, for numbers of prompts and responses that differ, for a prompt index or a response
    that the world does not have.
    """
    prompts, responses = data
    if len(prompts) == 0 or len(prompts) != len(responses):
        raise ValueError(
            f"{len(prompts)} prompts, {len(responses)} responses: expected as many of each, at least one"
        )
    if prompts.ndim == 1:
        check_prompts(prompts, world)
        prompts = world.prompt_tokens[prompts]
    masks = world.mask(responses)
    generator = torch.Generator().manual_seed(seed)

    def loss(step):
        rows = torch.randint(len(prompts), (config.batch,), generator=generator)
        tokens, mask = trim(responses[rows], masks[rows])
        return sft_loss(token_logps(policy, prompts[rows], tokens), mask)

    return descend(policy.parameters(), config, "SFT", loss, History())


def check_prompts(prompts: Tensor, world: World) -> None:
    if prompts.min() < 0 or prompts.max() >= len(world.prompts):
        raise ValueError(
            f"prompt indices from {int(prompts.min())} to {int(prompts.max())}: expected 0 to {len(world.prompts) - 1}"
        )
