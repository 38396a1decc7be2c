"""Whole numbers as text in the frozen cases."""

import json

import numpy as np
import pytest

from helpers.grader.number_text import DIGITS, LARGEST, digits, read, written


def test_stored_numbers_come_back_and_those_that_do_not_fit_are_refused():
    numbers = np.arange(LARGEST + 1)
    text = written(numbers)
    assert (read(text) == numbers).all() and json.dumps(text) == f'"{text}"'
    assert digits(DIGITS).tolist() == list(range(len(DIGITS)))
    for strange in (-1, LARGEST + 1):
        with pytest.raises(ValueError, match="expected 0 to"):
            written(np.array([0, strange]))
