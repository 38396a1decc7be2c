"""Exercise 7, reward model: the reference answers, one function for each part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

# ---- 7a ------------------------------------------------------------------------------------


def pair_table(
    rewards: Tensor, prompts: Tensor, first: Tensor, second: Tensor, grades: Tensor
) -> Tensor:
    """Rows (i, j, margin, label, count), i < j, of all pairs compared: (N,), (N,), (B,), (B,), (B,) → (C, 5).

    Raises ValueError for a comparison of responses to different prompts, and of a response with itself.
    """
    refuse_pairs(prompts, first, second)
    return turned_table(rewards, first, second, (grades + 2) / 4)


def refuse_pairs(prompts, first, second):
    """Raises ValueError for a comparison across prompts, or of a response with itself."""
    if (prompts[first] != prompts[second]).any():
        raise ValueError("a comparison shows responses to two different prompts")
    if (first == second).any():
        raise ValueError("a comparison shows the same response twice")


def turned_table(rewards, first, second, credit):
    """The table from each comparison's label for the response that was shown first."""
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    credit = torch.where(first < second, credit, 1 - credit).to(rewards.dtype)
    pairs, place = torch.unique(torch.stack([low, high], 1), dim=0, return_inverse=True)
    count = torch.bincount(place, minlength=len(pairs)).to(rewards.dtype)
    label = torch.zeros_like(count).index_add(0, place, credit) / count
    i, j = pairs.T
    return torch.stack(
        [i.to(rewards.dtype), j.to(rewards.dtype), rewards[i] - rewards[j], label, count], 1
    )


# ---- 7b ------------------------------------------------------------------------------------


def excess_loss(
    rewards: Tensor, prompts: Tensor, pairs: Tensor, labels: Tensor, counts: Tensor, centring: float
) -> Tensor:
    """Mean over prompts of KL(label‖σ(margin)), weighted by count within a prompt, + centring · (mean reward)².

    (N,), (N,), (C, 2), (C,), (C,) → scalar.
    """
    return averaged_loss(kl_terms)(rewards, prompts, pairs, labels, counts, centring)


def margins(rewards, pairs):
    return rewards[pairs[:, 0]] - rewards[pairs[:, 1]]


def cross_entropy(margin, label):
    """Of each label and forecast σ(margin), in nats."""
    return -label * logsigmoid(margin) - (1 - label) * logsigmoid(-margin)


def label_entropy(label):
    """Of each label, in nats; 0 at 0 and 1."""
    return -torch.xlogy(label, label) - torch.xlogy(1 - label, 1 - label)


def kl_terms(margin, label):
    """KL from forecast to label of each pair: what the loss can reach 0 with."""
    return cross_entropy(margin, label) - label_entropy(label)


def mean_by(place, values, weights):
    """Weighted mean of the values at each place, 0, 1, …: (P,)."""
    zeros = torch.zeros(int(place.max()) + 1, dtype=values.dtype)
    return zeros.index_add(0, place, weights * values) / zeros.index_add(0, place, weights)


def prompts_alike(values, place, counts):
    """Mean over prompts of the mean over their comparisons."""
    return mean_by(place, values, counts).mean()


def centre_prompts(rewards, prompts, pairs, place, counts):
    return mean_by(prompts, rewards, torch.ones_like(rewards)).square().mean()


def averaged_loss(
    of_pair: Callable = kl_terms,
    average: Callable = prompts_alike,
    centre: Callable = centre_prompts,
) -> Callable:
    """The loss with another loss of a pair, average over pairs or centring term; right unless given."""

    def loss(rewards, prompts, pairs, labels, counts, centring):
        place = prompts[pairs[:, 0]]
        losses = of_pair(margins(rewards, pairs), labels)
        return average(losses, place, counts) + centring * centre(
            rewards, prompts, pairs, place, counts
        )

    return loss


# ---- 7c ------------------------------------------------------------------------------------


def slice_examples() -> dict:
    """Rows (margin, right, wrong) of two reward models, each right in eight pairs of ten."""
    sure, as_it_is = float(np.log(0.95 / 0.05)), float(np.log(0.8 / 0.2))
    safe = {"ordinary": [(sure, 640, 160)], "risky": [(sure, 160, 40)]}
    # one forecast, 0.8, for everything: right on the whole, 0.86 and 0.56 in the slices
    unsafe = {"ordinary": [(as_it_is, 688, 112)], "risky": [(as_it_is, 112, 88)]}
    return {"safe": safe, "unsafe": unsafe}


# ---- 7d ------------------------------------------------------------------------------------


def slice_overconfidence(chosen: np.ndarray, rejected: np.ndarray, slices: np.ndarray) -> float:
    """Largest of the slices: mean confidence minus accuracy, in standard errors of a calibrated forecaster."""
    return _largest(chosen, rejected, slices, lambda margin: np.ones_like(margin))


def sharper_overconfidence(chosen: np.ndarray, rejected: np.ndarray, slices: np.ndarray) -> float:
    """The same with each pair weighted by its margin: the slope of the log loss where T is 1, in standard errors."""
    return _largest(chosen, rejected, slices, np.abs)


def _largest(chosen, rejected, slices, weight_of: Callable) -> float:
    found = []
    for s in np.unique(slices):
        margin = (chosen - rejected)[slices == s]
        confidence, weight = 1 / (1 + np.exp(-np.abs(margin))), weight_of(margin)
        surplus = (weight * (confidence - (margin > 0))).sum()
        found.append(surplus / np.sqrt((weight**2 * confidence * (1 - confidence)).sum()))
    return float(max(found))
