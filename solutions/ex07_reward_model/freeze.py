"""The frozen cases of exercise 7: inputs, properties, thresholds and hidden reward models."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex07_reward_model import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape


def inputs_7a() -> dict[str, Inputs]:
    """Rewards, prompts and graded comparisons by name of the probe."""
    rng = np.random.default_rng(71)

    def given(
        rewards: list, prompts: list, shown: list[tuple[int, int, int]], dtype: str = "float64"
    ) -> Inputs:
        first, second, grades = np.array(shown, dtype=np.int64).reshape(-1, 3).T.copy()
        return {
            "rewards": np.array(rewards, dtype=dtype),
            "prompts": np.array(prompts),
            "first": first,
            "second": second,
            "grades": grades,
        }

    rewards, prompts = rng.normal(size=9).round(1), [0, 2, 1, 0, 2, 0, 2, 1, 2]
    alike = [(i, j) for i in range(9) for j in range(9) if i != j and prompts[i] == prompts[j]]
    drawn = [
        (*alike[k], int(grade))
        for k, grade in zip(rng.integers(len(alike), size=22), rng.integers(-2, 3, 22))
    ]
    found = {
        "one comparison": given([1.5, 0.0], [0, 0], [(0, 1, 2)]),
        "the second wins": given([0.5, 2.0], [0, 0], [(0, 1, -2)]),
        "shown in the other order": given([0.5, 2.0], [0, 0], [(1, 0, 2)]),
        "a tie": given([0.5, 2.0], [0, 0], [(0, 1, 0)]),
        "slightly": given([0.5, 2.0, -1.0], [0, 0, 0], [(0, 1, 1), (2, 1, -1)]),
        "every grade": given(
            [0.5, 2.0, -1.0, 3.0, 0.0],
            [0, 0, 0, 0, 0],
            [(0, 1, 2), (2, 0, 1), (0, 3, 0), (1, 3, -1), (4, 2, -2)],
        ),
        "one pair three times": given([0.5, 2.0], [0, 0], [(0, 1, 2), (1, 0, -1), (1, 0, 2)]),
        "two prompts": given(
            [0.5, 2.0, -1.0, 4.0],
            [0, 1, 0, 1],
            [(0, 2, 1), (3, 1, 2), (2, 0, -2), (1, 3, 1), (1, 3, -2)],
        ),
        "three prompts, float32": given(rewards, prompts, drawn, "float32"),
        "nothing compared": given([0.5, 2.0], [0, 0], []),
        "across prompts": given([0.5, 2.0, 1.0], [0, 0, 1], [(0, 1, 2), (2, 1, 1)]),
        "with itself": given([0.5, 2.0, 1.0], [0, 0, 1], [(0, 1, 2), (2, 2, 0)]),
    }
    base = found["two prompts"]
    found["shown the other way round"] = {
        **base,
        "first": base["second"],
        "second": base["first"],
        "grades": -base["grades"],
    }
    found["a constant added to each prompt"] = {
        **base,
        "rewards": base["rewards"] + 7.0 - 10.0 * base["prompts"],
    }
    return found


SHAPE_7A = Shape(
    {"rewards": "N", "prompts": "N", "first": "B", "second": "B", "grades": "B"},
    ids={"first": ("N",), "second": ("N",)},
    least={"N": 2},
    free="NB",
)


PROPERTIES_7A = [
    prop(
        "one",
        "one comparison, in either order",
        0.3,
        "expected",
        ["one comparison", "the second wins", "shown in the other order"],
        values=True,
    ),
    prop(
        "grades",
        "grades and ties",
        0.4,
        "expected",
        ["a tie", "slightly", "every grade"],
        values=True,
    ),
    prop(
        "repeated",
        "pairs that were compared several times, prompts, float32",
        0.4,
        "expected",
        ["one pair three times", "two prompts", "three prompts, float32"],
        values=True,
    ),
    prop(
        "turned",
        "the order on the screen does not matter",
        0.2,
        "same",
        [("shown the other way round", "two prompts")],
    ),
    prop(
        "constants",
        "a constant added to all rewards of a prompt changes nothing",
        0.2,
        "same",
        [("a constant added to each prompt", "two prompts")],
    ),
    prop("across", "responses to different prompts: ValueError", 0.2, "raises", ["across prompts"]),
    prop("itself", "a response against itself: ValueError", 0.1, "raises", ["with itself"]),
    prop("nothing", "no comparisons: no rows", 0.1, "expected", ["nothing compared"]),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def inputs_7b() -> dict[str, Inputs]:
    """Rewards, prompts and the labelled pairs of a table, by name of the probe."""
    rng = np.random.default_rng(72)

    def given(
        rewards: list,
        prompts: list,
        rows: list[tuple],
        centring: float = 0.0,
        dtype: str = "float64",
    ) -> Inputs:
        pairs = np.array([row[:2] for row in rows])
        labels, counts = np.array([row[2:] for row in rows], dtype=dtype).T.copy()
        return {
            "rewards": np.array(rewards, dtype=dtype),
            "prompts": np.array(prompts),
            "pairs": pairs,
            "labels": labels,
            "counts": counts,
            "centring": centring,
        }

    prompts = [0, 1, 0, 2, 1, 0, 2, 0, 3, 3]
    alike = [(i, j) for i in range(10) for j in range(i + 1, 10) if prompts[i] == prompts[j]]
    rows = [
        (i, j, label, count)
        for (i, j), label, count in zip(
            alike,
            rng.uniform(0.1, 0.9, size=len(alike)).round(2),
            rng.integers(1, 9, size=len(alike)),
        )
    ]
    several = [(0, 1, 0.75, 1), (0, 2, 0.9, 4), (1, 2, 0.5, 3)]
    found = {
        "one pair": given([1.0, 0.0], [0, 0], [(0, 1, 0.75, 1)]),
        "one pair, ranked wrongly": given([-0.5, 1.5], [0, 0], [(0, 1, 0.6, 1)]),
        "two pairs of one prompt": given([1.0, 0.5, -1.0], [0, 0, 0], several[:2]),
        "three pairs of one prompt": given([1.0, 0.5, -1.0], [0, 0, 0], several),
        "six pairs of one prompt": given(
            [1.0, 0.5, -1.0, 2.0],
            [0] * 4,
            [*several, (0, 3, 0.25, 9), (1, 3, 0.4, 1), (2, 3, 0.2, 1)],
        ),
        "two prompts": given(
            [1.0, 0.5, -1.0, 0.3, 1.0], [0, 0, 0, 1, 1], [*several, (3, 4, 0.8, 2)]
        ),
        "two prompts of one pair": given(
            [1.0, 0.0, 0.5, 0.0], [0, 0, 1, 1], [(0, 1, 0.25, 1), (2, 3, 0.8, 3)]
        ),
        "two prompts, in turn": given(
            [1.0, 0.0, -1.0, 0.0, 0.0, 2.0],
            [0, 1, 0, 1, 0, 1],
            [(0, 2, 0.75, 1), (1, 3, 0.5, 4), (0, 4, 0.5, 1), (1, 5, 0.9, 2)],
        ),
        "four prompts, float32": given(
            rng.normal(size=10).round(1), prompts, rows, dtype="float32"
        ),
        "centred, one pair": given([3.0, 2.0], [0, 0], [(0, 1, 0.75, 1)], 0.1),
        "centred, two prompts of one pair": given(
            [3.0, 1.0, -1.0, 2.0], [0, 0, 1, 1], [(0, 1, 0.75, 1), (2, 3, 0.25, 3)], 0.5
        ),
        "centred, one response in two pairs": given(
            [4.0, 1.0, 1.0], [0, 0, 0], [(0, 1, 0.75, 1), (0, 2, 0.75, 3)], 0.5
        ),
        "centred, one response in no pair": given(
            [4.0, 1.0, 1.0, -6.0], [0] * 4, [(0, 1, 0.75, 1), (0, 2, 0.75, 3)], 0.5
        ),
        "centred, prompts in turn": given(
            [2.0, 1.0, 0.0, 4.0, -1.0],
            [0, 0, 1, 0, 1],
            [(0, 1, 0.75, 1), (2, 4, 0.75, 1), (0, 3, 0.5, 2)],
            0.5,
        ),
        "centred, one prompt": given([2.0, 1.0, 0.0], [0, 0, 0], several, 0.1),
        "centred, two prompts": given(
            [2.0, 1.5, 0.0, -0.7, 0.0], [0, 0, 0, 1, 1], [*several, (3, 4, 0.8, 2)], 0.5
        ),
        "labels of 0 and 1": given(
            [1.0, 0.5, -1.0], [0, 0, 0], [(0, 1, 1, 2), (0, 2, 0, 1), (1, 2, 0.5, 1)]
        ),
        "a margin of 10000": given([1e4, 0.0], [0, 0], [(0, 1, 0.25, 1)]),
        "a margin of −10000": given([0.0, 1e4], [0, 0], [(0, 1, 0.25, 1)]),
        "margins of both signs": given(
            [1e4, 0.0, 2.0, -2.0, 1e4],
            [0, 0, 0, 1, 1],
            [(0, 1, 0.25, 1), (1, 2, 0.75, 2), (0, 2, 0.9, 1), (3, 4, 0.6, 1)],
        ),
    }
    base = found["two prompts"]
    found["forecasts that equal the labels"] = given(
        [np.log(3), 0.0, 0.0, np.log(4)], [0, 0, 1, 1], [(0, 1, 0.75, 2), (2, 3, 0.2, 5)]
    )
    found["a constant added to each prompt"] = {
        **base,
        "rewards": base["rewards"] + 3.0 - 8.0 * base["prompts"],
    }
    found["pairs turned"] = {
        **base,
        "pairs": base["pairs"][:, ::-1].copy(),
        "labels": 1 - base["labels"],
    }
    found["twice as many of everything"] = {**base, "counts": 2 * base["counts"]}
    return found


def in_domain_7b(given: Inputs) -> Inputs | None:
    """Different pairs of two responses to one prompt, prompts 0, 1, …, each with a pair; counts, centring as asked."""
    prompts, place = np.unique(given["prompts"], return_inverse=True)
    of = place[given["pairs"]]
    holds = (
        (of[:, 0] == of[:, 1]).all()
        and (given["pairs"][:, 0] != given["pairs"][:, 1]).all()
        and len({tuple(sorted(pair)) for pair in given["pairs"].tolist()}) == len(of)
        and set(of[:, 0].tolist()) == set(range(len(prompts)))
        and (given["counts"] >= 1).all()
        and given["centring"] >= 0
    )
    return {**given, "prompts": place} if holds else None


SHAPE_7B = Shape(
    {"rewards": "N", "prompts": "N", "pairs": "C.", "labels": "C", "counts": "C"},
    ids={"pairs": ("N", "N")},
    least={"N": 2},
    free="N",
    stay=("labels",),
    tidy=in_domain_7b,
)


PROPERTIES_7B = [
    prop("one", "one pair", 0.3, "expected", ["one pair", "one pair, ranked wrongly"], values=True),
    prop(
        "several",
        "several pairs of one prompt",
        0.4,
        "expected",
        ["two pairs of one prompt", "three pairs of one prompt", "six pairs of one prompt"],
        values=True,
    ),
    prop(
        "prompts",
        "prompts weigh alike, float32",
        0.5,
        "expected",
        ["two prompts of one pair", "two prompts", "two prompts, in turn", "four prompts, float32"],
        values=True,
    ),
    prop(
        "centring",
        "the centring term",
        0.4,
        "expected",
        [
            "centred, one pair",
            "centred, two prompts of one pair",
            "centred, one response in two pairs",
            "centred, one response in no pair",
            "centred, prompts in turn",
            "centred, one prompt",
            "centred, two prompts",
        ],
        values=True,
    ),
    prop(
        "zero",
        "0 where every forecast equals its label",
        0.1,
        "expected",
        ["forecasts that equal the labels"],
    ),
    prop(
        "same",
        "prompts' constants (without centring), turned pairs and doubled counts change nothing",
        0.2,
        "same",
        [
            ("a constant added to each prompt", "two prompts"),
            ("pairs turned", "two prompts"),
            ("twice as many of everything", "two prompts"),
        ],
    ),
    prop(
        "gradient",
        "the gradient in the rewards",
        0.4,
        "expected",
        [
            ("one pair", "rewards"),
            ("centred, one pair", "rewards"),
            ("centred, two prompts", "rewards"),
        ],
    ),
    prop(
        "certain",
        "finite and right for labels of 0 and 1, gradient too",
        0.3,
        "expected",
        ["labels of 0 and 1", ("labels of 0 and 1", "rewards")],
    ),
    prop(
        "extreme",
        "finite and right at margins of ±10⁴, gradient too",
        0.3,
        "expected",
        [
            "a margin of 10000",
            "a margin of −10000",
            ("a margin of 10000", "rewards"),
            "margins of both signs",
            ("margins of both signs", "rewards"),
        ],
        slack=100,
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_7c() -> dict[str, Any]:
    """No values to freeze: points and thresholds of the effects."""

    return {
        "part": "7c",
        "title": "one temperature for two slices",
        "points": 3.0,
        "asks_for": "slice_examples",
        "properties": [
            side(
                "safe",
                "safe: too sure by 0.1 or more, and one temperature repairs both slices",
                "safe",
                "pairs of two slices that one temperature repairs",
            ),
            side(
                "unsafe_slice",
                "unsafe: too sure by 0.2 or more on the risky slice",
                "unsafe",
                "pairs of two slices, the risky one overconfident",
            ),
            side(
                "unsafe_unseen",
                "unsafe: on all pairs ECE, temperature and accuracy look well",
                "safe and unsafe",
                "two examples of equal accuracy",
                waits_for=["safe", "unsafe_slice"],
            ),
        ],
        "thresholds": {
            "too_sure_before": 0.1,
            "ece": 0.02,
            "too_sure": 0.2,
            "temperature": [0.95, 1.05],
            "accuracy": 0.7,
            "equal": 0.01,
        },
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 7a to 7d."""
    return {
        "7a": function_case(
            "7a",
            "a table of graded pairs",
            answers.pair_table,
            inputs_7a(),
            PROPERTIES_7A,
            mistakes.MISTAKES["7a"],
            SHAPE_7A,
            rows=True,
        ),
        "7b": function_case(
            "7b",
            "a loss that can reach 0",
            answers.excess_loss,
            inputs_7b(),
            PROPERTIES_7B,
            mistakes.MISTAKES["7b"],
            SHAPE_7B,
            differentiable=("rewards",),
        ),
        "7c": case_7c(),
        "7d": metric_case(
            "7d",
            "which reward model is too sure?",
            "slice_overconfidence",
            "overconfident models score above healthy ones",
            points_from=0.86,
            full_from=0.96,
            wrong=mistakes.MISTAKES["7d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            each="model",
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "accuracy (smaller = worse)": hidden_runs.accuracy,
    "mean confidence": hidden_runs.mean_confidence,
    "mean confidence minus accuracy": hidden_runs.overall_gap,
    "log loss": hidden_runs.log_loss,
    "ECE of the pairs as stored": hidden_runs.chosen_first_ece,
    "ECE of the turned pairs": hidden_runs.overall_ece,
    "temperature fitted on all pairs": hidden_runs.overall_temperature,
    "smallest accuracy of a slice": hidden_runs.least_slice_accuracy,
    "largest log loss of a slice": hidden_runs.largest_slice_loss,
    "largest ECE of a slice": hidden_runs.largest_slice_ece,
    "largest margin on the wrong side": hidden_runs.surest_mistake,
    "reference answer": answers.slice_overconfidence,
    "reference answer, weighted by margin": answers.sharper_overconfidence,
}
