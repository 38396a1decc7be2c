"""Generates what the learner gets: the frozen cases in helpers/grader/cases, and exercises.ipynb.

    python -m solutions.build           write what is out of step
    python -m solutions.build --check   write nothing; exit with 1 if anything is out of step

Cases are inputs, expected values and the outputs of the misconceptions, as plain data: no answer is
in them as code. exercises.ipynb is exercises_solved.ipynb with the solutions taken out, in the way
of nbgrader's generate_assignment. What front ends add to the solved notebook's own metadata is
taken out of it as well.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it also runs as a script

import nbformat
import numpy as np

from solutions import cases_1, cases_2, cases_3, cases_4, cases_7, cases_8
from solutions.printing import say

BRING_CASES = (
    cases_1,
    cases_2,
    cases_3,
    cases_4,
    cases_7,
    cases_8,
)  # modules with cases() → {part: case}
CASES = ROOT / "helpers" / "grader" / "cases"
SOLVED, EXERCISES = ROOT / "solutions" / "exercises_solved.ipynb", ROOT / "exercises.ipynb"


# ---- the cases ----------------------------------------------------------------------------


def all_cases() -> dict[str, dict[str, Any]]:
    """Every part's frozen case, by name."""
    return {part: case for module in BRING_CASES for part, case in module.cases().items()}


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


def exercises_text() -> str:
    """exercises.ipynb as it should be, from the solved notebook."""
    notebook = nbformat.read(SOLVED, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = without_solutions(cell.source, cell.cell_type)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return _text(notebook)


def solved_text() -> str:
    """exercises_solved.ipynb as it should be: as it is, apart from its metadata."""
    return _text(nbformat.read(SOLVED, as_version=4))


def _text(notebook: nbformat.NotebookNode) -> str:
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def out_of_step() -> dict[Path, str | None]:
    """What each file that is out of step should hold; None where there should be no file."""
    cases = {CASES / f"{part}.json": case for part, case in all_cases().items()}
    found: dict[Path, str | None] = {
        path: None for path in CASES.glob("*.json") if path not in cases
    }
    for path, case in cases.items():
        text = as_text(case) + "\n"
        if not path.exists() or not agree(json.loads(_read(path)), json.loads(text)):
            found[path] = text
    for path, text in ((EXERCISES, exercises_text()), (SOLVED, solved_text())):
        if not path.exists() or _read(path) != text:
            found[path] = text
    return found


def main(arguments: list[str]) -> int:
    """Write, or with --check compare. Returns the exit status."""
    unknown = [a for a in arguments if a != "--check"]
    if unknown:
        say(f"unknown argument {unknown[0]!r}: expected --check or nothing")
        return 2
    stale = out_of_step()
    for path, text in stale.items():
        if arguments:
            name = f"cases/{path.name}" if path.parent == CASES else path.name
            say(f"{name} is out of step with solutions/: run python -m solutions.build")
        elif text is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            beside = path.with_name(path.name + ".new")  # all or nothing, if interrupted
            beside.write_text(text, encoding="utf-8", newline="\n")
            beside.replace(path)
    return 1 if arguments and stale else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
