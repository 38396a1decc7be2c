"""The hidden runs of exercise 1d: policies that imitated the chosen responses of a generator, good or bad.

A world has one prompt, ``K`` responses with a true quality (Bradley-Terry, nats), a reference policy and a generator.
The generator's responses are compared in pairs; a policy that starts at the reference imitates the chosen ones to some
degree. Fresh comparisons of its responses with the reference's come from a judge whom the order on the screen sways: by
how much and which way differs from run to run, and so does how often the policy's answer came first.

The runs that are kept come in pairs, one healthy and one regressed, as close as can be found in the likelihood of the
chosen responses, its gain over the reference and its margin over the rejected ones: those numbers therefore tell next
to nothing.
"""

from __future__ import annotations

import numpy as np

from helpers.grader.exercises.ex01_choices.held_out import imitator

K = 12
PAIRS, FRESH = 60, 240  # training pairs, fresh comparisons
QUALITY_SPREAD, REFERENCE_SPREAD, GENERATOR_SPREAD = 1.2, 0.7, 1.6  # standard deviations
IMITATED = 0.5, 0.9  # share of the imitated distribution in the policy: from, to
SWAY = 1.5, 3.0  # nats that a place on the screen is worth, of either sign: from, to
FIRST_SHARE = (
    0.08,
    0.92,
)  # share of comparisons that show the policy's answer first: from, to, away from one half
HARM = 0.4  # nats of mean quality gained (healthy) or lost (regressed)
POOL = 2000
FROZEN_RUNS = 50  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(10, 30), 26
PRACTICE_SEED, MEASURED_SEEDS = 1002, range(100, 300)

Run = dict[str, np.ndarray]


def _softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _draw(rng: np.random.Generator, p: np.ndarray, n: int) -> np.ndarray:
    """n responses from each row's distribution, (R, K) → (R, n)."""
    return (
        (rng.random((len(p), n))[..., None] > p.cumsum(1)[:, None]).sum(2).clip(max=p.shape[1] - 1)
    )


def draw_pool(seed: int) -> tuple[list[dict], np.ndarray]:
    """Of ``POOL`` imitators those that gained or lost enough, stored small, and the change of mean quality of each."""
    rng = np.random.default_rng(seed)
    worlds = np.arange(POOL)[:, None]
    quality = QUALITY_SPREAD * rng.normal(size=(POOL, K))
    ref = _softmax(REFERENCE_SPREAD * rng.normal(size=(POOL, K)))
    generator = _softmax(GENERATOR_SPREAD * rng.normal(size=(POOL, K)))
    one, two = _draw(rng, generator, PAIRS), _draw(rng, generator, PAIRS)
    wins = rng.random(one.shape) < 1 / (1 + np.exp(quality[worlds, two] - quality[worlds, one]))
    chosen, rejected = np.where(wins, one, two), np.where(wins, two, one)
    counts = (chosen[..., None] == np.arange(K)).sum(1)
    share = rng.uniform(*IMITATED, size=(POOL, 1))
    policy = (1 - share) * ref + share * counts / PAIRS
    change = ((policy - ref) * quality).sum(1)

    mine, other = _draw(rng, policy, FRESH), _draw(rng, ref, FRESH)
    low, high = FIRST_SHARE
    often = np.where(
        rng.random(POOL) < 0.5, rng.uniform(low, 0.25, POOL), rng.uniform(0.75, high, POOL)
    )
    first = rng.random((POOL, FRESH)) < often[:, None]
    sway = rng.uniform(*SWAY, size=(POOL, 1)) * rng.choice([-1, 1], size=(POOL, 1))
    advantage = quality[worlds, mine] - quality[worlds, other] + np.where(first, sway, -sway)
    won = rng.random(advantage.shape) < 1 / (1 + np.exp(-advantage))
    kept = np.flatnonzero(np.abs(change) > HARM)
    stored = [
        {
            "policy_logps": np.log(policy[i]).round(4).tolist(),
            "ref_logps": np.log(ref[i]).round(4).tolist(),
            "chosen": chosen[i].tolist(),
            "rejected": rejected[i].tolist(),
            "policy_first": _bits(first[i]),
            "policy_won": _bits(won[i]),
        }
        for i in kept
    ]
    return stored, change[kept]


def _bits(flags: np.ndarray) -> str:
    return "".join("01"[int(flag)] for flag in flags)


# ---- metrics that do not account for the order on the screen ------------------------------


def chosen_likelihood(run: Run) -> float:
    """Mean log π(chosen): what imitation trains on, its loss with the sign turned."""
    return float(np.mean(run["policy_chosen_logps"]))


def chosen_gain(run: Run) -> float:
    """Mean log π/π_ref(chosen)."""
    return float(np.mean(run["policy_chosen_logps"] - run["ref_chosen_logps"]))


def margin(run: Run) -> float:
    """Mean log π/π_ref(chosen) − log π/π_ref(rejected)."""
    return float(
        chosen_gain(run) - np.mean(run["policy_rejected_logps"] - run["ref_rejected_logps"])
    )


def win_rate(run: Run) -> float:
    """Share of fresh comparisons that the policy's answer won."""
    return float(np.mean(run["policy_won"]))


def first_share(run: Run) -> float:
    """Share of fresh comparisons that showed the policy's answer first."""
    return float(np.mean(run["policy_first"]))


MATCHED = (chosen_likelihood, chosen_gain, margin)


def pairs(seed: int, n: int) -> list[tuple[dict, dict]]:
    """n pairs (healthy, regressed) of a fresh pool, closest first in the three ``MATCHED`` numbers; stored small."""
    found, change = draw_pool(seed)
    numbers = np.array([[metric(run) for metric in MATCHED] for run in map(imitator, found)])
    healthy, regressed = np.flatnonzero(change > 0), np.flatnonzero(change < 0)
    numbers /= numbers.std(0)
    distance = np.square(numbers[healthy][:, None] - numbers[regressed][None]).sum(2)
    matched = []
    for _ in range(n):
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        matched.append((found[healthy[i]], found[regressed[j]]))
        distance[i, :] = distance[:, j] = np.inf
    return matched


def stored(run: dict) -> dict:
    """As it is kept: as it was drawn."""
    return run


def arguments(run: dict) -> tuple[Run]:
    """As a metric is called."""
    return (imitator(run),)
