"""What the tests of several exercises share."""

import pytest

from helpers.grader.frozen import array, case


def mutants(wrong: dict) -> list:
    """Every variant of every misconception as a parameter (part, misconception, variant); wrong: part → a list."""
    return [
        pytest.param(part, misconception, variant, id=f"{part}-{misconception.key}-{i}")
        for part, listed in wrong.items()
        for misconception in listed
        for i, variant in enumerate(misconception.variants)
    ]


def inputs_of(part: str, name: str) -> dict:
    """A recorded input of a part as arrays."""
    return {k: array(v) for k, v in case(part)["inputs"][name].items()}
