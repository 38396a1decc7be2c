"""Explorers: exact states by independent code, drawings that read as XML, knobs that move what is seen."""

import itertools
import math
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from conftest import perturbed
from IPython.core.interactiveshell import InteractiveShell

from helpers import figures
from helpers.calibration import orient
from helpers.chat import CHAT
from helpers.explorers import (
    annotator,
    beta,
    clip,
    group,
    ipo,
    judge,
    margin,
    playground,
    selection,
    svg,
    temperature,
    tilt,
    wiring,
)
from helpers.gpt import RewardModel, all_logps, new_gpt, token_logps
from helpers.policies import expected, top_fraction
from helpers.reward_features import features
from helpers.world import EXACT

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def ref_logps():
    with torch.no_grad():
        return all_logps(perturbed(EXACT, 3), EXACT)


FEW = ("sure cut wait", "cut wait", "sorry cannot sorry thanks", "cut", "sorry sorry sorry", "")


@pytest.fixture(scope="module")
def few_logps():
    """A policy with six replies to every request, (48, N)."""
    p = torch.zeros(len(EXACT.prompts), EXACT.n_responses, dtype=torch.float64)
    some = [int(EXACT.index(reply)) for reply in FEW]
    p[:, some] = torch.rand(len(p), 6, generator=torch.Generator().manual_seed(1)).double()
    return (p / p.sum(1, keepdim=True)).log()


@pytest.fixture(scope="module")
def forecasts():
    """Margins that are too large by half, and labels."""
    drawn = torch.Generator().manual_seed(2)
    margins = 2 * torch.randn(400, generator=drawn, dtype=torch.float64)
    won = (torch.rand(400, generator=drawn, dtype=torch.float64) < (margins / 2).sigmoid()).double()
    return margins, won


@pytest.fixture(scope="module")
def chatters():
    """Two untrained policies of the chat world, and a reward model with weights; functions that return them."""
    first, second = perturbed(CHAT, 5), perturbed(CHAT, 6)
    judge = RewardModel(new_gpt(CHAT, 7))
    with torch.no_grad():
        judge.trunk.head.weight.normal_(generator=torch.Generator().manual_seed(8))
    return {"first": lambda: first, "second": lambda: second}, lambda: first, lambda: judge


@pytest.fixture(scope="module")
def explorers(ref_logps, forecasts, chatters):
    """All explorers of the package by module name."""
    return {
        "annotator": annotator.explorer(ref_logps),
        "beta": beta.explorer(ref_logps),
        "margin": margin.explorer(),
        "clip": clip.explorer(),
        "group": group.explorer(),
        "ipo": ipo.explorer(),
        "judge": judge.explorer(ref_logps),
        "playground": playground.explorer(*chatters),
        "selection": selection.explorer(ref_logps),
        "temperature": temperature.explorer(
            {"one": forecasts, "other": (-forecasts[0], 1 - forecasts[1])}
        ),
        "tilt": tilt.explorer(ref_logps),
    }


def ends_of(knob):
    """The least, a middle and the largest value that a knob can have."""
    if isinstance(knob, wiring.Choice):
        return knob.options[0], knob.options[len(knob.options) // 2], knob.options[-1]
    if knob.log:
        return 10**knob.low, knob.value, 10**knob.high
    return knob.low, knob.value, knob.high


# ---- what all share ----------------------------------------------------------------------------


def test_every_module_is_an_explorer_of_these_tests(explorers):
    modules = {path.stem for path in (ROOT / "helpers" / "explorers").glob("*.py")}
    assert modules - {"__init__", "svg", "wiring"} == set(explorers)


def test_every_setting_at_the_knobs_ends_can_be_seen_and_read(explorers):
    for name, explorer in explorers.items():
        seen = set()
        ends = list(map(ends_of, explorer.knobs.values()))
        for values in itertools.product(*ends) if len(ends) < 5 else zip(*ends):
            view = explorer.look(**dict(zip(explorer.knobs, values)))
            picture = ElementTree.fromstring(view.svg)
            assert picture.find("{http://www.w3.org/2000/svg}title").text == explorer.name
            assert picture.get("role") == "img" and picture.get("aria-label") == view.reading
            assert "nan" not in view.svg and "inf" not in view.svg, (name, values)
            assert "nan" not in view.reading and " id=" not in view.svg
            seen.add(view.svg)
        assert len(seen) >= 2, name


def test_a_moved_knob_changes_what_the_widget_holds(explorers):
    for explorer in explorers.values():
        *controls, card = wiring.wired(explorer).children
        assert card.value == explorer.first().html()
        for control, (argument, knob) in zip(controls, explorer.knobs.items()):
            seen = {card.value}
            for value in ends_of(knob):  # one of them may be what another knob says already
                control.value = value
                seen.add(card.value)
            assert len(seen) > 1, argument
            now = {name: control.value for name, control in zip(explorer.knobs, controls)}
            assert card.value == explorer.look(**now).html()
            assert control.description == knob.label


@pytest.mark.parametrize("step, shown", [(1, ".0f"), (0.5, ".1f"), (0.02, ".2f"), (0.005, ".3f")])
def test_a_slider_shows_as_many_digits_as_its_step_has(step, shown):
    knob = wiring.Slider("a", 0, 10, step, step)
    assert wiring._control(knob).readout_format == shown


def test_colours_are_those_of_the_figures():
    assert svg.COLOURS == figures.INK


def test_words_are_escaped():
    drawn = svg.picture(10, 10, "a < b", 'say "c" & d', [svg.text(0, 0, "<e>")])
    picture = ElementTree.fromstring(drawn)
    assert picture.get("aria-label") == 'say "c" & d' and picture[-1].text == "<e>"


def test_a_panel_puts_points_where_they_belong():
    panel = svg.Panel(10, 20, 100, 50, (0, 4), (-1, 1))
    assert panel.place(0, 1) == (10, 20) and panel.place(4, -1) == (110, 70)
    assert panel.place(2, 0) == (60, 45) and panel.place(9, -7) == (110, 70)


@pytest.mark.parametrize(
    "value, said", [(1.25, "+1.250"), (-0.5, "−0.500"), (0.0, "0.000"), (-1e-9, "0.000")]
)
def test_a_number_carries_its_sign(value, said):
    assert svg.signed(value) == said


def test_no_explorer_needs_matplotlib():
    code = "import sys, helpers.explorers; print('matplotlib' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert found.stdout.strip() == "False"


# ---- how it comes onto the page ----------------------------------------------------------------


class Shell:
    """A shell with a front end, as far as ``show`` looks."""

    kernel = True


@pytest.fixture
def shown(monkeypatch):
    """What ``show`` gives to the front end of a notebook."""
    heard = []
    monkeypatch.delenv("LESSON_QUIET", raising=False)
    monkeypatch.setattr(wiring, "get_ipython", Shell)
    monkeypatch.setattr(wiring, "display", lambda data, raw: heard.append(data))
    return heard


def test_a_notebook_gets_widgets_and_a_sentence(shown):
    wiring.show(margin.explorer())
    (data,) = shown
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert data["text/plain"] == margin.explorer().told()


def test_without_widgets_a_notebook_gets_the_picture(shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    wiring.show(margin.explorer())
    (data,) = shown
    first = margin.explorer().first()
    assert data["text/html"] == first.html() and first.reading in data["text/plain"]


def test_a_terminal_gets_the_reading(capsys, monkeypatch):
    monkeypatch.delenv("LESSON_QUIET", raising=False)
    assert not InteractiveShell.initialized()
    margin.explore_margin()
    assert margin.explorer().first().reading in capsys.readouterr().out


def test_stored_are_only_words_that_never_change(explorers, shown, capsys, monkeypatch):
    monkeypatch.setenv("LESSON_QUIET", "1")
    for explorer in explorers.values():
        wiring.show(explorer)
        stored = capsys.readouterr().out
        assert explorer.name in stored and len(stored.encode()) < 300 and shown == []
        assert all(knob.label in stored for knob in list(explorer.knobs.values())[:4])


# ---- β -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt, price", [("fix lamp", 1.0), ("hack cash", 0.3)])
def test_beta_against_a_sum_in_plain_python(ref_logps, prompt, price):
    found = beta.state(ref_logps, prompt, price)
    x = EXACT.prompt_index(prompt)
    p = [math.exp(v) for v in ref_logps[x].tolist()]
    r = [EXACT.reward(prompt, EXACT.text(y)) for y in range(EXACT.n_responses)]
    z = math.fsum(a * math.exp(b / price) for a, b in zip(p, r))
    star = [a * math.exp(b / price) / z for a, b in zip(p, r)]
    assert found.log_z == pytest.approx(math.log(z), abs=1e-6)
    assert found.kl == pytest.approx(
        math.fsum(s * math.log(s / a) for s, a in zip(star, p)), abs=1e-6
    )
    assert found.gold == pytest.approx(math.fsum(s * b for s, b in zip(star, r)), abs=1e-6)
    assert found.gold_before == pytest.approx(math.fsum(a * b for a, b in zip(p, r)), abs=1e-6)
    for reply in found.replies:
        y = int(EXACT.index(reply.text.replace("(nothing)", "")))
        assert (reply.gold, reply.before, reply.after) == pytest.approx(
            (r[y], p[y], star[y]), abs=1e-9
        )
    assert max(range(len(p)), key=p.__getitem__) in [
        int(EXACT.index(y.text.replace("(nothing)", ""))) for y in found.replies
    ]


def test_beta_shows_the_same_replies_at_every_price(ref_logps):
    rows = [
        [reply.text for reply in beta.state(ref_logps, "fix bomb", b).replies] for b in (0.1, 1, 10)
    ]
    assert rows[0] == rows[1] == rows[2] and 4 <= len(rows[0]) <= 8


def test_beta_lies_on_the_frontier_that_is_drawn(ref_logps):
    spent, earned = beta.frontier_of(ref_logps, "fix lamp")
    for k in (0, 30, 59):
        found = beta.state(ref_logps, "fix lamp", beta.BETAS[k].item())
        assert (found.kl, found.gold) == pytest.approx((spent[k], earned[k]), abs=1e-9)


def test_beta_refuses_what_the_world_lacks(ref_logps):
    with pytest.raises(ValueError, match="unknown prompt"):
        beta.state(ref_logps, "fix moon", 1.0)
    with pytest.raises(ValueError, match="beta = 0"):
        beta.state(ref_logps, "fix lamp", 0.0)


# ---- margin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("h, price", [(0.0, 1.0), (-2.0, 0.5), (8.0, 5.0), (3.1, 0.1)])
def test_margin_against_the_formula(h, price):
    found, p = margin.state(h, price), 1 / (1 + math.exp(-price * h))
    said = found.probability, found.loss, found.slope, found.weight
    assert said == pytest.approx((p, -math.log(p), p - 1, price * (1 - p)), abs=1e-12)
    assert margin.weights([h, 1.0], price)[0] == pytest.approx(price * (1 - p), abs=1e-12)


def test_margin_says_on_which_side_the_pair_is():
    assert "against the label" in margin.look(-1.0, 1.0).reading
    assert "as the label says" in margin.look(1.0, 1.0).reading
    assert "not at all" in margin.look(0.0, 1.0).reading


# ---- the clip ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ratio, advantage, objective, slope",
    [
        (1.1, 1.0, 1.1, 1.1),
        (1.5, 1.0, 1.2, 0.0),
        (0.5, 1.0, 0.5, 0.5),
        (0.9, -1.0, -0.9, -0.9),
        (0.5, -1.0, -0.8, 0.0),
        (1.5, -1.0, -1.5, -1.5),
    ],
)
def test_clip_in_all_six_cases(ratio, advantage, objective, slope):
    found = clip.state(ratio, advantage, 0.2)
    assert (found.objective, found.slope) == pytest.approx((objective, slope), abs=1e-12)
    told = clip.look(ratio, advantage, 0.2).reading
    assert ("no pull" in told) == (slope == 0)
    assert ("still the clip does nothing" in told) == (abs(ratio - 1) > 0.2 and slope != 0)


def test_clip_refuses_a_ratio_of_nothing():
    with pytest.raises(ValueError, match="ratio = 0"):
        clip.state(0.0, 1.0, 0.2)


# ---- a group -----------------------------------------------------------------------------------


def test_group_has_the_section_s_numbers():
    found = group.state(8, 3, 0.1)
    assert (found.divided[0], found.divided[-1]) == pytest.approx((1.21, -0.72), abs=0.01)
    assert (found.plain[0], found.plain[-1]) == pytest.approx((0.625, -0.375))


@pytest.mark.parametrize("size, chance", [(2, 0.3), (5, 0.1)])
@pytest.mark.parametrize("divide", [False, True])
def test_group_push_against_every_group_of_replies(size, chance, divide):
    total = 0.0
    for rewards in itertools.product((0.0, 1.0), repeat=size):
        mean = sum(rewards) / size
        sd = math.sqrt(sum((r - mean) ** 2 for r in rewards) / (size - 1))
        A = [(r - mean) / ((sd + 1e-4) if divide else 1) for r in rewards]
        likely = math.prod(chance if r else 1 - chance for r in rewards)
        total += (
            likely * sum(a * ((1 - chance) if r else -chance) for a, r in zip(A, rewards)) / size
        )
    found = group.state(size, 0, chance)
    assert (found.push_divided if divide else found.push_plain) == pytest.approx(total, abs=1e-12)
    assert found.true == chance * (1 - chance)


def test_group_of_equals_teaches_nothing():
    for right in (0, 4):
        assert set(group.state(4, right, 0.5).divided) == {0.0}
        assert "teaches nothing" in group.look(4, right, 0.5).reading


def test_group_takes_more_right_replies_than_it_has_as_all():
    assert group.look(4, 9, 0.5).reading.startswith("4 of 4")
    with pytest.raises(ValueError, match="expected 0 ≤ right"):
        group.state(4, 9, 0.5)


# ---- DPO and IPO -------------------------------------------------------------------------------


@pytest.mark.parametrize("wins, price, tau", [(0.5, 1.0, 0.25), (0.9, 0.5, 0.1), (0.995, 2.0, 1.0)])
def test_ipo_minima_by_search(wins, price, tau):
    found = ipo.state(wins, price, tau)
    margins = [k / 1000 for k in range(-1000, 13000)]

    def dpo(h):
        return wins * math.log1p(math.exp(-price * h)) + (1 - wins) * math.log1p(
            math.exp(price * h)
        )

    def squares(h):
        t = 1 / (2 * tau)
        return wins * (h - t) ** 2 + (1 - wins) * (h + t) ** 2

    assert found.dpo_margin == pytest.approx(min(margins, key=dpo), abs=2e-3)
    assert found.ipo_margin == pytest.approx(min(margins, key=squares), abs=2e-3)
    assert found.ipo_left == pytest.approx(1 / (1 + math.exp(found.ipo_margin)))
    by_package = ipo.losses([0.7], wins, price, tau)
    assert [by_package[0][0], by_package[1][0]] == pytest.approx([dpo(0.7), squares(0.7)])


def test_ipo_stops_where_dpo_has_no_minimum():
    found = ipo.state(1.0, 10.0, 0.1)
    assert found.dpo_margin == math.inf and found.dpo_left == 0.0
    assert found.ipo_margin == 5.0 and found.ipo_left == pytest.approx(0.0067, abs=1e-4)
    assert "no minimum" in ipo.look(1.0, 10.0, 0.1).reading


def test_ipo_refuses_what_is_no_share():
    with pytest.raises(ValueError, match="½ ≤ wins"):
        ipo.state(0.4, 1.0, 1.0)


# ---- the part kept -----------------------------------------------------------------------------


@pytest.mark.parametrize("flaw", selection.FLAWS)
@pytest.mark.parametrize("part, bonus", [(0.01, 6.0), (0.3, -2.0), (1.0, 1.0)])
def test_selection_against_all_replies(ref_logps, flaw, part, bonus):
    found = selection.state(selection.table(ref_logps, flaw), part, bonus)
    flagged = selection.flag_of(flaw).double().expand_as(EXACT.gold)
    kept = top_fraction(ref_logps, EXACT.gold + bonus * flagged, part)
    best = top_fraction(ref_logps, EXACT.gold, part)
    assert found.gold == pytest.approx(expected(kept, EXACT.gold).mean().item(), abs=1e-6)
    assert found.of_choice == pytest.approx(expected(kept, flagged).mean().item(), abs=1e-6)
    assert found.best == pytest.approx(expected(best, EXACT.gold).mean().item(), abs=1e-6)
    assert found.blind == pytest.approx(expected(ref_logps, EXACT.gold).mean().item(), abs=1e-6)
    assert found.mass == pytest.approx(expected(ref_logps, flagged).mean().item(), abs=1e-6)


@pytest.mark.parametrize("bonus", [6.0, 1.0, 0.0])
def test_selection_accuracy_pair_by_pair(few_logps, bonus):
    right = differ = 0.0
    for x, prompt in enumerate(EXACT.prompts):
        p = [few_logps[x, int(EXACT.index(reply))].exp().item() for reply in FEW]
        for a, b in itertools.product(range(6), repeat=2):
            gold = [EXACT.reward(prompt.text, FEW[k]) for k in (a, b)]
            score = [
                g + bonus * (FEW[k].count("sorry") + FEW[k].count("cannot") >= 3)
                for g, k in zip(gold, (a, b))
            ]
            if gold[0] != gold[1]:
                differ += p[a] * p[b]
                agree = (score[0] - score[1]) * (gold[0] - gold[1])
                right += p[a] * p[b] * (1.0 if agree > 0 else 0.5 if agree == 0 else 0.0)
    found = selection.accuracy(selection.table(few_logps, selection.FLAWS[0]), bonus)
    assert found == pytest.approx(right / differ, abs=1e-9)


def test_selection_knows_its_flaws():
    assert selection.flag_of("the word “thanks”")[EXACT.index("sure thanks")]
    assert selection.flag_of("four words").sum() == 10_000
    with pytest.raises(ValueError, match="flaw 'beauty'"):
        selection.flag_of("beauty")


# ---- the judge ---------------------------------------------------------------------------------


def test_judge_has_the_section_s_numbers():
    gap = torch.tensor([1.0], dtype=torch.float64)
    first, second = judge.verdicts("place term", 1.0, gap)
    assert (first.item(), second.item()) == pytest.approx((0.88, 0.50), abs=0.005)
    gaps, mass = torch.tensor([0.4, -2.0]).double(), torch.tensor([0.8, 0.2]).double()
    found = judge.state(gaps, mass, "place term", 2.0)
    by_people = 0.8 / (1 + math.exp(-0.4)) + 0.2 / (1 + math.exp(2))
    assert found.people == pytest.approx(by_people) and found.repaired == pytest.approx(by_people)
    assert found.place_term == pytest.approx(2.0) and found.both_orders < 0.5 < found.people


@pytest.mark.parametrize("kind", judge.KINDS)
@pytest.mark.parametrize("lean", [0.5, 2.0])
def test_judge_pair_by_pair(few_logps, ref_logps, kind, lean):
    gaps, mass = judge.law(few_logps, few_logps.flip(0))
    found, p = judge.state(gaps, mass, kind, lean), few_logps.exp()
    sums = dict.fromkeys(("people", "one", "both", "won", "lost", "split"), 0.0)
    for x in range(len(EXACT.prompts)):
        for a, b in itertools.product([int(EXACT.index(reply)) for reply in FEW], repeat=2):
            likely = (p[x, a] * p[len(p) - 1 - x, b]).item() / len(EXACT.prompts)
            d = EXACT.gold[x, a] - EXACT.gold[x, b]
            one, two = (v.item() for v in judge.verdicts(kind, lean, d))
            assert 0 <= two <= one <= 1
            sums["people"] += likely / (1 + math.exp(-d))
            sums["one"] += likely * one
            sums["both"] += likely * (one + two) / 2
            sums["won"] += likely * one * two
            sums["lost"] += likely * (1 - one) * (1 - two)
    assert (found.people, found.one_order, found.both_orders) == pytest.approx(
        (sums["people"], sums["one"], sums["both"]), abs=1e-9
    )
    assert found.split == pytest.approx(1 - sums["won"] - sums["lost"], abs=1e-9)
    assert found.split_dropped == pytest.approx(
        sums["won"] / (sums["won"] + sums["lost"]), abs=1e-9
    )
    if kind == "additive":
        assert found.both_orders == pytest.approx(found.people, abs=1e-9)


def test_judge_refuses_a_kind_it_does_not_know():
    with pytest.raises(ValueError, match="judge 'kind'"):
        judge.verdicts("kind", 1.0, torch.zeros(1))


# ---- temperature -------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [1.0, 2.5])
def test_temperature_in_plain_python(forecasts, by):
    found = temperature.state(*forecasts, by, 2.0)
    q = [1 / (1 + math.exp(-m / by)) for m in forecasts[0].tolist()]
    y, bins = forecasts[1].tolist(), {}
    for forecast, label in zip(q, y):
        bins.setdefault(min(int(forecast * 10), 9), []).append((forecast, label))
    apart = sum(abs(sum(a - b for a, b in pairs)) for pairs in bins.values()) / len(q)
    assert found.ece == pytest.approx(apart, abs=1e-9)
    assert found.brier == pytest.approx(sum((a - b) ** 2 for a, b in zip(q, y)) / len(q))
    assert found.accuracy == pytest.approx(sum((a > 0.5) == (b > 0) for a, b in zip(q, y)) / len(q))
    assert found.count == tuple(len(bins[k]) for k in sorted(bins))


def test_temperature_names_the_best_on_these_pairs(forecasts):
    explorer = temperature.explorer({"model": forecasts})
    best = float(explorer.first().reading.split("T = ")[-1].rstrip("."))
    losses = {
        t: temperature.state(*forecasts, t, best).log_loss for t in (best - 0.1, best, best + 0.1)
    }
    assert min(losses, key=losses.get) == best
    with pytest.raises(ValueError, match="temperature = 0"):
        temperature.state(*forecasts, 0.0, best)


def test_temperature_takes_what_orient_returns():
    rewards = torch.randn(2, 300, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    turned = orient(rewards[0] + 0.5, rewards[1], torch.Generator().manual_seed(4))
    assert "accuracy" in temperature.explorer({"model": turned}).first().reading


# ---- who writes --------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt, by", [("fix lamp", -1.0), ("fix bomb", 0.7)])
def test_tilt_reply_by_reply(few_logps, prompt, by):
    x = EXACT.prompt_index(prompt)
    p = [few_logps[x, int(EXACT.index(reply))].exp().item() for reply in FEW]
    r = [EXACT.reward(prompt, reply) for reply in FEW]
    q = [a * math.exp(by * b) for a, b in zip(p, r)]
    q = [a / sum(q) for a in q]
    star = [a * math.exp(b) for a, b in zip(p, r)]
    chosen = sum(
        q[a]
        * q[b]
        * (r[a] if first else r[b])
        / (1 + math.exp(-(r[a] - r[b]) * (1 if first else -1)))
        for a, b, first in itertools.product(range(6), range(6), (True, False))
    )
    found = tilt.state(few_logps, prompt, by)
    assert found.generator == pytest.approx(sum(a * b for a, b in zip(q, r)))
    assert found.imitation == pytest.approx(chosen)
    assert found.before == pytest.approx(sum(a * b for a, b in zip(p, r)))
    assert found.dpo == pytest.approx(sum(a * b for a, b in zip(star, r)) / sum(star))


def test_tilt_leaves_dpo_where_it_is(ref_logps):
    ends = [tilt.state(ref_logps, "hack cash", by) for by in (-2.0, 0.0, 2.0)]
    assert ends[0].dpo == ends[1].dpo == ends[2].dpo
    assert ends[0].imitation < ends[1].before < ends[1].imitation < ends[2].imitation


# ---- the playground ----------------------------------------------------------------------------


def test_playground_scores_what_it_shows(chatters):
    policies, reference, judge = chatters
    for prompt in playground.requests()[::7]:
        found = playground.state(policies, reference, judge, prompt, 3)
        assert [said.policy for said in found] == ["first", "second"]
        for said, make in zip(found, policies.values()):
            reply = " ".join(word for word in said.words if word != "end")
            x, y = CHAT.prompt_tokens[[CHAT.prompt_index(prompt)]], CHAT.encode(reply).unsqueeze(0)
            with torch.no_grad():
                ratio = (token_logps(make(), x, y) - token_logps(reference(), x, y))[CHAT.mask(y)]
                score = judge()(x, y, CHAT.mask(y)).item()
            assert said.log_ratios == pytest.approx(ratio.tolist(), abs=1e-9)
            assert len(said.words) == len(said.log_ratios) and said.gold == CHAT.reward(
                prompt, reply
            )
            assert said.proxy == pytest.approx(score, abs=1e-5)


def test_playground_lets_a_policy_be_trained_when_it_is_asked_for(chatters):
    _, reference, judge = chatters

    def made():
        assert torch.is_grad_enabled()
        return reference()

    playground.state({"new": made}, reference, judge, playground.requests()[0], 0)


def test_playground_repeats_a_draw_and_not_another(chatters):
    prompt = playground.requests()[0]
    found = [playground.state(*chatters, prompt, draw) for draw in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_playground_offers_requests_of_every_slice():
    slices = {CHAT.prompts[CHAT.prompt_index(text)].slice for text in playground.requests()}
    assert slices == {prompt.slice for prompt in CHAT.prompts}


# ---- the annotator -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(ref_logps):
    return annotator.known(ref_logps)


def test_annotator_s_features_carry_gold(table):
    assert (table.rows @ table.weights - table.gold).abs().max() < 1e-9
    assert table.weights.tolist() == pytest.approx([1, -1, -1, -1, 1, 0.5, -0.25, 0], abs=1e-9)


def test_annotator_fits_where_the_slope_is_zero(table):
    w = annotator.fit(table.difference).requires_grad_()
    loss = -torch.nn.functional.logsigmoid(table.difference @ w).sum() + w.square().sum() / 2
    assert torch.autograd.grad(loss, w)[0].abs().max() < 1e-9


@pytest.mark.parametrize("hand", annotator.HANDS[1:])
def test_annotator_s_optimum_over_all_replies(table, ref_logps, hand):
    found = annotator.state(table, annotator.by_hand(table, hand))
    scores = features(EXACT) @ torch.tensor(found.weights, dtype=torch.float64)
    star = (ref_logps.double() + scores).softmax(-1)
    earned = (star * EXACT.gold).sum(1)
    assert found.gold == pytest.approx(earned.mean().item(), abs=1e-6)
    for name, value in found.by_slice.items():
        assert value == pytest.approx(earned[EXACT.in_slice(name)].mean().item(), abs=1e-6)


def test_annotator_without_labels_leaves_the_policy(table):
    found = annotator.state(table, [None] * annotator.PAIRS)
    assert found.labelled == 0 and found.gold == pytest.approx(found.before, abs=1e-12)
    assert found.before < found.best


def test_annotator_hands(table):
    gold, careless = (annotator.by_hand(table, hand) for hand in annotator.HANDS[1:3])
    turned = [k for k, (a, b) in enumerate(zip(gold, careless)) if a != b]
    assert turned == [k for k in range(0, annotator.PAIRS, 3) if gold[k] is not None]
    found = annotator.state(table, gold)
    assert found.agree == found.labelled == sum(answer is not None for answer in gold)
    assert annotator.state(table, careless).agree == found.labelled - len(turned)
    for answer, a, b in zip(
        annotator.by_hand(table, "who likes long replies"), table.pairs.chosen, table.pairs.rejected
    ):
        words = [len(EXACT.text(int(y)).split()) for y in (a, b)]
        assert answer == (None if words[0] == words[1] else words[0] > words[1])
    with pytest.raises(ValueError, match="hand 'mine'"):
        annotator.by_hand(table, "mine")


def test_annotator_s_own_answer_goes_before_another_hand(table):
    k = next(k for k, answer in enumerate(annotator.by_hand(table, "gold")) if answer)
    _, first, second = annotator.options(table, k)
    answered = {f"pair_{i}": annotator.OPEN for i in range(annotator.PAIRS)}
    same, other = (
        annotator.look(table, rest="gold", **(answered | {f"pair_{k}": reply}))
        for reply in (first, second)
    )
    assert same == annotator.look(table, rest="gold", **answered) != other
