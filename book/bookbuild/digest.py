"""What stored results depend on beside the lesson itself, as one hash: their key says whose they are."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
from pathlib import Path

from . import paths

_KINDS = {".py", ".pyi", ".typed", ".js", ".json", ".yaml", ".usda", ".png"}
"""What the package consists of; a test holds this against the files under version control."""


def package_digest() -> str:
    """A hash of the package, of the installed versions of what is pinned, and of our own switches.

    Installed, not wished for: an environment in which somebody put another version has results of its own.
    """
    digest = hashlib.sha256()
    for path in package_files():
        digest.update(path.relative_to(paths.ROOT).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    lock = (paths.ROOT / "requirements.lock").read_text(encoding="utf-8")
    installed = {_normal(found.name): found.version for found in importlib.metadata.distributions()}
    names = [_normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)]
    switches = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("CARTPOLE_LAB_"))
    digest.update("\n".join([*(f"{name}=={installed.get(name)}" for name in names), *switches]).encode())
    return digest.hexdigest()


def package_files() -> list[Path]:
    """The files of the package that can change a result: not what editors, file managers and Python leave there."""
    return sorted(
        path
        for path in paths.PACKAGE.rglob("*")
        if path.suffix in _KINDS
        and path.is_file()
        and not any(part.startswith((".", "#", "~")) or part == "__pycache__" for part in _below(path))
    )


def _below(path: Path) -> tuple[str, ...]:
    return path.relative_to(paths.ROOT).parts


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
