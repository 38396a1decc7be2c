"""Exercise 3 in the grader: right answers of every style, every misconception, hostile answers, the hidden runs."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import torch
from grading import inputs_of, mutants
from hypothesis import given
from hypothesis import strategies as st
from test_exercises import UNTOUCHED, source_of
from test_grader import HOSTILE, graded, raising, unwritten_stub

from helpers.grader import check, harm, practice_policies
from helpers.grader.frozen import array, case
from helpers.grader.panel import Panel
from helpers.grader.trial import Trial, Unusable, attempt, close
from helpers.policies import frontier, kl, optimum
from solutions import build, cases_3, exercise3, runs, shifts

REFERENCE = {
    "3a": exercise3.shift,
    "3b": exercise3.beta_for_budget,
    "3c": exercise3.table_examples,
    "3d": exercise3.flag,
}
WRONG = {
    "3a": exercise3.MISCONCEPTIONS_3A,
    "3b": exercise3.MISCONCEPTIONS_3B,
    "3c": exercise3.MISCONCEPTIONS_3C,
    "3d": exercise3.MISCONCEPTIONS_3D,
}
MUTANTS = mutants(WRONG)


# ---- right answers, in several styles -----------------------------------------------------


def shift_loop(ref, rewards, beta):
    """Plain Python, response by response; lists."""
    policies, kls = [], []
    for row, rewarded in zip(ref.tolist(), rewards.tolist()):
        top = max(r for p, r in zip(row, rewarded) if p > 0)
        weights = [p * math.exp((r - top) / beta) if p > 0 else 0.0 for p, r in zip(row, rewarded)]
        total = sum(weights)
        policies.append([w / total for w in weights])
        kls.append(sum(q * math.log(q / p) for q, p in zip(policies[-1], row) if q > 0))
    return policies, kls


def shift_numpy(ref, rewards, beta):
    """Arrays; a list of two instead of a tuple."""
    ref = ref.astype(np.float64)
    scores = np.where(ref > 0, rewards / beta, -np.inf)
    weights = ref * np.exp(scores - scores.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    ratio = np.divide(policy, ref, out=np.ones(ref.shape), where=(policy > 0) & (ref > 0))
    return [policy, (policy * np.log(ratio)).sum(axis=1)]


def shift_by_log_z(ref, rewards, beta):
    """Torch, single precision where the rewards allow it; KL = E_π[r]/β − log Z, a shorter way to the same number."""
    top = rewards.amax(-1, keepdim=True)
    log_z = ((rewards - top) / beta + ref.log()).logsumexp(-1, keepdim=True)
    policy = ((rewards - top) / beta + ref.log() - log_z).exp()
    return policy, (policy * (rewards - top) / beta).sum(-1) - log_z.squeeze(-1)


def shift_distributions(ref, rewards, beta):
    """By torch.distributions."""
    keep = ref > 0
    logits = torch.where(
        keep,
        ref.clamp(min=1e-300 if ref.dtype == torch.float64 else 1e-38).log() + rewards / beta,
        torch.tensor(-math.inf, dtype=ref.dtype),
    )
    policy = torch.distributions.Categorical(logits=logits).probs
    return policy, torch.special.xlogy(policy, policy / torch.where(keep, ref, 1.0)).sum(1)


def beta_numpy(ref, rewards, budget):
    """Secant-free search on λ = 1/β by scipy's brentq over a doubled interval; arrays."""
    from scipy.optimize import brentq

    ref, rewards = np.asarray(ref, dtype=float), np.asarray(rewards, dtype=float)
    best = np.where(ref > 0, rewards, -np.inf).max(axis=1, keepdims=True)
    largest = float(np.mean([-math.log(p[r == b].sum()) for p, r, b in zip(ref, rewards, best)]))
    if budget >= largest:
        raise ValueError(f"at most {largest:.2f} nats")
    if budget <= 0:
        return math.inf
    unit = np.ptp(rewards)

    def off(strength):
        return float(np.mean(shift_numpy(ref, rewards / unit, 1 / strength)[1])) - budget

    high = 1.0
    while off(high) < 0:
        high *= 2
    return unit / brentq(off, 1e-9, high, xtol=1e-12)


def beta_newton(ref, rewards, budget):
    """Torch: Newton on log λ, safeguarded by halving; dKL/dλ = λ·Var_π(r). Returns a tensor."""
    ref, rewards = ref.double(), rewards.double()
    best = (
        torch.where(ref > 0, rewards, torch.tensor(-math.inf, dtype=torch.float64))
        .max(dim=1, keepdim=True)
        .values
    )
    largest = -((rewards == best) * ref).sum(dim=1).log().mean()
    if budget > largest:
        raise ValueError(f"the largest possible budget is {largest.item()}")
    if budget == 0:
        return torch.tensor(math.inf)
    low, high, log_strength = -60.0, 60.0, 0.0
    for _ in range(300):
        strength = math.exp(log_strength)
        policy, spent = exercise3.shift(ref, rewards, 1 / strength)
        mean = (policy * rewards).sum(1, keepdim=True)
        slope = strength**2 * (policy * (rewards - mean) ** 2).sum(1).mean().item()
        off = spent.mean().item() - budget
        low, high = (low, log_strength) if off > 0 else (log_strength, high)
        newton = log_strength - off / slope if slope > 0 else math.nan
        log_strength = newton if low < newton < high else (low + high) / 2
    return torch.tensor(1 / math.exp(log_strength), dtype=torch.float64)


def beta_loop(ref, rewards, budget):
    """Bisection on plain Python numbers, stopped at 10⁻⁵ nats; a numpy float comes back."""

    def spent(beta):
        kls = shift_loop(ref, rewards, beta)[1]
        return sum(kls) / len(kls)

    most = 0.0
    for row, rewarded in zip(ref.tolist(), rewards.tolist()):
        top = max(r for p, r in zip(row, rewarded) if p > 0)
        most -= math.log(sum(p for p, r in zip(row, rewarded) if r == top)) / len(ref)
    if budget > most:
        raise ValueError(f"budget must not exceed {most:.3f}")
    if budget == 0:
        return np.float64("inf")
    low, high = 1.0, 1.0
    while spent(low) < budget:
        low *= 0.1
    while spent(high) > budget:
        high *= 10
    while True:
        beta = math.sqrt(low * high)
        off = spent(beta) - budget
        if abs(off) < 1e-5:
            return np.float64(beta)
        low, high = (beta, high) if off > 0 else (low, beta)


def tables_of_other_types():
    """Tensors and arrays, single precision, rewards in another unit."""
    answer = exercise3.table_examples()
    ref = torch.tensor([0.16, 0.16, 0.16, 0.16, 0.12, 0.12, 0.11, 0.01])
    unsafe = {
        "ref": ref,
        "rewards": 100 * np.array([2, 1.5, 0.5, 0.5, 0, -0.5, -1, 6], dtype=np.float32),
    }
    return {
        "safe": {key: torch.tensor(value) for key, value in answer["safe"].items()},
        "unsafe": unsafe,
    }


def tables_of_two_kinds():
    """Safe: a reward that knows only the best; unsafe: two bad responses that are both rare."""
    safe = {"ref": (np.ones(8) / 8).tolist(), "rewards": [5, 0, 0, 0, 0, 0, 0, 0]}
    unsafe = {
        "ref": [0.2, 0.2, 0.2, 0.16, 0.16, 0.06, 0.01, 0.01],
        "rewards": [2, 1.5, 0.5, 0.5, 0, -0.5, 3, 5.0],
    }
    return {"safe": safe, "unsafe": unsafe}


def tables_with_the_smallest_probability():
    """A response at one in a million, with a reward to match."""
    rare = [(1 - 1e-6) / 7] * 7 + [1e-6]
    answer = exercise3.table_examples()
    return {**answer, "unsafe": {"ref": rare, "rewards": [*answer["unsafe"]["rewards"][:7], 300.0]}}


def flag_loop(reference_samples, policy_samples, judge):
    """One question at a time; a ratio instead of a difference."""
    policy, reference = (
        1 + sum(bool(judge(int(number))) for number in samples["response"])
        for samples in (policy_samples, reference_samples)
    )
    return math.log(policy / reference)


def flag_torch(reference_samples, policy_samples, judge):
    """Tensors; a two-sample z statistic, as a tensor of one element."""
    p, q = (
        torch.tensor(judge(s["response"])).double() for s in (policy_samples, reference_samples)
    )
    return ((p.mean() - q.mean()) / (p.var() / len(p) + q.var() / len(q)).sqrt())[None]


RIGHT = [
    *REFERENCE.items(),
    ("3a", shift_loop),
    ("3a", shift_numpy),
    ("3a", shift_by_log_z),
    ("3a", shift_distributions),
    ("3b", beta_numpy),
    ("3b", beta_newton),
    ("3b", beta_loop),
    ("3c", tables_of_other_types),
    ("3c", tables_of_two_kinds),
    ("3c", tables_with_the_smallest_probability),
    ("3d", exercise3.weighted_flag),
    ("3d", flag_loop),
    ("3d", flag_torch),
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
    assert check(part, answer) == case(part)["points"]


def test_one_style_of_each_kind_was_there():
    first = inputs_of("3a", "one prompt")
    assert Trial(shift_numpy, first).numpy and not Trial(shift_by_log_z, first).numpy


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
    assert {p.key for p in result.properties if not p.held} & set(wrong.shows_in)


@pytest.mark.parametrize(
    "part, key, left",
    [
        ("3a", "overflow", ["extreme"]),
        ("3a", "log_of_zero", ["zeros"]),
        ("3b", "no_refusal", ["too_much", "named"]),
        ("3b", "zero", ["zero"]),
    ],
)
def test_a_slip_at_the_edge_costs_the_edge_only(part, key, left):
    for variant in next(m for m in WRONG[part] if m.key == key).variants:
        assert [p.key for p in graded(part, variant).properties if not p.held] == left


def test_a_bare_refusal_costs_the_number_only():
    def bare(ref, rewards, budget):
        try:
            return exercise3.beta_for_budget(ref, rewards, budget)
        except ValueError:
            raise ValueError("too much") from None

    result = graded("3b", bare)
    assert [p.key for p in result.properties if not p.held] == ["named"] and result.score == 2.9
    assert "1.609 in its text" in result.failure.expected and "too much" in result.failure.yours


def test_another_exception_is_no_refusal():
    def wrong_kind(ref, rewards, budget):
        try:
            return exercise3.beta_for_budget(ref, rewards, budget)
        except ValueError as error:
            raise KeyError(str(error)) from None

    assert [p.key for p in graded("3b", wrong_kind).properties if not p.held] == [
        "too_much",
        "named",
    ]


def test_always_refusing_scores_nothing():
    result = graded("3b", raising(ValueError("at most 1.61, 0.87, 0.92 nats")))
    assert result.score == 0.0 and result.status == "error"


@pytest.mark.parametrize(
    "returned, found",
    [
        (lambda policy, kl: policy, "returned a Tensor: expected (policy, kl)"),
        (lambda policy, kl: (policy, kl, 1.0), "returned a tuple: expected (policy, kl)"),
        (lambda policy, kl: (policy,), "returned a tuple: expected (policy, kl)"),
        (lambda policy, kl: {"policy": policy, "kl": kl}, "returned a dict: expected (policy, kl)"),
        (lambda policy, kl: (None, kl), "returned None"),
    ],
)
def test_3a_says_what_came_back_instead_of_a_pair(returned, found):
    result = graded("3a", lambda *arguments: returned(*exercise3.shift(*arguments)))
    assert found in result.failure.yours and result.score < 2


def test_3a_the_pair_turned_round_scores_nothing():
    assert graded("3a", lambda *arguments: exercise3.shift(*arguments)[::-1]).score == 0.0


def test_3a_each_result_is_named_where_it_fails():
    result = graded(
        "3a",
        lambda *arguments: (exercise3.shift(*arguments)[0], exercise3.shift(*arguments)[1] + 1),
    )
    assert result.failure.yours.startswith("kl: ") and result.failure.expected.startswith("kl: ")
    assert next(p for p in result.properties if p.key == "policy").held


def test_3a_wrong_answers_in_numpy_are_recognised_too():
    def bits(ref, rewards, beta):
        policy, nats = shift_numpy(ref, rewards, beta)
        return policy, nats / np.log(2)

    assert graded("3a", bits).diagnoses == (
        next(m.message for m in WRONG["3a"] if m.key == "bits"),
    )


@pytest.mark.parametrize(
    "part, name", [("3a", "ref"), ("3a", "rewards"), ("3b", "ref"), ("3b", "rewards")]
)
def test_changing_an_argument_in_place_costs_its_property(part, name):
    def changes(ref, rewards, number):
        found = REFERENCE[part](ref, rewards, number)
        (ref if name == "ref" else rewards).mul_(2)
        return found

    result = graded(part, changes)
    assert [p.key for p in result.properties if not p.held] == [
        "unchanged"
    ] and name in result.failure.yours


# ---- frozen data --------------------------------------------------------------------------


def test_frozen_policies_are_the_lessons_optimum():
    for spec in case("3a")["properties"]:
        for probe in spec["probes"] if spec["kind"] == "expected" else ():
            given = inputs_of("3a", probe["input"])
            ref, rewards = (torch.tensor(given[name]).double() for name in ("ref", "rewards"))
            policy, _ = optimum(ref.log().log_softmax(-1), rewards, given["beta"])
            truth = (
                policy.exp() if probe["of"] == "policy" else kl(policy, ref.log().log_softmax(-1))
            )
            assert close(truth.numpy(), array(probe["expected"])), probe


def test_frozen_betas_spend_their_budget_and_what_is_accepted_is_a_tenth_of_a_millinat():
    counted = 0
    for spec in case("3b")["properties"]:
        for probe in spec["probes"]:
            if "within" in probe:
                given = inputs_of("3b", probe["input"])
                ref, rewards = (torch.tensor(given[name]).double() for name in ("ref", "rewards"))
                low, high = probe["within"]
                spent, _ = frontier(
                    ref.log(), rewards, [low, float(array(probe["expected"])), high]
                )
                expected = given["budget"] + cases_3.ACCEPTED * np.array([1, 0, -1])
                np.testing.assert_allclose(spent.numpy(), expected, atol=3e-6)
                counted += 1
    assert counted == 9 and array(case("3b")["properties"][5]["probes"][0]["expected"]) == math.inf


@given(st.integers(0, 10_000))
def test_the_largest_budget_is_the_limit_of_the_kl(seed):
    rng = np.random.default_rng(seed)
    ref = torch.tensor(rng.dirichlet(np.ones(4), size=3))
    rewards = torch.tensor(rng.integers(0, 4, size=(3, 4)).astype(float))  # ties happen
    largest = exercise3.largest_budget(ref, rewards)
    assert exercise3.mean_kl(ref, rewards, 1e-4) == pytest.approx(largest, abs=1e-9)
    if largest > 0.01:
        beta = exercise3.beta_for_budget(ref, rewards, 0.7 * largest)
        assert exercise3.mean_kl(ref, rewards, beta) == pytest.approx(0.7 * largest, abs=1e-7)
        assert exercise3.beta_for_budget(ref, rewards, 0.6 * largest) > beta


def test_fresh_inputs_would_be_judged_alike():
    """The batch runner's way: new cases from solutions/, the same verdicts."""
    fresh = cases_3.inputs_3a()
    for inputs in fresh.values():
        assert np.allclose(inputs["ref"].sum(1), 1, atol=1e-6)
    assert set(fresh) == set(case("3a")["inputs"]) and set(cases_3.inputs_3b()) == set(
        case("3b")["inputs"]
    )
    assert set(build.all_cases()) >= set(REFERENCE)


# ---- what must not score ------------------------------------------------------------------


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("answer", [None, unwritten_stub], ids=["None", "stub"])
def test_the_stub_scores_nothing_with_a_neutral_panel(part, answer, capsys):
    assert check(part, answer) == 0.0
    captured = capsys.readouterr()
    assert captured.err == "" and "not attempted yet" in captured.out
    assert graded(part, answer).status == "unattempted"


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize(
    "answer",
    [
        lambda *a: 0.0,
        lambda *a: a,
        lambda *a: a[:2],
        lambda *a: (a[0], a[0][..., 0]) if a else {},
        lambda *a: 1.0,
        lambda *a: float("inf"),
        lambda *a: {"safe": {}, "unsafe": {}},
    ],
)
def test_trivial_answers_score_nothing(part, answer):
    assert graded(part, answer).score == 0.0


# ---- hostile answers ----------------------------------------------------------------------


def asks_nonsense(reference_samples, policy_samples, judge):
    return judge("all")


def turns_the_judge(reference_samples, policy_samples, judge):
    judge._verdicts.clear()
    return judge(policy_samples["response"]).mean()


HOSTILE_3 = {
    **HOSTILE,
    "a pair of NaN": lambda *a: (float("nan"), float("nan")),
    "a pair of infinities": lambda *a: (torch.full((1, 2), math.inf), torch.full((1,), math.inf)),
    "a huge pair": lambda *a: (np.full((1, 2), 1e308), np.full(1, 1e308)),
    "a pair of strings": lambda *a: ("a", "b"),
    "a pair of pairs": lambda *a: ((1, 2), (3, 4)),
    "tables of strings": lambda *a: {
        "safe": {"ref": "a", "rewards": 1},
        "unsafe": {"ref": [1] * 8, "rewards": "b"},
    },
    "huge tables": lambda *a: {
        s: {"ref": [1e308] * 8, "rewards": [1e308] * 8} for s in ("safe", "unsafe")
    },
    "tables of NaN": lambda *a: {
        s: {"ref": [math.nan] * 8, "rewards": [0] * 8} for s in ("safe", "unsafe")
    },
    "asks nonsense": asks_nonsense,
    "turns the judge": turns_the_judge,
}


@pytest.mark.parametrize("part", list(REFERENCE))
@pytest.mark.parametrize("name", list(HOSTILE_3))
def test_hostile_answers_get_a_float_a_panel_and_no_stderr(part, name, capsys):
    score = check(part, HOSTILE_3[name])
    captured = capsys.readouterr()
    assert type(score) is float and score == 0.0
    assert captured.err == "" and part in captured.out
    result = graded(part, HOSTILE_3[name])
    assert len(Panel(result)._repr_html_()) < 20_000 and len(repr(Panel(result))) < 20_000
    assert (
        graded(part, REFERENCE[part]).score == case(part)["points"]
    )  # and it spoilt nothing for the next


@pytest.mark.parametrize("part", list(REFERENCE))
def test_text_from_an_answer_is_escaped_everywhere(part):
    evil = "<script>alert(1)</script>"
    for answer in (
        raising(ValueError(evil)),
        lambda *a: type(evil, (), {})(),
        lambda *a: (type(evil, (), {})(), 0),
        lambda *a: {
            "safe": type(evil, (), {})(),
            "unsafe": {"ref": type(evil, (), {})(), "rewards": 0},
        },
    ):
        assert "<script" not in Panel(graded(part, answer))._repr_html_()


# ---- 3c -----------------------------------------------------------------------------------


def changed_3c(side, **changes):
    answer = exercise3.table_examples()
    answer[side] = {**answer[side], **changes}
    return lambda: answer


@pytest.mark.parametrize(
    "side, changes, found",
    [
        ("safe", {"ref": [0.25] * 4}, "'ref' of shape (4,)"),
        ("safe", {"rewards": [[1.0] * 8]}, "'rewards' of shape (1, 8)"),
        ("safe", {"rewards": None}, "'rewards' is missing"),
        ("safe", {"rewards": "high"}, "'rewards': a str instead of numbers"),
        ("safe", {"rewards": [np.inf] + [0.0] * 7}, "'rewards' up to inf"),
        ("safe", {"rewards": [np.nan] + [0.0] * 7}, "'rewards' up to nan"),
        ("safe", {"rewards": [1001.0] + [0.0] * 7}, "'rewards' up to 1e+03"),
        ("safe", {"ref": [0.25] * 4 + [0.0] * 4}, "probability 0"),
        ("safe", {"ref": [0.3] * 4 + [-0.05] * 4}, "probability -0.05"),
        ("safe", {"ref": [0.2] * 8}, "sums to 1.6"),
        ("safe", {"rewards": [3.0] * 8}, "all rewards are equal"),
        ("safe", {"rewards": [3.0] * 4 + [1.0] * 4}, "at most 0.693 nats"),
        (
            "safe",
            {"rewards": [3.0, 3.0 - 4e-16 * 8] + [1.0] * 6, "ref": [0.3, 0.2] + [0.5 / 6] * 6},
            "nearly equal",
        ),
    ],
)
def test_3c_says_what_is_wrong_with_a_table(side, changes, found):
    result = graded("3c", changed_3c(side, **changes))
    assert found in result.failure.yours and result.failure.heading == "Your table"
    assert {p.key: p.held for p in result.properties} == {
        "safe": False,
        "unsafe_lowers": True,
        "unsafe_unseen": True,
    }


def test_3c_one_side_alone_earns_its_points():
    assert graded("3c", lambda: {"safe": None, "unsafe": None}).status == "unattempted"
    assert graded("3c", lambda: {**exercise3.table_examples(), "unsafe": None}).score == 1.0
    one = graded("3c", lambda: {**exercise3.table_examples(), "safe": None})
    assert one.score == 2.0 and "not written yet" in one.failure.yours


@given(st.integers(0, 10_000))
def test_3c_points_follow_from_the_effect(seed):
    """On random tables: the verdict is what the reference answers of 3a and 3b make of them."""
    rng = np.random.default_rng(seed)
    ref, rewards = (
        rng.dirichlet(np.full(8, 3.0)),
        rng.normal(size=8) + rng.normal() * np.array(exercise3.QUALITY),
    )
    quality = np.array(exercise3.QUALITY)
    side = {"ref": ref, "rewards": rewards}
    earned = {
        p.key: p.earned for p in graded("3c", lambda: {"safe": side, "unsafe": side}).properties
    }
    tensors = torch.tensor(ref)[None], torch.tensor(rewards)[None]
    if exercise3.largest_budget(*tensors) <= 1:
        assert set(earned.values()) == {0.0, None}
        return
    policy, spent = exercise3.shift(*tensors, exercise3.beta_for_budget(*tensors, 1.0))
    assert spent.item() == pytest.approx(1, abs=1e-6)
    change = float((policy[0].numpy() - ref) @ quality)
    deviations = rewards - ref @ rewards, quality - ref @ quality
    correlation = ref @ np.prod(deviations, 0) / np.sqrt(np.prod([ref @ d**2 for d in deviations]))
    assert earned["safe"] == float(change >= 0.2)
    assert earned["unsafe_lowers"] == float(change <= -0.2)
    assert earned["unsafe_unseen"] == (float(correlation >= 0.5) if change <= -0.2 else None)


def test_3c_the_learner_has_the_quality_and_the_bounds_that_are_checked():
    data, question = case("3c"), source_of(UNTOUCHED, "q3c")
    listed = [
        float(q.replace("−", "-"))
        for q in re.findall(r"^\| \d \| [^|]* \| ([−\d.]+) \|$", question, re.M)
    ]
    space: dict = {"np": np}
    exec(source_of(UNTOUCHED, "d3c"), space)  # prints, and defines what the learner works with
    assert listed == data["quality"] == space["quality"].tolist()
    unsafe = exercise3.table_examples()["unsafe"]
    correlation = space["correlation"](np.array(unsafe["ref"]), np.array(unsafe["rewards"]))
    assert correlation > data["thresholds"]["correlation"]
    assert (
        f"**{data['budget']:g} nat**" in question
        and f"{data['thresholds']['correlation']:g} or more" in question
    )
    assert question.count(f"at least {data['thresholds']['change']:g}") == 2
    assert f"{data['bounds']['least_probability']:f}" in question
    assert f"{data['bounds']['largest_reward']:g}" in question


# ---- 3d -----------------------------------------------------------------------------------


def hidden_runs():
    stored = case("3d")["runs"]
    return [harm.unpack(s) for s in stored], np.array([s["outcome"] == "regressed" for s in stored])


def reached(metric) -> float:
    found, regressed = hidden_runs()
    scores = np.array([metric(*run) for run in found])
    return runs.auc(scores[~regressed], scores[regressed])


@pytest.fixture(scope="module")
def drawn():
    return shifts.pairs(shifts.FROZEN_SEED, 20)


def test_drawn_runs_are_what_the_exercise_says(drawn):
    for healthy, regressed in drawn:
        assert healthy.reward_gain == pytest.approx(shifts.GAIN, abs=1e-9)
        assert regressed.reward_gain == pytest.approx(shifts.GAIN, abs=1e-9)
        assert (
            healthy.kl == pytest.approx(regressed.kl, abs=1e-6)
            and shifts.KL[0] <= healthy.kl <= shifts.KL[1]
        )
        assert shifts.HARM["healthy"][0] - 1e-9 <= healthy.harm_change <= 1e-9
        assert (
            shifts.HARM["regressed"][0] - 1e-9
            <= regressed.harm_change
            <= shifts.HARM["regressed"][1] + 1e-9
        )


def test_stored_runs_are_the_drawn_ones(drawn):
    """In the stored order, up to the order of samples: the same samples, rewards, log-ratios and verdicts."""
    found, regressed = hidden_runs()
    assert len(found) == 40 and regressed.sum() == 20
    both = [run for pair in drawn for run in pair]
    order = np.random.default_rng(shifts.FROZEN_SEED + 1).permutation(40)
    for (reference, policy, judge), place in zip(found, order):
        for mine, theirs in (
            (reference, both[place].reference_samples),
            (policy, both[place].policy_samples),
        ):
            assert {name: values.shape for name, values in mine.items()} == dict.fromkeys(
                theirs, (200,)
            )
            for name in mine:
                assert sorted(mine[name].tolist()) == sorted(theirs[name].tolist())
            assert np.array_equal(judge(mine["response"]), both[place].judge(mine["response"]))
    assert (
        0.25 < runs.auc(np.flatnonzero(~regressed), np.flatnonzero(regressed)) < 0.75
    )  # the order says nothing
    assert sorted(run[-1] for run in practice_policies()) == ["healthy"] * 3 + ["regressed"] * 3


def test_whether_a_response_is_harmful_is_not_stored():
    keys = {
        "outcome",
        "response",
        "reward",
        "log_ratio",
        "verdicts",
        "reference_counts",
        "policy_counts",
    }
    assert all(set(stored) == keys for stored in case("3d")["runs"] + case("3d")["practice"])


def test_the_judge_is_right_seven_times_in_ten_and_as_strict_as_it_happens_to_be():
    rng = np.random.default_rng(5)
    sharpness, readiness = [], []
    for _ in range(60):
        run = shifts.draw(rng, 0.25, 0.6)
        readiness.append(run.judge(np.arange(shifts.K)).mean())
        flagged = [
            run.judge(samples["response"]).mean()
            for samples in (run.reference_samples, run.policy_samples)
        ]
        sharpness.append((flagged[1] - flagged[0]) / run.harm_change)
    # flagged share = strictness offset + (2·0.7 − 1)·share harmful: the difference is 0.4 of the change of harm
    assert np.mean(sharpness) == pytest.approx(2 * shifts.ACCURACY - 1, abs=0.1)
    assert max(readiness) - min(readiness) > 0.3


def test_obvious_metrics_do_not_separate_the_hidden_runs_and_the_answer_does():
    for metric in (shifts.mean_reward, shifts.kl_estimate, shifts.unfamiliar):
        assert 0.3 < reached(metric) < 0.7
    assert (
        reached(shifts.judged_alone)
        < 0.85
        < reached(exercise3.flag)
        < reached(exercise3.weighted_flag)
    )


def test_measured_aucs_are_reproduced_by_a_fresh_draw():
    record = json.loads(shifts.MEASURED.read_text(encoding="utf-8"))
    found = shifts.measure([record["first_seed"]], shifts.candidates())
    assert {name: row["each"][0] for name, row in record["auc"].items()} == pytest.approx(
        {name: values[0] for name, values in found.items()}, abs=0.006
    )
    for row in record["auc"].values():
        assert len(row["each"]) == record["draws"] == len(shifts.MEASURED_SEEDS)
        expected = np.mean(row["each"]), np.std(row["each"]), min(row["each"])
        assert (row["mean"], row["sd"], row["least"]) == pytest.approx(expected, abs=0.006)
    assert record["auc"]["reference answer"]["least"] > case("3d")["full_points_from"]
    assert record["auc"]["fall of the mean reward"]["mean"] == pytest.approx(0.5, abs=0.03)


def test_the_numbers_in_3d_are_the_measured_ones():
    question, hints = source_of(UNTOUCHED, "q3d"), source_of(UNTOUCHED, "h3d")
    measured = json.loads(shifts.MEASURED.read_text(encoding="utf-8"))
    table = dict(re.findall(r"^\| ([^|]*?) \| (\d\.\d\d ± \d\.\d\d) \|$", question, re.M))
    expected = {
        name: f"{row['mean']:.2f} ± {row['sd']:.2f}" for name, row in measured["auc"].items()
    }
    better = expected.pop("reference answer, weighted by log-ratio")
    del expected["reference answer"]
    assert table == expected and f"{measured['draws']} fresh draws" in question
    assert f"AUC near {better.split()[0]}" in hints
    low, high = shifts.HARM["regressed"]
    for stated in (
        f"by {low:g} to {high:g}",
        "half a standard deviation",
        f"{shifts.ACCURACY:.0%}".replace("%", " %"),
        f"({shifts.SAMPLES},)",
        f"{case('3d')['full_points_from']:.2f} earns both",
        f"{case('3d')['no_points_up_to']:.2f} none",
    ):
        assert stated in question, stated
    assert shifts.GAIN == 0.5


def test_3d_points_grow_with_the_auc():
    _, regressed = hidden_runs()
    for above, points in (
        (10, 0.0),
        (15, 0.0),
        (17, 2.0),
        (20, 2.0),
        (16, pytest.approx(1.0, abs=0.01)),
    ):
        order = iter(range(40))
        numbers = {
            i: (1.0 if rank < above else -1.0) for rank, i in enumerate(np.flatnonzero(regressed))
        }
        assert graded("3d", lambda *run: numbers.get(next(order), 0.0)).score == points


def test_3d_upside_down_constant_and_unusable_scores_are_told_apart():
    assert graded("3d", lambda *run: -exercise3.flag(*run)).diagnoses == (exercise3.UPSIDE_DOWN,)
    assert "same score" in graded("3d", lambda *run: 1).diagnoses[0]
    numbers = iter([0.0, 1.0, float("nan")])
    result = graded("3d", lambda *run: next(numbers))
    assert (
        result.score == 0.0
        and result.failure.inputs == "run 3 of 40"
        and "nan" in result.failure.yours
    )
    shown = graded("3d", shifts.kl_estimate).failure.inputs
    assert re.search(r"judged harmful \d+% → \d+%", shown)


def test_3d_every_call_gets_its_own_copy():
    def destroys(reference_samples, policy_samples, judge):
        score = exercise3.flag(reference_samples, policy_samples, judge)
        for samples in (reference_samples, policy_samples):
            for values in samples.values():
                values[:] = 0
            samples.clear()
        judge._verdicts.clear()
        return score

    assert graded("3d", destroys).score == graded("3d", destroys).score == 2.0


def test_the_judge_answers_in_the_shape_of_the_question_and_refuses_what_is_no_id():
    _, policy, judge, _ = practice_policies()[0]
    ids = policy["response"]
    assert judge(ids).shape == (200,) and judge(ids).dtype == bool
    assert (
        judge(ids.reshape(20, 10)).shape == (20, 10)
        and judge(int(ids[0])).shape == ()
        and judge([]).shape == (0,)
    )
    assert np.array_equal(judge(ids), judge(torch.tensor(ids)))
    for nonsense in (-1, 10**9, "all", [0.5], None, ["a"]):
        with pytest.raises(ValueError, match="expected ids"):
            judge(nonsense)


# ---- the notebook -------------------------------------------------------------------------


def test_worked_numbers_of_the_hints_are_right():
    ref, rewards = torch.tensor([[0.8, 0.2]]).double(), torch.tensor([[0.0, 1.0]]).double()
    first, spent = exercise3.shift(ref, rewards, 1.0)
    half = exercise3.shift(ref, rewards, 0.5)[1].item()
    hints_a, hints_b = source_of(UNTOUCHED, "h3a"), source_of(UNTOUCHED, "h3b")
    for number in (
        *first[0].tolist(),
        spent.item(),
        half,
        0.2 * math.e,
        0.8 + 0.2 * math.e,
        0.2 * math.e**2,
    ):
        assert f"{number:.3f}" in hints_a
    middle = exercise3.shift(ref, rewards, math.sqrt(0.5))[1].item()
    for number in (spent.item(), half, middle, exercise3.largest_budget(ref, rewards)):
        assert f"{number:.3f}" in hints_b
    assert half > 4 * spent.item()


def test_worked_tables_of_3c_do_what_the_hint_says():
    assert f"{math.log(1 / 0.495):.2f} nats" in source_of(UNTOUCHED, "h3c")
    ref, rewards = (
        torch.tensor([[0.495, 0.495, 0.01]]).double(),
        torch.tensor([[1.0, 0.0, 2.0]]).double(),
    )
    quality = torch.tensor([1.0, 0.0, -5.0]).double()
    betas = [exercise3.beta_for_budget(ref, rewards, budget) for budget in (0.02, 1.5)]
    little, much = ((exercise3.shift(ref, rewards, beta)[0] @ quality).item() for beta in betas)
    assert much < (ref @ quality).item() < little


def test_trial_reads_one_of_several_results():
    trial = Trial(shift_loop, inputs_of("3a", "one prompt"))
    assert trial.value(inputs_of("3a", "one prompt"), ("policy", "kl"), "kl").shape == (1,)
    with pytest.raises(Unusable):
        trial.value(inputs_of("3a", "one prompt"), ("policy", "kl", "more"), "kl")
    assert attempt(raising(ValueError())).refused and not attempt(raising(TypeError())).refused


def test_infinity_is_near_itself_only():
    infinite = np.array(np.inf)
    assert (
        close(infinite, infinite)
        and not close(np.array(1e300), infinite)
        and not close(-infinite, infinite)
    )
