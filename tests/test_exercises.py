"""exercises.ipynb: in step with the solved notebook, clean untouched, full points solved, true."""

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
import pytest
from grading import ROOT, executed
from nbclient.exceptions import CellExecutionError
from nbconvert import ScriptExporter

import helpers.grader
from helpers.grader.checking import parts
from helpers.grader.frozen import case
from solutions import build, runs
from solutions.printing import say

UNTOUCHED = nbformat.read(ROOT / "exercises.ipynb", as_version=4)
SOLVED = nbformat.read(ROOT / "solutions" / "exercises_solved.ipynb", as_version=4)


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


def streams(notebook, name: str) -> list[str]:
    return [o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == name]


def source_of(notebook, cell_id: str) -> str:
    return next(cell.source for cell in notebook.cells if cell.id == cell_id)


def test_untouched_runs_clean_with_zero_points_everywhere():
    notebook = executed(UNTOUCHED)
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


def test_solved_earns_every_point_and_earns_it_again_at_the_end():
    """Again: no later cell has taken an answer's name, or a name that an answer uses."""
    again = (
        "print({"
        + ", ".join(f'"{part}": check("{part}", {case(part)["asks_for"]})' for part in parts())
        + "})"
    )
    cells = [*SOLVED.cells[:-1], nbformat.v4.new_code_cell(again), SOLVED.cells[-1]]
    notebook = executed(nbformat.from_dict({**SOLVED, "cells": cells}))
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
    checked = executed(notebook, ROOT / "solutions", first=6)
    assert streams(checked, "stderr") == [] and returned(checked) == {
        "1a-check": 2.0 * (notebook is SOLVED)
    }


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
    assert source_of(UNTOUCHED, "setup") == source_of(SOLVED, "setup")


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


def test_check_notices_what_is_out_of_step(tmp_path, monkeypatch, capsys):
    """A changed number, a missing and a surplus file, and a changed notebook, each by name."""
    cases, text = build.all_cases(), build.exercises_text()
    monkeypatch.setattr(build, "all_cases", lambda: cases)
    monkeypatch.setattr(build, "CASES", tmp_path / "cases")
    monkeypatch.setattr(build, "EXERCISES", tmp_path / "exercises.ipynb")
    monkeypatch.setattr(build, "SOLVED", tmp_path / "exercises_solved.ipynb")
    saved = nbformat.from_dict(
        {**SOLVED, "metadata": {"language_info": {"name": "python", "version": "3.99"}}}
    )
    nbformat.write(saved, build.SOLVED)  # as a front end saves it
    assert (
        build.main(["--check"]) == 1
        and "exercises_solved.ipynb is out of step" in capsys.readouterr().out
    )
    assert build.main([]) == 0 and build.main(["--check"]) == 0
    assert nbformat.read(build.SOLVED, as_version=4) == SOLVED
    assert (tmp_path / "exercises.ipynb").read_text(encoding="utf-8") == text

    stored = (tmp_path / "cases" / "4b.json").read_text(encoding="utf-8")
    expected = f"{cases['4b']['properties'][0]['probes'][0]['expected']['data']}"
    (tmp_path / "cases" / "4b.json").write_text(
        stored.replace(expected, f"{float(expected) + 0.001}", 1), encoding="utf-8"
    )
    (tmp_path / "cases" / "4a.json").unlink()
    (tmp_path / "cases" / "9z.json").write_text("{}", encoding="utf-8")
    (tmp_path / "exercises.ipynb").write_text(
        text.replace("Exercises", "exercises", 1), encoding="utf-8"
    )
    capsys.readouterr()
    assert build.main(["--check"]) == 1
    names = re.findall(r"^(\S+) is out of step", capsys.readouterr().out, re.M)
    assert sorted(names) == ["cases/4a.json", "cases/4b.json", "cases/9z.json", "exercises.ipynb"]
    assert (
        build.main([]) == 0
        and build.main(["--check"]) == 0
        and not (tmp_path / "cases" / "9z.json").exists()
    )
    assert build.main(["--chek"]) == 2


def test_rounding_of_another_processor_changes_no_file(tmp_path, monkeypatch):
    cases = {"4b": {"value": 0.123456789}}
    monkeypatch.setattr(build, "all_cases", lambda: cases)
    monkeypatch.setattr(build, "CASES", tmp_path)
    monkeypatch.setattr(build, "EXERCISES", tmp_path / "exercises.ipynb")
    build.main([])
    before = (tmp_path / "4b.json").read_text(encoding="utf-8")
    cases["4b"] = {"value": 0.123456788}
    build.main([])
    assert (tmp_path / "4b.json").read_text(encoding="utf-8") == before


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
    assert source_of(UNTOUCHED, "a4b").endswith(
        "    # YOUR CODE HERE\n    raise NotImplementedError()"
    )
    assert source_of(UNTOUCHED, "a4b").startswith(
        'def ranked_loss(policy_logps, ref_logps, beta):\n    """'
    )
    assert source_of(UNTOUCHED, "a4r") == "YOUR ANSWER HERE"


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
    question, hints = source_of(UNTOUCHED, f"q{part}"), source_of(UNTOUCHED, f"h{part}")
    assert re.search(rf"^★+ · \d+ minutes · {case(part)['points']:.0f} points$", question, re.M)
    assert re.findall(r"<summary>(\w+)", hints) == ["Hint", "Symptoms", "Worked"]
    assert hints.count("<details>") == hints.count("</details>") == 3
    assert source_of(UNTOUCHED, f"c{part}") == f'check("{part}", {case(part)["asks_for"]})'
    assert f"def {case(part)['asks_for']}(" in source_of(UNTOUCHED, f"a{part}")


def test_the_map_names_every_part_and_the_sections_of_the_lesson():
    rows = re.findall(r"^\| (\d\.\d [^|]*) \| ([^|]*) \|$", source_of(UNTOUCHED, "opening"), re.M)
    lesson = nbformat.read(ROOT / "theory.ipynb", as_version=4)
    in_lesson = [
        re.match(r"### (\d\.\d .*)", cell.source)
        for cell in lesson.cells
        if cell.cell_type == "markdown"
    ]
    assert [section for section, _ in rows] == [found[1].strip() for found in in_lesson if found]
    assert set(re.findall(r"\d[a-d]", " ".join(listed for _, listed in rows))) == set(parts())


def test_the_numbers_in_4d_are_the_measured_ones():
    question = source_of(UNTOUCHED, "q4d")
    measured = json.loads(runs.MEASURED.read_text(encoding="utf-8"))
    table = dict(re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", question, re.M))
    expected = {
        name: f"{row['mean']:.2f} ± {row['sd']:.2f}" for name, row in measured["auc"].items()
    }
    del expected["reference answer"]
    assert table == expected and f"{measured['draws']} fresh draws" in question
    for bound in (case("4d")["full_points_from"], case("4d")["no_points_up_to"], runs.HARM):
        assert f"{bound:.2f}" in question or f"{bound:g} nats" in question
    shapes = dict(re.findall(r"^\| (`.*?`) \| \((\d+),\) \|", question, re.M))
    assert set(shapes.values()) == {str(runs.HELD_OUT_PAIRS), str(runs.SAMPLES)}


def test_the_bounds_in_4c_are_those_that_are_checked():
    question, bounds, thresholds = (
        source_of(UNTOUCHED, "q4c"),
        case("4c")["bounds"],
        case("4c")["thresholds"],
    )
    low, high = bounds["responses"]
    assert f"{low} to {high} responses, at most {bounds['features']} features" in question
    assert (
        f"longer than {bounds['norm']:g}" in question
        and f"below {bounds['least_start_probability']:g}" in question
    )
    assert question.count(f"{thresholds['chosen_nats']:g} nats") == 2


def test_worked_numbers_in_the_hints_are_right():
    import math

    from solutions.exercise4 import implicit_rewards, ranked_loss
    from torch import tensor, zeros_like

    logits = tensor([[[0.3, -0.5], [0.0, 1.0], [7.0, 7.0]]])
    uniform = implicit_rewards(
        logits, zeros_like(logits), tensor([[1, 0, 1]]), tensor([[False, True, True]]), 1.0
    )
    logp = uniform.item() - 2 * math.log(2)  # the uniform reference gives each token ½
    assert f"{logp:.3f}".replace("-", "−") in source_of(UNTOUCHED, "h4a")
    loss = ranked_loss(tensor([[2.0, 1.0, 0.0]]), tensor([[0.0, 0.0, 0.0]]), 1.0).item()
    assert f"{loss:.3f}" in source_of(UNTOUCHED, "h4b") and f"{math.exp(-loss):.3f}" in source_of(
        UNTOUCHED, "h4b"
    )
