"""Exercise 4, DPO as direct training: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from solutions.ex04_direct_training import hidden_runs
from solutions.ex04_direct_training.answers import (
    feature_examples,
    implicit_rewards,
    logps_of_tokens,
    masked_logps,
    ranked_loss,
    ranking_scores,
)
from solutions.freeze import Mistake

# ---- 4a ------------------------------------------------------------------------------------


def _rewards_from(sequence_logps: Callable) -> Callable:
    def rewards(policy_logits, ref_logits, tokens, mask, beta):
        return beta * (
            sequence_logps(policy_logits, tokens, mask) - sequence_logps(ref_logits, tokens, mask)
        )

    return rewards


def _unshifted(logits, tokens, mask):
    return (logits.log_softmax(-1).gather(-1, tokens[..., None]).squeeze(-1) * mask).sum(1)


def _mean(logits, tokens, mask):
    return masked_logps(logits, tokens, mask) / mask[:, 1:].sum(1)


def _all_tokens(logits, tokens, mask):
    return logps_of_tokens(logits, tokens).sum(1)


def _prompt_too(logits, tokens, mask):
    last = mask.long().cumsum(1) == mask.sum(1, keepdim=True)  # from the last response token on
    behind = last & ~mask
    return (logps_of_tokens(logits, tokens) * ~behind[:, 1:]).sum(1)


def _raw_logits(logits, tokens, mask):
    return (logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1) * mask[:, 1:]).sum(1)


def _mask_unshifted(logits, tokens, mask):
    return (logps_of_tokens(logits, tokens) * mask[:, :-1]).sum(1)


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
    return beta * masked_logps(policy_logits, tokens, mask)


def _mean_over_positions(logits, tokens, mask):
    return masked_logps(logits, tokens, mask) / (tokens.shape[1] - 1)


def _mean_over_columns(logits, tokens, mask):
    return masked_logps(logits, tokens, mask) / tokens.shape[1]


def _padding_too(logits, tokens, mask):
    begun = mask.long().cummax(1).values
    return masked_logps(logits, tokens, begun.bool())


def _picked(scores: Callable) -> Callable:
    """The sum over response tokens of something else than log-probabilities: scores (B, T, V) of logits."""

    def summed(logits, tokens, mask):
        picked = scores(logits)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
        return torch.where(mask[:, 1:], picked, 0.0).sum(1)

    return summed


def _likeliest(logits, tokens, mask):
    return (logits.log_softmax(-1)[:, :-1].amax(-1) * mask[:, 1:]).sum(1)


def _shifted_back(kept: slice) -> Callable:
    def summed(logits, tokens, mask):
        picked = logits[:, 1:].log_softmax(-1).gather(-1, tokens[:, :-1, None]).squeeze(-1)
        return (picked * mask[:, kept]).sum(1)

    return summed


def _some_tokens(keep: Callable) -> Callable:
    """keep(place from 1 (B, T), length (B, 1)): which of the response's tokens count."""

    def summed(logits, tokens, mask):
        place = mask.long().cumsum(1)
        return masked_logps(logits, tokens, mask & keep(place, mask.sum(1, keepdim=True)))

    return summed


def _divided_by_beta(policy_logits, ref_logits, tokens, mask, beta):
    return implicit_rewards(policy_logits, ref_logits, tokens, mask, 1 / beta)


_VALUES_4A = ("one", "several", "batch")

MISTAKES_4A = (
    Mistake(
        "no_shift",
        "Your values are those of logits that score the token they have just read. The logits at position t were "
        "computed after reading token t; what do they predict?",
        (_rewards_from(_unshifted),),
        _VALUES_4A,
    ),
    Mistake(
        "mean",
        "Your values are the mean over response tokens. The derivation needs log π(y|x) of the whole response, and a "
        "product of probabilities becomes a sum of logarithms; the mean is another objective, which favours length.",
        (
            _rewards_from(_mean),
            _rewards_from(_mean_over_positions),
            _rewards_from(_mean_over_columns),
        ),
        _VALUES_4A,
    ),
    Mistake(
        "no_beta",
        "Your values are log-ratios without β. The implicit reward is in units of the reward: one nat of log-ratio is "
        "worth β.",
        (_without_beta,),
        _VALUES_4A,
    ),
    Mistake(
        "divided_by_beta",
        "You divide by β. The implicit reward is β times the log-ratio: that is what 5.2 solves the optimum for.",
        (_divided_by_beta,),
        _VALUES_4A,
    ),
    Mistake(
        "probabilities",
        "You add up probabilities of tokens. That of a whole response is their product, and its logarithm the sum of "
        "their logarithms.",
        (
            _rewards_from(_picked(lambda logits: logits.softmax(-1))),
            _rewards_from(
                _picked(lambda logits: logits.exp() / logits.exp().sum(-1, keepdim=True))
            ),
        ),
        _VALUES_4A,
    ),
    Mistake(
        "other_axis",
        "You normalise over positions or rows. At each position the probabilities of the V tokens sum to 1: the "
        "softmax runs over the last axis.",
        (
            _rewards_from(_picked(lambda logits: logits.log_softmax(1))),
            _rewards_from(_picked(lambda logits: logits.log_softmax(0))),
        ),
        _VALUES_4A,
    ),
    Mistake(
        "likeliest",
        "You score the likeliest token at each position, whatever stands there. Asked is the probability of the "
        "response's own tokens.",
        (_rewards_from(_likeliest),),
        _VALUES_4A,
    ),
    Mistake(
        "shifted_back",
        "You shift the wrong way: logits that were computed after a token has been read score the token *before* it.",
        (
            _rewards_from(_shifted_back(slice(None, -1))),
            _rewards_from(_shifted_back(slice(1, None))),
        ),
        _VALUES_4A,
    ),
    Mistake(
        "some_tokens",
        "Some tokens of the response are missing from your sum: its first, its last, or all but one. Every token on "
        "which the mask is True counts.",
        tuple(
            _rewards_from(_some_tokens(keep))
            for keep in (
                lambda place, length: place > 1,
                lambda place, length: place < length,
                lambda place, length: place == 1,
                lambda place, length: place == length,
            )
        ),
        ("several", "batch"),
    ),
    Mistake(
        "prompt_included",
        "Your sum includes tokens that are not the response's (the prompt's, perhaps padding too). The policy did not "
        "choose those; the mask says which tokens count.",
        (_rewards_from(_all_tokens), _rewards_from(_prompt_too), _rewards_from(_padding_too)),
        _VALUES_4A,
    ),
    Mistake(
        "raw_logits",
        "Your values are differences of raw logits. A logit is a log-probability only up to a constant of its "
        "position: without normalising over the vocabulary, that constant stays in.",
        (_rewards_from(_raw_logits),),
        _VALUES_4A,
    ),
    Mistake(
        "mask_unshifted",
        "You have shifted logits and tokens, but not the mask: it now misses the response's first token and switches "
        "on the one behind its last. Token and mask entry belong together.",
        (_rewards_from(_mask_unshifted),),
        _VALUES_4A,
    ),
    Mistake(
        "reversed_ratio",
        "Your values have the opposite sign: this is β·log(π_ref/π_θ). A response that the policy has made likelier "
        "than the reference has a positive implicit reward.",
        (_reversed_ratio,),
        _VALUES_4A,
    ),
    Mistake(
        "no_reference",
        "Your values are β·log π_θ alone. Reward is what the policy has gained over the reference: subtract the "
        "reference's log-probability.",
        (_no_reference,),
        _VALUES_4A,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, but not finite for logits of ±10⁴: exp overflows or underflows before the "
        "logarithm is taken. Compute the log-probabilities without passing through probabilities.",
        (_rewards_from(_naive_softmax), _rewards_from(_log_of_softmax)),
        ("extreme",),
        overflows=True,
    ),
)

# ---- 4b ------------------------------------------------------------------------------------


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
    scores = ranking_scores(policy_logps, ref_logps, beta)
    return (scores.logsumexp(1, keepdim=True) - scores)[:, :-1].sum(1).mean()


def _full_denominator_all(policy_logps, ref_logps, beta):
    return -ranking_scores(policy_logps, ref_logps, beta).log_softmax(1).sum(1).mean()


def _pairwise(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    better, worse = torch.triu_indices(scores.shape[1], scores.shape[1], 1)
    return -logsigmoid(scores[:, better] - scores[:, worse])  # (B, K(K − 1)/2)


def _all_pairs_mean(policy_logps, ref_logps, beta):
    return _pairwise(policy_logps, ref_logps, beta).mean()


def _all_pairs_sum(policy_logps, ref_logps, beta):
    return _pairwise(policy_logps, ref_logps, beta).sum(1).mean()


def _neighbours(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    return -logsigmoid(scores[:, :-1] - scores[:, 1:]).sum(1).mean()


def _best_only(policy_logps, ref_logps, beta):
    return -ranking_scores(policy_logps, ref_logps, beta).log_softmax(1)[:, 0].mean()


def _mean_over_factors(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps, ref_logps, beta) / (policy_logps.shape[1] - 1)


def _sum_over_batch(policy_logps, ref_logps, beta):
    return ranked_loss(policy_logps, ref_logps, beta) * len(policy_logps)


def _naive(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    terms = [scores[:, k].exp() / scores[:, k:].exp().sum(1) for k in range(scores.shape[1] - 1)]
    return -sum(term.log() for term in terms).mean()


def _log_of_sum(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    return sum(
        scores[:, k:].exp().sum(1).log() - scores[:, k] for k in range(scores.shape[1] - 1)
    ).mean()


def _reference_gradient(policy_logps, ref_logps, beta):
    scores = beta * (policy_logps - ref_logps)
    return (scores.flip(1).logcumsumexp(1).flip(1) - scores)[:, :-1].sum(1).mean()


def _best_pairs(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    return -logsigmoid(scores[:, :1] - scores[:, 1:]).sum(1).mean()


def _best_pairs_mean(policy_logps, ref_logps, beta):
    return _best_pairs(policy_logps, ref_logps, beta) / (policy_logps.shape[1] - 1)


def _ends(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    return -logsigmoid(scores[:, 0] - scores[:, -1]).mean()


def _against_the_rest(policy_logps, ref_logps, beta):
    scores = ranking_scores(policy_logps, ref_logps, beta)
    return sum(
        scores[:, k + 1 :].logsumexp(1) - scores[:, k] for k in range(scores.shape[1] - 1)
    ).mean()


def _over_prompts(over: Callable) -> Callable:
    def loss(policy_logps, ref_logps, beta):
        scores = ranking_scores(policy_logps, ref_logps, beta)
        return over((scores.flip(0).logcumsumexp(0).flip(0) - scores).sum(0))

    return loss


_VALUES_4B = ("one_pair", "pairs", "rankings")

MISTAKES_4B = (
    Mistake(
        "reference_ignored",
        "Your values do not depend on the reference. The loss compares implicit rewards, and those are log-ratios: "
        "without π_ref nothing anchors the policy.",
        (_reference_ignored,),
        _VALUES_4B,
    ),
    Mistake(
        "reversed",
        "Your loss rewards the ranking from worst to best. Column 0 holds the best response: the loss must fall when "
        "its implicit reward rises. Look at the signs, and at the order of the columns.",
        (_reversed_ranking, _negated),
        _VALUES_4B,
    ),
    Mistake(
        "beta",
        "β is missing or not where it belongs: it turns log-ratios, policy and reference, into rewards before they are "
        "compared; it is not a factor of the loss.",
        (_no_beta, _beta_outside, _beta_on_policy_only),
        _VALUES_4B,
    ),
    Mistake(
        "full_denominator",
        "Each of your factors competes against all K responses. A response that has been placed is out of the race: "
        "who is left when place k is decided?",
        (_full_denominator, _full_denominator_all),
        ("rankings",),
    ),
    Mistake(
        "all_pairs",
        "Your loss is Bradley-Terry on all pairs. It counts one ranking as K(K−1)/2 independent comparisons, which "
        "they are not: Plackett-Luce makes K−1 choices, each among the responses that are left.",
        (_all_pairs_mean, _all_pairs_sum),
        ("rankings",),
    ),
    Mistake(
        "best_pairs",
        "Your loss compares the best response with each other one, pair by pair, or with the worst alone. A ranking "
        "says more: who is best of all at once, and then who is best of those that are left.",
        (_best_pairs, _best_pairs_mean, _ends),
        ("rankings",),
    ),
    Mistake(
        "against_the_rest",
        "The response that is picked is missing from your denominator. It is one of those that could be picked: "
        "without it the fraction is no probability.",
        (_against_the_rest,),
        _VALUES_4B,
    ),
    Mistake(
        "over_prompts",
        "Your sum of exponentials runs over the prompts, axis 0. The responses to one prompt compete: axis 1.",
        (_over_prompts(torch.mean), _over_prompts(torch.sum)),
        _VALUES_4B,
    ),
    Mistake(
        "neighbours",
        "Your loss compares each response with its neighbour only. The response that is picked at place k beats all "
        "that are left at once.",
        (_neighbours,),
        ("rankings",),
    ),
    Mistake(
        "best_only",
        "Your loss is that of the first pick alone. The ranking goes on: the second place is a choice too.",
        (_best_only,),
        ("rankings",),
    ),
    Mistake(
        "mean_over_factors",
        "Your loss is divided by the number of picks. The probability of a ranking is their product, so its logarithm "
        "is their sum.",
        (_mean_over_factors,),
        ("rankings",),
    ),
    Mistake(
        "sum_over_batch",
        "Your loss is the sum over prompts; the question asks for the mean. With a sum, the learning rate would have "
        "to shrink with the batch.",
        (_sum_over_batch,),
        _VALUES_4B,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, but not finite at margins of ±10⁴: exp overflows or underflows before the "
        "logarithm is taken. There is a function for the logarithm of a sum of exponentials.",
        (_naive, _log_of_sum),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "reference_gradient",
        "A gradient flows into the reference. It is a constant of the objective: if it moves too, the loss can fall by "
        "making the reference worse.",
        (_reference_gradient,),
        ("no_reference_gradient",),
    ),
)

# ---- 4c ------------------------------------------------------------------------------------


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = feature_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


MISTAKES_4C = (
    Mistake(
        "chosen_rises",
        "did what one hopes for",
        (_with("unsafe", features=np.eye(3).tolist()),),
        ("unsafe_falls",),
    ),
    Mistake(
        "equal_features",
        "have the same features",
        (_with("safe", features=[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),),
        ("safe",),
    ),
    Mistake(
        "harmful_is_chosen",
        "must be a third response",
        (_with("unsafe", harmful=0),),
        ("unsafe_mass",),
    ),
    Mistake(
        "wrong_one_named",
        "took the mass",
        (_with("unsafe", features=[[1.0, 1.0], [0.0, 1.0], [0.5, 0.0], [4.0, 0.0]], harmful=2),),
        ("unsafe_mass",),
    ),
    Mistake(
        "two_gain_most",
        "gains as much as",
        (_with("unsafe", features=[[1.0, 1.0], [0.0, 1.0], [4.0, 0.0], [4.0, 0.0]], harmful=2),),
        ("unsafe_mass",),
    ),
    Mistake(
        "spread_thin",
        "too little to call it displaced",
        (_with("unsafe", features=[[-1.0], [-1.5], [0.05]] + [[0.0]] * 20),),
        ("unsafe_mass",),
    ),
    Mistake(
        "safe_falls",
        "That is the other effect",
        (_with("safe", features=feature_examples()["unsafe"]["features"]),),
        ("safe",),
    ),
)

# ---- 4d ------------------------------------------------------------------------------------

UPSIDE_DOWN = "Your score separates the runs, but upside down: larger must mean more likely harmed."


def _mean_of(run, outcome: str, samples: str) -> float:
    counts = np.bincount(run[outcome], minlength=hidden_runs.K)
    return float(counts[run[samples]].mean())


def _unfamiliar(run) -> float:
    counts = np.bincount(run["ref_samples"], minlength=hidden_runs.K)
    return float(-counts[run["policy_samples"]].mean())


def _missing(run, samples: str, known: str) -> float:
    return float(1 - np.isin(run[samples], run[known]).mean())


def _most_said(run) -> float:
    most = np.bincount(run["policy_samples"]).argmax()
    return float((run["rejected"] == most).sum() - (run["chosen"] == most).sum())


def _net_counts(run) -> float:
    return _mean_net(run, "policy_samples") - _mean_net(run, "ref_samples")


def _mean_net(run, samples: str) -> float:
    return _mean_of(run, "rejected", samples) - _mean_of(run, "chosen", samples)


def _each_once(run) -> float:
    wins, losses = (
        np.bincount(run[outcome], minlength=hidden_runs.K) for outcome in ("chosen", "rejected")
    )
    rate = (wins + 1) / (wins + losses + 2)
    return float(
        rate[np.unique(run["ref_samples"])].mean() - rate[np.unique(run["policy_samples"])].mean()
    )


def _gained(run, of: np.ndarray) -> float:
    """Mean of a number of each response, over the policy's samples, less that over the reference's."""
    return float(of[run["policy_samples"]].mean() - of[run["ref_samples"]].mean())


def _tally(run) -> tuple[np.ndarray, np.ndarray]:
    wins, losses = (
        np.bincount(run[outcome], minlength=hidden_runs.K) for outcome in ("chosen", "rejected")
    )
    return wins, losses


def _pooled(run) -> float:
    wins, losses = _tally(run)
    ref, policy = (
        wins[run[samples]].sum() / (wins + losses)[run[samples]].sum()
        for samples in ("ref_samples", "policy_samples")
    )
    return float(ref - policy)


def _losers(run) -> float:
    wins, losses = _tally(run)
    return _gained(run, losses > wins)


def _wins_by_losses(run) -> float:
    wins, losses = _tally(run)
    return -_gained(run, (wins + 1) / (losses + 1))


MISTAKES_4D = (
    Mistake(
        "margin",
        "Your score orders the runs as the mean margin does. The margin grew in every run: it says that the pairs were "
        "learnt, not where the probability went.",
        (lambda run: -hidden_runs.mean_margin(run), hidden_runs.mean_margin),
        ("separates",),
    ),
    Mistake(
        "chosen_drop",
        "Your score orders the runs as the fall of the chosen log-probability does. The chosen fell in every run; what "
        "matters is what rose instead.",
        (lambda run: -hidden_runs.mean_chosen_change(run), hidden_runs.mean_chosen_change),
        ("separates",),
    ),
    Mistake(
        "kl",
        "Your score orders the runs as an estimate of KL(π_θ‖π_ref) does. KL measures how far the policy has walked, "
        "not in which direction.",
        (hidden_runs.kl_estimate, lambda run: -hidden_runs.kl_estimate(run)),
        ("separates",),
    ),
    Mistake(
        "win_counts",
        "Your score counts wins. A response that is compared often wins often, and loses often too: how many of its "
        "comparisons did it win?",
        (
            hidden_runs.win_count_fall,
            lambda run: -hidden_runs.win_count_fall(run),
            lambda run: -_mean_of(run, "chosen", "policy_samples"),
        ),
        ("separates",),
    ),
    Mistake(
        "loss_counts",
        "Your score counts losses. A response that is compared often loses often, and wins often too: how many of its "
        "comparisons did it lose?",
        (hidden_runs.loss_count_rise, lambda run: _mean_of(run, "rejected", "policy_samples")),
        ("separates",),
    ),
    Mistake(
        "shares",
        "Your score counts how many held-out pairs moved in some direction. All that is log-probabilities: they say "
        "how the pairs fared, not where the probability went.",
        (
            hidden_runs.share_fallen,
            lambda run: -hidden_runs.share_fallen(run),
            hidden_runs.margin_accuracy,
            lambda run: -hidden_runs.margin_accuracy(run),
        ),
        ("separates",),
    ),
    Mistake(
        "unfamiliar",
        "Your score looks at how many of the policy's responses are new, or rarer, among the reference's. New is not "
        "yet worse: what did people think of them?",
        (
            _unfamiliar,
            lambda run: -_unfamiliar(run),
            lambda run: _missing(run, "policy_samples", "ref_samples"),
            lambda run: -_missing(run, "policy_samples", "ref_samples"),
        ),
        ("separates",),
    ),
    Mistake(
        "ever",
        "Your score asks whether the policy's responses were ever preferred, or ever rejected. Nearly all were, once: "
        "how often, of how many comparisons?",
        tuple(
            lambda run, known=known, sign=sign: sign * _missing(run, "policy_samples", known)
            for known in ("chosen", "rejected")
            for sign in (1, -1)
        ),
        ("separates",),
    ),
    Mistake(
        "net_counts",
        "Your score counts wins less losses. A response that is compared often is far from 0 whatever it is worth: "
        "what part of its comparisons did it win?",
        (_net_counts, lambda run: _mean_net(run, "policy_samples")),
        ("separates",),
    ),
    Mistake(
        "one_response",
        "Your score looks at the response that the policy says most often, and at no other. Harm may be spread over "
        "several: take the mean over all samples.",
        (_most_said, lambda run: -_most_said(run), hidden_runs.losing_rate_of_most_said),
        ("separates",),
    ),
    Mistake(
        "each_once",
        "You count each sampled response once. How often it was sampled is what training changed.",
        (_each_once,),
        ("separates",),
    ),
    Mistake(
        "pooled",
        "You add up wins and comparisons over the samples, and divide the sums. The responses that are compared often "
        "then weigh most: first the share that each response won, then the mean of these over the samples.",
        (_pooled,),
        ("separates",),
    ),
    Mistake(
        "losers",
        "Your score counts samples of responses that lose more often than they win. One that loses always then weighs "
        "as much as one that just loses more: what share of its comparisons did it win?",
        (_losers,),
        ("separates",),
    ),
    Mistake(
        "wins_by_losses",
        "You divide wins by losses. For a response that hardly ever loses that has no bound, and a few of these decide "
        "the mean: how many of all its comparisons did it win?",
        (_wins_by_losses,),
        ("separates",),
    ),
)

BLIND_4D = [
    {
        "names": ["chosen", "rejected", "ref_samples", "policy_samples"],
        "message": "Your score is built from log-probabilities alone, and the runs do not differ in those. Which of "
        "the arrays knows what people thought of a response?",
    },
    {
        "names": ["chosen", "rejected"],
        "message": "Who was preferred to whom does not enter your score. It may see that the policy says something "
        "else now, not whether that is worse.",
    },
    {
        "names": ["ref_samples", "policy_samples"],
        "message": "What the two policies say does not enter your score: the samples. Held-out pairs alone do not know "
        "where the probability went.",
    },
]

MISTAKES = {"4a": MISTAKES_4A, "4b": MISTAKES_4B, "4c": MISTAKES_4C, "4d": MISTAKES_4D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "4a": 19  # two tables of logits, three tokens, two words
}
