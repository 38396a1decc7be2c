"""The lesson's static pages: complete, linked to each other, and nothing in them is fetched from elsewhere."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from tools import website
from tools.notebooks import load, section_of_cells

ROOT = Path(__file__).parent.parent
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)


@pytest.fixture(scope="module")
def lesson():
    return load(ROOT / "theory.ipynb")


@pytest.fixture(scope="module")
def folder(lesson, tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    website.write(lesson, place)
    return place


@pytest.fixture(scope="module")
def parsed(folder):
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}
    return {name: BeautifulSoup(text, "html.parser") for name, text in texts.items()}


def notebook_of(*sources):
    """Markdown where a source begins with '#', else code."""
    notebook = nbformat.v4.new_notebook()
    for source in sources:
        new = nbformat.v4.new_markdown_cell if source.startswith("#") else nbformat.v4.new_code_cell
        notebook.cells.append(new(source))
    return notebook


def test_each_subsection_has_a_page_and_all_cells_stand_on_one(lesson, parsed):
    sections = {name for name in section_of_cells(lesson) if "." in name}
    assert {f"{name}.html" for name in sections} <= parsed.keys()
    assert sum(len(page.cells) for page in website.pages(lesson)) == len(lesson.cells)


def test_a_chapter_opens_on_the_page_of_its_first_section():
    notebook = notebook_of(
        "# Title", "## 1. One", "### 1.1 First", "a = 1", "## Clinic: c", "### C.1 Curve", "b = 1", "## The ledger"
    )  # fmt: skip
    assert [(page.name, page.title) for page in website.pages(notebook)] == [
        ("index", "Title"),
        ("1.1", "1.1 First"),
        ("C.1", "C.1 Curve"),
        ("ledger", "The ledger"),
    ]


def test_a_notebook_without_sections_is_refused():
    with pytest.raises(ValueError, match="without sections"):
        website.pages(notebook_of("# Title", "a = 1"))


def test_nothing_is_fetched_from_elsewhere(parsed, folder):
    for name, page in parsed.items():
        assert not page.find_all(["script", "iframe", "object", "embed"]), name
        fetched = [tag["src"] for tag in page.find_all(src=True)]
        fetched += [tag["href"] for tag in page.find_all("link")]
        assert [place for place in fetched if not (folder / place).is_file()] == [], name
    assert not re.search(r"@import|url\(", (folder / "style.css").read_text(encoding="utf-8"))


def test_every_link_between_pages_leads_to_a_place_that_exists(parsed):
    places = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in parsed.items()}
    for name, page in parsed.items():
        for link in page.find_all("a", href=True):
            target, _, anchor = link["href"].partition("#")
            if not target.startswith("http"):
                assert anchor in places[target or name] | {""}, (name, link["href"])


def test_one_can_walk_from_the_first_page_to_the_last(parsed):
    name, walked = "index.html", []
    while name:
        walked.append(name)
        onward = parsed[name].find("a", rel="next")
        name = onward["href"] if onward else ""
    assert sorted(walked) == sorted(parsed)


def test_a_link_to_another_page_leads_there_and_a_dead_one_becomes_text():
    bodies = website.linked(
        {
            "index": '<a href="#1.1-First">1.1</a> <a href="tests/seeds.md">seeds</a> <a href="https://a.b">p</a>',
            "1.1": '<h3 id="1.1-First">1.1 First<a class="x" href="#1.1-First">¶</a></h3>',
        }
    )
    assert (
        bodies["index"] == '<a href="1.1.html#1.1-First">1.1</a> seeds <a href="https://a.b">p</a>'
    )
    assert 'class="x" href="#1.1-First"' in bodies["1.1"]


def test_every_figure_has_its_alternative_text_and_its_own_file(lesson, parsed, folder):
    stored = sum(
        "image/png" in output.get("data", {})
        for cell in lesson.cells
        for output in cell.get("outputs", ())
    )
    images = [tag for page in parsed.values() for tag in page.find_all("img")]
    assert len(images) == stored == len(list((folder / "figures").iterdir()))
    assert [tag["src"] for tag in images if len(tag["alt"]) < 20] == []


def test_formulas_are_mathml_and_none_is_left_as_it_was_typed(parsed):
    assert sum(len(page.find_all("math")) for page in parsed.values()) > 1000
    for name, page in parsed.items():
        for code in page.find_all(["pre", "code"]):
            code.decompose()
        assert not re.search(r"\$(?!\d)|\\[a-z]", page.get_text()), name  # $13.6 is a price


def test_a_formula_that_mathml_cannot_show_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no MathML for \$\\unheardof x\$"):
        website._mathml(r"\unheardof x", "inline")


def test_outputs_are_shown_as_text_and_never_run(tmp_path):
    notebook = notebook_of("# Title", "### 1.1 First", "print('<script>')")
    notebook.cells[2].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="<script>1</script> ≈ 2"),
        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
        nbformat.v4.new_output(
            "display_data",
            data={"image/png": PIXEL, "text/plain": "figure"},
            metadata={"image/png": {"alt": 'a "quoted" dot'}},
        ),
    ]
    website.write(notebook, tmp_path / "site")
    page = (tmp_path / "site" / "1.1.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;1&lt;/script&gt; ≈ 2" in page and "a warning" not in page
    assert BeautifulSoup(page, "html.parser").find("img")["alt"] == 'a "quoted" dot'


def test_what_an_earlier_run_wrote_goes(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "old.html").write_text("old", encoding="utf-8")
    website.write(notebook_of("# Title", "### 1.1 First"), tmp_path / "site")
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [
        "1.1.html",
        "figures",
        "index.html",
        "style.css",
    ]
