"""Exercise 3, policy shift under a KL budget: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex03_kl_budget import budget, examples, held_out
from helpers.grader.judge_function import judge_function

JUDGES = {"3a": judge_function, "3b": budget.judge, "3c": examples.judge, "3d": held_out.judge}
GIVEN = (held_out.practice_policies,)
