"""Proxies of the gold reward, and controls for them: equally accurate scores that err in another way."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.world import ResponseSampler

GoldPairs = tuple[Tensor, Tensor, Tensor]  # prompts, better and worse responses, indices, (n,) each


def pairs_by_gold(
    logps: Tensor, gold: Tensor, n: int, generator: torch.Generator
) -> tuple[GoldPairs, float]:
    """Pairs of a policy's responses in the order of gold, those of equal gold left out.

    logps, gold (n_prompts, n_responses). Draws n pairs and returns those of different gold as
    (prompts, better, worse), and what part of the n they are. Raises ValueError if there are none.
    """
    sampler = ResponseSampler(logps)
    prompts = torch.randint(len(logps), (n,), generator=generator)
    a, b = sampler(prompts, generator), sampler(prompts, generator)
    gap = gold[prompts, a] - gold[prompts, b]
    differ = gap != 0
    if not differ.any():
        raise ValueError(f"{n} pairs of equal gold: expected responses that gold tells apart")
    better, worse = torch.where(gap > 0, a, b), torch.where(gap > 0, b, a)
    return (prompts[differ], better[differ], worse[differ]), differ.double().mean().item()


def size_for_accuracy(gold: Tensor, noise: Tensor, pairs: GoldPairs, percent: float) -> float:
    """The size of noise at which gold + size · noise ranks ``percent`` of the pairs as gold does.

    gold, noise (n_prompts, n_responses). A pair whose noise points the wrong way is turned round
    at a size of its own and stays so; the size returned lies between those of two such pairs.
    Raises ValueError where no size brings the accuracy so low, and for more than 100 %.
    """
    prompts, better, worse = pairs
    gap, shaken = (t[prompts, better] - t[prompts, worse] for t in (gold, noise))
    turned = torch.where(shaken < 0, -gap / shaken, torch.inf).sort().values
    wrong = round((1 - percent / 100) * len(turned))
    if not 0 <= wrong < len(turned) or turned[wrong].isinf():
        raise ValueError(f"accuracy of {percent} %: no size of this noise has it on these pairs")
    return ((turned[wrong - 1] if wrong else 0.0) + turned[wrong]).item() / 2
