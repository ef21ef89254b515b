"""Run lessons with papermill: each in a fresh process and a folder of its own, and not again while nothing changed."""

from __future__ import annotations

import ast
import contextlib
import copy
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from . import paths
from .claims import claim_problems
from .exercises import add_second_checks, check_problems, fold_second_checks, tags_of
from .jupyter_kernels import KERNEL, own_kernel
from .locks import own_folder, turn
from .machine import describe_machine
from .slow_cells import with_measured_waits

CELL_TIMEOUT_S = 900
"""Longest that a cell may take, and a kernel to come up or to hand over what it printed, on a busy machine [s]."""
_CACHE_VERSION = "1"

_SOLUTION_PROMPT = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}

Parameters = Mapping[str, int | float | str | bool | None]


@dataclass(frozen=True)
class NotebookRun:
    """What running one notebook gave.

    Attributes:
        name: File name without its ending.
        executed: The executed notebook, also when it failed.
        seconds: Wall time of the run, kernel start included [s].
        machine: The machine that ran it.
        finished: When it ended, ISO format, UTC.
        problems: What went wrong; empty when all is well. Each names the cell.
        noise: What cells wrote to stderr, one entry a cell.
        cached: True where an earlier run was used.
    """

    name: str
    executed: str
    seconds: float
    machine: str
    finished: str
    problems: tuple[str, ...]
    noise: tuple[str, ...]
    cached: bool = False


def load_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """Parameters by notebook name from a YAML file."""
    return {name: dict(values) for name, values in yaml.safe_load(path.read_text(encoding="utf-8")).items()}


def parameter_names(lesson: Path) -> list[str]:
    """The names that a lesson's parameters cell assigns."""
    for cell in nbformat.read(lesson, as_version=4).cells:
        if "parameters" in tags_of(cell):
            return [line.partition("=")[0].strip() for line in cell.source.splitlines() if "=" in line]
    return []


def with_parameters(notebook: NotebookNode, values: Parameters) -> NotebookNode:
    """A copy whose ``parameters`` cell holds other values, comments kept.

    Raises:
        ValueError: The notebook has no such cell, or a name is not assigned in it.
    """
    result = copy.deepcopy(notebook)
    if not values:
        return result
    cell = next((c for c in result.cells if "parameters" in tags_of(c)), None)
    if cell is None:
        raise ValueError(f"no cell is tagged 'parameters', cannot set {', '.join(values)}")
    lines = cell.source.split("\n")
    left = dict(values)
    for statement in ast.parse(cell.source).body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        if name in left:
            first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
            tail = lines[last - 1].encode()[statement.end_col_offset :].decode()
            lines[first:last] = [f"{name} = {left.pop(name)!r}{tail}"] + [""] * (last - first - 1)
    if left:
        raise ValueError(f"the parameters cell assigns no {', '.join(left)}; it has: {cell.source!r}")
    cell["source"] = "\n".join(lines)
    return result


def run_notebook(
    source: Path,
    parameters: Parameters,
    *,
    package: str | None = None,
    stale: bool = False,
    claims: bool = False,
    exercises: bool = True,
) -> NotebookRun:
    """Run a notebook, or take the stored result of an equal run. Two processes do not disturb each other.

    Args:
        source: The lesson.
        parameters: Values for its ``parameters`` cell.
        package: The result of :func:`.digest.package_digest`, which keys the stored results; None runs it in any case.
        stale: Take the newest stored result whatever it was made from, if there is one (for drafts).
        claims: A statement of the lesson that its run contradicts is a problem. Small parameters contradict some.
        exercises: Stubs have to fail their checks and solutions to pass them; False for a learner's copy.

    Returns:
        The run. A notebook that raises gives a run with problems, it does not raise here.
    """
    prepared = with_parameters(nbformat.read(source, as_version=4), parameters)
    prepared = add_second_checks(prepared) if exercises else prepared
    with contextlib.ExitStack() as stack:
        if package is not None:  # whoever comes second finds the first one's result, if they are equal
            stack.enter_context(turn(paths.CACHE / "notebooks" / f"{source.stem}.lock", f"running {source.stem}"))
        return _run_or_take(source, prepared, package, stale, claims, exercises)


def _run_or_take(
    source: Path, prepared: NotebookNode, package: str | None, stale: bool, claims: bool, exercises: bool
) -> NotebookRun:
    store: Path | None = None
    if package is not None:
        content = json.dumps([(c.cell_type, c.source, tags_of(c)) for c in prepared.cells])
        key = hashlib.sha256("\n".join([_CACHE_VERSION, sys.version, package, content]).encode()).hexdigest()[:20]
        store = paths.CACHE / "notebooks" / source.stem / key
        if stale and (stored := sorted(store.parent.glob("*/run.json"), key=lambda path: path.stat().st_mtime)):
            store = stored[-1].parent
        if (store / "run.json").is_file() and (store / f"{source.stem}.ipynb").is_file():
            os.utime(store / "run.json")  # in use: not among the old ones that are forgotten
            found = NotebookRun(**{**_load_run(store / "run.json"), "cached": True})
            return _with_claims(found) if claims else found
    run = _execute(source.stem, prepared, exercises)
    run = _with_claims(run) if claims else run
    if store is not None and not run.problems:
        _forget_old_runs(store.parent)
        store.mkdir(parents=True, exist_ok=True)
        kept = store / f"{source.stem}.ipynb"
        shutil.copyfile(run.executed, kept)
        run = NotebookRun(**{**asdict(run), "executed": str(kept)})
        (store / "run.json").write_text(json.dumps(asdict(run), indent=1), encoding="utf-8")
    return run


def page_notebook(run: NotebookRun, source: Path) -> NotebookNode:
    """The executed notebook as the book shows it: checks with what they say to the cell above, no traces of a run."""
    executed = with_measured_waits(fold_second_checks(nbformat.read(run.executed, as_version=4)))
    original = nbformat.read(source, as_version=4)
    kept = {key: value for key, value in executed.metadata.items() if key in ("kernelspec", "language_info", "widgets")}
    executed["metadata"] = NotebookNode(kept)
    # Cell metadata may have been mended since the run (an alt text, say): that must not cost another run.
    metadata = {cell["id"]: cell.metadata for cell in original.cells}
    for cell in executed.cells:
        cell["metadata"] = metadata.get(cell["id"], cell.metadata)
        if "solution" in tags_of(cell):
            cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **_SOLUTION_PROMPT}
    return executed


def _with_claims(run: NotebookRun) -> NotebookRun:
    """The run with a problem for each statement of the lesson that it contradicts."""
    if run.problems:
        return run
    found = claim_problems(nbformat.read(run.executed, as_version=4))
    return NotebookRun(**{**asdict(run), "problems": tuple(found)})


def _forget_old_runs(folder: Path, keep: int = 5) -> None:
    """Leave the newest few: the book, the tests and learners' copies all run with their own cells."""
    runs = sorted(folder.glob("*/run.json"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
    for path in runs[: max(0, len(runs) - keep)]:
        shutil.rmtree(path.parent)


def _load_run(path: Path) -> dict[str, Any]:
    data = json.loads(path.read_text(encoding="utf-8"))
    data["executed"] = str(path.parent / Path(data["executed"]).name)  # the folder may have been moved or copied since
    return {**data, "problems": tuple(data["problems"]), "noise": tuple(data["noise"])}


def _execute(name: str, prepared: NotebookNode, exercises: bool) -> NotebookRun:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    folder = own_folder(paths.RUNS / name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source, executed = folder / f"{name}.source.ipynb", folder / f"{name}.ipynb"
    nbformat.write(prepared, source)
    problems: list[str] = []
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            str(source),
            str(executed),
            kernel_name=KERNEL,
            cwd=str(folder),
            progress_bar=False,
            start_timeout=CELL_TIMEOUT_S,
            execution_timeout=CELL_TIMEOUT_S,
            iopub_timeout=CELL_TIMEOUT_S,  # 4 s else: a machine that stands still so long would fail a lesson
            kernel_manager_class=own_kernel(folder),
        )
    except PapermillExecutionError as error:
        problems.append(_error_line(prepared, error))
    except Exception as error:  # a kernel that died or timed out: say so, keep what there is, go on with the next
        problems.append(f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else ''}")
    seconds = time.perf_counter() - start
    noise: list[str] = []
    if executed.is_file():
        done = nbformat.read(executed, as_version=4)
        noise = stderr_noise(done)
        if not problems and exercises:
            problems += check_problems(done)
    finished = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return NotebookRun(name, str(executed), seconds, describe_machine(), finished, tuple(problems), tuple(noise))


def stderr_noise(executed: NotebookNode) -> list[str]:
    """What the cells of an executed notebook wrote to stderr, one entry a cell, with the cell's first line."""
    found: list[str] = []
    for number, cell in enumerate(executed.cells, start=1):
        text = "".join(o.get("text", "") for o in cell.get("outputs", []) if o.get("name") == "stderr")
        if text.strip():
            found.append(f"cell {number} ({_first_line(cell)}) wrote to stderr: {text.strip()[:500]}")
    return found


def _error_line(prepared: NotebookNode, error: Any) -> str:
    """Cell and error of a failed run, in one line. Papermill's cell index is that of the prepared notebook."""
    cell = prepared.cells[error.cell_index] if 0 <= error.cell_index < len(prepared.cells) else None
    first = _first_line(cell) if cell is not None else ""
    return f"cell {error.cell_index + 1} ({first}): {error.ename}: {error.evalue}"


def _first_line(cell: NotebookNode) -> str:
    return next((line.strip() for line in cell.source.splitlines() if line.strip()), "empty")[:80]
