"""The points of earlier sessions, in a file beside the notebook: ``progress()`` shows them after a restart.

They are for the learner alone, who may change them at will; no grade is read from here.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

NAME = ".exercises_points.json"
_folder = Path.cwd()  # where the kernel starts; an answer may go elsewhere


def earlier() -> dict[str, float]:
    """Points by part, as last checked; nothing where there is no file, or one that cannot be read."""
    try:
        kept = json.loads((_folder / NAME).read_text(encoding="utf-8"))
        points = {part: float(earned) for part, earned in kept.items()}
        return {part: earned for part, earned in points.items() if math.isfinite(earned)}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep(part: str, points: float) -> None:
    """Note the points of one part. Where nothing can be written, nothing is kept."""
    text = json.dumps({**earlier(), part: points}, indent=1, sort_keys=True) + "\n"
    try:
        beside = _folder / f"{NAME}.new"  # all or nothing, if interrupted
        beside.write_text(text, encoding="utf-8")
        beside.replace(_folder / NAME)
    except OSError:
        pass
