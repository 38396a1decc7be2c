"""What the training loops share: sizes of a run, what a run records, descent by AdamW.

``LESSON_QUIET=1`` turns the progress bars off; work in the background (``helpers.once.ahead``) shows none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import trange

from helpers.once import in_background, until_the_end
from helpers.world import PairBatch

WATCH_EVERY = 5
Watch = Callable[[], dict[str, float]]  # what to measure along a run
Draw = Callable[
    [int, torch.Generator], PairBatch
]  # (batch size, generator) → a batch of comparisons


@dataclass(frozen=True)
class Config:
    """steps of ``batch`` examples with AdamW (β₂ 0.95, no weight decay); the learning rate falls linearly to 0."""

    steps: int
    batch: int
    lr: float

    def __post_init__(self):
        if self.steps < 1 or self.batch < 1 or not 0 < self.lr < float("inf"):
            raise ValueError(f"{self}: expected steps ≥ 1, batch ≥ 1 and a finite lr above 0")


@dataclass
class History:
    """What a run recorded: ``history["loss"]`` is an array with one entry per recorded step."""

    columns: dict[str, list[float]] = field(default_factory=dict)

    def record(self, **values: float) -> None:
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self.columns[name])


def bar(steps: int, title: str) -> Iterable[int]:
    """range(steps) with a progress bar, which work in the background goes without."""
    if in_background():
        return until_the_end(steps)
    return trange(steps, desc=title, leave=False, disable=bool(os.environ.get("LESSON_QUIET")))


def check_watch_every(watch_every: int) -> None:
    """Raise ValueError for watch_every < 1."""
    if watch_every < 1:
        raise ValueError(f"watch_every = {watch_every}: expected a number of steps ≥ 1")


def descend(
    parameters, config: Config, title: str, loss_of_step: Callable[[int], Tensor], history: History
) -> History:
    """Follow ``loss_of_step(0)``, ``loss_of_step(1)``, … downhill; records step and loss of each."""
    optimizer = torch.optim.AdamW(
        parameters, lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / config.steps)
    for step in bar(config.steps, title):
        loss = loss_of_step(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        history.record(step=step, loss=loss.item())
    return history


def trim(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out the places behind a batch's longest response, which nothing scores."""
    longest = int(mask.sum(1).max())
    return tokens[:, :longest], mask[:, :longest]
