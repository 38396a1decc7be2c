"""Exercise 9, reference policy: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "2.4": "9a, 9b, 9c, 9d",
    "4.1": "9a (which tokens are scored)",
    "5.2": "9b (what a policy has learned), 9d",
    "5.3": "9a (shift and sum), 9c (what the loss sees)",
    "6.1": "9 (rationale: another loss of the same h)",
    "6.2": "9 (rationale: a loss without a reference)",
    "8.2": "9a",
}
