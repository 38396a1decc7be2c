"""The model: a decoder-only transformer (pre-LayerNorm, learned positions), after Radford et al. 2019.

Small enough to read and to train in seconds. It reads prompt and response tokens, and its head emits response tokens
and END only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from helpers.gpt import fast
from helpers.world import World


@dataclass(frozen=True)
class GPTConfig:
    """Sizes. ``n_tokens`` it can read, ``n_outputs`` it can emit, ``context`` positions."""

    n_tokens: int
    n_outputs: int
    context: int
    layers: int = 2
    width: int = 64
    heads: int = 4


class Block(nn.Module):
    """Causal self-attention and a feed-forward layer, each added to the residual stream."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        if config.width % config.heads:
            raise ValueError(
                f"width {config.width}, heads {config.heads}: expected a width that the heads divide"
            )
        self.heads = config.heads
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.feed = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.ReLU(),
            nn.Linear(4 * config.width, config.width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) → same: every position looks at itself and at those before it."""
        queries, keys, values = self.project(x)
        mixed = scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.combine(x, mixed)

    def project(self, x: Tensor) -> Tensor:
        """Queries, keys and values of each head, (3, B, heads, T, head size)."""
        B, T, D = x.shape
        return (
            self.qkv(self.norm1(x))
            .view(B, T, 3, self.heads, D // self.heads)
            .permute(2, 0, 3, 1, 4)
        )

    def combine(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Add what attention mixed, (B, heads, T, head size), to the stream; then the feed-forward layer."""
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.feed(self.norm2(x))


class TinyGPT(nn.Module):
    """Tokens (B, T) → logits (B, T, n_outputs): position t scores the token at t + 1.

    With ``read``, two indices that pick (B, R, …) from a tensor (B, T, …), logits of these positions
    only. Raises ValueError for more positions than ``context``.
    """

    def __init__(self, config: GPTConfig, generator: torch.Generator):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(
            devices=[]
        ):  # layers draw from the global state before we overwrite
            self.token = nn.Embedding(config.n_tokens, config.width)
            self.position = nn.Embedding(config.context, config.width)
            self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
            self.norm = nn.LayerNorm(config.width)
            self.head = nn.Linear(config.width, config.n_outputs)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor, read: fast.Read | None = None) -> Tensor:
        if read is not None:
            return fast.step(self, tokens, None, read=read)[0]
        x = self.embed(tokens, torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens (B, T) at positions (T,) → the stream's start (B, T, width)."""
        if positions[-1] >= self.config.context:
            raise ValueError(
                f"{int(positions[-1]) + 1} positions: expected at most {self.config.context}"
            )
        return self.token(tokens) + self.position(positions)


def new_gpt(world: World, seed: int) -> TinyGPT:
    """An untrained tiny GPT for ``world``; the same seed gives the same weights."""
    context = world.prompt_tokens.shape[1] + world.max_length
    config = GPTConfig(n_tokens=world.n_tokens, n_outputs=world.n_outputs, context=context)
    return TinyGPT(config, torch.Generator().manual_seed(seed))
