"""Checks for the exercises: ``check("4a", answer)`` shows a panel and returns points, ``progress()`` the state of all.

``check`` runs in the learner's own Python. It guards against slips: an answer that does not end, raises, writes or
changes what is around it. It does not guard against reading: the frozen cases are on disk and in its callers' frames,
and code that looks for them finds them. Marks come from a run on the instructor's machine.

What an exercise hands to the learner is here too, under its own name: ``two_rules``, ``practice_runs``, …
"""

from helpers.grader import surroundings
from helpers.grader.checking import check, progress
from helpers.grader.exercises import given

VERSION = "1.2"  # of texts and frozen cases; a course notes which one it has released
__all__ = ["check", "progress", *sorted(given())]

globals().update(given())
surroundings.remember()
