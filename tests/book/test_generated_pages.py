"""What is generated says what the code says: the maps of the lessons, the API, the commands, the run times."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from bookbuild.api_reference import api_page
from bookbuild.command_reference import commands_page
from bookbuild.stage import without_missing
from figures import LIT, ROWS, map_svg

import cartpole_lab
from cartpole_lab.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("lesson", LIT)
def test_map_of_a_lesson_is_up_to_date(lesson: int) -> None:
    """After a change of book/figures.py, run it once."""
    committed = (ROOT / "book" / "figures" / f"map_{lesson:02d}.svg").read_text(encoding="utf-8")
    assert committed == map_svg(LIT[lesson])


def test_every_lesson_lights_parts_that_the_map_has() -> None:
    parts = {part for _, row in ROWS for part in row}
    assert all(lit and set(lit) <= parts for lit in LIT.values())
    assert set().union(*LIT.values()) == parts, "each part belongs to a lesson"
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    lessons = [e["file"] for part in toc["parts"] for e in part["chapters"] if e["file"].startswith("notebooks/")]
    assert len(lessons) == len(LIT)


def test_python_reference_has_every_exported_name() -> None:
    page = api_page(ROOT / "cartpole_lab")
    headings = set(re.findall(r"^### `(\w+)`$", page, flags=re.M))
    assert set(cartpole_lab.__all__) <= headings
    assert {"CartpoleEnvCfg", "RewardsCfg"} <= headings


def test_python_reference_has_no_markup_of_docstrings() -> None:
    page = re.sub(r"^```.*?^```", "", api_page(ROOT / "cartpole_lab"), flags=re.M | re.S)
    assert "``" not in page
    assert not re.search(r":(class|func|meth|attr):`", page)


def test_command_reference_has_every_command_and_flag() -> None:
    page = commands_page()
    commands = next(a for a in build_parser()._actions if a.dest == "command" or (hasattr(a, "choices") and a.choices))
    for name, parser in commands.choices.items():
        assert f"## `cartpole-lab {name}`" in page
        for action in parser._actions:
            if action.help not in (None, "==SUPPRESS==") and action.dest != "help":
                for word in action.option_strings:
                    assert f"`{word}`" in page, f"{name} {word}"


def test_links_to_lessons_that_are_missing_become_text() -> None:
    text = 'See [lesson 4](../notebooks/04_x.ipynb#a) and [5](05_y.ipynb).\n  click a href "../notebooks/04_x.html"\n'
    assert without_missing(text, {"04_x", "05_y"}) == text
    assert without_missing(text, {"05_y"}) == "See lesson 4 (not written yet) and [5](05_y.ipynb).\n"
