"""Exercise 2, reward models as proxies: the reference answers, one function for each part."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from helpers.grader.exercises.ex02_proxies.examples import pair_accuracy, proxy_world
from helpers.grader.exercises.ex02_proxies.held_out import DRAWS, Oracle

# ---- 2a ------------------------------------------------------------------------------------


def slice_accuracies(chosen: Tensor, rejected: Tensor, slices: Tensor, n_slices: int) -> Tensor:
    """Accuracy of each slice, ties one half, then their mean: (B,), (B,), (B,) → (n_slices + 1,).

    Raises ValueError for a NaN score and for a slice without pairs.
    """
    if torch.isnan(chosen).any() or torch.isnan(rejected).any():
        raise ValueError("a score is NaN: expected comparable numbers")
    return mean_by_slice(pair_credit(chosen, rejected), slices, n_slices)


def pair_credit(chosen, rejected, tie=0.5):
    """1 for a pair in the right order, 0 for one in the wrong order, ``tie`` for equal scores: (N,)."""
    return (chosen > rejected).double() + tie * (chosen == rejected).double()


def mean_by_slice(credit, slices, n_slices, empty=None):
    """Mean credit of each slice; a slice without pairs raises ValueError, or is ``empty``."""
    found = []
    for s in range(n_slices):
        inside = slices == s
        if not inside.any() and empty is None:
            raise ValueError(f"slice {s} has no pairs: it has no accuracy")
        found.append(
            credit[inside].mean() if inside.any() else torch.tensor(empty, dtype=torch.float64)
        )
    found = torch.stack(found)
    return torch.cat([found, found.nanmean()[None]])


# ---- 2b ------------------------------------------------------------------------------------


def best_of_n_gold(ref: Tensor, proxy: Tensor, gold: Tensor, n: int) -> Tensor:
    """Expected gold of the first of the best-scored among n draws: (K,), (K,), (K,) → ()."""
    below, mass = tied_groups(ref, proxy)
    share = torch.where(
        mass > 0, ref / mass, 0.0
    )  # of its group: the first of equal draws follows the reference
    return (share * ((below + mass) ** n - below**n) * gold).sum()


def tied_groups(ref, proxy):
    """Mass of lower scores, mass of equal scores; (K,) each."""
    return (ref * (proxy < proxy[:, None])).sum(1), (ref * (proxy == proxy[:, None])).sum(1)


# ---- 2c ------------------------------------------------------------------------------------


def proxy_examples() -> dict:
    """Two proxies made from gold: the worst response on top, and the bad ones in disorder among themselves."""
    ref, gold = proxy_world()
    unsafe = np.where(gold == gold.min(), gold.max() + 1, gold)
    aim = pair_accuracy(ref, unsafe, gold)
    below = [np.where(gold < cut, -100 - gold, gold) for cut in gold]  # upside down below the cut
    return {
        "safe": min(below, key=lambda safe: abs(pair_accuracy(ref, safe, gold) - aim)),
        "unsafe": unsafe,
    }


# ---- 2d ------------------------------------------------------------------------------------


def suspicion(scores: np.ndarray, ask: Oracle) -> float:
    """Mean gold of what is usual minus gold of what selection picks, in standard deviations of the usual."""
    order, half = np.argsort(scores), 50
    usual = np.array([ask(i) for i in order[np.linspace(0, len(order) - 1, half).astype(int)]])
    top = np.array([ask(i) for i in order[-half:]])
    weights = np.diff((np.arange(len(order) - half, len(order) + 1) / len(order)) ** DRAWS)
    return float((usual.mean() - (weights * top).sum() / weights.sum()) / (usual.std() + 1e-9))
