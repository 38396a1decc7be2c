"""Claims over seeds: the table's arithmetic, and that the stored one is that of the stored lesson."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from helpers.claims import Claim
from tools import seeds
from tools.seeds import as_markdown, line_of, lines_of, main, margin, parse_seeds, summarise

ROOT = Path(__file__).parent.parent


def claim(value, bound="< 1", statement="a distance", holds=True):
    return Claim("1.1", statement, value, f"= {value}", bound, holds, "")


@pytest.mark.parametrize(
    "bound, mean, sd, expected",
    [
        ("< 0.03", 0.01, 0.005, 4.0),
        ("> 1", 0.5, 0.25, -2.0),
        ("in [0.5, 1.5]", 1.25, 0.125, 2.0),
        ("< 1e-08", 5e-9, 1e-9, 5.0),
        ("> -0.5", -0.25, 0.125, 2.0),
        ("< 1", 1.0, 0.0, float("inf")),
        ("< 1", 2.0, 0.0, float("-inf")),
    ],
)
def test_margin_is_the_room_to_the_bound_in_standard_deviations(bound, mean, sd, expected):
    assert margin(bound, mean, sd) == pytest.approx(expected)


def test_a_bound_that_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match="bound '≤ 3'"):
        margin("≤ 3", 1.0, 1.0)


def test_a_claim_stands_if_it_held_everywhere_with_room_to_spare():
    (row,) = summarise({1: [claim(0.1)], 2: [claim(0.2)], 3: [claim(0.3)]})
    assert (row.held, row.seeds, row.mean, row.sd) == (3, 3, pytest.approx(0.2), pytest.approx(0.1))
    assert row.margin == pytest.approx(8) and row.stands
    (near,) = summarise({1: [claim(0.1)], 2: [claim(0.9)]})
    assert near.held == 2 and not near.stands, "it held, but not by three standard deviations"
    (missed,) = summarise({1: [claim(0.1)], 2: [claim(0.1, holds=False)]})
    assert missed.held == 1 and not missed.stands


def test_a_claim_that_differs_by_factors_is_judged_on_a_logarithmic_scale():
    gains = {1: claim(0.1, "> 0.01"), 2: claim(1.0, "> 0.01"), 3: claim(10.0, "> 0.01")}
    (plain,) = summarise({seed: [gain] for seed, gain in gains.items()})
    (logs,) = summarise({seed: [replace(gain, log=True)] for seed, gain in gains.items()})
    assert plain.margin < 1 and logs.margin == pytest.approx(2.0) and logs.mean == plain.mean
    lost = replace(claim(-0.1, "> 0.01", holds=False), log=True)
    (missed,) = summarise({1: [replace(gains[1], log=True)], 2: [lost]})
    assert not missed.stands


@pytest.mark.parametrize("log", [False, True])
def test_a_value_that_is_no_number_does_not_stand(log):
    runs = {k: [replace(claim(value, "> 0.01"), log=log)] for k, value in ((1, 0.5), (2, math.nan))}
    (row,) = summarise(runs)
    assert not row.stands and "✗" in line_of(row)


def test_claims_that_differ_between_seeds_are_refused():
    with pytest.raises(ValueError, match="seed 2: .*another.* is not a claim of every seed"):
        summarise({1: [claim(0.1)], 2: [claim(0.1), claim(0.1, statement="another")]})
    with pytest.raises(ValueError, match="1 seeds: expected at least two"):
        summarise({1: [claim(0.1)]})


def test_the_table_marks_what_does_not_stand():
    other = claim(0.1, "> 0", "KL(π|π*)")
    rows = summarise({1: [claim(0.1), other], 2: [claim(0.9), other]})
    table = as_markdown({"1.1": [line_of(row) for row in rows]}, [1, 2])
    assert lines_of(table) == {"1.1": [line_of(row) for row in rows]}
    assert "**1 of 2 claims stand**" in table and "| 0.9 ✗ |" in table
    assert r"KL(π\|π*)" in table and "| ∞ |" in table


def test_an_identity_is_listed_and_not_counted():
    runs = {seed: [claim(0.1 * seed), replace(claim(1e-9), identity=True)] for seed in (1, 2)}
    table = as_markdown({"1.1": [line_of(row) for row in summarise(runs)]}, [1, 2])
    assert "**1 of 1 claims" in table and "1 identities" in table
    assert "| identity: a distance |" in table


@pytest.mark.parametrize("text", ["131", "140-131", "a-b", "5-5"])
def test_seeds_are_a_range(text):
    with pytest.raises(ValueError, match="such as 131-140"):
        parse_seeds(text)
    assert parse_seeds("131-133") == [131, 132, 133]


def lesson(tmp_path, monkeypatch, value):
    """A lesson of one claim whose value is ``value``, an expression, and a place for its table."""
    code = "import os\nfrom helpers import claims\nclaim = claims.section('1.1')\n"
    code += f"claim('a distance', {value}, below=1)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, tmp_path / "theory.ipynb")
    for name, place in (
        ("ROOT", ""),
        ("NOTEBOOK", "theory.ipynb"),
        ("TABLE", "seeds.md"),
        ("KEPT", "build"),
    ):
        monkeypatch.setattr(seeds, name, tmp_path / place)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("LESSON_SEED", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_seed_reaches_the_lesson_and_a_missed_bound_is_recorded(tmp_path, monkeypatch):
    lesson(tmp_path, monkeypatch, "int(os.environ['LESSON_SEED']) / 10")
    assert [c.value for c in seeds.run_seed(5)] == [0.5]
    (missed,) = seeds.run_seed(20)
    assert missed.value == 2.0 and not missed.holds
    kept = json.loads((tmp_path / "build" / "20.json").read_text(encoding="utf-8"))
    assert kept["claims"][0]["value"] == 2.0
    monkeypatch.setattr(seeds, "execute", None)  # so that running again would fail
    assert seeds.run_seed(20) == [missed]
    monkeypatch.undo()
    lesson(tmp_path, monkeypatch, "0.25")  # what was kept belongs to another lesson now
    assert [c.value for c in seeds.run_seed(20)] == [0.25]


def test_some_sections_alone_renew_their_rows_and_leave_the_others(tmp_path, monkeypatch):
    lesson(tmp_path, monkeypatch, "int(os.environ['LESSON_SEED']) / 100")
    notebook = nbformat.read(tmp_path / "theory.ipynb", as_version=4)
    notebook.cells[0].metadata["tags"] = ["setup"]
    for section, value in (("1.1", 0.1), ("1.2", 0.2)):
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"### {section} Title"))
        code = f"claims.section('{section}')('a number', {value}, below=1)"
        notebook.cells.append(nbformat.v4.new_code_cell(code))
    nbformat.write(notebook, tmp_path / "theory.ipynb")
    found = seeds.run_seed(5, ("1.2",))
    assert [c.statement for c in found] == ["a distance", "a number"] and found[1].section == "1.2"


def test_a_lesson_that_fails_names_its_cell(tmp_path, monkeypatch):
    lesson(tmp_path, monkeypatch, "1 / 0")
    with pytest.raises(RuntimeError, match="cell 0 failed"):
        seeds.run_seed(5)


def test_the_command_line_refuses_what_it_cannot_run(tmp_path, monkeypatch, capsys):
    lesson(tmp_path, monkeypatch, "0.5")
    assert main(["9-3"]) == 1 and main(["1-2", "--sections", "9.9"]) == 1
    refused = capsys.readouterr().err
    assert "such as 131-140" in refused and "no section '9.9'" in refused


def test_the_stored_table_is_of_the_stored_lesson_and_every_claim_held():
    lines = lines_of((ROOT / "tests" / "seeds.md").read_text(encoding="utf-8"))
    rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for listed in lines.values() for line in listed]
    stored = {(row[0], row[1].replace("\\|", "|"), row[2]) for row in rows}
    text = "\n".join(
        output.get("text", "")
        for cell in nbformat.read(ROOT / "theory.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
    )
    printed = set(re.findall(r"^✓ §([\w.]+) (.*): [≈=] \S+  \(claimed (.*)\)$", text, re.M))
    assert printed and printed - stored == set(), "claims without seeds: run make seeds"
    assert stored - printed == set(), "the table has claims that the lesson no longer makes"
    missed = [row for row in rows if row[3].split("/")[0] != row[3].split("/")[1]]
    near = [row for row in rows if "✗" in row[-1] and not row[1].startswith("identity")]
    assert missed == [], "a claim that a seed refutes is reworded"
    assert len(near) <= 0.01 * len(rows), "too many bounds within three standard deviations"
