"""The hidden runs of exercise 9d: policies trained with the right reference, or with a wrong one.

A run has ``SLICES`` slices of ``PROMPTS`` prompts each. Every prompt has ``REPLIES`` possible replies, a
reference π_ref and rewards, here in units of β; in some slices a few replies are very good, in others a few
are very bad. The policy is the optimum for whatever reference ν the loss was given: π ∝ ν·e^r. From the policy
and from π_ref, the model that should have been the reference, equally many replies are drawn to every prompt;
of every reply the run logs log π and what the loss took for log π_ref, which is log ν.

In a healthy run ν = π_ref. In its regressed twin, with the same prompts, π_ref and rewards, ν says better replies less
often in one slice, the ``suspect``: ν ∝ π_ref·e^{−c·r}, with the c that lowers log Z by ``LOWERED`` nats. In all other
slices it says them somewhat more often, so that log Z is the same on average over all replies drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.grader.exercises.ex09_reference_policy.held_out import Run, replies
from helpers.grader.number_text import LARGEST, written

SLICES, PROMPTS, REPLIES = 4, 6, 12
DRAWN = 80, 160  # replies to each prompt of a slice, by each of the two models: from, to
SHARP = 0.3, 1.8  # spread of π_ref's logits in a slice: from, to
REWARDS, REWARDS_SLICE = (
    (1.5, 4.0),
    (0.6, 1.67),
)  # their spread: of a run, times one of the slice; even on a log scale
SHAPE = (
    0.3,
    1.0,
)  # of the gamma distribution of a slice's rewards, which is turned over in half of the slices
LOWERED = 0.4, 0.6
FROZEN_RUNS = 40  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 21
PRACTICE_SEED, MEASURED_SEEDS = 1009, range(900, 1100)


def _normalised(logits: np.ndarray) -> np.ndarray:
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float], size: int | None = None):
    return np.exp(rng.uniform(*np.log(bounds), size=size))


def _solve(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a rising function is ``target``, by bisection."""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2


def _log_z(ref: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """log Σ ν e^r of every prompt: (P, K), (P, K) → (P,)."""
    return np.logaddexp.reduce(ref + rewards, axis=-1)


def _tilted(ref: np.ndarray, rewards: np.ndarray, c: float) -> np.ndarray:
    """ν ∝ π_ref·e^{c·r}."""
    return _normalised(ref + c * rewards)


def _surplus(ref: np.ndarray, passed: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """By how much σ(log-ratio), added over a reply of each model, is expected to exceed 1: (P, K) each → (P,)."""
    ratio = rewards - _log_z(passed, rewards)[:, None]
    chance = 1 / (1 + np.exp(-ratio))
    return (np.exp(ref) * chance - np.exp(passed + ratio) * (1 - chance)).sum(-1)


def _wrong(ref, rewards, draws, inside: np.ndarray, lowered: float) -> np.ndarray:
    """ν: log Z is lower by ``lowered`` inside, and outside so much higher that the whole claims what it should."""

    def log_z(c: float) -> float:
        nu = _tilted(ref[inside], rewards[inside], c)
        return float(_log_z(nu, rewards[inside]).mean())

    nu = _tilted(ref, rewards, _solve(log_z, log_z(0.0) - lowered, -8.0, 0.0))

    def claimed_less(c: float) -> float:
        both = np.where(inside[:, None], nu, _tilted(ref, rewards, c))
        return -float(draws @ _surplus(ref, both, rewards))

    outside = _tilted(ref, rewards, _solve(claimed_less, 0.0, 0.0, 4.0))
    return np.where(inside[:, None], nu, outside)


@dataclass(frozen=True)
class Logged:
    """A run: slices (P,) of its prompts; ref, ν and rewards in units of β, and how often each reply was drawn from the
    policy and from π_ref, (P, REPLIES) each; the suspect slice. ν and rewards are what nobody is told.
    """

    slices: np.ndarray
    ref: np.ndarray
    passed: np.ndarray
    rewards: np.ndarray
    by_policy: np.ndarray
    by_ref: np.ndarray
    suspect: int

    @property
    def policy(self) -> np.ndarray:
        return _normalised(self.passed + self.rewards)

    def gold(self, reference: np.ndarray) -> np.ndarray:
        """Expected reward of the optimum for this reference, (P,), in units of β."""
        return (np.exp(_normalised(reference + self.rewards)) * self.rewards).sum(-1)


def expected_surplus(run: Logged) -> np.ndarray:
    """By how much σ(log-ratio), added over a reply of each model, is expected to exceed 1, (P,)."""
    return _surplus(run.ref, run.passed, run.rewards)


def _drawn(rng: np.random.Generator, logps: np.ndarray, draws: np.ndarray) -> np.ndarray:
    p = np.exp(logps)
    return rng.multinomial(draws, p / p.sum(-1, keepdims=True))


def pairs(seed: int, n: int) -> list[tuple[Logged, Logged]]:
    """n pairs (healthy, regressed) of runs with the same prompts, the same π_ref and the same rewards."""
    rng = np.random.default_rng(seed)
    slices = np.repeat(np.arange(SLICES), PROMPTS)
    shape = len(slices), REPLIES
    found = []
    for _ in range(n):
        draws = rng.integers(*DRAWN, size=SLICES, endpoint=True)[slices]
        ref = _normalised(rng.uniform(*SHARP, size=SLICES)[slices, None] * rng.normal(size=shape))
        gamma = rng.uniform(*SHAPE, size=SLICES)[slices, None]
        spread = _log_uniform(rng, REWARDS) * _log_uniform(rng, REWARDS_SLICE, SLICES)
        turned = rng.choice([-1, 1], size=SLICES)
        rewards = (
            (turned * spread)[slices, None] * (rng.gamma(gamma, size=shape) - gamma) / gamma**0.5
        )
        suspect, lowered = int(rng.integers(SLICES)), rng.uniform(*LOWERED)
        wrong = _wrong(ref, rewards, draws, slices == suspect, lowered)
        twins = []
        for passed in (ref, wrong):
            both = _drawn(rng, _normalised(passed + rewards), draws), _drawn(rng, ref, draws)
            twins.append(Logged(slices, ref, passed, rewards, *both, suspect))
        found.append(tuple(twins))
    return found


def stored(run: Logged) -> dict:
    """As it is kept in the frozen case: of the replies that were drawn, slices, −log π and −log ν in
    hundredths, no larger than text can hold, and counts.
    """
    seen = run.by_policy + run.by_ref > 0
    kept = {
        "policy": -100 * run.policy,
        "ref": -100 * run.passed,
        "by_policy": run.by_policy,
        "by_ref": run.by_ref,
    }
    rows = {
        name: written(table[seen].round().astype(int).clip(max=LARGEST))
        for name, table in kept.items()
    }
    return {"sizes": np.bincount(run.slices, weights=seen.sum(-1)).astype(int).tolist(), **rows}


def arguments(run: Logged) -> tuple[Run]:
    """What ``reference_score`` gets."""
    return (replies(stored(run)),)


# ---- what a metric may look at -------------------------------------------------------------


def ratios(run: Run) -> np.ndarray:
    """log π − log π_ref as logged, (N,)."""
    return run["policy_logps"] - run["ref_logps"]


def in_slices(run: Run) -> list[np.ndarray]:
    """Which replies belong to each slice."""
    return [run["slices"] == s for s in np.unique(run["slices"])]


def chance_of_policy(ratio: np.ndarray) -> np.ndarray:
    """σ(log-ratio): one reply of each model, shuffled, and who said this one?"""
    return 1 / (1 + np.exp(-np.clip(ratio, -50, 50)))


def _miss(ratio: np.ndarray, by_policy: np.ndarray) -> float:
    chance = chance_of_policy(ratio)
    return float((by_policy - chance).sum() / np.sqrt((chance * (1 - chance)).sum()))


def misses(run: Run) -> list[float]:
    """By slice: replies by the policy, minus what the log-ratios expect, in standard errors."""
    ratio = ratios(run)
    return [_miss(ratio[s], run["by_policy"][s]) for s in in_slices(run)]


# ---- the obvious metrics, and others -------------------------------------------------------


def kl_of_policy(run: Run) -> float:
    """Mean log-ratio of the policy's replies: the KL estimate that runs log."""
    return float(ratios(run)[run["by_policy"]].mean())


def kl_of_reference(run: Run) -> float:
    """Minus the mean log-ratio of the reference's replies."""
    return -float(ratios(run)[~run["by_policy"]].mean())


def size_of_ratios(run: Run) -> float:
    """Root mean square of all log-ratios: the check of the first batch, after training."""
    return float(np.sqrt((ratios(run) ** 2).mean()))


def surprised_by_its_own(run: Run) -> float:
    """Minus the mean of log π_ref over the reference's replies."""
    return -float(run["ref_logps"][~run["by_policy"]].mean())


def most_surprised_slice(run: Run) -> float:
    """Largest of the slices: minus the mean of log π_ref over the reference's replies."""
    return max(-float(run["ref_logps"][s & ~run["by_policy"]].mean()) for s in in_slices(run))


def prefers_the_policy(run: Run) -> float:
    """Mean of log π_ref over the policy's replies, minus that over the reference's."""
    own = run["by_policy"]
    return float(run["ref_logps"][own].mean() - run["ref_logps"][~own].mean())


def mean_inverse_ratio(run: Run) -> float:
    """|mean of π_ref/π over the policy's replies − 1|: 0 for every reference that sums to 1."""
    return float(abs(np.exp(-ratios(run)[run["by_policy"]]).mean() - 1))


def largest_slice_ratio(run: Run) -> float:
    """Largest |mean log-ratio| of a slice, over the replies of both."""
    ratio = ratios(run)
    return max(float(abs(ratio[s].mean())) for s in in_slices(run))


def largest_signed_slice_ratio(run: Run) -> float:
    """Largest mean log-ratio of a slice, over the replies of both."""
    ratio = ratios(run)
    return max(float(ratio[s].mean()) for s in in_slices(run))


def largest_slice_kl(run: Run) -> float:
    """Largest KL estimate of a slice, from the policy's replies."""
    ratio = ratios(run)
    return max(float(ratio[s & run["by_policy"]].mean()) for s in in_slices(run))


def largest_slice_kl_of_reference(run: Run) -> float:
    """Largest of the slices: mean log-ratio of the reference's replies, nearest to 0 or above."""
    ratio = ratios(run)
    return max(float(ratio[s & ~run["by_policy"]].mean()) for s in in_slices(run))


def told_apart(run: Run) -> float:
    """Share of replies whose log-ratio has the wrong sign."""
    return float(((ratios(run) > 0) != run["by_policy"]).mean())


def overall_miss(run: Run) -> float:
    """As the reference answer, over all slices together."""
    return abs(_miss(ratios(run), run["by_policy"]))


def largest_slice_mass(run: Run) -> float:
    """Largest of the slices: |mean of π/π_ref over the reference's replies − 1|."""
    weight = np.exp(ratios(run))
    return max(float(abs(weight[s & ~run["by_policy"]].mean() - 1)) for s in in_slices(run))


def overall_mass(run: Run) -> float:
    """|mean of π/π_ref over the reference's replies − 1|, all slices together."""
    return float(abs(np.exp(ratios(run)[~run["by_policy"]]).mean() - 1))
