"""What an answer may leave behind, put back: settings, replaced functions, threads.

After every call of an answer its settings are as before the check, and so is every function that judging may use; the
random generators are put back when the check is over. Names that are new stay: importing a module adds some.
"""

from __future__ import annotations

import decimal
import gc
import operator
import os
import pathlib
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch

from helpers.grader.time_limit import raise_in_thread, settle

PATIENCE = 0.5  # seconds that all threads left running may take to end, in one check

# ---- settings ---------------------------------------------------------------------------------


def _set_contents(whole: Any) -> Callable[[Any], None]:
    """Gives a dict, or what is like one, the entries of before; no entry is touched that has not changed."""

    def put(before: dict) -> None:
        for name in [name for name in whole if name not in before]:
            del whole[name]
        for name, value in before.items():
            if name not in whole or whole[name] != value:
                whole[name] = value

    return put


def _set_path(before: list[str]) -> None:
    sys.path[:] = before


def _set_collecting(before: bool) -> None:
    gc.enable() if before else gc.disable()


def _set_handler(before: Any) -> None:
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGINT, before)


def _device(empty: Callable[[int], torch.Tensor] = torch.empty) -> torch.device:
    """Where new tensors go. PyTorch 2.4.0 cannot say so itself once a device has been put back."""
    return empty(0).device


def _set_device(before: torch.device) -> None:
    torch.set_default_device(
        None if before.type == "cpu" else before
    )  # a device that is set costs time


_torch_print = vars(torch._tensor_str.PRINT_OPTS)
SETTINGS: tuple[
    tuple[Callable[[], Any], Callable[[Any], Any]], ...
] = (  # how to read and to set each
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (sys.getswitchinterval, sys.setswitchinterval),
    (lambda: sys.path[:], _set_path),
    (lambda: sys.excepthook, lambda before: setattr(sys, "excepthook", before)),
    (lambda: sys.displayhook, lambda before: setattr(sys, "displayhook", before)),
    (lambda: signal.getsignal(signal.SIGINT), _set_handler),
    (gc.isenabled, _set_collecting),
    (os.getcwd, os.chdir),
    (lambda: dict(os.environ), _set_contents(os.environ)),
    (lambda: decimal.getcontext().copy(), lambda before: decimal.setcontext(before.copy())),
    (np.geterr, lambda before: np.seterr(**before)),
    (np.geterrcall, np.seterrcall),
    (np.get_printoptions, lambda before: np.set_printoptions(**before)),
    (lambda: dict(_torch_print), _set_contents(_torch_print)),
    (_device, _set_device),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_num_threads, torch.set_num_threads),
)
GENERATORS = (
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
    (torch.random.get_rng_state, torch.random.set_rng_state),
)
Setting = tuple[Callable[[Any], None], Callable[[], Any], Any]


def _read(settings: tuple) -> list[Setting]:
    found = []
    for get, put in settings:
        with suppress(
            Exception
        ):  # a working folder that is gone, an interpreter without signals, …
            found.append((put, get, get()))
    return found


def _same(now: Any, before: Any) -> bool:
    return now is before or (type(now) is type(before) and now == before)


def _reset(settings: list[Setting]) -> None:
    for put, get, before in settings:
        with suppress(Exception):
            if not _same(get(), before):
                put(before)


# ---- functions --------------------------------------------------------------------------------

GRADER, LESSON = "helpers.grader", "helpers"
LIBRARIES = "builtins math json numpy numpy.linalg numpy.random torch torch.nn.functional".split()
CLASSES = torch.Tensor, torch.nn.Parameter, pathlib.Path
FREE = {  # names of the grader that are no part of judging: what a session has found, where it is shown, the limits
    "helpers.grader.checking": {"_latest", "display"},
    "helpers.grader.points": {"_folder"},
    "helpers.grader.time_limit": {"ONE_CALL", "ONE_CHECK", "AGAIN"},
}
INSIDE = {
    name: operator.attrgetter(name) for name in ("__code__", "__defaults__", "__kwdefaults__")
}
PYTHONS = (
    "__dict__",
    "__weakref__",
    "__builtins__",
    "__warningregistry__",
)  # names that Python itself may change
_all, _is, _map, _len, _set, _delete = (
    all,
    operator.is_,
    map,
    len,
    setattr,
    delattr,
)  # an answer may replace builtins
_MISSING = object()


class _Place:
    """A module or a class: what stood under its names. Of the grader no name may be added, either."""

    def __init__(self, place: Any, held: dict[str, Any], closed: bool):
        held = {name: value for name, value in held.items() if name not in PYTHONS}
        self.place, self._now, self._get, self.closed = place, vars(place), vars(place).get, closed
        self._names, self._values, self._known = tuple(held), tuple(held.values()), set(vars(place))

    def changed(self) -> list[tuple[Any, str, Any, Any]]:
        """(place, name, what stands there, what stood there), _MISSING for nothing."""
        found = []
        if not _all(_map(_is, _map(self._get, self._names), self._values)):
            for name, before in zip(self._names, self._values):
                now = self._get(name, _MISSING)
                if now is not before:
                    found.append((self.place, name, now, before))
        if self.closed and _len(self._now) != _len(self._known):
            for name in [name for name in self._now if name not in self._known]:
                if not name.startswith("__annot") and type(self._now[name]) is not ModuleType:
                    found.append((self.place, name, self._now[name], _MISSING))
        return found


class Functions:
    """What stands under the names that judging uses: of the libraries, of the lesson, of the grader itself."""

    def __init__(self):
        self._places = [_Place(one, dict(vars(one)), False) for one in CLASSES]
        self._inside: dict[str, dict[FunctionType, Any]] = {name: {} for name in INSIDE}
        self._known: set[str] = set()

    def add_new(self) -> None:
        """Take in the modules that have been imported since."""
        for name, module in list(sys.modules.items()):
            if name not in self._known and (name in LIBRARIES or _belongs(name, LESSON)):
                self._known.add(name)
                if type(module) is ModuleType:
                    self._add(name, module)

    def _add(self, name: str, module: ModuleType) -> None:
        grader = _belongs(name, GRADER)
        held = {n: v for n, v in list(vars(module).items()) if _counts(name, n, v)}
        self._places.append(_Place(module, held, grader))
        own = [v for v in held.values() if type(v) is type and v.__module__ == name]
        for one in own if _belongs(name, LESSON) else ():
            self._places.append(_Place(one, dict(vars(one)), grader))
        for value in (
            [v for place in (held, *map(vars, own)) for v in place.values()] if grader else ()
        ):
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if type(function) is FunctionType and function.__module__ == name:
                for inside, get in INSIDE.items():
                    self._inside[inside][function] = get(function)

    def put_back(self) -> list[tuple[Any, str, Any, Any]]:
        """Put every one back; gives what was changed: (place, name, what stood there now, what before)."""
        changed = []
        for name, before in self._inside.items():
            get = INSIDE[name]
            if not _all(_map(_is, _map(get, before), before.values())):
                changed += [
                    (f, name, get(f), was) for f, was in before.items() if get(f) is not was
                ]
        for place in self._places:
            changed += place.changed()
        for place, name, _, before in changed:
            _put(place, name, before)
        return changed


def _put(place: Any, name: str, value: Any) -> None:
    try:
        if value is _MISSING:
            _delete(place, name)
        else:
            _set(place, name, value)
    except (AttributeError, TypeError):  # gone in the meantime, or never to be set
        pass


def _belongs(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _counts(module: str, name: str, value: Any) -> bool:
    """Of the grader all but what is FREE; elsewhere what can be called."""
    if _belongs(module, GRADER):
        return not name.startswith("__") and name not in FREE.get(module, ())
    return callable(value)


# ---- threads ----------------------------------------------------------------------------------


def end(threads: list[threading.Thread], patience: float) -> float:
    """End the threads that still run, in ``patience`` seconds at most; gives the seconds that are left.

    Not ended is one that is in the middle of a long step of compiled code.
    """
    until = monotonic() + patience
    while True:
        running = [thread for thread in threads if threading.Thread.is_alive(thread)]
        for thread in running:
            raise_in_thread(thread.ident, SystemExit)  # of which a thread says nothing
        if not running or monotonic() > until:
            settle()
            return max(until - monotonic(), 0.0) if running else patience
        threading.Thread.join(running[0], 0.01)


# ---- a check ----------------------------------------------------------------------------------


class Surroundings:
    """The world as it was before a check, but for functions: those are as they were when they were imported."""

    def __init__(self, functions: Functions):
        self._settings, self._generators = _read(SETTINGS), _read(GENERATORS)
        self._functions, self._patience = functions, PATIENCE

    def after_a_call(self, threads: list[threading.Thread]) -> None:
        """End the threads that the answer left running, put back all but the random generators.

        Those go on from call to call: a random answer must not look like a constant one.
        """
        sys.setrecursionlimit(self._settings[0][2])  # first, or there may be no room for the rest
        self._functions.put_back()
        if threads:
            self._patience = end(threads, self._patience)
            self._functions.put_back()
        _reset(self._settings)

    def after_the_check(self) -> None:
        self.after_a_call([])
        for put, _, before in self._generators:
            put(before)


_around: ContextVar[Surroundings | None] = ContextVar("the surroundings of a check", default=None)
_as_imported = Functions()


def remember() -> None:
    """Called when the whole grader has been imported: with these functions it will judge."""
    _as_imported.add_new()


@contextmanager
def kept() -> Iterator[Surroundings]:
    """Inside, judging uses the functions that stood there when the grader was imported; afterwards all is as before.

    Inside another, nothing more is done. Gives the surroundings, for ``after_a_call``.
    """
    outer = _around.get()
    if outer is not None:
        yield outer
        return
    replaced = _as_imported.put_back()
    _as_imported.add_new()
    around = Surroundings(_as_imported)
    token = _around.set(around)
    try:
        yield around
    finally:
        _around.reset(token)
        around.after_the_check()
        for place, name, now, _ in replaced:
            _put(place, name, now)
