"""The gallery: what each lesson ends with, as the picture that its own cells drew when this book was built."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import nbformat

from . import paths
from .exercises import tags_of
from .notebooks import NotebookRun
from .stage import LARGEST_SVG, Staging

TAG = "gallery"
"""A cell with this tag has the picture; without one, the last plot before the exercises is taken."""
_EMBEDDED = re.compile(r'src="data:image/(png|jpeg|webp);base64,([^"]+)"')


def stage_gallery(staging: Staging, runs: Sequence[NotebookRun]) -> None:
    """Write the page and its pictures. A lesson without a picture shows its map."""
    cards = []
    for run in runs:
        number = run.name[:2]
        picture = picture_of(nbformat.read(run.executed, as_version=4))
        name, alt = f"figures/map_{number}.svg", f"The code map with the parts of lesson {int(number)} lit"
        if picture is not None:
            name, alt = f"generated/gallery_{number}.{picture[0]}", picture[2] or f"What lesson {int(number)} draws"
            staging.write(f"book/{name}", picture[1])
        title, able = heading(nbformat.read(paths.NOTEBOOKS / f"{run.name}.ipynb", as_version=4))
        cards += [
            ":::{grid-item-card} " + title,
            f":link: ../notebooks/{run.name}",
            ":link-type: doc",
            "",
            f"![{alt}]({name})",
            "",
            able,
            ":::",
            "",
        ]
    lines = [
        "# Gallery",
        "",
        "What the lessons end with. The lessons' own cells drew the pictures when this book was built; a lesson that",
        "draws none has its code map here.",
        "",
        "::::{grid} 1 2 2 2",
        ":gutter: 3",
        ":class-container: gallery",
        "",
        *cards,
        "::::",
        "",
    ]
    staging.write("book/gallery.md", "\n".join(lines))


def heading(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """A lesson's title, and the first thing that its reader will be able to do."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# (.+)$", text, flags=re.M)
    able = re.search(r"^1\. (.+?)[,.;]?$", text, flags=re.M)
    words = able[1] if able else ""
    return title[1] if title else "", f"{words[:1].upper()}{words[1:]}." if words else ""


def picture_of(notebook: nbformat.NotebookNode) -> tuple[str, bytes, str] | None:
    """Ending, bytes and text alternative of the picture that stands for an executed lesson; None if it drew none."""
    found, tagged = None, None
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## Try it"):
            break
        for output in cell.get("outputs", []):
            drawn = _picture(output.get("data", {}))
            picture = drawn and (*drawn, cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""))
            found = picture or found
            if TAG in tags_of(cell) and picture:
                tagged = picture
    return tagged or found


def _picture(data: dict[str, str]) -> tuple[str, bytes] | None:
    if any("widget-view" in kind for kind in data):
        return None  # a still of a widget says little
    svg = data.get("image/svg+xml", "")
    if svg and len(svg) <= LARGEST_SVG:
        return "svg", svg.encode("utf-8")
    if "image/png" in data:
        return "png", base64.b64decode(data["image/png"])
    embedded = _EMBEDDED.search(data.get("text/html", ""))
    return (embedded[1], base64.b64decode(embedded[2])) if embedded else None
