"""Exercise 8, Bradley-Terry: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "2.3": "8a, 8b, 8c, 8d",
    "3.2": "8b (graded answers)",
    "3.3": "8b (scales of their own), 8c (two groups), 8d (answers of one person)",
}
