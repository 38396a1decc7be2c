"""Freeze what crowd-kit's Dawid-Skene gives on fixed labels into tests/data/dawid_skene.json (``make oracle``)."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from crowdkit.aggregation.classification import DawidSkene

STEPS = 30
rng = np.random.default_rng(5)
truth = rng.integers(3, size=150)
skills = np.array([0.9, 0.8, 0.6, 0.5, 0.4, 0.7])
right = rng.random((150, 6)) < skills
labels = np.where(right, truth[:, None], (truth[:, None] + rng.integers(1, 3, size=(150, 6))) % 3)
labels[rng.random((150, 6)) < 0.25] = -1
labels[(labels != -1).sum(1) == 0, 0] = 0

items, raters = np.nonzero(labels != -1)
answers = pd.DataFrame({"task": items, "worker": raters, "label": labels[items, raters]})
fit = DawidSkene(n_iter=STEPS, tol=0.0).fit(answers)
posterior = fit.probas_[[0, 1, 2]].sort_index()  # columns come in order of appearance
frozen = {
    "library": f"crowd-kit {version('crowd-kit')}",
    "steps": STEPS,
    "classes": 3,
    "labels": labels.tolist(),
    "posterior": posterior.to_numpy().round(9).tolist(),
}
path = Path(__file__).parents[1] / "data" / "dawid_skene.json"
path.write_text(json.dumps(frozen) + "\n", encoding="utf-8")
print(path, frozen["library"])
