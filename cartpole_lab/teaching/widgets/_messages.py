"""What a widget takes, from the page and from Python: checked at the trait, so that nothing later fails of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

LONGEST_NAME = 200
"""Letters that a name may have."""
MOST_RUNS = 500
"""Runs that a page may tell about."""


class Refused(traitlets.TraitError, ValueError):
    """A value that a widget does not take, in one line."""


def number(value: Any, name: str, low: float = -1e6, high: float = 1e6) -> float:
    """A finite number between two others.

    Raises:
        Refused: It is something else.
    """
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fine or not low <= value <= high:
        raise Refused(f"{name} is {_short(value)}, expected a number from {low:g} to {high:g}")
    return value


def whole(value: Any, name: str, low: int, high: int) -> int:
    """An integer between two others.

    Raises:
        Refused: It is something else.
    """
    if isinstance(value, float) and value.is_integer():  # JavaScript has one kind of number
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(f"{name} is {_short(value)}, expected an integer from {low} to {high}")
    return value


def name_of(value: Any, name: str, known: Iterable[str] | None = None) -> str:
    """A name, one of those that are known where somebody knows them.

    Raises:
        Refused: It is something else.
    """
    if not isinstance(value, str) or len(value) > LONGEST_NAME or not value.isprintable():
        raise Refused(f"{name} is {_short(value)}, expected a name of at most {LONGEST_NAME} letters")
    if known is not None and value not in (names := list(known)):
        raise Refused(f"{name} is {_short(value)}, expected one of {names}")
    return value


def numbers(
    value: Any, name: str, ranges: Mapping[str, tuple[float, float]] | None = None, *, all_of: bool = False
) -> dict[str, float]:
    """Numbers by name.

    Args:
        value: What came.
        name: What it is called.
        ranges: By name the least and the largest number; None for any names.
        all_of: Whether every name has to be there.

    Raises:
        Refused: It is something else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Refused(f"{name} is {_short(value)}, expected numbers by name")
    if ranges is not None:
        if unknown := sorted(set(value) - set(ranges)):
            raise Refused(f"{name} has {_short(unknown)}, expected any of {sorted(ranges)}")
        if all_of and (missing := sorted(set(ranges) - set(value))):
            raise Refused(f"{name} lacks {missing}, expected all of {sorted(ranges)}")
    spans = ranges or {}
    return {key: number(one, f"{name}[{key!r}]", *spans.get(key, ())) for key, one in value.items()}


def page_run(run: Any, place: int) -> dict[str, Any]:
    """A training that the page tells about: what is there is what it should be.

    Raises:
        Refused: It is something else.
    """
    from cartpole_lab.errors import UserError
    from cartpole_lab.policies.from_json import policy_from_weights

    name = f"page_runs[{place}]"
    if not isinstance(run, Mapping):
        raise Refused(f"{name} is {_short(run)}, expected a run")
    for part in ("weights", "ppo"):
        if part in run:
            numbers(run[part], f"{name}.{part}")
    if "epochs" in run:
        whole(run["epochs"], f"{name}.epochs", 0, 10**9)
    if "curve" in run:
        _curve(run["curve"], f"{name}.curve")
    if run.get("evaluation") is not None and not isinstance(run["evaluation"], Mapping):
        raise Refused(f"{name}.evaluation is {_short(run['evaluation'])}, expected numbers by name")
    if run.get("actor") is not None:
        try:
            policy_from_weights(run["actor"], f"{name}.actor")
        except UserError as error:
            raise Refused(str(error)) from error
    return dict(run)


def _curve(curve: Any, name: str) -> None:
    if not isinstance(curve, Mapping):
        raise Refused(f"{name} is {_short(curve)}, expected epoch and return")
    columns = [curve.get(part, []) for part in ("epoch", "return")]
    if not all(isinstance(column, list) for column in columns) or len(columns[0]) != len(columns[1]):
        raise Refused(f"{name} has {_short(columns)}, expected two lists of the same length")
    for epoch, value in zip(*columns, strict=True):
        number(epoch, f"{name}.epoch", 0, 1e9)
        if value is not None:
            number(value, f"{name}.return", -1e12, 1e12)


def _short(value: Any) -> str:
    try:
        return " ".join(repr(value).split())[:80]
    except Exception:  # somebody's own object
        return type(value).__name__
