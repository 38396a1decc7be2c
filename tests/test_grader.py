"""The grader, tested by mutation: it must know right answers of every style from wrong ones, and which wrong ones."""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import pkgutil
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from grading import mutants
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import helpers
from helpers.grader import check, checking, practice_runs, progress, separation, train_pair
from helpers.grader.checking import judge, parts
from helpers.grader.frozen import FOLDER, array, case
from helpers.grader.loglinear import BETA
from helpers.grader.panel import Panel, Progress
from helpers.grader.result import Failure, Property, Result
from helpers.grader.texts import described
from helpers.grader.trial import Trial, Unusable, close, plain
from helpers.losses import dpo_loss
from solutions import exercise4, runs

REFERENCE = {
    "4a": exercise4.implicit_rewards,
    "4b": exercise4.ranked_loss,
    "4c": exercise4.feature_examples,
    "4d": exercise4.harm_score,
}
WRONG = {
    "4a": exercise4.MISCONCEPTIONS_4A,
    "4b": exercise4.MISCONCEPTIONS_4B,
    "4c": exercise4.MISCONCEPTIONS_4C,
    "4d": exercise4.MISCONCEPTIONS_4D,
}
MUTANTS = mutants(WRONG)


def graded(part: str, answer) -> Result:
    result = judge(answer, case(part))
    assert "could not finish" not in result.note, (
        result.note
    )  # the last resort of judge() must not be needed
    return result


# ---- right answers, in several styles -----------------------------------------------------


def rewards_numpy_loop(policy_logits, ref_logits, tokens, mask, beta):
    """Row by row, token by token, scipy's formula for log-softmax."""
    found = []
    for b in range(len(tokens)):
        total = 0.0
        for t in np.flatnonzero(mask[b]):
            for sign, logits in ((1, policy_logits), (-1, ref_logits)):
                row = logits[b, t - 1].astype(np.float64)
                total += sign * (
                    row[tokens[b, t]] - row.max() - np.log(np.exp(row - row.max()).sum())
                )
        found.append(beta * total)
    return found  # a list of floats


def rewards_cross_entropy(policy_logits, ref_logits, tokens, mask, beta):
    """By torch's cross-entropy, ignoring masked targets."""
    targets = tokens.masked_fill(~mask, -100)[:, 1:]

    def nll(logits):
        return torch.nn.functional.cross_entropy(
            logits[:, :-1].transpose(1, 2), targets, reduction="none"
        ).sum(1)

    return beta * (nll(ref_logits) - nll(policy_logits))


def rewards_float32(policy_logits, ref_logits, tokens, mask, beta):
    """Everything in single precision, picked by one-hot products."""
    one_hot = torch.nn.functional.one_hot(tokens, policy_logits.shape[-1])[:, 1:].float()
    ratio = policy_logits.float()[:, :-1].log_softmax(-1) - ref_logits.float()[:, :-1].log_softmax(
        -1
    )
    return beta * (ratio.mul(one_hot).sum(-1) * mask[:, 1:]).sum(1)


def loss_numpy_loop(policy_logps, ref_logps, beta):
    """A plain double loop on arrays; returns a Python float."""
    total = 0.0
    for policy, ref in zip(policy_logps, ref_logps):
        scores = beta * (policy.astype(float) - ref)
        for k in range(len(scores) - 1):
            total += np.logaddexp.reduce(scores[k:]) - scores[k]
    return float(total / len(policy_logps))


def loss_torch_loop(policy_logps, ref_logps, beta):
    """Log-softmax of what remains, place by place, in a list."""
    rewards = beta * (policy_logps - ref_logps.clone().detach())
    picks = [rewards[:, k:].log_softmax(dim=1)[:, 0] for k in range(rewards.shape[1] - 1)]
    return -torch.stack(picks, dim=1).sum(dim=1).mean(dim=0)


def loss_float32(policy_logps, ref_logps, beta):
    """The last factor kept (its logarithm is 0), single precision, the reference under no_grad."""
    with torch.no_grad():
        ref = ref_logps.float() * 1
    scores = (beta * (policy_logps.float() - ref)).flip(-1)
    return (torch.logcumsumexp(scores, -1) - scores).sum() / len(scores)


def scores_bradley_terry(run):
    """Qualities by a regularised Bradley-Terry fit on tensors; returns a tensor of one element."""
    q = torch.zeros(16, dtype=torch.float64)
    chosen, rejected = torch.as_tensor(run["chosen"]), torch.as_tensor(run["rejected"])
    for _ in range(100):
        surprise = torch.sigmoid(q[rejected] - q[chosen])
        q = q + 0.05 * (
            torch.zeros_like(q).index_add(0, chosen, surprise).index_add(0, rejected, -surprise)
            - 0.3 * q
        )
    return (
        q[torch.as_tensor(run["ref_samples"])].mean()
        - q[torch.as_tensor(run["policy_samples"])].mean()
    )[None]


def other_examples():
    """Ten random responses, tensors and numpy integers, a start of one's own."""
    rng = np.random.default_rng(0)
    features = 0.3 * rng.normal(size=(10, 4))
    features[3], features[7] = [1.0, 0.5, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0]
    features[5] = [6.0, 0.0, 0.0, 0.0]
    unsafe = {
        "features": torch.tensor(features),
        "chosen": np.int64(3),
        "rejected": 7,
        "harmful": torch.tensor(5),
    }
    safe = {"features": features[:5].tolist(), "chosen": 3, "rejected": 0, "start": np.full(4, 0.1)}
    return {"safe": safe, "unsafe": unsafe}


RIGHT = [
    *REFERENCE.items(),
    ("4a", rewards_numpy_loop),
    ("4a", rewards_cross_entropy),
    ("4a", rewards_float32),
    ("4b", loss_numpy_loop),
    ("4b", loss_torch_loop),
    ("4b", loss_float32),
    ("4c", other_examples),
    ("4d", scores_bradley_terry),
]


@pytest.mark.parametrize(
    "part, answer", RIGHT, ids=[f"{part}-{answer.__name__}" for part, answer in RIGHT]
)
def test_right_answers_in_any_style_get_full_points(part, answer):
    result = graded(part, answer)
    failed = [(p.name, p.failure) for p in result.properties if not p.held]
    assert (result.score, result.status, result.diagnoses) == (case(part)["points"], "ok", ()), (
        failed
    )


def test_numpy_answers_are_given_arrays_only_where_tensors_make_them_fail():
    first = {name: array(v) for name, v in case("4b")["inputs"]["one pair"].items()}
    assert Trial(loss_numpy_loop, first, ("policy_logps",)).numpy
    assert not Trial(loss_torch_loop, first, ("policy_logps",)).numpy
    assert not Trial(
        lambda policy, ref, beta: beta * (policy - ref), first, ("policy_logps",)
    ).numpy  # either would do


# ---- mutants ------------------------------------------------------------------------------


@pytest.mark.parametrize("part, wrong, variant", MUTANTS)
def test_every_misconception_fails_with_its_own_message_and_no_other(part, wrong, variant):
    result = graded(part, variant)
    assert result.score < case(part)["points"] and result.status == "wrong"
    assert len(result.diagnoses) == 1, result.diagnoses
    assert wrong.message in result.diagnoses[0]
    others = [m.message for m in WRONG[part] if m.key != wrong.key]
    assert not any(message in result.diagnoses[0] for message in others)
    assert result.failure is not None and wrong.message in repr(Panel(result))


@pytest.mark.parametrize("part, wrong, variant", MUTANTS)
def test_a_misconception_fails_the_properties_it_is_about(part, wrong, variant):
    failed = {p.key for p in graded(part, variant).properties if not p.held}
    assert failed & set(wrong.shows_in)


def test_overflow_costs_the_stability_property_only():
    for part in ("4a", "4b"):
        for variant in next(m for m in WRONG[part] if m.key == "overflow").variants:
            assert [p.key for p in graded(part, variant).properties if not p.held] == ["extreme"]


def test_overflow_is_no_explanation_where_values_are_wrong_too():
    def naive_sum(policy_logps, ref_logps, beta):
        scores = beta * (policy_logps - ref_logps.detach())
        return -(scores.exp()[:, 0] / scores.exp().sum(1)).log().sum() - 1

    result = graded("4b", naive_sum)
    assert result.status == "wrong" and result.diagnoses == ()


def test_wrong_answers_in_numpy_are_recognised_too():
    def all_pairs(policy_logps, ref_logps, beta):
        scores = beta * (np.asarray(policy_logps) - ref_logps)
        better, worse = np.triu_indices(scores.shape[1], 1)
        return np.logaddexp(0, scores[:, worse] - scores[:, better]).mean()

    def mean(policy_logits, ref_logits, tokens, mask, beta):
        rows = rewards_numpy_loop(policy_logits, ref_logits, tokens, mask, beta)
        return np.array(rows) / mask.sum(1)

    for part, answer, key in (("4b", all_pairs, "all_pairs"), ("4a", mean, "mean")):
        assert graded(part, answer).diagnoses == tuple(
            m.message for m in WRONG[part] if m.key == key
        )


def test_changing_an_argument_in_place_costs_its_property():
    def rewards(policy_logits, ref_logits, tokens, mask, beta):
        policy_logits -= policy_logits.max()
        return exercise4.implicit_rewards(policy_logits, ref_logits, tokens, mask, beta)

    result = graded("4a", rewards)
    assert [p.key for p in result.properties if not p.held] == ["unchanged"]
    assert "policy_logits" in result.failure.yours and 0 < result.score < 2


def test_a_loss_without_gradient_costs_the_gradient():
    def detached(policy_logps, ref_logps, beta):
        return exercise4.ranked_loss(policy_logps.detach(), ref_logps, beta)

    def number(policy_logps, ref_logps, beta):
        return exercise4.ranked_loss(policy_logps, ref_logps, beta).item()

    held = {p.key: p.held for p in graded("4b", detached).properties}
    assert [key for key in held if not held[key]] == ["gradient", "extreme"]
    result = graded("4b", number)
    assert not {p.key: p.held for p in result.properties}["gradient"]
    assert "returned a float, which carries no gradient" in result.failure.yours


def test_one_wrong_place_is_shown_with_the_smallest_input_yours_and_expected():
    def from_four_on(policy_logps, ref_logps, beta):
        loss = exercise4.ranked_loss(policy_logps, ref_logps, beta)
        return loss if policy_logps.shape[1] < 4 else loss + 1

    result = graded("4b", from_four_on)
    stored = case("4b")["inputs"]["three rankings of four"]
    expected = exercise4.ranked_loss(
        torch.tensor(array(stored["policy_logps"])),
        torch.tensor(array(stored["ref_logps"])),
        stored["beta"],
    ).item()
    assert (
        result.diagnoses == () and result.failure.inputs.count("-10.1") == 1
    )  # the row of that probe
    assert float(result.failure.yours) == pytest.approx(expected + 1, abs=1e-5)
    assert float(result.failure.expected) == pytest.approx(expected, abs=1e-5)


def test_points_of_invariances_wait_until_a_value_is_right():
    result = graded("4b", lambda policy_logps, ref_logps, beta: torch.zeros(()))
    assert result.score == 0.0
    assert {
        p.earned
        for p in result.properties
        if p.key in ("shift", "no_reference_gradient", "unchanged")
    } == {None}


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_pairs_are_the_lessons_dpo():
    found = 0
    for probe in next(p for p in case("4b")["properties"] if p["key"] == "pairs")["probes"]:
        stored = {k: array(v) for k, v in case("4b")["inputs"][probe["input"]].items()}
        policy, ref = torch.tensor(stored["policy_logps"]), torch.tensor(stored["ref_logps"])
        dpo = dpo_loss(policy[:, 0], policy[:, 1], ref[:, 0], ref[:, 1], stored["beta"])
        assert dpo.item() == pytest.approx(float(array(probe["expected"])), rel=1e-5)
        found += 1
    assert found == 2


def test_frozen_rankings_are_probabilities_of_permutations():
    """Over all K! orders of one prompt, exp(−loss) sums to 1: it is the probability of a ranking."""
    from itertools import permutations

    stored = {k: array(v) for k, v in case("4b")["inputs"]["three rankings of four"].items()}
    policy, ref = torch.tensor(stored["policy_logps"]), torch.tensor(stored["ref_logps"])
    orders = list(permutations(range(4)))
    for row in range(3):
        losses = [
            exercise4.ranked_loss(policy[row, o][None], ref[row, o][None], stored["beta"])
            for o in orders
        ]
        assert torch.stack(losses).neg().exp().sum().item() == pytest.approx(1.0, abs=1e-9)


def test_frozen_gradients_are_differences_of_the_loss():
    spec = next(p for p in case("4b")["properties"] if p["key"] == "gradient")
    for probe in spec["probes"]:
        inputs = {k: array(v) for k, v in case("4b")["inputs"][probe["input"]].items()}
        differences = Trial(loss_numpy_loop, inputs, ("policy_logps",)).gradient(
            inputs, "policy_logps"
        )
        np.testing.assert_allclose(differences, array(probe["expected"]), atol=1e-6)


def test_frozen_data_is_small_and_plain():
    files = list(FOLDER.glob("*.json"))
    assert sorted(path.stem for path in files) == sorted(parts()) and set(REFERENCE) <= set(parts())
    assert all(path.stat().st_size < 250_000 for path in files)
    assert {part: case(part)["points"] for part in parts()} == {
        part: {"a": 2.0, "b": 3.0, "c": 3.0, "d": 2.0}[part[-1]] for part in parts()
    }
    for path in files:
        json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=lambda word: pytest.fail(f"{word} in {path.name}"),
        )


# ---- what must not score ------------------------------------------------------------------


def unwritten_stub(*arguments):
    raise NotImplementedError()


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("answer", [None, unwritten_stub], ids=["None", "stub"])
def test_the_stub_scores_nothing_with_a_neutral_panel(part, answer, capsys):
    assert check(part, answer) == 0.0
    captured = capsys.readouterr()
    assert captured.err == "" and "not attempted yet" in captured.out
    result = graded(part, answer)
    assert (result.status, result.properties, result.failure, result.diagnoses) == (
        "unattempted",
        (),
        None,
        (),
    )
    assert "#7A7A7A" in Panel(result)._repr_html_() and "#D55E00" not in Panel(result)._repr_html_()


def test_untouched_sides_of_4c_are_unattempted_and_one_side_alone_earns_its_point():
    assert graded("4c", lambda: {"safe": None, "unsafe": None}).status == "unattempted"
    one = graded("4c", lambda: {**exercise4.feature_examples(), "unsafe": None})
    assert one.score == 1.0 and "not written yet" in one.failure.yours
    assert graded("4c", lambda: {**exercise4.feature_examples(), "safe": None}).score == 2.0


def public_callables():
    for info in pkgutil.walk_packages(helpers.__path__, "helpers."):
        if not info.name.startswith("helpers.grader"):
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                if (
                    not name.startswith("_")
                    and callable(value)
                    and getattr(value, "__module__", "") == info.name
                ):
                    yield pytest.param(value, id=f"{info.name}.{name}")
    for name in sorted(set(helpers.grader.__all__) - {"check", "progress"}):
        yield pytest.param(getattr(helpers.grader, name), id=name)


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
    for part in parts():
        assert graded(part, function).score == 0.0


def test_the_walk_over_helpers_finds_what_the_lesson_uses():
    found = {param.id.split(".")[-1] for param in public_callables()}
    assert {"dpo_loss", "sequence_logps", "kl", "two_rules"} <= found and len(found) > 30


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize(
    "answer",
    [
        lambda *a: 0.0,
        lambda *a: torch.zeros(()),
        lambda *a: a[0] if a else {},
        lambda *a: a,
        lambda *a: np.zeros(len(a[0])) if a else 0,
        lambda *a: torch.tensor(0.693147),
    ],
)
def test_trivial_answers_score_nothing(part, answer):
    assert graded(part, answer).score == 0.0


# ---- hostile answers ----------------------------------------------------------------------


class Liar:
    """Claims to be equal to everything and to be any number."""

    __class__ = torch.Tensor
    shape, ndim, dtype, size = (), 0, np.float64, 1

    def __eq__(self, other):
        return True

    def __array__(self, *a, **k):
        raise SystemExit("read me")

    def __float__(self):
        return 1.0

    def __bool__(self):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise KeyError(name)


class LyingArray(np.ndarray):
    def __array__(self, *a, **k):
        raise SystemExit

    def astype(self, *a, **k):
        raise SystemExit


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        raise SystemExit("no")


class SmoothTensor(torch.Tensor):
    """Answers everything with what one hopes to hear."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return False if func is torch.Tensor.is_complex else torch.zeros(())


class LyingMeta(type):
    @property
    def __name__(cls):
        raise SystemExit

    __mro__ = ()


class Nameless(metaclass=LyingMeta):
    pass


class LyingText(str):
    def __getitem__(self, key):
        raise SystemExit

    def __str__(self):
        return self

    replace = isprintable = encode = None


class WordlessError(Exception):
    def __str__(self):
        raise SystemExit("even this")


class LyingError(Exception):
    def __str__(self):
        return LyingText("<img src=x onerror=alert(1)>")


def raising(error):
    def answer(*arguments):
        raise error

    return answer


def bottomless(*arguments):
    return bottomless(*arguments)


async def later(*arguments):
    return 0.0


def destroys_arguments(*arguments):
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            argument.data = torch.zeros(7, 7)
        elif isinstance(argument, np.ndarray):
            argument.resize((3,), refcheck=False)
        elif isinstance(argument, dict):
            argument.clear()
    return 0.0


def itself():
    loop: list = []
    loop.append(loop)
    return loop


RETURNED = {
    "a string": "42",
    "a long string": "x" * 10_000_000,
    "an object": object(),
    "a liar": Liar(),
    "a lying array": np.zeros(1).view(LyingArray),
    "a lying tensor": torch.zeros(1).as_subclass(LyingTensor),
    "a smooth tensor": torch.zeros(1).as_subclass(SmoothTensor),
    "a nameless type": Nameless(),
    "a huge integer": 10**5000,
    "NaN": float("nan"),
    "infinity": torch.tensor(float("inf")),
    "a complex tensor": torch.zeros(2, dtype=torch.complex64),
    "an object array": np.array([{}, 1], dtype=object),
    "an array of strings": np.array(["1"]),
    "an array of dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "a ragged list": [[1.0], [1.0, 2.0]],
    "a list in itself": itself(),
    "a dict of nonsense": {
        "safe": Liar(),
        "unsafe": {"features": Liar(), "chosen": "0", "rejected": None},
    },
    "a dict of NaN": {
        "safe": {"features": [[np.nan] * 2] * 3, "chosen": np.nan, "rejected": 1},
        "unsafe": 1,
    },
    "a sparse tensor": torch.zeros(2).to_sparse(),
    "a tensor of another device": torch.zeros(2, device="meta"),
    "an exception": ValueError("not raised"),
    "a module": torch.nn.Linear(1, 1),
}
RAISED = [
    ValueError("x"),
    SystemExit(3),
    GeneratorExit(),
    RecursionError(),
    MemoryError(),
    StopIteration(),
    LyingError(),
    WordlessError(),
    AssertionError(),
    Warning("w"),
    BaseException("bare"),
]
HOSTILE = (
    {f"returns {name}": (lambda *a, _v=value: _v) for name, value in RETURNED.items()}
    | {f"raises {type(error).__name__}": raising(error) for error in RAISED}
    | {
        "recursion": bottomless,
        "coroutine": later,
        "generator": lambda *a: (yield 1),
        "destroys": destroys_arguments,
        "no arguments": lambda: 3,
        "not a function": 3,
        "a liar itself": Liar(),
    }
)


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_answers_get_a_float_a_panel_and_no_stderr(part, name, capsys):
    score = check(part, HOSTILE[name])
    captured = capsys.readouterr()
    assert type(score) is float and score == 0.0
    assert captured.err == "" and part in captured.out
    result = graded(part, HOSTILE[name])
    assert len(Panel(result)._repr_html_()) < 20_000 and len(repr(Panel(result))) < 20_000


@pytest.mark.parametrize("part", ["4a", "4b", "4d"])
def test_text_from_an_answer_is_escaped_everywhere(part):
    evil = "<script>alert(1)</script>"
    for answer in (
        raising(ValueError(evil)),
        raising(LyingError()),
        raising(type(evil, (Exception,), {})()),
        lambda *a: type(evil, (), {})(),
    ):
        page = Panel(graded(part, answer))._repr_html_()
        assert "<script" not in page and "<img" not in page and "&lt;" in page


def test_escape_sequences_do_not_reach_the_terminal():
    assert "\x1b" not in repr(Panel(graded("4a", raising(ValueError("\x1b[2J\x07")))))


def test_texts_of_a_4c_answer_are_escaped_in_every_field():
    evil = "<script>"

    class Key:
        pass

    Key.__name__ = evil
    for side in ({"features": Key(), "chosen": 0, "rejected": 1}, Key()):
        page = Panel(graded("4c", lambda: {"safe": side, "unsafe": None}))._repr_html_()
        assert evil not in page and "&lt;script&gt;" in page


def test_warnings_and_stderr_of_an_answer_are_dropped(capsys):
    def noisy(*arguments):
        warnings.warn("hello")
        print("to stderr", file=sys.stderr)
        np.log(np.zeros(1))
        return exercise4.implicit_rewards(*arguments)

    assert check("4a", noisy) == 2.0
    assert capsys.readouterr().err == ""


def test_a_coroutine_leaves_no_complaint_behind():
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        check("4a", later)
        gc.collect()
    assert [str(c.message) for c in complaints] == []


def test_ctrl_c_stops_a_check():
    with pytest.raises(KeyboardInterrupt):
        check("4a", raising(KeyboardInterrupt()))


def test_a_right_answer_is_not_spoilt_by_one_that_destroyed_its_arguments():
    for part, answer in REFERENCE.items():
        graded(part, destroys_arguments)
        assert graded(part, answer).score == case(part)["points"]


def test_checks_leave_the_global_random_states_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    for part, answer in REFERENCE.items():
        graded(part, answer)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state[1], np.random.get_state()[1])


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


# ---- 4c -----------------------------------------------------------------------------------


def test_train_pair_is_gradient_descent_on_the_lessons_loss():
    """Its first step against autograd through helpers.losses, and the loss it reports against the same."""
    rng = np.random.default_rng(3)
    features, start = rng.normal(size=(5, 3)), rng.normal(size=3)
    training = train_pair(features, 1, 4, start)
    phi, w0 = torch.tensor(features), torch.tensor(start)
    w = w0.clone().requires_grad_()
    ref = (phi @ w0).log_softmax(0)
    for step in range(3):
        logps = (phi @ w).log_softmax(0)
        loss = dpo_loss(logps[[1]], logps[[4]], ref[[1]], ref[[4]], BETA)
        np.testing.assert_allclose(training.logps[step], logps.detach(), atol=1e-12)
        assert training.loss[step] == pytest.approx(loss.item(), abs=1e-12)
        (gradient,) = torch.autograd.grad(loss, w)
        w = (w - 0.5 * gradient).detach().requires_grad_()
    assert np.all(np.diff(training.loss) < 0) and np.all(np.diff(training.margin) > 0)


@pytest.mark.parametrize(
    "arguments, found",
    [
        (([1.0, 2.0], 0, 1), "shape (2,)"),
        (([[1.0], [np.nan]], 0, 1), "shape (2, 1)"),
        (([[1.0], [2.0]], 0, 2), "rejected = 2"),
        (([[1.0], [2.0]], -1, 1), "chosen = -1"),
        (([[1.0], [2.0]], 0.0, 1), "chosen = 0.0"),
        (([[1.0], [2.0]], 1, 1), "both 1"),
        (([[1.0], [2.0]], 0, 1, [1.0, 2.0]), "start of shape (2,)"),
    ],
)
def test_train_pair_refuses_bad_input(arguments, found):
    with pytest.raises(ValueError, match="expected") as error:
        train_pair(*arguments)
    assert found in str(error.value)


def changed_4c(side, **changes):
    answer = exercise4.feature_examples()
    answer[side] = {**answer[side], **changes}
    return lambda: answer


@pytest.mark.parametrize(
    "side, changes, found",
    [
        ("safe", {"features": [[1.0, 0], [0, 1]]}, "shape (2, 2)"),
        ("safe", {"features": np.zeros((51, 2))}, "shape (51, 2)"),
        ("safe", {"features": [[11.0, 0], [0, 1], [0, 0]]}, "length 11"),
        ("safe", {"features": [[np.inf, 0], [0, 1], [0, 0]]}, "length inf"),
        ("safe", {"features": [[np.nan, 0], [0, 1], [0, 0]]}, "length nan"),
        ("safe", {"features": "abc"}, "'features'"),
        ("safe", {"features": None}, "'features' is missing"),
        ("safe", {"chosen": 3}, "'chosen' is 3"),
        ("safe", {"chosen": 0.5}, "whole number"),
        ("safe", {"chosen": [0]}, "whole number"),
        ("safe", {"rejected": 0}, "both 0"),
        ("safe", {"start": [9.0, 0.0]}, "starts with probability"),
        ("safe", {"start": [9.0]}, "start of shape (1,)"),
        ("unsafe", {"harmful": -1}, "'harmful' is -1"),
        ("unsafe", {"features": [[1.0, 1.0], [0.0, 1.0], [10.0, 1.0]]}, "length 10"),
    ],
)
def test_4c_says_what_is_wrong_with_an_example(side, changes, found):
    result = graded("4c", changed_4c(side, **changes))
    assert found in result.failure.yours and result.failure.heading == "Your example"
    assert {p.key: p.held for p in result.properties}["safe"] == (side == "unsafe")


def test_4c_needs_the_third_response_to_be_named():
    result = graded("4c", changed_4c("unsafe", harmful=None))
    assert result.score == 2.0 and result.failure.yours == "'harmful' is missing"


@given(st.integers(0, 10_000))
def test_4c_points_follow_from_the_effect(seed):
    """On random examples: the verdict is what one reads off the training itself."""
    rng = np.random.default_rng(seed)
    K = int(rng.integers(3, 7))
    features, harmful = rng.normal(size=(K, 3)), int(rng.integers(K))
    side = {"features": features, "chosen": 0, "rejected": 1, "harmful": harmful}
    earned = {
        p.key: p.earned for p in graded("4c", lambda: {"safe": side, "unsafe": side}).properties
    }
    before, *_, after = train_pair(features, 0, 1).logps
    rise, gain = after[0] - before[0], np.exp(after) - np.exp(before)
    assert earned["safe"] == float(rise >= 0.1)
    assert earned["unsafe_falls"] == float(rise <= -0.1)
    took = harmful > 1 and gain.argmax() == harmful and gain[harmful] >= 0.1
    assert earned["unsafe_mass"] == (float(took) if rise <= -0.1 else None)


# ---- 4d -----------------------------------------------------------------------------------


def hidden_runs():
    from helpers.grader.frozen import unpack_run

    stored = case("4d")["runs"]
    return [unpack_run(s) for s in stored], np.array([s["outcome"] == "regressed" for s in stored])


def test_hidden_runs_are_what_the_exercise_says():
    found, regressed = hidden_runs()
    assert len(found) == 40 and regressed.sum() == 20
    assert all(runs.mean_margin(run) > 0.1 and runs.mean_chosen_change(run) < -0.1 for run in found)
    shapes = {key: value.shape for key, value in found[0].items()}
    assert (
        shapes == {k: (200,) if k.endswith("samples") else (150,) for k in shapes}
        and len(shapes) == 8
    )
    practice = [outcome for _, outcome in practice_runs()]
    assert sorted(practice) == ["healthy"] * 3 + ["regressed"] * 3


@pytest.mark.parametrize("metric", runs.MATCHED)
def test_matched_metrics_are_at_chance_on_the_hidden_runs(metric):
    found, regressed = hidden_runs()
    scores = np.array([metric(run) for run in found])
    assert 0.45 < runs.auc(scores[~regressed], scores[regressed]) < 0.55


def test_the_order_of_the_hidden_runs_says_nothing():
    _, regressed = hidden_runs()
    assert 0.25 < runs.auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75


def test_measured_aucs_are_reproduced_by_a_fresh_draw():
    """The first recorded seed again gives what is recorded; and the summaries are those of what is recorded."""
    record = json.loads(runs.MEASURED.read_text(encoding="utf-8"))
    found = runs.measure([record["first_seed"]], runs.candidates())
    assert {name: row["each"][0] for name, row in record["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()},
        abs=0.006,  # two of 400 pairs, for rounding
    )
    for name, row in record["auc"].items():
        assert len(row["each"]) == record["draws"] == len(runs.MEASURED_SEEDS)
        assert (row["mean"], row["least"]) == pytest.approx(
            (np.mean(row["each"]), min(row["each"])), abs=0.006
        )
        assert row["sd"] == pytest.approx(np.std(row["each"]), abs=0.006)
    assert record["auc"]["reference answer"]["least"] > case("4d")["full_points_from"]


@pytest.mark.parametrize(
    "reached, points", [(0.5, 0.0), (0.6, 0.0), (0.725, 1.0), (0.85, 2.0), (1.0, 2.0)]
)
def test_4d_points_grow_with_the_auc(reached, points):
    """A fake score with a known AUC: of 20 regressed runs, a share stands above all healthy ones, the rest below."""
    _, regressed = hidden_runs()
    order = iter(range(40))
    above = round(20 * reached)
    numbers = {
        i: (1.0 if rank < above else -1.0) for rank, i in enumerate(np.flatnonzero(regressed))
    }

    result = graded("4d", lambda run: numbers.get(next(order), 0.0))
    assert result.score == pytest.approx(2 * min(max((above / 20 - 0.6) / 0.25, 0), 1), abs=0.01)
    if above / 20 == reached:
        assert result.score == points


def test_4d_one_unusable_score_is_named():
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("4d", lambda run: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == "run 3 of 40"
        and "nan" in result.failure.yours
    )


def test_4d_constant_and_upside_down_scores_are_told_apart():
    assert "same score" in graded("4d", lambda run: 1).diagnoses[0]
    result = graded("4d", lambda run: -exercise4.harm_score(run))
    assert result.score == 0.0 and result.diagnoses == (exercise4.UPSIDE_DOWN,)


def test_4d_recognises_a_metric_in_any_units():
    result = graded("4d", lambda run: 100 - 7 * np.exp(runs.mean_margin(run)))
    assert result.diagnoses == (next(m.message for m in WRONG["4d"] if m.key == "margin"),)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_auc_counts_pairs_and_is_scikit_learns(healthy, regressed):
    pairs = [1.0 if r > h else 0.5 if r == h else 0.0 for h in healthy for r in regressed]
    expected = sum(pairs) / len(pairs)
    truth = [0] * len(healthy) + [1] * len(regressed)
    assert roc_auc_score(truth, healthy + regressed) == pytest.approx(expected)
    assert separation.auc(np.array(healthy), np.array(regressed)) == pytest.approx(expected)
    assert runs.auc(healthy, regressed) == pytest.approx(expected)


@pytest.mark.parametrize("healthy, regressed", [([], [1.0]), ([1.0], []), ([], [])])
def test_an_auc_of_one_class_only_is_refused(healthy, regressed):
    with pytest.raises(ValueError, match="expected scores of both"):
        separation.auc(np.array(healthy), np.array(regressed))


def test_every_call_gets_its_own_copy_of_a_run():
    def destroys(run):
        score = exercise4.harm_score(run)
        for value in run.values():
            value[:] = 0
        run.clear()
        return score

    assert graded("4d", destroys).score == graded("4d", destroys).score == 2.0


# ---- what is shown ------------------------------------------------------------------------


def test_check_returns_a_float_and_shows_a_panel(monkeypatch):
    shown = []
    monkeypatch.setattr(checking, "display", shown.append)
    for part, answer in REFERENCE.items():
        points = check(part, answer)
        assert type(points) is float and points == case(part)["points"]
    assert [type(panel) for panel in shown] == [Panel] * 4


@pytest.mark.parametrize("part", ["5z", "4", "", None, ["4a"], 4])
def test_an_unknown_part_is_refused_with_the_known_ones(part):
    with pytest.raises(ValueError, match="expected one of 1a, .*4a, 4b, 4c, 4d"):
        check(part, exercise4.feature_examples)


def test_a_result_instead_of_a_function_is_explained():
    result = graded("4a", 3.0)
    assert result.status == "error" and "expected the function itself" in result.note
    assert 'check("4a", implicit_rewards)' in repr(Panel(result))


def test_progress_adds_up_the_latest_checks(monkeypatch):
    shown = []
    monkeypatch.setattr(checking, "_latest", {})
    monkeypatch.setattr(checking, "display", shown.append)
    assert progress() == 0.0
    check("4a", exercise4.implicit_rewards)
    check("4d", exercise4.harm_score)
    assert progress() == 4.0
    check("4d", unwritten_stub)
    total = progress()
    assert total == 2.0 and type(total) is float
    bars = shown[-1]
    assert isinstance(bars, Progress) and f"2 of {10 * len(parts()) // 4} points" in repr(bars)
    page = bars._repr_html_()
    assert page.count("width:100%;") == 1 and page.count("width:0%;") == len(parts()) - 1


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

    for path in Path(inspect.getfile(checking)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith("solutions"), path
                assert not name.startswith("helpers.") or name.startswith("helpers.grader"), path
