"""The frozen cases of exercise 1: inputs, properties, bounds and hidden runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex01_choices import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape

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
    found["small steps"] = given([[0.03, 0.01, 0.04]])
    found["other scales"] = given(np.array([[0.01], [10.0], [100.0], [2.0]]) * drawn**3 - 40)
    return found


SHAPE_1A = Shape({"ratings": "AK"}, least={"K": 2}, free="K")


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
        [("small steps", "three responses"), ("other scales", "four annotators")],
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


def in_domain_1b(given: Inputs) -> Inputs | None:
    """At least one comparison, β > 0."""
    return given if given["wins"].any() and given["beta"] > 0 else None


SHAPE_1B = Shape(
    {"logits": "BK", "ref_logits": "BK", "wins": "BKK"}, least={"K": 2}, tidy=in_domain_1b
)


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

    lowered = "a worse generator, and a policy that imitation lowers although learning raises it"
    return {
        "part": "1c",
        "title": "a safe example and an unsafe one",
        "points": 3.0,
        "asks_for": "generator_examples",
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


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 1a to 1d."""
    return {
        "1a": function_case(
            "1a",
            "comparisons from ratings",
            answers.comparisons,
            inputs_1a(),
            PROPERTIES_1A,
            mistakes.MISTAKES["1a"],
            SHAPE_1A,
            rows=True,
        ),
        "1b": function_case(
            "1b",
            "learning from choices",
            answers.choice_loss,
            inputs_1b(),
            PROPERTIES_1B,
            mistakes.MISTAKES["1b"],
            SHAPE_1B,
            differentiable=("logits",),
        ),
        "1c": case_1c(),
        "1d": metric_case(
            "1d",
            "a metric on fresh comparisons",
            "imitation_score",
            "regressed runs score above healthy ones",
            points_from=0.75,
            full_from=0.9,
            wrong=mistakes.MISTAKES["1d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            blind_to=mistakes.BLIND_1D,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "likelihood of the chosen responses (smaller = worse)": lambda run: (
        -hidden_runs.chosen_likelihood(run)
    ),
    "its gain over the reference (smaller = worse)": lambda run: -hidden_runs.chosen_gain(run),
    "margin of chosen over rejected (smaller = worse)": lambda run: -hidden_runs.margin(run),
    "share of comparisons with the policy's answer first": hidden_runs.first_share,
    "plain win rate against the reference (smaller = worse)": lambda run: (
        -hidden_runs.win_rate(run)
    ),
    "reference answer": answers.imitation_score,
}
