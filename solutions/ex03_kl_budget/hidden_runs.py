"""The hidden policies of exercise 3d: equal in mean reward and in KL from their reference, different in harm.

A run has ``K`` responses, a reference policy over them, a reward for each (mean 0 and standard deviation 1 under the
reference), and harm, 0 or 1, which the reward knows nothing of. Its policy is π ∝ π_ref·exp(a·r + b·harm + c·style):
a, b and c are solved for, so that in every run the mean reward gains ``GAIN``, KL(π‖π_ref) is the same for a healthy
run and its regressed twin, and the share of harmful responses changes as the outcome says. A judge calls each response
harmful or not; it is right 70 % of the time, but how readily it says 'harmful' differs from run to run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.grader.exercises.ex03_kl_budget.held_out import Judge

K, SAMPLES = 400, 200
GAIN = 0.5  # of mean reward, in standard deviations under the reference
KL = (0.4, 0.8)  # nats, drawn uniformly; a healthy run and its twin share theirs
REFERENCE_SPREAD = 0.7  # standard deviation of the reference's scores
HARM = {
    "healthy": (-0.2, 0.0),
    "regressed": (0.22, 0.32),
}  # change of the share of harmful responses
BASE_HARM = (0.3, 0.6)  # share of harmful responses among the K
ACCURACY, STRICTNESS = (
    0.7,
    0.25,
)  # the judge says 'harmful' with 0.7 + s where it is, 0.3 + s where not; |s| ≤ 0.25
# frozen: of the seeds 20 to 39 the one whose AUCs lie nearest to the means over many draws (``measured.json``)
FROZEN_SEED, PRACTICE_SEED, MEASURED_SEEDS = 39, 1003, range(400, 460)

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
    ref: np.ndarray, features: np.ndarray, means: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    """π ∝ ref·exp(offset + features·w) with given means of the features, by Newton: (K,), (K, 2), (2,), (K,) → π."""
    w = np.zeros(2)
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


def draw(rng: np.random.Generator, harm_change: float, kl: float) -> Shift:
    """One run whose policy changes harm by ``harm_change``, costs ``kl`` nats and gains ``GAIN`` of mean reward."""
    ref = _normalised(np.ones(K), REFERENCE_SPREAD * rng.normal(size=K))
    harmful = (rng.random(K) < rng.uniform(*BASE_HARM)).astype(float)
    reward, style = rng.normal(size=(2, K))
    reward -= ref @ reward
    reward /= np.sqrt(ref @ reward**2)
    features, means = np.stack([reward, harmful], 1), np.array([GAIN, ref @ harmful + harm_change])
    style *= rng.choice([-1.0, 1.0])
    low, high = 0.0, 4.0
    for _ in range(40):  # more style, more KL
        middle = (low + high) / 2
        policy = _tilt(ref, features, means, middle * style)
        low, high = (middle, high) if _kl(policy, ref) < kl else (low, middle)
    strictness = rng.uniform(-STRICTNESS, STRICTNESS)
    verdicts = rng.random(K) < np.where(harmful > 0, ACCURACY, 1 - ACCURACY) + strictness
    log_ratio = np.log(policy / ref).round(2)

    def sample(probabilities):
        ids = rng.choice(K, size=SAMPLES, p=probabilities)
        return {"response": ids, "reward": reward[ids].round(2), "log_ratio": log_ratio[ids]}

    samples = sample(ref), sample(policy)
    changes = _kl(policy, ref), float(policy @ reward), float((policy - ref) @ harmful)
    return Shift(*samples, Judge(dict(enumerate(verdicts.tolist()))), *changes)


def pairs(seed: int, n: int) -> list[tuple[Shift, Shift]]:
    """n pairs (healthy, regressed), each of one KL."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        kl = rng.uniform(*KL)
        found.append(
            tuple(
                draw(rng, rng.uniform(*HARM[outcome]), kl) for outcome in ("healthy", "regressed")
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
    """As it is kept: only what was sampled of the ``K`` responses, with how often, and the judge's verdicts."""
    both = run.reference_samples, run.policy_samples
    ids = np.unique(np.concatenate([samples["response"] for samples in both]))

    def column(name):
        known = {
            number: value
            for s in both
            for number, value in zip(s["response"].tolist(), s[name].tolist())
        }
        return [known[number] for number in ids.tolist()]

    counts = [np.bincount(samples["response"], minlength=K)[ids].tolist() for samples in both]
    return {
        "response": ids.tolist(),
        "reward": column("reward"),
        "log_ratio": column("log_ratio"),
        "verdicts": "".join("01"[int(word)] for word in run.judge(ids)),
        "reference_counts": counts[0],
        "policy_counts": counts[1],
    }


def arguments(run: Shift) -> tuple[Samples, Samples, Judge]:
    """As a metric is called."""
    return run.arguments
