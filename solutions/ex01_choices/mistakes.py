"""Exercise 1, preferences optimize choices: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import logsigmoid

from solutions.ex01_choices import hidden_runs
from solutions.ex01_choices.answers import (
    choice_loss,
    comparisons,
    generator_examples,
    implicit_rewards,
    pair_margins,
)
from solutions.freeze import Mistake

# ---- 1a ------------------------------------------------------------------------------------


def _ties_by_order(ratings):
    above = (ratings[:, :, None] > ratings[:, None, :]).clone()
    tied = ratings[:, :, None] == ratings[:, None, :]
    return (above | (tied & torch.ones(tied.shape[1:], dtype=torch.bool).triu(1))).nonzero()


def _ties_by_order_reversed(ratings):
    above = ratings[:, :, None] > ratings[:, None, :]
    tied = ratings[:, :, None] == ratings[:, None, :]
    return (above | (tied & torch.ones(tied.shape[1:], dtype=torch.bool).tril(-1))).nonzero()


def _ties_both_ways(ratings):
    tied = (ratings[:, :, None] == ratings[:, None, :]) & ~torch.eye(
        ratings.shape[1], dtype=torch.bool
    )
    return ((ratings[:, :, None] > ratings[:, None, :]) | tied).nonzero()


def _with_itself(ratings):
    return (ratings[:, :, None] >= ratings[:, None, :]).nonzero()


def _unrated_filled(value: float) -> Callable:
    return lambda ratings: comparisons(ratings.nan_to_num(nan=value))


def _reversed(ratings):
    return comparisons(-ratings)


def _columns_swapped(ratings):
    return comparisons(ratings)[:, [1, 2, 0]]


def _of_means(ratings):
    return comparisons(ratings.nanmean(0, keepdim=True))


def _pooled(ratings):
    """Everyone's ratings against everyone's."""
    above = (
        ratings[:, None, :, None] > ratings[None, :, None, :]
    )  # annotator, other annotator, response, response
    found = above.nonzero()
    return found[found[:, 2] != found[:, 3]][:, [0, 2, 3]]


def _best_against_rest(ratings):
    return torch.tensor(
        [
            row
            for row in comparisons(ratings).tolist()
            if ratings[row[0], row[1]] == ratings[row[0]].nan_to_num(nan=-9e9).max()
        ]
    ).reshape(-1, 3)


def _best_against_worst(ratings):
    return torch.tensor(
        [
            row
            for row in _best_against_rest(ratings).tolist()
            if ratings[row[0], row[2]] == ratings[row[0]].nan_to_num(nan=9e9).min()
        ]
    ).reshape(-1, 3)


def _neighbours(ratings):
    """Each place of the ranking against the next only."""
    rows = []
    for a, i, j in comparisons(ratings).tolist():
        if not ((ratings[a] < ratings[a, i]) & (ratings[a] > ratings[a, j])).any():
            rows.append([a, i, j])
    return torch.tensor(rows).reshape(-1, 3)


def _next_column(around: bool) -> Callable:
    """Each response against that of the next column; around: the last one against the first."""

    def compared(ratings):
        found, K = comparisons(ratings), ratings.shape[1]
        apart = (found[:, 1] - found[:, 2]).abs()
        return found[(apart == 1) | (apart == K - 1)] if around else found[apart == 1]

    return compared


def _complete_only(ratings):
    whole = ~ratings.isnan().any(1)
    found = comparisons(ratings)
    return found[whole[found[:, 0]]]


def _complete_columns_only(ratings):
    return comparisons(torch.where(ratings.isnan().any(0), torch.nan, ratings))


def _indices_plus_one(ratings):
    return comparisons(ratings) + 1


def _both_directions(ratings):
    found = comparisons(ratings)
    return torch.cat([found, found[:, [0, 2, 1]]])


def _differs(ratings):
    """Whatever is not equal, in either order; NaN is equal to nothing, itself included."""
    return (ratings[:, :, None] != ratings[:, None, :]).nonzero()


_VALUES_1A = ("order", "ties", "unrated", "several")

MISTAKES_1A = (
    Mistake(
        "ties",
        "You make a winner where there is none: two equal ratings express no preference. A coin that you throw for the "
        "annotator, or the order of the columns, becomes a label that training will learn.",
        (_ties_by_order, _ties_by_order_reversed, _ties_both_ways),
        ("ties", "several"),
    ),
    Mistake(
        "with_itself",
        "Some of your rows compare a response with itself: ≥ where > was meant?",
        (_with_itself,),
        _VALUES_1A,
    ),
    Mistake(
        "unrated_as_number",
        "You compare responses that were not rated: a missing rating became a number. NaN says that nobody looked, not "
        "that the response was bad (or good, or average).",
        (_unrated_filled(0.0), _unrated_filled(-1e9), _unrated_filled(1e9), _unrated_filled(3.0)),
        ("unrated", "several"),
    ),
    Mistake(
        "reversed",
        "Winners and losers have changed places: a higher rating is a better one, and the winner stands first.",
        (_reversed,),
        _VALUES_1A,
    ),
    Mistake(
        "both_directions",
        "You return both directions of a comparison: (a, i, j) and (a, j, i). An annotator who rated i above j did not "
        "rate j above i; of every pair the winner stands first.",
        (_both_directions, _differs),
        _VALUES_1A,
    ),
    Mistake(
        "no_annotator",
        "The annotator is missing from your rows: (annotator, winner, loser) is asked for. Nobody's 4 was "
        "compared with "
        "anybody else's 5, and later it will matter who preferred what.",
        (
            lambda ratings: comparisons(ratings)[:, 1:],
            lambda ratings: comparisons(ratings)[:, [2, 1]],
        ),
        _VALUES_1A,
    ),
    Mistake(
        "fixed_gap",
        "Right on a scale from 1 to 5. Where the steps are smaller you miss some: you ask for a gap of a "
        "fixed size, and "
        "one person's whole scale may lie within it.",
        (
            lambda ratings: (ratings[:, :, None] - ratings[:, None, :] >= 1).nonzero(),
            lambda ratings: comparisons(ratings.round()),
            lambda ratings: (ratings[:, :, None] - ratings[:, None, :] > 0.05).nonzero(),
        ),
        ("scale",),
        fails=True,
    ),
    Mistake(
        "columns",
        "The right comparisons, their columns in another order: (annotator, winner, loser) is asked for.",
        (
            _columns_swapped,
            lambda ratings: comparisons(ratings)[:, [2, 0, 1]],
            lambda ratings: comparisons(ratings)[:, [1, 0, 2]],
            lambda ratings: comparisons(ratings)[:, [2, 1, 0]],
        ),
        _VALUES_1A,
    ),
    Mistake(
        "of_means",
        "You compare mean ratings. One annotator's 4 is another's 2: within a person the order means something, across "
        "persons the numbers do not. And who disagreed is lost.",
        (_of_means,),
        ("several",),
    ),
    Mistake(
        "pooled",
        "You compare ratings of different annotators with each other. A strict and a generous one would then seem to "
        "prefer whatever the generous one saw.",
        (_pooled,),
        ("several",),
    ),
    Mistake(
        "best_only",
        "You compare the best response with the others only. An annotator who put A above B above C also said that B "
        "is better than C.",
        (_best_against_rest, _best_against_worst),
        _VALUES_1A,
    ),
    Mistake(
        "neighbours",
        "You compare neighbours in the ranking only. Ratings order every pair of responses that they do not tie.",
        (_neighbours,),
        _VALUES_1A,
    ),
    Mistake(
        "next_column",
        "You compare each response with that of the next column only. Every pair of columns is a pair of responses.",
        (_next_column(False), _next_column(True)),
        _VALUES_1A,
    ),
    Mistake(
        "complete_only",
        "You drop all that an annotator said because of one missing rating (or a response because one annotator did "
        "not see it). Each pair needs two ratings, not the whole row.",
        (_complete_only, _complete_columns_only),
        ("unrated", "several"),
    ),
    Mistake(
        "one_based",
        "Your ids start at 1: annotators and responses are rows and columns of ratings, counted from 0.",
        (_indices_plus_one,),
        _VALUES_1A,
    ),
)

# ---- 1b ------------------------------------------------------------------------------------


def _imitation(logits, ref_logits, wins, beta):
    return -(wins.sum(2) * logits.log_softmax(-1)).sum() / wins.sum()


def _imitation_of_rewards(logits, ref_logits, wins, beta):
    return -(wins.sum(2) * implicit_rewards(logits, ref_logits, beta)).sum() / wins.sum()


def _transposed(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, wins.transpose(1, 2), beta)


def _no_reference(logits, ref_logits, wins, beta):
    return choice_loss(logits, torch.zeros_like(ref_logits), wins, beta)


def _no_beta(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, wins, 1.0)


def _beta_outside(logits, ref_logits, wins, beta):
    return beta * choice_loss(logits, ref_logits, wins, 1.0)


def _beta_on_policy_only(logits, ref_logits, wins, beta):
    return choice_loss(beta * logits, ref_logits, wins, 1.0)


def _prompt_means(logits, ref_logits, wins, beta):
    terms = (wins * -logsigmoid(pair_margins(logits, ref_logits, beta))).sum((1, 2))
    return (terms / wins.sum((1, 2))).mean()


def _mean_over_prompts(logits, ref_logits, wins, beta):
    return _sum(logits, ref_logits, wins, beta) / len(logits)


def _mean_over_cells(logits, ref_logits, wins, beta):
    return (wins * -logsigmoid(pair_margins(logits, ref_logits, beta))).mean()


def _mean_over_off_diagonal(logits, ref_logits, wins, beta):
    K = logits.shape[1]
    return _mean_over_cells(logits, ref_logits, wins, beta) * K / (K - 1)


def _sum(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, wins, beta) * wins.sum()


def _mean_over_filled_cells(logits, ref_logits, wins, beta):
    return _sum(logits, ref_logits, wins, beta) / (wins > 0).sum()


def _mean_over_pairs(logits, ref_logits, wins, beta):
    return _sum(logits, ref_logits, wins, beta) / (wins + wins.transpose(1, 2) > 0).sum() * 2


def _each_cell_once(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, (wins > 0).to(logits.dtype), beta)


def _shares(logits, ref_logits, wins, beta):
    both = wins + wins.transpose(1, 2)
    return choice_loss(logits, ref_logits, wins / both.clamp(min=1e-9), beta)


def _majority(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, (wins > wins.transpose(1, 2)).to(logits.dtype), beta)


def _net(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, (wins - wins.transpose(1, 2)).clamp(min=0), beta)


def _probabilities(logits, ref_logits, wins, beta):
    reward = beta * (logits.softmax(-1) - ref_logits.detach().softmax(-1))
    return (wins * -logsigmoid(reward[:, :, None] - reward[:, None, :])).sum() / wins.sum()


def _log_of_sigmoid(logits, ref_logits, wins, beta):
    return (wins * -pair_margins(logits, ref_logits, beta).sigmoid().log()).sum() / wins.sum()


def _naive(logits, ref_logits, wins, beta):
    return (wins * (1 + (-pair_margins(logits, ref_logits, beta)).exp()).log()).sum() / wins.sum()


def _reference_gradient(logits, ref_logits, wins, beta):
    reward = beta * (logits - ref_logits)
    return (wins * -logsigmoid(reward[:, :, None] - reward[:, None, :])).sum() / wins.sum()


def _net_of_all(logits, ref_logits, wins, beta):
    kept = (wins - wins.transpose(1, 2)).clamp(min=0)
    return _net(logits, ref_logits, wins, beta) * kept.sum() / wins.sum()


def _beta_divides(logits, ref_logits, wins, beta):
    return choice_loss(logits, ref_logits, wins, 1 / beta)


def _one_triangle(half: Callable, over_all: bool) -> Callable:
    def loss(logits, ref_logits, wins, beta):
        terms = half(wins) * -logsigmoid(pair_margins(logits, ref_logits, beta))
        return terms.sum() / (wins if over_all else half(wins)).sum().clamp(min=1)

    return loss


def _over_prompts(logits, ref_logits, wins, beta):
    return choice_loss(logits.log_softmax(0), ref_logits.log_softmax(0), wins, beta)


def _over_prompts_by_softmax(logits, ref_logits, wins, beta):
    reward = beta * (logits.softmax(0).log() - ref_logits.detach().softmax(0).log())
    return (wins * -logsigmoid(reward[:, :, None] - reward[:, None, :])).sum() / wins.sum()


_VALUES_1B = ("one_pair", "several", "prompts")

MISTAKES_1B = (
    Mistake(
        "imitation",
        "Your values are those of imitation: the winners' log-probabilities. The losers do not occur in it, so it "
        "cannot say what the winner was better than.",
        (_imitation, _imitation_of_rewards),
        _VALUES_1B,
    ),
    Mistake(
        "transposed",
        "Winners and losers have changed places: wins[b, i, j] counts how often i was chosen over j, and the loss must "
        "fall when i's implicit reward rises.",
        (_transposed,),
        _VALUES_1B,
    ),
    Mistake(
        "reference_ignored",
        "Your values do not depend on the reference. A response is rewarded for what the policy gives it beyond the "
        "reference, not for being likely.",
        (_no_reference,),
        _VALUES_1B,
    ),
    Mistake(
        "beta",
        "β is missing or not where it belongs: it turns log-ratios, policy and reference alike, into rewards, before "
        "they are compared.",
        (_no_beta, _beta_outside, _beta_on_policy_only, _beta_divides),
        _VALUES_1B,
    ),
    Mistake(
        "prompt_means",
        "You average within each prompt first: a comparison then weighs less the more its prompt has. Every comparison "
        "is to count alike, whichever prompt it belongs to.",
        (_prompt_means,),
        ("prompts",),
    ),
    Mistake(
        "divisor",
        "Right up to a factor: you divide by something else than the number of comparisons (prompts, cells of the "
        "table, or nothing).",
        (
            _sum,
            _mean_over_prompts,
            _mean_over_cells,
            _mean_over_off_diagonal,
            _mean_over_filled_cells,
            _mean_over_pairs,
        ),
        _VALUES_1B,
    ),
    Mistake(
        "counts_ignored",
        "Twenty wins weigh as much as one in your loss. The table holds counts: a pair that was compared often says "
        "more about how much better one response is.",
        (_each_cell_once, _shares),
        ("several", "prompts"),
    ),
    Mistake(
        "majority",
        "You keep only who won more often, or by how much. The upsets belong to the likelihood: 6 of 10 and 10 of 10 "
        "are not the same preference, and without the lost ones every margin would grow without end.",
        (_majority, _net, _net_of_all),
        ("several", "prompts"),
    ),
    Mistake(
        "one_triangle",
        "You read one half of the table only, above or below its diagonal. wins[b, i, j] and wins[b, j, i] are "
        "different choices, and both happened.",
        tuple(
            _one_triangle(half, over_all)
            for half in (torch.triu, torch.tril)
            for over_all in (False, True)
        ),
        ("several", "prompts"),
    ),
    Mistake(
        "over_prompts",
        "Your softmax runs over the prompts, axis 0. π is a distribution over the K responses to one prompt: the last "
        "axis.",
        (_over_prompts, _over_prompts_by_softmax),
        _VALUES_1B,
    ),
    Mistake(
        "probabilities",
        "Your rewards are differences of probabilities. Implicit rewards are differences of their logarithms.",
        (_probabilities,),
        _VALUES_1B,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, but not finite at margins of ±10⁴: exp overflows or underflows before the "
        "logarithm is taken. Log-sigmoid has a stable form (and softplus is its mirror image).",
        (_log_of_sigmoid, _naive),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "reference_gradient",
        "A gradient flows into the reference. It is what the policy is measured against: if it moves too, the loss can "
        "fall by moving the yardstick.",
        (_reference_gradient,),
        ("no_reference_gradient",),
    ),
)

# ---- 1c ------------------------------------------------------------------------------------


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = generator_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


MISTAKES_1C = (
    Mistake(
        "safe_by_a_better_generator",
        "Safe example: the generator's expected reward is",
        (_with("safe", generator=[0.05, 0.05, 0.9]), _with("safe", generator=[0.1, 0.8, 0.1])),
        ("safe",),
    ),
    Mistake(
        "safe_generator_too_narrow",
        "Being chosen helps a response only where",
        (_with("safe", generator=[0.9, 0.05, 0.05]),),
        ("safe",),
    ),
    Mistake(
        "unsafe_generator_too_wide",
        "so it did no such harm",
        (_with("unsafe", **generator_examples()["safe"]),),
        ("unsafe_imitation",),
    ),
    Mistake(
        "unsafe_by_a_better_generator",
        "Unsafe example: the generator's expected reward is",
        (_with("unsafe", generator=[0.05, 0.05, 0.9]),),
        ("unsafe_imitation",),
    ),
    Mistake(
        "nothing_to_choose",
        "leave it nothing to choose",
        (_with("unsafe", policy=[0.005, 0.005, 0.99]),),
        ("unsafe_learning",),
    ),
)

# ---- 1d ------------------------------------------------------------------------------------

UPSIDE_DOWN = "Your score separates the runs, but upside down: larger must mean more likely worse than the reference."


def _won(run, first: bool) -> float:
    """Share of wins in one order on the screen."""
    return float(run["policy_won"][run["policy_first"] == first].mean())


MISTAKES_1D = (
    Mistake(
        "chosen_likelihood",
        "Your score orders the runs as the likelihood of the chosen responses does. Every policy here has learnt to "
        "say them; whether they are worth saying is another question.",
        (hidden_runs.chosen_likelihood, lambda run: -hidden_runs.chosen_likelihood(run)),
        ("separates",),
    ),
    Mistake(
        "chosen_gain",
        "Your score orders the runs as the gain of the chosen responses' log-probability over the reference does. It "
        "says how thoroughly was imitated, not whom.",
        (hidden_runs.chosen_gain, lambda run: -hidden_runs.chosen_gain(run)),
        ("separates",),
    ),
    Mistake(
        "margin",
        "Your score orders the runs as the margin of chosen over rejected responses does. Both come from the "
        "generator: the chosen one may be the better of two bad ones.",
        (hidden_runs.margin, lambda run: -hidden_runs.margin(run)),
        ("separates",),
    ),
    Mistake(
        "raw_win_rate",
        "Your score orders the runs as the plain win rate does. Count the wins of whatever was shown first: this judge "
        "does not only look at the answers.",
        (lambda run: -hidden_runs.win_rate(run), hidden_runs.win_rate),
        ("separates",),
    ),
    Mistake(
        "one_order",
        "Your score looks at one order on the screen only. Its wins hold the judge's sway as well as the policy's; the "
        "other order holds the same sway the other way round.",
        tuple(
            lambda run, first=first, sign=sign: sign * _won(run, first)
            for first in (True, False)
            for sign in (-1, 1)
        ),
        ("separates",),
    ),
    Mistake(
        "sway",
        "Your score measures the judge's sway: how much more is won by what comes first. That is a property of the "
        "judge; what is left of the wins once it is taken away?",
        tuple(
            lambda run, how=how, sign=sign: sign * how(run)
            for how in (
                lambda run: _won(run, True) - _won(run, False),
                lambda run: abs(_won(run, True) - _won(run, False)),
                lambda run: float((run["policy_first"] == run["policy_won"]).mean()),
            )
            for sign in (-1, 1)
        ),
        ("separates",),
    ),
    Mistake(
        "first_share",
        "Your score is how often the policy's answer was shown first. Nobody took care of that: it says nothing about "
        "the answers.",
        (hidden_runs.first_share, lambda run: -hidden_runs.first_share(run)),
        ("separates",),
    ),
    Mistake(
        "one_correction",
        "You take off the same correction in every run. Every judge has a sway of its own, of either sign: take it "
        "from the run's own comparisons.",
        tuple(
            lambda run, size=size: size * hidden_runs.first_share(run) - hidden_runs.win_rate(run)
            for size in (0.1, 0.2, 0.3, 0.5, 1.0, -1.0)
        ),
        ("separates",),
    ),
)

BLIND_1D = [
    {
        "names": ["policy_won"],
        "message": "Who won the fresh comparisons does not enter your score. Log-probabilities were learnt from the "
        "generator's responses and know those alone.",
    },
    {
        "names": ["policy_first"],
        "message": "Which answer was shown first does not enter your score. A judge who likes what comes first gives "
        "wins to whoever was shown first more often.",
    },
]

MISTAKES = {"1a": MISTAKES_1A, "1b": MISTAKES_1B, "1c": MISTAKES_1C, "1d": MISTAKES_1D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "1b": 17  # two prompts: of each two tables of logits and one of wins
}
