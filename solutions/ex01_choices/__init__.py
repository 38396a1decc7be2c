"""Exercise 1, preferences optimize choices: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "1.1": "1a, 1b, 1c, 1d",
    "1.5": "1d (a judge with a bias)",
    "2.1": "1a",
    "2.3": "1b",
    "3.1": "1b (the same loss, of a policy)",
    "4.1": "1c, 1d (what imitation inherits)",
    "5.3": "1b",
    "6.4": "1d (a judge with a bias)",
    "7.3": "1d (a judge with a bias)",
    "7.4": "1d (order on the screen)",
}
