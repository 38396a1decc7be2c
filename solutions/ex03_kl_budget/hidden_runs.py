"""The hidden policies of exercise 3d: equal in mean reward and in KL from their reference, different in harm.

A run has ``K`` responses, a reference policy over them, a reward for each (mean 0 and standard deviation 1 under the
reference), and harm, 0 or 1, which the reward knows nothing of. Its policy is π ∝ π_ref·exp(a·r + b·harm + c·style):
a, b and c are solved for, so that in every run the mean reward gains ``GAIN``, KL(π‖π_ref) is the same for a healthy
run and its regressed twin, and the share of harmful responses changes as the outcome says. A judge calls each response
harmful or not; it is right 70 % of the time, but how readily it says 'harmful' differs from run to run.

References of regressed runs are less harmful, by half of what the changes differ by: so neither their harm nor that of
the policies says much alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.grader.exercises.ex03_kl_budget.held_out import DIGITS, Judge

K, SAMPLES = 400, 200
GAIN = 0.5  # of mean reward, in standard deviations under the reference
KL = (0.4, 0.8)  # nats, drawn uniformly; a healthy run and its twin share theirs
REFERENCE_SPREAD = 0.7  # standard deviation of the reference's scores
HARM = {
    "healthy": (-0.2, 0.0),
    "regressed": (0.24, 0.34),
}  # change of the share of harmful responses
BASE_HARM = {
    "healthy": (0.4, 0.68),
    "regressed": (0.22, 0.5),
}  # share of harmful responses among the K
ACCURACY, STRICTNESS = (
    0.7,
    0.25,
)  # the judge says 'harmful' with 0.7 + s where it is, 0.3 + s where not; |s| ≤ 0.25
FROZEN_RUNS = 36  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 27
PRACTICE_SEED, MEASURED_SEEDS = 1003, range(400, 600)

Samples = dict[str, np.ndarray]


@dataclass(frozen=True)
class Shift:
    """One run: what a learner gets, and what the exercise says of it (kl in nats, changes of mean reward and harm)."""

    reference_samples: Samples
    policy_samples: Samples
    judge: Judge
    kl: float
    reward_gain: float
    harm_change: float

    @property
    def arguments(self) -> tuple[Samples, Samples, Judge]:
        """As ``flag`` is called."""
        return self.reference_samples, self.policy_samples, self.judge


def _tilt(
    ref: np.ndarray, features: np.ndarray, means: np.ndarray, offset: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """π ∝ ref·exp(offset + features·w) with given means of the features, by Newton from w, which is changed in place.

    (K,), (K, 2), (2,), (K,), (2,) → π.
    """
    for _ in range(60):
        policy = _normalised(ref, offset + features @ w)
        off = means - policy @ features
        if np.abs(off).max() < 1e-11:
            break
        centred = features - policy @ features
        step = np.linalg.solve((policy[:, None] * centred).T @ centred, off)
        w += step * min(1.0, 1.0 / np.abs(step).max())
    return policy


def _normalised(ref: np.ndarray, scores: np.ndarray) -> np.ndarray:
    weights = ref * np.exp(scores - scores.max())
    return weights / weights.sum()


def _kl(policy: np.ndarray, ref: np.ndarray) -> float:
    return float((policy * np.log(policy / ref)).sum())


def draw(rng: np.random.Generator, base_harm: float, harm_change: float, kl: float) -> Shift:
    """One run whose policy changes harm by ``harm_change``, costs ``kl`` nats and gains ``GAIN`` of mean reward.

    base_harm: how likely each response is harmful.
    """
    ref = _normalised(np.ones(K), REFERENCE_SPREAD * rng.normal(size=K))
    harmful = (rng.random(K) < base_harm).astype(float)
    reward, style = rng.normal(size=(2, K))
    reward -= ref @ reward
    reward /= np.sqrt(ref @ reward**2)
    features, means = np.stack([reward, harmful], 1), np.array([GAIN, ref @ harmful + harm_change])
    style *= rng.choice([-1.0, 1.0])
    low, high, w = 0.0, 4.0, np.zeros(2)
    for _ in range(30):  # more style, more KL
        middle = (low + high) / 2
        policy = _tilt(ref, features, means, middle * style, w)
        low, high = (middle, high) if _kl(policy, ref) < kl else (low, middle)
    strictness = rng.uniform(-STRICTNESS, STRICTNESS)
    verdicts = rng.random(K) < np.where(harmful > 0, ACCURACY, 1 - ACCURACY) + strictness
    said = [rng.choice(K, size=SAMPLES, p=probabilities) for probabilities in (ref, policy)]
    seen, numbers = np.unique(said, return_inverse=True)  # ids: of what was sampled, from 0
    columns = {"reward": reward[seen].round(1), "log_ratio": np.log(policy / ref)[seen].round(1)}
    samples = [
        {"response": ids, **{name: column[ids] for name, column in columns.items()}}
        for ids in numbers.reshape(2, SAMPLES)
    ]
    changes = _kl(policy, ref), float(policy @ reward), float((policy - ref) @ harmful)
    return Shift(*samples, Judge(dict(enumerate(verdicts[seen].tolist()))), *changes)


def pairs(seed: int, n: int) -> list[tuple[Shift, Shift]]:
    """n pairs (healthy, regressed), each of one KL."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        kl = rng.uniform(*KL)
        found.append(
            tuple(
                draw(rng, rng.uniform(*BASE_HARM[outcome]), rng.uniform(*HARM[outcome]), kl)
                for outcome in HARM
            )
        )
    return found


# ---- metrics that do not compare harm -----------------------------------------------------


def mean_reward(reference_samples: Samples, policy_samples: Samples, judge: Judge) -> float:
    """Fall of the mean reward from the reference's samples to the policy's."""
    return float(reference_samples["reward"].mean() - policy_samples["reward"].mean())


def kl_estimate(reference_samples: Samples, policy_samples: Samples, judge: Judge) -> float:
    """Mean log π/π_ref over the policy's samples."""
    return float(policy_samples["log_ratio"].mean())


def unfamiliar(reference_samples: Samples, policy_samples: Samples, judge: Judge) -> float:
    """Share of the policy's samples that the reference's samples do not contain."""
    return float(1 - np.isin(policy_samples["response"], reference_samples["response"]).mean())


def judged_alone(reference_samples: Samples, policy_samples: Samples, judge: Judge) -> float:
    """Share of the policy's samples that the judge calls harmful."""
    return float(judge(policy_samples["response"]).mean())


def stored(run: Shift) -> dict:
    """As it is kept: of each sampled response reward and log-ratio in tenths, the judge's verdict, and how often either
    policy said it, one digit each.
    """
    both = run.reference_samples, run.policy_samples
    ids, first = np.unique([samples["response"] for samples in both], return_index=True)

    def tenths(name):
        column = np.concatenate([samples[name] for samples in both])[first]
        return (10 * column).round().astype(int).tolist()

    def digits(numbers):
        return "".join(DIGITS[number] for number in numbers)

    counts = [np.bincount(samples["response"], minlength=len(ids)) for samples in both]
    return {
        "reward": tenths("reward"),
        "log_ratio": tenths("log_ratio"),
        "verdicts": digits(run.judge(ids).astype(int)),
        "reference_counts": digits(counts[0]),
        "policy_counts": digits(counts[1]),
    }


def arguments(run: Shift) -> tuple[Samples, Samples, Judge]:
    """As a metric is called."""
    return run.arguments
