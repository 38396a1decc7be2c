"""Answers that raise, lie, destroy or never return numbers: what a grader has to survive."""

from __future__ import annotations

import builtins
import decimal
import gc
import os
import random
import sys
import threading
import time

import numpy as np
import torch

import helpers.grader.judge_function
import helpers.grader.result
import helpers.grader.run_answer
import helpers.grader.texts
from helpers.grader.cases import case


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


# ---- endless: each turn is short, so that a call can be stopped between two ------------------


def turns():
    while True:
        pass


def turns_of_torch():
    weights = torch.ones(30)
    while True:
        weights = torch.softmax(weights, 0)


def turns_that_print():
    while True:
        print("still here")


def turns_that_catch_exceptions():
    while True:
        try:
            torch.ones(3).sum()
        except Exception:
            pass


def turns_that_catch_everything():
    while True:
        try:
            torch.ones(3).sum()
        except:  # noqa: E722
            pass


def turns_that_catch_everything_twice():
    while True:
        try:
            try:
                while True:
                    time.sleep(0.001)
            except:  # noqa: E722
                continue
        except BaseException as error:
            str(error)


def turns_that_never_leave_finally():
    while True:
        try:
            torch.ones(3).sum()
        finally:
            continue  # noqa: B012


def gives_the_stop_another_name():
    try:
        turns()
    except BaseException as error:
        raise ValueError("not stopped") from error


def hides_the_stop():
    try:
        turns()
    except BaseException:
        return 1.0


ENDLESS = [
    turns,
    turns_of_torch,
    turns_that_print,
    turns_that_catch_exceptions,
    turns_that_catch_everything,
    turns_that_catch_everything_twice,
    turns_that_never_leave_finally,
    gives_the_stop_another_name,
    hides_the_stop,
]


# ---- changes of what is around an answer -------------------------------------------------------


def seeds():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)


def dtype():
    torch.set_default_dtype(torch.float64)


def device():
    torch.set_default_device("meta")


def no_gradients():
    torch.set_grad_enabled(False)


def threads_of_torch():
    torch.set_num_threads(torch.get_num_threads() + 1)


def numpy_errors():
    np.seterr(all="raise"), np.seterrcall(print)


def print_options():
    np.set_printoptions(precision=1), torch.set_printoptions(precision=1)


def folder():
    os.chdir(os.path.dirname(os.getcwd()))


def interpreter():
    sys.setrecursionlimit(150), sys.setswitchinterval(0.01), gc.disable()
    sys.path.insert(0, "elsewhere")
    sys.excepthook = sys.displayhook = print
    sys.settrace(lambda *event: None), sys.setprofile(lambda *event: None)


def environment():
    os.environ["OMP_NUM_THREADS"], os.environ["NEW"] = "999", "1"
    del os.environ["PATH"]


def decimals():
    decimal.getcontext().prec = 2


CHANGES = [
    seeds,
    dtype,
    device,
    no_gradients,
    threads_of_torch,
    numpy_errors,
    print_options,
    folder,
    interpreter,
    environment,
    decimals,
]


def world() -> tuple:
    """What CHANGES change, as it is now."""
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.random.get_rng_state().tolist(),
        *(torch.get_default_dtype(), torch.empty(0).device, torch.is_grad_enabled()),
        *(torch.get_num_threads(), np.geterr(), np.geterrcall(), np.get_printoptions()),
        *(dict(vars(torch._tensor_str.PRINT_OPTS)), os.getcwd(), sys.getrecursionlimit()),
        *(sys.getswitchinterval(), gc.isenabled(), list(sys.path), sys.excepthook),
        *(sys.displayhook, sys.gettrace(), sys.getprofile(), dict(os.environ)),
        decimal.getcontext().prec,
    )


def everything(*arguments, **named):
    return True


def full_points(result):
    return result.points


def _code():
    helpers.grader.run_answer.close.__code__ = (lambda yours, expected, slack=1.0: True).__code__


def _tolerance():
    helpers.grader.run_answer.RTOL = helpers.grader.run_answer.ATOL = 1e9


def _default():
    helpers.grader.run_answer.close.__defaults__ = (1e9,)


PATCHES = {  # by name: where, and what is put there
    "np.all": (np, "all", everything),
    "np.abs": (np, "abs", lambda *a, **k: 0.0),
    "torch.allclose": (torch, "allclose", everything),
    "builtins.abs": (builtins, "abs", lambda value: 0),
    "builtins.all": (builtins, "all", everything),
    "builtins.sum": (builtins, "sum", lambda *a: 2.0),
    "builtins.isinstance": (builtins, "isinstance", everything),
    "close": (helpers.grader.run_answer, "close", everything),
    "close, imported": (helpers.grader.judge_function, "close", everything),
    "judge_function": (helpers.grader.judge_function, "_failure", lambda *a: None),
    "a new sum": (helpers.grader.result, "sum", lambda *a: 2.0),
    "Result.score": (helpers.grader.result.Result, "score", property(full_points)),
    "Result's attributes": (
        helpers.grader.result.Result,
        "__getattribute__",
        lambda self, name: 2.0 if name == "score" else object.__getattribute__(self, name),
    ),
    "Property.held": (helpers.grader.result.Property, "held", True),
}
INSIDE = {"code of close": _code, "tolerances": _tolerance, "default of close": _default}


def patch(name: str) -> None:
    """Put one of PATCHES or INSIDE in place."""
    if name in INSIDE:
        INSIDE[name]()
    else:
        setattr(*PATCHES[name])


def spoils_the_case():
    spoilt = case("4a")
    for spec in spoilt["properties"]:
        spec["probes"].clear() if "probes" in spec else None


def keeps_a_thread_running(running: list):
    """Notes the thread that it leaves running, which catches all but what ends it."""

    def on():
        while True:
            try:
                time.sleep(0.001)
            except Exception:
                pass

    running.append(threading.Thread(target=on, daemon=True))
    running[-1].start()
