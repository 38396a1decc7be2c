"""The copy to work in, in Notebook 7 of the server that `make lesson` starts: read, run, moved."""

import pytest
from browsing import BUSY, CLICK, ERRORS, IN_VIEW, drag, open_notebook, photograph, until
from lesson_links import titles

from tools.notebooks import load

pytestmark = pytest.mark.slow


def go(page, link, title):
    """Follow a link and wait until the section's title is in view."""
    page.wait_for_function(CLICK, arg=link)
    page.wait_for_function(IN_VIEW, arg=title, timeout=20_000)


def test_notebook_7_shows_runs_and_moves_a_section(lab, page):
    cells = load(lab.folder / "work" / "theory.ipynb").cells
    ids, title = [cell.id for cell in cells], titles(load(lab.folder / "theory.ipynb"))
    open_notebook(page, lab, "work/theory.ipynb", "notebooks")
    assert page.locator(".jp-LabShell").count() == 0, "this is JupyterLab"
    page.locator(".jp-MarkdownOutput h1").click()

    def run(some):
        for cell in some:
            page.keyboard.press("Shift+Enter")
            if cell.cell_type == "code":
                page.wait_for_function(f"!{BUSY}", timeout=170_000)

    run(cells[: ids.index("tour")])
    go(page, "↑ all sections", "What you will be able to")
    go(page, "5.3", title["5.3"])
    page.wait_for_function("document.getElementsByTagName('mjx-container').length > 5")
    photograph(page, "notebook_7")
    go(page, "↑ all sections", "What you will be able to")
    go(page, "1.3", title["1.3"])
    page.locator(f".jp-MarkdownOutput h3:has-text('{title['1.3']}')").click()
    run(cells[ids.index("1-3") : ids.index("cxbeta13") + 1])
    drawing = page.locator(".widget-vbox svg[role=img]")
    slider = page.locator(".widget-vbox .noUi-handle")
    for move in (lambda: slider.press("PageDown"), lambda: drag(slider)):  # it keeps the arrows
        before = drawing.get_attribute("aria-label")
        move()
        until(
            lambda old=before: drawing.get_attribute("aria-label") != old,
            "the explorer does not move",
        )
    photograph(page, "notebook_7_explorer")
    assert page.evaluate(ERRORS) == []
