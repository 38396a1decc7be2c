"""Measures what each metric of an exercise's part d reaches on fresh draws, and keeps it in its ``measured.json``.

    python -m solutions.measure ex08_bradley_terry

The runs are those of the exercise's ``hidden_runs``, the metrics its ``freeze.COMPARED``. It takes minutes.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import numpy as np

from helpers.grader.judge_metric import auc
from solutions.printing import say


def measure(
    hidden: ModuleType, metrics: dict[str, Callable[..., float]], seeds: Iterable[int], n: int = 20
) -> dict[str, list[float]]:
    """AUC of every metric on every fresh draw of n + n runs: {name: [one AUC per seed]}."""
    found = {name: [] for name in metrics}
    for seed in seeds:
        both = list(zip(*hidden.pairs(seed, n)))
        for name, metric in metrics.items():
            scores = (np.array([metric(*hidden.arguments(run)) for run in kind]) for kind in both)
            found[name].append(auc(*scores))
    return found


def summary(found: dict[str, list[float]], seeds: range) -> dict:
    """Mean, standard deviation and least AUC of each metric, with every value."""
    table = {}
    for name, each in found.items():
        mean, sd, least = (round(float(f(each)), 2) for f in (np.mean, np.std, np.min))
        table[name] = {"mean": mean, "sd": sd, "least": least, "each": [round(a, 4) for a in each]}
    return {"first_seed": seeds[0], "draws": len(seeds), "runs_per_class": 20, "auc": table}


def main(name: str) -> None:
    """Measure one exercise, by the name of its folder; print the table and write it."""
    freeze = importlib.import_module(f"solutions.{name}.freeze")
    hidden = importlib.import_module(f"solutions.{name}.hidden_runs")
    seeds = hidden.MEASURED_SEEDS
    record = summary(measure(hidden, freeze.COMPARED, seeds), seeds)
    for label, row in record["auc"].items():
        say(f"{label:<61} {row['mean']:.2f} ± {row['sd']:.2f}   least {row['least']:.2f}")
    text = json.dumps(record, indent=1, ensure_ascii=False)
    text = (
        re.sub(r"\s+(?=[\d\]])", " ", text).replace("[ ", "[").replace(" ]", "]")
    )  # lists on one line
    path = Path(__file__).parent / name / "measured.json"
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
