"""Exercise 6, preference pair: what is true of it alone."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections import Counter
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from grading import flowing, graded, source_of
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.grader import practice_files, train_on_read
from helpers.grader.cases import case
from helpers.grader.exercises.ex06_preference_pair import examples, held_out, records
from helpers.grader.run_answer import Unusable
from helpers.pairs import audit
from solutions.ex06_preference_pair import answers, freeze, hidden_runs, mistakes
from solutions.ex06_preference_pair.right_variants import RIGHT


def message(part: str, key: str) -> str:
    return next(m.message for m in mistakes.MISTAKES[part] if m.key == key)


# ---- 6a, 6b: reading and diagnosing ---------------------------------------------------------

turn = st.text(alphabet=" \nab:Humanssit", max_size=30).filter(
    lambda t: not re.search(r"\n\n(Human|Assistant):", t)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(turn, min_size=1, max_size=5).filter(lambda turns: len(turns) % 2), turn, turn)
def test_a_pair_gives_back_both_dialogues(context, y_w, y_l):
    sides = [freeze.dialogue(*context, end) for end in (y_w, y_l)]
    if any(
        len(re.findall(r"\n\n(?:Human|Assistant):", side)) != len(context) + 1 for side in sides
    ):
        return  # two turns made a mark where they meet
    prompt, *ends = answers.preference_pair(*sides)
    assert [prompt + end for end in ends] == sides and ends == [y_w, y_l]
    for variant in RIGHT["6a"]:
        assert list(variant(*sides)) == [prompt, *ends]


words = st.lists(st.sampled_from(["a", "b", "c", "A", ","]), max_size=3).map(" ".join)
dialogues = st.lists(words, min_size=1, max_size=3).map(tuple)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(dialogues, min_size=1, max_size=6),
    st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    st.randoms(),
)
def test_groups_do_not_depend_on_the_order_of_the_file(prompts, near, rng):
    def parts(order):
        found = answers.groups([prompts[k] for k in order], near)
        return {frozenset(k for k, g in zip(order, found) if g == group) for group in found}

    shuffled = list(range(len(prompts)))
    rng.shuffle(shuffled)
    expected = parts(range(len(prompts)))
    assert parts(shuffled) == expected
    stored = {"prompts": prompts}
    right = records.read_groups(answers.groups(list(prompts), near), stored)
    for variant in RIGHT["6b"]:
        assert records.read_groups(variant(list(prompts), near), stored) == right


@pytest.mark.parametrize(
    "value", [[5, 5, 2], (0.5, 0.5, 0.0), np.array([1, 1, 0], dtype=bool), torch.tensor([7, 7, -1])]
)
def test_any_three_numbers_that_group_alike_are_one_answer(value):
    assert records.read_groups(value, {"prompts": [1, 2, 3]}) == [0, 0, 1]


@pytest.mark.parametrize(
    "value, told",
    [
        ([[0, 1], [2]], "groups of prompts"),
        ({0: 1}, "groups of prompts"),
        (["a", "b", "c"], "texts"),
        ([1, 2], "shape (2,)"),
        ([1, 2, np.nan], "NaN"),
        (None, "None"),
        (3, "shape ()"),
    ],
)
def test_other_shapes_are_named(value, told):
    with pytest.raises(Unusable, match=re.escape(told)):
        records.read_groups(value, {"prompts": [1, 2, 3]})
    result = graded("6b", lambda prompts, near: value)
    assert result.score == 0.0 and result.diagnoses


def test_texts_in_another_form_are_named():
    for value, told in (
        ({"a": 1}, "a dict"),
        (("a", "b"), "2 things"),
        (["a", "b", ["c"]], "y_l is a list"),
    ):
        result = graded("6a", lambda chosen, rejected, value=value: value)
        assert told in result.failure.yours and result.diagnoses == (case("6a")["wrong_shape"],)


def test_two_mistakes_at_once_are_both_told():
    def loose_and_unchecked(chosen, rejected):
        (prompt, y_w), (_, y_l) = (t.rsplit("Assistant:", 1) for t in (chosen, rejected))
        return prompt + "Assistant:", y_w, y_l

    told = graded("6a", loose_and_unchecked).diagnoses
    assert told == tuple(message("6a", k) for k in ("inside", "context_unchecked", "no_reply"))

    def common_and_exchanged(chosen, rejected):
        answers.preference_pair(chosen, rejected)
        n = len(os.path.commonprefix([chosen, rejected]))
        return chosen[:n], rejected[n:], chosen[n:]

    told = graded("6a", common_and_exchanged).diagnoses
    assert told == tuple(message("6a", k) for k in ("sides_exchanged", "common_start"))

    def strict_and_unchecked(prompts, near):
        def near_enough(a, b):
            return answers.similarity(" ".join(a), " ".join(b)) > near

        return mistakes._joined(prompts, lambda a, b: answers.goes_on(a, b) or near_enough(a, b))

    told = graded("6b", strict_and_unchecked).diagnoses
    assert told == tuple(message("6b", k) for k in ("strict", "no_refusal"))


def test_what_was_not_met_before_gets_no_false_cause():
    def by_length(prompts, near):
        answers.refuse_dialogues(prompts, near)
        return [len(" ".join(turns)) for turns in prompts]

    assert not set(graded("6b", by_length).diagnoses) & {
        message("6b", "all_alone"),
        message("6b", "strict"),
    }
    rng = random.Random(0)
    chance = graded("6b", lambda prompts, near: [rng.random() < 0.5 for _ in prompts])
    assert chance.diagnoses == (records.RANDOM,)


def test_every_input_is_small_enough_to_work_by_hand():
    for stored in case("6a")["inputs"].values():
        assert all(len(text) < 90 for text in stored.values())
    for stored in case("6b")["inputs"].values():
        assert len(stored["prompts"]) <= 4 and sum(map(len, stored["prompts"])) <= 8


def test_numbers_of_the_worked_idea_of_6a():
    chosen, rejected = (freeze.dialogue(" hi", end) for end in (" yes", " yes, sir"))
    prompt, *_ = answers.preference_pair(chosen, rejected)
    common = len(os.path.commonprefix([chosen, rejected]))
    assert f"have {common} characters in common at the beginning" in flowing("h6a")
    assert f"the prompt is {len(prompt)} long" in flowing("h6a")


# ---- 6c -------------------------------------------------------------------------------------


def test_what_is_learned_is_the_minimum():
    """Against torch: the gradient of the mean expected loss vanishes, ridge and all."""
    pairs = answers.cut_examples()["unsafe"] + answers.cut_examples()["safe"]
    values = torch.tensor(
        list(train_on_read(pairs).values.values()), dtype=torch.float64, requires_grad=True
    )
    loss = 0.0
    for pair in pairs:
        whole = [sum(examples.WORTH[w] for w in reply.split()) for reply in pair]
        read = [sum(values[examples.WORDS.index(w)] for w in reply.split()[:2]) for reply in pair]
        p, margin = 1 / (1 + np.exp(whole[1] - whole[0])), read[0] - read[1]
        loss = (
            loss
            - p * torch.nn.functional.logsigmoid(margin)
            - (1 - p) * torch.nn.functional.logsigmoid(-margin)
        )
    (loss / len(pairs) + examples.RIDGE * (values**2).sum()).backward()
    assert values.grad.abs().max() < 1e-9


def test_numbers_of_the_worked_idea_of_6c():
    """One kind of pair alone: what training believes of two words."""
    for better, lead in (("done well no", -1.0), ("done well sure", 2.0)):
        values = train_on_read([(better, "sure well")] * 4).values
        assert values["done"] - values["sure"] == pytest.approx(lead, abs=0.01)


BOUNDS = {
    "3 pairs": [("done", "no")] * 3,
    "21 pairs": [("done", "no")] * 21,
    "a str": "done",
    "two texts": [("done", "no", "no")] * 4,
    "'maybe'": [("done", "maybe")] * 4,
    "5 words": [("done", "no no no no no")] * 4,
    "0 words": [("done", "")] * 4,
    "worth 0 and 0": [("well", "done no")] * 4,
}


@pytest.mark.parametrize("told", BOUNDS)
def test_bounds_are_kept(told):
    with pytest.raises(ValueError, match=re.escape(told)):
        train_on_read(BOUNDS[told])
    result = graded("6c", lambda: {**answers.cut_examples(), "safe": BOUNDS[told]})
    assert result.score == 2.0 and told in result.failure.yours


def test_what_no_pair_decides_is_neither_learned_rightly_nor_wrongly():
    """‘well’ stands on both sides and cancels: its 0 comes from nowhere, and lies above ‘sure’."""
    right = answers.cut_examples()
    cancels = [(f"done {x} sure", f"sure {x}") for x in ("well", "later", "sure", "no")]
    assert train_on_read(cancels).values["well"] - train_on_read(cancels).values["sure"] > 0.9
    result = graded("6c", lambda: {**right, "unsafe": cancels})
    assert result.score == 1.0 and "a word on both sides of a pair cancels" in result.diagnoses[0]
    apart = [
        ("done done sure", "no no"),
        ("sure done sure", "later done"),
    ]  # in the order of their worth, by 0
    apart += [(f"{first} well", second) for first, second in apart]
    nested = [("done done sure", "no done"), ("sure done sure", "later done")] * 2
    values = list(train_on_read([*nested, ("well done sure", "well no done")]).values.values())
    assert values == sorted(values, reverse=True)
    result = graded("6c", lambda: {**right, "safe": [*nested, ("well done sure", "well no done")]})
    assert result.score == 2.0 and "no pair sets" in result.diagnoses[0]


@pytest.mark.parametrize(
    "pair, told",
    [
        (("why", "done", "no"), "has 3 entries"),
        ((["done"], ["no"]), "holds lists of words"),
        ({"done": "no"}, "is a dict"),
        (("done", None), "holds None"),
        (("done", 3), "holds a int"),
    ],
)
def test_a_pair_that_is_not_two_texts_is_told_what_it_is(pair, told):
    with pytest.raises(ValueError, match=f"pair 0 {told}: expected two texts"):
        train_on_read([pair] * 4)


def test_the_table_of_the_question_is_what_is_judged():
    rows = re.findall(r"^\| (.*) \|$", source_of("q6c"), re.MULTILINE)
    words, worth = ([cell.strip("` ") for cell in row.split("|")][1:] for row in rows)
    assert dict(zip(words, [float(w.replace("−", "-")) for w in worth])) == examples.WORTH
    limits, question = case("6c")["thresholds"], flowing("q6c")
    assert f"by {limits['turned']:g} nats or more" in question
    assert f"at least {limits['order']:g} nats above" in question and limits["lost"] == 1.0


# ---- 6d -------------------------------------------------------------------------------------


def test_scores_that_do_not_compare_people_are_told_so():
    def mean_majority(file):
        votes = Counter((p.prompt, *sorted((p.chosen, p.rejected)), p.chosen) for p in file)
        return float(np.mean([n**2 for n in votes.values()]))

    def empty_replies(file):
        return sum(not p.chosen for p in file) / len(file)

    for metric in (mean_majority, empty_replies):
        assert graded("6d", metric).diagnoses == (message("6d", "whoever"),), metric
    (told,) = graded("6d", lambda file: 1).diagnoses
    assert told == mistakes.CONSTANT


def test_a_common_beginning_is_told_alone_whatever_is_refused():
    def common(chosen, rejected):
        n = len(os.path.commonprefix([chosen, rejected]))
        if "Human" not in chosen[:n]:
            raise ValueError("other beginnings")
        return chosen[:n], chosen[n:], rejected[n:]

    assert graded("6a", common).diagnoses == (message("6a", "common_start"),)


def test_texts_differ_from_comparison_to_comparison():
    found = [held_out.texts(k) for k in range(hidden_runs.COMPARISONS[1] + 1)]
    assert len({(p, frozenset(sides)) for p, *sides in found}) == len(found)
    assert all(a != b for _, a, b in found) and sum(not b for _, _, b in found) >= 5


def test_the_audit_finds_contradictions_and_empty_replies_only():
    for file, _ in practice_files():
        assert {f.kind for f in audit(file)} == {"contradiction", "empty"}


FILES = hidden_runs.pairs(hidden_runs.FROZEN_SEED, hidden_runs.FROZEN_RUNS)


def test_files_are_as_the_question_says():
    question, usual = flowing("q6d"), []
    for healthy, regressed in FILES:
        assert healthy.names == regressed.names
        asked = healthy.answers >= 0
        assert np.array_equal(asked, regressed.answers >= 0)
        people, comparisons = asked.shape
        assert people == 12 and 88 <= comparisons <= 98
        usual += [6 <= n <= 9 for n in asked.sum(0)]
        share = np.sort(asked.mean(1))
        assert share[-8] >= 0.69 and share[-1] <= 0.86 and share[-9] < 0.6
    assert np.mean(usual) > 0.7
    for stated in ("twelve people", "88 to 98 pairs", "six to nine", "three careful", "70 to 85 %"):
        assert stated in question
    assert f"about {hidden_runs.COPIED:.0%}".replace("%", " %") in question


def test_a_regressed_file_is_its_healthy_twin_but_for_one_persons_answers():
    for healthy, regressed in FILES:
        changed = healthy.answers != regressed.answers
        (person,) = np.flatnonzero(changed.any(1))
        places = changed[person]
        copied = (regressed.answers[:, places] == regressed.answers[person, places]).all(1)
        assert 8 <= places.sum() <= 35 and copied.sum() >= 2  # the two of them, at least


def test_in_most_regressed_files_the_couple_that_dissents_together_is_the_one_that_copied():
    right = 0
    for healthy, regressed in FILES:
        changed = healthy.answers != regressed.answers
        signs = np.where(regressed.answers < 0, 0, 1 - 2 * regressed.answers)
        excess = []
        for both in hidden_runs.dissents(signs):
            one, two = both.sum(1)
            excess.append(both.all(0).sum() - one * two / both.shape[1])
        a, b = list(combinations(range(len(signs)), 2))[int(np.argmax(excess))]
        same = (signs[a] == signs[b])[changed.any(0)]
        right += bool(changed[[a, b]].any() and same.all())
    assert right >= 0.9 * len(FILES)


def test_the_couples_of_the_worked_idea_of_6d_stand_in_the_order_of_the_answer():
    """As many answers against the others as are stated; the second couple alone exceeds chance by much."""
    stated = flowing("h6d")

    def chance(n: int, one: int, two: int, both: int) -> float:
        """That so many of two people's dissents, or more, fall on the same comparisons."""
        ways = (comb(one, k) * comb(n - one, two - k) for k in range(both, min(one, two) + 1))
        return sum(ways) / comb(n, two)

    assert "nine times out of twenty, Di nine times" in stated
    assert "agree on sixteen only" in stated and "on seven of these sixteen" in stated
    assert 20 - 9 - 9 + 7 + 7 == 16
    assert (
        "share sixty pairs" in stated and "twelve times" in stated and "on two of these" in stated
    )
    assert chance(20, 9, 9, 7) < 0.02 and chance(60, 12, 12, 2) > 0.5
    for method in ("9 · 9", "4.05", "chance would"):
        assert method not in stated


# ---- a real file ----------------------------------------------------------------------------


@pytest.mark.skipif(
    "PREFERENCE_DATA" not in os.environ, reason="PREFERENCE_DATA names no folder of real files"
)
def test_the_counts_of_the_opening_are_those_of_the_file():
    path = Path(os.environ["PREFERENCE_DATA"]) / "hh_harmless_base_test.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found, prompts = Counter(), set()
    for row in rows:
        sides = row["chosen"], row["rejected"]
        found["name inside"] += any(
            re.search(r"(?<!\n\n)(?:Human|Assistant):", text) for text in sides
        )
        try:
            prompt, *ends = answers.preference_pair(*sides)
        except ValueError:
            found["refused"] += 1
            continue
        found["empty"] += any(not end.strip() for end in ends)
        prompts.add(prompt)
    marks = {p: [m.end() for m in re.finditer(r"\n\nAssistant:", p)][:-1] for p in prompts}
    found["goes on"] = sum(any(p[:end] in prompts for end in marks[p]) for p in prompts)
    stated = re.findall(r"\d[\d,]*", flowing("ex6").split("records of two whole dialogues), ")[1])
    assert len(rows) == 2312
    assert [found[k] for k in ("refused", "empty", "name inside", "goes on")] == list(
        map(int, stated[:4])
    )
