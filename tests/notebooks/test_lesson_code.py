"""A class or function of a lesson that also stands in the package is the same there: syntax trees are compared."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from bookbuild.exercises import tags_of
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
Definition = ast.ClassDef | ast.FunctionDef


def normalised(node: ast.AST) -> str:
    """A definition's syntax tree without docstrings and attribute docstrings."""
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if isinstance(body, list):
            kept = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            inner.body = kept or [ast.Pass()]
    return ast.dump(node)


def definitions(source: str) -> list[Definition]:
    """Classes and functions at the top level of some code."""
    return [node for node in ast.parse(source).body if isinstance(node, Definition)]


def without_magics(source: str) -> str:
    """The code of a cell without IPython's own lines."""
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))


def package_definitions() -> dict[str, set[str]]:
    """By name: the definitions under ``cartpole_lab/tasks``, normalised."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "cartpole_lab" / "tasks").rglob("*.py")):
        for node in definitions(path.read_text(encoding="utf-8")):
            found.setdefault(node.name, set()).add(normalised(node))
    return found


def test_lesson_builds_the_classes_of_the_package(lesson: Path, notebook: NotebookNode) -> None:
    known = package_definitions()
    for cell in notebook.cells:
        if cell.cell_type != "code" or "exercise" in tags_of(cell):
            continue
        code = without_magics(cell.source)
        for node in definitions(code):
            if node.name in known:
                same = normalised(node) in known[node.name]
                assert same, (
                    f"{node.name} differs from the one in cartpole_lab/tasks: change one of them, or rename this"
                )


CORE_CLASSES = ["CartpoleSceneCfg", "ActionsCfg", "ObservationsCfg", "EventCfg", "RewardsCfg", "TerminationsCfg"]


@pytest.mark.parametrize("name", [*CORE_CLASSES, "CartpoleEnvCfg"])
def test_the_lessons_build_the_whole_task(name: str) -> None:
    """Lessons 1 to 4 between them type every class of the task's configuration."""
    import nbformat

    typed = set()
    for path in sorted((ROOT / "notebooks").glob("0[1-4]_*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                typed |= {node.name for node in definitions(without_magics(cell.source))}
    assert name in typed


def test_the_comparison_sees_a_changed_weight() -> None:
    ours = "class R:\n    '''doc'''\n    # comment\n    alive = Term(weight=1.0)\n"
    assert normalised(definitions(ours)[0]) == normalised(definitions("class R:\n    alive = Term(weight=1.0)\n")[0])
    assert normalised(definitions(ours)[0]) != normalised(definitions("class R:\n    alive = Term(weight=2.0)\n")[0])


def test_every_flag_of_train_is_run() -> None:
    """By a lesson's code, or by the Makefile's main job; what needs several GPUs stands in lesson 11 as a command."""
    import nbformat

    from cartpole_lab.cli import build_parser

    commands = next(a for a in build_parser()._actions if hasattr(a, "choices") and a.choices and "train" in a.choices)
    flags = {word for a in commands.choices["train"]._actions if a.help for word in a.option_strings} - {"-h", "--help"}
    run = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        run += "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        run += "\n".join(c.source for c in cells if c.cell_type == "markdown" and "--distributed" in c.source)
    missing = {flag for flag in flags if not re.search(rf"{flag}(?![\w-])", run)}
    missing -= {flag for flag in missing if re.search(rf"\b{flag.lstrip('-').replace('-', '_')}=", run)}  # in Python
    assert not missing, f"no lesson runs {sorted(missing)}"
