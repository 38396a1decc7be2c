"""Exercise 9, reference policy: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex09_reference_policy import examples, held_out
from helpers.grader.judge_function import judge_function

JUDGES = {"9a": judge_function, "9b": judge_function, "9c": examples.judge, "9d": held_out.judge}
GIVEN = (held_out.practice_references,)
