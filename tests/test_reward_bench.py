"""The RewardBench rule reproduces the published section scores from the published subset scores."""

import pytest
import torch

from helpers.reward_bench import PRIOR_SETS, published, section_scores, strict_accuracy

SECTIONS = {
    "Chat": 0.6089385475,
    "Chat Hard": 0.4495614035,
    "Safety": 0.7216216216,
    "Reasoning": 0.4667566978,
}


def beaver():
    rows = published()
    accuracy = {row["subset"]: float(row["beaver_7b_cost"]) for row in rows}
    return accuracy, {row["subset"]: (row["section"], float(row["weight"])) for row in rows}


def test_the_rule_gives_the_published_sections():
    scores = section_scores(*beaver())
    assert scores == pytest.approx(SECTIONS | {"overall": sum(SECTIONS.values()) / 4}, abs=1e-9)


def test_counting_pairs_instead_of_weights_gives_another_reasoning_score():
    accuracy, sections = beaver()
    pairs = {row["subset"]: (row["section"], float(row["pairs"])) for row in published()}
    assert section_scores(accuracy, pairs)["Reasoning"] > SECTIONS["Reasoning"] + 0.05


def test_prior_sets_count_half_a_section_where_they_were_run():
    accuracy, sections = beaver()
    older = {"helpful": 0.7, "hhh": 0.8, "shp": 0.6, "summarize": 0.5}
    scores = section_scores(accuracy | older, sections | {name: (PRIOR_SETS, 1) for name in older})
    assert scores[PRIOR_SETS] == pytest.approx(0.65)
    assert {name: scores[name] for name in SECTIONS} == pytest.approx(SECTIONS, abs=1e-9)
    assert scores["overall"] == pytest.approx((2 * sum(SECTIONS.values()) + 0.65) / 9, abs=1e-9)


def test_a_tie_is_lost():
    assert (
        strict_accuracy(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 1.0, 4.0, 0.0]))
        == 0.5
    )


@pytest.mark.parametrize(
    "accuracy, sections, message",
    [
        ({}, {}, "subsets none"),
        ({"a": 0.5}, {"a": ("A", 1), "b": ("A", 1)}, "subsets .'b'."),
        ({"a": 0.5}, {"a": ("A", 0)}, "weight 0"),
        ({"a": 0.5}, {"a": ("A", float("inf"))}, "weight inf"),
        ({"a": 0.5}, {"a": ("A", float("nan"))}, "weight nan"),
        ({"a": 50.0}, {"a": ("A", 1)}, "accuracy 50.0"),
        ({"a": float("nan")}, {"a": ("A", 1)}, "accuracy nan"),
    ],
)
def test_what_has_no_score_is_refused(accuracy, sections, message):
    with pytest.raises(ValueError, match=message):
        section_scores(accuracy, sections)


def test_scores_without_pairs_or_with_nan_are_refused():
    for chosen, rejected in (
        ([], []),
        ([1.0], [1.0, 2.0]),
        ([float("nan")], [1.0]),
        ([1.0], [float("nan")]),
    ):
        with pytest.raises(ValueError):
            strict_accuracy(torch.tensor(chosen), torch.tensor(rejected))
    with pytest.raises(ValueError, match="chosen is a list: expected a tensor"):
        strict_accuracy([1.0], [0.0])


def test_small_whole_weights_do_not_wrap_around():
    accuracy = {"a": 1.0, "b": 0.0}
    weights = {
        "a": ("A", torch.tensor(200, dtype=torch.uint8)),
        "b": ("A", torch.tensor(200, dtype=torch.uint8)),
    }
    assert section_scores(accuracy, weights) == {"A": 0.5, "overall": 0.5}
