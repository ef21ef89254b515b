"""Methods of dataclasses that are written when they are first looked up.

A dataclass composes the text of ``__init__``, ``__repr__`` and ``__eq__`` and compiles it. Isaac Lab declares hundreds
of configs, of which a task uses some tens, and hardly ever compares or prints one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def unwritten_methods() -> Iterator[None]:
    """Let dataclasses in the block write their methods when they are first looked up."""
    write = dataclasses._create_fn  # type: ignore[attr-defined]

    def create(name: str, *args: Any, **kwargs: Any) -> _Unwritten:
        return _Unwritten(name, functools.partial(write, name, *args, **kwargs))

    dataclasses._create_fn = create  # type: ignore[attr-defined]
    try:
        yield
    finally:
        dataclasses._create_fn = write  # type: ignore[attr-defined]


class _Unwritten:
    """A method of a dataclass that puts the real one in its place as soon as it is looked up."""

    __slots__ = ("__name__", "_method", "_write")

    def __init__(self, name: str, write: Callable[[], types.FunctionType]) -> None:
        self.__name__, self._write = name, write
        self._method: types.FunctionType | None = None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        method, owner = self._written(), owner or type(instance)
        for cls in owner.__mro__:
            if vars(cls).get(self.__name__) is self:
                method.__qualname__ = f"{cls.__qualname__}.{self.__name__}"
                setattr(cls, self.__name__, method)
        return method.__get__(instance, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # by the function around __repr__ that stops recursion
        return self._written()(*args, **kwargs)

    def _written(self) -> types.FunctionType:
        if self._method is None:
            self._method = self._write()
        return self._method
