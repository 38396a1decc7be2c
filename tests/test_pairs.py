"""The audit of comparisons: every kind of defect planted and found, clean records left alone, real data read."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
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
    "empty": (with_record(rejected=" \u200b"), (5,)),
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
    assert found(CLEAN, [replace(CLEAN[0], chosen="thanks")]) == [
        Finding("leaked prompt", (), (0,))
    ]


def test_defects_that_overlap_are_all_reported():
    pairs = [*CLEAN, CLEAN[0], replace(CLEAN[0], chosen="cut wait", rejected="sure cut wait")]
    assert found(pairs) == [
        Finding("duplicate", (0, 5)),
        Finding("tie", (0, 6)),
        Finding("tie", (5, 6)),
    ]


def test_annotators_who_agree_are_no_finding():
    assert (
        found([*CLEAN, replace(CLEAN[0], annotator="Bob"), replace(CLEAN[0], annotator="Cleo")])
        == []
    )


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
    leaked = replace(
        CLEAN[0], prompt="Fix  LAMP?", chosen=l if turned else w, rejected=w if turned else l
    )
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
    assert [
        f.kind
        for f in audit(pairs, slices={"any prompt": "benign", "another": "x"}, policy_version="1")
    ] == ["other version"]


def test_records_are_left_as_they_are():
    pairs = list(CLEAN)
    found(pairs, OTHER_PROMPT)
    assert pairs == CLEAN


def test_words_are_compared_without_case_spaces_and_the_punctuation_around_them():
    assert normal_words("  Don't, STOP! ") == ("don't", "stop")
    assert normal_words("!!") == ("!!",) and normal_words("") == ()
    assert normal_words("Straße") == normal_words("STRASSE"), "lower case would tell them apart"


SAME = {
    "ellipsis": ("sure… cut", "sure cut"),
    "typographic quotation marks": ("“sure” ‘cut’ «wait» „so‟", "sure cut wait so"),
    "grave and acute accents as quotation marks": ("`sure´ cut", "sure cut"),
    "a mark that stands alone": ("sure , cut !", "sure cut"),
    "a mark without a space": ("sure,cut", "sure cut"),
    "dashes": ("sure — cut–wait", "sure - cut-wait"),
    "no dash": ("sure—cut", "sure cut"),
    "apostrophes": ("don’t donʼt don´t don‛t", "don't don't don't don't"),
    "zero-width space": ("sure\u200b c\u200but", "sure cut"),
    "byte order mark": ("\ufeffsure cut", "sure cut"),
    "soft hyphen": ("su\u00adre cut", "sure cut"),
    "direction marks": ("\u200fsure\u200e \u202acut\u202c", "sure cut"),
    "control character": ("sure\x00 cut\x08", "sure cut"),
    "variation selector and filler": ("sure\ufe0f cut\u3164", "sure cut"),
    "other spaces": ("sure\u00a0cut\u3000wait\u2003so", "sure cut wait so"),
    "accents, composed and not": ("caf\u00e9 A\u030a", "cafe\u0301 \u00c5"),
    "accent behind an unseen character": ("cafe\u200b\u0301", "caf\u00e9"),
    "full width": ("ＳＵＲＥ，\u3000ｃｕｔ！", "sure cut"),
    "ligature": ("ﬁx", "fix"),
    "final sigma": ("ΟΔΟΣ", "οδος"),
    "capital with two accents": ("\u03aa\u0301", "\u0390"),
    "capitals in one sign": ("5 ㎑", "5 khz"),
    "tab and line": ("sure\tcut\r\nwait", "sure cut wait"),
    "minus signs": ("−5 –5", "-5 -5"),
}
DIFFERENT = {
    "space in a word": ("now here", "nowhere"),
    "apostrophe": ("we'll", "well"),
    "decimals": ("3.14", "314"),
    "decimal point and comma": ("3.14", "3,14"),
    "sign": ("it is -5", "it is 5"),
    "point in front": (".5", "5"),
    "relation": ("a < b", "a > b"),
    "operation": ("2 + 2", "2 = 2"),
    "accent": ("café", "cafe"),
    "mark alone": ("?", "!"),
    "marks alone": ("?!", "!?"),
    "mark and nothing": ("?", ""),
    "emoji": ("👍", "👎"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_reads_the_same_is_the_same_text(name):
    one, other = SAME[name]
    assert normal_words(one) == normal_words(other)
    assert similarity(one, other) == 1
    assert audit([Pair("p", one, other)]) == [Finding("identical", (0,))]
    training = [Pair(f"p {one}", "heat", "mix"), Pair("q", one, "heat")]
    held = [Pair(f"P {other}", "a", "b"), Pair("q", "heat", other), Pair("q", other, "mix")]
    assert audit(training, held) == [
        Finding("leaked pair", (1,), (1,)),
        Finding("leaked prompt", (), (0,)),
        Finding("leaked prompt", (), (2,)),
    ]


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_reads_differently_is_not_the_same_text(name):
    one, other = DIFFERENT[name]
    assert normal_words(one) != normal_words(other)
    assert "identical" not in {finding.kind for finding in audit([Pair("p", one, other)])}


unseen_or_marks = st.sampled_from(
    ["\u200b", "\u00ad", "\ufeff", "!", " … ", "”", " — ", "\u00a0", " , "]
)
plain_words = st.lists(st.text("abcdefäß", min_size=1, max_size=5), min_size=1, max_size=6)


@given(plain_words, st.data())
def test_marks_and_unseen_characters_around_words_change_nothing(words, data):
    dressed = (data.draw(unseen_or_marks) + word + data.draw(unseen_or_marks) for word in words)
    text = " ".join(data.draw(st.sampled_from([str, str.upper]))(word) for word in dressed)
    assert normal_words(text) == normal_words(" ".join(words))


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_has_words_and_a_similarity_from_zero_to_one(one, other):
    assert similarity(one, other) == similarity(other, one) and 0 <= similarity(one, other) <= 1
    assert similarity(one, one) == 1 and all(normal_words(one))


# ---- nothing there --------------------------------------------------------------------------

NOTHING = ["", "  \n", "\u200b", "\u00a0\ufeff", "\u00ad \u2060", "\u3164", "\x00"]


@pytest.mark.parametrize("nothing", NOTHING, ids=ascii)
def test_a_side_that_shows_nothing_is_empty(nothing):
    assert normal_words(nothing) == ()
    pairs = [Pair("p", nothing, "cut"), Pair("q", "cut", nothing), Pair("r", "cut", "?")]
    assert audit(pairs) == [Finding("empty", (0,)), Finding("empty", (1,))]
    assert audit([Pair("p", nothing, "")]) == [Finding("empty", (0,)), Finding("identical", (0,))]


def test_only_marks_are_not_empty():
    assert audit([Pair("p", "…", "?")]) == []


MISSING = [None, float("nan"), 3, b"cut", ["cut"]]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("field", ["prompt", "chosen", "rejected"])
def test_missing_text_is_refused_with_record_and_field(field, missing):
    bad = replace(CLEAN[1], **{field: missing})
    found = re.escape(
        f".{field} is {missing!r}: expected text. Fill it in, or leave the record out"
    )
    with pytest.raises(ValueError, match=rf"^pairs\[5\]{found}"):
        audit([*CLEAN, bad])
    with pytest.raises(ValueError, match=rf"^held_out\[1\]{found}"):
        audit(CLEAN, [CLEAN[0], bad])


@pytest.mark.parametrize("field", ["annotator", "slice", "policy_version"])
def test_what_else_is_missing_is_none_and_not_nan(field):
    assert audit([replace(CLEAN[0], **{field: None})]) == []
    with pytest.raises(ValueError, match=rf"^pairs\[0\].{field} is nan: expected text, or None"):
        audit([replace(CLEAN[0], **{field: float("nan")})])


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_words_and_similarity_of_what_is_no_text_are_refused(missing):
    for call in (lambda: normal_words(missing), lambda: similarity("cut", missing)):
        with pytest.raises(ValueError, match=re.escape(f"text is {missing!r}: expected a str")):
            call()


# ---- after the cut --------------------------------------------------------------------------


def cut_audit(pairs, held_out=()):
    return audit(pairs, held_out, max_words=4)


LONG = "sure cut wait well"
TRUNCATED = [Finding("truncated", (0,)), Finding("truncated", (1,))]


def test_sides_that_differ_behind_the_cut_only_are_identical_to_training():
    pair = Pair("p", f"{LONG} thanks", f"Sure, cut wait WELL! {' so' * 9}")
    assert cut_audit([pair]) == [Finding("identical", (0,)), Finding("truncated", (0,))]
    assert audit([pair]) == [], "without a cut they are two texts"
    assert audit([pair], max_words=5) == [Finding("truncated", (0,))]


def test_a_cut_text_is_the_same_as_one_that_ends_there():
    assert [f.kind for f in cut_audit([Pair("p", f"{LONG} thanks", LONG)])] == [
        "identical",
        "truncated",
    ]


def test_nearly_identical_is_judged_after_the_cut():
    pair = Pair("p", "sure cut wait well thanks", "well wait cut sure sorry")
    assert [f.kind for f in cut_audit([pair])] == ["near-identical", "truncated"]
    pair = Pair("p", f"sure cut wait heat {LONG * 9}", f"mix cut wait heat {LONG * 9}")
    assert [f.kind for f in audit([pair])] == ["near-identical"]
    assert [f.kind for f in cut_audit([pair])] == ["truncated"], "the words in common are cut off"


def test_what_is_left_of_a_side_may_be_empty():
    assert [f.kind for f in cut_audit([Pair("p", "\u200b " * 4 + "cut", "cut")])] == [
        "empty",
        "truncated",
    ]


@pytest.mark.parametrize(
    "kind, second",
    [
        ("duplicate", Pair("p", f"{LONG} heat", "mix", "Ada")),
        ("tie", Pair("p", "mix", f"{LONG} heat", "Ada")),
        ("contradiction", Pair("p", "mix", f"{LONG} heat", "Bob")),
    ],
)
def test_repeats_are_found_after_the_cut(kind, second):
    pairs = [Pair("p", f"{LONG} thanks", "mix", "Ada"), second]
    assert cut_audit(pairs) == [Finding(kind, (0, 1)), *TRUNCATED]
    assert audit(pairs) == []


def test_cycles_and_leaks_are_found_after_the_cut():
    around = [Pair("p", f"{LONG} a", "b"), Pair("p", "b", "c"), Pair("p", "c", f"{LONG} d")]
    assert Finding("cycle", (0, 1, 2)) in cut_audit(around) and audit(around) == []
    held = [Pair("p", "b", f"{LONG} e")]
    assert Finding("leaked pair", (0,), (0,)) in cut_audit(around, held)
    assert audit(around, held) == [Finding("leaked prompt", (), (0,))]


def test_prompts_are_not_cut():
    pairs = [Pair(f"{LONG} a", "b", "c", "Ada"), Pair(f"{LONG} d", "b", "c", "Ada")]
    assert cut_audit(pairs, [Pair(f"{LONG} e", "b", "c")]) == []


def test_replies_as_long_as_the_cut_are_truncated_and_nothing_else():
    replies = [f"{LONG}", "sure cut wait heat", "sure cut heat wait", "mix so so so"]
    pairs = [Pair("p", replies[i], replies[i + 1], "Ada") for i in (0, 2)]
    assert cut_audit(pairs) == TRUNCATED


# ---- known prompts --------------------------------------------------------------------------


def test_a_known_prompt_in_other_letters_is_known_and_has_its_slice():
    pair = replace(CLEAN[0], prompt="Fix\u00a0LAMP?")
    assert found([pair]) == []
    assert found([replace(pair, slice="unsafe")]) == [Finding("wrong slice", (0,))]
    assert found([replace(pair, prompt="fix lamps")]) == [Finding("unknown prompt", (0,))]


def test_one_prompt_in_two_slices_is_refused():
    assert audit(CLEAN[:1], slices={"fix lamp": "benign", "Fix lamp!": "benign"}) == []
    with pytest.raises(ValueError, match="prompt 'Fix lamp!' is there twice: expected one slice"):
        audit(CLEAN, slices={"fix lamp": "benign", "Fix lamp!": "unsafe"})


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


@given(
    st.integers(1, 7).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
def test_strong_components_are_the_classes_of_mutual_reachability(graph):
    n, edges = graph
    reach = reachable(edges, n)
    classes = {tuple(j for j in range(n) if reach[i][j] and reach[j][i]) for i in range(n)}
    assert strong_components(edges, n) == sorted(list(c) for c in classes)


def test_a_long_chain_of_preferences_needs_no_recursion():
    assert (
        len(audit([Pair("p", str(i), str((i + 1) % 5000)) for i in range(5000)])[0].records) == 5000
    )


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
        pytest.skip(
            "PREFERENCE_DATA is not set: expected the folder with hh_harmless_base_test.jsonl.gz"
        )
    path = Path(os.environ["PREFERENCE_DATA"]) / "hh_harmless_base_test.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    sides = [
        [row[side].rpartition("\n\nAssistant:") for side in ("chosen", "rejected")] for row in rows
    ]
    pairs = [Pair(w[0], w[2], l[2]) for w, l in sides if w[0] == l[0]]
    assert (len(rows), len(pairs)) == (2312, 2307), "five compare responses to different prompts"
    assert Counter(finding.kind for finding in audit(pairs)) == {"identical": 3, "empty": 4}
