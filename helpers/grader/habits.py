"""What can go wrong anywhere, whatever an exercise asks: pure functions of what was observed → a sentence, or nothing.

Some of it can be undone: values with a turned sign are the right ones, or those of a listed mistake, once the sign is
turned back. The rest is only described, and only where nothing else is recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from helpers.grader.recognition import Observed, Place
from helpers.grader.run_answer import close

RANDOM = (
    "Asked again about the same input, your function returns something else: "
    "chance decides, or what was asked before."
)
SWAPPED = "Your results stand in another order: asked is ({})."
ROUNDED = "Your values are right to a few digits only: rounded, or held in half precision."
COLUMN = "Column {} of your rows is the negative of what is asked: a sign is turned there."
AROUND = 0.15  # relative: values of a few hundred draws lie this close around the right ones
ALMOST = 0.03  # relative: values this close to the right ones come from rounding or from a search that is not exact
MOST = 0.75  # of the places that fail, so many have to be right once a habit is undone

Undo = Callable[
    [np.ndarray, tuple[int, ...]], np.ndarray
]  # values, the shape that is asked → what is meant

UNDO: dict[str, Undo] = {
    "{Yours} the negative of what is asked: a sign is turned.": lambda x, shape: -x,
    "{Yours} 1 minus what is asked: the chance, or the answer, of the opposite.": lambda x, shape: (
        1 - x
    ),
    "{Yours} one divided by what is asked: a fraction stands upside down.": lambda x, shape: 1 / x,
    "{Yours} e to the power of what is asked: probabilities, say, where their logarithms are asked.": (
        lambda x, shape: np.log(x)
    ),
    "{Yours} the logarithms of what is asked.": lambda x, shape: np.exp(x),
    "{Yours} 1.4427 times what is asked: a logarithm to base 2 instead of the natural one.": (
        lambda x, shape: x * np.log(2)
    ),
    "{Yours} 0.4343 times what is asked: a logarithm to base 10 instead of the natural one.": (
        lambda x, shape: x * np.log(10)
    ),
    "{Yours} 100 times what is asked: per cent.": lambda x, shape: x / 100,
    "{Yours} the square of what is asked.": lambda x, shape: np.sqrt(x),
    "{Yours} the square root of what is asked.": lambda x, shape: np.square(x),
}
TRANSPOSED = "The numbers are right, but rows and columns are exchanged."


def undoings(what: Observed) -> Iterator[tuple[str, Observed]]:
    """Every habit that can be undone: its sentence, and what would have been observed without it."""
    if len(what.returns) == 2:
        first, second = what.returns
        other = {first: second, second: first}
        turned = {p: what.yours.get((p[0], other.get(p[1], p[1])), "") for p in what.yours}
        yield SWAPPED.format(", ".join(what.returns)), what.again(turned)
    scopes = [what.returns or ("",), *((name,) for name in what.returns if len(what.returns) > 1)]
    for scope in scopes:
        named = " and ".join(f"your {name}" for name in scope if name)
        yours = (
            f"{named.capitalize()} {'are' if len(scope) > 1 else 'is'}"
            if named
            else "Your values are"
        )
        for sentence, undo in UNDO.items():
            yield sentence.format(Yours=yours), what.again(_changed(what, scope, undo))
        yield _shape_sentence(what, scope), what.again(_changed(what, scope, _reshaped))
        for name, together in (("sum", np.sum), ("mean", np.mean)):
            sentence = _shape_sentence(what, scope, f"The {name} of what you return is right: ")
            yield sentence, what.again(_changed(what, scope, _over_what_is_too_much(together)))
        transposed = _changed(what, scope, lambda x, shape: x.T.copy() if x.ndim == 2 else x)
        yield TRANSPOSED, what.again(transposed)
    for k in range(_columns(what)):
        turned = what.again(_changed(what, what.returns or ("",), _negative_in(k)))
        yield COLUMN.format(k + 1), turned


def _columns(what: Observed) -> int:
    """How many columns all tables that are asked have; 0 where they differ, or where not all are tables of rows."""
    widths = {what.right[p].shape[1:] for p in what.main if what.right[p].size}
    (width,) = widths if len(widths) == 1 else ((),)
    return width[0] if len(width) == 1 and len(what.main) > 3 else 0


def _negative_in(column: int) -> Undo:
    def undo(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        values = values.copy()
        if values.ndim == 2 and values.shape[1] > column:
            values[:, column] *= -1
        return values

    return undo


def _changed(what: Observed, scope: tuple[str, ...], undo: Undo) -> dict[Place, np.ndarray | str]:
    found = dict(what.yours)
    for place, expected in what.right.items():
        if place[1] in scope and not isinstance(found[place], str):
            with np.errstate(all="ignore"):
                found[place] = undo(found[place], expected.shape)
    return found


def _reshaped(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return values.reshape(shape) if values.size == np.prod(shape, dtype=int) else values


def _over_what_is_too_much(together: Callable) -> Undo:
    """Takes the axes together that are not asked: behind the ones that are, or before them."""

    def undo(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        n = values.ndim - len(shape)
        if n > 0 and values.shape[: len(shape)] == shape:
            return together(values, axis=tuple(range(len(shape), values.ndim)))
        if n > 0 and values.shape[n:] == shape:
            return together(values, axis=tuple(range(n)))
        return values

    return undo


def _shape_sentence(
    what: Observed,
    scope: tuple[str, ...],
    start: str = "The numbers are right, their arrangement is not: ",
) -> str:
    for place in what.main:
        yours, right = what.yours[place], what.right[place]
        if place[1] in scope and not isinstance(yours, str) and yours.shape != right.shape:
            return f"{start}on ‘{place[0]}’ {_shapes(yours, right)}"
    return ""


def _shapes(yours: np.ndarray, right: np.ndarray) -> str:
    if right.ndim == 0:
        return f"one number is asked, and yours is an array of shape {yours.shape}."
    if yours.ndim == 0:
        return f"an array of shape {right.shape} is asked, and yours is one number."
    told = f"shape {right.shape} is asked, and yours has shape {yours.shape}."
    if _squeezed(yours) == _squeezed(right) and yours.ndim != right.ndim:
        told += (
            f" There is an axis of length 1 {'too many' if yours.ndim > right.ndim else 'missing'}."
        )
    return told


def _squeezed(values: np.ndarray) -> tuple[int, ...]:
    return tuple(n for n in values.shape if n != 1)


def seen_through(what: Observed, better_than: int) -> tuple[str, Observed] | None:
    """The habit without which most of what failed, more than ``better_than`` places, is right; and what is left."""
    before = {place for place in what.main if place in what.usable}
    best, found = max(better_than, 1), None
    for sentence, undone in (*undoings(what), *_seen_by_the_right_values(what)):
        mended = [p for p in before if p not in undone.failed and _tells(what, p)]
        spoilt = [p for p in what.main if p in undone.failed and p not in what.failed]
        worth = len(mended) - len(spoilt)
        if worth > best and len(mended) >= MOST * len(before):
            best, found = worth, (sentence, undone)
    return found


def _tells(what: Observed, place: Place) -> bool:
    """Whether a place says anything: something other than 0, 1 and the like is asked there."""
    return (
        not np.isin(what.right[place], (0.0, 1.0, -1.0, np.inf, -np.inf)).all()
        or what.right[place].size > 2
    )


# ---- seen only beside the right values ------------------------------------------------------


def _seen_by_the_right_values(what: Observed) -> Iterator[tuple[str, Observed]]:
    """Habits that only the right values reveal, each with these in place of what came back where it holds."""
    for sentence, holds in (
        (f"{factor_sentence(what)}", _by_factor(what)),
        (f"{offset_sentence(what)}", _by_offset(what)),
        ("The numbers are right, but rows or entries stand in another order.", _reordered),
        (
            "Your values are whole numbers where fractions are asked: rounded, or held in an array of integers.",
            _whole,
        ),
        (ROUNDED, rounded),
    ):
        if sentence:
            mended = {
                place: right
                if not isinstance(what.yours[place], str) and holds(what.yours[place], right)
                else what.yours[place]
                for place, right in what.right.items()
            }
            yield sentence, what.again({**what.yours, **mended})


def _pairs(what: Observed) -> list[tuple[np.ndarray, np.ndarray]]:
    """What came back and what is asked, at the main places where both can be compared."""
    pairs = [
        (what.yours[p], what.right[p]) for p in what.main if not isinstance(what.yours[p], str)
    ]
    return [
        (y, r)
        for y, r in pairs
        if y.shape == r.shape and y.size and np.isfinite(y).all() and np.isfinite(r).all()
    ]


def _factor(what: Observed) -> float:
    """What the values are on median in units of the right ones; NaN if there are none."""
    ratios = [(y[r != 0] / r[r != 0]).ravel() for y, r in _pairs(what)]
    ratios = np.concatenate(ratios) if ratios else np.zeros(0)
    return float(np.median(ratios)) if ratios.size else np.nan


def _by_factor(what: Observed) -> Callable:
    factor = _factor(what)
    return lambda yours, right: (
        bool(factor) and close(yours / factor, right) if np.isfinite(factor) else False
    )


def factor_sentence(what: Observed) -> str:
    """'' where no one factor is in question."""
    factor = _factor(what)
    if not np.isfinite(factor) or abs(factor) < 1e-6 or abs(factor - 1) < 1e-3:
        return ""
    return f"Every value of yours is {factor:.4g} times the right one: one factor too many, or one missing."


def _offset(what: Observed) -> float:
    gaps = [(y - r).ravel() for y, r in _pairs(what)]
    return float(np.median(np.concatenate(gaps))) if gaps else np.nan


def _by_offset(what: Observed) -> Callable:
    offset = _offset(what)
    return lambda yours, right: bool(np.isfinite(offset)) and close(yours - offset, right)


def offset_sentence(what: Observed) -> str:
    """'' where no one number is added."""
    offset = _offset(what)
    if not np.isfinite(offset) or abs(offset) < 1e-3:
        return ""
    return f"Every value of yours is the right one {'plus' if offset > 0 else 'minus'} {abs(offset):.4g}."


def _reordered(yours: np.ndarray, right: np.ndarray) -> bool:
    """Whether rows, columns or entries are the right ones in another order."""
    if yours.shape != right.shape or not yours.ndim:
        return False
    tables = (yours, right), (yours.T, right.T)
    return any(close(_sorted(one), _sorted(other)) for one, other in tables)


def _sorted(table: np.ndarray) -> np.ndarray:
    if table.ndim < 2:
        return np.sort(table)
    rows = table.reshape(len(table), -1).round(6)
    return table[np.lexsort(rows.T[::-1])]


def _whole(yours: np.ndarray, right: np.ndarray) -> bool:
    near = (
        yours.shape == right.shape
        and np.isfinite(yours).all()
        and bool((abs(yours - right) < 1).all())
    )
    return near and bool((yours == yours.round()).all() and (right != right.round()).any())


def rounded(yours: np.ndarray, right: np.ndarray) -> bool:
    """Whether values are the right ones to a few digits, or in half precision."""
    if yours.shape != right.shape or not np.isfinite(right).any():
        return False
    with np.errstate(all="ignore"):
        half = right.astype(np.float16).astype(np.float64)
    return close(yours, half, 5) or any(close(yours, right.round(d), 0.01) for d in (1, 2, 3, 4))


# ---- described only -------------------------------------------------------------------------


def described(what: Observed, inputs: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What can be said of an answer in which nothing was recognised: one sentence, or none."""
    places = [p for p in what.main if p in what.usable]
    if not places:
        return ()
    for say in (
        handed_back,
        rows_missing_or_more,
        wrong_shape,
        times_a_length,
        almost,
        around,
        not_finite,
    ):
        sentence = say(what, places, inputs)
        if sentence:
            return (sentence,)
    return ()


def constant(what: Observed) -> str:
    """One number on every input although the right ones differ; NaN or infinity at every place."""
    usable = [p for p in what.main if not isinstance(what.yours[p], str)]
    for of in dict.fromkeys(p[1] for p in usable):
        places = [p for p in usable if p[1] == of]
        values = [np.unique(what.yours[p]) for p in places]
        differ = any(not close(what.right[p], what.right[places[0]]) for p in places)
        if len(values) > 1 and differ and all(v.size == 1 and close(v, values[0]) for v in values):
            if not np.isfinite(values[0]).all():
                return not_finite(what, places, {})
            name, number = f"Your {of}" if of else "What your function returns", values[0].item()
            near = all((abs(what.right[p] - number) < 1).all() for p in places)
            cut = (
                ", or fractions are cut off to whole numbers"
                if near and number == round(number)
                else ""
            )
            return f"{name} is {number:.4g} on every input: nothing in it depends on the arguments{cut}."
    return ""


def handed_back(what: Observed, places: list[Place], inputs: Mapping) -> str:
    """An argument, unchanged."""
    for name in next(iter(inputs.values())):
        given = [np.asarray(inputs[p[0]][name], dtype=np.float64) for p in places]
        if len(given) > 1 and all(
            g.shape == what.yours[p].shape and close(what.yours[p], g)
            for g, p in zip(given, places)
        ):
            return f"Your function returns `{name}` as it was handed in."
    return ""


def rows_missing_or_more(what: Observed, places: list[Place], inputs: Any) -> str:
    """Another number of rows of the right length."""
    for place in places:
        yours, right = what.yours[place], what.right[place]
        if (
            yours.ndim == right.ndim == 2
            and yours.shape[1] == right.shape[1]
            and len(yours) != len(right)
        ):
            mine, asked = ({tuple(row) for row in table.round(5)} for table in (yours, right))
            told = f"On ‘{place[0]}’ you return {len(yours)} rows, asked are {len(right)}"
            if mine == asked:
                return f"{told}: the right ones, but some of them several times."
            if mine < asked:
                return f"{told}: what you return is right, and some rows are missing."
            if mine > asked:
                return f"{told}: the right ones are there, and others that should not be."
            return f"{told}."
    return ""


def wrong_shape(what: Observed, places: list[Place], inputs: Any) -> str:
    """Another shape than asked."""
    for place in places:
        if what.yours[place].shape != what.right[place].shape:
            of = f" {place[1]}:" if place[1] else ""
            return f"The shape differs: on ‘{place[0]}’{of} {_shapes(what.yours[place], what.right[place])}"
    return ""


def times_a_length(what: Observed, places: list[Place], inputs: Mapping) -> str:
    """The right value times, or divided by, the length of an argument: a sum for a mean, or the reverse."""
    for name in next(iter(inputs.values())):
        for axis in (0, 1):
            lengths = [np.shape(inputs[p[0]][name])[axis : axis + 1] for p in places]
            if not all(lengths) or len({*lengths}) < 2:
                continue
            for how, power in (("times", 1), ("divided by", -1)):
                scaled = [what.right[p] * float(n) ** power for p, (n,) in zip(places, lengths)]
                if all(close(what.yours[p], s) for p, s in zip(places, scaled)):
                    side = "rows" if axis == 0 else "columns"
                    return (
                        f"Your value is the right one {how} the number of {side} of `{name}`: "
                        f"{'a sum where a mean is asked' if power == 1 else 'divided once too often'}."
                    )
    return ""


def almost(what: Observed, places: list[Place], inputs: Any) -> str:
    """Near the right values everywhere, and yet not right."""
    pairs = [(what.yours[p], what.right[p]) for p in places]
    if not all(
        y.shape == r.shape and np.isfinite(y).all() and np.isfinite(r).all() for y, r in pairs
    ):
        return ""
    off = [float((abs(y - r) / np.maximum(abs(r), 1e-3)).max()) for y, r in pairs if y.size]
    if len(off) < 2 or max(off) > ALMOST:
        return ""
    return (
        f"Your values are near the right ones, off by at most {max(off):.1%}: rounding, too few steps of a search, or "
        "a small constant that was added somewhere."
    )


def around(what: Observed, places: list[Place], inputs: Any) -> str:
    """Near the right values everywhere, now above and now below."""
    pairs = [(what.yours[p], what.right[p]) for p in places]
    if len(pairs) < 4 or any(y.shape != r.shape or y.size != 1 for y, r in pairs):
        return ""
    off = np.array([(y.item() - r.item()) / max(abs(r.item()), 1.0) for y, r in pairs])
    if not abs(off).max() <= AROUND or not 0.2 <= (off > 0).mean() <= 0.8:
        return ""
    return (
        f"Your values lie around the right ones, now above and now below, up to {abs(off).max():.1%} off: as of values "
        "that are estimated from draws. Here they can be computed."
    )


def not_finite(what: Observed, places: list[Place], inputs: Any) -> str:
    """NaN or infinity where numbers are asked, in a part of which these are no answers."""
    if not all(np.isfinite(what.right[p]).all() for p in what.main):
        return ""
    names = [
        p[0]
        for p in places
        if np.isfinite(what.right[p]).all() and not np.isfinite(what.yours[p]).all()
    ]
    if not names:
        return ""
    listed = ", ".join(f"‘{name}’" for name in dict.fromkeys(names[:3]))
    return f"NaN or infinity comes back on {listed}: look for 0 · ∞, ∞ − ∞, 0 / 0 or the logarithm of 0 on the way."
