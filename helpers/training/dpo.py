"""Direct preference optimization: learn from comparisons, tied to a reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, sequence_logps
from helpers.losses import dpo_loss
from helpers.policies import check_beta
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
from helpers.world import PairBatch, World

PairLoss = Callable[
    [Tensor, Tensor, Tensor, Tensor, float, Tensor], Tensor
]  # the arguments of dpo_loss


def train_dpo(
    policy: TinyGPT,
    world: World,
    draw: Draw,
    ref_logps: Tensor | None,
    beta: float,
    config: Config,
    seed: int,
    sft_weight: float = 0.0,
    watch: Watch | None = None,
    watch_every: int = WATCH_EVERY,
    objective: PairLoss = dpo_loss,
    per_token: bool = False,
) -> History:
    """Minimise ``objective`` on batches from ``draw``, plus sft_weight · mean −log π(y_w|x).

    ``draw(n, generator)`` may give fresh pairs at every step or rows of a fixed data set. ref_logps
    (n_prompts, n_responses): the reference's exact log-probabilities, looked up instead of recomputed;
    None where responses are too many to list, then every batch carries its own (``with_reference``).
    per_token: ``objective`` gets means over tokens instead of sums, of policy and reference alike: not
    DPO but its length-normalised relative (5.3). Records the loss and, as means over the batch,
    ``margin`` (β·h, the logit of the loss) and ``chosen`` (log π/π_ref of the chosen responses); every
    ``watch_every`` steps also what ``watch()`` measures.
    Raises ValueError for a beta ≤ 0, another shape of ref_logps, watch_every < 1, and without ref_logps
    for pairs that carry none.
    """
    check_beta(beta)
    check_watch_every(watch_every)
    if ref_logps is not None and ref_logps.shape != (len(world.prompts), world.n_responses):
        raise ValueError(
            f"ref_logps {tuple(ref_logps.shape)}: expected all responses to all prompts, "
            f"({len(world.prompts)}, {world.n_responses})"
        )
    generator, history = torch.Generator().manual_seed(seed), History()

    def loss(step):
        if watch and step % watch_every == 0:
            history.record(watched=step, **watch())
        pairs = draw(config.batch, generator)
        chosen, rejected = logps_of_pairs(policy, world, pairs)
        ref_chosen, ref_rejected = _reference_of(pairs, ref_logps)
        if per_token:
            n_chosen, n_rejected = (
                world.mask(world.tokens(y)).sum(1) for y in (pairs.chosen, pairs.rejected)
            )
            chosen, ref_chosen = chosen / n_chosen, ref_chosen / n_chosen
            rejected, ref_rejected = rejected / n_rejected, ref_rejected / n_rejected
        with torch.no_grad():
            margin = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
            history.record(margin=margin.mean(), chosen=(chosen - ref_chosen).mean())
        preferred = objective(chosen, rejected, ref_chosen, ref_rejected, beta, pairs.label)
        return preferred - sft_weight * chosen.mean()

    return descend(policy.parameters(), config, f"DPO β={beta:g}", loss, history)


def logps_of_pairs(policy: TinyGPT, world: World, pairs: PairBatch) -> tuple[Tensor, Tensor]:
    """log π of the chosen and of the rejected responses, sums over tokens, (B,) and (B,)."""
    prompts = world.prompt_tokens[pairs.prompts].repeat(2, 1)
    tokens = world.tokens(torch.cat([pairs.chosen, pairs.rejected]))
    return sequence_logps(policy, prompts, *trim(tokens, world.mask(tokens))).chunk(2)


@torch.no_grad()
def with_reference(pairs: PairBatch, ref: TinyGPT, world: World) -> PairBatch:
    """The same pairs with log π_ref of both responses, computed once for all the steps to come."""
    parts = [logps_of_pairs(ref, world, part) for part in pairs.split(128)]
    both = [torch.stack(two, dim=1) for two in parts]
    return replace(pairs, ref_logps=torch.cat(both))


def _reference_of(pairs: PairBatch, table: Tensor | None) -> tuple[Tensor, Tensor]:
    if table is not None:
        return table[pairs.prompts, pairs.chosen], table[pairs.prompts, pairs.rejected]
    if pairs.ref_logps is None:
        raise ValueError(
            "no ref_logps, and pairs that carry none: expected a table of all responses, "
            "or pairs from with_reference(pairs, ref, world)"
        )
    return pairs.ref_logps.unbind(1)
