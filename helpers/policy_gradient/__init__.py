"""The pieces of PPO and GRPO and the estimators of a KL, each as one pure function.

For most of them a batch is B responses of at most T tokens. Everything per token has shape (B, T);
mask (B, T) is true on the tokens that the policy chose, which stand first in each row.
Log-probabilities are in nats, rewards, values and advantages in units of reward. What is outside the
mask is never read: it may be infinite or NaN, and its gradient is 0. All that take a mask raise
ValueError for shapes that differ, for a row of the mask that is empty or has a gap, for a mask of
other numbers than 0 and 1, for tensors of other than floating-point numbers, and for NaN or infinite
entries inside the mask, naming the argument and the place.
"""

from helpers.policy_gradient.groups import group_advantages, grpo_loss, leave_one_out, pass_at_k
from helpers.policy_gradient.kl import kl_estimates
from helpers.policy_gradient.ppo import clipped_policy_loss, clipped_value_loss, gae, whiten

__all__ = [
    "clipped_policy_loss",
    "clipped_value_loss",
    "gae",
    "group_advantages",
    "grpo_loss",
    "kl_estimates",
    "leave_one_out",
    "pass_at_k",
    "whiten",
]
