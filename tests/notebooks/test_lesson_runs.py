"""Each lesson runs from top to bottom in a fresh process: no error, no noise, stubs fail and solutions pass."""

from __future__ import annotations

from pathlib import Path

import nbformat
from bookbuild import paths
from bookbuild.digest import package_digest
from bookbuild.notebooks import load_parameters, run_notebook

WIDGET = "application/vnd.jupyter.widget-view+json"


def test_lesson_runs(lesson: Path) -> None:
    # An equal run (lesson, package, pins, parameters) of the book's tests counts: the rules are the same.
    parameters = load_parameters(paths.TEST_PARAMETERS).get(lesson.stem, {})
    run = run_notebook(lesson, parameters, package=package_digest())
    assert not run.problems, "\n".join([*run.problems, f"the executed notebook is kept: {run.executed}"])
    assert not run.noise, "\n".join([*run.noise, f"the executed notebook is kept: {run.executed}"])
    executed = nbformat.read(run.executed, as_version=4)
    for cell in executed.cells:
        first_line = cell.source.splitlines()[0] if cell.source else ""
        for output in cell.get("outputs", []):
            if "image/png" not in (data := output.get("data", {})):
                continue
            if WIDGET in data:  # its picture stands in where no script runs; the page says the same in words
                text = data.get("text/plain", "")
            else:
                text = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(text) > 20, f"no text beside the picture of: {first_line!r}"
