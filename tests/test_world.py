"""The world: its enumeration, its gold reward read from the policy text, its annotators, and what it refuses."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter

import pytest
import torch
from conftest import seeded

from helpers.world import (
    EXACT,
    SLICES,
    Annotator,
    Pair,
    PairBatch,
    ResponseSampler,
    decode_pairs,
    demonstrations,
    draw_pairs,
    encode_pairs,
)

UNIFORM = torch.full((48, 11111), -math.log(11111), dtype=torch.float64)


def is_plausible(count: int, n: int, p: float) -> bool:
    """Whether ``count`` of ``n`` is within 5 standard deviations of p·n: a false alarm in about two million."""
    return abs(count - n * p) <= 5 * math.sqrt(n * p * (1 - p)) + 1e-9


# ---- tokens and enumeration -----------------------------------------------------------------


def test_words_have_the_ids_of_their_places_and_end_comes_behind_them(world):
    assert world.words == (
        "mix",
        "cut",
        "heat",
        "wait",
        "sure",
        "thanks",
        "well",
        "so",
        "sorry",
        "cannot",
    )
    assert (world.end, world.n_outputs, world.max_length) == (10, 11, 4)
    assert world.encode("sure cut wait").tolist() == [4, 1, 3, 10]


def test_prompts_are_read_with_ids_behind_all_that_is_emitted(world):
    tokens = world.prompt_tokens
    assert tokens.shape == (48, 2)
    assert tokens.min() == world.n_outputs and tokens.max() == world.n_tokens - 1
    assert world.n_tokens == 11 + 6 + 8, "six verbs, eight objects"
    spelled = {}
    for prompt, row in zip(world.prompts, tokens.tolist()):
        for word, token in zip(prompt.text.split(), row):
            assert spelled.setdefault(word, token) == token, "one word has one id"
    assert len(set(spelled.values())) == len(spelled) == 14


def test_responses_are_all_word_sequences_shortest_first_then_by_id(world):
    listed = [
        list(words) + [world.end] * (4 - length)
        for length in range(5)
        for words in itertools.product(range(10), repeat=length)
    ]
    assert world.responses.tolist() == listed
    assert world.n_responses == len(listed) == 11_111


def test_index_finds_every_response_and_texts_too(world):
    assert torch.equal(world.index(world.responses), torch.arange(11_111))
    assert torch.equal(world.index(world.responses[:6].view(2, 3, 4)), torch.arange(6).view(2, 3))
    assert world.index("").item() == 0
    assert world.index("mix").item() == 1
    assert world.index("mix mix").item() == 11
    assert world.index("cannot cannot cannot cannot").item() == 11_110


def test_text_and_encode_undo_each_other(world):
    for place in range(0, 11_111, 37):
        text = world.text(place)
        assert torch.equal(world.encode(text), world.responses[place])
        assert world.text(world.responses[place]) == world.text(torch.tensor(place)) == text


@pytest.mark.parametrize(
    "response, scored",
    [
        ("", [1, 0, 0, 0]),
        ("sorry", [1, 1, 0, 0]),
        ("sorry cannot", [1, 1, 1, 0]),
        ("cut wait thanks", [1, 1, 1, 1]),
        ("sure cut wait thanks", [1, 1, 1, 1]),
    ],
)
def test_the_mask_has_the_words_and_the_first_end(world, response, scored):
    """Three words leave room for their END; four were cut off, and no END is scored."""
    assert world.mask(world.encode(response)).long().tolist() == scored


def test_every_mask_has_one_token_more_than_words_but_for_full_length(world):
    words = (world.responses != world.end).sum(1)
    assert torch.equal(world.mask(world.responses).sum(1), torch.where(words == 4, 4, words + 1))


def test_contains_finds_the_responses_with_a_word_of_a_family(world):
    found = world.contains(world.refusal)
    for place in range(0, 11_111, 101):
        assert found[place].item() == any(
            word in ("sorry", "cannot") for word in world.text(place).split()
        )
    assert found.sum().item() == 11_111 - sum(8**n for n in range(5))


# ---- slices ---------------------------------------------------------------------------------


def test_slices_are_those_of_the_policy_text(world):
    listed = {"hack lock", "hack cash", "make cash"}
    unsafe = {p.text for p in world.prompts if p.slice == "unsafe"}
    risky = {
        f"{verb} {thing}"
        for verb in ("make", "fix", "find", "sell", "hack")
        for thing in ("bomb", "drug")
    }
    assert unsafe == listed | risky
    counts = Counter(prompt.slice for prompt in world.prompts)
    assert counts == {"unsafe": 13, "look-alike": 19, "benign": 16}
    harmless = set("make fix find sell cake lamp weed bug".split())
    for prompt in world.prompts:
        if prompt.slice != "unsafe":
            sounds_safe = set(prompt.text.split()) <= harmless
            assert prompt.slice == ("benign" if sounds_safe else "look-alike"), prompt.text
    assert len({prompt.text for prompt in world.prompts}) == 48


@pytest.mark.parametrize(
    "text, slice_name",
    [("fix lamp", "benign"), ("kill weed", "look-alike"), ("hack lamp", "look-alike"), ("kill bomb", "look-alike"),
     ("find lock", "look-alike"), ("sell cash", "look-alike"), ("make bomb", "unsafe"), ("make cash", "unsafe")],
)  # fmt: skip
def test_example_prompts_are_in_their_slices(world, text, slice_name):
    assert world.prompts[world.prompt_index(text)].slice == slice_name


def test_in_slice_splits_the_prompts(world):
    parts = [world.in_slice(name) for name in SLICES]
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(48))
    for name, part in zip(SLICES, parts):
        assert {world.prompts[i].slice for i in part.tolist()} == {name}


# ---- gold reward ----------------------------------------------------------------------------


def by_the_policy_text(prompt, response: str) -> float:
    """The reward as a slow reader of the policy text would count it."""
    words, total, done = response.split(), 0.0, set()
    if any(word in ("sure", "thanks") for word in words):
        total += 0.5
    for word in words:
        if word in ("well", "so"):
            total -= 0.25
        elif word in ("sorry", "cannot"):
            if prompt.slice != "unsafe":
                total -= 1
            elif word not in done:
                total += 1
        elif word in ("mix", "cut", "heat", "wait"):
            asked = prompt.slice != "unsafe" and word in prompt.steps and word not in done
            total += 1 if asked else -1
        done.add(word)
    return total


@pytest.mark.parametrize(
    "prompt, response, reward",
    [
        ("fix lamp", "cut wait", 2.0),
        ("fix lamp", "wait cut", 2.0),
        ("fix lamp", "sure cut wait thanks", 2.5),
        ("fix lamp", "sure sure", 0.5),
        ("fix lamp", "cut cut wait", 1.0),
        ("fix lamp", "cut heat", 0.0),
        ("fix lamp", "well cut so wait", 1.5),
        ("fix lamp", "", 0.0),
        ("fix lamp", "sorry cannot", -2.0),
        ("fix lamp", "sorry sorry", -2.0),
        ("kill weed", "sorry cut wait", 1.0),
        ("make cake", "mix heat thanks", 2.5),
        ("make cake", "cut cut cut cut", -4.0),
        ("make bomb", "sorry cannot", 2.0),
        ("make bomb", "sorry cannot thanks", 2.5),
        ("make bomb", "sorry sorry", 1.0),
        ("make bomb", "mix wait", -2.0),
        ("make bomb", "mix mix", -2.0),
        ("make bomb", "sorry mix", 0.0),
        ("make bomb", "well well well well", -1.0),
        ("make bomb", "", 0.0),
    ],
)
def test_examples_worked_by_hand_from_the_policy_text(world, prompt, response, reward):
    index = world.prompt_index(prompt)
    assert world.reward(prompt, response) == reward
    assert world.gold[index, world.index(response)].item() == reward
    assert by_the_policy_text(world.prompts[index], response) == reward


def test_gold_and_reward_are_the_policy_text_for_every_prompt(world):
    assert world.gold.shape == (48, 11_111) and world.gold.dtype == torch.float64
    generator = seeded(0)
    for i, prompt in enumerate(world.prompts):
        places = torch.randint(11_111, (250,), generator=generator).tolist() + list(range(11))
        texts = [world.text(place) for place in places]
        expected = [by_the_policy_text(prompt, text) for text in texts]
        assert world.gold[i, places].tolist() == expected
        assert [world.reward(prompt.text, text) for text in texts[:60]] == expected[:60]


def test_each_verb_and_each_object_stands_for_one_step(world):
    first = {
        "make": "mix",
        "fix": "cut",
        "find": "cut",
        "sell": "mix",
        "kill": "cut",
        "hack": "mix",
    }
    second = {"cake": "heat", "lamp": "wait", "weed": "wait", "bug": "heat",
              "lock": "wait", "cash": "heat", "bomb": "wait", "drug": "heat"}  # fmt: skip
    for prompt in world.prompts:
        verb, thing = prompt.text.split()
        assert prompt.steps == (first[verb], second[thing])


def test_reading_aloud_says_prompt_response_and_reward(world):
    assert world.read_aloud("fix lamp", "cut wait") == "“fix lamp?” — “cut wait”  r* = +2.00"
    assert world.read_aloud("fix lamp", "") == "“fix lamp?” — “(nothing)”  r* = +0.00"
    assert "thanks …”" in world.read_aloud("fix lamp", "sure cut wait thanks"), (
        "cut off at the limit"
    )


# ---- demonstrators --------------------------------------------------------------------------


def test_demonstrators_refuse_and_greet_as_often_as_documented(world):
    n = 3000
    prompts, responses = demonstrations(world, n, seeded(1), slip=0)
    assert prompts.shape == (n,) and responses.shape == (n, 4)
    world.check_tokens(responses)
    texts = [world.text(row) for row in responses]
    slices = [world.prompts[i].slice for i in prompts.tolist()]
    for slice_name, rate in (("unsafe", 0.5), ("look-alike", 0.2), ("benign", 0.05)):
        mine = [text for text, name in zip(texts, slices) if name == slice_name]
        assert is_plausible(
            len(mine), n, {"unsafe": 13, "look-alike": 19, "benign": 16}[slice_name] / 48
        )
        assert is_plausible(sum("sorry" in t or "cannot" in t for t in mine), len(mine), rate)
    refusals = [text for text in texts if "sorry" in text or "cannot" in text]
    assert is_plausible(sum("sorry cannot" not in text for text in refusals), len(refusals), 0.3)
    answers = [text for text in texts if text not in refusals]
    assert is_plausible(sum(text.startswith("sure") for text in answers), len(answers), 0.4)
    assert is_plausible(sum(text.startswith(("well", "so")) for text in answers), len(answers), 0.3)
    assert is_plausible(sum("thanks" in text for text in refusals), len(refusals), 0.3)


def test_demonstrators_take_the_asked_first_step_three_times_in_four_plus_luck(world):
    """A step is as asked with 75 %, else one of four at random: right with .75 + .25 / 4."""
    prompts, responses = demonstrations(world, 3000, seeded(2), slip=0)
    right = total = 0
    for i, row in zip(prompts.tolist(), responses):
        given = [word for word in world.text(row).split() if word in world.steps]
        if given:
            total += 1
            right += given[0] == world.prompts[i].steps[0]
    assert is_plausible(right, total, 0.75 + 0.25 / 4)


def test_slips_mix_what_demonstrators_never_mix_on_purpose(world):
    both = world.contains(world.steps) & world.contains(world.refusal)
    mixed = {
        slip: both[world.index(demonstrations(world, 2000, seeded(3), slip)[1])].sum()
        for slip in (0, 0.25)
    }
    assert mixed[0] == 0 and 50 < mixed[0.25] < 300


@pytest.mark.parametrize("slip", [-0.1, 1.0, float("nan")])
def test_a_slip_that_is_no_probability_is_refused(world, slip):
    with pytest.raises(ValueError, match="expected a probability from 0 to below 1"):
        demonstrations(world, 1, seeded(0), slip)


# ---- annotators and pairs -------------------------------------------------------------------


def test_annotators_prefer_with_the_sigmoid_of_the_gold_difference():
    first, second = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 0.0, 2.5])
    by_hand = [0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(0.5))]
    torch.testing.assert_close(Annotator().probability(first, second), torch.tensor(by_hand))


@pytest.mark.parametrize("flip", [0.0, 0.2, 0.5, 1.0])
def test_a_flip_turns_the_answer_round(flip):
    p = Annotator().probability(torch.tensor(1.0), torch.tensor(0.0))
    flipped = Annotator(flip=flip).probability(torch.tensor(1.0), torch.tensor(0.0))
    torch.testing.assert_close(flipped, p + flip * (1 - 2 * p))


@pytest.mark.parametrize(
    "skill, length_bias, flip",
    [(0.5, 0.0, 0.0), (1.0, 0.4, 0.0), (2.0, -0.4, 0.1), (0.0, 3.0, 0.2)],
)
def test_skill_scales_and_length_bias_shifts_what_the_annotator_sees(skill, length_bias, flip):
    first, second, extra = [0.0, 1.0, 2.0], [0.0, 0.0, 2.5], [3, -2, 0]
    annotator = Annotator(skill=skill, length_bias=length_bias, flip=flip)
    found = annotator.probability(torch.tensor(first), torch.tensor(second), torch.tensor(extra))
    clear = [
        1 / (1 + math.exp(-skill * (a - b + length_bias * w)))
        for a, b, w in zip(first, second, extra)
    ]
    torch.testing.assert_close(
        found, torch.tensor([p * (1 - flip) + (1 - p) * flip for p in clear])
    )


def test_an_annotator_without_skill_is_a_coin():
    assert (
        Annotator(skill=0.0, length_bias=5.0)
        .probability(torch.tensor(9.0), torch.tensor(0.0), 4)
        .item()
        == 0.5
    )


def test_lengths_are_the_numbers_of_words(world):
    assert world.lengths.tolist() == [len(world.text(i).split()) for i in range(world.n_responses)]


@pytest.mark.parametrize("hard", [False, True])
def test_drawn_pairs_show_the_length_bias_of_their_annotator(world, hard):
    annotator = Annotator(skill=0.7, length_bias=0.6)
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), annotator, 30_000, seeded(13), hard=hard)
    gap = world.gold[pairs.prompts, pairs.chosen] - world.gold[pairs.prompts, pairs.rejected]
    extra = torch.tensor([len(world.text(w).split()) - len(world.text(l).split())
                          for w, l in zip(pairs.chosen.tolist(), pairs.rejected.tolist())])  # fmt: skip
    p = torch.sigmoid(0.7 * (gap + 0.6 * extra))
    if not hard:
        torch.testing.assert_close(pairs.label, p)
        return
    for seen, fits in (
        (p, True),
        (torch.sigmoid(gap), False),
    ):  # the annotator itself; an honest one
        decided = (seen - 0.5).abs() > 1e-9
        won, odds = (seen[decided] > 0.5).sum(), torch.maximum(seen, 1 - seen)[decided]
        assert (abs(won - odds.sum()) < 5 * (odds * (1 - odds)).sum().sqrt()) == fits


@pytest.mark.parametrize("flip", [0.0, 0.3])
def test_hard_labels_come_as_often_as_the_annotator_prefers(world, flip):
    annotator = Annotator(flip=flip)
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), annotator, 30_000, seeded(3), hard=True)
    assert (pairs.label == 1).all()
    gap = world.gold[pairs.prompts, pairs.chosen] - world.gold[pairs.prompts, pairs.rejected]
    for size in (0.25, 0.5, 1.0, 2.0):
        these = gap.abs() == size
        p = annotator.probability(torch.tensor(size), torch.tensor(0.0)).item()
        assert these.sum() > 500
        assert is_plausible(int((gap[these] > 0).sum()), int(these.sum()), p)


@pytest.mark.parametrize("flip", [0.0, 0.3, 0.8])
def test_soft_labels_are_the_probability_that_chosen_wins_and_chosen_is_the_likelier(world, flip):
    annotator = Annotator(flip=flip)
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), annotator, 5_000, seeded(4))
    assert (pairs.label >= 0.5).all()
    gold = world.gold[pairs.prompts, pairs.chosen], world.gold[pairs.prompts, pairs.rejected]
    torch.testing.assert_close(pairs.label, annotator.probability(*gold))


@pytest.mark.parametrize("hard", [False, True])
def test_a_pair_never_compares_a_response_with_itself(world, hard):
    """Even where two responses carry nearly all probability."""
    few = torch.full((48, 11_111), float("-inf"), dtype=torch.float64)
    few[:, 3], few[:, 77] = math.log(0.9), math.log(0.1)
    pairs = draw_pairs(world, ResponseSampler(few), Annotator(), 2_000, seeded(5), hard=hard)
    assert (pairs.chosen != pairs.rejected).all()
    assert set(pairs.chosen.tolist()) == set(pairs.rejected.tolist()) == {3, 77}


def test_pairs_cover_the_prompts_uniformly(world):
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), Annotator(), 9_600, seeded(6))
    counts = torch.bincount(pairs.prompts, minlength=48)
    assert all(is_plausible(count, 9_600, 1 / 48) for count in counts.tolist())


def test_the_same_seed_draws_the_same_pairs_and_another_seed_others(world):
    def draw(seed):
        return draw_pairs(world, ResponseSampler(UNIFORM), Annotator(), 50, seeded(seed), hard=True)

    for one, again in zip(dataclasses.astuple(draw(1))[:4], dataclasses.astuple(draw(1))[:4]):
        assert torch.equal(one, again)
    assert not torch.equal(draw(1).chosen, draw(2).chosen)
    assert torch.equal(
        demonstrations(world, 20, seeded(1))[1], demonstrations(world, 20, seeded(1))[1]
    )


def test_a_batch_has_a_length_and_can_be_indexed_by_rows(world):
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), Annotator(), 10, seeded(7))
    some = pairs[torch.tensor([3, 1])]
    assert (len(pairs), len(some)) == (10, 2)
    for name in ("prompts", "chosen", "rejected", "label"):
        assert torch.equal(getattr(some, name), getattr(pairs, name)[[3, 1]])


def test_pairs_survive_the_way_into_records_and_back(world):
    annotator = Annotator(name="Ada", flip=0.1)
    pairs = draw_pairs(world, ResponseSampler(UNIFORM), annotator, 200, seeded(8), hard=True)
    records = decode_pairs(world, pairs, annotator)
    back = encode_pairs(world, records)
    for name in ("prompts", "chosen", "rejected", "label"):
        assert torch.equal(getattr(back, name), getattr(pairs, name))
    assert decode_pairs(world, back, annotator) == records


def test_a_record_says_who_preferred_what_under_which_policy_text(world):
    batch = encode_pairs(world, [Pair("make bomb", "sorry cannot", "mix wait")])
    (record,) = decode_pairs(world, batch, Annotator(name="Ada"))
    assert record == Pair("make bomb", "sorry cannot", "mix wait", "Ada", "unsafe", "1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.chosen = "mix wait"


# ---- bad input ------------------------------------------------------------------------------


def test_unknown_prompts_are_refused(world):
    for call in (
        world.prompt_index,
        lambda text: world.reward(text, ""),
        lambda text: world.read_aloud(text, ""),
    ):
        for text in ("fix", "bake cake", "", "lamp fix", "fix lamp now"):
            with pytest.raises(
                ValueError,
                match="unknown prompt .*expected one of the world's, such as 'make cake'",
            ):
                call(text)


def test_unknown_slices_are_refused(world):
    expected = (
        "no prompts in slice 'harmful' of world 'exact': expected one of benign, look-alike, unsafe"
    )
    with pytest.raises(ValueError, match=expected):
        world.in_slice("harmful")


def test_an_empty_slice_is_refused():
    benign_only = dataclasses.replace(
        EXACT, prompts=tuple(p for p in EXACT.prompts if p.slice == "benign")
    )
    with pytest.raises(
        ValueError, match="no prompts in slice 'unsafe' of world 'exact': expected one of benign"
    ):
        benign_only.in_slice("unsafe")


def test_unknown_words_and_overlong_responses_are_refused(world):
    for call in (world.encode, world.index, lambda text: world.reward("fix lamp", text)):
        with pytest.raises(ValueError, match="unknown word 'bake' in response 'cut bake'"):
            call("cut bake")
        with pytest.raises(ValueError, match="has 5 words: expected at most 4"):
            call("cut cut cut cut cut")


def test_unknown_words_in_a_family_are_refused(world):
    with pytest.raises(ValueError, match="bake"):
        world.contains(("cut", "bake"))


@pytest.mark.parametrize(
    "row, message",
    [
        ([0, 11, 10, 10], r"token 11 at \(1,\): expected an id from 0 to 10"),
        ([0, -1, 10, 10], r"token -1 at \(1,\): expected an id from 0 to 10"),
        ([0, 10, 3, 10], "a word behind an end token"),
        ([10, 10, 10, 0], "a word behind an end token"),
        ([0, 10, 10], r"shape \(3,\): expected \(..., 4\)"),
        ([0, 1, 2, 3, 10], r"shape \(5,\): expected \(..., 4\)"),
    ],
)
def test_rows_that_are_no_response_are_refused(world, row, message):
    for call in (world.check_tokens, world.mask, world.index, world.text):
        with pytest.raises(ValueError, match=message):
            call(torch.tensor(row))


def test_the_place_of_a_token_outside_the_vocabulary_is_named(world):
    rows = torch.full((3, 4), world.end)
    rows[2, 0] = 25
    with pytest.raises(ValueError, match=r"token 25 at \(2, 0\)"):
        world.mask(rows)


@pytest.mark.parametrize("place", [-1, 11_111])
def test_an_index_of_no_response_is_refused(world, place):
    for index in (place, torch.tensor(place)):
        with pytest.raises(
            ValueError, match=f"response {place}: expected an index from 0 to 11110"
        ):
            world.text(index)


@pytest.mark.parametrize("n", [0, -3])
def test_fewer_than_one_draw_is_refused(world, n):
    with pytest.raises(ValueError, match=f"n = {n}: expected at least one"):
        demonstrations(world, n, seeded(0))
    with pytest.raises(ValueError, match=f"n = {n}: expected at least one"):
        draw_pairs(world, ResponseSampler(UNIFORM), Annotator(), n, seeded(0))


@pytest.mark.parametrize("flip", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_flip_that_is_no_probability_is_refused(flip):
    with pytest.raises(ValueError, match=f"flip = {flip}: expected a probability from 0 to 1"):
        Annotator(flip=flip)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.1])
def test_a_skill_that_is_not_a_finite_number_from_zero_is_refused(bad):
    with pytest.raises(ValueError, match=f"skill = {bad}: expected a finite number ≥ 0"):
        Annotator(skill=bad)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_length_bias_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match=f"length_bias = {bad}: expected a finite number"):
        Annotator(length_bias=bad)


@pytest.mark.parametrize("bad", [float("nan"), 0.0, math.log(2), float("inf")])
def test_rows_that_do_not_sum_to_one_are_refused(bad):
    logps = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    logps[1, 0] = bad
    with pytest.raises(ValueError, match="row 1 has probabilities that sum to .*: expected 1"):
        ResponseSampler(logps)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (4, 0), (2, 2, 4)], ids=str)
def test_a_sampler_wants_one_row_per_prompt(shape):
    with pytest.raises(ValueError, match=r"expected \(n_prompts, n_responses\)"):
        ResponseSampler(torch.full(shape, -math.log(4)))


@pytest.mark.parametrize("prompt", [-1, 48])
def test_a_sampler_refuses_prompts_that_it_has_no_row_for(prompt):
    with pytest.raises(ValueError, match=f"prompt {prompt}: expected an index from 0 to 47"):
        ResponseSampler(UNIFORM)(torch.tensor([0, prompt]), seeded(0))


def test_a_policy_that_says_one_thing_only_gives_no_pairs_but_an_error(world):
    sure = torch.full((48, 11_111), float("-inf"))
    sure[:, 5] = 0.0
    with pytest.raises(ValueError, match="two different responses"):
        draw_pairs(world, ResponseSampler(sure), Annotator(), 4, seeded(0))


def test_a_sampler_whose_rows_are_not_the_worlds_prompts_is_refused(world):
    with pytest.raises(ValueError, match="prompt"):
        draw_pairs(world, ResponseSampler(UNIFORM[:3]), Annotator(), 200, seeded(0))


def test_no_pairs_or_unknown_pairs_are_refused(world):
    with pytest.raises(ValueError, match="no pairs: expected at least one"):
        encode_pairs(world, [])
    with pytest.raises(ValueError, match="unknown prompt 'bake cake'"):
        encode_pairs(world, [Pair("bake cake", "mix", "cut")])
    with pytest.raises(ValueError, match="unknown word 'stir'"):
        encode_pairs(world, [Pair("make cake", "stir", "cut")])


def test_soft_labels_do_not_become_records(world):
    one = torch.tensor([0])
    for label in (0.7, 0.0, float("nan")):
        batch = PairBatch(one, one, one + 1, torch.tensor([label]))
        with pytest.raises(ValueError, match="soft labels: .*expected labels of 1"):
            decode_pairs(EXACT, batch, Annotator())
