"""The notebooks as they are stored: whole, executed in order, readable without running, true to their conventions.

Each convention is a function of a notebook that returns what is wrong, so that the tests below can also show that it
notices a broken one. That the stored outputs are what running gives is checked by nbval (``make test``).
"""

import ast
import copy
import re
from configparser import ConfigParser
from pathlib import Path

import nbformat
import pytest

from helpers.notebooks import execute, load, main, section_alone, section_of_cells, tidy

ROOT = Path(__file__).parent.parent
SECTIONS = list(dict.fromkeys(name for name in section_of_cells(load(ROOT / "theory.ipynb")) if name))


@pytest.fixture(scope="module")
def theory():
    return load(ROOT / "theory.ipynb")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_text(output):
    return str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))


def not_executed_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts {counts}"]


def errors_or_warnings(notebook):
    return [
        output_text(output)[:200] or output.output_type
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def machine_paths(notebook):
    text = nbformat.writes(notebook)
    return re.findall(r"/(?:root|home|work|tmp|Users)/[\w.-]+", text)


def long_cells(notebook):
    lines = ([line for line in cell.source.splitlines() if line.strip()] for cell in code_cells(notebook))
    return [cell[0] for cell in lines if len(cell) > 30 or any(len(line) > 120 for line in cell)]


def repeated_paragraphs(notebook):
    seen, twice = set(), []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for paragraph in map(" ".join, (p.split() for p in re.split(r"\n\s*\n", cell.source))):
                if len(paragraph) > 120:
                    twice += [paragraph] * (paragraph in seen)
                    seen.add(paragraph)
    return twice


def figures_without_alternative_text(notebook):
    bare = []
    for cell in code_cells(notebook):
        for i, output in enumerate(cell.outputs):
            if "image/png" in output.get("data", {}):
                following = cell.outputs[i + 1].get("data", {}) if i + 1 < len(cell.outputs) else {}
                if not following.get("text/markdown", "").startswith("*Figure: "):
                    bare.append(cell.source[:60])
    return bare


def trained_numbers_unmarked(notebook):
    """A claim about training is printed behind ≈; one without mark must be exact: '= number'."""
    lines = [line for cell in code_cells(notebook) for out in cell.outputs for line in output_text(out).splitlines()]
    return [line for line in lines if line.startswith(("✓", "✗")) and not re.search(r": [≈=] ", line)]


def notation_without_code(notebook):
    table = next(cell.source for cell in notebook.cells if cell.source.startswith("## Notation"))
    code = "\n".join(cell.source for cell in code_cells(notebook))
    code += "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "helpers").rglob("*.py"))
    names = [name for row in table.splitlines()[4:] for name in re.findall(r"`(\w+)`", row.split("|")[2])]
    return [name for name in names if not re.search(rf"\b{name}\b", code)] or ([] if names else ["no table"])


def fragile_mathematics(notebook):
    """Formulas that GitHub, nbviewer or JupyterLab would take for something else: HTML, a table's cell, plain text."""
    problems = {
        "reads as HTML": r"<[A-Za-z/!?]",
        "an escaped underscore": r"\\_",
        "refused by GitHub, use mathrm": r"\\operatorname",
        "a blank line inside": r"\n\s*\n",
        "nothing inside": r"^\s*$",
    }
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|`[^`\n]*`|\\\$", "", cell.source, flags=re.S)
            parts = re.split(r"(\$\$?)", prose)
            formulas = list(zip(parts[1::4], parts[2::4], [*parts[3::4], ""]))
            found += [f"not closed: {text[:60]}" for left, text, right in formulas if left != right]
            for left, text, _ in formulas:
                found += [f"{what}: {text[:60]}" for what, pattern in problems.items() if re.search(pattern, text)]
                if text.count("{") != text.count("}"):
                    found.append(f"braces: {text[:60]}")
                if left == "$" and (text != text.strip() or "\n" in text):
                    found.append(f"a space at its edge or a new line: {text[:60]}")
            rows = [line for line in prose.splitlines() if line.startswith("|")]
            cells = [part for row in rows for part in re.split(r"(?<!\\)\|", row)]
            found += [f"cut by a table: {part}" for part in cells if part.count("$") % 2]
    return found


def names_bound(source):
    """Names that a cell binds at its top level."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        else:
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def set_up_overwritten(notebook):
    """A section that rebinds a name of the set-up would change what later sections see."""
    set_up = [cell for cell in code_cells(notebook) if "setup" in cell.metadata.get("tags", [])]
    names = set().union(*(names_bound(cell.source) for cell in set_up))
    return [n for cell in code_cells(notebook) if cell not in set_up for n in names_bound(cell.source) & names]


CONVENTIONS = [
    set_up_overwritten,
    not_executed_in_order,
    errors_or_warnings,
    machine_paths,
    long_cells,
    repeated_paragraphs,
    figures_without_alternative_text,
    trained_numbers_unmarked,
    notation_without_code,
    fragile_mathematics,
]


@pytest.mark.parametrize("problems", CONVENTIONS, ids=lambda f: f.__name__)
def test_theory_keeps(problems, theory):
    assert problems(theory) == []


@pytest.mark.parametrize(
    "problems", [machine_paths, long_cells, repeated_paragraphs, fragile_mathematics], ids=lambda f: f.__name__
)
def test_exercises_keep(problems):
    assert problems(load(ROOT / "exercises.ipynb")) == []


def broken(theory, change):
    notebook = copy.deepcopy(theory)
    change(notebook, code_cells(notebook))
    return notebook


def drop_alternative_text(notebook, cells):
    cell = next(c for c in cells if any("image/png" in o.get("data", {}) for o in c.outputs))
    cell.outputs = [o for o in cell.outputs if "text/markdown" not in o.get("data", {})]


def repeat_a_paragraph(notebook, cells):
    notebook.cells.append(next(c for c in notebook.cells if c.cell_type == "markdown" and len(c.source) > 300))


def rename_in_notation(notebook, cells):
    cell = next(c for c in notebook.cells if c.source.startswith("## Notation"))
    cell.source = cell.source.replace("`rejected_logps`", "`loser_logps`", 1)


def warn(notebook, cells):
    cells[3].outputs = [nbformat.v4.new_output("stream", name="stderr", text="Warning")]


def unmark(notebook, cells):
    cells[3].outputs = [nbformat.v4.new_output("stream", name="stdout", text="✓ §1 x: 0.3 (claimed < 1)")]


@pytest.mark.parametrize(
    "problems, change",
    [
        (not_executed_in_order, lambda notebook, cells: cells[2].update(execution_count=None)),
        (errors_or_warnings, warn),
        (machine_paths, lambda notebook, cells: cells[1].update(source="open('/home/me/x')")),
        (long_cells, lambda notebook, cells: cells[1].update(source="x = 1\n" * 31)),
        (repeated_paragraphs, repeat_a_paragraph),
        (figures_without_alternative_text, drop_alternative_text),
        (trained_numbers_unmarked, unmark),
        (notation_without_code, rename_in_notation),
        (set_up_overwritten, lambda notebook, cells: cells[5].update(source="world = 3")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_notebook_is_noticed(problems, change, theory):
    assert problems(broken(theory, change)) != []


@pytest.mark.parametrize(
    "text, problem",
    [
        ("$a<b$", "HTML"),
        (r"$\pi\_{ref}$", "underscore"),
        (r"$\operatorname{Var}$", "mathrm"),
        ("$$a\n\nb$$", "blank line"),
        ("between $$ two", "not closed"),
        ("costs $5", "not closed"),
        ("$ a$", "space"),
        ("$a\nb$", "new line"),
        (r"$\frac{a}{b$", "braces"),
        ("| $P(a|b)$ | x |", "table"),
        ("`$5`, \\$5, ```\n$x\n```", None),
        ("$a\\lt b$ and $$a\n< b$$\n\n| $P(a\\mid b)$ | $c$ |", None),
    ],
)
def test_mathematics_that_does_not_render_is_named(text, problem):
    found = fragile_mathematics(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]))
    assert found == [] if problem is None else any(problem in line for line in found)


def test_theory_fits_its_budget():
    assert (ROOT / "theory.ipynb").stat().st_size <= 3_000_000


def test_sections_are_in_order():
    numbers = [[int(part) for part in name.split(".")] for name in SECTIONS]
    assert numbers == sorted(numbers)


def small_notebook(*sources):
    notebook = nbformat.v4.new_notebook()
    for source in sources:
        new = nbformat.v4.new_markdown_cell if source.startswith("#") else nbformat.v4.new_code_cell
        notebook.cells.append(new(source))
    return notebook


def test_a_section_alone_has_the_set_up_and_nothing_of_other_sections():
    notebook = small_notebook("# Title", "a = 1", "## 1. One", "b = a", "### 1.1 More", "c = a", "## End", "d = a")
    notebook.cells[1].metadata["tags"] = ["setup"]
    assert [cell.source for cell in section_alone(notebook, "1.1").cells] == ["a = 1", "### 1.1 More", "c = a"]
    assert section_of_cells(notebook) == ["", "", "1", "1", "1.1", "1.1", "", ""]


def test_an_unknown_section_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no section '9.9': expected one of 1"):
        section_alone(small_notebook("## 1. One"), "9.9")


def test_a_failing_cell_is_named_with_its_section():
    with pytest.raises(RuntimeError, match=r"section 2.1, cell 1 failed(.|\n)*ZeroDivisionError"):
        execute(small_notebook("### 2.1 Here", "1 / 0"))


def test_the_command_line_reports_seconds_and_keeps_what_matters(tmp_path, capsys):
    nbformat.write(small_notebook("### 2.1 Here", "print('hello')"), tmp_path / "in.ipynb")
    assert main(["run", str(tmp_path / "in.ipynb"), str(tmp_path / "new" / "out.ipynb")]) == 0
    assert re.search(r"2\.1 +\d+\.\d s", capsys.readouterr().out)
    (cell,) = code_cells(load(tmp_path / "new" / "out.ipynb"))
    assert cell.outputs[0].text == "hello\n" and "execution" not in cell.metadata


def test_a_failing_notebook_makes_the_command_fail(tmp_path, capsys):
    nbformat.write(small_notebook("### 2.1 Here", "1 / 0"), tmp_path / "in.ipynb")
    assert main(["run", str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb")]) == 1
    assert "section 2.1" in capsys.readouterr().err


def test_a_missing_notebook_says_where_to_run_this():
    with pytest.raises(FileNotFoundError, match="folder that holds theory.ipynb"):
        load("no/such.ipynb")


def test_tidy_removes_what_is_not_content():
    notebook = small_notebook("x = 1")
    notebook.cells[0].metadata["execution"] = {"iopub.status.busy": "now"}
    notebook.metadata["widgets"] = {"state": {}}
    tidy(notebook)
    assert "execution" not in notebook.cells[0].metadata and "widgets" not in notebook.metadata


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_runs_alone(section, theory):
    execute(section_alone(theory, section), ROOT)


OTHER_WEIGHTS = """
import torch
import helpers.gpt

usual = helpers.gpt.new_gpt


@torch.no_grad()
def larger(world, seed):
    policy = usual(world, seed)
    for weight in policy.parameters():
        weight *= 1.05
    return policy


helpers.gpt.new_gpt = larger
"""


def masked_outputs(cell):
    """What a cell printed, with nbval's masks; whether a claim held is not the question here."""
    rules = ConfigParser(interpolation=None, delimiters=(":",))
    rules.read(ROOT / "tests" / "nbval_sanitize.cfg", encoding="utf-8")
    text = "".join(output_text(output) + str(output.get("data", {}).get("text/html", "")) for output in cell.outputs)
    for name in rules.sections():
        text = re.sub(rules[name]["regex"], rules[name]["replace"], text)
    return text.replace("✗", "✓")


@pytest.mark.slow
def test_what_training_changes_is_printed_behind_the_mask(theory, monkeypatch):
    """Another processor rounds otherwise, and everything trained comes out anew: so do slightly other weights."""
    monkeypatch.setenv("LESSON_SEED", "0")  # claims record instead of raising
    other = copy.deepcopy(theory)
    other.cells.insert(0, nbformat.v4.new_code_cell(OTHER_WEIGHTS))
    execute(other, ROOT)
    differ = {"compared": [], "left out": []}
    for stored, now in zip(theory.cells, other.cells[1:]):
        if stored.cell_type == "code" and masked_outputs(stored) != masked_outputs(now):
            tagged = "nbval-ignore-output" in stored.metadata.get("tags", [])
            differ["left out" if tagged else "compared"].append(stored.source[:200])
    assert differ["left out"], "control: sampled texts must differ, or nothing was changed"
    assert differ["compared"] == []
