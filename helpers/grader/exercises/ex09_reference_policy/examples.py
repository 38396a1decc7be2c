"""Exercise 9c, judged by effect: a policy starts at π_ref, and DPO is given ν for its reference. What becomes of it?

One prompt, a table of logits, unlimited answers: of a pair i, j the share σ(r_i − r_j) prefers i, all pairs
weigh alike. The gradient of a pair's loss raises one logit by what it takes from the other. So training ends
where, inside each group of replies that pairs connect, logits differ by log ν + r/β, and where their sum is
what it was at the start; replies that no pair holds keep their logits. ``end_of_training`` goes there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.judge_examples import Verdict, entry, judge_examples, refuse_logarithms
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

HEADING = "Your example"
NAMES = "ABCDEF"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Train from the safe and the unsafe example of ``answer()``, with π_ref and with ν. case: points, bounds,
    limits.
    """

    def on_example(which: str, verdict: Callable) -> Callable[[dict, dict], Verdict]:
        def judged(sides: dict, case: dict) -> Verdict:
            example = Example.read(sides.get(which), case["bounds"], case["beta"])
            failure, why = verdict(example, case["thresholds"])
            if failure and _exchanged(sides, case):
                why = (
                    "Your two examples are in each other's place: the one under 'unsafe' alarms and costs nothing, "
                    "the one under 'safe' costs gold."
                )
            return failure, why

        return judged

    judges = {
        "safe": on_example("safe", _safe),
        "unsafe_costs": on_example("unsafe", _unsafe_costs),
        "unsafe_silent": on_example("unsafe", _unsafe_silent),
    }
    return judge_examples(answer, case, judges, HEADING)


def _exchanged(sides: dict, case: dict) -> bool:
    given, limits = (case["bounds"], case["beta"]), case["thresholds"]
    try:
        safe, unsafe = (
            Example.read(sides.get("unsafe"), *given),
            Example.read(sides.get("safe"), *given),
        )
    except Unusable:
        return False
    return _safe(safe, limits)[0] is None and _unsafe_costs(unsafe, limits)[0] is None


@dataclass(frozen=True)
class Example:
    """One side, read and worked out: π_ref, ν, rewards, (K,) each, and pairs (C, 2)."""

    ref: np.ndarray
    wrong: np.ndarray
    rewards: np.ndarray
    pairs: np.ndarray
    beta: float

    @classmethod
    def read(cls, side: Any, bounds: dict[str, Any], beta: float) -> Example:
        """Raises Unusable, saying what is wrong."""
        ref, wrong, rewards, pairs = (
            entry(side, name) for name in ("ref", "wrong", "rewards", "pairs")
        )
        fewest, most = bounds["replies"]
        if ref.ndim != 1 or not fewest <= len(ref) <= most:
            raise Unusable(f"'ref' of shape {ref.shape}: expected {fewest} to {most} probabilities")
        for name, p in (("ref", ref), ("wrong", wrong)):
            if p.shape != ref.shape:
                raise Unusable(f"{name!r} of shape {p.shape}: expected that of 'ref', {ref.shape}")
            refuse_logarithms(p, name)
            if not p.min() >= bounds["least"]:  # NaN ends here too
                raise Unusable(
                    f"{name!r} has the entry {p.min():.3g}: expected probabilities of {bounds['least']:g} or more"
                )
            if not abs(p.sum() - 1) <= 1e-6:
                raise Unusable(f"{name!r} sums to {p.sum():.7g}: expected 1")
        if rewards.shape != ref.shape:
            raise Unusable(
                f"'rewards' of shape {rewards.shape}: expected that of 'ref', {ref.shape}"
            )
        if not np.abs(rewards).max() <= bounds["largest_reward"]:
            raise Unusable(
                f"'rewards' up to {np.abs(rewards).max():.3g}: expected finite, at most "
                f"{bounds['largest_reward']:g} either way"
            )
        if pairs.ndim != 2 or pairs.shape[1:] != (2,) or not len(pairs):
            raise Unusable(f"'pairs' of shape {pairs.shape}: expected one row (i, j) or more")
        if not (np.isin(pairs, np.arange(len(ref))).all() and (pairs[:, 0] != pairs[:, 1]).all()):
            raise Unusable(
                f"'pairs' {pairs.tolist()}: expected two different replies in each row, from 0 to {len(ref) - 1}"
            )
        pairs = pairs.astype(int)
        if len({tuple(sorted(pair)) for pair in pairs.tolist()}) < len(pairs):
            raise Unusable("'pairs' holds one pair twice: all weigh alike, so once is enough")
        return cls(ref, wrong, rewards, pairs, beta)

    @property
    def ratios(self) -> np.ndarray:
        """log π/ν at the start, where π = π_ref, of the replies that pairs hold."""
        seen = np.unique(self.pairs)
        return np.log(self.ref / self.wrong)[seen]

    @property
    def first_loss(self) -> float:
        """The expected DPO loss before the first step, π = π_ref, with ν for its reference."""
        i, j = self.pairs.T
        ratio = np.log(self.ref / self.wrong)
        h = self.beta * (ratio[i] - ratio[j])
        p = 1 / (1 + np.exp(self.rewards[j] - self.rewards[i]))
        return float((np.logaddexp(0, h) - p * h).mean())

    def trained(self, reference: np.ndarray) -> np.ndarray:
        """The policy at the end of training with this reference in the loss, (K,)."""
        return end_of_training(self.ref, reference, self.rewards, self.pairs, self.beta)

    def gold(self, policy: np.ndarray) -> float:
        return float(policy @ self.rewards)

    def __str__(self) -> str:
        def row(values):
            return " ".join(f"{value:7.3g}" for value in values)

        names = NAMES[: len(self.ref)]
        pairs = ", ".join(NAMES[i] + NAMES[j] for i, j in self.pairs)
        return (
            f"replies  {' '.join(f'{name:>7}' for name in names)}\nref      {row(self.ref)}\n"
            f"wrong    {row(self.wrong)}\nrewards  {row(self.rewards)}\npairs    {pairs}"
        )

    def story(self) -> str:
        """The first loss, its log-ratios, and both ends of training."""
        seen, right, wrong = np.unique(self.pairs), self.trained(self.ref), self.trained(self.wrong)
        found = ", ".join(f"{NAMES[k]} {ratio:+.2f}" for k, ratio in zip(seen, self.ratios))
        return (
            f"first loss {self.first_loss:.4f} (log 2 = {np.log(2):.4f}), log-ratios {found}\n"
            f"trained with π_ref: {_policy(right)}, gold {self.gold(right):+.2f} (start {self.gold(self.ref):+.2f})\n"
            f"trained with ν:     {_policy(wrong)}, gold {self.gold(wrong):+.2f}"
        )


def _policy(policy: np.ndarray) -> str:
    return " ".join(f"{NAMES[k]} {p:.3f}" for k, p in enumerate(policy))


def end_of_training(
    start: np.ndarray, reference: np.ndarray, rewards: np.ndarray, pairs: np.ndarray, beta: float
) -> np.ndarray:
    """Where gradient descent on the expected DPO loss takes a table of logits: probabilities (K,) each → (K,)."""
    logits, aim = np.log(start), np.log(reference) + rewards / beta
    group = np.arange(len(start))
    for i, j in pairs:
        group[group == group[j]] = group[i]
    for g in np.unique(group):
        inside = group == g
        logits[inside] = aim[inside] + (logits[inside] - aim[inside]).mean()
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _safe(example: Example, limits: dict[str, float]) -> Verdict:
    asked = "every log-ratio of the first batch alarms, and training ends at the same policy"
    failure = Failure(str(example), example.story(), asked, HEADING)
    right, wrong = example.trained(example.ref), example.trained(example.wrong)
    gained = example.gold(right) - example.gold(example.ref)
    apart = np.abs(right - wrong).sum() / 2
    if np.abs(example.ratios).min() < limits["alarm"]:
        if np.abs(np.log(example.ref / example.wrong)).max() < 1e-6:
            return (
                failure,
                "Safe example: ν is π_ref itself. Asked is a wrong reference that happens to do no harm.",
            )
        return failure, (
            f"Safe example: the smallest log-ratio of a reply in your pairs is {np.abs(example.ratios).min():.2f} nats "
            f"either way; asked is {limits['alarm']:g} or more for each, so that the check of the first batch alarms."
        )
    if gained < limits["gained"]:
        return failure, (
            f"Safe example: training with π_ref gains {gained:.2f} gold; asked is {limits['gained']:g} or more. "
            "A run that teaches nothing has nothing to lose."
        )
    if apart > limits["same"]:
        return failure, (
            f"Safe example: with ν the run ends elsewhere: {apart:.3f} of the probability lies on other replies. "
            "Through which number of a pair does the loss read ν?"
        )
    return None, ""


def _unsafe_costs(example: Example, limits: dict[str, float]) -> Verdict:
    lost = example.gold(example.trained(example.ref)) - example.gold(example.trained(example.wrong))
    if lost >= limits["lost"]:
        return None, ""
    asked = f"training with ν ends with {limits['lost']:g} less gold, or more, than with π_ref"
    why = f"Unsafe example: ν costs {lost:.2f} gold; asked is {limits['lost']:g} or more."
    if lost < -0.01:
        why = (
            f"Unsafe example: ν *gains* {-lost:.2f} gold, because it says better replies more often than π_ref does. "
            "Which replies does a reference that costs gold say less often?"
        )
    elif np.abs(example.ratios - example.ratios.mean()).max() < 1e-6:
        why = (
            "Unsafe example: ν costs nothing. All replies of your pairs have the same log-ratio, and the loss reads "
            "only differences."
        )
    return Failure(str(example), example.story(), asked, HEADING), why


def _unsafe_silent(example: Example, limits: dict[str, float]) -> Verdict:
    off = example.first_loss - np.log(2)
    if abs(off) <= limits["silent"]:
        return None, ""
    asked = f"a first loss within {limits['silent']:g} of log 2 = {np.log(2):.4f}"
    why = (
        f"Unsafe example: the first loss is {example.first_loss:.4f}, {'above' if off > 0 else 'below'} log 2 by "
        f"{abs(off):.4f}, so anyone who looks at it is warned. As a function of h the expected loss of a pair falls "
        "from log 2 and rises again: how far must h be off?"
    )
    return Failure(str(example), example.story(), asked, HEADING), why
