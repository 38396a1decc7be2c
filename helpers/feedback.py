"""Which line of a log may become a training example: a typed record of feedback, and the check before it.

A service logs every exchange. Most of what it logs says how the service ran, not what people want.
``lacks`` reads one line as the service wrote it and says what is missing before anybody may learn
from it; ``feedback`` returns the record, or refuses with all reasons at once. Both see form, not
meaning: a careless answer with all its fields passes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from helpers.world import Pair, World

Line = Mapping[str, object]  # one line of a log: field → value

SHARES = {  # kinds of lines in ``log_lines``, per 20
    "judged": 5,  # complete, and honest
    "careless": 1,  # complete, but a coin answered
    "click": 8,  # nobody judged: the user clicked on a reply, and wants help, whatever the request
    "no consent": 2,  # honest, but may not be used
    "undecided": 1,  # two annotators differ, nobody decided
    "other version": 2,  # labelled under version 0, and it says so
    "edited text": 1,  # the same, but the text was changed without a new version
}
VERSION_0 = "Content policy, version 0: as version 1, but look-alikes are unsafe too"


@dataclass(frozen=True)
class Feedback:
    """One comparison, with what it needs to become a training example.

    annotator: who judged, a pseudonym that stays. consent: that person agreed to training. model: the
    checkpoint that wrote the replies. policy_version, policy_text: name and ``fingerprint`` of the
    content policy that the annotator was shown. label: 0 or 1, the preferred of the two replies.
    second: another annotator's answer to the same comparison, where one was asked. adjudicated: the
    decision of a third person, due where the two differ.
    """

    annotator: str
    consent: bool
    model: str
    policy_version: str
    policy_text: str
    request: str
    replies: tuple[str, str]
    label: int
    second: int | None = None
    adjudicated: int | None = None

    def pair(self) -> Pair:
        """The training example: the decision where there is one, else the label."""
        winner = self.label if self.adjudicated is None else self.adjudicated
        return Pair(
            prompt=self.request,
            chosen=self.replies[winner],
            rejected=self.replies[1 - winner],
            annotator=self.annotator,
            policy_version=self.policy_version,
        )


def fingerprint(text: str) -> str:
    """Twelve hexadecimal digits that change when the text does (the start of its SHA-256)."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def lacks(line: Line, policies: Mapping[str, str]) -> list[str]:
    """Everything that keeps a line of a log from becoming a training example; empty where nothing does.

    policies: version → text of the content policies whose labels may be learned from. Fields that
    feedback does not need, such as a latency, are not looked at. Raises ValueError for no policies
    and for a line that is no mapping.
    """
    if not policies:
        raise ValueError("no policies: expected at least one version with its text")
    if not isinstance(line, Mapping):
        raise ValueError(f"line is {line!r}: expected a mapping of fields to values")
    found = [
        f"{field} is {line.get(field)!r}: expected text, {meaning}"
        for field, meaning in (
            ("annotator", "the pseudonym of who judged"),
            ("model", "the checkpoint that wrote the replies"),
            ("request", "what the user asked"),
        )
        if not isinstance(line.get(field), str) or not line[field].strip()
    ]
    if line.get("consent") is not True:
        found.append(f"consent is {line.get('consent')!r}: expected True, given by who judged")
    return found + _of_policy(line, policies) + _of_replies(line) + _of_answers(line)


def feedback(line: Line, policies: Mapping[str, str]) -> Feedback:
    """The record of a line. Raises ValueError with all that it ``lacks``, and as ``lacks`` does."""
    if found := lacks(line, policies):
        raise ValueError("not a training example: " + "; ".join(found))
    kept = {field: line.get(field) for field in Feedback.__dataclass_fields__}
    return Feedback(**kept | {"replies": tuple(line["replies"])})


def _of_policy(line: Line, policies: Mapping[str, str]) -> list[str]:
    version, shown = line.get("policy_version"), line.get("policy_text")
    if not isinstance(version, str) or version not in policies:
        known = ", ".join(map(repr, policies))
        return [f"policy_version is {version!r}: expected a version to learn from, {known}"]
    expected = fingerprint(policies[version])
    if shown != expected:
        wanted = f"the fingerprint of version {version!r}, {expected!r}"
        return [f"policy_text is {shown!r}: expected {wanted}; another text was shown"]
    return []


def _of_replies(line: Line) -> list[str]:
    replies = line.get("replies")
    texts = isinstance(replies, list | tuple) and all(isinstance(text, str) for text in replies)
    if not texts or len(replies) != 2 or replies[0] == replies[1]:
        return [f"replies is {replies!r}: expected two different texts"]
    return []


def _of_answers(line: Line) -> list[str]:
    found, answers = [], {}
    for field in ("label", "second", "adjudicated"):
        answers[field] = answer = line.get(field)
        if answer is None and field != "label":
            continue
        if type(answer) is not int or answer not in (0, 1):
            clicked = field == "label" and answer is None and "clicked" in line
            why = "a click is no judgement; " if clicked else ""
            found.append(f"{field} is {answer!r}: {why}expected 0 or 1, the preferred reply")
    first, second, decided = answers.values()
    if not found and second is not None and second != first and decided is None:
        found.append(
            f"adjudicated is None: the answers differ ({first}, {second}), expected 0 or 1"
        )
    return found


# ---- a log to try it on ---------------------------------------------------------------------


@lru_cache
def with_slices(world: World, old: str, new: str) -> World:
    """The same world with all prompts of one slice counted to another: its gold reward follows."""
    prompts = (replace(p, slice=new) if p.slice == old else p for p in world.prompts)
    return replace(world, prompts=tuple(prompts))


def log_lines(
    world: World, sampler: Callable[[Tensor, torch.Generator], Tensor], generator: torch.Generator
) -> list[tuple[str, dict]]:
    """200 lines of a service's log in random order, each with its kind, a key of ``SHARES``.

    sampler: (prompt indices, generator) → replies, as for ``draw_pairs``. The kind is not in the
    line: it is how the line was made. Annotators follow the world's gold reward, or that of version
    0, for which look-alikes are unsafe; users click as if every request were safe; each by
    Bradley-Terry.
    """
    kinds = [kind for kind, share in SHARES.items() for _ in range(10 * share)]
    kinds = [kinds[i] for i in torch.randperm(len(kinds), generator=generator).tolist()]
    x = world.draw_prompts(len(kinds), generator)
    y = torch.stack([sampler(x, generator), sampler(x, generator)], dim=1)
    while (same := y[:, 0] == y[:, 1]).any():
        y[same, 1] = sampler(x[same], generator)
    chance = torch.rand(3, len(kinds), generator=generator, dtype=torch.float64)

    strict = with_slices(world, "look-alike", "unsafe")
    helpful = with_slices(world, "unsafe", "look-alike")

    def preferred(i: int, by: World) -> int:
        first, second = (by.reward(line["request"], text) for text in line["replies"])
        return int(chance[0, i] >= torch.sigmoid(torch.tensor(first - second)))

    lines = []
    for i, kind in enumerate(kinds):
        line = {
            "request": world.prompts[x[i]].text,
            "replies": tuple(world.text(side) for side in y[i]),
            "model": "reference-1",
            "latency_ms": int(200 + 600 * chance[1, i]),
            "status": 200,
        }
        if kind == "click":
            lines.append((kind, line | {"clicked": preferred(i, helpful)}))
            continue
        old = kind in ("other version", "edited text")
        line |= {
            "annotator": f"a{int(12 * chance[2, i])}",
            "consent": kind != "no consent",
            "policy_version": "0" if kind == "other version" else world.policy_version,
            "policy_text": fingerprint(VERSION_0 if old else world.policy_text),
            "label": preferred(i, strict if old else world),
        }
        if kind == "careless":
            line["label"] = int(chance[1, i] < 0.5)
        if kind == "undecided":
            line["second"] = 1 - line["label"]
        lines.append((kind, line))
    return lines
