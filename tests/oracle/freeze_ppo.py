"""Freeze what TRL and TorchRL compute for PPO on fixed inputs into tests/data/ppo.json.

Run in an environment with requirements-oracle-ppo.txt: ``python tests/oracle/freeze_ppo.py``. It imports nothing of
ours.

- TRL 0.11.4, the last release whose PPOTrainer keeps advantages and losses in methods of their own (later ones have
  them inside ``train``, and 1.13 removed the trainer). ``compute_advantages``, ``loss`` and ``masked_whiten`` run
  here, on a trainer built without its constructor, over right-padded batches with a mask. masked_whiten adds 1e-8 to
  the variance, so its values differ from exact ones by the share 5e-9 / variance.
- TorchRL: ``generalized_advantage_estimate`` over *one* time axis, on which the responses stand one behind the other
  and every last token is ``terminated``; and ClipPPOLoss over the tokens without padding, its critic loss 'l2' with
  critic_coeff ½. It clips log ρ, and wants the bound below 1.

The two agree with each other to rounding; the script stops if they do not.
"""

from __future__ import annotations

import datetime
import json
import logging
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch
from tensordict import TensorDict
from tensordict.nn import (
    ProbabilisticTensorDictModule,
    ProbabilisticTensorDictSequential,
    TensorDictModule,
)
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value.functional import generalized_advantage_estimate
from trl.core import masked_whiten
from trl.trainer.ppo_trainer import PPOTrainer

TARGET = Path(__file__).parents[1] / "data" / "ppo.json"


def numbers(generator: torch.Generator, shape: tuple[int, ...], scale: float) -> torch.Tensor:
    """Normal numbers with three decimals (short in the file), float64."""
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    return (drawn * 1000).round() / 1000


def lengths_of(generator: torch.Generator, rows: int, width: int) -> torch.Tensor:
    """Ragged: the first row full, the second of one token, the others between."""
    lengths = torch.randint(1, width + 1, (rows,), generator=generator)
    lengths[0] = width
    lengths[1:2] = 1
    return lengths


def mask_of(lengths: torch.Tensor, width: int) -> torch.Tensor:
    return torch.arange(width) < lengths[:, None]


def trl_trainer(**config) -> PPOTrainer:
    """A PPOTrainer with just the attributes that its two methods read."""
    trainer = object.__new__(PPOTrainer)
    trainer.config = SimpleNamespace(
        whiten_rewards=False, vf_coef=1.0, ratio_threshold=float("inf"), **config
    )
    return trainer


def agree(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


# ---- advantages -----------------------------------------------------------------------------


def advantages_case(
    generator, rows: int, width: int, gamma: float, lam: float, scale: float
) -> dict:
    lengths = lengths_of(generator, rows, width)
    mask = mask_of(lengths, width)
    rewards, values = numbers(
        generator, (2, rows, width), scale
    ).unbind()  # padding holds numbers too
    _, whitened, returns = trl_trainer(gamma=gamma, lam=lam).compute_advantages(
        values, rewards, mask
    )

    value = values[mask]  # one time axis, (N,)
    following = torch.cat(
        [value[1:], value.new_tensor([7.0])]
    )  # behind a last token it is to be ignored
    last = torch.zeros_like(mask)
    last[torch.arange(rows), lengths - 1] = True
    done = last[mask][:, None]
    advantages, targets = generalized_advantage_estimate(
        gamma, lam, value[:, None], following[:, None], rewards[mask][:, None], done, done
    )
    agree(targets[:, 0], returns[mask])
    return {
        "gamma": gamma,
        "lam": lam,
        "lengths": lengths.tolist(),
        "rewards": rewards.tolist(),
        "values": values.tolist(),
        "torchrl_advantages": advantages[
            :, 0
        ].tolist(),  # tokens of all rows in their order, no padding
        "trl_returns": returns[mask].tolist(),
        "trl_whitened_advantages": whitened[mask].tolist(),
    }


# ---- whitening ------------------------------------------------------------------------------


def whiten_case(generator, rows: int, width: int, scale: float, shift: float) -> dict:
    lengths = lengths_of(generator, rows, width)
    mask = mask_of(lengths, width)
    values = numbers(generator, (rows, width), scale) + shift
    return {
        "lengths": lengths.tolist(),
        "values": values.tolist(),
        "trl_whitened": masked_whiten(values, mask)[mask].tolist(),
    }


# ---- losses ---------------------------------------------------------------------------------


class Recorded(torch.nn.Module):
    """A 'network' that answers with recorded numbers, (N,) or (N, 1), as its parameter."""

    def __init__(self, numbers: torch.Tensor):
        super().__init__()
        self.numbers = torch.nn.Parameter(numbers.clone())

    def forward(self, _):
        return self.numbers


class RecordedLogps(torch.distributions.Distribution):
    """A 'distribution' that gives every action its recorded log-probability."""

    def __init__(self, logps: torch.Tensor):
        super().__init__(logps.shape, validate_args=False)
        self.logps = logps

    def log_prob(self, _):
        return self.logps


def torchrl_losses(
    logps, old_logps, advantages, values, old_values, returns, clip: float, value_clip: float
):
    """Both losses and their gradients from vectors over tokens, (N,)."""
    policy, critic = Recorded(logps), Recorded(values[:, None])
    actor = ProbabilisticTensorDictSequential(
        TensorDictModule(policy, in_keys=["observation"], out_keys=["logps"]),
        ProbabilisticTensorDictModule(
            in_keys=["logps"], out_keys=["action"], distribution_class=RecordedLogps
        ),
    )
    objective = ClipPPOLoss(
        actor,
        TensorDictModule(critic, in_keys=["observation"], out_keys=["state_value"]),
        clip_epsilon=clip,
        clip_value=value_clip,
        loss_critic_type="l2",
        critic_coeff=0.5,
        entropy_bonus=False,
        functional=False,
    )
    objective.set_keys(sample_log_prob="old_logps")
    n = len(logps)
    batch = {
        "observation": torch.zeros(n, 1),
        "action": torch.zeros(n, 1),
        "old_logps": old_logps,
        "advantage": advantages[:, None],
        "state_value": old_values[:, None],
        "value_target": returns[:, None],
    }
    found = objective(TensorDict(batch, [n]))
    (found["loss_objective"] + found["loss_critic"]).backward()
    return (
        found["loss_objective"],
        found["loss_critic"],
        policy.numbers.grad,
        critic.numbers.grad[:, 0],
    )


def losses_case(
    generator, rows: int, width: int, clip: float, value_clip: float, spread: float
) -> dict:
    """``spread``: how far the new policy has moved, in nats per token."""
    lengths = lengths_of(generator, rows, width)
    mask = mask_of(lengths, width)
    shape = (rows, width)
    old_logps = -2 - numbers(generator, shape, 0.7).abs()
    advantages, old_values, returns = numbers(generator, (3, *shape), 1.5).unbind()
    logps = (old_logps + numbers(generator, shape, spread)).requires_grad_()
    values = (old_values + numbers(generator, shape, 0.8)).requires_grad_()
    trainer = trl_trainer(cliprange=clip, cliprange_value=value_clip)
    policy_loss, value_loss, _ = trainer.loss(
        old_logps, old_values, torch.zeros(*shape, 2), values, logps, mask, advantages, returns
    )
    (policy_loss + value_loss).backward()

    vectors = [
        x.detach()[mask] for x in (logps, old_logps, advantages, values, old_values, returns)
    ]
    second = torchrl_losses(*vectors, clip, value_clip)
    first = policy_loss, value_loss, logps.grad[mask], values.grad[mask]
    for one, other in zip(first, second):
        agree(one.detach(), other.detach())
    return {
        "clip": clip,
        "value_clip": value_clip,
        "lengths": lengths.tolist(),
        "logps": logps.tolist(),
        "old_logps": old_logps.tolist(),
        "advantages": advantages.tolist(),
        "values": values.tolist(),
        "old_values": old_values.tolist(),
        "returns": returns.tolist(),
        "policy_loss": policy_loss.item(),
        "value_loss": value_loss.item(),
        "logps_grad": logps.grad.tolist(),
        "values_grad": values.grad.tolist(),
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # TorchRL's γ · (integer flags) takes the default type
    logging.getLogger("torchrl").setLevel(logging.ERROR)
    generator = torch.Generator().manual_seed(20)
    discounts = ((1.0, 1.0), (1.0, 0.95), (0.99, 0.95), (0.9, 0.5), (0.7, 0.0), (0.0, 1.0))
    frozen = {
        "source": {
            **{
                name: version(name)
                for name in ("trl", "torchrl", "tensordict", "transformers", "torch")
            },
            "date": datetime.date.today().isoformat(),
            "made_by": "tests/oracle/freeze_ppo.py",
        },
        "advantages": [advantages_case(generator, 4, 5, *two, scale=2.0) for two in discounts]
        + [advantages_case(generator, 1, 8, 1.0, 0.95, scale=30.0)],
        "whiten": [
            whiten_case(generator, 4, 4, *two) for two in ((1.0, 0.0), (0.2, 3.0), (50.0, -400.0))
        ],
        "losses": [
            losses_case(generator, 4, 5, clip, value_clip, spread)
            for clip, value_clip, spread in (
                (0.2, 0.2, 0.3),
                (0.1, 0.5, 0.1),
                (0.5, 1.0, 1.0),
                (0.2, 0.2, 3.0),
            )
        ],
    }
    TARGET.write_text(json.dumps(frozen).replace('}, {"', '},\n{"') + "\n", encoding="utf-8")
    print(f"wrote {TARGET} ({TARGET.stat().st_size / 1024:.0f} kB) from {frozen['source']}")


if __name__ == "__main__":
    main()
