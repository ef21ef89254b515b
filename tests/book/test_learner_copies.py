"""A learner's copies: made once, brought up to date without losing an answer, started afresh on request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bookbuild import paths
from bookbuild.learner_copies import ResetError, merge, update_copies
from nbformat.v4 import new_code_cell, new_notebook, new_output


def lesson(**cells: str) -> nbformat.NotebookNode:
    """A notebook whose cells have their names as ids."""
    return new_notebook(cells=[new_code_cell(source, id=name) for name, source in cells.items()])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Path]]:
    """Two lessons, and where their copies go."""
    sources = tmp_path / "notebooks"
    sources.mkdir()
    (sources / "README.md").write_text("the table")
    monkeypatch.setattr(paths, "SOURCES", sources)
    files = [sources / "01_one.ipynb", sources / "03_three.ipynb"]
    for path in files:
        nbformat.write(lesson(a="import x", b="stub", c="check"), path)
    return tmp_path / "work", files


def sources_of(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def change(path: Path, **cells: str) -> None:
    """What a learner, or an author, does to a notebook."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell["source"] = cells.get(cell["id"], cell.source)
    nbformat.write(notebook, path)


def test_copies_are_made_once(place: tuple[Path, list[Path]]) -> None:
    work, files = place
    assert update_copies(work, files) == ["2 lessons copied to work/: they are yours to change"]
    assert [(work / path.name).read_bytes() for path in files] == [path.read_bytes() for path in files]
    assert (work / "README.md").read_text() == "the table"
    change(work / "01_one.ipynb", b="my answer")
    before = (work / "01_one.ipynb").read_bytes()
    assert update_copies(work, files) == []
    assert (work / "01_one.ipynb").read_bytes() == before


def test_a_newer_lesson_keeps_the_answers(place: tuple[Path, list[Path]]) -> None:
    work, files = place
    update_copies(work, files)
    change(work / "01_one.ipynb", b="my answer")
    mine = (work / "01_one.ipynb").read_bytes()
    for path in files:
        change(path, a="import y", c="check better")
    one, three = update_copies(work, files)
    assert sources_of(work / "01_one.ipynb") == ["import y", "my answer", "check better"]
    assert sources_of(work / "03_three.ipynb") == ["import y", "stub", "check better"]
    assert "with your changes in it" in one and three == "lesson 03 was brought up to date"
    [kept] = (work / "old").iterdir()
    assert kept.read_bytes() == mine and kept.name in one
    assert update_copies(work, files) == []


def test_both_changed_a_cell(place: tuple[Path, list[Path]]) -> None:
    work, files = place
    update_copies(work, files)
    change(work / "03_three.ipynb", b="my answer")
    change(files[1], b="another stub")
    [line] = update_copies(work, files)
    assert sources_of(work / "03_three.ipynb")[1] == "my answer"
    assert "1 cell(s) have changed in the lesson too" in line and "make lab RESET=03" in line


def test_cells_that_come_and_go() -> None:
    old = lesson(a="1", b="2", c="3", d="4")
    mine = lesson(a="1", own="mine", c="3 mine", d="4", last="mine too")  # b deleted, c changed, two added
    new = lesson(z="0", a="1", b="2", d="5", e="6")  # c is gone, d changed, two added
    merged, doubtful = merge(old, mine, new)
    assert [cell["id"] for cell in merged.cells] == ["z", "a", "own", "c", "d", "last", "e"]
    assert {c["id"]: c.source for c in merged.cells} | {"c": "3 mine", "d": "5"} == {
        c["id"]: c.source for c in merged.cells
    }
    assert doubtful == 0
    changed = lesson(a="1", b="two", c="3", d="4")
    assert [c["id"] for c in merge(old, lesson(a="1", c="3", d="4"), changed)[0].cells] == ["a", "b", "c", "d"]


def test_outputs_stay_where_the_cell_is_the_same() -> None:
    old, mine = lesson(a="1", b="2"), lesson(a="1", b="2")
    for cell in mine.cells:
        cell["outputs"] = [new_output("stream", text="printed")]
    mine.cells.append(new_code_cell("own", id="own"))
    merged, _ = merge(old, mine, lesson(a="1", b="2 new"))
    assert [len(cell.outputs) for cell in merged.cells] == [1, 0, 0]


def test_reset(place: tuple[Path, list[Path]]) -> None:
    work, files = place
    update_copies(work, files)
    change(work / "03_three.ipynb", b="my answer")
    mine = (work / "03_three.ipynb").read_bytes()
    [line] = update_copies(work, files, "3")
    assert "starts afresh" in line
    assert (work / "03_three.ipynb").read_bytes() == files[1].read_bytes()
    [kept] = (work / "old").iterdir()
    assert kept.read_bytes() == mine
    assert len(update_copies(work, files, "all")) == 2


@pytest.mark.parametrize("word", ["99", "2", "three", "-1", "../01"])
def test_no_such_lesson(place: tuple[Path, list[Path]], word: str) -> None:
    work, files = place
    with pytest.raises(ResetError, match=r"is no lesson, expected 01 to 03, or all: make lab RESET=03"):
        update_copies(work, files, word)


def test_no_such_lesson_ends_the_command(tmp_path: Path) -> None:
    command = [sys.executable, str(paths.BOOK / "lab.py"), "--reset", "99"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "CARTPOLE_BOOK_WORK": str(tmp_path)}
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"not a notebook", b'{"cells": []}'])
def test_a_copy_that_cannot_be_read_is_left_alone(place: tuple[Path, list[Path]], content: bytes) -> None:
    work, files = place
    update_copies(work, files)
    (work / "01_one.ipynb").write_bytes(content)
    assert update_copies(work, files) == []
    change(files[0], a="import y")
    [line] = update_copies(work, files)
    assert "make lab RESET=01" in line and "\n" not in line
    assert (work / "01_one.ipynb").read_bytes() == content


def test_progress_reads_the_copies(place: tuple[Path, list[Path]]) -> None:
    work, _ = place
    command = [sys.executable, str(paths.BOOK / "progress.py")]
    options = {"capture_output": True, "text": True, "env": {**os.environ, "CARTPOLE_BOOK_WORK": str(work)}}
    assert subprocess.run(command, **options).returncode == 2, "no copies yet"
    real = paths.lesson_paths(paths.ROOT / "notebooks")[:2]
    update_copies(work, real)
    notebook = nbformat.read(work / real[0].name, as_version=4)
    check = next(cell for cell in notebook.cells if "check" in cell.metadata.get("tags", []))
    check["outputs"] = [new_output("stream", text="✓ right")]
    nbformat.write(notebook, work / real[0].name)
    done = subprocess.run(command, **options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✓ ") and "1 of " in done.stdout
