"""Small tables of measured numbers as text, in a form that the notebook tests mask."""

from __future__ import annotations

from collections.abc import Mapping


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
