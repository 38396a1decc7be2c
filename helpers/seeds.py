"""Do the lesson's claims hold on seeds that nothing was tuned on? ``python -m helpers.seeds 131-140`` runs and tells.

Every seed executes theory.ipynb as it is, with ``LESSON_SEED`` set, so that claims record a missed bound instead of
raising. Two seeds at a time, one thread each. ``--sections 4.1 4.2`` runs these alone and renews their rows. What a
seed found is kept in build/seeds until lesson or helpers change, so an interrupted run goes on where it stopped. The
table goes to tests/seeds.md, with the versions it was made with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
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

from helpers.claims import Claim
from helpers.notebooks import execute, load, section_of_cells

ROOT = Path(__file__).parent.parent
NOTEBOOK, TABLE, KEPT = ROOT / "theory.ipynb", ROOT / "tests" / "seeds.md", ROOT / "build" / "seeds"
NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Row:
    """One claim over all seeds: how many held, mean and standard deviation, and its distance from the bound.

    margin: how far the mean is on the right side of the bound, in standard deviations; below 0 on the wrong side,
    infinite where all seeds give the same number on the right side.
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
    """Distance of a mean from a bound such as '< 0.03', '> 1' or 'in [0, 1]', in sd. ValueError for another text."""
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


def summarise(runs: dict[int, list[Claim]]) -> list[Row]:
    """One row per claim from the claims of every seed. Raises ValueError for fewer than two seeds or other claims."""
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} seeds: expected at least two, for a standard deviation")
    found = {seed: {(c.section, c.statement, c.bound): c for c in claims} for seed, claims in runs.items()}
    first, *others = found.values()
    for seed, claims in found.items():
        if different := claims.keys() ^ first.keys():
            name = sorted(different)[0]
            raise ValueError(f"seed {seed}: {name} is not a claim of every seed: expected the same texts")
    rows = []
    for key in first:
        values = [claims[key].value for claims in found.values()]
        mean, sd, held = fmean(values), stdev(values), sum(claims[key].holds for claims in found.values())
        rows.append(Row(*key, held, len(found), mean, sd, margin(key[2], mean, sd)))
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
        if match := re.match(r"\| (\d+(?:\.\d+)?) \|", line):
            found.setdefault(match[1], []).append(line)
    return found


def as_markdown(lines: dict[str, list[str]], seeds: list[int]) -> str:
    """The table for the repository, with versions and what to think of it; lines: section → rows."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    ordered = [line for name in sorted(lines, key=lambda s: [int(n) for n in s.split(".")]) for line in lines[name]]
    standing = sum("✗" not in line for line in ordered)
    head = f"""\
# The lesson's claims over seeds

Seeds {seeds[0]}–{seeds[-1]}, on which nothing was tuned: **{standing} of {len(ordered)} claims stand**: they held on
every seed with the bound at least three standard deviations from the mean. Made by `make seeds`; Python
{platform.python_version()}, {packages}, {platform.system()} {platform.machine()}, one thread.

| § | claim | bound | held | mean | s.d. | margin in s.d. |
|---|---|---|---|---|---|---|
"""
    return head + "\n".join(ordered) + "\n"


def fingerprint() -> str:
    """A hash of everything that a claim depends on: the notebook's code cells and the modules of helpers."""
    code = [cell.source for cell in load(NOTEBOOK).cells if cell.cell_type == "code"]
    modules = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "helpers").rglob("*.py"))]
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
        cells = zip(notebook.cells, section_of_cells(notebook))
        notebook.cells = [c for c, name in cells if name in sections or "setup" in c.metadata.get("tags", [])]
    code = "import json, dataclasses\nclaimed = [dataclasses.asdict(c) for c in claims.ledger().claims]\n"
    code += f"open({str(found)!r}, 'w', encoding='utf-8').write(json.dumps(claimed))"
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    os.environ.update(LESSON_SEED=str(seed), OMP_NUM_THREADS="1")
    execute(notebook, ROOT)
    claimed = [Claim(**claim) for claim in json.loads(found.read_text(encoding="utf-8"))]
    kept.write_text(json.dumps({"fingerprint": now, "claims": [asdict(c) for c in claimed]}), encoding="utf-8")
    found.unlink()
    return claimed


def parse_seeds(text: str) -> list[int]:
    """'131-140' → [131, …, 140]. Raises ValueError for another text or fewer than two seeds."""
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if not match or int(match[2]) <= int(match[1]):
        raise ValueError(f"seeds {text!r}: expected a first and a larger last one, such as 131-140")
    return list(range(int(match[1]), int(match[2]) + 1))


def main(arguments: list[str] | None = None) -> int:
    """Run all seeds, print and store the table. Returns 0 if every claim stands, 1 if not or if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m helpers.seeds", description="The lesson's claims over seeds.")
    parser.add_argument("seeds", help="first and last, such as 131-140")
    parser.add_argument("--sections", nargs="+", default=[], help="run these alone and renew their rows of the table")
    options = parser.parse_args(arguments)
    seeds, sections, runs = parse_seeds(options.seeds), tuple(options.sections), {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(run_seed, seed, sections): seed for seed in seeds}
        for future in as_completed(waiting):
            try:
                runs[waiting[future]] = future.result()
            except RuntimeError as error:
                print(f"seed {waiting[future]}: {error}", file=sys.stderr)
                continue
            held = [claim.holds for claim in runs[waiting[future]]]
            print(f"seed {waiting[future]}: {sum(held)} of {len(held)} claims hold", flush=True)
    if len(runs) < len(seeds):
        return 1
    rows = summarise(dict(sorted(runs.items())))
    lines = lines_of(TABLE.read_text(encoding="utf-8")) if sections else {}
    lines |= {name: [line_of(row) for row in rows if row.section == name] for name in {row.section for row in rows}}
    TABLE.write_text(as_markdown(lines, seeds), encoding="utf-8")
    for row in rows:
        if not row.stands:
            print(f"✗ §{row.section} {row.statement}: {row.mean:.3g} ± {row.sd:.2g}, claimed {row.bound}")
    print(f"{sum(row.stands for row in rows)} of {len(rows)} claims stand   → {TABLE.relative_to(ROOT)}")
    return 0 if all(row.stands for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
