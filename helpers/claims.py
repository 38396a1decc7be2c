"""The evidence ledger: every number that the lesson claims, held against a bound it could miss.

``check`` prints one line and raises when the bound is missed; ``ledger`` returns the table of all claims so far.
While other seeds are tried (the environment variable ``LESSON_SEED`` is set) a missed bound is recorded instead.
Trained models and rounding errors differ a little between processors and thread counts: ``approx=True`` prints such
numbers behind “≈”, which the notebook tests mask. Numbers behind “=” are exact and compared.
"""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass


class ClaimError(AssertionError):
    """A measured number missed the bound that the lesson claims for it."""


@dataclass(frozen=True)
class Claim:
    """One line of the ledger."""

    section: str
    statement: str
    value: float
    measured: str
    bound: str
    holds: bool
    published: str

    @property
    def mark(self) -> str:
        """✓ where the bound holds, ✗ where it was missed and recorded."""
        return "✓" if self.holds else "✗"


_claims: dict[tuple[str, str], Claim] = {}


def check(
    section: str,
    statement: str,
    value: float,
    *,
    below: float | None = None,
    above: float | None = None,
    within: tuple[float, float] | None = None,
    approx: bool = False,
    published: str = "",
) -> None:
    """Hold ``value`` against one bound, print the result and enter it into the ledger.

    Give exactly one of ``below``, ``above`` (strict) and ``within`` (inclusive). published: the counterpart at scale,
    with its source. Raises ValueError unless there is one bound and a section number, ClaimError when the bound is
    missed; NaN misses every bound.
    """
    given = [bound for bound in (below, above, within) if bound is not None]
    if len(given) != 1:
        raise ValueError(f"{len(given)} bounds: expected exactly one of below=, above= and within=")
    if not re.fullmatch(r"\d+(\.\d+)?", section):
        raise ValueError(f"section {section!r}: expected a number such as '5' or '5.3'")
    value = float(value)
    if below is not None:
        holds, bound = value < below, f"< {below:g}"
    elif above is not None:
        holds, bound = value > above, f"> {above:g}"
    else:
        holds, bound = within[0] <= value <= within[1], f"in [{within[0]:g}, {within[1]:g}]"
    measured = f"{'≈' if approx else '='} {value:.3g}"
    if not holds and "LESSON_SEED" not in os.environ:
        raise ClaimError(f"§{section} {statement}: measured {value:.6g}, claimed {bound}")
    claim = _claims[section, statement] = Claim(section, statement, value, measured, bound, holds, published)
    print(f"{claim.mark} §{section} {statement}: {measured}  (claimed {bound})")


class Ledger:
    """The claims checked so far in this process, as a table (HTML where there is a front end, text elsewhere)."""

    def __init__(self, claims: list[Claim]):
        self.claims = claims

    def __repr__(self) -> str:
        return "\n".join(
            f"{c.mark} §{c.section}  {c.statement}: {c.measured}  (claimed {c.bound})" for c in self.claims
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("§", "statement", "measured", "claimed", "at scale"))
        rows = (
            "".join(
                f"<td>{html.escape(cell)}</td>"
                for cell in (c.section, c.statement, f"{c.mark} {c.measured}", c.bound, c.published)
            )
            for c in self.claims
        )
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def ledger() -> Ledger:
    """All claims checked so far, in the order of their sections."""
    return Ledger(sorted(_claims.values(), key=lambda claim: [int(part) for part in claim.section.split(".")]))
