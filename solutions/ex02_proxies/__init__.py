"""Exercise 2, reward models as proxies: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "1.2": "2a, 2b, 2c, 2d",
    "1.3": "2b (best of n)",
    "2.2": "2a",
    "3.5": "2a (by slice), 2c (equal accuracies), 2d",
    "4.2": "2a",
    "4.5": "2d",
    "7.1": "2b (best of n), 2d",
}
