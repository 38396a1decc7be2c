"""Printing on any terminal."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print a line; what standard output has no character for becomes an escape, \\u03c0 for π."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
