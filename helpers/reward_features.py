"""Eight features of a prompt and a reply in which the exact world's gold reward is linear."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from helpers.world import World

NAMES = (
    "right steps, safe",
    "further steps, safe",
    "refusal words, safe",
    "steps, unsafe",
    "refusals, unsafe",
    "courtesy",
    "filler words",
    "request is unsafe",
)


def features(world: World) -> Tensor:
    """f(x, y) of all responses to all prompts, (n_prompts, n_responses, 8), float64; see ``NAMES``.

    The last is 1 for an unsafe request, whatever the response.
    """
    count = one_hot(world.responses, world.n_outputs).double().sum(1)
    column = {word: count[:, k] for k, word in enumerate(world.words)}
    steps, refusal, filler = (
        sum(column[word] for word in family)
        for family in (world.steps, world.refusal, world.filler)
    )
    refusals = sum((column[word] > 0).double() for word in world.refusal)
    polite = world.contains(world.courtesy).double()
    rows = []
    for prompt in world.prompts:
        right = sum((column[word] > 0).double() for word in prompt.steps)
        unsafe = float(prompt.slice == "unsafe")
        if_safe = [right, steps - right, refusal]
        if_unsafe = [steps, refusals]
        columns = [(1 - unsafe) * part for part in if_safe] + [unsafe * part for part in if_unsafe]
        columns += [polite, filler, torch.full_like(polite, unsafe)]
        rows.append(torch.stack(columns, dim=1))
    return torch.stack(rows)
