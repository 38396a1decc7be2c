"""Exercise 6, preference pair: who judges each part, and what it hands out."""

from helpers.grader.exercises.ex06_preference_pair import examples, held_out, records

JUDGES = {
    "6a": records.judge_with(records.read_triple),
    "6b": records.judge_with(records.read_groups),
    "6c": examples.judge,
    "6d": held_out.judge,
}
GIVEN = (examples.train_on_read, held_out.practice_files)
