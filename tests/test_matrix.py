"""The oldest and the newest Python: what is not there has not passed, nor has what fails."""

import platform
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import matrix
from tools.check_python import NEWEST, OLDEST
from tools.environment import LISTS, ROOT

GOOD = "def test_good():\n    pass\n"
BAD = "def test_bad():\n    assert False\n"
SKIPPED = "import pytest\n\n\ndef test_skipped():\n    pytest.skip('why')\n"
HELD = "print('✓ §1.1 one: ≈ 2  (claimed > 1)\\n✓ §1.1 two: ≈ 2  (claimed > 1)')"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Where the table of a test goes."""
    monkeypatch.setattr(matrix, "HOMES", tmp_path)
    monkeypatch.setattr(matrix, "TABLE", tmp_path / "matrix.md")
    return tmp_path / "matrix.md"


def lesson(folder, tests, cell):
    """A lesson with one test file and one section."""
    for name in ("tests", "solutions"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "tests" / "test_it.py").write_text(tests, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n", encoding="utf-8")
    cells = [new_markdown_cell("### 1.1 One"), new_code_cell(cell)]
    nbformat.write(new_notebook(cells=cells), folder / "theory.ipynb")


@pytest.fixture
def this_python(table, tmp_path, monkeypatch):
    """Sets of the interpreter that runs this, and a lesson of their own."""
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "SECTIONS", ("1.1",))
    monkeypatch.setattr(matrix, "interpreter", lambda name, command: sys.executable)
    monkeypatch.setattr(matrix, "make_ready", lambda name, python, index: python)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for tools.notebooks
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return table


def shown(table, name):
    return matrix.columns_of(table.read_text(encoding="utf-8"))[name]


# ---- interpreters -------------------------------------------------------------------------


def test_an_interpreter_that_is_missing_is_not_run_and_not_passed(table, capsys):
    assert matrix.main(["oldest", "--oldest", "no-such-python"]) == 1
    assert "oldest: not run, no no-such-python here" in capsys.readouterr().err
    assert shown(table, "oldest")["not run"] == "no no-such-python here"
    assert "tests passed" not in table.read_text(encoding="utf-8")


def test_an_interpreter_of_another_version_is_not_run(table, capsys):
    other = "newest" if sys.version_info[:2] == OLDEST else "oldest"
    assert matrix.main([other, f"--{other}", sys.executable]) == 1
    found = "{}.{}".format(*sys.version_info)
    assert f"is Python {found}, expected 3." in shown(table, other)["not run"]


def test_what_pip_cannot_install_is_not_run(table, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(matrix, "interpreter", lambda name, command: str(tmp_path / "gone"))
    assert matrix.main(["newest"]) == 1
    assert "its packages could not be installed" in shown(table, "newest")["not run"]


def test_an_unknown_set_is_refused(table, capsys):
    with pytest.raises(SystemExit):
        matrix.main(["middle"])
    assert "no set 'middle': expected oldest or newest" in capsys.readouterr().err


# ---- results ------------------------------------------------------------------------------


def test_what_passes_ends_with_zero_and_stands_in_the_table(this_python, tmp_path, capfd):
    lesson(tmp_path, GOOD + SKIPPED, HELD)
    assert matrix.main(["newest"]) == 0
    column = shown(this_python, "newest")
    assert column["Python"] == platform.python_version() and column["torch"]
    assert [column[f"tests {what}"] for what in ("passed", "failed", "skipped")] == list("101")
    assert column["section 1.1"] == "2 of 2 claims held"


def test_what_fails_ends_with_one_and_stands_in_the_table(this_python, tmp_path, capfd):
    lesson(tmp_path, GOOD + BAD, "raise ValueError")
    assert matrix.main(["newest"]) == 1
    column = shown(this_python, "newest")
    assert [column[f"tests {what}"] for what in ("passed", "failed", "skipped")] == list("110")
    assert column["section 1.1"] == "failed"
    assert "newest of newest did not pass" in capfd.readouterr().out


PASSED = {"tests passed": "5", "tests failed": "0"} | {
    f"section {section}": "12 of 12 claims held" for section in matrix.SECTIONS
}


@pytest.mark.parametrize(
    "changed",
    [
        {"tests failed": "1"},
        {"tests failed": "pytest ended with 3"},
        {"tests passed": "0"},
        {"section 4.3": "failed"},
        {"section 4.3": "11 of 12 claims held"},
        {"section 4.3": "0 of 0 claims held"},
    ],
    ids=lambda changed: ": ".join(*changed.items()),
)
def test_one_thing_that_fails_is_enough(changed):
    assert matrix.passed(PASSED) and not matrix.passed(PASSED | changed)


@pytest.mark.parametrize(
    "code, told", [(0, "0"), (1, "pytest ended with 1"), (5, "pytest ended with 5")]
)
def test_how_pytest_ends_counts_too(code, told, tmp_path, monkeypatch):
    def ends(own, *arguments):
        (tmp_path / "r.xml").write_text(
            '<testsuites><testsuite tests="2" failures="0" errors="0" skipped="0"/></testsuites>',
            encoding="utf-8",
        )
        return subprocess.CompletedProcess(arguments, code)

    monkeypatch.setattr(matrix, "in_set", ends)
    assert matrix.tested("python", tmp_path / "r.xml")["tests failed"] == told


def test_a_pytest_that_writes_no_report_has_failed(tmp_path, monkeypatch):
    ended = subprocess.CompletedProcess((), 3)
    monkeypatch.setattr(matrix, "in_set", lambda own, *arguments: ended)
    found = matrix.tested("python", tmp_path / "none.xml")
    assert found["tests failed"] == "pytest ended with 3" and not found["tests passed"]


def test_a_set_that_is_run_alone_leaves_the_other_column(table, monkeypatch):
    found = {"date": "2026-01-02", "tests passed": "5", "tests failed": "0"}
    monkeypatch.setattr(matrix, "run_set", lambda name, *others: found | {"Python": name})
    matrix.main(["newest"])
    matrix.main(["oldest"])
    columns = matrix.columns_of(table.read_text(encoding="utf-8"))
    assert list(columns) == ["oldest", "newest"]
    assert columns == {name: found | {"Python": name} for name in columns}


# ---- what is promised ---------------------------------------------------------------------


def test_the_oldest_set_is_held_to_every_lower_bound_and_the_newest_to_none():
    lines = [
        line
        for name in LISTS["test"]
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    named = {re.match(r"[\w-]+", line)[0] for line in lines if line[0] != "#"}
    assert {limit.split("==")[0] for limit in matrix.limits_of("oldest")} == named
    assert matrix.limits_of("newest") == []


def test_the_stored_table_is_of_the_versions_that_are_promised():
    columns = matrix.columns_of(matrix.TABLE.read_text(encoding="utf-8"))
    bounds = matrix.lowest(*LISTS["test"])
    for name, (major, minor) in {"oldest": OLDEST, "newest": NEWEST}.items():
        assert columns[name]["Python"].startswith(f"{major}.{minor}."), "run make matrix"
    for package in bounds.keys() & columns["oldest"].keys():
        run = columns["oldest"][package].split("+")[0]
        assert (run + ".").startswith(bounds[package] + "."), f"{package}: run make matrix"
