"""What the tests of the grader and of the exercises share."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from helpers.grader import check
from helpers.grader.cases import array, case, parts
from helpers.grader.checking import judge
from helpers.grader.panel import Panel
from helpers.grader.result import Result
from solutions import build

ROOT = Path(__file__).parents[1]
UNTOUCHED = nbformat.read(ROOT / "exercises.ipynb", as_version=4)
SOLVED = build.all_solved()


def exercise_of(part: str) -> str:
    """The folder of a part's exercise."""
    return next(name for name in build.NAMES if int(name[2:4]) == int(part[:-1]))


def key(part: str, module: str) -> ModuleType:
    """A module of the instructor's side of a part's exercise: 'answers', 'mistakes', …"""
    return importlib.import_module(f"solutions.{exercise_of(part)}.{module}")


def reference(part: str) -> Callable:
    """The reference answer."""
    return getattr(key(part, "answers"), case(part)["asks_for"])


def measured(part: str) -> dict:
    """What ``solutions.measure`` has recorded of a part d."""
    path = ROOT / "solutions" / exercise_of(part) / "measured.json"
    return json.loads(path.read_text(encoding="utf-8"))


REFERENCE = {part: reference(part) for part in parts()}


def graded(part: str, answer) -> Result:
    """What the grader finds, without the last resort of ``judge``, which must not be needed."""
    result = judge(answer, case(part))
    assert "could not finish" not in result.note, result.note
    return result


def survives(part: str, answers: dict[str, Any], capsys) -> None:
    """Each answer gets 0.0, a short panel and nothing on stderr, and spoils nothing for a right one."""
    for name, answer in answers.items():
        score = check(part, answer)
        captured = capsys.readouterr()
        assert type(score) is float and score == 0.0, name
        assert captured.err == "" and part in captured.out, name
        panel = Panel(graded(part, answer))
        assert len(panel._repr_html_()) < 20_000 and len(repr(panel)) < 20_000, name
    assert graded(part, REFERENCE[part]).score == case(part)["points"]


def inputs_of(part: str, name: str) -> dict:
    """A recorded input of a part as arrays."""
    return {k: array(v) for k, v in case(part)["inputs"][name].items()}


def source_of(cell_id: str, notebook: nbformat.NotebookNode = UNTOUCHED) -> str:
    """A cell's text, as learners get it or in another notebook."""
    return next(cell.source for cell in notebook.cells if cell.id == cell_id)


def flowing(cell_id: str) -> str:
    """A cell's text, wherever its lines break."""
    return source_of(cell_id).replace("\n", " ")


class OwnKernel(AsyncKernelManager):
    """A kernel of the interpreter that runs the tests, whatever kernels are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def executed(notebook, folder: Path = ROOT, first: int | None = None, **environment: str):
    """A copy of the notebook, or of its first cells, after a run in a fresh kernel.

    The kernel starts in ``folder``, in our environment without PYTHONPATH, and without pytest's
    variables, at which a kernel no longer shows what comes by descriptor 2. Raises
    CellExecutionError on an error in a cell.
    """
    copy = nbformat.from_dict(
        {**notebook, "cells": [nbformat.from_dict(cell) for cell in notebook.cells[:first]]}
    )
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHONPATH", "PYTEST"))
    }
    env |= {"OMP_NUM_THREADS": "1", **environment}
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(copy, timeout=60, kernel_manager_class=OwnKernel, resources=place).execute(
        env=env
    )
    return copy
