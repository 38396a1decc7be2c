"""KTO's loop and its thumbs: one step against a gradient by hand, degenerate batches, what is refused."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from conftest import seeded

from helpers.gpt import all_logps
from helpers.training import Config, Thumbs, both_thumbs, one_thumb, train_kto
from helpers.world import Annotator, PairBatch, ResponseSampler, draw_pairs

FLAT = torch.full((48, 11111), 1 / 11111, dtype=torch.float64).log()
THUMBS = Thumbs(
    prompts=torch.tensor([0, 11, 29, 47, 3]),
    responses=torch.tensor([57, 0, 3_004, 11_110, 432]),
    liked=torch.tensor([True, False, False, True, False]),
)


def weights(policy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


@pytest.fixture(scope="module")
def pairs(world) -> PairBatch:
    return draw_pairs(world, ResponseSampler(FLAT), Annotator(), 400, seeded(0), hard=True)


def ref_of(policy, world, tilt=0.0):
    """A reference's table; ``tilt`` nats are taken from every entry, so that the mean log-ratio is known."""
    with torch.no_grad():
        return all_logps(policy, world) - tilt


def by_hand(policy, world, thumbs, ref, beta, up, down, z0):
    """The loss, from the table of all log-probabilities, one example after another."""
    table, total = all_logps(policy, world), 0.0
    for x, y, liked in zip(
        thumbs.prompts.tolist(), thumbs.responses.tolist(), thumbs.liked.tolist()
    ):
        u = table[x, y] - ref[x, y]
        a = beta * (u - z0)
        total = total + (up / (1 + torch.exp(a)) if liked else down / (1 + torch.exp(-a)))
    return total / len(thumbs)


def one_step(policy, world, thumbs, ref, beta=0.5, **options):
    found = copy.deepcopy(policy)
    config = Config(1, len(thumbs), 1e-3)
    return found, train_kto(found, world, lambda n, _: thumbs, ref, beta, config, 0, **options)


# ---- the loop -------------------------------------------------------------------------------

PARTS = {
    "both kinds": torch.arange(5),
    "ups only": torch.tensor([0, 3]),
    "downs only": torch.tensor([1, 2, 4]),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("up, down", [(1.0, 1.0), (2.5, 0.625)])
def test_one_step_follows_the_gradient_by_hand(world, rough_gpt, part, up, down):
    thumbs = THUMBS[PARTS[part]]
    ref, beta = ref_of(rough_gpt, world) * 0.9, 0.5
    table = ref_of(rough_gpt, world)
    ref[thumbs.prompts[0]] -= 12.0  # so that the mean over mismatched responses is above 0
    others = thumbs.responses[torch.tensor([-1, *range(len(thumbs) - 1)])]  # of the row before
    z0 = (table - ref)[thumbs.prompts, others].mean().item()
    assert z0 > 0.1
    options = {"liked_weight": up, "disliked_weight": down}
    found, history = one_step(rough_gpt, world, thumbs, ref, beta, **options)
    expected = copy.deepcopy(rough_gpt)
    loss = by_hand(expected, world, thumbs, ref, beta, up, down, z0)
    assert history["loss"][0] == pytest.approx(loss.item(), abs=1e-10)
    assert history["reference_point"][0] == pytest.approx(z0, abs=1e-10)
    own = (table - ref)[thumbs.prompts, thumbs.responses].mean().item()
    assert history["log_ratio"][0] == pytest.approx(own, abs=1e-10)
    adam = torch.optim.AdamW(expected.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    loss.backward()
    adam.step()
    assert (weights(found) - weights(rough_gpt)).abs().max() > 5e-4
    assert torch.isfinite(weights(found)).all()
    assert torch.allclose(weights(found), weights(expected), atol=2e-7)


def test_a_negative_mean_over_mismatched_responses_is_recorded_and_cut_at_zero(world, rough_gpt):
    ref = ref_of(rough_gpt, world, tilt=-2.0)
    _, history = one_step(rough_gpt, world, THUMBS, ref)
    assert history["mismatched"][0] == pytest.approx(-2.0, abs=1e-10)
    assert history["reference_point"][0] == 0.0


def test_descent_lifts_the_liked_and_lowers_the_disliked(world, sft_gpt):
    ref, policy = ref_of(sft_gpt, world), copy.deepcopy(sft_gpt)
    config = Config(40, 5, 1e-3)
    history = train_kto(policy, world, lambda n, _: THUMBS, ref, 0.5, config, 0)
    assert history["loss"][0] == pytest.approx(0.5, abs=1e-6)
    moved = (ref_of(policy, world) - ref)[THUMBS.prompts, THUMBS.responses]
    assert moved[THUMBS.liked].min() > 0.5 and moved[~THUMBS.liked].max() < -0.5


def test_it_takes_tokens_as_well_as_indices_and_is_reproducible(world, sft_gpt):
    ref = ref_of(sft_gpt, world)
    as_tokens = Thumbs(THUMBS.prompts, world.tokens(THUMBS.responses), THUMBS.liked)
    assert torch.equal(*(weights(one_step(sft_gpt, world, t, ref)[0]) for t in (THUMBS, as_tokens)))
    for seed, same in ((1, True), (2, False)):
        runs = []
        for s in (1, seed):
            policy = copy.deepcopy(sft_gpt)
            train_kto(policy, world, THUMBS.draw, ref, 0.5, Config(3, 3, 1e-3), s)
            runs.append(weights(policy))
        assert torch.equal(*runs) == same


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beta": 0.0}, "beta = 0.0"),
        ({"ref": FLAT[:, :10]}, r"ref_logps \(48, 10\): expected all responses to all prompts"),
        ({"liked_weight": -1.0}, "liked_weight = -1.0"),
        ({"disliked_weight": math.inf}, "disliked_weight = inf"),
    ],
)
def test_it_refuses_what_makes_no_sense(world, sft_gpt, options, message):
    with pytest.raises(ValueError, match=message):
        one_step(sft_gpt, world, THUMBS, **({"ref": FLAT} | options))


def test_mismatched_responses_need_a_batch_of_two(world, sft_gpt):
    with pytest.raises(ValueError, match="batch = 1: expected at least 2"):
        one_step(sft_gpt, world, THUMBS[:1], FLAT)


# ---- thumbs ---------------------------------------------------------------------------------


def test_one_thumb_keeps_one_response_of_each_pair_the_winner_with_the_given_probability(pairs):
    thumbs = one_thumb(pairs, 0.2, seeded(1))
    assert len(thumbs) == len(pairs) and torch.equal(thumbs.prompts, pairs.prompts)
    assert torch.equal(thumbs.responses[thumbs.liked], pairs.chosen[thumbs.liked])
    assert torch.equal(thumbs.responses[~thumbs.liked], pairs.rejected[~thumbs.liked])
    assert 0.12 < thumbs.liked.double().mean() < 0.28  # four standard errors
    for winner in (0.0, 1.0):
        assert (one_thumb(pairs, winner, seeded(1)).liked == bool(winner)).all()


def test_one_thumb_of_pairs_given_as_tokens(world, pairs):
    tokens = PairBatch(
        pairs.prompts, world.tokens(pairs.chosen), world.tokens(pairs.rejected), pairs.label
    )
    one, other = one_thumb(pairs, 0.2, seeded(1)), one_thumb(tokens, 0.2, seeded(1))
    assert torch.equal(world.tokens(one.responses), other.responses)


def test_both_thumbs_are_the_pairs_one_response_at_a_time(pairs):
    thumbs = both_thumbs(pairs)
    assert len(thumbs) == 800 and torch.equal(thumbs.prompts, torch.cat([pairs.prompts] * 2))
    assert torch.equal(thumbs[:400].responses, pairs.chosen) and thumbs[:400].liked.all()
    assert torch.equal(thumbs[400:].responses, pairs.rejected) and not thumbs[400:].liked.any()


def test_weights_give_both_kinds_the_same_sum_and_mean_one():
    up, down = THUMBS.weights()
    assert (up, down) == (5 / 4, 5 / 6)
    assert 2 * up == pytest.approx(3 * down) and 2 * up + 3 * down == pytest.approx(5)


@pytest.mark.parametrize("part, found", [("ups only", "2 of 2 liked"), ("downs only", "0 of 3")])
def test_one_kind_alone_has_no_weights(part, found):
    with pytest.raises(ValueError, match=f"{found}.*: expected at least one of each kind"):
        THUMBS[PARTS[part]].weights()


def test_draws_are_rows_of_the_data():
    drawn = THUMBS.draw(200, seeded(3))
    rows = {tuple(row) for row in zip(*(c.tolist() for c in vars(THUMBS).values()))}
    assert {tuple(row) for row in zip(*(c.tolist() for c in vars(drawn).values()))} == rows


@pytest.mark.parametrize("winner", [-0.1, 1.1, math.nan])
def test_one_thumb_refuses_what_is_no_probability(pairs, winner):
    with pytest.raises(ValueError, match=f"winner = {winner}: expected a probability from 0 to 1"):
        one_thumb(pairs, winner, seeded(0))


def test_thumbs_need_answers(pairs):
    soft = PairBatch(pairs.prompts, pairs.chosen, pairs.rejected, pairs.label * 0.9)
    for make in (both_thumbs, lambda pairs: one_thumb(pairs, 0.5, seeded(0))):
        with pytest.raises(ValueError, match=r"label\[0\] is 0.9: expected answers"):
            make(soft)
