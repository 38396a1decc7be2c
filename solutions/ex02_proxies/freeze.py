"""The frozen cases of exercise 2: inputs, properties, the world of 2c and hidden systems."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex02_proxies import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape, rows_sum_to_one


def inputs_2a() -> dict[str, Inputs]:
    """Scores and slices of pairs by name of the probe."""
    rng = np.random.default_rng(21)

    def given(
        chosen: list, rejected: list, slices: list, n_slices: int, dtype: str = "float64"
    ) -> Inputs:
        return {
            "chosen": np.array(chosen, dtype=dtype),
            "rejected": np.array(rejected, dtype=dtype),
            "slices": np.array(slices),
            "n_slices": n_slices,
        }

    drawn = rng.integers(0, 5, size=(2, 24)) / 2
    names = rng.choice(4, 24, p=[0.6, 0.2, 0.1, 0.1])
    inf, nan = np.inf, np.nan
    found = {
        "three pairs": given([2, 1, 0.5], [1, 3, 0], [0, 0, 0], 1),
        "five pairs": given([2, 0.1, 0.2, 5, -1], [1, 0, 0.7, 4, -2], [0, 0, 0, 0, 0], 1),
        "a tie": given([2, 1, 0], [1, 1, 3], [0, 0, 0], 1),
        "ties": given([2, 1, 0, 4, 5, 5], [2, 1, 3, 4, 0, 1], [0] * 6, 1),
        "nearly a tie": given([2, 1.000001, 0], [1, 1, 3], [0, 0, 0], 1),
        "two slices": given([2, 1, 0, 4, 0.5], [1, 0.5, 3, 4, 1], [0, 0, 0, 0, 1], 2),
        "three slices": given(
            [2, 1, 0, 4, 0.5, 3], [1, 0.5, 3, 3, 1, 1], [1, 0, 0, 0, 2, 0], 3
        ),  # and no tie
        "four slices, float32": given(drawn[0], drawn[1], names, 4, "float32"),
        "both infinite": given([inf, -inf, 1], [inf, -inf, 2], [0, 0, 0], 1),
        "infinite": given(
            [inf, -inf, 0, 1, inf, 3], [inf, -inf, -inf, -inf, 2, 3], [0, 0, 1, 1, 0, 0], 2
        ),
        "NaN in chosen": given([2, nan, 0, 1], [1, 0.5, 3, 1], [0, 0, 1, 1], 2),
        "NaN in rejected": given([2, 1, 0, 1], [nan, 0.5, 3, 1], [0, 0, 1, 1], 2),
        "an empty slice": given([2, 1, 0, 4], [1, 0.5, 3, 4], [0, 2, 2, 0], 3),
        "the last slice empty": given([2, 1, 0, 4], [1, 0.5, 3, 4], [0, 1, 1, 0], 3),
    }
    base = found["four slices, float32"]
    found["stretched"] = {
        **base,
        "chosen": base["chosen"] ** 3 - 7,
        "rejected": base["rejected"] ** 3 - 7,
    }
    return found


SHAPE_2A = Shape(
    {"chosen": "B", "rejected": "B", "slices": "B"},
    ids={"slices": ("S",)},
    lengths={"n_slices": "S"},
    free="B",
)


PROPERTIES_2A = [
    prop("one", "one slice", 0.3, "expected", ["three pairs", "five pairs"], values=True),
    prop(
        "ties",
        "ties count one half, and nothing else does",
        0.3,
        "expected",
        ["a tie", "nearly a tie", "ties"],
        values=True,
    ),
    prop(
        "slices",
        "slices of different size and their mean, float32",
        0.5,
        "expected",
        ["two slices", "three slices", "four slices, float32"],
        values=True,
    ),
    prop(
        "infinite",
        "infinite scores can be compared",
        0.1,
        "expected",
        ["both infinite", "infinite"],
    ),
    prop("nan", "NaN raises ValueError", 0.3, "raises", ["NaN in chosen", "NaN in rejected"]),
    prop(
        "empty",
        "a slice without pairs raises ValueError",
        0.3,
        "raises",
        ["an empty slice", "the last slice empty"],
    ),
    prop(
        "stretched",
        "only the order of scores counts",
        0.1,
        "same",
        [("stretched", "four slices, float32")],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def inputs_2b() -> dict[str, Inputs]:
    """A reference's probabilities, proxy scores, gold rewards and n, by name of the probe."""

    def given(ref: list, proxy: list, gold: list, n: int, dtype: str = "float64") -> Inputs:
        ref, proxy, gold = (np.array(x, dtype=dtype) for x in (ref, proxy, gold))
        return {"ref": ref, "proxy": proxy, "gold": gold, "n": n}

    rng = np.random.default_rng(22)
    ref = (rng.dirichlet(np.full(9, 0.7)) + 0.01).round(3)
    ref[0] += 1 - ref.sum()
    found = {
        "two responses": given([0.8, 0.2], [0, 1], [1, 5], 2),
        "three responses": given([0.5, 0.3, 0.2], [2, 0, 1], [-1, 1, 3], 3),
        "six responses, float32": given(
            [0.3, 0.25, 0.2, 0.15, 0.05, 0.05],
            [1, 4, 2, 6, 5, 3],
            [0, 1, 2, -3, 5, 1],
            4,
            "float32",
        ),
        "nearly tied": given([0.5, 0.3, 0.2], [0, 1, 1.000001], [0, 1, 4], 2),
        "two tied": given([0.5, 0.3, 0.2], [0, 1, 1], [0, 1, 4], 2),
        "two groups": given([0.1, 0.3, 0.2, 0.15, 0.25], [3, 1, 3, 1, 2], [2, -1, 5, 4, 0], 3),
        "nine with ties": given(ref, [1, 2, 2, 0, 3, 3, 3, 1, 0], rng.normal(size=9).round(1), 8),
        "one draw": given([0.5, 0.3, 0.2], [0, 1, 1], [0, 1, 4], 1),
        "10000 draws of a rare best": given([0.6999, 0.3, 0.0001], [0, 1, 2], [0, 1, -7], 10_000),
        "never said": given([0.5, 0.0, 0.3, 0.2, 0.0], [0, 9, 1, 2, 1], [0, -50, 1, 4, 60], 3),
    }
    base, order = found["nine with ties"], [4, 0, 8, 6, 1, 3, 7, 5, 2]
    found["another order"] = {
        **base,
        **{name: base[name][order] for name in ("ref", "proxy", "gold")},
    }
    found["another scale"] = {**base, "proxy": np.exp(2 * base["proxy"]) - 30}
    return found


SHAPE_2B = Shape(
    {"ref": "K", "proxy": "K", "gold": "K"},
    least={"K": 2},
    free="K",
    stay=("ref", "n"),
    tidy=lambda given: rows_sum_to_one(given, "ref"),
)


PROPERTIES_2B = [
    prop(
        "distinct",
        "scores that all differ",
        0.8,
        "expected",
        ["two responses", "three responses", "nearly tied", "six responses, float32"],
        values=True,
    ),
    prop(
        "ties",
        "scores with ties",
        0.8,
        "expected",
        ["two tied", "two groups", "nine with ties"],
        values=True,
    ),
    prop("one_draw", "n = 1 selects nothing", 0.3, "expected", ["one draw"]),
    prop("many", "10 000 draws and a rare best", 0.4, "expected", ["10000 draws of a rare best"]),
    prop("never_said", "responses that the reference never says", 0.2, "expected", ["never said"]),
    prop(
        "order",
        "the order of the table does not matter",
        0.2,
        "same",
        [("another order", "nine with ties")],
    ),
    prop(
        "scale",
        "the proxy's scale does not matter",
        0.2,
        "same",
        [("another scale", "nine with ties")],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_2c() -> dict[str, Any]:
    """The world that both proxies score, and the thresholds."""

    rng = np.random.default_rng(23)
    ref = (0.02 + 0.6 * rng.dirichlet(np.full(20, 3.0))).round(3)
    ref[0] += 1 - ref.sum()
    gold = np.linspace(-2, 2, 20).round(1)[rng.permutation(20)]
    return {
        "part": "2c",
        "title": "two proxies of one accuracy",
        "points": 3.0,
        "asks_for": "proxy_examples",
        "properties": [
            side(
                "safe",
                "safe: accuracy 0.9 or more, and the best of 64 gains at least 0.5 gold",
                "safe",
                "20 scores that help selection",
            ),
            side(
                "unsafe",
                "unsafe: accuracy 0.9 or more, and the best of 64 loses at least 0.5 gold",
                "unsafe",
                "20 scores that harm selection",
            ),
            side(
                "equal",
                "the two accuracies are equal within 0.01",
                "safe and unsafe",
                "two proxies of one accuracy",
                waits_for=["safe", "unsafe"],
            ),
        ],
        "thresholds": {"accuracy": 0.9, "margin": 0.5, "equal": 0.01},
        "world": {"ref": [float(f"{p:.3f}") for p in ref], "gold": gold.tolist()},
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 2a to 2d."""
    return {
        "2a": function_case(
            "2a",
            "accuracy by slice",
            answers.slice_accuracies,
            inputs_2a(),
            PROPERTIES_2A,
            mistakes.MISTAKES["2a"],
            SHAPE_2A,
        ),
        "2b": function_case(
            "2b",
            "what selection by a proxy is worth",
            answers.best_of_n_gold,
            inputs_2b(),
            PROPERTIES_2B,
            mistakes.MISTAKES["2b"],
            SHAPE_2B,
        ),
        "2c": case_2c(),
        "2d": metric_case(
            "2d",
            "which proxy is wrong where it selects?",
            "suspicion",
            "regressed proxies score above healthy ones",
            points_from=0.8,
            full_from=0.95,
            wrong=(),
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            each="system",
            habits=mistakes.HABITS_2D,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "accuracy on random labels (smaller = worse)": hidden_runs.random_accuracy,
    "correlation with gold on random labels (smaller = worse)": hidden_runs.random_correlation,
    "worst overestimate among random labels": hidden_runs.random_overestimate,
    "mean gold of the best-scored only (smaller = worse)": hidden_runs.tail_gold,
    "reference answer": answers.suspicion,
}
