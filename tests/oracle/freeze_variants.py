"""Freeze what TRL computes for IPO, SimPO, ORPO, KTO, GRPO and RLOO into tests/data/variants.json.

Run in an environment with requirements-oracle.txt: ``python tests/oracle/freeze_variants.py``. It imports nothing of
ours, only ``freeze_trl`` beside it. Everything is a real method of a TRL trainer that was built without its
constructor:
- ``ipo``: DPOTrainer._compute_loss, which averages log-ratios over tokens, on responses of one token, where sum and
  mean are one; CPOTrainer.cpo_loss, which takes sums, must agree, else the script stops;
- ``simpo``, ``odds``: CPOTrainer.cpo_loss and ORPOTrainer.odds_ratio_loss (which casts to float32) on recorded means
  over tokens;
- ``pairs``: responses of several tokens under a recorded table of logits: CPOTrainer and ORPOTrainer
  .get_batch_loss_metrics, and DPOTrainer's IPO. ORPO's NLL runs over the prompt too, except for its first token: with
  prompts of one token it is the NLL of the response;
- ``kto``: KTOTrainer._compute_loss on recorded sums;
- ``kto_tokens``: the same behind KTOTrainer._prepare_dataset, which mismatches the replies, and its collator;
- ``group_advantages``, ``rloo_advantages``: ._generate_and_score_completions of GRPOTrainer and RLOOTrainer with
  recorded generations and rewards;
- ``grpo``, ``rloo``: their ._compute_loss on recorded log-probabilities per token.
The gradients are those of the loss with respect to what is recorded.
"""

from __future__ import annotations

import datetime
import json
import logging
from collections import defaultdict, deque
from pathlib import Path
from types import SimpleNamespace

import accelerate
import datasets
import torch
import transformers
import trl
from freeze_trl import METRICS, RecordedSequences, dpo_trainer, numbers, sequences_case, written
from trl import GRPOTrainer, KTOTrainer, RLOOTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference
from trl.trainer.utils import add_fused_lm_head

TARGET = Path(__file__).parents[1] / "data" / "variants.json"
FAR = 10_000.0


def bare(kind: type, **attributes):
    """A trainer of this kind with just the attributes that its methods read."""
    trainer = object.__new__(kind)
    trainer.__dict__.update(
        accelerator=accelerate.Accelerator(cpu=True),
        aux_loss_enabled=False,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
        **attributes,
    )
    return trainer


def leaf(x: torch.Tensor) -> torch.Tensor:
    return x.detach().clone().requires_grad_()


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# ---- IPO, SimPO and the odds ratio on recorded numbers ---------------------------------------


def cpo_trainer(loss_type: str, beta: float, gamma: float = 0.0, smoothing: float = 0.0):
    return bare(
        CPOTrainer,
        loss_type=loss_type,
        beta=beta,
        simpo_gamma=gamma,
        label_smoothing=smoothing,
        alpha=0.0,
        cpo_alpha=0.0,
        is_encoder_decoder=False,
        pad_token_id=0,
    )


def ipo_case(four: torch.Tensor, tau: float) -> dict:
    case = sequences_case(*four.unbind(), tau, "ipo")
    chosen, rejected = leaf(four[0]), leaf(four[1])
    losses, *_ = cpo_trainer("ipo", tau).cpo_loss(chosen - four[2], rejected - four[3])
    losses.mean().backward()
    like = {"dtype": four.dtype}
    torch.testing.assert_close(losses.mean(), torch.tensor(case["loss"], **like))
    torch.testing.assert_close(chosen.grad, torch.tensor(case["chosen_grad"], **like))
    torch.testing.assert_close(rejected.grad, torch.tensor(case["rejected_grad"], **like))
    case["tau"] = case.pop("beta")
    return case


def all_ipo(generator: torch.Generator) -> list[dict]:
    cases = []
    for dtype in ("float64", "float32"):
        for n, tau in ((1, 0.1), (2, 0.5), (7, 0.05), (4, 3.0)):
            cases.append(ipo_case(-8 + numbers(generator, (4, n), 3.0, dtype), tau))
        far = torch.zeros(4, 2, dtype=getattr(torch, dtype))
        far[0] = torch.tensor([FAR, -FAR])
        cases.append(ipo_case(far, 0.1))
    return cases


def two_case(method, chosen: torch.Tensor, rejected: torch.Tensor, sign=1, **settings) -> dict:
    """Mean of what ``method`` says first of two vectors of means over tokens, times ``sign``."""
    chosen, rejected = leaf(chosen), leaf(rejected)
    loss = sign * method(chosen, rejected)[0].mean()
    loss.backward()
    return {
        "dtype": name_of(chosen.dtype),
        **settings,
        "chosen_mean_logps": chosen.tolist(),
        "rejected_mean_logps": rejected.tolist(),
        "loss": loss.item(),
        "chosen_grad": chosen.grad.tolist(),
        "rejected_grad": rejected.grad.tolist(),
    }


def simpo_case(means: torch.Tensor, beta: float, gamma: float, smoothing: float = 0.0) -> dict:
    method = cpo_trainer("simpo", beta, gamma, smoothing).cpo_loss
    return two_case(method, *means, beta=beta, gamma=gamma, smoothing=smoothing)


def all_simpo(generator: torch.Generator) -> list[dict]:
    cases = []
    for dtype in ("float64", "float32"):
        for n, beta, gamma in ((1, 2.0, 1.0), (3, 2.5, 0.0), (6, 10.0, 5.0), (4, 0.5, 0.3)):
            means = -numbers(generator, (2, n), 1.0, dtype).abs() - 0.001
            cases.append(simpo_case(means, beta, gamma))
        cases.append(simpo_case(means, 2.0, 0.5, smoothing=0.1))
        far = torch.tensor([[-FAR, -0.5], [-0.5, -FAR]], dtype=getattr(torch, dtype))
        cases.append(simpo_case(far, 2.0, 1.0))
    return cases


def orpo_trainer(lam: float):
    return bare(ORPOTrainer, beta=lam, is_encoder_decoder=False, padding_value=0)


def all_odds(generator: torch.Generator) -> list[dict]:
    method = orpo_trainer(1.0).odds_ratio_loss  # whose "losses" are λ·log σ, without a minus
    cases = []
    for dtype in ("float64", "float32"):
        for n in (1, 5):
            means = -numbers(generator, (2, n), 1.0, dtype).abs() - 0.001
            cases.append(two_case(method, *means, sign=-1))
        ends = torch.tensor([-1e-3, -60.0, -0.7, -0.69, -2e-6], dtype=getattr(torch, dtype))
        cases.append(two_case(method, ends, ends.flip(0), sign=-1))
        cases.append(two_case(method, ends, ends.roll(1), sign=-1))
    return cases


# ---- pairs of responses under a table of logits ----------------------------------------------


class Table(torch.nn.Module):
    """A 'language model' whose logits are recorded per place and per token read there: (T, V, V)."""

    is_gradient_checkpointing = False

    def __init__(self, table: torch.Tensor):
        super().__init__()
        self.table = table
        size = table.shape[-1]
        self.head = torch.nn.Linear(size, size).to(table.dtype).requires_grad_(False)
        self.head.weight.copy_(torch.eye(size))
        self.head.bias.zero_()
        self.config = SimpleNamespace(get_text_config=SimpleNamespace)

    def logits(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.table[torch.arange(input_ids.shape[1]), input_ids]

    def base_model(self, input_ids, **_):
        return SimpleNamespace(last_hidden_state=self.logits(input_ids))

    def get_output_embeddings(self):
        return self.head

    def forward(self, input_ids, **_):
        return SimpleNamespace(logits=self.logits(input_ids))


def replies(generator, n: int, length: int, end: int) -> list[list[int]]:
    """n replies of words with END behind them; the first is cut off at the limit, the second is END alone."""
    lengths = torch.randint(length, (n,), generator=generator)
    lengths[0], lengths[1:2] = length, 0
    rows = torch.randint(end, (n, length), generator=generator)
    rows = torch.where(torch.arange(length) < lengths[:, None], rows, end).tolist()
    return [written(row, end) for row in rows]


def padded_pairs(prompts, chosen, rejected) -> dict:
    """The batch that CPO and ORPO read: one side at a time, padded to its longest, the prompt without labels."""
    batch = {}
    for side, rows in (("chosen", chosen), ("rejected", rejected)):
        full = [torch.tensor(x + y) for x, y in zip(prompts, rows)]
        labels = [torch.tensor([-100] * len(x) + y) for x, y in zip(prompts, rows)]
        pad = torch.nn.utils.rnn.pad_sequence
        batch[f"{side}_input_ids"] = pad(full, True, 0)
        batch[f"{side}_attention_mask"] = pad([torch.ones_like(x) for x in full], True, 0)
        batch[f"{side}_labels"] = pad(labels, True, -100)
    return batch


def pairs_case(generator, pairs: int, prompt_length: int, length: int, size: int) -> dict:
    end, beta, gamma, lam, tau = size - 1, 2.0, 0.7, 0.25, 0.4
    prompts = torch.randint(size, (pairs, prompt_length), generator=generator).tolist()
    chosen = replies(generator, pairs, length, end)
    rejected = replies(generator, pairs, length, end)[::-1]
    shape = (prompt_length + length, size, size)
    table = leaf(numbers(generator, shape, 1.5, "float64"))
    ref_table = numbers(generator, shape, 1.5, "float64")

    def found(loss: torch.Tensor) -> dict:
        (gradient,) = torch.autograd.grad(loss, table)
        return {"loss": loss.item(), "grad": gradient.tolist()}

    results = {}
    batch = padded_pairs(prompts, chosen, rejected)
    simpo = cpo_trainer("simpo", beta, gamma)
    results["simpo"] = found(simpo.get_batch_loss_metrics(Table(table), batch)[0])
    loss, metrics = orpo_trainer(lam).get_batch_loss_metrics(Table(table), batch)
    results["orpo"] = {**found(loss), "nll": metrics["nll_loss"]}

    inputs = DataCollatorForPreference(pad_token_id=0)(
        [
            {"prompt_ids": x, "chosen_ids": w, "rejected_ids": l}
            for x, w, l in zip(prompts, chosen, rejected)
        ]
    )
    model, ref_model = Table(table), Table(ref_table)
    add_fused_lm_head(model, outputs=METRICS)
    add_fused_lm_head(ref_model)
    loss = dpo_trainer(model, ref_model, tau, "ipo")._compute_loss(model, dict(inputs), False)
    results["ipo_of_means"] = found(loss)
    return {
        "beta": beta,
        "gamma": gamma,
        "lam": lam,
        "tau": tau,
        "prompts": prompts,
        "chosen": chosen,
        "rejected": rejected,
        "table": table.tolist(),
        "ref_table": ref_table.tolist(),
        **results,
    }


# ---- KTO ------------------------------------------------------------------------------------


def kto_trainer(model, ref_model, beta: float, weights: tuple[float, float]):
    return bare(
        KTOTrainer,
        model=model,
        ref_model=ref_model,
        precompute_ref_logps=ref_model is None,
        calculate_KL=True,
        loss_type="kto",
        beta=beta,
        desirable_weight=weights[0],
        undesirable_weight=weights[1],
        args=SimpleNamespace(gradient_checkpointing_kwargs=None),
    )


class RecordedExamples(torch.nn.Module):
    """Two RecordedSequences: for matched sequences (tokens 0) and for mismatched ones (tokens 1)."""

    def __init__(self, matched: torch.Tensor, mismatched: torch.Tensor):
        super().__init__()
        self.both = RecordedSequences(matched), RecordedSequences(mismatched)

    def forward(self, input_ids, **_):
        return self.both[input_ids[0, 0]]()


def kto_case(
    four: torch.Tensor, liked: list[bool], beta: float, weights: tuple[float, float]
) -> dict:
    """four (4, B): log π_θ and log π_ref of the replies, then of the mismatched ones."""
    logps, mismatched = leaf(four[0]), leaf(four[2])
    n = len(liked)
    model = RecordedExamples(logps, mismatched)
    inputs = {"label": torch.tensor(liked), "ref_logps": four[1], "ref_KL_logps": four[3]}
    for prefix, token in (("", 0), ("KL_", 1)):
        inputs |= {
            f"{prefix}input_ids": torch.full((n, 2), token),
            f"{prefix}attention_mask": torch.ones(n, 2, dtype=torch.long),
            f"{prefix}completion_mask": torch.tensor([[0, 1]]).repeat(n, 1),
        }
    trainer = kto_trainer(model, None, beta, weights)
    loss = trainer._compute_loss(model, inputs, False)
    loss.backward()
    assert mismatched.grad is None, "the reference point carries no gradient"
    names = "logps", "ref_logps", "mismatched_logps", "mismatched_ref_logps"
    return {
        "dtype": name_of(four.dtype),
        "beta": beta,
        "liked_weight": weights[0],
        "disliked_weight": weights[1],
        "liked": liked,
        **{name: row.tolist() for name, row in zip(names, four)},
        "reference_point": trainer._metrics["train"]["kl"][0],
        "loss": loss.item(),
        "grad": logps.grad.tolist(),
    }


def all_kto(generator: torch.Generator) -> list[dict]:
    settings = [
        ([True], 0.1, (1.0, 1.0)),
        ([False], 0.5, (1.0, 0.7)),
        ([True, False, False, True, True], 0.3, (1.0, 1.0)),
        ([True, False, False, False, False, False, True], 0.1, (1.33, 0.4)),
        ([True, True, True], 1.0, (0.5, 2.0)),  # one kind only
        ([False, False], 1.0, (0.5, 2.0)),
    ]
    cases = []
    for dtype in ("float64", "float32"):
        for liked, beta, weights in settings:
            for lift in (-3.0, 3.0):  # to either side of the clamp at 0
                four = -8 + numbers(generator, (4, len(liked)), 2.0, dtype)
                four[2] += lift
                cases.append(kto_case(four, liked, beta, weights))
        far = torch.zeros(4, 4, dtype=getattr(torch, dtype))
        far[0] = torch.tensor([FAR, -FAR, FAR, -FAR])
        cases.append(kto_case(far, [True, True, False, False], 0.5, (1.0, 1.0)))
    return cases


class Digits:
    """Text of digits, one token each: the tokenizer that KTOTrainer._prepare_dataset needs."""

    def __init__(self, end: int):
        self.eos_token = str(end)

    def __call__(self, text: str) -> dict:
        return {"input_ids": [int(digit) for digit in text]}


def as_text(row: list[int]) -> str:
    return "".join(str(token) for token in row)


def kto_tokens_case(generator, examples: int, prompt_length: int, length: int, size: int) -> dict:
    end, beta, weights = size - 1, 0.5, (1.2, 0.8)
    prompts = torch.randint(size, (examples, prompt_length), generator=generator).tolist()
    # TRL puts END behind every reply that lacks it, so none is cut off here
    answers = [row[: length - 1] for row in replies(generator, examples, length, end)]
    answers = [row if row[-1:] == [end] else [*row, end] for row in answers]
    liked = [i % 3 != 1 for i in range(examples)]
    shape = (prompt_length + length, size, size)
    table = leaf(numbers(generator, shape, 1.0, "float64"))
    ref_table = numbers(generator, shape, 1.0, "float64")
    model, ref_model = Table(table), Table(ref_table)
    add_fused_lm_head(model, outputs=METRICS)
    add_fused_lm_head(ref_model)
    trainer = kto_trainer(model, ref_model, beta, weights)
    trainer._tokenizer = Digits(end)
    prepared = trainer._prepare_dataset(
        datasets.Dataset.from_dict(
            {
                "prompt": [as_text(x) for x in prompts],
                "completion": [as_text(y) for y in answers],
                "label": liked,
            }
        ),
        trainer._tokenizer,
        SimpleNamespace(
            dataset_num_proc=None, max_length=None, per_device_train_batch_size=examples
        ),
        "train",
    )
    rows = [dict(row) for row in prepared]
    assert [row["completion_ids"] for row in rows] == answers
    inputs = DataCollatorForUnpairedPreference(pad_token_id=0)(rows)
    loss = trainer._compute_loss(model, dict(inputs), False)
    (gradient,) = torch.autograd.grad(loss, table)
    return {
        "beta": beta,
        "liked_weight": weights[0],
        "disliked_weight": weights[1],
        "liked": liked,
        "prompts": prompts,
        "answers": answers,
        "mismatched": [row["KL_completion_ids"] for row in rows],
        "table": table.tolist(),
        "ref_table": ref_table.tolist(),
        "reference_point": trainer._metrics["train"]["kl"][0],
        "loss": loss.item(),
        "grad": gradient.tolist(),
    }


# ---- advantages of groups -------------------------------------------------------------------


def scored(kind: type, rewards: torch.Tensor, old=None, ref=None, lengths=None, **settings):
    """Advantages (groups · size,) of recorded rewards (groups, size), row by row.

    old, ref (B, T): recorded log-probabilities of the replies, of these lengths, where β is not 0.
    """
    n, size = rewards.numel(), rewards.shape[1]
    lengths = [1] * n if lengths is None else lengths
    model, ref_model = torch.nn.Module(), torch.nn.Module()
    model.is_gradient_checkpointing = False
    recorded = {
        id(model): torch.zeros(n, max(lengths), dtype=rewards.dtype) if old is None else old,
        id(ref_model): ref,
    }
    tokens = [[1] * length for length in lengths]
    generated = [[1]] * n, tokens, ["y"] * n
    if kind is GRPOTrainer:
        generated = [[1]] * n, tokens, None, ["y"] * n, None, {}, None, None
    trainer = bare(
        kind,
        model=model,
        ref_model=ref_model,
        environment_factories=None,
        environments=None,
        tools=[],
        use_vllm=False,
        _tokenizer=SimpleNamespace(pad_token_id=0),
        pad_to_multiple_of=None,
        mask_truncated_completions=False,
        num_iterations=1,
        num_generations=size,
        beta=settings.pop("beta", 0.0),
        reward_funcs=[None],
        reward_func_names=["reward"],
        reward_weights=torch.ones(1),
        args=SimpleNamespace(
            per_device_train_batch_size=n,
            gradient_checkpointing_kwargs=None,
            steps_per_generation=1,
            gradient_accumulation_steps=1,
        ),
        log_multimodal=False,
        _logs={
            "prompt": deque(),
            "completion": deque(),
            "rewards": defaultdict(deque),
            "advantages": deque(),
            "extra": defaultdict(deque),
        },
        _pending_extra_logs={},
        _pending_metrics={},
        _generate=lambda prompts: generated,
        _calculate_rewards=lambda *_: rewards.reshape(-1, 1),
        _get_per_token_logps_and_entropies=lambda model, *_, **__: (
            recorded[id(model)],
            None,
            None,
        ),
        **settings,
    )
    return trainer._generate_and_score_completions([{"prompt": "x"}] * n)


def all_group_advantages(generator: torch.Generator) -> list[dict]:
    cases = []
    for dtype in ("float64", "float32"):
        for groups, size, scale in ((1, 2, 1.0), (3, 4, 2.0), (2, 8, 30.0), (2, 3, 0.01)):
            rewards = numbers(generator, (groups, size), scale, dtype)
            if groups > 1:
                rewards[0] = rewards[0, 0]  # a group in which nothing varies
            if size == 8:
                rewards = (rewards > 0).to(rewards.dtype)  # right or wrong
            for scaling in ("group", "none", "batch"):
                found = scored(
                    GRPOTrainer,
                    rewards,
                    scale_rewards=scaling,
                    multi_objective_aggregation="sum_then_normalize",
                )
                cases.append(
                    {
                        "dtype": dtype,
                        "scale_rewards": scaling,
                        "rewards": rewards.tolist(),
                        "advantages": found["advantages"].view(groups, size).tolist(),
                    }
                )
    return cases


def all_rloo_advantages(generator: torch.Generator) -> list[dict]:
    cases = []
    for dtype in ("float64", "float32"):
        for groups, size in ((1, 2), (3, 4), (2, 8)):
            for beta in (0.0, 0.1):
                rewards = numbers(generator, (groups, size), 2.0, dtype)
                lengths = 1 + torch.randint(3, (groups * size,), generator=generator)
                lengths[0] = 3
                old, ref = -1 + numbers(generator, (2, groups * size, 3), 0.5, dtype)
                found = scored(
                    RLOOTrainer,
                    rewards,
                    old,
                    ref,
                    lengths.tolist(),
                    beta=beta,
                    reward_clip_range=None,
                    normalize_advantages=False,
                )
                case = {"dtype": dtype, "beta": beta, "rewards": rewards.tolist()}
                if beta:
                    case |= {
                        "lengths": lengths.view(groups, size).tolist(),
                        "old_logps": old.view(groups, size, 3).tolist(),
                        "ref_logps": ref.view(groups, size, 3).tolist(),
                    }
                advantages = found["advantages"].view(groups, size).tolist()
                cases.append({**case, "advantages": advantages})
    return cases


# ---- losses of groups -----------------------------------------------------------------------


def batch_of(logps, mask, advantages, old_logps) -> tuple[torch.Tensor, dict]:
    n = len(mask)
    return leaf(logps), {
        "prompt_ids": torch.ones(n, 1, dtype=torch.long),
        "prompt_mask": torch.ones(n, 1, dtype=torch.long),
        "completion_ids": torch.ones_like(mask),
        "completion_mask": mask,
        "advantages": advantages,
        "old_per_token_logps": old_logps,
        "num_items_in_batch": mask.sum(),
    }


def passed_on(logps: torch.Tensor):
    """What stands for the forward pass: the recorded log-probabilities; entropies are for the log only."""
    return lambda *_, **__: (logps, torch.zeros_like(logps.detach()), None)


GRPO_LOSSES = ("grpo", "bnpo", "dapo", "dr_grpo")


def grpo_case(generator, dtype: str, shape: tuple[int, int], steps_off: float, clip) -> dict:
    """steps_off: standard deviation of log ρ per token; clip: lower and upper ε."""
    rows, width = shape
    mask = mask_of(generator, rows, width)
    old_logps = -1.5 + numbers(generator, shape, 0.5, dtype)
    logps = old_logps + numbers(generator, shape, steps_off, dtype)
    logps = ((logps * 1000).round() / 1000).to(old_logps.dtype)
    ref_logps = -1.5 + numbers(generator, shape, 0.5, dtype)
    advantages = numbers(generator, (rows,), 1.0, dtype).abs()
    advantages[1::2] *= -1
    results = {}
    for loss_type in GRPO_LOSSES:
        for beta in (0.0, 0.2):
            given, inputs = batch_of(logps, mask, advantages, old_logps)
            inputs["ref_per_token_logps"] = ref_logps
            trainer = bare(
                GRPOTrainer,
                model=torch.nn.Module(),
                top_entropy_quantile=1.0,
                off_policy_mask_threshold=None,
                importance_sampling_level="token",
                beta=beta,
                loss_type=loss_type,
                epsilon_low=clip[0],
                epsilon_high=clip[1],
                use_vllm=False,
                max_completion_length=width + 2,
                current_gradient_accumulation_steps=1,
                _entropy_bonus_enabled=False,
                args=SimpleNamespace(
                    delta=None, use_bias_correction_kl=False, steps_per_generation=1
                ),
                _get_per_token_logps_and_entropies=passed_on(given),
            )
            loss = trainer._compute_loss(trainer.model, inputs)
            loss.backward()
            results.setdefault(loss_type, {})[str(beta)] = {
                "loss": loss.item(),
                "grad": given.grad.tolist(),
            }
    return {
        "dtype": dtype,
        "clip_low": clip[0],
        "clip_high": clip[1],
        "max_length": width + 2,
        "mask": mask.tolist(),
        "advantages": advantages.tolist(),
        "logps": logps.tolist(),
        "old_logps": old_logps.tolist(),
        "ref_logps": ref_logps.tolist(),
        **results,
    }


def mask_of(generator, rows: int, width: int) -> torch.Tensor:
    """Ones, at least one, then zeros: the first row full, the second of one token."""
    lengths = torch.randint(1, width + 1, (rows,), generator=generator)
    lengths[0], lengths[1:2] = width, 1
    return (torch.arange(width) < lengths[:, None]).long()


def all_grpo(generator: torch.Generator) -> list[dict]:
    return [
        grpo_case(generator, "float64", (4, 3), 0.0, (0.2, 0.2)),  # on policy: every ratio is 1
        grpo_case(generator, "float64", (6, 4), 0.1, (0.2, 0.2)),
        grpo_case(generator, "float64", (6, 4), 0.6, (0.2, 0.2)),  # most tokens beyond the clip
        grpo_case(generator, "float64", (8, 4), 0.6, (0.2, 0.5)),
        grpo_case(generator, "float64", (1, 1), 0.4, (0.1, 0.1)),
        grpo_case(generator, "float32", (6, 4), 0.3, (0.2, 0.2)),
    ]


def rloo_case(generator, dtype: str, shape: tuple[int, int], steps_off: float, clip) -> dict:
    rows, width = shape
    mask = mask_of(generator, rows, width)
    old_logps = -1.5 + numbers(generator, shape, 0.5, dtype)
    logps = ((old_logps + numbers(generator, shape, steps_off, dtype)) * 1000).round() / 1000
    advantages = numbers(generator, (rows,), 1.0, dtype)
    given, inputs = batch_of(logps, mask, advantages, None)
    inputs["old_logps"] = (old_logps * mask).sum(1)
    trainer = bare(
        RLOOTrainer,
        model=torch.nn.Module(),
        epsilon_low=clip[0],
        epsilon_high=clip[1],
        _get_per_token_logps_and_entropies=passed_on(given),
    )
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    return {
        "dtype": dtype,
        "clip_low": clip[0],
        "clip_high": clip[1],
        "mask": mask.tolist(),
        "advantages": advantages.tolist(),
        "logps": logps.tolist(),
        "old_logps": old_logps.tolist(),
        "loss": loss.item(),
        "grad": given.grad.tolist(),
    }


def all_rloo(generator: torch.Generator) -> list[dict]:
    return [
        rloo_case(generator, dtype, (6, 4), steps_off, (0.2, 0.2))
        for dtype in ("float64", "float32")
        for steps_off in (0.0, 0.05, 0.4)
    ]


def main() -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    datasets.disable_caching()
    datasets.disable_progress_bars()
    generator = torch.Generator().manual_seed(27)
    frozen = {
        "source": {
            "trl": trl.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "date": datetime.date.today().isoformat(),
            "made_by": "tests/oracle/freeze_variants.py",
        },
        "ipo": all_ipo(generator),
        "simpo": all_simpo(generator),
        "odds": all_odds(generator),
        "pairs": [
            pairs_case(generator, pairs=3, prompt_length=1, length=4, size=5),
            pairs_case(generator, pairs=4, prompt_length=3, length=3, size=4),
        ],
        "kto": all_kto(generator),
        "kto_tokens": [
            kto_tokens_case(generator, examples=4, prompt_length=2, length=4, size=5),
            kto_tokens_case(generator, examples=3, prompt_length=1, length=3, size=4),
        ],
        "group_advantages": all_group_advantages(generator),
        "rloo_advantages": all_rloo_advantages(generator),
        "grpo": all_grpo(generator),
        "rloo": all_rloo(generator),
    }
    TARGET.write_text(json.dumps(frozen).replace('}, {"', '},\n{"') + "\n", encoding="utf-8")
    print(f"wrote {TARGET} ({TARGET.stat().st_size / 1024:.0f} kB) from TRL {trl.__version__}")


if __name__ == "__main__":
    main()
