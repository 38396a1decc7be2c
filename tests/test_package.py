"""The package as a whole: floors, docstrings, weight, line length, and no trace of the machine it was written on."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "world": 1, "policies": 1,
    "gpt": 2, "losses": 2, "metrics": 2, "pairs": 2, "bradley_terry": 2,
    "chat": 2, "agreement": 2, "calibration": 2, "reward_bench": 2, "policy_gradient": 2,
    "training": 3, "claims": 3, "facts": 3, "figures": 3, "notebooks": 3, "seeds": 4,
}  # fmt: skip
FILES = [path for path in (ROOT / "helpers").rglob("*.py") if path.parent.name != "grader"]
SOURCES = [path for folder in ("helpers", "solutions", "tests") for path in (ROOT / folder).rglob("*.py")]


def imported(path):
    """Modules of helpers that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("helpers."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "helpers":
            names.update(alias.name for alias in node.names)
    return names


def module_of(path):
    """'figures' for figures/drawing.py and 'world' for world.py, the names that have a floor."""
    return path.relative_to(ROOT / "helpers").parts[0].removesuffix(".py")


def test_every_module_has_its_floor():
    assert {module_of(path) for path in FILES} - {"__init__"} == set(FLOORS)


@pytest.mark.parametrize("module", sorted(FLOORS))
def test_a_module_imports_only_from_floors_below(module):
    names = {name for path in FILES if module_of(path) == module for name in imported(path)} - {"figures"}
    assert [name for name in names if FLOORS[name] >= FLOORS[module]] == []


def test_the_grader_needs_only_the_two_lower_floors():
    for path in (ROOT / "helpers" / "grader").glob("*.py"):
        assert [name for name in imported(path) - {"grader"} if FLOORS[name] > 2] == [], path


def public(module):
    """What a module or package defines: name, object."""
    home = f"helpers.{module}"
    for name, value in vars(importlib.import_module(home)).items():
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(home):
            if inspect.isfunction(value) or inspect.isclass(value):
                yield name, value


@pytest.mark.parametrize("module", sorted(FLOORS))
def test_everything_public_says_what_it_is(module):
    assert [name for name, value in public(module) if not inspect.getdoc(value)] == []


def test_importing_helpers_costs_next_to_nothing():
    code = (
        "import sys, helpers; print(len([m for m in sys.modules if m.startswith(('torch', 'matplotlib', 'IPython'))]))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "0"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_is_readable_and_from_nowhere(path):
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 120] == []
    if path != Path(__file__) and path.name != "test_notebooks.py":
        assert not re.search(r"/(root|home|work|Users)/", text)
