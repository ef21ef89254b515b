"""Figures of two themes and diagrams drawn while building, without building the book."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "sphinx_ext")]


def test_a_plot_is_dyed_and_its_photographs_are_not() -> None:
    import io

    import matplotlib
    from matplotlib.figure import Figure
    from themed_pictures import DYES, dark

    from cartpole_lab.teaching.display import COLORS, TERM_COLORS

    figure = Figure()
    figure.add_subplot().plot([0, 1], color=COLORS[0])
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "test"}):
        figure.savefig(buffer, format="svg")
    svg = buffer.getvalue()
    dyed = dark(svg)
    assert COLORS[0].lower() in svg.lower() and COLORS[0].lower() not in dyed.lower()
    assert "#ffffff" in svg and "#ffffff" not in dyed, "paper stays white"
    photo = '<svg><image href="data:image/png;base64,#ffffff"/><path style="fill: #FFFFFF"/></svg>'
    assert dark(photo).count("#ffffff") == 1
    assert {color.lower() for color in (*COLORS, *TERM_COLORS.values())} <= set(DYES), "a colour without a dark form"


def test_a_plot_is_kept_once() -> None:
    from bookbuild.stage import LARGEST_SVG, one_picture

    light, heavy = ({"image/svg+xml": "x" * size, "image/png": "p"} for size in (100, LARGEST_SVG + 1))
    for data in (light, heavy):
        one_picture(data)
    assert set(light) == {"image/svg+xml"} and set(heavy) == {"image/png"}


@pytest.mark.parametrize("theme, paper", [("light", "f4f6f8"), ("dark", "1d242b")])
def test_code_can_be_read(theme: str, paper: str) -> None:
    """Contrast of every colour of the highlighter on its sheet, by WCAG 2: at least 4.5 to 1."""
    import yaml
    from pygments.styles import get_style_by_name

    def light(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    style = get_style_by_name(config["html_theme_options"][f"pygments_{theme}_style"])
    kinds = ("Token.Keyword", "Token.Literal", "Token.Name", "Token.Comment", "Token.Operator", "Token.Punctuation")
    colors = {str(token): found["color"] for token, found in style if found["color"] and str(token).startswith(kinds)}
    assert len(colors) > 10

    def contrast(color: str) -> float:
        low, high = sorted((light(color), light(paper)))
        return (high + 0.05) / (low + 0.05)

    assert {token: color for token, color in colors.items() if contrast(color) < 4.5} == {}


def test_folders_of_the_building_machine_are_not_printed() -> None:
    from bookbuild.stage import nobodys_folders

    home = Path.home()
    output = {"text": f"cache {home}/.cache/warp\nin '{ROOT}/logs', {home}stead", "data": {"text/plain": f"'{home}'"}}
    nobodys_folders(output)
    assert output["text"] == f"cache ~/.cache/warp\nin '~/cartpole-lab/logs', {home}stead"
    assert output["data"]["text/plain"] == "'~'"


def test_diagrams_are_drawn_once_and_have_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import drawn_diagrams
    from bookbuild import paths, vendor

    if not vendor.vendor_scripts() or not any(shutil.which(name) for name in drawn_diagrams.BROWSERS):
        pytest.skip("npm or Chromium is missing: the pages draw their diagrams themselves then")
    codes = ["flowchart LR\n  a[one] --> b[two]", "flowchart LR\n  a[one] --> c[three]"]
    mermaid = paths.VENDOR / "mermaid" / "mermaid.tiny.js"
    assert drawn_diagrams.draw(codes, tmp_path, mermaid) == ""
    drawn = [drawn_diagrams.stored(tmp_path, code) for code in codes]
    names = [svg.split('id="', 1)[1].split('"', 1)[0] for themes in drawn for svg in themes.values()]
    assert len(set(names)) == 4
    assert drawn[0]["light"] != drawn[0]["dark"] and "two" in drawn[0]["light"] and "three" in drawn[1]["dark"]
    monkeypatch.setattr(drawn_diagrams.shutil, "which", lambda name: None)
    assert drawn_diagrams.draw(codes, tmp_path, mermaid) == "", "what is stored needs no browser"
    assert "Chromium" in drawn_diagrams.draw(["flowchart LR\n  x --> y"], tmp_path, mermaid)
