"""A course on a real nbgrader: released, collected, graded, with feedback; and what hostile work does to it.

One class hands in exercise 8, two of it all ten exercises. What nbgrader makes of work that does not run to its
end is written down here, since solutions/README.md tells it to instructors.
"""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from grading import executed

from helpers.grader import VERSION
from solutions import build

ROOT = Path(__file__).parent.parent
NAME = "ex08_bradley_terry"
SECONDS = (
    30  # for one cell: a check may take 20 s before it stops itself, and then there is its own work
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nbgrader")]  # one course for all


def changed(notebook, **sources):
    """A copy with other sources, by cell id; a callable is given the old one. None takes the cell out."""
    new = copy.deepcopy(notebook)
    for cell in new.cells:
        if cell.id in sources and sources[cell.id] is not None:
            source = sources[cell.id]
            cell.source = source(cell.source) if callable(source) else source
    new.cells = [cell for cell in new.cells if sources.get(cell.id, "") is not None]
    return new


def worth(points, cell_id, notebook):
    """A copy in which a graded cell promises other points."""
    new = copy.deepcopy(notebook)
    next(cell for cell in new.cells if cell.id == cell_id).metadata["nbgrader"]["points"] = points
    return new


def with_first_line(line):
    """The answer's function begins with this line."""
    return lambda source: re.sub(r"(?m)^(def .*?:\n)", rf"\1    {line}\n", source, count=1)


def without_solution(source):
    return build.without_solutions(source, "code")


ERROR = "import sys\nprint('hello', file=sys.stderr)\n"
WAIT = "import time\nwhile True:\n    time.sleep(0.1)\n"
SOLVED = build.solved(NAME)
CLASS = {
    "solved": SOLVED,
    "half": changed(
        SOLVED,
        a8a=lambda s: s.replace("if records.min()", "if False and records.min()"),
        a8b=without_solution,
        a8c=lambda s: s.replace("return", "return None #"),
    ),
    "noisy": changed(SOLVED, a8a=lambda s: ERROR + with_first_line("print(2, file=sys.stderr)")(s)),
    "endless": changed(SOLVED, a8a=with_first_line("while True: __import__('time').sleep(0.1)")),
    "endless_cell": changed(SOLVED, a8a=lambda s: s + "\n\n" + WAIT, a8b=lambda s: WAIT + s),
    "raises": changed(SOLVED, a8a=lambda s: "1 / 0\n" + s, a8b="def graded_loss(:"),
    "kills": changed(SOLVED, a8d=lambda s: s + "\n\nimport os\n\nos._exit(1)"),
    "meddles": worth(300, "c8b", changed(SOLVED, a8a=without_solution, c8a="2.0", c8d=None)),
}
FULL = {"8a-check": 2.0, "8b-check": 3.0, "8c-check": 3.0, "8d-check": 2.0}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course's folder, when everything has been graded and told."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(
        'c = get_config()\nc.CourseDirectory.course_id = "preferences"\n'
        f"c.ExecutePreprocessor.timeout = {SECONDS}\n",
        encoding="utf-8",
    )
    whole, released = build.all_solved(), build._read(ROOT / "exercises.ipynb")
    put(SOLVED, folder / "source" / "ex08" / "ex08.ipynb")
    put(whole, folder / "source" / "all" / "exercises.ipynb")
    for name in build.NAMES:
        put(build.solved(name), folder / "source" / "each" / f"{name}.ipynb")
    for assignment in ("ex08", "all", "each"):
        assert nbgrader(folder, "generate_assignment", assignment) == 0
    for student, notebook in CLASS.items():
        put(notebook, folder / "submitted" / student / "ex08" / "ex08.ipynb")
    unreadable = folder / "submitted" / "unreadable" / "ex08" / "ex08.ipynb"
    unreadable.parent.mkdir(parents=True)
    unreadable.write_text("half a file {", encoding="utf-8")
    put(whole, folder / "submitted" / "solved" / "all" / "exercises.ipynb")
    put(released, folder / "submitted" / "untouched" / "all" / "exercises.ipynb")
    assert nbgrader(folder, "autograde", "ex08") == 1, "kills and unreadable are told"
    assert nbgrader(folder, "autograde", "all") == 0
    for assignment in ("ex08", "all"):
        assert nbgrader(folder, "generate_feedback", assignment) == 0
    return folder


def put(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def nbgrader(folder, *arguments):
    """Run one of its commands as an instructor would, in an active environment; returns the exit status."""
    bin_folder = str(Path(sys.executable).parent)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env |= {
        "PATH": bin_folder + os.pathsep + env["PATH"],  # it calls alembic by name
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
    }
    command = [sys.executable, "-m", "nbgrader", *arguments]
    options = {"cwd": folder, "env": env, "capture_output": True, "encoding": "utf-8"}
    run = subprocess.run(command, check=False, **options)
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(run.stdout + run.stderr)
    return run.returncode


def grades(course, student, assignment="ex08"):
    """Every graded cell's points by its name, None where somebody has to look."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        submission = book.find_submission(assignment, student)
        found = [grade for notebook in submission.notebooks for grade in notebook.grades]
        assert all(grade.needs_manual_grade == (grade.auto_score is None) for grade in found)
        return {grade.name: grade.auto_score for grade in found}


def marks(course, student, assignment="ex08"):
    """Those of the checks."""
    found = grades(course, student, assignment)
    return {name: score for name, score in found.items() if name.endswith("-check")}


def outputs(course, student, cell_id):
    """Texts of what a cell showed when it was graded, names of errors included."""
    notebook = nbformat.read(course / "autograded" / student / "ex08" / "ex08.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == cell_id)
    return [o.get("ename") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]


def sources(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def test_a_released_notebook_is_the_homework_without_answers(course):
    assert sources(course / "release" / "all" / "exercises.ipynb") == sources(
        ROOT / "exercises.ipynb"
    )
    homework = set(sources(ROOT / "exercises.ipynb"))
    alone = [course / "release" / "each" / f"{name}.ipynb" for name in build.NAMES]
    for path in [*alone, course / "release" / "ex08" / "ex08.ipynb"]:
        assert set(sources(path)[1:]) <= homework  # the first imports what this exercise needs
        metadata = nbformat.read(path, as_version=4).metadata
        assert metadata["preference_optimization"] == {"version": VERSION}


def test_solved_work_has_full_marks_and_untouched_none(course):
    """The rationale of solved work waits for a person; untouched, it is 0 at once."""
    assert grades(course, "solved") == {**FULL, "8-rationale": None}
    assert sum(marks(course, "solved", "all").values()) == 100.0
    assert set(grades(course, "untouched", "all").values()) == {0.0}


def test_marks_are_what_check_returns(course, tmp_path):
    notebook = executed(CLASS["half"], tmp_path, PYTHONPATH=str(ROOT))
    returned = {
        cell.metadata["nbgrader"]["grade_id"]: float(cell.outputs[-1].data["text/plain"])
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("points")
    }
    assert marks(course, "half") == returned
    assert 0 < returned["8a-check"] < 2 and returned["8d-check"] == 2


def test_what_an_answer_writes_costs_nothing(course):
    assert marks(course, "noisy") == FULL


def test_an_endless_answer_loses_its_part(course):
    """``check`` stops it and says so: 0 points for this part, the others keep theirs. No error stands in the cell.

    If the cell's time were over first, the panel would say that the student had stopped the check by hand.
    """
    assert marks(course, "endless") == {**FULL, "8a-check": 0.0}
    panel, points = outputs(course, "endless", "c8a")
    assert "No call of your function came to an end" in panel and points == "0.0"


def test_an_endless_cell_is_stopped_after_the_timeout(course):
    """It ends with CellTimeoutError and the next cells run. What stood above the loop counts, what stood below not."""
    assert marks(course, "endless_cell") == {**FULL, "8b-check": 0.0}
    for cell_id in ("a8a", "a8b"):
        assert outputs(course, "endless_cell", cell_id) == ["KeyboardInterrupt", "CellTimeoutError"]
    assert outputs(course, "endless_cell", "c8b") == ["NameError"]


def test_a_cell_that_raises_loses_its_part(course):
    """Its function does not exist, so its check ends with a NameError: 0 points, no panel; the other parts count."""
    assert marks(course, "raises") == {**FULL, "8a-check": 0.0, "8b-check": 0.0}
    assert outputs(course, "raises", "c8a") == outputs(course, "raises", "c8b") == ["NameError"]
    assert outputs(course, "raises", "a8b") == ["SyntaxError"]


@pytest.mark.parametrize("student", ["kills", "unreadable"])
def test_work_that_cannot_be_run_is_left_to_a_person(course, student):
    """A notebook that ends its kernel, in whatever part, or that is no notebook: nothing of it is graded.

    The log names it, the gradebook has it with 0 points in all and every cell waiting for a person, autograded/
    and feedback/ hold nothing of it. The students after it are graded.
    """
    told = f"There was an error processing assignment 'ex08' for student '{student}'"
    assert told in (course / "log.txt").read_text(encoding="utf-8")
    assert set(grades(course, student).values()) <= {None}
    for folder in ("autograded", "feedback"):
        assert list((course / folder / student).rglob("*.*")) == []


def test_marks_are_not_the_students_to_give(course):
    """A changed check is put back before it runs, and so are its points. A deleted one waits for a person."""
    assert marks(course, "meddles") == {**FULL, "8a-check": 0.0, "8d-check": None}


def test_feedback_shows_the_panels(course):
    """One HTML file for everybody who was graded."""
    pages = {path.parts[-3]: path for path in (course / "feedback").glob("*/ex08/ex08.html")}
    assert set(pages) == set(CLASS) - {"kills"}
    for path in [*pages.values(), course / "feedback" / "solved" / "all" / "exercises.html"]:
        assert "8c · who is asked about: " in path.read_text(encoding="utf-8")
