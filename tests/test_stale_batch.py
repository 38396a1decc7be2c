"""One batch used again and again: it starts at the old policy; the clip makes the arms differ."""

from __future__ import annotations

import pytest

from helpers.stale_batch import reuse_batch


def test_at_the_start_nothing_has_moved_and_one_step_is_the_same_with_and_without_a_clip():
    tight, loose = (reuse_batch(clip, (0, 1, 4), n=16) for clip in (0.2, 1e9))
    for seen in (tight, loose):
        assert seen["ratio"][0] == pytest.approx(1, abs=1e-5) and seen["outside"][0] == 0
        assert seen["KL"][0] == pytest.approx(0, abs=1e-6) and seen["sampled"][0] == pytest.approx(
            0, abs=1e-6
        )
        assert seen["KL"][1] > 1e-5 and len(seen["gold"]) == 3
    assert {name: part[:2] for name, part in tight.items()} == {
        name: part[:2] for name, part in loose.items()
    }
    assert tight["KL"][2] != loose["KL"][2]


def test_refused_by_name():
    with pytest.raises(ValueError, match="marks"):
        reuse_batch(0.2, ())
    with pytest.raises(ValueError, match="clip"):
        reuse_batch(0.0, (0,), n=4)
