"""The evidence of a run as tables: every claim under its section, one claim for each subsection, one for each concept.

Which claim carries a subsection, and on how many fresh seeds it held, stands in ``helpers/data/carried.csv``:
section, title, statement, seeds; which claim supports a concept of section 10 in ``impact.csv`` beside it: concept,
impact, section, statement. Where there is a front end, tables are Markdown and the folded lists HTML; text elsewhere.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from html import escape
from pathlib import Path

from helpers import facts
from helpers.claims import Claim, made
from helpers.facts import CHECKED
from helpers.tables import markdown_table

NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Table:
    """Named columns and rows of text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return "\n".join("  ".join(filter(None, row)) for row in self.rows)

    def _repr_markdown_(self) -> str:
        return markdown_table(self.head, self.rows)


@dataclass(frozen=True)
class Folded:
    """Lists of claims, one for each section, folded under a line that counts them. As text, these lines alone."""

    sections: dict[str, tuple[Claim, ...]]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {_counted(claims)}" for name, claims in self.sections.items())

    def _repr_html_(self) -> str:
        return "".join(
            f"<details><summary>{escape(name)}: {_counted(claims)}</summary>"
            f"<ul>{''.join(map(_listed, claims))}</ul></details>"
            for name, claims in self.sections.items()
        )


def all_claims() -> Folded:
    """Every claim of this run so far under its section, in the order of the lesson."""
    sections: dict[str, list[Claim]] = {}
    for claim in made():
        sections.setdefault(claim.section, []).append(claim)
    return Folded({name: tuple(claims) for name, claims in sections.items()})


def by_subsection() -> Table:
    """For each subsection the claim that carries it: measured, bound, seeds, and what is published beside it."""
    found = _found()
    published: dict[str, facts.Fact] = {}
    for fact in facts.load():
        published.setdefault(fact.section, fact)
    rows = []
    for row in _stored("carried"):
        claim = found.get((row["section"], row["statement"]))
        fact = published.get(row["section"])
        rows.append(
            (
                row["section"],
                row["title"],
                row["statement"],
                _measured(claim),
                claim.bound if claim else "",
                row["seeds"],
                f"{fact.statement} [{fact.source}]" if fact else "",
                CHECKED[fact.checked] if fact else "",
            )
        )
    head = "§", "subsection", "claim", "measured", "claimed", "seeds", "at scale", "how sure"
    return Table(head, tuple(rows))


def why_it_matters() -> Table:
    """For each concept of section 10 what it is good for, and a claim of the lesson that supports this."""
    found, rows = _found(), []
    for row in _stored("impact"):
        claim = found.get((row["section"], row["statement"]))
        rows.append(
            (
                row["concept"],
                row["impact"],
                f"§{row['section']} {row['statement']}",
                _measured(claim),
                claim.bound if claim else "",
            )
        )
    return Table(
        ("concept", "what it does", "claim that supports it", "measured", "claimed"), tuple(rows)
    )


def _found() -> dict[tuple[str, str], Claim]:
    return {(claim.section, claim.statement): claim for claim in made()}


def _stored(name: str) -> list[dict[str, str]]:
    with open(Path(__file__).parent / "data" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _measured(claim: Claim | None) -> str:
    return f"{claim.mark} {claim.measured}" if claim else NOT_RUN


def _counted(claims: tuple[Claim, ...]) -> str:
    identities = sum(claim.identity for claim in claims)
    measured = len(claims) - identities
    parts = [f"{measured} claim{'s' * (measured != 1)}"]
    if identities:
        parts.append(f"{identities} identit{'y' if identities == 1 else 'ies'}")
    return ", ".join(parts)


def _listed(claim: Claim) -> str:
    published = f"; at scale: {claim.published}" if claim.published else ""
    text = f"{claim.mark} {claim.named}: {claim.measured} (claimed {claim.bound}){published}"
    return f"<li>{escape(text)}</li>"
