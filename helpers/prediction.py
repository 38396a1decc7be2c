"""A reader's prediction, kept until the result is there and then shown beside it.

``predict("gold", "Where will the gold reward stand?")`` asks, ``predicted("gold", value)`` shows both. It asks with a
field where a front end can show one, else with a line of text; there, and wherever one likes, the guess is given in
the cell: ``predict(…, guess="1.5")``. Without a guess nothing is shown later, so stored notebooks give nothing away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

_kept: dict[str, str] = {}


def predict(key: str, question: str, choices: Sequence[str] = (), guess: str | None = None) -> None:
    """Ask for a prediction and keep it under ``key``: one of ``choices``, or any text or number where there are none.

    Raises ValueError for a guess that is none of the choices.
    """
    if guess is not None:
        _keep(key, str(guess), choices)
        print(f"{question} Kept: {_kept[key]}.")
    elif not _asked_by_widget(key, question, choices):
        print(question, " / ".join(choices) if choices else "(a number)")


def predicted(
    key: str, measured: float | str | Mapping[str, float], form: str = "≈ {:.2f}"
) -> None:
    """Show the guess that was kept under ``key`` beside what was measured. Prints nothing if there is none.

    Numbers are written by ``form``, several of them each behind its name; a text stands as it is.
    """
    if key not in _kept:
        return
    if isinstance(measured, Mapping):
        result = "; ".join(f"{name}: {form.format(value)}" for name, value in measured.items())
    else:
        result = measured if isinstance(measured, str) else form.format(measured)
    print(f"{key}: you predicted {_kept[key]}; measured {result}")


def _keep(key: str, guess: str, choices: Sequence[str]) -> None:
    if choices and guess not in choices:
        raise ValueError(f"guess {guess!r}: expected one of {', '.join(map(repr, choices))}")
    _kept[key] = guess


def _asked_by_widget(key: str, question: str, choices: Sequence[str]) -> bool:
    """Show a field that keeps what is chosen or typed. False where no widget can be shown."""
    if os.environ.get("LESSON_QUIET"):
        return False
    try:
        import ipywidgets
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return False
    if getattr(get_ipython(), "kernel", None) is None:
        return False
    look = {
        "description": question,
        "style": {"description_width": "initial"},
        "layout": {"width": "auto"},
    }
    if choices:
        field = ipywidgets.RadioButtons(options=list(choices), value=_kept.get(key), **look)
    else:
        look |= {"placeholder": "a number", "continuous_update": False}
        field = ipywidgets.Text(value=_kept.get(key, ""), **look)
    told = ipywidgets.Label(f"Kept: {_kept[key]}" if key in _kept else "")

    def keep(change):
        if change["new"]:
            _keep(key, change["new"].strip(), choices)
            told.value = f"Kept: {_kept[key]}"

    field.observe(keep, "value")
    display(ipywidgets.VBox([field, told]))
    return True
