"""The lesson in a real browser: does it open, render and run in JupyterLab, and do its static pages stand alone?"""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tools import website
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


@contextlib.contextmanager
def window_of(profile, size="1200,1600", log_requests=False):
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
    if log_requests:
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 f"--window-size={size}", f"--user-data-dir={profile}"):  # fmt: skip
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield window
    finally:
        window.quit()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with window_of(tmp_path_factory.mktemp("profile")) as window:
        yield window


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


def test_the_site_s_pages_ask_nobody_for_anything(tmp_path):
    """All pages, opened one after the other: what each requests is a file beside it, and all of it is there."""
    pages = website.write(load(ROOT / "theory.ipynb"), tmp_path / "site")
    with window_of(tmp_path / "profile", "500,900", log_requests=True) as window:
        asked = {}
        window.get("about:blank")
        window.get_log("performance")  # of the browser's own first page
        for page in pages:
            window.get((tmp_path / "site" / f"{page.name}.html").as_uri())
            window.execute_script(
                "document.querySelectorAll('img').forEach(i => i.loading = 'eager')"
            )
            wait_for(
                window,
                "return [...document.images].every(i => i.complete && i.naturalWidth > 100)",
                20,
            )
            messages = [
                json.loads(entry["message"])["message"] for entry in window.get_log("performance")
            ]
            sent = [
                m["params"]["request"]["url"]
                for m in messages
                if m["method"] == "Network.requestWillBeSent"
            ]
            asked[page.name] = [url for url in sent if not url.startswith(("file://", "data:"))]
            assert any(url.endswith("style.css") for url in sent), "the log is empty"
            wide = window.execute_script("return document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (page.name, wide)
    assert {name: urls for name, urls in asked.items() if urls} == {}
