"""Which shortcuts are taken: those asked for whose host packages are as they were when it was written."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError
from cartpole_lab.session.held_output import announce
from cartpole_lab.shortcuts import SWITCH
from cartpole_lab.speed.shortcut_table import KNOWN, PIECES, PLACES

_said: set[str] = set()


def find(place: str, plain: Any) -> Any:
    """What stands at a place of :mod:`cartpole_lab.shortcuts`: ``plain`` if none of its pieces is on."""
    entry, pieces = PLACES[place]
    if not any(on(name) for name in pieces):
        return plain
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(f"cartpole_lab.speed.{module}"), name)


def on(name: str) -> bool:
    """Whether a piece is to be used: it was asked for, and it finds its hosts as expected."""
    if name not in asked_for(os.environ.get(SWITCH, "on")):
        return False
    if (reason := why_not(name)) is None:
        return all(on(other) for other in PIECES[name].needs)
    if reason not in _said:
        _said.add(reason)
        others = [other for other in PIECES if other != name and _wrong_host(other) == reason]
        announce(f"cartpole-lab: without the shortcut{'s' * bool(others)} {', '.join([name, *others])}: {reason}")
    return False


@functools.lru_cache(maxsize=32)
def asked_for(words: str) -> frozenset[str]:
    """Names of the pieces that a value of ``CARTPOLE_LAB_SPEED`` asks for.

    Raises:
        UserError: No piece has such a name.
    """
    words = words.strip()
    if words in ("on", ""):
        return frozenset(PIECES)
    if words == "off":
        return frozenset()
    names = [word.strip() for word in words.split(",")]
    plain = [name.removeprefix("-") for name in names]
    if unknown := [name for name in plain if name not in PIECES]:
        raise UserError(f"{SWITCH}: shortcut {unknown[0]!r} is not known: expected on, off, or of {', '.join(PIECES)}")
    if all(name.startswith("-") for name in names):
        return frozenset(PIECES) - frozenset(plain)
    if any(name.startswith("-") for name in names):
        raise UserError(f"{SWITCH}={words!r} mixes names to take and names to leave: expected one or the other")
    return frozenset(plain)


@functools.cache
def why_not(name: str) -> str | None:
    """The reason why a piece cannot be used here, None if it can."""
    if (reason := _wrong_host(name)) is not None:
        return reason
    missing = [touched for touched in PIECES[name].touches if not has(touched)]
    return f"{missing[0]} is not there" if missing else None


def states() -> list[tuple[str, str, str]]:
    """Name, state and purpose of every piece. What is asked for but cannot be used has the reason as its state."""
    asked = asked_for(os.environ.get(SWITCH, "on"))
    return [(name, (why_not(name) or "on") if name in asked else "off", piece.does) for name, piece in PIECES.items()]


@functools.cache
def _wrong_host(name: str) -> str | None:
    for host in PIECES[name].hosts:
        found = _version(host)
        if found not in KNOWN[host]:
            return f"written for {host} {' or '.join(KNOWN[host])}, and {found or 'none'} is installed"
    return None


@functools.cache
def _version(package: str) -> str | None:
    """The public version of a package, without what a build adds to it, such as ``+cpu``."""
    if package == "python":
        return ".".join(platform.python_version_tuple()[:2])
    try:
        return importlib.metadata.version(package).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def has(touched: str) -> bool:
    """Whether ``module`` or ``module:name.name`` is there. A module alone is looked for without importing it."""
    module, _, path = touched.partition(":")
    if not path:
        return _has_file(module)
    try:
        thing: Any = importlib.import_module(module)
    except ImportError:
        return False
    for name in path.split("."):
        if not hasattr(thing, name):
            return _objects_have(thing, name)
        thing = getattr(thing, name)
    return True


def _objects_have(kind: type, name: str) -> bool:
    """Whether objects of a class seem to have an attribute: it is declared, or methods of the class speak of it."""
    for cls in getattr(kind, "__mro__", ()):
        methods = [getattr(value, "__func__", getattr(value, "fget", value)) for value in vars(cls).values()]
        codes = [method.__code__ for method in methods if hasattr(method, "__code__")]
        if name in getattr(cls, "__annotations__", {}) or any(name in code.co_names for code in codes):
            return True
    return False


def _has_file(module: str) -> bool:
    package, *inner = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not inner:
        return spec is not None
    paths = [Path(folder, *inner) for folder in spec.submodule_search_locations or ()]
    return any(path.is_dir() or path.with_suffix(".py").is_file() for path in paths)
