"""What a step's kernels have baked in, compared before every step at the price of a few microseconds.

Unlike :class:`.baked_values.BakedValues`, which walks over everything, this is told where to look: it serves a step of
which every term is known. Dictionaries and lists are compared as wholes, which Python does without leaving C.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import torch

_PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple)


class WatchedValues:
    """Containers and the values that they held when they were handed over."""

    def __init__(self) -> None:
        self._live: list[Any] = []
        self._kept: list[Any] = []
        self._names: list[str] = []
        self._holders: list[Any] = []
        self._getters: list[Any] = []
        self._picked: list[Any] = []
        self._origins: list[str] = []
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
        found = list(keys)
        if found:
            found = found if len(found) > 1 else found * 2  # so that a tuple comes back
            get = operator.itemgetter(*found)
            self._getters.append(get)
            self._holders.append(container)
            self._picked += get(container)
            self._origins += [name] * len(found)

    def size(self, container: Mapping[str, Any]) -> None:
        """Watch that nothing is added to ``container``."""
        self._sized.append(container)
        self._sizes.append(len(container))

    def changed(self) -> str | None:
        """Name of something that is no longer what it was, or None."""
        is_, chain = operator.is_, itertools.chain
        try:
            if self._live != self._kept:
                return next(n for n, a, b in zip(self._names, self._live, self._kept, strict=True) if a != b)
            if not all(map(is_, chain.from_iterable(map(operator.call, self._getters, self._holders)), self._picked)):
                now = chain.from_iterable(map(operator.call, self._getters, self._holders))
                return next(n for n, a, b in zip(self._origins, now, self._picked, strict=True) if a is not b)
        except (KeyError, IndexError, RuntimeError, TypeError, ValueError, StopIteration):
            return "a setting"  # is gone, or cannot be compared with what was there
        if list(map(len, self._sized)) != self._sizes:
            return "a method"
        if [tensor._version for tensor in self._tensors] != self._versions:
            return "a tensor of a term's settings"
        return None


def _frozen(value: Any) -> Any:
    """A copy of dictionaries and lists; everything else as it is."""
    if type(value) is dict:
        return {key: _frozen(item) for key, item in value.items()}
    if type(value) is list:
        return [_frozen(item) for item in value]
    return value


def _objects(container: Any) -> list[tuple[Any, list[Any]]]:
    """Every dictionary or list in ``container`` that holds objects that are not plain, and under which keys."""
    items = list(container.items() if isinstance(container, dict) else enumerate(container))
    keys = [key for key, item in items if not isinstance(item, (*_PLAIN, dict, list))]
    found = [(container, keys)] if keys else []
    for _, item in items:
        if type(item) in (dict, list):
            found += _objects(item)
    return found
