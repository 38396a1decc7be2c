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
    "once": 1, "world": 1, "policies": 1, "tables": 1, "prediction": 1,
    "gpt": 2, "losses": 2, "metrics": 2, "pairs": 2, "bradley_terry": 2,
    "chat": 2, "documents": 2, "judging": 2, "length": 2,
    "agreement": 2, "calibration": 2, "reward_bench": 2, "policy_gradient": 2,
    "kl_paths": 2, "matched": 2, "proxies": 2, "reward_features": 2,
    "training": 3, "claims": 3, "explorers": 3, "facts": 3, "figures": 3, "heads": 3, "planted": 3,
    "lesson": 4, "ledger": 4, "groups": 4, "labelling": 4, "readout": 4,
    "stale_batch": 5, "token_table": 5, "feedback": 5,
}  # fmt: skip
LONGEST = 120  # of docstrings and texts; code is broken at the formatter's 100
FOLDERS = "helpers", "solutions", "tests", "tools"
GRADER = ROOT / "helpers" / "grader"
FILES = [path for path in (ROOT / "helpers").rglob("*.py") if GRADER not in path.parents]
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]


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
    names = {name for path in FILES if module_of(path) == module for name in imported(path)}
    assert [name for name in names - {module} if FLOORS[name] >= FLOORS[module]] == []


def test_the_grader_needs_only_the_two_lower_floors():
    for path in GRADER.rglob("*.py"):
        assert [name for name in imported(path) - {"grader"} if FLOORS[name] > 2] == [], path


def file_of(module):
    """The file of a module of this repository, or None."""
    place = ROOT / module.replace(".", "/")
    found = [f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()]
    return found[0] if found else None


def imports_of(path):
    """Files of this repository that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {file_of(name) or file_of(node.module) for name in names}
        elif isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
    return found - {None, path}


def test_nothing_in_grader_and_solutions_imports_in_a_circle():
    files = [*GRADER.rglob("*.py"), *(ROOT / "solutions").rglob("*.py")]
    left = {path: imports_of(path) & set(files) for path in files}
    while free := {path for path, needs in left.items() if not needs & set(left)}:
        left = {path: needs for path, needs in left.items() if path not in free}
    assert sorted(str(path.relative_to(ROOT)) for path in left) == []


def test_an_exercise_uses_no_other_exercise():
    for folder in (GRADER / "exercises", ROOT / "solutions"):
        for path in folder.glob("ex*/*.py"):
            names = set(re.findall(r"\bex\d\d_\w+", path.read_text(encoding="utf-8")))
            assert names <= {path.parent.name}, path


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


@pytest.mark.parametrize("path", sorted((ROOT / "tools").glob("*.py")), ids=lambda path: path.stem)
def test_every_tool_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert [node for node in [tree, *defined] if not ast.get_docstring(node)] == []


def test_learners_import_no_tool():
    for path in (ROOT / "helpers").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) tools\b", text, re.MULTILINE), path


def test_importing_helpers_costs_next_to_nothing():
    heavy = "[m for m in sys.modules if m.startswith(('torch', 'matplotlib', 'IPython'))]"
    code = [sys.executable, "-c", f"import sys, helpers; print(len({heavy}))"]
    result = subprocess.run(code, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.strip() == "0"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_is_readable_and_from_nowhere(path):
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > LONGEST] == []
    if path != Path(__file__) and path.name != "test_notebooks.py":
        assert not re.search(r"/(root|home|work|Users)/", text)


# ---- texts are UTF-8 whatever the machine's own encoding is -------------------------------


def mode_of(call, place, usual):
    """The mode that a call opens a file in: a literal at this place or by name, or the usual one."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    given += call.args[place : place + 1]
    return given[0].value if given and isinstance(given[0], ast.Constant) else usual


def opens_text(call):
    """Whether a call reads or writes text in the machine's own encoding, unless it names another."""
    function = call.func
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    if name == "open" and owner in ("bz2", "gzip", "lzma"):
        return "t" in mode_of(call, 1, "rb")
    if name == "open":  # the built-in one and Path's; os.open and the like open no text
        binary = owner in ("os", "webbrowser", "Image") or "b" in mode_of(call, not owner, "r")
        return not binary
    if name in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "fdopen"):
        return "b" not in mode_of(call, name == "fdopen", "r" if name == "fdopen" else "w+b")
    if owner == "subprocess":
        return any(k.arg in ("text", "universal_newlines") for k in call.keywords)
    return name in ("read_text", "write_text", "TextIOWrapper", "FileHandler")


def without_encoding(source):
    """The calls of a source that open text and name no encoding."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = {id(call) for call in calls for keyword in call.keywords if keyword.arg == "encoding"}
    return [
        f"line {call.lineno}: {ast.unparse(call)}"
        for call in calls
        if opens_text(call) and id(call) not in named
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_is_read_and_written_as_utf_8(path):
    assert without_encoding(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "call, noticed",
    [
        ("open('x')", True),
        ("open('x', 'w')", True),
        ("open('x', mode='rb')", False),
        ("open('x', encoding='utf-8')", False),
        ("path.open()", True),
        ("path.open('wb')", False),
        ("os.open('x', os.O_RDONLY)", False),
        ("gzip.open('x')", False),
        ("gzip.open('x', 'rt')", True),
        ("path.read_text()", True),
        ("path.write_text('x', encoding='utf-8')", False),
        ("tempfile.NamedTemporaryFile()", False),
        ("tempfile.NamedTemporaryFile('w')", True),
        ("subprocess.run(['x'], text=True)", True),
        ("subprocess.run(['x'], encoding='utf-8')", False),
        ("subprocess.run(['x'])", False),
    ],
)
def test_a_text_without_encoding_is_noticed(call, noticed):
    assert bool(without_encoding(call)) == noticed
