"""What a step's kernels have baked in, compared before every step at the price of a few microseconds.

Unlike :class:`.baked_values.BakedValues`, which walks over everything, this is told where to look: it serves a step of
which every term is known. Dictionaries and lists are compared as wholes, which Python does without leaving C.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any

import torch

_PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple)
_BY_IDENTITY: Any = object.__eq__


class WatchedValues:
    """Containers and the values that they held when they were handed over."""

    def __init__(self) -> None:
        self._live: list[Any] = []
        self._kept: list[Any] = []
        self._names: list[str] = []
        self._picked: list[tuple[str, Any, Any, Any]] = []
        self._same: Callable[[], bool] | None = None
        self._sized: list[Any] = []
        self._sizes: list[int] = []
        self._tensors: list[torch.Tensor] = []
        self._versions: list[int] = []

    def contents(self, name: str, container: dict[str, Any] | list[Any]) -> None:
        """Watch ``container``, and dictionaries and lists in it: plain values by value, objects by identity.

        What is written into a tensor in it in place counts as a change too.
        """
        self._live.append(container)
        self._kept.append(_frozen(container))
        self._names.append(name)
        for holder, keys in _objects(container):
            self.picks(name, holder, keys)
            for key in keys:
                self.tensor(holder[key])

    def tensor(self, value: Any) -> None:
        """Watch that nothing is written into ``value``, if it is a tensor."""
        if isinstance(value, torch.Tensor) and not value.is_inference():
            self._tensors.append(value)
            self._versions.append(value._version)

    def picks(self, name: str, container: Mapping[str, Any] | list[Any], keys: Iterable[Any]) -> None:
        """Watch that under these keys ``container`` has the same objects."""
        self._picked += [(name, container, key, container[key]) for key in keys]

    def size(self, container: Mapping[str, Any]) -> None:
        """Watch that nothing is added to ``container``."""
        self._sized.append(container)
        self._sizes.append(len(container))

    def changed(self) -> str | None:
        """Name of something that is no longer what it was, or None."""
        try:
            self._same = self._same or self._comparison()
            if self._live != self._kept:
                return next(n for n, a, b in zip(self._names, self._live, self._kept, strict=True) if a != b)
            if not self._same():
                return next(name for name, holder, key, was in self._picked if holder[key] is not was)
        except (KeyError, IndexError, RuntimeError, TypeError, ValueError, StopIteration):
            return "a setting"  # is gone, or cannot be compared with what was there
        if list(map(len, self._sized)) != self._sizes:
            return "a method"
        if [tensor._version for tensor in self._tensors] != self._versions:
            return "a tensor of a term's settings"
        return None

    def _comparison(self) -> Callable[[], bool]:
        """All identities as one expression, which takes Python a third of the time of a loop over them."""
        names: dict[str, Any] = {}
        for number, (_, holder, key, was) in enumerate(self._picked):
            names |= {f"in{number}": holder, f"key{number}": key, f"was{number}": was}
        return eval(_expression(len(self._picked)), names)


@functools.cache
def _expression(count: int) -> CodeType:
    terms = [f"in{number}[key{number}] is was{number}" for number in range(count)]
    return compile(f"lambda: {' and '.join(terms) or True}", "<watched values>", "eval")


def _frozen(value: Any) -> Any:
    """A copy of dictionaries and lists; everything else as it is."""
    if type(value) is dict:
        return {key: _frozen(item) for key, item in value.items()}
    if type(value) is list:
        return [_frozen(item) for item in value]
    return value


def _objects(container: Any) -> list[tuple[Any, list[Any]]]:
    """Every dictionary or list in ``container`` that holds what could equal another object, and under which keys."""
    items = list(container.items() if isinstance(container, dict) else enumerate(container))
    keys = [k for k, v in items if not isinstance(v, (*_PLAIN, dict, list)) and type(v).__eq__ != _BY_IDENTITY]
    found = [(container, keys)] if keys else []
    for _, item in items:
        if type(item) in (dict, list):
            found += _objects(item)
    return found
