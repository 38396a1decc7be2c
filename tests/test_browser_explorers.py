"""Every explorer in JupyterLab, by mouse and by keyboard: the drawing follows, and what it reads out is the formula's.

Their policies are small and untrained, written for the kernel into a file.
"""

from functools import partial

import pytest
import torch
from browsing import drag, new_page, open_notebook, photograph, run_cell, until
from conftest import perturbed
from explorer_formulas import FORMULAS, agrees

from helpers.chat import CHAT
from helpers.gpt import RewardModel, all_logps, new_gpt
from helpers.world import EXACT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("explorers")]

SOURCE = """import torch
from helpers import explorers
given = torch.load("given.pt", weights_only=False)
policies = {name: lambda policy=policy: policy for name, policy in given["policies"].items()}
made = {"temperature": (given["pairs"],), "playground": (policies, policies["first"], lambda: given["judge"])}
made |= {name: (given["ref_logps"],) for name in ("beta", "selection", "tilt", "judge", "annotator")}
""" + "\n".join(f'explorers.explore_{name}(*made.get("{name}", ()))' for name in FORMULAS)
KNOBS = r"""box => [...box.querySelectorAll('select, .widget-readout')].map(
    e => (e.options ? e.options[e.selectedIndex].text : e.textContent).replaceAll('\u00a0', ' ').replace('−', '-'))"""


@pytest.fixture(scope="module")
def given():
    """What the explorers are given, the same here and in the kernel."""
    drawn = torch.Generator().manual_seed(2)
    margins = 2 * torch.randn(400, generator=drawn, dtype=torch.float64)
    won = (torch.rand(400, generator=drawn, dtype=torch.float64) < (margins / 2).sigmoid()).double()
    judge = RewardModel(new_gpt(CHAT, 7))
    with torch.no_grad():
        judge.trunk.head.weight.normal_(generator=torch.Generator().manual_seed(8))
        ref_logps = all_logps(perturbed(EXACT, 3), EXACT)
    return {
        "ref_logps": ref_logps,
        "pairs": {"one": (margins, won), "other": (-margins, 1 - won)},
        "policies": {"first": perturbed(CHAT, 5), "second": perturbed(CHAT, 6)},
        "judge": judge,
    }


@pytest.fixture(scope="module")
def boxes(lab, chromium, given):
    """The explorers on one page, by name."""
    torch.save(given, lab.folder / "given.pt")
    lab.write("explorers.ipynb", SOURCE)
    page = new_page(chromium)
    open_notebook(page, lab, "explorers.ipynb")
    page.locator(".jp-CodeCell .cm-content").first.click()
    run_cell(page)
    found = page.locator(".jp-OutputArea .widget-vbox:has(svg[role=img])")
    found.nth(len(FORMULAS) - 1).wait_for()
    assert found.count() == len(FORMULAS)
    yield {name: found.nth(k) for k, name in enumerate(FORMULAS)}
    page.context.close()


def push(handle):
    """Move a slider by one step with an arrow key, to the left where it is at the right end."""
    at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    handle.press("ArrowLeft" if at_end else "ArrowRight")


def choose(field, opened_by):
    """Take the next option of a list by keyboard, the one before by mouse.

    Without opening a list, JupyterLab takes the arrow keys for its cells. What opens is a window of its own, in which a
    mouse cannot be driven from here.
    """
    field.click() if opened_by == "mouse" else field.press("Space")
    field.press("ArrowUp" if opened_by == "mouse" else "ArrowDown")
    field.press("Enter")


@pytest.mark.parametrize("name", FORMULAS)
def test_an_explorer_follows_keyboard_and_mouse_and_says_what_the_formula_gives(name, boxes, given):
    box = boxes[name]
    drawing = box.locator("svg[role=img]")
    box.scroll_into_view_if_needed()

    def moves(act, what):
        said, drawn = drawing.get_attribute("aria-label"), drawing.inner_html()
        act()
        pairs = []

        def right():
            now = drawing.get_attribute("aria-label")
            if now == said or drawing.inner_html() == drawn:
                return False
            try:
                pairs[:] = FORMULAS[name](now.replace("−", "-"), box.evaluate(KNOBS), given)
            except ValueError:  # another knob's state than the page's, or a reading that is none
                return False
            return all(agrees(*pair) for pair in pairs)

        def told():
            photograph(box.page, f"failure_{name}")
            return f"{what}: {box.evaluate(KNOBS)}, {drawing.get_attribute('aria-label')}, formula {pairs}"

        until(right, told)

    sliders, lists = box.locator(".noUi-handle"), box.locator("select")
    for slider in sliders.all():
        moves(partial(push, slider), "a slider by keyboard")
        moves(partial(drag, slider), "a slider by mouse")
    for field in {0: lists.first, lists.count() - 1: lists.last}.values() if lists.count() else ():
        moves(partial(choose, field, "keyboard"), "a list by keyboard")
        moves(partial(choose, field, "mouse"), "a list by mouse")
    spoken = box.locator("[role=status][aria-live=polite]")
    assert spoken.text_content() == drawing.get_attribute("aria-label")
    photograph(box, f"explorer_{name}")
