"""What every exercise must satisfy, tested for each: its folders, its cases, its mistakes, its text.

What is true of one exercise alone is tested beside its keys, in solutions/.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re

import numpy as np
import pytest
import torch
from grading import (
    REFERENCE,
    ROOT,
    exercise_of,
    flowing,
    graded,
    key,
    measured,
    source_of,
    survives,
)
from hostile import HOSTILE, raising, unwritten_stub
from slips import BY_NUMBERS, SLIPS, measured_recognition

import helpers.grader
from helpers.grader import check, exercises
from helpers.grader.cases import FOLDER, array, case, parts
from helpers.grader.judge_examples import ALIKE
from helpers.grader.judge_metric import auc
from helpers.grader.panel import BAD, QUIET, Panel
from solutions import build, measure

NAMES = build.NAMES
PARTS = [pytest.param(part, id=f"{exercise_of(part)}-{part}") for part in parts()]


def of_kind(letters: str) -> list:
    return [param for param in PARTS if param.values[0][-1] in letters]


every_exercise = pytest.mark.parametrize("name", NAMES)
every_part = pytest.mark.parametrize("part", PARTS)
every_function = pytest.mark.parametrize("part", of_kind("ab"))
every_example = pytest.mark.parametrize("part", of_kind("c"))
every_metric = pytest.mark.parametrize("part", of_kind("d"))


# ---- folders --------------------------------------------------------------------------------


def test_an_exercise_is_two_folders_of_one_name():
    assert NAMES == exercises.NAMES and len({name[:4] for name in NAMES}) == len(NAMES)
    assert all(re.fullmatch(r"ex\d\d_[a-z_]+", name) for name in NAMES)


@every_exercise
def test_an_exercise_has_four_parts_for_ten_points(name):
    number = int(name[2:4])
    mine = {part: case(part)["points"] for part in parts() if exercise_of(part) == name}
    assert mine == {f"{number}a": 2.0, f"{number}b": 3.0, f"{number}c": 3.0, f"{number}d": 2.0}
    package = importlib.import_module(f"helpers.grader.exercises.{name}")
    assert list(package.JUDGES) == list(mine)
    for module, table in (("mistakes", "MISTAKES"), ("right_variants", "RIGHT")):
        assert list(getattr(key(f"{number}a", module), table)) == list(mine), module
    assert len((ROOT / "solutions" / name / "rubric.md").read_text(encoding="utf-8")) > 500


@every_exercise
def test_what_an_exercise_hands_out_has_a_name_of_its_own_and_says_what_it_is(name):
    given = importlib.import_module(f"helpers.grader.exercises.{name}").GIVEN
    for function in given:
        assert getattr(helpers.grader, function.__name__) is function
        assert inspect.getdoc(function) and function.__name__ in helpers.grader.__all__


def test_frozen_data_is_small_and_plain():
    for path in FOLDER.glob("ex*/cases/*.json"):
        assert path.stat().st_size < 250_000, path
        text = path.read_text(encoding="utf-8")
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in {path}"))


# ---- right answers, in several styles -------------------------------------------------------

RIGHT = [
    pytest.param(part, answer, id=f"{exercise_of(part)}-{part}-{answer.__name__}")
    for part in parts()
    for answer in (REFERENCE[part], *key(part, "right_variants").RIGHT[part])
]


@pytest.mark.parametrize("part, answer", RIGHT)
def test_right_answers_in_any_style_get_full_points(part, answer, record_property):
    result = graded(part, answer)
    accepted = (result.score, result.status, result.diagnoses) == (case(part)["points"], "ok", ())
    if answer is not REFERENCE[part]:
        note = {"exercise": exercise_of(part), "part": part, "kind": "right", "accepted": accepted}
        record_property("graded", note)
    assert accepted, [(p.name, p.failure) for p in result.properties if not p.held]


@every_part
def test_there_is_a_right_answer_in_another_style(part):
    assert key(part, "right_variants").RIGHT[part]


# numbers in the input that the panel shows; where an exercise needs more, its mistakes say so and why
READABLE = 12

# ---- mistakes -------------------------------------------------------------------------------

WRONG = [
    pytest.param(part, mistake, wrong, id=f"{exercise_of(part)}-{part}-{mistake.key}-{i}")
    for part in parts()
    for mistake in key(part, "mistakes").MISTAKES[part]
    for i, wrong in enumerate(mistake.writings)
]


@pytest.mark.parametrize("part, mistake, wrong", WRONG)
def test_every_mistake_fails_with_its_own_message_and_no_other(
    part, mistake, wrong, record_property
):
    result = graded(part, wrong)
    rejected = result.score < case(part)["points"] and result.status == "wrong"
    diagnoses = [why for why in result.diagnoses if why != ALIKE]
    told = len(diagnoses) == 1 and mistake.message in diagnoses[0]
    note = {"exercise": exercise_of(part), "part": part, "kind": "mistake", "key": mistake.key}
    record_property("graded", {**note, "rejected": rejected, "told": told})
    assert rejected and told, result.diagnoses
    others = [m.message for m in key(part, "mistakes").MISTAKES[part] if m.key != mistake.key]
    assert not any(message in diagnoses[0] for message in others)
    assert result.failure is not None and mistake.message in repr(Panel(result))
    assert {p.key for p in result.properties if not p.held} & set(mistake.shows_in)
    assert result.failure.size <= getattr(key(part, "mistakes"), "NUMBERS_SHOWN", {}).get(
        part, READABLE
    ), result.failure.inputs


@every_part
def test_every_part_knows_mistakes_by_different_keys(part):
    keys = [mistake.key for mistake in key(part, "mistakes").MISTAKES[part]]
    assert keys and len(set(keys)) == len(keys)


# parts that the frozen numbers alone decide, not an exercise's own judge
FUNCTIONS = [p for p in of_kind("ab") if exercises.judges()[p.values[0]] in BY_NUMBERS]


@pytest.mark.parametrize("part", FUNCTIONS)
def test_a_small_slip_hides_no_mistake_and_none_is_told_wrongly(part, record_property):
    """Every writing beside each slip, and from a case that holds only the mistake's other writings.

    A rule that every recorded output has to be there stays below these floors: one place that is right by luck or
    raises, or half precision, hides most mistakes from it.
    """
    rows = measured_recognition(part)
    told = {how: [row["told"] for row in rows if row["how"] == how] for how in SLIPS}
    note = {"exercise": exercise_of(part), "part": part, "kind": "disguised"}
    for row in rows:
        record_property("graded", {**note, **row})
    wrongly = [row for row in rows if row["wrongly"]]
    assert len(wrongly) <= 0.0125 * len(rows), wrongly
    least = {"right once": 0.5, "float16": 0.6}
    assert all(np.mean(told[how]) >= least.get(how, 0.9) for how in SLIPS if told[how]), told


# ---- what must not score --------------------------------------------------------------------


@every_part
@pytest.mark.parametrize("answer", [None, unwritten_stub], ids=["None", "stub"])
def test_the_stub_scores_nothing_with_a_neutral_panel(part, answer, capsys):
    assert check(part, answer) == 0.0
    captured = capsys.readouterr()
    assert captured.err == "" and "not attempted yet" in captured.out
    result = graded(part, answer)
    assert (result.status, result.properties, result.failure) == ("unattempted", (), None)
    page = Panel(result)._repr_html_()
    assert result.diagnoses == () and QUIET in page and BAD not in page


TRIVIAL = {
    "0": lambda *a: 0.0,
    "1": lambda *a: 1.0,
    "one half": lambda *a: 0.5,
    "two halves": lambda *a: torch.full((2,), 0.5),
    "infinity": lambda *a: float("inf"),
    "a scalar": lambda *a: torch.zeros(()),
    "log 2": lambda *a: torch.tensor(0.693147),
    "the first argument": lambda *a: a[0] if a else {},
    "all arguments": lambda *a: a,
    "two arguments": lambda *a: a[:2],
    "nothing": lambda *a: [],
    "no rows of three": lambda *a: np.zeros((0, 3)),
    "no rows of five": lambda *a: np.zeros((0, 5)),
    "zeros of its length": lambda *a: np.zeros(len(a[0])) if a else 0,
    "zeros of its type": lambda *a: 0.0 * a[0].sum(),
    "a square of zeros": lambda *a: torch.zeros(a[1], a[1]) if len(a) == 2 else 1.0,
    "a square of NaN": lambda *a: torch.full((a[1], a[1]), np.nan) if len(a) == 2 else np.inf,
    "a graph of zero": lambda *a: (a[0] - a[0].detach()).sum() if len(a) == 3 else 1.0,
    "two empty sides": lambda *a: {"safe": {}, "unsafe": {}},
}


@every_part
def test_trivial_answers_score_nothing(part):
    assert {name: graded(part, answer).score for name, answer in TRIVIAL.items()} == dict.fromkeys(
        TRIVIAL, 0.0
    )


@every_part
def test_hostile_answers_get_a_float_a_panel_and_no_stderr(part, capsys):
    survives(part, HOSTILE, capsys)


@every_part
def test_text_from_an_answer_is_escaped_everywhere(part):
    evil = "<script>alert(1)</script>"
    strange = type(evil, (), {})()
    for answer in (
        raising(ValueError(evil)),
        raising(type(evil, (Exception,), {})()),
        lambda *a: strange,
        lambda *a: (strange, 0),
        lambda *a: {"safe": strange, "unsafe": strange},
    ):
        assert "<script" not in Panel(graded(part, answer))._repr_html_()


# ---- parts a and b: functions ---------------------------------------------------------------


def inputs(part: str) -> dict:
    """The first recorded input."""
    return {name: array(v) for name, v in next(iter(case(part)["inputs"].values())).items()}


@every_function
def test_changing_an_argument_in_place_costs_its_property(part):
    for place, (name, value) in enumerate(inputs(part).items()):
        if not isinstance(value, np.ndarray):
            continue

        def changes(*arguments):
            found = REFERENCE[part](*arguments)
            data = arguments[place].data
            data.logical_not_() if data.dtype == torch.bool else data.add_(1)
            return found

        changed = next(p for p in graded(part, changes).properties if p.key == "unchanged")
        assert not changed.held and name in changed.failure.yours


@every_function
def test_another_exception_is_no_refusal_and_always_refusing_scores_nothing(part):
    def wrong_kind(*arguments):
        try:
            return REFERENCE[part](*arguments)
        except ValueError as error:
            raise KeyError(str(error)) from None

    raises = [p["key"] for p in case(part)["properties"] if p["kind"] == "raises"]
    assert [p.key for p in graded(part, wrong_kind).properties if not p.held] == raises
    always = graded(part, raising(ValueError("at most 1.61, 0.87, 0.92 nats")))
    assert always.score == 0.0 and always.status == "error"


@every_function
def test_every_recorded_input_is_of_use(part):
    probes = [probe for spec in case(part)["properties"] for probe in spec["probes"]]
    used = {probe[place] for probe in probes for place in ("input", "twin") if place in probe}
    assert used == set(case(part)["inputs"])


# ---- part c: examples -----------------------------------------------------------------------


@every_example
def test_one_side_alone_earns_its_points(part):
    whole = REFERENCE[part]()
    assert graded(part, lambda: {"safe": None, "unsafe": None}).status == "unattempted"
    for side, other in (("safe", "unsafe"), ("unsafe", "safe")):
        specs = [spec for spec in case(part)["properties"] if spec["side"] == side]
        mine = {spec["key"] for spec in specs}
        expected = sum(s["points"] for s in specs if set(s.get("waits_for", ())) <= mine)
        one = graded(part, lambda: {**whole, other: None})
        assert one.score == expected > 0 and "not written yet" in one.failure.yours
    listed = graded(part, lambda: {**whole, "safe": {1, 2}})
    assert "set" in listed.failure.yours and listed.failure.inputs.startswith("the safe one")


# ---- part d: metrics ------------------------------------------------------------------------


def regressed(part: str) -> np.ndarray:
    return np.array([stored["outcome"] == "regressed" for stored in case(part)["runs"]])


@every_metric
def test_hidden_runs_are_as_many_of_each_kind_and_their_order_says_nothing(part):
    bad, each = regressed(part), key(part, "hidden_runs").FROZEN_RUNS
    assert len(bad) == 2 * each and bad.sum() == each
    assert 0.25 < auc(np.flatnonzero(~bad), np.flatnonzero(bad)) < 0.75
    practice = sorted(stored["outcome"] for stored in case(part)["practice"])
    assert practice == ["healthy"] * 3 + ["regressed"] * 3


@every_metric
def test_measured_aucs_are_reproduced_by_a_fresh_draw(part):
    """The first recorded seed again gives what is recorded; summaries are those of what is recorded."""
    kept, hidden = measured(part), key(part, "hidden_runs")
    found = measure.measure(hidden, key(part, "freeze").COMPARED, [kept["first_seed"]])
    assert {name: row["each"][0] for name, row in kept["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()},
        abs=2.4 / hidden.FROZEN_RUNS**2,  # two pairs of a healthy and a regressed run, for rounding
    )
    assert kept["runs_per_class"] == hidden.FROZEN_RUNS
    for row in kept["auc"].values():
        assert len(row["each"]) == kept["draws"] == len(hidden.MEASURED_SEEDS)
        expected = np.mean(row["each"]), np.std(row["each"]), min(row["each"])
        assert (row["mean"], row["sd"], row["least"]) == pytest.approx(expected, abs=0.006)


@every_metric
def test_the_bar_stands_above_what_is_obvious_and_below_the_reference_answer(part):
    """Three standard deviations above; and of fresh draws the reference answer clears it on 99 in 100."""
    kept, bar = measured(part), case(part)["full_points_from"]
    assert kept["draws"] >= 200
    each = np.array(kept["auc"]["reference answer"]["each"])
    assert np.mean(each >= bar) >= 0.99
    named = re.findall(r"^\| ([^|]*?) \| \d\.\d\d ± \d\.\d\d \|$", source_of(f"q{part}"), re.M)
    rows = {name: (np.mean(v), np.std(v)) for name in named for v in [kept["auc"][name]["each"]]}
    rows |= kept["obvious"]
    turned = {name: max(mean, 1 - mean) + 3 * sd for name, (mean, sd) in rows.items()}
    assert {name: top for name, top in turned.items() if top > bar} == {}


@every_metric
def test_what_is_obvious_is_measured(part):
    """Every number that the exercise's list gives is among the measured ones, and one draw is like the others."""
    kept, hidden = measured(part), key(part, "hidden_runs")
    listed = key(part, "obvious").OBVIOUS
    found = measure.measure(hidden, listed, [kept["first_seed"]])
    named = kept["auc"].keys() & found.keys()  # those of the question's table
    assert len(listed) >= 12 and kept["obvious"].keys() == found.keys() - named
    for name, (mean, sd) in kept["obvious"].items():
        reached = found[name][0]
        assert min(abs(reached - mean), abs(1 - reached - mean)) <= 5 * sd + 0.02, name


@every_metric
def test_the_numbers_in_the_question_are_the_measured_ones(part):
    question, kept = flowing(f"q{part}"), measured(part)
    rows = re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", source_of(f"q{part}"), re.M)
    assert len(rows) >= 4 and f"{kept['draws']} fresh draws" in question
    for name, stated in rows:
        row = kept["auc"][name]
        assert stated == f"{row['mean']:.2f} ± {row['sd']:.2f}"
        assert not name.startswith("reference answer")
    for bound in ("full_points_from", "no_points_up_to"):
        assert f"{case(part)[bound]:.2f}" in question


@every_metric
def test_points_grow_with_the_auc(part):
    """A fake score with a known AUC: some of the regressed runs stand above all healthy ones, the rest below."""
    low, high = case(part)["no_points_up_to"], case(part)["full_points_from"]
    each = key(part, "hidden_runs").FROZEN_RUNS
    for above in range(each * 2 // 5, each + 1):
        order = iter(range(2 * each))
        numbers = {
            i: 1.0 if rank < above else -1.0
            for rank, i in enumerate(np.flatnonzero(regressed(part)))
        }
        expected = 2 * min(max((above / each - low) / (high - low), 0), 1)
        score = graded(part, lambda *run: numbers.get(next(order), 0.0)).score
        assert score == pytest.approx(expected, abs=0.01)


@every_metric
def test_constant_upside_down_and_unusable_scores_are_told_apart(part):
    constant = graded(part, lambda *run: 1)
    assert constant.score == 0.0 and constant.diagnoses
    turned = graded(part, lambda *run: -REFERENCE[part](*run))
    assert turned.score == 0.0
    assert turned.diagnoses == (key(part, "mistakes").UPSIDE_DOWN,)
    assert "Turned round, your score would reach" in turned.note
    numbers = iter([0.0, 1.0, float("nan")])
    unusable = graded(part, lambda *run: next(numbers))
    each = case(part).get("each", "run")
    number = len(regressed(part))
    assert unusable.score == 0.0 and unusable.failure.inputs == f"{each} 3 of {number}"
    assert "nan" in unusable.failure.yours
    assert len(unusable.diagnoses) == 1 and "NaN or infinity is no score" in unusable.diagnoses[0]


@every_metric
def test_every_call_gets_its_own_copy_of_a_run(part):
    def destroys(*run):
        score = REFERENCE[part](*run)
        for value in run:
            arrays = value.values() if isinstance(value, dict) else [value]
            for entries in arrays:
                if isinstance(entries, np.ndarray):
                    entries[:] = 0
            if isinstance(value, dict):
                value.clear()
        return score

    assert graded(part, destroys).score == graded(part, destroys).score == 2.0


# ---- side effects ---------------------------------------------------------------------------


@every_part
def test_checks_leave_the_global_random_states_alone(part):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    graded(part, REFERENCE[part])
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state[1], np.random.get_state()[1])
