"""Freeze what TRL computes on fixed inputs into tests/data/trl.json: losses and their gradients.

Run in an environment with requirements-oracle.txt: ``python tests/oracle/freeze_trl.py``. It imports nothing of ours.

TRL's losses are methods of its trainers, so the real methods run here on trainers built without their constructors:
- ``sequences``: DPOTrainer._compute_loss, fed with recorded log-probabilities of whole responses;
- ``tokens``: the same behind TRL's collator and its own LM head (shift, mask, log-softmax), fed with recorded logits;
- ``rewards``: RewardTrainer.compute_loss, fed with recorded rewards.
TRL has no soft labels. Its 'aot' loss on a batch of one pair is −(1 − ε) log σ(βh) − ε log σ(−βh), which is DPO with
the label 1 − ε: that gives ``soft``. Its 'robust' loss is the one corrected for flips.
"""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import accelerate
import torch
import transformers
import trl
from trl import DPOTrainer, RewardTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import add_fused_lm_head

TARGET = Path(__file__).parents[1] / "data" / "trl.json"
METRICS = ("log_probs", "entropy", "mean_logits", "is_top1")


def dpo_trainer(
    model, ref_model, beta: float, loss_type: str, label_smoothing: float = 0.0
) -> DPOTrainer:
    """A DPOTrainer with just the attributes that ``_compute_loss`` reads."""
    trainer = object.__new__(DPOTrainer)
    trainer.__dict__.update(
        model=model,
        ref_model=ref_model,
        precompute_ref_logps=ref_model is None,
        accelerator=accelerate.Accelerator(cpu=True),
        args=SimpleNamespace(gradient_checkpointing_kwargs=None),
        beta=beta,
        loss_types=[loss_type],
        loss_weights=[1.0],
        label_smoothing=label_smoothing,
        f_divergence_type="reverse_kl",
        aux_loss_enabled=False,
        use_weighting=False,
        ld_alpha=None,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    return trainer


def numbers(
    generator: torch.Generator, shape: tuple[int, ...], scale: float, dtype: str
) -> torch.Tensor:
    """Normal numbers with three decimals (short in the file), exact in ``dtype``."""
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    return ((drawn * 1000).round() / 1000).to(getattr(torch, dtype))


# ---- log-probabilities of whole responses ---------------------------------------------------


class RecordedSequences(torch.nn.Module):
    """Returns one recorded log-probability per response as if it were its only token."""

    def __init__(self, logps: torch.Tensor):
        super().__init__()
        self.logps = logps  # (2B,)

    def forward(self, **_):
        column = self.logps.unsqueeze(1)
        zeros = torch.zeros_like(column.detach())
        return SimpleNamespace(
            log_probs=column, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool()
        )


def sequences_case(
    chosen, rejected, ref_chosen, ref_rejected, beta, loss_type="sigmoid", label_smoothing=0.0
) -> dict:
    chosen, rejected = chosen.clone().requires_grad_(), rejected.clone().requires_grad_()
    model = RecordedSequences(torch.cat([chosen, rejected]))
    n = 2 * len(chosen)
    inputs = {
        "input_ids": torch.zeros(n, 2, dtype=torch.long),
        "attention_mask": torch.ones(n, 2, dtype=torch.long),
        "completion_mask": torch.tensor([[0, 1]]).repeat(n, 1),
        "ref_chosen_logps": ref_chosen,
        "ref_rejected_logps": ref_rejected,
    }
    loss = dpo_trainer(model, None, beta, loss_type, label_smoothing)._compute_loss(
        model, inputs, False
    )
    loss.backward()
    return {
        "dtype": str(chosen.dtype).removeprefix("torch."),
        "beta": beta,
        "chosen_logps": chosen.tolist(),
        "rejected_logps": rejected.tolist(),
        "ref_chosen_logps": ref_chosen.tolist(),
        "ref_rejected_logps": ref_rejected.tolist(),
        "loss": loss.item(),
        "chosen_grad": chosen.grad.tolist(),
        "rejected_grad": rejected.grad.tolist(),
    }


def all_sequences(generator: torch.Generator) -> list[dict]:
    cases = []
    for dtype in ("float64", "float32"):
        for n, beta in ((1, 0.1), (2, 0.05), (5, 0.5), (8, 1.0), (33, 0.3), (4, 5.0)):
            means = -8 + numbers(generator, (4, n), 3.0, dtype)
            cases.append(sequences_case(*means.unbind(), beta))
    for gap in (1e4, -1e4):  # the loss must neither overflow nor lose its gradient
        far = torch.tensor([gap, 0.0, gap / 2], dtype=torch.float64)
        zero = torch.zeros_like(far)
        cases.append(sequences_case(far, zero, zero, zero, 1.0))
    return cases


def all_soft(generator: torch.Generator) -> list[dict]:
    cases = []
    for label in (0.0, 0.1, 0.5, 0.75, 0.9, 1.0):
        for beta in (0.1, 1.0):
            pair = -8 + numbers(generator, (4, 1), 3.0, "float64")
            cases.append({**sequences_case(*pair.unbind(), beta, "aot", 1 - label), "label": label})
    return cases


def all_robust(generator: torch.Generator) -> list[dict]:
    cases = []
    for epsilon in (0.0, 0.1, 0.3, 0.45):
        for n, beta in ((1, 1.0), (5, 0.1)):
            four = -8 + numbers(generator, (4, n), 3.0, "float64")
            cases.append(
                {**sequences_case(*four.unbind(), beta, "robust", epsilon), "epsilon": epsilon}
            )
    return cases


# ---- token logits ---------------------------------------------------------------------------


class RecordedLogits(torch.nn.Module):
    """A 'language model' whose last hidden states are recorded logits, under a head that passes them on.

    logits (2B, T, V), where position t scores the token at t + 1. TRL's own head does the rest.
    """

    is_gradient_checkpointing = False

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = logits
        size = logits.shape[-1]
        self.head = torch.nn.Linear(size, size).to(logits.dtype).requires_grad_(False)
        self.head.weight.copy_(torch.eye(size))
        self.head.bias.zero_()
        self.config = SimpleNamespace(get_text_config=SimpleNamespace)

    def base_model(self, input_ids, **_):
        return SimpleNamespace(last_hidden_state=self.logits[:, : input_ids.shape[1]])

    def get_output_embeddings(self):
        return self.head

    def forward(self, **_):
        raise NotImplementedError("replaced by add_fused_lm_head")


def responses_of(generator: torch.Generator, n: int, length: int, end: int) -> torch.Tensor:
    """n rows of words, then END to the limit; the first is cut off at the limit, the second is empty."""
    rows = torch.randint(end, (n, length), generator=generator)
    lengths = torch.randint(length + 1, (n,), generator=generator)
    lengths[0] = length
    lengths[1:2] = 0
    return torch.where(torch.arange(length) < lengths[:, None], rows, end)


def written(row: list[int], end: int) -> list[int]:
    """What the policy emitted: the words and the END that it chose; none where it was cut off."""
    return row[: row.index(end) + 1] if end in row else row


def tokens_case(
    generator, pairs: int, prompt_length: int, length: int, size: int, beta: float
) -> dict:
    end = size - 1
    prompts = torch.randint(size, (pairs, prompt_length), generator=generator)
    chosen = responses_of(generator, pairs, length, end)
    rejected = responses_of(generator, pairs, length, end).roll(1, dims=0)
    shape = (2 * pairs, prompt_length + length, size)
    logits = numbers(generator, shape, 1.5, "float64").requires_grad_()
    ref_logits = numbers(generator, shape, 1.5, "float64")
    inputs = DataCollatorForPreference(pad_token_id=end)(
        [
            {"prompt_ids": x, "chosen_ids": written(w, end), "rejected_ids": written(l, end)}
            for x, w, l in zip(prompts.tolist(), chosen.tolist(), rejected.tolist())
        ]
    )
    results = {}
    for loss_type in ("sigmoid", "sigmoid_norm", "sft"):
        model, ref_model = RecordedLogits(logits), RecordedLogits(ref_logits)
        add_fused_lm_head(model, outputs=METRICS)
        add_fused_lm_head(ref_model)
        loss = dpo_trainer(model, ref_model, beta, loss_type)._compute_loss(
            model, dict(inputs), False
        )
        (gradient,) = torch.autograd.grad(loss, logits)
        results[loss_type] = {"loss": loss.item(), "grad": gradient.tolist()}
    del results["sigmoid_norm"]["grad"]  # kept as a contrast in value: DPO on the mean over tokens
    return {
        "beta": beta,
        "end": end,
        "prompts": prompts.tolist(),
        "chosen": chosen.tolist(),
        "rejected": rejected.tolist(),
        "logits": logits.tolist(),
        "ref_logits": ref_logits.tolist(),
        **results,
    }


# ---- rewards --------------------------------------------------------------------------------


def rewards_case(generator: torch.Generator, n: int, scale: float, dtype: str) -> dict:
    chosen, rejected = numbers(generator, (2, n), scale, dtype).unbind()
    chosen, rejected = chosen.clone().requires_grad_(), rejected.clone().requires_grad_()
    model = torch.nn.Module()
    model.forward = lambda **_: SimpleNamespace(logits=torch.cat([chosen, rejected]).unsqueeze(1))
    trainer = object.__new__(RewardTrainer)
    trainer.__dict__.update(
        model=model,
        accelerator=accelerate.Accelerator(cpu=True),
        args=SimpleNamespace(center_rewards_coefficient=None),
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    inputs = {"input_ids": torch.zeros(2 * n, 1), "attention_mask": torch.ones(2 * n, 1)}
    loss = trainer.compute_loss(model, inputs)
    loss.backward()
    return {
        "dtype": dtype,
        "chosen_rewards": chosen.tolist(),
        "rejected_rewards": rejected.tolist(),
        "loss": loss.item(),
        "chosen_grad": chosen.grad.tolist(),
        "rejected_grad": rejected.grad.tolist(),
    }


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(20)
    frozen = {
        "source": {
            "trl": trl.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "date": datetime.date.today().isoformat(),
            "made_by": "tests/oracle/freeze_trl.py",
        },
        "sequences": all_sequences(generator),
        "soft": all_soft(generator),
        "tokens": [
            tokens_case(generator, pairs=2, prompt_length=2, length=4, size=11, beta=0.1),
            tokens_case(generator, pairs=3, prompt_length=1, length=3, size=5, beta=1.0),
            tokens_case(generator, pairs=4, prompt_length=3, length=4, size=7, beta=0.5),
        ],
        "rewards": [
            rewards_case(generator, n, scale, dtype)
            for n, scale in ((1, 1.0), (6, 3.0), (20, 30.0))
            for dtype in ("float64", "float32")
        ],
        "robust": all_robust(generator),
    }
    TARGET.write_text(json.dumps(frozen).replace('}, {"', '},\n{"') + "\n", encoding="utf-8")
    print(f"wrote {TARGET} ({TARGET.stat().st_size / 1024:.0f} kB) from TRL {trl.__version__}")


if __name__ == "__main__":
    main()
