"""Arguments exchanged or ignored, and what is told of a mistake beside another one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grading import REFERENCE, graded, inputs_of
from slips import observations
from test_grader_recognition import message, writing

from helpers.grader.arguments import exchanged, ignored
from helpers.grader.cases import case, parts
from helpers.grader.exercises import judges
from helpers.grader.judge_examples import MISPLACED
from helpers.grader.judge_function import judge_function
from helpers.grader.run_answer import Unusable

FUNCTIONS = [part for part in parts() if judges()[part] is judge_function]


def test_two_arguments_in_each_others_place_are_named():
    def turned(ref, proxy, gold, n):
        return REFERENCE["2b"](ref, gold, proxy, n)

    (told,) = graded("2b", turned).diagnoses
    assert "With `proxy` and `gold` exchanged" in told


@pytest.mark.parametrize(
    "part, names, answer",
    [
        (
            "1b",
            "`ref_logits`",
            lambda x, ref, wins, beta: (wins * (3 * beta - x)[:, None]).sum() / 7,
        ),
        ("1b", "`logits`", lambda x, ref, wins, beta: (wins * (3 * beta - ref)[:, None]).sum() / 7),
        ("2b", "`gold`", lambda ref, proxy, gold, n: (ref * proxy.cos()).sum() ** n),
        ("4b", "`beta`", lambda policy, ref, beta: (policy * 1.3 - ref).sin().sum()),
        ("5a", "`clean`", lambda clean, rates: rates.sin().sum(1).repeat(len(clean), 1)),
    ],
)
def test_an_argument_that_does_not_enter_is_named(part, names, answer):
    (told,) = graded(part, answer).diagnoses
    assert f"do not depend on {names}:" in told


@pytest.mark.parametrize("part", FUNCTIONS)
def test_every_argument_of_a_right_answer_enters(part):
    """A constant added makes every value wrong, and hides no argument."""

    def off(*arguments):
        value = REFERENCE[part](*arguments)
        several = isinstance(value, tuple)
        return tuple(v + 0.37 for v in value) if several else torch.as_tensor(value) + 0.37

    def ask(given, of):
        tensors = [torch.tensor(v) if isinstance(v, np.ndarray) else v for v in given.values()]
        value = off(*tensors)
        returns = case(part).get("returns")
        return np.asarray(value[returns.index(of)] if returns else value, dtype=float)

    def asked(given, of):
        try:
            return ask(given, of)
        except Exception as error:
            raise Unusable("raised") from error

    what = observations(part, off)
    inputs = {name: inputs_of(part, name) for name in case(part)["inputs"]}
    assert ignored(what, inputs, asked) == exchanged(what, inputs, asked) == ""


def test_a_sum_and_a_mean_that_are_missing_are_told():
    def entries(policy_logps, ref_logps, beta):
        h = beta * (policy_logps - ref_logps.detach())
        return (torch.logcumsumexp(h.flip(1), 1).flip(1) - h).sum(1)

    (told,) = graded("4b", entries).diagnoses
    assert told.startswith("The mean of what you return is right")

    def tokens(policy_logits, ref_logits, tokens, mask, beta):
        ratio = policy_logits.log_softmax(-1) - ref_logits.log_softmax(-1)
        picked = ratio[:, :-1].gather(2, tokens[:, 1:, None]).squeeze(2)
        return beta * torch.where(mask[:, 1:], picked, 0.0)

    (told,) = graded("4a", tokens).diagnoses
    assert told.startswith("The sum of what you return is right")


def test_values_estimated_from_draws_are_told_although_the_seed_is_fixed():
    def sampled(ref, proxy, gold, n):
        rng = np.random.default_rng(len(ref))
        p = np.asarray(ref, float) / np.asarray(ref, float).sum()
        draws = rng.choice(len(p), size=(3000, min(int(n), 300)), p=p)
        best = draws[np.arange(3000), np.asarray(proxy)[draws].argmax(1)]
        return np.asarray(gold)[best].mean()

    (told,) = graded("2b", sampled).diagnoses
    assert "estimated from draws" in told


def test_a_mistake_that_explains_a_property_is_told_beside_another():
    def both(policy_logits, ref_logits, tokens, mask, beta):
        return writing("4a", "no_shift")(policy_logits, ref_logits, tokens, mask, beta) / mask.sum(
            1
        )

    told = graded("4a", both).diagnoses
    assert told[0] == message("4a", "no_shift") and "‘one response token’" in told[1]


def test_pieces_of_different_shape_are_told():
    def pieces(chosen, rejected, slices, n_slices):
        found = REFERENCE["2a"](chosen, rejected, slices, n_slices)
        return found[:-1], found[-1]

    (told,) = graded("2a", pieces).diagnoses
    assert "2 things of different shape together, (1,), ()" in told


def test_one_side_in_the_others_place_is_not_called_an_exchange_of_both():
    rare = 0.0005
    neither = {
        "ref": [(1 - rare) / 7] * 7 + [rare],
        "rewards": [2, 1.5, 0.5, 0.5, 0, -0.5, -1, 8.0],
    }  # quality rises by 0.11: too little to be safe, and nobody is harmed
    safe = REFERENCE["3c"]()["safe"]
    told = graded("3c", lambda: {"safe": neither, "unsafe": safe}).diagnoses
    assert told == (MISPLACED.format(side="safe", other="unsafe"),)


def test_a_mask_that_is_looked_at_one_place_off_enters():
    """Another input's mask differs only where this answer does not look; and where all is 0 nothing is seen."""

    def off(policy_logits, ref_logits, tokens, mask, beta):
        ratio = (policy_logits.log_softmax(-1) - ref_logits.log_softmax(-1))[:, :-1]
        picked = ratio.gather(2, tokens[:, 1:, None]).squeeze(2)
        return (picked * mask[:, :-1]).sum(1) + 0.2 * beta * mask[:, :-1].sum(1)

    assert not any("do not depend" in why for why in graded("4a", off).diagnoses)

    def ignoring(policy_logits, ref_logits, tokens, mask, beta):
        ratio = (policy_logits.log_softmax(-1) - ref_logits.log_softmax(-1))[:, :-1]
        return ratio.gather(2, tokens[:, 1:, None]).squeeze(2).sum(1) / beta

    (told,) = graded("4a", ignoring).diagnoses
    assert "do not depend on `mask`:" in told
