"""Open the lesson to work in: a copy without outputs, so that no answer stands below a prediction.

``python -m tools.working_copy`` copies theory.ipynb and exercises.ipynb into work/ and opens the lesson there in
JupyterLab, to which what else stands on the line goes. ``copy`` makes the copies only, for another front end; ``fresh``
makes new ones of those notebooks that have changed since, and keeps the old beside them. A copy is never overwritten.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.console import complain, say
from tools.files import write_whole
from tools.notebooks import load

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = "theory.ipynb", "exercises.ipynb"
DEFAULTS = (
    ROOT / "tools" / "jupyter"
)  # settings where a reader has made none, and the width of prose
ONLY_STORED = "only-stored"  # tag of a cell about the stored notebook, which no copy has
MADE_FROM = ".made_from.json"  # beside the copies: the content of which each was made
CHANGED = (
    "{name} has changed since work/{name} was made: `make fresh` (without make: python -m tools.working_copy "
    "fresh) makes a new copy and keeps yours beside it"
)


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """The notebook as nobody has run it, changed in place."""
    notebook.cells = [
        cell for cell in notebook.cells if ONLY_STORED not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def content(notebook: NotebookNode) -> str:
    """A hash of what a reader would work with: the cells' kinds and sources, not the outputs."""
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode("utf-8")).hexdigest()


def made_from(folder: Path) -> dict[str, str]:
    """The content that each copy was made of; nothing where that cannot be read."""
    try:
        return dict(json.loads((folder / MADE_FROM).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def free_name(path: Path) -> Path:
    """A name for an old copy that no file has: 'theory of 2026-11-27.ipynb', then '… (2).ipynb'."""
    base = f"{path.stem} of {datetime.date.today().isoformat()}"
    names = (f"{base}{f' ({n})' if n > 1 else ''}.ipynb" for n in range(1, 10_000))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def make_copies(root: Path, fresh: bool = False) -> list[str]:
    """Copy into root/work what is not there; returns what there is to say about it, line by line.

    fresh: a copy of which the stored notebook has changed since is renamed, and made anew. Raises OSError and
    ValueError, for what is not a notebook.
    """
    folder, lines = root / "work", []
    folder.mkdir(exist_ok=True)
    for name in NOTEBOOKS:
        stored, copied = without_outputs(load(root / name)), folder / name
        now, known = content(stored), made_from(folder)
        if copied.exists() and known.get(name) != now:
            if not fresh:
                lines.append(CHANGED.format(name=name))
                continue
            kept = free_name(copied)
            copied.rename(kept)
            lines.append(f"your copy of {name} is now work/{kept.name}")
        if not copied.exists():
            write_whole(copied, nbformat.writes(stored) + "\n")
            write_whole(folder / MADE_FROM, json.dumps({**known, name: now}, indent=1) + "\n")
            lines.append(f"work/{name} is new: yours to work in, and never overwritten")
        elif fresh:
            lines.append(f"work/{name} is of the newest {name}; to begin anew, rename it first")
    return lines


def open_lesson(root: Path, options: list[str]) -> int:
    """JupyterLab at the copy of the lesson, with the whole repository in its file browser; returns its exit status."""
    lab = [sys.executable, "-m", "jupyterlab", str(root / "work" / NOTEBOOKS[0])]
    style = {"static_custom_path": [str(DEFAULTS / "custom")]}
    ours = [
        f"--ServerApp.root_dir={root}",
        "--LabApp.custom_css=True",
        f"--ServerApp.tornado_settings={style}",
    ]
    environment = dict(os.environ)
    for name, path in (("PYTHONPATH", root), ("JUPYTER_CONFIG_PATH", DEFAULTS)):
        environment[name] = os.pathsep.join(filter(None, [str(path), os.environ.get(name, "")]))
    try:
        return subprocess.call([*lab, *ours, *options], env=environment)
    except KeyboardInterrupt:  # JupyterLab has asked and ended
        return 0


def main(arguments: list[str] | None = None) -> int:
    """The command line described at the top of this module. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.working_copy", description="Copies without outputs, to work in."
    )
    parser.add_argument("what", nargs="?", choices=["open", "copy", "fresh"], default="open")
    known, options = parser.parse_known_args(arguments)
    if options and known.what != "open":
        parser.error(f"{known.what} takes no options: {' '.join(options)}")
    try:
        for line in make_copies(ROOT, fresh=known.what == "fresh"):
            say(line)
    except (OSError, ValueError) as error:
        complain(str(error))
        return 1
    return open_lesson(ROOT, options) if known.what == "open" else 0


if __name__ == "__main__":
    sys.exit(main())
