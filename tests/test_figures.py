"""Figures: shown once, with words; colours that readers with a colour blindness tell apart."""

import itertools

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from helpers import figures
from helpers.figures import COLOURS, show

# Viénot, Brettel & Mollon 1999: what dichromats see of linear RGB
DICHROMATS = {
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


def seen(colour, by):
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)])
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
        assert too_close(COLOURS | {"gold": "#B07C00", "rejected": "#D55E00"}, by) == [("rejected", "gold")]


def test_lines_stand_out_from_the_page():
    contrast = {name: 1.05 / (luminance(colour) + 0.05) for name, colour in COLOURS.items()}
    assert [name for name, ratio in contrast.items() if ratio < 2.9] == []


def test_a_figure_is_shown_once_as_image_and_as_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr(figures.drawing, "display", lambda *objects: shown.extend(objects))
    figure, axes = plt.subplots()
    show(figure, "one dot.")
    image, sentence = shown
    assert image.data.startswith(b"\x89PNG") and image._repr_mimebundle_()[1]["image/png"]["alt"] == "one dot."
    assert sentence.data == "*Figure: one dot.*"
    assert not plt.fignum_exists(figure.number), "else the inline back end would draw it again"


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="empty alternative text"):
        show(plt.figure(), "  ")


def test_drawing_leaves_the_readers_own_style_alone():
    before = dict(plt.rcParams)
    figures.plot_ascent({"a": [0.0, 1.0], "b": [0.5, 1.0]}, 1.0, "title")
    plt.close("all")
    assert dict(plt.rcParams) == before
