"""Every entry of the page "Where good guesses go wrong" is run, and is what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.surprises.entries import ENTRIES, GROUPS
from tests.surprises.record import differences, read
from tests.surprises.run import run_all
from tests.surprises.write_page import PAGE, render, section

ROOT = Path(__file__).resolve().parents[2]
RECORD = read()
LESSONS = (2, 3, 5, 6, 7, 8, 11)
"""Lessons in which a reader stumbles over what the page has."""


def linked(text: str) -> set[str]:
    """Anchors of the page that a text links to."""
    return set(re.findall(r"\]\((?:\.\./book/)?surprises\.md#([^)\s]+)\)", text))


def prose(path: Path) -> str:
    """A page, or the text cells of a lesson."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")


@pytest.fixture(scope="session")
def seen() -> dict[str, dict[str, Any]]:
    """What all checks see here and now: three processes at once, one for each engine and one without."""
    return run_all()


@pytest.mark.parametrize("name", ENTRIES)
def test_the_surprise_is_still_one(seen: dict[str, dict[str, Any]], name: str) -> None:
    """The behaviour is as described, and as recorded; the lines that explain it are where the page says."""
    entry, now, then = ENTRIES[name], seen[name], RECORD["entries"].get(name)
    again = f"look at it, then: python -m tests.surprises {name}"
    assert "error" not in now, now.get("error")
    assert now["holds"], f"{name} behaves otherwise with {now['versions']}: {now['values']}; {again}"
    assert then, f"not recorded yet: python -m tests.surprises {name}"
    assert then["holds"] and then["versions"] == now["versions"], f"recorded with {then['versions']}; {again}"
    assert then["places"] == now["places"], f"the lines have moved; {again}"
    assert differences(then["values"], now["values"], entry.close) == [], again


@pytest.mark.parametrize("name", ENTRIES)
def test_the_guess_would_fail_the_check(name: str) -> None:
    """A check that takes the guess for true as well checks nothing."""
    entry = ENTRIES[name]
    values = json.loads(json.dumps(RECORD["entries"][name]["values"]))
    assert entry.holds(values)
    assert entry.guessed and set(entry.guessed) <= set(values), "the guess speaks of what the check measures"
    assert not entry.holds(entry.with_the_guess(values)), "the guess passes the check"


def test_the_page_is_made_from_the_record() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(RECORD), "run: python -m tests.surprises --page"


def test_an_answer_that_is_a_number_stays_one() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "499\\. So it is" in page, "Markdown would begin a list with number 499"
    assert not re.search(r"^\d+[.)] ", page, flags=re.MULTILINE)


def test_there_are_enough_in_every_part() -> None:
    assert len(ENTRIES) == len(RECORD["entries"]) >= 35
    for group in GROUPS:
        assert sum(entry.group == group for entry in ENTRIES.values()) >= 4, group


def test_an_entry_that_no_longer_holds_is_marked_on_the_page() -> None:
    name = next(iter(ENTRIES))
    found = {**RECORD["entries"][name], "holds": False, "values": {}, "versions": {"isaaclab": "9.9"}}
    text = section(ENTRIES[name], found)
    assert "**Not so any more** with isaaclab 9.9" in text
    assert "Not so any more" not in section(ENTRIES[name], RECORD["entries"][name])


def test_a_number_that_moves_is_a_difference() -> None:
    assert differences({"a": 1.0, "b": 2, "c": "x"}, {"a": 1.01, "b": 2, "c": "x"}, 0.05) == []
    assert len(differences({"a": 1.0, "b": 2, "c": "x"}, {"a": 1.2, "b": 3, "c": "y"}, 0.05)) == 3


@pytest.mark.parametrize("number", LESSONS)
def test_lessons_link_to_what_a_reader_stumbles_over(number: int) -> None:
    (lesson,) = (ROOT / "notebooks").glob(f"{number:02d}_*.ipynb")
    assert len(linked(prose(lesson))) >= 2


def test_troubleshooting_links_to_the_page() -> None:
    assert len(linked(prose(ROOT / "book" / "troubleshooting.md"))) >= 2


def test_every_link_leads_to_an_entry() -> None:
    pages = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.md"), ROOT / "README.md"]
    anchors = {entry.anchor for entry in ENTRIES.values()}
    assert len(anchors) == len(ENTRIES)
    assert {path.name: lost for path in pages if (lost := linked(prose(path)) - anchors)} == {}


def test_the_page_names_every_finding() -> None:
    page = PAGE.read_text(encoding="utf-8")
    scripts = sorted((ROOT / "findings").glob("*.sh"))
    assert len(scripts) >= 8
    for script in scripts:
        assert f"`{script.name}`" in page
        head = [line for line in script.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
        for part in ("# Guess: ", "# Truth: ", "# Why it matters: "):
            assert any(line.startswith(part) for line in head), f"{script.name} has no {part!r}"
