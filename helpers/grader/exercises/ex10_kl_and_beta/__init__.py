"""Exercise 10, KL coefficient and inverse temperature: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex10_kl_and_beta import choices, examples, held_out
from helpers.grader.judge_function import judge_function

JUDGES = {"10a": judge_function, "10b": choices.judge, "10c": examples.judge, "10d": held_out.judge}
GIVEN = (held_out.practice_betas,)
