"""Results that are made once, by whoever asks first, and can be made ahead while the reader reads.

``once`` remembers like ``functools.cache`` and is safe for threads: whoever asks for a result that is being made waits
for it. ``ahead`` makes results in the background, on the second core, and lets go when the process ends.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
from collections.abc import Callable, Iterator

import torch

_ending = threading.Event()
_thread = threading.local()


def in_background() -> bool:
    """Whether this thread was started by ``ahead``."""
    return getattr(_thread, "background", False)


def until_the_end(steps: int) -> Iterator[int]:
    """range(steps) for work in the background: ends the thread (SystemExit) when the process is about to end.

    A thread that is killed within a step of PyTorch takes the process with it.
    """
    for step in range(steps):
        if _ending.is_set():
            raise SystemExit
        yield step


class _Result:
    """A result and whether it was made. The lock lets a thread that was stopped while making it in again."""

    def __init__(self):
        self.lock, self.made, self.value = threading.RLock(), False, None


def once(make: Callable) -> Callable:
    """``make``, remembered for its arguments (positional, hashable).

    What raises, an interrupt too, is not remembered: whoever waited makes it again, and so does the next call.
    """
    results: dict[tuple, _Result] = {}

    @functools.wraps(make)
    def remembered(*given):
        result = results.setdefault(given, _Result())
        with result.lock:
            if not result.made:
                result.value = make(*given)
                result.made = True
            return result.value

    return remembered


def ahead(*calls: Callable[[], object]) -> threading.Thread | None:
    """Start calls of ``once`` functions in the background, one after another: ``ahead(chat_base, chat_reference)``.

    They get one torch thread and no progress bars, and change nothing but when a result is ready. What one of
    them raises is dropped here: who asks for the result makes it again and sees it. ``LESSON_ARMS=1`` says
    that one run at a time is wanted: then nothing is started and None returned. Raises ValueError for no call.
    """
    if not calls:
        raise ValueError("no calls: expected at least one function to call ahead of need")
    if os.environ.get("LESSON_ARMS") == "1":
        return None

    def work():
        _thread.background = True
        torch.set_num_threads(1)
        for call in calls:
            try:
                call()
            except Exception:
                continue

    thread = threading.Thread(target=work, name="ahead", daemon=True)  # ends with the kernel
    atexit.register(_let_go, thread)
    thread.start()
    return thread


def _let_go(thread: threading.Thread) -> None:
    """Ask for the end at the next step of training and wait for it, ten seconds at most."""
    _ending.set()
    thread.join(10)
