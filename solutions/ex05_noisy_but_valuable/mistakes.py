"""Exercise 5, noisy but valuable: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner. Those of 5a and 5b come in two
writings, over whole tables and as loops over numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from solutions.ex05_noisy_but_valuable import hidden_runs
from solutions.ex05_noisy_but_valuable.answers import (
    corrected_loss,
    crowd_examples,
    entropy,
    refuse_probabilities,
    refuse_records,
    worth,
)
from solutions.freeze import Mistake

# ---- 5a ------------------------------------------------------------------------------------


def _entropy(q: float) -> float:
    """``entropy`` of a number."""
    return -sum(x * math.log(x) for x in (q, 1 - q) if x > 0)


def _tables(value: Callable) -> Callable:
    """value(p, t, f, entropy) at every pair and annotator, over whole tables."""

    def answer(clean, rates):
        refuse_probabilities(clean, rates)
        p, (t, f) = clean[:, None].expand(-1, len(rates)), rates.T
        return value(p, t.expand_as(p), f.expand_as(p), entropy)

    return answer


def _numbers(value: Callable) -> Callable:
    """value(p, t, f, entropy) at every pair and annotator, number by number."""

    def answer(clean, rates):
        refuse_probabilities(clean, rates)
        return [
            [float(value(p, t, f, _entropy)) for t, f in rates.tolist()] for p in clean.tolist()
        ]

    return answer


def _both(*values: Callable) -> tuple[Callable, ...]:
    return tuple(way(value) for value in values for way in (_tables, _numbers))


def _gain(p, t, f, H):
    """The right value."""
    return H(p * t + (1 - p) * f) - p * H(t) - (1 - p) * H(f)


def _after(p, t, f, said_first: bool):
    """P(the clean answer is 'first' | what was recorded), and the probability of that record; ½ if it is 0."""
    if not said_first:
        t, f = 1 - t, 1 - f
    recorded = p * t + (1 - p) * f
    never = recorded == 0
    return (p * t + 0.5 * never) / (recorded + never), recorded


def _left(p, t, f, H):
    return H(p) - _gain(p, t, f, H)


def _drop(p, t, f, H, said_first):
    return H(p) - H(_after(p, t, f, said_first)[0])


def _unweighted(p, t, f, H):
    return (_drop(p, t, f, H, True) + _drop(p, t, f, H, False)) / 2


def _likelier(p, t, f, H):
    first = _after(p, t, f, True)[1] >= 0.5
    return first * _drop(p, t, f, H, True) + (1 - first * 1) * _drop(p, t, f, H, False)


def _variance_drop(p, t, f, H):
    left = 0.0
    for said_first in (True, False):
        after, recorded = _after(p, t, f, said_first)
        left = left + recorded * after * (1 - after)
    return p * (1 - p) - left


def _one_error_rate(p, t, f, H):
    wrong = (1 - t + f) / 2
    return _gain(p, 1 - wrong, wrong, H)


def _error_rate_of_the_pair(p, t, f, H):
    wrong = p * (1 - t) + (1 - p) * f
    return _gain(p, 1 - wrong, wrong, H)


def _between_rows(p, t, f, H):
    """KL of what is recorded under 'first' from what is recorded under 'second'."""
    found = 0.0
    for a, b in ((t, f), (1 - t, 1 - f)):
        a, b = a + 1e-12, b + 1e-12
        found = found + a * ((a / b).log() if isinstance(a, Tensor) else math.log(a / b))
    return found


def _stacked(place: int, turned: bool) -> Callable:
    def answer(clean, rates):
        refuse_probabilities(clean, rates)
        p, (t, f) = clean[:, None], rates.T
        falls = [_drop(p, t, f, entropy, said_first) for said_first in (not turned, turned)]
        return torch.stack(falls, place)

    return answer


def _turned_are_worthless(p, t, f, H):
    return _gain(p, t, f, H) * (t > f)


def _clamped(size: float) -> tuple[Callable, Callable]:
    def tables(clean, rates):
        refuse_probabilities(clean, rates)
        return worth(clean, rates.clamp(size, 1 - size))

    def numbers(clean, rates):
        refuse_probabilities(clean, rates)
        kept = [[min(max(q, size), 1 - size) for q in row] for row in rates.tolist()]
        return [[_gain(p, t, f, _entropy) for t, f in kept] for p in clean.tolist()]

    return tables, numbers


def _naive(clean, rates):
    refuse_probabilities(clean, rates)
    p, (t, f) = clean[:, None], rates.T

    def plain_entropy(q):
        return -(q * q.log() + (1 - q) * (1 - q).log())

    return _gain(p, t, f, plain_entropy)


def _naive_sum(clean, rates):
    """Σ over the four cases of joint · log(joint / product of the margins)."""
    refuse_probabilities(clean, rates)
    p, (t, f) = clean[:, None], rates.T
    recorded, total = p * t + (1 - p) * f, 0.0
    for prior, given, says in (
        (p, t, recorded),
        (p, 1 - t, 1 - recorded),
        (1 - p, f, recorded),
        (1 - p, 1 - f, 1 - recorded),
    ):
        total = total + prior * given * (given / says).log()
    return total


def _never_refuses(clean, rates):
    p, (t, f) = clean[:, None], rates.T
    return _gain(p, t, f, entropy)


MISTAKES_5A = (
    Mistake(
        "bits",
        "Your numbers are in bits. In nats the logarithm is the natural one; a bit is 0.693 nats.",
        _both(lambda p, t, f, H: _gain(p, t, f, H) / math.log(2)),
        ("even", "uneven"),
    ),
    Mistake(
        "accuracy",
        "Your numbers are probabilities (of being right, or how far the two rates are apart), not nats. Right nine "
        "times in ten is not worth nine tenths of a sure answer; how much entropy does it remove?",
        _both(
            lambda p, t, f, H: p * t + (1 - p) * (1 - f),
            lambda p, t, f, H: (t + 1 - f) / 2,
            lambda p, t, f, H: abs(t - f),
            lambda p, t, f, H: t - f,
        ),
        ("even",),
    ),
    Mistake(
        "entropy_of_the_answer",
        "Your number is the entropy of what will be recorded. Somebody who throws a coin is hard to predict, and tells "
        "nothing: take away what would be uncertain even if the clean answer were known.",
        _both(lambda p, t, f, H: H(p * t + (1 - p) * f)),
        ("even",),
    ),
    Mistake(
        "entropy_left",
        "Your number is the entropy that is *left* after the answer. Asked is by how much it falls: the better the "
        "annotator, the larger.",
        _both(_left, lambda p, t, f, H: p * H(t) + (1 - p) * H(f)),
        ("even",),
    ),
    Mistake(
        "sign",
        "Your numbers have the wrong sign: entropy falls, and what it falls by is asked for. It is never below 0.",
        _both(lambda p, t, f, H: -_gain(p, t, f, H)),
        ("even",),
    ),
    Mistake(
        "variance",
        "You measure doubt by the variance p(1 − p), or learning by how far the probability moves. Asked is the fall "
        "of the entropy, in nats.",
        _both(
            _variance_drop,
            lambda p, t, f, H: 4 * _variance_drop(p, t, f, H),
            lambda p, t, f, H: 2 * p * (1 - p) * abs(t - f),
        ),
        ("even",),
    ),
    Mistake(
        "rows_apart",
        "You compare the annotator's two rows with each other. How much that is worth depends on the pair, too: "
        "where one row will hardly be needed, because the clean answer is nearly known, little can be learnt.",
        _both(_between_rows),
        ("even",),
    ),
    Mistake(
        "every_pair_even",
        "You take every pair for even. Where the clean answer is nearly known already, there is less left to learn: "
        "`clean` has to come in.",
        _both(lambda p, t, f, H: _gain(0 * p + 0.5, t, f, H)),
        ("uneven",),
    ),
    Mistake(
        "one_answer",
        "You look at one of the two answers only. Before asking, nobody knows which will come: take the mean over "
        "both, each as often as it will be recorded. (The fall after a single answer can even be negative.)",
        _both(
            lambda p, t, f, H: _drop(p, t, f, H, True),
            lambda p, t, f, H: _drop(p, t, f, H, False),
            _likelier,
        ),
        ("uneven",),
    ),
    Mistake(
        "right_or_wrong",
        "You take away the doubt whether the answer is *right*. But an answer that was expected leaves less doubt "
        "than one that was not, and both together less than that: go by what is recorded.",
        _both(lambda p, t, f, H: H(p) - H(p * t + (1 - p) * (1 - f))),
        ("uneven",),
    ),
    Mistake(
        "both_answers",
        "You return the fall after ‘first’ and after ‘second’ apart; asked is one number for each pair and "
        "annotator, their mean, each as often as it will be recorded: shape (n, A).",
        tuple(_stacked(place, turned) for place in (-1, 0) for turned in (False, True)),
        ("even",),
    ),
    Mistake(
        "answers_alike",
        "You take the mean over both answers as if they came equally often. How often each is recorded follows from "
        "the pair and the annotator's two rates.",
        _both(_unweighted),
        ("uneven",),
    ),
    Mistake(
        "one_error_rate",
        "You put one error rate in the place of two. Somebody who says ‘first’ nine times in ten where that is "
        "right, and four times in ten where it is wrong, does not tell the same as one who errs alike on both sides: "
        "their ‘second’ tells much, their ‘first’ little.",
        _both(_one_error_rate, _error_rate_of_the_pair, lambda p, t, f, H: _gain(p, t, 1 - t, H)),
        ("sides",),
    ),
    Mistake(
        "columns_exchanged",
        "The two columns of `rates` stand for each other with you: the first is how often ‘first’ is said where that "
        "is true, the second how often where it is false.",
        _both(lambda p, t, f, H: _gain(p, f, t, H)),
        ("sides", "table"),
    ),
    Mistake(
        "turned_worthless",
        "Somebody who says ‘first’ mostly where ‘second’ is right counts for nothing with you. If you know that they "
        "turn answers round, you can turn them back: nine in ten wrong is worth as much as nine in ten right.",
        _both(_turned_are_worthless),
        ("sides",),
    ),
    Mistake(
        "columns",
        "You read the second column of `rates` as the chance of being *right* where the clean answer is ‘second’. It "
        "is that of saying ‘first’ there, and so of being wrong: (1, 0) never errs.",
        _both(lambda p, t, f, H: _gain(p, t, 1 - f, H)),
        ("even", "sides"),
    ),
    Mistake(
        "relative",
        "Your number is the part of the entropy that the answer removes. Asked is by how much it falls, in nats.",
        _both(lambda p, t, f, H: _gain(p, t, f, H) / H(p)),
        ("even", "uneven"),
    ),
    Mistake(
        "transposed",
        "Your table has a row for every annotator; asked is a row for every pair, shape (n, A).",
        (
            lambda clean, rates: worth(clean, rates).T,
            lambda clean, rates: [list(row) for row in zip(*worth(clean, rates).tolist())],
        ),
        ("table",),
    ),
    Mistake(
        "flat",
        "Your numbers stand in one row; asked is a table, a row for every pair and a column for every annotator, (n, "
        "A), also if there is only one of either.",
        (
            lambda clean, rates: worth(clean, rates).flatten(),
            lambda clean, rates: [x for row in worth(clean, rates).tolist() for x in row],
            lambda clean, rates: worth(clean, rates).squeeze(),
        ),
        ("table",),
    ),
    Mistake(
        "summed",
        "Your result has one number for each pair (or annotator, or in all); asked is the whole table, every pair with "
        "every annotator, (n, A). Whom to ask about what is read from it entry by entry.",
        (
            lambda clean, rates: worth(clean, rates).sum(1),
            lambda clean, rates: worth(clean, rates).mean(1),
            lambda clean, rates: worth(clean, rates).sum(0),
            lambda clean, rates: worth(clean, rates).mean(0),
            lambda clean, rates: worth(clean, rates).sum(),
            lambda clean, rates: worth(clean, rates).mean(),
        ),
        ("table",),
    ),
    Mistake(
        "log_of_zero",
        "Right where all probabilities lie between 0 and 1, NaN where one is 0 or 1. An answer that never comes adds "
        "nothing: 0 · log 0 counts as 0, and the machine says NaN.",
        (_naive, _naive_sum),
        ("sure",),
        overflows=True,
    ),
    Mistake(
        "clamped",
        "Right where all probabilities lie between 0 and 1; a rate of exactly 0 or 1 was moved (clamp, or + ε) to "
        "keep the logarithm finite, and somebody who never errs is then not quite sure. 0 · log 0 counts as 0; no ε "
        "is needed.",
        tuple(way for size in (0.05, 0.02, 0.01, 1e-3, 1e-4) for way in _clamped(size)),
        ("sure",),
    ),
    Mistake(
        "no_refusal",
        "A probability below 0 or above 1, or NaN, goes through unnoticed and comes out as NaN or as a number that "
        "looks like any other. Raise ValueError. (Every comparison with NaN is False: ask whether all entries lie "
        "inside, not whether one lies outside.)",
        (_never_refuses, lambda clean, rates: worth(clean.clamp(0, 1), rates.clamp(0, 1))),
        ("refuses",),
        fails=True,
    ),
)

# ---- 5b ------------------------------------------------------------------------------------


def _right_share(said, t, f):
    """How many clean 'first's an answer counts for."""
    return (said - f) / (t - f)


def _right_weight(t, f):
    return (t - f) ** 2


def _by_share(share, u):
    """Loss of an answer that counts for ``share`` of a clean 'first'."""
    return -(share * logsigmoid(u) + (1 - share) * logsigmoid(-u))


def _vector(share=_right_share, weight=_right_weight, loss=_by_share, over=None) -> Callable:
    """An answer over whole tables with another share, weight or loss of each answer, or another mean.

    over: (losses (C,), weights (C,), pairs (C,), n) → scalar; unless given, weighted in a pair, then a mean over pairs.
    """

    def answer(margins, records, rates):
        refuse_records(margins, records, rates)
        pair, annotator, said = records.T
        t, f = rates.to(margins.dtype)[annotator].T
        looks = t != f
        pair, said, t, f = pair[looks], said[looks].to(margins.dtype), t[looks], f[looks]
        if not len(pair):
            raise ValueError("no answer depends on its pair")
        losses, weights = loss(share(said, t, f), margins[pair]), weight(t, f) + 0 * t
        return (over or _over_pairs)(losses, weights, pair, len(margins))

    return answer


def _over_pairs(losses, weights, pair, n):
    zero = losses.new_zeros(n)
    total = zero.index_add(0, pair, weights)
    asked = total != 0
    return (zero.index_add(0, pair, weights * losses)[asked] / total[asked]).mean()


def _loop(share=_right_share, weight=_right_weight, loss=_by_share) -> Callable:
    """The same, answer by answer."""

    def answer(margins, records, rates):
        refuse_records(margins, records, rates)
        rows, known = records.tolist(), rates.tolist()
        of_pairs = []
        for i, u in enumerate(margins):
            total, weights = 0.0, 0.0
            for pair, annotator, said in rows:
                t, f = known[annotator]
                if pair == i and t != f:
                    total = total + weight(t, f) * loss(share(said, t, f), u)
                    weights += weight(t, f)
            if weights:
                of_pairs.append(total / weights)
        if not of_pairs:
            raise ValueError("no answer depends on its pair")
        return sum(of_pairs) / len(of_pairs)

    return answer


def _ways(**changes) -> tuple[Callable, Callable]:
    return _vector(**changes), _loop(**changes)


def _each(*shares: Callable) -> tuple[Callable, ...]:
    return tuple(way for share in shares for way in _ways(share=share))


def _recorded(said, t, f):
    return said + 0 * t


def _smoothed(said, t, f):
    return said * t + (1 - said) * f


def _posterior(said, t, f):
    """P(clean answer is 'first' | recorded), before which it was even."""
    first, second = said * t + (1 - said) * (1 - t), said * f + (1 - said) * (1 - f)
    return first / (first + second)


def _with_one_rate(rate: Callable) -> Callable:
    def share(said, t, f):
        wrong = rate(t, f)
        return (said - wrong) / (1 - 2 * wrong)

    return share


def _likelihood(margins, records, rates):
    """Of the recorded answers, each pair counting alike."""
    refuse_records(margins, records, rates)
    pair, annotator, said = records.T
    t, f = rates.to(margins.dtype)[annotator].T
    first = f + (t - f) * margins[pair].sigmoid()
    losses = -torch.where(said == 1, first, 1 - first).log()
    return _over_pairs(losses, _right_weight(t, f), pair, len(margins))


def _likelihood_loop(margins, records, rates):
    refuse_records(margins, records, rates)
    of_pairs = []
    for i in sorted({pair for pair, _, _ in records.tolist()}):
        terms = []
        for pair, annotator, said in records.tolist():
            if pair == i:
                t, f = rates[annotator]
                first = t * margins[i].sigmoid() + f * (-margins[i]).sigmoid()
                terms.append(-(first if said else 1 - first).log())
        of_pairs.append(sum(terms) / len(terms))
    return sum(of_pairs) / len(of_pairs)


def _one_kept(first: bool) -> Callable:
    def answer(margins, records, rates):
        refuse_records(margins, records, rates)
        rows = [row for row in records.tolist() if len({*rates[row[1]].tolist()}) == 2]
        kept = {row[0]: row for row in (rows[::-1] if first else rows)}
        if not kept:
            raise ValueError("no answer depends on its pair")
        return corrected_loss(margins, torch.tensor(list(kept.values())), rates)

    return answer


def _positive_pairs(losses, weights, pair, n):
    zero = losses.new_zeros(n)
    total = zero.index_add(0, pair, weights)
    asked = total != 0
    of_pairs = zero.index_add(0, pair, weights * losses)[asked] / total[asked]
    return of_pairs.clamp(min=0).mean()


def _over_answers(losses, weights, pair, n):
    return (weights * losses).sum() / weights.sum()


def _over_answers_loop(margins, records, rates):
    refuse_records(margins, records, rates)
    total, weights = 0.0, 0.0
    for pair, annotator, said in records.tolist():
        t, f = rates[annotator].tolist()
        if t != f:
            total = total + (t - f) ** 2 * _by_share((said - f) / (t - f), margins[pair])
            weights += (t - f) ** 2
    if not weights:
        raise ValueError("no answer depends on its pair")
    return total / weights


def _by_full_variance(at_margin: bool) -> Callable:
    def answer(margins, records, rates):
        refuse_records(margins, records, rates)
        pair, annotator, said = records.T
        t, f = rates.to(margins.dtype)[annotator].T
        looks = t != f
        if not looks.any():
            raise ValueError("no answer depends on its pair")
        pair, said, t, f = pair[looks], said[looks], t[looks], f[looks]
        even = margins.detach()[pair].sigmoid() if at_margin else 0.5
        recorded = f + (t - f) * even
        weights = (t - f) ** 2 / (recorded * (1 - recorded)).clamp(min=1e-9)
        losses = _by_share(_right_share(said, t, f), margins[pair])
        return _over_pairs(losses, weights, pair, len(margins))

    return answer


def _products(losses, weights, pair, n):
    return losses.new_zeros(n).index_add(0, pair, weights * losses)[pair.unique()].mean()


def _added(losses, weights, pair, n):
    return losses.new_zeros(n).index_add(0, pair, losses)[pair.unique()].mean()


def _added_loop(margins, records, rates, power=0):
    refuse_records(margins, records, rates)
    total, pairs = 0.0, set()
    for pair, annotator, said in records.tolist():
        t, f = rates[annotator].tolist()
        if t != f:
            total = total + (t - f) ** power * _by_share((said - f) / (t - f), margins[pair])
            pairs.add(pair)
    if not pairs:
        raise ValueError("no answer depends on its pair")
    return total / len(pairs)


def _products_loop(margins, records, rates):
    return _added_loop(margins, records, rates, power=2)


def _over_all_pairs(losses, weights, pair, n):
    zero = losses.new_zeros(n)
    total = zero.index_add(0, pair, weights)
    return (zero.index_add(0, pair, weights * losses) / total.clamp(min=1e-9)).mean()


def _unasked_are_even(losses, weights, pair, n):
    zero = losses.new_zeros(n)
    total = zero.index_add(0, pair, weights)
    of_pairs = zero.index_add(0, pair, weights * losses) / torch.where(total > 0, total, 1.0)
    return torch.where(total > 0, of_pairs, math.log(2)).mean()


def _sum_of_pairs(losses, weights, pair, n):
    return _over_pairs(losses, weights, pair, n) * len(pair.unique())


def _sum_loop(margins, records, rates):
    return _loop()(margins, records, rates) * len({pair for pair, *_ in records.tolist()})


def _with_log(log_sigma: Callable) -> tuple[Callable, Callable]:
    """The right loss with another log σ."""
    return _ways(loss=lambda share, u: -(share * log_sigma(u) + (1 - share) * log_sigma(-u)))


def _divides(margins, records, rates):
    """Divides by t − f, whatever it is."""
    refuse_records(margins, records, rates)
    pair, annotator, said = records.T
    t, f = rates.to(margins.dtype)[annotator].T
    if (t == f).all():
        raise ValueError("no answer depends on its pair")
    losses = _by_share(_right_share(said, t, f), margins[pair])
    return _over_pairs(losses, _right_weight(t, f), pair, len(margins))


def _refuses_the_blind(margins, records, rates):
    if (rates[:, 0] == rates[:, 1]).any():
        raise ValueError("somebody does not look")
    return corrected_loss(margins, records, rates)


def _blind_count_half(margins, records, rates):
    refuse_records(margins, records, rates)
    pair, annotator, said = records.T
    t, f = rates.to(margins.dtype)[annotator].T
    if (t == f).all():
        raise ValueError("no answer depends on its pair")
    looks = t != f
    share = torch.where(looks, (said - f) / torch.where(looks, t - f, 1.0), 0.5)
    losses = _by_share(share, margins[pair])
    return _over_pairs(losses, _right_weight(t, f) + 1e-3 * ~looks, pair, len(margins))


def _overlooks(margins, records, rates):
    refuse_records(margins, records, rates)
    looks = (rates[:, 0] - rates[:, 1]).abs() > 0.01
    return corrected_loss(margins, records[looks[records[:, 1]]], rates)


def _takes_anything(margins, records, rates):
    pair, annotator, said = records[:, 0] % len(margins), records[:, 1] % len(rates), records[:, 2]
    t, f = rates[annotator].T
    zero = torch.zeros_like(margins)
    weight = zero.index_add(0, pair, (t - f) ** 2)
    asked = weight > 0
    share = (zero.index_add(0, pair, (t - f) * (said - f)))[asked] / weight[asked]
    return _by_share(share, margins[asked]).mean()


def _repairs(margins, records, rates):
    inside = (records >= 0) & (records < torch.tensor([len(margins), len(rates), 2]))
    records, rates = records[inside.all(1)], rates.nan_to_num(0.5).clamp(0, 1)
    if not len(records) or (rates[:, 0] == rates[:, 1]).all():
        return margins.sum() * 0
    return corrected_loss(margins, records, rates)


_FLOORS = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)

MISTAKES_5B = (
    Mistake(
        "as_recorded",
        "Every answer counts as one whole answer with you, as it was recorded, or corrected and then cut off at 0 "
        "and 1 (clamp). Then flips flatten what is learnt (1.5): on average over what the annotator records, the "
        "loss has to be the clean one, and for that a single answer must count as more than one.",
        _each(_recorded, lambda said, t, f: _recorded(said, t, f) * 1.0),
        ("flips", "sides"),
    ),
    Mistake(
        "smoothed",
        "You soften the answers by the rates of error: that is label smoothing, the opposite pull (1.5). Take the "
        "mean of your loss over what the annotator records, for either clean answer: it is not the clean loss.",
        _each(_smoothed, lambda said, t, f: f + (t - f) * said),
        ("flips", "sides"),
    ),
    Mistake(
        "posterior",
        "You replace each answer by how probable it makes the clean one. Taken as a label, that shrinks what is "
        "learnt, like smoothing: the mean of your loss over what the annotator records is not the clean loss.",
        _each(_posterior, lambda said, t, f: 1 - _posterior(1 - said, 1 - f, 1 - t)),
        ("flips", "sides"),
    ),
    Mistake(
        "likelihood",
        "Yours is the likelihood of what was recorded. That is a sound loss too, but another one: asked is one whose "
        "*mean* over what the annotator records is the clean loss at every margin.",
        (_likelihood, _likelihood_loop),
        ("flips", "sides"),
    ),
    Mistake(
        "one_rate",
        "You put one error rate in the place of two, as in 1.5. Somebody who leans to one side errs seldom there and "
        "often on the other: solve the two equations of 1.5 anew, with a rate for each clean answer.",
        _each(
            _with_one_rate(lambda t, f: (1 - t + f) / 2),
            _with_one_rate(lambda t, f: 1 - t + 1e-7),
            _with_one_rate(lambda t, f: f + 1e-7),
        ),
        ("sides",),
    ),
    Mistake(
        "turned",
        "Your loss is least where the answers are turned round. 1 is ‘first’, the margin is the first reply's lead, "
        "and the columns of `rates` are: says ‘first’ where that is right, says ‘first’ where it is wrong.",
        (
            *_each(lambda said, t, f: 1 - _right_share(said, t, f)),
            lambda margins, records, rates: corrected_loss(-margins, records, rates),
            lambda margins, records, rates: corrected_loss(margins, records, rates.flip(1)),
            *_each(lambda said, t, f: _right_share(1 - said, t, f)),
        ),
        ("flips", "sides"),
    ),
    Mistake(
        "turned_round_ignored",
        "Right for people who are mostly right. If somebody is known to turn most answers round, their answers are "
        "worth turning back: t − f is negative there, and its sign matters.",
        (
            *_each(lambda said, t, f: (said - f) / abs(t - f)),
            lambda margins, records, rates: corrected_loss(
                margins, records, rates.sort(dim=1, descending=True).values
            ),
            *_ways(weight=lambda t, f: (t > f) * (t - f) ** 2),
        ),
        ("turned",),
        fails=True,
    ),
    Mistake(
        "columns",
        "You read the second column of `rates` as the chance of being *right* where the clean answer is ‘second’. It "
        "is that of saying ‘first’ there, and so of being wrong: (1, 0) never errs.",
        _each(lambda said, t, f: (said - (1 - f)) / (t - (1 - f) + 1e-12)),
        ("sides",),
    ),
    Mistake(
        "sign",
        "Your value has the wrong sign: a loss falls as the margin moves towards what was recorded. ℓ(u) = −log σ(u).",
        (
            lambda margins, records, rates: -corrected_loss(margins, records, rates),
            *_ways(loss=lambda share, u: share * logsigmoid(u) + (1 - share) * logsigmoid(-u)),
        ),
        ("flips", "sides"),
    ),
    Mistake(
        "weights_not_divided",
        "Your weights are not divided by their sum within the pair. A single answer has nobody to be weighed against: "
        "whatever its weight, its loss is the corrected one.",
        (_vector(over=_products), _products_loop),
        ("flips", "sides"),
    ),
    Mistake(
        "answers_added",
        "Right for one answer; where a pair has several you add them up. They are averaged, by weights, so that a "
        "pair counts alike however many were asked.",
        (_vector(over=_added), _added_loop),
        ("weights",),
    ),
    Mistake(
        "one_answer_kept",
        "Where a pair has several answers you keep one, the last or the first. Each of them tells something: average "
        "them by weights.",
        (_one_kept(False), _one_kept(True)),
        ("weights", "pairs"),
    ),
    Mistake(
        "given_twice",
        "Right but where the same answer stands there twice, which you count once. An answer given twice counts twice.",
        (
            lambda margins, records, rates: corrected_loss(margins, records.unique(dim=0), rates),
            lambda margins, records, rates: corrected_loss(
                margins, torch.tensor(sorted(set(map(tuple, records.tolist())))), rates
            ),
        ),
        ("weights",),
    ),
    Mistake(
        "equal_weights",
        "Right for one answer; where a pair has several, you weigh all alike. The answer of somebody whose correction "
        "scatters widely has to count for less: by one over its variance.",
        _ways(weight=lambda t, f: 1.0),
        ("weights",),
    ),
    Mistake(
        "weights_of_the_error",
        "Your weights are one over the *standard error*. The mean that scatters least weighs by one over the variance, "
        "its square.",
        _ways(weight=lambda t, f: abs(t - f)),
        ("weights",),
    ),
    Mistake(
        "weights_squared_again",
        "Your weights fall too fast. The square of the factor is the variance already, and one over it the weight: you "
        "square once more.",
        _ways(weight=lambda t, f: (t - f) ** 4),
        ("weights",),
    ),
    Mistake(
        "never_negative",
        "You cut losses off at 0. A single answer, or a pair, may well have a negative loss: only so is the mean over "
        "what is recorded the clean one.",
        (
            *_ways(loss=lambda share, u: _by_share(share, u).clamp(min=0)),
            lambda margins, records, rates: corrected_loss(margins, records, rates).clamp(min=0),
            _vector(over=_positive_pairs),
        ),
        ("flips", "sides", "weights", "pairs"),
    ),
    Mistake(
        "weights_of_votes",
        "Your weights are accuracies, or the log-odds by which votes are weighed (3.3). What is averaged here are "
        "corrected losses, each with a variance of its own: by one over that.",
        (
            *_ways(weight=lambda t, f: (t + 1 - f) / 2),
            *_ways(
                weight=lambda t, f: (
                    ((t + 1 - f) / (1 - t + f)).log()
                    if isinstance(t, Tensor)
                    else math.log(max(t + 1 - f, 1e-9) / max(1 - t + f, 1e-9))
                )
            ),
        ),
        ("weights",),
    ),
    Mistake(
        "variance_of_the_record",
        "Your weights take in how much the recorded answers themselves scatter, P(1 − P), at the margin or at an "
        "even pair. The weight asked for is the factor of the correction alone, squared, one over: it belongs to the "
        "annotator.",
        (_by_full_variance(True), _by_full_variance(False)),
        ("weights",),
    ),
    Mistake(
        "mean_over_answers",
        "Yours is a mean over answers. Each *pair* is to count alike, however many were asked about it: average within "
        "the pair first.",
        (_vector(over=_over_answers), _over_answers_loop),
        ("pairs",),
    ),
    Mistake(
        "unasked_pairs",
        "Right where every pair has an answer; pairs without one are counted as well. About them the data say nothing: "
        "the mean is over the others.",
        (_vector(over=_over_all_pairs), _vector(over=_unasked_are_even)),
        ("pairs",),
    ),
    Mistake(
        "sum",
        "Your value is a sum over pairs; the mean over pairs is asked for, so that the step size need not "
        "follow the size of the data.",
        (_vector(over=_sum_of_pairs), _sum_loop),
        ("pairs",),
    ),
    Mistake(
        "overflow",
        "Right at moderate margins, infinite or NaN at extreme ones: σ rounds to 0, or e^u overflows, before the "
        "logarithm is taken. log σ has a stable form.",
        (*_with_log(lambda u: u.sigmoid().log()), *_with_log(lambda u: -(1 + (-u).exp()).log())),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "floored",
        "Right at moderate margins; at extreme ones a floor under σ (clamp, or + ε) caps the loss and takes its "
        "gradient away. No floor is needed: log σ has a stable form.",
        tuple(
            way
            for floor in _FLOORS
            for log_sigma in (
                lambda u, floor=floor: u.sigmoid().clamp(min=floor).log(),
                lambda u, floor=floor: (u.sigmoid() + floor).log(),
            )
            for way in _with_log(log_sigma)
        ),
        ("extreme",),
    ),
    Mistake(
        "blind",
        "Right but for somebody whose answers do not depend on the pair, t = f. One over an infinite variance is 0: "
        "such an answer counts for nothing, as if it had not been given. Multiply the weight into the correction "
        "before you divide.",
        (_divides, _refuses_the_blind, _blind_count_half),
        ("blind",),
        fails=True,
    ),
    Mistake(
        "tolerance",
        "Right but for somebody who hardly looks. With t = f an answer counts for nothing; with t nearly f it counts "
        "by its weight, however small. Compare exactly, and put no ε under the division.",
        (_overlooks, *_each(lambda said, t, f: (said - f) / (t - f + 1e-6))),
        ("hardly",),
        fails=True,
    ),
    Mistake(
        "no_gradient",
        "The value is right, but its gradient in the margins is not: somewhere a tensor was detached or rebuilt from "
        "numbers.",
        (
            lambda margins, records, rates: corrected_loss(margins.detach(), records, rates),
            lambda margins, records, rates: torch.tensor(
                corrected_loss(margins, records, rates).item()
            ),
        ),
        ("gradient",),
        fails=True,
    ),
    Mistake(
        "no_refusal",
        "Something damaged goes through: an answer other than 0 and 1, a pair or annotator that does not exist (a "
        "negative index counts from the end), a rate outside 0 to 1 or NaN, or records of which no answer has any "
        "weight. Raise ValueError for each.",
        (_takes_anything, _repairs),
        ("refuses",),
        fails=True,
    ),
)

# ---- 5c ------------------------------------------------------------------------------------


def _with(side: str, **changes) -> Callable:
    def changed() -> dict:
        answer = crowd_examples()
        answer[side] = {**answer[side], **changes}
        return answer

    return changed


def _exchanged() -> dict:
    answer = crowd_examples()
    return {"safe": answer["unsafe"], "unsafe": answer["safe"]}


MISTAKES_5C = (
    Mistake(
        "exchanged",
        "under each other's name",
        (
            _exchanged,
            lambda: {
                "safe": {"share": [0.6, 0.4], "right": [1.0, 0.42]},
                "unsafe": {"share": [0.5, 0.5], "right": [0.62, 0.74]},
            },
        ),
        ("safe", "unsafe_falls"),
    ),
    Mistake(
        "too_even",
        "No pile of pairs is that even",
        (_with("safe", right=[0.68, 0.68]), _with("safe", right=[0.65, 0.72])),
        ("safe",),
    ),
    Mistake(
        "too_good",
        "surprises nobody",
        (_with("safe", right=[0.7, 0.85]), _with("safe", right=[0.95, 0.62])),
        ("safe",),
    ),
    Mistake(
        "not_enough",
        "Most of what is missing is lost on kind",
        (_with("safe", right=[0.52, 0.85]), _with("safe", right=[0.6, 0.7])),
        ("safe",),
    ),
    Mistake(
        "nobody_below_half",
        "there more answers can only help",
        (_with("unsafe", right=[0.99, 0.5]), _with("unsafe", right=[0.95, 0.55])),
        ("unsafe_falls",),
    ),
    Mistake(
        "others_gain",
        "on which pairs is there nothing to gain",
        (_with("unsafe", right=[0.75, 0.4]), _with("unsafe", right=[0.7, 0.45])),
        ("unsafe_falls",),
    ),
    Mistake(
        "falls_little",
        "Make the losing kind commoner",
        (_with("unsafe", share=[0.9, 0.1]), _with("unsafe", right=[0.95, 0.42])),
        ("unsafe_falls",),
    ),
    Mistake(
        "seen",
        "the two numbers on every dashboard",
        (
            _with("unsafe", share=[0.3, 0.7]),
            _with("unsafe", share=[0.45, 0.55], right=[0.95, 0.42]),
        ),
        ("unsafe_unseen",),
    ),
)

# ---- 5d ------------------------------------------------------------------------------------

UPSIDE_DOWN = "Your score separates the crews, but upside down: larger must mean errors of a rule."


def _both_signs(*metrics: Callable) -> tuple[Callable, ...]:
    return tuple(
        way for metric in metrics for way in (metric, lambda run, metric=metric: -metric(run))
    )


def _worst_annotator(run) -> float:
    wrong, who = run["gold_first"] != run["gold_said_first"], run["gold_annotator"]
    return float((np.bincount(who, weights=wrong) / np.bincount(who)).max())


def _leaning(run) -> float:
    return float(abs(run["said_first"].mean() - 0.5))


def _says_first(run) -> float:
    return float(run["said_first"].mean())


def _says_first_beyond_gold(run) -> float:
    return float(abs(run["said_first"].mean() - run["gold_said_first"].mean()))


def _against_majority(run) -> float:
    said = hidden_runs.by_pair(run, "said_first")
    return float((said != (said.sum(1) > 1)[:, None]).mean())


def _gold_error_beyond_that(run) -> float:
    return hidden_runs.gold_error(run) - _against_majority(run)


def _relative_to(beyond: Callable) -> Callable:
    """Agreement over what is explained."""

    def score(run) -> float:
        agreement = hidden_runs.agreement(run)
        return agreement / (agreement - beyond(run))

    return score


def _alike_in_teams(run) -> float:
    """Correlation of the gold error rates of people who work together."""
    wrong, who = run["gold_first"] != run["gold_said_first"], run["gold_annotator"]
    e = np.bincount(who, weights=wrong) / np.bincount(who)
    together = hidden_runs.by_pair(run, "annotator")
    return float(np.corrcoef(e[together[:, 0]], e[together[:, 1]])[0, 1])


MISTAKES_5D = (
    Mistake(
        "gold_error",
        "Your score is how often gold tasks were answered wrong. Twins err equally often; *where* they err is what "
        "differs.",
        _both_signs(hidden_runs.gold_error),
        ("separates",),
    ),
    Mistake(
        "people",
        "You measure how much annotators differ from each other, or lean to a side. That is a property of people, "
        "and twins have the same people: does an error go with the person, or with the pair?",
        _both_signs(
            hidden_runs.spread,
            _worst_annotator,
            _leaning,
            _says_first,
            _says_first_beyond_gold,
            _alike_in_teams,
        ),
        ("separates",),
    ),
    Mistake(
        "agreement",
        "Your score is agreement, in one form or another. A rule makes people agree more, but so do fewer errors, "
        "and how many there are differs from crew to crew: with what would this crew agree by itself?",
        _both_signs(hidden_runs.agreement, hidden_runs.unanimous, hidden_runs.alpha),
        ("separates",),
    ),
    Mistake(
        "against_accuracy",
        "You set agreement against the share of right gold tasks as it is. People agree where both are right and where "
        "both err: work out first how often that happens by chance.",
        _both_signs(
            *(
                lambda run, how=how, agree=agree: how(agree(run), hidden_runs.gold_error(run))
                for agree in (hidden_runs.agreement, hidden_runs.unanimous)
                for how in (
                    lambda agree, wrong: agree - (1 - wrong),
                    lambda agree, wrong: agree - wrong,
                    lambda agree, wrong: agree * wrong,
                    lambda agree, wrong: agree / (1 - wrong),
                    lambda agree, wrong: agree - (1 - wrong) ** 2,
                    lambda agree, wrong: agree - (1 - wrong) ** 3,
                )
            )
        ),
        ("separates",),
    ),
    Mistake(
        "against_majority",
        "You take the majority of three for the truth. Where people err together it errs with them, and how often "
        "they are outvoted depends on how often they err: what would these three do by chance?",
        _both_signs(_gold_error_beyond_that),
        ("separates",),
    ),
    Mistake(
        "one_rate",
        "You compare agreement with what one error rate explains, the same for everybody or the same on both sides. "
        "Two people who both lean to the first reply agree more than their error rates say, and like work with like "
        "in some teams: take each annotator's own two rates.",
        _both_signs(
            hidden_runs.beyond_one_rate,
            hidden_runs.beyond_own_rate,
            hidden_runs.beyond_two_rates,
            *(
                _relative_to(beyond)
                for beyond in (hidden_runs.beyond_one_rate, hidden_runs.beyond_own_rate)
            ),
        ),
        ("separates",),
    ),
)

BLIND_5D = [
    {
        "names": ["pair", "annotator", "said_first"],
        "message": "Your score sees the gold tasks only. Nobody saw another's: they cannot say whether two people err "
        "on the same pair.",
    },
    {
        "names": ["gold_annotator", "gold_first", "gold_said_first"],
        "message": "The gold tasks do not enter your score. How often people agree means something only beside how "
        "often they err.",
    },
]

MISTAKES = {"5a": MISTAKES_5A, "5b": MISTAKES_5B, "5c": MISTAKES_5C, "5d": MISTAKES_5D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "5b": 18
}
