"""Exercise 7, reward model: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex07_reward_model import examples, held_out
from helpers.grader.judge_function import judge_function, judge_rows

JUDGES = {"7a": judge_rows, "7b": judge_function, "7c": examples.judge, "7d": held_out.judge}
GIVEN = (examples.temperature_report, held_out.practice_reward_models)
