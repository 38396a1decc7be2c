"""The lesson on the oldest and the newest Python that README.md promises: fast tests and three sections.

``python -m tools.matrix`` makes build/matrix/oldest, with the lowest versions that the lists of requirements allow,
and build/matrix/newest, with the newest that pip finds, runs both, and writes tests/matrix.md; ``python -m
tools.matrix oldest`` renews one column. It needs the standard library alone and downloads gigabytes. An interpreter
that is not there is told as not run, and ends the command as a failure does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

from tools.check_python import NEWEST, OLDEST
from tools.console import complain, say
from tools.environment import LISTS, ROOT, python_of, text_of
from tools.files import write_whole

HOMES, TABLE = ROOT / "build" / "matrix", ROOT / "tests" / "matrix.md"
PROMISED = {"oldest": OLDEST, "newest": NEWEST}
SECTIONS = ("1.1", "4.3", "5.3")
SHOWN = (
    "torch numpy scipy scikit-learn matplotlib pillow ipython ipykernel ipywidgets jupyterlab notebook nbclient "
    "nbconvert nbgrader nbval pytest hypothesis"
).split()
VERSIONS = """\
import json, platform
from importlib.metadata import version
print(json.dumps({"Python": platform.python_version(), **{name: version(name) for name in %r}}))
"""
HEAD = """\
# The lesson on the oldest and the newest Python

Made by `make matrix`: the lowest versions that the lists of requirements allow, and the newest that pip found; the
tests that are not slow; and three sections, each alone after the set-up cell. {system}, one thread.

"""


class NotRun(Exception):
    """A set that could not be run; the text says why."""


def lowest(*names: str) -> dict[str, str]:
    """The lower bound of every package in the lists; the later list has the last word."""
    return dict(re.findall(r"^([\w-]+)>=([\w.]+)", "\n".join(map(text_of, names)), re.MULTILINE))


def limits_of(name: str) -> list[str]:
    """What pip is held to: for the oldest set each lower bound, for the newest nothing."""
    bounds = lowest(*LISTS["test"]) if name == "oldest" else {}
    return [f"{package}=={version}" for package, version in bounds.items()]


def interpreter(name: str, command: str) -> str:
    """The path of a set's Python. Raises NotRun if there is none, or of another version."""
    path, wanted = shutil.which(command), "{}.{}".format(*PROMISED[name])
    if path is None:
        raise NotRun(f"no {command} here")
    asked = [path, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    found = subprocess.run(asked, capture_output=True, encoding="utf-8").stdout.strip()
    if found != wanted:
        raise NotRun(f"{command} is Python {found or 'that does not start'}, expected {wanted}")
    return path


def make_ready(name: str, python: str, index: str) -> Path:
    """Install a set's packages; what is there already stays. Raises NotRun if pip cannot; returns its interpreter."""
    home = HOMES / name
    own, limits = python_of(home), home / "limits.txt"
    pip = [str(own), "-m", "pip", "install", "--quiet", "-c", str(limits), "--upgrade"]
    lists = [word for list_ in LISTS["test"] for word in ("-r", str(ROOT / list_))]
    try:
        subprocess.run([python, "-m", "venv", str(home)], check=True)
        write_whole(limits, "\n".join(limits_of(name)) + "\n")
        if index:
            subprocess.run([*pip, "--index-url", index, "torch"], check=True)
        subprocess.run([*pip, "--upgrade-strategy", "eager", *lists], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotRun(f"its packages could not be installed: {error}") from None
    return own


def in_set(own: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run a set's interpreter, quietly and on one thread, and let its output be seen."""
    environment = {**os.environ, "LESSON_QUIET": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([str(own), *arguments], cwd=ROOT, env=environment)


def versions(own: Path) -> dict[str, str]:
    """The versions of Python and of the packages that the table shows."""
    asked = [str(own), "-c", VERSIONS % (SHOWN,)]
    return json.loads(
        subprocess.run(asked, capture_output=True, check=True, encoding="utf-8").stdout
    )


def tested(own: Path, report: Path) -> dict[str, str]:
    """Run the tests that are not slow, but for those of this table; how many passed, failed, were skipped."""
    report.unlink(missing_ok=True)
    which = ["-m", "not slow", "tests", "solutions", "--ignore=tests/test_matrix.py"]
    ended = in_set(own, "-m", "pytest", *which, f"--junitxml={report}")
    counts = counted(report)
    if ended.returncode and counts["failed"] in ("0", ""):
        counts["failed"] = f"pytest ended with {ended.returncode}"
    return {f"tests {what}": number for what, number in counts.items()}


def counted(report: Path) -> dict[str, str]:
    """The numbers of pytest's report; '' for each if it wrote none."""
    if not report.exists():
        return dict.fromkeys(("passed", "failed", "skipped"), "")
    suite = next(ElementTree.parse(report).iter("testsuite"))
    total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    return {"passed": str(total - failed - skipped), "failed": str(failed), "skipped": str(skipped)}


def section_run(own: Path, section: str, result: Path) -> str:
    """Run a section after the set-up cell; how many of its claims held, or that it failed."""
    ended = in_set(own, "-m", "tools.notebooks", "section", "theory.ipynb", section, str(result))
    if ended.returncode:
        return "failed"
    printed = [
        output.get("text", "")
        for cell in json.loads(result.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    ]
    text = "".join("".join(part) for part in printed)
    return f"{text.count('✓ §')} of {text.count('✓ §') + text.count('✗ §')} claims held"


def run_set(name: str, command: str, index: str) -> dict[str, str]:
    """A column of the table, from top to bottom. Raises NotRun."""
    own = make_ready(name, interpreter(name, command), index)
    say(f"{name}: tests and sections {', '.join(SECTIONS)}")
    column = {"date": date.today().isoformat(), **versions(own)}
    column |= tested(own, HOMES / f"{name}.xml")
    for section in SECTIONS:
        column[f"section {section}"] = section_run(own, section, HOMES / f"{name}-{section}.ipynb")
    return column


def passed(column: dict[str, str]) -> bool:
    """Whether a set ran, no test failed and every claim held."""
    claims = [
        re.fullmatch(r"([1-9]\d*) of \1 claims held", column.get(f"section {s}", ""))
        for s in SECTIONS
    ]
    return column.get("tests failed") == "0" and column["tests passed"] != "0" and all(claims)


def as_markdown(columns: dict[str, dict[str, str]]) -> str:
    """The table of all sets."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(column.get(row, "") for column in columns.values())] for row in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return HEAD.format(system=f"{platform.system()} {platform.machine()}") + table + "\n"


def columns_of(table: str) -> dict[str, dict[str, str]]:
    """The sets of a stored table."""
    lines = [line[2:-2].split(" | ") for line in table.splitlines() if line.startswith("| ")]
    if not lines:
        return {}
    (_, *names), _, *rows = lines
    return {
        name: {row[0]: row[at] for row in rows if row[at]} for at, name in enumerate(names, start=1)
    }


def main(arguments: list[str] | None = None) -> int:
    """The command line described at the top of this module. Returns 0 if every set asked for ran and passed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.matrix", description="Tests on the oldest and the newest Python."
    )
    parser.add_argument("sets", nargs="*", help="oldest, newest; both if none is named")
    for name, (major, minor) in PROMISED.items():
        parser.add_argument(f"--{name}", default=f"python{major}.{minor}", help="its interpreter")
    parser.add_argument("--torch-index", default="", help="a package index for torch alone")
    options = parser.parse_args(arguments)
    if unknown := set(options.sets) - set(PROMISED):
        parser.error(f"no set {min(unknown)!r}: expected {' or '.join(PROMISED)}")
    columns = columns_of(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    asked = options.sets or list(PROMISED)
    for name in asked:
        try:
            columns[name] = run_set(name, getattr(options, name), options.torch_index)
        except NotRun as reason:
            complain(f"{name}: not run, {reason}")
            columns[name] = {"date": date.today().isoformat(), "not run": str(reason)}
        write_whole(
            TABLE, as_markdown({name: columns[name] for name in PROMISED if name in columns})
        )
    missed = [name for name in asked if not passed(columns[name])]
    say(f"{', '.join(missed) or 'none'} of {', '.join(asked)} did not pass   → {TABLE.name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
