"""Mermaid diagrams as SVG, drawn while the book is built: a page needs no 2.6 MB script, and paper shows them too.

A headless Chromium runs ``static/diagrams.js`` once a theme over all diagrams that aren't stored yet. Without a browser
on the building machine the pages draw their diagrams themselves, as JupyterLab does.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
THEMES = ("light", "dark")
TIME_LIMIT_S = 180
_STATIC = Path(__file__).resolve().parents[1] / "static"
_DRAWN = re.compile(r'<pre class="mermaid"[^>]*>\s*(<svg\b.*?</svg>)\s*</pre>', re.S)


def key_of(code: str) -> str:
    """A name for a diagram, the same for the same text drawn the same way."""
    how = (_STATIC / "diagrams.js").read_bytes()
    return hashlib.sha256(code.encode() + how).hexdigest()[:16]


def stored(folder: Path, code: str) -> dict[str, str] | None:
    """The SVG of a diagram by theme, or None if it isn't stored in ``folder``."""
    paths = {theme: folder / f"{key_of(code)}.{theme}.svg" for theme in THEMES}
    return {t: p.read_text("utf-8") for t, p in paths.items()} if all(p.is_file() for p in paths.values()) else None


def draw(codes: Sequence[str], folder: Path, mermaid: Path) -> str:
    """Draw what isn't stored yet.

    Args:
        codes: Texts of diagrams.
        folder: Where the drawings are kept.
        mermaid: Mermaid's own script.

    Returns:
        Why the pages have to draw themselves, in a line; empty if they need not.
    """
    missing = [code for code in dict.fromkeys(codes) if stored(folder, code) is None]
    if not missing:
        return ""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return "no Chromium on this machine"
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        drawings = _drawings(browser, missing, theme, mermaid)
        if len(drawings) != len(missing):
            return f"Chromium drew {len(drawings)} of {len(missing)} diagrams"
        for code, drawing in zip(missing, drawings, strict=True):
            name = re.search(r'\bid="([^"]+)"', drawing)
            own = f"diagram-{key_of(code)}-{theme}"  # two drawings on one page must not share an id
            svg = drawing.replace(name[1], own) if name else drawing
            (folder / f"{key_of(code)}.{theme}.svg").write_text(svg, encoding="utf-8")
    return ""


def _drawings(browser: str, codes: Sequence[str], theme: str, mermaid: Path) -> list[str]:
    blocks = "\n".join(f'<pre class="mermaid">{html.escape(code)}</pre>' for code in codes)
    style = "pre{font-family:Arial,Helvetica,sans-serif;width:1400px}"
    scripts = "".join(f'<script src="{path.as_uri()}"></script>' for path in (mermaid, _STATIC / "diagrams.js"))
    text = (
        f'<!doctype html><html data-theme="{theme}"><head><meta charset="utf-8"><style>{style}</style></head>'
        f"<body>{blocks}{scripts}</body></html>"
    )
    with tempfile.TemporaryDirectory() as own:
        page = Path(own) / "page.html"
        page.write_text(text, encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={own}/u"]
        command += ["--disable-background-networking", "--virtual-time-budget=60000", "--dump-dom", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIME_LIMIT_S)
        except (subprocess.TimeoutExpired, OSError):
            return []
    return _DRAWN.findall(done.stdout)
