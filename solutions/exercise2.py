"""Exercise 2, reward models as proxies: reference answers, and the wrong answers that the grader must recognise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from helpers.grader.tail import DRAWS, Oracle, pair_accuracy, proxy_world
from solutions import proxies
from solutions.casework import Misconception

# ---- 2a ------------------------------------------------------------------------------------


def slice_accuracies(chosen: Tensor, rejected: Tensor, slices: Tensor, n_slices: int) -> Tensor:
    """Accuracy of each slice, ties one half, then their mean: (B,), (B,), (B,) → (n_slices + 1,).

    Raises ValueError for a NaN score and for a slice without pairs.
    """
    if torch.isnan(chosen).any() or torch.isnan(rejected).any():
        raise ValueError("a score is NaN: expected comparable numbers")
    return _by_slice(_credit(chosen, rejected), slices, n_slices)


def _credit(chosen, rejected, tie=0.5):
    return (chosen > rejected).double() + tie * (chosen == rejected).double()


def _by_slice(credit, slices, n_slices, empty=None):
    found = []
    for s in range(n_slices):
        inside = slices == s
        if not inside.any() and empty is None:
            raise ValueError(f"slice {s} has no pairs: it has no accuracy")
        found.append(
            credit[inside].mean() if inside.any() else torch.tensor(empty, dtype=torch.float64)
        )
    found = torch.stack(found)
    return torch.cat([found, found.nanmean()[None]])


def _checked(credit_of: Callable) -> Callable:
    """An answer that differs in the credit of a pair only."""

    def accuracies(chosen, rejected, slices, n_slices):
        slice_accuracies(chosen, rejected, slices, n_slices)
        return _by_slice(credit_of(chosen, rejected), slices, n_slices)

    return accuracies


def _after(change: Callable) -> Callable:
    """An answer that differs in what becomes of the right accuracies: change(right, credit, slices)."""

    def accuracies(chosen, rejected, slices, n_slices):
        return change(
            slice_accuracies(chosen, rejected, slices, n_slices), _credit(chosen, rejected), slices
        )

    return accuracies


def _without_nan_check(chosen, rejected, slices, n_slices):
    return _by_slice(_credit(chosen, rejected), slices, n_slices)


def _nan_left_out(chosen, rejected, slices, n_slices):
    known = ~(torch.isnan(chosen) | torch.isnan(rejected))
    return _by_slice(_credit(chosen, rejected)[known], slices[known], n_slices)


def _nan_handed_on(chosen, rejected, slices, n_slices):
    credit = torch.where(
        torch.isnan(chosen - rejected) & ~torch.isinf(chosen), torch.nan, _credit(chosen, rejected)
    )
    found = _by_slice(credit, slices, n_slices)
    return torch.cat([found[:-1], found[:-1].mean()[None]])


def _empty_as(value: float) -> Callable:
    def accuracies(chosen, rejected, slices, n_slices):
        if torch.isnan(chosen).any() or torch.isnan(rejected).any():
            raise ValueError("NaN")
        return _by_slice(_credit(chosen, rejected), slices, n_slices, empty=value)

    return accuracies


def _empty_handed_on(chosen, rejected, slices, n_slices):
    found = _empty_as(float("nan"))(chosen, rejected, slices, n_slices)
    return torch.cat([found[:-1], found[:-1].mean()[None]])


def _gap_sign(chosen, rejected):
    gap = chosen - rejected
    return (gap > 0).double() + 0.5 * (gap == 0).double()


_VALUES_2A = ("one", "ties", "slices")
MISCONCEPTIONS_2A = (
    Misconception(
        "ties_lost",
        "You count a tie as a mistake. A proxy that cannot tell two responses apart is as good as a coin: one half.",
        (_checked(lambda c, r: _credit(c, r, 0.0)),),
        ("ties", "slices"),
    ),
    Misconception(
        "ties_won",
        "You count a tie as a success: a proxy that scores everything alike would be perfect. A coin is right half of "
        "the time.",
        (_checked(lambda c, r: _credit(c, r, 1.0)),),
        ("ties", "slices"),
    ),
    Misconception(
        "ties_dropped",
        "You leave ties out. A proxy that is sure of one pair in a hundred would then be judged by that one; a tie is "
        "half a success.",
        (
            _checked(lambda c, r: torch.where(c == r, torch.nan, _credit(c, r))),
            lambda c, r, s, n: _nan_mean_by_slice(
                torch.where(c == r, torch.nan, _credit(c, r)), s, n
            ),
        ),
        ("ties",),
    ),
    Misconception(
        "reversed",
        "You count pairs whose rejected response scores higher. The proxy is right where chosen is above rejected.",
        (_checked(lambda c, r: _credit(r, c)),),
        _VALUES_2A,
    ),
    Misconception(
        "micro",
        "Your last entry is the mean over pairs. A slice with nine tenths of the pairs then decides alone, and the "
        "small one may be the one that matters: the mean over slices is asked for.",
        (_after(lambda right, credit, slices: torch.cat([right[:-1], credit.mean()[None]])),),
        ("slices",),
    ),
    Misconception(
        "mean_missing",
        "The mean over slices is missing: n_slices + 1 numbers are asked for, the mean last.",
        (_after(lambda right, credit, slices: right[:-1]),),
        _VALUES_2A,
    ),
    Misconception(
        "mean_first",
        "The right numbers in another order: first the slices, last their mean.",
        (_after(lambda right, credit, slices: torch.cat([right[-1:], right[:-1]])),),
        ("slices",),
    ),
    Misconception(
        "percent",
        "Your numbers are percentages; shares from 0 to 1 are asked for.",
        (_after(lambda right, credit, slices: 100 * right),),
        _VALUES_2A,
    ),
    Misconception(
        "counts",
        "Your numbers grow with the number of pairs: divide by how many the slice has.",
        (
            lambda c, r, s, n: _sums(_credit(c, r), s, n),
            _checked(lambda c, r: _credit(c, r) * len(c)),
        ),
        ("one", "ties", "slices"),
    ),
    Misconception(
        "gap_of_infinities",
        "Right for finite scores. Two scores of −∞ are equal, but their difference is NaN: compare the scores, not "
        "their difference with 0.",
        (_checked(_gap_sign),),
        ("infinite",),
    ),
    Misconception(
        "nan_silent",
        "A NaN goes through unnoticed (as a mistake, as if the pair were not there, or into the result). NaN means "
        "that the proxy failed; a table that looks complete would hide it. Raise ValueError.",
        (_without_nan_check, _nan_left_out, _nan_handed_on),
        ("nan",),
    ),
    Misconception(
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


def best_of_n_gold(ref: Tensor, proxy: Tensor, gold: Tensor, n: int) -> Tensor:
    """Expected gold of the first of the best-scored among n draws: (K,), (K,), (K,) → ()."""
    below, mass = _groups(ref, proxy)
    share = torch.where(
        mass > 0, ref / mass, 0.0
    )  # of its group: the first of equal draws follows the reference
    return (share * ((below + mass) ** n - below**n) * gold).sum()


def _groups(ref, proxy):
    """Mass of lower scores, mass of equal scores; (K,) each."""
    return (ref * (proxy < proxy[:, None])).sum(1), (ref * (proxy == proxy[:, None])).sum(1)


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
        below, mass = _groups(ref, proxy)
        found = torch.zeros_like(ref)
        for i in range(len(ref)):
            if i == (proxy == proxy[i]).nonzero()[place]:
                found[i] = (below[i] + mass[i]) ** n - below[i] ** n
        return found

    return weights


def _equal_shares(ref, proxy, n):
    below, mass = _groups(ref, proxy)
    return ((below + mass) ** n - below**n) / (proxy == proxy[:, None]).sum(1)


def _each_on_top(ref, proxy, n):
    below, mass = _groups(ref, proxy)
    return (below + mass) ** n - (below + mass - ref) ** n


def _each_at_the_bottom(ref, proxy, n):
    below, _ = _groups(ref, proxy)
    return (below + ref) ** n - below**n


def _density(power: int, strict: bool) -> Callable:
    def weights(ref, proxy, n):
        below, mass = _groups(ref, proxy)
        return n * ref * (below + (0 if strict else mass)) ** (n + power)

    return weights


def _tops(ref, proxy, n):
    best = (proxy == proxy.max()).to(ref.dtype)
    return ref * best


_VALUES_2B = ("distinct", "ties")
MISCONCEPTIONS_2B = (
    Misconception(
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
    Misconception(
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
    Misconception(
        "ties_equally",
        "Right where scores differ. Among equal scores yours gives everyone the same share; but a response that the "
        "reference says more often is more often the first of them.",
        (_weighted(_equal_shares),),
        ("ties",),
    ),
    Misconception(
        "ties_apart",
        "Right where scores differ. With ties your weights do not sum to 1: tied responses are one event together, "
        "(b + m)ⁿ − bⁿ with their mass m above the mass b of lower scores, which they then share.",
        (
            _weighted(_each_on_top),
            _weighted(_each_at_the_bottom),
            _weighted(_each_on_top, True),
            _weighted(_each_at_the_bottom, True),
        ),
        ("ties",),
    ),
    Misconception(
        "n_ignored",
        "Your values are the reference's mean: nothing was selected.",
        (_weighted(lambda ref, proxy, n: ref),),
        _VALUES_2B,
    ),
    Misconception(
        "limit",
        "Your values are the gold of the best-scored response, whatever n: n draws may not contain it.",
        (_weighted(_tops, True), lambda ref, proxy, gold, n: gold[proxy.argmax()] + 0),
        _VALUES_2B,
    ),
    Misconception(
        "worst",
        "Your selection keeps the response that the proxy likes least.",
        (lambda ref, proxy, gold, n: best_of_n_gold(ref, -proxy, gold, n),),
        _VALUES_2B,
    ),
    Misconception(
        "proxy_value",
        "Your values are the expected *proxy* score of what is selected. That is what the optimiser sees rise; the "
        "question is what it is worth.",
        (lambda ref, proxy, gold, n: best_of_n_gold(ref, proxy, proxy, n),),
        _VALUES_2B,
    ),
    Misconception(
        "gold_selects",
        "Your selection looks at gold. The proxy selects, and gold is what comes of it.",
        (lambda ref, proxy, gold, n: best_of_n_gold(ref, gold, gold, n),),
        _VALUES_2B,
    ),
)


# ---- 2c ------------------------------------------------------------------------------------


def proxy_examples() -> dict:
    """Two proxies made from gold: the worst response on top, and the bad ones in disorder among themselves."""
    ref, gold = proxy_world()
    unsafe = np.where(gold == gold.min(), gold.max() + 1, gold)
    aim = pair_accuracy(ref, unsafe, gold)
    below = [np.where(gold < cut, -100 - gold, gold) for cut in gold]  # upside down below the cut
    return {
        "safe": min(below, key=lambda safe: abs(pair_accuracy(ref, safe, gold) - aim)),
        "unsafe": unsafe,
    }


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


MISCONCEPTIONS_2C = (
    Misconception(
        "accurate_is_harmless",
        "so nobody is harmed",
        (_with(unsafe=_gold_itself), _with(unsafe=lambda ref, gold: proxy_examples()["safe"])),
        ("unsafe",),
    ),
    Misconception(
        "mistakes_at_the_top", "sit where selection looks", (_with(safe=_worst_on_top),), ("safe",)
    ),
    Misconception("unequal", "would have been warned", (_with(safe=_gold_itself),), ("equal",)),
    Misconception(
        "useless",
        "nobody would deploy",
        (_with(unsafe=_noise), _with(safe=_noise)),
        ("safe", "unsafe"),
    ),
    Misconception(
        "upside_down", "orders responses upside down", (_with(unsafe=_inverted),), ("unsafe",)
    ),
)


# ---- 2d ------------------------------------------------------------------------------------


def suspicion(scores: np.ndarray, ask: Oracle) -> float:
    """Mean gold of what is usual minus gold of what selection picks, in standard deviations of the usual."""
    order, half = np.argsort(scores), 50
    usual = np.array([ask(i) for i in order[np.linspace(0, len(order) - 1, half).astype(int)]])
    top = np.array([ask(i) for i in order[-half:]])
    weights = np.diff((np.arange(len(order) - half, len(order) + 1) / len(order)) ** DRAWS)
    return float((usual.mean() - (weights * top).sum() / weights.sum()) / (usual.std() + 1e-9))


UPSIDE_DOWN = "Your score separates the proxies, but upside down: larger must mean more likely wrong where it selects."
HABITS_2D = {
    "nothing_asked": "You asked for no gold label. Scores alone cannot say what they are worth.",
    "away_from_the_tail": "Your labels are of typical responses: hardly one in five of the best-scored twentieth. "
    "There both kinds of proxy are equally right; selection looks elsewhere.",
    "tail_only": "All your labels are of the best-scored responses. Is their gold low? That depends on what is usual "
    "in this system, and of that you asked nothing.",
}
MISCONCEPTIONS_2D = (
    Misconception(
        "nothing_asked", HABITS_2D["nothing_asked"], (proxies.largest_score,), ("separates",)
    ),
    Misconception(
        "away_from_the_tail",
        HABITS_2D["away_from_the_tail"],
        (
            proxies.random_accuracy,
            proxies.random_correlation,
            proxies.even_accuracy,
            proxies.random_overestimate,
        ),
        ("separates",),
    ),
    Misconception("tail_only", HABITS_2D["tail_only"], (proxies.tail_gold,), ("separates",)),
)
