"""Generates what the learner gets: the frozen cases in helpers/grader/cases, and exercises.ipynb.

    python -m solutions.build           write both
    python -m solutions.build --check   write nothing; exit with 1 if anything is out of step

Cases are inputs, expected values and the outputs of the misconceptions, as plain data: no answer is in them as code.
exercises.ipynb is exercises_solved.ipynb with the solutions taken out, in the way of nbgrader's generate_assignment.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it also runs as a script

import nbformat
import numpy as np

from helpers.grader.frozen import array
from helpers.grader.trial import Trial, Unusable, close
from solutions import exercise4, runs
from solutions.exercise4 import Misconception

CASES = ROOT / "helpers" / "grader" / "cases"
SOLVED, EXERCISES = ROOT / "solutions" / "exercises_solved.ipynb", ROOT / "exercises.ipynb"

Inputs = dict[str, Any]


# ---- inputs -------------------------------------------------------------------------------


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
        "padded, float32": draw([[0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0], [0, 0, 1, 1, 0, 0]], 5, 0.1, "float32"),
    }
    base = found["three of five"]
    moved = [base[name] + rng.normal(scale=4, size=(1, 5, 1)).round(1) for name in ("policy_logits", "ref_logits")]
    found["constants added"] = {**base, "policy_logits": moved[0], "ref_logits": moved[1]}
    base = found["padded"]
    scores_response = np.pad(base["mask"][:, 1:], ((0, 0), (0, 1)))[..., None]
    moved = [np.where(scores_response, base[name], -base[name] + 1) for name in ("policy_logits", "ref_logits")]
    found["others changed"] = {**base, "policy_logits": moved[0], "ref_logits": moved[1]}
    base = found["two of three"]
    found["extreme"] = {**base, "policy_logits": -1e4 * np.sign(base["policy_logits"])}
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


def prop(
    key: str, name: str, points: float, kind: str, probes: list, values: bool = False, slack: float = 1.0
) -> dict[str, Any]:
    """One property. probes: names of inputs; (input, twin) for kind 'same'; (input, argument) to observe a gradient.

    slack: how far a value may be off, in units of the tolerance for rounding; float32 has a grain of 0.001 at 10⁴.
    """
    listed = []
    for probe in probes:
        name_of, other = probe if isinstance(probe, tuple) else (probe, "")
        listed.append({"input": name_of, "of": "" if kind == "same" else other})
        if kind == "same":
            listed[-1]["twin"] = other
    head = {"key": key, "name": name, "points": points, "kind": kind, "values": values, "slack": slack}
    return {**head, "probes": listed}


PROPERTIES_4A = [
    prop("one", "one response token", 0.3, "expected", ["one of two", "one of three"], values=True),
    prop("several", "several response tokens", 0.5, "expected", ["two of three", "three of five"], values=True),
    prop("batch", "a batch with prompts of different length, padding, float32", 0.5, "expected",
         ["padded", "padded, float32"], values=True),
    prop("constants", "a constant added to all logits of a position changes nothing", 0.2, "same",
         [("constants added", "three of five")]),
    prop("others", "logits that score no response token do not count", 0.2, "same", [("others changed", "padded")]),
    prop("extreme", "finite and right for logits of ±10⁴", 0.2, "expected", ["extreme"], slack=100),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]

PROPERTIES_4B = [
    prop("one_pair", "one pair: DPO (K = 2)", 0.3, "expected", ["one pair"], values=True),
    prop("pairs", "several pairs, float32", 0.5, "expected", ["two pairs", "five pairs, float32"], values=True),
    prop("rankings", "rankings of three and more", 1.0, "expected",
         ["three ranked", "two rankings of three", "three rankings of four", "rankings of six, float32"], values=True),
    prop("shift", "a constant per prompt cancels, in the policy and in the reference", 0.2, "same",
         [("policy shifted", "two rankings of three"), ("reference shifted", "two rankings of three")]),
    prop("gradient", "the gradient in the policy's log-probabilities", 0.4, "expected",
         [("one pair", "policy_logps"), ("two rankings of three", "policy_logps")]),
    prop("no_reference_gradient", "no gradient reaches the reference", 0.2, "blocked",
         [("one pair", "ref_logps"), ("two rankings of three", "ref_logps")]),
    prop("extreme", "finite and right at margins of ±10⁴, gradient too", 0.3, "expected",
         ["margin -10000", "margins of both signs", ("margins of both signs", "policy_logps")], slack=100),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


# ---- freezing -----------------------------------------------------------------------------


def frozen(values: Any) -> Any:
    """Arrays as {'dtype', 'data'}: as many digits as the dtype is good for; words for what JSON has no number for."""
    if not isinstance(values, np.ndarray):
        return values

    digits = 7 if values.dtype == np.float32 else 8

    def number(x):
        if isinstance(x, float):
            return float(f"{x:.{digits}g}") + 0.0 if np.isfinite(x) else str(x)  # + 0.0: no −0.0
        return x

    def walk(x):
        return [walk(entry) for entry in x] if isinstance(x, list) else number(x)

    return {"dtype": values.dtype.name, "data": walk(values.tolist())}


def observe(function, inputs: Inputs, of: str) -> np.ndarray:
    """Value or gradient of one of our own functions; it has to run on tensors."""
    trial = Trial(function, inputs)
    if trial.first.error.split(":")[0] == "raised ValueError":
        raise Unusable(trial.first.error)
    if trial.first.error or trial.numpy:
        raise RuntimeError(f"{function} on {inputs}: {trial.first.error or 'ran on arrays only'}")
    return trial.gradient(inputs, of) if of else trial.value(inputs)


def function_case(
    part: str, title: str, reference, inputs: dict[str, Inputs], properties: list[dict], wrong, differentiable=()
) -> dict[str, Any]:
    """Expected values and fingerprints of the wrong answers: where, and only where, they differ from the truth."""
    for spec in properties:
        for probe in spec["probes"]:
            if spec["kind"] not in ("same", "raises"):
                probe["expected"] = frozen(observe(reference, inputs[probe["input"]], probe["of"]))
    return {
        "part": part,
        "title": title,
        "points": round(sum(spec["points"] for spec in properties), 2),
        "asks_for": reference.__name__,
        "judge": "functions",
        "differentiable": list(differentiable),
        "inputs": {name: {k: frozen(v) for k, v in probe.items()} for name, probe in inputs.items()},
        "properties": properties,
        "misconceptions": [misconception(m, inputs, properties) for m in wrong],
    }


def misconception(m: Misconception, inputs: dict[str, Inputs], properties: list[dict]) -> dict[str, Any]:
    """What the learner's side needs to recognise it."""
    if m.overflows:
        return {"key": m.key, "message": m.message, "not_finite_in": list(m.shows_in)}
    return {"key": m.key, "message": m.message, "variants": [fingerprint(v, m, inputs, properties) for v in m.variants]}


def fingerprint(variant, m: Misconception, inputs: dict[str, Inputs], properties: list[dict]) -> list[dict[str, Any]]:
    """The observations of one wrong answer that differ from the truth, on the properties it shows itself in."""
    outputs = []
    for spec in properties:
        for probe in spec["probes"] if spec["key"] in m.shows_in else ():
            try:
                value = observe(variant, inputs[probe["input"]], probe["of"])
            except Unusable:
                if spec["kind"] != "raises":
                    raise
                continue
            if spec["kind"] == "raises" or not close(value, array(probe["expected"])):
                outputs.append({"input": probe["input"], "of": probe["of"], "value": frozen(value)})
    if not outputs:
        raise RuntimeError(f"{m.key}: right on every probe, so nothing would be found")
    return outputs


def case_4c() -> dict[str, Any]:
    """No values to freeze: points, bounds and thresholds of the effects."""
    asked = {
        "safe": "an example on which DPO raises the chosen response",
        "unsafe": "an example on which the margin grows while the chosen response falls",
    }

    def side(key, name, which):
        return {"key": key, "name": name, "points": 1.0, "side": which, "asked": asked[which]}

    return {
        "part": "4c",
        "title": "a safe example and an unsafe one",
        "points": 3.0,
        "asks_for": "examples",
        "judge": "displacement",
        "properties": [
            side("safe", "safe: the chosen response rises by at least 0.1 nats", "safe"),
            side("unsafe_falls", "unsafe: margin grows, yet the chosen response falls by at least 0.1 nats", "unsafe"),
            side("unsafe_mass", "unsafe: the third response that you name gains most, at least 0.1", "unsafe"),
        ],
        "thresholds": {"margin": 0.1, "chosen_nats": 0.1, "harmful_probability": 0.1},
        "bounds": {"responses": [3, 50], "features": 50, "norm": 10.0, "least_start_probability": 1e-3},
    }


def case_4d() -> dict[str, Any]:
    """20 + 20 hidden runs and 3 + 3 for practice, in an order that says nothing."""

    def stored(run: runs.Run, outcome: str) -> dict[str, Any]:
        policy, ref = np.zeros(runs.K), np.zeros(runs.K)  # what no held-out pair shows stays 0, and is never asked for
        for which in ("chosen", "rejected"):
            policy[run[which]] = run[f"policy_{which}_logps"]
            ref[run[which]] = run[f"ref_{which}_logps"]
        ids = {name: run[name].tolist() for name in ("chosen", "rejected", "ref_samples", "policy_samples")}
        return {"outcome": outcome, "policy_logps": policy.tolist(), "ref_logps": ref.tolist(), **ids}

    def drawn(seed: int, n: int) -> tuple[list[dict], list[runs.Run]]:
        both = [
            (run, outcome)
            for pair in runs.matched_runs(seed, n)
            for run, outcome in zip(pair, ("healthy", "regressed"))
        ]
        order = np.random.default_rng(seed + 1).permutation(len(both))
        return [stored(*both[i]) for i in order], [both[i][0] for i in order]

    hidden, hidden_runs = drawn(runs.FROZEN_SEED, 20)

    def scores(metric) -> list[float]:
        return [float(f"{metric(run):.6g}") for run in hidden_runs]

    return {
        "part": "4d",
        "title": "a metric on held-out data",
        "points": 2.0,
        "asks_for": "harm_score",
        "judge": "separation",
        "properties": [{"key": "separates", "name": "regressed runs score above healthy ones", "points": 2.0}],
        "full_points_from": 0.85,
        "no_points_up_to": 0.6,
        "misconceptions": [
            {"key": m.key, "message": m.message, "variants": [scores(v) for v in m.variants]}
            for m in exercise4.MISCONCEPTIONS_4D
        ],
        "upside_down": exercise4.UPSIDE_DOWN,
        "practice": drawn(runs.PRACTICE_SEED, 3)[0],
        "runs": hidden,
    }


def all_cases() -> dict[str, dict[str, Any]]:
    """Every part's frozen case, by name."""
    from solutions import cases_1, cases_2  # these use the tools above

    return {
        **cases_1.cases(),
        **cases_2.cases(),
        "4a": function_case("4a", "implicit rewards from logits", exercise4.implicit_rewards, inputs_4a(),
                            PROPERTIES_4A, exercise4.MISCONCEPTIONS_4A),
        "4b": function_case("4b", "DPO for rankings", exercise4.ranked_loss, inputs_4b(),
                            PROPERTIES_4B, exercise4.MISCONCEPTIONS_4B, differentiable=("policy_logps",)),
        "4c": case_4c(),
        "4d": case_4d(),
    }


def as_text(value: Any, indent: str = "") -> str:
    """JSON in lines that a person can compare: what is short, or a list of numbers only, on one."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(flat) <= 110 or not isinstance(value, (dict, list)) or (isinstance(value, list) and "{" not in flat):
        return flat
    inner = indent + " "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + as_text(entry, inner) for entry in value) + f"\n{indent}]"
    rows = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {as_text(entry, inner)}" for key, entry in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def agree(a: Any, b: Any) -> bool:
    """Equal, numbers up to rounding (processors differ in the last digit)."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(agree(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if type(a) is float and type(b) is float:
        return bool(np.isclose(a, b, rtol=1e-5, atol=1e-6))
    return type(a) is type(b) and a == b


# ---- the notebook -------------------------------------------------------------------------

STUBS = {"code": ("# YOUR CODE HERE", "raise NotImplementedError()"), "markdown": ("YOUR ANSWER HERE",)}  # nbgrader's


def without_solutions(source: str, kind: str) -> str:
    """Every region from BEGIN to END SOLUTION becomes the stub, indented alike. ValueError if a region does not end."""
    lines, inside = [], False
    for line in source.split("\n"):
        if "BEGIN SOLUTION" in line:
            if inside:
                raise ValueError("BEGIN SOLUTION inside a solution: expected END SOLUTION first")
            inside = True
            indent = re.match(r"\s*", line)[0]
            lines += [indent + stub for stub in STUBS[kind]]
        elif "END SOLUTION" in line:
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError("BEGIN SOLUTION without END SOLUTION")
    return "\n".join(lines)


def exercises_text() -> str:
    """exercises.ipynb as it should be, from the solved notebook."""
    notebook = nbformat.read(SOLVED, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = without_solutions(cell.source, cell.cell_type)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main(arguments: list[str]) -> int:
    """Write, or with --check compare. Returns the exit status."""
    unknown = [a for a in arguments if a != "--check"]
    if unknown:
        print(f"unknown argument {unknown[0]!r}: expected --check or nothing")
        return 2
    cases, notebook = all_cases(), exercises_text()
    if not arguments:
        CASES.mkdir(exist_ok=True)
        for part, case in cases.items():
            (CASES / f"{part}.json").write_text(as_text(case) + "\n", encoding="utf-8")
        EXERCISES.write_text(notebook, encoding="utf-8")
        return 0
    stale = [f"cases/{path.name}" for path in CASES.glob("*.json") if path.stem not in cases]
    for part, case in cases.items():
        path = CASES / f"{part}.json"
        if not path.exists() or not agree(json.loads(path.read_text(encoding="utf-8")), json.loads(as_text(case))):
            stale.append(f"cases/{path.name}")
    if not EXERCISES.exists() or EXERCISES.read_text(encoding="utf-8") != notebook:
        stale.append(EXERCISES.name)
    for name in stale:
        print(f"{name} is out of step with solutions/: run python -m solutions.build")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
