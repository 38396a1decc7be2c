"""Tables of measured numbers."""

import html
import re

import pytest

from helpers.tables import markdown_table, print_table


def test_numbers_stand_behind_the_sign_that_is_masked(capsys):
    print_table({"a": {"per cent": 74.04, "κ": 0.4812}, "longer": {"per cent": 9.0, "κ": -0.02}})
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["per", "cent", "κ"] and len({len(line) for line in (head, *lines)}) == 1
    assert [re.findall(r"≈ *([-\d.]+)", line) for line in lines] == [
        ["74.0", "0.481"],
        ["9.0", "-0.020"],
    ]
    assert not re.search(r"\d", re.sub(r"≈ *[-+−]?\d[\d,]*\.?\d*", "", "\n".join(lines)))


def test_masked_lines_do_not_depend_on_the_numbers(capsys):
    def masked(value):
        print_table({"a": {"x": value}, "b": {"x": 1.0}})
        return re.sub(r"≈ *[-+−]?\d[\d,]*\.?\d*", "≈ N", capsys.readouterr().out)

    assert masked(0.5) == masked(9.99) == masked(10.0) == masked(-123.4)


@pytest.mark.parametrize("rows", [{}, {"a": {}}, {"a": {"x": 1}, "b": {"y": 1}}])
def test_rows_without_common_columns_are_refused(rows):
    with pytest.raises(ValueError, match="same columns"):
        print_table(rows)


def test_a_markdown_table_shows_every_sign_as_text():
    signs = r"a|b *c* _d_ `e` [f](g) $h$ ~i~ \\ <k> & l"
    shown = markdown_table(["x", "y"], [[signs, "two\nlines"]])
    head, rule, row = shown.splitlines()
    assert (head, rule) == ("| x | y |", "| :--- | :--- |")
    assert not re.search(r"[*_`\[\]$~\\<>]", row) and row.count("|") == 3
    assert html.unescape(row) == f"| {signs} | two lines |"
