"""Exercise 5, noisy but valuable: right answers written otherwise than the reference."""

from __future__ import annotations

import math

import numpy as np
import torch

from solutions.ex05_noisy_but_valuable import hidden_runs


def worth_loop(clean, rates):
    """Plain Python, lists: joint probabilities of the four cases."""
    clean, rates = clean.tolist(), rates.tolist()
    if not all(0 <= q <= 1 for q in clean + [q for row in rates for q in row]):
        raise ValueError("no probability")
    table = []
    for p in clean:
        table.append([])
        for t, f in rates:
            joint = [[p * t, p * (1 - t)], [(1 - p) * f, (1 - p) * (1 - f)]]
            total = 0.0
            for i, row in enumerate(joint):
                for j, both in enumerate(row):
                    if both > 0:
                        total += both * math.log(both / sum(row) / (joint[0][j] + joint[1][j]))
            table[-1].append(total)
    return table


def worth_posterior(clean, rates):
    """Arrays: entropy before, less the mean entropy after either answer."""
    if not (np.all((clean >= 0) & (clean <= 1)) and np.all((rates >= 0) & (rates <= 1))):
        raise ValueError("no probability")
    p, rates = clean.astype(np.float64)[:, None], rates.astype(np.float64)

    def entropy(q):
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.nan_to_num(q * np.log(q)) - np.nan_to_num((1 - q) * np.log(1 - q))

    left = 0.0
    for t, f in (rates.T, 1 - rates.T):
        recorded = p * t + (1 - p) * f
        after = np.divide(p * t, recorded, out=np.zeros_like(recorded), where=recorded > 0)
        left = left + recorded * entropy(after)
    return entropy(p) - left


def worth_kl(clean, rates):
    """Torch float32: mean KL of each row from what is recorded in all."""
    clean, rates = clean.float(), rates.float()
    if (clean.clamp(0, 1) != clean).any() or (rates.clamp(0, 1) != rates).any():
        raise ValueError("no probability")
    rows = torch.stack([rates, 1 - rates], -1)  # (A, 2 clean, 2 recorded)
    prior = torch.stack([clean, 1 - clean], -1)  # (n, 2)
    recorded = torch.einsum("nk,akl->nal", prior, rows)
    log_ratio = torch.where(
        rows[None] > 0, rows[None].clamp(min=1e-30).log() - recorded[:, :, None].log(), 0.0
    )
    each = torch.where(rows[None] > 0, rows[None] * log_ratio, 0.0).sum(-1)  # (n, A, 2)
    return torch.where(prior[:, None] > 0, prior[:, None] * each, 0.0).sum(-1)


def loss_loop(margins, records, rates):
    """Tensors, answer by answer, the two losses written out, softplus."""
    softplus = torch.nn.functional.softplus
    if not all(0 <= q <= 1 for row in rates.tolist() for q in row):
        raise ValueError("rates")
    by_pair: dict[int, list] = {}
    for pair, annotator, said in records.tolist():
        if not (0 <= pair < len(margins) and 0 <= annotator < len(rates) and said in (0, 1)):
            raise ValueError("damaged")
        t, f = rates[annotator].tolist()
        if t == f:
            continue
        u = margins[pair]
        clean, other = softplus(-u), softplus(u)  # ℓ(u) and ℓ(−u)
        if said:
            loss = ((1 - f) * clean - (1 - t) * other) / (t - f)
        else:
            loss = (t * other - f * clean) / (t - f)
        by_pair.setdefault(pair, []).append(((t - f) ** 2, loss))
    if not by_pair:
        raise ValueError("nobody looks")
    means = [
        sum(w * x for w, x in answers) / sum(w for w, _ in answers) for answers in by_pair.values()
    ]
    return torch.stack(means).mean()


def loss_arrays(margins, records, rates):
    """Arrays: ℓ(u) − (1 − share)·(−u) by logaddexp; a table pairs × answers."""
    margins, rates = margins.astype(np.float64), rates.astype(np.float64)
    n, top = len(margins), np.array([len(margins), len(rates), 2])
    if not (np.all(rates >= 0) and np.all(rates <= 1)) or np.any((records < 0) | (records >= top)):
        raise ValueError("damaged")
    t, f = rates[records[:, 1]].T
    here = (records[:, 0] == np.arange(n)[:, None]) * (t - f)  # (n, C)
    weight = (here * (t - f)).sum(1)
    if not weight.any():
        raise ValueError("nobody looks")
    asked = weight > 0
    share = (here @ (records[:, 2] - f))[asked] / weight[asked]
    u = margins[asked]
    return np.mean(np.logaddexp(0, -u) + (1 - share) * u)


def loss_precision(margins, records, rates):
    """Torch, scatter: inverse variances with infinite ones taken out; log of a stable σ."""
    if torch.isnan(rates).any() or rates.min() < 0 or rates.max() > 1:
        raise ValueError("rates")
    if (
        records.min() < 0
        or (records.max(0).values >= torch.tensor([len(margins), len(rates), 2])).any()
    ):
        raise ValueError("records")
    gap = rates[:, 0] - rates[:, 1]
    kept = records[gap[records[:, 1]] != 0]
    if kept.shape[0] == 0:
        raise ValueError("weights")
    pair, who, said = kept.unbind(1)
    variance = gap[who] ** -2.0
    u = margins[pair]
    weight = (1 / variance) / torch.zeros_like(margins).scatter_add(0, pair, 1 / variance)[pair]
    toward = (said - rates[who, 1]) / gap[who]
    losses = (
        torch.nn.functional.binary_cross_entropy_with_logits(u, u * 0, reduction="none")
        - toward * u
    )
    return (weight * losses).sum() / len(pair.unique())


def crowds_of_other_types():
    """Arrays and tensors; five kinds, three kinds."""
    return {
        "safe": {"share": np.full(5, 0.2), "right": np.array([0.62, 0.66, 0.68, 0.7, 0.74])},
        "unsafe": {
            "share": torch.tensor([0.65, 0.1, 0.25]).double(),
            "right": torch.tensor([1.0, 0.96, 0.4]),
        },
    }


def crowds_at_the_bounds():
    """Two kinds; nobody errs on the clear ones; kinds as near as they may be."""
    return {
        "safe": {"share": (0.5, 0.5), "right": [0.65, 0.75]},
        "unsafe": {"share": [0.7, 0.3], "right": [1, 0.4]},
    }


def _explained(t, f, a, b):
    return 0.5 * (t[a] * t[b] + (1 - t[a]) * (1 - t[b]) + f[a] * f[b] + (1 - f[a]) * (1 - f[b]))


def score_standardised(run):
    """Excess of agreements in standard errors, pair by pair, plain Python."""
    says = {}
    for kind in (True, False):
        for a in range(12):
            rows = (run["gold_annotator"] == a) & (run["gold_first"] == kind)
            says[a, kind] = (run["gold_said_first"][rows].sum() + 1) / (rows.sum() + 2)
    t, f = ([says[a, kind] for a in range(12)] for kind in (True, False))
    answers: dict[int, list] = {}
    for pair, a, said in zip(*(run[k].tolist() for k in ("pair", "annotator", "said_first"))):
        answers.setdefault(pair, []).append((a, said))
    excess, variance = 0.0, 0.0
    for three in answers.values():
        for i in range(3):
            for j in range(i):
                (a, x), (b, y) = three[i], three[j]
                p = _explained(t, f, a, b)
                excess, variance = excess + (x == y) - p, variance + p * (1 - p)
    return excess / math.sqrt(variance)


def score_unanimous(run):
    """Pairs on which all three are of one mind, beyond what their rates explain."""
    rate = np.stack(
        [
            [
                run["gold_said_first"][
                    (run["gold_annotator"] == a) & (run["gold_first"] == kind)
                ].mean()
                for a in range(12)
            ]
            for kind in (True, False)
        ]
    )
    who, said = (hidden_runs.by_pair(run, name) for name in ("annotator", "said_first"))
    explained = (rate[:, who].prod(-1) + (1 - rate[:, who]).prod(-1)).mean(0)
    return torch.tensor(((said.sum(1) % 3 == 0) - explained).mean())


RIGHT = {
    "5a": (worth_loop, worth_posterior, worth_kl),
    "5b": (loss_loop, loss_arrays, loss_precision),
    "5c": (crowds_of_other_types, crowds_at_the_bounds),
    "5d": (score_standardised, score_unanimous),
}
