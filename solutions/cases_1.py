"""The frozen cases of exercise 1: inputs, properties, bounds and hidden runs, for ``build.py``."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from helpers.grader.detection import imitator
from helpers.grader.unordered import in_any_order
from solutions import exercise1, imitators
from solutions.casework import Inputs, function_case, prop

NAN = np.nan


def inputs_1a() -> dict[str, Inputs]:
    """Ratings by name of the probe."""
    rng = np.random.default_rng(11)

    def given(rows: list, dtype: str = "float64") -> Inputs:
        return {"ratings": np.array(rows, dtype=dtype)}

    drawn = rng.integers(1, 6, size=(4, 5)).astype(float)
    drawn[rng.random(drawn.shape) < 0.25] = NAN
    found = {
        "two responses": given([[2, 5]]),
        "three responses": given([[3, 1, 4]]),
        "a tie": given([[4, 4, 2]]),
        "two ties": given([[1, 3, 1, 3]]),
        "one not rated": given([[NAN, 2, 1]]),
        "two not rated": given([[5, NAN, 1, NAN, 3]]),
        "two annotators": given([[1, 2, 3], [5, 5, 4]]),
        "a strict and a generous one": given([[1, 2, NAN], [NAN, 4, 5], [3, 4, 3]], "float32"),
        "four annotators": given(drawn),
        "all tied or alone": given([[3, 3, 3], [NAN, NAN, 5], [NAN, NAN, NAN]]),
    }
    found["other scales"] = given(np.array([[0.01], [10.0], [100.0], [2.0]]) * drawn**3 - 40)
    return found


PROPERTIES_1A = [
    prop(
        "order",
        "one annotator: who stands above whom",
        0.5,
        "expected",
        ["two responses", "three responses"],
        values=True,
    ),
    prop(
        "ties",
        "equal ratings are no comparison",
        0.4,
        "expected",
        ["a tie", "two ties"],
        values=True,
    ),
    prop(
        "unrated",
        "what was not rated is not compared",
        0.4,
        "expected",
        ["one not rated", "two not rated"],
        values=True,
    ),
    prop(
        "several",
        "several annotators, float32",
        0.4,
        "expected",
        ["two annotators", "a strict and a generous one", "four annotators"],
        values=True,
    ),
    prop("none", "nobody prefers anything: no rows", 0.1, "expected", ["all tied or alone"]),
    prop(
        "scale",
        "each annotator's scale may be stretched or moved",
        0.1,
        "same",
        [("other scales", "four annotators")],
    ),
    prop("unchanged", "the argument is left as it was", 0.1, "unchanged", []),
]


def inputs_1b() -> dict[str, Inputs]:
    """Logits of policy and reference, tables of wins and β, by name of the probe."""
    rng = np.random.default_rng(12)

    def draw(counts: list, beta: float, dtype: str = "float64") -> Inputs:
        wins = np.array(counts)
        logits, ref = rng.normal(scale=1.5, size=(2, *wins.shape[:2])).round(1).astype(dtype)
        return {"logits": logits, "ref_logits": ref, "wins": wins.astype(dtype), "beta": beta}

    found = {
        "one comparison": draw([[[0, 1], [0, 0]]], 0.5),
        "one pair, ten comparisons": draw([[[0, 7], [3, 0]]], 0.5),
        "three responses": draw([[[0, 4, 1], [2, 0, 0], [0, 5, 0]]], 0.5),
        "four responses, float32": draw(
            [[[0, 9, 2, 0], [1, 0, 3, 0], [0, 0, 0, 1], [2, 0, 6, 0]]], 2.0, "float32"
        ),
        "two prompts": draw(
            [[[0, 3, 1], [1, 0, 8], [0, 2, 0]], [[0, 1, 0], [0, 0, 0], [0, 1, 0]]], 0.3
        ),
        "three prompts, float32": draw(
            [[[0, 1], [4, 0]], [[0, 20], [3, 0]], [[0, 0], [2, 0]]], 0.1, "float32"
        ),
    }
    base = found["two prompts"]
    shift = np.array([[2.0], [-3.0]])
    found["logits shifted"] = {**base, "logits": base["logits"] + shift}
    found["reference shifted"] = {**base, "ref_logits": base["ref_logits"] - shift}
    wins = np.array([[[0.0, 2.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])
    flat = np.zeros((1, 3))
    found["margins of ±10000"] = {
        "logits": np.array([[20000.0, 0.0, -1.0]]),
        "ref_logits": flat,
        "wins": wins,
        "beta": 0.5,
    }
    found["a reference far away"] = {
        "logits": flat,
        "ref_logits": np.array([[20000.0, 0.0, 2.0]]),
        "wins": wins,
        "beta": 0.5,
    }
    return found


PROPERTIES_1B = [
    prop(
        "one_pair",
        "one pair, once and ten times",
        0.4,
        "expected",
        ["one comparison", "one pair, ten comparisons"],
        values=True,
    ),
    prop(
        "several",
        "several responses",
        0.6,
        "expected",
        ["three responses", "four responses, float32"],
        values=True,
    ),
    prop(
        "prompts",
        "prompts with few and with many comparisons",
        0.6,
        "expected",
        ["two prompts", "three prompts, float32"],
        values=True,
    ),
    prop(
        "shift",
        "a constant added to all logits of a prompt changes nothing",
        0.2,
        "same",
        [("logits shifted", "two prompts"), ("reference shifted", "two prompts")],
    ),
    prop(
        "gradient",
        "the gradient in the policy's logits",
        0.5,
        "expected",
        [("one comparison", "logits"), ("two prompts", "logits")],
    ),
    prop(
        "no_reference_gradient",
        "no gradient reaches the reference",
        0.2,
        "blocked",
        [("one comparison", "ref_logits"), ("two prompts", "ref_logits")],
    ),
    prop(
        "extreme",
        "finite and right at margins of ±10⁴, gradient too",
        0.4,
        "expected",
        ["margins of ±10000", "a reference far away", ("margins of ±10000", "logits")],
        slack=100,
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_1c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""

    def side(key: str, name: str, which: str, asked: str, **more) -> dict[str, Any]:
        return {"key": key, "name": name, "points": 1.0, "side": which, "asked": asked, **more}

    lowered = "a worse generator, and a policy that imitation lowers although learning raises it"
    return {
        "part": "1c",
        "title": "a safe example and an unsafe one",
        "points": 3.0,
        "asks_for": "generator_examples",
        "judge": "imitation",
        "properties": [
            side(
                "safe",
                "safe: a worse generator, yet imitation raises by at least 0.2",
                "safe",
                "a worse generator, and a policy that imitation of its chosen responses raises",
            ),
            side(
                "unsafe_imitation",
                "unsafe: a worse generator, and imitation lowers by at least 0.2",
                "unsafe",
                lowered,
            ),
            side(
                "unsafe_learning",
                "unsafe: learning from the same comparisons raises by at least 0.2",
                "unsafe",
                lowered,
                waits_for=["unsafe_imitation"],
            ),
        ],
        "thresholds": {"worse": 0.2, "margin": 0.2},
        "bounds": {"responses": [3, 50], "least_probability": 1e-3, "largest_reward": 5.0},
    }


def case_1d() -> dict[str, Any]:
    """20 + 20 hidden runs and 3 + 3 for practice, in an order that says nothing."""

    def drawn(seed: int, n: int) -> list[dict]:
        both = [
            {"outcome": outcome, **stored}
            for pair in imitators.matched_runs(seed, n)
            for stored, outcome in zip(pair, ("healthy", "regressed"))
        ]
        return [both[i] for i in np.random.default_rng(seed + 1).permutation(len(both))]

    hidden = drawn(imitators.FROZEN_SEED, 20)

    def scores(metric) -> list[float]:
        return [float(f"{metric(imitator(stored)):.6g}") for stored in hidden]

    return {
        "part": "1d",
        "title": "a metric on fresh comparisons",
        "points": 2.0,
        "asks_for": "imitation_score",
        "judge": "detection",
        "properties": [
            {"key": "separates", "name": "regressed runs score above healthy ones", "points": 2.0}
        ],
        "full_points_from": 0.9,
        "no_points_up_to": 0.75,
        "misconceptions": [
            {"key": m.key, "message": m.message, "variants": [scores(v) for v in m.variants]}
            for m in exercise1.MISCONCEPTIONS_1D
        ],
        "upside_down": exercise1.UPSIDE_DOWN,
        "practice": drawn(imitators.PRACTICE_SEED, 3),
        "runs": hidden,
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 1a to 1d."""
    wrong = [
        dataclasses.replace(m, variants=tuple(in_any_order(v) for v in m.variants))
        for m in exercise1.MISCONCEPTIONS_1A
    ]
    reference = in_any_order(exercise1.comparisons)
    records = function_case(
        "1a", "comparisons from ratings", reference, inputs_1a(), PROPERTIES_1A, wrong
    )
    return {
        "1a": {**records, "judge": "unordered"},
        "1b": function_case(
            "1b",
            "learning from choices",
            exercise1.choice_loss,
            inputs_1b(),
            PROPERTIES_1B,
            exercise1.MISCONCEPTIONS_1B,
            differentiable=("logits",),
        ),
        "1c": case_1c(),
        "1d": case_1d(),
    }
