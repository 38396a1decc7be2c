"""Independent arms of one experiment, trained at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Found = TypeVar("Found")


def side_by_side(*arms: Callable[[], Found]) -> list[Found]:
    """What each arm returns, in their order; two run at a time, each in a thread of its own.

    An arm is a function without arguments that shares nothing it changes with the others: a policy,
    a generator and a history of its own. Then its weights are those of a run alone, bit for bit. One
    torch thread each: at this size two threads on one arm gain little. ``LESSON_ARMS`` sets how many
    run at a time. Raises what an arm raised, the first in order; ValueError for no arm.
    """
    if not arms:
        raise ValueError("no arms: expected at least one function to run")
    at_a_time = max(1, int(os.environ.get("LESSON_ARMS", 2)))
    with ThreadPoolExecutor(at_a_time, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(lambda arm: arm(), arms))
