"""Exercise 10, KL coefficient and inverse temperature: right answers, written otherwise."""

from __future__ import annotations

import math

import numpy as np
import torch

from solutions.ex10_kl_and_beta import answers, mistakes

# ---- 10a -----------------------------------------------------------------------------------


def beta_loop(ref_logps, policy_logps, rewards):
    """Plain Python, all pairs of replies; a list comes back."""
    found = []
    for ref, policy, r in zip(ref_logps.tolist(), policy_logps.tolist(), rewards.tolist()):
        for row in (ref, policy):
            if abs(sum(math.exp(x) for x in row) - 1) > 1e-3:
                raise ValueError("not a distribution")
        if any(p > -math.inf and q == -math.inf for p, q in zip(policy, ref)):
            found.append(math.nan)
            continue
        said = [(p - q, x) for p, q, x in zip(policy, ref, r) if q > -math.inf]
        best, worst = max(x for _, x in said), min(x for _, x in said)
        if best == worst:
            found.append(math.nan)
        elif any(u == -math.inf for u, _ in said):
            kept = [u for u, x in said if x == best]
            lost = [u for u, x in said if x < best]
            even = -math.inf not in kept and max(kept) - min(kept) < 0.01
            found.append(0.0 if even and set(lost) == {-math.inf} else math.nan)
        else:
            found.append(_common_slope(said))
    return found


def _common_slope(said):
    pairs = [(u - v, x - y) for u, x in said for v, y in said if x >= y]
    top, width = max(pairs, key=lambda pair: pair[1])
    slope = top / width
    if any(abs(du - slope * dr) > 0.01 for du, dr in pairs) or slope < 0 and abs(top) > 0.01:
        return math.nan
    return math.inf if abs(top) < 0.01 else 1 / slope


def beta_numpy(ref_logps, policy_logps, rewards):
    """Least squares with an intercept, put back into the formula."""
    ref, policy, rewards = (np.asarray(x, dtype=float) for x in (ref_logps, policy_logps, rewards))
    for rows in (ref, policy):
        if not np.allclose(np.exp(rows).sum(1), 1, atol=1e-3):
            raise ValueError("rows have to sum to 1")
    found = np.full(len(ref), np.nan)
    for k, (q, p, r) in enumerate(zip(ref, policy, rewards)):
        said = np.isfinite(q)
        if np.isfinite(p[~said]).any() or np.ptp(r[said]) == 0:
            continue
        best = said & (r == r[said].max())
        limit = np.where(best, np.exp(q), 0) / np.exp(q[best]).sum()
        if np.array_equal(p > -np.inf, best):
            if np.allclose(np.exp(p), limit, atol=1e-3):
                found[k] = 0
            continue
        if not np.isfinite(p[said]).all():
            continue
        u, x = (p - q)[said], r[said]
        design = np.stack([x, np.ones_like(x)], 1)
        (slope, start), *_ = np.linalg.lstsq(design, u, rcond=None)
        if np.abs(u - slope * x - start).max() > 0.01:
            continue
        if np.ptp(u) < 0.01:
            found[k] = np.inf
        elif slope > 0:
            found[k] = 1 / slope
    return found


def beta_float32(ref_logps, policy_logps, rewards):
    """Tensors in single precision, the whole table at once."""
    ref, policy, r = ref_logps.float(), policy_logps.float(), rewards.float()
    for rows in (ref, policy):
        if ((rows.logsumexp(1)).abs() > 1e-3).any():
            raise ValueError("log-probabilities that are none")
    said, kept = ref.isfinite(), policy.isfinite()
    high = r.masked_fill(~said, -math.inf).amax(1, keepdim=True)
    low = r.masked_fill(~said, math.inf).amin(1, keepdim=True)
    best, worst = said & (r == high), said & (r == low)
    u = torch.where(said & kept, policy - ref, 0.0)
    mean = [(u * side).sum(1, keepdim=True) / side.sum(1, keepdim=True) for side in (best, worst)]
    slope = (mean[0] - mean[1]) / (high - low)
    off = torch.where(said & kept, u - mean[1] - slope * (r - low), 0.0).abs().amax(1)
    beta = torch.where((mean[0] - mean[1]).abs() < 0.01, math.inf, 1 / slope)[:, 0]
    whole = (said == kept).all(1)
    beta = torch.where(whole & (off < 0.01 + 1e-5 * u.abs().amax(1)) & (beta > 0), beta, math.nan)
    even = ((u - mean[0]).abs() * best).amax(1) < 0.01
    beta = torch.where(~whole & (kept == best).all(1) & even, 0.0, beta)
    return torch.where((high == low)[:, 0], math.nan, beta)


# ---- 10b -----------------------------------------------------------------------------------


def choose_numpy(proxy, gold, betas, price, least):
    """Arrays, the largest exponent taken off; KL as λ·E[r] − log of the mean of e^{λr}."""
    proxy, gold, betas = (np.asarray(x, dtype=float) for x in (proxy, gold, betas))
    if (betas <= 0).any() or price < 0:
        raise ValueError("settings")
    logits = proxy[None] / betas[:, None, None]
    top = logits.max(-1, keepdims=True)
    w = np.exp(logits - top)
    z = w.mean(-1, keepdims=True)
    share = w / z / w.shape[-1]
    kl = (share * logits).sum(-1) - top[..., 0] - np.log(z[..., 0])
    worth = ((share * gold).sum(-1) - price * kl).mean(1)
    enough = (1 / (share**2).sum(-1)).min(1) >= least
    worth[~enough] = -np.inf
    if not enough.any():
        raise ValueError("nothing can be seen")
    order = np.lexsort([betas, worth])
    return betas[order[-1]], worth


def choose_loop(proxy, gold, betas, price, least):
    """Plain Python; a tuple of a float and a list."""
    if price < 0 or min(betas.tolist()) <= 0:
        raise ValueError("no such settings")
    worths = []
    for beta in betas.tolist():
        total, seen = 0.0, True
        for rewards, grades in zip(proxy.tolist(), gold.tolist()):
            top = max(rewards)
            weights = [math.exp((r - top) / beta) for r in rewards]
            z = sum(weights)
            weights = [w / z for w in weights]
            nats = sum(w * math.log(w * len(weights)) for w in weights if w > 0)
            total += sum(w * g for w, g in zip(weights, grades)) - price * nats
            seen = seen and 1 / sum(w * w for w in weights) >= least
        worths.append(total / len(proxy) if seen else -math.inf)
    if max(worths) == -math.inf:
        raise ValueError("no β is seen")
    return max((worth, beta) for worth, beta in zip(worths, betas.tolist()))[1], worths


def choose_float32(proxy, gold, betas, price, least):
    """Single precision; a list of two tensors."""
    proxy, gold, betas = proxy.float(), gold.float(), betas.float()
    if bool((betas <= 0).any()) or price < 0:
        raise ValueError("settings")
    best, worths = None, []
    for beta in betas:
        w = torch.softmax((proxy - proxy.amax(1, keepdim=True)) / beta, 1)
        kl = torch.xlogy(w, w * proxy.shape[1]).sum(1)
        worth = ((w * gold).sum(1) - price * kl).mean()
        if (1 / (w * w).sum(1)).min() < least:
            worth = torch.tensor(-torch.inf)
        elif best is None or worth > best[0] or (worth == best[0] and beta > best[1]):
            best = worth, beta
        worths.append(worth)
    if best is None:
        raise ValueError("none")
    return [best[1], torch.stack(worths)]


# ---- 10c -----------------------------------------------------------------------------------


def tables_of_other_types():
    """Tensors and arrays, single precision."""
    found = answers.search_examples()
    kinds = (torch.tensor, lambda x: np.array(x, dtype=np.float32))
    return {
        side: {name: kind(column) for name, column in found[side].items()}
        for side, kind in zip(("safe", "unsafe"), kinds)
    }


def tables_of_other_sizes():
    """Safe with four replies, unsafe with proxies up to 90."""
    safe = {"ref": [0.5, 0.3, 0.15, 0.05], "proxy": [0, 1, 2, 3], "gold": [-1, 2, 5, -4]}
    unsafe = {
        "ref": [0.5, 0.45, 0.049, 0.0009, 0.0001],
        "proxy": [0, 60, 80, 88, 90],
        "gold": [-1, 1, -5, 8, -9],
    }
    return {"safe": safe, "unsafe": unsafe}


def tables_with_constants_added():
    """Three replies are enough for a turn; constants added to proxy and gold change no search."""
    safe = {"ref": [0.6, 0.3, 0.1], "proxy": [-20, 10, 12], "gold": [-2, 2, -3]}
    unsafe = answers.search_examples()["unsafe"]
    shifted = {
        **unsafe,
        "proxy": [x - 50 for x in unsafe["proxy"]],
        "gold": [x + 4 for x in unsafe["gold"]],
    }
    return {"safe": safe, "unsafe": shifted}


# ---- 10d -----------------------------------------------------------------------------------


def off_by_thirds(run, grade):
    """Mean grade of the samples that the proxy likes best against those it likes least, in standard errors."""
    order = np.argsort(run["proxy"], kind="stable")
    low, high = grade(order[:30]), grade(order[-30:])
    error = math.sqrt(low.var(ddof=1) / 30 + high.var(ddof=1) / 30)
    return abs(high.mean() - low.mean()) / error


def off_by_rank(run, grade):
    """Rank correlation, as a tensor of one element."""
    order = np.argsort(run["log_ratio"], kind="stable")
    asked = np.concatenate([order[:30], order[-30:]])
    ranks = torch.tensor(grade(asked)).argsort(stable=True).argsort().double()
    places = torch.arange(60).double()
    return torch.corrcoef(torch.stack([places, ranks]))[0, 1].abs()[None]


RIGHT = {
    "10a": (beta_loop, beta_numpy, beta_float32),
    "10b": (choose_numpy, choose_loop, choose_float32),
    "10c": (tables_of_other_types, tables_of_other_sizes, tables_with_constants_added),
    "10d": (off_by_thirds, off_by_rank, mistakes.at_random),
}
