"""Observations: a tensor, or a dictionary of such."""

from __future__ import annotations

from typing import Any


def tree_clone(value: Any) -> Any:
    """A copy of a tensor, or of a dictionary of such."""
    return {k: tree_clone(v) for k, v in value.items()} if isinstance(value, dict) else value.clone()


def tree_copy(to: Any, value: Any) -> None:
    """Copy a tensor, or a dictionary of such, in place."""
    if isinstance(value, dict):
        for key, item in value.items():
            tree_copy(to[key], item)
    else:
        to.copy_(value)
