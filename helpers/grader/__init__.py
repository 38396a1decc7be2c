"""Checks for the exercises: ``check("4a", answer)`` shows a panel and returns points, ``progress()`` the state of all.

What an exercise hands to the learner is here too, under its own name: ``two_rules``, ``practice_runs``, …
"""

from helpers.grader.checking import check, progress
from helpers.grader.exercises import given

__all__ = ["check", "progress", *sorted(given())]

globals().update(given())
