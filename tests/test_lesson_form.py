"""The form of the lesson: short cells, one format, what is taught written out, every explanation supported."""

from __future__ import annotations

import ast
import base64
import copy
import csv
import io
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from helpers.claims import place
from helpers.prediction import predict
from tools.check_python import OLDEST
from tools.notebooks import load, section_of_cells

ROOT = Path(__file__).parents[1]
THEORY = load(ROOT / "theory.ipynb")
OF_CELL = section_of_cells(THEORY)


def code_of(section):
    """The code cells of a section."""
    return [
        cell.source
        for cell, name in zip(THEORY.cells, OF_CELL)
        if name == section and cell.cell_type == "code"
    ]


def rows(name):
    with open(ROOT / "tests" / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- format and length -------------------------------------------------------------------------


def unformatted(*paths):
    """Files that the formatter, with the settings of pyproject.toml, would change."""
    command = [sys.executable, "-m", "ruff", "format", "--check", "--no-cache", *map(str, paths)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    said = found.stdout + found.stderr
    assert found.returncode in (0, 1), said
    return sorted(set(re.findall(r"--> (\S+?):", said))) or [said] * found.returncode


def test_notebooks_and_sources_are_formatted_as_pyproject_says():
    assert (
        unformatted("theory.ipynb", "exercises.ipynb", "helpers", "solutions", "tests", "tools")
        == []
    )


def test_a_call_that_was_broken_up_is_noticed(tmp_path):
    broken = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("print(\n    1,\n    2,\n)")]
    )
    nbformat.write(broken, tmp_path / "broken.ipynb")
    (tmp_path / "pyproject.toml").write_text(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    assert unformatted(tmp_path / "broken.ipynb") != []


def calls(source, *names):
    """The statements of a cell that call one of these functions and do nothing else."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) in names
    ]


def newer_than_promised(*paths):
    """What in these files the oldest Python that is promised cannot read."""
    oldest = "py{}{}".format(*OLDEST)
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "E9"]
    command += ["--target-version", oldest, "--output-format", "concise", *map(str, paths)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert found.returncode in (0, 1), found.stderr
    return re.findall(r"^(.+?): invalid-syntax: (.+)", found.stdout, re.MULTILINE)


def test_the_oldest_python_can_read_all_sources():
    everything = ("theory.ipynb", "exercises.ipynb", "helpers", "solutions", "tests", "tools")
    assert newer_than_promised(*everything) == []


@pytest.mark.parametrize(
    "newer", ["a[1, *b]", "try:\n    a\nexcept* ValueError:\n    b", "f'{a['b']}'"]
)
def test_a_newer_syntax_is_noticed(newer, tmp_path):
    (tmp_path / "newer.py").write_text(f"{newer}\n", encoding="utf-8")
    assert newer_than_promised(tmp_path / "newer.py") != []


def lines_per_cell(cells):
    """Lines of code, less those that ask for a prediction or show it; cells of nothing else are left out."""
    lengths = []
    for source in cells:
        asks = [range(c.lineno, c.end_lineno + 1) for c in calls(source, "predict", "predicted")]
        lines = enumerate(source.splitlines(), start=1)
        lengths.append(sum(bool(x.strip()) and not any(k in c for c in asks) for k, x in lines))
    return sorted(filter(None, lengths))


def test_cells_are_short():
    """Of sections 0 to 5: a reader sees the idea, the bookkeeping is elsewhere."""
    early = {name for name in OF_CELL if name and 0 <= place(name)[0] <= 5}
    lines = lines_per_cell(source for name in early for source in code_of(name))
    median, p90 = statistics.median(lines), lines[int(0.9 * len(lines))]
    assert median <= 9 and p90 <= 20 and sum(lines) <= 3510, (median, p90, sum(lines))


def test_a_prediction_is_no_line_of_code():
    assert lines_per_cell(['predict("a", "?")\n', 'predict(\n    "b",\n    "?",\n)']) == []
    assert lines_per_cell(["x = 1\n\ny = 2\npredicted('a', x)", "predicts(1)"]) == [1, 2]


def test_no_cell_holds_two_statements_on_a_line():
    for section in set(OF_CELL):
        for source in code_of(section):
            assert not re.search(r"^\s*[^#'\"\n]*;\s*\w", source, re.M), source[:200]


# ---- predictions -----------------------------------------------------------------------------


def keys(source, name):
    """The keys under which a cell asks for predictions, or shows them."""
    return [ast.literal_eval(call.value.args[0]) for call in calls(source, name)]


def predictions_not_answered(notebook):
    """Keys asked for twice, and those not shown exactly once, later and in the same section; shown and not asked."""
    asked, shown = [], []
    for i, (cell, section) in enumerate(zip(notebook.cells, section_of_cells(notebook))):
        if cell.cell_type == "code":
            asked += [(key, section, i) for key in keys(cell.source, "predict")]
            shown += [(key, section, i) for key in keys(cell.source, "predicted")]
    names = [key for key, _, _ in asked]
    wrong = {key for key, _, _ in shown if key not in names}
    for key, section, i in asked:
        answers = [(where, j > i) for other, where, j in shown if other == key]
        if names.count(key) != 1 or answers != [(section, True)]:
            wrong.add(key)
    return sorted(wrong)


def test_every_prediction_is_shown_beside_its_result_once_and_in_its_section():
    assert predictions_not_answered(THEORY) == []
    cells = zip(THEORY.cells, OF_CELL)
    asking = {s for c, s in cells if c.cell_type == "code" and keys(c.source, "predict")}
    taught = {name for name in OF_CELL if name and "." in name and name[0] in "1234567"}
    assert taught - asking == set()


@pytest.mark.parametrize(
    "old, new",
    [
        ('predicted("more gold"', 'predicted("less gold"'),
        ('predicted("more gold"', 'print("more gold"'),
        ('predict("findings"', 'predict("found"'),
        ('predict("findings"', 'predict("more gold"'),
        ('predicted("findings"', 'predicted("more gold"'),
    ],
)
def test_a_prediction_that_is_not_answered_is_noticed(old, new):
    broken = copy.deepcopy(THEORY)
    cell = next(c for c in broken.cells if c.cell_type == "code" and old in c.source)
    cell.source = cell.source.replace(old, new, 1)
    assert predictions_not_answered(broken) != []


def test_a_prediction_that_is_asked_for_too_late_is_noticed():
    broken = copy.deepcopy(THEORY)
    cell = next(c for c in broken.cells if c.id == "predict-3-5")
    broken.cells.remove(cell)
    last = max(i for i, name in enumerate(section_of_cells(broken)) if name == "3.5")
    broken.cells.insert(last + 1, cell)
    assert predictions_not_answered(broken) == ["more gold"]


def test_the_stored_output_of_a_prediction_is_its_question(capsys, monkeypatch):
    monkeypatch.setenv("LESSON_QUIET", "1")
    for cell in THEORY.cells:
        if cell.cell_type == "code" and keys(cell.source, "predict"):
            exec(cell.source, {"predict": predict})
            assert "".join(output.text for output in cell.outputs) == capsys.readouterr().out


# ---- size ------------------------------------------------------------------------------------


def stored_figures():
    for cell in THEORY.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                yield base64.b64decode(png)


def test_figures_are_stored_in_sixteen_colours():
    for png in stored_figures():
        assert len(Image.open(io.BytesIO(png)).convert("RGB").getcolors(2**24)) <= 16


LONG = {  # two subjects (6.4, 7.1), three figures (6.5), big tables
    "6.4": 85_000, "6.5": 95_000, "6.6": 58_000, "7.1": 70_000, "7.2": 60_000, "7.4": 58_000,
}  # fmt: skip


def test_a_new_subsection_is_small():
    """The tour and sections 6 and later add at most 55 kB each, figures included, but for those named above."""
    size = {}
    for cell, name in zip(THEORY.cells, OF_CELL):
        size[name] = size.get(name, 0) + len(
            nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
        )
    late = {name: size[name] for name in size if name and not 0 <= place(name)[0] <= 5}
    assert {name: kb for name, kb in late.items() if kb > LONG.get(name, 55_000)} == {}


# ---- what is taught --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row", rows("taught.csv"), ids=lambda row: f"{row['section']} {row['what']}"
)
def test_what_is_taught_is_written_out_in_its_section(row):
    code = re.sub(r"\s+", "", "\n".join(code_of(row["section"])))
    assert re.sub(r"\s+", "", row["code"]) in code


# ---- what is explained -----------------------------------------------------------------------


KINDS = {"derived", "claim", "source", "conjecture"}


def words_of(text):
    without_links = re.sub(r"\[([^\]\n]*)\]\(#[^)\n]*\)", r"\1", text)
    return " ".join(re.sub(r"[*_`]", "", without_links).split())


def shown_in(section):
    """What a section says: its prose and the strings of its code, titles and alternative texts included."""
    cells = [cell for cell, name in zip(THEORY.cells, OF_CELL) if name == section]
    prose = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = " ".join(cell.source for cell in cells if cell.cell_type == "code")
    joined = re.sub(r'"\s*\n\s*f?"', "", code)  # a string that goes on in the next line
    return words_of(prose) + " " + words_of(joined)


def stored_claims():
    found = set()
    for cell in THEORY.cells:
        for output in cell.get("outputs", []):
            for line in "".join(output.get("text", "")).splitlines():
                if match := re.match(
                    r"[✓✗] §[\w.]+ (?:identity: )?(.*): [≈=] \S+  \(claimed", line
                ):
                    found.add(match[1])
    return found


def test_every_explanation_in_the_audit_stands_in_the_lesson():
    said = {}
    for row in rows("explanations.csv"):
        section = row["section"]
        said.setdefault(section, shown_in(section))
        assert row["kind"] in KINDS, row
        assert words_of(row["sentence"]) in said[section], row


def test_every_claim_that_supports_an_explanation_is_made():
    made = stored_claims()
    supports = [row["support"] for row in rows("explanations.csv") if row["kind"] == "claim"]
    assert supports and [text for text in supports if text not in made] == []


def test_no_two_claims_of_a_section_have_the_same_text():
    """The later would take the place of the earlier in the ledger and over the seeds."""
    made = [
        (section, text)
        for cell, section in zip(THEORY.cells, OF_CELL)
        if cell.cell_type == "code"
        for text in re.findall(r'claim(?:\.identity)?\(\s*"([^"]*)"', cell.source)
    ]
    assert len(made) > 700
    assert sorted({claim for claim in made if made.count(claim) > 1}) == []


def test_every_section_was_audited():
    audited = {row["section"] for row in rows("explanations.csv")}
    assert {name for name in OF_CELL if name and "." in name} - audited == set()
