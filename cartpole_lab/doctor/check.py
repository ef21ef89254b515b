"""One line of the doctor's table, and how a package is looked up."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "optional", "broken"]
"""Works; is missing but only some things need it; must be mended."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, such as ``"CUDA"``.
        status: ``"ok"``, ``"optional"`` (missing, but only what ``needed_for`` names needs it) or ``"broken"``.
        found: What is there: a version, a path, a number.
        needed_for: What does not work without it.
        fix: The command or step that mends it; empty where nothing is to be mended.
    """

    name: str
    status: Status
    found: str
    needed_for: str = ""
    fix: str = ""


INSTALL = "pip install -r requirements.lock   (or: make train, which sets everything up)"


def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def has_module(module: str) -> bool:
    """Whether a module could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
