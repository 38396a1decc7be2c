"""Exercise 10, KL coefficient and inverse temperature: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "1.3": "10a, 10b (reward per nat)",
    "2.5": "10a, 10b",
    "4.4": "10a (the price that acts)",
    "4.5": "10c, 10d (when to stop)",
    "5.1": "10a, 10b",
    "5.4": "10b, 10c, 10d",
    "7.1": "10c, 10d",
}
