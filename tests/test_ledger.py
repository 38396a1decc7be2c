"""The evidence as tables: what was claimed, what carries a subsection."""

from __future__ import annotations

import csv
import re

import pytest
from grading import ROOT

from helpers import claims, ledger
from tools.notebooks import load

THEORY = load(ROOT / "theory.ipynb")
HEADINGS = dict(
    re.findall(
        r"^#{2,3} ((?:\d+|C)\.\d+) (.+)$",
        "\n".join(c.source for c in THEORY.cells if c.cell_type == "markdown"),
        re.M,
    )
)
with open(ROOT / "helpers" / "data" / "carried.csv", encoding="utf-8", newline="") as file:
    CARRIED = list(csv.DictReader(file))
with open(ROOT / "helpers" / "data" / "impact.csv", encoding="utf-8", newline="") as file:
    IMPACT = list(csv.DictReader(file))
SEEDS = (ROOT / "tests" / "seeds.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def empty_ledger(monkeypatch):
    """Claims of one test are not those of another."""
    monkeypatch.setattr(claims, "_claims", {})
    monkeypatch.delenv("LESSON_SEED", raising=False)


def check(section, *claim, **bound):
    claims.section(section)(*claim, **{"exact": True} | bound)


# ---- all claims, folded --------------------------------------------------------------------------


def test_all_claims_read_as_text_and_as_folded_tables():
    check("5.1", "gap", 0.5, below=1, published="0.6 (Author 2024)")
    claims.section("5.1").identity("both sides", 0.0, below=1)
    check("1.2", "kept", 2, above=1)
    assert repr(ledger.all_claims()) == "1.2: 1 claim\n5.1: 1 claim, 1 identity"
    shown = ledger.all_claims()._repr_html_()
    assert re.findall("<summary>(.*?)</summary>", shown) == repr(ledger.all_claims()).splitlines()
    assert re.findall("<li>(.*?)</li>", shown) == [
        "✓ kept: = 2 (claimed &gt; 1)",
        "✓ gap: = 0.5 (claimed &lt; 1); at scale: 0.6 (Author 2024)",
        "✓ identity: both sides: ≈ 0 (claimed &lt; 1)",
    ]
    assert "<details open" not in shown


def test_whatever_a_claim_says_is_text_in_the_tables():
    check("5.1", "<script>alert('x')</script> & KL < 1", 0.5, below=1, published="<b>0.6</b>")
    shown = ledger.all_claims()._repr_html_()
    assert not re.search("<(script|b)>", shown) and "&lt;script&gt;" in shown


def test_a_table_shows_text_as_text():
    table = ledger.Table(("a", "<b>"), (("<i>x</i>", ""), ("1 < 2", "&")))
    shown = table._repr_markdown_()
    assert not re.search("<[bi]>", shown) and "1 &lt; 2" in shown and "&amp;" in shown
    assert [line.count("|") for line in shown.splitlines()] == [3] * 4
    assert repr(table).splitlines() == ["<i>x</i>", "1 < 2  &"]


# ---- the claim that carries a subsection ---------------------------------------------------------


def test_a_carrying_claim_shows_what_this_run_measured_and_else_that_it_was_not_run():
    row = CARRIED[0]
    before = ledger.by_subsection().rows[0]
    assert before[:3] == (row["section"], row["title"], row["statement"])
    assert before[3:5] == (ledger.NOT_RUN, "")
    check(row["section"], row["statement"], 0.25, below=1.0)
    assert ledger.by_subsection().rows[0][3:6] == ("✓ = 0.25", "< 1", row["seeds"])


def test_every_subsection_of_the_lesson_has_one_carrying_claim_under_its_own_title():
    listed = {row["section"]: row["title"] for row in CARRIED}
    assert len(listed) == len(CARRIED), "one row a subsection"
    assert listed == HEADINGS and list(listed) == sorted(listed, key=claims.place)


def claimed_in_the_stored_run():
    text = "".join(
        output.get("text", "")
        for cell in THEORY.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    return text


@pytest.mark.parametrize("row", CARRIED, ids=lambda row: row["section"])
def test_a_carrying_claim_is_measured_in_the_lesson_and_its_seeds_are_those_of_the_table(row):
    made = f"§{row['section']} {row['statement']}: "
    assert f"✓ {made}" in claimed_in_the_stored_run(), "no claim of that text, or an identity"
    statement = row["statement"].replace("|", "\\|")
    found = re.search(
        rf"^\| {re.escape(row['section'])} \| {re.escape(statement)} \| [^|]+ \| (\d+)/(\d+) \|",
        SEEDS,
        re.M,
    )
    assert found and row["seeds"] == f"{found[1]} of {found[2]}"


# ---- the claim that supports a concept -----------------------------------------------------------

CONCEPTS = (
    "instruction tuning, preference learning, kl control, red teaming, guardrails, "
    "policy versioning, human feedback, release gates"
)


def test_a_concept_shows_what_this_run_measured_and_else_that_it_was_not_run():
    row = IMPACT[0]
    before = ledger.why_it_matters().rows[0]
    assert before[:2] == (row["concept"], row["impact"])
    assert before[2:] == (f"§{row['section']} {row['statement']}", ledger.NOT_RUN, "")
    check(row["section"], row["statement"], 0.25, below=1.0)
    assert ledger.why_it_matters().rows[0][3:] == ("✓ = 0.25", "< 1")


def test_the_eight_concepts_of_the_chapter_have_a_row_each():
    assert [row["concept"].lower() for row in IMPACT] == CONCEPTS.split(", ")


@pytest.mark.parametrize("row", IMPACT, ids=lambda row: row["concept"])
def test_the_claim_behind_a_concept_is_measured_in_the_lesson(row):
    made = f"§{row['section']} {row['statement']}: "
    assert f"✓ {made}" in claimed_in_the_stored_run(), "no claim of that text, or an identity"
