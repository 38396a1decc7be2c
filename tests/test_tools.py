"""The tools run notebooks anywhere, say in a sentence what went wrong, and print to anything."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tools import kernels
from tools.console import say
from tools.files import write_whole
from tools.notebooks import execute, load, main, section_alone, section_of_cells, tidy

ROOT = Path(__file__).parent.parent


def small_notebook(*sources):
    notebook = nbformat.v4.new_notebook()
    for source in sources:
        new = nbformat.v4.new_markdown_cell if source.startswith("#") else nbformat.v4.new_code_cell
        notebook.cells.append(new(source))
    return notebook


def test_a_section_alone_has_the_set_up_and_nothing_of_other_sections():
    notebook = small_notebook(
        "# Title", "a = 1", "## 1. One", "b = a", "### 1.1 More", "c = a", "## End", "d = a"
    )
    notebook.cells[1].metadata["tags"] = ["setup"]
    assert [cell.source for cell in section_alone(notebook, "1.1").cells] == [
        "a = 1",
        "### 1.1 More",
        "c = a",
    ]
    assert section_of_cells(notebook) == ["", "", "1", "1", "1.1", "1.1", "", ""]


def test_an_unknown_section_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no section '9.9': expected one of 1"):
        section_alone(small_notebook("## 1. One"), "9.9")


def test_a_failing_cell_is_named_with_its_section():
    with pytest.raises(RuntimeError, match=r"section 2.1, cell 1 failed(.|\n)*ZeroDivisionError"):
        execute(small_notebook("### 2.1 Here", "1 / 0"))


def test_the_command_line_reports_seconds_and_keeps_what_matters(tmp_path, capsys):
    nbformat.write(small_notebook("### 2.1 Here", "print('hello')"), tmp_path / "in.ipynb")
    assert main(["run", str(tmp_path / "in.ipynb"), str(tmp_path / "new" / "out.ipynb")]) == 0
    assert re.search(r"2\.1 +\d+\.\d s", capsys.readouterr().out)
    cell = load(tmp_path / "new" / "out.ipynb").cells[1]
    assert cell.outputs[0].text == "hello\n" and "execution" not in cell.metadata


def test_a_failing_notebook_makes_the_command_fail(tmp_path, capsys):
    nbformat.write(small_notebook("### 2.1 Here", "1 / 0"), tmp_path / "in.ipynb")
    assert main(["run", str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb")]) == 1
    assert "section 2.1" in capsys.readouterr().err


def test_a_missing_notebook_says_where_to_run_this():
    with pytest.raises(FileNotFoundError, match="folder that holds theory.ipynb"):
        load("no/such.ipynb")


def test_tidy_removes_what_is_not_content():
    notebook = small_notebook("x = 1")
    notebook.cells[0].metadata["execution"] = {"iopub.status.busy": "now"}
    notebook.metadata["widgets"] = {"state": {}}
    tidy(notebook)
    assert "execution" not in notebook.cells[0].metadata and "widgets" not in notebook.metadata


FIGURE = """
import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 3, 2])
figure;"""


def test_stored_figures_are_packed_pixel_for_pixel(tmp_path):
    stored, out = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(small_notebook("%matplotlib inline", FIGURE), stored)
    assert main(["run", str(stored), str(out)]) == main(["store", str(stored)]) == 0
    outputs = [output for path in (out, stored) for output in load(path).cells[-1].outputs]
    drawn, packed = (
        base64.b64decode(o.data["image/png"]) for o in outputs if "image/png" in o.get("data", ())
    )
    assert len(packed) < 0.95 * len(drawn)
    before, after = (np.asarray(Image.open(io.BytesIO(p)).convert("RGB")) for p in (drawn, packed))
    assert (before == after).all()


# ---- kernels ------------------------------------------------------------------------------


def printed_by(*sources):
    """What the last cell of a small notebook prints."""
    notebook = small_notebook(*sources)
    execute(notebook)
    return "".join(output.text for output in notebook.cells[-1].outputs)


def test_a_kernel_of_another_environment_is_not_taken(tmp_path, monkeypatch):
    spec = {
        "argv": ["no-such-python", "{connection_file}"],
        "display_name": "x",
        "language": "python",
    }
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert printed_by("import sys; print(sys.executable)") == f"{sys.executable}\n"


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_kernel_that_dies_is_named_with_section_and_cell(end):
    with pytest.raises(RuntimeError) as raised:
        execute(small_notebook("### 2.1 Here", "1 + 1", f"import os\n{end}"))
    assert str(raised.value).startswith(
        "section 2.1, cell 2 ended its kernel: out of memory, killed"
    )


def test_a_cell_that_takes_too_long_is_named_with_section_and_cell():
    with pytest.raises(
        RuntimeError, match="section 2.1, cell 1 took longer than 1 s and was stopped"
    ):
        execute(small_notebook("### 2.1 Here", "import time; time.sleep(60)"), timeout=1)


def test_a_missing_ipykernel_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="has no ipykernel: expected .*requirements.txt"):
        execute(small_notebook("1 + 1"))


def test_a_kernel_that_does_not_start_says_how_to_find_out_more(monkeypatch):
    def broken(self):
        return kernels.KernelSpec(argv=[sys.executable, "-c", "1 / 0"], language="python")

    monkeypatch.setattr(kernels.OwnKernel, "kernel_spec", property(broken))
    with pytest.raises(RuntimeError, match="the kernel did not start.*ipykernel_launcher"):
        execute(small_notebook("1 + 1"))


def test_cells_are_told_to_be_quiet_and_the_caller_is_not(monkeypatch):
    monkeypatch.setenv("LESSON_QUIET", "0")
    assert printed_by("import os; print(os.environ['LESSON_QUIET'])") == "1\n"
    assert os.environ["LESSON_QUIET"] == "0"


# ---- what tools print and write -----------------------------------------------------------


def tool(notebook, output, encoding="utf-8", **options):
    """Run a notebook by the command line as a shell would, without what pytest or CI set; the finished process."""
    command = [sys.executable, "-m", "tools.notebooks", "run", str(notebook), str(output)]
    hidden = "PYTEST_CURRENT_TEST", "PYTHONUNBUFFERED"
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PYTHONIOENCODING"] = encoding
    options |= {"cwd": ROOT, "env": environment, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.run(command, **options)


@pytest.fixture
def greeting(tmp_path):
    """A notebook that prints hello."""
    nbformat.write(small_notebook("### 2.1 Here", "print('hello')"), tmp_path / "in.ipynb")
    return tmp_path / "in.ipynb"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_tool_prints_to_an_output_of_any_encoding(encoding, greeting, tmp_path):
    result = tool(greeting, tmp_path / "out.ipynb", encoding, stdout=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (0, "") and "\\u2192" in result.stdout
    assert load(tmp_path / "out.ipynb").cells[1].outputs[0].text == "hello\n"


@pytest.mark.skipif(os.name == "nt", reason="closes descriptors as a POSIX shell does")
def test_a_tool_saves_its_work_though_nobody_reads_what_it_prints(greeting, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    cut = tool(greeting, tmp_path / "cut.ipynb", stdout=writing)
    os.close(writing)
    closed = tool(greeting, tmp_path / "closed.ipynb", preexec_fn=lambda: os.close(1))
    for result, name in ((cut, "cut"), (closed, "closed")):
        assert (result.returncode, result.stderr) == (0, "")
        assert load(tmp_path / f"{name}.ipynb").cells[1].outputs[0].text == "hello\n"


def test_what_an_output_lacks_is_escaped_and_a_closed_one_is_ignored():
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    say("ü → λ", output)
    assert output.buffer.getvalue() == b"\xfc \\u2192 \\u03bb\n"
    output.close()
    say("nobody hears", output)


def test_the_result_does_not_replace_the_notebook_that_was_run(greeting, capsys):
    assert main(["run", str(greeting), str(greeting)]) == 1
    assert "expected another place" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["no JSON", "[1]", "{}"])
def test_what_is_not_a_notebook_is_refused_by_name(text, tmp_path, capsys):
    (tmp_path / "in.ipynb").write_text(text, encoding="utf-8")
    assert main(["run", str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb")]) == 1
    assert "in.ipynb is not a notebook" in capsys.readouterr().err


def test_writing_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.md"
    write_whole(path, "old ü\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_bytes() == "old ü\n".encode()
