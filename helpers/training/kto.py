"""KTO: learn from single responses that were liked or disliked, tied to a reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, sequence_logps
from helpers.losses import kto_loss, reference_point
from helpers.policies import check_beta
from helpers.training.loop import Config, History, descend, trim
from helpers.training.orpo import check_answered
from helpers.world import PairBatch, World


@dataclass(frozen=True)
class Thumbs:
    """Responses that were judged one at a time.

    prompts (B,) indices into ``world.prompts``; responses (B,) indices into ``world.responses``, or
    token ids (B, max_length); liked (B,) bool, thumb up or down.
    """

    prompts: Tensor
    responses: Tensor
    liked: Tensor

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, rows: Tensor | slice) -> Thumbs:
        return Thumbs(self.prompts[rows], self.responses[rows], self.liked[rows])

    def draw(self, n: int, generator: torch.Generator) -> Thumbs:
        """n of these, drawn with replacement: a training batch from a fixed data set."""
        return self[torch.randint(len(self), (n,), generator=generator)]

    def weights(self) -> tuple[float, float]:
        """Weights of liked and disliked that give both kinds the same sum, with mean 1: n/(2·n_kind).

        Raises ValueError where one kind is missing: no weight balances it.
        """
        n, up = len(self), int(self.liked.sum())
        if up in (0, n):
            raise ValueError(f"{up} of {n} liked: expected at least one of each kind")
        return n / (2 * up), n / (2 * (n - up))


def one_thumb(pairs: PairBatch, winner: float, generator: torch.Generator) -> Thumbs:
    """Unpaired thumbs: of each pair *one* response is kept, with probability ``winner`` the chosen one, thumb up.

    Else the rejected one, thumb down; the other response is lost. Raises ValueError for a probability
    outside [0, 1] and for labels other than 1.
    """
    if not 0 <= winner <= 1:
        raise ValueError(f"winner = {winner}: expected a probability from 0 to 1")
    check_answered(pairs)
    liked = torch.rand(len(pairs), generator=generator) < winner
    wide = liked.view(-1, *[1] * (pairs.chosen.ndim - 1))
    return Thumbs(pairs.prompts, torch.where(wide, pairs.chosen, pairs.rejected), liked)


def both_thumbs(pairs: PairBatch) -> Thumbs:
    """Both responses of every pair, up and down, as 2B thumbs. Raises ValueError for labels other than 1."""
    check_answered(pairs)
    up = torch.ones(len(pairs), dtype=torch.bool)
    responses = torch.cat([pairs.chosen, pairs.rejected])
    return Thumbs(pairs.prompts.repeat(2), responses, torch.cat([up, ~up]))


def train_kto(
    policy: TinyGPT,
    world: World,
    draw: Callable[[int, torch.Generator], Thumbs],
    ref_logps: Tensor,
    beta: float,
    config: Config,
    seed: int,
    liked_weight: float = 1.0,
    disliked_weight: float = 1.0,
) -> History:
    """Minimise ``kto_loss`` on batches from ``draw``, ``Thumbs.draw`` or fresh ones.

    ref_logps (n_prompts, n_responses): the reference's exact log-probabilities. liked_weight,
    disliked_weight: w_D and w_U, see ``Thumbs.weights``. z₀ is the ``reference_point`` of each request
    with the response of the row *before* it, as in TRL.
    Records the loss, ``log_ratio`` (batch mean of log π/π_ref), ``mismatched`` (the same over mismatched
    responses) and ``reference_point`` (z₀), in nats. A batch may hold one kind only.
    Raises ValueError for a beta ≤ 0, another shape of ref_logps, and for batches of one, where the row
    before is the row itself.
    """
    check_beta(beta)
    if ref_logps.shape != (len(world.prompts), world.n_responses):
        raise ValueError(
            f"ref_logps {tuple(ref_logps.shape)}: expected all responses to all prompts, "
            f"({len(world.prompts)}, {world.n_responses})"
        )
    if config.batch < 2:
        raise ValueError(
            "batch = 1: expected at least 2, since z₀ is measured on the response of the row "
            "before, which would be the row's own"
        )
    generator, history = torch.Generator().manual_seed(seed), History()

    def log_ratios(prompts, responses):
        tokens = world.tokens(responses)
        trimmed = trim(tokens, world.mask(tokens))
        logps = sequence_logps(policy, world.prompt_tokens[prompts], *trimmed)
        places = responses if responses.ndim == 1 else world.index(responses)
        return logps, ref_logps[prompts, places]

    def loss(step):
        thumbs = draw(config.batch, generator)
        with torch.no_grad():
            others = log_ratios(thumbs.prompts, thumbs.responses.roll(1, 0))
            zero = reference_point(*others)
            history.record(mismatched=(others[0] - others[1]).mean())
        logps, ref = log_ratios(thumbs.prompts, thumbs.responses)
        history.record(log_ratio=(logps.detach() - ref).mean(), reference_point=zero)
        given = logps, ref, thumbs.liked, beta, zero
        return kto_loss(*given, liked_weight, disliked_weight)

    return descend(policy.parameters(), config, f"KTO β={beta:g}", loss, history)
