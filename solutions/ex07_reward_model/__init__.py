"""Exercise 7, reward model: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "2.2": "7a (one prompt at a time), 7b (the free constant)",
    "3.1": "7b",
    "3.2": "7a (grades), 7b (centring)",
    "3.4": "7c, 7d",
    "4.2": "7b (what a mean is over)",
}
