"""Adding an exercise touches two folders: a copy of exercise 8 becomes exercise 99 in a copy of the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from grading import ROOT

PATTERN, NEW = "ex08_bradley_terry", "ex99_toy"
FOLDERS = "helpers/grader/exercises", "solutions"


def renamed(text: str) -> str:
    """Exercise 8 as exercise 99: its folder, parts, cells and what it hands out."""
    text = text.replace(PATTERN, NEW).replace("practice_surveys", "practice_toys")
    text = re.sub(r"\b(ex|[acdhqr])8([abcdr]?)\b", r"\g<1>99\2", text)
    return re.sub(r"\b8([abcd]\b|-rationale)", r"99\1", text)


def contents(place) -> dict[str, bytes]:
    files = [path for path in place.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A copy with two more folders, and what stood in it before the build."""
    place = tmp_path_factory.mktemp("repository")
    junk = shutil.ignore_patterns("__pycache__", "data", "oracle")
    for name in ("helpers", "solutions", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=None if name == "helpers" else junk)
    for name in ("theory.ipynb", "exercises.ipynb", "pyproject.toml"):
        shutil.copy(ROOT / name, place)
    for folder in FOLDERS:
        for path in (ROOT / folder / PATTERN).iterdir():
            if path.is_file():
                new = place / folder / NEW / path.name
                new.parent.mkdir(exist_ok=True)
                new.write_text(renamed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return place, contents(place)


def run(place, *arguments: str) -> str:
    code = [sys.executable, "-B", "-m", *arguments]
    found = subprocess.run(code, cwd=place, capture_output=True, encoding="utf-8")
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_two_folders_are_all_that_a_new_exercise_touches(repository):
    place, before = repository
    run(place, "solutions.build", NEW)
    after = contents(place)
    cases = {f"{FOLDERS[0]}/{NEW}/cases/99{letter}.json" for letter in "abcd"}
    assert set(after) - set(before) == cases
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {"exercises.ipynb"}
    run(place, "solutions.build", "--check", NEW)
    cells = {c.id: c.source for c in nbformat.read(place / "exercises.ipynb", 4).cells}
    assert cells["c99a"] == 'check("99a", differences)' and "practice_toys" in cells["setup"]
    assert "8c, 8d, 99a, 99b, 99c, 99d |" in cells["opening"]
    assert list(cells)[-1] == "progress"

    tested = run(
        place, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_every_exercise.py", "-k", NEW
    )
    assert re.search(rf"^{NEW} +4 ", tested, re.M)
