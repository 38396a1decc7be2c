"""The tiny GPT: ``model`` is what it is, ``fast`` are two shortcuts through it, ``logps`` what is asked of a policy.

``heads`` turns a policy into a reward model or a value model.
"""

from helpers.gpt.heads import RewardModel, ValueModel, all_rewards
from helpers.gpt.logps import all_logps, in_parts, sample, sequence_logps, token_logps
from helpers.gpt.model import Block, GPTConfig, TinyGPT, new_gpt

__all__ = [
    "Block",
    "GPTConfig",
    "RewardModel",
    "TinyGPT",
    "ValueModel",
    "all_logps",
    "all_rewards",
    "in_parts",
    "new_gpt",
    "sample",
    "sequence_logps",
    "token_logps",
]
