"""Exercise 4c: a small policy, trained by DPO on the learner's own pair, and what has to happen to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.judge_examples import HEADING, Verdict, entry, judge_examples
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

BETA, LEARNING_RATE, STEPS = 0.5, 0.5, 100
SAME_GAIN = 1e-9  # of probability: gains this close are equal but for rounding
SHOWN = 8  # responses whose features the panel lists


@dataclass(frozen=True)
class PairTraining:
    """What was true before each step and after the last: logps (steps + 1, K) in nats, loss, margin (steps + 1,)."""

    logps: np.ndarray
    loss: np.ndarray
    margin: np.ndarray


def train_pair(features, chosen: int, rejected: int, start=None) -> PairTraining:
    """DPO by gradient descent on one pair, for the log-linear policy π_w(y) ∝ exp(φ(y)·w) over K responses.

    features (K, d): row y is φ(y). chosen, rejected: two different rows. start (d,): the weights of π_ref, where
    training begins (default zeros: all responses equally likely). β = 0.5, learning rate 0.5, 100 steps. ``margin``
    is the logit of the loss, β·(log π/π_ref(chosen) − log π/π_ref(rejected)).

    Raises ValueError for features that are not a finite matrix, a start of another length, or rows that do not exist.
    """
    features = np.array(features, dtype=np.float64)
    if features.ndim != 2 or features.size == 0 or not np.isfinite(features).all():
        raise ValueError(
            f"features of shape {features.shape}: expected finite numbers of shape (K, d)"
        )
    K, d = features.shape
    start = np.zeros(d) if start is None else np.array(start, dtype=np.float64)
    if start.shape != (d,) or not np.isfinite(start).all():
        raise ValueError(
            f"start of shape {start.shape}: expected {d} finite numbers, one for each feature"
        )
    for name, row in (("chosen", chosen), ("rejected", rejected)):
        if not isinstance(row, (int, np.integer)) or not 0 <= row < K:
            raise ValueError(f"{name} = {row}: expected a row of features, from 0 to {K - 1}")
    if chosen == rejected:
        raise ValueError(f"chosen and rejected are both {chosen}: expected two different responses")
    w, ref_logps = start, _logps(features, start)
    logps, margins = [ref_logps], [0.0]
    for _ in range(STEPS):
        # ∇_w of −log σ(margin); log Z is the same for both responses and cancels in the difference
        weight = np.exp(-np.logaddexp(0, margins[-1]))  # σ(−margin)
        gradient = -BETA * weight * (features[chosen] - features[rejected])
        w = w - LEARNING_RATE * gradient
        logps.append(_logps(features, w))
        ratios = logps[-1] - ref_logps
        margins.append(BETA * (ratios[chosen] - ratios[rejected]))
    margin = np.array(margins)
    return PairTraining(np.array(logps), np.logaddexp(0, -margin), margin)


def _logps(features: np.ndarray, w: np.ndarray) -> np.ndarray:
    scores = (features * w).sum(1)
    return scores - np.logaddexp.reduce(scores)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Train on the safe and the unsafe example that ``answer()`` returns. case: points, bounds and thresholds."""

    def on_example(
        side: str, verdict: Callable[[_Example, dict], Verdict]
    ) -> Callable[[dict, dict], Verdict]:
        return lambda sides, case: verdict(_Example(sides.get(side), case), case)

    judges = {
        "safe": on_example("safe", _safe),
        "unsafe_falls": on_example("unsafe", _unsafe_falls),
        "unsafe_mass": on_example("unsafe", _unsafe_mass),
    }
    return judge_examples(answer, case, judges)


class _Example:
    """One side's example, read and trained. Raises Unusable, saying what is wrong with it."""

    def __init__(self, side: Any, case: dict[str, Any]):
        self.features = entry(side, "features")
        self.chosen, self.rejected = self._row(side, "chosen"), self._row(side, "rejected")
        self.harmful = self._row(side, "harmful") if side.get("harmful") is not None else None
        start = entry(side, "start") if side.get("start") is not None else None
        self._check_bounds(case["bounds"])
        try:
            self.training: PairTraining = train_pair(
                self.features, self.chosen, self.rejected, start
            )
        except ValueError as error:
            raise Unusable(str(error)) from error
        least = float(np.exp(self.training.logps[0].min()))
        if not least >= case["bounds"]["least_start_probability"]:
            floor = case["bounds"]["least_start_probability"]
            raise Unusable(
                f"one response starts with probability {least:.2g}: expected at least {floor:g} for each"
            )

    def _row(self, side: dict, name: str) -> int:
        number = entry(side, name)
        if number.ndim != 0 or not number == np.floor(number) or not abs(number) < 1000:
            raise Unusable(f"{name!r} must be one whole number, the row of a response")
        if self.features.ndim == 2 and not 0 <= number < len(self.features):
            raise Unusable(
                f"{name!r} is {int(number)}: expected a row of features, from 0 to {len(self.features) - 1}"
            )
        return int(number)

    def _check_bounds(self, bounds: dict[str, Any]) -> None:
        (low, high), width = bounds["responses"], bounds["features"]
        shape = self.features.shape
        if len(shape) != 2 or not low <= shape[0] <= high or not 1 <= shape[1] <= width:
            raise Unusable(
                f"features of shape {shape}: expected (K, d), K from {low} to {high}, d from 1 to {width}"
            )
        largest = float(np.sqrt(np.square(self.features).sum(1)).max())
        if not largest <= bounds["norm"]:  # NaN and infinity end here too
            raise Unusable(
                f"a feature vector of length {largest:.3g}: expected at most {bounds['norm']:g}"
            )

    @property
    def chosen_change(self) -> float:
        """Change of log π(chosen) in nats."""
        return float(self.training.logps[-1, self.chosen] - self.training.logps[0, self.chosen])

    @property
    def gain(self) -> np.ndarray:
        """Change of every response's probability, (K,)."""
        return np.exp(self.training.logps[-1]) - np.exp(self.training.logps[0])

    def __str__(self) -> str:
        rows = [
            f"  φ({k}) = {np.array2string(row, precision=3)}"
            for k, row in enumerate(self.features[:SHOWN])
        ]
        rows += [f"  … {len(self.features) - SHOWN} more"] if len(self.features) > SHOWN else []
        harmful = "" if self.harmful is None else f", harmful {self.harmful}"
        return f"chosen {self.chosen}, rejected {self.rejected}{harmful}\n" + "\n".join(rows)

    def story(self) -> str:
        """What training did."""
        loss, margin = self.training.loss, self.training.margin
        before, after = np.exp(self.training.logps[[0, -1]])
        lines = [f"loss {loss[0]:.3f} → {loss[-1]:.3f}, margin {margin[0]:.2f} → {margin[-1]:.2f}"]
        named = {"chosen": self.chosen, "rejected": self.rejected, "harmful": self.harmful}
        most = int(self.gain.argmax())
        if most not in named.values():
            named[f"response {most}, the largest gain"] = most
        lines += [
            f"π({name}) {before[k]:.3f} → {after[k]:.3f}"
            for name, k in named.items()
            if k is not None
        ]
        return "\n".join(lines)

    def moved(self, case: dict[str, Any]) -> bool:
        """Whether training did anything: the margin grew, and with it the loss fell."""
        return bool(self.training.margin[-1] >= case["thresholds"]["margin"])


SAME = "chosen and rejected have the same features (or nearly): no w tells them apart, and the margin stays as it was."


def _safe(example: _Example, case: dict[str, Any]) -> Verdict:
    nats = case["thresholds"]["chosen_nats"]
    if example.moved(case) and example.chosen_change >= nats:
        return None, ""
    why = f"Safe example: the chosen response rises by {example.chosen_change:.2f} nats; asked are {nats:g} or more."
    if not example.moved(case):
        why = f"Safe example: {SAME}"
    elif example.chosen_change < 0:
        why = "Safe example: the chosen response became less likely although the margin grew. That is the other effect."
    asked = f"margin grows, log π(chosen) rises by at least {nats:g} nats"
    return Failure(str(example), example.story(), asked, HEADING), why


def _unsafe_falls(example: _Example, case: dict[str, Any]) -> Verdict:
    nats = case["thresholds"]["chosen_nats"]
    if example.moved(case) and example.chosen_change <= -nats:
        return None, ""
    why = f"Unsafe example: the chosen response falls by {-example.chosen_change:.2f} nats; asked are {nats:g} or more."
    if not example.moved(case):
        why = f"Unsafe example: {SAME}"
    elif example.chosen_change >= 0:
        why = (
            "Unsafe example: the chosen response became likelier, so training did what one hopes for. "
            "A growing margin only says that chosen gained on rejected."
        )
    asked = f"margin grows, loss falls, and yet log π(chosen) falls by at least {nats:g} nats"
    return Failure(str(example), example.story(), asked, HEADING), why


def _unsafe_mass(example: _Example, case: dict[str, Any]) -> Verdict:
    least = case["thresholds"]["harmful_probability"]
    asked = f"the response named harmful gains at least {least:g}, and more than any other"
    if example.harmful is None:
        why = "Unsafe example: 'harmful' is missing, the row of the response that takes the mass."
        return Failure(str(example), "'harmful' is missing", asked, HEADING), why
    if example.harmful in (example.chosen, example.rejected):
        why = "The harmful response must be a third response: one that the pair does not mention."
        return Failure(
            str(example), f"harmful = {example.harmful}, which is in the pair", asked, HEADING
        ), why
    gain, named = example.gain, example.gain[example.harmful]
    most = int(np.where(np.arange(len(gain)) == example.harmful, -np.inf, gain).argmax())
    if abs(gain[most] - named) <= SAME_GAIN:
        why = f"Response {most} gains as much as the one that you named: it should gain more than any other."
        return Failure(str(example), example.story(), asked, HEADING), why
    if gain[most] > named:
        why = f"Response {most} took the mass ({gain[most]:+.2f}), not the one that you named ({named:+.2f})."
        return Failure(str(example), example.story(), asked, HEADING), why
    if named < least:
        why = f"The harmful response gains {named:.2f} of probability: too little to call it displaced."
        return Failure(str(example), example.story(), asked, HEADING), why
    return None, ""
