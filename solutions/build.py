"""Generates what the learner gets: the frozen cases of every exercise, and exercises.ipynb.

    python -m solutions.build           write what is out of step
    python -m solutions.build --check   write nothing; exit with 1 if anything is out of step

Freezing all cases takes minutes. Names of exercises behind it, as ex04_direct_training, freeze only theirs.

Which exercises there are follows from the folders beside this file. Cases are inputs, expected values and the outputs
of mistakes, as plain data: no answer is in them as code. exercises.ipynb is the frame (opening, set-up, progress)
around the cells of every solved notebook, with the solutions taken out in the way of nbgrader's generate_assignment.
The solved notebooks themselves get the frame's set-up cell, and lose what front ends add to their metadata.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it also runs as a script

import nbformat
import numpy as np

from helpers.grader import VERSION
from helpers.grader.cases import FOLDER
from solutions.printing import say

SOLUTIONS = ROOT / "solutions"
EXERCISES = ROOT / "exercises.ipynb"
NAMES = sorted(path.parent.name for path in SOLUTIONS.glob("ex*/solved.ipynb"))


# ---- the cases ----------------------------------------------------------------------------


def cases_of(names: list[str]) -> dict[Path, dict[str, Any]]:
    """The frozen case of every part of these exercises, by the file that holds it."""
    found = {}
    for name in names:
        cases = importlib.import_module(f"solutions.{name}.freeze").cases()
        found |= {FOLDER / name / "cases" / f"{part}.json": case for part, case in cases.items()}
    return found


def as_text(value: Any, indent: str = "") -> str:
    """JSON in lines that a person can compare: what is short, or a list of numbers only, on one."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if (
        len(flat) <= 110
        or not isinstance(value, (dict, list))
        or (isinstance(value, list) and "{" not in flat)
    ):
        return flat
    inner = indent + " "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + as_text(entry, inner) for entry in value) + f"\n{indent}]"
    rows = (
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {as_text(entry, inner)}"
        for key, entry in value.items()
    )
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def agree(a: Any, b: Any) -> bool:
    """Equal, numbers up to rounding (processors differ in the last digit)."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(agree(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if type(a) is float and type(b) is float:
        return bool(np.isclose(a, b, rtol=1e-5, atol=1e-6))
    return type(a) is type(b) and a == b


# ---- the notebooks ------------------------------------------------------------------------

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
    "preference_optimization": {"version": VERSION},
}

STUBS = {
    "code": ("# YOUR CODE HERE", "raise NotImplementedError()"),
    "markdown": ("YOUR ANSWER HERE",),
}  # nbgrader's


def without_solutions(source: str, kind: str) -> str:
    """Every region from BEGIN to END SOLUTION becomes the stub, indented alike.

    Raises ValueError if a region does not end.
    """
    lines, inside = [], False
    for line in source.split("\n"):
        if "BEGIN SOLUTION" in line:
            if inside:
                raise ValueError("BEGIN SOLUTION inside a solution: expected END SOLUTION first")
            inside = True
            indent = re.match(r"\s*", line)[0]
            lines += [indent + stub for stub in STUBS[kind]]
        elif "END SOLUTION" in line:
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError("BEGIN SOLUTION without END SOLUTION")
    return "\n".join(lines)


def frame() -> dict[str, nbformat.NotebookNode]:
    """What stands around the exercises, by cell id: opening, setup and progress."""
    return {cell.id: cell for cell in _read(SOLUTIONS / "frame.ipynb").cells}


def solved(name: str) -> nbformat.NotebookNode:
    """One exercise, solved, with the frame's set-up and its own imports."""
    notebook = _read(SOLUTIONS / name / "solved.ipynb")
    setup = notebook.cells[0]
    setup.source = set_up([setup.source])
    return notebook


def all_solved() -> nbformat.NotebookNode:
    """The map, all exercises in order, and progress, in one notebook."""
    around, each = frame(), [_read(SOLUTIONS / name / "solved.ipynb") for name in NAMES]
    around["opening"].source += "\n".join(_map())
    sources = [around["setup"].source] + [notebook.cells[0].source for notebook in each]
    around["setup"].source = set_up(sources)
    cells = [cell for notebook in each for cell in notebook.cells[1:]]
    cells = [around["opening"], around["setup"], *cells, around["progress"]]
    return nbformat.from_dict({**each[0], "cells": cells})


IMPORTS = (
    "sys.path.insert(0, str(root))\n\n"  # in a set-up cell, what follows is the exercise's own
)
WIDTH = 100


def set_up(sources: list[str]) -> str:
    """The frame's set-up cell with the imports of all these set-up cells."""
    names: dict[str, set[str]] = {}
    for source in sources:
        for node in ast.parse(source.split(IMPORTS)[1]).body:
            names.setdefault(node.module, set()).update(alias.name for alias in node.names)
    lines = []
    for module in sorted(names):
        line = ""
        for name in sorted(names[module]):
            longer = f"{line}, {name}" if line else f"from {module} import {name}"
            if len(longer) > WIDTH:
                lines, longer = [*lines, line], f"from {module} import {name}"
            line = longer
        lines.append(line)
    return frame()["setup"].source.split(IMPORTS)[0] + IMPORTS + "\n".join(lines)


# sections that wait for an exercise which is not written yet; a number leaves the map when its folder is there
PLANNED = {
    5: "3.3 6.4 6.6",
    6: "2.1 3.1 6.3 7.3",
    9: "2.4 4.1 6.1 6.2",
    10: "2.5 4.5 6.1 6.6 7.1 7.2",
}
LATER = {
    "4.3": "an exercise on advantages and the clip",
    "6.5": "an exercise on groups and their divisions",
    "7.4": "an exercise on the swap test",
}


def _map() -> list[str]:
    """Rows of a table: every section of the lesson, with the parts that need it."""
    lesson = _read(ROOT / "theory.ipynb")
    texts = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")
    needs = [importlib.import_module(f"solutions.{name}").LESSON for name in NAMES]
    written = {int(name[2:4]) for name in NAMES}
    rows = []
    for section, title in re.findall(r"^### (\d\.\d) (.*?)\s*$", texts, re.M):
        parts = ", ".join(need[section] for need in needs if section in need)
        numbers = [str(n) for n in PLANNED if section in PLANNED[n].split() and n not in written]
        word = "exercise " if len(numbers) == 1 else "exercises "
        planned = word + " and ".join(numbers) if numbers else LATER.get(section, "")
        entry = "; ".join(filter(None, [parts, f"planned: {planned}" if planned else ""]))
        rows.append(f"| {section} {title} | {entry} |")
    return rows


def exercises_text() -> str:
    """exercises.ipynb as it should be."""
    notebook = all_solved()
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = without_solutions(cell.source, cell.cell_type)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return _text(notebook)


def _text(notebook: nbformat.NotebookNode) -> str:
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


# ---- files --------------------------------------------------------------------------------


def out_of_step(names: list[str]) -> dict[Path, str | None]:
    """What each file that is out of step should hold, cases of these exercises only; None for no file."""
    cases = cases_of(names)
    found: dict[Path, str | None] = {
        path: None
        for path in FOLDER.glob("ex*/cases/*.json")
        if path not in cases and (path.parents[1].name in names or names == NAMES)
    }
    for path, case in cases.items():
        text = as_text(case) + "\n"
        if not path.exists() or not agree(
            json.loads(path.read_text(encoding="utf-8")), json.loads(text)
        ):
            found[path] = text
    texts = {SOLUTIONS / name / "solved.ipynb": _text(solved(name)) for name in NAMES}
    for path, text in {**texts, EXERCISES: exercises_text()}.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            found[path] = text
    return found


def main(arguments: list[str]) -> int:
    """Write, or with --check compare. Returns the exit status."""
    checks, names = "--check" in arguments, [a for a in arguments if a != "--check"]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        say(f"unknown argument {unknown[0]!r}: expected --check, or of {', '.join(NAMES)}")
        return 2
    stale = out_of_step(names or NAMES)
    for path, text in stale.items():
        if checks:
            name = Path(os.path.relpath(path, ROOT)).as_posix()
            say(f"{name} is out of step with solutions/: run python -m solutions.build")
        elif text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(path.name + ".new")  # all or nothing, if interrupted
            beside.write_text(text, encoding="utf-8", newline="\n")
            beside.replace(path)
    return 1 if checks and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
