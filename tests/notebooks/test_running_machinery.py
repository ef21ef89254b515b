"""The machinery that runs lessons catches what it promises to catch. Real kernels, tiny notebooks."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from bookbuild import notebooks, paths
from bookbuild.exercises import add_second_checks, find_exercises, fold_second_checks, output_text, tags_of
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def lesson_with(*cells: tuple[str, str]) -> nbformat.NotebookNode:
    """A notebook of (tag, source) pairs; the tag '' means none."""
    made = [new_code_cell(source, metadata={"tags": [tag]} if tag else {}) for tag, source in cells]
    return new_notebook(cells=[new_markdown_cell("# 0 · A lesson"), *made])


CHECK = "print('✓ right' if answer() == 9 else f'✗ answer() is {answer()}, expected 9')"
STUB, SOLUTION = "def answer():\n    return 3", "def answer():\n    return 9"


@pytest.fixture
def run_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run cells as a lesson in a folder of their own."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "run")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")

    def run(*cells: tuple[str, str], parameters: dict | None = None, package: str | None = None):
        path = tmp_path / "00_tiny.ipynb"
        nbformat.write(lesson_with(*cells), path)
        return notebooks.run_notebook(path, parameters or {}, package=package), path

    return run


def test_exercise_passes_and_page_shows_the_solutions_check(run_cells) -> None:
    run, path = run_cells(("exercise", STUB), ("check", CHECK), ("solution", SOLUTION), ("", "print(answer())"))
    assert run.problems == ()
    page = notebooks.page_notebook(run, path)
    assert [tags_of(c) for c in page.cells] == [[], ["exercise"], ["check"], ["solution"], []]
    assert output_text(page.cells[2]).strip() == "✓ right"
    assert output_text(page.cells[4]).strip() == "9"


def test_stub_that_passes_is_a_problem(run_cells) -> None:
    run, _ = run_cells(("exercise", SOLUTION), ("check", CHECK), ("solution", SOLUTION))
    assert len(run.problems) == 1 and "the stub must fail" in run.problems[0]


def test_solution_that_fails_is_a_problem(run_cells) -> None:
    run, _ = run_cells(("exercise", STUB), ("check", CHECK), ("solution", STUB))
    assert len(run.problems) == 1 and "the solution must pass" in run.problems[0]


def test_error_names_cell_and_error_and_keeps_the_notebook(run_cells) -> None:
    run, _ = run_cells(("", "x = 1"), ("", "x.undo()"))
    assert run.problems == ("cell 3 (x.undo()): AttributeError: 'int' object has no attribute 'undo'",)
    assert Path(run.executed).is_file()


def test_stderr_is_noise(run_cells) -> None:
    run, _ = run_cells(("", "import warnings; warnings.warn('too hot')"))
    assert run.problems == () and len(run.noise) == 1 and "too hot" in run.noise[0]


def test_parameters_replace_values_and_keep_comments(run_cells) -> None:
    cells = (("parameters", "n = 1024  # carts\nname = 'a'  # a name"), ("", "print(n, name)"))
    run, path = run_cells(*cells, parameters={"n": 8})
    page = notebooks.page_notebook(run, path)
    assert page.cells[1].source == "n = 8  # carts\nname = 'a'  # a name"
    assert output_text(page.cells[2]).strip() == "8 a"
    with pytest.raises(ValueError, match="assigns no m"):
        run_cells(*cells, parameters={"m": 8})


def test_unchanged_lesson_is_not_run_again(run_cells) -> None:
    cells = (("parameters", "n = 1  # carts"), ("", "print(n)"))
    assert not run_cells(*cells, package="a")[0].cached
    assert run_cells(*cells, package="a")[0].cached
    assert not run_cells(*cells, package="b")[0].cached
    assert not run_cells(*cells, package="b", parameters={"n": 2})[0].cached
    failing = (("", "1 / 0"),)
    assert not run_cells(*failing, package="a")[0].cached
    assert not run_cells(*failing, package="a")[0].cached, "a failure is not remembered"


def test_order_of_an_exercise_is_enforced() -> None:
    with pytest.raises(ValueError, match="expected 'check'"):
        find_exercises(lesson_with(("exercise", STUB), ("solution", SOLUTION), ("check", CHECK)))
    with pytest.raises(ValueError, match="without a 'solution'"):
        find_exercises(lesson_with(("exercise", STUB), ("check", CHECK)))


def test_second_checks_come_and_go() -> None:
    original = lesson_with(("exercise", STUB), ("check", CHECK), ("solution", SOLUTION))
    prepared = add_second_checks(original)
    assert len(prepared.cells) == len(original.cells) + 1
    assert [c.source for c in fold_second_checks(prepared).cells] == [c.source for c in original.cells]
