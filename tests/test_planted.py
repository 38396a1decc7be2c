"""Planted defects: known to be there, found by the audit, half of them hidden from ==."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from helpers.pairs import KINDS, audit
from helpers.planted import as_spelled, clean_by_construction, defect, disguised, plant
from helpers.world import EXACT, Annotator, Pair, ResponseSampler, decode_pairs, draw_pairs

RULES = {
    "slices": {prompt.text: prompt.slice for prompt in EXACT.prompts},
    "max_words": EXACT.max_length,
    "policy_version": EXACT.policy_version,
}


@pytest.fixture(scope="module")
def halves():
    """Clean records on 40 prompts and on the 8 others, from a policy that likes short replies."""
    lengths = EXACT.lengths.double()
    logps = (-2.0 * lengths).log_softmax(0).expand(len(EXACT.prompts), -1)
    generator = torch.Generator().manual_seed(3)
    raw = draw_pairs(EXACT, ResponseSampler(logps), Annotator(), 4000, generator, hard=True)
    records = clean_by_construction(decode_pairs(EXACT, raw, Annotator()), EXACT.max_length)
    out = {prompt.text for prompt in EXACT.prompts[::6]}
    return [p for p in records if p.prompt not in out], [p for p in records if p.prompt in out]


def test_clean_records_end_and_share_no_bag_of_words():
    pairs = [
        Pair("p", "a b", "c"),
        Pair("p", "b a", "d"),  # its chosen has a bag that was used
        Pair("q", "b a", "d"),  # another prompt
        Pair("p", "e f", "f e"),  # one bag on both sides
        Pair("p", "g h i", "j"),  # as long as fits
        Pair("p", "", "k"),
        Pair("p", "l", "m"),
    ]
    assert clean_by_construction(pairs, 3) == [pairs[0], pairs[2], pairs[6]]


def test_the_audit_finds_what_was_planted_and_nothing_else(halves):
    assert audit(*halves, **RULES) == []
    rows, held, planted = plant(*halves, 4, EXACT.max_length, torch.Generator().manual_seed(1))
    assert Counter(finding.kind for finding in planted) == dict.fromkeys(KINDS, 4)
    assert set(audit(rows, held, **RULES)) == planted


def test_equality_of_spelling_misses_the_disguised(halves):
    rows, held, planted = plant(*halves, 4, EXACT.max_length, torch.Generator().manual_seed(1))
    found = set(audit(as_spelled(rows), as_spelled(held), **RULES))
    missed = Counter(finding.kind for finding in planted - found)
    of_two_texts = "identical", "near-identical", "duplicate", "tie", "contradiction", "cycle"
    assert missed == dict.fromkeys([*of_two_texts, "leaked pair"], 2)
    assert Counter(finding.kind for finding in found - planted) == {"leaked prompt": 2}


def test_words_are_spelled_apart_by_case_and_punctuation_only():
    first, second = as_spelled([Pair("p", "Sure, cut", "sure cut"), Pair("p", "sure  cut", "")])
    assert first.chosen != first.rejected == second.chosen and second.rejected == ""
    assert first.prompt == "p" and disguised("sure cut") == "Sure, Cut"


def test_bad_input_is_refused_with_a_reason(halves):
    with pytest.raises(KeyError, match="typo"):
        defect("typo", halves[0][0], 0, EXACT.max_length)
    with pytest.raises(ValueError, match=r"5 records: too few for 4 defects of each kind"):
        plant(halves[0][:5], [], 4, EXACT.max_length, torch.Generator().manual_seed(1))
