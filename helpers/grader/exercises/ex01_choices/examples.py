"""Exercise 1c: what imitation of the chosen responses and learning from the choices do to a policy, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.grader.judge_examples import HEADING, Verdict, entry, judge_examples, vector
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

BETA = 1.0


@dataclass(frozen=True)
class TwoRules:
    """Expected rewards before and after, and the policies, each (K,): what ``two_rules`` returns.

    before: of the policy; generator: of the generator; imitation, learning: of the policy after each rule.
    """

    before: float
    generator: float
    imitation: float
    learning: float
    imitated: np.ndarray
    learnt: np.ndarray


def two_rules(policy, generator, rewards) -> TwoRules:
    """Both rules on the same comparisons, of which there are as many as one likes, for K responses to one prompt.

    A comparison is two independent draws from ``generator`` (K probabilities); response i is chosen over j with
    probability σ(r_i − r_j), ``rewards`` (K,) in nats. *Imitation* makes the policy the distribution of the chosen
    response. *Learning* starts at ``policy`` (K probabilities), its reference, and minimises the DPO loss with β = 1.

    Raises ValueError for shapes that differ, what is not a distribution, a generator that never says some response
    (no comparison would tell what that response is worth), and rewards that are not finite.
    """
    policy, generator, rewards = (
        np.array(x, dtype=np.float64) for x in (policy, generator, rewards)
    )
    if (
        rewards.ndim != 1
        or len(rewards) < 2
        or not policy.shape == generator.shape == rewards.shape
    ):
        shapes = f"{policy.shape}, {generator.shape}, {rewards.shape}"
        raise ValueError(
            f"policy, generator, rewards of shapes {shapes}: expected one shape (K,), K ≥ 2"
        )
    for name, p in (("policy", policy), ("generator", generator)):
        if not (p >= 0).all() or not abs(p.sum() - 1) < 1e-6:
            raise ValueError(
                f"{name}: expected probabilities, at least 0, sum 1; found least {p.min():.3g}, "
                f"sum {p.sum():.6g}"
            )
    if not np.isfinite(rewards).all():
        raise ValueError("rewards hold NaN or infinity: expected finite numbers")
    if not (generator > 0).all():
        raise ValueError(
            f"the generator never says response {int(generator.argmin())}: expected a probability above 0"
        )
    beats = np.exp(
        -np.logaddexp(0, rewards - rewards[:, None])
    )  # (K, K): P(row is chosen over column)
    imitated = (
        2 * generator * (beats * generator).sum(1)
    )  # either of the two draws may be the one that is chosen
    tilted = policy * np.exp((rewards - rewards.max()) / BETA)
    learnt = tilted / tilted.sum()
    means = [float((p * rewards).sum()) for p in (policy, generator, imitated, learnt)]
    return TwoRules(*means, imitated, learnt)


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Apply both rules to the examples that ``answer()`` returns. case: points, bounds and thresholds."""
    return judge_examples(
        answer, case, {"safe": _safe, "unsafe_imitation": _imitation, "unsafe_learning": _learning}
    )


class _Example:
    """One side's example, read and worked out. Raises Unusable, saying what is wrong with it."""

    def __init__(self, sides: dict, which: str, case: dict[str, Any]):
        side, bounds, gap = sides.get(which), case["bounds"], case["thresholds"]["worse"]
        self.policy, self.generator, self.rewards = (
            vector(entry(side, n), n) for n in ("policy", "generator", "rewards")
        )
        (low, high), least = bounds["responses"], bounds["least_probability"]
        for name, p in (("policy", self.policy), ("generator", self.generator)):
            if not low <= len(p) <= high:
                raise Unusable(f"{name!r} has {len(p)} entries: expected {low} to {high} responses")
            if not p.min() >= least:
                raise Unusable(
                    f"{name!r} gives a response probability {p.min():.2g}: expected at least {least:g} each"
                )
        if not (self.rewards.min() >= 0 and self.rewards.max() <= bounds["largest_reward"]):
            raise Unusable(
                f"rewards from {self.rewards.min():.3g} to {self.rewards.max():.3g}: "
                f"expected numbers from 0 to {bounds['largest_reward']:g}"
            )
        try:
            self.rules = two_rules(self.policy, self.generator, self.rewards)
        except ValueError as error:
            raise Unusable(str(error)) from error
        self.worse = self.rules.before - self.rules.generator >= gap
        self.gain, self.learnt = (
            self.rules.imitation - self.rules.before,
            self.rules.learning - self.rules.before,
        )

    def __str__(self) -> str:
        rows = [("policy", self.policy), ("generator", self.generator), ("rewards", self.rewards)]
        return "\n".join(
            f"{name} = {np.array2string(row, precision=3, threshold=8)}" for name, row in rows
        )

    def story(self) -> str:
        """Expected rewards, in the order in which one asks for them."""
        r = self.rules
        return (
            f"policy {r.before:.3f}, generator {r.generator:.3f}\n"
            f"imitation {r.imitation:.3f} ({self.gain:+.3f}), learning {r.learning:.3f} ({self.learnt:+.3f})"
        )


def _not_worse(example: _Example, which: str, case: dict[str, Any]) -> Verdict:
    why = (
        f"{which} example: the generator's expected reward is {example.rules.generator:.2f}, the policy's "
        f"{example.rules.before:.2f}. Both examples are about a generator that is worse than the policy, by "
        f"{case['thresholds']['worse']:g} at least."
    )
    asked = f"generator at least {case['thresholds']['worse']:g} below the policy"
    return Failure(str(example), example.story(), asked, HEADING), why


def _safe(sides: dict, case: dict[str, Any]) -> Verdict:
    example, margin = _Example(sides, "safe", case), case["thresholds"]["margin"]
    if not example.worse:
        return _not_worse(example, "Safe", case)
    if example.gain >= margin:
        return None, ""
    why = (
        f"Safe example: imitation changes the expected reward by {example.gain:+.2f}; asked are {margin:+g} or "
        "more. Being chosen helps a response only where the other draw differs from it."
    )
    return Failure(
        str(example), example.story(), f"imitation raises by at least {margin:g}", HEADING
    ), why


def _imitation(sides: dict, case: dict[str, Any]) -> Verdict:
    example, margin = _Example(sides, "unsafe", case), case["thresholds"]["margin"]
    if not example.worse:
        return _not_worse(example, "Unsafe", case)
    if example.gain <= -margin:
        return None, ""
    why = (
        f"Unsafe example: imitation changes the expected reward by {example.gain:+.2f}, so it did no such harm; "
        f"asked are {-margin:+g} or less. How good can the better of two draws be?"
    )
    return Failure(
        str(example), example.story(), f"imitation lowers by at least {margin:g}", HEADING
    ), why


def _learning(sides: dict, case: dict[str, Any]) -> Verdict:
    example, margin = _Example(sides, "unsafe", case), case["thresholds"]["margin"]
    if example.learnt >= margin:
        return None, ""
    why = (
        f"Unsafe example: learning from the same comparisons gains only {example.learnt:.2f}. It re-weights what "
        "the policy says: a policy that says one thing only, or equal rewards, leave it nothing to choose."
    )
    return Failure(
        str(example), example.story(), f"learning raises by at least {margin:g}", HEADING
    ), why
