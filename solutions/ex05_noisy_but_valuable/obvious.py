"""What 5d is answered with before thinking of what each annotator's own two rates explain."""

from __future__ import annotations

import numpy as np

from solutions.ex05_noisy_but_valuable import hidden_runs
from solutions.ex05_noisy_but_valuable.hidden_runs import Run
from solutions.obvious import correlation


def votes(run: Run) -> np.ndarray:
    """How many said 'first' of each pair."""
    return np.bincount(run["pair"], weights=run["said_first"])


def wrong(run: Run) -> np.ndarray:
    """Wrong answers to gold tasks."""
    return run["gold_first"] != run["gold_said_first"]


def by_person(who: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Share by annotator."""
    return np.bincount(who, weights=what) / np.bincount(who)


def dissent(run: Run) -> np.ndarray:
    """Which answers are against the other two's."""
    return run["said_first"] != (votes(run) > 1)[run["pair"]]


OBVIOUS = {
    **{
        name: lambda run, name=name: run[name]
        for name in ("pair", "annotator", "said_first", "gold_first", "gold_said_first")
    },
    "answers 'first' to a pair": votes,
    "wrong on gold tasks": wrong,
    "wrong where 'first' is right": lambda run: wrong(run)[run["gold_first"]],
    "wrong where 'first' is wrong": lambda run: wrong(run)[~run["gold_first"]],
    "wrong, by annotator": lambda run: by_person(run["gold_annotator"], wrong(run)),
    "'first' on gold, by annotator": lambda run: by_person(
        run["gold_annotator"], run["gold_said_first"]
    ),
    "'first' in the work, by annotator": lambda run: by_person(run["annotator"], run["said_first"]),
    "agreement of two": hidden_runs.agreement,
    "of one mind": hidden_runs.unanimous,
    "Krippendorff's α": hidden_runs.alpha,
    "against the other two": dissent,
    "against the other two, by annotator": lambda run: by_person(run["annotator"], dissent(run)),
    "gold errors less dissent": lambda run: float(wrong(run).mean() - dissent(run).mean()),
    "gold errors over dissent": lambda run: float(wrong(run).mean() / dissent(run).mean()),
    "agreement less the share right on gold": lambda run: (
        hidden_runs.agreement(run) + float(wrong(run).mean())
    ),
    "α times gold errors": lambda run: hidden_runs.alpha(run) * float(wrong(run).mean()),
    "'first' in the work less on gold": lambda run: float(
        run["said_first"].mean() - run["gold_said_first"].mean()
    ),
    "distance of 'first' from one half": lambda run: abs(float(run["said_first"].mean()) - 0.5),
    "all three 'first'": lambda run: float((votes(run) == 3).mean()),
    "all three 'second'": lambda run: float((votes(run) == 0).mean()),
    "correlation of gold errors and dissent, by annotator": lambda run: correlation(
        by_person(run["gold_annotator"], wrong(run)), by_person(run["annotator"], dissent(run))
    ),
}
