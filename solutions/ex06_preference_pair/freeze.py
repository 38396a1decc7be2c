"""Exercise 6, preference pair: the frozen cases of 6a to 6d, and the metrics that the question of 6d compares.

The records of 6a and 6b are texts, so their cases are recorded here and judged by the exercise's own ``records``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.grader.exercises.ex06_preference_pair import records
from solutions.ex06_preference_pair import answers, hidden_runs, mistakes
from solutions.freeze import metric_case, prop, side

# ---- 6a ------------------------------------------------------------------------------------


def dialogue(*turns: str) -> str:
    """Turns as one text, the human's first."""
    names = "Human", "Assistant"
    return "".join(f"\n\n{names[k % 2]}:{turn}" for k, turn in enumerate(turns))


def _sides(*context: str, ends: tuple[str, str]) -> dict[str, str]:
    return {name: dialogue(*context, end) for name, end in zip(("chosen", "rejected"), ends)}


def inputs_6a() -> dict[str, dict[str, str]]:
    """Two dialogues each, the smallest that show each mistake."""
    return {
        "one question": _sides(" hi", ends=(" yes", " no")),
        "two questions": _sides(" hi", " hello", " and?", ends=(" yes", " no")),
        "three questions": _sides(" a", " b", " c", " d", " e", ends=(" yes", " no")),
        "one begins as the other": _sides(" hi", ends=(" yes", " yes, sir")),
        "an empty reply": _sides(" hi", ends=("", " no")),
        "a reply of one space": _sides(" hi", ends=(" no", " ")),
        "one reply twice": _sides(" hi", ends=(" ok", " ok")),
        "a name in a line": _sides(" hi", ends=(" Say Assistant: yes", " no")),
        "names after one line end": _sides(" hi", ends=(" no", " So:\nHuman: a\nAssistant: b")),
        "a blank line in a reply": _sides(" hi", ends=(" yes\n\nand so on", " no")),
        "a name in a question": _sides(" Who is Assistant: you?", ends=(" yes", " no")),
        "other questions": {"chosen": dialogue(" hi", " yes"), "rejected": dialogue(" ho", " no")},
        "other first reply": {
            "chosen": dialogue(" hi", " a", " c", " yes"),
            "rejected": dialogue(" hi", " b", " c", " no"),
        },
        "one goes on": {
            "chosen": dialogue(" hi", " yes"),
            "rejected": dialogue(" hi", " no", " hi", " no"),
        },
        "a capital": {"chosen": dialogue(" hi", " yes"), "rejected": dialogue(" Hi", " no")},
        "a line end before": {
            "chosen": dialogue(" hi", " yes"),
            "rejected": "\n" + dialogue(" hi", " no"),
        },
        "one space more": {"chosen": dialogue(" hi", " yes"), "rejected": dialogue(" hi ", " no")},
        "the human last": {
            "chosen": dialogue(" hi", " yes", " oh"),
            "rejected": dialogue(" hi", " no", " oh"),
        },
        "nothing but a question": {"chosen": dialogue(" hi"), "rejected": dialogue(" hi")},
        "no dialogue": {"chosen": "yes", "rejected": "no"},
    }


PROPERTIES_6A = [
    prop("one_turn", "one question, two replies", 0.3, "expected", ["one question"], values=True),
    prop(
        "dialogue",
        "after a longer dialogue",
        0.4,
        "expected",
        ["two questions", "three questions"],
        values=True,
    ),
    prop(
        "alike",
        "replies that begin alike, are empty or are the same",
        0.4,
        "expected",
        ["one begins as the other", "an empty reply", "a reply of one space", "one reply twice"],
        values=True,
    ),
    prop(
        "inside",
        "a name inside a turn begins no other",
        0.3,
        "expected",
        [
            "a name in a line",
            "a blank line in a reply",
            "names after one line end",
            "a name in a question",
        ],
        values=True,
    ),
    prop(
        "other_context",
        "replies to two prompts raise ValueError",
        0.3,
        "raises",
        [
            "other questions",
            "a capital",
            "one space more",
            "a line end before",
            "other first reply",
            "one goes on",
        ],
    ),
    prop(
        "no_reply",
        "a last turn that is not the assistant's raises ValueError",
        0.3,
        "raises",
        ["no dialogue", "nothing but a question", "the human last"],
    ),
]

# ---- 6b ------------------------------------------------------------------------------------

PAINT, DOOR, SELL = ["paint a door"], ["paint the door"], ["sell a bike"]


def inputs_6b() -> dict[str, dict[str, Any]]:
    """Lists of dialogues, each a list of turns, and ``near``."""

    def of(near: float, *prompts) -> dict[str, Any]:
        return {"prompts": [list(turns) for turns in prompts], "near": near}

    hi, on = ["hi"], ["hi", "hello", "fix a lamp"]
    return {
        "one word changed": of(0.4, PAINT, SELL, DOOR),
        "one word of two dialogues": of(
            0.7, ["paint a red door", "who?", "me"], SELL, ["paint a red door", "who?", "you"]
        ),
        "a word repeated": of(0.6, ["very very very good"], ["very good"], ["bad"]),
        "other words, the same letters": of(0.8, ["a lamp on"], SELL, ["a lamp no"]),
        "it goes on": of(0.9, hi, ["sell"], on),
        "its beginning comes last": of(0.9, on, ["sell"], hi),
        "it goes on for long": of(0.9, ["sell"], [*on, "why?"], on),
        "the same prompt": of(1.0, PAINT, SELL, PAINT),
        "a longer word": of(0.9, ["paint a door"], ["paint a doormat"]),
        "a longer question": of(0.9, ["fix a lamp"], ["fix a lamp now"]),
        "a longer first turn": of(0.9, ["fix a lamp"], ["fix a lamp now", "why?", "so"]),
        "only the last turn": of(0.9, ["sell a bike", "why?", "so"], ["fix a lamp", "who?", "so"]),
        "a later turn": of(0.9, ["fix a lamp"], ["hi", "hello", "fix a lamp"]),
        "other words in its first turn": of(
            0.9, ["dog bites man"], ["man bites dog", "why?", "it had to eat"]
        ),
        "only a greeting": of(0.9, ["hi", "hello", "fix it"], ["hi", "good day", "sell a car"]),
        "a chain": of(0.5, ["a b"], ["a b c d"], ["c d"]),
        "a chain, its middle last": of(0.5, ["a b"], ["c d"], ["a b c d"]),
        "a chain, its middle first": of(0.5, ["a b c d"], ["a b"], ["c d"]),
        "both kinds of link": of(
            0.6, ["sell"], ["fix a red lamp"], ["fix a lamp", "why?", "so"], ["fix a lamp"]
        ),
        "capitals and commas": of(0.9, ["Hi, you!"], ["sell"], ["hi you"]),
        "nearly the same, spelled otherwise": of(0.4, ["Paint a door."], SELL, DOOR),
        "a spelling of the beginning": of(0.9, ["Hi!"], ["sell"], ["hi", "Hello.", "fix it"]),
        "as near as asked": of(0.5, ["a b"], ["b a c d"], ["sell"]),
        "not as near as asked": of(0.6, PAINT, SELL, DOOR),
        "no word at all": of(0.5, [""], ["sell"], [" "]),
        "near of 0": of(0.0, PAINT, SELL),
        "near above 1": of(1.5, PAINT, SELL),
        "near below 0": of(-0.5, PAINT, SELL),
        "a dialogue without turns": of(0.5, PAINT, [], SELL),
    }


PROPERTIES_6B = [
    prop(
        "near",
        "nearly the same words: one group",
        0.5,
        "expected",
        [
            "one word changed",
            "a word repeated",
            "other words, the same letters",
            "one word of two dialogues",
        ],
        values=True,
    ),
    prop(
        "goes_on",
        "a dialogue and what it goes on from: one group",
        0.5,
        "expected",
        ["it goes on", "its beginning comes last", "the same prompt", "it goes on for long"],
        values=True,
    ),
    prop(
        "apart",
        "what only begins alike stays apart",
        0.4,
        "expected",
        [
            "a longer word",
            "a longer question",
            "a longer first turn",
            "a later turn",
            "other words in its first turn",
            "only the last turn",
            "only a greeting",
        ],
    ),
    prop(
        "chains",
        "links carry over, in any order of the file",
        0.6,
        "expected",
        ["a chain", "a chain, its middle last", "a chain, its middle first", "both kinds of link"],
        values=True,
    ),
    prop(
        "spelling",
        "capitals, commas and spaces make no difference",
        0.3,
        "expected",
        [
            "capitals and commas",
            "nearly the same, spelled otherwise",
            "a spelling of the beginning",
        ],
        values=True,
    ),
    prop(
        "tie",
        "a similarity of exactly `near` is enough, less is not",
        0.2,
        "expected",
        ["as near as asked", "not as near as asked"],
        values=True,
    ),
    prop("wordless", "two texts without words are the same", 0.2, "expected", ["no word at all"]),
    prop(
        "refuses",
        "near outside (0, 1] and a dialogue without turns raise ValueError",
        0.2,
        "raises",
        ["near of 0", "near above 1", "near below 0", "a dialogue without turns"],
    ),
    prop("unchanged", "arguments are left as they were", 0.1, "unchanged", []),
]


EXACT = "all_alone", "all_together"  # mistakes that are told only where nothing else is returned


def records_case(
    part: str,
    title: str,
    reference: Callable,
    inputs: dict[str, dict],
    properties: list[dict],
    wrong,
    read: records.Read,
    wrong_shape: str,
    exchanged: str = "",
) -> dict[str, Any]:
    """A part that asks for a function of texts: expected values, and what each mistake makes of the inputs.

    exchanged: the key of the mistake that has the last two results in the other order, if there is one. Raises
    RuntimeError for a reference that is not right, and for a mistake that is.
    """
    for spec in properties:
        for probe in spec["probes"]:
            del probe["of"]
            seen, _, _ = records.observe(reference, inputs[probe["input"]], read)
            if seen.kind != ("refused" if spec["kind"] == "raises" else "value"):
                raise RuntimeError(
                    f"{part}, {probe['input']}: the reference {seen.kind}: {seen.text}"
                )
            if spec["kind"] == "expected":
                probe["expected"] = seen.value
    return {
        "part": part,
        "title": title,
        "points": round(sum(spec["points"] for spec in properties), 2),
        "asks_for": reference.__name__,
        "inputs": inputs,
        "properties": properties,
        "wrong_shape": wrong_shape,
        "exchanged": exchanged,
        "mistakes": [
            {
                "key": m.key,
                "message": m.message,
                "exact": m.key in EXACT,
                "writings": [_wrong_on(w, inputs, properties, read, m.key) for w in m.writings],
            }
            for m in wrong
        ],
    }


def _wrong_on(
    writing: Callable, inputs: dict, properties: list[dict], read, key: str
) -> dict[str, dict]:
    """What one wrong answer makes of each input on which it is wrong; '' stands for a changed argument."""
    found = {}
    for spec in properties:
        for probe in spec["probes"]:
            seen, _, _ = records.observe(writing, inputs[probe["input"]], read)
            if not records.right(spec, probe, seen):
                found[probe["input"]] = {"kind": seen.kind}
                found[probe["input"]] |= {"value": seen.value} if seen.kind == "value" else {}
        if spec["kind"] == "unchanged" and any(
            records.observe(writing, i, read)[2] for i in inputs.values()
        ):
            found[""] = {"kind": "changed"}
    if not found:
        raise RuntimeError(f"{key}: right on every input, so nothing would be found")
    return found


# ---- 6c ------------------------------------------------------------------------------------


def case_6c() -> dict[str, Any]:
    """No values to freeze: points and thresholds of the effects."""
    return {
        "part": "6c",
        "title": "what the cut takes away",
        "points": 3.0,
        "asks_for": "cut_examples",
        "properties": [
            side(
                "safe",
                "safe: every pair loses something, and all words are learned in order",
                "safe",
                "pairs that lose words and are learned from rightly",
            ),
            side(
                "unsafe_turns",
                "unsafe: of two words the worse is learned to be better",
                "unsafe",
                "pairs from which two words are learned in the wrong order",
            ),
            side(
                "unsafe_unseen",
                "unsafe: and neither the audit nor the fit shows it",
                "unsafe",
                "pairs in which neither the audit nor the fit shows anything",
                waits_for=["unsafe_turns"],
            ),
        ],
        "thresholds": {"lost": 1.0, "order": 0.2, "turned": 0.5},
        "exchanged": mistakes.EXCHANGED,
    }


def cases() -> dict[str, dict[str, Any]]:
    """The frozen cases of 6a to 6d."""
    return {
        "6a": records_case(
            "6a",
            "a pair from two dialogues",
            answers.preference_pair,
            inputs_6a(),
            [dict(spec, probes=[dict(p) for p in spec["probes"]]) for spec in PROPERTIES_6A],
            mistakes.MISTAKES["6a"],
            records.read_triple,
            "Your function returns something else than three texts: (prompt, y_w, y_l) is asked for, in this order.",
            exchanged="sides_exchanged",
        ),
        "6b": records_case(
            "6b",
            "a split that holds",
            answers.groups,
            inputs_6b(),
            [dict(spec, probes=[dict(p) for p in spec["probes"]]) for spec in PROPERTIES_6B],
            mistakes.MISTAKES["6b"],
            records.read_groups,
            "Your function returns something else than one number for each prompt, in the order of the prompts: the "
            "same number for two prompts just when they are in one group.",
        ),
        "6c": case_6c(),
        "6d": metric_case(
            "6d",
            "whose answer is it?",
            "copied_answers",
            "regressed files score above healthy ones",
            points_from=0.8,
            full_from=0.9,
            wrong=mistakes.MISTAKES["6d"],
            upside_down=mistakes.UPSIDE_DOWN,
            hidden=hidden_runs,
            each="file",
            constant=mistakes.CONSTANT,
        ),
    }


# what the table of the question compares, turned so that larger should mean regressed; and the reference answer
COMPARED = {
    "number of records, or of comparisons that two people share": hidden_runs.largest_overlap,
    "agreement over all comparisons (`audit`: fewer contradictions)": hidden_runs.few_contradictions,
    "share of comparisons on which all agree": hidden_runs.of_one_mind,
    "largest share of answers against the others', one person": hidden_runs.contrarian,
    "largest agreement of two people who share 20 comparisons or more": hidden_runs.largest_agreement(
        20
    ),
    "largest agreement of two people, in standard errors above the file's": hidden_runs.largest_excess,
    "reference answer": answers.copied_answers,
}
