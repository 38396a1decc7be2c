"""Simulated labels, and the small helpers that read replies aloud."""

import pytest
import torch

from helpers.agreement import cohen_kappa
from helpers.calibration import brier, calibration_error, log_loss, mean_drawn_error, measured
from helpers.chat import CHAT
from helpers.labelling import answer, clear_pairs, kappa_table, percent_right, say, skip
from helpers.readout import exact_and_seen, print_pairs, print_replies
from helpers.reward_bench import STATED, contrast_pairs, published, section_scores, sizes
from helpers.tables import print_tables
from helpers.world import EXACT, PairBatch


def seeded(k: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(k)


def test_labels_follow_their_probabilities():
    p = torch.tensor([0.0, 1.0, 0.3], dtype=torch.float64).expand(20_000, 3)
    assert answer(p, seeded()).double().mean(0).tolist() == pytest.approx([0, 1, 0.3], abs=0.02)
    truth = torch.tensor([[1], [0]])
    assert say(truth, torch.ones(2, 3), seeded()).tolist() == [[1] * 3, [0] * 3]
    assert say(truth, torch.zeros(2, 3), seeded()).tolist() == [[0] * 3, [1] * 3]
    labels = torch.ones(2, 4, dtype=torch.long)
    chance = torch.tensor([[0.0], [1.0]])
    assert skip(labels, chance, seeded()).tolist() == [[1] * 4, [-1] * 4]


def test_a_tie_counts_one_half():
    p = torch.tensor([0.9, 0.1, 0.5, 0.2], dtype=torch.float64)
    assert percent_right(p, torch.tensor([1, 1, 0, 0])) == pytest.approx(62.5)


def test_kappa_of_every_two_raters():
    labels = answer(torch.full((50, 3), 0.5), seeded())
    table = kappa_table(labels)
    assert table.shape == (3, 3)
    assert table[0, 2].item() == pytest.approx(cohen_kappa(labels[:, 0], labels[:, 2]))


def test_clear_pairs_have_a_better_reply():
    def reply(x, generator):
        return torch.randint(len(EXACT.responses), (len(x),), generator=generator)

    gap, extra = clear_pairs(EXACT, reply, 30, seeded())
    assert gap.shape == extra.shape == (30,) and (gap != 0).all()
    with pytest.raises(ValueError, match="unequal gold"):
        clear_pairs(EXACT, lambda x, generator: torch.zeros_like(x), 5, seeded())


def test_measured_is_the_three_scores():
    m, y = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 0.0])
    q = m.sigmoid()
    expected = {"ECE": calibration_error(q, y), "Brier": brier(q, y), "log loss": log_loss(m, y)}
    assert measured(m, y) == expected


def test_drawn_error_falls_with_size():
    p = torch.rand(1000, generator=seeded(), dtype=torch.float64)
    small, large = (mean_drawn_error(p, n, 10, seeded(1)) for n in (100, 10_000))
    assert 0 < large < small / 3


def test_stated_scores_follow_from_the_weights():
    accuracy = {row["subset"]: float(row["beaver_7b_cost"]) for row in published()}
    ours = section_scores(accuracy, sizes("weight"))
    assert {k: ours[k] for k in STATED} == pytest.approx(STATED, abs=1e-9)


def test_templates_are_filled_for_each_request():
    pairs = contrast_pairs(EXACT, ("unsafe",), "sorry cannot", "1 2 !")
    prompts = [prompt for prompt in EXACT.prompts if prompt.slice == "unsafe"]
    assert [pair.prompt for pair in pairs] == [prompt.text for prompt in prompts]
    for pair, prompt in zip(pairs, prompts):
        *right, wrong = pair.rejected.split()
        assert pair.chosen == "sorry cannot" and tuple(right) == tuple(prompt.steps[:2])
        assert wrong in EXACT.steps and wrong not in prompt.steps


def test_rows_by_slice_part_the_prompts():
    prompts = CHAT.draw_prompts(50, seeded())
    rows = CHAT.rows_by_slice(prompts)
    assert torch.stack([*rows.values()]).sum(0).tolist() == [1] * 50
    for kind, mine in rows.items():
        assert {CHAT.prompts[i].slice for i in prompts[mine].tolist()} == {kind}


@pytest.mark.parametrize("shape", [(2,), (2, 3)])
def test_answers_change_places(shape):
    first, second = torch.zeros(shape), torch.ones(shape)
    pairs = PairBatch(torch.arange(2), first, second, torch.full((2,), 0.7))
    turned = pairs.answered(torch.tensor([True, False]))
    assert torch.equal(turned.chosen, torch.stack([first[0], second[1]]))
    assert torch.equal(turned.rejected, torch.stack([second[0], first[1]]))
    assert turned.label.tolist() == [1, 1]


def test_refusals_are_found():
    replies = torch.stack([CHAT.encode(text) for text in ("sorry", "mix cannot", "mix get")])
    assert CHAT.refuses(replies).tolist() == [True, True, False]


def test_printed_lines(capsys):
    print_tables({"before": {"a": {"x": 1.0}}, "after": {"a": {"x": 2.0}}})
    assert capsys.readouterr().out.split("\n")[0] == "before"
    y = torch.tensor([EXACT.index("sorry")])
    x = torch.tensor([0])
    print_replies(EXACT, x, {"somebody": y})
    print_pairs(EXACT, PairBatch(x, y, y, torch.tensor([0.25])))
    out = capsys.readouterr().out
    assert "    somebody         sorry\n" in out and out.endswith("probability ≈ 0.25\n")


def test_events_of_replies():
    from helpers.gpt import new_gpt, sample

    policy = new_gpt(CHAT, 0)
    requests = CHAT.prompt_tokens[:3]
    drawn = sample(policy, CHAT, requests.repeat(400, 1), seeded()).view(400, 3, -1)
    p, seen = exact_and_seen(policy, CHAT, requests, drawn, ("",))
    assert p.shape == seen.shape == (CHAT.n_outputs + 1, 3)
    assert torch.allclose(p[:-1].sum(0), torch.ones(3, dtype=torch.float64))
    assert (p - seen).abs().max() < 0.1
