"""One batch used again and again: how far the policy walks from its author (section 4.3)."""

from __future__ import annotations

import copy

import torch

from helpers.gpt import all_logps, sample, token_logps
from helpers.lesson import random, reference
from helpers.policies import expected, kl
from helpers.policy_gradient import clipped_policy_loss, gae, whiten
from helpers.world import EXACT


def reuse_batch(
    clip: float, marks: tuple[int, ...], n: int = 128, lr: float = 5e-4
) -> dict[str, list[float]]:
    """Steps of AdamW on PPO's clipped loss over one batch of n replies of π_ref, with gold rewards.

    No KL penalty; advantages have λ = 0.95, values of zero, and are whitened. Returns what was seen
    at each mark, a number of steps: 'ratio', the largest π/π_old of a token; 'outside', the share
    of ratios outside 1 ± 0.2; 'KL', the exact KL(π‖π_old) in nats, and 'gold', both over every
    third prompt; 'sampled', the mean of log π_old/π over the batch's tokens in nats. Raises
    ValueError for no marks, and for a clip that is not finite and above 0.
    """
    if not marks or min(marks) < 0:
        raise ValueError(f"marks {marks}: expected at least one number of steps, 0 or above")
    policy, ref_logps = reference()
    asked = EXACT.draw_prompts(n, random(161))
    prompts = EXACT.prompt_tokens[asked]
    y = sample(policy, EXACT, prompts, random(162))
    mask, some = EXACT.mask(y), torch.arange(0, len(EXACT.prompts), 3)
    with torch.no_grad():
        old = token_logps(policy, prompts, y)
    earned = torch.zeros(mask.shape)
    earned[torch.arange(n), mask.sum(1) - 1] = EXACT.rewards(asked, y).float()
    advantages = whiten(gae(earned, torch.zeros_like(earned), mask, 1.0, 0.95)[0], mask)
    student, seen = copy.deepcopy(policy), []
    optimizer = torch.optim.AdamW(student.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0)
    for step in range(max(marks) + 1):
        logps = token_logps(student, prompts, y)
        if step in marks:
            log_ratio = (logps - old).detach()[mask].double()
            ratio = log_ratio.exp()
            with torch.no_grad():
                now = all_logps(student, EXACT, EXACT.prompt_tokens[some])
            spent, gold = kl(now, ref_logps[some]).mean(), expected(now, EXACT.gold[some]).mean()
            seen.append(
                (
                    ratio.max(),
                    ((ratio - 1).abs() > 0.2).double().mean(),
                    spent,
                    gold,
                    -log_ratio.mean(),
                )
            )
        optimizer.zero_grad()
        clipped_policy_loss(logps, old, advantages, mask, clip).backward()
        optimizer.step()
    return dict(zip(("ratio", "outside", "KL", "gold", "sampled"), torch.tensor(seen).T.tolist()))
