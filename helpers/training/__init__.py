"""Training loops, one file per method: (model, data, config, seed) → History, with a progress bar.

The loops train the model they are given, in place.
"""

from helpers.training.arms import side_by_side
from helpers.training.dpo import train_dpo, with_reference
from helpers.training.grpo import GRPOConfig, train_grpo
from helpers.training.kto import Thumbs, both_thumbs, one_thumb, train_kto
from helpers.training.loop import WATCH_EVERY, Config, History
from helpers.training.orpo import train_orpo
from helpers.training.ppo import PPOConfig, train_ppo
from helpers.training.reward_model import train_reward_model
from helpers.training.sft import train_sft
from helpers.training.table import fit_table

__all__ = [
    "WATCH_EVERY",
    "Config",
    "GRPOConfig",
    "History",
    "PPOConfig",
    "Thumbs",
    "both_thumbs",
    "fit_table",
    "one_thumb",
    "side_by_side",
    "train_dpo",
    "train_grpo",
    "train_kto",
    "train_orpo",
    "train_ppo",
    "train_reward_model",
    "train_sft",
    "with_reference",
]
