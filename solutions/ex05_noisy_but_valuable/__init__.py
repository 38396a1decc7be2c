"""Exercise 5, noisy but valuable: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "1.5": "5a, 5b, 5c, 5d",
    "3.3": "5a (who is worth asking), 5c (majorities), 5d (overlap)",
    "6.4": "5c, 5d (errors at random, errors of a rule)",
    "6.6": "5b (another corrected loss)",
    "8.8": "5c, 5d (gold tasks and overlap)",
}
