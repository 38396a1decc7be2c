"""The environment of `make lesson` and `make test`: for which Pythons, and when it is made anew."""

import ast
import re
import subprocess
import sys
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tools import check_python, environment

ROOT = Path(__file__).parent.parent
LESSON = ["requirements.txt"]
TESTS = ["requirements.txt", "requirements-tests.txt"]


# ---- which Python -------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_the_pythons_of_the_readme_are_taken(version):
    assert check_python.problem(version, "Linux", "x86_64", 64) == ""


@pytest.mark.parametrize(
    "found, reason",
    [
        (((2, 7), "Linux", "x86_64", 64), "Python 2.7, which is too old: expected 3.10"),
        (((3, 9), "Darwin", "arm64", 64), "Python 3.9, which is too old: expected 3.10"),
        (((3, 14), "Linux", "x86_64", 64), "Python 3.14, with which nothing was tested"),
        (((3, 12), "Windows", "AMD64", 32), "has 32 bits, and PyTorch needs 64"),
        (((3, 12), "Darwin", "x86_64", 64), "for Intel Macs, whose last PyTorch is 2.2.2"),
    ],
)
def test_a_python_without_the_lesson_hears_why_in_a_sentence(found, reason):
    said = check_python.problem(*found)
    assert reason in said and "\n" not in said


def test_a_python_that_is_refused_installs_nothing(monkeypatch, capsys, no_installing):
    monkeypatch.setattr(check_python.sys, "version_info", (3, 9, 18))
    assert environment.main(["lesson"]) == 1
    assert "Python 3.9, which is too old" in capsys.readouterr().err and no_installing == []


@pytest.mark.parametrize("name", ["check_python.py", "__init__.py"])
def test_what_an_old_python_reads_has_no_new_syntax(name):
    text = (ROOT / "tools" / name).read_bytes().decode("ascii")  # Python 2 refuses other letters
    nodes = list(ast.walk(ast.parse(text)))
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal)
    assert [ast.unparse(node) for node in nodes if isinstance(node, new)] == []
    annotated = [n for n in nodes if getattr(n, "annotation", None) or getattr(n, "returns", None)]
    assert annotated == [] and "import annotations" not in text


# ---- when it is made anew -----------------------------------------------------------------


@pytest.fixture
def no_installing(monkeypatch):
    """The commands that would have been run, which do nothing."""
    commands = []
    monkeypatch.setattr(
        environment.subprocess, "run", lambda command, check: commands.append(command)
    )
    return commands


@pytest.fixture
def home(tmp_path, no_installing):
    """A ready environment of the lesson."""
    environment.make_ready(tmp_path, "lesson", "", "")
    no_installing.clear()
    return tmp_path


def made_anew(commands):
    return any("venv" in command for command in commands)


def lists_in(commands):
    return [Path(word).name for word in commands[-1] if word.endswith(".txt")][1:]


def test_the_first_time_it_is_made_and_then_it_is_ready(tmp_path, no_installing):
    environment.make_ready(tmp_path, "lesson", "", "")
    assert made_anew(no_installing) and lists_in(no_installing) == LESSON
    assert re.fullmatch(r"torch==[\d.]+", no_installing[1][-1]), "the tested torch"
    no_installing.clear()
    environment.make_ready(tmp_path, "lesson", "", "")
    assert no_installing == []


def test_the_tests_add_what_they_need_and_the_lesson_is_content_with_more(home, no_installing):
    environment.make_ready(home, "test", "", "")
    assert not made_anew(no_installing) and lists_in(no_installing) == TESTS
    no_installing.clear()
    environment.make_ready(home, "lesson", "", "")
    assert no_installing == []


def test_another_torch_makes_it_anew_and_is_not_held_to_the_tested_version(home, no_installing):
    environment.make_ready(home, "lesson", "torch==2.6.0", "https://a.b/cpu")
    assert made_anew(no_installing)
    assert no_installing[1][-3:] == ["--index-url", "https://a.b/cpu", "torch==2.6.0"]
    pins = (home / "constraints.txt").read_text(encoding="utf-8")
    assert re.findall(r"^torch==.*", pins, re.MULTILINE) == ["torch==2.6.0"] and "numpy==" in pins
    no_installing.clear()
    environment.make_ready(home, "lesson", "torch==2.6.0", "")
    assert made_anew(no_installing), "another index may hold another build"


def test_the_versions_of_colab_are_an_environment_of_their_own(tmp_path, no_installing):
    environment.make_ready(tmp_path, "colab", "", "")
    assert lists_in(no_installing) == ["requirements-colab.txt"]
    assert re.fullmatch(r"torch==[\d.]+", no_installing[1][-1]), "the tested torch"
    limits = (tmp_path / "constraints.txt").read_text(encoding="utf-8")
    assert "ipython==7.34.0" in limits and "jupyterlab" not in limits
    homes = environment.HOMES
    assert homes["lesson"] == homes["test"] != homes["colab"]


@pytest.mark.parametrize("change", [("python_version", "3.12.1"), ("prefix", "/elsewhere")])
def test_another_interpreter_makes_it_anew(change, home, no_installing, monkeypatch):
    if change[0] == "prefix":
        monkeypatch.setattr(environment.sys, "base_prefix", change[1])
    else:
        monkeypatch.setattr(environment.platform, "python_version", lambda: change[1])
    environment.make_ready(home, "lesson", "", "")
    assert made_anew(no_installing)


def test_changed_requirements_are_installed_into_what_is_there(home, no_installing, monkeypatch):
    monkeypatch.setattr(environment, "digest", lambda name: "another")
    environment.make_ready(home, "lesson", "", "")
    assert no_installing and not made_anew(no_installing)


def test_what_failed_half_way_is_not_ready(home, no_installing, monkeypatch, capsys):
    def fail(command, check):
        no_installing.append(command)
        if "-r" in command:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(environment.subprocess, "run", fail)
    with pytest.raises(subprocess.CalledProcessError):
        environment.make_ready(home, "test", "", "")
    no_installing.clear()
    with pytest.raises(subprocess.CalledProcessError):
        environment.make_ready(home, "lesson", "", "")
    assert made_anew(no_installing)


def test_a_failure_is_told_in_a_sentence(monkeypatch, capsys):
    def fail(*_):
        raise subprocess.CalledProcessError(1, ["pip"])

    monkeypatch.setattr(environment, "make_ready", fail)
    assert environment.main(["test"]) == 1
    assert "is not ready: the reason stands above" in capsys.readouterr().err


def test_root_hears_what_jupyterlab_wants(monkeypatch, capsys):
    monkeypatch.setattr(environment, "make_ready", lambda *_: None)
    monkeypatch.setattr(environment.os, "geteuid", lambda: 0, raising=False)
    assert environment.main(["lesson"]) == 0
    assert ("--allow-root" in capsys.readouterr().out) == (environment.os.name == "posix")
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000, raising=False)
    assert environment.main(["lesson"]) == 0 and capsys.readouterr().out == ""


# ---- the lists of requirements ------------------------------------------------------------


def names_in(*files):
    """The packages that lists of requirements name."""
    lines = [
        line for name in files for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    return {re.match(r"[\w-]+", line)[0].replace("_", "-") for line in lines if line[:1].isalnum()}


def packages_imported(folder):
    """The packages from which the modules of a folder import, without the standard library."""
    distributions, found = packages_distributions(), set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names:
                found.update(distributions.get(name, [])[:1])
    return {name.lower().replace("_", "-") for name in found}


def test_what_the_lesson_imports_is_in_its_requirements():
    assert packages_imported("helpers") - names_in("requirements.txt") == set()


@pytest.mark.parametrize("folder", ["solutions", "tests", "tools"])
def test_what_the_rest_imports_is_in_the_requirements(folder):
    assert packages_imported(folder) - names_in(*TESTS) == set()


def pins():
    """Name, version and marker of each line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parts = [re.fullmatch(r"([\w-]+)==([\d.]+)(;.*)?", line) for line in lines if line[0] != "#"]
    return [(part[1], part[2], part[3] or "") for part in parts]


def test_every_requirement_has_the_version_it_was_tested_with():
    assert names_in(*TESTS) - names_in("constraints.txt") == set()


def test_pins_that_python_310_cannot_install_do_not_bind_it():
    wrong = []
    for name, pinned, marker in pins():
        package = metadata(name)
        if package["Version"].split("+")[0] == pinned:
            fits = "3.10.0" in SpecifierSet(package["Requires-Python"] or "")
            if marker != ("" if fits else '; python_version >= "3.11"'):
                wrong.append(f"{name}=={pinned}{marker} needs {package['Requires-Python']}")
    assert wrong == []
