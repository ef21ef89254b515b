"""A wrong parameter of a lesson is one line, before anything slow: every parameter of every lesson."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
import yaml
from bookbuild import paths
from bookbuild.exercises import tags_of
from bookbuild.notebooks import load_parameters
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from cartpole_lab.teaching.parameters import LESSONS, ParameterError, Words

ROOT = Path(__file__).resolve().parents[2]
ANYWHERE = ["abc", "", None, True, [64], -1, float("nan"), float("inf"), 10**12]
"""Wrong for every parameter that there is."""

FOR_NUMBERS = [0, "64", 0.0]
FOR_WHOLE_NUMBERS = [1.5, 64.0]
FOR_WORDS = [0, 64, "0", "64 0", "64, 256", "rsl_rl rl_gam", "-5", "1.5"]


def parameter_cells(notebook: NotebookNode) -> tuple[NotebookNode, NotebookNode]:
    """The cell tagged ``parameters``, and the one after it: papermill puts its values between the two."""
    index = next(i for i, cell in enumerate(notebook.cells) if "parameters" in tags_of(cell))
    return notebook.cells[index], notebook.cells[index + 1]


def assigned(source: str) -> dict[str, Any]:
    """The names of a parameters cell, with their values."""
    return {ast.unparse(s.targets[0]): ast.literal_eval(s.value) for s in ast.parse(source).body}  # type: ignore[attr-defined]


def test_every_parameter_is_checked_and_no_other(lesson: Path, notebook: NotebookNode) -> None:
    cell, check = parameter_cells(notebook)
    names, limits = assigned(cell.source), LESSONS[int(lesson.stem[:2])]
    assert set(names) == set(limits)
    exec(check.source, dict(names))
    exec(check.source, names | load_parameters(paths.TEST_PARAMETERS).get(lesson.stem, {}))
    for name in names:
        exec(check.source, names | {name: limits[name].example})


def test_a_wrong_value_is_one_line(lesson: Path, notebook: NotebookNode) -> None:
    cell, check = parameter_cells(notebook)
    names = assigned(cell.source)
    for name, limits in LESSONS[int(lesson.stem[:2])].items():
        wrong = [*ANYWHERE, *(FOR_WORDS if isinstance(limits, Words) else FOR_NUMBERS)]
        if not isinstance(limits, Words) and limits.whole:
            wrong += FOR_WHOLE_NUMBERS
        for value in wrong:
            if name == "seed" and value in (0, 0.0) and isinstance(value, int):
                continue  # the only parameter for which nought is a value
            with pytest.raises(ParameterError) as refused:
                exec(check.source, names | {name: value})
            line = str(refused.value)
            assert "\n" not in line and line.startswith(f"{name} is {value!r}, expected "), line
            assert f"papermill -{'r' if isinstance(limits, Words) else 'p'} {name} " in line


def test_papermill_says_it_in_one_line(tmp_path: Path) -> None:
    """For real, once: what stands in the notebook is a line, not a traceback, and no later cell has run."""
    source = ROOT / "notebooks" / "11_bigger_machines.ipynb"
    executed = tmp_path / "executed.ipynb"
    with pytest.raises(PapermillExecutionError) as refused:
        papermill.execute_notebook(str(source), str(executed), {"steps": 0}, progress_bar=False, cwd=str(tmp_path))
    assert refused.value.evalue.startswith("steps is 0, expected a whole number from 1 to ")
    errors = [
        output
        for cell in nbformat.read(executed, as_version=4).cells
        if "papermill-error-cell-tag" not in tags_of(cell)
        for output in cell.get("outputs", [])
    ]
    assert [output.output_type for output in errors] == ["error"]
    assert len(errors[0].traceback) == 1 and "\n" not in errors[0].traceback[0]
