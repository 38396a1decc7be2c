"""Printing that fails neither for an output's encoding nor for a reader that has gone."""

import os
import sys


def say(text: str, stream=None) -> None:
    """Print a line, to standard output by default; characters that it lacks come as \\u escapes.

    An output that is closed or full, or whose reader has gone, ends nothing: the rest is lost.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # started without standard output
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except (OSError, ValueError):  # ValueError: the stream itself has been closed
        discard(stream)


def complain(text: str) -> None:
    """Print a line to standard error, on the same terms."""
    say(text, sys.stderr)


def discard(stream) -> None:
    """Send what is still buffered nowhere, or Python would complain when it flushes at the end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # no file behind it: nothing is flushed
        pass
