"""Lay out what Sphinx reads: pages, executed lessons and generated pages, in the repository's own shape.

A file whose content did not change keeps its date, so that Sphinx renders only what is new.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import yaml

from . import paths
from .notebooks import NotebookRun, page_notebook

_ICON_SCRIPT = re.compile(r'<script src="[^"]*/fontawesome/[^"]*"></script>\s*')
_FONT_PRELOAD = re.compile(r'<link rel="preload" as="font"[^>]*>\s*')
LARGEST_SVG = 250_000
"""Characters up to which a page shows a plot as SVG."""
_PICTURES = (".svg", ".png", ".jpg", ".webp")


class Staging:
    """The staging folder while it is being filled.

    Files that were not written again by :meth:`finish` are left over from an earlier build and are deleted there.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or paths.STAGING
        self._kept: set[Path] = set()

    def write(self, name: str, data: str | bytes) -> None:
        """Write a file, by its path in the repository's shape, unless it is there with the same content."""
        raw = data.encode("utf-8") if isinstance(data, str) else data
        path = self.root / name
        self._kept.add(path)
        if path.is_file() and path.read_bytes() == raw:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)

    def finish(self) -> None:
        """Delete what this build did not write."""
        for path in [p for p in self.root.rglob("*") if p.is_file() and p not in self._kept]:
            path.unlink()

    def missing(self, documents: Iterable[str]) -> list[str]:
        """Which of these documents, named without ending as in the table of contents, are not staged."""
        staged = {p.relative_to(self.root).with_suffix("").as_posix() for p in self._kept}
        return [name for name in documents if name not in staged]


def stage_sources(staging: Staging, lessons: Iterable[str]) -> None:
    """Copy the written pages and their pictures.

    Args:
        staging: Where to.
        lessons: Names of the lessons that will be there; links to others become plain text.
    """
    names = set(lessons)
    for path in sorted(paths.BOOK.rglob("*")):
        inside = path.relative_to(paths.BOOK)
        if not path.is_file():
            continue
        if path.suffix == ".md" and len(inside.parts) == 1:
            staging.write(f"book/{inside.as_posix()}", without_missing(path.read_text(encoding="utf-8"), names))
        elif path.suffix in (*_PICTURES, ".txt"):  # a text is included by a page and is none itself
            staging.write(f"book/{inside.as_posix()}", path.read_bytes())


def stage_notebooks(staging: Staging, runs: Sequence[NotebookRun]) -> None:
    """Write the executed lessons. Links to lessons that do not exist yet become plain text."""
    names = {run.name for run in runs}
    for run in runs:
        notebook = page_notebook(run, paths.NOTEBOOKS / f"{run.name}.ipynb")
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell["source"] = without_missing(cell.source, names)
            for output in cell.get("outputs", []):
                one_picture(output.get("data", {}))
                nobodys_folders(output)
        staging.write(f"notebooks/{run.name}.ipynb", nbformat.writes(notebook) + "\n")


def one_picture(data: dict[str, Any]) -> None:
    """Keep one form of a plot: SVG, which has a dark twin and is sharp at any size, unless it is a heavy one."""
    svg = data.get("image/svg+xml", "")
    if svg and "image/png" in data:
        del data["image/svg+xml" if len(svg) > LARGEST_SVG else "image/png"]


def nobodys_folders(output: Any) -> None:
    """Shorten paths in what a cell printed: whose machine built the book is no reader's business."""
    folders = {str(paths.ROOT): "~/cartpole-lab", sys.prefix: "~/cartpole-lab/.venv", str(Path.home()): "~"}

    def shorten(text: str) -> str:
        for folder, name in sorted(folders.items(), key=lambda pair: -len(pair[0])):
            text = re.sub(rf"(?<![\w.~/-]){re.escape(folder)}(?=[/\s'\"<>,;:)\]]|$)", name, text)
        return text

    if isinstance(output.get("text"), str):
        output["text"] = shorten(output["text"])
    for kind in ("text/plain", "text/html", "text/markdown"):
        if isinstance(output.get("data", {}).get(kind), str):
            output["data"][kind] = shorten(output["data"][kind])


def without_missing(text: str, lessons: set[str]) -> str:
    """Markdown whose links to lessons that are not there are plain text, so that a draft renders without warnings."""

    def link(match: re.Match[str]) -> str:
        return match[0] if match[2] in lessons else f"{match[1]} (not written yet)"

    text = re.sub(r"(?<!!)\[([^\]]+)\]\((?:\.\./notebooks/)?(\d\d_\w+)\.ipynb[^)]*\)", link, text)
    kept = []
    for line in text.split("\n"):
        target = re.match(r"(?:\s*click \w+ href \"|:link: )\.\./notebooks/(\d\d_\w+)", line)
        if target is None or target[1] in lessons:
            kept.append(line)
        elif line.startswith(":link:"):
            kept.append(":link: code_map")
    return "\n".join(kept)


def toc_documents(toc: dict[str, Any]) -> list[str]:
    """All documents of a table of contents, in reading order, its root first."""
    found = [toc["root"]]
    for part in toc.get("parts", []):
        found += [entry["file"] for entry in part["chapters"]]
    return found


def stage_toc(staging: Staging) -> list[str]:
    """Write the table of contents without the documents that do not exist, and return those."""
    toc = yaml.safe_load(paths.TOC.read_text(encoding="utf-8"))
    missing = staging.missing(toc_documents(toc))
    for part in toc.get("parts", []):
        part["chapters"] = [entry for entry in part["chapters"] if entry["file"] not in missing]
    toc["parts"] = [part for part in toc.get("parts", []) if part["chapters"]]
    staging.write("_toc.yml", yaml.safe_dump(toc, sort_keys=False, allow_unicode=True))
    return missing


def tidy_pages(html: Path) -> None:
    """Remove pages that the book no longer has, the theme's font preloads, and its second set of icons.

    Browsers refuse those preloads on a page opened as a file, and log an error for each. The icons come as a font too:
    the script with all two thousand drawings would be half the weight of a plain page.
    """
    for page in [*(html / "book").glob("*.html"), *(html / "notebooks").glob("*.html")]:
        source = paths.STAGING / page.relative_to(html)
        if not any(source.with_suffix(ending).is_file() for ending in (".md", ".ipynb")):
            page.unlink()
    for page in html.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        mended = _ICON_SCRIPT.sub("", _FONT_PRELOAD.sub("", text))
        if mended != text:
            page.write_text(mended, encoding="utf-8")


def downloadable_notebooks(html: Path) -> None:
    """Replace the notebooks behind the download buttons: as written, with their pictures inside, ready to run."""
    for target in (html / "_sources" / "notebooks").glob("*.ipynb"):
        source = paths.NOTEBOOKS / target.name
        if source.is_file():
            target.write_text(nbformat.writes(_with_pictures(source)) + "\n", encoding="utf-8")


def _with_pictures(source: Path) -> nbformat.NotebookNode:
    import base64
    import mimetypes

    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for name in re.findall(r"!\[[^\]]*\]\((\.\./book/[^)\s]+)\)", cell.source):
            path = (paths.NOTEBOOKS / name).resolve()
            if path.is_file():
                mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                data = base64.b64encode(path.read_bytes()).decode("ascii")
                cell.setdefault("attachments", {})[path.name] = {mime: data}
                cell["source"] = cell.source.replace(f"({name})", f"(attachment:{path.name})")
    return notebook


def clear(folder: Path) -> None:
    """Delete a folder of the build if it is there."""
    if folder.is_relative_to(paths.BUILD) or folder.is_relative_to(paths.CACHE):
        shutil.rmtree(folder, ignore_errors=True)
