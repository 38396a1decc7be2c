"""The lesson in a real browser, opened as `make lesson` opens it: read, run, kept and checked as a learner would.

Pictures stay in build/screenshots.
"""

import re

import pytest
from browsing import (
    BUSY,
    CLICK,
    ERRORS,
    IN_VIEW,
    OUTPUTS,
    ROOT,
    new_page,
    open_notebook,
    photograph,
    run_cell,
    until,
)
from lesson_links import titles

from tools import website
from tools.notebooks import load

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

PANE = "document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer')"
IMAGES = """[...document.querySelectorAll('.jp-OutputArea img')].filter(i => i.naturalWidth > 100)
    .map(i => i.src.slice(-80))"""
UNFOLD = """() => {
    const folded = [...document.querySelectorAll('.jp-InputPlaceholder')].find(e => e.checkVisibility());
    if (folded) folded.click();
    return !!folded;
}"""
CHARACTERS = """[...document.querySelectorAll('.jp-RenderedMarkdown > p')].flatMap(p => {
    const range = document.createRange();
    range.selectNodeContents(p);
    const lines = new Set([...range.getClientRects()].map(r => Math.round(r.bottom / 12))).size;
    return lines > 3 && !p.querySelector('mjx-container') ? [p.textContent.length / lines] : [];
})"""


def stored_images():
    """The ends of all figures that are stored in the lesson, as a page's address of them ends."""
    outputs = [out for c in load(ROOT / "theory.ipynb").cells for out in c.get("outputs", [])]
    images = [out["data"]["image/png"] for out in outputs if "image/png" in out.get("data", {})]
    return {image.replace("\n", "")[-80:] for image in images}


def test_the_stored_lesson_shows_every_figure_and_no_broken_formula(lab, page):
    """Scrolled from top to bottom; the bottom is reached when three tries in a row do not move."""
    open_notebook(page, lab, "theory.ipynb")
    photograph(page, "theory")
    figures, formulas, errors, stuck = set(), 0, set(), 0
    while stuck < 3:
        figures.update(page.evaluate(IMAGES))
        formulas += page.evaluate("document.getElementsByTagName('mjx-container').length")
        errors.update(page.evaluate(ERRORS))
        before = page.evaluate(f"{PANE}.scrollTop")
        page.evaluate(f"{PANE}.scrollTop += 1400")
        page.wait_for_timeout(1000 if stuck else 150)
        stuck = 0 if page.evaluate(f"{PANE}.scrollTop") > before else stuck + 1
    photograph(page, "theory_end")
    assert figures == stored_images() and not errors, (len(figures), errors)
    assert formulas > 500


def test_a_far_section_is_reached_by_one_click_and_leads_back(lab, page):
    open_notebook(page, lab, "work/theory.ipynb")
    photograph(page, "working_copy")
    assert page.evaluate(OUTPUTS) == []
    characters = sorted(page.evaluate(CHARACTERS))
    assert len(characters) > 3 and 70 <= characters[len(characters) // 2] <= 90, characters
    far = titles(load(ROOT / "theory.ipynb"))
    for name in ("1.2", "7.4", "11"):
        title = far[name]
        page.wait_for_function(IN_VIEW, arg="What you will be able to")
        assert not page.evaluate(IN_VIEW, title)
        assert page.evaluate(CLICK, name)
        page.wait_for_function(IN_VIEW, arg=title, timeout=10_000)
        page.wait_for_timeout(500)  # what is laid out above must not push it away
        assert page.evaluate(IN_VIEW, title), name
        photograph(page, f"section_{name}")
        page.wait_for_function(CLICK, arg="↑ all sections")
    page.wait_for_function(CLICK, arg="1.1")
    until(
        lambda: page.evaluate(UNFOLD) or not page.evaluate(f"{PANE}.scrollTop += 300"),
        "none folded",
    )
    page.locator(".cm-content:has-text('figures.show(')").first.wait_for()


def test_the_tour_runs_cell_by_cell_and_shows_a_prediction_beside_the_result(lab, page):
    cells = load(lab.folder / "work" / "theory.ipynb").cells
    tour = [cell.id for cell in cells][: [cell.id for cell in cells].index("0")]
    open_notebook(page, lab, "work/theory.ipynb")
    page.locator(".jp-MarkdownOutput h1").click()
    figures, told = set(), {}
    for cell in cells[: len(tour)]:
        page.keyboard.press("Shift+Enter")
        if cell.cell_type == "code":
            page.wait_for_function(f"!{BUSY}", timeout=170_000)
            figures.update(page.evaluate(IMAGES))
            told[cell.id] = "\n".join(page.evaluate(OUTPUTS))
        if cell.id == "predict-gold":
            page.locator(".widget-text input").first.fill("1.5")
            page.locator(".widget-text input").first.press("Tab")
            page.get_by_text("Kept: 1.5").wait_for()
            photograph(page, "tour_prediction")
            page.locator(".jp-CodeCell:has-text('def gold_of(model)') .jp-InputPrompt").click()
        if cell.id == "predict-best-of-n":
            page.get_by_label("rises, then falls").check()
            page.get_by_text("Kept: rises, then falls").wait_for()
            page.locator(".jp-CodeCell:has-text('scorer = RewardModel') .jp-InputPrompt").click()
    photograph(page, "tour_end")
    said = "\n".join(told.values())
    assert re.search(r"people's answers: you predicted 1\.5; measured ≈ [−-]?\d", said), said
    assert "you predicted rises, then falls; measured" in said
    assert "coin flips: you predicted" not in said, "none was given"
    assert len(figures) == 2 and page.evaluate(ERRORS) == []


def test_what_i_changed_is_there_when_the_copy_is_opened_again(lab, chromium):

    kept = lab.folder / "work" / "theory.ipynb"
    page = new_page(chromium)
    open_notebook(page, lab, "work/theory.ipynb")
    page.evaluate(CLICK, "tour")
    cell = page.locator(".jp-CodeCell:has-text('is preferred by ≈') .cm-content")
    cell.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\nmine = 6 * 7; print(mine)")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Control+s")
    until(lambda: "mine = 6 * 7" in kept.read_text(encoding="utf-8"), "it was not saved")
    page.context.close()
    lab.close()
    lab.start()
    page = new_page(chromium)
    open_notebook(page, lab, "work/theory.ipynb")
    page.evaluate(CLICK, "tour")
    page.locator(".cm-content:has-text('mine = 6 * 7')").wait_for()
    photograph(page, "reopened")
    page.context.close()
    cells = load(kept).cells
    rest = cells[[cell.id for cell in cells].index("0") :]
    assert [cell.id for cell in rest if cell.get("outputs")] == []


def test_the_panel_tells_the_cause_of_a_wrong_answer(lab, page):
    open_notebook(page, lab, "work/exercises.ipynb")
    page.locator(".jp-MarkdownOutput h1").click()
    for _ in range(4):  # title, imports, exercise 1, part 1a
        run_cell(page)
    answer = page.locator(".jp-CodeCell:has-text('def comparisons')").first
    answer.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(
        "def comparisons(ratings):\n"
        "    return [(a, i, j) for a, row in enumerate(ratings) for i, x in enumerate(row)\n"
        "            for j, y in enumerate(row) if i != j and x >= y]"
    )
    run_cell(page)
    run_cell(page)
    panel = page.locator(".jp-OutputArea-output:has-text('1a')").first
    panel.get_by_text("two equal ratings express no preference").first.wait_for()
    panel.scroll_into_view_if_needed()
    photograph(page, "wrong_answer")
    assert "1.1 of 2 points" in panel.text_content() and page.evaluate(ERRORS) == []


ENDLESS = """from helpers.grader import check
def endless(*a):
    while True:
        pass
print("begun", flush=True)
check("4a", endless)"""


def test_an_endless_answer_and_one_that_is_stopped_by_hand_get_a_panel(lab, page):
    lab.write("endless.ipynb", ENDLESS, ENDLESS)
    open_notebook(page, lab, "endless.ipynb")
    page.locator(".cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output:has-text('begun')").wait_for()
    page.wait_for_timeout(500)
    page.locator(
        "[data-command='notebook:interrupt-kernel'], [title^='Interrupt the kernel']"
    ).first.click()
    page.get_by_text("You stopped this check before it was done").wait_for(timeout=8_000)
    photograph(page, "interrupted")
    run_cell(page)
    page.get_by_text("No call of your function came to an end").first.wait_for()
    photograph(page, "endless")
    assert page.evaluate(ERRORS) == []


def test_the_site_s_pages_stand_alone_on_a_phone(chromium, tmp_path):
    """All pages, the network off: each asks for files beside it, shows its figures, fits the screen's width."""
    pages = website.write(load(ROOT / "theory.ipynb"), tmp_path / "site")
    context = chromium.new_context(viewport={"width": 400, "height": 800}, offline=True)
    window, asked = context.new_page(), []
    window.on("request", lambda request: asked.append(request.url))
    for page in pages:
        window.goto((tmp_path / "site" / f"{page.name}.html").as_uri())
        window.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
        window.wait_for_function(
            "[...document.images].every(i => i.complete && i.naturalWidth > 100)"
        )
        wide = window.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, (page.name, wide)
    photograph(window, "site")
    context.close()
    assert any(url.endswith("style.css") for url in asked)
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
