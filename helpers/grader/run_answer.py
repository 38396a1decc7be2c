"""Calling an answer whatever it does, and reading what comes back as plain numbers.

An answer may raise anything, write anywhere, change its arguments, or return an object that lies
about itself. ``attempt`` never raises (Ctrl-C excepted), stops what does not end and puts back what
was changed around the call; ``plain`` reads only types whose content cannot be overridden; every
call gets fresh copies. What ends the interpreter (``os._exit``, a crash of compiled code, no memory
left) ends the check, too, and an answer that wants to can read the grader's memory.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from helpers.grader.listening import listening
from helpers.grader.surroundings import kept
from helpers.grader.texts import type_name
from helpers.grader.time_limit import Stopped, limited
from helpers.grader.unwritten import blank, explained, half_written, returned

RTOL, ATOL = 1e-4, 1e-5  # wide enough for float32, far below what any mistake changes
MAX_ENTRIES = 100_000  # of a returned list
Inputs = Mapping[str, Any]
NUMBERS = {bool, int, float} | {np.dtype(code).type for code in "?bhilqBHILQefdg"}


class Unusable(Exception):
    """What came back cannot be read as numbers, or nothing did; the message says what was found."""


@dataclass(frozen=True)
class Outcome:
    """What one call returned, or how it failed.

    stub: it raised the stub's NotImplementedError itself; refused: it raised ValueError; stopped: it
    did not end; left_out: it was not made, because the time of the check is over.
    """

    value: Any = None
    error: str = ""
    stub: bool = False
    refused: bool = False
    stopped: bool = False
    left_out: bool = False

    @property
    def empty(self) -> bool:
        """Whether the call ran through and brought nothing."""
        return not self.error and blank(self.value)


def attempt(function: Callable, *arguments) -> Outcome:
    """Call an answer: what it writes is heard, its warnings are dropped, its exceptions caught.

    A warning must not cost points. Stopped after a limit (``time_limit``); then all that can be put back
    is (``surroundings``). Raises nothing but KeyboardInterrupt, for Ctrl-C.
    """
    with kept() as around, listening() as heard:
        raised = None
        try:
            with torch.enable_grad():
                value = limited(function, *arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit and worse included
            raised = error
        finally:
            around.after_a_call(heard.started)
        if raised is None:
            if type(value) is types.CoroutineType:
                value.close()  # or Python would complain on stderr later
            return Outcome(value=value)
        if type(raised) is Stopped:
            return Outcome(error=str(raised), stopped=raised.made, left_out=not raised.made)
        refused = issubclass(type(raised), ValueError)
        stub = half_written(raised, function)
        return Outcome(error=explained(raised, function), stub=stub, refused=refused)


def plain(value: Any) -> np.ndarray:
    """Numbers as a float64 array of our own, of the same shape.

    Raises Unusable for everything but numbers, arrays, tensors and lists.
    """
    try:
        return _plain(value)
    except (KeyboardInterrupt, Unusable):
        raise
    except (
        BaseException
    ) as error:  # a ragged list, an integer beyond float, a tensor on no device …
        raise Unusable(f"returned a {type_name(value)} that cannot be read as numbers") from error


def _plain(value: Any, outer: str = "") -> np.ndarray:
    """outer: the list or tuple in which the value stands, of which the message tells then."""
    kind = type(value)  # exact types: a subclass may override everything
    if value is None:
        raise Unusable("returned None")
    if kind in (torch.Tensor, torch.nn.Parameter):
        if value.is_complex():
            raise Unusable("returned complex numbers")
        return value.detach().cpu().to(torch.float64).numpy().copy()
    if kind in (list, tuple):
        if blank(value[:MAX_ENTRIES]):
            raise Unusable(f"returned a {kind.__name__} with None in it")
        around = outer or kind.__name__
        entries = [_plain(entry, around) for entry in value[:MAX_ENTRIES]]
        if len(value) > MAX_ENTRIES:
            raise Unusable(f"returned a {kind.__name__} of {len(value)} entries")
        return np.array(entries, dtype=np.float64)
    if kind in NUMBERS or kind is np.ndarray:
        array = np.array(value)
        if array.dtype.kind not in "biuf":
            raise Unusable(f"returned an array of {array.dtype}")
        return array.astype(np.float64)
    found = type_name(value)
    raise Unusable(f"returned a {outer} with a {found} in it" if outer else f"returned a {found}")


def numbers_returned(value: Any) -> np.ndarray:
    """``plain`` of what an answer returned.

    Raises Unusable as there; if nothing came back, its text asks about the `return`.
    """
    if blank(value):
        raise Unusable(returned(value))
    return plain(value)


def close(yours: np.ndarray, expected: np.ndarray, slack: float = 1.0) -> bool:
    """Same shape, equal up to ``slack`` times rounding; what is not finite equals only itself."""
    if yours.shape != expected.shape:
        return False
    with np.errstate(all="ignore"):
        near = np.isfinite(expected) & (
            np.abs(yours - expected) <= slack * (ATOL + RTOL * np.abs(expected))
        )
    return bool(np.all(near | (yours == expected) | (np.isnan(yours) & np.isnan(expected))))


def as_numpy(inputs: Inputs) -> dict[str, Any]:
    """Fresh copies; arrays stay arrays."""
    return {name: v.copy() if isinstance(v, np.ndarray) else v for name, v in inputs.items()}


def as_torch(inputs: Inputs) -> dict[str, Any]:
    """Fresh copies; arrays become tensors."""
    return {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in inputs.items()}


class Trial:
    """One answer under test, given tensors, or arrays if it fails on tensors and not on arrays.

    ``changed`` is the name of the first argument that the answer was seen to change; ``unfinished``
    says whether some call brought nothing or met the stub; ``stopped`` has the inputs on which no call
    came to an end or was made, and its outcome. Raises nothing.
    """

    def __init__(self, answer: Callable, first: Inputs, differentiable: tuple[str, ...] = ()):
        self.answer = answer
        self.changed = ""
        self.unfinished = False
        self.stopped: list[tuple[Inputs, Outcome]] = []
        tensors = as_torch(first)
        for name in differentiable:  # as in training, so that a numpy answer is recognised at once
            tensors[name].requires_grad_()
        self.first = self._call(tensors, first)
        self.numpy = False
        if self.first.error and not self.stopped:
            again = self._call(as_numpy(first), first)
            if not again.error:
                self.first, self.numpy = again, True

    def _call(self, given: dict[str, Any], inputs: Inputs) -> Outcome:
        """Call with copies of the inputs; a call that was stopped on them is not made again."""
        for those, outcome in self.stopped:
            if those is inputs:
                return outcome
        outcome = attempt(self.answer, *given.values())
        if outcome.stopped or outcome.left_out:
            self.stopped.append((inputs, outcome))
        self.unfinished = self.unfinished or outcome.stub or outcome.empty
        return outcome

    @property
    def left_out(self) -> bool:
        """Whether some call was not made, because the time of the check was over."""
        return any(outcome.left_out for _, outcome in self.stopped)

    def value(self, inputs: Inputs, returns: tuple[str, ...] = (), which: str = "") -> np.ndarray:
        """What the answer returns, as numbers; one entry of it where it ``returns`` several.

        Raises Unusable.
        """
        outcome = self.outcome(inputs)
        if outcome.error:
            raise Unusable(outcome.error)
        if not returns or outcome.value is None:
            return numbers_returned(outcome.value)
        if type(outcome.value) not in (tuple, list) or len(outcome.value) != len(returns):
            asked = ", ".join(returns)
            raise Unusable(f"returned a {type_name(outcome.value)}: expected ({asked})")
        return numbers_returned(outcome.value[returns.index(which)])

    def outcome(self, inputs: Inputs) -> Outcome:
        """One call on fresh copies, watched for changes of its arguments."""
        given = as_numpy(inputs) if self.numpy else as_torch(inputs)
        outcome = self._call(given, inputs)
        self._watch(given, inputs)
        return outcome

    def gradient(self, inputs: Inputs, of: str) -> np.ndarray:
        """Gradient of the scalar answer in one argument: by autograd, from arrays by differences.

        Has the shape of the argument. Raises Unusable.
        """
        if self.numpy:
            return self._differences(inputs, of)
        given = as_torch(inputs)
        given[of].requires_grad_()
        outcome = self._call(given, inputs)
        if outcome.error:
            raise Unusable(outcome.error)
        if outcome.empty:
            raise Unusable(returned(outcome.value))
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
                    if not np.array_equal(
                        plain(given[name]), before.astype(np.float64), equal_nan=True
                    ):
                        self.changed = name
                except Unusable:
                    self.changed = name


def endless(trial: Trial, inputs: Mapping[str, Inputs]) -> tuple[str, ...]:
    """On which of the named inputs a call had to be stopped, as a sentence; nothing if on none."""
    names = [
        f"‘{name}’"
        for name, given in inputs.items()
        if any(those is given and outcome.stopped for those, outcome in trial.stopped)
    ]
    if not names:
        return ()
    told = (
        f"Your function did not end in time on {', '.join(names)}: what is other there than on the inputs before, or "
        "is it slow on all?"
    )
    return (told,)
