"""Where the links of the lesson lead, which section numbers lack one, and which cells are folded."""

from __future__ import annotations

import ast
import re

from tools.notebooks import HEADING

LINK = re.compile(r"\[([^\]\n]*)\]\(#([^)\n]*)\)")
NO_PROSE = re.compile(
    r"```.*?```|\$\$.*?\$\$|\$[^$\n]*\$|`[^`\n]*`|\[[^\]\n]*\]\([^)\n]*\)|^#+ [^\n]*$", re.M | re.S
)
NUMBER = re.compile(r"(?<![\w.,/–−+-])((?:\d{1,2}|C)\.\d{1,2})(?![\w%]|\.\d| %)")
CHAPTER = re.compile(r"\b(?:sections?|chapters?)\s(\d+)(?!\.?\d)", re.I)

MEASURED = (  # numbers that look like a section's, each with the words around it
    "earns 2.5. Where", "earns more than 2.5", "gold reward 2.0", "wait* 1.5.", "has spent 1.4 nats", "β = 1.2",
    "for 2.4 has almost", "preferred response 1.5 and", "to 2.4 in size", "skill 1.3", "reply 2.2 more", "add 1.5 nats",
    "earn 1.5 or", "bad one, 2.5,", "limit, 1.5 ·", "are 1.5 and .25", "by 4.2 and 5.1", "near 2.5 and", "by 1.2 nats",
    "1.2 to 2.0 after", "1.2 to 1.8 after", "lengthened 2.4 times", "β = 1.5", "it has 2.2,", "to 1.2. An arm",
    "cut wait” 1.5 in",
)  # fmt: skip


def prose_of(notebook):
    """(cell's number, cell) of the cells of text."""
    return [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "markdown"]


def targets(notebook):
    """Where a link can lead: 'cell-id=…' of cells that have this id and begin with both anchors of it.

    JupyterLab and Notebook find the cell by its id, other front ends the anchor. VS Code takes '=' out of a link.
    """
    anchors = '<a id="cell-id={0}"></a><a id="cell-id{0}"></a>'
    return {
        f"cell-id={cell.id}"
        for _, cell in prose_of(notebook)
        if cell.source.startswith(anchors.format(cell.id))
    }


def lost_links(notebook):
    """Links within the lesson that lead nowhere, or from a section's number elsewhere than to this section."""
    known, lost = targets(notebook), []
    for i, cell in prose_of(notebook):
        for text, to in LINK.findall(cell.source):
            other = NUMBER.fullmatch(text) and to != f"cell-id={text.replace('.', '-')}"
            if to not in known or other:
                lost.append(f"cell {i}: [{text}](#{to})")
    return lost


def headings(notebook):
    """Numbers of sections and chapters, with the cell of each."""
    found = ((HEADING.search(cell.source), cell) for _, cell in prose_of(notebook))
    return {match[1]: cell for match, cell in found if match}


def titles(notebook):
    """Numbers of sections and chapters, with the title of each as a reader sees it."""
    lines = {number: cell.source.splitlines() for number, cell in headings(notebook).items()}
    return {
        number: next(line.lstrip("# ") for line in source if line.startswith("#"))
        for number, source in lines.items()
    }


def headings_without_links(notebook):
    """Sections that a link cannot reach, or above which none leads back and on to the next."""
    cells, known = headings(notebook), targets(notebook)
    bare = [name for name, cell in cells.items() if f"cell-id={cell.id}" not in known]
    for name, cell in list(cells.items())[:-1]:
        first = cell.source.splitlines()[0]
        if "[↑ all sections](#cell-id=all)" not in first or " · next [" not in first:
            bare.append(name)
    return bare


def bare_numbers(notebook):
    """Numbers of sections in the prose that are no link."""
    sections, bare = headings(notebook), []
    for i, cell in prose_of(notebook):
        prose = " ".join(NO_PROSE.sub("~", cell.source).split())
        for measured in MEASURED:
            prose = prose.replace(measured, "~")
        found = [*NUMBER.finditer(prose), *CHAPTER.finditer(prose)]
        bare += [
            f"cell {i}: {prose[max(0, m.start() - 30) : m.end() + 10]}"
            for m in found
            if m[1] in sections
        ]
    return bare


# ---- folded cells ------------------------------------------------------------------------------


def _without_calls(node):
    """Whether nothing is computed: names, constants, their parts and collections of them."""
    computed = (ast.Call, ast.BinOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.comprehension)
    return not any(isinstance(part, computed) for part in ast.walk(node))


def _draws(statement):
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("figures.show(")


def _states_a_claim(statement):
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return ast.unparse(call.func) in ("claim", "claim.identity") and all(map(_without_calls, given))


def only_draws_or_claims(source):
    """Whether a cell computes nothing: it draws, or states claims about numbers that have a name, or both."""
    body = ast.parse(source).body
    shows = [_draws(statement) or _states_a_claim(statement) for statement in body]
    names = [isinstance(s, ast.Assign) and _without_calls(s.value) for s in body]
    return any(shows) and all(map(max, shows, names))
