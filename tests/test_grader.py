"""The grader itself, on exercise 4: calling answers, reading what comes back, what is shown, who imports whom."""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import re
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from grading import REFERENCE, graded
from hostile import (
    RETURNED,
    LyingError,
    WordlessError,
    destroys_arguments,
    later,
    raising,
    unwritten_stub,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import helpers
from helpers.grader import check, checking, points, progress
from helpers.grader.cases import array, case, parts
from helpers.grader.judge_metric import auc
from helpers.grader.panel import Panel, Progress
from helpers.grader.result import Failure, Property, Result
from helpers.grader.run_answer import Trial, Unusable, as_numpy, as_torch, close, plain
from helpers.grader.texts import described
from solutions.ex04_direct_training import answers, right_variants


def test_numpy_answers_are_given_arrays_only_where_tensors_make_them_fail():
    first = {name: array(v) for name, v in case("4b")["inputs"]["one pair"].items()}
    assert Trial(right_variants.loss_numpy_loop, first, ("policy_logps",)).numpy
    assert not Trial(right_variants.loss_torch_loop, first, ("policy_logps",)).numpy
    assert not Trial(
        lambda policy, ref, beta: beta * (policy - ref), first, ("policy_logps",)
    ).numpy  # either would do


def test_points_of_invariances_wait_until_a_value_is_right():
    result = graded("4b", lambda policy_logps, ref_logps, beta: torch.zeros(()))
    assert result.score == 0.0
    assert {
        p.earned
        for p in result.properties
        if p.key in ("shift", "no_reference_gradient", "unchanged")
    } == {None}


def public_callables():
    for info in pkgutil.walk_packages(helpers.__path__, "helpers."):
        if info.name.startswith("helpers.figures"):  # a figure is no number
            continue
        if not info.name.startswith("helpers.grader") or ".exercises.ex" in info.name:
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                if (
                    not name.startswith("_")
                    and callable(value)
                    and getattr(value, "__module__", "") == info.name
                ):
                    yield pytest.param(value, id=f"{info.name}.{name}")


@pytest.mark.parametrize("function", list(public_callables()))
def test_no_public_helper_scores_on_any_part(function, monkeypatch):
    monkeypatch.setattr("helpers.claims._claims", {})  # claims.check would enter something
    subplots = plt.subplots

    def few(
        rows=1, columns=1, **more
    ):  # a figure would draw one panel for each of thousands of scores
        if rows * columns > 20:
            raise RuntimeError("so many panels")
        return subplots(rows, columns, **more)

    monkeypatch.setattr(plt, "subplots", few)
    for part in filter(lambda part: comes_to_something(function, part), parts()):
        assert graded(part, function).score == 0.0


def comes_to_something(function, part):
    """Whether a function returns anything on an input of a part: most helpers refuse every one."""
    recorded = case(part)
    if "inputs" not in recorded:
        return True
    inputs = [{k: array(v) for k, v in probe.items()} for probe in recorded["inputs"].values()]
    return any(
        returns(function, *cast(probe).values())
        for probe in inputs
        for cast in (as_torch, as_numpy)
    )


def returns(function, *arguments):
    """Whether a call brings something; nothing around it is watched, which takes longer than the call."""
    try:
        return function(*arguments) is not None
    except Exception:
        return False


def test_the_walk_over_helpers_finds_what_the_lesson_uses():
    found = {param.id.split(".")[-1] for param in public_callables()}
    assert {"dpo_loss", "sequence_logps", "kl", "two_rules"} <= found and len(found) > 30


def test_escape_sequences_do_not_reach_the_terminal():
    assert "\x1b" not in repr(Panel(graded("4a", raising(ValueError("\x1b[2J\x07")))))


def test_warnings_and_stderr_of_an_answer_are_dropped(capsys):
    def noisy(*arguments):
        warnings.warn("hello")
        print("to stderr", file=sys.stderr)
        np.log(np.zeros(1))
        return answers.implicit_rewards(*arguments)

    assert check("4a", noisy) == 2.0
    assert capsys.readouterr().err == ""


def test_a_coroutine_leaves_no_complaint_behind():
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        check("4a", later)
        gc.collect()
    assert [str(c.message) for c in complaints] == []


def test_ctrl_c_stops_a_check_kindly_and_keeps_earlier_points(capsys):
    assert check("4a", answers.implicit_rewards) == 2.0
    before = progress()
    capsys.readouterr()
    assert check("4a", raising(KeyboardInterrupt())) == 0.0
    shown = capsys.readouterr().out
    assert (
        checking.STOPPED in shown
        and "0 of 2 points, no result" in shown
        and "Traceback" not in shown
    )
    assert progress() == before


def test_ctrl_c_reaches_whoever_judges_without_a_panel():
    with pytest.raises(KeyboardInterrupt):
        checking.judge(raising(KeyboardInterrupt()), case("4a"))


def test_a_right_answer_is_not_spoilt_by_one_that_destroyed_its_arguments():
    for part, answer in REFERENCE.items():
        graded(part, destroys_arguments)
        assert graded(part, answer).score == case(part)["points"]


# ---- reading and comparing ----------------------------------------------------------------


@pytest.mark.parametrize(
    "value, expected",
    [
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        ([1, 2.0], [1.0, 2.0]),
        ((np.int64(1), torch.tensor(2)), [1.0, 2.0]),
        (torch.tensor([1.5], requires_grad=True), [1.5]),
        (torch.nn.Parameter(torch.ones(2)), [1.0, 1.0]),
        (torch.tensor([1.5], dtype=torch.bfloat16), [1.5]),
        (np.array([[True, False]]), [[1.0, 0.0]]),
    ],
)
def test_plain_reads_numbers_of_every_kind(value, expected):
    found = plain(value)
    assert type(found) is np.ndarray and found.dtype == np.float64
    assert np.array_equal(found, np.array(expected))


@pytest.mark.parametrize(
    "name",
    [
        "a string",
        "a liar",
        "a lying array",
        "a lying tensor",
        "a smooth tensor",
        "an array of strings",
        "an array of dates",
        "a ragged list",
        "an object array",
        "a huge integer",
        "a list in itself",
        "a nameless type",
        "a complex tensor",
    ],
)
def test_plain_refuses_everything_else(name):
    with pytest.raises(Unusable):
        plain(RETURNED[name])


def test_plain_copies():
    mine = np.ones(3)
    plain(mine)[0] = 5
    tensor = torch.ones(3, dtype=torch.float64)
    plain(tensor)[0] = 5
    assert mine[0] == tensor[0] == 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(1e-3, 1e3))
def test_close_accepts_rounding_and_refuses_more(values, change):
    values = np.array(values)
    assert close(values.astype(np.float32).astype(np.float64), values)
    moved = values.copy()
    moved[0] += change * (1 + abs(moved[0]))
    assert not close(moved, values) and not close(values[None], values)
    moved[0] = np.nan
    assert not close(moved, values) and not close(values, moved) and close(moved, moved)


def test_described_errors_are_plain_text():
    assert described(ValueError("a")) == "raised ValueError: a"
    assert described(WordlessError()) == "raised WordlessError: (its text cannot be read)"
    assert type(described(LyingError())) is str and len(described(ValueError("x" * 10_000))) < 400


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_auc_counts_pairs_and_is_scikit_learns(healthy, regressed):
    pairs = [1.0 if r > h else 0.5 if r == h else 0.0 for h in healthy for r in regressed]
    expected = sum(pairs) / len(pairs)
    truth = [0] * len(healthy) + [1] * len(regressed)
    assert roc_auc_score(truth, healthy + regressed) == pytest.approx(expected)
    assert auc(np.array(healthy), np.array(regressed)) == pytest.approx(expected)


@pytest.mark.parametrize("healthy, regressed", [([], [1.0]), ([1.0], []), ([], [])])
def test_an_auc_of_one_class_only_is_refused(healthy, regressed):
    with pytest.raises(ValueError, match="expected scores of both"):
        auc(np.array(healthy), np.array(regressed))


# ---- what is shown ------------------------------------------------------------------------


def test_check_returns_a_float_and_shows_a_panel(monkeypatch):
    shown = []
    monkeypatch.setattr(checking, "display", shown.append)
    for part, answer in REFERENCE.items():
        points = check(part, answer)
        assert type(points) is float and points == case(part)["points"]
    assert [type(panel) for panel in shown] == [Panel] * len(parts())


@pytest.mark.parametrize("part", ["5z", "4", "", None, ["4a"], 4])
def test_an_unknown_part_is_refused_with_the_known_ones(part):
    with pytest.raises(ValueError, match="expected one of 1a, .*4a, 4b, 4c, 4d"):
        check(part, answers.feature_examples)


def test_a_result_instead_of_a_function_is_explained():
    result = graded("4a", 3.0)
    assert result.status == "error" and "expected the function itself" in result.note
    assert 'check("4a", implicit_rewards)' in repr(Panel(result))


def test_progress_adds_up_the_latest_checks(monkeypatch):
    shown = []
    monkeypatch.setattr(checking, "_latest", {})
    monkeypatch.setattr(checking, "display", shown.append)
    assert progress() == 0.0
    check("4a", answers.implicit_rewards)
    check("4d", answers.harm_score)
    assert progress() == 4.0
    check("4d", unwritten_stub)
    total = progress()
    assert total == 2.0 and type(total) is float
    bars = shown[-1]
    assert isinstance(bars, Progress) and f"2 of {10 * len(parts()) // 4} points" in repr(bars)
    page = bars._repr_html_()
    assert page.count("width:100%;") == 1 and page.count("width:0%;") == len(parts()) - 1
    assert page.count("role='img' aria-label='2 of 2 points'") == 1
    assert page.count("role='img' aria-label='0 of ") == len(parts()) - 1


def test_progress_remembers_an_earlier_session(monkeypatch):
    monkeypatch.setattr(checking, "_latest", {})
    check("4a", answers.implicit_rewards)
    check("4d", answers.harm_score)
    monkeypatch.setattr(checking, "_latest", {})  # as after a restart of the kernel
    assert progress() == 4.0
    check("4a", lambda *arguments: 0.0)
    check("4d", unwritten_stub)
    assert progress() == 0.0
    monkeypatch.setattr(checking, "_latest", {})
    assert progress() == 2.0  # a stub says nothing about what was there before


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"4a": "x"}', '{"4a": null}', "\x00", "3"])
def test_progress_survives_a_damaged_file(monkeypatch, text):
    monkeypatch.setattr(checking, "_latest", {})
    (points._folder / points.NAME).write_text(text, encoding="utf-8")
    assert progress() == 0.0
    check("4d", answers.harm_score)
    assert points.earlier() == {"4d": 2.0}


@pytest.mark.parametrize("earned", ["1e9", "NaN", "-3"])
def test_progress_shows_no_more_than_there_is(monkeypatch, earned):
    monkeypatch.setattr(checking, "_latest", {})
    text = f'{{"4a": {earned}, "9z": 5}}'
    (points._folder / points.NAME).write_text(text, encoding="utf-8")
    assert 0.0 <= progress() <= 2.0


def test_where_nothing_can_be_written_nothing_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(points, "_folder", tmp_path / "missing")
    assert check("4d", answers.harm_score) == 2.0 and points.earlier() == {}


def contrast(one: str, other: str) -> float:
    """Of two colours #RRGGBB, as WCAG 2 defines it."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_signs_are_legible_on_any_page():
    """A sign stands on a ground of its own, whatever the page's is."""
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    properties = [
        Property(name, name, 1.0, earned) for name, earned in zip("pqr", (1.0, 0.0, None))
    ]
    page = Panel(Result("4x", "title", 3.0, "wrong", tuple(properties), (), ""))._repr_html_()
    signs = re.findall(r"<span style='background:(#\w{6});color:(#\w{6});[^>]*>(.)</span>", page)
    assert [sign for _, _, sign in signs] == ["✓", "✗", "·"]
    assert min(contrast(ground, sign) for ground, sign, _ in signs) >= 4.5


def test_the_panel_says_the_same_in_text_and_html():
    failure = Failure("a = 1 < 2", "3 & 4", "5", "Your example")
    properties = (
        Property("p", "holds", 1.0, 1.0),
        Property("q", "fails", 1.5, 0.25, failure),
        Property("r", "waits", 0.5, None),
    )
    panel = Panel(Result("4x", "title <b>", 3.0, "wrong", properties, ("why",), "note"))
    text, page = repr(panel), panel._repr_html_()
    for word in (
        "1.25 of 3 points",
        "holds",
        "fails",
        "waits",
        "not counted yet",
        "Your example",
        "why",
        "note",
    ):
        assert word in text and word in page
    assert (
        "a = 1 < 2" in text
        and "a = 1 &lt; 2" in page
        and "3 &amp; 4" in page
        and "title &lt;b&gt;" in page
    )
    assert [line.strip()[0] for line in text.splitlines()[1:4]] == ["✓", "✗", "·"]


def test_importing_helpers_does_not_import_the_grader():
    import subprocess

    program = (
        "import sys, helpers, helpers.losses, helpers.gpt; print('helpers.grader' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.strip() == b"False"


def test_the_learners_side_imports_nothing_from_solutions():
    import ast
    from pathlib import Path

    for path in Path(inspect.getfile(checking)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith("solutions"), path
