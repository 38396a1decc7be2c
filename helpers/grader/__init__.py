"""Checks for the exercises: ``check("4a", answer)`` shows a panel and returns points, ``progress()`` the state of all.

What an exercise hands to the learner is here too: ``two_rules`` (1c), ``practice_imitators`` (1d), ``proxy_world``
(2c), ``practice_proxies`` (2d), ``practice_policies`` (3d), ``train_pair`` (4c), ``practice_runs`` (4d),
``temperature_report`` (7c), ``practice_reward_models`` (7d) and ``practice_surveys`` (8d).
"""

from helpers.grader.checking import check, progress
from helpers.grader.confidence import practice_reward_models, temperature_report
from helpers.grader.coverage import practice_surveys
from helpers.grader.detection import practice_imitators
from helpers.grader.frozen import practice_runs
from helpers.grader.harm import practice_policies
from helpers.grader.imitation import two_rules
from helpers.grader.loglinear import train_pair
from helpers.grader.tail import practice_proxies, proxy_world

__all__ = [
    "check",
    "practice_imitators",
    "practice_policies",
    "practice_proxies",
    "practice_reward_models",
    "practice_runs",
    "practice_surveys",
    "progress",
    "proxy_world",
    "temperature_report",
    "train_pair",
    "two_rules",
]
