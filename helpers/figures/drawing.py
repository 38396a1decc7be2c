"""What all figures share: one look, one colour for one thing, alternative text under every figure."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image as Bitmap

# After Okabe & Ito, shifted until readers with any common colour blindness tell all seven apart (tests/test_figures.py)
COLOURS = {
    "reference": "#6A6A6A",
    "policy": "#0072B2",
    "optimum": "#000000",
    "chosen": "#1FA06F",
    "rejected": "#B84A00",
    "gold": "#C28500",
    "harmful": "#CC79A7",
}
INK = COLOURS | {"chosen": "#1A855C", "gold": "#9C6B00", "harmful": "#A26085"}  # for words: the light ones darker
STYLE = {
    "figure.dpi": 80,
    "figure.figsize": (8.5, 3.6),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "font.size": 11,
    "legend.frameon": False,
}


def show(figure: Figure, alt: str) -> None:
    """Display a figure once, with ``alt`` as metadata and as a visible sentence below. Raises ValueError if empty.

    A palette of 256 colours makes the stored notebook half as large; the eye sees no difference.
    """
    if not alt.strip():
        raise ValueError("empty alternative text: expected a sentence that says what the figure shows")
    figure.set_dpi(80)
    canvas, stored = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()  # once; savefig would lay the figure out and draw it twice
    drawn = Bitmap.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    plt.close(figure)
    drawn.quantize(256, dither=Bitmap.Dither.NONE).save(stored, format="png", optimize=True)
    display(Image(stored.getvalue(), alt=alt), Markdown(f"*Figure: {alt}*"))


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorator: draw in the lesson's style and leave the reader's own settings alone."""

    @functools.wraps(draw)
    def drawn(*args, **options) -> Figure:
        with plt.rc_context(STYLE):
            return draw(*args, **options)

    return drawn


def shades(n: int) -> list:
    """n blues from light to dark, for one thing at several settings; the lightest still stands out from the page."""
    return list(plt.get_cmap("Blues")(np.linspace(0.6, 1.0, n)))


def legend_right(axes: Axes) -> None:
    """Put the legend beside the axes, where it covers nothing."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
