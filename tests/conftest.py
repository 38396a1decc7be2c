"""What the tests share: one thread, quiet loops, the world, and small policies that are made once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("LESSON_QUIET", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
import torch
from hypothesis import settings

from helpers.gpt import TinyGPT, new_gpt
from helpers.world import EXACT, World, demonstrations

torch.set_num_threads(1)
settings.register_profile("lesson", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("lesson")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def perturbed(world: World, seed: int) -> TinyGPT:
    """An untrained GPT in float64 whose weights are large enough that every probability differs from the next."""
    policy = new_gpt(world, seed).double()
    generator = seeded(seed + 1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.15 * torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            )
    return policy


def trained(world: World, scored, steps: int = 80) -> TinyGPT:
    """A GPT after a few steps on demonstrations; scored(policy, prompts, responses) → log-probabilities (B, R)."""
    policy, generator = new_gpt(world, 5), seeded(6)
    prompts, responses = demonstrations(world, 600, generator)
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for _ in range(steps):
        rows = torch.randint(len(prompts), (64,), generator=generator)
        logps = scored(policy, world.prompt_tokens[prompts[rows]], responses[rows])
        optimizer.zero_grad()
        (-logps[world.mask(responses[rows])].mean()).backward()
        optimizer.step()
    return policy


@pytest.fixture(scope="session")
def world() -> World:
    return EXACT


@pytest.fixture(scope="session")
def rough_gpt(world) -> TinyGPT:
    """Untrained, weights perturbed, float64."""
    return perturbed(world, 1)


@pytest.fixture(scope="session")
def sft_gpt(world) -> TinyGPT:
    """Briefly trained on demonstrations, float32 as in the lesson."""
    from helpers.gpt import token_logps

    return trained(world, token_logps)
