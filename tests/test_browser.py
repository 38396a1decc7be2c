"""The lesson in JupyterLab in a real browser: does it open, render and run?"""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from lesson_links import headings, prose_of

from tools.notebooks import load

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"

pytestmark = pytest.mark.slow


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
def browser(tmp_path_factory):
    """Headless Chromium, driven by selenium."""
    chromium, driver = (
        shutil.which("chromium") or shutil.which("google-chrome"),
        shutil.which("chromedriver"),
    )
    if not chromium or not driver:
        pytest.fail(
            "no chromium or chromedriver: install both (Debian: apt-get install chromium chromium-driver)"
        )
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--window-size=1200,1600", f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):  # fmt: skip
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()


def wait_for(browser, script, seconds=180):
    """Wait until a script returns something true, and return that."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        if found := browser.execute_script(script):
            return found
        time.sleep(0.5)
    browser.save_screenshot(str(BUILD / "browser_failure.png"))
    pytest.fail(f"not within {seconds} s: {script}")


def scroll_through(browser, look):
    """Scroll the notebook from top to bottom, as a reader would, calling ``look`` at every stop.

    JupyterLab lays cells out as they come into view: the bottom is reached when three tries in a row do not move.
    """
    pane = "document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer')"
    wait_for(browser, f"return {pane} && {pane}.scrollHeight > 5000")
    stuck = 0
    while stuck < 3:
        time.sleep(0.4)
        look()
        moved = browser.execute_script(
            f"const p = {pane}; const before = p.scrollTop; p.scrollTop += 1200; return p.scrollTop > before"
        )
        stuck = 0 if moved else stuck + 1
        time.sleep(2.0 * stuck)


def test_the_lesson_opens_with_figures_and_mathematics(lab, browser):
    BUILD.mkdir(exist_ok=True)
    browser.get(f"{lab}/tree/theory.ipynb?reset")
    wait_for(browser, "return document.querySelector('.jp-Notebook .jp-MarkdownOutput h1')")
    browser.save_screenshot(str(BUILD / "browser_theory.png"))
    figures, formulas, errors = set(), 0, set()

    def look():
        nonlocal formulas
        figures.update(browser.execute_script(
            "return [...document.querySelectorAll('.jp-OutputArea img')].filter(i => i.naturalWidth > 100)"
            ".map(i => i.src.slice(-80))"
        ))  # fmt: skip
        formulas = max(
            formulas,
            len(
                browser.execute_script(
                    "return [...document.querySelectorAll('mjx-container')].map(e => 1)"
                )
            ),
        )
        errors.update(browser.execute_script(
            "return [...document.querySelectorAll('mjx-merror, .jp-OutputArea [data-mime-type*=error], "
            "[data-mime-type*=stderr]')].map(e => e.textContent.slice(0, 200))"
        ))  # fmt: skip

    scroll_through(browser, look)
    browser.save_screenshot(str(BUILD / "browser_theory_end.png"))
    assert len(figures) >= 8 and formulas >= 5 and not errors, (len(figures), formulas, errors)


def test_an_exercise_is_checked_in_the_browser(lab, browser):
    BUILD.mkdir(exist_ok=True)
    browser.get(f"{lab}/tree/exercises.ipynb?reset")
    wait_for(browser, "return document.querySelector('.jp-Notebook .jp-MarkdownOutput h1')")

    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-MarkdownOutput h1").click()
    for _ in range(6):  # title, imports, exercise 1, part 1a, its stub, its check
        ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(
            Keys.SHIFT
        ).perform()
        time.sleep(0.5)
    wait_for(
        browser,
        "return [...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes('1a'))",
        120,
    )
    browser.save_screenshot(str(BUILD / "browser_exercises.png"))


THERE = """
const title = [...document.querySelectorAll('.jp-MarkdownOutput h2, .jp-MarkdownOutput h3')]
    .find(e => e.textContent.startsWith('%s'));
const top = title && title.getBoundingClientRect().top;
return title && -60 < top && top < window.innerHeight;
"""
CLICK = """
const links = [...document.querySelectorAll('.jp-MarkdownOutput a')];
const link = links.find(e => e.textContent === '%s' && -20 < e.getBoundingClientRect().top);
if (link) link.click();
return !!link;
"""


def test_a_section_is_reached_from_the_table_of_sections_and_leads_back(lab, browser):
    browser.get(f"{lab}/tree/sections.ipynb?reset")
    far = headings(load(ROOT / "theory.ipynb"))
    for name in ("1.2", "7.4", "11"):
        title = next(line for line in far[name].source.splitlines() if line.startswith("#"))
        title = title.lstrip("# ")
        wait_for(browser, THERE % "What you will be able to", 60)
        wait_for(
            browser,
            f"return [...document.querySelectorAll('h2, h3')].some(e => e.textContent.startsWith('{title}'))",
        )
        assert not browser.execute_script(THERE % title)
        wait_for(browser, CLICK % name)
        wait_for(browser, THERE % title, 30)
        wait_for(browser, CLICK % "↑ all sections")
