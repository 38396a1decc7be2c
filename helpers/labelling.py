"""Simulated labels of several raters, as 3.3 needs them."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.agreement import cohen_kappa
from helpers.world import World


def answer(p: Tensor, generator: torch.Generator) -> Tensor:
    """1 with probability p, else 0, independently for every entry of p, in its shape."""
    return (torch.rand(p.shape, generator=generator, dtype=torch.float64) < p).long()


def say(truth: Tensor, right: Tensor, generator: torch.Generator) -> Tensor:
    """The true class (0 or 1) with probability ``right``, else the other, shape of ``right``."""
    return torch.where(answer(right, generator) == 1, truth, 1 - truth)


def skip(labels: Tensor, chance: Tensor, generator: torch.Generator) -> Tensor:
    """The labels (items, raters), each replaced by −1 with probability ``chance``, (items, 1)."""
    return torch.where(answer(chance.expand(labels.shape), generator).bool(), -1, labels)


def clear_pairs(world: World, reply, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n pairs, none of equal gold: Δ = r*(first) − r*(second) and extra words of the first, (n,).

    reply(x, generator) draws a reply to each request x. Raises ValueError where of 2n drawn pairs
    fewer than n are left.
    """
    x = torch.randint(len(world.prompts), (2 * n,), generator=generator)
    first, second = reply(x, generator), reply(x, generator)
    gap = world.gold[x, first] - world.gold[x, second]
    keep = (gap != 0).nonzero().flatten()[:n]
    if len(keep) < n:
        raise ValueError(f"{len(keep)} pairs of unequal gold among {2 * n}: expected at least {n}")
    return gap[keep], (world.lengths[first] - world.lengths[second])[keep]


def percent_right(p_one: Tensor, truth: Tensor) -> float:
    """Percent of items whose likelier class is the true one (0 or 1); a tie counts one half."""
    hit = ((p_one > 0.5) == truth.bool()).double()
    return 100 * torch.where(p_one == 0.5, 0.5, hit).mean().item()


def kappa_table(labels: Tensor) -> Tensor:
    """Cohen's κ of every two raters, (raters, raters), from labels (items, raters)."""
    columns = labels.T
    return torch.tensor([[cohen_kappa(i, j) for j in columns] for i in columns])
