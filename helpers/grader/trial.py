"""Calling an answer whatever it does, and reading what comes back as plain numbers.

An answer may raise anything, write to stderr, change its arguments, or return an object that lies about itself. Here it
can do no harm but take time: ``attempt`` never raises (Ctrl-C excepted), ``plain`` reads only types whose content
cannot be overridden, and every call gets fresh copies.
"""

from __future__ import annotations

import contextlib
import io
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

RTOL, ATOL = 1e-4, 1e-5  # wide enough for float32, far below what any misconception changes
MAX_ENTRIES = 100_000  # of a returned list
Inputs = Mapping[str, Any]
NUMBERS = {bool, int, float} | {np.dtype(code).type for code in "?bhilqBHILQefdg"}


class Unusable(Exception):
    """What came back cannot be read as numbers, or nothing came back; the message says what was found."""


@dataclass(frozen=True)
class Outcome:
    """What one call returned, or how it failed. missing: nothing was written yet; refused: it raised ValueError."""

    value: Any = None
    error: str = ""
    missing: bool = False
    refused: bool = False


def attempt(function: Callable, *arguments) -> Outcome:
    """Call an answer: its stderr and warnings are dropped (a warning must not cost points), its exceptions caught."""
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            value = function(*arguments)
            if type(value) is types.CoroutineType:
                value.close()  # or Python would complain on stderr later
    except KeyboardInterrupt:
        raise
    except NotImplementedError as error:
        return Outcome(error=described(error), missing=True)
    except BaseException as error:  # SystemExit and worse included
        return Outcome(error=described(error), refused=issubclass(type(error), ValueError))
    return Outcome(value=value, missing=value is None)


def described(error: BaseException) -> str:
    """'raised ValueError: …' as an ordinary string, whatever the exception's own methods do."""
    try:
        text = exact_text(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = "(its text cannot be read)"
    return f"raised {type_name(error)}" + (f": {text}" if text else "")


def exact_text(text: str, limit: int = 300) -> str:
    """A plain, printable, short ``str`` of a text that came from an answer (which may be a subclass of str)."""
    plain_text = str.encode(text, "utf-8", "replace").decode("utf-8", "replace")
    plain_text = "".join(c if c.isprintable() or c == "\n" else "�" for c in plain_text[: limit + 1])
    return plain_text[:limit] + "…" if len(plain_text) > limit else plain_text


def type_name(value: Any) -> str:
    """Name of a value's type, even where a metaclass overrides it."""
    return exact_text(type.__dict__["__name__"].__get__(type(value)), 60)


def plain(value: Any) -> np.ndarray:
    """Numbers as a float64 array of our own. Raises Unusable for everything but numbers, arrays, tensors and lists."""
    try:
        return _plain(value)
    except (KeyboardInterrupt, Unusable):
        raise
    except BaseException as error:  # a ragged list, an integer beyond float, a tensor on no device …
        raise Unusable(f"returned a {type_name(value)} that cannot be read as numbers") from error


def _plain(value: Any) -> np.ndarray:
    kind = type(value)  # exact types: a subclass may override everything
    if value is None:
        raise Unusable("returned None")
    if kind in (torch.Tensor, torch.nn.Parameter):
        if value.is_complex():
            raise Unusable("returned complex numbers")
        return value.detach().cpu().to(torch.float64).numpy().copy()
    if kind in (list, tuple):
        entries = [_plain(entry) for entry in value[:MAX_ENTRIES]]
        if len(value) > MAX_ENTRIES:
            raise Unusable(f"returned a {kind.__name__} of {len(value)} entries")
        return np.array(entries, dtype=np.float64)
    if kind in NUMBERS or kind is np.ndarray:
        array = np.array(value)
        if array.dtype.kind not in "biuf":
            raise Unusable(f"returned an array of {array.dtype}")
        return array.astype(np.float64)
    raise Unusable(f"returned a {type_name(value)}")


def close(yours: np.ndarray, expected: np.ndarray, slack: float = 1.0) -> bool:
    """Same shape, equal up to ``slack`` times rounding; what is not finite equals only itself, NaN included."""
    if yours.shape != expected.shape:
        return False
    with np.errstate(all="ignore"):
        near = np.isfinite(expected) & (np.abs(yours - expected) <= slack * (ATOL + RTOL * np.abs(expected)))
    return bool(np.all(near | (yours == expected) | (np.isnan(yours) & np.isnan(expected))))


def as_numpy(inputs: Inputs) -> dict[str, Any]:
    """Fresh copies; arrays stay arrays."""
    return {name: v.copy() if isinstance(v, np.ndarray) else v for name, v in inputs.items()}


def as_torch(inputs: Inputs) -> dict[str, Any]:
    """Fresh copies; arrays become tensors."""
    return {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in inputs.items()}


class Trial:
    """One answer under test. It is given tensors, or arrays if it fails on tensors and not on arrays.

    ``changed`` is the name of the first argument that the answer was seen to change. Raises nothing.
    """

    def __init__(self, answer: Callable, first: Inputs, differentiable: tuple[str, ...] = ()):
        self.answer = answer
        self.changed = ""
        tensors = as_torch(first)
        for name in differentiable:  # as in training, so that a numpy answer is recognised at once
            tensors[name].requires_grad_()
        self.first = attempt(answer, *tensors.values())
        self.numpy = False
        if self.first.error and not self.first.missing:
            again = attempt(answer, *as_numpy(first).values())
            if not again.error:
                self.first, self.numpy = again, True

    def value(self, inputs: Inputs, returns: tuple[str, ...] = (), which: str = "") -> np.ndarray:
        """What the answer returns, as numbers; one entry of it where it ``returns`` several. Raises Unusable."""
        outcome = self.outcome(inputs)
        if outcome.error:
            raise Unusable(outcome.error)
        if not returns:
            return plain(outcome.value)
        if type(outcome.value) not in (tuple, list) or len(outcome.value) != len(returns):
            asked = ", ".join(returns)
            raise Unusable(f"returned a {type_name(outcome.value)}: expected ({asked})")
        return plain(outcome.value[returns.index(which)])

    def outcome(self, inputs: Inputs) -> Outcome:
        """One call on fresh copies, watched for changes of its arguments."""
        given = as_numpy(inputs) if self.numpy else as_torch(inputs)
        outcome = attempt(self.answer, *given.values())
        self._watch(given, inputs)
        return outcome

    def gradient(self, inputs: Inputs, of: str) -> np.ndarray:
        """Gradient of the scalar answer in one argument: by autograd, from arrays by differences. Raises Unusable."""
        if self.numpy:
            return self._differences(inputs, of)
        given = as_torch(inputs)
        given[of].requires_grad_()
        outcome = attempt(self.answer, *given.values())
        if outcome.error:
            raise Unusable(outcome.error)
        if type(outcome.value) is not torch.Tensor:
            raise Unusable(f"returned a {type_name(outcome.value)}, which carries no gradient")
        if not outcome.value.requires_grad:
            return np.zeros(given[of].shape)
        backward = attempt(outcome.value.backward)
        if backward.error:
            raise Unusable("no gradient could be taken: backward() " + backward.error)
        return np.zeros(given[of].shape) if given[of].grad is None else plain(given[of].grad)

    def _differences(self, inputs: Inputs, of: str, step: float = 1e-4) -> np.ndarray:
        found = np.zeros(inputs[of].shape)
        for place in np.ndindex(found.shape):
            moved = []
            for sign in (1, -1):
                there = as_numpy(inputs)
                there[of][place] += sign * step
                moved.append(self.value(there))
            if moved[0].size != 1 or moved[1].size != 1:
                raise Unusable(f"returned shape {moved[0].shape}, not a scalar")
            found[place] = (moved[0].item() - moved[1].item()) / (2 * step)
        return found

    def _watch(self, given: dict[str, Any], inputs: Inputs) -> None:
        for name, before in inputs.items():
            if isinstance(before, np.ndarray) and not self.changed:
                try:
                    if not np.array_equal(plain(given[name]), before.astype(np.float64), equal_nan=True):
                        self.changed = name
                except Unusable:
                    self.changed = name
