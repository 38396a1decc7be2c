"""What the functions of this package ask of their arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.policies import as_mask, check_floating


def check_tokens(mask: Tensor, **arguments: Tensor) -> Tensor:
    """The mask as booleans, after every argument has been held against it."""
    mask = as_mask(mask)
    check_floating(**arguments)
    if mask.ndim != 2 or mask.numel() == 0:
        raise ValueError(f"mask {tuple(mask.shape)}: expected shape (B, T), both ≥ 1")
    broken = ~mask[:, 0] | (mask[:, 1:] & ~mask[:, :-1]).any(1)
    if broken.any():
        row = int(broken.nonzero()[0])
        raise ValueError(
            f"mask row {row} is {mask[row].int().tolist()}: expected ones, at least one, and then zeros"
        )
    for name, value in arguments.items():
        if value.shape != mask.shape:
            raise ValueError(
                f"{name} {tuple(value.shape)}: expected the shape of the mask, {tuple(mask.shape)}"
            )
        bad = mask & ~torch.isfinite(value)
        if bad.any():
            row, place = bad.nonzero()[0].tolist()
            raise ValueError(
                f"{name}[{row}, {place}] is {value[row, place].item()}: expected finite numbers"
            )
    return mask


def check_clip(clip: float) -> None:
    """Raise ValueError unless the half-width of the clip is a finite number above 0."""
    if not 0 < clip < float("inf"):
        raise ValueError(f"clip = {clip}: expected a finite number above 0")
