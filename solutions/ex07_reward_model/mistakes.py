"""Exercise 7, reward model: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from solutions.ex07_reward_model import hidden_runs
from solutions.ex07_reward_model.answers import (
    averaged_loss,
    centre_prompts,
    cross_entropy,
    kl_terms,
    label_entropy,
    margins,
    mean_by,
    pair_table,
    prompts_alike,
    refuse_pairs,
    slice_examples,
    turned_table,
)
from solutions.freeze import Mistake

# ---- 7a ------------------------------------------------------------------------------------


def _checked(table: Callable) -> Callable:
    """An answer that differs in the table only; table: (rewards, first, second, grades) → rows."""

    def answer(rewards, prompts, first, second, grades):
        refuse_pairs(prompts, first, second)
        return table(rewards, first, second, grades)

    return answer


def _crediting(credit_of: Callable) -> Callable:
    """An answer that differs in what a grade is worth."""
    return _checked(lambda r, f, s, g: turned_table(r, f, s, credit_of(g.to(r.dtype))))


def _column(place: int, change: Callable) -> Callable:
    """An answer that differs in one column; change: rows (C, 5) → (C,)."""

    def table(rewards, first, second, grades):
        rows = turned_table(rewards, first, second, (grades + 2) / 4)
        return torch.cat([rows[:, :place], change(rows)[:, None], rows[:, place + 1 :]], 1)

    return _checked(table)


def _hard(grades):
    return (grades.sign() + 1) / 2


def _one_row_each(rewards, first, second, grades):
    """Comparisons one by one, turned to i < j, none of them merged."""
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    label = torch.where(first < second, grades + 2, 2 - grades).to(rewards.dtype) / 4
    columns = [low, high, rewards[low] - rewards[high], label, torch.ones_like(label)]
    return torch.stack([column.to(rewards.dtype) for column in columns], 1)


def _as_shown(rewards, first, second, grades):
    """Merged only where the order on the screen was the same."""
    found = {}
    for i, j, grade in zip(first.tolist(), second.tolist(), grades.tolist()):
        found.setdefault((i, j), []).append((grade + 2) / 4)
    rows = [
        (i, j, (rewards[i] - rewards[j]).item(), sum(c) / len(c), len(c))
        for (i, j), c in found.items()
    ]
    return torch.tensor(rows, dtype=rewards.dtype)


def _winner_first(rewards, first, second, grades):
    rows = turned_table(rewards, first, second, (grades + 2) / 4)
    turn = rows[:, 3] < 0.5
    turned = torch.stack([rows[:, 1], rows[:, 0], -rows[:, 2], 1 - rows[:, 3], rows[:, 4]], 1)
    return torch.where(turn[:, None], turned, rows)


def _winner_first_each(ties: Callable) -> Callable:
    """Every comparison as (winner, loser), merged where these are the same; ties: (first, second) → which is first."""

    def table(rewards, first, second, grades):
        found = {}
        for f, s, grade in zip(first.tolist(), second.tolist(), grades.tolist()):
            place = (f, s) if grade > 0 else (s, f) if grade < 0 else ties(f, s)
            found.setdefault(place, []).append((abs(grade) + 2) / 4)
        rows = [
            (i, j, (rewards[i] - rewards[j]).item(), _mean(labels), len(labels))
            for (i, j), labels in found.items()
        ]
        return torch.tensor(rows, dtype=rewards.dtype)

    return _checked(table)


def _label_not_turned(rewards, first, second, grades):
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    return turned_table(rewards, low, high, (grades + 2) / 4)


def _without_ties(rewards, first, second, grades):
    decided = grades != 0
    return turned_table(rewards, first[decided], second[decided], (grades[decided] + 2) / 4)


def _strangers_kept(rewards, prompts, first, second, grades):
    if (first == second).any():
        raise ValueError("the same response twice")
    return turned_table(rewards, first, second, (grades + 2) / 4)


def _strangers_dropped(rewards, prompts, first, second, grades):
    if (first == second).any():
        raise ValueError("the same response twice")
    same = prompts[first] == prompts[second]
    return turned_table(rewards, first[same], second[same], (grades[same] + 2) / 4)


def _itself_kept(rewards, prompts, first, second, grades):
    if (prompts[first] != prompts[second]).any():
        raise ValueError("two prompts")
    return turned_table(rewards, first, second, (grades + 2) / 4)


def _itself_dropped(rewards, prompts, first, second, grades):
    if (prompts[first] != prompts[second]).any():
        raise ValueError("two prompts")
    apart = first != second
    return turned_table(rewards, first[apart], second[apart], (grades[apart] + 2) / 4)


def _nothing_is_an_error(rewards, prompts, first, second, grades):
    if len(first) == 0:
        raise ValueError("no comparisons")
    return pair_table(rewards, prompts, first, second, grades)


def _of_each_pair(reduce: Callable, counts: Callable = len) -> Callable:
    """An answer that makes another label, or another count, of a pair's labels in order: list → number."""

    def table(rewards, first, second, grades):
        found = {}
        for i, j, grade in zip(first.tolist(), second.tolist(), grades.tolist()):
            credit = (grade + 2) / 4 if i < j else (2 - grade) / 4
            found.setdefault((min(i, j), max(i, j)), []).append(credit)
        rows = [
            (i, j, (rewards[i] - rewards[j]).item(), reduce(labels), counts(labels))
            for (i, j), labels in found.items()
        ]
        return torch.tensor(rows, dtype=rewards.dtype)

    return _checked(table)


def _mean(labels: list[float]) -> float:
    return sum(labels) / len(labels)


def _in_columns(*order: int) -> Callable:
    """The right rows, their columns in another order."""
    return _checked(lambda r, f, s, g: turned_table(r, f, s, (g + 2) / 4)[:, list(order)])


def _turned_rows(rewards, first, second, grades):
    rows = turned_table(rewards, first, second, (grades + 2) / 4)
    return torch.stack([rows[:, 1], rows[:, 0], -rows[:, 2], 1 - rows[:, 3], rows[:, 4]], 1)


def _for_the_larger(rewards, first, second, grades):
    rows = turned_table(rewards, first, second, (grades + 2) / 4)
    return torch.stack([rows[:, 0], rows[:, 1], -rows[:, 2], 1 - rows[:, 3], rows[:, 4]], 1)


_VALUES_7A = ("one", "grades", "repeated")

MISTAKES_7A = (
    Mistake(
        "winner_first",
        "Your rows put the preferred response first, so that no label is below one half. A forecaster who always says "
        "1 then looks good. Which response comes first must not depend on who won: here, the smaller number.",
        (
            _checked(_winner_first),
            _winner_first_each(lambda first, second: (first, second)),
            _winner_first_each(lambda first, second: (min(first, second), max(first, second))),
            _winner_first_each(lambda first, second: (second, first)),
        ),
        _VALUES_7A,
    ),
    Mistake(
        "label_not_turned",
        "Your margins are those of i over j, but your labels are still about the response that was *shown* first. "
        "Where the order is turned, the label turns with it: q becomes 1 − q.",
        (_checked(_label_not_turned),),
        ("grades", "repeated"),
    ),
    Mistake(
        "as_shown",
        "Your rows follow the order on the screen, so one pair can have two rows, (i, j) and (j, i). It is one pair, "
        "seen from two sides: write the smaller number first, and merge.",
        (_checked(_as_shown),),
        ("repeated",),
    ),
    Mistake(
        "one_row_each",
        "Your table has one row per comparison. Comparisons of the same two responses belong in one row: its label is "
        "their mean, its count says how many they were.",
        (_checked(_one_row_each),),
        ("repeated",),
    ),
    Mistake(
        "grades_lost",
        "Your labels know who won, not by how much: ‘slightly’ counts as ‘clearly’. It is worth three quarters.",
        (
            _crediting(_hard),
            _crediting(lambda grades: (grades > 0).to(grades.dtype)),
            _crediting(lambda grades: (grades >= 0).to(grades.dtype)),
            _of_each_pair(lambda labels: _mean([float(q > 0.5) for q in labels])),
            _of_each_pair(lambda labels: _mean([float(q >= 0.5) for q in labels])),
        ),
        ("grades", "repeated"),
    ),
    Mistake(
        "grades_not_labels",
        "Your labels are mean grades (or fractions of one), from −2 to 2 or −1 to 1. A label is a probability: 0 where "
        "the second is clearly better, ½ for a tie, 1 where the first is.",
        (
            _column(3, lambda rows: 4 * rows[:, 3] - 2),
            _column(3, lambda rows: 2 * rows[:, 3] - 1),
            _column(3, lambda rows: 2 * rows[:, 3]),
            _column(3, lambda rows: 4 * rows[:, 3]),
            _crediting(lambda grades: grades),
            _crediting(lambda grades: grades / 2),
        ),
        _VALUES_7A,
    ),
    Mistake(
        "another_scale",
        "Your labels give ‘slightly better’ another worth. It is ¾ for the better response and ¼ for the other.",
        (
            _crediting(lambda g: 0.5 + g.sign() * torch.where(g.abs() == 2, 1 / 2, 1 / 6)),
            _crediting(lambda g: 0.5 + g.sign() * torch.where(g.abs() == 2, 1 / 2, 1 / 10)),
            _crediting(lambda g: 0.5 + g.sign() * torch.where(g.abs() == 2, 1 / 2, 2 / 5)),
        ),
        ("grades", "repeated"),
    ),
    Mistake(
        "one_of_several",
        "Of a pair that was compared several times one verdict reaches your table, the first, the last or the middle "
        "one. The label is the mean over all of them.",
        (
            _of_each_pair(lambda labels: labels[0]),
            _of_each_pair(lambda labels: labels[-1]),
            _of_each_pair(lambda labels: float(np.median(labels))),
            _of_each_pair(lambda labels: labels[0], lambda labels: 1),
            _of_each_pair(lambda labels: labels[-1], lambda labels: 1),
        ),
        ("repeated",),
    ),
    Mistake(
        "count",
        "Your last column is something else than the number of the pair's comparisons: how often it was seen, ties "
        "and lost comparisons included.",
        (
            _of_each_pair(_mean, lambda labels: 1),
            _of_each_pair(_mean, lambda labels: sum(q > 0.5 for q in labels)),
            _of_each_pair(_mean, lambda labels: sum(q != 0.5 for q in labels)),
            _of_each_pair(_mean, sum),
        ),
        _VALUES_7A,
    ),
    Mistake(
        "columns",
        "Your columns come in another order: i, j, margin, label, count.",
        (
            _in_columns(0, 1, 2, 4, 3),
            _in_columns(0, 1, 3, 2, 4),
            _in_columns(0, 1, 3, 4, 2),
            _in_columns(0, 1, 4, 2, 3),
            _in_columns(0, 1, 4, 3, 2),
        ),
        _VALUES_7A,
    ),
    Mistake(
        "larger_first",
        "Your rows speak of the response with the *larger* number: margin and label are those of i, the smaller one.",
        (_checked(_turned_rows), _checked(_for_the_larger)),
        _VALUES_7A,
    ),
    Mistake(
        "no_sign",
        "Your margins have lost their sign. Below 0 the model prefers j, and a label below one half says that people "
        "do too.",
        (
            _column(2, lambda rows: rows[:, 2].abs()),
            _column(2, lambda rows: rows[:, 2].square().sqrt()),
        ),
        _VALUES_7A,
    ),
    Mistake(
        "labels_of_j",
        "Your labels are those of j, while your margins are r_i − r_j. Both have to speak about i.",
        (_column(3, lambda rows: 1 - rows[:, 3]), _crediting(lambda grades: (2 - grades) / 4)),
        _VALUES_7A,
    ),
    Mistake(
        "majority",
        "Your labels are the majority's verdict. Of four people three is not four: the mean keeps that, and a loss can "
        "use it.",
        (_column(3, lambda rows: ((rows[:, 3] - 0.5).sign() + 1) / 2),),
        ("grades", "repeated"),
    ),
    Mistake(
        "ties_dropped",
        "Your table leaves ties out. ‘They are equally good’ is an answer, and a label of ½ keeps it: without it, the "
        "reward model is free to rank the two as far apart as it likes.",
        (_checked(_without_ties),),
        ("grades",),
    ),
    Mistake(
        "ties_lost",
        "You count a tie as a win of one side. It is worth one half to each.",
        (
            _crediting(lambda g: torch.where(g == 0, 0.0, (g + 2) / 4)),
            _crediting(lambda g: torch.where(g == 0, 1.0, (g + 2) / 4)),
        ),
        ("grades",),
    ),
    Mistake(
        "forecast",
        "Your third column is σ(margin), the forecast. The margin itself is asked for: a forecast of 1.0 has forgotten "
        "whether the margin was 20 or 200.",
        (_column(2, lambda rows: rows[:, 2].sigmoid()),),
        _VALUES_7A,
    ),
    Mistake(
        "second_over_first",
        "Your margins are r_j − r_i, while your labels are those of i. Both have to speak about the same response.",
        (_column(2, lambda rows: -rows[:, 2]),),
        _VALUES_7A,
    ),
    Mistake(
        "sums",
        "Your labels grow with the number of comparisons: divide by the count.",
        (_column(3, lambda rows: rows[:, 3] * rows[:, 4]),),
        ("repeated",),
    ),
    Mistake(
        "strangers",
        "A comparison of responses to two different prompts goes through, or is left out unnoticed. Its margin "
        "contains the difference of two free constants: any value would do. Raise ValueError.",
        (_strangers_kept, _strangers_dropped),
        ("across",),
        fails=True,
    ),
    Mistake(
        "itself",
        "A response compared with itself goes through, or is left out unnoticed. Its margin is 0 whatever the reward "
        "model says; such a record is a mistake upstream. Raise ValueError.",
        (_itself_kept, _itself_dropped),
        ("itself",),
        fails=True,
    ),
    Mistake(
        "nothing_is_an_error",
        "Nothing was compared: that is a table without rows, not an error.",
        (_nothing_is_an_error,),
        ("nothing",),
        fails=True,
    ),
)

# ---- 7b ------------------------------------------------------------------------------------


def _pairs_alike(values, place, counts):
    return (counts * values).sum() / counts.sum()


def _counts_ignored(values, place, counts):
    return prompts_alike(values, place, torch.ones_like(counts))


def _plain_mean(values, place, counts):
    return values.mean()


def _sum_in_prompt(values, place, counts):
    return (counts * values).sum() / (place.max() + 1)


def _sum_over_prompts(values, place, counts):
    return mean_by(place, values, counts).sum()


def _pair_midpoints(rewards, prompts, pairs, place, counts):
    return prompts_alike((rewards[pairs[:, 0]] + rewards[pairs[:, 1]]).square(), place, counts)


def _squared_sums(rewards, prompts, *_):
    return (
        torch.zeros(int(prompts.max()) + 1, dtype=rewards.dtype)
        .index_add(0, prompts, rewards)
        .square()
        .mean()
    )


def _centre_of(values_of: Callable, of_prompt: Callable = torch.square) -> Callable:
    """Another centring term: mean over prompts of the squared mean of some rewards.

    values_of: (rewards, pairs of one prompt (C, 2), counts (C,), responses of the prompt) → a scalar.
    """

    def centre(rewards, prompts, pairs, place, counts):
        terms = []
        for p in range(int(prompts.max()) + 1):
            mine = place == p
            value = values_of(rewards, pairs[mine], counts[mine], (prompts == p).nonzero()[:, 0])
            terms.append(of_prompt(value))
        return torch.stack(terms).mean()

    return centre


def _weighted_ends(rewards, pairs, counts, responses):
    return (counts[:, None] * rewards[pairs]).sum() / (2 * counts.sum())


def _whole_mean(rewards, pairs, counts, responses):
    return rewards[responses].mean()


def _by_size(rewards, prompts, *_):
    """Each response counts alike, so larger prompts weigh more."""
    return mean_by(prompts, rewards, torch.ones_like(rewards))[prompts].square().mean()


def _by_comparisons(rewards, prompts, pairs, place, counts):
    squares = mean_by(prompts, rewards, torch.ones_like(rewards)).square()
    return (counts * squares[place]).sum() / counts.sum()


def _as_if_sorted(rewards, prompts, *_):
    """Takes the responses of one prompt to stand together."""
    blocks = rewards.split(torch.bincount(prompts).tolist())
    return torch.stack([block.mean().square() for block in blocks]).mean()


def _runs_of_responses(rewards, prompts, *_):
    sizes = torch.unique_consecutive(prompts, return_counts=True)[1].tolist()
    return torch.stack([block.mean().square() for block in rewards.split(sizes)]).mean()


def _rows_as_if_sorted(values, place, counts):
    """Takes the rows of one prompt to stand together."""
    sizes = torch.bincount(place).tolist()
    both = zip(values.split(sizes), counts.split(sizes))
    return torch.stack([(n * v).sum() / n.sum() for v, n in both]).mean()


def _runs_of_rows(values, place, counts):
    sizes = torch.unique_consecutive(place, return_counts=True)[1].tolist()
    both = zip(values.split(sizes), counts.split(sizes))
    return torch.stack([(n * v).sum() / n.sum() for v, n in both]).mean()


def _over_pairs(values, place, counts):
    """A prompt's sum over comparisons, divided by its number of pairs."""
    one = torch.ones_like(counts)
    return (mean_by(place, counts * values, one)).mean()


def _sum_of_pairs(values, place, counts):
    return mean_by(place, values, torch.ones_like(counts)).sum()


def _reverse_kl(margin, label):
    p = margin.sigmoid()
    return p * (logsigmoid(margin) - label.log()) + (1 - p) * (
        logsigmoid(-margin) - (1 - label).log()
    )


def _averaged_again(change: Callable) -> Callable:
    """The right loss of another ``centring``."""
    right = averaged_loss()
    return lambda r, prompts, pairs, labels, counts, centring: right(
        r, prompts, pairs, labels, counts, change(centring, prompts)
    )


def _naive_log_sigmoid(margin, label):
    return (
        -label * margin.sigmoid().log()
        - (1 - label) * (-margin).sigmoid().log()
        - label_entropy(label)
    )


def _naive_softplus(margin, label):
    return (
        label * (1 + (-margin).exp()).log()
        + (1 - label) * (1 + margin.exp()).log()
        - label_entropy(label)
    )


def _log_of_zero(margin, label):
    return cross_entropy(margin, label) + label * label.log() + (1 - label) * (1 - label).log()


_VALUES_7B = ("one", "several", "prompts", "centring")

_AVERAGES_7B = ("several", "prompts")

_BESIDE_THE_FLOOR = (  # what else is wrong with a loss that is a cross-entropy, and how
    ("every comparison counts alike, whatever its prompt", {"average": _pairs_alike}),
    ("the counts are not used", {"average": _counts_ignored}),
    ("every pair counts alike, whatever its prompt and its count", {"average": _plain_mean}),
    ("a prompt's comparisons are added up", {"average": _sum_in_prompt}),
    ("the centring term is missing", {"centre": lambda r, *_: 0 * r.sum()}),
    ("each reward is centred, not their mean", {"centre": lambda r, *_: r.square().mean()}),
    ("the centring term is on pairs", {"centre": lambda *given: _pair_midpoints(*given) / 4}),
)


def _two_slips() -> tuple[Mistake, ...]:
    """The cross-entropy with another mistake, which it would hide; written in two ways."""
    either = cross_entropy, lambda m, q: kl_terms(m, q) + label_entropy(q)
    return tuple(
        Mistake(
            f"floor_and_{number}",
            f"Two slips at once: your loss is the cross-entropy, whose floor is the labels' entropy; and {what}.",
            tuple(averaged_loss(of_pair, **slip) for of_pair in either),
            ("several", "prompts", "centring"),
        )
        for number, (what, slip) in enumerate(_BESIDE_THE_FLOOR)
    )


MISTAKES_7B = (
    Mistake(
        "floor",
        "Your loss is the cross-entropy. Its gradient is right, but it does not reach 0: what is left when the "
        "forecasts equal the labels is the labels' own entropy. Subtract it.",
        (averaged_loss(cross_entropy),),
        _VALUES_7B,
    ),
    Mistake(
        "hard_labels",
        "Your loss uses who won, not the label: 0.6 counts like 1. A label of 0.6 asks for a margin of 0.41, a label "
        "of 1 for more and more.",
        (
            averaged_loss(lambda m, q: cross_entropy(m, (q > 0.5).to(q.dtype))),
            averaged_loss(lambda m, q: cross_entropy(m, (q >= 0.5).to(q.dtype))),
            averaged_loss(lambda m, q: cross_entropy(m, (q > 0.5).to(q.dtype)) - label_entropy(q)),
            averaged_loss(lambda m, q: cross_entropy(m, (q >= 0.5).to(q.dtype)) - label_entropy(q)),
        ),
        ("one", "several"),
    ),
    Mistake(
        "label_ignored",
        "Your loss takes the first response of every pair for the winner. In this table the order says nothing about "
        "who won; the label does.",
        (
            averaged_loss(lambda m, q: -logsigmoid(m)),
            averaged_loss(lambda m, q: -logsigmoid(m) - label_entropy(q)),
        ),
        ("one", "several"),
    ),
    Mistake(
        "turned",
        "Your margins are those of the second response over the first, or your labels stand for the second.",
        (averaged_loss(lambda m, q: kl_terms(-m, q)),),
        ("one", "several"),
    ),
    Mistake(
        "squared",
        "Your loss of a pair is a difference of forecast and label, squared or not. Its gradient dies where the "
        "forecast is far off and sure; asked is the likelihood's.",
        (
            averaged_loss(lambda m, q: (m.sigmoid() - q).square()),
            averaged_loss(lambda m, q: 2 * (m.sigmoid() - q).square()),
            averaged_loss(lambda m, q: (m.sigmoid() - q).abs()),
        ),
        ("one", "several"),
    ),
    Mistake(
        "other_kl",
        "Your KL is the other one, KL(forecast ‖ label). Asked is KL(label ‖ forecast): the mean under the *labels* of "
        "how much less likely the forecast makes them.",
        (
            averaged_loss(_reverse_kl),
            averaged_loss(
                lambda m, q: cross_entropy(torch.logit(q), m.sigmoid()) - label_entropy(m.sigmoid())
            ),
        ),
        ("one", "several"),
    ),
    Mistake(
        "one_half",
        "Your KL leaves out one of the two outcomes: beside the label's own there is 1 − label.",
        (
            averaged_loss(lambda m, q: q * (q.log() - logsigmoid(m))),
            averaged_loss(lambda m, q: torch.xlogy(q, q) - q * logsigmoid(m)),
            averaged_loss(lambda m, q: -q * logsigmoid(m)),
        ),
        ("one", "several"),
    ),
    Mistake(
        "bits",
        "Your KL is in bits. Logarithms are natural here, as in the loss of 3.1.",
        (
            averaged_loss(lambda m, q: kl_terms(m, q) / np.log(2)),
            averaged_loss(lambda m, q: kl_terms(m, q) * 1.4426950408889634),
        ),
        ("one", "several"),
    ),
    Mistake(
        "pairs_alike",
        "Your average counts every comparison alike, so a prompt with six pairs weighs six times as much as one with a "
        "single pair, although those six share four responses. Average within each prompt first.",
        (averaged_loss(average=_pairs_alike),),
        ("prompts",),
    ),
    Mistake(
        "counts_ignored",
        "Your averages do not use the counts: within a prompt, a pair that nine people compared has to weigh nine "
        "times as much as one that a single person saw.",
        (averaged_loss(average=_counts_ignored), averaged_loss(average=_plain_mean)),
        ("several",),
    ),
    Mistake(
        "sum_in_prompt",
        "Your loss adds up a prompt's comparisons. Divide by how many they are, or the prompts that were compared most "
        "decide alone.",
        (averaged_loss(average=_sum_in_prompt),),
        _AVERAGES_7B,
    ),
    Mistake(
        "sum_over_prompts",
        "Your loss adds up the prompts; the question asks for their mean.",
        (averaged_loss(average=_sum_over_prompts),),
        ("prompts",),
    ),
    Mistake(
        "over_pairs",
        "Within a prompt you add up its comparisons and divide by its *pairs*. A pair with count n is n comparisons: "
        "divide by all of these.",
        (
            averaged_loss(average=_over_pairs),
            averaged_loss(average=lambda v, p, n: _plain_mean(n * v, p, n)),
        ),
        ("several", "prompts"),
    ),
    Mistake(
        "sorted_rows",
        "Your averages take the rows of one prompt, or its responses, to stand next to each other. They may come in "
        "any order: whose they are, `prompts` says.",
        (
            averaged_loss(average=_rows_as_if_sorted),
            averaged_loss(average=_runs_of_rows),
            averaged_loss(centre=_as_if_sorted),
            averaged_loss(centre=_runs_of_responses),
            averaged_loss(average=_rows_as_if_sorted, centre=_as_if_sorted),
            averaged_loss(average=_runs_of_rows, centre=_runs_of_responses),
        ),
        ("prompts", "centring"),
    ),
    Mistake(
        "centring_missing",
        "Your loss has no centring term: a constant added to all rewards of a prompt still costs nothing.",
        (
            averaged_loss(centre=lambda r, *_: 0 * r.sum()),
            lambda *given: averaged_loss()(*given[:-1], 0.0),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_ends",
        "Your centring term averages over the *ends of pairs*: a response in three pairs counts three times, or as "
        "often as it was compared. Every response of the prompt counts once.",
        (
            averaged_loss(centre=_centre_of(lambda r, pairs, counts, mine: r[pairs].mean())),
            averaged_loss(centre=_centre_of(_weighted_ends)),
            averaged_loss(centre=_centre_of(lambda r, pairs, counts, mine: r[pairs[:, 0]].mean())),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_compared",
        "Your centring term leaves out responses that are in no pair. They answer the prompt like the others, and "
        "their rewards share its free constant.",
        (
            averaged_loss(centre=_centre_of(lambda r, pairs, *_: r[pairs.unique()].mean())),
            averaged_loss(
                centre=_centre_of(
                    lambda r, pairs, *_: torch.stack(
                        [r[k] for k in {*pairs.flatten().tolist()}]
                    ).mean()
                )
            ),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_no_square",
        "Your centring term is the mean reward itself, or its size: square it. Without the square its gradient pulls "
        "as hard at 0.1 as at 10, or rewards below 0 are paid for.",
        (
            averaged_loss(centre=_centre_of(_whole_mean, lambda mean: mean)),
            averaged_loss(centre=_centre_of(_whole_mean, torch.abs)),
            averaged_loss(centre=lambda r, *_: r.mean()),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_weighted",
        "Your centring term does not count every prompt alike: it weighs them by their responses or comparisons.",
        (averaged_loss(centre=_by_size), averaged_loss(centre=_by_comparisons)),
        ("centring",),
    ),
    Mistake(
        "centre_factor",
        "Your centring term is off by a factor. It is `centring` times the mean over prompts of the squared mean "
        "reward: no half, no sum over prompts, no square of `centring`.",
        (
            _averaged_again(lambda c, prompts: c / 2),
            _averaged_again(lambda c, prompts: c * c),
            _averaged_again(lambda c, prompts: c * (int(prompts.max()) + 1)),
            _averaged_again(lambda c, prompts: c / (int(prompts.max()) + 1)),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_spread",
        "Your centring term is a spread: it pulls the rewards of a prompt together and leaves their mean where it is. "
        "Asked is the square of the mean.",
        (
            averaged_loss(
                centre=_centre_of(
                    lambda r, pairs, c, mine: r[mine].var(unbiased=False), lambda x: x
                )
            ),
            averaged_loss(centre=_centre_of(lambda r, pairs, c, mine: r[mine].var(), lambda x: x)),
            averaged_loss(centre=lambda r, p, pairs, place, n: margins(r, pairs).square().mean()),
        ),
        ("centring",),
    ),
    Mistake(
        "detached",
        "The value is right, but its gradient is not: part of it never reaches the rewards. No `detach()`, no "
        "`.item()`, no `torch.tensor(...)` on the way.",
        (
            averaged_loss(centre=lambda *given: centre_prompts(*given).detach()),
            averaged_loss(lambda m, q: kl_terms(m, q).detach()),
        ),
        ("gradient",),
        fails=True,
    ),
    Mistake(
        "centre_each",
        "Your centring term penalises each reward, not the prompt's mean. It then pulls the rewards of a prompt "
        "together as well, and with them every margin.",
        (
            averaged_loss(
                centre=lambda r, prompts, *_: mean_by(
                    prompts, r.square(), torch.ones_like(r)
                ).mean()
            ),
            averaged_loss(centre=lambda r, *_: r.square().mean()),
            averaged_loss(centre=lambda r, p, *_: r.square().sum() / (int(p.max()) + 1)),
            averaged_loss(centre=lambda r, *_: r.square().sum()),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_pairs",
        "Your centring term is on the midpoints of pairs, as in section 3.2. With three responses and more they cannot "
        "all be 0 at once, so it shrinks the margins. Take the mean over the prompt's responses, then square it.",
        (
            averaged_loss(centre=_pair_midpoints),
            averaged_loss(centre=lambda *a: _pair_midpoints(*a) / 4),
            averaged_loss(
                centre=lambda r, p, pairs, *_: (r[pairs[:, 0]] + r[pairs[:, 1]]).square().mean()
            ),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_batch",
        "Your centring term squares the mean over *all* responses. One prompt may then lie at +5 and the next at −5; "
        "every prompt has a free constant of its own.",
        (
            averaged_loss(centre=lambda r, *_: r.mean().square()),
            averaged_loss(
                centre=lambda r, p, *_: mean_by(p, r, torch.ones_like(r)).mean().square()
            ),
        ),
        ("centring",),
    ),
    Mistake(
        "centre_sum",
        "Your centring term squares the *sum* of a prompt's rewards; it asks for their mean.",
        (averaged_loss(centre=_squared_sums),),
        ("centring",),
    ),
    Mistake(
        "log_of_zero",
        "Right for labels between 0 and 1, not finite at 0 and 1: their entropy is 0, since 0 · log 0 counts as 0, and "
        "the machine says NaN.",
        (averaged_loss(_log_of_zero),),
        ("certain",),
        overflows=True,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, but not finite at margins of ±10⁴: exp overflows, or σ becomes 0 before its "
        "logarithm is taken. There is a function for log σ.",
        (averaged_loss(_naive_log_sigmoid), averaged_loss(_naive_softplus)),
        ("extreme",),
        overflows=True,
    ),
    *_two_slips(),
)

# ---- 7c ------------------------------------------------------------------------------------


def _with(side: str, **slices) -> Callable:
    def changed() -> dict:
        answer = slice_examples()
        answer[side] = {**answer[side], **slices}
        return answer

    return changed


MISTAKES_7C = (
    Mistake(
        "nothing_to_repair",
        "nothing for a temperature to repair",
        (
            _with("safe", **slice_examples()["unsafe"]),
            _with("safe", ordinary=[(1.386, 640, 160)], risky=[(1.386, 160, 40)]),
        ),
        ("safe",),
    ),
    Mistake(
        "one_factor",
        "repairs only what is wrong by one factor",
        (
            _with("safe", risky=[(2.944, 180, 20)]),
            _with("safe", ordinary=[(2.944, 320, 160), (2.2, 319, 1)]),
        ),
        ("safe",),
    ),
    Mistake(
        "calibrated_everywhere",
        "on the risky slice the forecasts are too sure by",
        (
            _with("unsafe", ordinary=[(1.386, 640, 160)], risky=[(1.386, 160, 40)]),
            _with("unsafe", risky=[(1.386, 130, 70)]),
        ),
        ("unsafe_slice",),
    ),
    Mistake(
        "everyone_sees_it",
        "so anyone who looks is warned",
        (
            _with("unsafe", ordinary=[(1.386, 640, 160)]),
            _with("unsafe", ordinary=[(3.0, 688, 112)]),
        ),
        ("unsafe_unseen",),
    ),
    Mistake(
        "temperature_tells",
        "a sign that something is wrong",
        # sure forecasts that are too sure beside some that are not sure enough, in one bin of the ECE
        (
            _with(
                "unsafe",
                ordinary=[(1.386, 425, 75), (2.3, 485, 15), (6.0, 470, 30)],
                risky=[(1.386, 56, 44)],
            ),
        ),
        ("unsafe_unseen",),
    ),
    Mistake(
        "unequal",
        "Your accuracies differ",
        (_with("safe", ordinary=[(2.944, 600, 200)], risky=[(2.944, 150, 50)]),),
        ("unsafe_unseen",),
    ),
    Mistake(
        "useless",
        "nobody would deploy",
        (_with("safe", ordinary=[(2.944, 500, 300)], risky=[(2.944, 125, 75)]),),
        ("unsafe_unseen",),
    ),
)

# ---- 7d ------------------------------------------------------------------------------------

UPSIDE_DOWN = (
    "Your score separates the models, but upside down: larger must mean more likely overconfident."
)


def _in_slices(of: Callable, chosen, rejected, slices) -> np.ndarray:
    """Something of the margins of every slice that has pairs; of: margins → number."""
    margin = chosen - rejected
    return np.array([of(margin[slices == k]) for k in np.unique(slices)])


def _forecast_of_chosen(margin) -> float:
    return float(np.mean(1 / (1 + np.exp(-margin))))


def _missing_in_errors(margin) -> float:
    """What the forecasts of the chosen lack to 1, in standard errors."""
    forecast = 1 / (1 + np.exp(-margin))
    return float((1 - forecast).sum() / np.sqrt((forecast * (1 - forecast)).sum()))


def _timidity(margin) -> float:
    """Accuracy minus mean confidence."""
    return _share_right(margin) - _sure(margin)


def _timidity_in_errors(margin) -> float:
    sure = 1 / (1 + np.exp(-abs(margin)))
    return float(((margin > 0) - sure).sum() / np.sqrt((sure * (1 - sure)).sum()))


def _lost(margin) -> float:
    return float(np.logaddexp(0, -margin).mean())


def _sure(margin) -> float:
    return float(np.mean(1 / (1 + np.exp(-abs(margin)))))


def _share_right(margin) -> float:
    return float(np.mean(margin > 0))


MISTAKES_7D = (
    Mistake(
        "accuracy",
        "Your score orders the models as their accuracy does. Twins are right equally often: what differs is where "
        "they are wrong, and how sure they were.",
        (hidden_runs.accuracy, lambda *system: -hidden_runs.accuracy(*system)),
        ("separates",),
    ),
    Mistake(
        "confidence",
        "Your score orders the models by how sure they are on average, by margin or by forecast. Easy pairs deserve "
        "sure forecasts: how often is the model right where it is so sure?",
        (
            hidden_runs.mean_confidence,
            lambda chosen, rejected, slices: float(np.abs(chosen - rejected).mean()),
            lambda *system: max(_in_slices(_sure, *system)),
        ),
        ("separates",),
    ),
    Mistake(
        "loss",
        "Your score orders the models by a loss, of all pairs or of a slice. A loss is large where pairs are hard, "
        "whatever the forecasts; compare with what the model itself expects to lose.",
        (
            hidden_runs.log_loss,
            lambda *system: -hidden_runs.log_loss(*system),
            hidden_runs.largest_slice_loss,
        ),
        ("separates",),
    ),
    Mistake(
        "chosen_first",
        "Your score orders the models by the forecast, or the margin, of the response that was chosen. Stored like "
        "that, every label is 1, and the best forecaster would be one that always says 1. Turn the pairs: what did the "
        "model say of the response that it prefers, and how often did that one win?",
        (
            hidden_runs.mean_margin,
            lambda *system: -hidden_runs.mean_margin(*system),
            lambda *system: max(1 - _in_slices(_forecast_of_chosen, *system)),
            lambda *system: float(np.mean(1 - _in_slices(_forecast_of_chosen, *system))),
            lambda *system: max(_in_slices(_forecast_of_chosen, *system) - 1),
            lambda *system: max(_in_slices(_missing_in_errors, *system)),
            lambda *system: -min(_in_slices(_missing_in_errors, *system)),
        ),
        ("separates",),
    ),
    Mistake(
        "whole",
        "Your score compares forecasts with outcomes over all pairs together. There the errors of different slices "
        "cancel.",
        (hidden_runs.overall_gap, hidden_runs.overall_ece, hidden_runs.overall_temperature),
        ("separates",),
    ),
    Mistake(
        "no_direction",
        "Your score can grow when forecasts become more timid. A timid model is no danger: only confidence above what "
        "happens may raise it.",
        (
            hidden_runs.mean_slice_ece,
            hidden_runs.largest_slice_ece,
            hidden_runs.largest_absolute_gap,
            lambda *system: max(_in_slices(_timidity, *system)),
            lambda *system: max(_in_slices(_timidity_in_errors, *system)),
        ),
        ("separates",),
    ),
    Mistake(
        "ranks",
        "Your score stays the same if all margins are three times as large: it knows which response of a pair is "
        "preferred, not how sure the model is of it. Where pairs are hard a model is often wrong, and knows it.",
        (
            lambda *system: -min(_in_slices(_share_right, *system)),
            lambda *system: float(np.std(_in_slices(_share_right, *system))),
        ),
        ("separates",),
    ),
    Mistake(
        "slices_ignored",
        "Your score stays the same if pairs change their slices among them: it takes all pairs together, and there a "
        "small slice hardly counts.",
        (lambda chosen, rejected, slices: float(np.std(chosen - rejected)),),
        ("separates",),
    ),
    Mistake(
        "single_scores",
        "Your score changes if a number is added to both scores of a pair. Where these lie is arbitrary; what the "
        "model says of a pair is in the difference.",
        (
            lambda chosen, rejected, slices: float(chosen.mean()),
            lambda chosen, rejected, slices: float(np.mean(1 / (1 + np.exp(-chosen)))),
        ),
        ("separates",),
    ),
    Mistake(
        "surest_mistake",
        "Your score orders the models by their surest mistake. One pair says little, and on easy pairs a calibrated "
        "model makes sure mistakes too, once in a while.",
        (hidden_runs.surest_mistake,),
        ("separates",),
    ),
)

MISTAKES = {"7a": MISTAKES_7A, "7b": MISTAKES_7B, "7c": MISTAKES_7C, "7d": MISTAKES_7D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "7a": 13,
    "7b": 23,  # two prompts with two responses and a pair each, or more
}
