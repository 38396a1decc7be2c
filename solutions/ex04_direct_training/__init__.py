"""Exercise 4, DPO as direct training: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "1.4": "4a, 4d",
    "1.5": "4d (decisions from noisy comparisons)",
    "2.4": "4a",
    "4.4": "4d (an estimate of the KL)",
    "5.1": "4b (log Z), 4d (what KL does not say)",
    "5.2": "4a, 4b",
    "5.3": "4a (mask, shift, sum), 4b",
    "5.5": "4c, 4d",
    "7.2": "4d",
}
