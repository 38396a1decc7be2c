"""The copy to work in: without outputs, never overwritten, and told when the stored notebook is another one by now."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import working_copy
from tools.notebooks import execute, load
from tools.working_copy import NOTEBOOKS, ONLY_STORED, make_copies

ROOT = Path(__file__).parent.parent
SETTINGS = working_copy.DEFAULTS / "labconfig" / "default_setting_overrides.json"


def stored(root, name, *sources):
    """Write a small notebook with a note about itself and a cell with an output for each source."""
    cells = [new_markdown_cell("Stored with outputs.", metadata={"tags": [ONLY_STORED]})]
    for source in sources:
        output = new_output("stream", text="the answer\n")
        cells.append(new_code_cell(source, outputs=[output], execution_count=1))
    nbformat.write(new_notebook(cells=cells), root / name)


def sources(path):
    return [cell.source for cell in load(path).cells]


def is_set_up(cell):
    return "setup" in (cell.id, *cell.metadata.get("tags", []))


@pytest.fixture
def root(tmp_path):
    """A repository with two small notebooks, of which the copies are made."""
    for name in NOTEBOOKS:
        stored(tmp_path, name, f"print('{name}')")
    make_copies(tmp_path)
    return tmp_path


def test_a_copy_has_all_cells_and_no_outputs():
    for name in NOTEBOOKS:
        whole = load(ROOT / name)
        copied = working_copy.without_outputs(load(ROOT / name))
        kept = [cell for cell in whole.cells if ONLY_STORED not in cell.metadata.get("tags", [])]
        assert [cell.source for cell in copied.cells] == [cell.source for cell in kept]
        code = [cell for cell in copied.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        nbformat.validate(copied)
    ignored = subprocess.run(["git", "check-ignore", "-q", "work/x"], cwd=ROOT, check=False)
    assert ignored.returncode in (0, 128), "outside git, where there is one"


def test_the_first_time_both_are_copied_and_the_next_time_nothing_happens(tmp_path):
    for name in NOTEBOOKS:
        stored(tmp_path, name, "x = 1")
    assert [line.split()[0] for line in make_copies(tmp_path)] == [f"work/{n}" for n in NOTEBOOKS]
    assert sources(tmp_path / "work" / "theory.ipynb") == ["x = 1"], "the note is not copied"
    assert "the answer" not in (tmp_path / "work" / "theory.ipynb").read_text(encoding="utf-8")
    assert make_copies(tmp_path) == []


def test_a_copy_that_was_worked_in_stays_and_one_line_tells_of_a_newer_lesson(root):
    mine = root / "work" / "theory.ipynb"
    mine.write_text(mine.read_text(encoding="utf-8").replace("print", "my_print"), encoding="utf-8")
    before = mine.read_bytes()
    assert make_copies(root) == [], "my work is no change of the lesson"
    stored(root, "theory.ipynb", "print('newer')")
    (line,) = make_copies(root)
    assert line.startswith("theory.ipynb has changed since") and "make fresh" in line
    assert mine.read_bytes() == before


def test_renewed_outputs_are_no_newer_lesson(root):
    text = (root / "theory.ipynb").read_text(encoding="utf-8")
    (root / "theory.ipynb").write_text(text.replace("the answer", "another"), encoding="utf-8")
    assert make_copies(root) == []


def test_a_fresh_copy_keeps_every_old_one_and_touches_no_other_notebook(root):
    work, mine = root / "work", []
    homework = (work / "exercises.ipynb").read_bytes()
    for version in ("second", "third"):
        mine.append((work / "theory.ipynb").read_bytes())
        stored(root, "theory.ipynb", f"print('{version}')")
        make_copies(root, fresh=True)
        assert sources(work / "theory.ipynb") == [f"print('{version}')"]
    kept = sorted(work.glob("theory of *.ipynb"), key=lambda path: path.stat().st_mtime_ns)
    assert sorted(path.read_bytes() for path in kept) == sorted(mine)
    assert (work / "exercises.ipynb").read_bytes() == homework
    assert make_copies(root) == []
    assert [line.split(" is ")[1][:6] for line in make_copies(root, fresh=True)] == ["of the"] * 2


@pytest.mark.parametrize("text", ["", "[1]", "no JSON", None])
def test_a_lost_note_of_what_it_was_made_of_overwrites_nothing(text, root):
    note = root / "work" / working_copy.MADE_FROM
    note.unlink() if text is None else note.write_text(text, encoding="utf-8")
    before = (root / "work" / "theory.ipynb").read_bytes()
    assert len(make_copies(root)) == 2, "each is said to be another"
    assert (root / "work" / "theory.ipynb").read_bytes() == before


def test_what_is_no_notebook_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(working_copy, "ROOT", tmp_path)
    assert working_copy.main(["copy"]) == 1
    assert "no notebook at" in capsys.readouterr().err
    (tmp_path / "theory.ipynb").write_text("no JSON", encoding="utf-8")
    assert working_copy.main(["copy"]) == 1
    assert "is not a notebook" in capsys.readouterr().err


def test_the_command_opens_the_copy_with_the_options_of_jupyterlab(root, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(working_copy, "ROOT", root)
    monkeypatch.setattr(
        working_copy.subprocess, "call", lambda *given, **options: calls.append((*given, options))
    )
    working_copy.main(["--allow-root", "--no-browser"])
    ((command, options),) = calls
    assert str(root / "work" / "theory.ipynb") in command and command[-2:] == [
        "--allow-root",
        "--no-browser",
    ]
    assert options["env"]["PYTHONPATH"].startswith(str(root))
    assert options["env"]["JUPYTER_CONFIG_PATH"].startswith(str(working_copy.DEFAULTS))
    working_copy.main(["copy"])
    assert len(calls) == 1
    with pytest.raises(SystemExit):
        working_copy.main(["fresh", "--no-browser"])


def test_the_settings_it_opens_with_are_settings_of_jupyterlab():
    """Known by name, and of a value that its schema allows."""
    schemas = Path(sys.prefix, "share", "jupyter", "lab", "schemas")
    for plugin, settings in json.loads(SETTINGS.read_text(encoding="utf-8")).items():
        package, name = plugin.split(":")
        known = json.loads((schemas / package / f"{name}.json").read_text(encoding="utf-8"))
        for key, value in settings.items():
            options = known["properties"][key]  # JupyterLab 4.5 lists them as enum
            named = [option["const"] for option in options.get("oneOf", [])]
            assert value in options.get("enum", named)
    assert (working_copy.DEFAULTS / "custom" / "custom.css").is_file()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_copy_finds_helpers_and_keeps_points_beside_it(name, tmp_path, monkeypatch):
    """As a front end would start it: the kernel in the copy's folder, and no help from PYTHONPATH."""
    for file in NOTEBOOKS:
        shutil.copy(ROOT / file, tmp_path)
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers")
    make_copies(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    notebook = load(tmp_path / "work" / name)
    notebook.cells = [
        cell for cell in notebook.cells if is_set_up(cell) or cell.id in ("a1a", "c1a")
    ]
    if name == "exercises.ipynb":
        notebook.cells[1].source = "def comparisons(ratings):\n    return []"
    notebook.cells.append(new_code_cell("import helpers; print(helpers.__file__)"))
    execute(notebook, tmp_path / "work")
    assert str(tmp_path / "helpers") in notebook.cells[-1].outputs[0].text
    if name == "exercises.ipynb":
        points = (tmp_path / "work" / ".exercises_points.json").read_text(encoding="utf-8")
        assert list(json.loads(points)) == ["1a"]


def test_the_readme_and_the_makefile_open_the_copy():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "jupyterlab theory.ipynb" not in readme + makefile
    assert readme.count("-m tools.working_copy") >= 2
    assert re.search(
        r"^lesson: .*\n(\t.*\n)*\t\$\(VENV_PYTHON\) -m tools.working_copy$", makefile, re.MULTILINE
    )


def test_the_stored_lesson_says_in_one_line_that_it_is_not_the_copy():
    noted = [
        cell
        for cell in load(ROOT / "theory.ipynb").cells[:2]
        if ONLY_STORED in cell.metadata.get("tags", [])
    ]
    assert (
        len(noted) == 1 and "\n" not in noted[0].source and "work/theory.ipynb" in noted[0].source
    )
