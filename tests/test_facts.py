"""Published numbers: complete, sourced, and escaped where they are shown."""

import re

from pathlib import Path

import pytest

from helpers import facts
from helpers.facts import CHECKED, Fact, Facts, at_scale, load
from tools.notebooks import load as notebook

ARXIV = re.compile(r"\d{4}\.\d{5}(?!\d)")


def test_no_fact_stands_there_twice():
    told = [(fact.section, fact.statement) for fact in load()]
    assert len(told) == len(set(told))


def test_every_fact_has_a_section_a_number_a_source_and_says_how_it_was_checked():
    assert len(load()) >= 9
    for fact in load():
        assert re.fullmatch(r"\d\.\d", fact.section) and fact.checked in CHECKED
        assert re.search(r"\d", fact.statement) and fact.source.strip()


def test_facts_of_a_section_show_statement_source_and_trust():
    (fact,) = at_scale("5.2")
    for text in (repr(at_scale("5.2")), at_scale("5.2")._repr_markdown_()):
        assert fact.statement in text and fact.source in text and CHECKED[fact.checked] in text


def test_a_section_without_facts_is_refused_with_those_that_have_some():
    with pytest.raises(
        ValueError, match="no published number for section '9.9': expected one of .*5.1, 5.2"
    ):
        at_scale("9.9")


def test_a_fact_is_shown_as_the_text_it_is():
    shown = Facts([Fact("1.1", "<b>1</b> | *2*", "A & B", "paper")])._repr_markdown_()
    row = "| &lt;b&gt;1&lt;/b&gt; &#124; &#42;2&#42; | A &amp; B | checked in the paper |"
    assert shown.splitlines()[2:] == [row]


def test_the_file_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert facts.load()


# ---- References ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts():
    """The lesson's cells of text, the references last."""
    lesson = notebook(Path(__file__).parent.parent / "theory.ipynb")
    return [cell.source for cell in lesson.cells if cell.cell_type == "markdown"]


def listed(texts):
    assert texts[-1].startswith("## References")
    return [line for line in texts[-1].splitlines() if line.startswith("- ")]


def test_every_paper_that_the_lesson_or_a_table_of_facts_names_by_number_is_listed(texts):
    named = "\n".join([*texts[:-1], *(fact.source for fact in load())])
    identifiers = re.findall(r"(?:arXiv[: ]*|abs/)(\d{4}\.\d{5})", named)
    assert len(identifiers) > 50
    assert sorted(set(identifiers) - set(ARXIV.findall(texts[-1]))) == []


def test_references_are_in_the_order_of_names_with_a_year_and_no_identifier_twice(texts):
    lines = listed(texts)
    surnames = [re.match(r"- ([^,(]+)", line)[1].strip().lower() for line in lines]
    assert surnames == sorted(surnames)
    assert [line for line in lines if not re.search(r"\((19|20)\d\d\)\. .+\.", line)] == []
    identifiers = [name for line in lines for name in ARXIV.findall(line)]
    assert len(identifiers) == len(set(identifiers))


def test_every_author_whom_a_table_of_facts_names_with_a_year_is_listed(texts):
    named = {
        (name, year)
        for fact in load()
        for name, year in re.findall(r"([A-Z][\w-]+)(?:, [A-Z]\.)? et al\. (\d{4})", fact.source)
    }
    assert len(named) > 20
    missing = [
        (name, year)
        for name, year in sorted(named)
        if not any(re.match(rf"- (?:\w+ )?{name}\b.*\({year}\)", line) for line in listed(texts))
    ]
    assert missing == []
