"""The frozen cases of exercise 5: annotators' rates, noisy records, bounds and hidden crews."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex05_noisy_but_valuable import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape

CAREFUL, SLIPS, LEANS, PRESSES, TURNS = (
    [0.9, 0.1],
    [0.7, 0.3],
    [0.9, 0.4],
    [0.8, 0.8],
    [0.1, 0.8],
)  # (t, f)


def inputs_5a() -> dict[str, Inputs]:
    """P(clean answer is 'first') and rates (t, f) by name of the probe."""
    rng = np.random.default_rng(51)

    def given(clean: list, rates: list, dtype: str = "float64") -> Inputs:
        return {"clean": np.array(clean, dtype=dtype), "rates": np.array(rates, dtype=dtype)}

    found = {
        "an even pair, one in ten wrong": given([0.5], [CAREFUL]),
        "an even pair, three in ten wrong": given([0.5], [SLIPS]),
        "an uneven pair, one in ten wrong": given([0.8], [CAREFUL]),
        "a nearly settled pair": given([0.05], [SLIPS]),
        "leans to the first": given([0.5], [LEANS]),
        "leans, an uneven pair": given([0.8], [LEANS]),
        "presses ‘first’ whatever is shown": given([0.6], [PRESSES]),
        "turns most answers round": given([0.6], [TURNS]),
        "two pairs, one annotator": given([0.5, 0.8], [LEANS]),
        "one pair, two annotators": given([0.6], [CAREFUL, LEANS]),
        "two pairs, three annotators": given([0.5, 0.8], [CAREFUL, LEANS, TURNS]),
        "six pairs, four annotators, float32": given(
            rng.uniform(0.05, 0.95, 6).round(2), rng.uniform(0.05, 0.95, (4, 2)).round(2), "float32"
        ),
    }
    base = found["two pairs, three annotators"]
    found["first and second exchanged"] = {
        "clean": 1 - base["clean"],
        "rates": 1 - base["rates"][:, ::-1],
    }
    found["recorded the wrong way round"] = {**base, "rates": 1 - base["rates"]}
    found["never wrong"] = given([0.5, 0.8], [[1, 0]])
    found["always wrong"] = given([0.8], [[0, 1]])
    found["one kind of error only"] = given([0.8], [[1, 0.5], [0.5, 0]])
    found["nothing left to learn"] = given([0, 1], [CAREFUL, [1, 0]])
    found["always says ‘second’"] = given([0.8, 0], [[0, 0]])
    found["a rate above 1"] = given([0.5], [[1.1, 0.2]])
    found["a rate below 0"] = given([0.5], [CAREFUL, [0.9, -0.1]])
    found["a pair's probability above 1"] = given([0.5, 1.2], [CAREFUL])
    found["a rate that is NaN"] = given([0.5], [[np.nan, 0.2]])
    return found


SHAPE_5A = Shape({"clean": "N", "rates": "A."}, stay=("clean", "rates"))


PROPERTIES_5A = [
    prop(
        "even",
        "even pairs, annotators whose errors do not depend on the side",
        0.3,
        "expected",
        ["an even pair, one in ten wrong", "an even pair, three in ten wrong"],
        values=True,
    ),
    prop(
        "uneven",
        "pairs of which something is known already",
        0.3,
        "expected",
        ["an uneven pair, one in ten wrong", "a nearly settled pair"],
        values=True,
    ),
    prop(
        "sides",
        "annotators with two rates",
        0.4,
        "expected",
        [
            "leans to the first",
            "leans, an uneven pair",
            "presses ‘first’ whatever is shown",
            "turns most answers round",
        ],
        values=True,
    ),
    prop(
        "table",
        "every pair with every annotator, (n, A)",
        0.3,
        "expected",
        [
            "two pairs, one annotator",
            "one pair, two annotators",
            "two pairs, three annotators",
            "six pairs, four annotators, float32",
        ],
        values=True,
    ),
    prop(
        "names",
        "it does not matter what the answers are called",
        0.1,
        "same",
        [
            ("first and second exchanged", "two pairs, three annotators"),
            ("recorded the wrong way round", "two pairs, three annotators"),
        ],
    ),
    prop(
        "sure",
        "probabilities of 0 and 1",
        0.3,
        "expected",
        [
            "never wrong",
            "always wrong",
            "one kind of error only",
            "nothing left to learn",
            "always says ‘second’",
        ],
    ),
    prop(
        "refuses",
        "a probability outside 0 to 1 raises ValueError",
        0.2,
        "raises",
        ["a rate above 1", "a rate below 0", "a pair's probability above 1", "a rate that is NaN"],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def inputs_5b() -> dict[str, Inputs]:
    """Margins, records (pair, annotator, 1 for 'first') and rates by name of the probe."""
    rng = np.random.default_rng(52)

    def given(margins: list, records: list, rates: list, dtype: str = "float64") -> Inputs:
        return {
            "margins": np.array(margins, dtype=dtype),
            "records": np.array(records),
            "rates": np.array(rates, dtype=dtype),
        }

    crew = [CAREFUL, LEANS, [0.6, 0.0], SLIPS]
    many = np.stack(
        [rng.choice(6, 16, p=[0.4, 0.2, 0.2, 0.1, 0.1, 0]), rng.choice(4, 16), rng.choice(2, 16)], 1
    )
    found = {
        "never wrong, ‘first’": given([0.5], [[0, 0, 1]], [[1, 0]]),
        "never wrong, ‘second’": given([0.5], [[0, 0, 0]], [[1, 0]]),
        "three in ten wrong, ‘first’": given([0.5], [[0, 0, 1]], [SLIPS]),
        "three in ten wrong, ‘second’": given([0.5], [[0, 0, 0]], [SLIPS]),
        "leans, ‘first’": given([0.5], [[0, 0, 1]], [LEANS]),
        "leans, ‘second’": given([0.5], [[0, 0, 0]], [LEANS]),
        "misses half of the firsts": given([-1], [[0, 0, 1]], [[0.5, 0]]),
        "turns most answers round, ‘first’": given([0.5], [[0, 0, 1]], [TURNS]),
        "turns most answers round, ‘second’": given([1], [[0, 0, 0]], [TURNS]),
        "beside somebody who is mostly right": given([0.5], [[0, 0, 1], [0, 1, 0]], [SLIPS, TURNS]),
        "two of a kind about one pair": given([0.5], [[0, 0, 1], [0, 1, 0]], [SLIPS, SLIPS]),
        "two unlike about one pair": given([0.5], [[0, 0, 1], [0, 1, 0]], [CAREFUL, SLIPS]),
        "three about one pair": given([0.5], [[0, 0, 1], [0, 1, 0], [0, 2, 1]], crew),
        "one answers twice": given([0.5], [[0, 1, 1], [0, 1, 1], [0, 3, 0]], crew),
        "two pairs, an answer each": given([0.5, -1], [[0, 0, 1], [1, 0, 0]], [SLIPS]),
        "two answers and one": given([0.5, -1], [[0, 0, 1], [0, 0, 1], [1, 0, 1]], [SLIPS]),
        "two pairs, unlike annotators": given(
            [0.5, -1], [[0, 0, 1], [0, 1, 0], [1, 3, 1], [1, 2, 1]], crew
        ),
        "a pair nobody was asked about": given([0.5, 2, -1], [[0, 0, 1], [2, 0, 1]], [SLIPS]),
        "six pairs, four annotators, float32": given(
            rng.normal(size=6).round(1), many, crew, "float32"
        ),
        "one does not look": given([0.5], [[0, 0, 1], [0, 1, 0]], [SLIPS, [0.3, 0.3]]),
        "a pair only such a person saw": given(
            [0.5, -1], [[0, 0, 1], [1, 1, 1]], [SLIPS, [0.8, 0.8]]
        ),
    }
    found["hardly looks"] = given([0.5], [[0, 0, 1]], [[0.5, 0.499]])
    found["one hardly looks"] = given([0.5, -1], [[0, 0, 1], [1, 1, 0]], [SLIPS, [0.5, 0.499]])
    base = found["two pairs, unlike annotators"]
    flip = np.array([0, 0, 1]) + base["records"] * [1, 1, -1]
    found["first and second exchanged"] = {
        "margins": -base["margins"],
        "records": flip,
        "rates": 1 - base["rates"][:, ::-1],
    }
    found["recorded the wrong way round"] = {**base, "records": flip, "rates": 1 - base["rates"]}
    found["records in another order"] = {**base, "records": base["records"][[2, 0, 3, 1]]}
    found["margins of ±60"] = given([60, -60], [[0, 0, 0], [1, 0, 1]], [SLIPS])
    found["margins of ±10000"] = given([1e4, -1e4], [[0, 0, 0], [1, 0, 1]], [SLIPS])
    found["far off, never wrong"] = given([1e4], [[0, 0, 1]], [[1, 0]])
    found["a rate above 1"] = given([0.5], [[0, 0, 1]], [[1.2, 0.3]])
    found["a rate that is NaN"] = given([0.5], [[0, 0, 1]], [[0.7, np.nan]])
    found["a third answer"] = given([0.5], [[0, 0, 2]], [SLIPS])
    found["an answer of −1"] = given([0.5], [[0, 0, 1], [0, 0, -1]], [SLIPS])
    found["an annotator too many"] = given([0.5], [[0, 1, 1]], [SLIPS])
    found["a pair below 0"] = given([0.5, 1], [[-1, 0, 1]], [SLIPS])
    found["nobody looks"] = given([0.5], [[0, 0, 1]], [[0.3, 0.3]])
    return found


SHAPE_5B = Shape(
    {"margins": "N", "records": "C.", "rates": "A."},
    ids={"records": ("N", "A", "")},
    free="A",
    stay=("rates",),
)


PROPERTIES_5B = [
    prop(
        "flips",
        "one answer, of somebody who never errs or errs alike on both sides",
        0.3,
        "expected",
        [
            "never wrong, ‘first’",
            "never wrong, ‘second’",
            "three in ten wrong, ‘first’",
            "three in ten wrong, ‘second’",
        ],
        values=True,
    ),
    prop(
        "sides",
        "one answer, of somebody with two rates",
        0.5,
        "expected",
        ["leans, ‘first’", "leans, ‘second’", "misses half of the firsts"],
        values=True,
    ),
    prop(
        "weights",
        "several answers about one pair, by their weights",
        0.4,
        "expected",
        [
            "two of a kind about one pair",
            "two unlike about one pair",
            "three about one pair",
            "one answers twice",
        ],
        values=True,
    ),
    prop(
        "pairs",
        "each pair that was asked about counts alike",
        0.4,
        "expected",
        [
            "two pairs, an answer each",
            "two answers and one",
            "two pairs, unlike annotators",
            "a pair nobody was asked about",
            "six pairs, four annotators, float32",
        ],
        values=True,
    ),
    prop(
        "turned",
        "answers of somebody who turns most of them round",
        0.2,
        "expected",
        [
            "turns most answers round, ‘first’",
            "turns most answers round, ‘second’",
            "beside somebody who is mostly right",
        ],
    ),
    prop(
        "gradient",
        "gradient in the margins",
        0.3,
        "expected",
        [
            (name, "margins")
            for name in ("leans, ‘first’", "two unlike about one pair", "two answers and one")
        ],
    ),
    prop(
        "blind",
        "who does not look counts for nothing",
        0.1,
        "expected",
        ["one does not look", "a pair only such a person saw"],
    ),
    prop(
        "hardly",
        "who hardly looks counts by their weight",
        0.1,
        "expected",
        ["hardly looks", "one hardly looks"],
    ),
    prop(
        "names",
        "it matters neither what the answers are called nor in which order they come",
        0.1,
        "same",
        [
            ("first and second exchanged", "two pairs, unlike annotators"),
            ("recorded the wrong way round", "two pairs, unlike annotators"),
            ("records in another order", "two pairs, unlike annotators"),
        ],
    ),
    prop(
        "extreme",
        "value and gradient at margins of ±60 and ±10⁴",
        0.2,
        "expected",
        [
            ("far off, never wrong", ""),
            ("margins of ±60", ""),
            ("margins of ±60", "margins"),
            ("margins of ±10000", ""),
            ("margins of ±10000", "margins"),
        ],
    ),
    prop(
        "refuses",
        "damaged records, impossible rates and no answer of any weight raise ValueError",
        0.3,
        "raises",
        [
            "a rate above 1",
            "a rate that is NaN",
            "a third answer",
            "an answer of −1",
            "an annotator too many",
            "a pair below 0",
            "nobody looks",
        ],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_5c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""
    return {
        "part": "5c",
        "title": "more answers",
        "points": 3.0,
        "asks_for": "crowd_examples",
        "properties": [
            side(
                "safe",
                "safe: many doubtful answers are worth more than an expert's",
                "safe",
                "a crowd whose majority beats the expert",
            ),
            side(
                "unsafe_falls",
                "unsafe: many answers are worth less than one",
                "unsafe",
                "a crowd whose majority is worse than one answer",
            ),
            side(
                "unsafe_unseen",
                "unsafe: and by accuracy and agreement it is the better crowd",
                "unsafe",
                "a crowd of more accuracy and agreement than the safe one",
                waits_for=["safe", "unsafe_falls"],
            ),
        ],
        "thresholds": {
            "expert": 0.9,
            "gain": 0.03,
            "one_at_most": 0.7,
            "apart": 0.1,
            "fall": 0.05,
            "ahead": 0.1,
        },
        "bounds": {"many": 25, "kinds": [2, 5], "least_share": 0.05, "least_right": 0.4},
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 5a to 5d."""
    return {
        "5a": function_case(
            "5a",
            "what an answer is worth",
            answers.worth,
            inputs_5a(),
            PROPERTIES_5A,
            mistakes.MISTAKES["5a"],
            SHAPE_5A,
        ),
        "5b": function_case(
            "5b",
            "everybody's own errors",
            answers.corrected_loss,
            inputs_5b(),
            PROPERTIES_5B,
            mistakes.MISTAKES["5b"],
            SHAPE_5B,
            differentiable=("margins",),
        ),
        "5c": case_5c(),
        "5d": metric_case(
            "5d",
            "errors at random, errors of a rule",
            "rule_score",
            "regressed crews score above healthy ones",
            points_from=0.8,
            full_from=0.95,
            wrong=mistakes.MISTAKES["5d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            each="crew",
            blind_to=mistakes.BLIND_5D,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; then what the hints name; and
# the reference answer
COMPARED = {
    "share of gold tasks answered wrong": hidden_runs.gold_error,
    "standard deviation of the annotators' shares of wrong gold tasks": hidden_runs.spread,
    "share of pairs on which all three are of one mind": hidden_runs.unanimous,
    "agreement of two answers": hidden_runs.agreement,
    "Krippendorff's α": hidden_runs.alpha,
    "agreement beyond what one error rate for everybody explains": hidden_runs.beyond_one_rate,
    "agreement beyond what one error rate for each annotator explains": hidden_runs.beyond_own_rate,
    "agreement beyond what two rates for everybody explain": hidden_runs.beyond_two_rates,
    "reference answer": answers.rule_score,
}
