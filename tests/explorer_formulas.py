"""What the explorers must say: from the knobs that a page shows and a reading, (what is read, number by the formula).

Formulas are written out here; of the package they take the world, its gold reward and the networks' log-probabilities.
``given`` holds what the explorers were given: ref_logps, pairs, policies and judge.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

import torch
from torch.nn.functional import logsigmoid

from helpers.chat import CHAT
from helpers.explorers.annotator import known
from helpers.gpt import token_logps
from helpers.reward_features import features
from helpers.world import EXACT

Pairs = list[tuple[str, float]]
NUMBER = r"([-+]?\d+(?:\.\d+)?)"


def agrees(said: str, number: float) -> bool:
    """Whether what is read is the number, rounded to as many digits."""
    digits = len(said.partition(".")[2])
    return abs(float(said) - number) < 0.51 * 10**-digits + 1e-5  # networks add up in float32


def read(reading: str, before: str, times: int = 1) -> list[str]:
    """The numbers that stand after each place at which the reading has ``before``, a regular expression."""
    found = re.findall(before + NUMBER, reading.replace("−", "-"))
    if len(found) != times:
        raise ValueError(f"{before!r} stands {len(found)} times in {reading!r}: expected {times}")
    return found


def one(reading: str, before: str) -> str:
    return read(reading, before)[0]


def power(shown: float, step: float) -> float:
    """The value of a logarithmic slider, of which a page shows some digits."""
    return 10 ** (round(math.log10(shown) / step) * step)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def law(given: dict, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """π_ref and gold of all replies to one request, (11111,) each."""
    x = [p.text for p in EXACT.prompts].index(prompt)
    return given["ref_logps"][x].double().softmax(-1), EXACT.gold[x]


def tilted(p: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """p·exp(by) / Z along the last axis."""
    weights = p * torch.exp(by)
    return weights / weights.sum(-1, keepdim=True)


def margin(reading: str, knobs: list[str], given: dict) -> Pairs:
    h, beta = float(knobs[0]), power(float(knobs[1]), 0.1)
    p = sigma(beta * h)
    return [
        (one(reading, "h = "), h),
        (one(reading, r"σ\(βh\) = "), p),
        (one(reading, "loss "), -math.log(p)),
        (one(reading, r"βσ\(-βh\) = "), beta * (1 - p)),
    ]


def clip(reading: str, knobs: list[str], given: dict) -> Pairs:
    ratio, advantage, c = map(float, knobs)
    beyond = ratio - (1 + c) if advantage > 0 else 1 - c - ratio
    bounded = advantage * min(max(ratio, 1 - c), 1 + c)
    found = [
        (one(reading, "ρ = "), ratio),
        (one(reading, "A = "), advantage),
        (one(reading, "c = "), c),
        (one(reading, "objective "), min(ratio * advantage, bounded)),
        (one(reading, "without the clip "), ratio * advantage),
    ]
    if abs(beyond) > 1e-9:  # at the bend itself both slopes are right
        pull = "0" if "no pull" in reading else one(reading, "pull ")
        found.append((pull, 0.0 if beyond > 0 else ratio * advantage))
    return found


def group(reading: str, knobs: list[str], given: dict) -> Pairs:
    size, right, chance = int(knobs[0]), min(int(knobs[1]), int(knobs[0])), float(knobs[2])
    divided = plain = 0.0
    for n in range(size + 1):  # right ones among the replies
        mean, sd = n / size, math.sqrt(n * (size - n) / (size * (size - 1)))
        likely = math.comb(size, n) * chance**n * (1 - chance) ** (size - n)
        push = mean * (1 - mean)  # (1/G) Σ (r − mean)(r − p)
        plain += likely * push
        divided += likely * push / (sd + 1e-4)
    true = chance * (1 - chance)
    found = [
        (reading.split(" of ")[0], right),
        (one(reading, "probability "), chance),
        (one(reading, "expected push is "), divided / true),
        (one(reading, "with the division, "), plain / true),
    ]
    if 0 < right < size:
        sd = math.sqrt(right * (size - right) / (size * (size - 1))) + 1e-4
        found.append((one(reading, "a right reply gets "), (1 - right / size) / sd))
        found.append((one(reading, "a wrong one "), -right / size / sd))
    return found


def ipo(reading: str, knobs: list[str], given: dict) -> Pairs:
    beta, tau = power(float(knobs[1]), 0.1), power(float(knobs[2]), 0.1)
    wins = float(one(reading, "A wins ")) / 100  # the knob shows two digits of its three
    stops = (2 * wins - 1) / (2 * tau)
    found = [
        (knobs[0], wins),
        (one(reading, "IPO's is at h = "), stops),
        (read(reading, "leaves B ", 2 if wins < 1 else 1)[-1], 1 - sigma(stops)),
    ]
    if wins < 1:
        h = math.log(wins / (1 - wins)) / beta
        found += [(one(reading, "DPO's minimum is at h = "), h)]
        found += [(read(reading, "leaves B ", 2)[0], 1 - sigma(h))]
    return found


def beta(reading: str, knobs: list[str], given: dict) -> Pairs:
    price, (p, gold) = power(float(knobs[1]), 0.05), law(given, knobs[0])
    star = tilted(p, gold / price)
    log_z = (p * torch.exp(gold / price)).sum().log()
    return [
        (one(reading, f"“{re.escape(knobs[0])}\\?”, β = "), float(f"{price:.3g}")),
        (one(reading, "log Z = "), log_z.item()),
        (one(reading, r"KL\(π\*‖π_ref\) = "), (star * (star / p).log()).sum().item()),
        (one(reading, "nats, gold "), (p @ gold).item()),
        (one(reading, "under π_ref and "), (star @ gold).item()),
    ]


def tilt(reading: str, knobs: list[str], given: dict) -> Pairs:
    amount, (p, gold) = float(knobs[1]), law(given, knobs[0])
    q = tilted(p, amount * gold)
    values, at = gold.unique(return_inverse=True)
    mass = torch.zeros_like(values).index_add(0, at, q)
    chosen = torch.sigmoid(values[:, None] - values)  # first of two preferred
    both = mass[:, None] * mass * (chosen * values[:, None] + (1 - chosen) * values)
    return [
        (one(reading, f"“{re.escape(knobs[0])}\\?”, tilt "), amount),
        (one(reading, "generator earns "), (q @ gold).item()),
        (one(reading, "replies ends at "), both.sum().item()),
        (one(reading, "π_ref's "), (p @ gold).item()),
        (one(reading, "all pairs ends at "), (tilted(p, gold) @ gold).item()),
    ]


@cache
def _replies() -> list[list[str]]:
    return [EXACT.text(y).split() for y in range(EXACT.n_responses)]


def _flawed(words: list[str], flaw: str) -> bool:
    if flaw == "the word “thanks”":
        return "thanks" in words
    if flaw == "four words":
        return len(words) == 4
    return sum(word in ("sorry", "cannot") for word in words) >= 3


def _of_best(p: torch.Tensor, score: torch.Tensor, values: torch.Tensor, part: float) -> float:
    """Mean of values over the best-scoring part of one request's replies; of a tie, the same share of each."""
    scores, at = score.round(decimals=9).unique(return_inverse=True)
    mass = torch.zeros_like(scores).index_add(0, at, p).flip(0)
    worth = torch.zeros_like(scores).index_add(0, at, p * values).flip(0)
    taken = (part - (mass.cumsum(0) - mass)).clamp(min=0).minimum(mass)
    return (taken / mass * worth).nan_to_num(0.0).sum().item() / part


def selection(reading: str, knobs: list[str], given: dict) -> Pairs:
    flaw, part, bonus = knobs[0], power(float(knobs[1]), 0.05), float(knobs[2])
    flags = torch.tensor([float(_flawed(words, flaw)) for words in _replies()]).double()
    rows = [law(given, prompt.text) for prompt in EXACT.prompts]

    def mean(score_of: Callable, values_of: Callable, kept: float) -> float:
        found = [_of_best(p, score_of(gold), values_of(gold), kept) for p, gold in rows]
        return sum(found) / len(found)

    def by_proxy(gold: torch.Tensor) -> torch.Tensor:
        return gold + bonus * flags

    def itself(gold: torch.Tensor) -> torch.Tensor:
        return gold

    return [
        (one(reading, "The proxy adds "), bonus),
        (one(reading, f"for {re.escape(flaw)} \\("), 100 * mean(itself, lambda gold: flags, 1.0)),
        (one(reading, "Its best "), float(f"{100 * part:.3g}")),
        (one(reading, "% has gold "), mean(by_proxy, itself, part)),
        (one(reading, "would keep "), mean(itself, itself, part)),
        (one(reading, "blind pick has "), mean(itself, itself, 1.0)),
        (one(reading, "what it keeps, "), 100 * mean(by_proxy, lambda gold: flags, part)),
    ]


def _verdicts(judge: str, lean: float, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """P(A wins) shown first and second by a judge, where people's is p."""
    gap, a = torch.logit(p), 0.45 * lean * torch.minimum(p, 1 - p)
    return {
        "place term": (torch.sigmoid(gap + lean), torch.sigmoid(gap - lean)),
        "twice as sure": (torch.sigmoid(2 * gap + lean), torch.sigmoid(2 * gap - lean)),
        "additive": (p + a, p - a),
        "lazy": (p + 0.3 * lean * (1 - p), p - 0.3 * lean * p),
    }[judge]


def judge(reading: str, knobs: list[str], given: dict) -> Pairs:
    lean = float(knobs[1])
    people = one_order = both = split = 0.0
    for prompt in EXACT.prompts:
        p, gold = law(given, prompt.text)
        values, at = gold.unique(return_inverse=True)
        lost = torch.zeros_like(values).index_add(0, at, p)
        won = tilted(lost, values)
        weight = won[:, None] * lost / len(EXACT.prompts)
        wins = torch.sigmoid(values[:, None] - values)
        first, second = _verdicts(knobs[0], lean, wins)
        people += (weight * wins).sum().item()
        one_order += (weight * first).sum().item()
        both += (weight * (first + second) / 2).sum().item()
        split += (weight * (first * (1 - second) + second * (1 - first))).sum().item()
    return [
        (one(reading, f"Judge: {knobs[0]}, lean "), lean),
        (one(reading, "By people A wins "), people),
        (one(reading, "one order "), one_order),
        (one(reading, "both orders "), both),
        (one(reading, "Split pairs "), 100 * split),
    ]


def temperature(reading: str, knobs: list[str], given: dict) -> Pairs:
    T, (margins, labels) = power(float(knobs[1]), 0.05), given["pairs"][knobs[0]]
    p, y = torch.sigmoid(margins / T), labels
    place = (p * 10).long().clamp(max=9)
    bins = [place == k for k in range(10) if (place == k).any()]
    gaps = [abs((p[b].mean() - y[b].mean()).item()) * b.double().mean().item() for b in bins]
    log_loss = -(y * logsigmoid(margins / T) + (1 - y) * logsigmoid(-margins / T)).mean()
    return [
        (one(reading, f"^{knobs[0]}, T = "), float(f"{T:.2f}")),
        (one(reading, "ECE "), sum(gaps)),
        (one(reading, "Brier score "), ((p - y) ** 2).mean().item()),
        (one(reading, "log loss "), log_loss.item()),
        (one(reading, "accuracy "), 100 * ((p > 0.5) == (y > 0.5)).double().mean().item()),
    ]


def _taught(won: torch.Tensor) -> torch.Tensor:
    """Weights of a linear Bradley–Terry reward with prior N(0, 1), by descent; won (B, 8): winner less loser."""
    w = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS(
        [w], max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        descent.zero_grad()
        value = (w @ w) / 2 - logsigmoid(won @ w).sum()
        value.backward()
        return value

    descent.step(loss)
    return w.detach()


def annotator(reading: str, knobs: list[str], given: dict) -> Pairs:
    pairs = known(given["ref_logps"]).pairs
    f, won, agree = features(EXACT), [], 0
    if knobs[0] not in ("nobody", "gold"):
        raise ValueError(f"hand {knobs[0]!r}: these formulas know nobody and gold")
    for x, first, second, said in zip(
        *(t.tolist() for t in (pairs.prompts, pairs.chosen, pairs.rejected)), knobs[1:]
    ):
        gap = (EXACT.gold[x, first] - EXACT.gold[x, second]).item()
        if said == "not yet" and (knobs[0] == "nobody" or abs(gap) < 1e-9):
            continue
        sign = (
            1
            if (gap > 0 if said == "not yet" else said == (EXACT.text(first) or "(nothing)"))
            else -1
        )
        won.append(sign * (f[x, first] - f[x, second]))
        agree += sign * gap > 1e-9
    p, rewards = given["ref_logps"].double().softmax(-1), torch.zeros_like(EXACT.gold)
    if won:
        rewards = f @ _taught(torch.stack(won))
    golds = [
        (tilted(p, by) * EXACT.gold).sum(-1).mean().item()
        for by in (rewards, 0 * rewards, EXACT.gold)
    ]
    return [
        (reading.split(" of ")[0], len(won)),
        (one(reading, "are labelled, "), agree),
        (one(reading, r"\(β = 1\) has gold "), golds[0]),
        (one(reading, "π_ref has "), golds[1]),
        (one(reading, "gold's own optimum "), golds[2]),
    ]


def playground(reading: str, knobs: list[str], given: dict) -> Pairs:
    found = [(one(reading, f"“{re.escape(knobs[0])}\\?”, draw "), float(knobs[1]))]
    x = CHAT.prompt_tokens[[CHAT.prompt_index(knobs[0])]]
    for name, policy in given["policies"].items():
        words, rest = re.search(rf"{name}: “(.*?)”(.*?) nats", reading).groups()
        y = CHAT.encode(words).unsqueeze(0)
        scored = CHAT.mask(y)
        with torch.no_grad():
            gained = token_logps(policy, x, y) - token_logps(given["policies"]["first"], x, y)
            proxy = given["judge"](x, y, scored).item()
        found += [
            (one(rest, "gold "), CHAT.reward(knobs[0], words)),
            (one(rest, "r_φ "), proxy),
            (one(rest, "log π/π_ref "), gained[scored].sum().item()),
        ]
    return found


FORMULAS = {
    f.__name__: f
    for f in (
        margin, clip, group, ipo, beta, selection, tilt, judge, temperature, annotator, playground
    )
}  # fmt: skip
