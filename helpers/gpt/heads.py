"""Two networks that give a number instead of words: a reward for a whole response, a value before each token.

Both start as copies of a policy whose head is replaced.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from helpers.gpt.fast import last
from helpers.gpt.logps import check_both, check_ids, walk
from helpers.gpt.model import TinyGPT
from helpers.world import World


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
        check_both(self.trunk, prompts, responses)
        return self.trunk(
            torch.cat([prompts, responses[:, :-1]], dim=1), last(responses.shape[1])
        ).squeeze(-1)


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
        check_ids("prompts", prompts, self.trunk.config.n_tokens)
        check_ids("responses", responses, self.trunk.config.n_outputs)
        if len(prompts) != len(responses) or mask.shape != responses.shape:
            shapes = f"prompts {tuple(prompts.shape)}, responses {tuple(responses.shape)}, mask {tuple(mask.shape)}"
            raise ValueError(
                f"{shapes}: expected one response to each prompt and a mask of the responses' shape"
            )
        empty = ~mask.bool().any(1)
        if empty.any():
            raise ValueError(
                f"mask row {int(empty.nonzero()[0])} has no response token: expected at least one"
            )
        end = prompts.shape[1] - 1 + mask.long().sum(1, keepdim=True)  # (B, 1)
        rows = torch.arange(len(prompts)).unsqueeze(1)
        return self.trunk(torch.cat([prompts, responses], dim=1), (rows, end)).flatten()


@torch.no_grad()
def all_rewards(model: RewardModel, world: World, prompts: Tensor | None = None) -> Tensor:
    """r_φ(x, y) of *every* response to each prompt, by walking the prefix tree: (n, n_responses), float64.

    prompts (n, P), all of the world's by default; order as in ``world.responses``. Raises ValueError for no prompts
    and for tokens outside the vocabulary.
    """
    prompts = world.prompt_tokens if prompts is None else prompts
    check_ids("prompts", prompts, model.trunk.config.n_tokens)
    return torch.cat([_all_rewards(model, world, x) for x in prompts.split(1)])


def _all_rewards(model: RewardModel, world: World, prompts: Tensor) -> Tensor:
    """A reward is read at END, or at the last word of a response that was cut off."""
    n, words = len(prompts), len(world.words)
    levels = list(walk(model.trunk, world, prompts, torch.arange(words + 1), world.max_length))
    ended = [level[:, world.end].view(n, -1) for level in levels]
    return torch.cat([*ended, levels[-1][:, :words].reshape(n, -1)], dim=1).double()
