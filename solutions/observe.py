"""Calling our own functions, as they are, without a learner's limits and surroundings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.run_answer import as_torch, numbers_returned, plain
from helpers.grader.texts import described

Inputs = dict[str, Any]


def observe(
    function: Callable, inputs: Inputs, of: str, returns: tuple[str, ...] = ()
) -> np.ndarray:
    """Value, one of several results, or gradient of one of our own functions; it has to run on tensors.

    Raises RuntimeError if the call fails, Unusable as ``numbers_returned``.
    """
    given, gradient = as_torch(inputs), of and of not in returns
    if gradient:
        given[of].requires_grad_()
    value = _called(function, given)
    if gradient:
        if value.requires_grad:
            value.backward()
        found = given[of].grad
        return np.zeros(given[of].shape) if found is None else plain(found)
    return numbers_returned(value[returns.index(of)] if returns and value is not None else value)


def refusal(function: Callable, inputs: Inputs) -> str | None:
    """Text of the ValueError that one of our own functions raises on an input, if it raises one."""
    try:
        _called(function, as_torch(inputs))
    except RuntimeError as error:
        return str(error.__cause__) if isinstance(error.__cause__, ValueError) else None
    return None


def _called(function: Callable, given: Inputs) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*given.values())
    except Exception as error:
        raise RuntimeError(f"{function} on {given}: {described(error)}") from error
