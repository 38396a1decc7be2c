"""Published numbers: complete, sourced, and escaped where they are shown."""

import re

import pytest

from helpers import facts
from helpers.facts import CHECKED, Fact, Facts, at_scale, load


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
    for text in (repr(at_scale("5.2")), at_scale("5.2")._repr_html_()):
        assert fact.statement in text and fact.source in text and CHECKED[fact.checked] in text


def test_a_section_without_facts_is_refused_with_those_that_have_some():
    with pytest.raises(
        ValueError, match="no published number for section '9.9': expected one of .*5.1, 5.2"
    ):
        at_scale("9.9")


def test_html_is_escaped():
    shown = Facts([Fact("1.1", "<b>1</b>", "A & B", "paper")])._repr_html_()
    assert "&lt;b&gt;1&lt;/b&gt;" in shown and "A &amp; B" in shown


def test_the_file_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert facts.load()
