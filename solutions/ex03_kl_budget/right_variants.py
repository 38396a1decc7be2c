"""Exercise 3, policy shift under a KL budget: right answers written otherwise than the reference."""

from __future__ import annotations

import math

import numpy as np
import torch

from solutions.ex03_kl_budget import answers


def shift_loop(ref, rewards, beta):
    """Plain Python, response by response; lists."""
    policies, kls = [], []
    for row, rewarded in zip(ref.tolist(), rewards.tolist()):
        top = max(r for p, r in zip(row, rewarded) if p > 0)
        weights = [p * math.exp((r - top) / beta) if p > 0 else 0.0 for p, r in zip(row, rewarded)]
        total = sum(weights)
        policies.append([w / total for w in weights])
        kls.append(sum(q * math.log(q / p) for q, p in zip(policies[-1], row) if q > 0))
    return policies, kls


def shift_numpy(ref, rewards, beta):
    """Arrays; a list of two instead of a tuple."""
    ref = ref.astype(np.float64)
    scores = np.where(ref > 0, rewards / beta, -np.inf)
    weights = ref * np.exp(scores - scores.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    ratio = np.divide(policy, ref, out=np.ones(ref.shape), where=(policy > 0) & (ref > 0))
    return [policy, (policy * np.log(ratio)).sum(axis=1)]


def shift_by_log_z(ref, rewards, beta):
    """Torch, single precision where the rewards allow it; KL = E_π[r]/β − log Z, a shorter way to the same number."""
    top = rewards.amax(-1, keepdim=True)
    log_z = ((rewards - top) / beta + ref.log()).logsumexp(-1, keepdim=True)
    policy = ((rewards - top) / beta + ref.log() - log_z).exp()
    return policy, (policy * (rewards - top) / beta).sum(-1) - log_z.squeeze(-1)


def shift_distributions(ref, rewards, beta):
    """By torch.distributions."""
    keep = ref > 0
    logits = torch.where(
        keep,
        ref.clamp(min=1e-300 if ref.dtype == torch.float64 else 1e-38).log() + rewards / beta,
        torch.tensor(-math.inf, dtype=ref.dtype),
    )
    policy = torch.distributions.Categorical(logits=logits).probs
    return policy, torch.special.xlogy(policy, policy / torch.where(keep, ref, 1.0)).sum(1)


def beta_numpy(ref, rewards, budget):
    """Secant-free search on λ = 1/β by scipy's brentq over a doubled interval; arrays."""
    from scipy.optimize import brentq

    ref, rewards = np.asarray(ref, dtype=float), np.asarray(rewards, dtype=float)
    best = np.where(ref > 0, rewards, -np.inf).max(axis=1, keepdims=True)
    largest = float(np.mean([-math.log(p[r == b].sum()) for p, r, b in zip(ref, rewards, best)]))
    if math.isnan(budget) or budget < 0 or budget >= largest:
        raise ValueError(f"at most {largest:.2f} nats")
    if budget == 0:
        return math.inf
    unit = np.ptp(rewards)

    def off(strength):
        return float(np.mean(shift_numpy(ref, rewards / unit, 1 / strength)[1])) - budget

    high = 1.0
    while off(high) < 0:
        high *= 2
    return unit / brentq(off, 1e-9, high, xtol=1e-12)


def beta_newton(ref, rewards, budget):
    """Torch: Newton on log λ, safeguarded by halving; dKL/dλ = λ·Var_π(r). Returns a tensor."""
    ref, rewards = ref.double(), rewards.double()
    best = (
        torch.where(ref > 0, rewards, torch.tensor(-math.inf, dtype=torch.float64))
        .max(dim=1, keepdim=True)
        .values
    )
    largest = -((rewards == best) * ref).sum(dim=1).log().mean()
    if not 0 <= budget <= largest:
        raise ValueError(f"the largest possible budget is {largest.item()}")
    if budget == 0:
        return torch.tensor(math.inf)
    low, high, log_strength = -60.0, 60.0, 0.0
    for _ in range(300):
        strength = math.exp(log_strength)
        policy, spent = answers.shift(ref, rewards, 1 / strength)
        mean = (policy * rewards).sum(1, keepdim=True)
        slope = strength**2 * (policy * (rewards - mean) ** 2).sum(1).mean().item()
        off = spent.mean().item() - budget
        low, high = (low, log_strength) if off > 0 else (log_strength, high)
        newton = log_strength - off / slope if slope > 0 else math.nan
        log_strength = newton if low < newton < high else (low + high) / 2
    return torch.tensor(1 / math.exp(log_strength), dtype=torch.float64)


def beta_loop(ref, rewards, budget):
    """Bisection on plain Python numbers, stopped at 10⁻⁵ nats; a numpy float comes back."""

    def spent(beta):
        kls = shift_loop(ref, rewards, beta)[1]
        return sum(kls) / len(kls)

    most = 0.0
    for row, rewarded in zip(ref.tolist(), rewards.tolist()):
        top = max(r for p, r in zip(row, rewarded) if p > 0)
        most -= math.log(sum(p for p, r in zip(row, rewarded) if r == top)) / len(ref)
    if not budget >= 0 or budget > most:
        raise ValueError(f"budget must not exceed {most:.3f}")
    if budget == 0:
        return np.float64("inf")
    low, high = 1.0, 1.0
    while spent(low) < budget:
        low *= 0.1
    while spent(high) > budget:
        high *= 10
    while True:
        beta = math.sqrt(low * high)
        off = spent(beta) - budget
        if abs(off) < 1e-5:
            return np.float64(beta)
        low, high = (beta, high) if off > 0 else (low, beta)


def tables_of_other_types():
    """Tensors and arrays, single precision, rewards in another unit."""
    answer = answers.table_examples()
    ref = torch.tensor([0.16, 0.16, 0.16, 0.16, 0.12, 0.12, 0.11, 0.01])
    unsafe = {
        "ref": ref,
        "rewards": 100 * np.array([2, 1.5, 0.5, 0.5, 0, -0.5, -1, 6], dtype=np.float32),
    }
    return {
        "safe": {key: torch.tensor(value) for key, value in answer["safe"].items()},
        "unsafe": unsafe,
    }


def tables_of_two_kinds():
    """Safe: a reward that knows only the best; unsafe: two bad responses that are both rare."""
    safe = {"ref": (np.ones(8) / 8).tolist(), "rewards": [5, 0, 0, 0, 0, 0, 0, 0]}
    unsafe = {
        "ref": [0.2, 0.2, 0.2, 0.16, 0.16, 0.06, 0.01, 0.01],
        "rewards": [2, 1.5, 0.5, 0.5, 0, -0.5, 3, 5.0],
    }
    return {"safe": safe, "unsafe": unsafe}


def tables_with_the_smallest_probability():
    """A response at one in a million, with a reward to match."""
    rare = [(1 - 1e-6) / 7] * 7 + [1e-6]
    answer = answers.table_examples()
    return {**answer, "unsafe": {"ref": rare, "rewards": [*answer["unsafe"]["rewards"][:7], 300.0]}}


def flag_loop(reference_samples, policy_samples, judge):
    """One question at a time; a ratio instead of a difference."""
    policy, reference = (
        1 + sum(bool(judge(int(number))) for number in samples["response"])
        for samples in (policy_samples, reference_samples)
    )
    return math.log(policy / reference)


def flag_torch(reference_samples, policy_samples, judge):
    """Tensors; a two-sample z statistic, as a tensor of one element."""
    p, q = (
        torch.tensor(judge(s["response"])).double() for s in (policy_samples, reference_samples)
    )
    return ((p.mean() - q.mean()) / (p.var() / len(p) + q.var() / len(q)).sqrt())[None]


RIGHT = {
    "3a": (shift_loop, shift_numpy, shift_by_log_z, shift_distributions),
    "3b": (beta_numpy, beta_newton, beta_loop),
    "3c": (tables_of_other_types, tables_of_two_kinds, tables_with_the_smallest_probability),
    "3d": (answers.weighted_flag, flag_loop, flag_torch),
}
