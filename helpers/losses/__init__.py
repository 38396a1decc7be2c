"""Every objective as one pure function: of comparisons, of tokens, of single replies.

Log-probabilities are in nats: sums over response tokens where no docstring says mean. B is the number
of pairs or examples. Every loss is a mean and returns a scalar. All raise ValueError for an empty
batch, for shapes that differ, and for NaN or infinite entries, naming the argument and the place;
also for rewards and log-probabilities that are not tensors of floating-point numbers. Labels may be
booleans or whole numbers too.
"""

from helpers.losses.pairs import (
    bradley_terry_loss,
    conservative_dpo_loss,
    dpo_loss,
    ipo_loss,
    robust_dpo_loss,
    simpo_loss,
)
from helpers.losses.tokens import mean_logps, odds_ratio_loss, orpo_loss, sft_loss
from helpers.losses.unpaired import kto_loss, reference_point

__all__ = [
    "bradley_terry_loss",
    "conservative_dpo_loss",
    "dpo_loss",
    "ipo_loss",
    "kto_loss",
    "mean_logps",
    "odds_ratio_loss",
    "orpo_loss",
    "reference_point",
    "robust_dpo_loss",
    "sft_loss",
    "simpo_loss",
]
