"""Figures: shown once, with words; colours that readers with a colour blindness tell apart."""

import io
import itertools

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from helpers import figures
from helpers.figures import COLOURS, INK, show
from helpers.figures.drawing import shades

# Viénot, Brettel & Mollon 1999: what dichromats see of linear RGB
DICHROMATS = {
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


def seen(colour, by):
    linear = np.array(
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    )
    return linear if by is None else np.clip(np.array(DICHROMATS[by]) @ linear, 0, 1)


def luminance(colour):
    return seen(colour, None) @ [0.2126, 0.7152, 0.0722]


def too_close(colours, by):
    """Pairs of colours that nearly coincide, by distance in cube roots of linear RGB (roughly perceptual)."""
    apart = {
        (a, b): np.linalg.norm(np.cbrt(seen(colours[a], by)) - np.cbrt(seen(colours[b], by)))
        for a, b in itertools.combinations(colours, 2)
    }
    return [pair for pair, distance in apart.items() if distance < 0.1]


@pytest.mark.parametrize("by", [None, "protan", "deutan"])
def test_colours_are_told_apart(by):
    assert too_close(COLOURS, by) == []
    if by == "deutan":
        assert too_close(COLOURS | {"gold": "#B07C00", "rejected": "#D55E00"}, by) == [
            ("rejected", "gold")
        ]


def contrast(colour, page="white"):
    light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_lines_stand_out_from_the_page_and_words_more_so():
    """WCAG 2.1: 3 : 1 for what is drawn, 4.5 : 1 for text of this size."""
    assert [name for name, colour in COLOURS.items() if contrast(colour) < 3] == []
    assert [name for name in COLOURS if contrast(INK[name]) < 4.5] == []
    assert contrast("#777777", "#777777") == 1 and contrast("black") == pytest.approx(21)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("by", [None, "protan", "deutan"])
def test_shades_stand_out_from_the_page_and_are_told_apart(n, by):
    found = {str(k): shade for k, shade in enumerate(shades(n))} | {
        "reference": COLOURS["reference"]
    }
    assert len(found) == n + 1
    assert [name for name, shade in found.items() if contrast(shade) < 3] == []
    assert too_close(found, by) == []


def with_words():
    """Figures that write words in the colour of what they name."""
    slices = {"benign": 0.5, "unsafe": -0.5}
    roles = ("π_ref", "π*", "imitates", "a coin", "DPO")
    yield figures.plot_gold_by_slice(dict.fromkeys(roles, slices), "title")
    places = {name: [(0.1, 0.2, "label")] for name in "abcdef"}
    yield figures.plot_frontier(
        ([0, 1], [0, 1]), places, "title", {"cloud": ([0.1], [0.2], "gold")}
    )
    yield figures.plot_kept({"A": torch.tensor([1, 2]), "B": torch.tensor([2, 1])}, 2, "title")
    yield figures.plot_weights({"a": torch.rand(9), "b": torch.rand(9)}, "title")


def test_words_are_dark_enough_to_be_read():
    for figure in with_words():
        words = [text for text in figure.findobj(Text) if text.get_text()]
        assert len(words) >= 5
        assert [(t.get_text(), t.get_color()) for t in words if contrast(t.get_color()) < 4.5] == []
        plt.close(figure)


def test_numbers_on_bars_are_readable_on_their_bar():
    shares = {"row": {"gives steps": 0.4, "refuses": 0.4, "neither": 0.2}}
    figure = figures.plot_shares(shares, "title")
    (axes,) = figure.axes
    bars = [bar for container in axes.containers for bar in container]
    assert len(axes.texts) == len(bars) == 3
    assert all(
        contrast(t.get_color(), bar.get_facecolor()) >= 4.5 for t, bar in zip(axes.texts, bars)
    )
    plt.close(figure)


@pytest.fixture
def shown(monkeypatch):
    """What ``show`` hands to the front end: (data, options) of every call."""
    calls = []
    monkeypatch.setattr(
        figures.drawing, "display", lambda data, **options: calls.append((data, options))
    )
    return calls


def test_a_figure_is_shown_once_as_image_and_as_sentence(shown):
    figure, axes = plt.subplots()
    show(figure, "one dot,\n  and no more.")
    (image, options), (sentence, _) = shown
    assert image["image/png"].startswith(b"\x89PNG")
    assert options == {"raw": True, "metadata": {"image/png": {"alt": "one dot, and no more."}}}
    assert sentence["text/markdown"] == sentence["text/plain"] == "*Figure: one dot, and no more.*"
    assert not plt.fignum_exists(figure.number), "else the inline back end would draw it again"


def stored_colours(shown):
    image = Image.open(io.BytesIO(shown[0][0]["image/png"])).convert("RGB")
    return [colour for _, colour in image.getcolors(2**24)]


def test_a_stored_figure_keeps_its_hues_and_a_white_page_in_sixteen_colours(shown):
    figure, axes = plt.subplots()
    for place, name in enumerate(COLOURS):
        axes.plot(place, place, "o", ms=5, color=COLOURS[name])
    show(figure, "a small dot of each colour.")
    found = stored_colours(shown)
    assert len(found) <= 16 and (255, 255, 255) in found
    for colour in COLOURS.values():
        wanted = np.array(to_rgb(colour)) * 255
        assert min(np.abs(np.array(near) - wanted).max() for near in found) < 40, colour


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="empty alternative text"):
        show(plt.figure(), "  ")


def test_drawing_leaves_the_readers_own_style_alone_and_does_not_take_it_over(shown):
    """Such as a matplotlibrc that asks for LaTeX, which is not there: every figure would raise."""
    with plt.rc_context({"text.usetex": True, "axes.facecolor": "red", "axes.grid": True}):
        before = dict(plt.rcParams)
        show(figures.plot_ascent({"a": [0.0, 1.0], "b": [0.5, 1.0]}, 1.0, "title"), "two lines.")
        assert dict(plt.rcParams) == before
    assert (255, 0, 0) not in stored_colours(shown)
