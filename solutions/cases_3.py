"""The frozen cases of exercise 3: inputs, properties, bounds and hidden runs, for ``build.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from solutions import exercise3, shifts
from solutions.casework import Inputs, function_case, prop

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
    found["driven to 0"] = made([[0.5, 0.3, 0.2]], [[0.0, -1e4, -1.0]], 1.0)
    found["r/β of ±10000"] = made(
        [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [[1e4, 9999.0, 10001.0], [-1e4, -9999.0, -10001.0]], 1.0
    )
    return found


def _rows(rng: np.random.Generator, P: int, K: int) -> np.ndarray:
    """Rows of hundredths that sum to 1, none of them 0."""
    rows = (10 + rng.multinomial(100 - 10 * K, np.full(K, 1 / K), size=P)) / 100
    return rows.round(2)


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
        [("never said", "policy")],
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
    largest = exercise3.largest_budget(torch.tensor(base["ref"]), torch.tensor(base["rewards"]))
    found["a small budget"] = {**base, "budget": 0.002}
    found["nearly the largest budget"] = {**base, "budget": round(0.98 * largest, 3)}
    found["rewards × 10000"] = {**base, "rewards": base["rewards"] * 10_000}
    found["rewards / 10000"] = {**base, "rewards": base["rewards"] / 10_000}
    found["a constant added to each row"] = {
        **base,
        "rewards": base["rewards"] + np.array([[7.0], [-2.0], [40.0]]),
    }
    found["budget 0"] = {**base, "budget": 0.0}
    found["more than the largest"] = made([[0.5, 0.3, 0.2]], [[0.0, 1.0, 3.0]], 1.8)
    found["two best responses"] = made(
        [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]], [[1.0, 3.0, 3.0], [0.0, 6.0, 0.0]], 1.3
    )
    found["the best is never said"] = made([[0.0, 0.6, 0.4]], [[9.0, 0.0, 1.0]], 1.0)
    return found


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
        0.4,
        "expected",
        ["a small budget", "nearly the largest budget"],
        slack=20,
    ),
    prop(
        "units",
        "rewards in any unit",
        0.2,
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
        0.3,
        "raises",
        ["more than the largest", "two best responses", "the best is never said"],
    ),
    prop(
        "named",
        "the error says what the largest possible budget is",
        0.1,
        "raises",
        ["more than the largest", "two best responses", "the best is never said"],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def _accept_by_kl(properties: list[dict], inputs: dict[str, Inputs]) -> None:
    """Adds to each probe the interval of β whose KL is within ``ACCEPTED`` of the budget, or the largest budget."""
    for spec in properties:
        for probe in spec["probes"]:
            given = inputs[probe["input"]]
            ref, rewards = (
                torch.tensor(given["ref"]).double(),
                torch.tensor(given["rewards"]).double(),
            )
            if spec["key"] == "named":
                probe["mentions"] = round(exercise3.largest_budget(ref, rewards), 6)
            if spec["kind"] == "expected" and given["budget"] > 0:
                ends = [
                    exercise3.beta_for_budget(ref, rewards, given["budget"] + s * ACCEPTED)
                    for s in (1, -1)
                ]
                probe["within"] = [float(f"{end:.8g}") for end in ends]


def case_3b() -> dict[str, Any]:
    """A function like 3a, but any β is right whose KL is."""
    inputs = inputs_3b()
    _accept_by_kl(PROPERTIES_3B, inputs)
    return function_case(
        "3b",
        "the β that spends a budget",
        exercise3.beta_for_budget,
        inputs,
        PROPERTIES_3B,
        exercise3.MISCONCEPTIONS_3B,
    )


def case_3c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""
    asked = {
        "safe": "a table on which spending the budget raises the mean quality",
        "unsafe": "a table on which spending the budget lowers the mean quality although reward rises",
    }

    def side(key: str, name: str, which: str, **more) -> dict[str, Any]:
        return {
            "key": key,
            "name": name,
            "points": 1.0,
            "side": which,
            "asked": asked[which],
            **more,
        }

    return {
        "part": "3c",
        "title": "a safe table and an unsafe one",
        "points": 3.0,
        "asks_for": "table_examples",
        "judge": "budget",
        "properties": [
            side("safe", "safe: the mean quality rises by at least 0.2", "safe"),
            side(
                "unsafe_lowers",
                "unsafe: reward rises, yet the mean quality falls by at least 0.2",
                "unsafe",
            ),
            side(
                "unsafe_unseen",
                "unsafe: under the reference, reward and quality correlate by 0.5 or more",
                "unsafe",
                waits_for=["unsafe_lowers"],
            ),
        ],
        "quality": exercise3.QUALITY,
        "budget": 1.0,
        "thresholds": {"change": 0.2, "correlation": 0.5},
        "bounds": {"least_probability": 1e-6, "largest_reward": 1000.0},
    }


def case_3d() -> dict[str, Any]:
    """20 + 20 hidden runs and 3 + 3 for practice, in an order that says nothing."""

    def stored(run: shifts.Shift, outcome: str) -> dict[str, Any]:
        both = run.reference_samples, run.policy_samples
        ids = np.unique(np.concatenate([samples["response"] for samples in both]))

        def column(name):
            known = {
                number: value
                for s in both
                for number, value in zip(s["response"].tolist(), s[name].tolist())
            }
            return [known[number] for number in ids.tolist()]

        counts = [
            np.bincount(samples["response"], minlength=shifts.K)[ids].tolist() for samples in both
        ]
        return {
            "outcome": outcome,
            "response": ids.tolist(),
            "reward": column("reward"),
            "log_ratio": column("log_ratio"),
            "verdicts": "".join("01"[int(word)] for word in run.judge(ids)),
            "reference_counts": counts[0],
            "policy_counts": counts[1],
        }

    def drawn(seed: int, n: int) -> tuple[list[dict], list[shifts.Shift]]:
        outcomes = ("healthy", "regressed")
        both = [
            (run, outcome) for pair in shifts.pairs(seed, n) for run, outcome in zip(pair, outcomes)
        ]
        order = np.random.default_rng(seed + 1).permutation(len(both))
        return [stored(*both[i]) for i in order], [both[i][0] for i in order]

    hidden, hidden_runs = drawn(shifts.FROZEN_SEED, 20)

    def scores(metric) -> list[float]:
        return [float(f"{metric(*run.arguments):.6g}") for run in hidden_runs]

    return {
        "part": "3d",
        "title": "a metric on samples",
        "points": 2.0,
        "asks_for": "flag",
        "judge": "harm",
        "properties": [
            {"key": "separates", "name": "regressed runs score above healthy ones", "points": 2.0}
        ],
        "full_points_from": 0.85,
        "no_points_up_to": 0.75,
        "misconceptions": [
            {"key": m.key, "message": m.message, "variants": [scores(v) for v in m.variants]}
            for m in exercise3.MISCONCEPTIONS_3D
        ],
        "upside_down": exercise3.UPSIDE_DOWN,
        "practice": drawn(shifts.PRACTICE_SEED, 3)[0],
        "runs": hidden,
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 3a to 3d."""
    return {
        "3a": function_case(
            "3a",
            "the shifted policy and its KL",
            exercise3.shift,
            inputs_3a(),
            PROPERTIES_3A,
            exercise3.MISCONCEPTIONS_3A,
            returns=("policy", "kl"),
        ),
        "3b": case_3b(),
        "3c": case_3c(),
        "3d": case_3d(),
    }
