"""The search for the smallest input that shows a mistake: what it leaves out, what it keeps, what it freezes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from solutions.freeze import Mistake, function_case, prop
from solutions.shrink import CLEAR, Judge, Shape, rows_of_logs, rows_sum_to_one, shrunk, size

RATES = {"values": "N", "weights": "N"}


def mean(values, weights):
    """The reference: a weighted mean; weights have to be positive."""
    if not (weights > 0).all():
        raise ValueError(f"weights {weights.tolist()}")
    return (weights * values).sum() / weights.sum()


def unweighted(values, weights):
    return values.mean()


def given(values: list, weights: list) -> dict:
    return {"values": np.array(values, float), "weights": np.array(weights, float)}


def search(wrong, start: dict, shape: Shape, **spec) -> dict:
    spec = {"key": "k", "kind": "expected", "slack": 1.0, "values": True} | spec
    shows = Judge(mean, (), lambda spec, given: {}).shows(wrong, spec, start, "")
    assert shows is not None
    return shrunk(start, shape, dict.fromkeys(shape.letters, 1), shows)


def test_what_is_not_needed_is_left_out_and_numbers_become_short():
    start = given([0.73, -1.26, 2.5, 0.4, 3.1], [1.0, 2.0, 1.0, 3.5, 1.0])
    found = search(unweighted, start, Shape(RATES))
    assert size(found) == 4, "one value has the same mean whatever it weighs"
    assert all(abs(x) == round(abs(x)) for x in found["values"].tolist())
    assert abs(found["values"].mean() - mean(*map(torch.tensor, found.values()))) > 0.01
    assert size(start) == 10, "the input that it began with is as it was"


def test_a_difference_that_could_be_rounding_is_not_enough():
    """Without the last value the mistake is off by 20 tolerances: enough to be wrong, not enough to be shown."""

    def slightly(values, weights):
        return mean(values, weights) * (1.002 if len(values) < 3 else 1.5)

    assert size(search(slightly, given([1, 2, 3, 4], [1, 1, 1, 1]), Shape(RATES))) == 6
    assert CLEAR == 100


def test_an_input_stays_in_the_domain():
    """No weight becomes 0, which would be the shortest; tidy may refuse, or mend."""

    def of_none(values, weights):
        return mean(values, weights) + 1

    def one_of_two(given):
        return given if len(given["values"]) >= 2 else None

    assert (search(of_none, given([1, 2], [0.3, 0.4]), Shape(RATES))["weights"] > 0).all()
    found = search(of_none, given([1, 2, 3], [1, 1, 1]), Shape(RATES, tidy=one_of_two))
    assert len(found["values"]) == 2


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e4])
def test_special_numbers_are_kept(special):
    def none_left(values, weights):
        return torch.tensor(0.123)

    start = given([special, 1.0, 2.0], [1, 1, 1])
    found = search(none_left, start, Shape(RATES))["values"].tolist()
    assert any(x == special or x != x for x in found), found


def test_what_is_refused_stays_refused_for_the_same_reason():
    def never(values, weights):
        return values.sum()

    found = search(never, given([3, 2, 1], [1, -1, 1]), Shape(RATES), kind="raises")
    assert found["weights"].tolist() == [-1.0] and len(found["values"]) == 1


def test_ids_follow_what_they_name_and_lengths_are_counted():
    shape = Shape(
        {"records": "C.", "cuts": "G"},
        ids={"records": ("N", "G+"), "one": ("N",)},
        lengths={"n": "N"},
    )
    records = np.array([[0, 0], [1, 1], [2, 2], [3, 1]])
    start = {"records": records, "cuts": np.array([0.5, 1.5]), "one": 3, "n": 4}
    less = shape.without(start, "N", 1)
    assert less["records"][:, 0].tolist() == [0, 1, 1, 2] and (less["one"], less["n"]) == (2, 3)
    assert shape.without(start, "N", 3)["records"][:, 0].tolist() == [0, 1, 2, 2]
    less = shape.without(start, "G", 0)
    assert less["records"][:, 1].tolist() == [0, 0, 1, 0] and less["cuts"].tolist() == [1.5]
    assert len(shape.without(start, "C", 2)["records"]) == 3 and len(start["records"]) == 4


def test_rows_still_sum_to_one():
    table = rows_sum_to_one({"ref": np.array([[0.5, 0.3], [0.1, 0.8]])}, "ref")["ref"]
    assert table.tolist() == [[0.7, 0.3], [0.1, 0.9]]
    logs = rows_of_logs({"p": np.log([[0.5, 0.3]]), "q": np.array([[0.0, -np.inf]])}, "p", "q")
    assert np.exp(logs["p"]).sum() == pytest.approx(1) and logs["q"].tolist() == [[0.0, -np.inf]]


def frozen(mistakes: list[Mistake], shape: Shape) -> dict:
    inputs = {
        "six": given([1, 2, 3, 4, 5, 7], [1, 1, 1, 1, 1, 2]),
        "none weighs": given([1, 2], [1, 0]),
    }
    properties = [
        prop("value", "value", 1.0, "expected", ["six"], values=True),
        prop("refuses", "refuses", 1.0, "raises", ["none weighs"]),
    ]
    case = function_case("9z", "title", mean, inputs, properties, mistakes, shape)
    assert "six" in inputs and len(inputs) == 2 and len(properties[0]["probes"]) == 1
    return case


def test_what_is_found_is_frozen_once_and_judged():
    def median(values, weights):
        return values.median()

    wrong = [
        Mistake("unweighted", "m", (unweighted, lambda v, w: v.sum() / len(v)), ("value",)),
        Mistake("median", "m", (median,), ("value",)),
    ]
    case = frozen(wrong, Shape(RATES, free="N"))
    small = [name for name in case["inputs"] if name.startswith("small case")]
    assert small == ["small case 1"], "it shows all three writings"
    probe = case["properties"][0]["probes"][-1]
    assert probe["input"] == small[0] and "expected" in probe
    shown = [output["input"] for m in case["mistakes"] for w in m["writings"] for output in w]
    assert shown.count(small[0]) == 2
    assert case == frozen(wrong, Shape(RATES, free="N"))
    assert list(frozen(wrong, Shape(RATES))["inputs"]) == ["six", "none weighs"], "six are asked"


def test_no_probe_is_added_on_which_another_mistake_could_not_be_told():
    def raises_on_few(values, weights):
        if len(values) < 6:
            raise IndexError(len(values))
        return values.mean()

    def right_on_many(values, weights):
        return mean(values, weights) if len(values) > 5 or weights.min() <= 0 else values[0]

    first = Mistake("unweighted", "m", (unweighted,), ("value",))
    for other in (
        Mistake("raises", "m", (raises_on_few,), ("value",)),
        Mistake("silent", "m", (right_on_many,), ("refuses",), fails=True),
    ):
        case = frozen([first, other], Shape(RATES, free="N"))
        assert list(case["inputs"]) == ["six", "none weighs"], other.key
