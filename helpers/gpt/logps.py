"""Log-probabilities of given responses and of *all* of them, and sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.gpt.fast import last, step
from helpers.gpt.model import TinyGPT
from helpers.policies import as_mask
from helpers.world import World


def check_ids(name: str, tokens: Tensor, n: int) -> None:
    """Raise ValueError unless ``tokens`` is (B, length), both ≥ 1, of ids from 0 to n − 1."""
    if tokens.ndim != 2 or tokens.numel() == 0:
        raise ValueError(
            f"{name} {tuple(tokens.shape)}: expected token ids of shape (B, length), both ≥ 1"
        )
    outside = (tokens < 0) | (tokens >= n)
    if outside.any():
        row, place = outside.nonzero()[0].tolist()
        found = f"{name}[{row}, {place}] is {int(tokens[row, place])}, outside the vocabulary"
        raise ValueError(f"{found}: expected ids from 0 to {n - 1}")


def check_both(model: TinyGPT, prompts: Tensor, responses: Tensor) -> None:
    """Raise ValueError unless there is one response to each prompt, all ids the model's."""
    check_ids("prompts", prompts, model.config.n_tokens)
    check_ids("responses", responses, model.config.n_outputs)
    if len(prompts) != len(responses):
        raise ValueError(
            f"{len(prompts)} prompts, {len(responses)} responses: expected one response to each prompt"
        )


def token_logps(policy: TinyGPT, prompts: Tensor, responses: Tensor) -> Tensor:
    """log π(y_t | x, y_<t) of each response token in nats: prompts (B, P), responses (B, R) → (B, R).

    The causal shift is here: the logits at position P − 1 + t score response token t, which the model has not read.
    Nothing is masked. Raises ValueError for an empty batch, shapes that do not fit, tokens outside the vocabulary.
    """
    return _logps_of(responses, _response_logits(policy, prompts, responses))


def _response_logits(policy: TinyGPT, prompts: Tensor, responses: Tensor) -> Tensor:
    """The logits that score each response token, (B, R, n_outputs)."""
    check_both(policy, prompts, responses)
    return policy(torch.cat([prompts, responses[:, :-1]], dim=1), last(responses.shape[1]))


def _logps_of(tokens: Tensor, logits: Tensor) -> Tensor:
    """Log-probability of each of the tokens (B, R) under its row of logits (B, R, n_outputs)."""
    return logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def sequence_logps(policy: TinyGPT, prompts: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
    """log π(y | x) in nats, the *sum* over response tokens: (B, P), (B, R), mask (B, R) → (B,).

    Logits outside the mask are not read: infinite or NaN, they leave value and gradient alone. A
    scored token without probability gives −inf, which the losses refuse. Raises ValueError for a
    mask of another shape or of other numbers than 0 and 1, and for a row of it without a response
    token.
    """
    mask = as_mask(mask)
    if mask.shape != responses.shape:
        raise ValueError(
            f"mask {tuple(mask.shape)}: expected the shape of responses, {tuple(responses.shape)}"
        )
    empty = ~mask.any(1)
    if empty.any():
        raise ValueError(
            f"mask row {int(empty.nonzero()[0])} has no response token: expected at least one"
        )
    logits = _response_logits(policy, prompts, responses)
    logits = torch.where(mask.unsqueeze(-1), logits, 0.0)  # else a softmax's gradient spreads NaN
    return torch.where(mask, _logps_of(responses, logits), 0.0).sum(1)


def all_logps(policy: TinyGPT, world: World, prompts: Tensor | None = None) -> Tensor:
    """log π(y | x) of *every* response to each prompt, by walking the prefix tree: (n, n_responses), float64.

    prompts (n, P), all of the world's by default. Differentiable where gradients are on. Order as in
    ``world.responses``. Raises ValueError for no prompts and for tokens outside the vocabulary.
    """
    prompts = world.prompt_tokens if prompts is None else prompts
    check_ids("prompts", prompts, policy.config.n_tokens)
    return torch.cat([_all_logps(policy, world, part) for part in prompts.split(4)])


def _all_logps(policy: TinyGPT, world: World, prompts: Tensor) -> Tensor:
    n, words = len(prompts), len(world.words)
    prefix = torch.zeros(n, 1, dtype=torch.float64)  # log π of each prefix of the current length
    finished = []
    behind_words = walk(policy, world, prompts, torch.arange(words), world.max_length - 1)
    for logits in (policy(prompts, last(1)), *behind_words):
        logps = logits.double().log_softmax(-1).view(n, -1, words + 1)
        finished.append(prefix + logps[..., world.end])
        prefix = (prefix.unsqueeze(-1) + logps[..., :words]).flatten(1)
    return torch.cat([*finished, prefix], dim=1)  # cut off at the limit: no END scored


def walk(
    model: TinyGPT, world: World, prompts: Tensor, tokens: Tensor, depth: int
) -> Iterator[Tensor]:
    """What the head says at each of ``tokens`` (K,) behind every prefix of 0, 1, … depth − 1 words.

    Yields for each length (n · words^length, K, n_outputs). Keys and values of the prefixes are cached.
    """
    words, past = len(world.words), step(model, prompts, None)[1]
    for length in range(depth):
        parts = zip(
            *(zip(k.split(100), v.split(100)) for k, v in past)
        )  # as much as a processor's cache holds
        yield torch.cat(
            [
                step(model, tokens.expand(len(part[0][0]), -1), list(part), siblings=True)[0]
                for part in parts
            ]
        )
        if length < depth - 1:
            prefixes = len(past[0][0])
            past = [(k.repeat_interleave(words, 0), v.repeat_interleave(words, 0)) for k, v in past]
            past = step(model, torch.arange(words).repeat(prefixes)[:, None], past)[1]


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
def sample(policy: TinyGPT, world: World, prompts: Tensor, generator: torch.Generator) -> Tensor:
    """One response to each prompt at temperature 1, token by token with a cache: (B, P) → (B, max_length).

    Raises ValueError for no prompts and for tokens outside the vocabulary.
    """
    check_ids("prompts", prompts, policy.config.n_tokens)
    logits, cache = step(policy, prompts, None, read=last(1))
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
            logits, cache = step(policy, tokens[alive, position].unsqueeze(1), cache)
    return tokens
