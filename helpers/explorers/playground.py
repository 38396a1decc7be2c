"""A playground in the chat world: what several policies say to a request, with gold, r_φ and each token's log-ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from helpers.chat import CHAT
from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show
from helpers.gpt import RewardModel, TinyGPT, sample, token_logps

NAME = "playground: what each policy says"
OF_EACH = 5  # requests of each slice that can be picked
Made = Callable[[], TinyGPT]


@dataclass(frozen=True)
class Said:
    """One policy's reply: its scored tokens as words, log π/π_ref of each in nats, gold, and r_φ."""

    policy: str
    words: tuple[str, ...]
    log_ratios: tuple[float, ...]
    gold: float
    proxy: float


def requests() -> tuple[str, ...]:
    """The first requests of every slice of the chat world."""
    slices = dict.fromkeys(prompt.slice for prompt in CHAT.prompts)
    return tuple(
        CHAT.prompts[i].text for name in slices for i in CHAT.in_slice(name)[:OF_EACH].tolist()
    )


def state(
    policies: dict[str, Made],
    reference: Made,
    judge: Callable[[], RewardModel],
    prompt: str,
    draw: int,
) -> tuple[Said, ...]:
    """A reply of each policy, drawn with the same luck, a number ``draw`` ≥ 0. ValueError for an unknown prompt.

    Policies, reference and judge are functions that return them, such as those of ``helpers.lesson``.
    """
    made, before, scorer = [make() for make in policies.values()], reference(), judge()
    x = CHAT.prompt_tokens[[CHAT.prompt_index(prompt)]]
    with torch.no_grad():  # not before: whoever makes a policy may train it
        replies = [sample(policy, CHAT, x, torch.Generator().manual_seed(draw)) for policy in made]
        own = [token_logps(policy, x, y) for policy, y in zip(made, replies)]
        y, xs = torch.cat(replies), x.expand(len(replies), -1)
        mask = CHAT.mask(y)
        ratios = torch.cat(own) - token_logps(before, xs, y)
        scores = scorer(xs, y, mask)
    names = (*CHAT.words, "end")
    return tuple(
        Said(
            name,
            tuple(names[token] for token in y[k][mask[k]].tolist()),
            tuple(ratios[k][mask[k]].tolist()),
            CHAT.reward(prompt, CHAT.text(y[k])),
            scores[k].item(),
        )
        for k, name in enumerate(policies)
    )


def look(
    policies: dict[str, Made],
    reference: Made,
    judge: Callable[[], RewardModel],
    prompt: str,
    draw: float,
) -> View:
    """A row for each policy: the words on a ground that is the deeper, the further the token's ratio is from 1."""
    found = state(policies, reference, judge, prompt, int(draw))
    told = [
        f"{said.policy}: “{' '.join(word for word in said.words if word != 'end')}”, gold "
        f"{svg.signed(said.gold, 2)}, r_φ {svg.signed(said.proxy, 2)}, log π/π_ref "
        f"{svg.signed(sum(said.log_ratios), 2)} nats"
        for said in found
    ]
    reading = f"“{prompt}?”, draw {int(draw)}. " + "; ".join(told) + "."
    parts = [svg.text(10, 20, "Replies, and log π/π_ref of each token in nats", bold=True)]
    parts += [
        svg.text(x, 20, words, anchor="end", bold=True)
        for x, words in ((600, "gold"), (650, "r_φ"))
    ]
    for k, said in enumerate(found):
        y = 34 + 42 * k
        parts.append(svg.text(10, y + 15, said.policy))
        for n, (word, ratio) in enumerate(zip(said.words, said.log_ratios)):
            parts.append(_token(130 + 43 * n, y, word, ratio))
        for x, value in ((600, said.gold), (650, said.proxy)):
            parts.append(svg.text(x, y + 15, svg.signed(value, 2), anchor="end"))
    low = 34 + 42 * len(found)
    parts.append(svg.legend(130, low + 12, [("more likely than under π_ref", "policy")]))
    parts.append(svg.legend(350, low + 12, [("less likely", "rejected")]))
    return View(svg.picture(660, low + 24, NAME, reading, parts), reading)


def _token(x: float, y: float, word: str, ratio: float) -> str:
    """A word over its log-ratio; the ground is full at 3 nats, and light enough for black words."""
    colour = svg.COLOURS["policy" if ratio > 0 else "rejected"]
    depth = 0.5 * min(abs(ratio) / 3, 1)
    ground = f'<g opacity="{depth:.2f}">{svg.rectangle(x, y, 41, 34, colour)}</g>'
    words = svg.text(x + 20.5, y + 14, word, anchor="middle")
    return f'{ground}<g font-size="11">{words}{svg.text(x + 20.5, y + 28, svg.signed(ratio, 1), anchor="middle")}</g>'


def explorer(
    policies: dict[str, Made], reference: Made, judge: Callable[[], RewardModel]
) -> Explorer:
    """Knobs: the request, and which draw. policies: name → a function that returns the policy."""
    known = requests()
    knobs = {"prompt": Choice("request", known, known[0]), "draw": Slider("draw", 0, 20, 1, 0)}
    return Explorer(NAME, knobs, partial(look, policies, reference, judge))


def explore_playground(
    policies: dict[str, Made], reference: Made, judge: Callable[[], RewardModel]
) -> None:
    """Show the explorer; arguments as in ``explorer``. What they return is asked for when it is looked at."""
    show(explorer(policies, reference, judge))
