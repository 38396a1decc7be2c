"""Exercise 8, Bradley-Terry: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from helpers import bradley_terry
from solutions.ex08_bradley_terry import hidden_runs
from solutions.ex08_bradley_terry.answers import (
    differences,
    extended_table,
    graded_loss,
    placed,
    reachable,
    refuse_cuts,
    refuse_records,
    survey_examples,
    win_counts,
)
from solutions.freeze import Mistake

# ---- 8a ------------------------------------------------------------------------------------


def _from_wins(change: Callable) -> Callable:
    """An answer that differs in what it makes of a table of wins; change: (n, n) → (n, n)."""

    def answer(records, n):
        refuse_records(records, n)
        return change(win_counts(records, n))

    return answer


def _afterwards(change: Callable) -> Callable:
    """An answer that differs in what becomes of the right table; change: (right, wins, reach) → (n, n)."""

    def answer(records, n):
        right, wins = differences(records, n), win_counts(records, n)
        return change(right, wins, reachable(wins))

    return answer


def _direct(right, wins, reach):
    """Only what two items did against each other."""
    beat = wins > 0
    found = torch.where(beat & beat.T, right, torch.nan).masked_fill(beat & ~beat.T, torch.inf)
    return found.masked_fill(~beat & beat.T, -torch.inf).fill_diagonal_(0.0)


def _direct_by_counts(right, wins, reach):
    """The same by counts: who never met is unknown, who was never beaten by another stands above it."""
    met, lost = wins + wins.T > 0, wins.T > 0
    found = torch.where(met & lost & lost.T, right, torch.nan)
    found[met & ~lost], found[met & ~lost.T] = torch.inf, -torch.inf
    return found.fill_diagonal_(0.0)


def _met_only(right, wins, reach):
    """Right for two items that met; of all others nothing."""
    return torch.where(wins + wins.T > 0, right, torch.nan).fill_diagonal_(0.0)


def _infinite_within(steps: int) -> Callable:
    """Right, but ±∞ stands only where so many arrows lead from one item to the other."""

    def change(right, wins, reach):
        arrows = (wins > 0).double()
        near = sum(torch.linalg.matrix_power(arrows, k) for k in range(1, steps + 1)) > 0
        return torch.where(right.isinf() & ~near & ~near.T, torch.nan, right)

    return change


def _inside_groups(strengths_of: Callable) -> Callable:
    """Right but for the numbers inside groups; strengths_of: wins (k, k) → (k,)."""

    def change(right, wins, reach):
        found = right.clone()
        for i in range(len(wins)):
            group = (reach[i] & reach[:, i]).nonzero().flatten()
            if len(group) > 1:
                s = strengths_of(wins[group][:, group])
                found[group[:, None], group] = s[:, None] - s
        return found

    return _afterwards(change)


def _log_odds_of_rate(wins):
    return torch.logit(wins.sum(1) / (wins + wins.T).sum(1))


def _log_ratio_of_wins(wins):
    return (wins.sum(1) / wins.sum(0)).log()


def _rates(wins):
    return wins.sum(1) / (wins + wins.T).sum(1)


def _never_compared_unknown(right, wins, reach):
    met = (wins + wins.T).sum(1) > 0
    return torch.where(torch.eye(len(wins), dtype=torch.bool) & ~met, torch.nan, right)


def _neither_way(value: float, linked_only: bool) -> Callable:
    """Some value where comparisons lead neither way."""

    def change(right, wins, reach):
        linked = reachable(wins + wins.T) if linked_only else torch.ones_like(reach)
        return torch.where(right.isnan() & linked, value, right)

    return _afterwards(change)


def _direct_odds(wins):
    return (wins / wins.T).log().fill_diagonal_(0.0)


def _with_prior(sd: float) -> Callable:
    def found(wins):
        s = bradley_terry.fit(wins, prior_sd=sd).strengths
        return s[:, None] - s

    return _from_wins(found)


def _with_pseudo_wins(size: float, everywhere: bool) -> Callable:
    def found(wins):
        met = torch.ones_like(wins) if everywhere else (wins + wins.T > 0).double()
        wins = wins + size * met.fill_diagonal_(0.0)
        return extended_table(wins, reachable(wins))

    return _from_wins(found)


def _ends_at(size: float) -> Callable:
    """A large number stands for ∞."""
    return lambda right, wins, reach: right.clamp(-size, size)


def _level(right, wins, reach):
    """Who reaches more items stands infinitely higher, wherever comparisons link two items at all."""
    linked, size = reachable(wins + wins.T), reach.sum(1)
    above = torch.where(
        size[:, None] > size, torch.inf, torch.where(size[:, None] < size, -torch.inf, 0.0)
    )
    return torch.where(right.isnan() & linked, above.double(), right)


def _linked_are_equal(right, wins, reach):
    return torch.where(right.isnan() & reachable(wins + wins.T), 0.0, right)


def _nothing_at_all(right, wins, reach):
    return right if reach.all() else torch.full_like(right, torch.nan)


def _nothing_but_the_diagonal(right, wins, reach):
    return right if reach.all() else torch.full_like(right, torch.nan).fill_diagonal_(0.0)


def _unchecked(records, n):
    inside = ((records >= 0) & (records < n)).all(1)
    wins = win_counts(records[inside], n).fill_diagonal_(0.0)
    return extended_table(wins, reachable(wins))


def _wrapped_round(records, n):
    wins = win_counts(records % n, n).fill_diagonal_(0.0)
    return extended_table(wins, reachable(wins))


def _left_to_the_fit(records, n):
    """The fit refuses an item against itself, but it is asked for groups of two or more only."""
    if records.min() < 0 or records.max() >= n:
        raise ValueError("no such item")
    wins = win_counts(records, n)
    return extended_table(wins, reachable(wins))


_VALUES_8A = ("finite", "infinite", "undetermined")

MISTAKES_8A = (
    Mistake(
        "direct",
        "You look at what two items did against *each other*. Comparisons with others speak too: if A and B traded "
        "wins and so did B and C, then A − C is a number although the two never met, and a chain of wins puts its "
        "first item above its last.",
        (_afterwards(_direct), _afterwards(_direct_by_counts), _afterwards(_met_only)),
        ("finite", "infinite"),
    ),
    Mistake(
        "direct_infinite",
        "Your ∞ stands only where two items met, or met the same third one. A chain of wins of any length puts its "
        "first item above its last: ask whether an arrow path leads from one to the other.",
        (_afterwards(_infinite_within(1)), _afterwards(_infinite_within(2))),
        ("infinite", "all"),
    ),
    Mistake(
        "direct_odds",
        "Your numbers are the log-odds of each pair's own comparisons. One strength per item has to account for all of "
        "them together: maximum likelihood on the whole group.",
        (
            _from_wins(_direct_odds),
            _afterwards(
                lambda right, wins, reach: torch.where(
                    (wins > 0) & (wins.T > 0), (wins / wins.T).log(), right
                )
            ),
        ),
        ("finite",),
    ),
    Mistake(
        "prior",
        "You get a finite number for every pair, or for every pair that met: a search that stopped, a prior, or wins "
        "that nobody had, speak there. Asked is what the comparisons say by themselves.",
        (
            _with_prior(1.0),
            _with_prior(10.0),
            _with_prior(100.0),
            _with_pseudo_wins(0.5, True),
            _with_pseudo_wins(1.0, True),
            _with_pseudo_wins(0.5, False),
            _with_pseudo_wins(1.0, False),
            _with_pseudo_wins(0.01, True),
            *(
                _afterwards(_ends_at(size))
                for size in (10.0, 20.0, 50.0, 100.0, 1e3, 1e4, 1e6, 1e9)
            ),
        ),
        ("infinite",),
    ),
    Mistake(
        "turned",
        "All your signs are turned: a row holds (winner, loser), and [i, j] is s_i − s_j, above 0 where i is stronger.",
        (
            _afterwards(lambda right, wins, reach: -right),
            lambda records, n: differences(records.flip(1), n),
        ),
        _VALUES_8A,
    ),
    Mistake(
        "undetermined_zero",
        "You say 0, a tie, where the comparisons say nothing: any number there has the same likelihood. That is NaN.",
        (
            _afterwards(lambda right, wins, reach: right.nan_to_num(0.0, math.inf, -math.inf)),
            _neither_way(0.0, False),
        ),
        ("undetermined",),
    ),
    Mistake(
        "undetermined_infinite",
        "You say ∞ wherever two items do not reach each other. It stands where comparisons lead from the one to the "
        "other; where they lead neither way they say nothing, and that is NaN.",
        (_neither_way(math.inf, False), _neither_way(-math.inf, False)),
        ("undetermined",),
    ),
    Mistake(
        "win_rates",
        "Inside a group you take an item's own wins against its losses. Whom it beat matters too: one strength per "
        "item has to account for all comparisons of the group, by maximum likelihood (`bradley_terry.fit`).",
        tuple(map(_inside_groups, (_log_odds_of_rate, _log_ratio_of_wins, _rates))),
        ("finite",),
    ),
    Mistake(
        "units",
        "Your numbers are in another unit (Elo points, bits), or are ratios of odds. Strengths are in nats: "
        "$s_i-s_j$ is the logarithm of the odds.",
        (
            _afterwards(lambda right, wins, reach: right * 400 / math.log(10)),
            _afterwards(lambda right, wins, reach: right / math.log(2)),
            _afterwards(lambda right, wins, reach: right / math.log(10)),
            _afterwards(lambda right, wins, reach: right.exp()),
        ),
        _VALUES_8A,
    ),
    Mistake(
        "no_sign",
        "Your table does not change its sign with its two items: $s_j-s_i$ is the negative of $s_i-s_j$, −∞ where the "
        "other is +∞.",
        (
            _afterwards(lambda right, wins, reach: right.abs()),
            _afterwards(lambda right, wins, reach: torch.where(right.isinf(), torch.inf, right)),
            _afterwards(lambda right, wins, reach: right.triu()),
            _afterwards(
                lambda right, wins, reach: torch.where(right == -math.inf, torch.nan, right)
            ),
            _afterwards(lambda right, wins, reach: torch.where(right == -math.inf, 0.0, right)),
        ),
        ("infinite", "finite"),
    ),
    Mistake(
        "linked",
        "Comparisons that link two items need not order them: if A beat both B and C, A is above both, and B − C may "
        "be anything. Ask whether an arrow path leads from one to the other, not whether they are connected.",
        (
            _afterwards(_level),
            _afterwards(_linked_are_equal),
            _neither_way(math.inf, True),
            _neither_way(-math.inf, True),
        ),
        ("undetermined",),
    ),
    Mistake(
        "all_or_nothing",
        "One item that never lost, and you give up the whole table. The likelihood has no maximum then, but inside "
        "each group whose members reach each other the differences are finite all the same.",
        (_afterwards(_nothing_at_all), _afterwards(_nothing_but_the_diagonal)),
        ("infinite", "undetermined"),
    ),
    Mistake(
        "infinite_as_nan",
        "You say NaN where a difference grows without end. That is not ignorance: every comparison that bears on it "
        "points one way, and the likelihood rises all the way to +∞ (or −∞, from the other side).",
        (
            _afterwards(lambda right, wins, reach: torch.where(right.isinf(), torch.nan, right)),
            _afterwards(lambda right, wins, reach: right.masked_fill(reach != reach.T, torch.nan)),
        ),
        ("infinite",),
    ),
    Mistake(
        "diagonal",
        "Right but for the diagonal: the difference of an item from itself is 0, compared or not.",
        (
            _afterwards(lambda right, wins, reach: right.clone().fill_diagonal_(torch.nan)),
            _afterwards(_never_compared_unknown),
        ),
        _VALUES_8A,
    ),
    Mistake(
        "duplicates",
        "Each kind of record counts once with you. Three wins against one are other odds than one against one: a "
        "comparison that was made three times counts three times.",
        (
            lambda records, n: differences(records.unique(dim=0), n),
            _from_wins(lambda wins: extended_table((wins > 0).double(), reachable(wins))),
        ),
        ("finite", "infinite"),
    ),
    Mistake(
        "probabilities",
        "Your numbers are probabilities of winning. Asked are differences of strengths, in nats: their log-odds.",
        (
            _afterwards(lambda right, wins, reach: right.sigmoid()),
            _afterwards(lambda right, wins, reach: right.sigmoid().fill_diagonal_(0.0)),
        ),
        _VALUES_8A,
    ),
    Mistake(
        "no_refusal",
        "A record that names an item outside 0 … n − 1, or one item twice, goes through unnoticed (a negative index "
        "counts from the end). Such a file is damaged: raise ValueError.",
        (_unchecked, _wrapped_round, _left_to_the_fit),
        ("refuses",),
        fails=True,
    ),
)

# ---- 8b ------------------------------------------------------------------------------------


def _loss(terms: Callable, over: Callable = torch.mean, read: Callable = placed) -> Callable:
    """A loss with other terms, another mean, or another reading; terms: (gap, low, high) → (C,), to be negated."""

    def loss(strengths, cuts, records):
        refuse_cuts(cuts)
        return -over(terms(*read(strengths, cuts, records)))

    return loss


def _closed(end: float) -> Callable:
    """Finite numbers stand for the ends of the scale."""

    def read(strengths, cuts, records):
        gap, low, high = placed(strengths, cuts, records)
        return gap, low.clamp(min=-end), high.clamp(max=end)

    return read


def _one_grade_up(strengths, cuts, records):
    top = records[:, 3:].clamp(max=cuts.shape[1] - 1) + 1
    return strengths, cuts, torch.cat([records[:, :3], top], dim=1)


def _one_grade_down(strengths, cuts, records):
    return strengths, cuts, torch.cat([records[:, :3], (records[:, 3:] - 1).clamp(min=0)], dim=1)


def _gumbel(gap, low, high):
    def below(x):
        return torch.exp(-torch.exp(-x))

    return (below(high - gap) - below(low - gap)).clamp(min=1e-300).log()


def _at_most(gap, low, high):
    """The chance of this grade or a worse one; of the highest or a better one."""
    return torch.where(high.isinf(), logsigmoid(gap - low), logsigmoid(high - gap))


def _per(number_of: Callable) -> Callable:
    """The sum of all terms over another number; number_of: (strengths, cuts, records) → number."""

    def loss(strengths, cuts, records):
        refuse_cuts(cuts)
        return -_right_terms(*placed(strengths, cuts, records)).sum() / number_of(
            strengths, cuts, records
        )

    return loss


def _only_who_graded(strengths, cuts, records):
    """Right but for the cuts of annotators without a record, at which it does not look."""
    used, place = records[:, 0].unique(return_inverse=True)
    return graded_loss(strengths, cuts[used], torch.cat([place[:, None], records[:, 1:]], dim=1))


def _right_terms(gap, low, high):
    return logsigmoid(gap - low) + logsigmoid(high - gap) + (-torch.expm1(low - high)).log()


def _chance(gap, low, high):
    return torch.sigmoid(gap - low) - torch.sigmoid(gap - high)


def _chance_from_below(gap, low, high):
    """The same number; at large gaps another of the two differences is rounded to 0."""
    return torch.sigmoid(high - gap) - torch.sigmoid(low - gap)


def _log_above(floor: float) -> tuple[Callable, Callable]:
    return tuple(
        _loss(lambda gap, low, high, of=of: of(gap, low, high).clamp(min=floor).log())
        for of in (_chance, _chance_from_below)
    )


def _log_plus(epsilon: float) -> tuple[Callable, Callable]:
    return tuple(
        _loss(lambda gap, low, high, of=of: (of(gap, low, high) + epsilon).log())
        for of in (_chance, _chance_from_below)
    )


def _without_the_gap(gap, low, high):
    return logsigmoid(gap - low) + logsigmoid(high - gap)


def _at_least(gap, low, high):
    """The chance of this grade or a better one; of the lowest or a worse one."""
    return torch.where(low.isinf(), logsigmoid(high - gap), logsigmoid(gap - low))


def _each_cut(reduce: Callable) -> Callable:
    """One yes or no question for every cut: is the grade above it?"""

    def loss(strengths, cuts, records):
        refuse_cuts(cuts)
        annotator, first, second, grade = records.T
        ahead = (strengths[first] - strengths[second])[:, None] - cuts[annotator]
        above = grade[:, None] > torch.arange(cuts.shape[1])
        return -reduce(logsigmoid(torch.where(above, ahead, -ahead)))

    return loss


def _normal(gap, low, high):
    def below(x):
        return 0.5 * (1 + torch.erf(x / math.sqrt(2)))

    return (below(high - gap) - below(low - gap)).clamp(min=1e-300).log()


def _reading(change: Callable) -> Callable:
    """The right loss of changed arguments; change: (strengths, cuts, records) → the same."""

    def loss(strengths, cuts, records):
        refuse_cuts(cuts)
        return graded_loss(*change(strengths, cuts, records))

    return loss


def _reversed_grades(strengths, cuts, records):
    flipped = torch.cat([records[:, :3], cuts.shape[1] - records[:, 3:]], dim=1)
    return strengths, cuts, flipped


def _cuts_turned(strengths, cuts, records):
    return strengths, -cuts.flip(1), records


def _one_scale(strengths, cuts, records):
    return (
        strengths,
        cuts.mean(0, keepdim=True),
        torch.cat([records[:, :1] * 0, records[:, 1:]], dim=1),
    )


def _first_scale(strengths, cuts, records):
    return strengths, cuts[:1], torch.cat([records[:, :1] * 0, records[:, 1:]], dim=1)


def _scale_of(choose: Callable) -> Callable:
    """Everybody with one scale; choose: (cuts, records) → (G − 1,)."""

    def change(strengths, cuts, records):
        of_nobody = torch.cat([records[:, :1] * 0, records[:, 1:]], dim=1)
        return strengths, choose(cuts, records)[None], of_nobody

    return change


def _scales_by_place(strengths, cuts, records):
    """The record's place taken for its annotator."""
    who = torch.arange(len(records))[:, None] % len(cuts)
    return strengths, cuts, torch.cat([who, records[:, 1:]], dim=1)


def _mean_of_annotators(strengths, cuts, records):
    refuse_cuts(cuts)
    terms = _right_terms(*placed(strengths, cuts, records))
    return -torch.stack([terms[records[:, 0] == a].mean() for a in records[:, 0].unique()]).mean()


def _mean_over_all_annotators(strengths, cuts, records):
    """Those without a record count 0."""
    refuse_cuts(cuts)
    terms = _right_terms(*placed(strengths, cuts, records))
    means = (terms[records[:, 0] == a] for a in range(len(cuts)))
    return -torch.stack([m.mean() if len(m) else m.sum() for m in means]).mean()


_VALUES_8B = ("two", "scale", "own")

MISTAKES_8B = (
    Mistake(
        "overflow",
        "Right at moderate gaps, infinite or NaN at extreme ones: σ(a) and σ(b) both round to 0 or to 1, and the "
        "logarithm of their difference is that of 0. Write the difference as a product first: over the common "
        "denominator (1 + e^−a)(1 + e^−b) it has three factors, and each of their logarithms is stable.",
        (
            _loss(lambda gap, low, high: _chance(gap, low, high).log()),
            _loss(lambda gap, low, high: (1 / _chance(gap, low, high)).log().neg()),
        ),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "floored",
        "Right at moderate gaps; at extreme ones a floor under the probability (clamp, or + ε) caps the loss and takes "
        "its gradient away, just where a strength is most wrong. No floor is needed: the logarithm has a stable form.",
        (
            *chain.from_iterable(
                map(
                    _log_above,
                    (
                        1e-6,
                        1e-7,
                        1e-8,
                        1e-9,
                        1e-10,
                        1e-12,
                        1e-15,
                        1e-16,
                        1e-20,
                        1e-30,
                        1e-38,
                        1e-300,
                    ),
                )
            ),
            *chain.from_iterable(
                map(_log_plus, (1e-6, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-300))
            ),
        ),
        ("extreme",),
    ),
    Mistake(
        "unnormalised",
        "Your factors are σ(gap − lower cut) and σ(upper cut − gap). Their product is not yet the probability of what "
        "lies between: over all grades it does not sum to 1. What is σ(a) − σ(b), as a product?",
        (
            _loss(_without_the_gap),
            _loss(lambda gap, low, high: ((gap - low).sigmoid() * (high - gap).sigmoid()).log()),
        ),
        ("scale", "own"),
    ),
    Mistake(
        "at_least",
        "Your term is the probability of this grade *or a better one* (or of a worse one). A person who says "
        "‘slightly’ has also said ‘not clearly’: u lies above one cut and below the next.",
        (
            _loss(_at_least),
            _loss(_at_most),
            _loss(lambda gap, low, high: logsigmoid(high - gap).masked_fill(high.isinf(), 0.0)),
            _loss(lambda gap, low, high: logsigmoid(gap - low).masked_fill(low.isinf(), 0.0)),
        ),
        ("scale", "own"),
    ),
    Mistake(
        "each_cut",
        "You ask for every cut by itself whether the grade is above it, and add up. These answers are not independent "
        "(above the third cut means above the second), so the product counts one answer several times.",
        (_each_cut(lambda terms: terms.sum(1).mean()), _each_cut(torch.mean)),
        ("scale", "own"),
    ),
    Mistake(
        "normal",
        "Your noise is normal, or a single Gumbel disturbance. The difference of two of these is logistic (2.3): σ.",
        (_loss(_normal), _loss(_gumbel)),
        _VALUES_8B,
    ),
    Mistake(
        "upside_down",
        "Your grades run the other way: 0 is the best that can be said of the *second* reply.",
        (_reading(_reversed_grades), _reading(lambda s, c, r: (-s, c, r))),
        _VALUES_8B,
    ),
    Mistake(
        "cuts_turned",
        "Right where the cuts lie evenly around 0, wrong where they do not: a sign of the cuts is turned. A cut of +1 "
        "asks *more* of the first reply before it is called better.",
        (
            _reading(_cuts_turned),
            _loss(_right_terms, read=lambda s, c, r: placed(s, -c.flip(1), r)),
        ),
        _VALUES_8B,
    ),
    Mistake(
        "one_scale",
        "You use one scale for everybody (a mean of the cuts, or those of one annotator), or somebody else's. One "
        "person's ‘clearly’ is another's ‘slightly’: each record is read with the cuts of whoever wrote it.",
        (
            _reading(_one_scale),
            _reading(_first_scale),
            _reading(_scale_of(lambda cuts, records: cuts[-1])),
            _reading(_scale_of(lambda cuts, records: cuts.median(0).values)),
            _reading(_scale_of(lambda cuts, records: cuts[records[:, 0]].mean(0))),
            _reading(_scales_by_place),
        ),
        ("own",),
    ),
    Mistake(
        "mean_of_means",
        "Yours is a mean over annotators. Each *comparison* is to count alike, so whoever answered more weighs more.",
        (
            _mean_of_annotators,
            _mean_over_all_annotators,
            lambda s, c, r: _mean_of_annotators(s, c, r[r[:, 0].argsort(stable=True)]),
        ),
        ("own",),
    ),
    Mistake(
        "sum",
        "Your value is the sum over comparisons; the mean is asked for, so that the step size need not follow the size "
        "of the data.",
        (_loss(_right_terms, torch.sum), _per(lambda *given: 1)),
        _VALUES_8B,
    ),
    Mistake(
        "other_divisor",
        "You divide the sum by another number than that of the comparisons (by replies, by annotators, by grades).",
        (
            _per(lambda s, c, r: len(s)),
            _per(lambda s, c, r: len(c)),
            _per(lambda s, c, r: len(r[:, 0].unique())),
            _per(lambda s, c, r: c.shape[1] + 1),
            _per(lambda s, c, r: len(r) - 1 if len(r) > 1 else 2),
        ),
        _VALUES_8B,
    ),
    Mistake(
        "sign",
        "Your value has the wrong sign: the *negative* log-likelihood is asked for, 0 or more, to be made small.",
        (
            lambda s, c, r: -graded_loss(s, c, r),
            lambda s, c, r: _right_terms(*placed(*(refuse_cuts(c) or (s, c, r)))).mean(),
        ),
        _VALUES_8B,
    ),
    Mistake(
        "bits",
        "Your logarithms are to the base 2. Asked is the log-likelihood in nats.",
        (
            lambda s, c, r: graded_loss(s, c, r) / math.log(2),
            lambda s, c, r: graded_loss(s, c, r) * 1.4426950408889634,
        ),
        _VALUES_8B,
    ),
    Mistake(
        "one_grade_off",
        "Your grades are off by one: grade 0 lies below the lowest cut, grade g between cuts g and g + 1, counted "
        "from 1.",
        (_reading(_one_grade_up), _reading(_one_grade_down)),
        _VALUES_8B,
    ),
    Mistake(
        "closed_scale",
        "You close the scale at a finite number. Below the lowest cut and above the highest there is no end, and at a "
        "large gap yours is passed.",
        tuple(
            _loss(_right_terms, read=_closed(end)) for end in (10.0, 20.0, 30.0, 50.0, 100.0, 1e3)
        ),
        ("two", "scale", "own", "extreme"),
    ),
    Mistake(
        "likelihood",
        "Your value has the logarithm in the wrong place (or none): the probabilities of independent answers multiply, "
        "so their logarithms add.",
        (
            _loss(_chance),
            lambda s, c, r: -_chance(*placed(s, c, r)).mean().log(),
            lambda s, c, r: 1 - _chance(*placed(s, c, r)).mean(),
        ),
        _VALUES_8B,
    ),
    Mistake(
        "strengths_constant",
        "The value is right, but no gradient reaches the strengths, or not all of it: no `detach()`, no `.item()`, no "
        "`torch.tensor(...)` on the way.",
        (
            lambda s, c, r: graded_loss(s.detach(), c, r),
            lambda s, c, r: graded_loss(s.detach() + 0.5 * (s - s.detach()), c, r),
        ),
        ("gradient_strengths",),
        fails=True,
    ),
    Mistake(
        "cuts_constant",
        "The value is right, but no gradient reaches the cuts, or not the right one. How people turn a feeling into "
        "words is fitted together with the strengths.",
        (
            lambda s, c, r: graded_loss(s, c.detach(), r),
            lambda s, c, r: graded_loss(s, torch.tensor(c.tolist(), dtype=c.dtype), r),
        ),
        ("gradient_cuts",),
        fails=True,
    ),
    Mistake(
        "no_refusal",
        "Cuts that do not increase go through unnoticed, as NaN, as infinity, or as a number that looks like any "
        "other. Between them no grade has a probability: raise ValueError.",
        (
            lambda s, c, r: -_right_terms(*placed(s, c, r)).mean(),
            lambda s, c, r: graded_loss(s, c.sort(1).values, r),
            _only_who_graded,
        ),
        ("refuses",),
        fails=True,
    ),
)

# ---- 8c ------------------------------------------------------------------------------------


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = survey_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


_CIRCLE = {  # A over B over C over A, and B and C change places
    "strengths": [[5, 0, -5, 2], [0, 0.7, 1.2, 5]],
    "share": 0.3,
    "asked": [[0, 1, 1, 1], [1, 0, 1, 200], [1, 1, 0, 1], [1, 200, 1, 0]],
}

_TIED = {  # the unsafe survey with a fourth item that is as good as the third
    "strengths": [[4, 0, -3, -3], [-4, 3, 0, 0]],
    "asked": [[0, 100, 1, 1], [100, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]],
}

MISTAKES_8C = (
    Mistake(
        "no_disagreement",
        "agree about every pair",
        (
            _with("safe", strengths=[[2, 1, 0], [2, 1, 0]]),
            _with("safe", strengths=[[2, 1, 0], [2, 0.4, 0.6]]),
        ),
        ("safe",),
    ),
    Mistake(
        "safe_flips",
        "the fit does not follow the majorities",
        (
            _with("safe", **survey_examples()["unsafe"]),
            _with("safe", **{**survey_examples()["unsafe"], "share": 0.55}),
        ),
        ("safe",),
    ),
    Mistake(
        "no_flip",
        "in the same order whoever is asked about",
        (
            _with("unsafe", **survey_examples()["safe"]),
            _with("unsafe", asked=[[0, 1, 100], [1, 0, 1], [100, 1, 0]]),
            _with("unsafe", strengths=[[2, 1, 0], [2, 1, 0]]),
        ),
        ("unsafe_flips",),
    ),
    Mistake("circle", "go round in a circle", (_with("unsafe", **_CIRCLE),), ("unsafe_clear",)),
    Mistake("tied", "are nearly tied", (_with("unsafe", **_TIED),), ("unsafe_clear",)),
)

# ---- 8d ------------------------------------------------------------------------------------

UPSIDE_DOWN = (
    "Your score separates the surveys, but upside down: larger must mean more likely too narrow."
)


def _rates_of_people(run) -> np.ndarray:
    answered, won = hidden_runs.by_annotator(run)
    return won / answered


def _people_alike(run) -> float:
    """Variance of a mean of people's rates, against the interval."""
    rates, rate = _rates_of_people(run), run["won"].mean()
    assumed = ((run["high"] - run["low"]) * rate * (1 - rate)) ** 2
    return float(rates.var() / len(rates) / assumed)


def _rates_against_width(run) -> float:
    return float(_rates_of_people(run).std() / (run["high"] - run["low"]))


MISTAKES_8D = (
    Mistake(
        "size",
        "Your score is the number of comparisons or of annotators. Twins have the same, and how much a comparison is "
        "worth depends on whose other answers it resembles.",
        (hidden_runs.few_answers, lambda run: -float(len(np.unique(run["annotator"])))),
        ("separates",),
    ),
    Mistake(
        "width",
        "Your score is the width of the interval. A narrow one may be right and a wide one too narrow: compare it with "
        "the width that these answers warrant.",
        (hidden_runs.narrow,),
        ("separates",),
    ),
    Mistake(
        "independent",
        "You compare the interval with one for independent answers. That tells what the survey *assumed*; whether it "
        "was right to, only the annotators' answers tell.",
        (hidden_runs.against_independent,),
        ("separates",),
    ),
    Mistake(
        "win_rate",
        "Your score is how clear the result is. A clear result may come with an honest interval or not.",
        (hidden_runs.one_sided,),
        ("separates",),
    ),
    Mistake(
        "spread",
        "You measure how much annotators' own win rates differ. Rates of people with few answers differ by chance "
        "alone, and each counts alike here; and how much they may differ depends on the interval that was reported.",
        (hidden_runs.spread_of_rates, hidden_runs.dissenters),
        ("separates",),
    ),
    Mistake(
        "people_alike",
        "You compare the spread of annotators' own rates with the interval, and every rate counts alike. Those of "
        "people with few answers differ by chance, and it is the people with many who move the total.",
        (
            _people_alike,
            _rates_against_width,
            lambda run: float(np.ptp(_rates_of_people(run)) / (run["high"] - run["low"])),
        ),
        ("separates",),
    ),
    Mistake(
        "whoever",
        "Your score stays the same if the answers change hands: it does not know who answered what. Twins have the "
        "same numbers otherwise.",
        (lambda run: float(run["high"] + run["low"]), lambda run: -float(run["high"] + run["low"])),
        ("separates",),
    ),
    Mistake(
        "interval_ignored",
        "You measure how much two answers of one annotator have in common, and stop there. Some surveys knew and "
        "widened their interval: compare with what was reported.",
        (hidden_runs.design_effect, hidden_runs.clustered_variance),
        ("separates",),
    ),
)

MISTAKES = {"8a": MISTAKES_8A, "8b": MISTAKES_8B, "8c": MISTAKES_8C, "8d": MISTAKES_8D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "8b": 18
}
