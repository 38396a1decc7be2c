"""Explorers: knobs, an exact state, a drawing that follows, and the same in words.

Each module holds one: ``state``, a pure function of the knobs' values, ``look``, which draws it, and ``explorer``, the
knobs. ``svg`` and ``wiring`` are what they share. None of them trains or needs
matplotlib, and only the playground draws replies, from a seed that it shows.
"""

from helpers.explorers.annotator import explore_annotator
from helpers.explorers.beta import explore_beta
from helpers.explorers.clip import explore_clip
from helpers.explorers.group import explore_group
from helpers.explorers.ipo import explore_ipo
from helpers.explorers.judge import explore_judge
from helpers.explorers.margin import explore_margin
from helpers.explorers.playground import explore_playground
from helpers.explorers.selection import explore_selection
from helpers.explorers.temperature import explore_temperature
from helpers.explorers.tilt import explore_tilt

__all__ = [
    "explore_annotator",
    "explore_beta",
    "explore_clip",
    "explore_group",
    "explore_ipo",
    "explore_judge",
    "explore_margin",
    "explore_playground",
    "explore_selection",
    "explore_temperature",
    "explore_tilt",
]
