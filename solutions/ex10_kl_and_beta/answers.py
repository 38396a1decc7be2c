"""Exercise 10, KL coefficient and inverse temperature: the reference answers, one function for each part."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# ---- 10a -----------------------------------------------------------------------------------

NEAR = 0.01  # nats: farther apart than rounding, nearer than any policy that is no optimum


def refuse_logps(*tables: Tensor) -> None:
    for logps in tables:
        if ((logps.exp().sum(1) - 1).abs() > 1e-3).any():
            raise ValueError("a row of log-probabilities does not sum to 1 as probabilities")


def acting_beta(ref_logps: Tensor, policy_logps: Tensor, rewards: Tensor) -> Tensor:
    """The β at which each row is the optimum for its rewards: (P, K) three times → (P,); NaN where not one is."""
    refuse_logps(ref_logps, policy_logps)
    rows = zip(ref_logps, policy_logps, rewards)
    return torch.tensor([beta_of_row(*row) for row in rows], dtype=torch.float64)


def beta_of_row(ref: Tensor, policy: Tensor, r: Tensor) -> float:
    said = ref > -math.inf
    if (policy[~said] > -math.inf).any():
        return math.nan
    u, r = (policy - ref)[said], r[said]
    top, low = r == r.max(), int(r.argmin())
    if top.all():
        return math.nan  # every β has this optimum, or none has
    kept = u > -math.inf
    if not kept.all():
        restricted = torch.equal(kept, top) and spread(u[top]) < NEAR
        return 0.0 if restricted else math.nan
    slope = (u[top][0] - u[low]) / (r[top][0] - r[low])
    if spread(u - slope * r) > NEAR:
        return math.nan
    if spread(u) < NEAR:
        return math.inf
    return (1 / slope).item() if slope > 0 else math.nan


def spread(x: Tensor) -> Tensor:
    return x.max() - x.min()


# ---- 10b -----------------------------------------------------------------------------------


def refuse_settings(betas: Tensor, price: float) -> None:
    if not (betas > 0).all() or price < 0:
        raise ValueError(
            f"betas {betas.tolist()}, price {price}: expected β > 0 and a price from 0"
        )


def log_weights(proxy: Tensor, betas: Tensor) -> Tensor:
    """log of the weight of each sample at each β: (P, N), (B,) → (B, P, N); weights of a prompt sum to 1."""
    return (proxy / betas[:, None, None]).log_softmax(-1)


def kl_of_weights(logw: Tensor) -> Tensor:
    """KL of the reweighted samples from the samples as they are, (B, P)."""
    return (logw.exp() * (logw + math.log(logw.shape[-1]))).sum(-1)


def effective(logw: Tensor) -> Tensor:
    """Effective number of samples, (B, P)."""
    return 1 / (2 * logw).exp().sum(-1)


def pick(betas: Tensor, worth: Tensor, seen: Tensor) -> tuple[float, Tensor]:
    """The β of the greatest worth, the largest of equals; −∞ where nothing is seen."""
    if not seen.any():
        raise ValueError("no β leaves enough samples")
    worth = torch.where(seen, worth, -math.inf)
    return betas[worth == worth.max()].max().item(), worth


def choose_beta(
    proxy: Tensor, gold: Tensor, betas: Tensor, price: float, least: float
) -> tuple[float, Tensor]:
    """The β worth most and what each is worth: (P, N), (P, N), (B,) → β, (B,)."""
    refuse_settings(betas, price)
    logw = log_weights(proxy, betas)
    worth = ((logw.exp() * gold).sum(-1) - price * kl_of_weights(logw)).mean(-1)
    return pick(betas, worth, (effective(logw) >= least).all(-1))


# ---- 10c -----------------------------------------------------------------------------------


def search_examples() -> dict:
    """One turn; and a valley, a second summit and an end below the reference."""
    safe = {"ref": [0.7, 0.25, 0.05], "proxy": [0, 10, 12], "gold": [0, 2, -2]}
    unsafe = {
        "ref": [0.95, 0.0479, 0.002, 0.00008, 0.00002],
        "proxy": [0, 40, 56, 62, 63],
        "gold": [0, 2, -4, 6, -3],
    }
    return {"safe": safe, "unsafe": unsafe}


# ---- 10d -----------------------------------------------------------------------------------


def beta_is_off(run: dict, grade) -> float:
    """|correlation| of proxy and grade over the policy's samples, those with the extreme proxies."""
    order = run["proxy"].argsort(kind="stable")
    asked = np.concatenate([order[:30], order[-30:]])
    return abs(np.corrcoef(run["proxy"][asked], grade(asked))[0, 1])
