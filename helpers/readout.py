"""Replies read aloud as lines of text, and how often they were drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from helpers.gpt import TinyGPT, sequence_logps
from helpers.world import PairBatch, World


def print_replies(world: World, prompts: Tensor, replies: Mapping[str, Tensor]) -> None:
    """Print each request (B,) and under it, by name, what each speaker replied (≥ B rows)."""
    for i, x in enumerate(prompts.tolist()):
        print(f"{world.prompts[x].text}?")
        for who, y in replies.items():
            print(f"    {who:16} {world.text(y[i])}")


def print_pairs(world: World, pairs: PairBatch) -> None:
    """Print both replies of each pair with their gold rewards, and the label behind “≈”."""
    for x, first, second, p in zip(pairs.prompts, pairs.chosen, pairs.rejected, pairs.label):
        for y in (first, second):
            print(world.read_aloud(world.prompts[x].text, world.text(y)))
        print(f"    the first preferred with probability ≈ {p:.2f}")


def exact_and_seen(
    policy: TinyGPT, world: World, requests: Tensor, drawn: Tensor, texts: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Exact probability and sampled frequency of events, (events, requests) each.

    Events: every first token of a reply to the requests (R, P), then each of ``texts`` as a whole
    reply; drawn (n, R, max_length): n sampled replies to each request.
    """
    whole = [world.encode(text).expand(len(requests), -1) for text in texts]
    with torch.no_grad():
        first = policy(requests)[:, -1].double().softmax(-1)
        logps = [sequence_logps(policy, requests, y, world.mask(y)) for y in whole]
    p = torch.stack([*first.T, *(value.double().exp() for value in logps)])
    begun = [drawn[..., 0] == token for token in range(first.shape[1])]
    return p, torch.stack(begun + [(drawn == y).all(-1) for y in whole]).double().mean(1)
