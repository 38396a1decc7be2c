"""Telling an answer that nobody has begun from one that is half written, and what to ask then."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from helpers.grader.texts import described, exact_text, type_name

DEPTH = 20  # wrappers around an answer that are looked through


def _stub():
    raise NotImplementedError()


def _stub_without_brackets():
    raise NotImplementedError


STUBS = {
    (stub.__code__.co_code, stub.__code__.co_names) for stub in (_stub, _stub_without_brackets)
}


def untouched(answer: Any) -> bool:
    """Whether the body of a function is the stub and nothing else: what the notebook hands out."""
    return any(
        (code.co_code, code.co_names) in STUBS and code.co_nlocals == _arguments(code)
        for code in _codes(answer)
    )


def _arguments(code: types.CodeType) -> int:
    """How many arguments a function takes, *a and **k included."""
    starred = [bool(code.co_flags & flag) for flag in (0x04, 0x08)]  # CO_VARARGS, CO_VARKEYWORDS
    return code.co_argcount + code.co_kwonlyargcount + sum(starred)


def _codes(answer: Any) -> Iterator[types.CodeType]:
    """Code of a function and of what it wraps; only types that cannot override it are read."""
    for _ in range(DEPTH):
        kind = type(answer)
        if kind is types.FunctionType:
            yield answer.__code__
            answer = answer.__dict__.get("__wrapped__")
        elif kind is types.MethodType:
            answer = answer.__func__
        elif kind is functools.partial:
            answer = answer.func
        else:
            return


def half_written(error: BaseException, answer: Callable) -> bool:
    """Whether the error is the stub's, raised by the answer itself: a line of it is still there."""
    return _bare(error) and _raised_in(error) in list(_codes(answer))


def explained(error: BaseException, answer: Callable) -> str:
    """What a call raised, as text; a NotImplementedError without words says where it comes from."""
    if not _bare(error):
        return described(error)
    if half_written(error, answer):
        return f"{described(error)}: the line that your answer replaces is still there"
    where = exact_text(_raised_in(error).co_name, 60)
    return f"{described(error)} in {where}(), which your function calls"


def _bare(error: BaseException) -> bool:
    return type(error) is NotImplementedError and not error.args and error.__traceback__ is not None


def _raised_in(error: BaseException) -> types.CodeType:
    """Code of the frame in which an error was raised."""
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    return step.tb_frame.f_code


def blank(value: Any) -> bool:
    """Whether a call returned nothing, or a tuple or list with nothing at some place."""
    return value is None or (type(value) in (tuple, list) and any(entry is None for entry in value))


def returned(value: Any) -> str:
    """'returned a dict', for a reader; where nothing came back, with a question about it."""
    if value is None:
        return "returned None: is a `return` missing?"
    if blank(value):
        kind = "tuple" if type(value) is tuple else "list"
        return (
            f"returned a {kind} with None in it: is a `return` missing in what your function calls?"
        )
    return f"returned a {type_name(value)}"
