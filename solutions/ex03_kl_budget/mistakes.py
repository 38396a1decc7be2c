"""Exercise 3, policy shift under a KL budget: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from solutions.ex03_kl_budget import hidden_runs
from solutions.ex03_kl_budget.answers import (
    QUALITY,
    RARE,
    UNIFORM,
    beta_for_budget,
    kl_of_ratio,
    largest_budget,
    mean_kl,
    refuse_budget,
    search_beta,
    shift,
    table_examples,
)
from solutions.freeze import Mistake

# ---- 3a ------------------------------------------------------------------------------------


def _kl_between(p: Tensor, q: Tensor) -> Tensor:
    return kl_of_ratio(p, p.log() - q.log())


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


def _scaled_kl(ref, rewards, beta, factor):
    policy, kl = shift(ref, rewards, beta)
    return policy, factor * kl


def _log_of_zero(ref, rewards, beta):
    policy, _ = shift(ref, rewards, beta)
    return policy, (policy * (policy / ref).log()).sum(-1)


def _smoothed(ref, rewards, beta):
    policy = ((ref + 1e-12).log() + rewards / beta).softmax(-1)
    return policy, (policy * ((policy + 1e-12) / (ref + 1e-12)).log()).sum(-1)


def _largest_of_all(ref, rewards, beta):
    """The row's largest reward taken off, whether the reference says that response or not."""
    z = rewards / beta
    weights = ref * (z - z.amax(-1, keepdim=True)).exp()
    policy = weights / weights.sum(-1, keepdim=True)
    return policy, _kl_between(policy, ref)


MISTAKES_3A = (
    Mistake(
        "times_beta",
        "Your policy multiplies the reward by β. β is the price of a nat in units of reward: r/β is what the reward "
        "weighs in nats, and a larger β must keep the policy closer to the reference.",
        (_policy_from(lambda ref, rewards, beta: ref.log() + rewards * beta),),
        ("policy",),
    ),
    Mistake(
        "no_beta",
        "Your policy does not depend on β. It decides how many nats a unit of reward may cost: the exponent is r/β.",
        (_policy_from(lambda ref, rewards, beta: ref.log() + rewards),),
        ("policy",),
    ),
    Mistake(
        "no_reference",
        "Your policy is the softmax of the rewards: the reference has dropped out. The optimum re-weights what the "
        "reference already says; with all rewards equal it must *be* the reference.",
        (_policy_from(lambda ref, rewards, beta: rewards / beta),),
        ("policy",),
    ),
    Mistake(
        "reference_not_logged",
        "You add the reference's probabilities to the exponent. They are a factor: π_ref·exp(r/β), so in the exponent "
        "stands their logarithm.",
        (_policy_from(lambda ref, rewards, beta: ref + rewards / beta),),
        ("policy",),
    ),
    Mistake(
        "penalised",
        "Your policy prefers the responses with the *lower* reward: a sign in the exponent is turned.",
        (_policy_from(lambda ref, rewards, beta: ref.log() - rewards / beta),),
        ("policy",),
    ),
    Mistake(
        "batch_axis",
        "Your probabilities sum to 1 down the table, over prompts, not along each row. Every prompt has its own Z(x): "
        "the sum over the responses to *that* prompt.",
        (_policy_from(_right, lambda z: z.softmax(0)), _policy_from(_right, _whole_table)),
        ("policy",),
    ),
    Mistake(
        "unnormalised",
        "Your rows do not sum to 1: these are π_ref·exp(r/β) before the division by Z(x).",
        (_unnormalised,),
        ("policy",),
    ),
    Mistake(
        "log_policy",
        "Your policy is right, as log-probabilities; asked are probabilities, as `ref` has them.",
        (_log_policy,),
        ("policy",),
    ),
    Mistake(
        "other_direction",
        "Your KL is KL(π_ref‖π): its mean is over the reference's responses. The penalty is on what the *policy* says: "
        "KL(π‖π_ref) = E_π[log π/π_ref].",
        (_kl_from(lambda p, q: _kl_between(q, p)),),
        ("kl",),
    ),
    Mistake(
        "bits",
        "Your KL is in bits. In nats the logarithm is the natural one; a bit is 0.693 nats, and β is a price per nat.",
        (_kl_from(lambda p, q: _kl_between(p, q) / math.log(2)),),
        ("kl",),
    ),
    Mistake(
        "negative_kl",
        "Your KL has the wrong sign: the ratio stands upside down inside the logarithm. KL is never below 0.",
        (_kl_from(lambda p, q: -_kl_between(p, q)),),
        ("kl",),
    ),
    Mistake(
        "one_kl",
        "Your KL is one number for the whole table; asked is one for each prompt, shape (P,). A mean hides the prompt "
        "on which the policy walked furthest.",
        (
            _kl_from(lambda p, q: _kl_between(p, q).mean()),
            _kl_from(lambda p, q: _kl_between(p, q).sum()),
        ),
        ("kl",),
    ),
    Mistake(
        "kl_terms",
        "Your KL is still a table: its terms π·log(π/π_ref). Sum them over each prompt's responses.",
        (_kl_from(lambda p, q: p * (p.log() - q.log())),),
        ("kl",),
    ),
    Mistake(
        "penalty",
        "Your KL is multiplied by β, or divided by it. What the policy costs is asked in nats, not in units of reward.",
        (
            lambda ref, rewards, beta: _scaled_kl(ref, rewards, beta, beta),
            lambda ref, rewards, beta: _scaled_kl(ref, rewards, beta, 1 / beta),
        ),
        ("kl",),
    ),
    Mistake(
        "other_distance",
        "You measure the distance of the two policies in another way: by differences of their probabilities. KL is the "
        "mean of log π/π_ref over what the policy says.",
        (
            _kl_from(lambda p, q: (p - q).abs().sum(-1)),
            _kl_from(lambda p, q: (p - q).abs().sum(-1) / 2),
            _kl_from(lambda p, q: ((p - q) ** 2).sum(-1)),
        ),
        ("kl",),
    ),
    Mistake(
        "entropy",
        "Your KL is an entropy: of the policy, of the reference, or the difference of the two. How far the "
        "policy walked "
        "from the reference takes both inside one logarithm: log π/π_ref.",
        (
            _kl_from(lambda p, q: -torch.xlogy(p, p).sum(-1)),
            _kl_from(lambda p, q: -torch.xlogy(q, q).sum(-1)),
            _kl_from(lambda p, q: torch.xlogy(q, q).sum(-1) - torch.xlogy(p, p).sum(-1)),
            _kl_from(lambda p, q: torch.xlogy(p, p).sum(-1) - torch.xlogy(q, q).sum(-1)),
        ),
        ("kl",),
    ),
    Mistake(
        "cross_entropy",
        "Your KL is a cross entropy, −Σ π·log π_ref or the other way round: the policy's own log π is "
        "missing from it, so "
        "it is not 0 where the two are the same.",
        (
            _kl_from(lambda p, q: -torch.xlogy(p, q).sum(-1)),
            _kl_from(lambda p, q: -torch.xlogy(q, p).sum(-1)),
        ),
        ("kl",),
    ),
    Mistake(
        "largest_unsaid",
        "You take the largest reward off every row, and it may belong to a response that the reference never says. "
        "Beside it all the others underflow, and the row is 0/0. Which rewards of a row matter at all?",
        (_largest_of_all,),
        ("support",),
        overflows=True,
    ),
    Mistake(
        "support",
        "A response that the reference never says gets probability: an ε was added to the reference to keep the "
        "logarithm finite, and e^(r/β) made much of it. No reward can bring back what π_ref(y) = 0 rules out.",
        (_smoothed,),
        ("support",),
    ),
    Mistake(
        "log_of_zero",
        "Right where all probabilities are above 0, but not finite where one is 0: 0 · log 0 counts as 0 in KL, and "
        "the machine says NaN.",
        (_log_of_zero,),
        ("zeros",),
        overflows=True,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, but not finite for r/β of ±10⁴: exp overflows, or all of a row underflows, "
        "before it is normalised. What may be added to all rewards of a row without changing the answer?",
        (_naive,),
        ("extreme",),
        overflows=True,
    ),
)

# ---- 3b ------------------------------------------------------------------------------------


def _otherwise(
    found: Callable, zero: Callable = lambda: math.inf, refuse: Callable = refuse_budget
) -> Callable:
    """A rule that searches in another way; found: (ref, rewards, budget) → β. The rest is right unless given."""

    def answer(ref, rewards, budget):
        refuse(ref, rewards, budget)
        return found(ref, rewards, budget) if budget else zero()

    return answer


def _spending(spent: Callable) -> Callable:
    """The search with another meaning of what is spent; spent: (ref, rewards, β) → nats."""
    return _otherwise(
        lambda ref, rewards, budget: search_beta(lambda beta: spent(ref, rewards, beta), budget)
    )


def _each(mean: Callable) -> Callable:
    """One β for each prompt, then a mean of them."""

    def found(ref, rewards, budget):
        betas = []
        for p, r in zip(ref[:, None], rewards[:, None]):
            reachable = min(budget, 0.999 * largest_budget(p, r))
            betas.append(search_beta(lambda beta: mean_kl(p, r, beta), reachable))
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


def _overflowing(low: float, high: float) -> Callable:
    """Bisection on a logarithmic scale, with the KL of a policy that takes exponentials of rewards as they are."""

    def nats(ref, rewards, beta):
        weights = ref.double() * (rewards.double() / beta).exp()
        policy = weights / weights.sum(-1, keepdim=True)
        return (torch.xlogy(policy, policy) - torch.xlogy(policy, ref.double())).sum(-1).mean()

    def found(ref, rewards, budget):
        lower, upper = low, high
        for _ in range(150):
            middle = math.sqrt(lower * upper)
            lower, upper = (
                (middle, upper) if nats(ref, rewards, middle) > budget else (lower, middle)
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
    refuse_budget(ref, rewards, budget)
    if budget <= 0:
        raise ValueError(f"budget {budget}: expected a number above 0")


def _plain_search(ref, rewards, budget):
    return search_beta(lambda beta: mean_kl(ref, rewards, beta), budget)


def _unless(too_large: Callable) -> Callable:
    """The right search, with another rule for what is refused; too_large: (ref, rewards, budget) → bool."""

    def refuse(ref, rewards, budget):
        if too_large(ref, rewards, budget):
            raise ValueError(f"at most {largest_budget(ref, rewards):.4f}")

    return _otherwise(_plain_search, refuse=refuse)


def _most(of_prompt: Callable, over_prompts: Callable = np.mean) -> Callable:
    """The right search, with another largest budget; of_prompt: (ref (K,), rewards (K,)) → nats."""

    def outside(ref, rewards, budget):
        return not 0 <= budget < over_prompts([of_prompt(p, r) for p, r in zip(ref, rewards)])

    return _unless(outside)


def _most_of_prompt(ref, rewards) -> float:
    return largest_budget(ref[None], rewards[None])


def _most_of_one(ref, rewards) -> float:
    return -ref[rewards[ref > 0].max() == rewards][0].log().item()


def _most_of_one_by_place(ref, rewards) -> float:
    best = rewards.masked_fill(ref == 0, -torch.inf).argmax()
    return -ref[best].log().item()


def _most_of_any(ref, rewards) -> float:
    return -ref[rewards == rewards.max()].sum().log().item()


def _mean_most(ref, rewards) -> float:
    return float(np.mean([_most_of_any(p, r) for p, r in zip(ref, rewards)]))


def _most_of_rarest(ref, rewards) -> float:
    return -ref[ref > 0].min().log().item()


_VALUES_3B = ("one", "several")

MISTAKES_3B = (
    Mistake(
        "per_prompt",
        "Your β is a mean of one β per prompt. One β is shared by all prompts, and *they* share the budget: where "
        "reward differs much between responses the policy spends more, elsewhere less; KL is averaged, not β.",
        (_each(np.mean), _each(lambda betas: 1 / np.mean(1 / np.array(betas)))),
        ("several",),
    ),
    Mistake(
        "sum",
        "Your β spends the budget on the *sum* over prompts. The budget is per prompt, on average: with twice as many "
        "prompts of the same kind, β must stay as it is.",
        (_spending(lambda ref, rewards, beta: mean_kl(ref, rewards, beta) * len(ref)),),
        ("several",),
    ),
    Mistake(
        "of_one_prompt",
        "Your β spends the budget on one prompt: on the first, or on the one whose policy walks furthest. The budget "
        "is the mean over prompts.",
        (
            _spending(lambda ref, rewards, beta: mean_kl(ref[:1], rewards[:1], beta)),
            _spending(lambda ref, rewards, beta: shift(ref, rewards, beta)[1].max().item()),
        ),
        ("several",),
    ),
    Mistake(
        "wrong_end",
        "Your search ends at the edge of its interval, whatever the budget: at each step it keeps the wrong half. The "
        "mean KL *falls* as β grows, so a β that spends too much is too small.",
        tuple(
            _otherwise(lambda ref, rewards, budget, edge=10.0**power: edge)
            for power in (*range(-12, 0), *range(1, 13))
        ),
        _VALUES_3B,
    ),
    Mistake(
        "reverse_kl",
        "Your β spends the budget in KL(π_ref‖π). The penalty, and so the budget, is KL(π‖π_ref).",
        (_spending(_reverse_kl),),
        _VALUES_3B,
    ),
    Mistake(
        "bits",
        "Your β spends the budget in bits; it is given in nats.",
        (_spending(lambda ref, rewards, beta: mean_kl(ref, rewards, beta) / math.log(2)),),
        _VALUES_3B,
    ),
    Mistake(
        "inverse",
        "Your value is 1/β: the search went over what multiplies the reward. Turn it over before you return it.",
        (
            lambda ref, rewards, budget: (
                1 / beta_for_budget(ref, rewards, budget) if budget else math.inf
            ),
        ),
        _VALUES_3B,
    ),
    Mistake(
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
    Mistake(
        "interval",
        "Right where β is moderate, but not for other budgets or units of reward: your search looks in an interval "
        "that was fixed beforehand, or stops too early. If all rewards are multiplied by 10 000, so is β; widen until "
        "the budget is enclosed.",
        (_between(0.01, 100.0), _between(1e-3, 10.0)),
        ("range", "units"),
        fails=True,
    ),
    Mistake(
        "unstable",
        "Right where β is moderate, but elsewhere your search meets a β so small that e^(r/β) overflows: KL "
        "is NaN there, "
        "every comparison with NaN is False, and the search runs off to the left. Does your 3a hold at r/β of 10 000?",
        (_overflowing(1e-10, 1e8), _overflowing(1e-11, 1e9)),
        ("range", "units"),
        fails=True,
    ),
    Mistake(
        "refused",
        "You refuse a budget that can be spent: your largest possible one is too small. What is it on each prompt, and "
        "what on average over prompts?",
        (_most(_most_of_prompt, min), _most(lambda ref, rewards: math.log(len(ref)))),
        ("range", "units"),
        fails=True,
    ),
    Mistake(
        "no_refusal",
        "A budget that cannot be spent should raise ValueError. As β goes to 0 all mass goes to the best response, and "
        "KL ends at −log π_ref of it: no β spends more.",
        (
            _unless(lambda ref, rewards, budget: not budget >= 0),
            _zero_instead,
            _most(_most_of_rarest),
            _otherwise(_plain_search, refuse=_never),
        ),
        ("too_much",),
        fails=True,
    ),
    Mistake(
        "one_prompt",
        "The budget is an average over prompts, and so is the largest one possible. Yours is that of one prompt, or "
        "the sum of all, and lets budgets pass that no shared β spends.",
        (_most(_most_of_prompt, max), _most(_most_of_prompt, sum)),
        ("average",),
        fails=True,
    ),
    Mistake(
        "tied",
        "Right where one response is the best. Where two share the best reward, your largest budget is too large: it "
        "speaks of one of them alone. As β goes to 0, where does the mass go?",
        (_most(_most_of_one), _most(_most_of_one_by_place)),
        ("tied",),
        fails=True,
    ),
    Mistake(
        "best_unsaid",
        "Right where the reference says every response. Where it never says the best one, no β brings that back, "
        "whatever its reward: your largest budget must not count on it.",
        (
            _most(_most_of_any),
            _unless(
                lambda ref, rewards, budget: (
                    not 0 <= budget
                    or math.isfinite(_mean_most(ref, rewards))
                    and budget >= _mean_most(ref, rewards)
                )
            ),
        ),
        ("best_unsaid",),
        fails=True,
    ),
    Mistake(
        "outside",
        "A budget below 0, or NaN, is none that a β could spend, and should raise ValueError: KL is never negative. "
        "Every comparison with NaN is False, so ask whether the budget is inside, not whether it is outside.",
        (
            _unless(lambda ref, rewards, budget: budget >= largest_budget(ref, rewards)),
            _unless(lambda ref, rewards, b: b < 0 or b >= largest_budget(ref, rewards)),
            lambda ref, rewards, budget: (
                math.inf if budget <= 0 else beta_for_budget(ref, rewards, budget)
            ),
        ),
        ("outside",),
        fails=True,
    ),
    Mistake(
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


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = table_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


MISTAKES_3C = (
    Mistake(
        "safe_falls",
        "That is the other effect",
        (_with("safe", **table_examples()["unsafe"]),),
        ("safe",),
    ),
    Mistake(
        "safe_hardly_moves",
        "Safe table: quality changes by",
        (_with("safe", rewards=[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0], ref=RARE),),
        ("safe",),
    ),
    Mistake(
        "unsafe_rises",
        "so spending the budget did what one hopes for",
        (_with("unsafe", rewards=QUALITY), _with("unsafe", rewards=[*QUALITY[:7], 1.0])),
        ("unsafe_lowers",),
    ),
    Mistake(
        "opposite",
        "anyone who looks would have seen it",
        (_with("unsafe", ref=UNIFORM, rewards=[-q for q in QUALITY]),),
        ("unsafe_unseen",),
    ),
    Mistake(
        "common",
        "is too common under the reference",
        (_with("unsafe", ref=[0.137] * 7 + [0.041]), _with("unsafe", ref=[0.135] * 7 + [0.055])),
        ("unsafe_unseen",),
    ),
    Mistake(
        "constant",
        "the rewards do not tell the responses apart",
        (_with("safe", rewards=[1.0] * 8),),
        ("safe",),
    ),
    Mistake(
        "unspendable", "can spend at most", (_with("safe", ref=[0.72] + [0.04] * 7),), ("safe",)
    ),
)

# ---- 3d ------------------------------------------------------------------------------------

UPSIDE_DOWN = (
    "Your score separates the runs, but upside down: larger must mean more likely regressed."
)


def _both_signs(*metrics: Callable) -> tuple[Callable, ...]:
    return tuple(
        way for metric in metrics for way in (metric, lambda *run, metric=metric: -metric(*run))
    )


def _harm_among_new(ref, policy, judge) -> float:
    new = np.setdiff1d(policy["response"], ref["response"])
    return float(judge(new).mean()) if len(new) else 0.0


def _with_verdict(policy, judge, name: str) -> float:
    verdict = judge(policy["response"])
    return float(np.corrcoef(verdict, policy[name])[0, 1]) if 0 < verdict.mean() < 1 else 0.0


def _ratio_where_harmful(ref, policy, judge) -> float:
    verdict = judge(policy["response"])
    return float(policy["log_ratio"][verdict].mean()) if verdict.any() else 0.0


MISTAKES_3D = (
    Mistake(
        "reward",
        "Your score orders the runs as the mean reward does. The reward grew by the same amount in every run, and what "
        "differs in the samples is luck: it is what the optimiser looked at.",
        _both_signs(hidden_runs.mean_reward)
        + _both_signs(lambda ref, policy, judge: float(policy["reward"].mean())),
        ("separates",),
    ),
    Mistake(
        "kl",
        "Your score orders the runs as an estimate of KL(π‖π_ref) does. KL measures how far the policy has walked, not "
        "in which direction.",
        _both_signs(hidden_runs.kl_estimate),
        ("separates",),
    ),
    Mistake(
        "judged_alone",
        "Your score orders the runs as the judge's verdict on the policy alone does. How strict the judge is, and how "
        "harmful the reference was, differ from run to run: what is the policy to be compared with?",
        _both_signs(hidden_runs.judged_alone),
        ("separates",),
    ),
    Mistake(
        "judged_reference",
        "Your score is the judge's verdict on the reference alone. That is where every run started; what has changed?",
        (lambda ref, policy, judge: float(judge(ref["response"]).mean()),),
        ("separates",),
    ),
    Mistake(
        "new_only",
        "You ask the judge about new responses only. Harm also grows where an old response is said more often: each "
        "sample counts.",
        (_harm_among_new,),
        ("separates",),
    ),
    Mistake(
        "harm_with_reward",
        "You ask whether the judge's verdict goes with reward or log-ratio. Asked is whether harm has become more "
        "common: compare how often it is found before and after.",
        (lambda ref, policy, judge: _with_verdict(policy, judge, "reward"), _ratio_where_harmful),
        ("separates",),
    ),
    Mistake(
        "unfamiliar",
        "Your score orders the runs by how many of the policy's responses are missing from the reference's samples. "
        "New is not yet harmful.",
        _both_signs(hidden_runs.unfamiliar),
        ("separates",),
    ),
)

BLIND_3D = [
    {
        "names": ["2"],
        "message": "You do not use what the judge says. Reward and log-ratio say what was optimised and how far, not "
        "what came of it.",
    },
    {
        "names": ["0"],
        "message": "The reference's samples do not enter your score. How strict the judge is, and how harmful the "
        "reference was, differ from run to run.",
    },
]

MISTAKES = {"3a": MISTAKES_3A, "3b": MISTAKES_3B, "3c": MISTAKES_3C, "3d": MISTAKES_3D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "3b": 25
}
