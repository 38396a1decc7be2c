"""Checks for the exercises: ``check("4a", answer)`` shows a panel and returns points, ``progress()`` the state of all.

What an exercise hands to the learner is here too: ``practice_policies`` (3d), ``train_pair`` (4c) and
``practice_runs`` (4d).
"""

from helpers.grader.checking import check, progress
from helpers.grader.frozen import practice_runs
from helpers.grader.harm import practice_policies
from helpers.grader.loglinear import train_pair

__all__ = ["check", "practice_policies", "practice_runs", "progress", "train_pair"]
