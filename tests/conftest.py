"""What the tests share: the world, small policies that are made once, and the table of what the grader knows."""

from __future__ import annotations

import pytest
import torch
from browsing import Lab, launch, new_page
from settings import own_points  # noqa: F401

from helpers.gpt import TinyGPT, new_gpt
from helpers.world import EXACT, World, demonstrations


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def perturbed(world: World, seed: int) -> TinyGPT:
    """An untrained GPT in float64 whose weights are large enough that every probability differs from the next."""
    policy = new_gpt(world, seed).double()
    generator = seeded(seed + 1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.15 * torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            )
    return policy


def trained(world: World, scored, steps: int = 80) -> TinyGPT:
    """A GPT after a few steps on demonstrations; scored(policy, prompts, responses) → log-probabilities (B, R)."""
    policy, generator = new_gpt(world, 5), seeded(6)
    prompts, responses = demonstrations(world, 600, generator)
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for _ in range(steps):
        rows = torch.randint(len(prompts), (64,), generator=generator)
        logps = scored(policy, world.prompt_tokens[prompts[rows]], responses[rows])
        optimizer.zero_grad()
        (-logps[world.mask(responses[rows])].mean()).backward()
        optimizer.step()
    return policy


@pytest.fixture(scope="session")
def world() -> World:
    return EXACT


@pytest.fixture(scope="session")
def rough_gpt(world) -> TinyGPT:
    """Untrained, weights perturbed, float64."""
    return perturbed(world, 1)


@pytest.fixture(scope="session")
def sft_gpt(world) -> TinyGPT:
    """Briefly trained on demonstrations, float32 as in the lesson."""
    from helpers.gpt import token_logps

    return trained(world, token_logps)


# ---- a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab that serves a copy of the repository."""
    served = Lab(tmp_path_factory.mktemp("lab"))
    served.start()
    yield served
    served.close()


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        window = launch(driver)
        yield window
        window.close()


@pytest.fixture
def page(chromium):
    """A new page for one test."""
    opened = new_page(chromium)
    yield opened
    opened.context.close()


# ---- a table of what the grader knows, at the end of a run -------------------------------------

COLUMNS = (
    "parts",
    "mistakes",
    "writings",
    "rejected",
    "cause told",
    "left out, told",
    "with a slip, told",
    "told wrongly",
    "right variants accepted",
)


def pytest_terminal_summary(terminalreporter):
    """One row for each exercise, from what tests of test_every_exercise.py have noted."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    noted = [value for r in reports for key, value in r.user_properties if key == "graded"]
    if not noted:
        return
    terminalreporter.section("what the grader knows")
    terminalreporter.write_line(f"{'':<26}" + "".join(f"{c:>{len(c) + 2}}" for c in COLUMNS))
    for name in [*sorted({row["exercise"] for row in noted}), "all"]:
        rows = [row for row in noted if name in (row["exercise"], "all")]
        wrong = [row for row in rows if row["kind"] == "mistake"]
        right = [row for row in rows if row["kind"] == "right"]
        disguised = [row for row in rows if row["kind"] == "disguised"]
        unknown = [row["told"] for row in disguised if row["how"] == "left out"]
        slips = [row["told"] for row in disguised if row["how"] != "left out"]
        cells = (
            len({row["part"] for row in rows}),
            len({(row["part"], row["key"]) for row in wrong}),
            len(wrong),
            sum(row["rejected"] for row in wrong),
            sum(row["told"] for row in wrong),
            f"{sum(unknown)} of {len(unknown)}",
            f"{sum(slips)} of {len(slips)}",
            sum(bool(row["wrongly"]) for row in disguised),
            f"{sum(row['accepted'] for row in right)} of {len(right)}",
        )
        line = "".join(f"{cell:>{len(c) + 2}}" for c, cell in zip(COLUMNS, cells))
        terminalreporter.write_line(f"{name:<26}{line}")
