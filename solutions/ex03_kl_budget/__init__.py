"""Exercise 3, policy shift under a KL budget: what an instructor keeps.

``LESSON``: sections of the lesson, and the parts that need each, for the map at the top of exercises.ipynb.
"""

LESSON = {
    "1.3": "3a, 3b, 3c",
    "1.5": "3d (a noisy judge)",
    "2.5": "3a, 3b",
    "3.3": "3d (an unsure judge)",
    "4.4": "3a, 3b",
    "4.5": "3d (what to watch from outside)",
    "5.1": "3a, 3b, 3c",
    "5.4": "3b, 3c",
    "7.1": "3d",
    "7.5": "3d (equal reward, equal KL)",
}
