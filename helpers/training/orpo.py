"""ORPO: imitate the preferred responses and raise their odds over the others', without a reference."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, token_logps
from helpers.losses import mean_logps, orpo_loss
from helpers.training.loop import Config, Draw, History, descend, trim
from helpers.world import PairBatch, World


def train_orpo(
    policy: TinyGPT, world: World, draw: Draw, lam: float, config: Config, seed: int
) -> History:
    """Minimise ``orpo_loss`` on batches from ``draw``: in one stage, from any policy, also an untuned one.

    ``draw(n, generator)`` gives pairs with labels of 1: the loss has no place for a probability. lam
    (λ) weighs the odds against imitation; with 0 it is SFT on the chosen responses. Records the loss
    and, as means over the batch, ``chosen`` and ``rejected``, each a mean log π per token, in nats.
    Raises ValueError for a lam below 0, labels other than 1, and for a response whose tokens all have
    probability 1: it has no odds. Source: Hong et al. 2024, arXiv:2403.07691, eq. 6.
    """
    if not 0 <= lam < float("inf"):
        raise ValueError(f"lam = {lam}: expected a finite number from 0 on")
    generator, history = torch.Generator().manual_seed(seed), History()

    def loss(step):
        pairs = draw(config.batch, generator)
        check_answered(pairs)
        (chosen, chosen_mask), (rejected, rejected_mask) = _tokens_of_pairs(policy, world, pairs)
        with torch.no_grad():
            history.record(
                chosen=mean_logps(chosen, chosen_mask).mean(),
                rejected=mean_logps(rejected, rejected_mask).mean(),
            )
        return orpo_loss(chosen, chosen_mask, rejected, rejected_mask, lam)

    return descend(policy.parameters(), config, f"ORPO λ={lam:g}", loss, history)


def check_answered(pairs: PairBatch) -> None:
    """Raise ValueError unless every pair has the label 1: an answer, not a probability."""
    soft = pairs.label != 1
    if soft.any():
        row = int(soft.nonzero()[0])
        raise ValueError(
            f"label[{row}] is {pairs.label[row].item():.3g}: expected answers, labels of 1 "
            "(draw with hard=True)"
        )


def _tokens_of_pairs(
    policy: TinyGPT, world: World, pairs: PairBatch
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """log π of every token and the mask, (B, R) each, of the chosen and of the rejected responses."""
    tokens = world.tokens(torch.cat([pairs.chosen, pairs.rejected]))
    tokens, mask = trim(tokens, world.mask(tokens))
    logps = token_logps(policy, world.prompt_tokens[pairs.prompts].repeat(2, 1), tokens)
    return tuple(zip(logps.chunk(2), mask.chunk(2)))
