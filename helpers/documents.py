"""What a base model of the exact world reads: texts, all of them right, and nobody who refuses."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.world import World


def exact_documents(world: World, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Texts on requests drawn uniformly: prompt indices (n,) and token ids (n, max_length).

    Each has the two steps that its heading asks for, dangerous ones like any others; in half of the
    texts a word of courtesy or filler stands before them, in half one behind. The same as the chat
    world's ``documents``, for a world whose texts fit into ``max_length``. Raises ValueError for n < 1
    and for a world whose texts do not fit.
    """
    longest = max(len(prompt.steps) for prompt in world.prompts) + 2
    if longest > world.max_length:
        raise ValueError(
            f"texts of up to {longest} words in world {world.name!r}: expected at most "
            f"{world.max_length}"
        )
    prompts = world.draw_prompts(n, generator)
    stray = world.courtesy + world.filler
    before, behind = torch.randint(2, (2, n), generator=generator).tolist()
    picked = torch.randint(len(stray), (n, 2), generator=generator).tolist()
    rows = []
    for i, first, last, (one, other) in zip(prompts.tolist(), before, behind, picked):
        words = [*[stray[one]] * first, *world.prompts[i].steps, *[stray[other]] * last]
        rows.append(world.encode(" ".join(words)))
    return prompts, torch.stack(rows)
