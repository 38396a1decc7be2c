"""What the losses ask of their arguments."""

from __future__ import annotations

import torch
from torch import Tensor


def check_rows(**arguments: Tensor) -> None:
    """Raise ValueError unless all are (B,), B ≥ 1, of finite numbers, naming argument and place."""
    shapes = {name: tuple(value.shape) for name, value in arguments.items()}
    first = next(iter(shapes.values()))
    if len(first) != 1 or first[0] == 0 or any(shape != first for shape in shapes.values()):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{found}: expected one-dimensional tensors of one length B ≥ 1")
    for name, value in arguments.items():
        if not torch.isfinite(value).all():
            place = int((~torch.isfinite(value)).nonzero()[0])
            raise ValueError(f"{name}[{place}] is {value[place].item()}: expected finite numbers")


def as_floating(label: Tensor | None, like: Tensor) -> Tensor:
    """A checked label in a type in which 1 − label means what it says; ones where there is none."""
    if label is None:
        return torch.ones_like(like)
    return label if label.is_floating_point() else label.to(like.dtype)


def check_label(label: Tensor) -> None:
    """Raise ValueError unless all labels are probabilities."""
    low, high = label.min().item(), label.max().item()
    if low < 0 or high > 1:
        raise ValueError(f"label from {low:.3g} to {high:.3g}: expected probabilities from 0 to 1")
