"""The first cell of a notebook that carries ``helpers`` inside: the package as text, and what unpacks it."""

from __future__ import annotations

import base64
import hashlib
import inspect
import io
import lzma
import re
import zipfile
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parent.parent
TAG = "carrier"
CELL = """\
# @title Run this first, also after a restart: it unpacks the code inside
# The long line at the end is the lesson's folder `helpers`, compressed: {count} files of plain Python and data. They go
# into the folder {folder} beside this notebook. What you change there is kept; delete the folder to begin anew.
{function}

unpack_helpers("{folder}", "{carried}")"""


def unpack_helpers(folder: str, carried: str) -> None:
    """Write the files that ``folder`` lacks, import ``helpers`` from there, say what differs."""
    import base64
    import io
    import lzma
    import sys
    import tempfile
    import zipfile
    from pathlib import Path

    def written(home: Path) -> list:
        changed = []
        with zipfile.ZipFile(io.BytesIO(lzma.decompress(base64.b64decode(carried)))) as archive:
            for name in archive.namelist():
                path, content = home / name, archive.read(name)
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    beside = path.with_name(path.name + ".new")  # all or nothing, if interrupted
                    beside.write_bytes(content)
                    beside.replace(path)
                elif path.read_bytes() != content:
                    changed.append(name)
        return changed

    home = Path(folder).resolve()
    try:
        changed = written(home)
    except OSError:  # nothing can be written beside the notebook
        earlier = [Path(place) for place in sys.path if Path(place).name.startswith(folder)]
        home = Path(earlier[0] if earlier else tempfile.mkdtemp(prefix=folder)).resolve()
        changed = written(home)
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
    import helpers

    if home not in Path(helpers.__file__).resolve().parents:
        raise ImportError(
            f"Python has already loaded another `helpers`, {helpers.__file__}: "
            "restart the kernel (in Colab: the runtime) and run this cell first"
        )
    print(f"helpers is ready, in {home}")
    if changed:
        print("kept as changed by you:", ", ".join(changed))


def files(root: Path, exercises: set[str]) -> list[Path]:
    """The files of ``helpers`` in order; of the folders of exercises only those named."""
    found = []
    for path in sorted(path for path in (root / "helpers").rglob("*") if path.is_file()):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        exercise = parts[3] if parts[1:3] == ("grader", "exercises") else ""
        if not hidden and (exercise in exercises or not re.match(r"ex\d", exercise)):
            found.append(path)
    return found


def archive(root: Path, paths: list[Path]) -> bytes:
    """The files as one compressed zip; the same files give the same bytes on every machine."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as together:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix())  # dated 1980
            entry.create_system = 3
            together.writestr(entry, path.read_bytes())
    return lzma.compress(stored.getvalue(), preset=9)


def carrier(root: Path = ROOT, exercises: set[str] = frozenset()) -> NotebookNode:
    """The cell that unpacks ``helpers`` with the named exercises, folded where a front end can.

    The folder that it makes is named after the content: another version never meets its files.
    """
    paths = files(root, exercises)
    packed = archive(root, paths)
    source = CELL.format(
        count=len(paths),
        folder=f"lesson_{hashlib.sha256(packed).hexdigest()[:8]}",
        function=inspect.getsource(unpack_helpers),
        carried=base64.b64encode(packed).decode("ascii"),
    )
    metadata = {"tags": [TAG], "cellView": "form", "jupyter": {"source_hidden": True}}
    return new_code_cell(source, metadata=metadata, id=TAG)


def carried_files(cell: NotebookNode) -> dict[str, bytes]:
    """What such a cell carries, by path: the way back."""
    text = cell.source.rsplit('"', 2)[1]
    with zipfile.ZipFile(io.BytesIO(lzma.decompress(base64.b64decode(text)))) as together:
        return {name: together.read(name) for name in together.namelist()}
