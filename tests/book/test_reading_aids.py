"""Words that lead to the glossary, texts for the search page, and styles that reach a book that is built already."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "sphinx_ext")]

GLOSSARY = """# Glossary

## Newton
An engine.

## PPO
A rule that learns. [Lesson 6](../notebooks/06_train.md).

## Discount (gamma)
A weight.

## Return
The sum of rewards of an *episode*.
"""
PAGE = """# Returns of PPO

`PPO` is a name here, and **returns** are bold. PPO returns a sum of returns; PPO again, a turn, 5 newtons. [PPO](https://x.invalid).
Read [the Newton book](../index.md) first. Say `train --max_iterations 9`, never `a/path-that/is/longer-than/a-line`.
A pause, an [idea](glossary.md#discount-gamma): discount.
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Builds two small pages with the book's own extensions, again and again; gives the folder of the pages."""
    import cartpole_book
    import reading_aids
    from sphinx.application import Sphinx

    static = tmp_path / "book_static"
    shutil.copytree(ROOT / "book" / "static", static)
    monkeypatch.setattr(reading_aids, "STATIC", static)
    monkeypatch.setattr(cartpole_book, "_scripts_are_here", lambda: False)
    source = tmp_path / "source"
    (source / "book").mkdir(parents=True)
    (source / "book" / "glossary.md").write_text(GLOSSARY, encoding="utf-8")
    (source / "book" / "page.md").write_text(PAGE, encoding="utf-8")
    (source / "index.md").write_text("# Book\n\n```{toctree}\nbook/glossary\nbook/page\n```\n", encoding="utf-8")
    settings = {"extensions": ["myst_parser", "cartpole_book"], "html_theme": "basic"}
    settings |= {"nb_ipywidgets_js": {}, "myst_heading_anchors": 3}

    def once(**more: Any) -> Path:
        out = tmp_path / "html"
        app = Sphinx(str(source), None, str(out), str(tmp_path / "doctrees"), "html", {**settings, **more}, status=None)
        app.build()
        return out

    once.static, once.source = static, source  # type: ignore[attr-defined]
    return once


def test_the_first_mention_of_a_word_leads_to_the_glossary(build: Any) -> None:
    page = (build() / "book" / "page.html").read_text(encoding="utf-8")
    link = '<a class="term reference internal" href="../book/glossary.html#{}">{}</a>'
    assert page.count(link.format("ppo", "PPO")) == 1
    assert page.count(link.format("return", "returns")) == 1
    assert "</a>: discount." in page, "what is led there by hand needs no second way"
    told = f"bold. {link.format('ppo', 'PPO')} returns a sum of {link.format('return', 'returns')}; PPO again, a turn,"
    assert f"{told} 5 newtons." in page, "a function returns something else"


def test_a_link_to_a_page_holds_no_other_link(build: Any) -> None:
    page = (build() / "book" / "page.html").read_text(encoding="utf-8")
    assert re.search(r'<a class="reference internal" href="\.\./index\.html">(<[^a][^>]*>)*the Newton book', page)


def test_a_flag_is_not_broken_at_its_hyphens(build: Any) -> None:
    page = (build() / "book" / "page.html").read_text(encoding="utf-8")
    assert '<span class="pre whole">--max_iterations</span>' in page
    assert page.count("pre whole") == 1, "a long word may be broken, one without a hyphen is not"
    assert ".pre.whole { white-space: nowrap; }" in (ROOT / "book" / "static" / "book.css").read_text(encoding="utf-8")


def test_output_in_columns_is_marked() -> None:
    import reading_aids

    begin = '<div class="output stream highlight-myst-ansi notranslate"><div class="highlight">'
    table, sentence = "epoch  return\n    5   -2.08\n", "trained 60 epochs  in 3 s\n"
    context = {"body": "".join(f"{begin}<pre><span></span>{text}</pre></div></div>" for text in (table, sentence))}
    reading_aids.keep_lines_whole(None, "page", "page.html", context, None)
    assert context["body"].count('<pre class="columns">') == 1 and context["body"].count("<pre>") == 1
    assert '<pre class="columns"><span></span>epoch' in context["body"]


def test_pages_leave_their_words_for_cards_and_search(build: Any) -> None:
    static = build() / "_static"
    terms = json.loads((static / "glossary.js").read_text(encoding="utf-8").partition("= ")[2].rstrip(";\n"))
    assert terms == {
        "discount-gamma": "A weight.",
        "newton": "An engine.",
        "ppo": "A rule that learns.",
        "return": "The sum of rewards of an episode.",
    }
    texts = json.loads((static / "texts.js").read_text(encoding="utf-8").partition("= ")[2].rstrip(";\n"))
    assert "PPO returns a sum of returns" in texts["book/page"]


def test_a_changed_style_reaches_a_book_that_is_built_already(build: Any) -> None:
    """No page has changed; still the new sheet is there, and every page asks for it by its new checksum."""
    out = build()
    before = (out / "book" / "page.html").read_text(encoding="utf-8")
    sheet = build.static / "book.css"
    sheet.write_text(sheet.read_text(encoding="utf-8") + "\n.new-rule { color: red; }\n", encoding="utf-8")
    build()
    assert ".new-rule" in (out / "_static" / "book.css").read_text(encoding="utf-8")
    after = (out / "book" / "page.html").read_text(encoding="utf-8")
    address = [text.partition("_static/book.css?v=")[2][:8] for text in (before, after)]
    assert address[0] and address[1] and address[0] != address[1]
    written = (out / "book" / "page.html").stat().st_mtime_ns
    build()
    assert (out / "book" / "page.html").stat().st_mtime_ns == written, "nothing changed, nothing is written"


def test_a_link_to_a_page_brings_words_and_a_picture(build: Any) -> None:
    """The picture's address is whole where the book has one of its own."""
    from bookbuild.showcase import preview_picture

    (build.source / "book" / "generated").mkdir()
    picture = preview_picture(ROOT / "book" / "figures" / "poster.png")
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and picture[16:24] == (1200).to_bytes(4) + (630).to_bytes(4)
    (build.source / "book" / "generated" / "preview.png").write_bytes(picture)
    out = build(html_baseurl="https://example.invalid/book/")
    page = (out / "book" / "page.html").read_text(encoding="utf-8")
    assert '<meta property="og:image" content="https://example.invalid/book/_static/preview.png">' in page
    assert '<meta property="og:url" content="https://example.invalid/book/book/page.html">' in page
    assert '<meta name="description" content="PPO is a name here' in page
    assert (out / "_static" / "preview.png").read_bytes() == picture
