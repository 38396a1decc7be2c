"""Recorded inputs, expected values, outputs of mistakes: plain data in every exercise's ``cases/``."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "exercises"  # one folder for each: ex08_bradley_terry, …


def parts() -> list[str]:
    """The parts that can be checked, in order: '1a', '1b', …"""
    found = [path.stem for path in FOLDER.glob("ex*/cases/*.json")]
    return sorted(found, key=lambda part: (int(part[:-1]), part[-1]))


def case(part: str) -> dict[str, Any]:
    """The recorded data of one part, fresh: whoever changes it changes nothing for the next."""
    return json.loads(_text(part))


@functools.cache
def _text(part: str) -> str:
    (path,) = FOLDER.glob(f"ex*/cases/{part}.json")
    return path.read_text(encoding="utf-8")


def array(stored: dict[str, Any] | float | int) -> Any:
    """{'dtype', 'data'} → array; numbers as they are. Entries may be the strings 'nan', 'inf', '-inf'."""
    if not isinstance(stored, dict):
        return stored
    return np.array(stored["data"], dtype=object).astype(stored["dtype"])
