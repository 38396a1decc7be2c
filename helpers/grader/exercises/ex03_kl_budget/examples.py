"""Exercise 3c, judged by effect: the budget is spent on the learner's own tables, and quality has to move as asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.grader.judge_examples import Refused, Verdict, entry, judge_examples
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable

HEADING = "Your table"


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Spend the budget on the safe and the unsafe table of ``answer()``. case: points, quality, bounds, thresholds."""

    def on_table(
        side: str, verdict: Callable[[_Table, dict], Verdict]
    ) -> Callable[[dict, dict], Verdict]:
        return lambda sides, case: verdict(_Table(sides.get(side), case), case["thresholds"])

    judges = {
        "safe": on_table("safe", _safe),
        "unsafe_lowers": on_table("unsafe", _unsafe_lowers),
        "unsafe_unseen": on_table("unsafe", _unsafe_unseen),
    }
    return judge_examples(answer, case, judges, HEADING)


class _Table:
    """One side's table, read, with the policy that spends the budget on it. Raises Unusable, saying what is wrong."""

    def __init__(self, side: Any, case: dict[str, Any]):
        self.quality, self.budget = np.array(case["quality"]), case["budget"]
        self.ref, self.rewards = (self._column(side, name) for name in ("ref", "rewards"))
        self._check_bounds(case["bounds"])
        self.policy = self._spend()

    def _column(self, side: Any, name: str) -> np.ndarray:
        found = entry(side, name)
        if found.shape != self.quality.shape:
            K = len(self.quality)
            raise Unusable(
                f"{name!r} of shape {found.shape}: expected one number for each of {K} responses"
            )
        return found

    def _check_bounds(self, bounds: dict[str, float]) -> None:
        if (
            not np.abs(self.rewards).max() <= bounds["largest_reward"]
        ):  # NaN and infinity end here too
            raise Unusable(
                f"'rewards' up to {np.abs(self.rewards).max():.3g}: expected finite, at most "
                f"{bounds['largest_reward']:g} either way"
            )
        if not self.ref.min() >= bounds["least_probability"]:
            raise Unusable(
                f"one response has probability {self.ref.min():.2g} under the reference: expected at least "
                f"{bounds['least_probability']:g} for each"
            )
        if not abs(self.ref.sum() - 1) <= 1e-5:
            raise Unusable(f"'ref' sums to {self.ref.sum():.6g}: expected 1")
        self.ref = self.ref / self.ref.sum()

    def _spend(self) -> np.ndarray:
        """The policy ∝ π_ref·exp(λ·r) that is ``budget`` nats away, (K,)."""
        spread = np.ptp(self.rewards)
        if spread == 0:
            why = "the rewards do not tell the responses apart, so the optimum stays at the reference."
            raise Refused("all rewards are equal", f"No budget can be spent: {why}")
        largest = -np.log(self.ref[self.rewards == self.rewards.max()].sum())
        if not largest > self.budget:
            why = (
                f"Your table can spend at most {largest:.2f} nats, −log π_ref of the response with the largest "
                f"reward; asked is {self.budget:g}. Make that response rarer under the reference."
            )
            raise Refused(f"it can spend at most {largest:.3f} nats", why)
        scores = (self.rewards - self.rewards.max()) / spread

        def tilted(strength: float) -> np.ndarray:
            weights = self.ref * np.exp(strength * scores)
            return weights / weights.sum()

        high = 1.0
        while _kl(tilted(high), self.ref) < self.budget:
            high *= 2
            if high > 1e12:
                raise Refused(
                    "two rewards are nearly equal",
                    "The largest rewards are too close to be told apart.",
                )
        low = 0.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if _kl(tilted(middle), self.ref) < self.budget else (low, middle)
            )
        return tilted(high)

    def change(self, of: np.ndarray) -> float:
        """Mean under the policy minus mean under the reference."""
        return float((self.policy - self.ref) @ of)

    @property
    def correlation(self) -> float:
        """Of reward and quality, over the reference's responses; 0 where quality or reward does not vary."""
        r, q = (values - self.ref @ values for values in (self.rewards, self.quality))
        spread = np.sqrt((self.ref @ r**2) * (self.ref @ q**2))
        return float(self.ref @ (r * q) / spread) if spread > 0 else 0.0

    def __str__(self) -> str:
        rows = (self.quality, self.ref, self.rewards)
        lines = [f"  {k}  {q:>5g} {p:>9.4g} {r:>8.4g}" for k, (q, p, r) in enumerate(zip(*rows))]
        return "response, quality, ref, reward\n" + "\n".join(lines)

    def story(self) -> str:
        """What spending the budget did."""
        most = int((self.policy - self.ref).argmax())
        lines = [
            f"{name} {self.ref @ of:+.3f} → {self.policy @ of:+.3f}"
            for name, of in (("mean reward", self.rewards), ("mean quality", self.quality))
        ]
        lines.append(f"correlation under the reference {self.correlation:+.2f}")
        return "\n".join(
            [
                *lines,
                f"largest gain: response {most}, {self.ref[most]:.3f} → {self.policy[most]:.3f}",
            ]
        )


def _kl(policy: np.ndarray, ref: np.ndarray) -> float:
    some = policy > 0
    return float((policy[some] * np.log(policy[some] / ref[some])).sum())


def _safe(table: _Table, thresholds: dict[str, float]) -> Verdict:
    change, least = table.change(table.quality), thresholds["change"]
    if change >= least:
        return None, ""
    why = f"Safe table: quality changes by {change:+.2f}; asked is a rise of {least:g} or more."
    if change <= -least:
        why = f"Safe table: quality falls by {-change:.2f} although reward rises. That is the other effect."
    return Failure(
        str(table), table.story(), f"mean quality rises by at least {least:g}", HEADING
    ), why


def _unsafe_lowers(table: _Table, thresholds: dict[str, float]) -> Verdict:
    change, least = table.change(table.quality), thresholds["change"]
    if change <= -least:
        return None, ""
    why = f"Unsafe table: quality falls by {-change:.2f}; asked is {least:g} or more."
    if change >= 0:
        why = (
            f"Unsafe table: quality rises by {change:.2f}, so spending the budget did what one hopes for. Where "
            "does the mass go, and what is its quality?"
        )
    return Failure(
        str(table),
        table.story(),
        f"reward rises, mean quality falls by at least {least:g}",
        HEADING,
    ), why


def _unsafe_unseen(table: _Table, thresholds: dict[str, float]) -> Verdict:
    found, least = table.correlation, thresholds["correlation"]
    if found >= least:
        return None, ""
    why = f"Unsafe table: reward and quality correlate by {found:.2f} under the reference; asked is {least:g} or more. "
    if found <= 0:
        why += "Such a reward is wrong about ordinary responses, and anyone who looks would have seen it."
    else:
        why += "The response that spoils it is too common under the reference, or reward is off elsewhere too."
    return Failure(
        str(table),
        table.story(),
        f"a correlation of at least {least:g} under the reference",
        HEADING,
    ), why
