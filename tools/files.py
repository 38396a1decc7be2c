"""Writing text files so that an interruption leaves the old one."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text file, all of it or nothing, in UTF-8 and with the same line ends everywhere."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(text.encode("utf-8"))
    os.replace(beside, path)
