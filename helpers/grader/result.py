"""What a check finds, as plain data: the panel shows it, a batch runner can store it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One input on which a property does not hold: texts of the input, of what came back and of what should have.

    size: how many numbers the input holds.
    """

    inputs: str
    yours: str
    expected: str
    heading: str = "Smallest failing input"
    size: float = 0


@dataclass(frozen=True)
class Property:
    """One thing that was checked. earned is None while it waits for an earlier property; ``key`` names it in code.

    main: it belongs to what the part asks for, so that its failure is shown before others'.
    """

    key: str
    name: str
    points: float
    earned: float | None
    failure: Failure | None = None
    main: bool = True

    @property
    def held(self) -> bool:
        return self.earned is not None and self.earned >= self.points


@dataclass(frozen=True)
class Printed:
    """What an answer wrote while it was checked: how many lines, and the first as one text."""

    lines: int
    first: str


@dataclass(frozen=True)
class Result:
    """All that was found about one part.

    status: 'ok' (full points), 'wrong', 'error' (raised or returned no numbers at once), 'unattempted'.
    diagnoses: explanations of recognised mistakes. note: one sentence more, or empty. printed: the
    answer's own output, or None.
    """

    part: str
    title: str
    points: float
    status: str
    properties: tuple[Property, ...] = ()
    diagnoses: tuple[str, ...] = ()
    note: str = ""
    printed: Printed | None = None

    @property
    def score(self) -> float:
        """Points earned, a Python float from 0 to ``points``."""
        return min(self.points, round(sum(p.earned or 0.0 for p in self.properties), 2)) + 0.0

    @property
    def failure(self) -> Failure | None:
        """The one to show: on the smallest input, the first of several; of what the part asks for, if that fails."""
        failed = [p for p in self.properties if p.failure]
        first = min(failed, key=lambda p: (not p.main, p.failure.size), default=None)
        return first.failure if first else None


def judged(
    part: str,
    title: str,
    points: float,
    properties: list[Property],
    diagnoses: tuple[str, ...] = (),
    note: str = "",
) -> Result:
    """A Result whose status follows from its properties."""
    status = "ok" if all(p.held for p in properties) else "wrong"
    return Result(part, title, points, status, tuple(properties), diagnoses, note)
