"""Exercise 9, reference policy: right answers written otherwise, which the grader must accept."""

from __future__ import annotations

import math

import numpy as np
import torch

from solutions.ex09_reference_policy import answers, hidden_runs

# ---- 9a ------------------------------------------------------------------------------------


def reply_logps_in_loops(logits, tokens, mask, n_prompt, end):
    """Token after token, in Python's own numbers."""
    found = []
    for row_logits, row, text, n in zip(
        logits.tolist(), tokens.tolist(), mask.tolist(), n_prompt.tolist()
    ):
        places = [t for t, there in enumerate(text) if there]
        if not places or places[-1] - places[0] + 1 != len(places):
            raise ValueError("padding inside the text")
        if not 1 <= n <= len(places):
            raise ValueError("no such prompt")
        total = 0.0
        for t in places[n:]:
            before = row_logits[t - 1]
            top = max(before)
            total += before[row[t]] - top - math.log(sum(math.exp(x - top) for x in before))
            if row[t] == end:
                break
        found.append(total)
    return found


def reply_logps_in_numpy(logits, tokens, mask, n_prompt, end):
    """Arrays only: which reply token is the first end, and sums up to there."""
    logits, tokens, mask = np.asarray(logits), np.asarray(tokens), np.asarray(mask) > 0
    n_prompt = np.asarray(n_prompt)
    length, start = mask.sum(1), mask.argmax(1)
    places = np.arange(tokens.shape[1])
    whole = (places >= start[:, None]) & (places < (start + length)[:, None])
    if (whole != mask).any() or (n_prompt < 1).any() or (n_prompt > length).any():
        raise ValueError("not a prompt and its reply")
    begin = start + n_prompt
    reply = whole & (places >= begin[:, None])
    is_end = reply & (tokens == end)
    last = np.where(is_end.any(1), is_end.argmax(1), tokens.shape[1])
    rows, at = np.nonzero(reply & (places <= last[:, None]))
    before = logits[rows, at - 1]
    top = before.max(1)
    each = (
        before[np.arange(len(at)), tokens[rows, at]]
        - top
        - np.log(np.exp(before - top[:, None]).sum(1))
    )
    total = np.zeros(len(tokens))
    np.add.at(total, rows, each)
    return total


def reply_logps_in_float32(logits, tokens, mask, n_prompt, end):
    """By cross_entropy in single precision, rows one by one."""
    found = []
    for row_logits, row, text, n in zip(logits.float(), tokens, mask.bool(), n_prompt):
        inside = text.nonzero().flatten()
        if (
            len(inside) == 0
            or inside[-1] - inside[0] + 1 != len(inside)
            or not 1 <= n <= len(inside)
        ):
            raise ValueError("not a prompt and its reply")
        ids, before = row[inside], row_logits[inside]
        reply = ids[n:]
        ends = (reply == end).nonzero().flatten()
        if len(ends):
            reply = reply[: ends[0] + 1]
        scores = before[n - 1 : n - 1 + len(reply)]
        found.append(-torch.nn.functional.cross_entropy(scores, reply, reduction="sum"))
    return torch.stack(found)


# ---- 9b ------------------------------------------------------------------------------------


def on_right_reference_in_loops(policy, wrong, right, beta, new_beta):
    """Row after row, reply after reply."""
    if beta <= 0 or new_beta <= 0:
        raise ValueError("β must be positive")
    rows = []
    for p, w, r in zip(policy.tolist(), wrong.tolist(), right.tolist()):
        logits = []
        for a, b, c in zip(p, w, r):
            if b == -math.inf and max(a, c) > -math.inf:
                raise ValueError("nothing is known of a reply")
            gone = -math.inf in (a, c)
            logits.append(-math.inf if gone else c + (a - b) * beta / new_beta)
        top = max(logits)
        if top == -math.inf:
            raise ValueError("no reply left")
        z = math.log(sum(math.exp(x - top) for x in logits))
        rows.append([x - top - z for x in logits])
    return rows


def on_right_reference_in_numpy(policy, wrong, right, beta, new_beta):
    """Rewards first, then the new optimum."""
    policy, wrong, right = (np.asarray(x, dtype=float) for x in (policy, wrong, right))
    if min(beta, new_beta) <= 0:
        raise ValueError("β must be positive")
    with np.errstate(all="ignore"):
        known = np.isfinite(wrong)
        if (~known & (np.isfinite(policy) | np.isfinite(right))).any():
            raise ValueError("beyond the support of the wrong reference")
        reward = np.where(known, beta * (policy - wrong), -np.inf)
        logits = np.where(np.isfinite(right), right + reward / new_beta, -np.inf)
        top = logits.max(-1, keepdims=True)
        if np.isneginf(top).any():
            raise ValueError("no reply left")
        return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def on_right_reference_in_float32(policy, wrong, right, beta, new_beta):
    """All rows normalised first, single precision."""
    if not beta > 0 or not new_beta > 0:
        raise ValueError("β must be positive")
    policy, wrong, right = (x.float().log_softmax(-1) for x in (policy, wrong, right))
    unsaid = wrong == -torch.inf
    if (unsaid & (policy > -torch.inf)).any() or (unsaid & (right > -torch.inf)).any():
        raise ValueError("beyond the support of the wrong reference")
    log_ratio = (policy - wrong).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
    logits = right + log_ratio * (beta / new_beta)
    if (logits == -torch.inf).all(-1).any():
        raise ValueError("no reply left")
    return logits - logits.logsumexp(-1, keepdim=True)


# ---- 9c ------------------------------------------------------------------------------------


def several_pairs() -> dict:
    """Four replies: three in a chain of pairs, one in none; tensors and arrays; a batch that cancels between pairs."""
    safe = {
        "ref": torch.tensor([0.2, 0.2, 0.2, 0.4], dtype=torch.float64),
        "wrong": np.array([0.1, 0.1, 0.1, 0.7]),
        "rewards": (2, 1, 0, -1),
        "pairs": [(0, 1), (1, 2)],
    }
    low, high = 0.0, 8.0
    rewards = np.array([1.2, 0.4, 0.0])
    for _ in range(60):
        c = (low + high) / 2
        wrong = np.exp(-c * rewards)
        h = 0.5 * c * (rewards[[0, 1]] - rewards[[1, 2]])
        p = 1 / (1 + np.exp(-(rewards[[0, 1]] - rewards[[1, 2]])))
        low, high = (c, high) if (np.logaddexp(0, h) - p * h).mean() < np.log(2) else (low, c)
    unsafe = {
        "ref": np.full(3, 1 / 3),
        "wrong": wrong / wrong.sum(),
        "rewards": rewards,
        "pairs": [[0, 1], [2, 1]],
    }
    return {"safe": safe, "unsafe": unsafe}


def two_groups() -> dict:
    """Two pairs that share nothing: ν may move each of them by a constant of its own."""
    answer = answers.reference_examples()
    answer["safe"] = {
        "ref": [0.1, 0.2, 0.3, 0.4],
        "wrong": [0.2333333333, 0.4666666667, 0.1285714286, 0.1714285714],
        "rewards": [0, 2, 0, 1],
        "pairs": [[1, 0], [3, 2]],
    }
    return answer


# ---- 9d ------------------------------------------------------------------------------------


def largest_excess(run) -> float:
    """One-sided: replies of the reference that the log-ratios give to the policy, worst slice."""
    return max(-miss for miss in hidden_runs.misses(run))


def fitted_offset(run) -> float:
    """The offset that a logistic regression with slope 1 needs, worst slice, times the root of its size."""
    ratio, found = hidden_runs.ratios(run), []
    for s in hidden_runs.in_slices(run):
        offset = 0.0
        for _ in range(20):
            chance = hidden_runs.chance_of_policy(ratio[s] + offset)
            offset += (run["by_policy"][s] - chance).sum() / max(
                (chance * (1 - chance)).sum(), 1e-6
            )
        found.append(abs(offset) * np.sqrt((chance * (1 - chance)).sum()))
    return float(max(found))


def weights_of_the_reference(run) -> float:
    """π/π_ref averages to 1 over replies of the right reference; the worst slice."""
    return hidden_runs.largest_slice_mass(run)


RIGHT = {
    "9a": (reply_logps_in_loops, reply_logps_in_numpy, reply_logps_in_float32),
    "9b": (on_right_reference_in_loops, on_right_reference_in_numpy, on_right_reference_in_float32),
    "9c": (several_pairs, two_groups),
    "9d": (largest_excess, fitted_offset, weights_of_the_reference),
}
