"""The frozen cases of exercise 9: rows of tokens, references, bounds and hidden runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from solutions.ex09_reference_policy import answers, hidden_runs, mistakes
from solutions.freeze import Inputs, function_case, metric_case, prop, side
from solutions.shrink import Shape, rows_of_logs

END = 2  # id of the end token, and of padding


def inputs_9a() -> dict[str, Inputs]:
    """Logits, tokens, mask, prompt lengths and the end token's id, by name of the probe."""
    rng = np.random.default_rng(91)

    def logits_of(length: int) -> np.ndarray:
        rows = [
            [1, 2, 0],
            [0, 1, 3],
            [2, 0, 1],
            [1, -1, 2],
            [3, 1, 2],
            [-1, 0, 1],
            [2, 3, 1],
            [1, 0, -2],
        ]
        return np.array(rows[:length], dtype=float)

    def row(tokens: list, n_prompt: int, left: int = 0, right: int = 0, pad: int = END) -> Inputs:
        """One row: text of words 0 and 1 and ends 2, padding on either side."""
        text = logits_of(len(tokens))
        around = [np.full((n, 3), [1.0, 4.0, 2.0]) for n in (left, right)]
        return {
            "logits": np.concatenate([around[0], text, around[1]])[None],
            "tokens": np.array([[pad] * left + tokens + [pad] * right]),
            "mask": np.array([[0] * left + [1] * len(tokens) + [0] * right]),
            "n_prompt": np.array([n_prompt]),
            "end": END,
        }

    def batch(*rows: Inputs, dtype: str = "float64") -> Inputs:
        stacked = {k: np.concatenate([r[k] for r in rows]) for k in ("tokens", "mask", "n_prompt")}
        noise = rng.normal(size=(len(rows), stacked["tokens"].shape[1], 3)).round(1)
        return {"logits": noise.astype(dtype), **stacked, "end": END}

    def changed(probe: Inputs, **places: float) -> Inputs:
        """The same with other logits; places: t0 = all of place 0, t2_1 = word 1 of place 2."""
        logits = probe["logits"].copy()
        for name, value in places.items():
            t, _, word = name[1:].partition("_")
            logits[0, int(t), int(word) if word else slice(None)] = value
        return {**probe, "logits": logits}

    found = {
        "one word and the end": row([0, 1, END], 1),
        "two words, cut off": row([1, 0, 0], 1),
        "two prompt tokens, two words": row([1, 0, 1, 0, END], 2),
        "the end alone": row([0, 1, END], 2),
        "nothing but the prompt": row([0, 1], 2),
        "a word behind the end": row([0, END, 1], 1),
        "words behind the end": row([0, 1, 1, END, 0], 2),
        "two ends": row([1, 0, 1, END, 0, END], 2),
        "a prompt of two turns": row([0, END, 1, 0, END], 3),
        "a prompt that ends in an end": row([1, END, 1, 1], 2),
        "one padding on the left": row([0, 1], 1, left=1),
        "one padding on the right": row([0, 1, END], 1, right=1),
        "padding on the left": row([0, 1, 0, 1, END], 3, left=2),
        "padding on the right": row([0, 1, 1, END], 2, right=1),
        "padding on both sides": row([0, 1, 0, END], 1, left=1, right=2),
        "padding with a word's id": row([0, 1, 0], 1, left=2, right=1, pad=0),
    }
    found["no padding"] = row([0, 1, 0, END], 1)
    found["three rows"] = batch(
        row([0, 1, 1, END], 1, left=2),
        row([1, END, 0, 1, 0, END], 3),
        row([0, 1, END, 0], 1, left=1, right=1),
    )
    found["four rows, float32"] = batch(
        row([0, 1, END], 1, left=3, right=1),
        row([1, 0, 1, END, 0, 1, 0], 2),
        row([0, END, 1, 1, 1], 3, left=2),
        row([1, 1, 0, END], 3, right=3),
        dtype="float32",
    )
    found["NaN at one padding"] = changed(found["one padding on the left"], t0=np.nan)
    found["NaN at padding"] = changed(found["padding on both sides"], t0=np.nan, t6=np.nan)
    found["−∞ behind the end"] = changed(found["words behind the end"], t2_0=-np.inf, t3_1=-np.inf)
    found["NaN in the prompt's logits"] = changed(found["two prompt tokens, two words"], t0=np.nan)
    found["a logit of 10000"] = changed(found["one word and the end"], t0_0=1e4)
    found["logits of ±10000"] = changed(
        found["two prompt tokens, two words"], t1=-1e4, t2_0=-1e4, t3_1=1e4
    )
    found["a word that is never said"] = changed(found["one word and the end"], t0_1=-np.inf)
    found["a word of 50 nats"] = changed(found["one word and the end"], t0_1=-50.0)

    hole = row([0, 1, 0, END], 1)
    found["padding between prompt and reply"] = {**hole, "mask": np.array([[1, 0, 1, 1]])}
    found["an empty prompt"] = row([0, 1, END], 0)
    found["a prompt longer than its row"] = row([0, 1, END], 4, right=2)
    found["one row of two"] = batch(row([0, 1, END], 1), row([1, END], 0, left=1))
    return found


SHAPE_9A = Shape(
    {"logits": "BTV", "tokens": "BT", "mask": "BT", "n_prompt": "B"},
    ids={"tokens": ("V",), "end": ("V",)},
    least={"T": 2, "V": 2},
    free="BTV",
)


PROPERTIES_9A = [
    prop(
        "one",
        "one reply, no padding",
        0.4,
        "expected",
        ["one word and the end", "two words, cut off", "two prompt tokens, two words"],
        values=True,
    ),
    prop(
        "end",
        "the reply ends with its first end token, or with the row",
        0.2,
        "expected",
        ["the end alone", "a word behind the end", "words behind the end", "two ends"],
        values=True,
    ),
    prop("empty", "an empty reply: 0", 0.1, "expected", ["nothing but the prompt"]),
    prop(
        "turns",
        "end tokens inside the prompt end nothing",
        0.2,
        "expected",
        ["a prompt that ends in an end", "a prompt of two turns"],
        values=True,
    ),
    prop(
        "padded",
        "padding on either side",
        0.3,
        "expected",
        [
            "one padding on the left",
            "one padding on the right",
            "padding on the left",
            "padding on the right",
            "padding with a word's id",
            "padding on both sides",
        ],
        values=True,
    ),
    prop(
        "batch",
        "rows of all kinds, float32",
        0.2,
        "expected",
        ["three rows", "four rows, float32"],
        values=True,
    ),
    prop(
        "moved", "padding changes nothing", 0.1, "same", [("padding on both sides", "no padding")]
    ),
    prop(
        "unused",
        "NaN or infinity where nothing is scored does not matter",
        0.1,
        "expected",
        ["NaN at one padding", "NaN at padding", "−∞ behind the end", "NaN in the prompt's logits"],
    ),
    prop(
        "extreme",
        "right at logits of ±10⁴",
        0.1,
        "expected",
        ["a logit of 10000", "logits of ±10000"],
        slack=1.0,
    ),
    prop(
        "never",
        "words that are hardly or never said",
        0.1,
        "expected",
        ["a word of 50 nats", "a word that is never said"],
    ),
    prop(
        "refuses",
        "rows that cannot be scored raise ValueError",
        0.1,
        "raises",
        [
            "padding between prompt and reply",
            "an empty prompt",
            "a prompt longer than its row",
            "one row of two",
        ],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def inputs_9b() -> dict[str, Inputs]:
    """Log-probabilities of a policy and two references, and both β, by name of the probe."""
    rng = np.random.default_rng(92)

    def given(policy, wrong, right, beta=1.0, new_beta=1.0, dtype: str = "float64") -> Inputs:
        with np.errstate(divide="ignore"):
            tables = [
                np.log(np.atleast_2d(np.array(p, dtype=float))).astype(dtype)
                for p in (policy, wrong, right)
            ]
        return dict(
            zip(("policy", "wrong", "right"), tables), beta=float(beta), new_beta=float(new_beta)
        )

    three = [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.6, 0.1, 0.3]
    two_rows = [
        [[a, b] for a, b in ((0.5, 0.5), (0.9, 0.1))],
        [[0.8, 0.2], [0.6, 0.4]],
        [[0.6, 0.4], [0.25, 0.75]],
    ]
    drawn = rng.dirichlet(np.ones(4), size=(3, 3))
    found = {
        "two replies": given([0.5, 0.5], [0.8, 0.2], [0.6, 0.4]),
        "three replies": given(*three),
        "the same β of ½": given([0.5, 0.5], [0.8, 0.2], [0.6, 0.4], 0.5, 0.5),
        "β from 1 to 2": given([0.5, 0.5], [0.8, 0.2], [0.6, 0.4], 1, 2),
        "β from 2 to ½": given(*three, 2, 0.5),
        "two prompts": given(*two_rows, 0.5, 0.25),
        "three prompts, float32": given(*drawn, 0.5, 0.4, "float32"),
        "nothing was learned": given([0.8, 0.2], [0.8, 0.2], [0.3, 0.7], 1, 0.1),
        "the reference was right": given([0.9, 0.1], [0.6, 0.4], [0.6, 0.4], 0.3, 0.3),
        "π_ref never says a reply": given([0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.6, 0.4, 0]),
        "the policy never says a reply": given(
            [0.7, 0.3, 0], [0.2, 0.6, 0.2], [0.6, 0.1, 0.3], 1, 0.5
        ),
        "no model says a reply": given([0.7, 0.3, 0], [0.4, 0.6, 0], [0.6, 0.4, 0]),
        "no model says a reply, two prompts": given(
            [[0.7, 0.3, 0], [0.5, 0.3, 0.2]],
            [[0.4, 0.6, 0], [0.2, 0.6, 0.2]],
            [[0.6, 0.4, 0], [0.6, 0.1, 0.3]],
            1,
            2,
        ),
    }
    base = found["two prompts"]
    shift = {"policy": 3.0, "wrong": -2.0, "right": 7.0}
    found["a constant added to each row"] = {
        k: v + shift[k] * np.array([[1.0], [-2.0]]) if k in shift else v for k, v in base.items()
    }
    found["β′ of 0.001"] = given([0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.6, 0.1, 0.3], 1, 0.001)
    found["log-probabilities down to −10000"] = {
        "policy": np.array([[-1e4, 0.0, -1e3]]),
        "wrong": np.array([[0.0, -1e4, -1e3]]),
        "right": np.array([[-1e3, -2e4, 0.0]]),
        "beta": 1.0,
        "new_beta": 1.0,
    }
    found["β of 0"] = given([0.5, 0.5], [0.8, 0.2], [0.6, 0.4], 0, 1)
    found["β′ of −1"] = given([0.5, 0.5], [0.8, 0.2], [0.6, 0.4], 1, -1)
    found["the policy says what ν never says"] = given([0.5, 0.5], [1, 0], [1, 0])
    found["π_ref says what ν never says"] = given([1, 0], [1, 0], [0.6, 0.4])
    found["no reply is left"] = given([1, 0], [0.5, 0.5], [0, 1])
    return found


SHAPE_9B = Shape(
    {"policy": "BK", "wrong": "BK", "right": "BK"},
    least={"K": 2},
    free="K",
    stay=("policy", "wrong", "right"),
    tidy=lambda given: rows_of_logs(given, "policy", "wrong", "right"),
)


PROPERTIES_9B = [
    prop(
        "swap",
        "another reference, β = 1",
        0.5,
        "expected",
        ["two replies", "three replies"],
        values=True,
    ),
    prop(
        "beta",
        "another β, and one that is not 1",
        0.6,
        "expected",
        ["the same β of ½", "β from 1 to 2", "β from 2 to ½"],
        values=True,
    ),
    prop(
        "prompts",
        "several prompts, float32",
        0.4,
        "expected",
        ["two prompts", "three prompts, float32"],
        values=True,
    ),
    prop(
        "fixed",
        "nothing learned: π_ref; right all along: the policy",
        0.2,
        "expected",
        ["nothing was learned", "the reference was right"],
    ),
    prop(
        "constants",
        "a constant added to a row of any argument changes nothing",
        0.2,
        "same",
        [("a constant added to each row", "two prompts")],
    ),
    prop(
        "never_right",
        "what π_ref or the policy never says",
        0.2,
        "expected",
        ["π_ref never says a reply", "the policy never says a reply"],
    ),
    prop(
        "never_both",
        "what no model ever says",
        0.2,
        "expected",
        ["no model says a reply", "no model says a reply, two prompts"],
    ),
    prop(
        "extreme",
        "right for log-ratios of ±10⁴",
        0.3,
        "expected",
        ["β′ of 0.001", "log-probabilities down to −10000"],
    ),
    prop(
        "refuses",
        "what has no answer raises ValueError",
        0.3,
        "raises",
        [
            "β of 0",
            "β′ of −1",
            "the policy says what ν never says",
            "π_ref says what ν never says",
            "no reply is left",
        ],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


def case_9c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""
    return {
        "part": "9c",
        "title": "what the first batch tells",
        "points": 3.0,
        "asks_for": "reference_examples",
        "properties": [
            side(
                "safe",
                "safe: every log-ratio alarms, and training ends at the same policy",
                "safe",
                "a wrong reference that alarms and does no harm",
            ),
            side(
                "unsafe_costs",
                "unsafe: training with ν ends with 0.5 less gold",
                "unsafe",
                "a wrong reference that costs gold",
            ),
            side(
                "unsafe_silent",
                "unsafe: and yet the first loss is log 2",
                "unsafe",
                "a wrong reference whose first loss is log 2",
                waits_for=["unsafe_costs"],
            ),
        ],
        "beta": 0.5,
        "thresholds": {"alarm": 0.5, "gained": 0.2, "same": 0.01, "lost": 0.5, "silent": 0.001},
        "bounds": {"replies": [3, 6], "least": 0.001, "largest_reward": 3.0},
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 9a to 9d."""
    return {
        "9a": function_case(
            "9a",
            "log π_ref(y|x) of a file's rows",
            answers.reply_logps,
            inputs_9a(),
            PROPERTIES_9A,
            mistakes.MISTAKES["9a"],
            SHAPE_9A,
        ),
        "9b": function_case(
            "9b",
            "from the wrong reference to the right one",
            answers.on_right_reference,
            inputs_9b(),
            PROPERTIES_9B,
            mistakes.MISTAKES["9b"],
            SHAPE_9B,
        ),
        "9c": case_9c(),
        "9d": metric_case(
            "9d",
            "which run had a wrong reference?",
            "reference_score",
            "runs with a wrong reference score above healthy ones",
            points_from=0.8,
            full_from=0.92,
            wrong=mistakes.MISTAKES["9d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and what else was measured
COMPARED = {
    "KL estimate: mean log-ratio of the policy's replies": hidden_runs.kl_of_policy,
    "minus the mean log-ratio of the reference's replies": hidden_runs.kl_of_reference,
    "root mean square of all log-ratios": hidden_runs.size_of_ratios,
    "minus the mean of `ref_logps` over the reference's replies": hidden_runs.surprised_by_its_own,
    "`ref_logps`: mean over the policy's replies minus that over the reference's": hidden_runs.prefers_the_policy,
    "mean of π_ref/π over the policy's replies, distance from 1": hidden_runs.mean_inverse_ratio,
    "largest KL estimate of a slice": hidden_runs.largest_slice_kl,
    "largest mean log-ratio of a slice, over all of its replies": hidden_runs.largest_signed_slice_ratio,
    "reference answer, all slices together": hidden_runs.overall_miss,
    "mean of π/π_ref over the reference's replies, all slices together": hidden_runs.overall_mass,
    "mean of π/π_ref over the reference's replies, worst slice": hidden_runs.largest_slice_mass,
    "reference answer": answers.reference_score,
}
