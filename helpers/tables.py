"""Small tables: of measured numbers as text, in a form that the notebook tests mask, and of texts as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence


def print_table(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print row → column → number, each number behind “≈”, one line a row.

    A column whose largest number is 10 or more has one decimal, other columns three. Padding stands
    between “≈” and the number, where a mask takes it for a part of the number. Raises ValueError
    for no rows and for rows whose columns differ.
    """
    tables = [dict(row) for row in rows.values()]
    if not tables or not tables[0] or any(row.keys() != tables[0].keys() for row in tables):
        found = [list(row) for row in tables]
        raise ValueError(
            f"columns {found}: expected at least one row, and the same columns in each"
        )
    first = max(map(len, rows))
    widths = {name: max(len(name), 8) for name in tables[0]}
    decimals = {
        name: 1 if max(abs(float(row[name])) for row in tables) >= 10 else 3 for name in widths
    }
    print(" " * first, *(f"{name:>{width}}" for name, width in widths.items()), sep="  ")
    for label, row in zip(rows, tables):
        cells = (f"≈ {float(row[k]):{w - 2}.{decimals[k]}f}" for k, w in widths.items())
        print(f"{label:{first}}", *cells, sep="  ")


def print_tables(tables: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print several tables as ``print_table`` does, each under its name."""
    for name, rows in tables.items():
        print(name)
        print_table(rows)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Named columns and rows of text as a Markdown table, its cells read as plain text whatever they hold.

    Front ends set such a table to the left; an HTML table that a cell returns is set to the right by JupyterLab.
    """
    first, *others = ([_as_text(text) for text in line] for line in (head, *rows))
    lines = [first, [":---"] * len(head), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _as_text(text: str) -> str:
    """A text on one line, with what Markdown or HTML would take for a sign of theirs as a character reference."""
    one_line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"[\\`*_\[\]|$~]", lambda sign: f"&#{ord(sign[0])};", one_line)
