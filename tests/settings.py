"""Settings of all tests, those in tests/ and those beside the keys in solutions/: one thread, quiet loops."""

import os

os.environ.setdefault("LESSON_QUIET", "1")

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("lesson", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("lesson")


@pytest.fixture(autouse=True)
def own_points(tmp_path, monkeypatch):
    """Checks in tests leave alone what a learner has earned."""
    monkeypatch.setattr("helpers.grader.points._folder", tmp_path)
