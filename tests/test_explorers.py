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
from helpers.explorers import beta, clip, group, ipo, margin, svg, wiring
from helpers.gpt import all_logps
from helpers.world import EXACT

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def ref_logps():
    with torch.no_grad():
        return all_logps(perturbed(EXACT, 3), EXACT)


@pytest.fixture(scope="module")
def explorers(ref_logps):
    """All explorers of the package by module name."""
    return {
        "beta": beta.explorer(ref_logps),
        "margin": margin.explorer(),
        "clip": clip.explorer(),
        "group": group.explorer(),
        "ipo": ipo.explorer(),
    }


def ends_of(knob):
    """The least, the first and the largest value that a knob can have."""
    if isinstance(knob, wiring.Choice):
        return knob.options[0], knob.value, knob.options[-1]
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
        for values in itertools.product(*map(ends_of, explorer.knobs.values())):
            view = explorer.look(**dict(zip(explorer.knobs, values)))
            picture = ElementTree.fromstring(view.svg)
            assert picture.find("{http://www.w3.org/2000/svg}title").text == explorer.name
            assert picture.get("role") == "img" and picture.get("aria-label") == view.reading
            assert "nan" not in view.svg and "inf" not in view.svg, (name, values)
            assert "nan" not in view.reading and " id=" not in view.svg
            seen.add(view.svg)
        assert len(seen) > 2, name


def test_a_moved_knob_changes_what_the_widget_holds(explorers):
    for explorer in explorers.values():
        *controls, card = wiring.wired(explorer).children
        assert card.value == explorer.first().html()
        for control, (argument, knob) in zip(controls, explorer.knobs.items()):
            before, (low, first, high) = card.value, ends_of(knob)
            control.value = low if low != first else high
            assert card.value != before, argument
            now = {name: control.value for name, control in zip(explorer.knobs, controls)}
            assert card.value == explorer.look(**now).html()
            assert control.description == knob.label


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
        assert all(knob.label in stored for knob in explorer.knobs.values())


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
        (1.1, 1.0, 1.1, 1.1), (1.5, 1.0, 1.2, 0.0), (0.5, 1.0, 0.5, 0.5),
        (0.9, -1.0, -0.9, -0.9), (0.5, -1.0, -0.8, 0.0), (1.5, -1.0, -1.5, -1.5),
    ],
)  # fmt: skip
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
