"""Exercise 4, DPO as direct training: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex04_direct_training import examples, held_out
from helpers.grader.judge_function import judge_function

JUDGES = {"4a": judge_function, "4b": judge_function, "4c": examples.judge, "4d": held_out.judge}
GIVEN = (examples.train_pair, held_out.practice_runs)
