"""A browser for tests: JupyterLab as `make lesson` starts it, a headless Chromium, and what one does in notebooks.

Fixtures are in conftest.py, so that all modules share one server and one browser.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
BUSY = "[...document.querySelectorAll('.jp-InputPrompt')].some(p => p.textContent.includes('*'))"
WRONG = (
    "mjx-merror, .jp-OutputArea [data-mime-type*=error], .jp-OutputArea [data-mime-type*=stderr]"
)
ERRORS = f"[...document.querySelectorAll('{WRONG}')].map(e => e.textContent.slice(0, 200))"
IN_VIEW = """title => [...document.querySelectorAll('.jp-MarkdownOutput h2, .jp-MarkdownOutput h3')].some(
    e => e.textContent.startsWith(title) && -60 < e.getBoundingClientRect().top
        && e.getBoundingClientRect().top < innerHeight)"""
CLICK = """text => {
    const links = [...document.querySelectorAll('.jp-MarkdownOutput a')];
    const link = links.find(e => e.textContent === text && -20 < e.getBoundingClientRect().top);
    if (link) link.click();
    return !!link;
}"""
OUTPUTS = "[...document.querySelectorAll('.jp-OutputArea-output')].map(o => o.textContent)"


class Lab:
    """A copy of the repository in ``folder`` and a JupyterLab that `make lesson` opens there; nobody's own settings."""

    def __init__(self, folder: Path):
        self.folder, self.server = folder, None
        for name in ("theory.ipynb", "exercises.ipynb"):
            shutil.copy(ROOT / name, folder)
        for name in ("helpers", "tools"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )

    def start(self) -> None:
        """Start the server at a free port and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token="]
        environment = {name: v for name, v in os.environ.items() if name != "LESSON_QUIET"}
        self.address = f"http://127.0.0.1:{port}"
        with open(self.folder / "server.log", "a", encoding="utf-8") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "tools.working_copy", *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**environment, "JUPYTER_CONFIG_DIR": str(self.folder / "nobody")},
                start_new_session=True,
            )
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{self.address}/api", timeout=2)
                return
            except OSError:
                time.sleep(0.25)
        pytest.fail("JupyterLab did not answer within a minute")

    def close(self) -> None:
        """End the server and its kernels, and wait until it no longer answers."""
        os.killpg(self.server.pid, signal.SIGTERM)
        self.server.wait(20)
        for _ in range(80):
            try:
                urllib.request.urlopen(f"{self.address}/api", timeout=2)
            except OSError:
                return
            time.sleep(0.25)
        pytest.fail("JupyterLab still answers")

    def kernel_of(self, name: str) -> tuple[str, bool] | None:
        """The state of a notebook's kernel, and whether a page is connected to it; None where it has none."""
        with urllib.request.urlopen(f"{self.address}/api/sessions", timeout=10) as answer:
            kernels = [s["kernel"] for s in json.load(answer) if s["path"] == name]
        return (kernels[0]["execution_state"], kernels[0]["connections"] > 0) if kernels else None

    def write(self, name: str, *sources: str) -> None:
        """A notebook beside the lesson; a source that starts with ``#`` and a space is text."""
        kinds = [new_markdown_cell if s.startswith("# ") else new_code_cell for s in sources]
        notebook = new_notebook(cells=[kind(source) for kind, source in zip(kinds, sources)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.folder / name)


def launch(driver):
    """A headless Chromium, the machine's own."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.fail("no chromium: install it (Debian: apt-get install chromium)")
    return driver.chromium.launch(executable_path=found, args=QUIET)


def new_page(chromium):
    """A page of a browser that knows nothing of the pages before."""
    context = chromium.new_context(viewport={"width": 1200, "height": 1600})
    context.set_default_timeout(120_000)
    return context.new_page()


def photograph(seen, name: str) -> None:
    """Keep a page, or a part of one, in build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    seen.screenshot(path=SCREENSHOTS / f"{name}.png")


def open_notebook(page, lab: Lab, name: str, front_end: str = "lab/tree") -> None:
    """Open a notebook in JupyterLab (Notebook 7: "notebooks"), and wait for its first cell and its kernel."""
    page.goto(f"{lab.address}/{front_end}/{name}?reset")
    first = page.locator(".jp-Notebook :is(.jp-MarkdownOutput, .jp-CodeCell .cm-content):visible")
    first.first.wait_for()
    until(lambda: lab.kernel_of(name) == ("idle", True), "the kernel did not start", 60)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")


def run_cell(page) -> None:
    """Run the selected cell, wait until it has run, and select the next."""
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(f"!{BUSY}")


def drag(handle) -> None:
    """Pull a slider's handle to the right by mouse, or to the left where it is at the right end."""
    page, grip = handle.page, handle.bounding_box()
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    by = 40 if x + 40 < track["x"] + track["width"] else -40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=3)
    page.mouse.up()


def until(true, what: str, seconds: float = 30.0) -> None:
    """Ask again and again until ``true()``; the test fails with ``what()`` or ``what`` when that takes too long."""
    deadline = time.time() + seconds
    while not true():
        if time.time() > deadline:
            pytest.fail(what() if callable(what) else what)
        time.sleep(0.05)
