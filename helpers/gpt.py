"""The tiny GPT: model, cached sampling, log-probabilities of given and of *all* responses.

A decoder-only transformer (pre-LayerNorm, learned positions), after Radford et al. 2019, small enough to read and to
train in seconds. It reads prompt and response tokens, and its head emits response tokens and END only.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from helpers.world import World

Cache = list[tuple[Tensor, Tensor]]  # per layer: keys and values, each (B, heads, T, head size)


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
            raise ValueError(f"width {config.width}, heads {config.heads}: expected a width that the heads divide")
        self.heads = config.heads
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.feed = nn.Sequential(
            nn.Linear(config.width, 4 * config.width), nn.ReLU(), nn.Linear(4 * config.width, config.width)
        )

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, siblings: bool = False
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        B, T, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        if past is not None:  # (B, heads, T, head size): earlier positions come first
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        if past is None and not siblings:
            mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mixed = scaled_dot_product_attention(q, k, v, _seen(T, k.shape[2], siblings))
        x = x + self.out(mixed.transpose(1, 2).reshape(B, T, D))
        return x + self.feed(self.norm2(x)), (k, v)


def _seen(new: int, positions: int, siblings: bool) -> Tensor | None:
    """Which positions each of the last ``new`` may look at, (new, positions) bool; None if that is all of them."""
    if new == 1:
        return None
    seen = torch.ones(new, positions, dtype=torch.bool).tril(positions - new)  # nothing of the future
    if siblings:
        seen[:, positions - new :] = torch.eye(new, dtype=torch.bool)  # nor the other siblings
    return seen


class TinyGPT(nn.Module):
    """Tokens (B, T) → logits (B, T, n_outputs): position t scores the token at t + 1."""

    def __init__(self, config: GPTConfig, generator: torch.Generator):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):  # layers draw from the global state before we overwrite: leave no trace
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

    def forward(self, tokens: Tensor) -> Tensor:
        return self.step(tokens, None)[0]

    def step(self, tokens: Tensor, cache: Cache | None, siblings: bool = False) -> tuple[Tensor, Cache]:
        """Logits of ``tokens`` (B, T) that follow what ``cache`` holds, and the grown cache.

        With ``siblings`` the T tokens are T alternatives for *one* position, none of which sees another.
        Raises ValueError for more positions than ``context``.
        """
        start = 0 if cache is None else cache[0][0].shape[2]
        positions = torch.full((tokens.shape[1],), start) if siblings else torch.arange(start, start + tokens.shape[1])
        if positions[-1] >= self.config.context:
            raise ValueError(f"{int(positions[-1]) + 1} positions: expected at most {self.config.context}")
        x = self.token(tokens) + self.position(positions)
        grown = []
        for i, block in enumerate(self.blocks):
            x, kv = block(x, None if cache is None else cache[i], siblings)
            grown.append(kv)
        return self.head(self.norm(x)), grown


def new_gpt(world: World, seed: int) -> TinyGPT:
    """An untrained tiny GPT for ``world``; the same seed gives the same weights."""
    context = world.prompt_tokens.shape[1] + world.max_length
    config = GPTConfig(n_tokens=world.n_tokens, n_outputs=world.n_outputs, context=context)
    return TinyGPT(config, torch.Generator().manual_seed(seed))


def _check_ids(name: str, tokens: Tensor, n: int) -> None:
    if tokens.ndim != 2 or tokens.numel() == 0:
        raise ValueError(f"{name} {tuple(tokens.shape)}: expected token ids of shape (B, length), both ≥ 1")
    outside = (tokens < 0) | (tokens >= n)
    if outside.any():
        row, place = outside.nonzero()[0].tolist()
        found = f"{name}[{row}, {place}] is {int(tokens[row, place])}, outside the vocabulary"
        raise ValueError(f"{found}: expected ids from 0 to {n - 1}")


def _check_both(model: TinyGPT, prompts: Tensor, responses: Tensor) -> None:
    _check_ids("prompts", prompts, model.config.n_tokens)
    _check_ids("responses", responses, model.config.n_outputs)
    if len(prompts) != len(responses):
        raise ValueError(f"{len(prompts)} prompts, {len(responses)} responses: expected one response to each prompt")


def token_logps(policy: TinyGPT, prompts: Tensor, responses: Tensor) -> Tensor:
    """log π(y_t | x, y_<t) of each response token in nats: prompts (B, P), responses (B, R) → (B, R).

    The causal shift is here: the logits at position P − 1 + t score response token t, which the model has not read.
    Nothing is masked. Raises ValueError for an empty batch, shapes that do not fit, tokens outside the vocabulary.
    """
    _check_both(policy, prompts, responses)
    logits = policy(torch.cat([prompts, responses[:, :-1]], dim=1))  # (B, P + R − 1, n_outputs)
    logps = logits[:, prompts.shape[1] - 1 :].log_softmax(-1)  # (B, R, n_outputs)
    return logps.gather(-1, responses.unsqueeze(-1)).squeeze(-1)


def sequence_logps(policy: TinyGPT, prompts: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
    """log π(y | x) in nats, the *sum* over response tokens: (B, P), (B, R), mask (B, R) → (B,).

    Raises ValueError for a mask of another shape or a row of it without a response token.
    """
    if mask.shape != responses.shape:
        raise ValueError(f"mask {tuple(mask.shape)}: expected the shape of responses, {tuple(responses.shape)}")
    empty = ~mask.bool().any(1)
    if empty.any():
        raise ValueError(f"mask row {int(empty.nonzero()[0])} has no response token: expected at least one")
    return (token_logps(policy, prompts, responses) * mask).sum(1)


def all_logps(policy: TinyGPT, world: World, prompts: Tensor | None = None) -> Tensor:
    """log π(y | x) of *every* response to each prompt, by walking the prefix tree: (n, n_responses), float64.

    Prefixes are visited once, with their keys and values cached, a few prompts at a time; prompts (n, P), all of
    the world's by default. Differentiable where gradients are on. Order as in ``world.responses``. Raises ValueError
    for no prompts and for tokens outside the vocabulary.
    """
    prompts = world.prompt_tokens if prompts is None else prompts
    _check_ids("prompts", prompts, policy.config.n_tokens)
    return torch.cat([_walk(policy, world, part) for part in prompts.split(4)])


def _walk(policy: TinyGPT, world: World, prompts: Tensor) -> Tensor:
    n, words = len(prompts), len(world.words)
    logits, cache = policy.step(prompts, None)
    prefix = torch.zeros(n, 1, dtype=torch.float64)  # log π of each prefix of the current length
    finished = []
    for length in range(world.max_length):
        logps = logits[:, -1].double().log_softmax(-1).view(n, -1, words + 1)
        finished.append(prefix + logps[..., world.end])
        prefix = (prefix.unsqueeze(-1) + logps[..., :words]).flatten(1)
        if length < world.max_length - 1:
            cache = [(k.repeat_interleave(words, 0), v.repeat_interleave(words, 0)) for k, v in cache]
            logits, cache = policy.step(torch.arange(words).repeat(n * words**length)[:, None], cache)
    return torch.cat([*finished, prefix], dim=1)  # cut off at the limit: no END scored


def _scalar_trunk(policy: TinyGPT) -> TinyGPT:
    """A copy of a policy whose head emits one number per position, 0 everywhere before training."""
    trunk = copy.deepcopy(policy)
    with torch.random.fork_rng(devices=[]):
        trunk.head = nn.Linear(policy.config.width, 1).to(policy.head.weight)
    nn.init.zeros_(trunk.head.weight)
    nn.init.zeros_(trunk.head.bias)
    return trunk


class ValueModel(nn.Module):
    """V(x, y_<t), the reward that is expected from here on: a policy's trunk with a head read *before* each token.

    The trunk starts as a copy of ``policy``, the head at zero. Source: Schulman et al. 2017, §5, here with weights of
    its own.
    """

    def __init__(self, policy: TinyGPT):
        super().__init__()
        self.trunk = _scalar_trunk(policy)

    def forward(self, prompts: Tensor, responses: Tensor) -> Tensor:
        """The value before each response token, which is not read yet: prompts (B, P), responses (B, R) → (B, R).

        Raises ValueError for numbers of prompts and responses that differ and for tokens outside the vocabulary.
        """
        _check_both(self.trunk, prompts, responses)
        return self.trunk(torch.cat([prompts, responses[:, :-1]], dim=1))[:, prompts.shape[1] - 1 :, 0]


class RewardModel(nn.Module):
    """One number for a prompt and a response: a policy's trunk with a head read at the last scored token.

    The trunk starts as a copy of ``policy``, the head at zero: every response scores 0 before training.
    Source: Ouyang et al. 2022, §3.5 (final layer replaced by a scalar).
    """

    def __init__(self, policy: TinyGPT):
        super().__init__()
        self.trunk = _scalar_trunk(policy)

    def forward(self, prompts: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
        """r_φ(x, y): prompts (B, P), responses (B, R), mask (B, R) true on scored tokens → (B,).

        Raises ValueError for shapes that do not fit, tokens outside the vocabulary, a mask row without a token.
        """
        _check_ids("prompts", prompts, self.trunk.config.n_tokens)
        _check_ids("responses", responses, self.trunk.config.n_outputs)
        if len(prompts) != len(responses) or mask.shape != responses.shape:
            shapes = f"prompts {tuple(prompts.shape)}, responses {tuple(responses.shape)}, mask {tuple(mask.shape)}"
            raise ValueError(f"{shapes}: expected one response to each prompt and a mask of the responses' shape")
        empty = ~mask.bool().any(1)
        if empty.any():
            raise ValueError(f"mask row {int(empty.nonzero()[0])} has no response token: expected at least one")
        scores = self.trunk(torch.cat([prompts, responses], dim=1)).squeeze(-1)  # (B, P + R)
        last = prompts.shape[1] - 1 + mask.long().sum(1)
        return scores.gather(1, last.unsqueeze(1)).squeeze(1)


@torch.no_grad()
def all_rewards(model: RewardModel, world: World, prompts: Tensor | None = None) -> Tensor:
    """r_φ(x, y) of *every* response to each prompt, by walking the prefix tree: (n, n_responses), float64.

    prompts (n, P), all of the world's by default; order as in ``world.responses``. Raises ValueError for no prompts
    and for tokens outside the vocabulary.
    """
    prompts = world.prompt_tokens if prompts is None else prompts
    _check_ids("prompts", prompts, model.trunk.config.n_tokens)
    words, end, rows = torch.arange(len(world.words)), torch.tensor([world.end]), []
    for x in prompts.split(1):
        cache, scores = model.trunk.step(x, None)[1], []
        for length in range(world.max_length):
            last = length == world.max_length - 1
            prefixes = cache[0][0].shape[0]
            ended = model.trunk.step(end.repeat(prefixes, 1), cache)[0]  # (prefixes, 1, 1)
            scores.append(ended.view(len(x), -1))
            if last:  # all words for the last place, side by side: (prefixes, words, 1)
                scores.append(model.trunk.step(words.repeat(prefixes, 1), cache, siblings=True)[0].reshape(len(x), -1))
            else:
                cache = [(k.repeat_interleave(len(words), 0), v.repeat_interleave(len(words), 0)) for k, v in cache]
                cache = model.trunk.step(words.repeat(prefixes)[:, None], cache)[1]
        rows.append(torch.cat(scores, dim=1).double())
    return torch.cat(rows)


@torch.no_grad()
def sample(policy: TinyGPT, world: World, prompts: Tensor, generator: torch.Generator) -> Tensor:
    """One response to each prompt at temperature 1, token by token with a cache: (B, P) → (B, max_length).

    Raises ValueError for no prompts and for tokens outside the vocabulary.
    """
    _check_ids("prompts", prompts, policy.config.n_tokens)
    logits, cache = policy.step(prompts, None)
    tokens = torch.full((len(prompts), world.max_length), world.end)
    for position in range(world.max_length):
        token = torch.multinomial(logits[:, -1].softmax(-1), 1, generator=generator)  # (B, 1)
        alive = tokens[:, position - 1] != world.end if position else torch.ones(len(prompts), dtype=torch.bool)
        tokens[:, position] = torch.where(alive, token[:, 0], world.end)
        if position < world.max_length - 1:
            logits, cache = policy.step(token, cache)
    return tokens
