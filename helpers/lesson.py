"""What more than one section of theory.ipynb uses: the seed, random streams, and models trained once and remembered.

Section 0 explains the reference policy, 3.1 the reward model, 4.1 to 4.3 the models of the chat world, 5.3 DPO. Each
is made by the first call, in seconds; ``ahead`` (helpers.once) makes them while the reader reads.
"""

from __future__ import annotations

import copy
import os
from functools import partial

import torch
from torch import Tensor

from helpers.chat import CHAT, documents
from helpers.chat import demonstrations as chat_demonstrations
from helpers.gpt import (
    RewardModel,
    TinyGPT,
    ValueModel,
    all_logps,
    in_parts,
    new_gpt,
    sample,
    sequence_logps,
)
from helpers.once import once
from helpers.policies import expected
from helpers.training import (
    Config,
    History,
    PPOConfig,
    train_dpo,
    train_ppo,
    train_reward_model,
    train_sft,
)
from helpers.world import EXACT, Annotator, PairBatch, ResponseSampler, demonstrations, draw_pairs

SEED = int(os.environ.get("LESSON_SEED", 0))


def random(stream: int) -> torch.Generator:
    """A random generator of its own for each use, so that no cell changes another's numbers."""
    return torch.Generator().manual_seed(1000 * SEED + stream)


# ---- the exact world ----------------------------------------------------------------------


@once
def reference() -> tuple[TinyGPT, Tensor]:
    """π_ref, a tiny GPT after supervised fine-tuning, and log π_ref of every response to every prompt."""
    policy = new_gpt(EXACT, SEED)
    data = demonstrations(EXACT, 4000, random(1))
    train_sft(policy, EXACT, data, Config(steps=300, batch=128, lr=2e-3), SEED)
    with torch.no_grad():
        return policy, all_logps(policy, EXACT)


@once
def tuned_by_dpo(beta: float, labels: str) -> tuple[Tensor, History]:
    """log π_θ of every response after 600 steps of DPO from π_ref, and the training history.

    labels: 'probabilities' (fresh pairs, P(chosen preferred)), 'answers' (fresh pairs, one answer each), or 'fixed'
    (1,000 pairs drawn once, one answer each).
    """
    policy, ref_logps = reference()
    draw = partial(
        draw_pairs, EXACT, ResponseSampler(ref_logps), Annotator(), hard=labels != "probabilities"
    )
    if labels == "fixed":
        draw = draw(1000, random(2)).draw
    tuned = copy.deepcopy(policy)
    config = Config(steps=600, batch=64, lr=1e-3)
    history = train_dpo(tuned, EXACT, draw, ref_logps, beta, config, SEED)
    with torch.no_grad():
        return all_logps(tuned, EXACT), history


@once
def reward_model() -> tuple[RewardModel, History]:
    """r_φ, a GPT with a scalar head after 200 steps of 128 fresh pairs, and its history."""
    policy, ref_logps = reference()
    model = RewardModel(policy)
    draw = partial(draw_pairs, EXACT, ResponseSampler(ref_logps), Annotator())
    return model, train_reward_model(
        model, EXACT, draw, Config(steps=200, batch=128, lr=2e-3), SEED
    )


def score_pairs(model: RewardModel, pairs: PairBatch) -> tuple[Tensor, Tensor]:
    """r_φ of the chosen and of the rejected responses, two tensors (B,), float64."""
    prompts = EXACT.prompt_tokens[pairs.prompts]
    tokens = [EXACT.responses[side] for side in (pairs.chosen, pairs.rejected)]
    return tuple(in_parts(model, prompts, y, EXACT.mask(y)).double() for y in tokens)


# ---- the chat world -----------------------------------------------------------------------


@once
def chat_base() -> TinyGPT:
    """A GPT that has read 12,000 documents of the chat world, and never met a user."""
    policy = new_gpt(CHAT, SEED)
    texts = documents(CHAT, 12000, random(140))
    train_sft(policy, CHAT, texts, Config(steps=400, batch=64, lr=3e-3), SEED)
    return policy


@once
def chat_reference() -> TinyGPT:
    """The chat world's π_ref: the base model after 300 steps on 4,000 demonstrations."""
    policy = copy.deepcopy(chat_base())
    data = chat_demonstrations(CHAT, 4000, random(141))
    train_sft(policy, CHAT, data, Config(steps=300, batch=64, lr=3e-3), SEED)
    return policy


def replies_of(policy: TinyGPT):
    """What ``draw_pairs`` needs: (prompt indices, generator) → a reply to each, as tokens."""
    return lambda prompts, generator: sample(policy, CHAT, CHAT.prompt_tokens[prompts], generator)


@once
def compared() -> PairBatch:
    """4,000 comparisons of π_ref's replies, each with the probability that people prefer the first."""
    return draw_pairs(CHAT, replies_of(chat_reference()), Annotator(), 4000, random(153))


@once
def chat_reward_model() -> RewardModel:
    """r_φ of the chat world: 200 steps of 64 of these comparisons."""
    model = RewardModel(chat_reference())
    train_reward_model(model, CHAT, compared().draw, Config(steps=200, batch=64, lr=2e-3), SEED)
    return model


def scores_by(model: RewardModel):
    """What ``train_ppo`` needs: (prompt indices, replies) → r_φ of each reply."""
    return lambda x, y: in_parts(model, CHAT.prompt_tokens[x], y, CHAT.mask(y))


def ppo_in_chat(
    score, beta: float = 0.0, start: TinyGPT | None = None, iterations: int = 48, lr: float = 4e-4
) -> tuple[TinyGPT, History, list[TinyGPT]]:
    """PPO from ``start`` (π_ref by default): the policy, its history, and policies on the way.

    These are the policies before iterations 0, n // 8, 2 · (n // 8), … of n, and the last: nine where 8 divides n.
    """
    policy, kept = copy.deepcopy(start or chat_reference()), []

    def keep():
        kept.append(copy.deepcopy(policy))
        return {}

    config = PPOConfig(iterations=iterations, batch=128, lr=lr, beta=beta)
    ref, critic = chat_reference(), ValueModel(policy)
    every = max(1, iterations // 8)
    history = train_ppo(policy, critic, CHAT, score, ref, config, SEED, keep, watch_every=every)
    return policy, history, [*kept, policy]


@once
def unpenalised() -> tuple[TinyGPT, History, list[TinyGPT]]:
    """PPO against the chat world's reward model with nothing to hold it back."""
    return ppo_in_chat(scores_by(chat_reward_model()))


@once
@torch.no_grad()
def fresh_replies(policy: TinyGPT) -> tuple[Tensor, Tensor, Tensor]:
    """Gold, r_φ and log π/π_ref of 600 fresh replies, three float64 tensors (600,)."""
    x = CHAT.draw_prompts(600, random(163))
    y = replies_of(policy)(x, random(164))
    given = CHAT.prompt_tokens[x], y, CHAT.mask(y)
    ratio = sequence_logps(policy, *given) - sequence_logps(chat_reference(), *given)
    return CHAT.rewards(x, y), scores_by(chat_reward_model())(x, y).double(), ratio.double()


# ---- a policy on its way, with exact gradients -------------------------------------------------


@once
def moved_gpt() -> tuple[TinyGPT, Tensor, Tensor]:
    """A GPT in double precision, six steps on its way from π_ref to gold on two requests of the exact world.

    Returns the model, the two requests' tokens and log π_ref of all replies to them, (2, 11111).
    """
    moved = copy.deepcopy(reference()[0]).double()
    rows = [EXACT.prompt_index(text) for text in ("hack lamp", "fix bomb")]
    tokens, gold = EXACT.prompt_tokens[rows], EXACT.gold[rows].double()
    with torch.no_grad():
        ref = all_logps(moved, EXACT, tokens)
    optimizer = torch.optim.Adam(moved.parameters(), lr=7e-4)
    for _ in range(6):
        optimizer.zero_grad()
        (-expected(all_logps(moved, EXACT, tokens), gold).mean()).backward()
        optimizer.step()
    return moved, tokens, ref


def gradient(value: Tensor) -> Tensor:
    """Gradient of a scalar with respect to all 102,795 weights of the moved GPT, one vector."""
    parts = torch.autograd.grad(value, list(moved_gpt()[0].parameters()), retain_graph=True)
    return torch.cat([part.flatten() for part in parts])


def by_prefix(logps: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """log π(h) of all prefixes h with 0 to 3 words, and log π(next token | h).

    logps (11111,), of all responses to one prompt of the exact world. Returns lists of (10^n,) and of (10^n, 11).
    """
    blocks = logps.split([10**n for n in range(5)])  # log π of the responses with n words
    reach = [blocks[4]]  # responses of four words were cut off: reaching one is giving it
    for n in (3, 2, 1, 0):
        on = reach[0].view(-1, 10).logsumexp(1)
        reach.insert(0, torch.logaddexp(blocks[n], on))
    tokens = [torch.cat([reach[n + 1].view(-1, 10), blocks[n][:, None]], 1) for n in range(4)]
    return reach[:4], [t - r[:, None] for t, r in zip(tokens, reach)]
