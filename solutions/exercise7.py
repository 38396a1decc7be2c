"""Exercise 7, a reward model: reference answers, and the wrong answers that the grader must recognise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from solutions import forecasters
from solutions.casework import Misconception

# ---- 7a ------------------------------------------------------------------------------------


def pair_table(
    rewards: Tensor, prompts: Tensor, first: Tensor, second: Tensor, grades: Tensor
) -> Tensor:
    """Rows (i, j, margin, label, count), i < j, of all pairs compared: (N,), (N,), (B,), (B,), (B,) → (C, 5).

    Raises ValueError for a comparison of responses to different prompts, and of a response with itself.
    """
    _refuse(prompts, first, second)
    return _table(rewards, first, second, (grades + 2) / 4)


def _refuse(prompts, first, second):
    if (prompts[first] != prompts[second]).any():
        raise ValueError("a comparison shows responses to two different prompts")
    if (first == second).any():
        raise ValueError("a comparison shows the same response twice")


def _table(rewards, first, second, credit):
    """The table from each comparison's label for the response that was shown first."""
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    credit = torch.where(first < second, credit, 1 - credit).to(rewards.dtype)
    pairs, place = torch.unique(torch.stack([low, high], 1), dim=0, return_inverse=True)
    count = torch.bincount(place, minlength=len(pairs)).to(rewards.dtype)
    label = torch.zeros_like(count).index_add(0, place, credit) / count
    i, j = pairs.T
    return torch.stack(
        [i.to(rewards.dtype), j.to(rewards.dtype), rewards[i] - rewards[j], label, count], 1
    )


def _checked(table: Callable) -> Callable:
    """An answer that differs in the table only; table: (rewards, first, second, grades) → rows."""

    def answer(rewards, prompts, first, second, grades):
        _refuse(prompts, first, second)
        return table(rewards, first, second, grades)

    return answer


def _crediting(credit_of: Callable) -> Callable:
    """An answer that differs in what a grade is worth."""
    return _checked(lambda r, f, s, g: _table(r, f, s, credit_of(g.to(r.dtype))))


def _column(place: int, change: Callable) -> Callable:
    """An answer that differs in one column; change: rows (C, 5) → (C,)."""

    def table(rewards, first, second, grades):
        rows = _table(rewards, first, second, (grades + 2) / 4)
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
    rows = _table(rewards, first, second, (grades + 2) / 4)
    turn = rows[:, 3] < 0.5
    turned = torch.stack([rows[:, 1], rows[:, 0], -rows[:, 2], 1 - rows[:, 3], rows[:, 4]], 1)
    return torch.where(turn[:, None], turned, rows)


def _label_not_turned(rewards, first, second, grades):
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    return _table(rewards, low, high, (grades + 2) / 4)


def _without_ties(rewards, first, second, grades):
    decided = grades != 0
    return _table(rewards, first[decided], second[decided], (grades[decided] + 2) / 4)


def _strangers_kept(rewards, prompts, first, second, grades):
    if (first == second).any():
        raise ValueError("the same response twice")
    return _table(rewards, first, second, (grades + 2) / 4)


def _strangers_dropped(rewards, prompts, first, second, grades):
    if (first == second).any():
        raise ValueError("the same response twice")
    same = prompts[first] == prompts[second]
    return _table(rewards, first[same], second[same], (grades[same] + 2) / 4)


def _itself_kept(rewards, prompts, first, second, grades):
    if (prompts[first] != prompts[second]).any():
        raise ValueError("two prompts")
    return _table(rewards, first, second, (grades + 2) / 4)


def _itself_dropped(rewards, prompts, first, second, grades):
    if (prompts[first] != prompts[second]).any():
        raise ValueError("two prompts")
    apart = first != second
    return _table(rewards, first[apart], second[apart], (grades[apart] + 2) / 4)


def _nothing_is_an_error(rewards, prompts, first, second, grades):
    if len(first) == 0:
        raise ValueError("no comparisons")
    return pair_table(rewards, prompts, first, second, grades)


_VALUES_7A = ("one", "grades", "repeated")
MISCONCEPTIONS_7A = (
    Misconception(
        "winner_first",
        "Your rows put the preferred response first, so that no label is below one half. A forecaster who always says "
        "1 then looks good. Which response comes first must not depend on who won: here, the smaller number.",
        (_checked(_winner_first),),
        _VALUES_7A,
    ),
    Misconception(
        "label_not_turned",
        "Your margins are those of i over j, but your labels are still about the response that was *shown* first. "
        "Where the order is turned, the label turns with it: q becomes 1 − q.",
        (_checked(_label_not_turned),),
        ("grades", "repeated"),
    ),
    Misconception(
        "as_shown",
        "Your rows follow the order on the screen, so one pair can have two rows, (i, j) and (j, i). It is one pair, "
        "seen from two sides: write the smaller number first, and merge.",
        (_checked(_as_shown),),
        ("repeated",),
    ),
    Misconception(
        "one_row_each",
        "Your table has one row per comparison. Comparisons of the same two responses belong in one row: its label is "
        "their mean, its count says how many they were.",
        (_checked(_one_row_each),),
        ("repeated",),
    ),
    Misconception(
        "grades_lost",
        "Your labels know who won, not by how much: ‘slightly’ counts as ‘clearly’. It is worth three quarters.",
        (_crediting(_hard),),
        ("grades", "repeated"),
    ),
    Misconception(
        "grades_not_labels",
        "Your labels are mean grades (or fractions of one), from −2 to 2 or −1 to 1. A label is a probability: 0 where "
        "the second is clearly better, ½ for a tie, 1 where the first is.",
        (
            _column(3, lambda rows: 4 * rows[:, 3] - 2),
            _column(3, lambda rows: 2 * rows[:, 3] - 1),
            _column(3, lambda rows: 2 * rows[:, 3]),
        ),
        _VALUES_7A,
    ),
    Misconception(
        "majority",
        "Your labels are the majority's verdict. Of four people three is not four: the mean keeps that, and a loss can "
        "use it.",
        (_column(3, lambda rows: ((rows[:, 3] - 0.5).sign() + 1) / 2),),
        ("grades", "repeated"),
    ),
    Misconception(
        "ties_dropped",
        "Your table leaves ties out. ‘They are equally good’ is an answer, and a label of ½ keeps it: without it, the "
        "reward model is free to rank the two as far apart as it likes.",
        (_checked(_without_ties),),
        ("grades",),
    ),
    Misconception(
        "ties_lost",
        "You count a tie as a win of one side. It is worth one half to each.",
        (
            _crediting(lambda g: torch.where(g == 0, 0.0, (g + 2) / 4)),
            _crediting(lambda g: torch.where(g == 0, 1.0, (g + 2) / 4)),
        ),
        ("grades",),
    ),
    Misconception(
        "forecast",
        "Your third column is σ(margin), the forecast. The margin itself is asked for: a forecast of 1.0 has forgotten "
        "whether the margin was 20 or 200.",
        (_column(2, lambda rows: rows[:, 2].sigmoid()),),
        _VALUES_7A,
    ),
    Misconception(
        "second_over_first",
        "Your margins are r_j − r_i, while your labels are those of i. Both have to speak about the same response.",
        (_column(2, lambda rows: -rows[:, 2]),),
        _VALUES_7A,
    ),
    Misconception(
        "sums",
        "Your labels grow with the number of comparisons: divide by the count.",
        (_column(3, lambda rows: rows[:, 3] * rows[:, 4]),),
        ("repeated",),
    ),
    Misconception(
        "strangers",
        "A comparison of responses to two different prompts goes through, or is left out unnoticed. Its margin "
        "contains the difference of two free constants: any value would do. Raise ValueError.",
        (_strangers_kept, _strangers_dropped),
        ("across",),
        fails=True,
    ),
    Misconception(
        "itself",
        "A response compared with itself goes through, or is left out unnoticed. Its margin is 0 whatever the reward "
        "model says; such a record is a mistake upstream. Raise ValueError.",
        (_itself_kept, _itself_dropped),
        ("itself",),
        fails=True,
    ),
    Misconception(
        "nothing_is_an_error",
        "Nothing was compared: that is a table without rows, not an error.",
        (_nothing_is_an_error,),
        ("nothing",),
        fails=True,
    ),
)


# ---- 7b ------------------------------------------------------------------------------------


def excess_loss(
    rewards: Tensor, prompts: Tensor, pairs: Tensor, labels: Tensor, counts: Tensor, centring: float
) -> Tensor:
    """Mean over prompts of KL(label‖σ(margin)), weighted by count within a prompt, + centring · (mean reward)².

    (N,), (N,), (C, 2), (C,), (C,) → scalar.
    """
    return _loss(_kl)(rewards, prompts, pairs, labels, counts, centring)


def _margins(rewards, pairs):
    return rewards[pairs[:, 0]] - rewards[pairs[:, 1]]


def _cross_entropy(margin, label):
    return -label * logsigmoid(margin) - (1 - label) * logsigmoid(-margin)


def _entropy(label):
    return -torch.xlogy(label, label) - torch.xlogy(1 - label, 1 - label)


def _kl(margin, label):
    return _cross_entropy(margin, label) - _entropy(label)


def _mean_by(place, values, weights):
    """Weighted mean of the values at each place, 0, 1, …: (P,)."""
    zeros = torch.zeros(int(place.max()) + 1, dtype=values.dtype)
    return zeros.index_add(0, place, weights * values) / zeros.index_add(0, place, weights)


def _prompts_alike(values, place, counts):
    return _mean_by(place, values, counts).mean()


def _centre_prompts(rewards, prompts, pairs, place, counts):
    return _mean_by(prompts, rewards, torch.ones_like(rewards)).square().mean()


def _loss(
    of_pair: Callable = _kl, average: Callable = _prompts_alike, centre: Callable = _centre_prompts
) -> Callable:
    """The loss with another loss of a pair, average over pairs or centring term; right unless given."""

    def loss(rewards, prompts, pairs, labels, counts, centring):
        place = prompts[pairs[:, 0]]
        losses = of_pair(_margins(rewards, pairs), labels)
        return average(losses, place, counts) + centring * centre(
            rewards, prompts, pairs, place, counts
        )

    return loss


def _pairs_alike(values, place, counts):
    return (counts * values).sum() / counts.sum()


def _counts_ignored(values, place, counts):
    return _prompts_alike(values, place, torch.ones_like(counts))


def _plain_mean(values, place, counts):
    return values.mean()


def _sum_in_prompt(values, place, counts):
    return (counts * values).sum() / (place.max() + 1)


def _sum_over_prompts(values, place, counts):
    return _mean_by(place, values, counts).sum()


def _pair_midpoints(rewards, prompts, pairs, place, counts):
    return _prompts_alike((rewards[pairs[:, 0]] + rewards[pairs[:, 1]]).square(), place, counts)


def _squared_sums(rewards, prompts, *_):
    return (
        torch.zeros(int(prompts.max()) + 1, dtype=rewards.dtype)
        .index_add(0, prompts, rewards)
        .square()
        .mean()
    )


def _naive_log_sigmoid(margin, label):
    return (
        -label * margin.sigmoid().log() - (1 - label) * (-margin).sigmoid().log() - _entropy(label)
    )


def _naive_softplus(margin, label):
    return (
        label * (1 + (-margin).exp()).log()
        + (1 - label) * (1 + margin.exp()).log()
        - _entropy(label)
    )


def _log_of_zero(margin, label):
    return _cross_entropy(margin, label) + label * label.log() + (1 - label) * (1 - label).log()


_VALUES_7B = ("one", "several", "prompts", "centring")
_AVERAGES_7B = ("several", "prompts")
MISCONCEPTIONS_7B = (
    Misconception(
        "floor",
        "Your loss is the cross-entropy. Its gradient is right, but it does not reach 0: what is left when the "
        "forecasts equal the labels is the labels' own entropy. Subtract it.",
        (_loss(_cross_entropy),),
        _VALUES_7B,
    ),
    Misconception(
        "hard_labels",
        "Your loss uses who won, not the label: 0.6 counts like 1. A label of 0.6 asks for a margin of 0.41, a label "
        "of 1 for more and more.",
        (
            _loss(lambda m, q: _cross_entropy(m, (q > 0.5).to(q.dtype))),
            _loss(lambda m, q: _cross_entropy(m, (q >= 0.5).to(q.dtype))),
            _loss(lambda m, q: _cross_entropy(m, (q > 0.5).to(q.dtype)) - _entropy(q)),
        ),
        ("one", "several"),
    ),
    Misconception(
        "label_ignored",
        "Your loss takes the first response of every pair for the winner. In this table the order says nothing about "
        "who won; the label does.",
        (_loss(lambda m, q: -logsigmoid(m)), _loss(lambda m, q: -logsigmoid(m) - _entropy(q))),
        ("one", "several"),
    ),
    Misconception(
        "turned",
        "Your margins are those of the second response over the first, or your labels stand for the second.",
        (_loss(lambda m, q: _kl(-m, q)),),
        ("one", "several"),
    ),
    Misconception(
        "squared",
        "Your loss of a pair is a squared difference of forecast and label. It is a proper score too, but its gradient "
        "dies where the forecast is far off and sure; asked is the likelihood's.",
        (_loss(lambda m, q: (m.sigmoid() - q).square()),),
        ("one", "several"),
    ),
    Misconception(
        "pairs_alike",
        "Your average counts every comparison alike, so a prompt with six pairs weighs six times as much as one with a "
        "single pair, although those six share four responses. Average within each prompt first.",
        (_loss(average=_pairs_alike),),
        ("prompts",),
    ),
    Misconception(
        "counts_ignored",
        "Your averages do not use the counts: within a prompt, a pair that nine people compared has to weigh nine "
        "times as much as one that a single person saw.",
        (_loss(average=_counts_ignored), _loss(average=_plain_mean)),
        ("several",),
    ),
    Misconception(
        "sum_in_prompt",
        "Your loss adds up a prompt's comparisons. Divide by how many they are, or the prompts that were compared most "
        "decide alone.",
        (_loss(average=_sum_in_prompt),),
        _AVERAGES_7B,
    ),
    Misconception(
        "sum_over_prompts",
        "Your loss adds up the prompts; the question asks for their mean.",
        (_loss(average=_sum_over_prompts),),
        ("prompts",),
    ),
    Misconception(
        "centring_missing",
        "Your loss has no centring term: a constant added to all rewards of a prompt still costs nothing.",
        (_loss(centre=lambda r, *_: 0 * r.sum()),),
        ("centring",),
    ),
    Misconception(
        "centre_each",
        "Your centring term penalises each reward, not the prompt's mean. It then pulls the rewards of a prompt "
        "together as well, and with them every margin.",
        (
            _loss(
                centre=lambda r, prompts, *_: _mean_by(
                    prompts, r.square(), torch.ones_like(r)
                ).mean()
            ),
            _loss(centre=lambda r, *_: r.square().mean()),
        ),
        ("centring",),
    ),
    Misconception(
        "centre_pairs",
        "Your centring term is on the midpoints of pairs, as in section 3.2. With three responses and more they cannot "
        "all be 0 at once, so it shrinks the margins. Take the mean over the prompt's responses, then square it.",
        (
            _loss(centre=_pair_midpoints),
            _loss(centre=lambda *a: _pair_midpoints(*a) / 4),
            _loss(centre=lambda r, p, pairs, *_: (r[pairs[:, 0]] + r[pairs[:, 1]]).square().mean()),
        ),
        ("centring",),
    ),
    Misconception(
        "centre_batch",
        "Your centring term squares the mean over *all* responses. One prompt may then lie at +5 and the next at −5; "
        "every prompt has a free constant of its own.",
        (
            _loss(centre=lambda r, *_: r.mean().square()),
            _loss(centre=lambda r, p, *_: _mean_by(p, r, torch.ones_like(r)).mean().square()),
        ),
        ("centring",),
    ),
    Misconception(
        "centre_sum",
        "Your centring term squares the *sum* of a prompt's rewards; it asks for their mean.",
        (_loss(centre=_squared_sums),),
        ("centring",),
    ),
    Misconception(
        "log_of_zero",
        "Right for labels between 0 and 1, not finite at 0 and 1: their entropy is 0, since 0 · log 0 counts as 0, and "
        "the machine says NaN.",
        (_loss(_log_of_zero),),
        ("certain",),
        overflows=True,
    ),
    Misconception(
        "overflow",
        "Right where numbers are moderate, but not finite at margins of ±10⁴: exp overflows, or σ becomes 0 before its "
        "logarithm is taken. There is a function for log σ.",
        (_loss(_naive_log_sigmoid), _loss(_naive_softplus)),
        ("extreme",),
        overflows=True,
    ),
)


# ---- 7c ------------------------------------------------------------------------------------


def slice_examples() -> dict:
    """Rows (margin, right, wrong) of two reward models, each right in eight pairs of ten."""
    sure, as_it_is = float(np.log(0.95 / 0.05)), float(np.log(0.8 / 0.2))
    safe = {"ordinary": [(sure, 640, 160)], "risky": [(sure, 160, 40)]}
    # one forecast, 0.8, for everything: right on the whole, 0.86 and 0.56 in the slices
    unsafe = {"ordinary": [(as_it_is, 688, 112)], "risky": [(as_it_is, 112, 88)]}
    return {"safe": safe, "unsafe": unsafe}


def _with(side: str, **slices) -> Callable:
    def changed() -> dict:
        answer = slice_examples()
        answer[side] = {**answer[side], **slices}
        return answer

    return changed


MISCONCEPTIONS_7C = (
    Misconception(
        "nothing_to_repair",
        "nothing for a temperature to repair",
        (
            _with("safe", **slice_examples()["unsafe"]),
            _with("safe", ordinary=[(1.386, 640, 160)], risky=[(1.386, 160, 40)]),
        ),
        ("safe",),
    ),
    Misconception(
        "one_factor",
        "repairs only what is wrong by one factor",
        (
            _with("safe", risky=[(2.944, 180, 20)]),
            _with("safe", ordinary=[(2.944, 320, 160), (2.2, 319, 1)]),
        ),
        ("safe",),
    ),
    Misconception(
        "calibrated_everywhere",
        "on the risky slice the forecasts are too sure by",
        (
            _with("unsafe", ordinary=[(1.386, 640, 160)], risky=[(1.386, 160, 40)]),
            _with("unsafe", risky=[(1.386, 130, 70)]),
        ),
        ("unsafe_slice",),
    ),
    Misconception(
        "everyone_sees_it",
        "so anyone who looks is warned",
        (
            _with("unsafe", ordinary=[(1.386, 640, 160)]),
            _with("unsafe", ordinary=[(3.0, 688, 112)]),
        ),
        ("unsafe_unseen",),
    ),
    Misconception(
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
    Misconception(
        "unequal",
        "Your accuracies differ",
        (_with("safe", ordinary=[(2.944, 600, 200)], risky=[(2.944, 150, 50)]),),
        ("unsafe_unseen",),
    ),
    Misconception(
        "useless",
        "nobody would deploy",
        (_with("safe", ordinary=[(2.944, 500, 300)], risky=[(2.944, 125, 75)]),),
        ("unsafe_unseen",),
    ),
)


# ---- 7d ------------------------------------------------------------------------------------


def slice_overconfidence(chosen: np.ndarray, rejected: np.ndarray, slices: np.ndarray) -> float:
    """Largest of the slices: mean confidence minus accuracy, in standard errors of a calibrated forecaster."""
    return _largest(chosen, rejected, slices, lambda margin: np.ones_like(margin))


def sharper_overconfidence(chosen: np.ndarray, rejected: np.ndarray, slices: np.ndarray) -> float:
    """The same with each pair weighted by its margin: the slope of the log loss where T is 1, in standard errors."""
    return _largest(chosen, rejected, slices, np.abs)


def _largest(chosen, rejected, slices, weight_of: Callable) -> float:
    found = []
    for s in np.unique(slices):
        margin = (chosen - rejected)[slices == s]
        confidence, weight = 1 / (1 + np.exp(-np.abs(margin))), weight_of(margin)
        surplus = (weight * (confidence - (margin > 0))).sum()
        found.append(surplus / np.sqrt((weight**2 * confidence * (1 - confidence)).sum()))
    return float(max(found))


UPSIDE_DOWN = (
    "Your score separates the models, but upside down: larger must mean more likely overconfident."
)
MISCONCEPTIONS_7D = (
    Misconception(
        "accuracy",
        "Your score orders the models as their accuracy does. Twins rank every pair alike: what differs is how sure "
        "they are.",
        (forecasters.accuracy, lambda *system: -forecasters.accuracy(*system)),
        ("separates",),
    ),
    Misconception(
        "confidence",
        "Your score orders the models by how sure they are on average, by margin or by forecast. Easy pairs deserve "
        "sure forecasts: how often is the model right where it is so sure?",
        (
            forecasters.mean_confidence,
            lambda chosen, rejected, slices: float(np.abs(chosen - rejected).mean()),
        ),
        ("separates",),
    ),
    Misconception(
        "loss",
        "Your score orders the models by a loss over all pairs. A loss is large where pairs are hard, whatever the "
        "forecasts; compare with what the model itself expects to lose.",
        (forecasters.log_loss,),
        ("separates",),
    ),
    Misconception(
        "chosen_first",
        "Your score orders the models by the forecast, or the margin, of the response that was chosen. Stored like "
        "that, every label is 1, and the best forecaster would be one that always says 1. Turn the pairs: what did the "
        "model say of the response that it prefers, and how often did that one win?",
        (
            forecasters.chosen_first_ece,
            lambda *system: -forecasters.chosen_first_ece(*system),
            forecasters.mean_margin,
            lambda *system: -forecasters.mean_margin(*system),
        ),
        ("separates",),
    ),
    Misconception(
        "whole",
        "Your score compares forecasts with outcomes over all pairs together. There the errors of different slices "
        "cancel.",
        (forecasters.overall_gap, forecasters.overall_ece, forecasters.overall_temperature),
        ("separates",),
    ),
    Misconception(
        "no_direction",
        "Your score is large wherever forecasts and outcomes differ, in either direction. A timid model differs as "
        "well, and is no danger: keep the sign.",
        (
            forecasters.mean_slice_ece,
            forecasters.largest_slice_ece,
            forecasters.largest_absolute_gap,
        ),
        ("separates",),
    ),
    Misconception(
        "surest_mistake",
        "Your score orders the models by their surest mistake. One pair says little, and on easy pairs a calibrated "
        "model makes sure mistakes too, once in a while.",
        (forecasters.surest_mistake,),
        ("separates",),
    ),
)
