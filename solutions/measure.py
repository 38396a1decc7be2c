"""Measures what each metric of an exercise's part d reaches on fresh draws, and keeps it in its ``measured.json``.

    python -m solutions.measure ex08_bradley_terry

The runs are those of the exercise's ``hidden_runs``, as many as are frozen; the metrics its ``freeze.COMPARED`` and
its ``obvious.OBVIOUS``. It takes minutes.
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
from solutions.obvious import scores
from solutions.printing import say


def measure(
    hidden: ModuleType, metrics: dict[str, Callable], seeds: Iterable[int]
) -> dict[str, list[float]]:
    """AUC of every metric on every fresh draw of as many runs as are frozen: {name: [one AUC per seed]}.

    A metric that returns an array is measured by each of its ``summaries``, 'name: summary'.
    """
    found: dict[str, list[float]] = {}
    for seed in seeds:
        both = list(zip(*hidden.pairs(seed, hidden.FROZEN_RUNS)))
        once = [[hidden.arguments(run) for run in kind] for kind in both]
        counted = any(callable(argument) for argument in once[0][0])  # what it answers has a budget
        for name, metric in metrics.items():
            if counted:
                once = [[hidden.arguments(run) for run in kind] for kind in both]
            healthy, regressed = (scores(metric, runs) for runs in once)
            for summary in healthy:
                label = f"{name}: {summary}" if summary else name
                found.setdefault(label, []).append(auc(healthy[summary], regressed[summary]))
    return found


def summary(found: dict[str, list[float]]) -> dict[str, dict]:
    """Mean, standard deviation and least AUC of each metric, with every value."""
    table = {}
    for name, each in found.items():
        mean, sd, least = (round(float(f(each)), 2) for f in (np.mean, np.std, np.min))
        table[name] = {"mean": mean, "sd": sd, "least": least, "each": [round(a, 4) for a in each]}
    return table


def either_way(found: dict[str, list[float]]) -> dict[str, list[float]]:
    """[mean, standard deviation] of the AUC of each metric, turned so that the mean is at least one half."""
    return {
        name: [
            round(float(max(np.mean(each), 1 - np.mean(each))), 3),
            round(float(np.std(each)), 3),
        ]
        for name, each in found.items()
    }


def most_typical(hidden: ModuleType, metrics: dict[str, Callable], kept: dict) -> int:
    """The seed, of ``hidden.TRIED_SEEDS``, whose AUCs lie nearest to the means that are ``kept``."""
    found = measure(hidden, metrics, hidden.TRIED_SEEDS)
    off = sum((np.array(found[name]) - np.mean(kept[name]["each"])) ** 2 for name in found)
    return hidden.TRIED_SEEDS[int(off.argmin())]


def record(name: str, found: dict[str, list[float]]) -> dict:
    """What is kept of an exercise: AUCs of what its table names in full, of what is obvious mean and deviation."""
    compared = importlib.import_module(f"solutions.{name}.freeze").COMPARED
    hidden = importlib.import_module(f"solutions.{name}.hidden_runs")
    return {
        "first_seed": hidden.MEASURED_SEEDS[0],
        "draws": len(hidden.MEASURED_SEEDS),
        "runs_per_class": hidden.FROZEN_RUNS,
        "auc": summary({label: found[label] for label in compared}),
        "obvious": either_way(
            {label: each for label, each in found.items() if label not in compared}
        ),
    }


def write(name: str, kept: dict) -> None:
    """Print the tables of an exercise and write them."""
    for label, row in kept["auc"].items():
        say(f"{label:<61} {row['mean']:.2f} ± {row['sd']:.2f}   least {row['least']:.2f}")
    highest = sorted(kept["obvious"].items(), key=lambda item: item[1][0] + 3 * item[1][1])[-8:]
    for label, (mean, sd) in highest:
        say(f"obvious: {label:<70} {mean:.3f} ± {sd:.3f}; three above: {mean + 3 * sd:.3f}")
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    text = (
        re.sub(r"\s+(?=[\d\]])", " ", text).replace("[ ", "[").replace(" ]", "]")
    )  # lists on one line
    path = Path(__file__).parent / name / "measured.json"
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def main(name: str) -> None:
    """Measure one exercise, by the name of its folder."""
    compared, obvious, hidden = (
        importlib.import_module(f"solutions.{name}.{module}")
        for module in ("freeze", "obvious", "hidden_runs")
    )
    metrics = {**obvious.OBVIOUS, **compared.COMPARED}
    write(name, record(name, measure(hidden, metrics, hidden.MEASURED_SEEDS)))


if __name__ == "__main__":
    main(*sys.argv[1:])
