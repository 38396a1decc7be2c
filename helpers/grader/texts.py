"""Texts that come from an answer, as ordinary strings whatever the answer's own classes do."""

from __future__ import annotations

from typing import Any


def described(error: BaseException) -> str:
    """'raised ValueError: …' as an ordinary string, whatever the exception's own methods do."""
    try:
        text = exact_text(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = "(its text cannot be read)"
    return f"raised {type_name(error)}" + (f": {text}" if text else "")


def exact_text(text: str, limit: int = 300) -> str:
    """A plain, printable, short ``str`` of an answer's text, which may be a subclass of str."""
    plain_text = str.encode(text, "utf-8", "replace").decode("utf-8", "replace")
    plain_text = "".join(
        c if c.isprintable() or c == "\n" else "�" for c in plain_text[: limit + 1]
    )
    return plain_text[:limit] + "…" if len(plain_text) > limit else plain_text


def type_name(value: Any) -> str:
    """Name of a value's type, even where a metaclass overrides it."""
    return exact_text(type.__dict__["__name__"].__get__(type(value)), 60)
