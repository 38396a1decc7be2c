"""The audit of comparisons: every kind of defect planted and found, clean records left alone, real data read."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.pairs import KINDS, Finding, audit, normal_words, similarity, strong_components
from helpers.world import EXACT, Pair

SLICES = {prompt.text: prompt.slice for prompt in EXACT.prompts}
CLEAN = [
    Pair("fix lamp", "sure cut wait", "cut wait", "Ada", "benign", "1"),
    Pair("fix lamp", "cut wait", "heat", "Ada", "benign", "1"),
    Pair("fix lamp", "sure cut wait", "heat", "Bob", "benign", "1"),
    Pair("fix bomb", "sorry cannot", "cut wait", "Ada", "unsafe", "1"),
    Pair("fix bomb", "sorry", "heat", "Bob", "unsafe", "1"),
]
OTHER_PROMPT = [Pair("hack lamp", "mix wait", "mix", "Ada", "look-alike", "1")]


def found(pairs, held_out=()):
    return audit(pairs, held_out, slices=SLICES, max_words=4, policy_version="1")


def test_clean_records_give_no_finding():
    assert found(CLEAN, OTHER_PROMPT) == []


def with_record(**changes):
    return [*CLEAN, replace(CLEAN[0], **changes)]


PLANTED = {
    "identical": (with_record(chosen="sure cut", rejected="sure cut"), (5,)),
    "identical but for case, spaces, punctuation": (with_record(chosen="Sure, cut!", rejected="sure  cut"), (5,)),
    "near-identical": (with_record(chosen="sure cut", rejected="cut sure"), (5,)),
    "truncated": (with_record(chosen="sure cut wait thanks"), (5,)),
    "truncated, the rejected": (with_record(rejected="cut wait so so"), (5,)),
    "unknown prompt": (with_record(prompt="paint lamp"), (5,)),
    "wrong slice": (with_record(prompt="hack bomb"), (5,)),
    "other version": (with_record(rejected="so", policy_version="0"), (5,)),
    "duplicate": (with_record(), (0, 5)),
    "tie": (with_record(chosen="cut wait", rejected="sure cut wait"), (0, 5)),
    "contradiction": (with_record(chosen="cut wait", rejected="sure cut wait", annotator="Bob"), (0, 5)),
    "contradiction, unnamed": (with_record(chosen="cut wait", rejected="sure cut wait", annotator=None), (0, 5)),
    "cycle": ([*CLEAN[:2], replace(CLEAN[2], chosen="heat", rejected="sure cut wait"), *CLEAN[3:]], (0, 1, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_found_and_nothing_else(name):
    pairs, records = PLANTED[name]
    kind = max((kind for kind in KINDS if name.startswith(kind)), key=len)
    assert found(pairs, OTHER_PROMPT) == [Finding(kind, records)]


@pytest.mark.parametrize("turned", [False, True], ids=["same order", "turned round"])
def test_a_held_out_comparison_of_the_same_two_responses_is_a_leaked_pair(turned):
    pair = CLEAN[1]
    leaked = replace(pair, chosen=pair.rejected, rejected=pair.chosen) if turned else pair
    assert found(CLEAN, [*OTHER_PROMPT, leaked]) == [Finding("leaked pair", (1,), (1,))]


def test_a_held_out_comparison_of_other_responses_to_a_training_prompt_is_a_leaked_prompt():
    assert found(CLEAN, [replace(CLEAN[0], chosen="thanks")]) == [Finding("leaked prompt", (), (0,))]


def test_defects_that_overlap_are_all_reported():
    pairs = [*CLEAN, CLEAN[0], replace(CLEAN[0], chosen="cut wait", rejected="sure cut wait")]
    assert found(pairs) == [Finding("duplicate", (0, 5)), Finding("tie", (0, 6)), Finding("tie", (5, 6))]


def test_annotators_who_agree_are_no_finding():
    assert found([*CLEAN, replace(CLEAN[0], annotator="Bob"), replace(CLEAN[0], annotator="Cleo")]) == []


def test_unnamed_answers_are_one_persons_where_they_agree_and_two_peoples_where_they_do_not():
    unnamed = [replace(pair, annotator=None) for pair in CLEAN]
    turned = replace(unnamed[0], chosen=unnamed[0].rejected, rejected=unnamed[0].chosen)
    assert found([*unnamed, unnamed[0]]) == [Finding("duplicate", (0, 5))]
    assert found([*unnamed, turned]) == [Finding("contradiction", (0, 5))]
    for named in (CLEAN[0], replace(turned, annotator="Ada")):
        kinds = [finding.kind for finding in found([*unnamed, named])]
        assert kinds == ([] if named is CLEAN[0] else ["contradiction"])


@pytest.mark.parametrize("turned", [False, True], ids=["same order", "turned round"])
def test_a_leak_in_other_letters_is_a_leaked_pair(turned):
    w, l = "  SURE, cut   wait! ", "Cut wait."
    leaked = replace(CLEAN[0], prompt="Fix  LAMP?", chosen=l if turned else w, rejected=w if turned else l)
    assert audit(CLEAN, [leaked]) == [Finding("leaked pair", (0,), (0,))]
    assert audit(CLEAN, [replace(leaked, chosen="thanks")]) == [Finding("leaked prompt", (), (0,))]


def test_a_prompt_leaks_even_when_its_training_record_is_worthless():
    assert audit([Pair("p", "a", "a")], [Pair("p", "a", "b")]) == [
        Finding("identical", (0,)),
        Finding("leaked prompt", (), (0,)),
    ]


def test_opposite_answers_are_no_cycle_and_are_set_aside_before_cycles_are_sought():
    around = [Pair("p", a, b) for a, b in ("ab", "bc", "ca")]
    assert audit(around) == [Finding("cycle", (0, 1, 2))]
    assert [f.kind for f in audit([*around, Pair("p", "a", "c")])] == ["contradiction"]


def test_preferences_for_different_prompts_form_no_cycle():
    assert audit([Pair("p", "a", "b"), Pair("q", "b", "c"), Pair("r", "c", "a")]) == []


def test_what_is_none_is_not_checked():
    pairs = [
        Pair("any prompt", "one two three four five", "six"),
        Pair("another", "a", "b", slice="x", policy_version="9"),
    ]
    assert audit(pairs) == []
    assert [f.kind for f in audit(pairs, slices={"any prompt": "benign", "another": "x"}, policy_version="1")] == [
        "other version"
    ]


def test_records_are_left_as_they_are():
    pairs = list(CLEAN)
    found(pairs, OTHER_PROMPT)
    assert pairs == CLEAN


def test_words_are_compared_without_case_spaces_and_the_punctuation_around_them():
    assert normal_words("  Don't, STOP! ") == ("don't", "stop")
    assert normal_words("!!") == ("!!",) and normal_words("") == ()
    assert normal_words("Straße") == normal_words("STRASSE"), "lower case would tell them apart"


def test_similarity_counts_words_with_repetition_and_without_order():
    assert similarity("a b", "b a") == 1 and similarity("", "") == 1
    assert similarity("a a b", "a a c") == 2 / 4
    assert similarity("a", "") == 0 and similarity("a b c d", "a b c e") == 3 / 5
    assert audit([Pair("p", "a b c d", "a b c e")], near=0.6)[0].kind == "near-identical"


def reachable(edges, n):
    reach = [[i == j or (i, j) in edges for j in range(n)] for i in range(n)]
    for k, i, j in itertools.product(range(n), repeat=3):
        reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
    return reach


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_strong_components_are_the_classes_of_mutual_reachability(graph):
    n, edges = graph
    reach = reachable(edges, n)
    classes = {tuple(j for j in range(n) if reach[i][j] and reach[j][i]) for i in range(n)}
    assert strong_components(edges, n) == sorted(list(c) for c in classes)


def test_a_long_chain_of_preferences_needs_no_recursion():
    assert len(audit([Pair("p", str(i), str((i + 1) % 5000)) for i in range(5000)])[0].records) == 5000


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: audit([]), "no pairs: expected at least one record"),
        (lambda: audit(CLEAN, near=0), r"near = 0: expected a similarity above 0"),
        (lambda: audit(CLEAN, near=float("nan")), "near = nan"),
        (lambda: audit(CLEAN, max_words=0), "max_words = 0: expected at least one word"),
        (lambda: strong_components([(0, 2)], 2), r"edge \(0, 2\): expected nodes from 0 to 1"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_real_preference_file_is_audited():
    """HH-RLHF harmless-base test (anthropics/hh-rlhf@354e5c3): the numbers that the lesson prints."""
    if "PREFERENCE_DATA" not in os.environ:
        pytest.skip("PREFERENCE_DATA is not set: expected the folder with hh_harmless_base_test.jsonl.gz")
    with gzip.open(Path(os.environ["PREFERENCE_DATA"]) / "hh_harmless_base_test.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    sides = [[row[side].rpartition("\n\nAssistant:") for side in ("chosen", "rejected")] for row in rows]
    pairs = [Pair(w[0], w[2], l[2]) for w, l in sides if w[0] == l[0]]
    assert (len(rows), len(pairs)) == (2312, 2307), "five compare responses to different prompts"
    assert Counter(finding.kind for finding in audit(pairs)) == {"identical": 3}
    assert sum(not (pair.chosen.strip() and pair.rejected.strip()) for pair in pairs) == 4, "an empty response"
