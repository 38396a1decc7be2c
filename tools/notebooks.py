"""Run the lesson without a front end: whole, one section alone, or to renew its stored outputs.

``python -m tools.notebooks run theory.ipynb build/theory.ipynb`` executes a notebook and prints
seconds per section, ``store theory.ipynb`` renews its outputs in place, ``section theory.ipynb 5.3
build/5.3.ipynb`` runs the set-up cell and one section.

A section begins at a heading '## 5. Title', '### 5.3 Title' or '## Tour: title'. The cell tagged ``setup`` is
needed by every section.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tools.console import complain, say
from tools.files import write_whole
from tools.kernels import client_for, run

HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?|C\.\d+|Tour)[.:]? ", re.MULTILINE)
OTHER_HEADING = re.compile(r"^## (?!\d|Tour:)", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # of tracebacks, for terminals


def load(path: str | Path) -> NotebookNode:
    """A notebook from a file. FileNotFoundError if there is none, ValueError if it is not one."""
    if not Path(path).exists():
        raise FileNotFoundError(
            f"no notebook at {path}: run this from the folder that holds theory.ipynb"
        )
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"{path} is not a notebook: {error}") from None


def section_of_cells(notebook: NotebookNode) -> list[str]:
    """For each cell the section it stands in, '' before the first and after the last."""
    current, sections = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if heading := HEADING.search(cell.source):
                current = heading.group(1).replace("Tour", "tour")
            elif OTHER_HEADING.search(cell.source):
                current = ""
        sections.append(current)
    return sections


def section_alone(notebook: NotebookNode, *sections: str) -> NotebookNode:
    """The set-up and the cells of one section or several. ValueError for one the notebook lacks."""
    of_cell = section_of_cells(notebook)
    known = list(dict.fromkeys(name for name in of_cell if name))
    for section in sections:
        if section not in known:
            raise ValueError(f"no section {section!r}: expected one of {', '.join(known)}")
    cells = [
        cell
        for cell, name in zip(notebook.cells, of_cell)
        if name in sections or "setup" in cell.metadata.get("tags", [])
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def what_happened(error: Exception, timeout: int) -> str:
    """An exception of nbclient in words."""
    if isinstance(error, CellTimeoutError):
        return f"took longer than {timeout} s and was stopped"
    if isinstance(error, DeadKernelError):
        return "ended its kernel: out of memory, killed, or the code itself left Python"
    return "failed"


def execute(
    notebook: NotebookNode, folder: str | Path = ".", timeout: int = 900
) -> dict[str, float]:
    """Execute in place, in ``folder``, without progress bars; returns seconds per section.

    Raises RuntimeError naming section and cell when a cell fails, takes longer than ``timeout``
    seconds or ends the kernel; the outputs up to there are kept.
    """
    of_cell, started, seconds = section_of_cells(notebook), {}, {}

    def on_start(cell, cell_index):
        started[cell_index] = time.perf_counter()

    def on_executed(cell, cell_index, execute_reply):
        name = of_cell[cell_index] or "set-up and ledger"
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started[cell_index]

    client = client_for(notebook, folder, timeout)
    client.on_cell_start, client.on_cell_executed = on_start, on_executed
    try:
        run(client, {**os.environ, "LESSON_QUIET": "1"})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        at = max(started)
        what = f"section {of_cell[at] or 'set-up'}, cell {at} {what_happened(error, timeout)}"
        code = notebook.cells[at].source.strip().splitlines()
        told = str(error) if isinstance(error, CellExecutionError) else f"{code[0]} …"
        raise RuntimeError(f"{what}:\n{COLOUR.sub('', told)}") from None
    return seconds


def tidy(notebook: NotebookNode) -> None:
    """Remove what changes between runs without being content: times, widget state, versions."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def carry_out(options: argparse.Namespace) -> tuple[dict[str, float], Path]:
    """Do what the command line asks and save the result; returns seconds per section, and where."""
    source = Path(options.notebook)
    output = source if options.command == "store" else Path(options.output)
    if options.command != "store" and output.resolve() == source.resolve():
        raise ValueError(f"{output} is the notebook itself: expected another place for the result")
    notebook = load(source)
    if options.command == "section":
        notebook = section_alone(notebook, options.section)
    output.parent.mkdir(parents=True, exist_ok=True)  # now, not after minutes of work
    seconds = execute(notebook, source.resolve().parent)
    tidy(notebook)
    if options.command == "store":
        from tools.pictures import pack_figures  # it needs zopfli, which learners have no use for

        pack_figures(notebook)
    # no indentation: a line of source still has a line of its own, and the lesson is 125 kB smaller
    plain = json.loads(nbformat.writes(notebook))
    write_whole(output, json.dumps(plain, ensure_ascii=False, indent=0) + "\n")
    return seconds, output


def main(arguments: list[str] | None = None) -> int:
    """The command line described at the top of this module."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.notebooks", description="Run the lesson headless."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, extra in (("run", ["output"]), ("store", []), ("section", ["section", "output"])):
        command = commands.add_parser(name)
        for argument in ["notebook", *extra]:
            command.add_argument(argument)
    try:
        seconds, output = carry_out(parser.parse_args(arguments))
    except (OSError, RuntimeError, ValueError) as error:
        complain(str(error))
        return 1
    for name, value in seconds.items():
        say(f"{name:18} {value:6.1f} s")
    say(f"{'total':18} {sum(seconds.values()):6.1f} s   → {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
