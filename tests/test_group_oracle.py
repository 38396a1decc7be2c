"""Advantages of groups and GRPO's and RLOO's losses, in value and gradient, against frozen values of TRL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from helpers.policy_gradient import (
    clipped_policy_loss,
    group_advantages,
    grpo_loss,
    kl_estimates,
    leave_one_out,
)

TRL = json.loads((Path(__file__).parent / "data" / "variants.json").read_text(encoding="utf-8"))
TIGHT = {"float64": 1e-11, "float32": 2e-5}
PER_TOKEN = ("logps", "old_logps", "ref_logps")


def tensors(case: dict, *names: str) -> list[torch.Tensor]:
    return [torch.tensor(case[name], dtype=getattr(torch, case["dtype"])) for name in names]


def same(found: torch.Tensor, expected, tolerance: float) -> None:
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def of(case: dict) -> str:
    rows = case.get("rewards", case.get("logps"))
    clip = "-".join(f"{case[key]}" for key in ("clip_low", "clip_high") if key in case)
    return f"{case['dtype']}-{len(rows)}x{len(rows[0])}-{case.get('scale_rewards', clip)}"


# ---- advantages -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", TRL["group_advantages"], ids=of)
def test_group_advantages_agree_with_trl(case):
    """TRL's third scale, the standard deviation of the whole batch, is made from the undivided ones.

    TRL computes n/(n − 1) in float32 whatever the rewards are: seven digits are all it has where it divides.
    """
    (rewards,) = tensors(case, "rewards")
    scaling = case["scale_rewards"]
    found = group_advantages(rewards, divide=scaling == "group")
    if scaling == "batch":
        found = found / (rewards.std() + 1e-4)
    assert found.dtype == rewards.dtype
    tolerance = TIGHT[case["dtype"]] if scaling == "none" else max(1e-7, TIGHT[case["dtype"]])
    same(found, case["advantages"], tolerance)


def test_the_frozen_groups_are_of_several_sizes_and_some_have_no_signal():
    cases = TRL["group_advantages"]
    assert len({len(case["rewards"][0]) for case in cases}) >= 4
    assert any(len(set(group)) == 1 for case in cases for group in case["rewards"])
    assert {reward for case in cases for group in case["rewards"] for reward in group} >= {0.0, 1.0}


@pytest.mark.parametrize("case", TRL["rloo_advantages"], ids=of)
def test_leave_one_out_agrees_with_trl(case):
    """With β TRL takes β·k1 of the whole reply off its reward first."""
    (rewards,) = tensors(case, "rewards")
    if case["beta"] > 0:
        old_logps, ref_logps = tensors(case, "old_logps", "ref_logps")
        lengths = torch.tensor(case["lengths"]).unsqueeze(-1)
        inside = torch.arange(old_logps.shape[-1]) < lengths
        rewards = rewards - case["beta"] * ((old_logps - ref_logps) * inside).sum(-1)
    same(leave_one_out(rewards), case["advantages"], TIGHT[case["dtype"]])


# ---- losses ---------------------------------------------------------------------------------

SYMMETRIC = [case for case in TRL["grpo"] if case["clip_low"] == case["clip_high"]]
NAMES = {"grpo": "grpo", "bnpo": "dapo", "dapo": "dapo", "dr_grpo": "dr_grpo"}


@pytest.mark.parametrize("beta", ["0.0", "0.2"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", SYMMETRIC, ids=of)
def test_the_loss_agrees_with_trl_in_value_and_gradient(case, name, beta):
    logps, old_logps, ref_logps, advantages = tensors(case, *PER_TOKEN, "advantages")
    mask = torch.tensor(case["mask"])
    loss = grpo_loss(
        logps.requires_grad_(),
        old_logps,
        advantages,
        mask,
        case["clip_low"],
        NAMES[name],
        max_length=case["max_length"],
        ref_logps=ref_logps,
        beta=float(beta),
    )
    loss.backward()
    same(loss, case[name][beta]["loss"], TIGHT[case["dtype"]])
    same(logps.grad, case[name][beta]["grad"], TIGHT[case["dtype"]])


@pytest.mark.parametrize("name", ["grpo", "dapo"])
@pytest.mark.parametrize("case", SYMMETRIC, ids=of)
def test_without_beta_no_reference_and_no_length_is_needed(case, name):
    logps, old_logps, advantages = tensors(case, "logps", "old_logps", "advantages")
    loss = grpo_loss(
        logps, old_logps, advantages, torch.tensor(case["mask"]), case["clip_low"], name
    )
    same(loss, case[name]["0.0"]["loss"], TIGHT[case["dtype"]])


def test_the_frozen_ratios_reach_all_four_sides_of_the_clip():
    seen = set()
    for case in SYMMETRIC:
        logps, old_logps, advantages = tensors(case, "logps", "old_logps", "advantages")
        ratio, mask = (logps - old_logps).exp(), torch.tensor(case["mask"]).bool()
        side = (ratio > 1 + case["clip_low"]).int() - (ratio < 1 - case["clip_low"]).int()
        sign = advantages.sign().unsqueeze(1).expand_as(side)
        seen |= set(zip(side[mask].tolist(), sign[mask].tolist()))
    assert {(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 1), (0, -1)} <= seen


def test_a_higher_upper_clip_is_another_loss():
    """TRL can clip further out above than below; the loss here has one clip."""
    (case,) = [case for case in TRL["grpo"] if case not in SYMMETRIC]
    logps, old_logps, advantages = tensors(case, "logps", "old_logps", "advantages")
    mask = torch.tensor(case["mask"])
    low, high = (
        grpo_loss(logps, old_logps, advantages, mask, case[key]).item()
        for key in ("clip_low", "clip_high")
    )
    assert low != pytest.approx(case["grpo"]["0.0"]["loss"], abs=1e-3)
    assert high != pytest.approx(case["grpo"]["0.0"]["loss"], abs=1e-3)


@pytest.mark.parametrize("case", SYMMETRIC, ids=of)
def test_the_share_of_beta_is_the_mean_of_k3(case):
    logps, ref_logps = tensors(case, "logps", "ref_logps")
    k3 = kl_estimates(logps, ref_logps)[2]
    mask = torch.tensor(case["mask"]).bool()
    share = case["dapo"]["0.2"]["loss"] - case["dapo"]["0.0"]["loss"]
    assert 0.2 * k3[mask].mean().item() == pytest.approx(share, abs=TIGHT[case["dtype"]])


@pytest.mark.parametrize("case", TRL["rloo"], ids=of)
def test_the_clipped_loss_on_whole_replies_is_the_rloo_loss_of_trl(case):
    """TRL's RLOO has one ratio per reply: sums over tokens stand where tokens do in PPO."""
    logps, old_logps, advantages = tensors(case, "logps", "old_logps", "advantages")
    mask = torch.tensor(case["mask"])
    sums, old_sums = ((x * mask).sum(1, keepdim=True) for x in (logps.requires_grad_(), old_logps))
    one = torch.ones_like(sums).bool()
    loss = clipped_policy_loss(sums, old_sums, advantages.unsqueeze(1), one, case["clip_low"])
    loss.backward()
    same(loss, case["loss"], TIGHT[case["dtype"]])
    same(logps.grad, case["grad"], TIGHT[case["dtype"]])
