"""The temperature of a reward model (section 3.4): reliability, ECE, Brier score, log loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from helpers.calibration import fit_temperature, measured, reliability
from helpers.explorers import svg
from helpers.explorers.wiring import Choice, Explorer, Slider, View, show

NAME = "the temperature of a reward model"


@dataclass(frozen=True)
class State:
    """Forecasts σ(margin/T): their errors, accuracy, and the bins' counts, mean forecasts and frequencies.

    best is the T of the smallest log loss on these pairs, which does not depend on T.
    """

    temperature: float
    best: float
    ece: float
    brier: float
    log_loss: float
    accuracy: float
    count: tuple[int, ...]
    forecast: tuple[float, ...]
    frequency: tuple[float, ...]


def state(margins: Tensor, labels: Tensor, temperature: float, best: float) -> State:
    """margins (B,), first minus second, and labels (B,) of 0 and 1. Raises ValueError for T ≤ 0."""
    if not temperature > 0:
        raise ValueError(f"temperature = {temperature}: expected a number above 0")
    scaled = margins / temperature
    errors, bins = measured(scaled, labels), reliability(scaled.sigmoid(), labels)
    right = ((scaled > 0) == (labels > 0)).double().mean().item()
    columns = (tuple(column.tolist()) for column in (bins.count, bins.forecast, bins.frequency))
    return State(
        temperature, best, errors["ECE"], errors["Brier"], errors["log loss"], right, *columns
    )


def look(
    pairs: dict[str, tuple[Tensor, Tensor]], best: dict[str, float], model: str, temperature: float
) -> View:
    """The reliability diagram, and how many pairs each bin holds."""
    now = state(*pairs[model], temperature, best[model])
    reading = (
        f"{model}, T = {temperature:.2f}: ECE {now.ece:.3f}, Brier score {now.brier:.3f}, log loss "
        f"{now.log_loss:.3f}, accuracy {100 * now.accuracy:.1f} % at every T. On these {sum(now.count)} pairs the log "
        f"loss is smallest at T = {now.best:.2f}."
    )
    left, right = (
        svg.Panel(50, 40, 250, 210, (0, 1), (0, 1)),
        svg.Panel(390, 40, 240, 210, (0, 1), (0, 1)),
    )
    ticks = (0, 0.25, 0.5, 0.75, 1)
    parts = [
        left.axes("how often the first reply won", "forecast σ(margin / T)", ticks, ticks),
        left.line((0, 1), (0, 1), "reference", dashed=True),
        left.line(now.forecast, now.frequency, "policy"),
        *(left.dot(*point, "policy") for point in zip(now.forecast, now.frequency)),
        right.axes("share of the pairs in each bin", "forecast σ(margin / T)", ticks, ticks),
    ]
    for forecast, count in zip(now.forecast, now.count):
        middle = min(int(forecast * 10), 9) / 10
        (x, y), (_, zero) = right.place(middle, count / sum(now.count)), right.place(0, 0)
        parts.append(svg.rectangle(x + 1, y, 22, zero - y, svg.COLOURS["reference"]))
    return View(svg.picture(660, 290, NAME, reading, parts), reading)


def explorer(pairs: dict[str, tuple[Tensor, Tensor]]) -> Explorer:
    """Knobs: the forecaster and T. pairs: forecaster → margins (B,) and labels (B,), turned round at random."""
    best = {name: fit_temperature(*given) for name, given in pairs.items()}
    knobs = {
        "model": Choice("forecaster", tuple(pairs), next(iter(pairs))),
        "temperature": Slider("temperature T", -0.6, 1, 0.05, 1.0, log=True),
    }
    return Explorer(NAME, knobs, partial(look, pairs, best))


def explore_temperature(pairs: dict[str, tuple[Tensor, Tensor]]) -> None:
    """Show the explorer; ``pairs`` as in ``explorer``."""
    show(explorer(pairs))
