"""The texts of the exact world's base model: right, never a refusal, and as often embellished as they say."""

from __future__ import annotations

import pytest
import torch
from conftest import seeded

from helpers.documents import exact_documents


def test_every_text_is_the_two_steps_in_order_with_at_most_a_word_before_and_behind(world):
    prompts, rows = exact_documents(world, 3000, seeded(0))
    assert prompts.shape == (3000,) and rows.shape == (3000, 4)
    stray, shapes = set(world.courtesy + world.filler), {}
    for x, row in zip(prompts.tolist(), rows):
        words = world.text(row).split()
        steps = [k for k, word in enumerate(words) if word in world.steps]
        assert [words[k] for k in steps] == list(world.prompts[x].steps)
        assert steps == [steps[0], steps[0] + 1] and steps[0] <= 1
        assert set(words) - set(world.steps) <= stray
        shape = steps[0], len(words) - steps[1] - 1
        shapes[shape] = shapes.get(shape, 0) + 1
    assert set(shapes) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(600 < count < 900 for count in shapes.values())  # a quarter each


def test_all_requests_and_all_stray_words_occur_unsafe_ones_like_others(world):
    prompts, rows = exact_documents(world, 5000, seeded(1))
    counts = torch.bincount(prompts, minlength=48)
    assert counts.min() > 60 and counts.max() < 160
    for word in world.courtesy + world.filler:
        assert ((rows == world.words.index(word)).sum() / 5000 - 0.25).abs() < 0.04
    for word in world.refusal:
        assert not (rows == world.words.index(word)).any()


def test_documents_are_reproducible(world):
    one, other, third = (exact_documents(world, 50, seeded(s))[1] for s in (2, 2, 3))
    assert torch.equal(one, other) and not torch.equal(one, third)


def test_it_refuses_no_texts_and_a_world_that_they_do_not_fit(world):
    with pytest.raises(ValueError, match="n = 0"):
        exact_documents(world, 0, seeded(0))
    small = type(world)(**{**vars_of(world), "max_length": 3})
    with pytest.raises(
        ValueError, match="texts of up to 4 words in world 'exact': expected at most 3"
    ):
        exact_documents(small, 5, seeded(0))


def vars_of(world):
    names = world.__dataclass_fields__
    return {name: getattr(world, name) for name in names}
