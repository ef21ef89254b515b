"""SVG pictures in two themes: a plot of a lesson or a map is drawn once, for white paper, and dyed for the dark page.

A picture in an ``img`` element can't follow the page's switch, so the page gets both and shows the one that fits.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

DYES = {
    # ink and paper of matplotlib
    "#000000": "#e4e9ee", "#262626": "#e4e9ee", "#ffffff": "#14181d", "#b0b0b0": "#8795a3", "#808080": "#9aa7b4",
    "#cccccc": "#4a5661", "#d3d3d3": "#46525d",
    # the colours of `cartpole_lab.teaching.display`
    "#0072b2": "#5cb3e8", "#e69f00": "#f0b14a", "#009e73": "#3cc49b", "#d55e00": "#f0875a", "#8c6bb1": "#b79ad9",
    "#7f7f7f": "#a8b3bd",
    # the code map (book/figures.py)
    "#f6f8fa": "#1b2128", "#e3e9ef": "#263440", "#c4cfda": "#3d5266", "#46535f": "#c9d6e2", "#5b6875": "#9fb3c6",
}  # fmt: skip
"""Colours on white paper, and what they become in the dark."""
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\b")
_PIXELS = re.compile(r"(<image\b[^>]*>)", re.S)


def dark(svg: str) -> str:
    """The same picture for the dark page. Photographs inside stay as they are.

    >>> dark('<svg width="1"><path style="stroke: #000000"/></svg>')
    '<svg fill="#e4e9ee" width="1"><path style="stroke: #e4e9ee"/></svg>'
    """
    parts = _PIXELS.split(svg)
    dyed = [
        part if part.startswith("<image") else _COLOR.sub(lambda m: DYES.get(m[0].lower(), m[0]), part)
        for part in parts
    ]
    # What says no colour is black: matplotlib leaves it away on text.
    return re.sub(r"<svg\b", f'<svg fill="{DYES["#000000"]}"', "".join(dyed), count=1)


def pair_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Put a dark twin beside each SVG picture of a page. Others, films' posters and logos among them, stay alone."""
    env = app.env
    for image in list(doctree.findall(nodes.image)):
        uri = image.get("uri", "")
        path = Path(app.srcdir) / uri
        if not uri.endswith(".svg") or uri.endswith(".dark.svg") or "://" in uri or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        content = dark(text)
        # beside the stored pages, which outlive the folder that Sphinx reads
        twin = (
            Path(app.doctreedir) / "dark" / f"{path.stem}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.dark.svg"
        )
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(content, encoding="utf-8")
        other = image.copy()
        name = Path(os.path.relpath(twin, app.srcdir)).as_posix()
        other["uri"], other["candidates"] = name, {"*": name}
        env.images.add_file(env.docname, name)
        image["classes"] = [*image["classes"], "only-light", "dark-light"]
        other["classes"] = [*other["classes"], "only-dark", "dark-light"]
        image.parent.insert(image.parent.index(image) + 1, other)
