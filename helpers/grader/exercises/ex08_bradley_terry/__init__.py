"""Exercise 8, Bradley-Terry: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex08_bradley_terry import examples, held_out, tables
from helpers.grader.judge_function import judge_function

JUDGES = {"8a": tables.judge, "8b": judge_function, "8c": examples.judge, "8d": held_out.judge}
GIVEN = (held_out.practice_surveys,)
