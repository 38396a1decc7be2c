"""The tiny GPT: model, cached sampling, log-probabilities of given and of *all* responses.

A decoder-only transformer (pre-LayerNorm, learned positions), after Radford et al. 2019, small enough to read and to
train in seconds. It reads prompt and response tokens, and its head emits response tokens and END only.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
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
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, siblings: bool = False, read: tuple | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        B, T, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        if past is not None:  # (B, heads, T, head size): earlier positions come first
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        causal = past is None and not siblings and read is None  # the common case has a faster path
        seen = None if causal else _seen(T, k.shape[2], siblings)
        if read is not None:  # only these positions go on, (B, R) of them
            q, x, seen = q.transpose(1, 2)[read].transpose(1, 2), x[read], seen.expand(B, -1, -1)[read].unsqueeze(1)
        mixed = scaled_dot_product_attention(q, k, v, seen, is_causal=causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.feed(self.norm2(x)), (k, v)


def _seen(new: int, positions: int, siblings: bool) -> Tensor:
    """Which positions each of the last ``new`` may look at, (new, positions) bool."""
    seen = torch.ones(new, positions, dtype=torch.bool).tril(positions - new)  # nothing of the future
    if siblings:
        seen[:, positions - new :] = torch.eye(new, dtype=torch.bool)  # nor the other siblings
    return seen


class TinyGPT(nn.Module):
    """Tokens (B, T) → logits (B, T, n_outputs): position t scores the token at t + 1.

    Of a tensor (B, T, …), ``read`` takes the positions (B, R, …) whose logits are wanted: a pair of indices such as
    (slice(None), slice(-R, None)). The last layer then leaves out the others, which nothing else looks at.
    """

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

    def forward(self, tokens: Tensor, read: tuple | None = None) -> Tensor:
        return self.step(tokens, None, read=read)[0]

    def step(
        self, tokens: Tensor, cache: Cache | None, siblings: bool = False, read: tuple | None = None
    ) -> tuple[Tensor, Cache]:
        """Logits of ``tokens`` (B, T) that follow what ``cache`` holds, at ``read`` or everywhere, and the grown cache.

        With ``siblings`` the T tokens are T alternatives for *one* position, none of which sees another.
        Raises ValueError for more positions than ``context``.
        """
        start = 0 if cache is None else cache[0][0].shape[2]
        positions = torch.full((tokens.shape[1],), start) if siblings else torch.arange(start, start + tokens.shape[1])
        if positions[-1] >= self.config.context:
            raise ValueError(f"{int(positions[-1]) + 1} positions: expected at most {self.config.context}")
        x = self.token(tokens) + self.position(positions)
        grown, last = [], len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            x, kv = block(x, None if cache is None else cache[i], siblings, read if i == last else None)
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


def _last(n: int) -> tuple[slice, slice]:
    """To read the last n positions of each row."""
    return slice(None), slice(-n, None)


def token_logps(policy: TinyGPT, prompts: Tensor, responses: Tensor) -> Tensor:
    """log π(y_t | x, y_<t) of each response token in nats: prompts (B, P), responses (B, R) → (B, R).

    The causal shift is here: the logits at position P − 1 + t score response token t, which the model has not read.
    Nothing is masked. Raises ValueError for an empty batch, shapes that do not fit, tokens outside the vocabulary.
    """
    _check_both(policy, prompts, responses)
    logits = policy(torch.cat([prompts, responses[:, :-1]], dim=1), _last(responses.shape[1]))  # (B, R, n_outputs)
    return logits.log_softmax(-1).gather(-1, responses.unsqueeze(-1)).squeeze(-1)


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

    prompts (n, P), all of the world's by default. Differentiable where gradients are on. Order as in
    ``world.responses``. Raises ValueError for no prompts and for tokens outside the vocabulary.
    """
    prompts = world.prompt_tokens if prompts is None else prompts
    _check_ids("prompts", prompts, policy.config.n_tokens)
    return torch.cat([_all_logps(policy, world, part) for part in prompts.split(4)])


def _all_logps(policy: TinyGPT, world: World, prompts: Tensor) -> Tensor:
    n, words = len(prompts), len(world.words)
    prefix = torch.zeros(n, 1, dtype=torch.float64)  # log π of each prefix of the current length
    finished = []
    behind_words = _walk(policy, world, prompts, torch.arange(words), world.max_length - 1)
    for logits in (policy(prompts, _last(1)), *behind_words):
        logps = logits.double().log_softmax(-1).view(n, -1, words + 1)
        finished.append(prefix + logps[..., world.end])
        prefix = (prefix.unsqueeze(-1) + logps[..., :words]).flatten(1)
    return torch.cat([*finished, prefix], dim=1)  # cut off at the limit: no END scored


def _walk(model: TinyGPT, world: World, prompts: Tensor, tokens: Tensor, depth: int) -> Iterator[Tensor]:
    """What the head says at each of ``tokens`` (K,) behind every prefix of 0, 1, … depth − 1 words.

    Yields for each length (n · words^length, K, n_outputs). Keys and values of the prefixes are cached.
    """
    words, past = len(world.words), model.step(prompts, None)[1]
    for length in range(depth):
        parts = zip(*(zip(k.split(100), v.split(100)) for k, v in past))  # as much as a processor's cache holds
        yield torch.cat(
            [model.step(tokens.expand(len(part[0][0]), -1), list(part), siblings=True)[0] for part in parts]
        )
        if length < depth - 1:
            prefixes = len(past[0][0])
            past = [(k.repeat_interleave(words, 0), v.repeat_interleave(words, 0)) for k, v in past]
            past = model.step(torch.arange(words).repeat(prefixes)[:, None], past)[1]


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
        return self.trunk(torch.cat([prompts, responses[:, :-1]], dim=1), _last(responses.shape[1])).squeeze(-1)


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
        last = prompts.shape[1] - 1 + mask.long().sum(1, keepdim=True)  # (B, 1)
        rows = torch.arange(len(prompts)).unsqueeze(1)
        return self.trunk(torch.cat([prompts, responses], dim=1), (rows, last)).flatten()


@torch.no_grad()
def in_parts(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """``function(*rows)`` without gradients, 256 rows at a time: what a processor's cache holds is done twice as fast.

    rows: tensors of one length, at least 1; ``function`` gives a row for each row, such as a ``RewardModel`` for
    prompts, responses and mask. Raises ValueError for no rows and for lengths that differ.
    """
    lengths = [len(tensor) for tensor in rows]
    if not rows or lengths[0] == 0 or len(set(lengths)) > 1:
        raise ValueError(f"lengths {lengths}: expected tensors with one number of rows, at least 1")
    return torch.cat([function(*part) for part in zip(*(tensor.split(256) for tensor in rows))])


@torch.no_grad()
def all_rewards(model: RewardModel, world: World, prompts: Tensor | None = None) -> Tensor:
    """r_φ(x, y) of *every* response to each prompt, by walking the prefix tree: (n, n_responses), float64.

    prompts (n, P), all of the world's by default; order as in ``world.responses``. Raises ValueError for no prompts
    and for tokens outside the vocabulary.
    """
    prompts = world.prompt_tokens if prompts is None else prompts
    _check_ids("prompts", prompts, model.trunk.config.n_tokens)
    return torch.cat([_all_rewards(model, world, x) for x in prompts.split(1)])


def _all_rewards(model: RewardModel, world: World, prompts: Tensor) -> Tensor:
    """A reward is read at END, or at the last word of a response that was cut off."""
    n, words = len(prompts), len(world.words)
    levels = list(_walk(model.trunk, world, prompts, torch.arange(words + 1), world.max_length))
    ended = [level[:, world.end].view(n, -1) for level in levels]
    return torch.cat([*ended, levels[-1][:, :words].reshape(n, -1)], dim=1).double()


@torch.no_grad()
def sample(policy: TinyGPT, world: World, prompts: Tensor, generator: torch.Generator) -> Tensor:
    """One response to each prompt at temperature 1, token by token with a cache: (B, P) → (B, max_length).

    Raises ValueError for no prompts and for tokens outside the vocabulary.
    """
    _check_ids("prompts", prompts, policy.config.n_tokens)
    logits, cache = policy.step(prompts, None, read=_last(1))
    tokens = torch.full((len(prompts), world.max_length), world.end)
    alive = torch.arange(len(prompts))  # the rows not ended yet: only these are computed
    for position in range(world.max_length):
        chances = torch.zeros(len(prompts), world.n_outputs, dtype=logits.dtype)
        chances[:, world.end] = 1.0
        chances[alive] = logits[:, -1].softmax(-1)
        tokens[:, position] = torch.multinomial(chances, 1, generator=generator)[:, 0]
        going = tokens[alive, position] != world.end
        alive = alive[going]
        if len(alive) == 0:
            break
        if position < world.max_length - 1:
            cache = [(k[going], v[going]) for k, v in cache]
            logits, cache = policy.step(tokens[alive, position].unsqueeze(1), cache)
    return tokens
