"""Exercise 5, noisy but valuable: what is true of it alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from grading import flowing, graded, inputs_of, measured, source_of
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.grader import practice_crews
from helpers.grader.cases import case
from helpers.grader.exercises.ex05_noisy_but_valuable import examples, held_out
from helpers.grader.run_answer import Trial
from solutions import measure
from solutions.ex05_noisy_but_valuable import answers, freeze, hidden_runs, mistakes
from solutions.ex05_noisy_but_valuable.right_variants import (
    loss_arrays,
    loss_loop,
    worth_loop,
    worth_posterior,
)

probabilities = st.integers(0, 20).map(lambda k: k / 20)
two_rates = st.tuples(probabilities, probabilities)


def clean_loss(u: float) -> float:
    return math.log1p(math.exp(-u))


# ---- 5a and 5b ----------------------------------------------------------------------------


def test_one_style_of_each_kind_was_there():
    first = inputs_of("5b", "leans, ‘first’")
    assert Trial(loss_arrays, first, ("margins",)).numpy
    assert not Trial(loss_loop, first, ("margins",)).numpy
    first = inputs_of("5a", "leans, an uneven pair")
    assert [Trial(f, first).numpy for f in (worth_posterior, worth_loop)] == [True, False]


@given(st.lists(probabilities, min_size=1, max_size=3), st.lists(two_rates, min_size=1, max_size=3))
def test_worth_is_never_negative_nor_more_than_there_is(clean, rates):
    clean, rates = torch.tensor(clean).double(), torch.tensor(rates).double()
    found = answers.worth(clean, rates)
    assert found.shape == (len(clean), len(rates))
    assert (found >= 0).all() and (found <= answers.entropy(clean)[:, None] + 1e-12).all()
    torch.testing.assert_close(found, torch.tensor(worth_loop(clean, rates)).double())
    assert (found[:, rates[:, 0] == rates[:, 1]] < 1e-12).all()


@given(two_rates.filter(lambda r: r[0] != r[1]), st.floats(-5, 5), st.booleans())
def test_the_mean_over_what_is_recorded_is_the_clean_loss(rates, u, first):
    """And so for its slope, at every margin."""
    margins = torch.tensor([u], dtype=torch.float64, requires_grad=True)
    chance = rates[0] if first else rates[1]
    losses = [
        answers.corrected_loss(
            margins, torch.tensor([[0, 0, said]]), torch.tensor([rates], dtype=torch.float64)
        )
        for said in (1, 0)
    ]
    mean = chance * losses[0] + (1 - chance) * losses[1]
    v = u if first else -u
    assert mean.item() == pytest.approx(clean_loss(v), abs=1e-8)
    (slope,) = torch.autograd.grad(mean, margins)
    sign = 1 if first else -1
    assert slope.item() == pytest.approx(-sign / (1 + math.exp(v)), abs=1e-8)


def test_the_weights_are_those_of_the_smallest_variance_where_records_scatter_alike():
    """Two annotators whose records are even: no other weights give a mean of less variance."""
    rates = np.array([[0.9, 0.1], [0.7, 0.3]])
    variance = 0.25 / (rates[:, 0] - rates[:, 1]) ** 2
    best = (1 / variance) / (1 / variance).sum()
    others = np.linspace(0, 1, 101)
    total = others**2 * variance[0] + (1 - others) ** 2 * variance[1]
    assert others[total.argmin()] == pytest.approx(best[0], abs=0.005)
    share = [(1 - f) / (t - f) for t, f in rates]
    mean = best @ share
    found = answers.corrected_loss(
        torch.tensor([0.5]).double(), torch.tensor([[0, 0, 1], [0, 1, 1]]), torch.tensor(rates)
    )
    assert found.item() == pytest.approx(mean * clean_loss(0.5) + (1 - mean) * clean_loss(-0.5))


@pytest.mark.parametrize(
    "part, key, left",
    [
        ("5a", "no_refusal", ["refuses"]),
        ("5a", "log_of_zero", ["sure"]),
        ("5b", "overflow", ["extreme"]),
        ("5b", "floored", ["extreme"]),
        ("5b", "tolerance", ["hardly"]),
        ("5b", "no_gradient", ["gradient"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in mistakes.MISTAKES[part] if m.key == key).writings:
        lost = [p.key for p in graded(part, variant).properties if not p.held]
        assert set(left) <= set(lost) <= {*left, "names", "extreme"}, lost


def test_a_mistake_is_told_with_another_slip_beside_it():
    def in_bits_and_never_refusing(clean, rates):
        p, (t, f) = clean[:, None], rates.T

        def entropy(q):
            return -(q * q.log2() + (1 - q) * (1 - q).log2())

        return entropy(p * t + (1 - p) * f) - p * entropy(t) - (1 - p) * entropy(f)

    def one_rate_all_alike_float32(margins, records, rates):
        pair, annotator, said = records.T
        wrong = (1 - rates[annotator, 0] + rates[annotator, 1]) / 2
        u = margins[pair].float() * (2 * said - 1)
        return (-torch.nn.functional.logsigmoid(u) - wrong / (1 - 2 * wrong) * u).mean()

    assert "in bits" in graded("5a", in_bits_and_never_refusing).diagnoses[0]
    assert "one error rate" in graded("5b", one_rate_all_alike_float32).diagnoses[0]


# ---- 5c -----------------------------------------------------------------------------------


@given(st.floats(0, 1), st.sampled_from([1, 3, 25]))
def test_the_majority_is_that_of_counting(q, many):
    chances = np.ones(1)
    for _ in range(many):
        chances = np.convolve(chances, [1 - q, q])
    found = examples.majority_right(np.array([q]), many)
    assert found == pytest.approx(chances[many // 2 + 1 :].sum(), abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.integers(40, 100), min_size=2, max_size=3), st.integers(5, 90), st.data())
def test_5c_verdicts_are_those_of_the_numbers(right, first, data):
    right = np.array(right) / 100
    share = np.array([first / 100] + [(1 - first / 100) / (len(right) - 1)] * (len(right) - 1))
    if share.min() < 0.05:
        return
    side = {"share": share, "right": right}
    safe = answers.crowd_examples()["safe"]
    earned = {
        p.key: p.earned for p in graded("5c", lambda: {"safe": safe, "unsafe": side}).properties
    }
    alone = {
        p.key: p.earned for p in graded("5c", lambda: {"safe": side, "unsafe": side}).properties
    }
    many = examples.majority_right(right, 25)
    one, fall = share @ right, share @ right - share @ many
    near = 1e-6  # what lies so near to a limit may go either way
    if abs(fall - 0.05) > near:
        assert earned["unsafe_falls"] == float(fall > 0.05)
    margins = [0.7 - one, share @ many - 0.93, np.ptp(right) - 0.1]
    if min(map(abs, margins)) > near:
        assert alone["safe"] == float(min(margins) > 0)


def test_5c_the_learner_has_the_numbers_that_are_checked(capsys):
    bounds, limits, question = case("5c")["bounds"], case("5c")["thresholds"], flowing("q5c")
    space: dict = {"np": np}
    exec(source_of("d5c"), space)
    reference = answers.crowd_examples()["unsafe"]
    one, many, agree = space["crowd"](reference["share"], reference["right"])
    judged = examples._Crowd(reference, bounds, 0.0)
    assert (one, many, agree) == pytest.approx((judged.one, judged.many, judged.agree))
    for stated in (
        f"right on {limits['expert']:.0%} of all pairs".replace("%", " %"),
        f"**{bounds['many']} answers of a crowd**",
        f"at least {100 * (limits['expert'] + limits['gain']):.0f} % of the pairs",
        f"at most {100 * limits['one_at_most']:.0f} %",
        f"differs by at least {limits['apart']:g}",
        f"by at least {limits['fall']:g}",
        f"`right` is at least {bounds['least_right']:g}",
        f"each at least {limits['ahead']:g} more often",
        f"{bounds['kinds'][0]} to {bounds['kinds'][1]} kinds, shares at least {bounds['least_share']:g}",
    ):
        assert stated in question, stated


def test_5c_exchanged_crowds_are_told_so_once():
    sides = answers.crowd_examples()
    result = graded("5c", lambda: {"safe": sides["unsafe"], "unsafe": sides["safe"]})
    assert result.score == 0.0 and result.diagnoses == (examples.EXCHANGED,)


# ---- 5d -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn():
    return hidden_runs.pairs(hidden_runs.FROZEN_SEED, hidden_runs.FROZEN_RUNS)


def test_twins_are_the_same_people_with_the_same_rates(drawn):
    for healthy, regressed in drawn:
        assert np.array_equal(healthy.rates, regressed.rates)
        assert healthy.traps == 0.0
        assert hidden_runs.TRAPS[0] <= regressed.traps <= hidden_runs.TRAPS[1]
        says_first = healthy.rates
        assert (says_first[:, 0] - says_first[:, 1]).min() > 1 - hidden_runs.TOGETHER - 1e-9
        # elsewhere nobody's rate of error is below 0
        assert (1 - healthy.rates[:, 0]).min() >= hidden_runs.LURED * regressed.traps


def test_recorded_rates_are_the_promised_ones_with_and_without_a_rule():
    """Over many crews of the same people: shares of ‘first’ on gold tasks of either kind."""
    rng = np.random.default_rng(5)
    errs = np.stack([np.linspace(0.1, 0.4, 12), np.linspace(0.8, 0.15, 12)])
    for traps in (0.0, 0.065):
        gold = np.mean([hidden_runs.draw(rng, errs, traps).gold for _ in range(200)], axis=0)
        expected = np.stack([1 - errs[0], errs[1]], 1) * hidden_runs.GOLD
        assert abs(gold - expected).max() < 5 * math.sqrt(hidden_runs.GOLD / 4 / 200)


def test_agreement_of_a_healthy_crew_is_what_its_rates_explain():
    rng = np.random.default_rng(6)
    errs = np.stack([np.linspace(0.1, 0.4, 12), np.linspace(0.8, 0.15, 12)])
    scores = {
        traps: np.mean(
            [
                answers.rule_score(held_out.crew(hidden_runs.draw(rng, errs, traps).stored))
                for _ in range(60)
            ]
        )
        for traps in (0.0, 0.065)
    }
    assert abs(scores[0.0]) < 0.01 and scores[0.065] > 0.04


def test_stored_crews_are_the_drawn_ones(drawn):
    found = [held_out.crew(stored) for stored in case("5d")["runs"]]
    both = [run for pair in drawn for run in pair]
    order = np.random.default_rng(hidden_runs.FROZEN_SEED + 1).permutation(
        2 * hidden_runs.FROZEN_RUNS
    )
    for run, place in zip(found, order):
        theirs = both[place]
        assert np.array_equal(
            np.sort(hidden_runs.by_pair(run, "said_first"), 1), np.sort(theirs.said_first, 1)
        )
        who = np.sort(hidden_runs.by_pair(run, "annotator"), 1)
        assert np.array_equal(who, np.sort(theirs.teams[np.arange(900) % 4], 1))
        rates = answers.gold_rates(run)
        np.testing.assert_allclose(np.stack(rates, 1) * hidden_runs.GOLD, theirs.gold)
        shapes = {name: (column.shape, column.dtype.kind) for name, column in run.items()}
        assert shapes == {
            "pair": ((2700,), "i"),
            "annotator": ((2700,), "i"),
            "said_first": ((2700,), "b"),
            "gold_annotator": ((1800,), "i"),
            "gold_first": ((1800,), "b"),
            "gold_said_first": ((1800,), "b"),
        }
    keys = {"outcome", "teams", "answers", "gold_tasks", "gold"}
    assert all(set(stored) == keys for stored in case("5d")["runs"] + case("5d")["practice"])
    assert len(practice_crews()) == 6


def test_the_frozen_draw_is_the_most_typical_of_those_tried():
    typical = measure.most_typical(hidden_runs, freeze.COMPARED, measured("5d")["auc"])
    assert typical == hidden_runs.FROZEN_SEED


def test_the_hints_name_the_measured_aucs():
    hints, kept = source_of("h5d"), measured("5d")["auc"]
    for stated, names in (
        (0.5, ["share of gold tasks answered wrong"]),
        (0.7, ["agreement of two answers", "Krippendorff's α"]),
        (
            0.8,
            [
                "agreement beyond what one error rate for everybody explains",
                "agreement beyond what one error rate for each annotator explains",
            ],
        ),
        (0.85, ["agreement beyond what two rates for everybody explain"]),
    ):
        assert f"AUC near {stated:g}.*" in hints
        assert all(abs(kept[name]["mean"] - stated) < 0.05 for name in names)


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_are_right():
    question, hints = flowing("q5a"), flowing("h5a")
    rates = torch.tensor([[1, 0], [0.9, 0.1], [0.7, 0.3], [0.8, 0.8]]).double()
    sure, nine, seven, blind = answers.worth(torch.tensor([0.5]).double(), rates)[0].tolist()
    assert blind == 0.0
    for number in (sure, nine, seven):
        assert f"{number:.3f}" in question
    left = 0.75 * answers.entropy(torch.tensor(2 / 3)).item()
    one_sided = answers.worth(torch.tensor([0.5]), torch.tensor([[1, 0.5], [0.75, 0.25]]))[0]
    for number in (left / 0.75, left, *one_sided.tolist()):
        assert f"{number:.3f}" in hints
    assert f"off by {1 / math.log(2):.2f}" in hints

    clean, other = clean_loss(0.5), clean_loss(-0.5)
    assert f"2 · {clean:.3f} − {other:.3f} = −{other - 2 * clean:.3f}" in flowing("h5b")
    told = answers.corrected_loss(
        torch.tensor([0.5]), torch.tensor([[0, 0, 1]]), torch.tensor([[0.5, 0.0]])
    )
    assert told.item() == pytest.approx(2 * clean - other, abs=1e-6)

    by_three = {q: examples.majority_right(np.array(q), 3).item() for q in (0.4, 0.6, 0.8, 0.9)}
    for value in by_three.values():
        assert f"{value:.3f}" in flowing("h5c")
    for change in (by_three[0.8] - 0.8, by_three[0.9] - 0.9, 0.4 - by_three[0.4]):
        assert f"{change:.3f}" in flowing("h5c")
    assert f"{50 * (by_three[0.9] + by_three[0.4]):.1f} %" in flowing("h5c")

    assert "0.8² + 0.2² = 68 %" in flowing("h5d") and 0.8**2 + 0.2**2 == pytest.approx(0.68)
    assert 0.5 * 1 + 0.5 * (0.6**2 + 0.4**2) == pytest.approx(0.76)
    low, high = hidden_runs.TRAPS
    assert low < 1 / 16 < high and "one pair in sixteen" in flowing("q5d")
    assert f"lures {100 * hidden_runs.LURED:.0f} in 100" in flowing("q5d")
