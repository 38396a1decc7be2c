"""The companion package of the lesson: its world, exact formulas, tiny GPT, losses, loops, evidence, grader."""
