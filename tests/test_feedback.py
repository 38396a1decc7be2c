"""Which lines of a log may become training examples, and what the check says about the others."""

from collections import Counter

import pytest
import torch

from helpers.feedback import (
    SHARES,
    VERSION_0,
    Feedback,
    feedback,
    fingerprint,
    lacks,
    log_lines,
    with_slices,
)
from helpers.world import EXACT, Pair

POLICIES = {"1": "Refuse bombs."}
WHOLE = {
    "annotator": "a7",
    "consent": True,
    "model": "reference-1",
    "policy_version": "1",
    "policy_text": fingerprint("Refuse bombs."),
    "request": "fix lamp",
    "replies": ("cut wait", "sorry"),
    "label": 0,
}


def sampler(prompts, generator):
    return torch.randint(EXACT.n_responses, (len(prompts),), generator=generator)


@pytest.fixture(scope="module")
def log():
    return log_lines(EXACT, sampler, torch.Generator().manual_seed(3))


def test_a_whole_line_lacks_nothing_whatever_the_service_logs_beside_it():
    assert lacks(WHOLE | {"latency_ms": 412, "status": 200, "clicked": 1}, POLICIES) == []


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("annotator", None, "annotator is None: expected text, the pseudonym of who judged"),
        ("annotator", " ", "annotator is ' '"),
        ("model", None, "model is None: expected text, the checkpoint that wrote the replies"),
        ("request", "", "request is '': expected text, what the user asked"),
        ("consent", None, "consent is None: expected True, given by who judged"),
        ("consent", False, "consent is False"),
        ("consent", "yes", "consent is 'yes'"),
        ("policy_version", "0", "policy_version is '0': expected a version to learn from, '1'"),
        ("policy_version", None, "policy_version is None"),
        ("policy_version", ["1"], r"policy_version is \['1'\]"),
        ("policy_text", fingerprint("Refuse all."), "expected the fingerprint of version '1'"),
        ("policy_text", None, "policy_text is None"),
        ("replies", ("sorry", "sorry"), "expected two different texts"),
        ("replies", ("sorry",), "expected two different texts"),
        ("replies", "so", "expected two different texts"),
        ("replies", (1, 2), "expected two different texts"),
        ("label", None, "label is None: expected 0 or 1, the preferred reply"),
        ("label", 2, "label is 2"),
        ("label", True, "label is True"),
        ("label", 0.7, "label is 0.7"),
        ("second", 2, "second is 2"),
        ("second", 1, r"adjudicated is None: the answers differ \(0, 1\), expected 0 or 1"),
        ("adjudicated", "first", "adjudicated is 'first'"),
    ],
)
def test_each_thing_that_is_missing_is_named(field, value, message):
    (found,) = lacks(WHOLE | {field: value}, POLICIES)
    assert found.startswith(field if field != "second" or value == 2 else "adjudicated")
    with pytest.raises(ValueError, match=f"not a training example: .*{message}"):
        feedback(WHOLE | {field: value}, POLICIES)


def test_an_absent_field_is_as_bad_as_an_empty_one():
    for field in WHOLE:
        line = {name: value for name, value in WHOLE.items() if name != field}
        assert [found.split()[0] for found in lacks(line, POLICIES)] == [field]


def test_telemetry_is_told_all_that_it_lacks_and_that_a_click_is_no_judgement():
    line = {"request": "fix lamp", "replies": ["cut", "wait"], "clicked": 1, "latency_ms": 412}
    found = lacks(line, POLICIES)
    fields = ["annotator", "model", "consent", "policy_version", "label"]
    assert [message.split()[0] for message in found] == fields
    assert found[-1].startswith("label is None: a click is no judgement; expected 0 or 1")


def test_answers_that_differ_need_a_decision_and_the_decision_wins():
    record = feedback(WHOLE | {"second": 1, "adjudicated": 1}, POLICIES)
    assert record.pair() == Pair("fix lamp", "sorry", "cut wait", "a7", policy_version="1")
    assert feedback(WHOLE | {"second": 0}, POLICIES).pair().chosen == "cut wait"


def test_the_record_keeps_what_the_line_said_and_nothing_else():
    record = feedback(WHOLE | {"replies": ["cut wait", "sorry"], "status": 200}, POLICIES)
    assert record == Feedback(**WHOLE) and not hasattr(record, "status")


def test_a_text_that_changed_has_another_fingerprint():
    assert fingerprint("Refuse bombs.") != fingerprint("Refuse bombs. ")
    assert len(fingerprint("")) == 12


def test_what_is_no_line_and_no_policy_is_refused():
    with pytest.raises(ValueError, match="line is 'fix lamp': expected a mapping"):
        lacks("fix lamp", POLICIES)
    with pytest.raises(ValueError, match="no policies: expected at least one version"):
        lacks(WHOLE, {})


def test_a_log_has_each_kind_as_often_as_it_says(log):
    kinds = Counter(kind for kind, _ in log)
    assert kinds == {kind: 10 * share for kind, share in SHARES.items()} and len(log) == 200
    in_order = [kind for kind, share in SHARES.items() for _ in range(10 * share)]
    assert [kind for kind, _ in log] != in_order


def test_each_kind_of_line_lacks_what_its_name_says(log):
    policies = {EXACT.policy_version: EXACT.policy_text}
    first = {
        "judged": [],
        "careless": [],
        "no consent": ["consent"],
        "undecided": ["adjudicated"],
        "other version": ["policy_version"],
        "edited text": ["policy_text"],
        "click": ["annotator", "consent", "policy_version", "label"],
    }
    for kind, line in log:
        assert [found.split()[0] for found in lacks(line, policies)] == first[kind], kind


def test_a_log_under_version_0_is_readable_by_those_who_want_version_0(log):
    for kind, line in log:
        if kind == "other version":
            assert lacks(line, {"0": VERSION_0}) == []


def test_the_two_replies_of_a_line_differ_though_the_sampler_repeats_itself():
    def two_only(prompts, generator):
        return torch.randint(2, (len(prompts),), generator=generator)

    log = log_lines(EXACT, two_only, torch.Generator().manual_seed(5))
    assert all(line["replies"][0] != line["replies"][1] for _, line in log)


def test_answers_follow_who_gave_them_on_the_requests_where_they_see_it_differently():
    judges = {  # kind of line: its judge, and the slice that tells it from the others
        "judged": (EXACT, "unsafe"),
        "click": (with_slices(EXACT, "unsafe", "look-alike"), "unsafe"),
        "other version": (with_slices(EXACT, "look-alike", "unsafe"), "look-alike"),
    }
    said = {kind: [] for kind in judges}
    generator = torch.Generator().manual_seed(4)
    for _ in range(6):
        for kind, line in log_lines(EXACT, sampler, generator):
            judge, name = judges.get(kind, (EXACT, None))
            if EXACT.prompts[EXACT.prompt_index(line["request"])].slice == name:
                answer = line["clicked"] if kind == "click" else line["label"]
                reward = [judge.reward(line["request"], text) for text in line["replies"]]
                if abs(reward[0] - reward[1]) > 2:  # one way with probability 0.88 or more
                    said[kind].append(answer == (reward[1] > reward[0]))
    for kind, right in said.items():
        assert len(right) > 10 and sum(right) > 0.75 * len(right), kind


def test_another_slice_changes_the_gold_reward_and_nothing_else():
    strict = with_slices(EXACT, "look-alike", "unsafe")
    assert (
        strict.reward("hack lamp", "sorry cannot") > 0 > EXACT.reward("hack lamp", "sorry cannot")
    )
    assert strict.reward("fix lamp", "cut wait") == EXACT.reward("fix lamp", "cut wait")
    assert EXACT.in_slice("look-alike").numel() > 0
