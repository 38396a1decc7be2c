"""Exercise 2, reward models as proxies: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex02_proxies import examples, held_out
from helpers.grader.judge_function import judge_function

JUDGES = {"2a": judge_function, "2b": judge_function, "2c": examples.judge, "2d": held_out.judge}
GIVEN = (examples.proxy_world, held_out.practice_proxies)
