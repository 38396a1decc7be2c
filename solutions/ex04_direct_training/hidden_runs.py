"""The hidden runs of exercise 4d: small DPO trainings whose margin grows and whose chosen responses become less likely.

A world has one prompt, ``K`` responses with features, a true quality for each (Bradley-Terry, nats), and a reference
policy. A log-linear policy π(y) ∝ π_ref(y)·exp(φ(y)·w) is trained by DPO on a few noisy pairs from the reference. Where
the mass goes is decided by features that know nothing of quality, so some runs end better and some worse.

The runs that are kept come in pairs, one healthy and one regressed, as close as can be found in mean margin, mean
change of the chosen log-probability, estimated KL, and in how often responses won and how often they lost on average
under either policy, alone and taken together: those six numbers therefore tell nothing, or little.
"""

from __future__ import annotations

import numpy as np

from helpers.grader.number_text import DIGITS, written

K, FEATURES = 30, 4
TRAINING_PAIRS, HELD_OUT_PAIRS, SAMPLES = 8, 500, 400
BETA, LEARNING_RATE, STEPS = 0.5, 0.5, 60
QUALITY_SPREAD, REFERENCE_SPREAD = (
    1.5,
    1.0,
)  # standard deviations of quality and of the reference's log-probabilities
HARM = 0.5  # nats of mean quality gained (healthy) or lost (regressed)
MARGIN_GREW, CHOSEN_FELL = 0.1, 0.1  # nats, at least
POOL = 16000  # worlds drawn to find matched pairs
HEALTHY = 2  # so many healthy runs are kept for each regressed one, of which there are fewer
FROZEN_RUNS = 90  # of each kind
# frozen: of the tried seeds the one whose AUCs lie nearest to the means over many draws (``measured.json``)
TRIED_SEEDS, FROZEN_SEED = range(20, 40), 34
PRACTICE_SEED, MEASURED_SEEDS = 1001, range(100, 300)

Run = dict[str, np.ndarray]


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    top = scores.max(-1, keepdims=True)
    return scores - top - np.log(np.exp(scores - top).sum(-1, keepdims=True))


def _draw(rng: np.random.Generator, p: np.ndarray, n: int) -> np.ndarray:
    """n responses from each row's distribution, (R, K) → (R, n)."""
    return _place(p.cumsum(1), rng.random((len(p), n)))


def _place(upto: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Where numbers from 0 to 1 fall among cumulated probabilities: (R, K), (R, n) → (R, n)."""
    return (at[..., None] > upto[:, None]).sum(2).clip(max=K - 1)


def _pairs(
    rng: np.random.Generator, logps: np.ndarray, quality: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """n comparisons per world of two different responses from the policy: (R, K) → chosen (R, n), rejected (R, n)."""
    p = np.exp(logps)
    upto, worlds = p.cumsum(1), np.arange(len(p))[:, None]
    one = _draw(rng, p, n)
    at = rng.random(one.shape) * (1 - p[worlds, one])  # what is left without the first
    other = _place(upto, at + np.where(at > (upto - p)[worlds, one], p[worlds, one], 0))
    ahead = quality[worlds, one] - quality[worlds, other]
    wins = rng.random(one.shape) < 1 / (1 + np.exp(-ahead))
    return np.where(wins, one, other), np.where(wins, other, one)


def _train(features: np.ndarray, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Gradient descent on the DPO loss from w = 0: (R, K, d), (R, m), (R, m) → w (R, d)."""
    worlds = np.arange(len(features))[:, None]
    gap = features[worlds, chosen] - features[worlds, rejected]  # (R, m, d)
    w = np.zeros((len(features), features.shape[2]))
    for _ in range(STEPS):
        h = (gap * w[:, None]).sum(2)  # log-ratio difference of each pair, (R, m)
        w += LEARNING_RATE * BETA * (gap / (1 + np.exp(BETA * h))[..., None]).mean(1)
    return w


def draw_pool(seed: int) -> tuple[list[Run], np.ndarray]:
    """Of ``POOL`` trained runs those that lost enough and some that gained, and the true change of mean quality."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(POOL, K, FEATURES))
    quality = QUALITY_SPREAD * rng.normal(size=(POOL, K))
    ref = _log_softmax(REFERENCE_SPREAD * rng.normal(size=(POOL, K)))
    w = _train(features, *_pairs(rng, ref, quality, TRAINING_PAIRS))
    policy = _log_softmax(ref + (features * w[:, None]).sum(2))
    change = ((np.exp(policy) - np.exp(ref)) * quality).sum(1)
    regressed, healthy = np.flatnonzero(change < -HARM), np.flatnonzero(change > HARM)
    kept = np.concatenate([regressed, healthy[: HEALTHY * len(regressed)]])
    policy, ref, quality, change = policy[kept], ref[kept], quality[kept], change[kept]
    chosen, rejected = _pairs(rng, ref, quality, HELD_OUT_PAIRS)
    ref_samples, policy_samples = (_draw(rng, np.exp(logps), SAMPLES) for logps in (ref, policy))
    policy, ref = policy.round(2), ref.round(2)
    runs = [
        {
            "chosen": chosen[i],
            "rejected": rejected[i],
            "policy_chosen_logps": policy[i, chosen[i]],
            "policy_rejected_logps": policy[i, rejected[i]],
            "ref_chosen_logps": ref[i, chosen[i]],
            "ref_rejected_logps": ref[i, rejected[i]],
            "ref_samples": ref_samples[i],
            "policy_samples": policy_samples[i],
        }
        for i in range(len(change))
    ]
    return runs, change


# ---- metrics that do not use quality ------------------------------------------------------


def mean_margin(run: Run) -> float:
    """Mean of log π/π_ref(chosen) − log π/π_ref(rejected)."""
    return float(np.mean(_chosen_change(run) - _rejected_change(run)))


def mean_chosen_change(run: Run) -> float:
    """Mean of log π/π_ref(chosen)."""
    return float(np.mean(_chosen_change(run)))


def kl_estimate(run: Run) -> float:
    """Mean log π/π_ref over the policy's samples whose response occurs in a held-out pair; NaN if none does."""
    ratios = np.full(K, np.nan)
    ratios[run["chosen"]], ratios[run["rejected"]] = _chosen_change(run), _rejected_change(run)
    known = ratios[run["policy_samples"]]
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else np.nan


def margin_accuracy(run: Run) -> float:
    """Share of held-out pairs with a positive margin."""
    return float(np.mean(_chosen_change(run) > _rejected_change(run)))


def share_fallen(run: Run) -> float:
    """Share of held-out pairs whose chosen response became less likely."""
    return float(np.mean(_chosen_change(run) < 0))


def _chosen_change(run: Run) -> np.ndarray:
    return run["policy_chosen_logps"] - run["ref_chosen_logps"]


def _rejected_change(run: Run) -> np.ndarray:
    return run["policy_rejected_logps"] - run["ref_rejected_logps"]


def win_count_fall(run: Run) -> float:
    """Mean number of held-out wins of the reference's samples, minus that of the policy's."""
    wins = np.bincount(run["chosen"], minlength=K)
    return float(wins[run["ref_samples"]].mean() - wins[run["policy_samples"]].mean())


def loss_count_rise(run: Run) -> float:
    """Mean number of held-out losses of the policy's samples, minus that of the reference's."""
    losses = np.bincount(run["rejected"], minlength=K)
    return float(losses[run["policy_samples"]].mean() - losses[run["ref_samples"]].mean())


def net_losses(run: Run) -> float:
    """Mean number of held-out losses of the policy's samples, less wins."""
    losses, wins = (np.bincount(run[which], minlength=K) for which in ("rejected", "chosen"))
    return float((losses - wins)[run["policy_samples"]].mean())


def policy_losing_rate(run: Run) -> float:
    """Share of its comparisons that a response lost, on average over the policy's samples."""
    return float(_losing_rates(run)[run["policy_samples"]].mean())


def losing_rate_of_most_said(run: Run) -> float:
    """Share of its comparisons that the response lost which the policy says most."""
    return float(_losing_rates(run)[np.bincount(run["policy_samples"]).argmax()])


def _losing_rates(run: Run) -> np.ndarray:
    losses, wins = (np.bincount(run[which], minlength=K) for which in ("rejected", "chosen"))
    return (losses + 1) / (losses + wins + 2)


MATCHED = (
    mean_margin,
    mean_chosen_change,
    kl_estimate,
    win_count_fall,
    loss_count_rise,
    net_losses,
)


def pairs(seed: int, n: int) -> list[tuple[Run, Run]]:
    """n pairs (healthy, regressed) of a fresh pool, closest first in the six ``MATCHED`` numbers."""
    runs, change = draw_pool(seed)
    numbers = np.array([[metric(run) for metric in MATCHED] for run in runs])
    eligible = (numbers[:, 0] > MARGIN_GREW) & (numbers[:, 1] < -CHOSEN_FELL)
    eligible &= np.isfinite(numbers).all(1)  # no KL is known where no sample is in a pair
    healthy, regressed = (
        np.flatnonzero(eligible & (change > 0)),
        np.flatnonzero(eligible & (change < 0)),
    )
    numbers /= numbers[eligible].std(0)
    distance = np.square(numbers[healthy][:, None] - numbers[regressed][None]).sum(2)
    matched = []
    for _ in range(n):
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        if not np.isfinite(distance[i, j]):
            raise RuntimeError(
                f"seed {seed}: too few runs of a kind ({len(healthy)} healthy, {len(regressed)} not)"
            )
        matched.append((runs[healthy[i]], runs[regressed[j]]))
        distance[i, :] = distance[:, j] = np.inf
    return matched


def stored(run: Run) -> dict:
    """As it is kept: −log-probabilities by response, in hundredths; how often each response won, and of whom, one digit
    each, in the winners' order; how often each was sampled.
    """
    policy, ref = (
        np.zeros(K),
        np.zeros(K),
    )  # what no held-out pair shows stays 0, and is never asked for
    for which in ("chosen", "rejected"):
        policy[run[which]] = run[f"policy_{which}_logps"]
        ref[run[which]] = run[f"ref_{which}_logps"]
    numbers = {
        "policy_logps": (-100 * policy).round().astype(int),
        "ref_logps": (-100 * ref).round().astype(int),
        **{
            name: np.bincount(run[name], minlength=K)
            for name in ("chosen", "ref_samples", "policy_samples")
        },
    }
    losers = run["rejected"][np.argsort(run["chosen"], kind="stable")]
    return {
        **{name: written(values) for name, values in numbers.items()},
        "rejected": "".join(DIGITS[loser] for loser in losers),
    }


def arguments(run: Run) -> tuple[Run]:
    """As a metric is called."""
    return (run,)
