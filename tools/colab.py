"""Notebooks of one file each, for Colab: ``python -m tools.colab`` writes them into build/colab.

They are the lesson, its chapters, the homework and each exercise. Each carries ``helpers`` inside, has no outputs, and
needs nothing but what Colab has.

REPOSITORY below is the one place that names where the lesson is published, as owner/name on GitHub. With it,
``make colab`` also puts the badge into README.md and the name into the set-up cells of theory.ipynb and
solutions/frame.ipynb, which fetch ``helpers`` from there when they find themselves in Colab; ``make exercises`` then
takes it into exercises.ipynb. Empty, as long as nobody has published it: no badge, nothing to fetch from.
"""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from helpers.grader import VERSION
from solutions import build
from tools.carrier import carrier
from tools.console import complain, say
from tools.files import write_whole
from tools.notebooks import load
from tools.working_copy import ONLY_STORED, without_outputs

REPOSITORY = ""

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "colab"
CHAPTER = re.compile(r"^## (\d+|Tour|Clinic)[.:] (.*)", re.MULTILINE)
SECTION = re.compile(r"^###? ((?:\d+|C)\.\d+ .*|(?:\d+)\. .*|Tour: .*|Clinic: .*)$", re.MULTILINE)
TOGETHER = {"10": "10_11", "11": "10_11", "Clinic": "C"}  # chapters whose file has another name

OPENING = """\
# {title}

This file is complete: it carries the code it needs, and nothing is downloaded.
Upload it to Colab (File, Upload notebook), or open it in any Jupyter with PyTorch,
Matplotlib and ipywidgets. Run the cells in order, or all of them (Runtime, Run all);
after a restart begin again with the first. Colab forgets the machine some time after
you leave: keep your work with File, Download, or in Drive.{rest}"""


# ---- which cells ------------------------------------------------------------------------------


def chapters(theory: NotebookNode) -> dict[str, list[NotebookNode]]:
    """The cells of each chapter of the lesson, by name: 'tour', '0', …, '8', 'C', '10_11'."""
    found: dict[str, list[NotebookNode]] = {}
    current = ""
    for cell in theory.cells:
        if cell.cell_type == "markdown" and re.search("^## ", cell.source, re.MULTILINE):
            heading = CHAPTER.search(cell.source)
            current = TOGETHER.get(heading[1], heading[1].lower()) if heading else ""
        if current:
            found.setdefault(current, []).append(cell)
    return found


def sections(cells: list[NotebookNode]) -> list[str]:
    """The headings of chapters and sections among cells."""
    texts = (cell.source for cell in cells if cell.cell_type == "markdown")
    return [heading for text in texts for heading in SECTION.findall(text)]


def without_dead_links(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Cells in whose text a link to another file, or to a section that is in another file, became its text."""
    texts = [cell for cell in cells if cell.cell_type == "markdown"]
    here = {f"#{to}" for cell in texts for to in re.findall(r'<a id="([^"]+)">', cell.source)}
    for cell in texts:
        cell.source = re.sub(
            r"\[([^][]+)\]\((?!https?:)(#?[\w./=-]+)\)",
            lambda link: link[0] if link[2] in here else link[1],
            cell.source,
        )
    return cells


def fetching_nothing(cell: NotebookNode) -> NotebookNode:
    """What a set-up cell would fetch in Colab is in the file already."""
    if cell.cell_type == "code":
        cell.source = re.sub(
            r'^REPOSITORY = ".*?"', 'REPOSITORY = ""', cell.source, flags=re.MULTILINE
        )
    return cell


def complete(title: str, rest: str, carried: NotebookNode, cells: list) -> NotebookNode:
    """A notebook that stands alone: an opening, the carrier, and copies of the cells."""
    kept = [cell for cell in cells if ONLY_STORED not in cell.metadata.get("tags", [])]
    cells = without_dead_links([fetching_nothing(copy.deepcopy(cell)) for cell in kept])
    opening = new_markdown_cell(OPENING.format(title=title, rest=rest), id="about-this-file")
    notebook = without_outputs(new_notebook(cells=[opening, carried, *cells]))
    notebook.metadata = {
        "colab": {"provenance": [], "toc_visible": True},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "preference_optimization": {"version": VERSION},
    }
    return notebook


def lesson_files(theory: NotebookNode) -> dict[str, NotebookNode]:
    """The whole lesson and each chapter, by the name of the file."""
    carried = carrier()
    setup = [cell for cell in theory.cells if "setup" in cell.metadata.get("tags", [])]
    made = {"lesson": complete("The whole lesson, in one file", "", carried, theory.cells)}
    for name, cells in chapters(theory).items():
        inside = sections(cells)
        title = f"{inside[0]} (one chapter of the lesson)"
        named = (heading.replace(". ", "\\. ", 1) for heading in inside[1:])  # '11. ' begins a list
        listed = "".join(f"\n- {heading}" for heading in named)
        rest = f"\n\nInside:\n{listed}" if listed else ""
        rest += "\n\nSections that a text names and that are not here are in the other files."
        file = name if name == "tour" else f"chapter_{name}"
        made[file] = complete(title, rest, carried, [*setup, *cells])
    return made


def exercise_files(exercises: NotebookNode) -> dict[str, NotebookNode]:
    """All exercises together and each alone, untouched, by the name of the file."""
    names = build.NAMES
    points = "\n\nYour points are kept beside this file, in `.exercises_points.json`."
    made = {
        "exercises": complete(
            "All exercises, in one file", points, carrier(exercises=set(names)), exercises.cells
        )
    }
    for name in names:
        solved = build.solved(name).cells
        ids = {cell.id for cell in solved[1:]} | {"progress"}
        setup, *cells = [cell for cell in exercises.cells if cell.id in ids | {"setup"}]
        sources = build.frame()["setup"].source, solved[0].source  # this exercise's imports alone
        setup = nbformat.from_dict({**setup, "source": build.set_up(sources)})
        title = f"{cells[0].source.splitlines()[0].lstrip('# ')} (one exercise, in one file)"
        carried = carrier(exercises={name})
        made[f"exercise_{name[2:4]}"] = complete(title, points, carried, [setup, *cells])
    return made


# ---- the badge and the name of the repository --------------------------------------------------

BADGE_PLACE = re.compile(r"<!-- colab: .*? -->\n(?:\[!\[.*\n)?")
NAME_PLACE = re.compile(r'^(\s*"REPOSITORY = \\")[^"\\]*(\\")', re.MULTILINE)


def with_badge(readme: str, repository: str) -> str:
    """README's text with the badge behind its mark, or without one as long as there is no repository."""
    mark = (
        "<!-- colab: REPOSITORY in tools/colab.py names the repository, "
        "`make colab` writes the badge here -->\n"
    )
    address = f"https://colab.research.google.com/github/{repository}/blob/main/theory.ipynb"
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    badge = f"[![Open the lesson in Colab]({picture})]({address})\n" if repository else ""
    return BADGE_PLACE.sub(lambda _: mark + badge, readme, count=1)


def with_name(notebook: str, repository: str) -> str:
    """A notebook file's text in which the line ``REPOSITORY = "…"`` of the set-up cell names it."""
    return NAME_PLACE.sub(rf"\g<1>{repository}\g<2>", notebook)


def names_renewed(root: Path, repository: str) -> list[str]:
    """Write the name where it belongs; returns the files that changed.

    Raises ValueError for what is no name of a repository.
    """
    if repository and not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"REPOSITORY is {repository!r}: expected owner/name as on GitHub, or ''")
    changed = []
    for name in ("README.md", "theory.ipynb", "solutions/frame.ipynb"):
        text = (root / name).read_bytes().decode("utf-8")
        renewed = (with_badge if name == "README.md" else with_name)(text, repository)
        if renewed != text:
            write_whole(root / name, renewed)
            changed.append(name)
    return changed


# ---- files ------------------------------------------------------------------------------------


def all_files() -> dict[str, NotebookNode]:
    """Every notebook that ``make colab`` writes, by the name of its file."""
    theory, exercises = load(ROOT / "theory.ipynb"), load(ROOT / "exercises.ipynb")
    return {**lesson_files(theory), **exercise_files(exercises)}


def main() -> int:
    """Write them all and print their sizes. Returns the exit status."""
    try:
        for name in names_renewed(ROOT, REPOSITORY):
            say(f"{name} now names {REPOSITORY or 'no repository'}")
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, notebook in all_files().items():
            nbformat.validate(notebook)
            text = nbformat.writes(notebook) + "\n"
            write_whole(FOLDER / f"{name}.ipynb", text)
            say(f"{len(text.encode()) / 1000:7.0f} kB  build/colab/{name}.ipynb")
    except (OSError, ValueError) as error:
        complain(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
