"""Two shortcuts through the same model: positions whose logits nobody reads, and prefixes that were read before.

``TinyGPT.forward`` is the definition; what is here gives the same logits and gradients with less work, and
tests/test_gpt.py holds it against the definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from helpers.gpt.model import Block, TinyGPT

Cache = list[tuple[Tensor, Tensor]]  # per layer: keys and values, each (B, heads, T, head size)
Read = tuple  # two indices (rows, positions) that pick (B, R, …) from a tensor (B, T, …)


def last(n: int) -> Read:
    """To read the last n positions of each row."""
    return slice(None), slice(-n, None)


def step(
    model: TinyGPT,
    tokens: Tensor,
    cache: Cache | None,
    siblings: bool = False,
    read: Read | None = None,
) -> tuple[Tensor, Cache]:
    """Logits of ``tokens`` (B, T) that follow what ``cache`` holds, at ``read`` or everywhere, and the grown cache.

    With ``siblings`` the T tokens are T alternatives for *one* position, none of which sees another.
    Raises ValueError for more positions than ``context``.
    """
    start, new = 0 if cache is None else cache[0][0].shape[2], tokens.shape[1]
    positions = torch.full((new,), start) if siblings else torch.arange(start, start + new)
    x, grown, final = model.embed(tokens, positions), [], len(model.blocks) - 1
    for i, block in enumerate(model.blocks):
        past = None if cache is None else cache[i]
        x, kv = _attend(block, x, past, siblings, read if i == final else None)
        grown.append(kv)
    return model.head(model.norm(x)), grown


def _attend(
    block: Block, x: Tensor, past: tuple[Tensor, Tensor] | None, siblings: bool, read: Read | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """One block behind ``past``, for the positions in ``read`` or for all; and its keys and values so far."""
    q, k, v = block.project(x)
    if past is not None:  # earlier positions come first
        k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
    causal = past is None and not siblings and read is None  # the definition's own case
    seen = None if causal else _seen(x.shape[1], k.shape[2], siblings)
    if read is not None:  # only these positions go on, (B, R) of them
        q, x = q.transpose(1, 2)[read].transpose(1, 2), x[read]
        seen = seen.expand(len(k), -1, -1)[read].unsqueeze(1)
    return block.combine(x, scaled_dot_product_attention(q, k, v, seen, is_causal=causal)), (k, v)


def _seen(new: int, positions: int, siblings: bool) -> Tensor:
    """Which positions each of the last ``new`` may look at, (new, positions) bool."""
    seen = torch.ones(new, positions, dtype=torch.bool).tril(
        positions - new
    )  # nothing of the future
    if siblings:
        seen[:, positions - new :] = torch.eye(new, dtype=torch.bool)  # nor the other siblings
    return seen
