"""Stopping a call of an answer that does not end, or not in time.

While a check runs, one thread watches over it. When a call is late, the watcher raises ``TimeUp`` in the thread that
makes the call, between two steps of its Python code, again and again until the call is left. This needs no signals,
so it works on every system and in every thread. What it cannot stop is one endless step of compiled code: a long
``time.sleep``, one huge matrix product. Such a call is over when that step is.
"""

from __future__ import annotations

import _thread
import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

ONE_CALL = 10.0  # seconds that one call may take
ONE_CHECK = 20.0  # seconds that all calls of one check may take together
AGAIN = 0.03  # seconds between two looks of the watcher, and between two attempts to stop a call
LEVELS = 5  # so many exceptions would have to arrive while a call is being left before one gets out

_begin = threading.Thread.start  # not what `listening` puts there: a watcher is no answer's
_set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_exception.argtypes = (ctypes.c_ulong, ctypes.c_void_p)


def raise_in_thread(thread: int, error: type[BaseException]) -> None:
    """Raise an exception in a thread before its next step of Python code, in place of one that waits there."""
    _set_exception(thread, id(error))


class _Last(BaseException):
    """Raised by ``settle`` in its own thread."""


def settle() -> None:
    """Let what another thread wants to raise in this one arrive here, where it does no harm.

    It is not taken back: Python would look for it before every step from then on, and with a debugger
    on, Python 3.10 and 3.11 would never take that step. So one more comes, in its place, and is caught.
    It also ends that search where the thread meant has ended before its exception came.
    """
    try:
        raise_in_thread(_thread.get_ident(), _Last)
        while True:
            pass
    except (_Last, TimeUp):
        pass


class TimeUp(BaseException):
    """Raised inside an answer whose time is over."""

    def __init__(self, *more: Any):
        super().__init__(*more)
        _insist(sys._getframe(1))

    def __del__(self):  # an `except:` that has caught it is done
        _insist(sys._getframe(1))


class Stopped(Exception):
    """A call that did not end, or that was not ``made``, because the time of the check is over."""

    def __init__(self, text: str, made: bool):
        super().__init__(text)
        self.made = made


class Clock:
    """The calls of one check: how many were made, how many stopped, how many no longer made, and seconds in all."""

    def __init__(self):
        self.made, self.stopped, self.left_out, self.spent = 0, 0, 0, 0.0
        self.call: _Call | None = None


class _Call:
    """One call under way. ``late``: its time was over before it was."""

    def __init__(self, seconds: float):
        self._thread, self._ends = _thread.get_ident(), monotonic() + seconds
        self._lock, self.over, self._traced = _thread.allocate_lock(), False, sys.gettrace()
        self.late = False

    def look(self) -> None:
        """For the watcher: raise TimeUp in the call if it is late."""
        with self._lock:
            if monotonic() > self._ends and not self.over:  # in this order: see leave
                self.late = True
                raise_in_thread(self._thread, TimeUp)

    def leave(self) -> None:
        """For the caller: from here on nothing is raised any more. May be called again."""
        self.over = True
        if monotonic() <= self._ends:
            return  # nothing was raised: the watcher looks at the clock first
        with self._lock:  # the watcher is not in the middle of it
            sys.settrace(self._traced)
            settle()


_clock: ContextVar[Clock | None] = ContextVar("the check that this thread makes", default=None)


@contextmanager
def one_check() -> Iterator[Clock]:
    """Calls made inside share the time of one check. Gives their Clock; inside another, the outer one's."""
    outer = _clock.get()
    if outer is not None:
        yield outer
        return
    clock, done = Clock(), _thread.allocate_lock()
    done.acquire()

    def watch() -> None:
        while not done.acquire(timeout=AGAIN):
            call = clock.call
            if call is not None:
                call.look()

    watcher = threading.Thread(target=watch, daemon=True, name="time limit of a check")
    _begin(watcher)
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)
        done.release()
        watcher.join()


def limited(function: Callable, *arguments) -> Any:
    """``function(*arguments)``, stopped after ONE_CALL seconds, or when those of the check are spent.

    Raises what the call raises; Stopped, if it was late, whatever it made of that, or if no time is left for it.
    """
    with one_check() as clock:
        if clock.call is not None:  # a check inside an answer: the outer call is watched
            return function(*arguments)
        if clock.spent >= ONE_CHECK:
            clock.left_out += 1
            raise Stopped(
                f"was not called: all calls before this one took {ONE_CHECK:g} seconds", False
            )
        seconds = min(ONE_CALL, ONE_CHECK - clock.spent)
        begun = monotonic()
        clock.made += 1
        clock.call = call = _Call(seconds)
        try:
            value = _run(call, function, arguments, LEVELS)
        except KeyboardInterrupt:
            raise
        except BaseException:
            if not call.late:
                raise
        finally:
            clock.call = None
            clock.spent += monotonic() - begun
            clock.stopped += call.late
        if call.late:
            raise Stopped(_told(seconds), True)
        return value


def _run(call: _Call, function: Callable, arguments: tuple, levels: int) -> Any:
    """Make the call and leave it; each level leaves it once more, should TimeUp have come while the one below did."""
    try:
        if levels:
            return _run(call, function, arguments, levels - 1)
        return function(*arguments)
    finally:
        call.leave()


def _told(seconds: float) -> str:
    if seconds < ONE_CALL:
        return (
            f"did not end in time: it was stopped when all calls of this check together had taken {ONE_CHECK:g} "
            "seconds. Is there a faster method, or does a loop never end?"
        )
    return (
        f"did not end within {ONE_CALL:g} seconds and was stopped: which condition of a loop never becomes false here? "
        "If none, which step takes so long?"
    )


def _insist(frame: Any) -> None:
    """Raise TimeUp once more at the next line of the answer that runs: in or after the `except:` that caught one."""
    clock, inside = _clock.get(), []
    if clock is None or clock.call is None or clock.call.over:
        return
    while frame is not None and frame.f_code is not _run.__code__:
        inside.append(frame)
        frame = frame.f_back
    if frame is None or not inside:
        return  # not in the answer
    for one in inside:
        one.f_trace = _once_more
    sys.settrace(_no_other)


def _once_more(frame: Any, event: str, value: Any) -> Callable:
    if event == "line":
        raise TimeUp
    return _once_more


def _no_other(frame: Any, event: str, value: Any) -> None:
    """Frames that begin now are not traced."""
