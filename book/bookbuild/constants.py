"""The numbers that prose may use without a run: the code's, the config's, the agents', the recorded measurements'."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from nbformat import NotebookNode

from . import paths
from .exercises import tags_of

NUMBER = r"\d+(?:[,  ]\d{3})*(?:\.\d+)?(?:e[−-]?\d+)?"
"""A number as prose writes it."""


@dataclass(frozen=True)
class Sources:
    """The numbers that a text may use.

    Attributes:
        constants: Values that the code or the config holds.
        records: Text of the files in ``book/measured`` by name, for the paragraphs that name one.
        shares: The constants that are shares, in percent: what may stand before a percent sign.
        commits: Whether a paragraph may name the commit at which its numbers were measured. Lessons have a run instead.
    """

    constants: frozenset[float]
    records: dict[str, str] = field(default_factory=dict)
    shares: frozenset[float] = frozenset({0.0, 100.0})
    commits: bool = False


def numbers_in(text: str) -> Iterator[float]:
    """The numbers of a text."""
    for match in re.finditer(NUMBER, text):
        yield value_of(match[0])


def value_of(number: str) -> float:
    """A number as prose writes it, as a float."""
    return float(re.sub(r"[,  ]", "", number).replace("−", "-"))


def lesson_sources(notebook: NotebookNode) -> Sources:
    """The numbers that the prose of a lesson may use."""
    constants = set(package_constants())
    for cell in notebook.cells:
        if cell.cell_type == "code" and not {"say", "claim"} & set(tags_of(cell)):
            constants |= code_constants(cell.source)
    return sources_from(constants)


def page_sources() -> Sources:
    """The numbers that the written pages of the book may use."""
    return sources_from(package_constants(), commits=True)


def sources_from(constants: set[float], *, commits: bool = False) -> Sources:
    """Sources with these constants and the recorded measurements."""
    shares = frozenset({0.0, 100.0} | {round(100 * abs(c), 9) for c in constants if 0 < abs(c) < 1})
    return Sources(frozenset(with_other_units(constants)), measured_records(), shares, commits)


def measured_records() -> dict[str, str]:
    """The files in ``book/measured`` by name."""
    return {p.name: p.read_text(encoding="utf-8") for p in sorted((paths.BOOK / "measured").glob("*.txt"))}


def package_constants() -> set[float]:
    """Numbers of the task, its physics, its agents and the mark for solved, and what follows from the clock."""
    files = [*(paths.PACKAGE / "tasks").glob("*.py"), *(paths.PACKAGE / "physics").glob("*.py")]
    files += [*(paths.PACKAGE / "tasks" / "agents").glob("*.py"), *paths.PACKAGE.glob("evaluation*.py")]
    found: set[float] = set()
    for file in files:
        found |= code_constants(file.read_text(encoding="utf-8"))
    for file in (paths.PACKAGE / "tasks" / "agents").glob("*.yaml"):
        found |= set(_leaves(yaml.safe_load(file.read_text(encoding="utf-8"))))
    dt, decimation, episode, force = 1 / 120, 2, 5.0, 100.0
    assert {dt, float(decimation), episode, force} <= found, "the clock of the task has changed: change it here"
    step = dt * decimation
    return found | {step, 1 / step, 1 / dt, episode / step, 1.0}


def _leaves(node: object) -> Iterator[float]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _leaves(value)
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value)
    elif re.fullmatch(r"-?[\d.]+(?:e-?\d+)?", str(node)):  # YAML reads 1e-3 as text
        yield float(str(node))


_DRAWING = {"figsize", "lw", "ms", "alpha", "fontsize", "linewidth", "markersize", "height_ratios", "ncols", "s"}


def code_constants(source: str) -> set[float]:
    """The numbers that stand in code, also those in command lines and settings, and sums such as ``0.25 * math.pi``."""
    code = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    found: set[float] = set()

    def visit(node: ast.AST) -> None:
        if (value := _constant_value(node)) is not None:
            found.add(value)
        if isinstance(node, ast.keyword) and node.arg in _DRAWING:
            return
        if isinstance(node, ast.FormattedValue):
            visit(node.value)
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(numbers_in(node.value))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(code))
    return found


def _constant_value(node: ast.AST) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Attribute) and node.attr == "pi":
        return math.pi
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant_value(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp):
        left, right = _constant_value(node.left), _constant_value(node.right)
        known = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
        if left is None or right is None or type(node.op) not in known or (right == 0 and isinstance(node.op, ast.Div)):
            return None
        return float(known[type(node.op)](left, right))
    return None


def with_other_units(constants: set[float]) -> set[float]:
    """Shares also in percent, angles also in degrees."""
    found = set(constants)
    found |= {100 * c for c in constants if 0 < abs(c) < 1}
    found |= {math.degrees(c) for c in constants if 0 < abs(c) < 7 and not float(c * 1000).is_integer()}
    found |= {360.0, 180.0, 90.0, 9.81, 9.8}  # turns, and gravity on Earth
    return found
