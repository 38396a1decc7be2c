"""What a class misunderstood: ``python -m tools.misunderstandings autograded`` counts what the stored panels say.

One line for each part and diagnosis (or verdict, where a panel gives none): in how many notebooks. Cells that
ended with an error or were stopped, and parts without a panel, are named: somebody should look at them.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

from tools.console import complain, say
from tools.notebooks import load

HEADLINE = re.compile(r"(\d+[a-d]) · .* points, (.*)")  # as in helpers/grader/panel.py
CELL = re.compile(r"(\d+[a-d])-(answer|check)")
LOOK = "look at: "


def found_in(notebook) -> set[tuple[str, str]]:
    """(part, what is said of it) of one notebook."""
    found, parts, shown = set(), set(), set()
    for cell in notebook.cells:
        name = CELL.fullmatch(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        parts |= {name[1]} if name else set()
        for output in cell.get("outputs", []):
            lines = output.get("data", {}).get("text/plain", "").split("\n")
            if headline := HEADLINE.fullmatch(lines[0]):
                shown.add(headline[1])
                told = [line for line in lines if line.startswith("→ ")]
                found |= {(headline[1], text) for text in told or [headline[2]]}
            if name and output.output_type == "error":
                found.add((name[1], f"{LOOK}{name[2]} ended with {output.ename}"))
    return found | {(part, f"{LOOK}no panel") for part in parts - shown}


def main(arguments: list[str]) -> int:
    """Print the table. Returns 0, or 1 with a sentence if there is nothing to read."""
    folder, notebooks = Path(arguments[0] if arguments else "autograded"), defaultdict(list)
    try:
        for path in sorted(folder.rglob("*.ipynb")):
            for entry in found_in(load(path)):
                notebooks[entry].append(path.relative_to(folder).as_posix())
    except ValueError as error:
        complain(str(error))
        return 1
    if not notebooks:
        complain(f"nothing of a check in the notebooks of {folder}")
        return 1
    for part, text in sorted(notebooks, key=lambda e: (int(e[0][:-1]), e[0], -len(notebooks[e]))):
        names = notebooks[part, text]
        say(f"{part:<4}{len(names):>4}  {text}" + f": {', '.join(names)}" * text.startswith(LOOK))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
