"""A prediction is kept, shown beside the result, and never made for the reader."""

import IPython
import IPython.display
import ipywidgets
import pytest
import torch

from helpers import prediction
from helpers.prediction import predict, predicted


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(prediction, "_kept", {})
    monkeypatch.delenv("LESSON_QUIET", raising=False)


@pytest.fixture
def shown(monkeypatch):
    """What a front end with widgets was given to show."""
    boxes, kernel = [], type("Shell", (), {"kernel": object()})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: kernel)
    monkeypatch.setattr(IPython.display, "display", boxes.append)
    return boxes


def printed(capsys, call, *given, **named):
    call(*given, **named)
    return capsys.readouterr().out


def test_without_a_guess_the_result_stands_alone(capsys):
    assert printed(capsys, predict, "gold", "Where?") == "Where? (a number)\n"
    assert printed(capsys, predicted, "gold", 1.5) == ""


def test_a_guess_given_in_the_cell_is_shown_beside_the_result(capsys):
    assert printed(capsys, predict, "gold", "Where?", guess=2) == "Where? Kept: 2.\n"
    assert printed(capsys, predicted, "gold", 1.5) == "gold: you predicted 2; measured ≈ 1.50\n"


def test_numbers_are_shown_in_the_form_given_and_several_by_name(capsys):
    predict("refused", "How many, in %?", guess="50")
    capsys.readouterr()
    assert "measured ≈ 1,234\n" in printed(capsys, predicted, "refused", 1234, "≈ {:,}")
    both = {"before": torch.tensor(40.4), "after": 20.0}
    shown = printed(capsys, predicted, "refused", both, "≈ {:.0f} %")
    assert shown == "refused: you predicted 50; measured before: ≈ 40 %; after: ≈ 20 %\n"


def test_a_guess_that_is_no_choice_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="guess 'sideways': expected one of 'up', 'down'"):
        predict("way", "Which way?", ("up", "down"), guess="sideways")
    assert prediction._kept == {}


def test_in_a_stored_notebook_it_asks_in_words(capsys, shown, monkeypatch):
    monkeypatch.setenv("LESSON_QUIET", "1")
    assert printed(capsys, predict, "way", "Which way?", ("up", "down")) == "Which way? up / down\n"
    assert shown == []


def test_a_choice_in_the_widget_is_kept_and_stands_there_when_asked_again(capsys, shown):
    assert printed(capsys, predict, "way", "Which way?", ("up", "down")) == ""
    field, told = shown[0].children
    assert isinstance(field, ipywidgets.RadioButtons)
    assert (field.description, field.value) == ("Which way?", None)
    field.value = "down"
    assert told.value == "Kept: down"
    assert printed(capsys, predicted, "way", "up") == "way: you predicted down; measured up\n"
    predict("way", "Which way?", ("up", "down"))
    assert shown[1].children[0].value == "down"


def test_a_number_typed_into_the_widget_is_kept(capsys, shown):
    predict("gold", "Where?")
    shown[0].children[0].value = " 1.2 "
    assert "you predicted 1.2;" in printed(capsys, predicted, "gold", 1.5)
