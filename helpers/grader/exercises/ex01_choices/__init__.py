"""Exercise 1, preferences optimize choices: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex01_choices import examples, held_out, rows
from helpers.grader.judge_function import judge_function

JUDGES = {"1a": rows.judge, "1b": judge_function, "1c": examples.judge, "1d": held_out.judge}
GIVEN = (examples.two_rules, held_out.practice_imitators)
