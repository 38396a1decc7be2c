"""Whole numbers as text, so that frozen runs stay small: two printable characters for each."""

from __future__ import annotations

import numpy as np

DIGITS = "".join(chr(code) for code in range(35, 127) if code != 92)  # none that JSON would escape
LARGEST = len(DIGITS) ** 2 - 1
_VALUES = np.zeros(127, dtype=int)
_VALUES[[ord(digit) for digit in DIGITS]] = np.arange(len(DIGITS))


def written(numbers: np.ndarray) -> str:
    """Two characters for each number. Raises ValueError for one that does not fit."""
    if numbers.min() < 0 or numbers.max() > LARGEST:
        raise ValueError(f"{numbers.min()} to {numbers.max()}: expected 0 to {LARGEST}")
    return "".join(DIGITS[n // len(DIGITS)] + DIGITS[n % len(DIGITS)] for n in numbers.tolist())


def read(text: str) -> np.ndarray:
    """The numbers that ``written`` wrote."""
    high, low = digits(text).reshape(-1, 2).T
    return high * len(DIGITS) + low


def digits(text: str) -> np.ndarray:
    """Of each character, its place among ``DIGITS``."""
    return _VALUES[np.frombuffer(text.encode("ascii"), dtype=np.uint8)]
