"""Agreement statistics against libraries; Dawid-Skene against frozen values of crowd-kit and against the truth."""

import json
from pathlib import Path

import krippendorff
import numpy as np
import pytest
import torch
from conftest import seeded
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from helpers.agreement import (
    cohen_kappa,
    dawid_skene,
    krippendorff_alpha,
    majority,
    percent_agreement,
    vote_shares,
)

DATA = Path(__file__).parent / "data"


@st.composite
def tables(draw, classes=3, missing=True):
    """Labels of 2–6 items by 2–5 raters."""
    items, raters = draw(st.integers(2, 6)), draw(st.integers(2, 5))
    label = st.integers(-1 if missing else 0, classes - 1)
    return torch.tensor(
        draw(
            st.lists(
                st.lists(label, min_size=raters, max_size=raters), min_size=items, max_size=items
            )
        )
    )


@given(tables(missing=False))
def test_kappa_is_scikit_learns(labels):
    first, second = labels[:, 0], labels[:, 1]
    assume(len(first.unique()) > 1 or len(second.unique()) > 1 or first[0] != second[0])
    expected = cohen_kappa_score(first.numpy(), second.numpy())
    assert cohen_kappa(first, second) == pytest.approx(expected, abs=1e-12)


@given(tables())
def test_alpha_is_the_librarys(labels):
    pairable = labels[(labels != -1).sum(1) >= 2]
    assume(len(pairable) > 0 and len(pairable[pairable != -1].unique()) > 1)
    table = np.where(labels.numpy() == -1, np.nan, labels.numpy()).T
    expected = krippendorff.alpha(table, level_of_measurement="nominal")
    assert krippendorff_alpha(labels) == pytest.approx(expected, abs=1e-12)


@given(tables())
def test_percent_agreement_counts_pairs_of_labels(labels):
    same = total = 0
    for row in labels.tolist():
        given_ = [label for label in row if label != -1]
        for i, a in enumerate(given_):
            for b in given_[:i]:
                same, total = same + (a == b), total + 1
    assume(total)
    assert percent_agreement(labels) == pytest.approx(100 * same / total)


def test_kappa_of_coins_is_about_zero_where_percent_agreement_is_high():
    biased = (torch.rand(20_000, 2, generator=seeded(0)) < 0.1).long()
    assert percent_agreement(biased) > 80
    assert abs(cohen_kappa(*biased.T)) < 0.04 and abs(krippendorff_alpha(biased)) < 0.04


def test_items_that_one_rater_skipped_do_not_count():
    first, second = torch.tensor([0, 1, 1, -1, 0]), torch.tensor([0, 1, 0, 1, -1])
    assert cohen_kappa(first, second) == cohen_kappa(first[:3], second[:3])


def test_votes_and_majority_split_ties():
    labels = torch.tensor([[0, 0, 1], [0, 1, -1], [-1, -1, -1]])
    close = dict(rtol=0, atol=1e-15)
    torch.testing.assert_close(
        vote_shares(labels, 2),
        torch.tensor([[2 / 3, 1 / 3], [0.5, 0.5], [0.5, 0.5]]).double(),
        atol=1e-7,
        rtol=0,
    )
    torch.testing.assert_close(
        majority(labels, 2), torch.tensor([[1, 0], [0.5, 0.5], [0.5, 0.5]]).double(), **close
    )


def simulated(items, confusion, generator, answered=1.0):
    """True classes and labels of raters with the given confusion matrices (raters, K, K); −1 with 1 − answered."""
    truth = torch.randint(confusion.shape[1], (items,), generator=generator)
    labels = torch.stack(
        [torch.multinomial(c[truth], 1, generator=generator)[:, 0] for c in confusion], dim=1
    )
    return truth, torch.where(torch.rand(labels.shape, generator=generator) < answered, labels, -1)


SKILLS = torch.tensor([0.95, 0.9, 0.55, 0.55, 0.55], dtype=torch.float64)


def confusion_of(skills, classes=2):
    eye = torch.eye(classes, dtype=torch.float64)
    return skills[:, None, None] * eye + (1 - skills[:, None, None]) * (1 - eye) / (classes - 1)


def test_dawid_skene_finds_skills_and_beats_the_majority():
    truth, labels = simulated(4000, confusion_of(SKILLS), seeded(1))
    fit = dawid_skene(labels, 2)
    torch.testing.assert_close(
        fit.confusion.diagonal(dim1=1, dim2=2).mean(1), SKILLS, rtol=0, atol=0.04
    )
    right = {
        "Dawid-Skene": (fit.posterior.argmax(1) == truth).double().mean(),
        "majority": majority(labels, 2)[torch.arange(4000), truth].mean(),
    }
    assert right["Dawid-Skene"] > right["majority"] + 0.06


@given(tables(), st.integers(1, 30))
def test_every_step_of_dawid_skene_raises_the_likelihood(labels, steps):
    fit = dawid_skene(labels, 3, steps)
    assert all(b >= a - 1e-9 for a, b in zip(fit.log_likelihood, fit.log_likelihood[1:]))
    for rows in (fit.posterior, fit.confusion, fit.prior):
        assert torch.isfinite(rows).all()
        torch.testing.assert_close(rows.sum(-1), torch.ones_like(rows.sum(-1)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("items, tolerance", [(60, 1e-3), (1000, 1e-5)])
def test_dawid_skene_stops_at_the_first_step_that_gains_too_little_per_item(items, tolerance):
    _, labels = simulated(items, confusion_of(SKILLS), seeded(2))
    path = torch.tensor(
        dawid_skene(labels, 2, steps=1000, tolerance=tolerance).log_likelihood, dtype=torch.float64
    )
    enough = path.diff() >= tolerance * items
    assert 3 < len(path) < 1000 and enough[:-1].all() and not enough[-1]


def test_dawid_skene_is_crowd_kits():
    frozen = json.loads((DATA / "dawid_skene.json").read_text(encoding="utf-8"))
    fit = dawid_skene(
        torch.tensor(frozen["labels"]), frozen["classes"], steps=frozen["steps"], tolerance=-1.0
    )
    expected = torch.tensor(frozen["posterior"], dtype=torch.float64)
    torch.testing.assert_close(fit.posterior, expected, rtol=0, atol=1e-8)


def test_a_rater_without_labels_and_an_item_without_labels_have_defined_rows():
    labels = torch.tensor([[0, 0, -1], [1, 1, -1], [1, 1, -1], [-1, -1, -1]])
    fit = dawid_skene(labels, 2)
    assert fit.confusion[2].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    torch.testing.assert_close(fit.posterior[3], fit.prior, rtol=0, atol=1e-3)


UNSIGNED = torch.tensor([[0, 1], [1, 1]], dtype=torch.uint8)


@given(tables(missing=False), st.sampled_from([torch.int8, torch.int16, torch.int32]))
def test_labels_may_have_any_type_with_a_sign(labels, dtype):
    labels[0, 0] = -1
    typed = labels.to(dtype)
    assert percent_agreement(typed) == percent_agreement(labels)
    assert torch.equal(majority(typed, 3), majority(labels, 3))
    assert torch.equal(dawid_skene(typed, 3, 5).posterior, dawid_skene(labels, 3, 5).posterior)
    first, second = labels.T[:2]
    assume(len(torch.cat([first[1:], second[1:]]).unique()) > 1)
    assert cohen_kappa(typed[:, 0], typed[:, 1]) == cohen_kappa(first, second)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: percent_agreement(torch.tensor([[0, -1], [-1, 1]])), "no item has two labels"),
        (lambda: percent_agreement(torch.tensor([0, 1])), "expected .items, raters."),
        (lambda: percent_agreement(torch.tensor([[0.0, 1.0]])), "whole numbers"),
        (
            lambda: percent_agreement(torch.tensor([[True, False]])),
            "labels of torch.bool: expected whole numbers",
        ),
        (
            lambda: krippendorff_alpha(UNSIGNED),
            "labels of torch.uint8: expected whole numbers with a sign",
        ),
        (lambda: majority(UNSIGNED, 2), "torch.uint8"),
        (lambda: dawid_skene(UNSIGNED, 2), "torch.uint8"),
        (lambda: cohen_kappa(UNSIGNED[0], UNSIGNED[1].long()), "torch.uint8"),
        (lambda: cohen_kappa(torch.tensor([0, 1]), torch.tensor([True, False])), "torch.bool"),
        (lambda: vote_shares([[0, 1]], 2), "labels is a list: expected a tensor"),
        (lambda: percent_agreement(np.array([[0, 1]])), "labels is a ndarray: expected a tensor"),
        (lambda: cohen_kappa([0, 1], [1, 0]), "labels is a list: expected a tensor"),
        (lambda: percent_agreement(torch.zeros(0, 2, dtype=torch.long)), "both ≥ 1"),
        (lambda: krippendorff_alpha(torch.tensor([[1, 1], [1, 1]])), "one class"),
        (lambda: cohen_kappa(torch.tensor([1, 1]), torch.tensor([1, 1])), "one class only"),
        (lambda: cohen_kappa(torch.tensor([1, -1]), torch.tensor([-1, 1])), "no item that both"),
        (lambda: cohen_kappa(torch.tensor([1]), torch.tensor([1, 0])), "one length"),
        (lambda: vote_shares(torch.tensor([[0, 2]]), 2), "label 2: expected classes from 0 to 1"),
        (lambda: vote_shares(torch.tensor([[0, -2]]), 2), "label -2"),
        (lambda: dawid_skene(torch.tensor([[0, 1]]), 2, steps=0), "steps = 0"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
