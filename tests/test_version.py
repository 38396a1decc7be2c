"""A course knows which exercises it has released: one version, wherever it stands, of the same frozen cases."""

import hashlib
from pathlib import Path

import nbformat
import pytest

from helpers.grader import VERSION
from helpers.grader.cases import FOLDER
from solutions import build

ROOT = Path(__file__).parent.parent
CASES = {  # of every version
    "1.0": "c7b8629ac1918c42",
    "1.1": "3ffbfbd5e9a385c7",
    "1.2": "af024d671c271eaa",
}


@pytest.mark.parametrize(
    "path",
    [build.EXERCISES, *build.SOLUTIONS.glob("ex*/solved.ipynb")],
    ids=lambda path: path.parent.name,
)
def test_every_notebook_carries_the_version(path):
    metadata = nbformat.read(path, as_version=4).metadata
    assert metadata["preference_optimization"] == {"version": VERSION}


def test_the_pages_name_the_version():
    for page in ("README.md", "solutions/README.md"):
        assert f"version {VERSION}" in (ROOT / page).read_text(encoding="utf-8").lower(), page


def test_changed_cases_are_another_version():
    """If that version has not been handed out yet: write the new digest. Otherwise raise VERSION, and add its line."""
    files = sorted(FOLDER.glob("ex*/cases/*.json"), key=lambda path: path.parts[-3:])
    texts = [path.name + path.read_text(encoding="utf-8") for path in files]
    assert CASES[VERSION] == hashlib.sha256("".join(texts).encode()).hexdigest()[:16]
