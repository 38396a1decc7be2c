"""Do the lesson's claims hold on seeds that nothing was tuned on? It runs them and tells.

``python -m tools.seeds 131-140`` executes theory.ipynb as it is, with ``LESSON_SEED`` set, so that
claims record a missed bound instead of raising. Two seeds at a time, one thread each. ``--sections
4.1 4.2`` runs these alone and renews their rows. What a seed found is kept in build/seeds until
lesson or helpers change, so an interrupted run goes on where it stopped. The table goes to
tests/seeds.md, with the versions it was made with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import re
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, stdev

import nbformat

from helpers.claims import Claim, place
from tools.console import complain, say
from tools.files import write_whole
from tools.notebooks import execute, load, section_alone

ROOT = Path(__file__).parent.parent
NOTEBOOK, TABLE, KEPT = ROOT / "theory.ipynb", ROOT / "tests" / "seeds.md", ROOT / "build" / "seeds"
HAND_OVER = """\
import dataclasses, json
from helpers.claims import made
claimed = [dataclasses.asdict(claim) for claim in made()]
with open({path!r}, "w", encoding="utf-8") as file:
    json.dump(claimed, file)
"""
NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Row:
    """One claim over all seeds: how many held, mean, standard deviation, distance from the bound.

    margin: how far the mean is on the right side of the bound, in standard deviations; below 0 on
    the wrong side, infinite where all seeds give the same number on the right side.
    """

    section: str
    statement: str
    bound: str
    held: int
    seeds: int
    mean: float
    sd: float
    margin: float

    @property
    def stands(self) -> bool:
        """Held on every seed, and the bound three standard deviations or more from the mean."""
        return self.held == self.seeds and self.margin >= 3


def margin(bound: str, mean: float, sd: float) -> float:
    """Distance of a mean from a bound such as '< 0.03', '> 1' or 'in [0, 1]', in sd.

    Raises ValueError for another text.
    """
    numbers = [float(text) for text in re.findall(NUMBER, bound)]
    if bound.startswith("<") and len(numbers) == 1:
        room = numbers[0] - mean
    elif bound.startswith(">") and len(numbers) == 1:
        room = mean - numbers[0]
    elif bound.startswith("in") and len(numbers) == 2:
        room = min(mean - numbers[0], numbers[1] - mean)
    else:
        raise ValueError(f"bound {bound!r}: expected '< a', '> a' or 'in [a, b]'")
    return room / sd if sd > 0 else float("inf") if room >= 0 else float("-inf")


def room_in_sd(bound: str, values: list[float], log: bool) -> float:
    """``margin`` of the values over seeds; of their logarithms where they differ by factors.

    A claim with a value that is not finite, or with ``log`` not positive, does not stand: -inf.
    """
    if not all(map(math.isfinite, values)):
        return float("-inf")
    if not log:
        return margin(bound, fmean(values), stdev(values))
    if min(values) <= 0:
        return float("-inf")
    logs = [math.log(value) for value in values]
    bound = re.sub(NUMBER, lambda number: f"{math.log(float(number[0])):.6f}", bound)
    return margin(bound, fmean(logs), stdev(logs))


def summarise(runs: dict[int, list[Claim]]) -> list[Row]:
    """One row per claim from the claims of every seed.

    Raises ValueError for fewer than two seeds and for seeds that differ in what they claim.
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} seeds: expected at least two, for a standard deviation")
    found = {
        seed: {(c.section, c.named, c.bound): c for c in claims} for seed, claims in runs.items()
    }
    first = next(iter(found.values()))
    for seed, claims in found.items():
        if different := claims.keys() ^ first.keys():
            name = min(different)
            raise ValueError(
                f"seed {seed}: {name} is not a claim of every seed: expected the same texts"
            )
    rows = []
    for key in first:
        values = [claims[key].value for claims in found.values()]
        held = sum(claims[key].holds for claims in found.values())
        room = room_in_sd(key[2], values, first[key].log)
        spread = stdev(values) if all(map(math.isfinite, values)) else math.nan
        rows.append(Row(*key, held, len(found), fmean(values), spread, room))
    return rows


def line_of(row: Row) -> str:
    """A claim's row of the table."""
    margin_shown = "∞" if row.margin == float("inf") else f"{row.margin:.1f}"
    statement = row.statement.replace("|", "\\|")
    return (
        f"| {row.section} | {statement} | {row.bound} | {row.held}/{row.seeds} | {row.mean:.3g} "
        f"| {row.sd:.2g} | {margin_shown}{'' if row.stands else ' ✗'} |"
    )


def lines_of(table: str) -> dict[str, list[str]]:
    """The rows of a stored table by section."""
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        if match := re.match(r"\| (\d+(?:\.\d+)?|C\.\d+|tour) \|", line):
            found.setdefault(match[1], []).append(line)
    return found


def as_markdown(lines: dict[str, list[str]], seeds: list[int]) -> str:
    """The table for the repository, with versions and a verdict; lines: section → rows."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    in_order = sorted(lines, key=place)
    ordered = [line for name in in_order for line in lines[name]]
    found = [line for line in ordered if "| identity: " not in line]
    standing = sum("✗" not in line for line in found)
    head = f"""\
# The lesson's claims over seeds

Nothing was tuned on seeds {seeds[0]}–{seeds[-1]}: **{standing} of {len(found)} claims stand**: they
held on every seed with the bound at least three standard deviations from the mean.
{len(ordered) - len(found)} identities, which hold by construction, are listed and not counted.
Made by `make seeds`; Python {platform.python_version()}, {packages}, {platform.system()} \
{platform.machine()}, one thread.

| § | claim | bound | held | mean | s.d. | margin in s.d. |
|---|---|---|---|---|---|---|
"""
    return head + "\n".join(ordered) + "\n"


def fingerprint() -> str:
    """A hash of all that a claim depends on: the notebook's code cells, the modules of helpers."""
    code = [cell.source for cell in load(NOTEBOOK).cells if cell.cell_type == "code"]
    paths = sorted((ROOT / "helpers").rglob("*.py"))
    modules = [path.read_text(encoding="utf-8") for path in paths]
    return hashlib.sha256("\0".join(code + modules).encode()).hexdigest()


def run_seed(seed: int, sections: tuple[str, ...] = ()) -> list[Claim]:
    """The claims of one seed, of the whole lesson or of the set-up and some sections.

    They come from build/seeds where nothing changed since. Raises RuntimeError for a failing cell.
    """
    kept, now = KEPT / f"{'-'.join([str(seed), *sections])}.json", fingerprint()
    if kept.exists():
        stored = json.loads(kept.read_text(encoding="utf-8"))
        if stored["fingerprint"] == now:
            return [Claim(**claim) for claim in stored["claims"]]
    KEPT.mkdir(parents=True, exist_ok=True)
    found = KEPT / f"{seed}.claims.json"
    notebook = load(NOTEBOOK)
    if sections:
        notebook = section_alone(notebook, *sections)
    notebook.cells.append(nbformat.v4.new_code_cell(HAND_OVER.format(path=str(found))))
    # two seeds run at a time, so arms follow one another
    os.environ.update(LESSON_SEED=str(seed), OMP_NUM_THREADS="1", LESSON_ARMS="1")
    execute(notebook, ROOT)
    claimed = [Claim(**claim) for claim in json.loads(found.read_text(encoding="utf-8"))]
    stored = {"fingerprint": now, "claims": [asdict(claim) for claim in claimed]}
    write_whole(kept, json.dumps(stored))
    found.unlink()
    return claimed


def parse_seeds(text: str) -> list[int]:
    """'131-140' → [131, …, 140]. Raises ValueError for another text or fewer than two seeds."""
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if not match or int(match[2]) <= int(match[1]):
        raise ValueError(f"seeds {text!r}: expected a first and a larger last one, such as 131-140")
    return list(range(int(match[1]), int(match[2]) + 1))


def run_all(seeds: list[int], sections: tuple[str, ...]) -> dict[int, list[Claim]]:
    """The claims of every seed that ran through, in order; tells of each as it ends."""
    runs = {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(run_seed, seed, sections): seed for seed in seeds}
        for future in as_completed(waiting):
            seed = waiting[future]
            try:
                runs[seed] = future.result()
            except RuntimeError as error:
                complain(f"seed {seed}: {error}")
            else:
                held = sum(claim.holds for claim in runs[seed])
                say(f"seed {seed}: {held} of {len(runs[seed])} claims hold")
    return dict(sorted(runs.items()))


def store(rows: list[Row], seeds: list[int], kept: dict[str, list[str]]) -> None:
    """Write the table: these rows, and ``kept`` for the sections that have none among them."""
    lines = dict(kept)
    for section in {row.section for row in rows}:
        lines[section] = [line_of(row) for row in rows if row.section == section]
    write_whole(TABLE, as_markdown(lines, seeds))


def main(arguments: list[str] | None = None) -> int:
    """Run all seeds, store and print the table. Returns 0 if every claim stands on every seed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.seeds", description="The lesson's claims over seeds."
    )
    parser.add_argument("seeds", help="first and last, such as 131-140")
    parser.add_argument(
        "--sections", nargs="+", default=[], help="run these alone and renew their rows"
    )
    options = parser.parse_args(arguments)
    try:
        seeds, sections = parse_seeds(options.seeds), tuple(options.sections)
        runs = run_all(seeds, sections)
        if len(runs) < len(seeds):
            return 1
        rows = summarise(runs)
        store(rows, seeds, lines_of(TABLE.read_text(encoding="utf-8")) if sections else {})
    except (OSError, ValueError) as error:
        complain(str(error))
        return 1
    for row in rows:
        if not row.stands:
            measured = f"{row.mean:.3g} ± {row.sd:.2g}, claimed {row.bound}"
            say(f"✗ §{row.section} {row.statement}: {measured}")
    standing = sum(row.stands for row in rows)
    say(f"{standing} of {len(rows)} claims stand   → {TABLE.relative_to(ROOT)}")
    return 0 if standing == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
