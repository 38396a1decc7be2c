"""exercises.ipynb: in step with the solved notebooks, clean untouched, full points solved, true."""

from __future__ import annotations

import ast
import builtins
import json
import os
import re
import subprocess
import sys
from collections import Counter

import nbformat
import numpy as np
import pytest
from grading import ROOT, SOLVED, UNTOUCHED, executed, source_of
from nbclient.exceptions import CellExecutionError
from nbconvert import ScriptExporter

import helpers.grader
from helpers.grader.cases import case, parts
from solutions import build
from solutions.printing import say


def returned(notebook) -> dict[str, float]:
    """What the graded cells and the last one returned, by grade_id, as nbgrader reads it."""
    found = {}
    for cell in notebook.cells:
        grader = cell.metadata.get("nbgrader", {})
        if (grader.get("grade") and grader["locked"]) or cell.id == "progress":
            results = [output for output in cell.outputs if output.output_type == "execute_result"]
            assert len(results) == 1, cell.source
            found[grader.get("grade_id", "progress")] = float(results[0].data["text/plain"])
    return found


def test_progress_survives_a_restart_of_the_kernel(tmp_path):
    ids = {cell.id: cell for cell in SOLVED.cells}
    for shown in (["setup", "a4a", "c4a", "a4d", "c4d", "progress"], ["setup", "progress"]):
        cells = [ids[name] for name in shown]
        notebook = nbformat.from_dict({**SOLVED, "cells": cells})
        assert returned(executed(notebook, tmp_path, PYTHONPATH=str(ROOT)))["progress"] == 4.0


@pytest.mark.parametrize("name", build.NAMES)
def test_every_exercise_runs_alone_solved(name, tmp_path):
    notebook = executed(build.solved(name), tmp_path, PYTHONPATH=str(ROOT))
    assert sum(returned(notebook).values()) == 10.0 and streams(notebook, "stderr") == []


def streams(notebook, name: str) -> list[str]:
    return [o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == name]


def test_untouched_runs_clean_with_zero_points_everywhere(tmp_path):
    notebook = executed(UNTOUCHED, tmp_path, PYTHONPATH=str(ROOT))
    assert returned(notebook) == {**{f"{part}-check": 0.0 for part in parts()}, "progress": 0.0}
    assert streams(notebook, "stderr") == []
    panels = [
        o.data
        for c in notebook.cells
        for o in c.get("outputs", [])
        if o.output_type == "display_data"
    ]
    assert len(panels) == len(parts()) + 1 and all("text/html" in panel for panel in panels)
    assert all("not attempted yet" in panel["text/plain"] for panel in panels[:-1])


def test_solved_earns_every_point_and_earns_it_again_at_the_end(tmp_path):
    """Again: no later cell has taken an answer's name, or a name that an answer uses."""
    again = (
        "print({"
        + ", ".join(f'"{part}": check("{part}", {case(part)["asks_for"]})' for part in parts())
        + "})"
    )
    cells = [*SOLVED.cells[:-1], nbformat.v4.new_code_cell(again), SOLVED.cells[-1]]
    solved = nbformat.from_dict({**SOLVED, "cells": cells})
    notebook = executed(solved, tmp_path, PYTHONPATH=str(ROOT))
    points = {part: case(part)["points"] for part in parts()}
    assert returned(notebook) == {
        **{f"{part}-check": p for part, p in points.items()},
        "progress": sum(points.values()),
    }
    assert ast.literal_eval(notebook.cells[-2].outputs[-1].text) == points
    assert streams(notebook, "stderr") == []


# ---- names ----------------------------------------------------------------------------------


def code_cells(prefix: str) -> dict[str, ast.Module]:
    return {
        c.id: ast.parse(c.source)
        for c in SOLVED.cells
        if c.cell_type == "code" and c.id.startswith(prefix)
    }


def bound(tree: ast.Module) -> set[str]:
    """Names that a cell binds, functions and imports included; not those inside its functions."""
    names, open_nodes = set(), list(tree.body)
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(
            node, (ast.Lambda, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)
        ):
            pass  # what they bind stays inside
        else:
            names |= (
                {node.id}
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                else set()
            )
            names |= {
                a.asname or a.name.split(".")[0]
                for a in getattr(node, "names", [])
                if isinstance(a, ast.alias)
            }
            open_nodes += ast.iter_child_nodes(node)
    return names


def kept(tree: ast.Module) -> set[str]:
    """Names that a cell hands to the cells below it: all but those of its loops."""
    return bound(ast.Module([node for node in tree.body if not isinstance(node, ast.For)], []))


def answers() -> list[str]:
    return [case(part)["asks_for"] for part in parts()]


def test_every_answer_has_a_name_of_its_own():
    assert [name for name, times in Counter(answers()).items() if times > 1] == []
    for part in parts():
        assert bound(code_cells(f"a{part}")[f"a{part}"]) == {case(part)["asks_for"]}


def test_no_answer_takes_a_name_that_means_something_already():
    """Imported by the first cell, handed out, bound by a cell that shows something, or Python's."""
    given = bound(code_cells("setup")["setup"]) | set(helpers.grader.__all__) | set(dir(builtins))
    given |= {name for tree in code_cells("d").values() for name in bound(tree)}
    assert (
        given & set(answers()) == set()
        and {"np", "torch", "check", "two_rules", "quality"} <= given
    )


def test_what_a_cell_hands_to_an_answer_is_overwritten_by_no_other():
    """An answer may use what the cell above it has worked out, whatever has run since."""
    cells = code_cells("d")
    handed = Counter(name for tree in cells.values() for name in kept(tree))
    assert {name for name, times in handed.items() if times > 1} == set()
    for cell_id, tree in cells.items():
        in_loops = bound(tree) - kept(tree)
        assert in_loops & set(handed) == set(), cell_id
    assert set(handed) & bound(code_cells("setup")["setup"]) == set()
    assert {"gold", "quality", "features", "share"} <= set(handed)


# ---- where the kernel starts ----------------------------------------------------------------

UNRELATED = (
    "def flatten(rows):\n    return [x for row in rows for x in row]\n"  # as in the package index
)


@pytest.mark.parametrize("notebook", [UNTOUCHED, SOLVED], ids=["untouched", "solved"])
def test_the_first_cells_find_helpers_from_the_folder_of_the_solved_notebook(notebook):
    assert streams(executed(notebook, ROOT / "solutions" / build.NAMES[0], first=2), "stderr") == []


def test_the_first_cell_prefers_the_lessons_helpers_to_a_package_of_that_name(tmp_path):
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").write_text(UNRELATED, encoding="utf-8")
    executed(SOLVED, ROOT / "solutions", first=2, PYTHONPATH=str(tmp_path))


def test_the_first_cell_takes_helpers_from_the_path_where_a_course_installs_them(tmp_path):
    executed(UNTOUCHED, tmp_path, first=2, PYTHONPATH=str(ROOT))


@pytest.mark.parametrize("other", [False, True], ids=["no helpers", "other helpers"])
def test_the_first_cell_says_what_to_do_where_there_is_no_lesson(tmp_path, other):
    if other:
        (tmp_path / "helpers").mkdir()
        (tmp_path / "helpers" / "__init__.py").write_text(UNRELATED, encoding="utf-8")
    with pytest.raises(CellExecutionError) as error:
        executed(UNTOUCHED, tmp_path, first=2)
    told = error.value.evalue
    assert error.value.ename == "ModuleNotFoundError" and "\n" not in told
    assert told.startswith(f"the lesson's folder `helpers` is neither in {tmp_path} nor above it")
    assert "copy of the whole repository" in told and "Colab: clone the repository" in told


def test_both_notebooks_begin_alike():
    assert source_of("setup") == source_of("setup", SOLVED)


# ---- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("notebook", [UNTOUCHED, SOLVED], ids=["untouched", "solved"])
def test_nbconvert_makes_a_python_script(notebook):
    script, resources = ScriptExporter().from_notebook_node(notebook)
    assert resources["output_extension"] == ".py"
    compile(script, "exercises.py", "exec")
    info = notebook.metadata["language_info"]
    assert (info["name"], info["file_extension"], info["mimetype"]) == (
        "python",
        ".py",
        "text/x-python",
    )


def test_the_generator_survives_a_terminal_that_knows_few_characters():
    env = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    program = "import sys; from solutions import build; sys.exit(build.main(['--\\u03c0']))"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True)
    assert (found.returncode, found.stderr) == (2, b"") and b"--\\u03c0" in found.stdout


def test_what_is_said_arrives_whole_where_it_can(capsys):
    say("mean ± sd of log π")
    assert capsys.readouterr().out == "mean ± sd of log π\n"


def test_cases_and_notebook_are_in_step_with_solutions(capsys):
    assert build.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.slow
def test_cases_are_in_step_on_a_processor_without_wide_registers():
    """There NumPy sorts otherwise, and equal numbers come out in another order unless the sort keeps it."""
    wide = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    env = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(wide)}
    env |= {"ATEN_CPU_CAPABILITY": "default"}
    program = """if True:
        import sys, numpy
        from solutions import build
        print(numpy.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
        sys.exit(build.main(["--check"]))"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, encoding="utf-8"
    )
    assert ran.stdout.startswith("[]") and ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The generated files of one exercise somewhere else, all in step; gives the folder of its cases."""
    name, text = "ex04_direct_training", build.exercises_text()
    cases = tmp_path / "learner" / name / "cases"
    moved = {cases / path.name: case for path, case in build.cases_of([name]).items()}
    (tmp_path / "solutions" / name).mkdir(parents=True)
    for place in ("frame.ipynb", f"{name}/solved.ipynb"):
        copied = (build.SOLUTIONS / place).read_text(encoding="utf-8")
        (tmp_path / "solutions" / place).write_text(copied, encoding="utf-8")
    monkeypatch.setattr(build, "cases_of", lambda names: moved)
    monkeypatch.setattr(build, "exercises_text", lambda: text)
    monkeypatch.setattr(build, "NAMES", [name])
    monkeypatch.setattr(build, "FOLDER", tmp_path / "learner")
    monkeypatch.setattr(build, "SOLUTIONS", tmp_path / "solutions")
    monkeypatch.setattr(build, "EXERCISES", tmp_path / "exercises.ipynb")
    assert build.main([]) == 0 and build.main(["--check"]) == 0
    return cases


def test_check_notices_what_is_out_of_step(elsewhere, capsys):
    """A changed number, a missing and a surplus file, and changed notebooks, each by name."""
    exercises, solved = build.EXERCISES, build.SOLUTIONS / "ex04_direct_training" / "solved.ipynb"
    before, text = solved.read_text(encoding="utf-8"), exercises.read_text(encoding="utf-8")
    saved = nbformat.reads(before, as_version=4)
    saved.metadata["language_info"] = {"name": "python", "version": "3.99"}
    nbformat.write(saved, solved)  # as a front end saves it
    stored = (elsewhere / "4b.json").read_text(encoding="utf-8")
    expected = json.loads(stored)["properties"][0]["probes"][0]["expected"]["data"]
    changed = stored.replace(f"{expected}", f"{expected + 0.001}", 1)
    (elsewhere / "4b.json").write_text(changed, encoding="utf-8")
    (elsewhere / "4a.json").unlink()
    (elsewhere / "9z.json").write_text("{}", encoding="utf-8")
    exercises.write_text(text.replace("Exercises", "exercises", 1), encoding="utf-8")
    assert build.main(["--check"]) == 1
    names = re.findall(r"(\S+) is out of step", capsys.readouterr().out)
    changed = ["4a.json", "4b.json", "9z.json", "exercises.ipynb", "solved.ipynb"]
    assert sorted(name.split("/")[-1] for name in names) == changed
    assert build.main([]) == 0 and build.main(["--check"]) == 0
    assert not (elsewhere / "9z.json").exists() and solved.read_text(encoding="utf-8") == before
    assert build.main(["--chek"]) == 2


def test_rounding_of_another_processor_changes_no_file(elsewhere, monkeypatch):
    path = elsewhere / "4b.json"
    for value in (0.123456789, 0.123456788):
        monkeypatch.setattr(build, "cases_of", lambda names, v=value: {path: {"value": v}})
        build.main([])
    assert json.loads(path.read_text(encoding="utf-8")) == {"value": 0.123456789}


@pytest.mark.parametrize(
    "a, b, same",
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.001, False),
        (1, 1.0, False),
        ([1.0, 2.0], [1.0], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({"a": [0.5, "x"]}, {"a": [0.5, "x"]}, True),
        ({"a": [0.5, "x"]}, {"a": [0.5, "y"]}, False),
    ],
)
def test_agreement_of_cases_is_up_to_rounding_only(a, b, same):
    assert build.agree(a, b) is same


def test_untouched_holds_no_solution_and_no_output():
    for cell in UNTOUCHED.cells:
        assert "SOLUTION" not in cell.source
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
    text = nbformat.writes(UNTOUCHED)
    for solved in SOLVED.cells:
        for region in re.findall(
            r"### BEGIN SOLUTION\n(.*?)\n\s*### END SOLUTION", solved.source, re.S
        ):
            for line in region.split("\n"):
                code = line.strip()
                assert len(code) < 8 or json.dumps(code)[1:-1] not in text, code


def test_stubs_are_where_the_solutions_were():
    assert source_of("a4b").endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert source_of("a4b").startswith('def ranked_loss(policy_logps, ref_logps, beta):\n    """')
    assert source_of("a4r") == "YOUR ANSWER HERE"


@pytest.mark.parametrize(
    "source", ["### BEGIN SOLUTION\nx", "# BEGIN SOLUTION\n# BEGIN SOLUTION\n# END SOLUTION"]
)
def test_a_solution_region_that_does_not_end_is_refused(source):
    with pytest.raises(ValueError, match="SOLUTION"):
        build.without_solutions(source, "code")


def test_nbgrader_metadata_is_schema_3_and_complete():
    required = {"schema_version", "grade", "grade_id", "locked", "solution", "task"}
    ids = []
    for cell in SOLVED.cells:
        if "nbgrader" in cell.metadata:
            grader = cell.metadata["nbgrader"]
            extra = {"points"} if grader["grade"] else set()
            assert (
                set(grader) == required | extra
                and grader["schema_version"] == 3
                and grader["task"] is False
            )
            ids.append(grader["grade_id"])
            kind = grader["grade"], grader["solution"], grader["locked"]
            # answer, test, answer graded by hand, read-only
            assert kind in {
                (False, True, False),
                (True, False, True),
                (True, True, False),
                (False, False, True),
            }
            assert ("BEGIN SOLUTION" in cell.source) == grader["solution"]
    assert len(ids) == len(set(ids))
    tests = [
        c.metadata["nbgrader"] for c in SOLVED.cells if c.metadata.get("nbgrader", {}).get("grade")
    ]
    points = {test["grade_id"].split("-")[0]: test["points"] for test in tests if test["locked"]}
    assert points == {part: case(part)["points"] for part in parts()}


@pytest.mark.parametrize("part", parts())
def test_every_part_states_stars_minutes_points_and_three_hints(part):
    question, hints = source_of(f"q{part}"), source_of(f"h{part}")
    assert re.search(rf"^★+ · \d+ minutes · {case(part)['points']:.0f} points$", question, re.M)
    assert re.findall(r"<summary>(\w+)", hints) == ["Hint", "Symptoms", "Worked"]
    assert hints.count("<details>") == hints.count("</details>") == 3
    assert source_of(f"c{part}") == f'check("{part}", {case(part)["asks_for"]})'
    assert f"def {case(part)['asks_for']}(" in source_of(f"a{part}")


def test_the_map_names_every_part_and_the_sections_of_the_lesson():
    rows = re.findall(r"^\| (\d\.\d [^|]*) \| ([^|]*) \|$", source_of("opening"), re.M)
    lesson = nbformat.read(ROOT / "theory.ipynb", as_version=4)
    in_lesson = [
        re.search(r"^### (\d\.\d .*)", cell.source, re.M)
        for cell in lesson.cells
        if cell.cell_type == "markdown"
    ]
    assert [section for section, _ in rows] == [found[1].strip() for found in in_lesson if found]
    assert set(re.findall(r"\d+[a-d]", " ".join(listed for _, listed in rows))) == set(parts())
