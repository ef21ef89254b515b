"""Each lesson runs from top to bottom in a fresh process: no error, no noise, stubs fail and solutions pass."""

from __future__ import annotations

from pathlib import Path

import nbformat
from bookbuild import paths
from bookbuild.notebooks import load_parameters, package_digest, run_notebook


def test_lesson_runs(lesson: Path) -> None:
    # An equal run (lesson, package, pins, parameters) of the book's tests counts: the rules are the same.
    parameters = load_parameters(paths.TEST_PARAMETERS).get(lesson.stem, {})
    run = run_notebook(lesson, parameters, package=package_digest())
    assert not run.problems, "\n".join([*run.problems, f"the executed notebook is kept: {run.executed}"])
    assert not run.noise, "\n".join([*run.noise, f"the executed notebook is kept: {run.executed}"])
    executed = nbformat.read(run.executed, as_version=4)
    for cell in executed.cells:
        pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert not pictures or len(alt) > 20, f"no alt text for the picture of: {cell.source.splitlines()[0]!r}"
