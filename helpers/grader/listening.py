"""Keeping away from the cell what an answer writes during a check, and remembering how it begins.

During a check stand-ins replace what an answer may write through: sys.stdout and sys.stderr (and
the originals that Python keeps of them), the descriptor behind stderr, warnings, logging and
display(). Also noted is which threads it starts. These belong to the whole process, so checks in
several threads share one replacement: the first puts it in place, the last takes it back. Threads
that ran before and check nothing, and those that they start, go on writing where they did. nbgrader
gives no points to a cell with anything on stderr.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from IPython import get_ipython

from helpers.grader.result import Printed
from helpers.grader.texts import exact_text

LINES, WIDTH = 5, 160  # of what an answer wrote, so much is kept
STREAMS = {"stdout": "stdout", "stderr": "stderr", "__stdout__": "stdout", "__stderr__": "stderr"}


class Heard:
    """What the answer of one check has written so far, and the threads that it has started."""

    def __init__(self):
        self.started: list[threading.Thread] = []
        self._start, self._breaks, self._open = "", 0, False

    def add(self, text: str) -> None:
        """Take in a text, which may be a subclass of str that lies about itself."""
        room = LINES * (WIDTH + 2) - len(self._start)
        self._start += str.__getitem__(text, slice(0, max(room, 0)))
        self._breaks += str.count(text, "\n")
        self._open = not str.endswith(text, "\n") if str.__len__(text) else self._open

    def printed(self) -> Printed | None:
        """How many lines, and the first of them; None if nothing was written."""
        lines = self._breaks + self._open
        if not lines:
            return None
        start = self._start.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
        first = [exact_text(line, WIDTH) for line in start.split("\n")[: min(lines, LINES)]]
        return Printed(lines, "\n".join(first))


_lock = threading.RLock()
_heard: dict[threading.Thread, Heard] = {}  # the checks that run now
_others: set[threading.Thread] = set()  # threads that are no part of them
_replaced: dict[str, Any] = {}  # what stood there before, by name
_undo = contextlib.ExitStack()


@contextlib.contextmanager
def listening() -> Iterator[Heard]:
    """Nothing that this thread writes inside reaches the cell; the outermost of several hears it.

    Gives what is heard. Raises nothing of its own.
    """
    thread = threading.current_thread()
    outermost = thread not in _heard
    try:
        with _lock:
            if not _heard:
                _others.update(threading.enumerate())
                _remember()
            heard = _heard.setdefault(thread, Heard())
            _replace()
        yield heard
    finally:
        with _lock:
            if outermost:
                _heard.pop(thread, None)
                _others.add(thread)
            if _heard:
                _replace()  # the answer may have put something else there
            else:
                _restore()


def _remember() -> None:
    """Note all that will be replaced, and how to take it back."""
    _undo.callback(_replaced.clear)
    _undo.callback(_others.clear)
    for name in STREAMS:
        _replaced[name] = getattr(sys, name)
        _undo.callback(setattr, sys, name, _replaced[name])
    _undo.enter_context(warnings.catch_warnings())
    _replaced["log"] = logging.Logger.callHandlers
    _undo.callback(setattr, logging.Logger, "callHandlers", _replaced["log"])
    _replaced["start"] = threading.Thread.start
    _undo.callback(setattr, threading.Thread, "start", _replaced["start"])
    shell = get_ipython()
    if shell is not None:
        _replaced["display"] = shell.display_pub
        _undo.callback(setattr, shell, "display_pub", shell.display_pub)
    _mute_descriptor()


def _replace() -> None:
    for name, stand_in in STAND_INS.items():
        setattr(sys, name, stand_in)
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    logging.Logger.callHandlers = _log
    threading.Thread.start = _start
    if "display" in _replaced:
        get_ipython().display_pub = DISPLAY


def _restore() -> None:
    _undo.close()


def _mute_descriptor() -> None:
    """Send descriptor 2 nowhere, for C code and child processes, where a notebook would show it."""
    try:
        if sys.stderr.fileno() == 2:
            return  # a terminal
    except Exception:  # no stream, or one without a descriptor: ours, a test's, …
        pass
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # nothing is open there
        return
    _undo.callback(os.close, kept)
    _undo.callback(os.dup2, kept, 2)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _listener() -> Heard | None:
    """Who hears the running thread: its own check; else, if it was started during one, that one."""
    thread = threading.current_thread()
    if thread in _heard or thread in _others:
        return _heard.get(thread)
    return next(iter(list(_heard.values())), None)


class _StandIn(io.TextIOBase):
    """In place of a stream: an answer's text is heard, everybody else's passed on."""

    encoding, errors = "utf-8", "strict"

    def __init__(self, name: str):
        self._name = name

    def write(self, text: str) -> int:
        if not issubclass(type(text), str):
            raise TypeError("write() argument must be str")
        heard = _listener()
        if heard is not None:
            heard.add(text)
        elif self._behind() is not None:
            self._behind().write(text)
        return str.__len__(text)

    def flush(self) -> None:
        if _listener() is None and self._behind() is not None:
            self._behind().flush()

    def close(self) -> None:
        """Stay open: whoever closes it does not own it."""

    def _behind(self) -> Any:
        stream = _replaced.get(self._name) or getattr(sys, self._name)
        return None if stream is self else stream


class _Display:
    """In place of IPython's display publisher: text is heard, pictures and pages dropped."""

    def publish(self, data: dict[str, Any], *more: Any, **named: Any) -> None:
        heard = _listener()
        if heard is not None:
            heard.add(f"{data.get('text/plain', '')}\n")
        else:
            self._behind().publish(data, *more, **named)

    def clear_output(self, *how: Any, **named: Any) -> None:
        if _listener() is None:
            self._behind().clear_output(*how, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind(), name)

    def _behind(self) -> Any:
        return _replaced.get("display") or get_ipython().display_pub


def _log(logger: logging.Logger, record: logging.LogRecord) -> None:
    """In place of Logger.callHandlers: handlers may hold on to the stream of before."""
    heard = _listener()
    if heard is None:
        _replaced.get("log", logging.Logger.callHandlers)(logger, record)
        return
    try:
        heard.add(f"{record.levelname}: {record.getMessage()}\n")
    except Exception:  # as logging itself has it: what cannot be written stops nobody
        heard.add(f"{record.levelname}: (a message that cannot be read)\n")


def _start(thread: threading.Thread) -> None:
    """In place of Thread.start: notes whose a thread is, an answer's or nobody's."""
    heard = _listener()
    if heard is None:
        _others.add(thread)
    else:
        heard.started.append(thread)
    _replaced.get("start", _own_start)(thread)


_own_start = threading.Thread.start
_streams = {name: _StandIn(name) for name in ("stdout", "stderr")}
STAND_INS = {name: _streams[stream] for name, stream in STREAMS.items()}
DISPLAY = _Display()
