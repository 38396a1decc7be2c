"""Small drawings as SVG text: lines, points, bars and axes on a white card, in the lesson's colours.

The card is white on dark pages too, as the lesson's figures are, so that every colour keeps its contrast. Nothing here
carries an id: several drawings may stand on one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

# Those of helpers.figures for words and lines, without matplotlib (tests/test_explorers.py: they are the same)
COLOURS = {
    "reference": "#6A6A6A",
    "policy": "#0072B2",
    "optimum": "#000000",
    "chosen": "#1A855C",
    "rejected": "#B84A00",
    "gold": "#9C6B00",
    "harmful": "#A26085",
}


def text(
    x: float, y: float, words: str, role: str = "optimum", anchor: str = "start", bold: bool = False
) -> str:
    """Words at a place; anchor: 'start', 'middle' or 'end'."""
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{COLOURS[role]}"{weight}>{escape(words)}</text>'


def rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A filled rectangle; its width is never drawn below 0."""
    size = f'width="{max(width, 0):.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{fill}"/>'


def stroke(
    x1: float, y1: float, x2: float, y2: float, role: str = "reference", dashed: bool = False
) -> str:
    """A straight line."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{COLOURS[role]}"{dash}/>'


def picture(width: float, height: float, name: str, reading: str, parts: Sequence[str]) -> str:
    """The whole drawing. name: its title; reading: what it shows now, in words, for those who do not see it."""
    head = f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(reading)}"'
    style = f'style="width:100%;max-width:{width:g}px;font:12px sans-serif"'
    card = f'<rect width="{width:g}" height="{height:g}" fill="#FFFFFF"/>'
    body = "".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head} {style}><title>{escape(name)}</title>{card}{body}</svg>'


@dataclass(frozen=True)
class Panel:
    """A place for curves: its box in the drawing, and the least and largest x and y that it shows."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def _inside(self, x: float, y: float) -> tuple[float, float]:
        (x0, x1), (y0, y1) = self.x, self.y
        return (x - x0) / (x1 - x0) * self.width, (y1 - y) / (y1 - y0) * self.height

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point stands in the drawing; what lies outside is moved to the edge."""
        across, down = self._inside(
            min(max(x, self.x[0]), self.x[1]), min(max(y, self.y[0]), self.y[1])
        )
        return self.left + across, self.top + down

    def axes(
        self, title: str, x_label: str, x_ticks: Sequence[float], y_ticks: Sequence[float]
    ) -> str:
        """Both axes with their numbers; the title says what is drawn upwards."""
        bottom, parts = self.top + self.height, [text(self.left, self.top - 8, title, bold=True)]
        parts.append(stroke(self.left, self.top, self.left, bottom))
        parts.append(stroke(self.left, bottom, self.left + self.width, bottom))
        for tick in x_ticks:
            parts.append(
                text(
                    self.place(tick, self.y[0])[0], bottom + 15, number(tick), "reference", "middle"
                )
            )
        for tick in y_ticks:
            parts.append(
                text(
                    self.left - 5,
                    self.place(self.x[0], tick)[1] + 4,
                    number(tick),
                    "reference",
                    "end",
                )
            )
        parts.append(text(self.left + self.width / 2, bottom + 31, x_label, anchor="middle"))
        return "".join(parts)

    def line(
        self, xs: Sequence[float], ys: Sequence[float], role: str, dashed: bool = False
    ) -> str:
        """A curve; what lies outside the panel is cut off."""
        points = " ".join("{:.1f},{:.1f}".format(*self._inside(x, y)) for x, y in zip(xs, ys))
        dash = ' stroke-dasharray="6 3"' if dashed else ""
        box = f'x="{self.left:g}" y="{self.top:g}" width="{self.width:g}" height="{self.height:g}"'
        look = f'fill="none" stroke="{COLOURS[role]}" stroke-width="2"{dash}'
        return f'<svg {box}><polyline points="{points}" {look}/></svg>'

    def dot(self, x: float, y: float, role: str, hollow: bool = False) -> str:
        """A point; at the edge if it lies outside."""
        across, down = self.place(x, y)
        fill = "#FFFFFF" if hollow else COLOURS[role]
        look = f'fill="{fill}" stroke="{COLOURS[role]}" stroke-width="2"'
        return f'<circle cx="{across:.1f}" cy="{down:.1f}" r="5" {look}/>'

    def level(self, y: float, role: str = "reference") -> str:
        """A dashed line at one height."""
        (x1, at), (x2, _) = self.place(self.x[0], y), self.place(self.x[1], y)
        return stroke(x1, at, x2, at, role, dashed=True)

    def upright(self, x: float, role: str = "reference") -> str:
        """A dashed line at one x."""
        (at, y1), (_, y2) = self.place(x, self.y[0]), self.place(x, self.y[1])
        return stroke(at, y1, at, y2, role, dashed=True)


def number(value: float) -> str:
    """A number of an axis, with the true minus sign."""
    return f"{value:g}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, the true minus; no sign where it rounds to 0."""
    shown = f"{value:+.{digits}f}"
    return shown.replace("-", "−") if float(shown) else shown[1:]


def grid(low: float, high: float, n: int) -> list[float]:
    """n numbers from low to high, evenly spaced."""
    return np.linspace(low, high, n).tolist()


def legend(x: float, y: float, entries: Sequence[tuple[str, str]], step: float = 16) -> str:
    """Squares of colour with their words, one under another: (words, role)."""
    parts = []
    for k, (words, role) in enumerate(entries):
        parts.append(rectangle(x, y + k * step - 9, 10, 10, COLOURS[role]))
        parts.append(text(x + 15, y + k * step, words))
    return "".join(parts)


def bars(
    left: float,
    top: float,
    width: float,
    rows: Sequence[tuple[str, Sequence[float]]],
    roles: Sequence[str],
    high: float,
) -> str:
    """Rows of words with a bar for each role under one another, ``high`` as long as ``width``, and their numbers."""
    parts = []
    for k, (words, values) in enumerate(rows):
        start = top + k * row_height(len(roles))
        parts.append(text(left - 8, start + THICK * len(roles) / 2 + 4, words, anchor="end"))
        for n, (value, role) in enumerate(zip(values, roles)):
            y, long = start + n * THICK, value / high * width
            parts.append(rectangle(left, y, long, THICK - 2, COLOURS[role]))
            shown = text(left + max(long, 0) + 4, y + 9, f"{value:.3f}", role)
            parts.append(f'<g font-size="11">{shown}</g>')
    return "".join(parts)


THICK = 12  # of a bar, with its gap


def row_height(n: int) -> int:
    """Height of a row of n bars."""
    return THICK * n + 6
