"""What all figures share: one look, one colour for one thing, alternative text under every figure."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from IPython.display import display
from PIL import Image as Bitmap


@contextlib.contextmanager
def _silent(name: str) -> Iterator[None]:
    """Without the warnings of one logger: of a font cache being built, of a folder that cannot be written."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


with _silent("matplotlib"):
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

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
INK = COLOURS | {
    "chosen": "#1A855C",
    "gold": "#9C6B00",
    "harmful": "#A26085",
}  # for words: the light ones darker
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


@contextlib.contextmanager
def lesson_style() -> Iterator[None]:
    """Matplotlib's defaults and the lesson's style; the reader's own settings come back afterwards."""
    with plt.rc_context():
        plt.rcdefaults()
        plt.rcParams.update(STYLE)
        yield


def show(figure: Figure, alt: str) -> None:
    """Display a figure once, with ``alt`` as metadata and as a visible sentence below. Raises ValueError if empty.

    A palette of 16 colours keeps the stored notebook small; an octree keeps the hues of what is drawn small.
    """
    alt = " ".join(alt.split())
    if not alt:
        raise ValueError(
            "empty alternative text: expected a sentence that says what the figure shows"
        )
    stored = io.BytesIO()
    with lesson_style(), _silent("matplotlib"):
        figure.set_dpi(80)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # once; savefig would lay the figure out and draw it twice
    plt.close(figure)
    drawn = Bitmap.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    drawn = drawn.quantize(16, method=Bitmap.Quantize.FASTOCTREE, dither=Bitmap.Dither.NONE)
    drawn.putpalette(
        [255 if level >= 253 else level for level in drawn.getpalette()]
    )  # white stays white
    drawn.save(stored, format="png", optimize=True)
    sentence = f"*Figure: {alt}*"
    # as raw data, which old and new front ends take alike, and with metadata for those that read it
    image = {"image/png": stored.getvalue(), "text/plain": "<Figure>"}
    display(image, raw=True, metadata={"image/png": {"alt": alt}})
    display({"text/markdown": sentence, "text/plain": sentence}, raw=True)


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorator: draw in the lesson's style and leave the reader's own settings alone."""

    @functools.wraps(draw)
    def drawn(*args, **options) -> Figure:
        with lesson_style(), _silent("matplotlib"):
            return draw(*args, **options)

    return drawn


def shades(n: int) -> list:
    """n blues from light to dark, for one thing at several settings; the lightest still stands out from the page."""
    return list(plt.get_cmap("Blues")(np.linspace(0.6, 1.0, n)))


def headline(figure: Figure, title: str) -> None:
    """The figure's finding in bold, at the left above all its panels."""
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")


def stacked_bars(
    axes: Axes,
    rows: Mapping[str, Sequence[float]],
    parts: Mapping[str, str],
    percent: str,
    least: float,
) -> None:
    """A bar from 0 to 1 for each row, cut into parts, the first row on top.

    rows: row → its parts; parts: label → colour of ``COLOURS``, in the same order. percent: how the number of
    a part above ``least`` is written, such as '{:.0f} %'.
    """
    left = np.zeros(len(rows))
    for k, (label, role) in enumerate(parts.items()):
        width = np.array([row[k] for row in rows.values()], dtype=float)
        bars = axes.barh(
            list(rows), width, left=left, color=COLOURS[role], edgecolor="white", label=label
        )
        written = [percent.format(100 * w) if w > least else "" for w in width]
        dark = "black" if role == "gold" else "white"
        axes.bar_label(bars, written, label_type="center", color=dark)
        left += width
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xticks=[])


def legend_right(axes: Axes) -> None:
    """Put the legend beside the axes, where it covers nothing."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
