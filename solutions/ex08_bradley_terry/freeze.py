"""The frozen cases of exercise 8: records, graded comparisons, bounds and hidden surveys."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex08_bradley_terry import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape


def inputs_8a() -> dict[str, Inputs]:
    """Records (winner, loser) and the number of items, by name of the probe."""

    def given(text: str, n: int) -> Inputs:
        """'01×3 10': item 0 beat item 1 three times, 1 beat 0 once."""
        rows = []
        for word in text.split():
            pair, _, times = word.partition("×")
            rows += [[int(pair[0]), int(pair[1])]] * int(times or 1)
        return {"records": np.array(rows), "n": n}

    found = {
        "two items": given("01×2 10", 2),
        "a small circle": given("01 12 20×2", 3),
        "two neighbours each": given("01×2 10 12×3 21", 3),
        "a circle": given("01×2 12×3 23 30 02", 4),
        "a triangle and a neighbour": given("01×3 10 12×2 21 02 20×2 23 32×2", 4),
        "one win": given("01", 2),
        "a ladder": given("01 12", 3),
        "a group above one": given("01×2 10 12", 3),
        "one above a group": given("01 12×2 21", 3),
        "one never lost": given("01×2 02 12×2 21", 3),
        "one group above another": given("01×2 10 23×3 32 12×4", 4),
        "one beat both": given("01 02", 3),
        "both beat one": given("02 12", 3),
        "one was never compared": given("01×2 10", 3),
        "never linked": given("01 23", 4),
        "two groups, never linked": given("01×3 10 23×2 32", 4),
        "one beat both, one was never compared": given("01 02", 4),
        "a group, and one never compared": given("01×2 10 12 20", 4),
        "all three": given("01×2 10 02 13 41", 5),
        "eight items": given("01×2 12 20 10 13×2 34×3 43 56×2 65 03 57 74 47", 8),
    }
    base, order = found["eight items"]["records"], np.random.default_rng(81)
    found["all three, in another order"] = {
        "records": found["all three"]["records"][::-1].copy(),
        "n": 5,
    }
    found["in another order"] = {"records": order.permutation(base), "n": 8}
    found["an item too many"] = given("01 12", 2)
    found["an item below 0"] = {"records": np.array([[0, 1], [1, -2]]), "n": 2}
    found["against itself"] = given("01 11", 2)
    found["against itself, and nobody else"] = given("01 22", 3)
    return found


SHAPE_8A = Shape({"records": "C."}, ids={"records": ("N", "N")}, lengths={"n": "N"}, free="NC")


PROPERTIES_8A = [
    prop(
        "finite",
        "finite where comparisons lead both ways, directly or not",
        0.5,
        "expected",
        [
            "two items",
            "a small circle",
            "two neighbours each",
            "a circle",
            "a triangle and a neighbour",
        ],
        values=True,
    ),
    prop(
        "infinite",
        "±∞ where they lead one way only",
        0.5,
        "expected",
        [
            "one win",
            "a ladder",
            "a group above one",
            "one above a group",
            "one never lost",
            "one group above another",
        ],
        values=True,
    ),
    prop(
        "undetermined",
        "NaN where they lead neither way",
        0.4,
        "expected",
        [
            "one beat both",
            "both beat one",
            "one was never compared",
            "never linked",
            "two groups, never linked",
            "one beat both, one was never compared",
            "a group, and one never compared",
        ],
        values=True,
    ),
    prop(
        "all",
        "all three in one table, records in any order",
        0.2,
        "expected",
        ["all three", "all three, in another order", "eight items", "in another order"],
    ),
    prop(
        "refuses",
        "damaged records raise ValueError",
        0.3,
        "raises",
        [
            "an item too many",
            "an item below 0",
            "against itself",
            "against itself, and nobody else",
        ],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def inputs_8b() -> dict[str, Inputs]:
    """Strengths, cuts of each annotator and records (annotator, first, second, grade), by name of the probe."""
    rng = np.random.default_rng(82)

    def given(strengths: list, cuts: list, records: list, dtype: str = "float64") -> Inputs:
        strengths, cuts = (np.array(x, dtype=dtype) for x in (strengths, cuts))
        return {"strengths": strengths, "cuts": cuts, "records": np.array(records)}

    five = [[-2, -0.5, 0.5, 2], [-1, -0.2, 0.4, 1.5], [-3, -1.5, 0.1, 0.6]]
    many = [
        [a, i, (i + 1 + k) % 4, g]
        for a, i, k, g in zip(
            rng.choice(3, 20, p=[0.6, 0.3, 0.1]),
            rng.integers(0, 4, 20),
            rng.integers(0, 3, 20),
            rng.integers(0, 5, 20),
        )
    ]
    found = {
        "two grades, one comparison": given([1, 0], [[0.5]], [[0, 0, 1, 1]]),
        "two grades": given(
            [1, 0, -0.5], [[0.5]], [[0, 0, 1, 1], [0, 1, 2, 0], [0, 2, 0, 0], [0, 0, 2, 0]]
        ),
        "three grades, one comparison": given([1, 0], [[-1, 0.5]], [[0, 0, 1, 1]]),
        "three grades": given(
            [1, 0, -0.5], [[-1, 0.5]], [[0, 0, 1, 1], [0, 1, 2, 0], [0, 2, 0, 2], [0, 0, 2, 2]]
        ),
        "five grades": given(
            [1, 0, -0.5],
            five[:1],
            [[0, 0, 1, 3], [0, 1, 2, 2], [0, 2, 0, 0], [0, 0, 2, 4], [0, 1, 0, 1]],
        ),
        "two annotators, three grades": given(
            [1, 0], [[-1, 0.5], [0, 1]], [[0, 0, 1, 1], [0, 0, 1, 2], [1, 0, 1, 0]]
        ),
        "two annotators": given(
            [1, 0, -0.5],
            five[:2],
            [[0, 0, 1, 3], [1, 0, 1, 4], [1, 2, 1, 1], [0, 2, 0, 2], [1, 0, 2, 2]],
        ),
        "three annotators, float32": given([0.8, -0.3, 0.1, -0.6], five, many, "float32"),
        "one annotator wrote nothing": given(
            [1, 0], [five[0], five[2]], [[1, 0, 1, 3], [1, 1, 0, 0]]
        ),
    }
    base = found["two annotators"]
    found["a constant added to all strengths"] = {**base, "strengths": base["strengths"] + 40.0}
    turned = base["records"][:, [0, 2, 1, 3]] * [1, 1, 1, -1] + [0, 0, 0, 4]
    found["seen from the other side"] = {
        **base,
        "records": turned,
        "cuts": -base["cuts"][:, ::-1].copy(),
    }
    edge = [[0, 0, 1, g] for g in (0, 1, 2)] + [[0, 1, 0, g] for g in (0, 1, 2)]
    found["a gap of 10000"] = given([1e4, 0], [[-1, 0.5]], edge)
    found["a gap of 60"] = given([60, 0], [[-1, 0.5]], edge)
    for gap in (60, 10000):
        found[f"a gap of {gap}, one grade"] = given([gap, 0], [[-1, 0.5]], [[0, 0, 1, 1]])
        found[f"a gap of −{gap}, one grade"] = given([0, gap], [[-1, 0.5]], [[0, 0, 1, 1]])
    found["cuts in disorder"] = given([1, 0], [[-1, 1], [0.5, -0.5]], [[0, 0, 1, 1], [1, 0, 1, 2]])
    found["in disorder, without a record"] = given([1, 0], [[-1, 1], [0.5, -0.5]], [[0, 0, 1, 1]])
    found["two equal cuts"] = given([1, 0], [[0.5, 0.5]], [[0, 0, 1, 2]])
    return found


_GRADIENTS = [
    "two grades",
    "three grades, one comparison",
    "three grades",
    "two annotators",
    "one annotator wrote nothing",
]


def in_domain_8b(given: Inputs) -> Inputs | None:
    """Comparisons of two replies, grades that exist."""
    _, first, second, grade = given["records"].T
    exists = ((grade >= 0) & (grade <= given["cuts"].shape[1])).all()
    return given if exists and (first != second).all() else None


SHAPE_8B = Shape(
    {"strengths": "N", "cuts": "AG", "records": "C."},
    ids={"records": ("A", "N", "N", "G+")},
    least={"N": 2},
    free="NC",
    tidy=in_domain_8b,
)


PROPERTIES_8B = [
    prop(
        "two",
        "two grades and one cut",
        0.3,
        "expected",
        ["two grades, one comparison", "two grades"],
        values=True,
    ),
    prop(
        "scale",
        "three and five grades",
        0.5,
        "expected",
        ["three grades, one comparison", "three grades", "five grades"],
        values=True,
    ),
    prop(
        "own",
        "each annotator's own cuts, mean over comparisons",
        0.4,
        "expected",
        [
            "two annotators, three grades",
            "two annotators",
            "one annotator wrote nothing",
            "three annotators, float32",
        ],
        values=True,
    ),
    prop(
        "gradient_strengths",
        "gradient in the strengths",
        0.4,
        "expected",
        [(name, "strengths") for name in _GRADIENTS],
    ),
    prop(
        "gradient_cuts",
        "gradient in the cuts",
        0.4,
        "expected",
        [(name, "cuts") for name in _GRADIENTS],
    ),
    prop(
        "invariant",
        "only differences count, and it does not matter who is called first",
        0.2,
        "same",
        [
            ("a constant added to all strengths", "two annotators"),
            ("seen from the other side", "two annotators"),
        ],
    ),
    prop(
        "extreme",
        "value and gradient at gaps of ±60 and ±10⁴",
        0.5,
        "expected",
        [
            ("a gap of 60, one grade", ""),
            ("a gap of −60, one grade", ""),
            ("a gap of 10000, one grade", ""),
            ("a gap of −10000, one grade", ""),
            ("a gap of 60", ""),
            ("a gap of 60", "strengths"),
            ("a gap of 10000", ""),
            ("a gap of 10000", "strengths"),
        ],
    ),
    prop(
        "refuses",
        "cuts that do not increase raise ValueError",
        0.2,
        "raises",
        ["cuts in disorder", "two equal cuts", "in disorder, without a record"],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_8c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""

    return {
        "part": "8c",
        "title": "who is asked about",
        "points": 3.0,
        "asks_for": "survey_examples",
        "properties": [
            side(
                "safe",
                "safe: the groups disagree, and both fits follow every majority",
                "safe",
                "a survey of two groups that disagree",
            ),
            side(
                "unsafe_flips",
                "unsafe: two items change places with the pairs that are asked about",
                "unsafe",
                "a survey whose pooled fit depends on the pairs asked about",
            ),
            side(
                "unsafe_clear",
                "unsafe: and yet the majorities rank all items",
                "unsafe",
                "a survey whose majorities rank all items",
                waits_for=["unsafe_flips"],
            ),
        ],
        "thresholds": {"disagree": 0.5, "majority": 0.52, "gap": 0.1},
        "bounds": {
            "items": [3, 6],
            "largest_strength": 5.0,
            "share": [0.2, 0.8],
            "most_asked": 1000.0,
            "uneven": 10.0,
        },
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 8a to 8d."""
    return {
        "8a": function_case(
            "8a",
            "what comparisons determine",
            answers.differences,
            inputs_8a(),
            PROPERTIES_8A,
            mistakes.MISTAKES["8a"],
            SHAPE_8A,
        ),
        "8b": function_case(
            "8b",
            "graded comparisons",
            answers.graded_loss,
            inputs_8b(),
            PROPERTIES_8B,
            mistakes.MISTAKES["8b"],
            SHAPE_8B,
            differentiable=("strengths", "cuts"),
        ),
        "8c": case_8c(),
        "8d": metric_case(
            "8d",
            "which interval is too narrow?",
            "interval_overconfidence",
            "regressed surveys score above healthy ones",
            points_from=0.83,
            full_from=0.93,
            wrong=mistakes.MISTAKES["8d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            each="survey",
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "number of comparisons (fewer = worse)": hidden_runs.few_answers,
    "width of the interval (narrower = worse)": hidden_runs.narrow,
    "width for independent answers over the reported width": hidden_runs.against_independent,
    "distance of the win rate from one half": hidden_runs.one_sided,
    "share of annotators who disagree with the majority": hidden_runs.dissenters,
    "standard deviation of the annotators' win rates": hidden_runs.spread_of_rates,
    "design effect by annotators, the interval ignored": hidden_runs.design_effect,
    "reference answer": answers.interval_overconfidence,
}
