"""Exercise 2, reward models as proxies: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from helpers.grader.exercises.ex02_proxies.examples import proxy_world
from solutions.ex02_proxies import hidden_runs
from solutions.ex02_proxies.answers import (
    best_of_n_gold,
    mean_by_slice,
    pair_credit,
    proxy_examples,
    slice_accuracies,
    tied_groups,
)
from solutions.freeze import Mistake

# ---- 2a ------------------------------------------------------------------------------------


def _checked(credit_of: Callable) -> Callable:
    """An answer that differs in the credit of a pair only."""

    def accuracies(chosen, rejected, slices, n_slices):
        slice_accuracies(chosen, rejected, slices, n_slices)
        return mean_by_slice(credit_of(chosen, rejected), slices, n_slices)

    return accuracies


def _after(change: Callable) -> Callable:
    """An answer that differs in what becomes of the right accuracies: change(right, credit, slices)."""

    def accuracies(chosen, rejected, slices, n_slices):
        return change(
            slice_accuracies(chosen, rejected, slices, n_slices),
            pair_credit(chosen, rejected),
            slices,
        )

    return accuracies


def _without_nan_check(chosen, rejected, slices, n_slices):
    return mean_by_slice(pair_credit(chosen, rejected), slices, n_slices)


def _nan_left_out(chosen, rejected, slices, n_slices):
    known = ~(torch.isnan(chosen) | torch.isnan(rejected))
    return mean_by_slice(pair_credit(chosen, rejected)[known], slices[known], n_slices)


def _nan_handed_on(chosen, rejected, slices, n_slices):
    credit = torch.where(
        torch.isnan(chosen - rejected) & ~torch.isinf(chosen),
        torch.nan,
        pair_credit(chosen, rejected),
    )
    found = mean_by_slice(credit, slices, n_slices)
    return torch.cat([found[:-1], found[:-1].mean()[None]])


def _empty_as(value: float) -> Callable:
    def accuracies(chosen, rejected, slices, n_slices):
        if torch.isnan(chosen).any() or torch.isnan(rejected).any():
            raise ValueError("NaN")
        return mean_by_slice(pair_credit(chosen, rejected), slices, n_slices, empty=value)

    return accuracies


def _empty_handed_on(chosen, rejected, slices, n_slices):
    found = _empty_as(float("nan"))(chosen, rejected, slices, n_slices)
    return torch.cat([found[:-1], found[:-1].mean()[None]])


def _sign_of_gap(chosen, rejected, slices, n_slices):
    """NaN where both scores are infinite, handed on to the slice's mean and to the last entry."""
    slice_accuracies(chosen, rejected, slices, n_slices)
    gap = chosen - rejected
    credit = torch.where(gap.isnan(), torch.nan, (gap.sign() + 1) / 2)
    found = torch.stack([credit[slices == s].mean() for s in range(n_slices)])
    return torch.cat([found, found.mean()[None]])


def _gap_sign(chosen, rejected):
    gap = chosen - rejected
    return (gap > 0).double() + 0.5 * (gap == 0).double()


_VALUES_2A = ("one", "ties", "slices")

MISTAKES_2A = (
    Mistake(
        "ties_lost",
        "You count a tie as a mistake. A proxy that cannot tell two responses apart is as good as a coin: one half.",
        (_checked(lambda c, r: pair_credit(c, r, 0.0)),),
        ("ties", "slices"),
    ),
    Mistake(
        "ties_won",
        "You count a tie as a success: a proxy that scores everything alike would be perfect. A coin is right half of "
        "the time.",
        (_checked(lambda c, r: pair_credit(c, r, 1.0)),),
        ("ties", "slices"),
    ),
    Mistake(
        "ties_dropped",
        "You leave ties out. A proxy that is sure of one pair in a hundred would then be judged by that one; a tie is "
        "half a success.",
        (
            _checked(lambda c, r: torch.where(c == r, torch.nan, pair_credit(c, r))),
            lambda c, r, s, n: _nan_mean_by_slice(
                torch.where(c == r, torch.nan, pair_credit(c, r)), s, n
            ),
        ),
        ("ties",),
    ),
    Mistake(
        "near_ties",
        "You take scores that are close for equal (`isclose`, rounding, a small tolerance). However small the gap, the "
        "proxy would choose by it: a tie is two scores that are equal exactly.",
        (
            _checked(lambda c, r: torch.where(torch.isclose(c, r), 0.5, pair_credit(c, r))),
            _checked(lambda c, r: pair_credit((1e4 * c).round(), (1e4 * r).round())),
        ),
        ("ties",),
    ),
    Mistake(
        "reversed",
        "You count pairs whose rejected response scores higher. The proxy is right where chosen is above rejected.",
        (_checked(lambda c, r: pair_credit(r, c)),),
        _VALUES_2A,
    ),
    Mistake(
        "micro",
        "Your last entry is the mean over pairs. A slice with nine tenths of the pairs then decides alone, and the "
        "small one may be the one that matters: the mean over slices is asked for.",
        (_after(lambda right, credit, slices: torch.cat([right[:-1], credit.mean()[None]])),),
        ("slices",),
    ),
    Mistake(
        "mean_missing",
        "The mean over slices is missing: n_slices + 1 numbers are asked for, the mean last.",
        (_after(lambda right, credit, slices: right[:-1]),),
        _VALUES_2A,
    ),
    Mistake(
        "mean_first",
        "The right numbers in another order: first the slices, last their mean.",
        (_after(lambda right, credit, slices: torch.cat([right[-1:], right[:-1]])),),
        ("slices",),
    ),
    Mistake(
        "percent",
        "Your numbers are percentages; shares from 0 to 1 are asked for.",
        (_after(lambda right, credit, slices: 100 * right),),
        _VALUES_2A,
    ),
    Mistake(
        "counts",
        "Your numbers grow with the number of pairs: divide by how many the slice has.",
        (
            lambda c, r, s, n: _sums(pair_credit(c, r), s, n),
            _checked(lambda c, r: pair_credit(c, r) * len(c)),
        ),
        ("one", "ties", "slices"),
    ),
    Mistake(
        "slices_from_1",
        "You look for slices 1 to n_slices; they are counted from 0.",
        tuple(
            lambda c, r, s, n, empty=empty: mean_by_slice(pair_credit(c, r), s - 1, n, empty=empty)
            for empty in (0.0, float("nan"))
        ),
        ("ties", "slices"),
    ),
    Mistake(
        "gap_of_infinities",
        "Right for finite scores. Two scores of −∞ are equal, but their difference is NaN: compare the scores, not "
        "their difference with 0.",
        (_checked(_gap_sign), _sign_of_gap),
        ("infinite",),
    ),
    Mistake(
        "nan_silent",
        "A NaN goes through unnoticed (as a mistake, as if the pair were not there, or into the result). NaN means "
        "that the proxy failed; a table that looks complete would hide it. Raise ValueError.",
        (_without_nan_check, _nan_left_out, _nan_handed_on),
        ("nan",),
    ),
    Mistake(
        "empty_silent",
        "A slice without pairs gets a number, or is left out of the mean: a missing slice would change the average, or "
        "look like a result. Raise ValueError.",
        (_empty_as(0.0), _empty_as(0.5), _empty_as(1.0), _empty_as(float("nan")), _empty_handed_on),
        ("empty",),
    ),
)


def _nan_mean_by_slice(credit, slices, n_slices):
    if torch.bincount(slices, minlength=n_slices).min() == 0:
        raise ValueError("empty")
    found = torch.stack([credit[slices == s].nanmean() for s in range(n_slices)])
    return torch.cat([found, found.nanmean()[None]])


def _sums(credit, slices, n_slices):
    found = torch.stack([credit[slices == s].sum() for s in range(n_slices)])
    return torch.cat([found, found.mean()[None]])


# ---- 2b ------------------------------------------------------------------------------------


def _weighted(weights_of: Callable, normalised: bool = False) -> Callable:
    def expected(ref, proxy, gold, n):
        weights = weights_of(ref, proxy, n)
        return ((weights / weights.sum() if normalised else weights) * gold).sum()

    return expected


def _in_order(ref, proxy, n):
    """By a sort and a running sum: of equal scores, whoever is later in the table counts as better."""
    order = proxy.argsort(stable=True)
    upto = ref[order].cumsum(0)
    weights = torch.zeros_like(ref)
    weights[order] = upto**n - (upto - ref[order]) ** n
    return weights


def _in_reverse_order(ref, proxy, n):
    return _in_order(ref.flip(0), proxy.flip(0), n).flip(0)


def _whole_group_to(place: int) -> Callable:
    def weights(ref, proxy, n):
        below, mass = tied_groups(ref, proxy)
        found = torch.zeros_like(ref)
        for i in range(len(ref)):
            if i == (proxy == proxy[i]).nonzero()[place]:
                found[i] = (below[i] + mass[i]) ** n - below[i] ** n
        return found

    return weights


def _equal_shares(ref, proxy, n):
    below, mass = tied_groups(ref, proxy)
    return ((below + mass) ** n - below**n) / (proxy == proxy[:, None]).sum(1)


def _each_on_top(ref, proxy, n):
    below, mass = tied_groups(ref, proxy)
    return (below + mass) ** n - (below + mass - ref) ** n


def _each_at_the_bottom(ref, proxy, n):
    below, _ = tied_groups(ref, proxy)
    return (below + ref) ** n - below**n


def _density(power: int, strict: bool) -> Callable:
    def weights(ref, proxy, n):
        below, mass = tied_groups(ref, proxy)
        return n * ref * (below + (0 if strict else mass)) ** (n + power)

    return weights


def _tops(ref, proxy, n):
    best = (proxy == proxy.max()).to(ref.dtype)
    return ref * best


def _at_most(ref, proxy, n):
    """Of the whole group, nothing subtracted, shared by the reference."""
    below, mass = tied_groups(ref, proxy)
    return (below + mass) ** n * ref / mass.clamp(min=1e-12)


def _at_most_unshared(ref, proxy, n):
    below, mass = tied_groups(ref, proxy)
    return (below + mass) ** n


def _group_to_everyone(ref, proxy, n):
    below, mass = tied_groups(ref, proxy)
    return (below + mass) ** n - below**n


def _among_the_draws(ref, proxy, n):
    return 1 - (1 - ref) ** n


def _divides_by_mass(ref, proxy, gold, n):
    below, mass = tied_groups(ref, proxy)
    return (((below + mass) ** n - below**n) * ref / mass * gold).sum()


def _one_takes_all(best: bool) -> Callable:
    """Of a group of equal scores the one with the most gold, or the least, gets the whole weight."""

    def expected(ref, proxy, gold, n):
        value = gold if best else -gold
        found = 0.0
        for score in proxy.unique():
            group = (proxy == score) & (ref > 0)
            below, mass = ref[proxy < score].sum(), ref[group].sum()
            if mass > 0:
                found = found + ((below + mass) ** n - below**n) * value[group].max()
        return found if best else -found

    return expected


_VALUES_2B = ("distinct", "ties")

MISTAKES_2B = (
    Mistake(
        "density",
        "Your weights are those of a continuous score: n · p · Fⁿ⁻¹ (or Fⁿ, normalised). With few responses the same "
        "one may be drawn several times, and then the derivative of Fⁿ is not its step.",
        (
            _weighted(_density(-1, False)),
            _weighted(_density(-1, False), True),
            _weighted(_density(-1, True)),
            _weighted(_density(-1, True), True),
            _weighted(_density(0, False), True),
        ),
        _VALUES_2B,
    ),
    Mistake(
        "ties_by_place",
        "Right where scores differ. Among equal scores yours prefers one place in the table (a sort or an argmax "
        "does). The first of equally scored *draws* is kept: how likely is each of them to come first?",
        (
            _weighted(_in_order),
            _weighted(_in_reverse_order),
            _weighted(_whole_group_to(0)),
            _weighted(_whole_group_to(-1)),
        ),
        ("ties",),
    ),
    Mistake(
        "ties_equally",
        "Right where scores differ. Among equal scores yours gives everyone the same share; but a response that the "
        "reference says more often is more often the first of them.",
        (_weighted(_equal_shares),),
        ("ties",),
    ),
    Mistake(
        "ties_by_gold",
        "Right where scores differ. Among equal scores yours picks by gold: the response with the most, or the least. "
        "Nobody sees gold when the draw is made; the first draw is kept.",
        (_one_takes_all(True), _one_takes_all(False)),
        ("ties",),
    ),
    Mistake(
        "ties_apart",
        "Right where scores differ. With ties your weights do not sum to 1: tied responses are one event together, "
        "(b + m)ⁿ − bⁿ with their mass m above the mass b of lower scores, which they then share.",
        (
            _weighted(_each_on_top),
            _weighted(_each_at_the_bottom),
            _weighted(_each_on_top, True),
            _weighted(_each_at_the_bottom, True),
            _weighted(_group_to_everyone),
            _weighted(_group_to_everyone, True),
        ),
        ("ties",),
    ),
    Mistake(
        "near_ties",
        "You take scores that are close for equal (`isclose`, rounding, a small tolerance). However small the gap, "
        "selection goes by it: a tie is two scores that are equal exactly.",
        (
            lambda ref, proxy, gold, n: best_of_n_gold(ref, (1e4 * proxy).round(), gold, n),
            lambda ref, proxy, gold, n: best_of_n_gold(ref, proxy.half(), gold, n),
        ),
        ("distinct",),
    ),
    Mistake(
        "no_difference",
        "Your weights are Fⁿ: the probability that the best of n scores *at most* so much. That it scores exactly so "
        "much is a difference of two of them.",
        (
            _weighted(_at_most),
            _weighted(_at_most, True),
            _weighted(_at_most_unshared),
            _weighted(_at_most_unshared, True),
        ),
        _VALUES_2B,
    ),
    Mistake(
        "among_the_draws",
        "Your weights are the probability of being among the n draws. The one that is kept is the best-scored of them, "
        "and many are drawn that are not.",
        (_weighted(_among_the_draws), _weighted(_among_the_draws, True)),
        _VALUES_2B,
    ),
    Mistake(
        "other_n",
        "Your values are those of one draw more, or fewer, than n.",
        (
            lambda ref, proxy, gold, n: best_of_n_gold(ref, proxy, gold, n + 1),
            lambda ref, proxy, gold, n: best_of_n_gold(ref, proxy, gold, n - 1),
            lambda ref, proxy, gold, n: best_of_n_gold(ref, proxy, gold, max(n - 1, 1)),
        ),
        _VALUES_2B,
    ),
    Mistake(
        "reference_ignored",
        "You draw every response equally often. How often each is drawn is what `ref` says.",
        (
            lambda ref, proxy, gold, n: best_of_n_gold(
                torch.ones_like(ref) / len(ref), proxy, gold, n
            ),
            lambda ref, proxy, gold, n: best_of_n_gold(
                (ref > 0).to(ref.dtype) / (ref > 0).sum(), proxy, gold, n
            ),
        ),
        _VALUES_2B,
    ),
    Mistake(
        "massless",
        "Right where the reference says every score. Where a group of equal scores has mass 0 you divide by it: leave "
        "such a group out.",
        (_divides_by_mass,),
        ("never_said",),
        overflows=True,
    ),
    Mistake(
        "n_ignored",
        "Your values are the reference's mean: nothing was selected.",
        (_weighted(lambda ref, proxy, n: ref),),
        _VALUES_2B,
    ),
    Mistake(
        "limit",
        "Your values are the gold of the best-scored response, whatever n: n draws may not contain it.",
        (_weighted(_tops, True), lambda ref, proxy, gold, n: gold[proxy.argmax()] + 0),
        _VALUES_2B,
    ),
    Mistake(
        "worst",
        "Your selection keeps the response that the proxy likes least.",
        (lambda ref, proxy, gold, n: best_of_n_gold(ref, -proxy, gold, n),),
        _VALUES_2B,
    ),
    Mistake(
        "proxy_value",
        "Your values are the expected *proxy* score of what is selected. That is what the optimiser sees rise; the "
        "question is what it is worth.",
        (lambda ref, proxy, gold, n: best_of_n_gold(ref, proxy, proxy, n),),
        _VALUES_2B,
    ),
    Mistake(
        "gold_selects",
        "Your selection looks at gold. The proxy selects, and gold is what comes of it.",
        (lambda ref, proxy, gold, n: best_of_n_gold(ref, gold, gold, n),),
        _VALUES_2B,
    ),
)

# ---- 2c ------------------------------------------------------------------------------------


def _with(**changes) -> Callable:
    def changed() -> dict:
        return {
            **proxy_examples(),
            **{side: change(*proxy_world()) for side, change in changes.items()},
        }

    return changed


def _inverted(ref, gold):
    return -gold


def _gold_itself(ref, gold):
    return gold


def _noise(ref, gold):
    return np.random.default_rng(0).normal(size=len(gold))


def _worst_on_top(ref, gold):
    return np.where(gold == gold.min(), gold.max() + 1, gold)


MISTAKES_2C = (
    Mistake(
        "accurate_is_harmless",
        "so nobody is harmed",
        (_with(unsafe=_gold_itself), _with(unsafe=lambda ref, gold: proxy_examples()["safe"])),
        ("unsafe",),
    ),
    Mistake(
        "mistakes_at_the_top", "sit where selection looks", (_with(safe=_worst_on_top),), ("safe",)
    ),
    Mistake("unequal", "would have been warned", (_with(safe=_gold_itself),), ("equal",)),
    Mistake(
        "useless",
        "nobody would deploy",
        (_with(unsafe=_noise), _with(safe=_noise)),
        ("safe", "unsafe"),
    ),
    Mistake(
        "sorted",
        "your scores stand in order of size",
        (
            _with(safe=lambda ref, gold: np.sort(gold)),
            _with(unsafe=lambda ref, gold: np.sort(gold)[::-1]),
            _with(safe=lambda ref, gold: np.arange(len(gold)) / 2),
        ),
        ("safe", "unsafe"),
    ),
    Mistake("upside_down", "orders responses upside down", (_with(unsafe=_inverted),), ("unsafe",)),
)

# ---- 2d ------------------------------------------------------------------------------------


def _against_the_worst(many: int) -> Callable:
    """Mean gold of so many worst-scored responses minus that of as many best-scored ones."""

    def score(scores, ask) -> float:
        order = np.argsort(scores)
        low, high = (
            np.mean([ask(int(i)) for i in those]) for those in (order[:many], order[-many:])
        )
        return float(low - high)

    return score


def _of_the_best_256(scores, ask) -> float:
    """Mean gold of others minus that of responses drawn from the 256 best-scored, taken for what is selected."""
    rng, order = np.random.default_rng(0), np.argsort(-scores)
    best, others = (
        np.array([ask(int(i)) for i in rng.choice(those, 50, replace=False)])
        for those in (order[:256], order[256:])
    )
    return float((others.mean() - best.mean()) / others.std())


def _evenly_of_the_best_256(scores, ask) -> float:
    order = np.argsort(-scores)
    best, others = (
        np.array([ask(int(i)) for i in those]) for those in (order[:256:6], order[256::35])
    )
    return float(others.mean() - best.mean())


UPSIDE_DOWN = "Your score separates the proxies, but upside down: larger must mean more likely wrong where it selects."

HABITS_2D = {
    "nothing_asked": "You asked for no gold label. Scores alone cannot say what they are worth.",
    "away_from_the_tail": "Hardly one in five of your labels is of the best-scored twentieth. On typical responses "
    "both kinds of proxy are equally right; selection looks elsewhere, and there one or a few labels are little to "
    "go by.",
    "too_wide": "You spread your labels of the best-scored over too many ranks. The best of 256 draws is not any one "
    "of the 256 best-scored: how far up among 2,000 does it usually stand?",
    "worst_scored": "Your labels are of the responses that the proxy likes least. Selection never picks those: the "
    "best of 256 comes from the other end of the scores. (Sorting puts the smallest first.)",
    "against_the_worst": "You set what the proxy likes best against what it likes least. The worst-scored "
    "are bad under "
    "either kind of proxy, and were never usual: compare with what a draw brings on average.",
    "tail_only": "All your labels are of the best-scored responses. Is their gold low? That depends on what is usual "
    "in this system, and of that you asked nothing.",
}

MISTAKES_2D = (
    Mistake(
        "nothing_asked", HABITS_2D["nothing_asked"], (hidden_runs.largest_score,), ("separates",)
    ),
    Mistake(
        "away_from_the_tail",
        HABITS_2D["away_from_the_tail"],
        (
            hidden_runs.random_accuracy,
            hidden_runs.random_correlation,
            hidden_runs.even_accuracy,
            hidden_runs.random_overestimate,
        ),
        ("separates",),
    ),
    Mistake(
        "too_wide",
        HABITS_2D["too_wide"],
        (_of_the_best_256, _evenly_of_the_best_256),
        ("separates",),
    ),
    Mistake(
        "worst_scored",
        HABITS_2D["worst_scored"],
        (hidden_runs.worst_gold, hidden_runs.worst_against_usual),
        ("separates",),
    ),
    Mistake(
        "against_the_worst",
        HABITS_2D["against_the_worst"],
        (_against_the_worst(50), _against_the_worst(40)),
        ("separates",),
    ),
    Mistake(
        "tail_only",
        HABITS_2D["tail_only"],
        (hidden_runs.tail_gold, hidden_runs.upper_gold),
        ("separates",),
    ),
)

MISTAKES = {"2a": MISTAKES_2A, "2b": MISTAKES_2B, "2c": MISTAKES_2C, "2d": MISTAKES_2D}
