"""The frozen cases of exercise 10: tables, samples, bounds and hidden runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex10_kl_and_beta import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape, rows_of_logs

INF = np.inf


def inputs_10a() -> dict[str, Inputs]:
    """log π_ref, log π and rewards, by name of the probe."""

    def given(ref, policy, rewards, dtype: str = "float64") -> Inputs:
        ref, policy, rewards = (
            np.atleast_2d(np.array(x, dtype=float)) for x in (ref, policy, rewards)
        )
        with np.errstate(divide="ignore"):
            logs = np.log(ref), np.log(policy)
        names = ("ref_logps", "policy_logps", "rewards")
        return {name: x.astype(dtype) for name, x in zip(names, (*logs, rewards))}

    def tilted(ref, rewards, beta) -> np.ndarray:
        """The optimum, as log-probabilities."""
        with np.errstate(divide="ignore"):
            scores = np.log(np.array(ref, dtype=float)) + np.array(rewards) / beta
        scores -= scores.max()
        return scores - np.log(np.exp(scores).sum())

    def at(ref, rewards, beta) -> Inputs:
        found = given(ref, ref, rewards)
        return {**found, "policy_logps": np.atleast_2d(tilted(ref, rewards, beta))}

    def together(*rows: Inputs) -> Inputs:
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    three = [0.5, 0.3, 0.2]
    found = {
        "two replies": at([0.8, 0.2], [0, 1], 0.5),
        "three replies": at(three, [0, 1, 3], 2.0),
        "two of three replies alike": at(three, [1, 1, 0], 0.5),
        "barely moved": at([0.8, 0.2], [0, 1], 10.0),
        "two prompts": together(at(three, [0, 1, 3], 2.0), at([0.2, 0.2, 0.6], [1, 0, -1], 0.25)),
        "nothing has moved": given([0.8, 0.2], [0.8, 0.2], [0, 1]),
        "only the best is left": given(three, [0, 0, 1], [0, 1, 2]),
        "only the two best are left": given(three, [0, 0.6, 0.4], [0, 1, 1]),
        "the worse reply has gained": given([0.5, 0.5], [0.8, 0.2], [0, 1]),
        "not a matter of reward": given([0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0, 1, 2]),
        "the best share unevenly": given(three, [0, 0.5, 0.5], [0, 1, 1]),
        "a reply given up, a worse one not": given(three, [0.4, 0, 0.6], [0, 1, 2]),
        "given up, and the best are not alone": given([0.4, 0.3, 0.3], [0, 0.5, 0.5], [0, 1, 2]),
        "equal rewards, moved": given([0.5, 0.5], [0.8, 0.2], [1, 1]),
        "equal rewards, not moved": given([0.5, 0.5], [0.5, 0.5], [1, 1]),
        "it says what the reference never says": given([0.5, 0.5, 0], [0.4, 0.4, 0.2], [0, 0, 1]),
        "it says one more, the others fit": given([0.5, 0.5, 0], [0.2, 0.6, 0.2], [0, 1, 2]),
        "it says one more, the others as before": given([0.5, 0.5, 0], [0.4, 0.4, 0.2], [0, 1, 2]),
        "0.2 nats off": given(
            [0.4, 0.4, 0.2],
            np.exp([0, 0.7, 1]) * [0.4, 0.4, 0.2] / (np.exp([0, 0.7, 1]) @ [0.4, 0.4, 0.2]),
            [0, 1, 2],
        ),
        "the best is never said": at([0.6, 0.4, 0], [0, 1, 5], 0.5),
        "the best is never said, β → 0": given([0.5, 0.3, 0.2, 0], [0, 0, 1, 0], [0, 1, 2, 5]),
        "all that is ever said is equal": given([0.5, 0.5, 0], [0.5, 0.5, 0], [1, 1, 5]),
        "not moved, one never said": given([0.5, 0.5, 0], [0.5, 0.5, 0], [0, 1, 5]),
    }
    base = found["two prompts"]
    shifted = base["rewards"] + np.array([[4.0], [-7.0]])
    found["a constant added to each row"] = {**base, "rewards": shifted}
    found["rewards in hundredths"] = {**base, "rewards": 100 * base["rewards"]}
    found["log-ratios of 10000"] = at(three, [0, 1000, 400], 0.1)
    found["β of 10000"] = at(three, [0, 1000, 4000], 1e4)
    rows = [
        at(three, [0, 1, 3], 0.5),
        given(three, three, [0, 1, 3]),
        given(three, [0, 0.6, 0.4], [0, 1, 1]),
        given(three, [0.6, 0.3, 0.1], [0, 1, 0]),
        at(three, [2, 0, 1], 4.0),
    ]
    found["all kinds, float32"] = {k: v.astype("float32") for k, v in together(*rows).items()}
    found["probabilities instead of logs"] = {
        **found["two replies"],
        "ref_logps": np.array([[0.8, 0.2]]),
    }
    found["a policy that sums to 0.9"] = given([0.5, 0.5], [0.5, 0.4], [0, 1])
    return found


SHAPE_10A = Shape(
    {"ref_logps": "PK", "policy_logps": "PK", "rewards": "PK"},
    least={"K": 2},
    free="K",
    stay=("ref_logps", "policy_logps"),
    tidy=lambda given: rows_of_logs(given, "ref_logps", "policy_logps"),
)


PROPERTIES_10A = [
    prop(
        "beta",
        "β where the policy is an optimum",
        0.3,
        "expected",
        ["two replies", "three replies", "two of three replies alike", "barely moved"],
        values=True,
    ),
    prop("rows", "each row has its own", 0.2, "expected", ["two prompts"], values=True),
    prop("infinite", "∞ where nothing has moved", 0.15, "expected", ["nothing has moved"]),
    prop(
        "zero",
        "0 where the reference is restricted to the best",
        0.25,
        "expected",
        ["only the best is left", "only the two best are left"],
    ),
    prop(
        "turned",
        "NaN where worse replies have gained",
        0.15,
        "expected",
        ["the worse reply has gained"],
    ),
    prop(
        "unfit",
        "NaN where the policy is no optimum at any β",
        0.15,
        "expected",
        ["equal rewards, moved", "0.2 nats off", "not a matter of reward"],
    ),
    prop(
        "new",
        "NaN where it says what the reference never says",
        0.1,
        "expected",
        [
            "it says what the reference never says",
            "it says one more, the others fit",
            "it says one more, the others as before",
        ],
    ),
    prop(
        "given_up",
        "NaN where replies were given up, but not as β → 0 does it",
        0.15,
        "expected",
        [
            "the best share unevenly",
            "a reply given up, a worse one not",
            "given up, and the best are not alone",
        ],
    ),
    prop("undetermined", "NaN where every β fits", 0.1, "expected", ["equal rewards, not moved"]),
    prop(
        "support",
        "what the reference never says plays no part",
        0.15,
        "expected",
        [
            "the best is never said",
            "not moved, one never said",
            "all that is ever said is equal",
            "the best is never said, β → 0",
        ],
    ),
    prop(
        "units",
        "a constant changes nothing, another unit of reward changes β alike",
        0.1,
        "expected",
        ["a constant added to each row", "rewards in hundredths", "all kinds, float32"],
    ),
    prop(
        "extreme",
        "log-ratios of −10⁴, β of 10⁴",
        0.1,
        "expected",
        ["log-ratios of 10000", "β of 10000"],
    ),
    prop(
        "refuses",
        "rows that are no distributions raise ValueError",
        0.05,
        "raises",
        ["probabilities instead of logs", "a policy that sums to 0.9"],
    ),
    prop("unchanged", "arguments are left as they were", 0.05, "unchanged", []),
]


def inputs_10b() -> dict[str, Inputs]:
    """Proxy, gold, betas, price and the least effective number of samples, by name of the probe."""
    rng = np.random.default_rng(102)

    def given(proxy, gold, betas, price=0.0, least=0.0, dtype: str = "float64") -> Inputs:
        proxy, gold = (np.atleast_2d(np.array(x, dtype=dtype)) for x in (proxy, gold))
        betas = np.array(betas, dtype=dtype)
        return {"proxy": proxy, "gold": gold, "betas": betas, "price": price, "least": least}

    four, two = [0, 1, 2, 4], [[0, 1, 2, 4], [3, 3, 0, 1]]
    gold, golds = [0, 2, 3, -2], [[0, 2, 3, -2], [1, 0, 0, 2]]
    found = {
        "two samples": given([0, 1], [3, 1], [1]),
        "four samples": given(four, gold, [2, 0.5, 1]),
        "two samples, nats cost": given([0, 1], [3, 1], [1], 2.0),
        "four samples, nats cost": given(four, gold, [2, 0.5, 1], 0.5),
        "two prompts": given(two, golds, [2, 1], 0.5),
        "three prompts": given(
            [[0, 1], [0, 2], [1, 0]], [[3, 1], [0, 2], [1, 4]], [2, 1], 0.5
        ),  # the middle one is not the mean
        "five prompts, float32": given(
            rng.normal(size=(5, 8)).round(1) + np.arange(5)[:, None],
            rng.normal(size=(5, 8)).round(1),
            [0.5, 4, 1],
            0.3,
            0.0,
            "float32",
        ),
        "one prompt, two samples at least": given(four, gold, [1.25, 4, 2, 0.5], 0.5, 2.0),
        "best where nothing is seen": given(four, four, [4, 2, 0.5, 0.25], 0.1, 2.0),
        "seen on one of two prompts": given(
            [[0, 1, 2, 4], [1, 1, 0, 0]], golds, [2, 1, 0.1, 4], 0.5, 2.2
        ),
        "the proxy is gold": given(two, two, [0.25, 4, 0.5, 2, 1], 0.5),
        "the proxy is gold in tenths": given(10 * np.array(two), two, [2.5, 40, 5, 20, 10], 0.5),
        "not to move at all is an option": given(four, [3, 2, 1, 0], [1, INF, 2], 0.5),
        "two worth the same": given([0, 40], [1, 3], [0.5, 1, 40]),
        "two worth the same, in another order": given([0, 40], [1, 3], [1, 0.5, 40]),
        "nearly the same": given([0, 1], [0, 0.01], [2, 1]),
    }
    base = found["two prompts"]
    found["a constant for each prompt"] = {
        **base,
        "proxy": base["proxy"] + np.array([[40.0], [-3.0]]),
    }
    found["r/β of ±10000"] = given(
        [[1e4, 9998, 1e4, 0], [-1e4, -1e4, -9999, -9999]], golds, [1, 1e4], 0.5
    )
    found["no β leaves enough"] = given(four, gold, [0.5, 0.25], 0.5, 3.9)
    found["β of 0"] = given(four, gold, [1, 0], 0.5)
    found["β below 0"] = given(four, gold, [1, -1], 0.5)
    found["nats are paid for"] = given(four, gold, [1], -0.5)
    return found


def _both(*names: str) -> list[tuple[str, str]]:
    return [(name, "worth") for name in names]


def in_domain_10b(given: Inputs) -> Inputs | None:
    """β > 0, and no effective number of samples near the least."""
    if not (given["betas"] > 0).all():
        return None
    scores = given["proxy"] / given["betas"][:, None, None]
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    effective = weights.sum(-1) ** 2 / (weights**2).sum(-1)
    return given if (abs(effective - given["least"]) > 0.01).all() else None


SHAPE_10B = Shape(
    {"proxy": "PN", "gold": "PN", "betas": "B"}, least={"N": 2}, free="NB", tidy=in_domain_10b
)


PROPERTIES_10B = [
    prop(
        "gold",
        "mean gold at each β, from the reference's samples",
        0.4,
        "expected",
        _both("two samples", "four samples"),
        values=True,
    ),
    prop(
        "cost",
        "less the price of its nats",
        0.4,
        "expected",
        _both("two samples, nats cost", "four samples, nats cost"),
        values=True,
    ),
    prop(
        "prompts",
        "each prompt on its own, then the mean",
        0.4,
        "expected",
        _both("two prompts", "three prompts", "five prompts, float32"),
        values=True,
    ),
    prop(
        "seen",
        "−∞ where some prompt has too few effective samples",
        0.4,
        "expected",
        _both("one prompt, two samples at least", "seen on one of two prompts"),
    ),
    prop(
        "chosen",
        "the β that is worth most",
        0.4,
        "expected",
        [
            (name, "beta")
            for name in (
                "four samples",
                "four samples, nats cost",
                "the proxy is gold",
                "the proxy is gold in tenths",
                "not to move at all is an option",
            )
        ],
    ),
    prop(
        "chosen_seen",
        "and is seen",
        0.15,
        "expected",
        [("best where nothing is seen", "beta"), ("seen on one of two prompts", "beta")],
    ),
    prop(
        "tie",
        "of equals the largest",
        0.15,
        "expected",
        [
            (name, "beta")
            for name in (
                "two worth the same",
                "two worth the same, in another order",
                "nearly the same",
            )
        ],
    ),
    prop(
        "constants",
        "a constant added to all proxies of a prompt changes nothing",
        0.2,
        "same",
        [("a constant for each prompt", "two prompts", "worth")],
    ),
    prop(
        "extreme",
        "finite and right for r/β of ±10⁴",
        0.2,
        "expected",
        [("r/β of ±10000", "worth"), ("r/β of ±10000", "beta")],
    ),
    prop(
        "refuses",
        "settings without an answer raise ValueError",
        0.2,
        "raises",
        ["no β leaves enough", "β of 0", "β below 0", "nats are paid for"],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_10c() -> dict[str, Any]:
    """No values to freeze: the β of the search, points, bounds and thresholds of the effects."""
    return {
        "part": "10c",
        "title": "lower β until gold turns",
        "points": 3.0,
        "asks_for": "search_examples",
        "properties": [
            side(
                "safe",
                "safe: gold turns once, and the search ships the best β",
                "safe",
                "a table on which the search finds the best β",
            ),
            side(
                "unsafe_misses",
                "unsafe: the search stops, and a smaller β would have been better",
                "unsafe",
                "a table on which the search stops too early",
            ),
            side(
                "unsafe_ends",
                "unsafe: and yet not to stop would have been worse than to stay",
                "unsafe",
                "a table on which the search stops too early",
                waits_for=["unsafe_misses"],
            ),
        ],
        "betas": [2.0**k for k in range(6, -7, -1)],
        "thresholds": {"fall": 0.1, "near": 0.05, "change": 0.3},
        "bounds": {
            "responses": [2, 8],
            "least_probability": 1e-5,
            "largest": {"ref": 1.0, "proxy": 100.0, "gold": 10.0},
        },
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 10a to 10d."""
    return {
        "10a": function_case(
            "10a",
            "the price that acts",
            answers.acting_beta,
            inputs_10a(),
            PROPERTIES_10A,
            mistakes.MISTAKES["10a"],
            SHAPE_10A,
        ),
        "10b": function_case(
            "10b",
            "β before anything is trained",
            answers.choose_beta,
            inputs_10b(),
            PROPERTIES_10B,
            mistakes.MISTAKES["10b"],
            SHAPE_10B,
            returns=("beta", "worth"),
        ),
        "10c": case_10c(),
        "10d": metric_case(
            "10d",
            "is this β right?",
            "beta_is_off",
            "regressed runs score above healthy ones",
            points_from=0.8,
            full_from=0.92,
            wrong=mistakes.MISTAKES["10d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            by_chance=mistakes.BY_CHANCE,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "β (smaller = worse)": hidden_runs.small_beta,
    "estimate of KL(π‖π_ref)": hidden_runs.kl_estimate,
    "gain of the mean proxy, in standard deviations": hidden_runs.proxy_gain,
    "fall of the mean grade, reference to policy": hidden_runs.gold_gain,
    "correlation of proxy and grade over the reference's samples (less = worse)": hidden_runs.reference_correlation,
    "standard deviation of the policy's grades": hidden_runs.grade_spread,
    "correlation of proxy and grade over the policy's samples, with its sign": hidden_runs.signed_correlation,
    "covariance of proxy and grade over the policy's samples, without its sign": hidden_runs.unscaled,
    "reference answer, samples graded at random": mistakes.at_random,
    "reference answer": answers.beta_is_off,
}
