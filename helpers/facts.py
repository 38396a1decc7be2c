"""Published numbers that stand beside the lesson's own, each with its source and how far it was checked.

The table is ``helpers/data/facts.csv``: section, statement, source, checked. The last is a key of ``CHECKED``: 'quoted'
means read in notes that quote the source, not in the source itself.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from helpers.tables import markdown_table

CHECKED = {
    "paper": "checked in the paper",
    "repository": "checked in the official repository",
    "computed": "computed from the published data",
    "quoted": "quoted from notes on the paper, not checked in it",
}


@dataclass(frozen=True)
class Fact:
    """A published statement, its source and how it was checked (a key of ``CHECKED``)."""

    section: str
    statement: str
    source: str
    checked: str


class Facts(list[Fact]):
    """Facts as a small table: Markdown where there is a front end, text elsewhere."""

    def __repr__(self) -> str:
        return "\n".join(
            f"At scale: {f.statement} [{f.source}; {CHECKED[f.checked]}]" for f in self
        )

    def _repr_markdown_(self) -> str:
        rows = ((f.statement, f.source, CHECKED[f.checked]) for f in self)
        return markdown_table(("At scale", "source", "how sure"), rows)


def load() -> Facts:
    """All facts, in the order of the file."""
    with open(Path(__file__).parent / "data" / "facts.csv", encoding="utf-8", newline="") as file:
        return Facts(Fact(**row) for row in csv.DictReader(file))


def at_scale(section: str) -> Facts:
    """The facts of one section. Raises ValueError if there is none."""
    found = Facts(fact for fact in load() if fact.section == section)
    if not found:
        known = sorted({fact.section for fact in load()})
        raise ValueError(
            f"no published number for section {section!r}: expected one of {', '.join(known)}"
        )
    return found
