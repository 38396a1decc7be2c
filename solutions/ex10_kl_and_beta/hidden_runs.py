"""The hidden runs of exercise 10d: the same KL, gain in gold and in proxy; gold rises, has turned, or is at its top.

Under the reference the proxy of a response is a + b·u with u standard normal; a policy is the optimum at some β, so
its responses have u normal with mean λ = b/β and standard deviation 1, KL = λ²/2, and log Z is known. The mean grade
of a response is a parabola in u. Along β its expectation rises, turns and falls; ``SLOPE`` is its slope in λ at the
policy's own λ: about 0 where β is right, above 0 where a smaller β would have brought more, below 0 where gold has
turned. The curvature follows, since the gain in gold over the reference is the same in all runs but for the unit.
Units of proxy and grades, and their zeros, differ from run to run. Grades of healthy runs scatter more for other
reasons, so that their spread is like that of regressed ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.grader.exercises.ex10_kl_and_beta.held_out import BUDGET, Grade

POLICY, REFERENCE = 120, 60  # samples of each
GRADED = 40  # samples of the reference that come with a grade
SHIFT = (1.2, 2.2)  # λ, drawn uniformly; a healthy run and its twin share theirs
GAIN = 1.2  # of the mean grade over the reference's, in the run's own unit
SLOPE = {"right": (-0.1, 0.1), "too large": (0.75, 1.0), "too small": (-1.0, -0.75)}
UNIT = (
    -8.0,
    8.0,
)  # of the grades: its logarithm, drawn uniformly; wide, so that a slope in raw units says little
NOISE = {"right": 1.1, "too large": 0.8, "too small": 0.8}
FROZEN_RUNS = 32  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 60), 29
PRACTICE_SEED, MEASURED_SEEDS = 1010, range(500, 700)


@dataclass(frozen=True)
class BetaRun:
    """One run: what a learner gets, and which β it is."""

    beta: float
    log_z: float
    proxy: np.ndarray
    grades: np.ndarray
    reference_proxy: np.ndarray
    reference_grades: np.ndarray
    kind: str


def _short(x: np.ndarray) -> np.ndarray:
    """Four significant digits."""
    return np.array([float(f"{value:.4g}") for value in x])


def draw(rng: np.random.Generator, kind: str, shift: float) -> BetaRun:
    """One run whose β is ``kind`` and whose policy is ``shift`` standard deviations of the proxy away."""
    slope = rng.uniform(*SLOPE[kind])
    bend = 2 * (GAIN - slope * shift) / shift**2  # gain = slope·λ + bend·λ²/2
    unit, zero = np.exp(rng.uniform(*UNIT)), 3 * rng.normal()
    spread, start = np.exp(rng.uniform(-3, 3)), 2 * rng.normal()

    def grades(u):
        mean = (slope + bend * shift) * u - bend * u**2 / 2
        return unit * (zero + mean + NOISE[kind] * rng.normal(size=u.shape))

    policy, reference = shift + rng.normal(size=POLICY), rng.normal(size=REFERENCE)
    beta = float(f"{spread / shift:.6g}")
    return BetaRun(
        beta,
        float(f"{start * spread / beta + (spread / beta) ** 2 / 2:.6g}"),
        _short(spread * (start + policy)),
        _short(grades(policy)),
        _short(spread * (start + reference)),
        _short(grades(reference[:GRADED])),
        kind,
    )


def pairs(seed: int, n: int) -> list[tuple[BetaRun, BetaRun]]:
    """n pairs (healthy, regressed), each of one KL; β is too large in every other regressed one, else too small."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n):
        shift = rng.uniform(*SHIFT)
        wrong = ("too small", "too large")[k % 2]
        found.append((draw(rng, "right", shift), draw(rng, wrong, shift)))
    return found


def stored(run: BetaRun) -> dict:
    """As it is kept; which of the two ways β is wrong is not among it."""
    return {
        "beta": run.beta,
        "log_z": run.log_z,
        "proxy": run.proxy.tolist(),
        "grades": run.grades.tolist(),
        "reference_proxy": run.reference_proxy.tolist(),
        "reference_grades": run.reference_grades.tolist(),
    }


def arguments(run: BetaRun) -> tuple[dict, Grade]:
    """As a metric is called."""
    return {
        "beta": run.beta,
        "proxy": run.proxy.copy(),
        "log_ratio": run.proxy / run.beta - run.log_z,
        "reference_proxy": run.reference_proxy.copy(),
        "reference_grades": run.reference_grades.copy(),
    }, Grade(run.grades.tolist())


# ---- metrics that do not ask what a change of β would bring --------------------------------

FIRST = np.arange(BUDGET)


def kl_estimate(run: dict, grade) -> float:
    """Mean log-ratio over the policy's samples."""
    return float(run["log_ratio"].mean())


def proxy_gain(run: dict, grade) -> float:
    """Gain of the mean proxy, in standard deviations under the reference."""
    gain = run["proxy"].mean() - run["reference_proxy"].mean()
    return float(gain / run["reference_proxy"].std())


def small_beta(run: dict, grade) -> float:
    """The smaller β, the larger."""
    return -run["beta"]


def gold_gain(run: dict, grade) -> float:
    """Fall of the mean grade from the reference to the policy."""
    return float(run["reference_grades"].mean() - grade(FIRST).mean())


def reference_correlation(run: dict, grade) -> float:
    """Minus the correlation of proxy and grade over the reference's graded samples."""
    graded = run["reference_grades"]
    return -float(np.corrcoef(run["reference_proxy"][: len(graded)], graded)[0, 1])


def grade_spread(run: dict, grade) -> float:
    """Standard deviation of the grades of the policy's samples."""
    return float(grade(FIRST).std())


def signed_correlation(run: dict, grade) -> float:
    """Minus the correlation of proxy and grade over the policy's samples: it knows only one way to be wrong."""
    return -float(np.corrcoef(run["proxy"][FIRST], grade(FIRST))[0, 1])


def signed_difference(run: dict, grade) -> float:
    """Mean grade of the samples that the proxy likes least minus that of those it likes best."""
    order = run["proxy"].argsort(kind="stable")
    return float(grade(order[:30]).mean() - grade(order[-30:]).mean())


def unscaled(run: dict, grade) -> float:
    """|covariance| of proxy and grade over the policy's samples, in whatever units they have."""
    return abs(float(np.cov(run["proxy"][FIRST], grade(FIRST))[0, 1]))


def unscaled_difference(run: dict, grade) -> float:
    """|difference| of the mean grades of the samples that the proxy likes best and least, in whatever unit."""
    return abs(signed_difference(run, grade))


def unscaled_slope(run: dict, grade) -> float:
    """|slope| of the grade in the proxy over the policy's samples, in whatever units they have."""
    return abs(float(np.polyfit(run["proxy"][FIRST], grade(FIRST), 1)[0]))
