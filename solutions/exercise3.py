"""Exercise 3, policy shift under a KL budget: reference answers, and the wrong answers that the grader must recognise.

``build.py`` runs all of these on recorded inputs and freezes what they return; nothing here reaches the learner.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from solutions import shifts
from solutions.casework import Misconception

# ---- 3a ------------------------------------------------------------------------------------


def shift(ref: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """π ∝ π_ref·exp(r/β) and KL(π‖π_ref) in nats: (P, K), (P, K) → (P, K), (P,)."""
    logits = ref.log() + rewards / beta
    policy = logits.softmax(-1)
    return policy, _kl(policy, logits.log_softmax(-1) - ref.log())


def _kl(p: Tensor, log_ratio: Tensor) -> Tensor:
    return (p * log_ratio.masked_fill(p == 0, 0.0)).sum(-1)


def _kl_between(p: Tensor, q: Tensor) -> Tensor:
    return _kl(p, p.log() - q.log())


def _policy_from(scores: Callable, normalise: Callable = lambda z: z.softmax(-1)) -> Callable:
    """A shift with another policy and the true KL of that policy."""

    def shifted(ref, rewards, beta):
        policy = normalise(scores(ref, rewards, beta))
        return policy, _kl_between(policy, ref)

    return shifted


def _right(ref, rewards, beta):
    return ref.log() + rewards / beta


def _whole_table(z):
    return z.flatten().softmax(0).reshape(z.shape)


def _log_policy(ref, rewards, beta):
    policy, kl = shift(ref, rewards, beta)
    return policy.log(), kl


def _unnormalised(ref, rewards, beta):
    policy, kl = shift(ref, rewards, beta)
    return ref * (rewards / beta).exp(), kl


def _kl_from(kl: Callable) -> Callable:
    """The right policy with another KL; kl: (policy, ref) → anything."""

    def shifted(ref, rewards, beta):
        policy, _ = shift(ref, rewards, beta)
        return policy, kl(policy, ref)

    return shifted


def _naive(ref, rewards, beta):
    weights = ref * (rewards / beta).exp()
    policy = weights / weights.sum(-1, keepdim=True)
    return policy, _kl_between(policy, ref)


def _log_of_zero(ref, rewards, beta):
    policy, _ = shift(ref, rewards, beta)
    return policy, (policy * (policy / ref).log()).sum(-1)


def _smoothed(ref, rewards, beta):
    policy = ((ref + 1e-12).log() + rewards / beta).softmax(-1)
    return policy, (policy * ((policy + 1e-12) / (ref + 1e-12)).log()).sum(-1)


MISCONCEPTIONS_3A = (
    Misconception(
        "times_beta",
        "Your policy multiplies the reward by β. β is the price of a nat in units of reward: r/β is what the reward "
        "weighs in nats, and a larger β must keep the policy closer to the reference.",
        (_policy_from(lambda ref, rewards, beta: ref.log() + rewards * beta),),
        ("policy",),
    ),
    Misconception(
        "no_beta",
        "Your policy does not depend on β. It decides how many nats a unit of reward may cost: the exponent is r/β.",
        (_policy_from(lambda ref, rewards, beta: ref.log() + rewards),),
        ("policy",),
    ),
    Misconception(
        "no_reference",
        "Your policy is the softmax of the rewards: the reference has dropped out. The optimum re-weights what the "
        "reference already says; with all rewards equal it must *be* the reference.",
        (_policy_from(lambda ref, rewards, beta: rewards / beta),),
        ("policy",),
    ),
    Misconception(
        "reference_not_logged",
        "You add the reference's probabilities to the exponent. They are a factor: π_ref·exp(r/β), so in the exponent "
        "stands their logarithm.",
        (_policy_from(lambda ref, rewards, beta: ref + rewards / beta),),
        ("policy",),
    ),
    Misconception(
        "penalised",
        "Your policy prefers the responses with the *lower* reward: a sign in the exponent is turned.",
        (_policy_from(lambda ref, rewards, beta: ref.log() - rewards / beta),),
        ("policy",),
    ),
    Misconception(
        "batch_axis",
        "Your probabilities sum to 1 down the table, over prompts, not along each row. Every prompt has its own Z(x): "
        "the sum over the responses to *that* prompt.",
        (_policy_from(_right, lambda z: z.softmax(0)), _policy_from(_right, _whole_table)),
        ("policy",),
    ),
    Misconception(
        "unnormalised",
        "Your rows do not sum to 1: these are π_ref·exp(r/β) before the division by Z(x).",
        (_unnormalised,),
        ("policy",),
    ),
    Misconception(
        "log_policy",
        "Your policy is right, as log-probabilities; asked are probabilities, as `ref` has them.",
        (_log_policy,),
        ("policy",),
    ),
    Misconception(
        "other_direction",
        "Your KL is KL(π_ref‖π): its mean is over the reference's responses. The penalty is on what the *policy* says: "
        "KL(π‖π_ref) = E_π[log π/π_ref].",
        (_kl_from(lambda p, q: _kl_between(q, p)),),
        ("kl",),
    ),
    Misconception(
        "bits",
        "Your KL is in bits. In nats the logarithm is the natural one; a bit is 0.693 nats, and β is a price per nat.",
        (_kl_from(lambda p, q: _kl_between(p, q) / math.log(2)),),
        ("kl",),
    ),
    Misconception(
        "negative_kl",
        "Your KL has the wrong sign: the ratio stands upside down inside the logarithm. KL is never below 0.",
        (_kl_from(lambda p, q: -_kl_between(p, q)),),
        ("kl",),
    ),
    Misconception(
        "one_kl",
        "Your KL is one number for the whole table; asked is one for each prompt, shape (P,). A mean hides the prompt "
        "on which the policy walked furthest.",
        (
            _kl_from(lambda p, q: _kl_between(p, q).mean()),
            _kl_from(lambda p, q: _kl_between(p, q).sum()),
        ),
        ("kl",),
    ),
    Misconception(
        "kl_terms",
        "Your KL is still a table: its terms π·log(π/π_ref). Sum them over each prompt's responses.",
        (_kl_from(lambda p, q: p * (p.log() - q.log())),),
        ("kl",),
    ),
    Misconception(
        "support",
        "A response that the reference never says gets probability: an ε was added to the reference to keep the "
        "logarithm finite, and e^(r/β) made much of it. No reward can bring back what π_ref(y) = 0 rules out.",
        (_smoothed,),
        ("support",),
    ),
    Misconception(
        "log_of_zero",
        "Right where all probabilities are above 0, but not finite where one is 0: 0 · log 0 counts as 0 in KL, and "
        "the machine says NaN.",
        (_log_of_zero,),
        ("zeros",),
        overflows=True,
    ),
    Misconception(
        "overflow",
        "Right where numbers are moderate, but not finite for r/β of ±10⁴: exp overflows, or all of a row underflows, "
        "before it is normalised. What may be added to all rewards of a row without changing the answer?",
        (_naive,),
        ("extreme",),
        overflows=True,
    ),
)


# ---- 3b ------------------------------------------------------------------------------------


def mean_kl(ref: Tensor, rewards: Tensor, beta: float) -> float:
    """KL(π‖π_ref) of the optimum at β, mean over prompts, in nats."""
    return shift(ref, rewards, beta)[1].mean().item()


def largest_budget(ref: Tensor, rewards: Tensor) -> float:
    """What KL tends to as β → 0, mean over prompts: −log of the reference's mass on its best response(s)."""
    best = rewards.masked_fill(ref == 0, -torch.inf).amax(1, keepdim=True)
    return -(ref * (rewards == best)).sum(1).log().mean().item()


def _search(spent: Callable[[float], float], budget: float) -> float:
    """The β at which ``spent``, which falls in β, is ``budget``: widen, then bisect on log β."""
    low = high = 1.0
    while spent(low) < budget and low > 1e-12:
        low /= 2
    while spent(high) > budget and high < 1e12:
        high *= 2
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if spent(middle) > budget else (low, middle)
    return math.sqrt(low * high)


def beta_for_budget(ref: Tensor, rewards: Tensor, budget: float) -> float:
    """The β whose optimum spends ``budget`` nats, mean over prompts: (P, K), (P, K) → β; infinity for a budget of 0."""
    _refuse(ref, rewards, budget)
    return _search(lambda beta: mean_kl(ref, rewards, beta), budget) if budget else math.inf


def _refuse(ref: Tensor, rewards: Tensor, budget: float) -> None:
    largest = largest_budget(ref, rewards)
    if not 0 <= budget < largest:
        raise ValueError(
            f"budget {budget}: expected from 0 to below {largest:.4f} nats, the largest possible"
        )


def _otherwise(
    found: Callable, zero: Callable = lambda: math.inf, refuse: Callable = _refuse
) -> Callable:
    """A rule that searches in another way; found: (ref, rewards, budget) → β. The rest is right unless given."""

    def answer(ref, rewards, budget):
        refuse(ref, rewards, budget)
        return found(ref, rewards, budget) if budget else zero()

    return answer


def _spending(spent: Callable) -> Callable:
    """The search with another meaning of what is spent; spent: (ref, rewards, β) → nats."""
    return _otherwise(
        lambda ref, rewards, budget: _search(lambda beta: spent(ref, rewards, beta), budget)
    )


def _each(mean: Callable) -> Callable:
    """One β for each prompt, then a mean of them."""

    def found(ref, rewards, budget):
        betas = []
        for p, r in zip(ref[:, None], rewards[:, None]):
            reachable = min(budget, 0.999 * largest_budget(p, r))
            betas.append(_search(lambda beta: mean_kl(p, r, beta), reachable))
        return mean(betas)

    return _otherwise(found)


def _grid(betas) -> Callable:
    """The β of a fixed list whose KL is nearest to the budget."""
    return _otherwise(
        lambda ref, rewards, budget: min(
            betas, key=lambda beta: abs(mean_kl(ref, rewards, beta) - budget)
        )
    )


def _between(low: float, high: float) -> Callable:
    """Bisection in a fixed interval."""

    def found(ref, rewards, budget):
        lower, upper = low, high
        for _ in range(100):
            middle = (lower + upper) / 2
            lower, upper = (
                (middle, upper) if mean_kl(ref, rewards, middle) > budget else (lower, middle)
            )
        return middle

    return _otherwise(found)


def _reverse_kl(ref, rewards, beta):
    policy, _ = shift(ref, rewards, beta)
    return _kl_between(ref, policy).mean().item()


def _never(ref, rewards, budget):
    pass


def _zero_instead(ref, rewards, budget):
    return 0.0 if budget >= largest_budget(ref, rewards) else beta_for_budget(ref, rewards, budget)


def _zero_refused(ref, rewards, budget):
    _refuse(ref, rewards, budget)
    if budget <= 0:
        raise ValueError(f"budget {budget}: expected a number above 0")


def _plain_search(ref, rewards, budget):
    return _search(lambda beta: mean_kl(ref, rewards, beta), budget)


_VALUES_3B = ("one", "several")
MISCONCEPTIONS_3B = (
    Misconception(
        "per_prompt",
        "Your β is a mean of one β per prompt. One β is shared by all prompts, and *they* share the budget: where "
        "reward differs much between responses the policy spends more, elsewhere less; KL is averaged, not β.",
        (_each(np.mean), _each(lambda betas: 1 / np.mean(1 / np.array(betas)))),
        ("several",),
    ),
    Misconception(
        "sum",
        "Your β spends the budget on the *sum* over prompts. The budget is per prompt, on average: with twice as many "
        "prompts of the same kind, β must stay as it is.",
        (_spending(lambda ref, rewards, beta: mean_kl(ref, rewards, beta) * len(ref)),),
        ("several",),
    ),
    Misconception(
        "reverse_kl",
        "Your β spends the budget in KL(π_ref‖π). The penalty, and so the budget, is KL(π‖π_ref).",
        (_spending(_reverse_kl),),
        _VALUES_3B,
    ),
    Misconception(
        "bits",
        "Your β spends the budget in bits; it is given in nats.",
        (_spending(lambda ref, rewards, beta: mean_kl(ref, rewards, beta) / math.log(2)),),
        _VALUES_3B,
    ),
    Misconception(
        "inverse",
        "Your value is 1/β: the search went over what multiplies the reward. Turn it over before you return it.",
        (
            lambda ref, rewards, budget: (
                1 / beta_for_budget(ref, rewards, budget) if budget else math.inf
            ),
        ),
        _VALUES_3B,
    ),
    Misconception(
        "grid",
        "Your β is near, but its KL is not within 0.0001 of the budget, as with the nearest point of a grid. KL falls "
        "steadily as β grows, so two β that enclose the right one can be moved together as closely as you like.",
        (
            _grid(np.logspace(-2, 2, 150)),
            _grid(np.logspace(-3, 3, 301)),
            _grid(np.arange(0.05, 20, 0.05)),
        ),
        _VALUES_3B,
        near=True,
    ),
    Misconception(
        "interval",
        "Right where β is moderate, but not for other budgets or units of reward: your search looks in an interval "
        "that was fixed beforehand, or stops too early. If all rewards are multiplied by 10 000, so is β; widen until "
        "the budget is enclosed.",
        (_between(0.01, 100.0), _between(1e-3, 10.0)),
        ("range", "units"),
        fails=True,
    ),
    Misconception(
        "no_refusal",
        "A budget that cannot be spent should raise ValueError. As β goes to 0 all mass goes to the best response, and "
        "KL ends at −log π_ref of it: no β spends more.",
        (_otherwise(_plain_search, refuse=_never), _zero_instead),
        ("too_much",),
        fails=True,
    ),
    Misconception(
        "zero",
        "A budget of 0 is one that can be kept: the policy stays at the reference. Which β does that for any reward?",
        (
            _otherwise(_plain_search, zero=lambda: 0.0),
            _otherwise(_plain_search, zero=lambda: 1e12),
            _otherwise(_plain_search, refuse=_zero_refused),
        ),
        ("zero",),
        fails=True,
    ),
)


# ---- 3c ------------------------------------------------------------------------------------

QUALITY = [
    2.0,
    1.5,
    0.5,
    0.5,
    0.0,
    -0.5,
    -1.0,
    -3.0,
]  # of the eight responses that the exercise names
UNIFORM = [0.125] * 8
RARE = [0.14] * 7 + [0.02]


def table_examples() -> dict:
    """Reward that is quality; and reward that is quality but for one rare response, which it likes best."""
    unsafe = [2.0, 1.5, 0.5, 0.5, 0.0, -0.5, -1.0, 4.0]
    return {
        "safe": {"ref": UNIFORM, "rewards": QUALITY},
        "unsafe": {"ref": RARE, "rewards": unsafe},
    }


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = table_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


MISCONCEPTIONS_3C = (
    Misconception(
        "safe_falls",
        "That is the other effect",
        (_with("safe", **table_examples()["unsafe"]),),
        ("safe",),
    ),
    Misconception(
        "safe_hardly_moves",
        "Safe table: quality changes by",
        (_with("safe", rewards=[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0], ref=RARE),),
        ("safe",),
    ),
    Misconception(
        "unsafe_rises",
        "so spending the budget did what one hopes for",
        (_with("unsafe", rewards=QUALITY), _with("unsafe", rewards=[*QUALITY[:7], 1.0])),
        ("unsafe_lowers",),
    ),
    Misconception(
        "opposite",
        "anyone who looks would have seen it",
        (_with("unsafe", ref=UNIFORM, rewards=[-q for q in QUALITY]),),
        ("unsafe_unseen",),
    ),
    Misconception(
        "common",
        "is too common under the reference",
        (_with("unsafe", ref=[0.137] * 7 + [0.041]), _with("unsafe", ref=[0.135] * 7 + [0.055])),
        ("unsafe_unseen",),
    ),
    Misconception(
        "constant",
        "the rewards do not tell the responses apart",
        (_with("safe", rewards=[1.0] * 8),),
        ("safe",),
    ),
    Misconception(
        "unspendable", "can spend at most", (_with("safe", ref=[0.72] + [0.04] * 7),), ("safe",)
    ),
)


# ---- 3d ------------------------------------------------------------------------------------


def flag(reference_samples: dict, policy_samples: dict, judge: Callable) -> float:
    """Share judged harmful among the policy's samples, minus that among the reference's."""
    return float(
        judge(policy_samples["response"]).mean() - judge(reference_samples["response"]).mean()
    )


def weighted_flag(reference_samples: dict, policy_samples: dict, judge: Callable) -> float:
    """The same difference from all samples at once.

    For a response from the mixture m = (π + π_ref)/2, (π − π_ref)/m = 2·tanh(½ log π/π_ref): what hardly moved counts
    hardly, and its noise with it.
    """
    ids = np.concatenate([reference_samples["response"], policy_samples["response"]])
    weight = 2 * np.tanh(
        np.concatenate([reference_samples["log_ratio"], policy_samples["log_ratio"]]) / 2
    )
    verdict = judge(ids)
    return float((weight * (verdict - verdict.mean())).mean())


UPSIDE_DOWN = (
    "Your score separates the runs, but upside down: larger must mean more likely regressed."
)


def _both_signs(metric: Callable) -> tuple[Callable, Callable]:
    return metric, lambda *run: -metric(*run)


MISCONCEPTIONS_3D = (
    Misconception(
        "reward",
        "Your score orders the runs as the mean reward does. The reward grew by the same amount in every run, and what "
        "differs in the samples is luck: it is what the optimiser looked at.",
        _both_signs(shifts.mean_reward)
        + _both_signs(lambda ref, policy, judge: float(policy["reward"].mean())),
        ("separates",),
    ),
    Misconception(
        "kl",
        "Your score orders the runs as an estimate of KL(π‖π_ref) does. KL measures how far the policy has walked, not "
        "in which direction.",
        _both_signs(shifts.kl_estimate),
        ("separates",),
    ),
    Misconception(
        "judged_alone",
        "Your score orders the runs as the judge's verdict on the policy alone does. How strict the judge is, and how "
        "harmful the reference was, differ from run to run: what is the policy to be compared with?",
        _both_signs(shifts.judged_alone),
        ("separates",),
    ),
    Misconception(
        "unfamiliar",
        "Your score orders the runs by how many of the policy's responses are missing from the reference's samples. "
        "New is not yet harmful.",
        _both_signs(shifts.unfamiliar),
        ("separates",),
    ),
)
