"""How exercises are run: the stub must fail its check, the solution must pass it.

An exercise is three code cells in this order, told apart by their tags: ``exercise`` (the stub), ``check`` (one call
that prints ``✓ …`` or ``✗ …``) and ``solution`` (folded). The runner adds a copy of the check behind the solution, so
one run shows both: on the page the stub stands with its hint, and the folded solution with what its check printed.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

GROUP = ("exercise", "check", "solution")
AGAIN = "check-again"


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook: the positions of its cells.

    Attributes:
        stub: Index of the cell tagged ``exercise``.
        check: Index of the cell tagged ``check``.
        solution: Index of the cell tagged ``solution``.
    """

    stub: int
    check: int
    solution: int


def tags_of(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def find_exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a notebook, in order.

    Raises:
        ValueError: The tagged cells do not come as exercise, check, solution.
    """
    found: list[Exercise] = []
    group: list[int] = []
    for index, cell in enumerate(notebook.cells):
        role = next((tag for tag in GROUP if tag in tags_of(cell)), None)
        if role is None:
            continue
        expected = GROUP[len(group)]
        if role != expected:
            raise ValueError(f"cell {index + 1} is tagged {role!r}, expected {expected!r}: order is {', '.join(GROUP)}")
        group.append(index)
        if len(group) == len(GROUP):
            found.append(Exercise(*group))
            group = []
    if group:
        raise ValueError(f"cell {group[0] + 1} starts an exercise without a {GROUP[len(group)]!r} cell")
    return found


def add_second_checks(notebook: NotebookNode) -> NotebookNode:
    """A copy in which every solution is followed by its check once more."""
    result = copy.deepcopy(notebook)
    for exercise in reversed(find_exercises(notebook)):
        again = copy.deepcopy(result.cells[exercise.check])
        again.metadata["tags"] = [AGAIN]
        again["id"] = f"{again['id'][:50]}-again"
        result.cells.insert(exercise.solution + 1, again)
    return result


def fold_second_checks(executed: NotebookNode) -> NotebookNode:
    """A copy without the added checks: what they printed stands under the solutions, which are folded with it."""
    result = copy.deepcopy(executed)
    cells: list[NotebookNode] = []
    for cell in result.cells:
        if AGAIN in tags_of(cell):
            solution = next(c for c in reversed(cells) if "solution" in tags_of(c))
            solution["outputs"] = [*solution.get("outputs", []), *cell["outputs"]]
        else:
            cells.append(cell)
    result["cells"] = cells
    return result


def output_text(cell: NotebookNode) -> str:
    """Everything that a cell shows as text."""
    parts: list[str] = []
    for output in cell.get("outputs", []):
        data: dict[str, Any] = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join(str(part) for part in parts)


def check_problems(executed: NotebookNode) -> list[str]:
    """What is wrong with the exercises of an executed notebook that :func:`add_second_checks` prepared."""
    problems: list[str] = []
    number = 0
    for cell in executed.cells:
        if "check" in tags_of(cell):
            number += 1
            text = output_text(cell)
            if "✗" not in text or "✓" in text:
                problems.append(f"exercise {number}: the stub must fail its check with ✗, it printed {text.strip()!r}")
        elif AGAIN in tags_of(cell):
            text = output_text(cell)
            if "✓" not in text or "✗" in text:
                problems.append(f"exercise {number}: the solution must pass with ✓, it printed {text.strip()!r}")
    return problems
