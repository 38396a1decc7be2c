"""Run the lesson without a front end: whole, one section alone, or to renew its stored outputs.

``python -m helpers.notebooks run theory.ipynb build/theory.ipynb`` executes a notebook and prints seconds per section,
``store theory.ipynb`` renews its outputs in place, ``section theory.ipynb 5.3 build/5.3.ipynb`` runs the set-up cells
and one section.

A section begins at a heading '## 5. Title' or '### 5.3 Title'. Cells tagged ``setup`` are needed by every section.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", re.MULTILINE)
OTHER_HEADING = re.compile(r"^## (?!\d)", re.MULTILINE)


def load(path: str | Path) -> NotebookNode:
    """A notebook from a file. Raises FileNotFoundError that says what to run when there is none."""
    if not Path(path).exists():
        raise FileNotFoundError(f"no notebook at {path}: run this from the folder that holds theory.ipynb")
    return nbformat.read(path, as_version=4)


def section_of_cells(notebook: NotebookNode) -> list[str]:
    """For each cell the section it stands in, '' before the first and after the last."""
    current, sections = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if heading := HEADING.search(cell.source):
                current = heading.group(1)
            elif OTHER_HEADING.search(cell.source):
                current = ""
        sections.append(current)
    return sections


def section_alone(notebook: NotebookNode, section: str) -> NotebookNode:
    """The set-up cells and the cells of one section. Raises ValueError for a section the notebook does not have."""
    of_cell = section_of_cells(notebook)
    if section not in of_cell or section == "":
        known = ", ".join(dict.fromkeys(name for name in of_cell if name))
        raise ValueError(f"no section {section!r}: expected one of {known}")
    cells = [
        cell
        for cell, name in zip(notebook.cells, of_cell)
        if name == section or "setup" in cell.metadata.get("tags", [])
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def execute(notebook: NotebookNode, folder: str | Path = ".") -> dict[str, float]:
    """Execute in place, in ``folder``, without progress bars; returns seconds per section.

    Raises RuntimeError naming section and cell when a cell fails; the outputs up to there are kept.
    """
    of_cell, started, seconds = section_of_cells(notebook), {}, {}
    client = NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}})

    def on_start(cell, cell_index):
        started[cell_index] = time.perf_counter()

    def on_executed(cell, cell_index, execute_reply):
        name = of_cell[cell_index] or "set-up and ledger"
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started[cell_index]

    client.on_cell_start, client.on_cell_executed = on_start, on_executed
    quiet, os.environ["LESSON_QUIET"] = os.environ.get("LESSON_QUIET"), "1"
    try:
        client.execute()
    except CellExecutionError as error:
        at = max(started)
        raise RuntimeError(f"section {of_cell[at] or 'set-up'}, cell {at} failed:\n{error}") from None
    finally:
        if quiet is None:
            del os.environ["LESSON_QUIET"]
    return seconds


def tidy(notebook: NotebookNode) -> None:
    """Remove what changes between runs without being content: execution times, widget state, kernel versions."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def main(arguments: list[str] | None = None) -> int:
    """The command line described at the top of this module."""
    parser = argparse.ArgumentParser(prog="python -m helpers.notebooks", description="Run the lesson headless.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, extra in (("run", ["output"]), ("store", []), ("section", ["section", "output"])):
        command = commands.add_parser(name)
        for argument in ["notebook", *extra]:
            command.add_argument(argument)
    options = parser.parse_args(arguments)

    notebook = load(options.notebook)
    if options.command == "section":
        notebook = section_alone(notebook, options.section)
    output = Path(options.notebook if options.command == "store" else options.output)
    folder = Path(options.notebook).resolve().parent
    try:
        seconds = execute(notebook, folder)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    tidy(notebook)
    output.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, output)
    for name, value in seconds.items():
        print(f"{name:18} {value:6.1f} s")
    print(f"{'total':18} {sum(seconds.values()):6.1f} s   → {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
