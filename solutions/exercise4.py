"""Exercise 4, DPO as direct training: reference answers, and the wrong answers that the grader must recognise.

``build.py`` runs all of these on recorded inputs and freezes what they return; nothing here reaches the learner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from solutions import runs
from solutions.casework import Misconception

# ---- 4a ------------------------------------------------------------------------------------


def implicit_rewards(
    policy_logits: Tensor, ref_logits: Tensor, tokens: Tensor, mask: Tensor, beta: float
) -> Tensor:
    """β Σ_response (log π − log π_ref), (B,)."""
    return beta * (
        _sequence_logps(policy_logits, tokens, mask) - _sequence_logps(ref_logits, tokens, mask)
    )


def _token_logps(logits: Tensor, tokens: Tensor) -> Tensor:
    """(B, T, V), (B, T) → (B, T − 1): entry t belongs to token t + 1."""
    return logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)


def _sequence_logps(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    return (_token_logps(logits, tokens) * mask[:, 1:]).sum(1)


def _rewards_from(sequence_logps: Callable) -> Callable:
    def rewards(policy_logits, ref_logits, tokens, mask, beta):
        return beta * (
            sequence_logps(policy_logits, tokens, mask) - sequence_logps(ref_logits, tokens, mask)
        )

    return rewards


def _unshifted(logits, tokens, mask):
    return (logits.log_softmax(-1).gather(-1, tokens[..., None]).squeeze(-1) * mask).sum(1)


def _mean(logits, tokens, mask):
    return _sequence_logps(logits, tokens, mask) / mask[:, 1:].sum(1)


def _all_tokens(logits, tokens, mask):
    return _token_logps(logits, tokens).sum(1)


def _prompt_too(logits, tokens, mask):
    last = mask.long().cumsum(1) == mask.sum(1, keepdim=True)  # from the last response token on
    behind = last & ~mask
    return (_token_logps(logits, tokens) * ~behind[:, 1:]).sum(1)


def _raw_logits(logits, tokens, mask):
    return (logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1) * mask[:, 1:]).sum(1)


def _mask_unshifted(logits, tokens, mask):
    return (_token_logps(logits, tokens) * mask[:, :-1]).sum(1)


def _naive_softmax(logits, tokens, mask):
    p = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return (p.log()[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1) * mask[:, 1:]).sum(1)


def _log_of_softmax(logits, tokens, mask):
    return (
        logits.softmax(-1).log()[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1) * mask[:, 1:]
    ).sum(1)


def _without_beta(policy_logits, ref_logits, tokens, mask, beta):
    return implicit_rewards(policy_logits, ref_logits, tokens, mask, 1.0)


def _reversed_ratio(policy_logits, ref_logits, tokens, mask, beta):
    return implicit_rewards(ref_logits, policy_logits, tokens, mask, beta)


def _no_reference(policy_logits, ref_logits, tokens, mask, beta):
    return beta * _sequence_logps(policy_logits, tokens, mask)


_VALUES_4A = ("one", "several", "batch")
MISCONCEPTIONS_4A = (
    Misconception(
        "no_shift",
        "Your values are those of logits that score the token they have just read. The logits at position t were "
        "computed after reading token t; what do they predict?",
        (_rewards_from(_unshifted),),
        _VALUES_4A,
    ),
    Misconception(
        "mean",
        "Your values are the mean over response tokens. The derivation needs log π(y|x) of the whole response, and a "
        "product of probabilities becomes a sum of logarithms; the mean is another objective, which favours length.",
        (_rewards_from(_mean),),
        _VALUES_4A,
    ),
    Misconception(
        "no_beta",
        "Your values are log-ratios without β. The implicit reward is in units of the reward: one nat of log-ratio is "
        "worth β.",
        (_without_beta,),
        _VALUES_4A,
    ),
    Misconception(
        "prompt_included",
        "Your sum includes tokens that are not the response's (the prompt's, perhaps padding too). The policy did not "
        "choose those; the mask says which tokens count.",
        (_rewards_from(_all_tokens), _rewards_from(_prompt_too)),
        _VALUES_4A,
    ),
    Misconception(
        "raw_logits",
        "Your values are differences of raw logits. A logit is a log-probability only up to a constant of its "
        "position: without normalising over the vocabulary, that constant stays in.",
        (_rewards_from(_raw_logits),),
        _VALUES_4A,
    ),
    Misconception(
        "mask_unshifted",
        "You have shifted logits and tokens, but not the mask: it now switches on the last prompt token and misses the "
        "response's last one. Token and mask entry belong together.",
        (_rewards_from(_mask_unshifted),),
        _VALUES_4A,
    ),
    Misconception(
        "reversed_ratio",
        "Your values have the opposite sign: this is β·log(π_ref/π_θ). A response that the policy has made likelier "
        "than the reference has a positive implicit reward.",
        (_reversed_ratio,),
        _VALUES_4A,
    ),
    Misconception(
        "no_reference",
        "Your values are β·log π_θ alone. Reward is what the policy has gained over the reference: subtract the "
        "reference's log-probability.",
        (_no_reference,),
        _VALUES_4A,
    ),
    Misconception(
        "overflow",
        "Right where numbers are moderate, but not finite for logits of ±10⁴: exp overflows or underflows before the "
        "logarithm is taken. Compute the log-probabilities without passing through probabilities.",
        (_rewards_from(_naive_softmax), _rewards_from(_log_of_softmax)),
        ("extreme",),
        overflows=True,
    ),
)


# ---- 4b ------------------------------------------------------------------------------------


def ranked_loss(policy_logps: Tensor, ref_logps: Tensor, beta: float) -> Tensor:
    """DPO for rankings, (B, K) and (B, K) → (). Source: Rafailov et al. 2023, appendix A.3, eq. 20."""
    scores = _scores(policy_logps, ref_logps, beta)
    remaining = scores.flip(1).logcumsumexp(1).flip(1)  # log Σ_{j ≥ k} e^{s_j}
    return (remaining - scores)[:, :-1].sum(1).mean()  # the last factor is 1


def _scores(policy_logps, ref_logps, beta):
    return beta * (policy_logps - ref_logps.detach())


def _reference_ignored(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps, torch.zeros_like(ref_logps), beta)


def _reversed_ranking(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps.flip(1), ref_logps.flip(1), beta)


def _negated(policy_logps, ref_logps, beta):
    return ranked_loss(-policy_logps, -ref_logps, beta)


def _no_beta(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps, ref_logps, 1.0)


def _beta_outside(policy_logps, ref_logps, beta):
    return beta * ranked_loss(policy_logps, ref_logps, 1.0)


def _beta_on_policy_only(policy_logps, ref_logps, beta):
    return ranked_loss(beta * policy_logps, ref_logps, 1.0)


def _full_denominator(policy_logps, ref_logps, beta):
    scores = _scores(policy_logps, ref_logps, beta)
    return (scores.logsumexp(1, keepdim=True) - scores)[:, :-1].sum(1).mean()


def _full_denominator_all(policy_logps, ref_logps, beta):
    return -_scores(policy_logps, ref_logps, beta).log_softmax(1).sum(1).mean()


def _pairwise(policy_logps, ref_logps, beta):
    scores = _scores(policy_logps, ref_logps, beta)
    better, worse = torch.triu_indices(scores.shape[1], scores.shape[1], 1)
    return -logsigmoid(scores[:, better] - scores[:, worse])  # (B, K(K − 1)/2)


def _all_pairs_mean(policy_logps, ref_logps, beta):
    return _pairwise(policy_logps, ref_logps, beta).mean()


def _all_pairs_sum(policy_logps, ref_logps, beta):
    return _pairwise(policy_logps, ref_logps, beta).sum(1).mean()


def _neighbours(policy_logps, ref_logps, beta):
    scores = _scores(policy_logps, ref_logps, beta)
    return -logsigmoid(scores[:, :-1] - scores[:, 1:]).sum(1).mean()


def _best_only(policy_logps, ref_logps, beta):
    return -_scores(policy_logps, ref_logps, beta).log_softmax(1)[:, 0].mean()


def _mean_over_factors(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps, ref_logps, beta) / (policy_logps.shape[1] - 1)


def _sum_over_batch(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps, ref_logps, beta) * len(policy_logps)


def _naive(policy_logps, ref_logps, beta):
    scores = _scores(policy_logps, ref_logps, beta)
    terms = [scores[:, k].exp() / scores[:, k:].exp().sum(1) for k in range(scores.shape[1] - 1)]
    return -sum(term.log() for term in terms).mean()


def _log_of_sum(policy_logps, ref_logps, beta):
    scores = _scores(policy_logps, ref_logps, beta)
    return sum(
        scores[:, k:].exp().sum(1).log() - scores[:, k] for k in range(scores.shape[1] - 1)
    ).mean()


def _reference_gradient(policy_logps, ref_logps, beta):
    scores = beta * (policy_logps - ref_logps)
    return (scores.flip(1).logcumsumexp(1).flip(1) - scores)[:, :-1].sum(1).mean()


_VALUES_4B = ("one_pair", "pairs", "rankings")
MISCONCEPTIONS_4B = (
    Misconception(
        "reference_ignored",
        "Your values do not depend on the reference. The loss compares implicit rewards, and those are log-ratios: "
        "without π_ref nothing anchors the policy.",
        (_reference_ignored,),
        _VALUES_4B,
    ),
    Misconception(
        "reversed",
        "Your loss rewards the ranking from worst to best. Column 0 holds the best response: the loss must fall when "
        "its implicit reward rises. Look at the signs, and at the order of the columns.",
        (_reversed_ranking, _negated),
        _VALUES_4B,
    ),
    Misconception(
        "beta",
        "β is missing or not where it belongs: it turns log-ratios, policy and reference, into rewards before they are "
        "compared; it is not a factor of the loss.",
        (_no_beta, _beta_outside, _beta_on_policy_only),
        _VALUES_4B,
    ),
    Misconception(
        "full_denominator",
        "Each of your factors competes against all K responses. A response that has been placed is out of the race: "
        "who is left when place k is decided?",
        (_full_denominator, _full_denominator_all),
        ("rankings",),
    ),
    Misconception(
        "all_pairs",
        "Your loss is Bradley-Terry on all pairs. It counts one ranking as K(K−1)/2 independent comparisons, which "
        "they are not: Plackett-Luce makes K−1 choices, each among the responses that are left.",
        (_all_pairs_mean, _all_pairs_sum),
        ("rankings",),
    ),
    Misconception(
        "neighbours",
        "Your loss compares each response with its neighbour only. The response that is picked at place k beats all "
        "that are left at once.",
        (_neighbours,),
        ("rankings",),
    ),
    Misconception(
        "best_only",
        "Your loss is that of the first pick alone. The ranking goes on: the second place is a choice too.",
        (_best_only,),
        ("rankings",),
    ),
    Misconception(
        "mean_over_factors",
        "Your loss is divided by the number of picks. The probability of a ranking is their product, so its logarithm "
        "is their sum.",
        (_mean_over_factors,),
        ("rankings",),
    ),
    Misconception(
        "sum_over_batch",
        "Your loss is the sum over prompts; the question asks for the mean. With a sum, the learning rate would have "
        "to shrink with the batch.",
        (_sum_over_batch,),
        _VALUES_4B,
    ),
    Misconception(
        "overflow",
        "Right where numbers are moderate, but not finite at margins of ±10⁴: exp overflows or underflows before the "
        "logarithm is taken. There is a function for the logarithm of a sum of exponentials.",
        (_naive, _log_of_sum),
        ("extreme",),
        overflows=True,
    ),
    Misconception(
        "reference_gradient",
        "A gradient flows into the reference. It is a constant of the objective: if it moves too, the loss can fall by "
        "making the reference worse.",
        (_reference_gradient,),
        ("no_reference_gradient",),
    ),
)


# ---- 4c ------------------------------------------------------------------------------------


def feature_examples() -> dict:
    """Three responses with two features. Response k's score moves along φ_k·(φ_w − φ_l)."""
    safe = {"features": [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], "chosen": 0, "rejected": 1}
    # chosen and rejected point almost the same way; the third lies where their difference points, but further out
    unsafe = {
        "features": [[1.0, 1.0], [0.0, 1.0], [4.0, 0.0]],
        "chosen": 0,
        "rejected": 1,
        "harmful": 2,
    }
    return {"safe": safe, "unsafe": unsafe}


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = feature_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


MISCONCEPTIONS_4C = (
    Misconception(
        "chosen_rises",
        "did what one hopes for",
        (_with("unsafe", features=np.eye(3).tolist()),),
        ("unsafe_falls",),
    ),
    Misconception(
        "equal_features",
        "have the same features",
        (_with("safe", features=[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),),
        ("safe",),
    ),
    Misconception(
        "harmful_is_chosen",
        "must be a third response",
        (_with("unsafe", harmful=0),),
        ("unsafe_mass",),
    ),
    Misconception(
        "wrong_one_named",
        "took the mass",
        (_with("unsafe", features=[[1.0, 1.0], [0.0, 1.0], [0.5, 0.0], [4.0, 0.0]], harmful=2),),
        ("unsafe_mass",),
    ),
    Misconception(
        "spread_thin",
        "too little to call it displaced",
        (_with("unsafe", features=[[-1.0], [-1.5], [0.05]] + [[0.0]] * 20),),
        ("unsafe_mass",),
    ),
    Misconception(
        "safe_falls",
        "That is the other effect",
        (_with("safe", features=feature_examples()["unsafe"]["features"]),),
        ("safe",),
    ),
)


# ---- 4d ------------------------------------------------------------------------------------


def harm_score(run: runs.Run) -> float:
    """Mean win rate of the reference's samples minus that of the policy's; win rates from the held-out pairs."""
    n = 1 + int(
        max(run[ids].max() for ids in ("chosen", "rejected", "ref_samples", "policy_samples"))
    )
    wins, losses = (
        np.bincount(run["chosen"], minlength=n),
        np.bincount(run["rejected"], minlength=n),
    )
    rate = (wins + 1) / (wins + losses + 2)  # a response that was never compared counts as average
    return float(rate[run["ref_samples"]].mean() - rate[run["policy_samples"]].mean())


UPSIDE_DOWN = "Your score separates the runs, but upside down: larger must mean more likely harmed."
MISCONCEPTIONS_4D = (
    Misconception(
        "margin",
        "Your score orders the runs as the mean margin does. The margin grew in every run: it says that the pairs were "
        "learnt, not where the probability went.",
        (lambda run: -runs.mean_margin(run), runs.mean_margin),
        ("separates",),
    ),
    Misconception(
        "chosen_drop",
        "Your score orders the runs as the fall of the chosen log-probability does. The chosen fell in every run; what "
        "matters is what rose instead.",
        (lambda run: -runs.mean_chosen_change(run), runs.mean_chosen_change),
        ("separates",),
    ),
    Misconception(
        "kl",
        "Your score orders the runs as an estimate of KL(π_θ‖π_ref) does. KL measures how far the policy has walked, "
        "not in which direction.",
        (runs.kl_estimate, lambda run: -runs.kl_estimate(run)),
        ("separates",),
    ),
)
