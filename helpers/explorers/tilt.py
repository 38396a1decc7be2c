"""Who writes the replies that are compared (section 1.1): imitation of the chosen against DPO, exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show
from helpers.policies import by_reward, expected, optimum
from helpers.world import EXACT, Annotator

NAME = "who writes the compared replies: imitation against DPO"
TILTS = svg.grid(-2, 2, 41)


@dataclass(frozen=True)
class State:
    """A generator q ∝ π_ref·exp(tilt·r*) for one request: expected gold of q, of its preferred replies (where
    imitation ends), of π_ref, and of the optimum at β = 1 (where DPO ends, as every pair has some weight).
    """

    prompt: str
    tilt: float
    generator: float
    imitation: float
    before: float
    dpo: float


def levels(ref_logps: Tensor, prompt: str) -> tuple[Tensor, Tensor]:
    """Values of gold (V,), and log π_ref of the replies at each, (V,): all that is needed of 11,111 replies."""
    at = EXACT.prompt_index(prompt)
    values, mass, _ = by_reward(ref_logps[at].double().log_softmax(-1), EXACT.gold[at])
    return values, mass


def gold_of(values: Tensor, mass: Tensor, tilts: Tensor) -> tuple[Tensor, Tensor]:
    """Expected gold of the generator and of the preferred one of two of its replies, (T,) each; tilts (T,)."""
    q = (mass + tilts.unsqueeze(1) * values).softmax(-1)  # (T, V)
    wins = Annotator().probability(values.unsqueeze(1), values.unsqueeze(0))  # (V, V)
    chosen = 2 * q * (q @ wins.T)
    return q @ values, chosen @ values


def state(ref_logps: Tensor, prompt: str, tilt: float) -> State:
    """ref_logps (n_prompts, N). Raises ValueError for an unknown prompt."""
    values, mass = levels(ref_logps, prompt)
    generator, imitation = (v.item() for v in gold_of(values, mass, torch.tensor([tilt]).double()))
    star, _ = optimum(mass, values, 1.0)
    ends = expected(mass, values).item(), expected(star, values).item()
    return State(prompt, tilt, generator, imitation, *ends)


def look(ref_logps: Tensor, prompt: str, tilt: float) -> View:
    """Gold of both students over that of the generator."""
    now = state(ref_logps, prompt, tilt)
    verdict = "above" if now.imitation > now.before else "below"
    reading = (
        f"“{prompt}?”, tilt {svg.signed(tilt, 1)}: the generator earns {svg.signed(now.generator)}. Imitating its "
        f"chosen replies ends at {svg.signed(now.imitation)}, {verdict} π_ref's {svg.signed(now.before)}. DPO "
        f"with all pairs ends at {svg.signed(now.dpo)}, whoever wrote them."
    )
    written, imitated = gold_of(
        *levels(ref_logps, prompt), torch.tensor(TILTS, dtype=torch.float64)
    )
    low, high = written.min().item() - 0.1, max(imitated.max().item(), now.dpo) + 0.15
    panel = svg.Panel(60, 40, 380, 230, (low, high), (low, high))
    ticks = [k for k in range(-4, 4) if low <= k <= high]
    parts = [
        panel.axes("gold after training", "gold of the generator's replies", ticks, ticks),
        panel.level(now.before),
        panel.line((low, high), (low, high), "reference"),
        panel.line(written.tolist(), imitated.tolist(), "rejected"),
        panel.line((low, high), (now.dpo, now.dpo), "policy"),
        panel.dot(now.generator, now.imitation, "rejected"),
        panel.dot(now.generator, now.dpo, "policy"),
        svg.legend(460, 60, [("imitation of the chosen", "rejected"), ("DPO, β = 1", "policy")]),
        svg.legend(
            460, 92, [("the generator itself", "reference"), ("dashed: π_ref", "reference")]
        ),
    ]
    return View(svg.picture(660, 310, NAME, reading, parts), reading)


def explorer(ref_logps: Tensor) -> Explorer:
    """Knobs: the request and the generator's tilt. ref_logps (n_prompts, N)."""
    requests = tuple(prompt.text for prompt in EXACT.prompts)
    knobs = {
        "prompt": Choice("request", requests, "fix lamp"),
        "tilt": Slider("tilt of the generator", -2, 2, 0.1, -1.0),
    }
    return Explorer(NAME, knobs, partial(look, ref_logps))


def explore_tilt(ref_logps: Tensor) -> None:
    """Show the explorer; ``ref_logps`` as ``helpers.lesson.reference`` returns them."""
    show(explorer(ref_logps))
