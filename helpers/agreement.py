"""Do annotators agree, beyond chance, and what is the truth behind their labels?

Labels are whole numbers from 0, one row per item and one column per rater, (items, raters); −1 where a rater did not
label an item, so their type must have a sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.policies import WHOLE, check_real

MISSING = -1


def percent_agreement(labels: Tensor) -> float:
    """Percent of pairs of labels on one item that are equal, over all items with two labels or more.

    Raises ValueError for what is no table of labels, and where no item has two.
    """
    count = _counts(labels)
    n = count.sum(1)
    return 100 * ((count * (count - 1)).sum() / (n * (n - 1)).sum()).item()


def cohen_kappa(first: Tensor, second: Tensor) -> float:
    """Agreement of two raters beyond chance, (observed − expected) / (1 − expected): 1 perfect, 0 chance, (n,), (n,).

    Expected is what two raters with these frequencies would reach by labelling at random. Items that only one labelled
    are left out. Raises ValueError where both use one class only (chance agreement is 1, κ is not defined), for no
    common item, and for vectors that differ in length. Source: Cohen 1960.
    """
    _check_type(first)
    _check_type(second)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"raters {tuple(first.shape)} and {tuple(second.shape)}: expected two vectors of one length"
        )
    both = torch.stack([first, second], dim=1)
    _check_labels(both)
    first, second = both[(both != MISSING).all(1)].T
    if len(first) == 0:
        raise ValueError("no item that both raters labelled: expected at least one")
    classes = int(torch.stack([first, second]).max()) + 1
    share_1, share_2 = (
        torch.bincount(rater, minlength=classes).double() / len(rater) for rater in (first, second)
    )
    observed, expected = (first == second).double().mean(), (share_1 * share_2).sum()
    if expected == 1:
        raise ValueError(
            "both raters use one class only: chance agreement is 1, and kappa is not defined"
        )
    return ((observed - expected) / (1 - expected)).item()


def krippendorff_alpha(labels: Tensor) -> float:
    """Agreement beyond chance of any number of raters with gaps, nominal classes: 1 perfect, 0 chance.

    1 − observed disagreement / disagreement of all pairable labels put together. Items with fewer than two labels are
    left out. Raises ValueError where all pairable labels are of one class, and as ``percent_agreement`` does.
    Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability".
    """
    count = _counts(labels)
    n = count.sum(1)
    disagree = (
        (n.square() - count.square().sum(1)) / (n - 1)
    ).sum()  # ordered pairs that differ, over n − 1
    total = count.sum(0)
    if (total > 0).sum() < 2:
        raise ValueError(
            "all labels are of one class: chance agreement is 1, and alpha is not defined"
        )
    by_chance = (total.sum().square() - total.square().sum()) / (total.sum() - 1)
    return (1 - disagree / by_chance).item()


def vote_shares(labels: Tensor, classes: int) -> Tensor:
    """Each item's share of votes by class, (items, classes), float64. An item without labels has equal shares.

    Raises ValueError for what is no table of labels and for labels of ``classes`` or more.
    """
    _check_labels(labels, classes)
    count = _one_hot(labels, classes).sum(1)
    n = count.sum(1, keepdim=True)
    return torch.where(n > 0, count / n.clamp(min=1), 1.0 / classes)


def majority(labels: Tensor, classes: int) -> Tensor:
    """Probability of each class by majority vote, (items, classes): 1 for the winner, split equally between ties."""
    shares = vote_shares(labels, classes)
    winner = (shares == shares.max(1, keepdim=True).values).double()
    return winner / winner.sum(1, keepdim=True)


@dataclass(frozen=True)
class DawidSkene:
    """A fit: posterior (items, K) of the true class; confusion (raters, K, K), [r, k, l] = P(rater r says l | true k);
    prior (K,); and the log-likelihood in nats after each step."""

    posterior: Tensor
    confusion: Tensor
    prior: Tensor
    log_likelihood: list[float]


def dawid_skene(
    labels: Tensor, classes: int, steps: int = 200, tolerance: float = 1e-10
) -> DawidSkene:
    """True classes and raters' skills together, by expectation maximisation from the vote shares.

    Model: an item's true class is drawn from the prior; raters answer independently *given it*, each by a confusion
    matrix of their own. Stops when a step raises the log-likelihood by less than ``tolerance`` nats per item. A rater
    without labels, and a class that no item seems to have, get equal rows; an item without labels has the prior.
    Raises ValueError for what is no table of labels, labels of ``classes`` or more, steps < 1. It finds a local
    maximum, and classes could be renamed: starting from the votes takes most raters to be better than chance.
    Source: Dawid & Skene 1979.
    """
    _check_labels(labels, classes)
    if steps < 1:
        raise ValueError(f"steps = {steps}: expected at least one")
    said = _one_hot(labels, classes)  # (items, raters, K)
    posterior, path = vote_shares(labels, classes), []
    for _ in range(steps):
        prior = posterior.mean(0)
        joint = torch.einsum("ik,irl->rkl", posterior, said)
        total = joint.sum(-1, keepdim=True)
        confusion = torch.where(total > 1e-12, joint / total.clamp(min=1e-12), 1.0 / classes)
        log_joint = prior.clamp(min=1e-300).log() + torch.einsum(
            "irl,rkl->ik", said, confusion.clamp(min=1e-300).log()
        )
        posterior = log_joint.softmax(1)
        path.append(log_joint.logsumexp(1).sum().item())
        if len(path) > 1 and path[-1] - path[-2] < tolerance * len(labels):
            break
    return DawidSkene(posterior, confusion, prior, path)


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    """(items, raters) → (items, raters, classes), a row of zeros where the label is missing."""
    return (labels.unsqueeze(-1) == torch.arange(classes)).double()


def _check_type(labels: Tensor) -> None:
    check_real(labels=labels)
    if labels.dtype not in WHOLE or labels.dtype == torch.uint8:  # in which −1 would be 255
        raise ValueError(
            f"labels of {labels.dtype}: expected whole numbers with a sign, from 0, "
            f"{MISSING} where there is none. Convert with .long()"
        )


def _check_labels(labels: Tensor, classes: int | None = None) -> None:
    _check_type(labels)
    if labels.ndim != 2 or labels.numel() == 0:
        raise ValueError(f"labels {tuple(labels.shape)}: expected (items, raters), both ≥ 1")
    if labels.min() < MISSING or (classes is not None and labels.max() >= classes):
        largest = "" if classes is None else f" to {classes - 1}"
        bad = int(labels.min()) if labels.min() < MISSING else int(labels.max())
        raise ValueError(
            f"label {bad}: expected classes from 0{largest}, {MISSING} where there is none"
        )


def _counts(labels: Tensor) -> Tensor:
    """Labels per class, (items with two labels or more, classes), float64."""
    _check_labels(labels)
    count = _one_hot(labels, max(1, int(labels.max()) + 1)).sum(1)
    count = count[count.sum(1) >= 2]
    if len(count) == 0:
        raise ValueError("no item has two labels: expected at least one, to compare")
    return count
