"""Exercise 6, preference pair: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

import os.path
import re
from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np

from helpers.pairs import normal_words, similarity
from solutions.ex06_preference_pair import hidden_runs
from solutions.ex06_preference_pair.answers import (
    MARKS,
    cut,
    cut_examples,
    goes_on,
    groups,
    linked,
    preference_pair,
    refuse_dialogues,
)
from solutions.freeze import Mistake

# ---- 6a ------------------------------------------------------------------------------------

HUMAN, ASSISTANT = MARKS


def _changed(change: Callable) -> Callable:
    """An answer that differs in what becomes of the right triple."""
    return lambda chosen, rejected: change(*preference_pair(chosen, rejected))


def _first_reply(chosen, rejected):
    preference_pair(chosen, rejected)
    end = chosen.index(ASSISTANT) + len(ASSISTANT)
    return chosen[:end], chosen[end:], rejected[rejected.index(ASSISTANT) + len(ASSISTANT) :]


def _split_once(chosen, rejected):
    (prompt, y_w), (other, y_l) = (text.split(ASSISTANT, 1) for text in (chosen, rejected))
    if prompt != other or HUMAN in y_w.rpartition(ASSISTANT)[2]:
        raise ValueError("no pair")
    return prompt + ASSISTANT, y_w, y_l


def _common_start(chosen, rejected):
    preference_pair(chosen, rejected)
    n = len(os.path.commonprefix([chosen, rejected]))
    return chosen[:n], chosen[n:], rejected[n:]


def _common_start_by_hand(chosen, rejected):
    n = 0
    while n < min(len(chosen), len(rejected)) and chosen[n] == rejected[n]:
        n += 1
    if preference_pair(chosen, rejected) and not chosen[:n].strip():
        raise ValueError
    return chosen[:n], chosen[n:], rejected[n:]


def _common_start_whatever(chosen, rejected):
    """No record is refused, whoever speaks last and whatever was said before."""
    n = len(os.path.commonprefix([chosen, rejected]))
    return chosen[:n], chosen[n:], rejected[n:]


def _common_start_of_two(chosen, rejected):
    """Refused is only what does not begin with the same turn."""
    found = _common_start_whatever(chosen, rejected)
    if ASSISTANT not in found[0]:
        raise ValueError("two prompts")
    return found


def _loose(pattern: str) -> Callable:
    """Turns that begin wherever ``pattern`` is found."""

    def answer(chosen, rejected):
        preference_pair(chosen, rejected)
        sides = []
        for text in (chosen, rejected):
            end = [m.end() for m in re.finditer(pattern, text)][-1]
            sides.append((text[:end], text[end:]))
        return sides[0][0], sides[0][1], sides[1][1]

    return answer


def _loose_and_refused(pattern: str) -> Callable:
    """The same, and two prompts that differ then are refused."""

    def answer(chosen, rejected):
        preference_pair(chosen, rejected)
        sides = []
        for text in (chosen, rejected):
            end = [m.end() for m in re.finditer(pattern, text)][-1]
            sides.append((text[:end], text[end:]))
        if sides[0][0] != sides[1][0]:
            raise ValueError("two prompts")
        return sides[0][0], sides[0][1], sides[1][1]

    return answer


def _last_paragraph(chosen, rejected):
    """Whatever follows the last blank line is the last turn."""
    preference_pair(chosen, rejected)
    (one, _, y_w), (two, _, y_l) = (text.rpartition("\n\n") for text in (chosen, rejected))
    if one != two:
        raise ValueError("two prompts")
    name = "Assistant:"
    return f"{one}{ASSISTANT}", y_w.removeprefix(name), y_l.removeprefix(name)


def _last_paragraph_unchecked(chosen, rejected):
    preference_pair(chosen, rejected)
    (one, _, y_w), (_, _, y_l) = (text.rpartition("\n\n") for text in (chosen, rejected))
    name = "Assistant:"
    return f"{one}{ASSISTANT}", y_w.removeprefix(name), y_l.removeprefix(name)


def _refuses_by(kind: type[Exception]) -> Callable:
    """Right, but for the kind of the exception."""

    def answer(*given):
        try:
            return preference_pair(*given)
        except ValueError as error:
            raise kind(str(error)) from None

    return answer


def _compared_by(change: Callable) -> Callable:
    """Contexts compared after a change of both."""

    def answer(chosen, rejected):
        (prompt, y_w), (other, y_l) = cut(chosen), cut(rejected)
        if change(prompt) != change(other):
            raise ValueError("two prompts")
        return prompt, y_w, y_l

    return answer


def _without_marker(prompt, y_w, y_l):
    return prompt.removesuffix(ASSISTANT), y_w, y_l


def _marker_in_reply(prompt, y_w, y_l):
    return prompt.removesuffix(ASSISTANT), ASSISTANT + y_w, ASSISTANT + y_l


def _last_turn(prompt, y_w, y_l):
    return prompt[prompt.rindex(HUMAN) :], y_w, y_l


def _last_words(prompt, y_w, y_l):
    return prompt[prompt.rindex(HUMAN) + len(HUMAN) :].removesuffix(ASSISTANT), y_w, y_l


def _own_context(chosen, rejected):
    """Each side cut by itself; the prompt is the first one's."""
    (prompt, y_w), (_, y_l) = cut(chosen), cut(rejected)
    return prompt, y_w, y_l


def _same_length(chosen, rejected):
    """The other side cut where the first one is."""
    prompt, y_w = cut(chosen)
    cut(rejected)
    return prompt, y_w, rejected[len(prompt) :]


def _any_end(chosen, rejected):
    """The last reply, whoever spoke after it."""
    sides = []
    for text in (chosen, rejected):
        k = text.rfind(ASSISTANT)
        k = k + len(ASSISTANT) if k >= 0 else 0
        sides.append((text[:k], text[k:]))
    if sides[0][0] != sides[1][0]:
        raise ValueError("two prompts")
    return sides[0][0], sides[0][1], sides[1][1]


def _any_end_by_parts(chosen, rejected):
    (prompt, mark, y_w), (other, _, y_l) = (t.rpartition(ASSISTANT) for t in (chosen, rejected))
    if prompt != other:
        raise ValueError("two prompts")
    return prompt + mark, y_w, y_l


def _refuses_empty(chosen, rejected):
    prompt, y_w, y_l = preference_pair(chosen, rejected)
    if not y_w.strip() or not y_l.strip():
        raise ValueError("a reply without text")
    return prompt, y_w, y_l


def _refuses_empty_by_parts(chosen, rejected):
    found = preference_pair(chosen, rejected)
    if not all(found):
        raise ValueError("an empty text")
    if any(not text.strip() for text in found):
        raise ValueError("an empty text")
    return found


def _refuses_equal(chosen, rejected):
    prompt, y_w, y_l = preference_pair(chosen, rejected)
    if y_w == y_l:
        raise ValueError("one reply twice")
    return prompt, y_w, y_l


def _refuses_equal_words(chosen, rejected):
    if normal_words(chosen) == normal_words(rejected) and chosen == rejected:
        raise ValueError("nothing to prefer")
    return preference_pair(chosen, rejected)


def _forgiving(chosen, rejected):
    """Contexts compared up to spaces and capitals."""
    (prompt, y_w), (other, y_l) = cut(chosen), cut(rejected)
    if prompt.split() != other.split():
        raise ValueError("two prompts")
    return prompt, y_w, y_l


def _forgiving_words(chosen, rejected):
    (prompt, y_w), (other, y_l) = cut(chosen), cut(rejected)
    if normal_words(prompt) != normal_words(other):
        raise ValueError("two prompts")
    return prompt, y_w, y_l


MISTAKES_6A = (
    Mistake(
        "first_reply",
        "You cut at the assistant's *first* turn. In a longer dialogue that one is history, common to both sides; what "
        "was compared is how the dialogue ends.",
        (_first_reply, _split_once),
        ("dialogue",),
    ),
    Mistake(
        "common_start",
        "You take as prompt whatever the two texts have in common. Two replies may begin with the same words, and "
        "these belong to the replies: look for the turn, not for the first difference.",
        (_common_start, _common_start_by_hand, _common_start_whatever, _common_start_of_two),
        ("one_turn", "alike"),
    ),
    Mistake(
        "inside",
        "A speaker's name is a turn for you wherever it stands. People quote, and models write out dialogues: only "
        "after a blank line does a turn begin.",
        (
            _loose(r"Assistant:"),
            _loose(r"\n\s*Assistant:"),
            _loose_and_refused(r"Assistant:"),
            _loose_and_refused(r"\n\s*Assistant:"),
            _loose_and_refused(r"\nAssistant:"),
        ),
        ("inside",),
    ),
    Mistake(
        "paragraph",
        "You cut replies at a blank line, or at the end of a line. A reply may have several: it is all that follows "
        "the opening of the last turn.",
        (
            _last_paragraph,
            _last_paragraph_unchecked,
            _changed(lambda prompt, y_w, y_l: (prompt, y_w.split("\n")[0], y_l.split("\n")[0])),
            _changed(lambda prompt, y_w, y_l: (prompt, y_w.split("\n\n")[0], y_l.split("\n\n")[0])),
        ),
        ("inside",),
    ),
    Mistake(
        "whole_texts",
        "Your replies are the whole dialogues. What stands in the prompt is said once: a reply is what follows it.",
        (
            lambda chosen, rejected: (preference_pair(chosen, rejected)[0], chosen, rejected),
            _changed(lambda prompt, y_w, y_l: (prompt, prompt + y_w, prompt + y_l)),
        ),
        ("one_turn", "dialogue"),
    ),
    Mistake(
        "other_error",
        "You refuse what is no pair, but by another exception. Whoever calls you waits for ValueError.",
        tuple(map(_refuses_by, (AssertionError, KeyError, TypeError))),
        ("other_context", "no_reply"),
    ),
    Mistake(
        "context_unchecked",
        "Two dialogues that differ before their last reply go through: these are replies to two prompts, and nobody "
        "preferred one of them to the other at either.",
        (_own_context, _same_length),
        ("other_context",),
    ),
    Mistake(
        "context_forgiven",
        "You compare the two contexts up to spaces or capitals. Then one side's own text is lost: prompt and reply no "
        "longer give back the dialogue. Ask for the same text, to the character.",
        (
            _forgiving,
            _forgiving_words,
            _compared_by(str.strip),
            _compared_by(str.lower),
            _compared_by(lambda text: text.strip().lower()),
        ),
        ("other_context",),
    ),
    Mistake(
        "no_reply",
        "A dialogue that does not end with the assistant's turn goes through. What you return as a reply was followed "
        "by somebody else's words, or is no reply at all.",
        (_any_end, _any_end_by_parts),
        ("no_reply",),
    ),
    Mistake(
        "stripped",
        "You trim the texts. A pair keeps every character: the prompt with its reply must give back the dialogue, "
        "spaces and all, or the model is trained on texts that nobody was shown.",
        (
            _changed(lambda prompt, y_w, y_l: (prompt, y_w.strip(), y_l.strip())),
            _changed(lambda prompt, y_w, y_l: (prompt, y_w.lstrip(), y_l.lstrip())),
            _changed(lambda prompt, y_w, y_l: (prompt, y_w.rstrip(), y_l.rstrip())),
            _changed(lambda prompt, y_w, y_l: (prompt.lstrip(), y_w, y_l)),
            _changed(lambda prompt, y_w, y_l: (prompt.strip(), y_w.strip(), y_l.strip())),
            _changed(lambda prompt, y_w, y_l: (prompt.strip(), y_w, y_l)),
        ),
        ("one_turn", "dialogue", "alike"),
    ),
    Mistake(
        "marker_dropped",
        "The words that open the last turn are in none of your three texts. The prompt ends with them: they are what "
        "tells the model that it is its turn.",
        (
            _changed(_without_marker),
            _changed(lambda prompt, y_w, y_l: (prompt.removesuffix("Assistant:"), y_w, y_l)),
            _changed(
                lambda p, y_w, y_l: (p.removesuffix(ASSISTANT).strip(), y_w.strip(), y_l.strip())
            ),
        ),
        ("one_turn", "dialogue"),
    ),
    Mistake(
        "marker_in_reply",
        "Your replies begin with the speaker's name. It is the same for both and nobody wrote it: it belongs to the "
        "end of the prompt.",
        (
            _changed(_marker_in_reply),
            _changed(
                lambda p, y_w, y_l: (
                    p.removesuffix("Assistant:"),
                    "Assistant:" + y_w,
                    "Assistant:" + y_l,
                )
            ),
        ),
        ("one_turn", "dialogue"),
    ),
    Mistake(
        "history_dropped",
        "Your prompt is the last question alone. People judged the reply after everything that was said before.",
        (
            _changed(_last_turn),
            _changed(lambda p, w, l: (HUMAN + p.rpartition(HUMAN)[2], w, l)),
            _changed(_last_words),
        ),
        ("dialogue",),
    ),
    Mistake(
        "sides_exchanged",
        "Your results stand in another order: prompt first, then the reply that was chosen, then the one rejected.",
        (
            _changed(lambda prompt, y_w, y_l: (prompt, y_l, y_w)),
            _changed(lambda prompt, y_w, y_l: (y_w, y_l, prompt)),
            _changed(lambda prompt, y_w, y_l: (y_w, prompt, y_l)),
            lambda chosen, rejected: preference_pair(rejected, chosen),
        ),
        ("one_turn", "dialogue", "alike"),
    ),
    Mistake(
        "refuses_empty",
        "You refuse a pair with an empty reply. Saying nothing is a reply, and somebody judged it; `audit` reports it, "
        "so that a person can decide.",
        (_refuses_empty, _refuses_empty_by_parts),
        ("alike",),
    ),
    Mistake(
        "refuses_equal",
        "You refuse a pair of equal replies. It teaches nothing, but it is what stands in the file, and `audit` "
        "reports it; here only the form is asked about.",
        (_refuses_equal, _refuses_equal_words),
        ("alike",),
    ),
)

# ---- 6b ------------------------------------------------------------------------------------


def _by_link(link: Callable) -> Callable:
    """The right groups of other links; link: (one dialogue, another, near) → bool."""

    def answer(prompts, near):
        refuse_dialogues(prompts, near)
        return _joined(prompts, lambda a, b: link(a, b, near))

    return answer


def _joined(prompts, link):
    label = list(range(len(prompts)))
    for i, a in enumerate(prompts):
        for j, b in enumerate(prompts[:i]):
            if link(a, b):
                label = [label[j] if k == label[i] else k for k in label]
    return label


def _near(measure: Callable, strict: bool = False) -> Callable:
    """Links by another similarity of two texts."""

    def link(a, b, near):
        value = measure(" ".join(a), " ".join(b))
        return goes_on(a, b) or (value > near if strict else value >= near)

    return link


def _goes_on_by(begins: Callable) -> Callable:
    """Links by another notion of going on."""
    return lambda a, b, near: begins(a, b) or similarity(" ".join(a), " ".join(b)) >= near


def _leader(prompts, near):
    """Each prompt joins the first group whose first member it is linked to."""
    refuse_dialogues(prompts, near)
    leaders, label = [], []
    for turns in prompts:
        k = next((k for k, first in enumerate(leaders) if linked(first, turns, near)), len(leaders))
        leaders += [turns] if k == len(leaders) else []
        label.append(k)
    return label


def _complete(prompts, near):
    """Each prompt joins the first group to all of whose members it is linked."""
    refuse_dialogues(prompts, near)
    found, label = [], []
    for turns in prompts:
        fits = (k for k, group in enumerate(found) if all(linked(t, turns, near) for t in group))
        k = next(fits, len(found))
        if k == len(found):
            found.append([])
        found[k].append(turns)
        label.append(k)
    return label


def _first_linked(prompts, near):
    refuse_dialogues(prompts, near)
    return [
        next(j for j, other in enumerate(prompts) if linked(other, turns, near))
        for turns in prompts
    ]


def _without_merging(prompts, near):
    """Each prompt joins the first group with a member that it is linked to; groups are never united."""
    refuse_dialogues(prompts, near)
    label = []
    for turns in prompts:
        fits = [
            label[j] for j, other in enumerate(prompts[: len(label)]) if linked(other, turns, near)
        ]
        label.append(fits[0] if fits else len(label))
    return label


def _without_merging_last(prompts, near):
    refuse_dialogues(prompts, near)
    found = []
    for i, turns in enumerate(prompts):
        for group in reversed(found):
            if any(linked(prompts[j], turns, near) for j in group):
                group.append(i)
                break
        else:
            found.append([i])
    return [next(k for k, group in enumerate(found) if i in group) for i in range(len(prompts))]


def _ratio(form: Callable) -> Callable:
    """Another similarity, of the words in common, of one text and of the other."""

    def measure(first, second):
        a, b = Counter(normal_words(first)), Counter(normal_words(second))
        return form((a & b).total(), a.total(), b.total()) if a or b else 1.0

    return measure


def _kinds(first, second):
    a, b = set(normal_words(first)), set(normal_words(second))
    return len(a & b) / len(a | b) if a | b else 1.0


def _kinds_by_counts(first, second):
    a, b = dict.fromkeys(normal_words(first)), dict.fromkeys(normal_words(second))
    common = sum(word in b for word in a)
    return common / (len(a) + len(b) - common) if a or b else 1.0


def _as_spelled(first, second):
    a, b = Counter(first.split()), Counter(second.split())
    return (a & b).total() / (a | b).total() if a or b else 1.0


def _lower(first, second):
    return _as_spelled(first.lower(), second.lower())


def _spelled_start(a, b):
    return all(s == t for s, t in zip(a, b)) or goes_on(a, b) and "".join(a).strip() == ""


def _spelled(a, b, near):
    return _spelled_start(a, b) or _as_spelled(" ".join(a), " ".join(b)) >= near


def _spelled_start_only(a, b, near):
    return _spelled_start(a, b) or similarity(" ".join(a), " ".join(b)) >= near


def _lowered(a, b, near):
    same = all(s.lower().split() == t.lower().split() for s, t in zip(a, b))
    return same or _lower(" ".join(a), " ".join(b)) >= near


def _words(turns) -> tuple[str, ...]:
    return normal_words(" ".join(turns))


def _letters_start(a, b):
    one, two = sorted((" ".join(_words(a)), " ".join(_words(b))), key=len)
    return two.startswith(one)


def _words_start(a, b):
    one, two = sorted((_words(a), _words(b)), key=len)
    return two[: len(one)] == one


def _same_first(a, b):
    return normal_words(a[0]) == normal_words(b[0])


def _some_turn(a, b):
    return bool({normal_words(t) for t in a[::2]} & {normal_words(t) for t in b[::2]})


def _last_turns(a, b, near):
    return goes_on(a, b) or similarity(a[-1], b[-1]) >= near


def _last_turns_and_whole(a, b, near):
    return linked(a, b, near) or similarity(a[-1], b[-1]) >= near


def _earlier_begins(prompts, near):
    """Going on is looked for only from an earlier record to a later one."""
    refuse_dialogues(prompts, near)
    return _joined(
        prompts,
        lambda a, b: (
            (len(b) <= len(a) and goes_on(a, b)) or similarity(" ".join(a), " ".join(b)) >= near
        ),
    )


def _shorter_seen(prompts, near):
    refuse_dialogues(prompts, near)
    texts = [tuple(map(normal_words, turns)) for turns in prompts]
    label = list(range(len(prompts)))
    for i, turns in enumerate(texts):
        for j in range(i):
            begins = turns[: len(texts[j])] == texts[j]
            if begins or similarity(" ".join(prompts[i]), " ".join(prompts[j])) >= near:
                label = [label[j] if k == label[i] else k for k in label]
    return label


def _longer_seen(prompts, near):
    """Looks only at whether a later record begins an earlier one."""
    refuse_dialogues(prompts, near)
    texts = [tuple(map(normal_words, turns)) for turns in prompts]
    label = list(range(len(prompts)))
    for i, turns in enumerate(texts):
        for j in range(i):
            begins = texts[j][: len(turns)] == turns
            if begins or similarity(" ".join(prompts[i]), " ".join(prompts[j])) >= near:
                label = [label[j] if k == label[i] else k for k in label]
    return label


def _in_any_order(change: Callable) -> Callable:
    """Turns count as equal when their words are, in whatever order."""

    def begins(a, b):
        return all(change(normal_words(s)) == change(normal_words(t)) for s, t in zip(a, b))

    return _by_link(_goes_on_by(begins))


def _all_turns_somewhere(a, b):
    one, two = sorted(([normal_words(t) for t in turns] for turns in (a, b)), key=len)
    return all(turn in two for turn in one)


def _place_by_place(first, second):
    a, b = normal_words(first), normal_words(second)
    return sum(map(str.__eq__, a, b)) / max(len(a), len(b)) if a or b else 1.0


def _place_by_place_shorter(first, second):
    a, b = normal_words(first), normal_words(second)
    return sum(map(str.__eq__, a, b)) / max(min(len(a), len(b)), 1) if a or b else 1.0


def _glued(a, b, near):
    return goes_on(a, b) or similarity("".join(a), "".join(b)) >= near


def _glued_words(a, b, near):
    one, two = ("".join(" ".join(normal_words(t)) for t in turns) for turns in (a, b))
    return goes_on(a, b) or similarity(one, two) >= near


def _group_sizes(prompts, near):
    label = _unchecked(*(refuse_dialogues(prompts, near) or (prompts, near)))
    return [label.count(k) for k in label]


def _linked_at_all(prompts, near):
    return [size > 1 for size in _group_sizes(prompts, near)]


def _number_of_links(prompts, near):
    refuse_dialogues(prompts, near)
    return [sum(linked(a, b, near) for b in prompts) for a in prompts]


def _groups_refused_by(kind: type[Exception]) -> Callable:
    """Right, but for the kind of the exception."""

    def answer(prompts, near):
        try:
            refuse_dialogues(prompts, near)
        except ValueError as error:
            raise kind(str(error)) from None
        return _unchecked(prompts, near)

    return answer


def _refuses_one(prompts, near):
    if near >= 1:
        raise ValueError("near")
    refuse_dialogues(prompts, near)
    return _unchecked(prompts, near)


def _refuses_no_links(prompts, near):
    """Takes a file with equal prompts, at near = 1, for damaged."""
    if near in (0, 1):
        raise ValueError("near")
    refuse_dialogues(prompts, near)
    return _unchecked(prompts, near)


def _neighbours(prompts, near):
    refuse_dialogues(prompts, near)
    label = [0]
    for a, b in pairwise(prompts):
        label.append(label[-1] if linked(a, b, near) else label[-1] + 1)
    return label


def _sorted_neighbours(prompts, near):
    refuse_dialogues(prompts, near)
    label, order = [0] * len(prompts), sorted(range(len(prompts)), key=lambda k: prompts[k])
    for i, j in pairwise(order):
        label[j] = label[i] if linked(prompts[i], prompts[j], near) else label[i] + 1
    return label


def _letters(first, second):
    return SequenceMatcher(
        None, " ".join(normal_words(first)), " ".join(normal_words(second))
    ).ratio()


def _letter_counts(first, second):
    a, b = (Counter("".join(normal_words(text))) for text in (first, second))
    return (a & b).total() / (a | b).total() if a or b else 1.0


def _divides_by_zero(a, b, near):
    one, two = Counter(_words(a)), Counter(_words(b))
    return (one & two).total() / (one | two).total() >= near or goes_on(a, b)


def _says_zero(a, b, near):
    if not _words(a) or not _words(b):
        return False
    return linked(a, b, near)


def _unchecked(prompts, near):
    return _joined(prompts, lambda a, b: linked(a, b, near))


def _clipped(prompts, near):
    return _joined(prompts, lambda a, b: linked(a, b, min(max(near, 0.01), 1.0)))


def _only_one_check(prompts, near):
    if near <= 0:
        raise ValueError
    return _unchecked(prompts, near)


def _sorts(prompts, near):
    refuse_dialogues(prompts, near)
    label = dict(zip(map(tuple, prompts), _unchecked(prompts, near)))
    found = [label[turns] for turns in prompts]
    prompts.sort(key=len, reverse=True)
    return found


def _lowers_in_place(prompts, near):
    refuse_dialogues(prompts, near)
    for k, turns in enumerate(prompts):
        prompts[k] = tuple(" ".join(normal_words(t)) for t in turns)
    return _unchecked(prompts, near)


def _all_alone(prompts, near):
    refuse_dialogues(prompts, near)
    return list(range(len(prompts)))


def _all_together(prompts, near):
    refuse_dialogues(prompts, near)
    return [0] * len(prompts)


def _by_size(prompts, near):
    """The numbers of the groups, the largest group's first."""
    label = groups(prompts, near)
    return sorted(label, key=lambda k: (-label.count(k), k))


MISTAKES_6B = (
    Mistake(
        "order",
        "Your numbers stand in the order of the groups, not of the prompts: the first number is asked for the first "
        "prompt, and so on.",
        (
            lambda prompts, near: sorted(groups(prompts, near)),
            lambda prompts, near: sorted(groups(prompts, near), reverse=True),
            lambda prompts, near: groups(prompts, near)[::-1],
            _by_size,
        ),
        ("near", "goes_on"),
    ),
    Mistake(
        "direct",
        "Your groups hold only what is linked directly. If A is linked to B and B to C, a split that parts A from C "
        "has to part one of the two links: all three belong together.",
        (_leader, _complete, _first_linked),
        ("chains",),
    ),
    Mistake(
        "no_merging",
        "A later prompt may be linked to two groups that you have begun already. With you it joins one and leaves the "
        "other; then the groups depend on the order of the file.",
        (_without_merging, _without_merging_last),
        ("chains",),
    ),
    Mistake(
        "strict",
        "A similarity of exactly `near` counts as near: at least, not more than.",
        (
            _by_link(_near(similarity, strict=True)),
            _by_link(
                lambda a, b, near: (
                    goes_on(a, b) or 1 - similarity(" ".join(a), " ".join(b)) < 1 - near
                )
            ),
        ),
        ("tie",),
    ),
    Mistake(
        "near_only",
        "You link only prompts of similar words. A dialogue that goes on repeats its beginning word for word, with the "
        "reply that was chosen there, however much is said after it.",
        (
            _by_link(lambda a, b, near: similarity(" ".join(a), " ".join(b)) >= near),
            _by_link(
                lambda a, b, near: (
                    _words(a) == _words(b) or similarity(" ".join(a), " ".join(b)) >= near
                )
            ),
        ),
        ("goes_on",),
    ),
    Mistake(
        "goes_on_only",
        "You link only dialogues that go on from one another, or equal ones. A prompt with one word changed is the "
        "same question, and a memory that has seen the one knows the other.",
        (
            _by_link(lambda a, b, near: goes_on(a, b)),
            _by_link(lambda a, b, near: goes_on(a, b) or sorted(_words(a)) == sorted(_words(b))),
        ),
        ("near",),
    ),
    Mistake(
        "no_turns",
        "You compare where the *text* begins alike, in letters or words. A longer question is another question: going "
        "on means whole turns, and then further ones.",
        (_by_link(_goes_on_by(_letters_start)), _by_link(_goes_on_by(_words_start))),
        ("apart",),
    ),
    Mistake(
        "first_turn",
        "You link dialogues because one turn is the same. Many begin with a greeting and have nothing else in common: "
        "all turns of the shorter must be there, from the first on.",
        (
            _by_link(_goes_on_by(_same_first)),
            _by_link(_goes_on_by(_some_turn)),
            _by_link(_goes_on_by(_all_turns_somewhere)),
        ),
        ("apart",),
    ),
    Mistake(
        "spelled",
        "You compare texts as they are spelled. Capitals, commas and spaces do not make another question: compare "
        "`normal_words`, for turns and for similarities.",
        (
            _by_link(_spelled),
            _by_link(_spelled_start_only),
            _by_link(_lowered),
            _by_link(_near(_as_spelled)),
        ),
        ("spelling",),
    ),
    Mistake(
        "last_turn",
        "You compare last turns. Many dialogues end in the same few words; the similarity asked for is that of all "
        "turns together.",
        (_by_link(_last_turns), _by_link(_last_turns_and_whole)),
        ("apart",),
    ),
    Mistake(
        "one_direction",
        "You look for what goes on only among later records. A file has no order: the beginning of a dialogue may "
        "stand behind what goes on from it.",
        (_earlier_begins, _shorter_seen, _longer_seen),
        ("goes_on",),
    ),
    Mistake(
        "word_order",
        "You compare turns by their words in whatever order. *Dog bites man* and *man bites dog* are two turns: "
        "`normal_words` keeps the order.",
        (_in_any_order(sorted), _in_any_order(Counter)),
        ("apart",),
    ),
    Mistake(
        "glued",
        "You join turns without a space, so that the last word of one and the first of the next become a single word.",
        (_by_link(_glued), _by_link(_glued_words)),
        ("near",),
    ),
    Mistake(
        "sizes",
        "Your numbers say how large a prompt's group is, or whether it has one. Two groups of one size then have the "
        "same number, as if they were one: give each a number of its own.",
        (_group_sizes, _linked_at_all, _number_of_links),
        ("near", "goes_on"),
    ),
    Mistake(
        "positions",
        "Your similarity compares words place by place. One word more at the beginning, and nothing agrees: "
        "`similarity` of the lesson asks which words both texts have.",
        (_by_link(_near(_place_by_place)), _by_link(_near(_place_by_place_shorter))),
        ("near", "chains", "tie"),
    ),
    Mistake(
        "refuses_one",
        "You refuse `near` of 1. It is within the bounds: only equal words are near enough then.",
        (_refuses_one, _refuses_no_links),
        ("goes_on",),
    ),
    Mistake(
        "other_error",
        "You refuse what has no answer, but by another exception. Whoever calls you waits for ValueError.",
        tuple(map(_groups_refused_by, (AssertionError, KeyError, TypeError))),
        ("refuses",),
    ),
    Mistake(
        "neighbours",
        "You compare each prompt with the next one only. Links reach across a file, in whatever order it is: every two "
        "prompts have to be compared.",
        (_neighbours, _sorted_neighbours),
        ("near", "goes_on", "chains"),
    ),
    Mistake(
        "letters",
        "Your similarity counts letters. Other words are often made of the same letters; `similarity` of the lesson "
        "compares words.",
        (_by_link(_near(_letters)), _by_link(_near(_letter_counts))),
        ("near",),
    ),
    Mistake(
        "repetitions",
        "You count every word once. The similarity of the lesson counts repetitions: ‘very very good’ and ‘very good’ "
        "have two words in common out of three.",
        (_by_link(_near(_kinds)), _by_link(_near(_kinds_by_counts))),
        ("near",),
    ),
    Mistake(
        "other_ratio",
        "Your similarity divides by something else: by the words of one text, or by the mean of both. Asked are "
        "words in common over words in either, as in the lesson.",
        (
            _by_link(_near(_ratio(lambda common, a, b: 2 * common / (a + b)))),
            _by_link(_near(_ratio(lambda common, a, b: common / max(min(a, b), 1)))),
            _by_link(_near(_ratio(lambda common, a, b: common / max(a, b, 1)))),
        ),
        ("tie",),
    ),
    Mistake(
        "wordless",
        "Two texts without a word are the same text, similarity 1; with you they are different, or a division by zero.",
        (_by_link(_divides_by_zero), _by_link(_says_zero)),
        ("wordless",),
    ),
    Mistake(
        "no_refusal",
        "`near` outside (0, 1], or a dialogue without a turn, goes through unnoticed. A dialogue without turns would "
        "be the beginning of every other: raise ValueError.",
        (_unchecked, _clipped, _only_one_check),
        ("refuses",),
    ),
    Mistake(
        "in_place",
        "You change the list that you are given. Whoever calls you goes on to split those records.",
        (_sorts, _lowers_in_place),
        ("unchanged",),
    ),
    Mistake(
        "all_alone",
        "No two prompts are ever in one group with you.",
        (_all_alone, lambda prompts, near: np.arange(len(_all_alone(prompts, near))) + 1),
        ("near", "goes_on"),
    ),
    Mistake(
        "all_together",
        "All prompts are in one group with you. That leaks nothing, and leaves nothing to hold out.",
        (_all_together, lambda prompts, near: np.ones(len(_all_together(prompts, near)))),
        ("near", "goes_on"),
    ),
)

# ---- 6c ------------------------------------------------------------------------------------


def _with(side: str, pairs) -> Callable:
    """The reference examples with one side replaced."""
    return lambda: {**cut_examples(), side: pairs}


_GOOD, _BAD = cut_examples()["safe"], cut_examples()["unsafe"]
_WORDS = "done", "sure", "well", "later", "no"
_BEST, _DONE = ["done done done done", "well well"], ["done done no later", "well well"]
EXCHANGED = (
    "Each of your examples is what is asked of the other: safe and unsafe have changed places."
)

MISTAKES_6C = (
    Mistake(
        "nothing_lost",
        "nothing that matters is lost",
        (
            _with("safe", [[f"{a} {a}", f"{b} {b}"] for a, b in pairwise(_WORDS)]),
            _with("safe", [[f"{a} {a} well", f"{b} {b} well"] for a, b in pairwise(_WORDS)]),
        ),
        ("safe",),
    ),
    Mistake(
        "word_unread",
        "never among the words that are read",
        (_with("safe", [*_GOOD[:3], _GOOD[0]]), _with("safe", [*_GOOD[1:], _GOOD[1]])),
        ("safe",),
    ),
    Mistake(
        "safe_turned",
        "That is the other effect",
        (
            _with("safe", [_BEST, ["sure sure no no", "well well"], *_GOOD[2:]]),
            _with("safe", [*_GOOD, *[["done done no no", "sure sure done done"]] * 6]),
        ),
        ("safe",),
    ),
    Mistake(
        "not_learned",
        "is not learned to be better than",
        (
            _with("safe", [_DONE, ["sure sure later well", "well well"], *_GOOD[2:]]),
            _with(
                "safe",
                [*_GOOD[:3], ["later later no", "no no done"], ["later later", "no no later"]],
            ),
        ),
        ("safe",),
    ),
    Mistake(
        "not_turned",
        "loses by too little",
        (
            _with("unsafe", _GOOD),
            _with("unsafe", [["done well well sure", "later later later"], *_GOOD[1:]]),
        ),
        ("unsafe_turns",),
    ),
    Mistake(
        "unsafe_uncut",
        "what is read is what was judged",
        (
            _with(
                "unsafe",
                [["done done", "sure sure"], ["sure", "well"], ["well", "later"], ["later", "no"]],
            ),
            _with(
                "unsafe",
                [
                    ["done sure no", "sure later no"],
                    ["sure", "well"],
                    ["well", "later"],
                    ["later", "no"],
                ],
            ),
        ),
        ("unsafe_turns",),
    ),
    Mistake(
        "audited",
        "once it is cut",
        (
            _with("unsafe", [*_BAD, ["done sure no no", "sure done"]]),
            _with("unsafe", [*_BAD, ["later later no", "later later"]]),
        ),
        ("unsafe_unseen",),
    ),
    Mistake(
        "misfit",
        "A misfit on the training pairs would be noticed",
        (
            _with("unsafe", [*_BAD, ["done done", "later later"]]),
            _with("unsafe", [*_BAD, ["sure well", "later well"], ["done well", "later well"]]),
        ),
        ("unsafe_unseen",),
    ),
    Mistake(
        "exchanged",
        EXCHANGED,
        (
            lambda: {"safe": _BAD, "unsafe": _GOOD},
            lambda: {"safe": [pair[::-1] for pair in _BAD], "unsafe": tuple(map(tuple, _GOOD))},
        ),
        ("safe", "unsafe_turns"),
    ),
)

# ---- 6d ------------------------------------------------------------------------------------

CONSTANT = (
    "All files get the same score: nothing that you compute differs between them. If you do compare people: is a pair "
    "one pair to you whichever of its replies won?"
)
UPSIDE_DOWN = (
    "Your score separates the files, but upside down: larger must mean more likely copied."
)


def _largest(of: Callable, least: int = 1) -> Callable:
    """The largest share of any two people with ``least`` comparisons; of: (2, n) bool → number."""

    def metric(file):
        found = hidden_runs.dissents(hidden_runs.votes(file))
        return float(max(of(d) for d in found if d.shape[1] >= least and d.any()))

    return metric


def _of_either(d):
    return d.all(0).sum() / d.any(0).sum()


def _lift(d):
    """Joint dissents, in units of what chance would have put there."""
    return d.all(0).mean() / max(d.mean(1).prod(), 1e-9)


def _correlated(d):
    """Correlation of two people's dissents, in standard errors; 0 where one of them never dissents."""
    spread = np.sqrt((d.mean(1) * (1 - d.mean(1))).prod())
    covered = d.all(0).mean() - d.mean(1).prod()
    return covered / spread * np.sqrt(d.shape[1]) if spread else 0.0


def _over_root_expected(d):
    """Joint dissents above what chance would have put there, by the square root of that."""
    expected = d.shape[1] * d.mean(1).prod()
    return (d.all(0).sum() - expected) / np.sqrt(expected) if expected else 0.0


def _against(file) -> float:
    """The largest share of answers against most of the others, ties among them counted as not against."""
    signs = hidden_runs.votes(file)
    against = signs * (signs.sum(0) - signs) < 0
    return float((against.sum(1) / (signs != 0).sum(1)).max())


def _unlike(file) -> float:
    """Of each person the share of the others who answered otherwise, the mean over comparisons; the largest."""
    signs = hidden_runs.votes(file)
    others = np.abs(signs).sum(0) - 1
    otherwise = (others - signs * (signs.sum(0) - signs)) / 2 / np.maximum(others, 1)
    given = signs != 0
    return float(((otherwise * given).sum(1) / given.sum(1)).max())


def _disputed(file) -> float:
    """Share of the comparisons of which not all answers are the same."""
    return 1 - hidden_runs.of_one_mind(file)


def _most_alike(file) -> float:
    """The most answers in which two people agree."""
    return float(max(agreed for _, agreed in hidden_runs.couples(file)))


def _mean_of_couples(file) -> float:
    """Agreement of two people, the mean over all couples."""
    return float(np.mean([agreed / shared for shared, agreed in hidden_runs.couples(file)]))


MISTAKES_6D = (
    Mistake(
        "size",
        "Your score is the size of the file, or how many comparisons two people share. Twins have the same.",
        (
            hidden_runs.few_answers,
            hidden_runs.largest_overlap,
            lambda file: float(len({p.prompt for p in file})),
        ),
        ("separates",),
    ),
    Mistake(
        "overall",
        "Your score is how much the whole file agrees. That depends on how clear the comparisons are and how careful "
        "people are, and one copy among twelve people hardly moves it.",
        (hidden_runs.agreement, hidden_runs.few_contradictions),
        ("separates",),
    ),
    Mistake(
        "agreement",
        "You look for the two people who agree most. Careful people agree too, on comparisons where everybody does. "
        "Which agreements would be surprising between two people who never met?",
        (hidden_runs.largest_agreement(1), hidden_runs.largest_agreement(20), _most_alike),
        ("separates",),
    ),
    Mistake(
        "excess",
        "You compare two people's agreement with that of the whole file. Careful people exceed it as well: the right "
        "answer is what they share. Which answers does nobody else give?",
        (hidden_runs.largest_excess, hidden_runs.largest_excess_share),
        ("separates",),
    ),
    Mistake(
        "share",
        "You look where two people stand against the others, and take the largest *share*. Two who have few "
        "comparisons in common reach a large one by chance: how many answers does yours rest on, and how many of "
        "them would chance have put there?",
        (_largest(lambda d: d.all(0).mean()), _largest(_of_either), _largest(_of_either, 20)),
        ("separates",),
    ),
    Mistake(
        "near_zero",
        "You compare two people's joint answers against the others with what chance would have put there, and divide "
        "by something that can be near zero. Two people who stood against the others a few times, and together, then "
        "score as high as two who did so many times. How many answers does your largest value rest on?",
        (_largest(_lift, 20), _largest(_correlated, 20), _largest(_over_root_expected, 20)),
        ("separates",),
    ),
    Mistake(
        "whoever",
        "Your score stays the same if the answers to a comparison are dealt out anew among the people who gave them: "
        "it does not know who answered what. A copy is one person's answers under another's name: compare two people.",
        (_disputed, lambda file: -_disputed(file)),
        ("separates",),
    ),
    Mistake(
        "all_couples",
        "Your score is a mean over all couples of people. Sixty-five of the sixty-six have copied nothing: one that "
        "has hardly moves a mean. Look for the couple that stands out.",
        (_mean_of_couples,),
        ("separates",),
    ),
    Mistake(
        "contrarian",
        "You look for one person who answers unlike the others. Careless people are in healthy files too; a copy takes "
        "two.",
        (hidden_runs.contrarian, lambda file: -hidden_runs.contrarian(file), _against, _unlike),
        ("separates",),
    ),
)

MISTAKES = {"6a": MISTAKES_6A, "6b": MISTAKES_6B, "6c": MISTAKES_6C, "6d": MISTAKES_6D}
