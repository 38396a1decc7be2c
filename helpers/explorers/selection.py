"""The part kept and a proxy's flaw (section 1.2): the gold reward of what a flawed score chooses, exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show
from helpers.policies import mean_of_top
from helpers.world import EXACT

NAME = "the part kept and a proxy's flaw: gold of what it chooses"
FLAWS = ("three apologies or more", "the word “thanks”", "four words")
PARTS = np.geomspace(1.0, 0.005, 30).tolist()


@dataclass(frozen=True)
class Table:
    """π_ref seen through gold and a flag: values of gold (K,), flag (K,) of 0 and 1, log mass (n_prompts, K)."""

    gold: Tensor
    flagged: Tensor
    logps: Tensor


@dataclass(frozen=True)
class State:
    """A proxy that adds ``bonus`` to flagged replies, and the best-scoring ``part`` of π_ref's mass.

    accuracy: of two independent replies of different gold, how often it ranks them as gold does, ties half. mass:
    of the flagged replies under π_ref; of_choice: among what is kept. gold of what the proxy keeps, best: of what
    gold itself would keep, blind: of everything. All are means over the requests.
    """

    part: float
    bonus: float
    accuracy: float
    mass: float
    of_choice: float
    gold: float
    best: float
    blind: float


def flag_of(flaw: str) -> Tensor:
    """Which replies have the flaw, (N,) bool. Raises ValueError for an unknown one."""
    if flaw not in FLAWS:
        raise ValueError(f"flaw {flaw!r}: expected one of {', '.join(FLAWS)}")
    if flaw == FLAWS[1]:
        return EXACT.contains(("thanks",))
    if flaw == FLAWS[2]:
        return EXACT.lengths == 4
    return sum((EXACT.responses == EXACT.words.index(word)).sum(1) for word in EXACT.refusal) >= 3


def table(ref_logps: Tensor, flaw: str) -> Table:
    """Replies of one gold and one flag taken together. ref_logps (n_prompts, N)."""
    values, at = EXACT.gold.unique(return_inverse=True)
    place = at + len(values) * flag_of(flaw).long()
    p = ref_logps.double().softmax(-1)
    mass = torch.zeros(len(p), 2 * len(values), dtype=torch.float64).scatter_add(1, place, p)
    some = mass.sum(0) > 0
    flags = torch.tensor([0.0, 1.0]).double().repeat_interleave(len(values))
    return Table(values.repeat(2)[some], flags[some], mass[:, some].log())


def accuracy(known: Table, bonus: float) -> float:
    """Over all pairs of different gold, as often as two independent draws of one request give them."""
    score, p = known.gold + bonus * known.flagged, known.logps.exp()
    differ = torch.sign(known.gold.unsqueeze(1) - known.gold)
    right = (torch.sign(score.unsqueeze(1) - score) * differ + 1) / 2 * differ.abs()

    def likely(table: Tensor) -> Tensor:
        return ((p @ table) * p).sum()

    return (likely(right) / likely(differ.abs())).item()


def kept(known: Table, bonus: float, values: Tensor, parts: list[float]) -> list[float]:
    """Mean of values (K,) over the best-scoring part, for several parts, mean over requests."""
    score = known.gold + bonus * known.flagged
    rows = (known.logps, score.expand_as(known.logps), values.expand_as(known.logps))
    return mean_of_top(*rows, parts).mean(0).tolist()


def state(known: Table, part: float, bonus: float) -> State:
    """Raises ValueError unless 0 < part ≤ 1."""
    (gold, blind), (best,) = (
        kept(known, bonus, known.gold, [part, 1.0]),
        kept(known, 0.0, known.gold, [part]),
    )
    of_choice, mass = kept(known, bonus, known.flagged, [part, 1.0])
    return State(part, bonus, accuracy(known, bonus), mass, of_choice, gold, best, blind)


def look(tables: dict[str, Table], flaw: str, part: float, bonus: float) -> View:
    """Gold of the part kept over the part, by the proxy and by gold itself."""
    known, part = tables[flaw], min(part, 1.0)
    now = state(known, part, bonus)
    reading = (
        f"All 48 requests. The proxy adds {svg.signed(bonus, 1)} for {flaw} ({100 * now.mass:.1f} % of π_ref) "
        f"and ranks {100 * now.accuracy:.1f} % of pairs as gold does. Its best {100 * part:.3g} % has gold "
        f"{svg.signed(now.gold)}; gold itself would keep {svg.signed(now.best)}, a blind pick has "
        f"{svg.signed(now.blind)}. Of what it keeps, {100 * now.of_choice:.1f} % has the flaw."
    )
    panel = svg.Panel(60, 40, 400, 220, (0, 2.31), (-1.5, 2.6))
    across = [-np.log10(p) for p in PARTS]
    parts = [panel.axes("gold reward of the part kept", "part of π_ref kept, %", (), (-1, 0, 1, 2))]
    for tick in (1.0, 0.1, 0.01):
        x, _ = panel.place(-np.log10(tick), 0)
        parts.append(svg.text(x, 275, f"{100 * tick:g}", "reference", "middle"))
    parts += [
        panel.level(now.blind),
        panel.line(across, kept(known, 0.0, known.gold, PARTS), "gold"),
        panel.line(across, kept(known, bonus, known.gold, PARTS), "harmful"),
        panel.dot(-np.log10(part), now.best, "gold"),
        panel.dot(-np.log10(part), now.gold, "harmful"),
        svg.legend(480, 60, [("chosen by gold", "gold"), ("chosen by the proxy", "harmful")]),
        svg.legend(480, 92, [("dashed: a blind pick", "reference")]),
    ]
    return View(svg.picture(660, 298, NAME, reading, parts), reading)


def explorer(ref_logps: Tensor) -> Explorer:
    """Knobs: the flaw, the part kept, and what the proxy adds. ref_logps (n_prompts, N)."""
    tables = {flaw: table(ref_logps, flaw) for flaw in FLAWS}
    knobs = {
        "flaw": Choice("the proxy likes", FLAWS, FLAWS[0]),
        "part": Slider("part kept", -2.3, 0, 0.05, 0.01, log=True),
        "bonus": Slider("points for it", -6, 6, 0.5, 6.0),
    }
    return Explorer(NAME, knobs, partial(look, tables))


def explore_selection(ref_logps: Tensor) -> None:
    """Show the explorer; ``ref_logps`` as ``helpers.lesson.reference`` returns them."""
    show(explorer(ref_logps))
