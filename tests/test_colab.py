"""The files of one notebook each: complete, without answers, and running where nothing of the repository is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.grader import VERSION
from helpers.grader.cases import parts
from solutions import build
from tools import carrier, colab
from tools.environment import HOMES, python_of
from tools.notebooks import load, section_of_cells

ROOT = Path(__file__).parent.parent
FILES = colab.all_files()
LESSON = [name for name in FILES if name == "tour" or name.startswith(("lesson", "chapter"))]
EXERCISES = [name for name in FILES if name not in LESSON]


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def carried(name):
    """What a file carries, by path."""
    return carrier.carried_files(code(FILES[name])[0])


def modules():
    """Every file of helpers but those of single exercises, by path."""
    paths = [path for path in (ROOT / "helpers").rglob("*") if path.is_file()]
    names = {path.relative_to(ROOT).as_posix() for path in paths if path.suffix != ".pyc"}
    return {name for name in names if not re.search(r"/exercises/ex\d|/\.", name)}


# ---- what is in them --------------------------------------------------------------------------


def test_there_is_a_file_for_the_lesson_each_chapter_the_homework_and_each_exercise():
    numbered = {f"chapter_{n}" for n in (*range(9), "C", "10_11")}
    assert set(LESSON) == {"lesson", "tour"} | numbered
    assert set(EXERCISES) == {"exercises"} | {f"exercise_{name[2:4]}" for name in build.NAMES}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_a_valid_notebook_without_outputs_that_explains_itself(name):
    notebook = nbformat.reads(nbformat.writes(FILES[name]), as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in code(notebook))
    assert notebook.metadata["preference_optimization"] == {"version": VERSION}
    assert notebook.cells[0].cell_type == "markdown" and "Upload" in notebook.cells[0].source
    first = notebook.cells[1]
    assert first.source.startswith("# @title Run this first") and first.metadata.cellView
    assert sum("setup" in (cell.id, *cell.metadata.get("tags", [])) for cell in notebook.cells) == 1


@pytest.mark.parametrize("name", FILES)
def test_a_file_carries_every_module_and_all_data_as_they_are(name):
    inside = carried(name)
    assert modules() <= set(inside) and len(modules()) > 90
    for path, content in inside.items():
        assert (ROOT / path).read_bytes() == content


@pytest.mark.parametrize("name", FILES)
def test_a_file_carries_the_exercises_that_it_asks_and_no_other(name):
    matches = (re.search(r"/(ex\d\d_\w+)/", path) for path in carried(name))
    found = {match[1] for match in matches if match}
    number = name.removeprefix("exercise_")
    asked = {n for n in build.NAMES if name == "exercises" or n[2:4] == number}
    assert found == asked


def stripped(text):
    """Lines without indentation, empty ones left out."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def answers():
    """What the keys have between BEGIN and END SOLUTION, where that is more than two lines."""
    found = []
    for name in build.NAMES:
        for cell in build.solved(name).cells:
            regions = re.findall(r"BEGIN SOLUTION\n(.*?)#* *END SOLUTION", cell.source, re.DOTALL)
            found += [stripped(region) for region in regions if region.count("\n") > 2]
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_no_answer(name):
    inside = carried(name)
    assert not [path for path in inside if not path.startswith("helpers/")]
    texts = [data.decode("utf-8") for path, data in inside.items() if not path.endswith(".png")]
    text = stripped("\n".join([*texts, *(cell.source for cell in FILES[name].cells[2:])]))
    assert len(answers()) >= 30 and "BEGIN SOLUTION" not in text
    assert [answer for answer in answers() if answer in text] == []


@pytest.mark.parametrize("name", LESSON)
def test_a_chapter_names_its_sections_and_holds_just_these(name):
    notebook = FILES[name]
    theory = load(ROOT / "theory.ipynb")
    if name == "lesson":
        assert len(notebook.cells) == 2 + len(colab.without_outputs(theory).cells)
        return
    chapter = name.removeprefix("chapter_")
    belongs = [s for s in section_of_cells(theory) if s and s.split(".")[0] in chapter.split("_")]
    found = [s for s in section_of_cells(notebook) if s]
    assert found == belongs and found
    for section in (s for s in found if "." in s):
        assert f"\n- {section} " in notebook.cells[0].source


def test_an_exercise_holds_its_parts_and_the_bar():
    for name in (name for name in EXERCISES if name != "exercises"):
        checks = re.findall(
            r'^check\("(\w+)"', "\n".join(c.source for c in code(FILES[name])), re.MULTILINE
        )
        assert checks == [part for part in parts() if int(part[:-1]) == int(name[-2:])]
        assert FILES[name].cells[-1].source == "progress()"


def test_links_to_files_that_are_not_there_are_text():
    cell = new_markdown_cell("[a](exercises.ipynb), [b](https://x.org/y), [c](#top), f](x, y)")
    (cell,) = colab.without_dead_links([cell])
    assert cell.source == "a, [b](https://x.org/y), c, f](x, y)"
    assert not re.search(r"\]\([\w/]+\.ipynb", "".join(c.source for c in FILES["lesson"].cells))


def test_the_same_files_make_the_same_cell_and_others_another_folder(tmp_path):
    folder = tmp_path / "helpers"
    folder.mkdir()
    (folder / "__init__.py").write_text("a = 1\n", encoding="utf-8")
    one, again = carrier.carrier(tmp_path), carrier.carrier(tmp_path)
    (folder / "__init__.py").write_text("a = 2\n", encoding="utf-8")
    other = carrier.carrier(tmp_path)
    assert one.source == again.source
    names = [
        re.search(r'^unpack_helpers\("(\w+)"', cell.source, re.MULTILINE)[1]
        for cell in (one, other)
    ]
    assert len(set(names)) == 2


# ---- the first cell, where nothing of the repository is ---------------------------------------


@pytest.fixture
def small(tmp_path):
    """A package of two modules, and an empty folder in which its carrier is run as a script."""
    for name, text in {"__init__.py": "", "one.py": "a = 1\n", "deep/two.py": "b = 2\n"}.items():
        path = tmp_path / "repository" / "helpers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    return carrier.carrier(tmp_path / "repository"), tmp_path / "empty"


def printed(source, folder, *, fails=False):
    """What a script prints that is run in a folder without help from PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONIOENCODING": "utf-8"}
    found = subprocess.run(
        [sys.executable, "-"],
        input=source,
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert (found.returncode != 0) == fails, found.stderr
    return found.stderr if fails else found.stdout


def test_the_first_cell_unpacks_files_and_imports_from_them(small):
    cell, folder = small
    show = "\nfrom helpers import one\nimport inspect\nprint(one.__file__, inspect.getsource(one))"
    (home,) = {line.split(", in ")[1] for line in printed(cell.source, folder).splitlines()}
    assert f"{home}{os.sep}helpers{os.sep}one.py a = 1" in printed(cell.source + show, folder)
    assert Path(home).parent == folder.resolve()


def test_a_second_run_keeps_what_was_edited_and_restores_what_is_missing(small):
    cell, folder = small
    printed(cell.source, folder)
    (one,) = folder.rglob("one.py")
    (two,) = folder.rglob("two.py")
    one.write_text("a = 'mine'\n", encoding="utf-8")
    two.unlink()
    said = printed(cell.source + "\nfrom helpers import one\nprint(one.a)", folder).splitlines()
    assert said[1:] == ["kept as changed by you: helpers/one.py", "mine"]
    assert two.read_text(encoding="utf-8") == "b = 2\n"


def test_another_version_never_meets_the_files_of_the_first(small, tmp_path):
    cell, folder = small
    printed(cell.source, folder)
    (edited,) = folder.rglob("one.py")
    edited.write_text("a = 'mine'\n", encoding="utf-8")
    (tmp_path / "repository" / "helpers" / "one.py").write_text("a = 3\n", encoding="utf-8")
    newer = carrier.carrier(tmp_path / "repository")
    said = printed(newer.source + "\nfrom helpers import one\nprint(one.a)", folder).splitlines()
    assert said[-1] == "3" and edited.read_text(encoding="utf-8") == "a = 'mine'\n"


def test_the_carried_package_wins_over_one_beside_the_notebook(small):
    cell, folder = small
    (folder / "helpers").mkdir()
    (folder / "helpers" / "__init__.py").write_text("", encoding="utf-8")
    assert printed(cell.source + "\nfrom helpers import one\nprint(one.a)", folder).endswith("1\n")
    said = printed("import helpers\n" + cell.source, folder, fails=True)
    assert "already loaded another `helpers`" in said and "restart" in said


def test_where_nothing_can_be_written_a_temporary_folder_is_taken_once(
    small, tmp_path, monkeypatch
):
    cell, folder = small
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    name = re.search(r'^unpack_helpers\("(\w+)"', cell.source, re.MULTILINE)[1]
    (folder / name).write_text("a file where the folder would be", encoding="utf-8")
    call = "unpack_helpers(" + cell.source.rsplit("unpack_helpers(", 1)[1]
    said = printed(f"{cell.source}\n{call}", folder).splitlines()
    assert len(said) == 2 and said[0] == said[1] and str(folder) not in said[0]


@pytest.mark.parametrize("name", ["chapter_5", "exercise_03"])
def test_first_cell_and_set_up_run_in_an_empty_folder(name, tmp_path):
    cells = code(FILES[name])[:2]
    show = "import helpers\nprint(helpers.__file__)"
    said = printed("\n".join([*(cell.source for cell in cells), show]), tmp_path)
    assert Path(said.splitlines()[-1]).is_relative_to(tmp_path.resolve())
    printed("import helpers", tmp_path, fails=True)  # control: from nowhere else


# ---- the repository's name --------------------------------------------------------------------


def test_the_badge_is_there_exactly_if_the_repository_is_named():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert colab.with_badge(text, colab.REPOSITORY) == text, "make colab renews it"
    assert ("colab-badge" in text) == bool(colab.REPOSITORY)
    named = colab.with_badge(text, "me/lesson")
    assert "(https://colab.research.google.com/github/me/lesson/blob/main/theory.ipynb)" in named
    assert colab.with_badge(named, "me/lesson") == named and colab.with_badge(named, "") == text


def test_the_name_goes_into_the_set_up_cells_and_nowhere_else(tmp_path):
    (tmp_path / "solutions").mkdir()
    source = 'import os\nREPOSITORY = ""  # owner/name\nprint(REPOSITORY)'
    for name in ("theory.ipynb", "solutions/frame.ipynb"):
        nbformat.write(new_notebook(cells=[new_code_cell(source)]), tmp_path / name)
    (tmp_path / "README.md").write_text("# Title\n\n<!-- colab: x -->\n", encoding="utf-8")
    changed = colab.names_renewed(tmp_path, "me/my.lesson")
    assert changed == ["README.md", "theory.ipynb", "solutions/frame.ipynb"]
    for name in changed[1:]:
        cell = load(tmp_path / name).cells[0]
        assert cell.source == source.replace('""', '"me/my.lesson"')
        assert 'REPOSITORY = ""' in colab.fetching_nothing(cell).source
    assert colab.names_renewed(tmp_path, "me/my.lesson") == []
    assert colab.names_renewed(tmp_path, "") == changed


@pytest.mark.parametrize("name", ["lesson", "https://github.com/me/lesson", 'a/"b', "me/lesson/x"])
def test_what_is_no_name_of_a_repository_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="expected owner/name"):
        colab.names_renewed(tmp_path, name)


def set_up(notebook):
    """The source of the one set-up cell."""
    return next(c.source for c in notebook.cells if "setup" in (c.id, *c.metadata.get("tags", [])))


@pytest.mark.parametrize("name", ["theory.ipynb", "exercises.ipynb"])
def test_the_set_up_cell_names_the_repository_of_the_one_variable(name):
    line = f'REPOSITORY = "{colab.REPOSITORY}"'
    assert [
        text.split("  #")[0]
        for text in set_up(load(ROOT / name)).splitlines()
        if "REPOSITORY =" in text
    ] == [line]


GIT = """\
#!/bin/sh
echo "git $*"
mkdir "$4" && ln -s "$LESSON/helpers" "$4/helpers"
"""
IN_COLAB = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\n"


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for git; Colab is Linux")
@pytest.mark.parametrize("name", ["theory.ipynb", "exercises.ipynb"])
def test_in_colab_the_set_up_cell_fetches_helpers_once_and_elsewhere_never(
    name, tmp_path, monkeypatch
):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(GIT, encoding="utf-8")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("LESSON", str(ROOT))
    folder = tmp_path / "content"
    folder.mkdir()
    cell = set_up(load(ROOT / name)).replace('REPOSITORY = ""', 'REPOSITORY = "me/lesson"')
    assert "helpers" in printed(cell, folder, fails=True), "elsewhere it says what is missing"
    assert (
        printed(IN_COLAB + cell, folder)
        == "git clone --depth=1 https://github.com/me/lesson lesson\n"
    )
    assert printed(IN_COLAB + cell, folder) == ""


# ---- with the versions of Colab ---------------------------------------------------------------


def run_as_in_colab(notebook, folder):
    """Execute a notebook in a folder with the versions of Colab; the notebook with its outputs."""
    python = python_of(HOMES["colab"])
    if not python.exists():
        pytest.fail("no build/colab-python: `make colab-environment` makes it, as `make slow` does")
    nbformat.write(notebook, folder / "given.ipynb")
    own = ("PYTHONPATH", "LESSON_QUIET", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"  # its own kernel, whatever else is installed
    command = [str(python), "-m", "nbconvert", "--to", "notebook", "--execute", "given.ipynb"]
    command += ["--output", "run.ipynb", "--ExecutePreprocessor.timeout=900"]
    found = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    assert found.returncode == 0, found.stderr
    return load(folder / "run.ipynb")


VERSIONS = """\
import IPython, ipywidgets, numpy, sys
print(IPython.__version__, ipywidgets.__version__, numpy.__version__[:3], "solutions" in sys.modules)"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chapter_5", "lesson"])
def test_the_lesson_and_a_chapter_run_in_an_empty_folder_with_the_versions_of_colab(name, tmp_path):
    notebook = nbformat.from_dict(FILES[name])
    notebook.cells.append(new_code_cell(VERSIONS))
    *cells, last = code(run_as_in_colab(notebook, tmp_path))
    assert re.match(r"7\.34\.0 7\.7\.1 2\.[01] False", last.outputs[0].text)
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o.text for o in outputs if o.get("name") == "stderr" and "%|" not in o.text]
    printed_lines = "".join(o.text for o in outputs if o.get("name") == "stdout").splitlines()
    promised = sum(source.count("claim(") for source in (cell.source for cell in cells))
    held = [line for line in printed_lines if line.startswith("✓")]
    assert len(held) >= promised and not [line for line in printed_lines if line.startswith("✗")]
    assert any("image/png" in o.get("data", {}) for o in outputs)


@pytest.mark.slow
def test_all_exercises_keep_their_points_in_an_empty_folder_with_the_versions_of_colab(tmp_path):
    answered = nbformat.from_dict(FILES["exercises"])
    restarted = nbformat.from_dict(FILES["exercises"])
    restarted.cells = [*code(restarted)[:2], restarted.cells[-1]]  # unpack, set-up, progress()
    key = {cell.id: cell.source for cell in build.all_solved().cells if cell.cell_type == "code"}
    for cell in answered.cells:
        if cell.get("metadata", {}).get("nbgrader", {}).get("solution"):
            cell.source = key.get(cell.id, cell.source)
    earned = []
    for notebook in (answered, restarted):
        last = code(run_as_in_colab(notebook, tmp_path))[-1].outputs
        shown = [o.data["text/plain"] for o in last if o.output_type == "execute_result"]
        earned.append(float(shown[0]))
    assert earned == [100.0, 100.0]


def test_a_chapter_s_file_links_only_to_sections_that_are_in_it():
    link = "[{0}](#cell-id={1})".format
    above, title = (
        f'<a id="cell-id=1-1"></a>{link("all", "all")} · next {link("1.2", "1-2")}',
        "## 1. A",
    )
    cells = [new_markdown_cell(f"{above}\n\n{title}\n\nSee {link('1.1', '1-1')}, [b](c.ipynb).")]
    (cell,) = colab.without_dead_links(cells)
    kept = f'<a id="cell-id=1-1"></a>all · next 1.2\n\n{title}\n\nSee {link("1.1", "1-1")}, b.'
    assert cell.source == kept
