"""Names of a package that load on first use, so that importing the package costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: The package's ``__name__``.
        home: For each name the module below the package in which it stands.
    """

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}: it has {', '.join(home)}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return load, lambda: sorted([*vars(import_module(package)), *home])
