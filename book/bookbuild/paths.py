"""Where the book's sources are and where the build writes."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

BOOK = ROOT / "book"
SOURCES = ROOT / "notebooks"
"""The lessons as they are written."""

WORK = Path(os.environ.get("CARTPOLE_BOOK_WORK") or ROOT / "work")
"""The learner's copies of them, which JupyterLab opens; git ignores it."""

NOTEBOOKS = Path(os.environ.get("CARTPOLE_BOOK_NOTEBOOKS") or SOURCES)
"""The lessons that are built: a book can be made from a learner's copies."""

PACKAGE = ROOT / "cartpole_lab"
TOC = ROOT / "_toc.yml"
CONFIG = ROOT / "_config.yml"

OUTPUT = Path(os.environ.get("CARTPOLE_BOOK_OUTPUT") or ROOT)
"""Where ``_build`` goes; the tests build elsewhere, so as not to touch the book of the person at the machine."""

BUILD = OUTPUT / "_build"
"""Everything that the build makes; git ignores it, deleting it is safe."""

STAGING = BUILD / "staging"
"""The sources as Sphinx sees them: pages, executed notebooks, generated pages."""

RUNS = BUILD / "run"
"""The folder in which each notebook runs; a failed one is kept here."""

HTML = BUILD / "html"

CACHE = ROOT / "_build" / "cache"
"""Executed notebooks and the film, by the hash of what they were made from."""

VENDOR = ROOT / "_build" / "vendor_static" / "vendor"
"""Third-party scripts, as they are copied to the book's static files."""

TEST_PARAMETERS = ROOT / "tests" / "notebooks" / "parameters.yaml"


def lesson_paths(folder: Path | None = None) -> list[Path]:
    """The lessons of a folder, by default of those that are built, in reading order."""
    return sorted((folder or NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
