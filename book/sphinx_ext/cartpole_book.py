"""Sphinx parts of the book: local scripts on the pages that need them, mermaid diagrams, our style sheet.

A fenced block with the language ``mermaid`` becomes ``<pre class="mermaid">``: the form that JupyterLab also draws, and
that works from a page opened as a file, where the ES-module build of mermaid does not load.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import Any, ClassVar

import drawn_diagrams
import reading_aids
import ways_in
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from themed_pictures import pair_pictures

logger = logging.getLogger(__name__)

_BOOK = Path(__file__).resolve().parents[1]
_VENDOR = _BOOK.parent / "_build" / "vendor_static" / "vendor"
PREVIEW = "preview.png"
"""The picture that a link to a page brings along; book/bookbuild/showcase.py makes it of the film."""
_DRAWINGS = _BOOK.parent / "_build" / "diagrams"
# Used only where npm was missing when the book was built.
_MERMAID_ON_A_SERVER = "https://cdn.jsdelivr.net/npm/@mermaid-js/tiny@11.17.2/dist/mermaid.tiny.js"


def _scripts_are_here() -> bool:
    """Whether the pages load their scripts from the book itself; book/build.py --online-scripts says no."""
    return _VENDOR.is_dir() and not os.environ.get("CARTPOLE_BOOK_ONLINE_SCRIPTS")


class Mermaid(nodes.General, nodes.Element):
    """A diagram; its source is in ``["code"]``."""


class MermaidFences(SphinxTransform):
    """Turn code blocks in the language mermaid into diagrams, before the highlighter sees them."""

    default_priority = 10

    def apply(self, **kwargs: Any) -> None:
        """Replace each such block of the document."""
        for block in list(self.document.findall(nodes.literal_block)):
            if block.get("language") == "mermaid":
                code = block.astext()
                if "accTitle" not in code:
                    logger.warning("a mermaid diagram without accTitle cannot be read aloud", location=block)
                diagram = Mermaid(code=code)
                diagram.source, diagram.line = block.source, block.line
                block.replace_self(diagram)


class CallOuts(SphinxTransform):
    """Give a block quote that opens with a bold word that word as its class: ``> **Trap.** …`` becomes ``trap``."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Mark each such quote of the document."""
        for quote in self.document.findall(nodes.block_quote):
            first = quote[0] if len(quote) else None
            # The Markdown parser may put an empty text before the bold one.
            words = [child for child in first.children if child.astext().strip()] if first is not None else []
            if words and isinstance(words[0], nodes.strong):
                word = words[0].astext().split()[0].strip(".:").lower()
                quote["classes"].append(word if word.isalpha() else "note")


def draw_diagrams(app: Sphinx, env: BuildEnvironment) -> None:
    """Draw all diagrams of the book at once, before the pages are written."""
    mermaid = _VENDOR / "mermaid" / "mermaid.tiny.js"
    if app.builder.format != "html" or not mermaid.is_file():
        return
    pages = (env.get_doctree(name) for name in sorted(env.found_docs))
    codes = [diagram["code"] for page in pages for diagram in page.findall(Mermaid)]
    if why := drawn_diagrams.draw(codes, _DRAWINGS, mermaid):
        print(f"the pages draw their diagrams themselves, with a script of 2.6 MB: {why}", flush=True)


def visit_mermaid_html(self: Any, node: Mermaid) -> None:
    """Write the drawing, light and dark; else the source for mermaid to draw, readable as text without JavaScript."""
    drawn = drawn_diagrams.stored(_DRAWINGS, node["code"])
    inside = (
        "".join(f'<div class="mermaid-drawn only-{theme}">{svg}</div>' for theme, svg in drawn.items())
        if drawn
        else f'<pre class="mermaid">{html.escape(node["code"])}</pre>'
    )
    self.body.append(f'<div class="mermaid-frame">{inside}</div>\n')
    raise nodes.SkipNode


def visit_mermaid_other(self: Any, node: Mermaid) -> None:
    """Other builders (the search index, the latex one) leave diagrams out."""
    raise nodes.SkipNode


class Film(SphinxDirective):
    """A film with its poster: ``film PATH`` with the options ``poster`` and ``alt``; both paths beside the page."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"poster": directives.path, "alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Have Sphinx copy both files, and leave a node that becomes a player."""
        film = FilmPlayer(alt=self.options["alt"])
        for key, name in (("film", self.arguments[0]), ("poster", self.options["poster"])):
            path, full = self.env.relfn2path(name)
            self.env.note_dependency(full)
            self.env.images.add_file(self.env.docname, path)
            film[key] = path
        return [film]


class FilmPlayer(nodes.General, nodes.Element):
    """A film; ``["film"]`` and ``["poster"]`` are source paths."""


def visit_film_html(self: Any, node: FilmPlayer) -> None:
    """Write the player. ``film.js`` starts it, unless the reader asked for less motion."""
    builder = self.builder
    names = []
    for key in ("film", "poster"):
        name = builder.env.images[node[key]][1]
        builder.images[node[key]] = name  # the builder copies what stands here to its picture folder
        names.append(f"{builder.imgpath}/{name}")
    film, poster = names
    label = html.escape(node["alt"], quote=True)
    self.body.append(
        f'<video class="film" controls loop muted playsinline preload="metadata" poster="{poster}" src="{film}" '
        f'aria-label="{label}">{label}</video>\n'
    )
    raise nodes.SkipNode


def use_local_files(app: Sphinx, config: Config) -> None:
    """Put our static files and the fetched scripts in place, and say where MathJax and the widgets' host stand."""
    config.html_static_path = [*config.html_static_path, str(reading_aids.STATIC)]
    preview = Path(app.srcdir) / "book" / "generated" / PREVIEW
    if preview.is_file():
        config.html_static_path.append(str(preview))
    if _scripts_are_here():
        config.html_static_path.append(str(_VENDOR.parent))
        config.mathjax_path = "vendor/mathjax/tex-chtml.js"
    config.nb_ipywidgets_js = {"widgets.js": {"defer": "defer"}}


def add_page_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load mermaid only where there is a diagram: it is the largest script of the book."""
    if page == "search":
        app.add_js_file("texts.js", loading_method="defer")
    if doctree is None:
        return
    if next(iter(doctree.findall(FilmPlayer)), None) is not None:
        app.add_js_file("film.js", loading_method="defer")
    if any(drawn_diagrams.stored(_DRAWINGS, node["code"]) is None for node in doctree.findall(Mermaid)):
        local = _scripts_are_here()
        app.add_js_file("vendor/mermaid/mermaid.tiny.js" if local else _MERMAID_ON_A_SERVER, loading_method="defer")
        app.add_js_file("diagrams.js", loading_method="defer")


def describe_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Tell search engines and chats what a page is about: its first paragraph of some length."""
    if doctree is None:
        return
    own = (p for p in doctree.findall(nodes.paragraph) if not next(iter(p.findall(nodes.image)), None))
    paragraphs = [" ".join(p.astext().split()) for p in own]
    # a lesson says first what its reader will be able to do
    able = [i for i, text in enumerate(paragraphs[:4]) if text.endswith("You will be able to")]
    words = " ".join(paragraphs[able[0] : able[0] + 3]) if able else next((t for t in paragraphs if len(t) > 60), "")
    short = words if len(words) <= 160 else words[:157].rsplit(" ", 1)[0] + " …"
    facts = {"description": short, "og:description": short, "og:title": context.get("title", ""), "og:type": "article"}
    base = app.config.html_baseurl.rstrip("/")  # without an address of its own a book can only say where from here
    if (Path(app.srcdir) / "book" / "generated" / PREVIEW).is_file():
        facts["og:image"] = f"{base or '..'}/_static/{PREVIEW}"
        facts["og:image:alt"] = "Several carts on their rails balance their poles"
        facts["twitter:card"] = "summary_large_image"
    if base:
        facts["og:url"] = f"{base}/{page}.html"
    plain = {name: re.sub(r"<[^>]+>", "", value) for name, value in facts.items() if value}
    kind = {name: "property" if name.startswith("og:") else "name" for name in plain}
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<meta {kind[name]}="{name}" content="{html.escape(html.unescape(value), quote=True)}">'
        for name, value in plain.items()
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the parts with Sphinx."""
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (visit_mermaid_other, None))
    app.add_node(Mermaid, html=(visit_mermaid_html, None), **others)
    app.add_node(FilmPlayer, html=(visit_film_html, None), **others)
    app.add_directive("film", Film)
    app.add_transform(MermaidFences)
    app.add_transform(CallOuts)
    app.add_css_file("book.css")
    for name in ("glossary.js", "reading.js"):
        app.add_js_file(name, loading_method="defer")
    app.connect("env-get-outdated", reading_aids.render_all_after_a_change)
    app.connect("doctree-read", reading_aids.link_terms)
    app.connect("build-finished", reading_aids.write_texts)
    app.connect("config-inited", use_local_files, priority=400)
    app.connect("config-inited", ways_in.show_buttons)
    app.connect("html-page-context", ways_in.add_colab, priority=900)  # after the theme has made its row of buttons
    app.connect("html-page-context", add_page_scripts)
    app.connect("html-page-context", describe_page)
    app.connect("html-page-context", reading_aids.keep_lines_whole)
    app.connect("env-updated", draw_diagrams)
    app.connect("doctree-read", pair_pictures, priority=900)  # after Sphinx has found the files
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
