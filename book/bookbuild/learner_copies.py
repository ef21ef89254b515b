"""A learner's own copies of the lessons: ``work/``, which git ignores. The sources stay as they are written.

Each copy comes with the lesson that it was made from (``work/.lessons``). When a lesson is newer, what the learner
changed, added or deleted is carried over, cell by cell; the copy from before is kept in ``work/old``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from . import paths


class ResetError(ValueError):
    """A lesson to start afresh that does not exist; the message is one line."""


def update_copies(work: Path, sources: Sequence[Path], reset: str = "") -> list[str]:
    """Make the copies that are missing and bring the others up to date.

    Args:
        work: Folder of the copies.
        sources: The lessons as they are written.
        reset: Numbers of lessons to start afresh, separated by blanks or commas, or ``all``.

    Returns:
        What was done, a line each; nothing where all was up to date.

    Raises:
        ResetError: ``reset`` names something that is no lesson.
    """
    fresh = _named(reset, sources)
    said: list[str] = []
    made = 0
    (work / ".lessons").mkdir(parents=True, exist_ok=True)
    readme = paths.SOURCES / "README.md"
    if readme.is_file():
        _write(work / "README.md", readme.read_bytes())
    for source in sources:
        copy, base = work / source.name, work / ".lessons" / source.name
        if copy.is_file() and source in fresh:
            said.append(f"lesson {source.stem[:2]} starts afresh; your copy is kept as {_keep(copy)}")
        elif copy.is_file():
            said += _update(copy, base, source)
            continue
        else:
            made += 1
        _write(copy, source.read_bytes())
        _write(base, source.read_bytes())
    if made:
        said.insert(0, f"{made} lessons copied to {work.name}/: they are yours to change")
    return said


def _named(reset: str, sources: Sequence[Path]) -> set[Path]:
    found: set[Path] = set()
    for word in reset.replace(",", " ").split():
        number = word.zfill(2) if word.isdecimal() else word
        matching = [
            p for p in sources if word == "all" or p.stem == word or (number.isdecimal() and p.stem[:2] == number)
        ]
        if not matching:
            numbers = f"{sources[0].stem[:2]} to {sources[-1].stem[:2]}" if sources else "none"
            raise ResetError(f"RESET={reset}: {word} is no lesson, expected {numbers}, or all: make lab RESET=03")
        found |= set(matching)
    return found


def _update(copy: Path, base: Path, source: Path) -> list[str]:
    """Carry the learner's changes over to a newer lesson; what was done in at most one line."""
    number, new = source.stem[:2], source.read_bytes()
    if base.is_file() and base.read_bytes() == new:
        return []
    cure = f"for a fresh one: make lab RESET={number}"
    try:
        mine = nbformat.read(copy, as_version=4)
        old = nbformat.read(base, as_version=4)
    except Exception as error:  # whatever a half written file raises
        reason = str(error).strip().splitlines()[0][:80] if str(error).strip() else type(error).__name__
        return [f"lesson {number} has a newer version, but your copy cannot be compared ({reason}); {cure}"]
    if len({c.get("id") for c in mine.cells} & {c.get("id") for c in old.cells}) < len(old.cells) / 2:
        return [f"lesson {number} has a newer version, but your copy has lost the marks of its cells; {cure}"]
    if [c.source for c in mine.cells] == [c.source for c in old.cells]:  # opened, perhaps run, not changed
        _write(copy, new)
        _write(base, new)
        return [f"lesson {number} was brought up to date"]
    merged, doubtful = merge(old, mine, nbformat.read(source, as_version=4))
    kept = _keep(copy)
    _write(copy, (nbformat.writes(merged) + "\n").encode())
    _write(base, new)
    line = f"lesson {number} was brought up to date with your changes in it; your copy from before is {kept}"
    if doubtful:
        line += f"; {doubtful} cell(s) have changed in the lesson too, where yours stand; {cure}"
    return [line]


def merge(old: NotebookNode, mine: NotebookNode, new: NotebookNode) -> tuple[NotebookNode, int]:
    """Three notebooks into one, by the ids of their cells.

    Args:
        old: The lesson that the copy was made from.
        mine: The copy, with what the learner made of it.
        new: The lesson as it is now.

    Returns:
        The new lesson with the learner's changes; and the number of cells that both changed, where the learner's stand.
    """
    before = {cell["id"]: cell for cell in old.cells}
    theirs = {cell["id"]: cell for cell in mine.cells}
    doubtful = 0
    cells: list[NotebookNode] = []
    for cell in new.cells:
        was, own = before.get(cell["id"]), theirs.get(cell["id"])
        if own is None:
            if was is None or was.source != cell.source:  # new, or changed since the learner deleted it
                cells.append(cell)
        elif own.source == cell.source:
            cells.append(_with_metadata(own, cell))  # its outputs are still right
        elif was is not None and own.source == was.source:
            cells.append(cell)
        else:
            doubtful += was is None or was.source != cell.source
            cells.append(_with_metadata(own, cell))
    current = {cell["id"] for cell in new.cells}
    after = ""
    for cell in mine.cells:
        was = before.get(cell["id"])
        if cell["id"] not in current and (was is None or was.source != cell.source):  # added, or changed and now gone
            place = next((i + 1 for i, c in enumerate(cells) if c["id"] == after), len(cells) if after else 0)
            cells.insert(place, cell)
        if any(c["id"] == cell["id"] for c in cells):
            after = cell["id"]
    result = nbformat.from_dict({**new, "metadata": mine.metadata, "cells": cells})
    return result, doubtful


def _with_metadata(own: NotebookNode, lesson: NotebookNode) -> NotebookNode:
    own["metadata"] = {**own.metadata, **lesson.metadata}
    return own


def _keep(copy: Path) -> str:
    """Set a copy aside, under a name that says when."""
    folder = copy.parent / "old"
    folder.mkdir(exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    target, number = folder / f"{copy.stem}_{stamp}.ipynb", 1
    while target.exists():
        number += 1
        target = folder / f"{copy.stem}_{stamp}_{number}.ipynb"
    shutil.copy2(copy, target)
    return f"{copy.parent.name}/old/{target.name}"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and not at all where nothing changed."""
    if path.is_file() and path.read_bytes() == content:
        return
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_bytes(content)
    os.replace(new, path)
