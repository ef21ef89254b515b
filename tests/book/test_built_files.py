"""What can be seen in the built files without a browser: links, downloads, addresses of other servers."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]


class _Page(HTMLParser):
    """Links, loaded addresses, anchors and diagram sources of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.diagrams: list[str] = []
        self.nested: list[str] = []
        self._diagram = self._link = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what this element refers to."""
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and (target := values.get("href") or values.get("xlink:href")):  # the latter in a drawn diagram
            self.links.append(target)
            self.nested += [target] * self._link
            self._link = True
        if tag == "link" and values.get("href") and values.get("rel") not in ("canonical",):
            self.loads.append(values["href"])
        self.loads += [values[name] for name in ("src", "poster") if values.get(name)]
        self._diagram = tag == "pre" and "mermaid" in values.get("class", "")
        if self._diagram:
            self.diagrams.append("")

    def handle_endtag(self, tag: str) -> None:
        """A diagram ends with its element, and so does a link."""
        self._diagram = self._diagram and tag != "pre"
        self._link = self._link and tag != "a"

    def handle_data(self, data: str) -> None:
        """Collect the source of a diagram."""
        if self._diagram:
            self.diagrams[-1] += data


@pytest.fixture(scope="module")
def parsed(html: Path, pages: list[str]) -> dict[Path, _Page]:
    files = [html / f"{name}.html" for name in pages]
    return {file: _Page(file.read_text(encoding="utf-8")) for file in files}


def test_every_page_of_the_table_of_contents_is_there(pages: list[str], toc: list[str]) -> None:
    assert sorted(pages) == sorted(toc)


def test_no_dead_links(parsed: dict[Path, _Page]) -> None:
    dead = []
    for file, page in parsed.items():
        clicks = [link for code in page.diagrams for link in re.findall(r'click \w+ href "([^"]+)"', code)]
        for link in [*page.links, *clicks]:
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / unquote(path)).resolve() if path else file
            if not target.exists():
                dead.append(f"{file.name}: {link}")
            elif anchor and target in parsed and unquote(anchor) not in parsed[target].ids:
                dead.append(f"{file.name}: no #{anchor} in {target.name}")
    assert dead == []


def test_nothing_is_loaded_from_another_server(parsed: dict[Path, _Page]) -> None:
    loads = {file.name: [u for u in page.loads if re.match(r"(https?:)?//", u)] for file, page in parsed.items()}
    assert {name: urls for name, urls in loads.items() if urls} == {}


def test_lessons_can_be_downloaded_and_opened(html: Path, parsed: dict[Path, _Page], pages: list[str]) -> None:
    for name in [page for page in pages if page.startswith("notebooks/")]:
        link = f"../_sources/{name}.ipynb"
        assert link in parsed[html / f"{name}.html"].links, f"{name} has no download button"
        notebook = nbformat.read(html / "_sources" / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        source = nbformat.read(ROOT / f"{name}.ipynb", as_version=4)
        code = [c.source for c in notebook.cells if c.cell_type == "code"]
        assert code == [c.source for c in source.cells if c.cell_type == "code"], (
            "the download is the lesson as written"
        )
        prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        assert "](../book/figures/" not in prose, "pictures travel inside the download"


def test_no_page_is_unfinished(parsed: dict[Path, _Page]) -> None:
    words = ("not written yet", "TODO", "FIXME", "lorem", "could not be read when this book was built")
    inside = re.compile(r"<script.*?</script>|data:[^\"']*", re.DOTALL)  # a picture's letters may spell anything
    found = {f.name: word for f in parsed for word in words if word in inside.sub("", f.read_text())}
    assert found == {}


def test_no_page_names_a_folder_of_the_building_machine(html: Path) -> None:
    folders = {str(ROOT), sys.prefix, str(Path.home() / ".cache"), str(html)}
    found = {
        (file.name, folder)
        for file in html.rglob("*")
        if file.suffix in (".html", ".js", ".json", ".txt", ".ipynb", ".svg")
        for folder in folders
        if folder in file.read_text(encoding="utf-8", errors="replace")
    }
    assert found == set()


def test_no_link_lies_in_another(parsed: dict[Path, _Page]) -> None:
    """A browser ends the outer one where the inner one begins: it leads elsewhere than it says."""
    assert {file.name: page.nested for file, page in parsed.items() if page.nested} == {}


def test_the_gallery_has_a_picture_and_a_link_for_every_lesson(html: Path, pages: list[str]) -> None:
    text = (html / "book" / "gallery.html").read_text(encoding="utf-8")
    lessons = [page for page in pages if page.startswith("notebooks/")]
    assert [name for name in lessons if f'href="../{name}.html"' not in text] == []
    alts = set(re.findall(r'<img alt="([^"]{30,})"', text))
    assert len(alts) == len(lessons), "each picture is described, and no two alike"


def test_names_of_the_reference_lead_to_each_other(parsed: dict[Path, _Page]) -> None:
    pages = {file.stem: page for file, page in parsed.items() if file.stem.startswith("api")}
    assert len(pages) == 5
    across = [link for link in pages["api"].links if re.match(r"api_\w+\.html#api-", link)]
    assert len(across) > 60
    for name in sorted(set(pages) - {"api"}):
        assert any("#api-" in link for link in pages[name].links), f"{name} leads nowhere"
        assert any("notebooks/" in link and link.startswith("../") for link in pages[name].links), name


def test_front_page_has_its_film(html: Path) -> None:
    text = (html / "book" / "index.html").read_text(encoding="utf-8")
    film = re.search(r'<video class="film"[^>]*poster="([^"]+)"[^>]*src="([^"]+)"', text)
    assert film, "no film on the front page"
    for name in film.groups():
        assert ((html / "book") / name).resolve().stat().st_size > 10_000
