"""The lesson as static pages: ``python -m tools.website`` writes one page for each section into build/site.

The pages hold what theory.ipynb stores: text, code, outputs. Nothing is fetched: formulas are
MathML, which browsers draw themselves, figures are files beside the pages, and one style sheet
serves screen, phone, dark page and paper.
"""

from __future__ import annotations

import base64
import html
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from latex2mathml.converter import convert
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from tools.console import complain, say
from tools.notebooks import OTHER_HEADING, load, section_of_cells

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "site"
STYLE = Path(__file__).with_name("website.css")
SHOWN = ("text/html", "image/png", "text/markdown", "text/plain")  # of an output, the first it has
FIRST, LAST = "index", "ledger"  # the pages before the first section and after the last


@dataclass
class Page:
    """One page: its file is ``name``.html."""

    name: str
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Of the page's section, as plain text: where a chapter begins with it, the section's own."""
        texts = (cell.source for cell in self.cells if cell.cell_type == "markdown")
        found = [line for text in texts for line in re.findall(r"^#{1,3} (.*)", text, re.MULTILINE)]
        own = [line for line in found if line.startswith(f"{self.name} ")]
        return (own or found)[0]


# ---- which cells ------------------------------------------------------------------------------


def pages(notebook: NotebookNode) -> list[Page]:
    """The notebook in pages, one for each section; a chapter's opening stands on its first section's page.

    Raises ValueError for a notebook without sections.
    """
    found: list[Page] = [Page(FIRST)]
    for cell, section in zip(notebook.cells, section_of_cells(notebook)):
        if not section and len(found) > 1:  # the clinic's opening, the ledger, the references
            section = LAST
        if section and section != found[-1].name:
            found.append(Page(section))
        found[-1].cells.append(cell)
    if len(found) == 1:
        raise ValueError("a notebook without sections: expected theory.ipynb")
    for page, following in zip(found[1:], found[2:]):
        if len(page.cells) == 1 and _opens(page, following):
            following.cells[:0] = page.cells
            page.cells = []
    return [page for page in found if page.cells]


def _opens(page: Page, following: Page) -> bool:
    """Whether a page of one cell is the opening of the chapter that the next one stands in."""
    chapter = following.name.rpartition(".")[0]
    return bool(chapter) and (
        page.name == chapter or bool(OTHER_HEADING.search(page.cells[0].source))
    )


# ---- what they become -------------------------------------------------------------------------


class _Renderer(IPythonRenderer):
    """Markdown as Jupyter reads it, with formulas as MathML."""

    def block_math(self, body: str) -> str:
        return _mathml(body, "block")

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return _mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


INSTEAD = (  # what latex2mathml does not know, or sets too close
    (r"\\[bB]igg?[lr]?\\[lr]vert", "|"),
    (r"(\\!)+", ""),
    (r"\\arg(?![a-z])", r"\\operatorname{arg}"),
    (r"\\(log|exp|min|max|tanh|sinh|cosh)(?= *\\(?!big|Big|left)[a-z]| *[a-zA-Z0-9])", r"\\\1\\,"),
)


def _mathml(formula: str, display: str) -> str:
    """A formula as MathML. ValueError, naming it, where a command would be shown as it is written."""
    plain = formula.strip()
    for found, instead in INSTEAD:
        plain = re.sub(found, instead, plain)
    drawn = convert(plain, display=display)
    if "\\" in drawn:
        raise ValueError(f"no MathML for ${formula}$")
    return f'<span class="wide">{drawn}</span>' if display == "block" else drawn


_read = MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=False)).render
_coloured = Highlight2HTML(pygments_lexer="python3")


class Pictures:
    """Figures as files: the same one is written once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.number = 0

    def keep(self, name: str, data: str) -> str:
        """Write a PNG given in base64; returns its place, relative to the pages."""
        self.number += 1
        place = f"figures/{name}-{self.number}.png"
        (self.folder / place).write_bytes(base64.b64decode(data))
        return place


def body(page: Page, pictures: Pictures) -> str:
    """A page's cells as HTML."""
    parts = []
    for cell in page.cells:
        if cell.cell_type == "markdown":
            parts.append(_wide(_read(cell.source)))
            continue
        parts.append(_coloured(cell.source))
        parts += [_output(output, page.name, pictures) for output in cell.get("outputs", ())]
    return "\n".join(parts)


def _output(output: NotebookNode, page: str, pictures: Pictures) -> str:
    """An output as HTML, in the best form that it has; what went to stderr is left out."""
    if output.output_type == "stream":
        return (
            f'<pre class="output">{html.escape(output.text)}</pre>'
            if output.name == "stdout"
            else ""
        )
    kind = next((kind for kind in SHOWN if kind in output.get("data", {})), None)
    if kind is None:
        return ""
    content = output.data[kind]
    if kind == "image/png":
        told = output.metadata.get(kind, {}).get("alt", "")
        place = pictures.keep(page, content)
        return f'<p><img src="{place}" alt="{html.escape(told, quote=True)}" loading="lazy"></p>'
    if kind == "text/markdown":
        return _wide(_read(content))
    if kind == "text/plain":
        return f'<pre class="output">{html.escape(content)}</pre>'
    return _wide(content)


def _wide(content: str) -> str:
    """Tables in a frame that scrolls by itself, so that a phone's page does not."""
    return content.replace("<table", '<div class="wide"><table').replace(
        "</table>", "</table></div>"
    )


# ---- how they hang together -------------------------------------------------------------------


def linked(bodies: dict[str, str]) -> dict[str, str]:
    """The same bodies; a link to a heading that stands on another page leads there.

    A link into the repository becomes its text: the file is not here.
    """
    homes = {
        html.unescape(anchor): name
        for name, content in reversed(bodies.items())
        for anchor in re.findall(r'\bid="([^"]+)"', content)
    }

    def led(match: re.Match, name: str) -> str:
        target, text = html.unescape(match[1]), match[2]
        if re.match(r"https?://|mailto:", target):
            return match[0]
        home = homes.get(target.removeprefix("#"))
        if home is None:
            return text
        if home == name:
            return match[0]
        return f'<a href="{home}.html{html.escape(target, quote=True)}">{text}</a>'

    anchor = re.compile(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
    return {
        name: anchor.sub(lambda match, name=name: led(match, name), content)
        for name, content in bodies.items()
    }


PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<nav aria-label="Pages">{around}</nav>
<main>
{content}
</main>
<nav aria-label="Pages, once more">{around}</nav>
</body>
</html>
"""


def _around(number: int, all_pages: list[Page]) -> str:
    """Links to the page before, the contents and the page after."""
    links = ['<a href="index.html#contents">Contents</a>']
    if number:
        links.insert(0, _link(all_pages[number - 1], "rel=prev", "← "))
    if number + 1 < len(all_pages):
        links.append(_link(all_pages[number + 1], "rel=next", after=" →"))
    return " · ".join(links)


def _link(page: Page, more: str = "", before: str = "", after: str = "") -> str:
    """A link to a page, with attributes of its own and arrows."""
    return f'<a href="{page.name}.html" {more}>{before}{html.escape(page.title)}{after}</a>'


def _contents(all_pages: list[Page]) -> str:
    """The list of all pages but the first, which it stands on."""
    entries = "\n".join(f"<li>{_link(page)}</li>" for page in all_pages[1:])
    return f'<h2 id="contents">Contents</h2>\n<ul class="contents">\n{entries}\n</ul>'


def write(notebook: NotebookNode, folder: Path) -> list[Page]:
    """Write all pages into ``folder``, whose earlier content goes; returns them in order.

    Raises ValueError for a notebook without sections and for a formula that MathML cannot show.
    """
    all_pages = pages(notebook)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "figures").mkdir(parents=True)
    pictures = Pictures(folder)
    bodies = linked({page.name: body(page, pictures) for page in all_pages})
    bodies[FIRST] = bodies[FIRST].replace("<h2", _contents(all_pages) + "\n<h2", 1)
    for number, page in enumerate(all_pages):
        text = PAGE.format(
            title=html.escape(page.title),
            around=_around(number, all_pages),
            content=bodies[page.name],
        )
        (folder / f"{page.name}.html").write_text(text, encoding="utf-8", newline="\n")
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    style = STYLE.read_text(encoding="utf-8").replace("/* colours of code */", colours)
    (folder / "style.css").write_text(style, encoding="utf-8", newline="\n")
    return all_pages


def main() -> int:
    """Write the site and say where it is; returns the exit status."""
    try:
        written = write(load(ROOT / "theory.ipynb"), FOLDER)
    except (OSError, ValueError) as error:
        complain(str(error))
        return 1
    say(f"{len(written)} pages: open {FOLDER / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
