"""Exercise 5, noisy but valuable: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex05_noisy_but_valuable import examples, held_out
from helpers.grader.judge_function import judge_function

JUDGES = {"5a": judge_function, "5b": judge_function, "5c": examples.judge, "5d": held_out.judge}
GIVEN = (held_out.practice_crews,)
