"""What the tests of several exercises share."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from helpers.grader.frozen import array, case

ROOT = Path(__file__).parents[1]


def mutants(wrong: dict) -> list:
    """Every variant of every misconception as a parameter (part, misconception, variant).

    wrong: part → a list of misconceptions.
    """
    return [
        pytest.param(part, misconception, variant, id=f"{part}-{misconception.key}-{i}")
        for part, listed in wrong.items()
        for misconception in listed
        for i, variant in enumerate(misconception.variants)
    ]


def inputs_of(part: str, name: str) -> dict:
    """A recorded input of a part as arrays."""
    return {k: array(v) for k, v in case(part)["inputs"][name].items()}


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
