"""Answers that raise, lie, destroy or never return numbers: what a grader has to survive."""

from __future__ import annotations

import numpy as np
import torch


def unwritten_stub(*arguments):
    raise NotImplementedError()


class Liar:
    """Claims to be equal to everything and to be any number."""

    __class__ = torch.Tensor
    shape, ndim, dtype, size = (), 0, np.float64, 1

    def __eq__(self, other):
        return True

    def __array__(self, *a, **k):
        raise SystemExit("read me")

    def __float__(self):
        return 1.0

    def __bool__(self):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise KeyError(name)


class LyingArray(np.ndarray):
    def __array__(self, *a, **k):
        raise SystemExit

    def astype(self, *a, **k):
        raise SystemExit


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise SystemExit("no")


class SmoothTensor(torch.Tensor):
    """Answers everything with what one hopes to hear."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return False if func is torch.Tensor.is_complex else torch.zeros(())


class LyingMeta(type):
    @property
    def __name__(cls):
        raise SystemExit

    __mro__ = ()


class Nameless(metaclass=LyingMeta):
    pass


class LyingText(str):
    def __getitem__(self, key):
        raise SystemExit

    def __str__(self):
        return self

    replace = isprintable = encode = None


class WordlessError(Exception):
    def __str__(self):
        raise SystemExit("even this")


class LyingError(Exception):
    def __str__(self):
        return LyingText("<img src=x onerror=alert(1)>")


def raising(error):
    def answer(*arguments):
        raise error

    return answer


def bottomless(*arguments):
    return bottomless(*arguments)


async def later(*arguments):
    return 0.0


def destroys_arguments(*arguments):
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            argument.data = torch.zeros(7, 7)
        elif isinstance(argument, np.ndarray):
            argument.resize((3,), refcheck=False)
        elif isinstance(argument, dict):
            argument.clear()
    return 0.0


def itself():
    loop: list = []
    loop.append(loop)
    return loop


RETURNED = {
    "a string": "42",
    "a long string": "x" * 10_000_000,
    "an object": object(),
    "a liar": Liar(),
    "a lying array": np.zeros(1).view(LyingArray),
    "a lying tensor": torch.zeros(1).as_subclass(LyingTensor),
    "a smooth tensor": torch.zeros(1).as_subclass(SmoothTensor),
    "a nameless type": Nameless(),
    "a huge integer": 10**5000,
    "NaN": float("nan"),
    "infinity": torch.tensor(float("inf")),
    "a complex tensor": torch.zeros(2, dtype=torch.complex64),
    "an object array": np.array([{}, 1], dtype=object),
    "an array of strings": np.array(["1"]),
    "an array of dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "a ragged list": [[1.0], [1.0, 2.0]],
    "a list in itself": itself(),
    "a dict of nonsense": {
        "safe": Liar(),
        "unsafe": {"features": Liar(), "chosen": "0", "rejected": None},
    },
    "a dict of NaN": {
        "safe": {"features": [[np.nan] * 2] * 3, "chosen": np.nan, "rejected": 1},
        "unsafe": 1,
    },
    "a sparse tensor": torch.zeros(2).to_sparse(),
    "a tensor of another device": torch.zeros(2, device="meta"),
    "an exception": ValueError("not raised"),
    "a module": torch.nn.Linear(1, 1),
}


RAISED = [
    ValueError("x"),
    SystemExit(3),
    GeneratorExit(),
    RecursionError(),
    MemoryError(),
    StopIteration(),
    LyingError(),
    WordlessError(),
    AssertionError(),
    Warning("w"),
    BaseException("bare"),
]


HOSTILE = (
    {f"returns {name}": (lambda *a, _v=value: _v) for name, value in RETURNED.items()}
    | {f"raises {type(error).__name__}": raising(error) for error in RAISED}
    | {
        "recursion": bottomless,
        "coroutine": later,
        "generator": lambda *a: (yield 1),
        "destroys": destroys_arguments,
        "no arguments": lambda: 3,
        "not a function": 3,
        "a liar itself": Liar(),
    }
)
