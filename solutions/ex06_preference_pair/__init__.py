"""Exercise 6, preference pair: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "2.1": "6a, 6b, 6c, 6d",
    "3.1": "6c (what a loss on pairs makes of cut replies)",
    "3.3": "6d (people who do not answer alone)",
    "6.3": "6 (rationale: records that are no pair)",
    "7.2": "6b (a split that holds)",
    "7.3": "6c (a length limit)",
}
