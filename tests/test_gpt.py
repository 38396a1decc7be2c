"""The tiny GPT: its probabilities sum to 1, are those it samples with, and known mistakes do not get through."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from conftest import seeded, trained
from torch import Tensor

from helpers.gpt import (
    GPTConfig,
    RewardModel,
    TinyGPT,
    all_logps,
    all_rewards,
    in_parts,
    new_gpt,
    sample,
    sequence_logps,
    token_logps,
)
from helpers.gpt.fast import step
from helpers.world import Annotator, ResponseSampler, demonstrations, draw_pairs

FALSE_ALARM = 1e-6


@torch.no_grad()
def to_all(scored, policy, world, prompt: int, *rest: Tensor) -> Tensor:
    """scored(policy, prompts, responses, …) of every response to one prompt, a thousand at a time."""
    parts = zip(*(rows.split(1_000) for rows in (world.responses, *rest)))
    return torch.cat(
        [
            scored(policy, world.prompt_tokens[prompt].expand(len(y), -1), y, *more)
            for y, *more in parts
        ]
    )


@pytest.fixture(scope="module")
def policies(rough_gpt, sft_gpt) -> dict[str, TinyGPT]:
    return {"rough": rough_gpt, "sft": sft_gpt}


@pytest.fixture(scope="module")
def brute_force(world, policies) -> dict[tuple[str, int], Tensor]:
    """log π(y | x) of every response, each sequence scored on its own, (n_responses,), by policy and prompt."""
    mask = world.mask(world.responses)
    return {
        (name, prompt): to_all(sequence_logps, policy, world, prompt, mask)
        for name, policy in policies.items()
        for prompt in (0, 29)
    }


# ---- the sum over all responses is 1 --------------------------------------------------------


@pytest.mark.parametrize("prompt", [0, 29])
def test_probabilities_of_all_responses_sum_to_one_untrained(world, brute_force, prompt):
    probabilities = brute_force["rough", prompt].exp()
    assert probabilities.max() > 20 / world.n_responses, (
        "the weights make some responses much likelier than others"
    )
    assert abs(probabilities.sum().item() - 1) < 1e-12


@pytest.mark.parametrize("prompt", [0, 29])
def test_probabilities_of_all_responses_sum_to_one_after_training(brute_force, prompt):
    probabilities = brute_force["sft", prompt].double().exp()
    assert probabilities.max() > 0.01, "it learned something"
    assert abs(probabilities.sum().item() - 1) < 1e-5


@pytest.mark.parametrize("prompt", [0, 29])
@pytest.mark.parametrize("name, rtol, atol", [("rough", 0, 1e-11), ("sft", 1e-6, 1e-5)])
def test_the_tree_walk_finds_the_same_as_scoring_every_sequence(
    world, policies, brute_force, name, prompt, rtol, atol
):
    exact = all_logps(policies[name], world, world.prompt_tokens[prompt : prompt + 1])[0]
    assert exact.dtype == torch.float64, "also of a float32 policy"
    torch.testing.assert_close(exact, brute_force[name, prompt].double(), rtol=rtol, atol=atol)


def test_the_tree_walk_covers_all_prompts_in_order(world, sft_gpt):
    with torch.no_grad():
        table = all_logps(sft_gpt, world)
        some = all_logps(sft_gpt, world, world.prompt_tokens[[40, 3, 7, 8, 9]])
    assert table.shape == (48, 11_111)
    torch.testing.assert_close(
        table.exp().sum(1), torch.ones(48, dtype=torch.float64), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(some, table[[40, 3, 7, 8, 9]], rtol=0, atol=1e-5)


def test_the_tree_walk_has_the_gradient_of_the_scored_sequences(world, rough_gpt):
    places = torch.tensor([0, 4, 57, 432, 3_004, 11_110])  # of lengths 0, 1, 2, 3, 4, 4
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0, 0.7], dtype=torch.float64)
    parameters = list(rough_gpt.parameters())
    walked = all_logps(rough_gpt, world, world.prompt_tokens[5:6])[0, places]
    rows = world.responses[places]
    scored = sequence_logps(rough_gpt, world.prompt_tokens[5].expand(6, -1), rows, world.mask(rows))
    by_walk = torch.autograd.grad((weights * walked).sum(), parameters)
    by_score = torch.autograd.grad((weights * scored).sum(), parameters)
    for one, other in zip(by_walk, by_score):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    assert sum(g.abs().sum() for g in by_walk) > 1


def test_the_gradient_of_the_total_probability_is_zero(world, rough_gpt):
    total = all_logps(rough_gpt, world, world.prompt_tokens[5:6]).exp().sum()
    for gradient in torch.autograd.grad(total, list(rough_gpt.parameters())):
        assert gradient.abs().max() < 1e-12


# ---- known mistakes make the sum wrong ------------------------------------------------------


def without_shift(policy, prompts: Tensor, responses: Tensor) -> Tensor:
    """The mistake of scoring a token with the logits of its own position, which have read it."""
    logps = policy(torch.cat([prompts, responses], dim=1))[:, prompts.shape[1] :].log_softmax(-1)
    return logps.gather(-1, responses.unsqueeze(-1)).squeeze(-1)


@pytest.fixture(scope="module")
def tokens(world, policies) -> dict[str, Tensor]:
    """log-probability of every token of every response to one prompt, (n_responses, 4), by policy."""
    return {name: to_all(token_logps, policy, world, 0) for name, policy in policies.items()}


def total(logps: Tensor, mask: Tensor) -> float:
    """Σ exp of the sums over the mask."""
    return (logps * mask).sum(1).double().exp().sum().item()


def test_with_the_mask_of_words_and_first_end_the_sum_is_one(world, tokens):
    for logps in tokens.values():
        assert total(logps, world.mask(world.responses)) == pytest.approx(1, abs=1e-5)


def test_without_the_causal_shift_the_sum_is_far_from_one(world, sft_gpt):
    logps = to_all(without_shift, sft_gpt, world, 0)
    assert abs(total(logps, world.mask(world.responses)) - 1) > 0.3


def test_a_policy_trained_without_the_causal_shift_claims_thousands_of_certain_responses(world):
    cheat = trained(world, without_shift)
    logps = to_all(without_shift, cheat, world, 0)
    assert total(logps, world.mask(world.responses)) > 1_000


def test_scoring_the_padding_behind_end_makes_the_sum_too_small(world, tokens):
    for logps in tokens.values():
        assert total(logps, torch.ones_like(world.responses)) < 0.95


def test_leaving_end_out_makes_the_sum_too_large(world, tokens):
    for logps in tokens.values():
        assert total(logps, world.responses != world.end) > 2


def test_scoring_end_after_a_response_that_was_cut_off_is_impossible(world, sft_gpt):
    """A fifth place would be needed; the row has four, and the policy no position for it."""
    longer = torch.nn.functional.pad(world.responses[:48], (0, 2), value=world.end)
    with pytest.raises(ValueError, match="7 positions: expected at most 6"):
        token_logps(sft_gpt, world.prompt_tokens, longer)


def test_prompt_words_cannot_be_scored_as_if_they_were_a_response(world, sft_gpt):
    prompts, responses = world.prompt_tokens, world.responses[:48]
    with pytest.raises(
        ValueError,
        match=r"responses\[0, 0\] is 11, outside the vocabulary: expected ids from 0 to 10",
    ):
        token_logps(sft_gpt, prompts, torch.cat([prompts, responses], dim=1))


def test_the_prompt_is_read(world, sft_gpt):
    one, other = all_logps(sft_gpt, world, world.prompt_tokens[[0, 29]]).exp()
    assert (one - other).abs().sum() > 0.1


# ---- sampling -------------------------------------------------------------------------------


def p_value(counts: Tensor, probabilities: Tensor) -> float:
    """Pearson's chi-square test of counts against probabilities; cells that expect fewer than 10 are one cell."""
    expected = probabilities.double() * counts.sum()
    often = expected >= 10
    pooled = torch.cat([counts[often].double(), counts[~often].sum()[None].double()])
    wanted = torch.cat([expected[often], expected[~often].sum()[None]])
    some = wanted > 0
    assert (pooled[~some] == 0).all()
    statistic = ((pooled - wanted)[some] ** 2 / wanted[some]).sum()
    freedom = torch.tensor(float(some.sum() - 1), dtype=torch.float64)
    return torch.special.gammaincc(freedom / 2, statistic / 2).item()


def counts_of(world, places: Tensor) -> Tensor:
    return torch.bincount(places, minlength=world.n_responses)


def by_first_token(world, over_responses: Tensor) -> Tensor:
    none = torch.zeros(world.n_outputs, dtype=torch.float64)
    return none.index_add(0, world.responses[:, 0], over_responses.double())


def test_the_chi_square_test_has_the_level_of_its_name():
    """10,000 tosses that are k heads too many: (2k)²/10,000, at the percentiles 3.841 (95 %) and 10.828 (99.9 %)."""
    even = torch.tensor([0.5, 0.5])
    assert p_value(torch.tensor([5_000, 5_000]), even) == 1
    assert p_value(torch.tensor([5_098, 4_902]), even) == pytest.approx(0.05, abs=1e-4)
    assert p_value(torch.tensor([5_164.53, 4_835.47]), even) == pytest.approx(0.001, abs=1e-5)


@pytest.fixture(scope="module")
def cases(world, rough_gpt, sft_gpt):
    """Two policies, two prompts each: exact probabilities and the places of 20,000 sampled responses."""
    found = []
    for policy, prompt in ((rough_gpt, 3), (rough_gpt, 29), (sft_gpt, 3), (sft_gpt, 29)):
        with torch.no_grad():
            exact = all_logps(policy, world, world.prompt_tokens[prompt : prompt + 1])[0].exp()
        generator, tokens = seeded(prompt), world.prompt_tokens[prompt].expand(2_000, -1)
        responses = torch.cat([sample(policy, world, tokens, generator) for _ in range(10)])
        found.append((exact, world.index(responses)))
    return found


def test_first_tokens_are_sampled_with_their_probabilities(world, cases):
    for exact, places in cases:
        counts = by_first_token(world, counts_of(world, places))
        assert p_value(counts, by_first_token(world, exact)) > FALSE_ALARM


def test_whole_responses_are_sampled_with_their_probabilities(world, cases):
    for exact, places in cases:
        assert (exact * len(places) >= 10).sum() > 50, "enough frequent responses to tell"
        assert p_value(counts_of(world, places), exact) > FALSE_ALARM


def test_lengths_are_sampled_with_their_probabilities(world, cases):
    length = (world.responses != world.end).sum(1)
    for exact, places in cases:
        by_length = torch.zeros(5, dtype=torch.float64).index_add(0, length, exact)
        assert p_value(torch.bincount(length[places], minlength=5), by_length) > FALSE_ALARM


def test_the_test_of_frequencies_notices_another_temperature(world, cases):
    for exact, places in cases:
        warmer = exact**0.8 / (exact**0.8).sum()
        assert p_value(counts_of(world, places), warmer) < FALSE_ALARM


def test_a_mixed_batch_gives_every_prompt_its_own_responses(world, sft_gpt):
    prompts = torch.tensor([3, 29]).repeat(10_000)
    places = world.index(sample(sft_gpt, world, world.prompt_tokens[prompts], seeded(1)))
    exact = all_logps(sft_gpt, world, world.prompt_tokens[[3, 29]]).detach().exp()
    for row, prompt in enumerate((3, 29)):
        assert p_value(counts_of(world, places[prompts == prompt]), exact[row]) > FALSE_ALARM
        assert p_value(counts_of(world, places[prompts == prompt]), exact[1 - row]) < FALSE_ALARM


def test_the_response_sampler_draws_with_the_given_probabilities(world, rough_gpt, sft_gpt):
    for policy in (rough_gpt, sft_gpt):
        with torch.no_grad():
            logps = all_logps(policy, world)
        prompts = torch.tensor([0, 3, 29, 47]).repeat_interleave(20_000)
        places = ResponseSampler(logps)(prompts, seeded(2))
        for prompt in (0, 3, 29, 47):
            assert (
                p_value(counts_of(world, places[prompts == prompt]), logps[prompt].exp())
                > FALSE_ALARM
            )
            assert (
                p_value(counts_of(world, places[prompts == prompt]), logps[prompt - 1].exp())
                < FALSE_ALARM
            )


def test_the_response_sampler_never_draws_what_has_no_probability():
    logps = torch.tensor(
        [[0.0, 0.5, 0.0, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]]
    ).log()
    prompts = torch.arange(3).repeat(5_000)
    places = ResponseSampler(logps)(prompts, seeded(3))
    assert set(places[prompts == 0].tolist()) == {1, 3}
    assert set(places[prompts == 1].tolist()) == {0}
    assert set(places[prompts == 2].tolist()) == {4}


def test_samples_are_responses_and_the_same_for_the_same_seed(world, sft_gpt):
    prompts = world.prompt_tokens.repeat(5, 1)
    one = sample(sft_gpt, world, prompts, seeded(4))
    world.check_tokens(one)
    assert one.shape == (240, 4)
    assert torch.equal(one, sample(sft_gpt, world, prompts, seeded(4)))
    assert not torch.equal(one, sample(sft_gpt, world, prompts, seeded(5)))
    assert not one.requires_grad


def test_what_a_row_draws_does_not_depend_on_when_the_others_end(world, sft_gpt):
    prompts = world.prompt_tokens.repeat(5, 1)
    others = prompts.clone()
    others[1::2] = world.prompt_tokens[29]
    one, other = (sample(sft_gpt, world, x, seeded(4)) for x in (prompts, others))
    assert torch.equal(one[::2], other[::2])
    assert not torch.equal(one[1::2], other[1::2])


# ---- the model ------------------------------------------------------------------------------


def whole_sequences(world, n: int = 20) -> Tensor:
    generator = seeded(7)
    words = torch.randint(world.n_outputs, (n, 4), generator=generator)
    return torch.cat(
        [world.prompt_tokens[torch.randint(48, (n,), generator=generator)], words], dim=1
    )


@pytest.mark.parametrize(
    "pieces", [(1, 1, 1, 1, 1, 1), (2, 1, 1, 1, 1), (2, 4), (3, 3), (1, 2, 3)], ids=str
)
def test_reading_in_pieces_with_a_cache_gives_the_logits_of_reading_at_once(
    world, rough_gpt, pieces
):
    tokens, cache, found = whole_sequences(world), None, []
    for piece in tokens.split(pieces, dim=1):
        logits, cache = step(rough_gpt, piece, cache)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found, dim=1), rough_gpt(tokens), rtol=0, atol=1e-12)
    assert len(cache) == rough_gpt.config.layers and cache[0][0].shape[2] == 6


def test_a_cache_can_be_continued_twice(world, rough_gpt):
    """The tree walk needs it: continuing a prefix leaves the cache of the prefix as it was."""
    tokens = whole_sequences(world)
    _, cache = step(rough_gpt, tokens[:, :3], None)
    first, _ = step(rough_gpt, tokens[:, 3:], cache)
    again, _ = step(rough_gpt, tokens[:, 3:], cache)
    assert torch.equal(first, again)


@pytest.mark.parametrize(
    "read",
    [
        (slice(None), slice(-1, None)),
        (slice(None), slice(-4, None)),
        (torch.arange(20)[:, None], (torch.arange(20) % 6)[:, None]),
        (torch.arange(20)[:, None], torch.tensor([[5, 0, 3]])),
    ],
    ids=["last", "last four", "one of each row", "three, out of order"],
)
def test_reading_some_places_gives_their_logits_and_gradients(world, rough_gpt, read):
    tokens = whole_sequences(world)
    some, everywhere = rough_gpt(tokens, read), rough_gpt(tokens)[read]
    torch.testing.assert_close(some, everywhere, rtol=0, atol=1e-12)
    weights, parameters = (
        torch.randn(some.shape, generator=seeded(1)).double(),
        list(rough_gpt.parameters()),
    )
    gradients = (
        torch.autograd.grad((logits * weights).sum(), parameters) for logits in (some, everywhere)
    )
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_reading_some_places_behind_a_cache_gives_their_logits(world, rough_gpt):
    tokens, read = (
        whole_sequences(world),
        (torch.arange(20)[:, None], (torch.arange(20) % 4)[:, None]),
    )
    _, cache = step(rough_gpt, tokens[:, :2], None)
    found, grown = step(rough_gpt, tokens[:, 2:], cache, read=read)
    torch.testing.assert_close(found, rough_gpt(tokens)[:, 2:][read], rtol=0, atol=1e-12)
    assert grown[-1][0].shape[2] == 6, "the cache holds all places"


@pytest.mark.parametrize("n", [1, 255, 256, 257, 600])
def test_in_parts_gives_what_the_whole_gives(n):
    rows = torch.randn(n, 3, generator=seeded(0), requires_grad=True)
    sizes = []

    def weighted(x, w):
        sizes.append(len(x))
        return (x * w).sum(1)

    found = in_parts(weighted, rows, torch.arange(3 * n).view(n, 3))
    torch.testing.assert_close(found, (rows * torch.arange(3 * n).view(n, 3)).sum(1))
    assert not found.requires_grad and max(sizes) <= 256 and len(found) == n


@pytest.mark.parametrize(
    "rows",
    [(), (torch.zeros(0, 2),), (torch.zeros(300, 2), torch.zeros(299, 2))],
    ids=["none", "empty", "differ"],
)
def test_in_parts_refuses_what_has_no_rows_or_not_the_same(rows):
    with pytest.raises(ValueError, match="expected tensors with one number of rows, at least 1"):
        in_parts(lambda *part: part[0], *rows)


@pytest.mark.parametrize("place", range(1, 6))
def test_a_token_cannot_influence_the_logits_of_earlier_places(world, rough_gpt, place):
    tokens = whole_sequences(world)
    changed = tokens.clone()
    changed[:, place] = (changed[:, place] + 1) % world.n_outputs
    before, after = rough_gpt(tokens), rough_gpt(changed)
    torch.testing.assert_close(after[:, :place], before[:, :place], rtol=0, atol=1e-13)
    assert ((after[:, place:] - before[:, place:]).abs().amax(-1) > 1e-6).all(), (
        "but all later ones"
    )


def test_a_response_token_is_scored_by_what_came_before_it_alone(world, rough_gpt):
    rows = whole_sequences(world)
    prompts, responses = rows[:, :2], rows[:, 2:]
    scored = token_logps(rough_gpt, prompts, responses)
    for t in range(4):
        logits = rough_gpt(rows[:, : 2 + t])[:, -1]  # all that was read when token t was chosen
        expected = logits.log_softmax(-1).gather(1, responses[:, t : t + 1])[:, 0]
        torch.testing.assert_close(scored[:, t], expected, rtol=0, atol=1e-12)


def test_every_row_of_a_batch_is_scored_on_its_own(world, rough_gpt):
    rows = whole_sequences(world)
    prompts, responses = rows[:, :2], rows[:, 2:]
    together = token_logps(rough_gpt, prompts, responses)
    alone = torch.cat(
        [token_logps(rough_gpt, x, y) for x, y in zip(prompts.split(1), responses.split(1))]
    )
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


def test_sequences_are_scored_by_the_sum_over_the_mask(world, rough_gpt):
    rows = world.responses[[0, 3, 57, 432, 3_004]]
    prompts, mask = world.prompt_tokens[:5], world.mask(rows)
    tokens = token_logps(rough_gpt, prompts, rows)
    by_hand = torch.stack([row[keep].sum() for row, keep in zip(tokens, mask)])
    torch.testing.assert_close(sequence_logps(rough_gpt, prompts, rows, mask), by_hand)
    torch.testing.assert_close(sequence_logps(rough_gpt, prompts, rows, mask.long()), by_hand)


def test_position_matters(world, rough_gpt):
    rows = torch.tensor([[0, 1, 10, 10], [1, 0, 10, 10]])
    one, other = token_logps(rough_gpt, world.prompt_tokens[:1].expand(2, -1), rows)[:, 2]
    assert abs(one - other) > 1e-6


def test_the_same_seed_gives_the_same_weights_whatever_the_global_state(world):
    torch.manual_seed(1)
    one = new_gpt(world, 3).state_dict()
    torch.manual_seed(2)
    again, other = new_gpt(world, 3).state_dict(), new_gpt(world, 4).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert all(not torch.equal(one[name], other[name]) for name in one if one[name].ndim > 1)


def test_a_new_gpt_fits_its_world(world):
    policy = new_gpt(world, 0)
    assert policy.config == GPTConfig(n_tokens=25, n_outputs=11, context=6)
    assert policy(world.prompt_tokens).shape == (48, 2, 11)


def test_no_public_function_touches_a_global_random_state(world, sft_gpt):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    TinyGPT(new_gpt(world, 0).config, seeded(0))
    prompts, responses = demonstrations(world, 20, seeded(0))
    tokens = world.prompt_tokens[prompts]
    token_logps(sft_gpt, tokens, responses)
    sequence_logps(sft_gpt, tokens, responses, world.mask(responses))
    logps = all_logps(sft_gpt, world)
    sample(sft_gpt, world, tokens, seeded(0))
    for hard in (False, True):
        draw_pairs(world, ResponseSampler(logps), Annotator(flip=0.1), 20, seeded(0), hard=hard)
    after = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    assert torch.equal(before[0], after[0])
    assert (before[1] == after[1]).all()
    assert before[2] == after[2]


# ---- bad input ------------------------------------------------------------------------------


def test_shapes_that_do_not_fit_are_refused(world, sft_gpt):
    prompts, responses = world.prompt_tokens[:3], world.responses[:3]
    for bad_prompts, bad_responses, message in (
        (
            prompts[0],
            responses,
            r"prompts \(2,\): expected token ids of shape \(B, length\), both ≥ 1",
        ),
        (
            prompts,
            responses[0],
            r"responses \(4,\): expected token ids of shape \(B, length\), both ≥ 1",
        ),
        (prompts[:0], responses[:0], r"prompts \(0, 2\): expected"),
        (prompts, responses[:, :0], r"responses \(3, 0\): expected"),
        (prompts[:2], responses, "2 prompts, 3 responses: expected one response to each prompt"),
        (prompts[:1], responses, "1 prompts, 3 responses: expected one response to each prompt"),
    ):
        with pytest.raises(ValueError, match=message):
            token_logps(sft_gpt, bad_prompts, bad_responses)


@pytest.mark.parametrize("token", [-1, 25])
def test_prompt_tokens_outside_the_vocabulary_are_refused_by_all(world, sft_gpt, token):
    prompts, responses = world.prompt_tokens[:3].clone(), world.responses[:3]
    prompts[2, 1] = token
    for call in (
        lambda: token_logps(sft_gpt, prompts, responses),
        lambda: sequence_logps(sft_gpt, prompts, responses, world.mask(responses)),
        lambda: all_logps(sft_gpt, world, prompts),
        lambda: sample(sft_gpt, world, prompts, seeded(0)),
    ):
        with pytest.raises(
            ValueError, match=rf"prompts\[2, 1\] is {token}, outside the vocabulary.* from 0 to 24"
        ):
            call()


@pytest.mark.parametrize("token", [-1, 11])
def test_response_tokens_outside_the_vocabulary_are_refused(world, sft_gpt, token):
    responses = world.responses[:3].clone()
    responses[1, 2] = token
    with pytest.raises(
        ValueError, match=rf"responses\[1, 2\] is {token}, outside the vocabulary.* from 0 to 10"
    ):
        sequence_logps(sft_gpt, world.prompt_tokens[:3], responses, torch.ones(3, 4))


def test_an_empty_batch_is_refused_by_all(world, sft_gpt):
    none = world.prompt_tokens[:0]
    for call in (
        lambda: token_logps(sft_gpt, none, world.responses[:0]),
        lambda: sequence_logps(sft_gpt, none, world.responses[:0], torch.ones(0, 4)),
        lambda: all_logps(sft_gpt, world, none),
        lambda: sample(sft_gpt, world, none, seeded(0)),
    ):
        with pytest.raises(ValueError, match=r"prompts \(0, 2\): expected"):
            call()


def test_a_mask_of_another_shape_or_without_a_response_token_is_refused(world, sft_gpt):
    prompts, responses = world.prompt_tokens[:3], world.responses[:3]
    with pytest.raises(
        ValueError, match=r"mask \(3, 3\): expected the shape of responses, \(3, 4\)"
    ):
        sequence_logps(sft_gpt, prompts, responses, torch.ones(3, 3))
    mask = torch.ones(3, 4)
    mask[1] = 0
    with pytest.raises(ValueError, match="mask row 1 has no response token: expected at least one"):
        sequence_logps(sft_gpt, prompts, responses, mask)


def test_more_positions_than_the_context_are_refused_with_and_without_a_cache(world):
    policy = TinyGPT(
        GPTConfig(n_tokens=25, n_outputs=11, context=3, layers=1, width=8, heads=2), seeded(0)
    )
    with pytest.raises(ValueError, match="4 positions: expected at most 3"):
        policy(torch.zeros(1, 4, dtype=torch.long))
    _, cache = step(policy, torch.zeros(1, 3, dtype=torch.long), None)
    with pytest.raises(ValueError, match="4 positions: expected at most 3"):
        step(policy, torch.zeros(1, 1, dtype=torch.long), cache)


# ---- the reward model -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def reward_model(rough_gpt):
    """A reward model in float64 whose head is not zero."""
    model = RewardModel(rough_gpt).double()
    torch.nn.init.normal_(model.trunk.head.weight, generator=seeded(3))
    return model


def test_a_new_reward_model_scores_everything_zero_and_leaves_the_policy_alone(world, rough_gpt):
    before = copy.deepcopy(rough_gpt.state_dict())
    y = world.responses[:50]
    model = RewardModel(rough_gpt)
    assert (model(world.prompt_tokens[:1].expand(50, -1), y, world.mask(y)) == 0).all()
    model.trunk.token.weight.data += 1
    assert all(torch.equal(value, before[name]) for name, value in rough_gpt.state_dict().items())


def test_the_tree_walk_finds_the_reward_of_every_response(world, reward_model):
    mask = world.mask(world.responses)
    walked = all_rewards(reward_model, world, world.prompt_tokens[[0, 29]])
    for row, prompt in zip(walked, (0, 29)):
        one_by_one = to_all(lambda m, *inputs: m(*inputs), reward_model, world, prompt, mask)
        torch.testing.assert_close(row, one_by_one.detach(), rtol=0, atol=1e-10)
    assert walked.std() > 0.1, "rewards differ"


def test_all_prompts_together_give_what_single_prompts_give(world, reward_model):
    together = all_rewards(reward_model, world, world.prompt_tokens[:6])
    torch.testing.assert_close(
        together[5], all_rewards(reward_model, world, world.prompt_tokens[5:6])[0]
    )


def test_what_stands_behind_the_last_scored_token_does_not_count(world, reward_model):
    y = torch.stack([world.encode("mix wait"), world.encode("mix wait")])
    mask = world.mask(y)
    changed = y.clone()
    changed[1, 3] = 2  # behind the end token, unscored
    scores = reward_model(world.prompt_tokens[:2][[0, 0]], changed, mask)
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x, y, m: (x[:1], y, m), "expected one response to each prompt"),
        (lambda x, y, m: (x, y, m[:, :2]), "a mask of the responses' shape"),
        (lambda x, y, m: (x, y, m & False), "mask row 0 has no response token"),
        (lambda x, y, m: (x, y + 99, m), "outside the vocabulary"),
        (lambda x, y, m: (x[:0], y[:0], m[:0]), "both ≥ 1"),
    ],
)
def test_the_reward_model_refuses_what_does_not_fit(world, reward_model, change, message):
    y = world.responses[:2]
    with pytest.raises(ValueError, match=message):
        reward_model(*change(world.prompt_tokens[:2], y, world.mask(y)))


# ---- what is masked -------------------------------------------------------------------------


class Hiding(TinyGPT):
    """A policy with ``value`` added to its logits (B, R, n_outputs) where ``hidden`` is true.

    Added, so that the gradient of these logits goes on to the weights.
    """

    def __init__(self, world, hidden, value):
        super().__init__(new_gpt(world, 0).config, seeded(0))
        self.hidden, self.value = hidden, value

    def forward(self, tokens, read=None):
        added = torch.zeros(self.hidden.shape).masked_fill(self.hidden, self.value)
        return super().forward(tokens, read) + added


@pytest.mark.parametrize("value", [-torch.inf, torch.inf, torch.nan])
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32], ids=str)
def test_sequences_are_scored_whatever_the_policy_says_behind_the_end(world, value, dtype):
    """The weights' gradients too, which NaN in a softmax or in a product with the mask reaches."""
    rows = world.responses[[0, 3, 57, 432]]
    prompts, mask = world.prompt_tokens[:4], world.mask(rows)
    assert not mask.all()
    plain, hiding = Hiding(world, ~mask[..., None], 0.0), Hiding(world, ~mask[..., None], value)
    wanted, found = (sequence_logps(p, prompts, rows, mask.to(dtype)) for p in (plain, hiding))
    assert torch.isfinite(found).all() and torch.equal(found, wanted)
    (wanted.sum() + found.sum()).backward()
    for (name, a), b in zip(plain.named_parameters(), hiding.parameters()):
        assert torch.isfinite(b.grad).all(), name
        torch.testing.assert_close(b.grad, a.grad, rtol=0, atol=0)


def test_a_token_without_probability_counts_nothing_where_masked_and_all_where_scored(world):
    rows = world.responses[[0, 57]]
    prompts, mask = world.prompt_tokens[:2], world.mask(rows)
    the_tokens = torch.nn.functional.one_hot(rows, world.n_outputs).bool()
    never_behind = Hiding(world, the_tokens & ~mask[..., None], -torch.inf)
    logps = sequence_logps(never_behind, prompts, rows, mask)
    assert torch.isfinite(logps).all()
    logps.sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in never_behind.parameters())
    never = Hiding(world, the_tokens, -torch.inf)
    assert (sequence_logps(never, prompts, rows, mask) == -torch.inf).all()


@pytest.mark.parametrize("number", [2.0, 0.5, -1.0, torch.nan])
def test_a_mask_of_other_numbers_is_refused(world, number):
    policy, prompts, rows = new_gpt(world, 0), world.prompt_tokens[:2], world.responses[:2]
    mask = torch.ones(2, 4)
    mask[1, 2] = number
    with pytest.raises(ValueError, match=rf"mask\[1, 2\] is {number}: expected booleans, or 0"):
        sequence_logps(policy, prompts, rows, mask)
    with pytest.raises(ValueError, match="mask is a list: expected a tensor"):
        sequence_logps(policy, prompts, rows, mask.tolist())
