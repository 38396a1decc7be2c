"""Make .venv ready: ``python -m tools.environment lesson``, or ``test`` for the tests' needs too.

``colab`` makes another one, build/colab-python, of the versions that Colab has.

Nothing happens if it is ready. Another interpreter or another torch makes it anew, a changed list
of requirements installs what is new. What was interrupted or failed is not ready and is made anew.
It needs the standard library alone; Python 3.6 can read it, and is told that it is too old.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from tools.check_python import of_this_python
from tools.console import complain, say
from tools.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
LISTS = {
    "lesson": ["requirements.txt"],
    "test": ["requirements.txt", "requirements-tests.txt"],
    "colab": ["requirements-colab.txt"],
}
VERSIONS = {"lesson": "constraints.txt", "test": "constraints.txt", "colab": LISTS["colab"][0]}
HOMES = {"lesson": ROOT / ".venv", "test": ROOT / ".venv", "colab": ROOT / "build/colab-python"}
ROOT_NEEDS_MORE = (
    "You are root, for whom JupyterLab starts only if told to: be an ordinary user, or, as in a "
    "container, run {python} -m tools.working_copy --allow-root"
)


def python_of(home: Path) -> Path:
    """The interpreter of a virtual environment."""
    return home / "Scripts" / "python.exe" if os.name == "nt" else home / "bin" / "python"


def text_of(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def torch_wanted(torch: str) -> str:
    """The requirement for torch: as given, or the version in constraints.txt."""
    return torch or re.search(r"^torch==\S+", text_of("constraints.txt"), re.MULTILINE)[0]


def digest(name: str) -> str:
    """A hash of a file of the repository."""
    return hashlib.sha256(text_of(name).encode("utf-8")).hexdigest()


def state_wanted(purpose: str, torch: str, index: str) -> dict:
    """What a ready environment has written down: whose it is, and of which lists it is made."""
    return {
        "python": [platform.python_version(), sys.base_prefix],
        "torch": [torch_wanted(torch), index],
        "lists": {name: digest(name) for name in [VERSIONS[purpose]] + LISTS[purpose]},
    }


def state_found(home: Path) -> dict:
    """What the environment has written down, nothing if it is not there or not ready."""
    try:
        return json.loads((home / "ready").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def is_ready(found: dict, wanted: dict) -> bool:
    """Whether what was found will do. More lists than needed do no harm."""
    return can_stay(found, wanted) and wanted["lists"].items() <= found["lists"].items()


def can_stay(found: dict, wanted: dict) -> bool:
    """Whether the environment is of the right interpreter and torch."""
    return bool(found) and all(found[key] == wanted[key] for key in ("python", "torch"))


def start_anew(home: Path) -> None:
    """An empty environment of the interpreter that runs this."""
    python = getattr(sys, "_base_executable", sys.executable)  # not that of an activated .venv
    subprocess.run([python, "-m", "venv", "--clear", str(home)], check=True)


def install(home: Path, purpose: str, wanted: dict) -> None:
    """Install torch, then the lists of requirements, within the versions that were tested."""
    torch, index = wanted["torch"]
    limits = home / "constraints.txt"
    pinned = re.sub(r"^torch==.*$", torch, text_of(VERSIONS[purpose]), flags=re.MULTILINE)
    write_whole(limits, pinned)
    pip = [str(python_of(home)), "-m", "pip", "install", "--quiet", "-c", str(limits)]
    subprocess.run(pip + (["--index-url", index] if index else []) + [torch], check=True)
    lists = [word for name in LISTS[purpose] for word in ("-r", str(ROOT / name))]
    subprocess.run(pip + lists, check=True)


def make_ready(home: Path, purpose: str, torch: str, index: str) -> None:
    """Install if something is missing. Raises CalledProcessError and OSError."""
    found, wanted = state_found(home), state_wanted(purpose, torch, index)
    if is_ready(found, wanted):
        return
    say(f"Python {platform.python_version()}: installing into {home}, which takes a while")
    if found:
        (home / "ready").unlink()  # until everything is in place again
    if not can_stay(found, wanted):
        start_anew(home)
    install(home, purpose, wanted)
    write_whole(home / "ready", json.dumps(wanted))


def main(arguments=None) -> int:
    """The command line described at the top of this module."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.environment", description="Make .venv ready."
    )
    parser.add_argument("purpose", choices=LISTS)
    parser.add_argument("--torch", default="", help="instead of the tested one: torch==2.6.0")
    parser.add_argument("--torch-index", default="", help="a package index for torch alone")
    options = parser.parse_args(arguments)
    reason = of_this_python()
    if reason:
        complain(reason)
        return 1
    home = HOMES[options.purpose]
    try:
        make_ready(home, options.purpose, options.torch, options.torch_index)
    except subprocess.CalledProcessError:
        complain(f"{home} is not ready: the reason stands above; the next run begins anew")
        return 1
    except OSError as error:
        complain(f"{home} cannot be written: {error}. Close what runs from it, and try again")
        return 1
    except KeyboardInterrupt:
        complain(f"interrupted: {home} is not ready, the next run begins anew")
        return 1
    if options.purpose == "lesson" and os.name == "posix" and os.geteuid() == 0:
        say(ROOT_NEEDS_MORE.format(python=python_of(home)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
