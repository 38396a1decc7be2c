"""The frozen cases of exercise 3: inputs, properties, bounds and hidden runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from solutions.ex03_kl_budget import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape, rows_sum_to_one

ACCEPTED = 1e-4  # nats by which the spent KL may miss the budget in 3b


def inputs_3a() -> dict[str, Inputs]:
    """Reference (rows sum to 1), rewards and β by name of the probe; few decimals, so that a reader can follow."""
    rng = np.random.default_rng(31)

    def made(ref, rewards, beta: float, dtype: str = "float64") -> Inputs:
        return {
            "ref": np.array(ref, dtype=dtype),
            "rewards": np.array(rewards, dtype=dtype),
            "beta": beta,
        }

    found = {
        "one prompt, two responses": made([[0.75, 0.25]], [[0.0, 1.0]], 0.5),
        "one prompt": made([[0.5, 0.3, 0.2]], [[0.0, 1.0, 2.0]], 0.5),
        "two prompts": made(
            [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]], 2.0
        ),
        "four prompts, float32": made(
            _rows(rng, 4, 5), rng.normal(size=(4, 5)).round(1), 0.5, "float32"
        ),
    }
    base = found["two prompts"]
    found["a constant added to each row"] = {
        **base,
        "rewards": base["rewards"] + np.array([[3.0], [-5.0]]),
    }
    found["never said"] = made(
        [[0.0, 0.6, 0.4], [0.5, 0.5, 0.0]], [[20.0, 0.0, 1.0], [1.0, 0.0, -20.0]], 0.5
    )
    # 800 nats above the others: out of reach, and no exponential of a reward overflows
    found["never said, far above"] = made([[0.0, 0.6, 0.4]], [[300.0, -100.0, -99.0]], 0.5)
    found["driven to 0"] = made([[0.5, 0.3, 0.2]], [[0.0, -1e4, -1.0]], 1.0)
    found["r/β of ±10000"] = made(
        [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [[1e4, 9999.0, 10001.0], [-1e4, -9999.0, -10001.0]], 1.0
    )
    return found


def _rows(rng: np.random.Generator, P: int, K: int) -> np.ndarray:
    """Rows of hundredths that sum to 1, none of them 0."""
    rows = (10 + rng.multinomial(100 - 10 * K, np.full(K, 1 / K), size=P)) / 100
    return rows.round(2)


def in_domain_3a(given: Inputs) -> Inputs | None:
    """Rows of probabilities, β > 0."""
    return rows_sum_to_one(given, "ref") if given["beta"] > 0 else None


SHAPE_3A = Shape(
    {"ref": "PK", "rewards": "PK"}, least={"K": 2}, free="K", stay=("ref",), tidy=in_domain_3a
)


PROPERTIES_3A = [
    prop(
        "policy",
        "the optimal policy, each row summing to 1",
        0.6,
        "expected",
        [
            (name, "policy")
            for name in (
                "one prompt, two responses",
                "one prompt",
                "two prompts",
                "four prompts, float32",
            )
        ],
        values=True,
    ),
    prop(
        "kl",
        "KL(π‖π_ref) of each prompt, in nats",
        0.5,
        "expected",
        [
            (name, "kl")
            for name in (
                "one prompt, two responses",
                "one prompt",
                "two prompts",
                "four prompts, float32",
            )
        ],
        values=True,
    ),
    prop(
        "constants",
        "a constant added to all rewards of a prompt changes nothing",
        0.2,
        "same",
        [("a constant added to each row", "two prompts", name) for name in ("policy", "kl")],
    ),
    prop(
        "support",
        "what the reference never says stays at 0, whatever its reward",
        0.2,
        "expected",
        [("never said", "policy"), ("never said, far above", "policy")],
    ),
    prop(
        "zeros",
        "KL is right where probabilities are 0",
        0.2,
        "expected",
        [("never said", "kl"), ("driven to 0", "kl")],
    ),
    prop(
        "extreme",
        "finite and right for r/β of ±10⁴",
        0.2,
        "expected",
        [("r/β of ±10000", "policy"), ("r/β of ±10000", "kl")],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def inputs_3b() -> dict[str, Inputs]:
    """Reference, rewards and budget by name of the probe; prompts differ in how much reward tells responses apart."""
    rng = np.random.default_rng(32)

    def made(ref, rewards, budget: float, dtype: str = "float64") -> Inputs:
        return {
            "ref": np.array(ref, dtype=dtype),
            "rewards": np.array(rewards, dtype=dtype),
            "budget": budget,
        }

    found = {
        "one prompt, two responses": made([[0.75, 0.25]], [[0.0, 1.0]], 0.5),
        "one prompt": made([[0.5, 0.3, 0.2]], [[0.0, 1.0, 3.0]], 0.6),
        "two prompts": made(
            [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]], [[1.0, 0.0, 0.5], [0.0, 6.0, 0.0]], 0.5
        ),
        "three prompts": made(
            [[0.4, 0.4, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]],
            [[0.0, 1.0, 2.0, 3.0], [0.0, 0.2, 0.1, 0.3], [0.0, 4.0, -8.0, 8.0]],
            0.8,
        ),
    }
    ref, spreads = _rows(rng, 5, 4), [[0.3], [1], [1], [4], [8]]
    found["five prompts, float32"] = made(
        ref, (rng.normal(size=(5, 4)) * spreads).round(1), 0.4, "float32"
    )
    base = found["three prompts"]
    largest = answers.largest_budget(torch.tensor(base["ref"]), torch.tensor(base["rewards"]))
    found["a small budget"] = {**base, "budget": 0.002}
    found["nearly the largest budget"] = {**base, "budget": round(0.98 * largest, 3)}
    found["rewards × 10000"] = {**base, "rewards": base["rewards"] * 10_000}
    found["rewards / 10000"] = {**base, "rewards": base["rewards"] / 10_000}
    found["a constant added to each row"] = {
        **base,
        "rewards": base["rewards"] + np.array([[7.0], [-2.0], [40.0]]),
    }
    found["budget 0"] = {**base, "budget": 0.0}
    pair = [[0.75, 0.25]], [[0.0, 1.0]]
    found["more than the largest"] = made(*pair, 1.5)
    found["the best is not the rarest"] = made([[0.5, 0.3, 0.2]], [[0.0, 3.0, 1.0]], 1.4)
    found["more than the largest on average"] = made(
        [[0.5, 0.5], [0.9, 0.1]], [[0.0, 1.0], [0.0, 1.0]], 1.8
    )
    found["two best responses"] = made([[0.5, 0.3, 0.2]], [[1.0, 3.0, 3.0]], 1.0)
    found["the best is never said"] = made([[0.0, 0.6, 0.4]], [[9.0, 0.0, 1.0]], 1.0)
    found["budget -1"] = made(*pair, -1.0)
    found["budget NaN"] = {**made(*pair, 0.0), "budget": np.array(math.nan)}
    return found


SHAPE_3B = Shape(
    {"ref": "PK", "rewards": "PK"},
    least={"K": 2},
    free="K",
    stay=("ref",),
    tidy=lambda given: rows_sum_to_one(given, "ref"),
)


PROPERTIES_3B = [
    prop(
        "one",
        "one prompt",
        0.6,
        "expected",
        ["one prompt, two responses", "one prompt"],
        values=True,
        slack=20,
    ),
    prop(
        "several",
        "several prompts share one β and the budget, float32",
        0.9,
        "expected",
        ["two prompts", "three prompts", "five prompts, float32"],
        values=True,
        slack=20,
    ),
    prop(
        "range",
        "budgets from small to nearly the largest",
        0.3,
        "expected",
        ["a small budget", "nearly the largest budget"],
        slack=20,
    ),
    prop(
        "units",
        "rewards in any unit",
        0.1,
        "expected",
        ["rewards × 10000", "rewards / 10000"],
        slack=20,
    ),
    prop(
        "constants",
        "a constant added to all rewards of a prompt changes nothing",
        0.2,
        "same",
        [("a constant added to each row", "three prompts")],
        slack=20,
    ),
    prop("zero", "budget 0: infinity", 0.2, "expected", ["budget 0"]),
    prop(
        "too_much",
        "a budget above the largest possible raises ValueError",
        0.1,
        "raises",
        ["more than the largest", "the best is not the rarest"],
    ),
    prop(
        "average",
        "… so does one that is too large on average over prompts",
        0.1,
        "raises",
        ["more than the largest on average"],
    ),
    prop("tied", "… or where two responses are best", 0.1, "raises", ["two best responses"]),
    prop(
        "best_unsaid",
        "… or where the reference never says the best one",
        0.1,
        "raises",
        ["the best is never said"],
    ),
    prop(
        "named",
        "the error says what the largest possible budget is",
        0.1,
        "raises",
        [
            "more than the largest",
            "the best is not the rarest",
            "two best responses",
            "the best is never said",
            "more than the largest on average",
        ],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
    # last: a search that widens until the budget is enclosed need not end here
    prop(
        "outside",
        "a budget below 0, or NaN, raises ValueError",
        0.1,
        "raises",
        ["budget NaN", "budget -1"],
    ),
]


def judged_by_kl(spec: dict, given: Inputs) -> dict[str, Any]:
    """The interval of β whose KL is within ``ACCEPTED`` of the budget, or the largest budget. Raises ValueError."""
    ref, rewards = (torch.tensor(given[name]).double() for name in ("ref", "rewards"))
    if spec["key"] == "named":
        return {"mentions": round(answers.largest_budget(ref, rewards), 6)}
    if spec["kind"] != "expected" or not given["budget"] > 0:
        return {}
    ends = [answers.beta_for_budget(ref, rewards, given["budget"] + s * ACCEPTED) for s in (1, -1)]
    return {"within": [float(f"{end:.8g}") for end in ends]}


def case_3b() -> dict[str, Any]:
    """A function like 3a, but any β is right whose KL is."""
    return function_case(
        "3b",
        "the β that spends a budget",
        answers.beta_for_budget,
        inputs_3b(),
        PROPERTIES_3B,
        mistakes.MISTAKES["3b"],
        SHAPE_3B,
        rule=judged_by_kl,
    )


def case_3c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""
    asked = {
        "safe": "a table on which spending the budget raises the mean quality",
        "unsafe": "a table on which spending the budget lowers the mean quality although reward rises",
    }

    return {
        "part": "3c",
        "title": "a safe table and an unsafe one",
        "points": 3.0,
        "asks_for": "table_examples",
        "properties": [
            side("safe", "safe: the mean quality rises by at least 0.2", "safe", asked["safe"]),
            side(
                "unsafe_lowers",
                "unsafe: reward rises, yet the mean quality falls by at least 0.2",
                "unsafe",
                asked["unsafe"],
            ),
            side(
                "unsafe_unseen",
                "unsafe: under the reference, reward and quality correlate by 0.5 or more",
                "unsafe",
                asked["unsafe"],
                waits_for=["unsafe_lowers"],
            ),
        ],
        "quality": answers.QUALITY,
        "budget": 1.0,
        "thresholds": {"change": 0.2, "correlation": 0.5},
        "bounds": {"least_probability": 1e-6, "largest_reward": 1000.0},
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 3a to 3d."""
    return {
        "3a": function_case(
            "3a",
            "the shifted policy and its KL",
            answers.shift,
            inputs_3a(),
            PROPERTIES_3A,
            mistakes.MISTAKES["3a"],
            SHAPE_3A,
            returns=("policy", "kl"),
        ),
        "3b": case_3b(),
        "3c": case_3c(),
        "3d": metric_case(
            "3d",
            "a metric on samples",
            "flag",
            "regressed runs score above healthy ones",
            points_from=0.75,
            full_from=0.85,
            wrong=mistakes.MISTAKES["3d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            blind_to=mistakes.BLIND_3D,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "fall of the mean reward": hidden_runs.mean_reward,
    "estimate of KL(π‖π_ref)": hidden_runs.kl_estimate,
    "share of policy samples that the reference's do not contain": hidden_runs.unfamiliar,
    "share of policy samples that the judge calls harmful": hidden_runs.judged_alone,
    "reference answer": answers.flag,
    "reference answer, weighted by log-ratio": answers.weighted_flag,
}
