"""The lesson's sections link to one another, and what teaches nothing is folded."""

import copy
from pathlib import Path

import pytest
from lesson_links import (
    MEASURED,
    bare_numbers,
    headings,
    headings_without_links,
    lost_links,
    only_draws_or_claims,
    prose_of,
)

from tools.notebooks import load

THEORY = load(Path(__file__).parents[1] / "theory.ipynb")


@pytest.mark.parametrize(
    "problems", [lost_links, headings_without_links, bare_numbers], ids=lambda f: f.__name__
)
def test_theory_has_none_of(problems):
    assert problems(THEORY) == []


def test_every_section_is_reached_from_the_table_of_sections():
    table = next(cell.source for cell in THEORY.cells if cell.id == "all")
    assert len(headings(THEORY)) > 60
    far = [name for name, cell in headings(THEORY).items() if f"(#cell-id={cell.id})" not in table]
    assert far == [f"C.{k}" for k in range(2, 8)]  # the table has “C.1 to C.8”


def test_every_measured_number_that_is_excepted_stands_in_the_lesson():
    prose = " ".join(" ".join(cell.source.split()) for _, cell in prose_of(THEORY))
    plain = prose.replace("`", "~").replace("$", "~")
    assert [words for words in MEASURED if words not in plain] == []


def changed(old, new):
    """The lesson with one text in one cell replaced."""
    notebook = copy.deepcopy(THEORY)
    cell = next(cell for _, cell in prose_of(notebook) if old in cell.source)
    cell.source = cell.source.replace(old, new, 1)
    return notebook


@pytest.mark.parametrize(
    "problems, old, new",
    [
        (lost_links, "(#cell-id=2-3)", "(#cell-id=2-9)"),
        (lost_links, "[5.3](#cell-id=5-3)", "[5.3](#cell-id=5-2)"),
        (lost_links, '<a id="cell-id=7-4"></a>', ""),
        (lost_links, '<a id="cell-id7-4"></a>', ""),
        (headings_without_links, "[↑ all sections](#cell-id=all) · next [7.5]", "[7.5]"),
        (bare_numbers, "[2.3](#cell-id=2-3)", "2.3"),
        (bare_numbers, "section [7](#cell-id=7)", "section 7"),
    ],
)
def test_a_broken_link_is_noticed(problems, old, new):
    assert problems(changed(old, new)) != []


def test_a_renamed_cell_is_noticed():
    notebook = copy.deepcopy(THEORY)
    headings(notebook)["7.4"].id = "other"
    assert lost_links(notebook) != []


def test_exactly_the_cells_that_compute_nothing_are_folded():
    folded = [cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in THEORY.cells]
    expected = [c.cell_type == "code" and only_draws_or_claims(c.source) for c in THEORY.cells]
    assert 20 <= sum(expected) <= 60
    differ = [c.source for c, is_so, due in zip(THEORY.cells, folded, expected) if is_so != due]
    assert differ == []


@pytest.mark.parametrize(
    "source, folds",
    [
        ("title = 'x'\nfigures.show(figures.plot(a, b + c, title), 'text')", True),
        ("claim('x', gap, below=1)\nclaim.identity('y', gaps['a'].b, below=1)", True),
        ("claim('x', a - b, below=1)", False),
        ("claim('x', gap, below=1)\nprint(gap)", False),
        ("gap = a - b\nfigures.show(figures.plot(gap), 'text')", False),
        ("title = 'x'", False),
        ("def f():\n    figures.show(a)", False),
        ("both = [x for x in y]\nfigures.show(figures.plot(both), 'text')", False),
    ],
)
def test_what_computes_is_not_folded(source, folds):
    assert only_draws_or_claims(source) == folds
