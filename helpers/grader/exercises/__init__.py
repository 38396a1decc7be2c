"""The exercises, one folder each: what is here follows from the folders.

The package of an exercise has ``JUDGES``, by part a function (answer, case) → Result, and ``GIVEN``, the functions
that it hands to the learner.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("ex*/__init__.py"))


def _packages() -> list[ModuleType]:
    return [importlib.import_module(f"{__name__}.{name}") for name in NAMES]


def judges() -> dict[str, Callable]:
    """Who judges each part."""
    return {part: judge for package in _packages() for part, judge in package.JUDGES.items()}


def given() -> dict[str, Callable]:
    """What the exercises hand to the learner, by name."""
    return {given.__name__: given for package in _packages() for given in package.GIVEN}
