"""The lesson in a real browser: does it open, render and run in JupyterLab, and do its static pages stand alone?

Screenshots stay in build/, named browser_….png.
"""

import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from lesson_links import headings, prose_of

from tools import website
from tools.notebooks import load

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip

FREE = ("margin", "clip", "group", "ipo")  # explorers that need nothing,
GIVEN = (
    "beta",
    "selection",
    "judge",
    "tilt",
    "annotator",
)  # and those that need the reference policy
OWN = {  # notebooks of one cell each, beside the lesson
    "explorers.ipynb": [
        "from helpers import explorers\nfrom helpers.lesson import reference\n"
        + "\n".join(f"explorers.explore_{name}()" for name in FREE)
        + "\n"
        + "\n".join(f"explorers.explore_{name}(reference()[1])" for name in GIVEN)
    ],
    "endless.ipynb": [
        'from helpers.grader import check\ndef endless(*a):\n    while True:\n        pass\ncheck("4a", endless)'
    ],
}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]  # one server for all


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab that serves a copy of the lesson."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("theory.ipynb", "exercises.ipynb"):
        shutil.copy(ROOT / name, folder)
    lesson = load(ROOT / "theory.ipynb")
    lesson.cells = [c for _, c in prose_of(lesson) if "#" in c.source and "cell-id=" in c.source]
    nbformat.write(lesson, folder / "sections.ipynb")  # laid out in seconds
    shutil.copytree(ROOT / "helpers", folder / "helpers")
    for name, cells in OWN.items():
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={folder}",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "LESSON_QUIET"},
    )
    address = f"http://127.0.0.1:{port}/lab"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(address, timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("JupyterLab did not answer within a minute")
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium, the machine's own."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.fail("no chromium: install it (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=found, args=QUIET)
        yield window
        window.close()


@pytest.fixture
def page(chromium):
    """A new page, photographed when its test is over."""
    BUILD.mkdir(exist_ok=True)
    context = chromium.new_context(viewport={"width": 1200, "height": 1600})
    context.set_default_timeout(180_000)
    yield context.new_page()
    context.close()


def photograph(page, name):
    page.screenshot(path=BUILD / f"browser_{name}.png")


def open_notebook(page, lab, name):
    """Open a notebook of the lesson in JupyterLab and wait for its title."""
    page.goto(f"{lab}/tree/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-MarkdownOutput h1")


def scroll_through(page, look):
    """Scroll the notebook from top to bottom, as a reader would, calling ``look`` at every stop.

    JupyterLab lays cells out as they come into view: the bottom is reached when three tries in a row do not move.
    """
    pane = "document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer')"
    page.wait_for_function(f"{pane} && {pane}.scrollHeight > 5000")
    scroll = f"() => {{ const p = {pane}, b = p.scrollTop; p.scrollTop += 2400; return p.scrollTop > b }}"
    stuck = 0
    while stuck < 3:
        time.sleep(0.2)
        look()
        stuck = 0 if page.evaluate(scroll) else stuck + 1
        time.sleep(2.0 * stuck)


def test_the_lesson_opens_with_figures_and_mathematics(lab, page):
    open_notebook(page, lab, "theory.ipynb")
    photograph(page, "theory")
    figures, formulas, errors = set(), 0, set()

    def look():
        nonlocal formulas
        figures.update(page.evaluate(
            "[...document.querySelectorAll('.jp-OutputArea img')].filter(i => i.naturalWidth > 100)"
            ".map(i => i.src.slice(-80))"
        ))  # fmt: skip
        formulas = max(
            formulas, page.evaluate("document.getElementsByTagName('mjx-container').length")
        )
        errors.update(page.evaluate(
            "[...document.querySelectorAll('mjx-merror, .jp-OutputArea [data-mime-type*=error], "
            "[data-mime-type*=stderr]')].map(e => e.textContent.slice(0, 200))"
        ))  # fmt: skip

    scroll_through(page, look)
    photograph(page, "theory_end")
    assert len(figures) >= 8 and formulas >= 5 and not errors, (len(figures), formulas, errors)


IN_VIEW = """title => [...document.querySelectorAll('.jp-MarkdownOutput h2, .jp-MarkdownOutput h3')].some(
    e => e.textContent.startsWith(title) && -60 < e.getBoundingClientRect().top
        && e.getBoundingClientRect().top < innerHeight)"""
CLICK = """text => {
    const links = [...document.querySelectorAll('.jp-MarkdownOutput a')];
    const link = links.find(e => e.textContent === text && -20 < e.getBoundingClientRect().top);
    if (link) link.click();
    return !!link;
}"""


def test_a_section_is_reached_from_the_table_of_sections_and_leads_back(lab, page):
    page.goto(f"{lab}/tree/sections.ipynb?reset")
    far = headings(load(ROOT / "theory.ipynb"))
    for name in ("1.2", "7.4", "11"):
        lines = far[name].source.splitlines()
        title = next(line.lstrip("# ") for line in lines if line.startswith("#"))
        page.wait_for_function(IN_VIEW, arg="What you will be able to")
        page.get_by_text(title).first.wait_for(state="attached")
        assert not page.evaluate(IN_VIEW, title)
        page.wait_for_function(CLICK, arg=name)
        page.wait_for_function(IN_VIEW, arg=title)
        page.wait_for_function(CLICK, arg="↑ all sections")


def test_an_exercise_is_checked_in_the_browser(lab, page):
    open_notebook(page, lab, "exercises.ipynb")
    page.locator(".jp-Notebook .jp-MarkdownOutput h1").click()
    for _ in range(6):  # title, imports, exercise 1, part 1a, its stub, its check
        page.keyboard.press("Shift+Enter")
        time.sleep(0.5)
    page.wait_for_function(
        "[...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes('1a'))"
    )
    photograph(page, "exercises")


def run_first_cell(page, lab, name):
    """Open a notebook of one cell in JupyterLab and run it."""
    page.goto(f"{lab}/tree/{name}?reset")
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.wait_for_selector(".jp-NotebookPanel-toolbar [data-status=idle]", state="attached")
    page.keyboard.press("Shift+Enter")


def test_every_explorer_follows_the_keyboard_and_the_mouse(lab, page):
    run_first_cell(page, lab, "explorers.ipynb")
    boxes = page.locator(".jp-OutputArea .widget-vbox:has(svg[role=img])")
    boxes.nth(len(FREE + GIVEN) - 1).wait_for()

    def changes(box, act, what):
        """Drawing and reading are others after ``act``."""
        drawing = box.locator("svg[role=img]")
        read, drawn = drawing.get_attribute("aria-label"), drawing.inner_html()
        act()
        deadline = time.time() + 20
        while time.time() < deadline:
            if drawing.get_attribute("aria-label") != read and drawing.inner_html() != drawn:
                return
            time.sleep(0.05)
        photograph(page, "explorers_failure")
        pytest.fail(f"{what}: still {read}")

    def drag(handle):
        handle.scroll_into_view_if_needed()
        grip = handle.bounding_box()
        x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 40, y, steps=5)
        page.mouse.up()

    for number, name in enumerate(FREE + GIVEN):
        box = boxes.nth(number)
        handles, lists = box.locator(".noUi-handle"), box.locator("select")
        if handles.count():
            changes(box, lambda: handles.first.press("ArrowRight"), f"{name} by keyboard")
            changes(box, lambda: drag(handles.first), f"{name} by mouse")
        if lists.count():
            changes(box, lambda: lists.last.select_option(index=1), f"{name} by its list")
    photograph(page, "explorers")


def test_what_an_explorer_reads_out_is_what_the_formula_gives(lab, page):
    run_first_cell(page, lab, "explorers.ipynb")
    box = page.locator(".jp-OutputArea .widget-vbox:has(svg[role=img])").first
    box.wait_for()
    handle, told = box.locator(".noUi-handle").first, box.locator("svg[role=img]")
    seen = set()
    handle.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        time.sleep(0.5)
        text = told.get_attribute("aria-label").replace("−", "-")
        h, beta = (float(re.search(rf"{name} = ([-+]?[\d.]+)", text)[1]) for name in ("h", "β"))
        chance, weight = (
            float(re.search(rf"{name} = ([\d.]+)", text)[1]) for name in (r"σ\(βh\)", r"βσ\(-βh\)")
        )
        assert chance == pytest.approx(1 / (1 + math.exp(-beta * h)), abs=6e-4), text
        assert weight == pytest.approx(beta / (1 + math.exp(beta * h)), abs=6e-4), text
        seen.add(h)
    assert len(seen) == 5


def test_an_endless_loop_ends_in_a_panel(lab, page):
    run_first_cell(page, lab, "endless.ipynb")
    page.wait_for_function(
        "[...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes('stopped'))"
    )
    photograph(page, "endless")
    assert page.locator(".jp-OutputArea [data-mime-type*=error]").count() == 0


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
