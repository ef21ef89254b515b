"""What a lesson says about a slow cell, beside how long that cell took when the page was made.

A lesson promises in words (``> **Slow cell.** About half a minute.``), because a number would be wrong on the next
machine. The page adds the seconds of its own run, from the executed notebook.
"""

from __future__ import annotations

import copy
import re

from nbformat import NotebookNode

from .exercises import tags_of

PROMISES = {"some seconds": 20.0, "half a minute": 60.0, "a minute or two": 180.0, "a few minutes": 600.0}
"""The words that a lesson may use, and the longest wait [s] on two processor cores that each still fits."""

_MARK = "**Slow cell.**"
_BLOCK = r"^> \*\*Slow cell\.\*\*.*(?:\n> *\S.*)*"
"""The promise to the end of its paragraph."""
_BUSY_S = 0.05
"""A cell that takes less does not count as the one that is waited for [s]."""


def with_measured_waits(executed: NotebookNode) -> NotebookNode:
    """A copy in which each promise is followed by the seconds that the next cell took."""
    result = copy.deepcopy(executed)
    for number, cell in enumerate(result.cells):
        if cell.cell_type == "markdown" and _MARK in cell.source:
            seconds = _duration_of_next(result.cells[number + 1 :])
            if seconds is not None:
                line = f"\\g<0> *(When this page was made: {seconds:.0f} s.)*"
                cell["source"] = re.sub(_BLOCK, line, cell.source, count=1, flags=re.M)
    return result


def promised(text: str) -> str | None:
    """The words of a Markdown cell's promise; None where it makes none."""
    match = re.search(r"^> \*\*Slow cell\.\*\*(.*)$", text, flags=re.M)
    if match is None:
        return None
    return next((words for words in PROMISES if words in match[1].lower()), "")


def broken_promises(executed: NotebookNode) -> list[str]:
    """A line for each cell that took longer than its lesson promises."""
    found: list[str] = []
    for number, cell in enumerate(executed.cells):
        words = promised(cell.source) if cell.cell_type == "markdown" else None
        seconds = _duration_of_next(executed.cells[number + 1 :]) if words else None
        if words and seconds is not None and seconds > PROMISES[words]:
            found.append(f"cell {number + 2} took {seconds:.0f} s, and the lesson promises {words!r}")
    return found


def _duration_of_next(cells: list[NotebookNode]) -> float | None:
    """Seconds that the slowest of the code cells up to the next Markdown took; None where that was not recorded."""
    seconds: list[float] = []
    for cell in cells:
        if cell.cell_type == "markdown":
            break
        if "say" in tags_of(cell):
            break
        duration = cell.metadata.get("papermill", {}).get("duration")
        if duration is not None:
            seconds.append(float(duration))
    return max(seconds) if seconds and max(seconds) > _BUSY_S else None
