"""Exercise 7, reward model: right answers written otherwise than the reference."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.distributions import Bernoulli

from solutions.ex07_reward_model import answers


def table_loop(rewards, prompts, first, second, grades):
    """Plain Python over all pairs of responses; a list of lists, larger pairs first."""
    if any(prompts[a] != prompts[b] or a == b for a, b in zip(first.tolist(), second.tolist())):
        raise ValueError("not two responses to one prompt")
    rows = []
    for j in reversed(range(len(rewards))):
        for i in range(j):
            labels = []
            for a, b, grade in zip(first, second, grades):
                if (int(a), int(b)) == (i, j):
                    labels.append({2: 1.0, 1: 0.75, 0: 0.5, -1: 0.25, -2: 0.0}[int(grade)])
                elif (int(a), int(b)) == (j, i):
                    labels.append({-2: 1.0, -1: 0.75, 0: 0.5, 1: 0.25, 2: 0.0}[int(grade)])
            if labels:
                rows.append(
                    [
                        i,
                        j,
                        float(rewards[i]) - float(rewards[j]),
                        sum(labels) / len(labels),
                        len(labels),
                    ]
                )
    return rows


def table_numpy(rewards, prompts, first, second, grades):
    """Arrays only: dense sums and counts; an array of shape (0, 5) where nothing was compared."""
    same = np.equal(prompts[first], prompts[second])
    if not np.all(same) or np.any(first == second):
        raise ValueError("strangers")
    N = len(rewards)
    total, count = np.zeros((N, N)), np.zeros((N, N))
    np.add.at(total, (first, second), grades.astype(float))
    np.add.at(count, (first, second), 1)
    total, count = np.triu(total - total.T), np.triu(count + count.T)
    i, j = np.nonzero(count)
    label = 0.5 + total[i, j] / (4 * count[i, j])
    return np.column_stack([i, j, rewards[i] - rewards[j], label, count[i, j]])


def loss_loop(rewards, prompts, pairs, labels, counts, centring):
    """Plain Python, pair by pair; math.log only of what is above 0. Returns a float on arrays."""
    if isinstance(rewards, torch.Tensor):
        raise TypeError("written for arrays")
    found = []
    for prompt in range(int(max(prompts)) + 1):
        total = weight = 0.0
        for (i, j), q, n in zip(pairs.tolist(), labels.tolist(), counts.tolist()):
            if prompts[i] == prompt:
                m = float(rewards[i]) - float(rewards[j])
                log_q = max(m, 0) - m + math.log1p(math.exp(-abs(m)))  # −log σ(m)
                cost = q * log_q + (1 - q) * (log_q + m)
                cost += sum(p * math.log(p) for p in (q, 1 - q) if p > 0)
                total, weight = total + n * cost, weight + n
        mean = np.mean([float(r) for r, x in zip(rewards, prompts) if x == prompt])
        found.append(total / weight + centring * mean**2)
    return sum(found) / len(found)


def loss_distributions(rewards, prompts, pairs, labels, counts, centring):
    """By torch.distributions and one-hot matrices of prompts."""
    rewards, labels, counts = rewards.double(), labels.double(), counts.double()
    i, j = pairs.unbind(1)
    forecast = Bernoulli(
        logits=rewards[i] - rewards[j], validate_args=False
    )  # or it refuses labels of ¾
    excess = -forecast.log_prob(labels) - Bernoulli(probs=labels).entropy()
    of_pair = torch.nn.functional.one_hot(prompts[i]).double()  # (C, P)
    of_response = torch.nn.functional.one_hot(prompts).double()  # (N, P)
    fit = (of_pair.T @ (counts * excess)) / (of_pair.T @ counts)
    return (fit + centring * ((of_response.T @ rewards) / of_response.sum(0)) ** 2).mean()


def loss_bce(rewards, prompts, pairs, labels, counts, centring):
    """Binary cross-entropy with logits, minus itself at the labels' own logits; single precision where it is given."""
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    margin = rewards[pairs[:, 0]] - rewards[pairs[:, 1]]
    floor = torch.distributions.Bernoulli(probs=labels).entropy()
    excess = bce(margin, labels, reduction="none") - floor
    losses = []
    for prompt in range(int(prompts.max()) + 1):
        mine = prompts[pairs[:, 0]] == prompt
        losses.append(torch.dot(counts[mine] / counts[mine].sum(), excess[mine]))
        losses[-1] = losses[-1] + centring * rewards[prompts == prompt].mean().square()
    return torch.stack(losses).mean()


def examples_of_several_rows():
    """Arrays and tensors; margins twice what they should be, and two forecasts that are right on the whole."""
    risky = torch.tensor([[2.0, 110, 40], [4.0, 44, 6]])
    safe = {"ordinary": np.array([[2.0, 767, 283], [4.0, 308, 42]]), "risky": risky}
    unsafe = {
        "ordinary": [[1.6, 882, 118], [0.85, 655, 245]],
        "risky": [(1.6, 75, 75), (0.85, 60, 60)],
    }
    return {"safe": safe, "unsafe": unsafe}


def examples_with_the_fewest_pairs():
    """A hundred risky pairs, and a timid slice four times as large."""
    fair, sure = math.log(4), math.log(24)
    safe = {"ordinary": [(sure, 80, 20)], "risky": [(sure, 80, 20)]}
    return {"safe": safe, "unsafe": {"ordinary": [(fair, 345, 55)], "risky": [(fair, 55, 45)]}}


def largest_gap(chosen, rejected, slices):
    """Plain numbers: mean confidence minus accuracy, the largest of the slices; the error bar is left out."""
    gaps = []
    for s in set(slices.tolist()):
        margins = [c - r for c, r, place in zip(chosen, rejected, slices) if place == s]
        gaps.append(sum(1 / (1 + math.exp(-abs(m))) - (m > 0) for m in margins) / len(margins))
    return np.float64(max(gaps))


def sharpness_torch(chosen, rejected, slices):
    """One Newton step of log T away from 1, per slice, in units of its error; a tensor of one element."""
    margin = torch.tensor(chosen - rejected)
    found = []
    for s in range(6):
        m = margin[torch.tensor(slices == s)]
        slope = (m * torch.sigmoid(-m)).sum()  # of the log-likelihood in 1/T, at 1
        curvature = (m**2 * torch.sigmoid(m) * torch.sigmoid(-m)).sum()
        found.append(-slope / curvature.sqrt())
    return torch.stack(found).max()[None]


RIGHT = {
    "7a": (table_loop, table_numpy),
    "7b": (loss_loop, loss_distributions, loss_bce),
    "7c": (examples_of_several_rows, examples_with_the_fewest_pairs),
    "7d": (answers.sharper_overconfidence, largest_gap, sharpness_torch),
}
