"""What a learner sees: HTML where there is a front end, text elsewhere. Everything shown is escaped."""

from __future__ import annotations

import html

from helpers.grader.result import Printed, Property, Result

# Hues of Okabe & Ito, told apart with any common colour blindness, dark enough to carry white signs. No colour of a
# sign reaches a contrast of 4.5 on white and on a dark page: so a sign is white and brings its own ground.
GOOD, BAD, QUIET = "#007A5A", "#B34700", "#666666"
SIGN = "background:{colour};color:#FFFFFF;font-weight:bold;border-radius:.2em;padding:0 .35em"
BOX = "border-left:4px solid {colour};padding:.5em 1em;margin:.4em 0;max-width:60em;line-height:1.4"
PRE = "white-space:pre-wrap;font-family:monospace;font-size:.9em;text-align:left;vertical-align:top"
WAITING = "not counted yet"
VERDICTS = {
    "unattempted": "not attempted yet",
    "ok": "all points",
    "wrong": "not there yet",
    "error": "no result",
}


def _points(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _mark(prop: Property) -> str:
    return "·" if prop.earned is None else "✓" if prop.held else "✗"


def _headline(result: Result) -> str:
    points = f"{_points(result.score)} of {_points(result.points)} points"
    return f"{result.part} · {result.title}: {points}, {VERDICTS[result.status]}"


def _sections(result: Result) -> list[tuple[str, str]]:
    """(heading, text) of the smallest failing input."""
    failure = result.failure
    if failure is None:
        return []
    return [("Input", failure.inputs), ("Yours", failure.yours), ("Expected", failure.expected)]


def _told(printed: Printed) -> str:
    """What heads an answer's own output."""
    lines = "1 line" if printed.lines == 1 else f"{printed.lines:,} lines"
    shown = printed.first.count("\n") + 1
    cut = "" if shown == printed.lines else "the first" if shown == 1 else f"the first {shown}"
    return f"Your function printed {lines} during this check{'; ' + cut if cut else ''}:"


class Panel:
    """One Result, shown."""

    def __init__(self, result: Result):
        self.result = result

    def __repr__(self) -> str:
        lines = [_headline(self.result)]
        for prop in self.result.properties:
            earned = (
                WAITING if prop.earned is None else f"{_points(prop.earned)}/{_points(prop.points)}"
            )
            lines.append(f"  {_mark(prop)} {prop.name}  ({earned})")
        if self.result.failure:
            lines.append(f"{self.result.failure.heading}:")
            for heading, text in _sections(self.result):
                lines.append(f"  {heading:<9}" + text.replace("\n", "\n" + " " * 11))
        lines += [f"→ {message}" for message in self.result.diagnoses]
        lines += [self.result.note] if self.result.note else []
        if self.result.printed:
            lines.append(_told(self.result.printed))
            lines += [f"  | {line}" for line in self.result.printed.first.split("\n")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        result = self.result
        colour = {"ok": GOOD, "unattempted": QUIET}.get(result.status, BAD)
        parts = [f"<b>{html.escape(_headline(result))}</b>"]
        if result.properties:
            parts.append(
                f"<table style='margin:.4em 0'>{''.join(map(_row, result.properties))}</table>"
            )
        if result.failure:
            cells = "".join(
                f"<tr style='background:none'><th style='text-align:left;vertical-align:top'>{heading}</th>"
                f"<td style='{PRE}'>{html.escape(text)}</td></tr>"
                for heading, text in _sections(result)
            )
            parts.append(
                f"{html.escape(result.failure.heading)}:<table style='margin:.4em 0'>{cells}</table>"
            )
        parts += [
            f"<p style='margin:.4em 0'>→ {html.escape(message)}</p>" for message in result.diagnoses
        ]
        parts += [f"<p style='margin:.4em 0'>{html.escape(result.note)}</p>"] if result.note else []
        if result.printed:
            heading, first = html.escape(_told(result.printed)), html.escape(result.printed.first)
            first = f"<div style='{PRE}'>{first}</div>"
            parts.append(f"<details><summary>{heading}</summary>{first}</details>")
        return f"<div style='{BOX.format(colour=colour)}'>{''.join(parts)}</div>"


def _row(prop: Property) -> str:
    colour = QUIET if prop.earned is None else GOOD if prop.held else BAD
    earned = WAITING if prop.earned is None else f"{_points(prop.earned)} / {_points(prop.points)}"
    return (
        f"<tr style='background:none'><td><span style='{SIGN.format(colour=colour)}'>{_mark(prop)}</span></td>"
        f"<td style='text-align:left'>{html.escape(prop.name)}</td>"
        f"<td style='text-align:right;opacity:.7'>{earned}</td></tr>"
    )


class Progress:
    """Points of all parts as bars; rows are (part, title, earned, points)."""

    def __init__(self, rows: list[tuple[str, str, float, float]]):
        self.rows = rows
        self.total = (
            _points(sum(row[2] for row in rows))
            + " of "
            + _points(sum(row[3] for row in rows))
            + " points"
        )

    def __repr__(self) -> str:
        lines = [
            f"{part}  {'█' * round(10 * earned / points):░<10}  {_points(earned)}/{_points(points)}  {title}"
            for part, title, earned, points in self.rows
        ]
        return "\n".join([*lines, self.total])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr style='background:none'><td><b>{part}</b></td><td style='text-align:left'>{html.escape(title)}</td>"
            f"<td><div role='img' aria-label='{_points(earned)} of {_points(points)} points'"
            f" style='width:12em;height:.8em;background:rgba(128,128,128,.3)'>"
            f"<div style='width:{100 * earned / points:.0f}%;height:100%;background:{GOOD}'></div></div></td>"
            f"<td style='text-align:right'>{_points(earned)} / {_points(points)}</td></tr>"
            for part, title, earned, points in self.rows
        )
        table = f"<table style='margin:.4em 0'>{rows}</table>"
        return f"<div style='{BOX.format(colour=GOOD)}'><b>{self.total}</b>{table}</div>"
