"""Rank accuracy and shares: hand-worked values and bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.metrics import rank_accuracy, share
from helpers.reward_bench import strict_accuracy


def test_rank_accuracy_counts_a_tie_as_one_half():
    assert (
        rank_accuracy(torch.tensor([2.0, 1.0, 0.0, 5.0]), torch.tensor([1.0, 1.0, 1.0, 4.0]))
        == 62.5
    )


def test_rank_accuracy_needs_only_the_order_even_at_infinity():
    chosen, rejected = torch.tensor([0.0, -1e4]), torch.tensor([-torch.inf, 1e4])
    assert rank_accuracy(chosen, rejected) == 50
    assert rank_accuracy(3 * chosen + 7, 3 * rejected + 7) == 50


WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@given(st.data())
def test_scores_of_every_type_are_ranked_by_their_order(data):
    """Against Python's own comparison, which is exact; often at the ends of a type's range."""
    types = data.draw(st.sampled_from([WHOLE, FLOATING]))
    vectors = []
    for dtype in data.draw(st.tuples(*[st.sampled_from(types)] * 2)):
        info = torch.finfo(dtype) if types is FLOATING else torch.iinfo(dtype)
        numbers = [info.min, info.max, 0, 1]
        if types is FLOATING:
            numbers += [-torch.inf, torch.inf, 0.5]
        drawn = data.draw(st.lists(st.sampled_from(numbers), min_size=5, max_size=5))
        vectors.append(torch.tensor(drawn, dtype=dtype))
    chosen, rejected = vectors
    pairs = list(zip(chosen.tolist(), rejected.tolist()))
    won, tied = sum(a > b for a, b in pairs), sum(a == b for a, b in pairs)
    assert rank_accuracy(chosen, rejected) == pytest.approx(20 * won + 10 * tied)
    assert strict_accuracy(chosen, rejected) == pytest.approx(won / 5)


@pytest.mark.parametrize("low, high", [(3, 7), (-100, 100)])
def test_whole_numbers_do_not_wrap_around(low, high):
    for dtype in WHOLE:
        if low >= torch.iinfo(dtype).min:
            a, b = torch.tensor([low], dtype=dtype), torch.tensor([high], dtype=dtype)
            assert (rank_accuracy(a, b), rank_accuracy(b, a), rank_accuracy(a, a)) == (0, 100, 50)
            assert (strict_accuracy(a, b), strict_accuracy(b, a)) == (0, 1)


def test_booleans_and_equal_infinities_are_compared():
    yes, no = torch.tensor([True]), torch.tensor([False])
    assert (rank_accuracy(yes, no), rank_accuracy(no, yes), rank_accuracy(no, no)) == (100, 0, 50)
    for end in (torch.tensor([torch.inf]), torch.tensor([-torch.inf])):
        assert rank_accuracy(end, end) == 50 and strict_accuracy(end, end) == 0


@pytest.mark.parametrize(
    "chosen, rejected, message",
    [
        (torch.zeros(2), torch.zeros(3), r"shapes \(2,\) and \(3,\)"),
        (torch.zeros(0), torch.zeros(0), "B ≥ 1"),
        (torch.zeros(1, 2), torch.zeros(1, 2), "two vectors"),
        (torch.tensor([0.0, torch.nan]), torch.zeros(2), "pair 1 is NaN"),
        (torch.zeros(2), torch.tensor([-torch.inf, torch.nan]), "pair 1 is NaN"),
        (
            torch.tensor([2**24 + 1]),
            torch.tensor([2.0**24]),
            "expected both floating-point or neither",
        ),
        (torch.tensor([1j]), torch.tensor([1j]), "torch.complex64: expected real numbers"),
        (
            torch.tensor([3]).to(torch.uint64),
            torch.tensor([7]),
            "torch.uint64: expected real numbers",
        ),
        ([3.0], [7.0], "chosen is a list: expected a tensor"),
        (torch.zeros(1), np.zeros(1), "rejected is a ndarray: expected a tensor"),
    ],
)
def test_rank_accuracy_refuses(chosen, rejected, message):
    with pytest.raises(ValueError, match=message):
        rank_accuracy(chosen, rejected)


def test_share_sums_the_probability_of_the_members():
    logps = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log()
    torch.testing.assert_close(
        share(logps, torch.tensor([True, False, True])), torch.tensor([0.7, 0.9])
    )
    assert share(logps, torch.zeros(3, dtype=torch.bool)).tolist() == [0.0, 0.0]


def test_share_of_what_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match="logps is a list: expected a tensor"):
        share([0.0], torch.tensor([True]))
    with pytest.raises(ValueError, match="member is a list: expected a tensor"):
        share(torch.zeros(1), [True])


@pytest.mark.parametrize("member", [torch.tensor([1, 0, 1]), torch.tensor([True, False])])
def test_share_refuses_what_is_no_set_of_responses(member):
    with pytest.raises(ValueError, match="expected bool of shape"):
        share(torch.zeros(2, 3), member)
