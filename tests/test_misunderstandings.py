"""What a class misunderstood, counted over stored panels."""

import nbformat
import pytest

from helpers.grader.panel import Panel
from helpers.grader.result import Property, Result
from tools.misunderstandings import main


def cell(grade_id, *outputs):
    new = nbformat.v4.new_code_cell(outputs=list(outputs))
    new.metadata["nbgrader"] = {"grade_id": grade_id}
    return new


def panel(part, earned, *diagnoses):
    """What a check leaves in a cell, two points being all."""
    result = Result(
        part,
        "a title",
        2.0,
        "ok" if earned == 2 else "wrong",
        (Property("k", "a name", 2.0, earned),),
        diagnoses,
    )
    text = repr(Panel(result))
    return nbformat.v4.new_output("display_data", data={"text/plain": text})


def error(name):
    return nbformat.v4.new_output("error", ename=name, evalue="", traceback=[])


@pytest.fixture
def folder(tmp_path):
    """Two students: one has two causes told and a right part; the other one of them, and a part that never ran."""
    ada = [
        cell("10a-check", panel("10a", 1.0, "Signs turned.", "Summed: π is a mean.")),
        cell("2b-check", panel("2b", 2.0)),
        cell("2c-check", panel("2c", 0.0)),
    ]
    ben = [
        cell("10a-check", panel("10a", 0.0, "Signs turned.")),
        cell("2b-answer", error("SyntaxError")),
        cell("2b-check", error("NameError")),
        cell("2c-answer"),
    ]
    for name, cells in (("ada", ada), ("ben", ben)):
        (tmp_path / name).mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / name / "ex.ipynb")
    return tmp_path


def test_diagnoses_are_counted_by_part_and_what_did_not_run_is_named(folder, capsys):
    assert main([str(folder)]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert [part for part, _, _ in lines] == ["2b"] * 4 + ["2c"] * 2 + ["10a"] * 2
    assert ["2b", "1", "all points"] in lines and ["2c", "1", "not there yet"] in lines
    for told in ("answer ended with SyntaxError", "check ended with NameError", "no panel"):
        assert ["2b", "1", f"look at: {told}: ben/ex.ipynb"] in lines
    assert ["2c", "1", "look at: no panel: ben/ex.ipynb"] in lines
    assert lines[-2:] == [["10a", "2", "→ Signs turned."], ["10a", "1", "→ Summed: π is a mean."]]


def test_a_folder_without_panels_is_told_in_a_sentence(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "nothing of a check" in capsys.readouterr().err
    (tmp_path / "half.ipynb").write_text("{", encoding="utf-8")
    assert main([str(tmp_path)]) == 1
    assert "half.ipynb is not a notebook" in capsys.readouterr().err
