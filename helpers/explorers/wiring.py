"""What all explorers share: knobs, a picture with a reading in words, and how both come onto the page.

An explorer is data: its knobs and a pure function from their values to a ``View``. Here it becomes widgets
(ipywidgets 7.7 or 8) where there are any. Elsewhere the view at the knobs' first values is shown. While the lesson is
stored or tested (``LESSON_QUIET=1``) only its name is printed: widgets carry random names.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from html import escape

from IPython import get_ipython
from IPython.display import display


@dataclass(frozen=True)
class Slider:
    """A number from low to high in steps; with ``log`` the three are powers of ten, the value is not."""

    label: str
    low: float
    high: float
    step: float
    value: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of several options; the first is where the explorer starts, unless ``value`` says another."""

    label: str
    options: tuple[Hashable, ...]
    value: Hashable


@dataclass(frozen=True)
class View:
    """What is seen at one setting: the drawing, and the same in words."""

    svg: str
    reading: str

    def html(self) -> str:
        """Both as one white card."""
        style = "background:#fff;color:#000;padding:8px;border-radius:4px;max-width:680px;line-height:1.4"
        words = f'<p role="status" aria-live="polite" style="margin:4px 0 0 0">{escape(self.reading)}</p>'
        return f'<div style="{style}">{self.svg}{words}</div>'


@dataclass(frozen=True)
class Explorer:
    """A name, knobs by argument, and ``look``, which takes the knobs' values by these names."""

    name: str
    knobs: dict[str, Slider | Choice]
    look: Callable[..., View]

    def first(self) -> View:
        """What is seen before anything was moved."""
        return self.look(**{argument: knob.value for argument, knob in self.knobs.items()})

    def told(self) -> str:
        """The explorer in a sentence, the same in every run."""
        moves = ", ".join(knob.label for knob in list(self.knobs.values())[:4])
        moves += ", …" if len(self.knobs) > 4 else ""
        return f"Explorer: {self.name}. Run this cell to move: {moves}."


def _control(knob: Slider | Choice):
    import ipywidgets

    look = {
        "description": knob.label,
        "style": {"description_width": "130px"},
        "layout": ipywidgets.Layout(width="430px"),
    }
    if isinstance(knob, Choice):
        return ipywidgets.Dropdown(options=list(knob.options), value=knob.value, **look)
    kind = ipywidgets.FloatLogSlider if knob.log else ipywidgets.FloatSlider
    if not knob.log:  # as many digits as a step has
        look["readout_format"] = f".{max(0, math.ceil(-math.log10(knob.step)))}f"
    return kind(value=knob.value, min=knob.low, max=knob.high, step=knob.step, **look)


def wired(explorer: Explorer):
    """The explorer as a box: its knobs, then one HTML widget, which follows every change of a knob."""
    import ipywidgets

    controls = {argument: _control(knob) for argument, knob in explorer.knobs.items()}
    card = ipywidgets.HTML(explorer.first().html())

    def follow(_change) -> None:
        card.value = explorer.look(**{argument: c.value for argument, c in controls.items()}).html()

    for control in controls.values():
        control.observe(follow, names="value")
    return ipywidgets.VBox([*controls.values(), card])


def show(explorer: Explorer) -> None:
    """Widgets in a notebook, a picture where there are no widgets, words in a terminal."""
    told = explorer.told()
    shell = get_ipython()
    if os.environ.get("LESSON_QUIET") == "1":
        print(told)
    elif not hasattr(shell, "kernel"):
        print(told, explorer.first().reading, sep="\n")
    else:
        try:
            box = wired(explorer)
        except ImportError:
            view = explorer.first()
            display({"text/html": view.html(), "text/plain": f"{told}\n{view.reading}"}, raw=True)
        else:
            seen = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
            display(
                {"application/vnd.jupyter.widget-view+json": seen, "text/plain": told}, raw=True
            )
