"""Exercise 6c, judged by effect: people judge whole replies, training reads their first words.

Answers are unlimited, so nothing is left to chance: a reply is worth the sum of its words, all of them, and a is
preferred to b with probability σ(worth of a − worth of b). What is learned is one number for each word, whose sum over
the words that are *read* is the reward of a reply, by the Bradley-Terry likelihood of all answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from helpers.grader.judge_examples import Verdict, judge_examples
from helpers.grader.result import Failure, Result
from helpers.grader.run_answer import Unusable, attempt
from helpers.grader.texts import exact_text, type_name
from helpers.pairs import audit
from helpers.world import Pair

WORTH = {"done": 2.0, "sure": 1.0, "well": 0.0, "later": -1.0, "no": -2.0}
WORDS = list(WORTH)
READ, LONGEST, PAIRS = (
    2,
    4,
    (4, 20),
)  # words that training reads; words in a reply; pairs in an example
CLEAR = 0.5  # least difference in worth between two whole replies
RIDGE = 1e-4  # times the sum of squares: what the answers leave open stays small
HEADING = "Your pairs"


@dataclass(frozen=True)
class Reading:
    """What ``train_on_read`` returns.

    values: by word, what training learned, in nats. records: the pairs as training reads them, preferred reply first,
    each under a prompt of its own. right: share of the records that the learned reward orders as the people did.
    lost: by pair, worth of the words that nobody read, first reply minus second.
    """

    values: dict[str, float]
    records: list[Pair]
    right: float
    lost: list[float]


def train_on_read(pairs) -> Reading:
    """Judge whole replies, train on their first two words. ``pairs``: two replies each, of 1 to 4 of the five words.

    Raises ValueError for other than 4 to 20 pairs, replies of other words or lengths, and two replies of a pair whose
    worth differs by less than 0.5.
    """
    replies = _replies(pairs)
    worth = np.array([[sum(WORTH[w] for w in reply) for reply in pair] for pair in replies])
    counts = np.array(
        [[[reply[:READ].count(w) for w in WORDS] for reply in pair] for pair in replies]
    )
    gap, seen = worth[:, 0] - worth[:, 1], counts[:, 0] - counts[:, 1]
    close = np.abs(gap) < CLEAR
    if close.any():
        k = int(close.argmax())
        raise ValueError(
            f"pair {k}: worth {worth[k, 0]:g} and {worth[k, 1]:g}: expected {CLEAR:g} apart or more"
        )
    values = _fit(seen.astype(float), 1 / (1 + np.exp(-gap)))
    records = []
    for k, (pair, difference) in enumerate(zip(replies, gap)):
        read = [" ".join(reply[:READ]) for reply in pair]
        records.append(Pair(f"question {k}", *(read if difference > 0 else read[::-1])))
    read_worth = np.array(
        [[sum(WORTH[w] for w in reply[:READ]) for reply in pair] for pair in replies]
    )
    right = float((np.sign(gap) * (seen @ values) > 1e-6).mean())
    lost = (worth - read_worth)[:, 0] - (worth - read_worth)[:, 1]
    return Reading(dict(zip(WORDS, map(float, values))), records, right, lost.tolist())


def _replies(pairs) -> list[list[list[str]]]:
    if type(pairs) not in (list, tuple) or not PAIRS[0] <= len(pairs) <= PAIRS[1]:
        found = f"{len(pairs)} pairs" if type(pairs) in (list, tuple) else f"a {type_name(pairs)}"
        raise ValueError(f"{found}: expected a list of {PAIRS[0]} to {PAIRS[1]} pairs")
    found = []
    for k, pair in enumerate(pairs):
        if (
            type(pair) not in (list, tuple)
            or len(pair) != 2
            or any(type(y) is not str for y in pair)
        ):
            raise ValueError(
                f"pair {k} {_no_pair(pair)}: expected two texts, as ('done well', 'no')"
            )
        split = [reply.split() for reply in pair]
        for reply in split:
            unknown = [word for word in reply if word not in WORTH]
            if unknown:
                word = exact_text(unknown[0], 40)
                raise ValueError(
                    f"pair {k}: the word {word!r}: expected words out of {', '.join(WORDS)}"
                )
            if not 1 <= len(reply) <= LONGEST:
                raise ValueError(
                    f"pair {k}: a reply of {len(reply)} words: expected 1 to {LONGEST}"
                )
        found.append(split)
    return found


def _no_pair(pair) -> str:
    """What is wrong with a pair that is not two texts."""
    if type(pair) not in (list, tuple):
        return "is None" if pair is None else f"is a {type_name(pair)}"
    if len(pair) != 2:
        return f"has {len(pair)} entries"
    if all(type(reply) in (list, tuple) for reply in pair):
        return "holds lists of words"
    other = next(reply for reply in pair if type(reply) is not str)
    return f"holds {'None' if other is None else f'a {type_name(other)}'}"


def _decided(seen: np.ndarray, first: str, second: str) -> bool:
    """Whether the pairs say anything of the difference of two words' values: (P, W) counts read, first minus second."""
    wanted = np.array([(word == first) - (word == second) for word in WORDS], dtype=float)
    found = np.linalg.lstsq(seen.T.astype(float), wanted, rcond=None)[0]
    return bool(np.allclose(seen.T @ found, wanted, atol=1e-8))


def _fit(seen: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Minimum of the mean logistic loss plus ridge, by Newton's method: (P, W), (P,) → (W,)."""
    values = np.zeros(seen.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-(seen @ values).clip(-500, 500)))
        slope = seen.T @ (p - target) / len(seen) + 2 * RIDGE * values
        bend = (seen.T * (p * (1 - p))) @ seen / len(seen) + 2 * RIDGE * np.eye(len(values))
        step = np.linalg.solve(bend, slope)
        values = values - step * min(1.0, 1.0 / np.abs(step).max()) if step.any() else values
        if np.abs(step).max() < 1e-10:
            break
    return values


# ---- judging --------------------------------------------------------------------------------


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """Train on the safe and the unsafe pairs of ``answer()``. case: points and thresholds."""

    def on_side(
        side: str, verdict: Callable[[_Side, dict], Verdict]
    ) -> Callable[[dict, dict], Verdict]:
        return lambda sides, case: verdict(_Side(sides, side), case["thresholds"])

    judges = {
        "safe": on_side("safe", _safe),
        "unsafe_turns": on_side("unsafe", _unsafe_turns),
        "unsafe_unseen": on_side("unsafe", _unsafe_unseen),
    }
    result = judge_examples(answer, case, judges, HEADING)
    if len(result.diagnoses) > 1 and _exchanged(answer, case):
        return replace(result, diagnoses=(case["exchanged"],))
    return result


def _exchanged(answer: Callable, case: dict[str, Any]) -> bool:
    """Whether each side is right for the other."""
    sides, limits = attempt(answer).value, case["thresholds"]
    try:
        safe, unsafe = _Side(sides, "unsafe"), _Side(sides, "safe")
    except Unusable:
        return False
    return not _safe(safe, limits)[0] and not _unsafe_turns(unsafe, limits)[0]


class _Side:
    """One side's pairs and what was learned from them. Raises Unusable, saying what is wrong."""

    def __init__(self, sides: dict, which: str):
        pairs = sides.get(which)
        if pairs is None:
            raise Unusable("not written yet")
        try:
            self.reading = train_on_read(pairs)
        except ValueError as error:
            raise Unusable(str(error)) from None
        self.pairs = [tuple(map(str, pair)) for pair in pairs]
        self.read_words = {
            w for pair in self.reading.records for w in f"{pair.chosen} {pair.rejected}".split()
        }
        self.seen = np.array(
            [
                [first.split()[:READ].count(w) - second.split()[:READ].count(w) for w in WORDS]
                for first, second in self.pairs
            ]
        )

    def turned(self, least: float, decided: bool = True) -> tuple[str, str] | None:
        """Two words that were read, learned in the wrong order by ``least`` or more.

        decided: of which the pairs say something; otherwise those whose numbers merely stand like that.
        """
        v = self.reading.values
        for i, better in enumerate(WORDS):
            for worse in WORDS[i + 1 :]:
                wrong = {better, worse} <= self.read_words and v[worse] - v[better] >= least
                if wrong and self.decides(better, worse) == decided:
                    return better, worse
        return None

    def decides(self, first: str, second: str) -> bool:
        """Whether some pair, or several together, set one word against the other."""
        return _decided(self.seen, first, second)

    def __str__(self) -> str:
        rows = []
        for first, second in self.pairs[:8]:
            read = [" ".join(y.split()[:READ]) for y in (first, second)]
            cut = [" ".join(y.split()[READ:]) for y in (first, second)]
            rows.append(" against ".join(f"{r} [{c}]" if c else r for r, c in zip(read, cut)))
        more = len(self.pairs) - len(rows)
        return "\n".join(rows + ([f"and {more} more"] if more else []))

    def story(self) -> str:
        """What was learned."""
        learned = ", ".join(f"{word} {value:+.2f}" for word, value in self.reading.values.items())
        return f"learned: {learned}\nanswers explained: {self.reading.right:.0%}"


def _safe(side: _Side, thresholds: dict[str, float]) -> Verdict:
    apart, least = thresholds["lost"], thresholds["order"]
    asked = "each pair loses something, and all five words are learned in the order of their worth"
    whole = [k for k, lost in enumerate(side.reading.lost) if abs(lost) < apart]
    if whole:
        k = whole[0]
        why = (
            f"Safe pairs: in pair {k} nothing that matters is lost: the words cut off are worth as much on one side as "
            f"on the other, within {apart:g}. Asked is harm avoided, not a cut avoided."
        )
        return Failure(str(side), side.story(), asked, HEADING), why
    unread = [word for word in WORDS if word not in side.read_words]
    if unread:
        why = f"Safe pairs: ‘{unread[0]}’ is never among the words that are read, so nothing can be learned of it."
        return Failure(str(side), side.story(), asked, HEADING), why
    if side.turned(thresholds["turned"]) is not None:
        better, worse = side.turned(thresholds["turned"])
        why = (
            f"Safe pairs: ‘{worse}’ is learned to be better than ‘{better}’. That is the other effect: what people "
            "saw after the cut spoke against what training reads."
        )
        return Failure(str(side), side.story(), asked, HEADING), why
    for a, b in pairwise(WORDS):
        if not side.decides(a, b):
            why = (
                f"Safe pairs: no pair sets ‘{a}’ against ‘{b}’, nor do several together, so nothing is learned of "
                "the two: their numbers could be any."
            )
            return Failure(str(side), side.story(), asked, HEADING), why
    v = [side.reading.values[word] for word in WORDS]
    for a, b, high, low in zip(WORDS, WORDS[1:], v, v[1:]):
        if high - low < least:
            why = (
                f"Safe pairs: ‘{a}’ is not learned to be better than ‘{b}’: {high:+.2f} against {low:+.2f}, asked is "
                f"a lead of {least:g} or more. Which pairs compare the two, and what was lost there?"
            )
            return Failure(str(side), side.story(), asked, HEADING), why
    return None, ""


def _unsafe_turns(side: _Side, thresholds: dict[str, float]) -> Verdict:
    least = thresholds["turned"]
    if side.turned(least) is not None:
        return None, ""
    asked = f"two words learned in the wrong order, by {least:g} nats or more"
    why = (
        "Unsafe pairs: whichever of two words is worth more is also learned to be, or loses by too little. When does "
        "a reply that begins well lose?"
    )
    stand = side.turned(least, decided=False)
    if stand:
        why = (
            f"Unsafe pairs: ‘{stand[1]}’ stands above ‘{stand[0]}’, but no pair sets one against the other, nor "
            "do several together: a word on both sides of a pair cancels. What nothing is learned of is not "
            "learned wrongly."
        )
    if not any(side.reading.lost):
        why = "Unsafe pairs: no pair loses anything that tells its replies apart, so what is read is what was judged."
    return Failure(str(side), side.story(), asked, HEADING), why


def _unsafe_unseen(side: _Side, thresholds: dict[str, float]) -> Verdict:
    asked = "no finding, and every answer explained by what was learned"
    findings = audit(side.reading.records)
    if findings:
        kind, (k, *_) = findings[0].kind, findings[0].records
        why = (
            f"Unsafe pairs: `audit` reports pair {k} as ‘{kind}’ once it is cut. What a report names can be removed; "
            "asked is harm that none names."
        )
        return Failure(
            str(side), f"{len(findings)} findings, the first: {kind}", asked, HEADING
        ), why
    if side.reading.right < 1:
        why = (
            f"Unsafe pairs: the learned reward explains {side.reading.right:.0%} of the answers. A misfit on the "
            "training pairs would be noticed: let all of them tell the same wrong story."
        )
        return Failure(str(side), side.story(), asked, HEADING), why
    return None, ""
