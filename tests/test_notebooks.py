"""The notebooks as they are stored: whole, executed in order, readable without running, true to their conventions.

Each convention is a function of a notebook that returns what is wrong, so that the tests below can also show that it
notices a broken one. That the stored outputs are what running gives is checked by nbval (``make test``).
"""

import ast
import builtins
import copy
import difflib
import json
import re
import symtable
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.claims import place
from tools.notebooks import execute, load, section_alone, section_of_cells

ROOT = Path(__file__).parent.parent
SECTIONS = list(
    dict.fromkeys(name for name in section_of_cells(load(ROOT / "theory.ipynb")) if name)
)


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
    lines = (
        [line for line in cell.source.splitlines() if line.strip()] for cell in code_cells(notebook)
    )
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
    lines = [
        line
        for cell in code_cells(notebook)
        for out in cell.outputs
        for line in output_text(out).splitlines()
    ]
    return [
        line for line in lines if line.startswith(("✓", "✗")) and not re.search(r": [≈=] ", line)
    ]


def notation_without_code(notebook):
    table = next(cell.source for cell in notebook.cells if cell.source.startswith("## Notation"))
    code = "\n".join(cell.source for cell in code_cells(notebook))
    code += "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "helpers").rglob("*.py"))
    rows = [line for line in table.splitlines() if line.startswith("| $")]
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[2])]
    return [name for name in names if not re.search(rf"\b{name}\b", code)] or (
        [] if names else ["no table"]
    )


FRAGILE = {
    "reads as HTML": r"<[A-Za-z/!?]",
    "an escaped underscore": r"\\_",
    "refused by GitHub, use mathrm": r"\\operatorname",
    "a blank line inside": r"\n\s*\n",
    "nothing inside": r"^\s*$",
    "a command that MathJax or KaTeX lacks": r"\\(abs|argmax|argmin|bbox|bm|cases|DeclareMathOperator|def|"
    r"displaylines|ensuremath|eqno|eqref|hfill|intertext|label|mathbbm|mathds|mbox|newcommand|nicefrac|norm|qty|"
    r"ref|require|SI|slashed|strut|textsc|unicode)(?![A-Za-z])",
    "an equation inside an equation, use aligned": r"\\begin\{(align|eqnarray|equation|gather|multline|tabular)\*?\}",
}


def formulas(prose):
    """The formulas of a text: left $ or $$, formula, right $ or $$, the letter before, the letter behind."""
    parts = ["", *re.split(r"(\$\$?)", prose), "", "", ""]
    for i in range(2, len(parts) - 3, 4):
        yield parts[i], parts[i + 1], parts[i + 2], parts[i - 1][-1:], parts[i + 3][:1]


def fragile_formula(left, text, right, before, behind):
    """What is wrong with a formula for GitHub, JupyterLab or VS Code."""
    found = [what for what, pattern in FRAGILE.items() if re.search(pattern, text)]
    if left != right:
        found.append("not closed")
    if text.count("{") != text.count("}"):
        found.append("braces")
    if left == "$" and (text != text.strip() or "\n" in text):
        found.append("a space at its edge or a new line")
    if left == "$" and re.search(r"\w", before + behind):
        found.append("touches a letter or a digit, plain text in VS Code")
    return [f"{what}: {before}{left}{text[:60]}{right}{behind}" for what in found]


def fragile_mathematics(notebook):
    """Formulas that GitHub, VS Code or JupyterLab would take for something else: HTML, a table's cell, plain text."""
    found = []
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|`[^`\n]*`|\\\$", "`", cell.source, flags=re.DOTALL)
            wrong = [
                problem for formula in formulas(prose) for problem in fragile_formula(*formula)
            ]
            rows = [line for line in prose.splitlines() if line.startswith("|")]
            cells = [part for row in rows for part in re.split(r"(?<!\\)\|", row)]
            wrong += [f"cut by a table: {part}" for part in cells if part.count("$") % 2]
            found += [f"cell {i}: {problem}" for problem in wrong]
    return found


def set_up_cells(notebook):
    return [cell for cell in code_cells(notebook) if "setup" in cell.metadata.get("tags", [])]


def not_one_set_up_cell(notebook):
    """A reader who runs one section needs to run one cell before it."""
    found = len(set_up_cells(notebook))
    return [] if found == 1 else [f"{found} cells tagged setup: expected one"]


@dataclass
class Names:
    """What a cell binds and keeps, which global names it reads as it runs, and which its functions read when called."""

    bound: set = field(default_factory=set)
    kept: set = field(default_factory=set)
    now: set = field(default_factory=set)
    later: set = field(default_factory=set)

    def add(self, table, when):
        """Enter the names of a symbol table and of those inside it; when: 'now', or 'later' inside a function."""
        outside = table.get_type() == "module"
        for symbol in table.get_symbols():
            binds = symbol.is_assigned() or symbol.is_imported()
            if binds and (outside or symbol.is_declared_global()):
                self.bound.add(symbol.get_name())
            if symbol.is_referenced() and (outside or symbol.is_global()):
                getattr(self, when).add(symbol.get_name())
        for inner in table.get_children():
            runs_at_once = inner.get_type() == "class" or re.search(
                "listcomp|setcomp|dictcomp|genexpr", inner.get_name()
            )
            self.add(inner, when if runs_at_once else "later")

    @classmethod
    def of(cls, source):
        """The names of a cell."""
        names, nodes = cls(), list(ast.walk(ast.parse(source)))
        names.add(symtable.symtable(source, "cell", "exec"), "now")
        caught = {
            node.name for node in nodes if isinstance(node, ast.ExceptHandler)
        }  # unbound when handled
        stored = {
            node.id
            for node in nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        names.kept = names.bound - (caught - stored)
        return names


def set_up_overwritten(notebook):
    """A section that rebinds a name of the set-up would change what later sections see."""
    names = set().union(*(Names.of(cell.source).kept for cell in set_up_cells(notebook)))
    others = [cell for cell in code_cells(notebook) if cell not in set_up_cells(notebook)]
    return [name for cell in others for name in Names.of(cell.source).kept & names]


def names_missing(notebook):
    """Names that a section reads and that neither it nor the set-up binds: a NameError for who runs it alone."""
    given = {*dir(builtins), "display", "get_ipython"}
    given = given.union(*(Names.of(cell.source).kept for cell in set_up_cells(notebook)))
    sections, missing = {}, []
    for cell, section in zip(notebook.cells, section_of_cells(notebook)):
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", []):
            sections.setdefault(section, []).append(Names.of(cell.source))
    for section, cells in sections.items():
        so_far = set(given)
        for names in cells:
            missing += [
                f"section {section}: {name}" for name in sorted(names.now - so_far - names.bound)
            ]
            so_far |= names.kept
        later = set().union(*(names.later for names in cells)) - so_far
        missing += [f"section {section}: {name}" for name in sorted(later)]
    return missing


CONVENTIONS = [
    not_one_set_up_cell,
    set_up_overwritten,
    names_missing,
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
    "problems",
    [machine_paths, long_cells, repeated_paragraphs, fragile_mathematics],
    ids=lambda f: f.__name__,
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
    notebook.cells.append(
        next(c for c in notebook.cells if c.cell_type == "markdown" and len(c.source) > 300)
    )


def rename_in_notation(notebook, cells):
    cell = next(c for c in notebook.cells if c.source.startswith("## Notation"))
    cell.source = cell.source.replace("`rejected_logps`", "`loser_logps`", 1)


def warn(notebook, cells):
    cells[3].outputs = [new_output("stream", name="stderr", text="Warning")]


def unmark(notebook, cells):
    cells[3].outputs = [new_output("stream", name="stdout", text="✓ §1 x: 0.3 (claimed < 1)")]


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
        (set_up_overwritten, lambda notebook, cells: cells[5].update(source="torch = 3")),
        (not_one_set_up_cell, lambda notebook, cells: cells[5].metadata.update(tags=["setup"])),
        (
            not_one_set_up_cell,
            lambda notebook, cells: set_up_cells(notebook)[0].metadata.update(tags=[]),
        ),
        (names_missing, lambda notebook, cells: cells[5].update(source="print(nobody_bound_this)")),
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
        (r"$r+1.25\cdot$words", "touches"),
        ("in $x$2", "touches"),
        ("a$x$", "touches"),
        ("a_$x$", "touches"),
        (r"$\bm{x}$", "lacks"),
        (r"$$x \label{eq:1}$$", "lacks"),
        (r"$$\begin{align}a&=b\end{align}$$", "aligned"),
        (
            r"$$\begin{aligned}a&=b\end{aligned}$$, $\reflectbox{x}$-th, ($x$), `a`$y$ and $x$'s",
            None,
        ),
        ("`$5`, \\$5, ```\n$x\n```", None),
        ("$a\\lt b$ and $$a\n< b$$\n\n| $P(a\\mid b)$ | $c$ |", None),
    ],
)
def test_mathematics_that_does_not_render_is_named(text, problem):
    found = fragile_mathematics(new_notebook(cells=[new_markdown_cell(text)]))
    assert found == [] if problem is None else any(problem in line for line in found)


def test_theory_fits_its_budget():
    assert (ROOT / "theory.ipynb").stat().st_size <= 2_400_000


def test_sections_are_in_order():
    assert sorted(SECTIONS, key=place) == list(SECTIONS)


@pytest.mark.parametrize(
    "cells, missing",
    [
        (["x = 1\nprint(x)"], []),
        (["print(x)", "x = 1"], ["x"]),
        (["f = lambda: x", "x = 1\nf()"], []),
        (["f = lambda: x"], ["x"]),
        (["print([y for y in range(3) if y < x])", "x = 1"], ["x"]),
        (["def f():\n    global x\n    x = 1", "f()\nprint(x)"], []),
        (["class A:\n    y = x"], ["x"]),
        (["import os.path\nprint(os, given, display)"], []),
        (["print(other)"], ["other"]),
        (["try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print(e)", "print(e)"], ["e"]),
    ],
)
def test_names_that_a_section_lacks_are_found(cells, missing):
    notebook = new_notebook()
    for source in ("given = 1", "### 1.1 One", "other = 1", "### 1.2 Two", *cells):
        new = new_markdown_cell if source.startswith("#") else new_code_cell
        notebook.cells.append(new(source))
    notebook.cells[0].metadata["tags"] = ["setup"]
    assert names_missing(notebook) == [f"section 1.2: {name}" for name in missing]


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_runs_alone(section, theory):
    """Literally: in a fresh kernel the one set-up cell, and then the section's cells."""
    alone = section_alone(theory, section)
    others = [cell for cell, name in zip(alone.cells, section_of_cells(alone)) if name != section]
    assert others == set_up_cells(theory) and len(others) == 1
    execute(alone, ROOT)


ONE_FIGURE = """
import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 2])
figures.show(figure, "A line that rises.")
"""


@pytest.mark.slow
def test_a_home_that_cannot_be_written_leaves_no_warning_in_the_lesson(
    theory, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("no folder can be made below this", encoding="utf-8")
    for name in ("HOME", "USERPROFILE", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "file" / "none"))
    notebook = new_notebook(cells=[*copy.deepcopy(set_up_cells(theory)), new_code_cell(ONE_FIGURE)])
    execute(notebook, ROOT)
    assert errors_or_warnings(notebook) == []
    assert any("image/png" in output.get("data", {}) for output in notebook.cells[-1].outputs)


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
    text = "".join(
        output_text(output) + str(output.get("data", {}).get("text/html", ""))
        for output in cell.outputs
        if output.get("name") != "stderr"  # what a machine warns of is no number of the lesson
    )
    for name in rules.sections():
        text = re.sub(rules[name]["regex"], rules[name]["replace"], text)
    return text.replace("✗", "✓")


@pytest.mark.slow
def test_what_training_changes_is_printed_behind_the_mask(theory, monkeypatch):
    """Another processor rounds otherwise, and everything trained comes out anew: so do slightly other weights."""
    monkeypatch.setenv("LESSON_SEED", "0")  # claims record instead of raising
    other = copy.deepcopy(theory)
    other.cells.insert(0, new_code_cell(OTHER_WEIGHTS))
    execute(other, ROOT)
    differ = {"compared": [], "left out": []}
    for stored, now in zip(theory.cells, other.cells[1:]):
        if stored.cell_type == "code" and masked_outputs(stored) != masked_outputs(now):
            tagged = "nbval-ignore-output" in stored.metadata.get("tags", [])
            parts = difflib.unified_diff(
                *(re.split(r"\n|(?=<tr>)", masked_outputs(cell)) for cell in (stored, now)),
                lineterm="",
                n=0,
            )
            differ["left out" if tagged else "compared"].append((stored.source[:200], *parts))
    assert differ["left out"], "control: sampled texts must differ, or nothing was changed"
    assert not differ["compared"], json.dumps(differ["compared"], ensure_ascii=False, indent=1)
