"""The frozen cases of exercise 4: inputs, properties, bounds and hidden runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex04_direct_training import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape


def inputs_4a() -> dict[str, Inputs]:
    """Logits, tokens, mask and β by name of the probe; small numbers with one decimal, so that a reader can follow."""
    rng = np.random.default_rng(41)

    def draw(masks: list[list[int]], V: int, beta: float, dtype: str = "float64") -> Inputs:
        B, T = len(masks), len(masks[0])
        policy, ref = rng.normal(scale=1.5, size=(2, B, T, V)).round(1).astype(dtype)
        tokens = rng.integers(V, size=(B, T))
        return {
            "policy_logits": policy,
            "ref_logits": ref,
            "tokens": tokens,
            "mask": np.array(masks, dtype=bool),
            "beta": beta,
        }

    found = {
        "one of two": draw([[0, 1]], 2, 0.5),
        "one of three": draw([[0, 0, 1]], 2, 0.5),
        "two of three": draw([[0, 1, 1]], 2, 0.5),
        "three of five": draw([[0, 0, 1, 1, 1]], 3, 0.2),
        "padded": draw([[0, 1, 1, 0], [0, 0, 1, 1]], 3, 0.3),
        "padded, float32": draw(
            [[0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0], [0, 0, 1, 1, 0, 0]], 5, 0.1, "float32"
        ),
    }
    base = found["three of five"]
    moved = [
        base[name] + rng.normal(scale=4, size=(1, 5, 1)).round(1)
        for name in ("policy_logits", "ref_logits")
    ]
    found["constants added"] = {**base, "policy_logits": moved[0], "ref_logits": moved[1]}
    base = found["padded"]
    scores_response = np.pad(base["mask"][:, 1:], ((0, 0), (0, 1)))[..., None]
    moved = [
        np.where(scores_response, base[name], -base[name] + 1)
        for name in ("policy_logits", "ref_logits")
    ]
    found["others changed"] = {**base, "policy_logits": moved[0], "ref_logits": moved[1]}
    base = found["two of three"]
    found["extreme"] = {**base, "policy_logits": -1e4 * np.sign(base["policy_logits"])}
    rng = np.random.default_rng(43)  # so that those above stay as they are
    found["both of three"] = draw([[0, 1, 1]], 2, 0.5)  # either token has a log-ratio other than 0
    found["then padding"] = draw([[0, 1, 0]], 2, 0.5)
    return found


def inputs_4b() -> dict[str, Inputs]:
    """Log-probabilities of K ranked responses and β, by name of the probe."""
    rng = np.random.default_rng(42)

    def draw(B: int, K: int, beta: float, dtype: str = "float64") -> Inputs:
        ref = rng.uniform(-9, -2, size=(B, K)).round(1)
        policy = (ref + rng.normal(scale=1.5, size=(B, K))).clip(max=-0.1).round(1)
        return {"policy_logps": policy.astype(dtype), "ref_logps": ref.astype(dtype), "beta": beta}

    found = {
        "one pair": draw(1, 2, 0.5),
        "two pairs": draw(2, 2, 0.5),
        "five pairs, float32": draw(5, 2, 0.1, "float32"),
        "three ranked": draw(1, 3, 0.5),
        "two rankings of three": draw(2, 3, 0.5),
        "three rankings of four": draw(3, 4, 0.3),
        "rankings of six, float32": draw(2, 6, 2.0, "float32"),
    }
    base = found["two rankings of three"]
    shift = np.array([[2.0], [-3.0]])
    found["policy shifted"] = {**base, "policy_logps": base["policy_logps"] + shift}
    found["reference shifted"] = {**base, "ref_logps": base["ref_logps"] + shift}
    found["margin -10000"] = {
        "policy_logps": np.array([[-20001.0, -1.0]]),
        "ref_logps": np.array([[-1.0, -1.0]]),
        "beta": 0.5,
    }
    found["margins of both signs"] = {
        "policy_logps": np.array([[-1.0, -20001.0, -1.0], [-20001.0, -1.0, -3.0]]),
        "ref_logps": np.array([[-20001.0, -1.0, -2.0], [-1.0, -2.0, -20001.0]]),
        "beta": 0.5,
    }
    return found


def in_domain_4a(given: Inputs) -> Inputs | None:
    """In every row a response that does not begin it, β > 0."""
    mask = given["mask"]
    return given if mask.any(1).all() and not mask[:, 0].any() and given["beta"] > 0 else None


SHAPE_4A = Shape(
    {"policy_logits": "BTV", "ref_logits": "BTV", "tokens": "BT", "mask": "BT"},
    ids={"tokens": ("V",)},
    least={"T": 2, "V": 2},
    free="TV",
    tidy=in_domain_4a,
)


PROPERTIES_4A = [
    prop("one", "one response token", 0.3, "expected", ["one of two", "one of three"], values=True),
    prop(
        "several",
        "several response tokens",
        0.5,
        "expected",
        ["two of three", "both of three", "three of five"],
        values=True,
    ),
    prop(
        "batch",
        "a batch with prompts of different length, padding, float32",
        0.5,
        "expected",
        ["then padding", "padded", "padded, float32"],
        values=True,
    ),
    prop(
        "constants",
        "a constant added to all logits of a position changes nothing",
        0.2,
        "same",
        [("constants added", "three of five")],
    ),
    prop(
        "others",
        "logits that score no response token do not count",
        0.2,
        "same",
        [("others changed", "padded")],
    ),
    prop("extreme", "finite and right for logits of ±10⁴", 0.2, "expected", ["extreme"], slack=100),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def in_domain_4b(given: Inputs) -> Inputs | None:
    """Log-probabilities, β > 0."""
    tables = given["policy_logps"], given["ref_logps"]
    return given if max(table.max() for table in tables) <= 0 < given["beta"] else None


SHAPE_4B = Shape({"policy_logps": "BK", "ref_logps": "BK"}, least={"K": 2}, tidy=in_domain_4b)


PROPERTIES_4B = [
    prop("one_pair", "one pair: DPO (K = 2)", 0.3, "expected", ["one pair"], values=True),
    prop(
        "pairs",
        "several pairs, float32",
        0.5,
        "expected",
        ["two pairs", "five pairs, float32"],
        values=True,
    ),
    prop(
        "rankings",
        "rankings of three and more",
        1.0,
        "expected",
        [
            "three ranked",
            "two rankings of three",
            "three rankings of four",
            "rankings of six, float32",
        ],
        values=True,
    ),
    prop(
        "shift",
        "a constant per prompt cancels, in the policy and in the reference",
        0.2,
        "same",
        [
            ("policy shifted", "two rankings of three"),
            ("reference shifted", "two rankings of three"),
        ],
    ),
    prop(
        "gradient",
        "the gradient in the policy's log-probabilities",
        0.4,
        "expected",
        [("one pair", "policy_logps"), ("two rankings of three", "policy_logps")],
    ),
    prop(
        "no_reference_gradient",
        "no gradient reaches the reference",
        0.2,
        "blocked",
        [("one pair", "ref_logps"), ("two rankings of three", "ref_logps")],
    ),
    prop(
        "extreme",
        "finite and right at margins of ±10⁴, gradient too",
        0.3,
        "expected",
        ["margin -10000", "margins of both signs", ("margins of both signs", "policy_logps")],
        slack=100,
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_4c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""
    asked = {
        "safe": "an example on which DPO raises the chosen response",
        "unsafe": "an example on which the margin grows while the chosen response falls",
    }

    return {
        "part": "4c",
        "title": "a safe example and an unsafe one",
        "points": 3.0,
        "asks_for": "feature_examples",
        "properties": [
            side(
                "safe",
                "safe: the chosen response rises by at least 0.1 nats",
                "safe",
                asked["safe"],
            ),
            side(
                "unsafe_falls",
                "unsafe: margin grows, yet the chosen response falls by at least 0.1 nats",
                "unsafe",
                asked["unsafe"],
            ),
            side(
                "unsafe_mass",
                "unsafe: the third response that you name gains most, at least 0.1",
                "unsafe",
                asked["unsafe"],
                waits_for=["unsafe_falls"],
            ),
        ],
        "thresholds": {"margin": 0.1, "chosen_nats": 0.1, "harmful_probability": 0.1},
        "bounds": {
            "responses": [3, 50],
            "features": 50,
            "norm": 10.0,
            "least_start_probability": 1e-3,
        },
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 4a to 4d."""
    return {
        "4a": function_case(
            "4a",
            "implicit rewards from logits",
            answers.implicit_rewards,
            inputs_4a(),
            PROPERTIES_4A,
            mistakes.MISTAKES["4a"],
            SHAPE_4A,
        ),
        "4b": function_case(
            "4b",
            "DPO for rankings",
            answers.ranked_loss,
            inputs_4b(),
            PROPERTIES_4B,
            mistakes.MISTAKES["4b"],
            SHAPE_4B,
            differentiable=("policy_logps",),
        ),
        "4c": case_4c(),
        "4d": metric_case(
            "4d",
            "a metric on held-out data",
            "harm_score",
            "regressed runs score above healthy ones",
            points_from=0.83,
            full_from=0.93,
            wrong=mistakes.MISTAKES["4d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            blind_to=mistakes.BLIND_4D,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "mean margin (smaller = worse)": lambda run: -hidden_runs.mean_margin(run),
    "mean fall of the chosen log-probability": lambda run: -hidden_runs.mean_chosen_change(run),
    "estimate of KL(π_θ‖π_ref)": hidden_runs.kl_estimate,
    "wins of the policy's samples against the reference's (fewer = worse)": hidden_runs.win_count_fall,
    "losses of the policy's samples against the reference's": hidden_runs.loss_count_rise,
    "losses less wins of the policy's samples": hidden_runs.net_losses,
    "share of pairs with a negative margin": lambda run: -hidden_runs.margin_accuracy(run),
    "share of chosen responses that fell": hidden_runs.share_fallen,
    "share of comparisons lost, the response that the policy says most": hidden_runs.losing_rate_of_most_said,
    "share of comparisons lost, all of the policy's samples": hidden_runs.policy_losing_rate,
    "reference answer": answers.harm_score,
}
