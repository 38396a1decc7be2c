"""What is said of a metric that no listed one resembles: data that do not enter, verdicts, what cannot be a score."""

from __future__ import annotations

import numpy as np
import pytest
from grading import REFERENCE, graded

from helpers.grader import judge_metric
from helpers.grader.cases import case, parts

BLIND = [part for part in parts() if "blind_to" in case(part)]


def upper(values) -> float:
    """A statistic that no listed metric uses."""
    return float(np.quantile(values, 0.83))


def hashed(number) -> float:
    return float(np.sin(1e3 * number))


def flagged(run: tuple) -> float:
    return run[2](run[1]["response"]).mean()


# part → message by the first of its names, and a score that does without these data
WITHOUT = {
    ("1d", "policy_won"): lambda run: upper(run["policy_chosen_logps"] * run["ref_chosen_logps"]),
    ("1d", "policy_first"): lambda run: float(run["policy_won"][:61].mean()),
    ("3d", "2"): lambda ref, policy, judge: upper(policy["log_ratio"]) - upper(ref["reward"]),
    ("3d", "0"): lambda *run: flagged(run) * upper(run[1]["log_ratio"]),
    ("4d", "chosen"): lambda run: upper(run["policy_rejected_logps"] - run["policy_chosen_logps"]),
    ("4d", "ref_samples"): lambda run: hashed(run["policy_chosen_logps"] @ run["chosen"]),
    ("5d", "pair"): lambda run: float(
        (run["gold_first"][:400] & run["gold_said_first"][:400]).mean()
    ),
    ("5d", "gold_annotator"): lambda run: hashed(run["said_first"] @ run["pair"]),
}


@pytest.mark.parametrize("part, name", WITHOUT)
def test_data_that_do_not_enter_a_score_are_named(part, name):
    message = next(e["message"] for e in case(part)["blind_to"] if e["names"][0] == name)
    assert message in graded(part, WITHOUT[part, name]).diagnoses


@pytest.mark.parametrize("part", BLIND)
def test_a_score_that_uses_its_data_badly_is_told_of_none_that_is_missing(part):
    """The reference answer, spoilt by a hash of itself: all that it uses still enters."""

    def spoilt(*run):
        return float(np.sin(1e4 * REFERENCE[part](*run)))

    messages = {entry["message"] for entry in case(part)["blind_to"]}
    assert not messages & set(graded(part, spoilt).diagnoses)


@pytest.mark.parametrize("part", [part for part in parts() if part[-1] == "d"])
def test_a_verdict_a_text_and_a_name_that_does_not_exist_are_told(part):
    def verdict(*run):
        return bool(np.sin(1e4 * REFERENCE[part](*run)) > 0)

    assert any("a verdict" in why for why in graded(part, verdict).diagnoses) or part == "2d"
    (why,) = graded(part, lambda *run: "regressed").diagnoses
    assert "A text is no score" in why
    (why,) = graded(part, lambda *run: {}["no such name"]).diagnoses
    assert "'no such name' where it does not occur" in why or "the question lists" in why
    (why,) = graded(part, lambda *run: {}[14]).diagnoses
    assert "14 where it does not occur" in why


def test_a_key_of_the_data_that_is_missing_somewhere_is_told_as_no_wrong_name():
    (why,) = graded("6d", lambda records: {}["P31"]).diagnoses
    assert "'P31' where it does not occur" in why
    (why,) = graded("4d", lambda run: run["samples"]).diagnoses
    assert "'samples'" in why and "the question lists" in why


def test_an_auc_below_the_bar_is_never_shown_as_the_bar():
    assert judge_metric._shown(0.91999, 0.92) == "0.919"
    assert judge_metric._shown(0.92, 0.92) == "0.92" and judge_metric._shown(0.904, 0.92) == "0.90"


@pytest.mark.parametrize("part", ["6d", "9d"])
def test_what_a_tuple_holds_is_told_as_part_of_the_tuple(part):
    result = graded(part, lambda *run: (1.0, "slice 2"))
    assert result.failure.yours == "returned a tuple with a str in it"
    assert "yours is a tuple" in result.diagnoses[0]


def test_a_judge_that_sees_a_part_of_the_samples_is_noticed():
    def few(ref, policy, judge):
        return judge(policy["response"][:30]).mean() - judge(ref["response"][:30]).mean()

    (why,) = graded("3d", few).diagnoses
    assert "about a part of the policy's responses only" in why


def test_half_of_the_labels_on_the_worst_scored_are_no_typical_ones():
    def sorted_upwards(scores, ask):
        order = np.argsort(scores)
        usual = [ask(int(i)) for i in order[600:1400:20]]
        return np.mean(usual) - np.mean([ask(int(i)) for i in order[:45]])

    assert graded("2d", sorted_upwards).diagnoses == (case("2d")["habits"]["worst_scored"],)
