"""Claims: bounds hold or raise, and what was claimed is kept in the order of the lesson."""

from __future__ import annotations

import re

import pytest

from helpers import claims
from helpers.claims import ClaimError, made


def check(section, *claim, **bound):
    """A claim of a section that names itself for it alone; exact unless said otherwise."""
    claims.section(section)(*claim, **{"exact": True} | bound)


@pytest.fixture(autouse=True)
def empty_ledger(monkeypatch):
    """Claims of one test are not those of another."""
    monkeypatch.setattr(claims, "_claims", {})
    monkeypatch.delenv("LESSON_SEED", raising=False)


@pytest.mark.parametrize(
    "value, bound",
    [
        (0.9, {"below": 1.0}),
        (-5, {"below": -1}),
        (1.1, {"above": 1.0}),
        (0.0, {"above": -1e-9}),
        (1.0, {"within": (1.0, 2.0)}),
        (2.0, {"within": (1.0, 2.0)}),
        (0.0, {"below": float("inf")}),
    ],
)
def test_a_number_within_its_bound_is_printed_and_entered(value, bound, capsys):
    check("5.1", "it holds", value, **bound)
    assert capsys.readouterr().out.startswith("✓ §5.1 it holds: = ")
    assert [claim.statement for claim in made()] == ["it holds"]


@pytest.mark.parametrize(
    "value, bound",
    [
        (1.0, {"below": 1.0}),
        (1.1, {"below": 1.0}),
        (1.0, {"above": 1.0}),
        (0.9, {"above": 1.0}),
        (0.999, {"within": (1.0, 2.0)}),
        (2.001, {"within": (1.0, 2.0)}),
        (float("nan"), {"below": 1.0}),
        (float("nan"), {"above": 1.0}),
        (float("nan"), {"within": (float("-inf"), float("inf"))}),
        (float("inf"), {"below": 1e300}),
        (0.0, {"below": float("nan")}),
    ],
)
def test_a_number_that_misses_its_bound_raises_and_is_not_entered(value, bound, capsys):
    with pytest.raises(ClaimError, match=r"§5\.1 it misses: measured .*, claimed "):
        check("5.1", "it misses", value, **bound)
    assert made() == []
    assert capsys.readouterr().out == ""


def test_a_missed_claim_is_an_assertion_error_that_says_both_numbers():
    assert issubclass(ClaimError, AssertionError)
    with pytest.raises(ClaimError, match=r"^§5\.2 KL: measured 0\.0412346, claimed < 0\.03$"):
        check("5.2", "KL", 0.04123456, below=0.03)
    with pytest.raises(ClaimError, match=r"claimed in \[0\.1, 0\.2\]$"):
        check("5.2", "KL", 0.3, within=(0.1, 0.2))
    with pytest.raises(ClaimError, match=r"claimed > 0\.8$"):
        check("5.2", "removed", 0.3, above=0.8)
    with pytest.raises(
        ClaimError, match=r"claimed > 0\.8\. If you changed nothing .* another processor"
    ):
        claims.section("5.2")("trained", 0.3, above=0.8)


def test_what_a_miss_advises_lets_the_same_cell_go_on(monkeypatch, capsys):
    monkeypatch.setenv("LESSON_SEED", "0")  # so that it is put back
    monkeypatch.delenv("LESSON_SEED")
    with pytest.raises(ClaimError) as raised:
        claims.section("5.2")("trained", 0.3, above=0.8)
    exec(re.search(r"`(import os; .*?)`", str(raised.value))[1], {})
    claims.section("5.2")("trained", 0.3, above=0.8)
    assert capsys.readouterr().out.startswith("✗ §5.2 trained: ")


@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_while_other_seeds_are_tried_a_miss_is_recorded_and_marked(value, monkeypatch, capsys):
    monkeypatch.setenv("LESSON_SEED", "0")
    check("5.3", "it misses", value, below=1)
    check("5.3", "it holds", 0.5, below=1)
    assert [line[:6] for line in capsys.readouterr().out.splitlines()] == ["✗ §5.3", "✓ §5.3"]
    assert [claim.holds for claim in made()] == [False, True]
    assert made()[1].value == 0.5


@pytest.mark.parametrize(
    "bounds, count",
    [({}, 0), ({"below": 1, "above": 0}, 2), ({"below": 1, "within": (0, 1)}, 2), ({"above": 0, "within": (0, 1)}, 2),
     ({"below": 1, "above": 0, "within": (0, 1)}, 3)],
)  # fmt: skip
def test_a_claim_has_exactly_one_bound(bounds, count):
    with pytest.raises(
        ValueError, match=f"{count} bounds: expected exactly one of below=, above= and within="
    ):
        check("5.1", "vague", 0.5, **bounds)
    assert made() == []


def test_a_bound_of_zero_is_a_bound():
    check("5.1", "negative", -1.0, below=0)
    check("5.1", "positive", 1.0, above=0.0)
    with pytest.raises(ClaimError):
        check("5.1", "not negative", 1.0, below=0)


def test_exact_numbers_are_printed_behind_an_equals_sign_and_approximate_ones_behind_a_wavy_one(
    capsys,
):
    check("5.1", "exact", 1 / 3, below=1)
    check("5.3", "trained", 0.0123456, below=0.03, exact=False)
    assert capsys.readouterr().out == (
        "✓ §5.1 exact: = 0.333  (claimed < 1)\n✓ §5.3 trained: ≈ 0.0123  (claimed < 0.03)\n"
    )


def test_claims_are_in_the_order_of_sections_then_of_checking():
    for section, statement in (
        ("9", "h"),
        ("C.2", "ill"),
        ("8.10", "f"),
        ("5.10", "d"),
        ("tour", "first"),
        ("5.2", "b"),
        ("10.1", "e"),
        ("5.2", "a"),
        ("5", "c"),
    ):
        check(section, statement, 0.0, below=1)
    assert [(c.section, c.statement) for c in made()] == [
        ("tour", "first"), ("5", "c"), ("5.2", "b"), ("5.2", "a"), ("5.10", "d"),
        ("8.10", "f"), ("C.2", "ill"), ("9", "h"), ("10.1", "e"),
    ]  # fmt: skip


def test_a_claim_checked_again_replaces_the_first():
    check("5.1", "KL", 0.5, below=1)
    check("5.1", "KL", 0.25, below=1)
    assert [claim.measured for claim in made()] == ["= 0.25"]


def test_tensors_and_numpy_numbers_are_numbers():
    torch, np = pytest.importorskip("torch"), pytest.importorskip("numpy")
    check("5.1", "a tensor", torch.tensor(0.5), below=1)
    check("5.1", "a numpy number", np.float64(0.5), below=1)
    assert [claim.measured for claim in made()] == ["= 0.5", "= 0.5"]


@pytest.mark.parametrize("section", ["7a", "", "five", "5.", "Tour", "tour ", "C", "c.1", "C.x"])
def test_a_section_is_a_number(section):
    with pytest.raises(ValueError, match="expected a number such as '5' or '5.3'"):
        check(section, "nowhere", 0.5, below=1.0)


def test_an_identity_is_named_one_and_must_hold_too(capsys):
    claim = claims.section("5.1")
    claim.identity("both sides", 1e-12, below=1e-9)
    assert capsys.readouterr().out == "✓ §5.1 identity: both sides: ≈ 1e-12  (claimed < 1e-09)\n"
    assert [c.identity for c in made()] == [True]
    with pytest.raises(ClaimError):
        claim.identity("sides that differ", 0.1, below=1e-9)
