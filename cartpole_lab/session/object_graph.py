"""A copy of everything changeable that some objects refer to, to be written back in place."""

from __future__ import annotations

import array
import collections
import copy
import ctypes
import functools
import random
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import warp as wp

from cartpole_lab.session import object_kinds as kinds

_STEPPED = "isaaclab.sim.simulation_context.SimulationContext"


class Snapshot:
    """What some objects held when they were walked through.

    Attributes:
        cannot_copy: What was met and cannot be copied, in words.
        physics_changed: Set by :meth:`restore`: whether the physics had replaced or switched anything.
    """

    def __init__(self) -> None:
        self.cannot_copy: list[str] = []
        self.physics_changed = False
        self._seen: dict[int, Any] = {}  # the objects are kept, or their ids would be given away again
        self._iterators: dict[int, Any] = {}
        self._arrays: list[tuple[Any, Any]] = []
        self._bytes_at: dict[tuple[int, int], bytes] = {}
        self._undo: list[Callable[[], None]] = []
        self._attributes: list[tuple[Any, dict[str, Any], bool, bool]] = []
        self._class_attributes: list[tuple[type, str, Any]] = []
        self._lists: list[tuple[Any, list[Any]]] = []
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []

    def walk(self, root: Any) -> None:
        """Copy what ``root`` refers to, directly or by way of others."""
        pending, seen = [root], self._seen
        while pending:
            value = pending.pop()
            kind = type(value)
            action = _actions[kind] if kind in _actions else _action(kind)
            if action is not None and id(value) not in seen:
                seen[id(value)] = value
                pending.extend(action(self, value))

    def walk_class(self, kind: type) -> None:
        """Copy the state that Isaac Lab's physics managers keep in class attributes."""
        for one in kind.__mro__:
            if kinds.is_library(one.__module__):
                for value in kinds.small(self._of_class(one)):
                    self.walk(value)

    def restore(self) -> None:
        """Write everything back in place."""
        for owner, attributes, library, physics in self._attributes:
            self._restore_attributes(owner, attributes, library, physics)
        for owner, name, value in self._class_attributes:
            physics = kinds.is_physics(owner)
            if vars(owner).get(name) is not value and not (physics and value is None):
                setattr(owner, name, value)
                self.physics_changed |= physics
        for owner, items in self._lists:
            if len(owner) != len(items) or any(a is not b for a, b in zip(owner, items, strict=False)):
                owner.clear()
                owner.extend(items)
        for table, entries in self._dicts:
            same = list(table) == list(entries)
            if not same or any(a is not b for a, b in zip(table.values(), entries.values(), strict=True)):
                table.clear()
                table.update(entries)
        for undo in self._undo:
            undo()
        for (address, size), saved in self._bytes_at.items():
            ctypes.memmove(address, saved, size)
        with torch.no_grad():
            for target, saved in self._arrays:
                if isinstance(target, torch.Tensor):
                    target.copy_(saved)
                elif isinstance(target, np.ndarray):
                    np.copyto(target, saved)
                else:
                    wp.copy(target, saved)

    def _restore_attributes(self, owner: Any, saved: dict[str, Any], library: bool, physics: bool) -> None:
        now = vars(owner)
        for name, value in saved.items():
            if now.get(name, self) is value:
                continue
            if physics:
                if value is None and not isinstance(now.get(name), kinds.PLAIN):
                    continue  # made when first needed, and known by its address to the recorded step
                self.physics_changed |= name != "_step"
            now[name] = value
        if not library:
            for name in now.keys() - saved.keys():
                del now[name]

    # -- what is copied of each kind of object; each yields what to look at next

    def _tensor(self, value: torch.Tensor) -> Iterator[Any]:
        if value.layout is torch.strided and not value.is_meta and value.numel():
            value = value.detach()
            if 0 in value.stride():  # one number in many places
                value = value[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in value.stride())]
            self._arrays.append((value, value.clone()))
        return iter(())

    def _warp_array(self, value: wp.array) -> Iterator[Any]:
        if value.ptr and value.size:
            if value.device.is_cpu and value.is_contiguous:
                # its bytes: Warp's own copy takes longer to start than these few take to copy
                place = value.ptr, value.shape[0] * value.strides[0]
                if place not in self._bytes_at:
                    self._bytes_at[place] = ctypes.string_at(*place)
            else:
                self._arrays.append((value, wp.clone(value)))
        return iter(())

    def _numpy_array(self, value: np.ndarray) -> Iterator[Any]:
        if value.flags.writeable and value.size:
            self._arrays.append((value, value.copy()))
        return iter(value.ravel().tolist() if value.dtype == object else ())

    def _dict(self, value: dict[Any, Any]) -> Iterator[Any]:
        self._dicts.append((value, {key: self._kept(item) for key, item in value.items()}))
        yield from value.values()
        yield from self._own_attributes(value)

    def _list(self, value: Any) -> Iterator[Any]:
        self._lists.append((value, [self._kept(item) for item in value]))
        yield from value
        yield from self._own_attributes(value)

    def _set(self, value: set[Any]) -> Iterator[Any]:
        saved = set(value)

        def undo() -> None:
            if value != saved:
                value.clear()
                value.update(saved)

        self._undo.append(undo)
        yield from value

    def _bytes(self, value: Any) -> Iterator[Any]:
        saved = value[:]

        def undo() -> None:
            value[:] = saved

        self._undo.append(undo)
        return iter(())

    def _generator(self, value: Any) -> Iterator[Any]:
        if isinstance(value, torch.Generator):
            state, put = value.get_state(), value.set_state
        elif isinstance(value, random.Random):
            state, put = value.getstate(), value.setstate
        elif isinstance(value, np.random.RandomState):
            state, put = value.get_state(), value.set_state
        else:
            bits = value if isinstance(value, np.random.BitGenerator) else value.bit_generator
            state, put = copy.deepcopy(bits.state), lambda state: setattr(bits, "state", state)
        self._undo.append(lambda: put(state))
        return iter(())

    def _function(self, value: types.FunctionType) -> Iterator[Any]:
        """A user's function: its attributes, defaults, closure, and the module's variables that it names."""
        if kinds.is_library(value.__module__ or ""):
            return
        self._attributes.append((value, dict(vars(value)), False, False))
        yield from vars(value).values()
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
        for cell in value.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self._undo.append(functools.partial(setattr, cell, "cell_contents", content))
            yield content
        space = value.__globals__
        for name in kinds.names(value.__code__):
            content = space.get(name)
            if content is None and name not in space:
                continue
            if not isinstance(content, type | types.ModuleType | types.FunctionType):
                kept = self._kept(content)
                self._undo.append(functools.partial(space.__setitem__, name, kept))
            yield content

    def _method(self, value: types.MethodType) -> Iterator[Any]:
        yield value.__self__
        yield value.__func__

    def _object(self, value: Any) -> Iterator[Any]:
        yield from self._own_attributes(value)
        kind = type(value)
        library = kinds.is_library(kind.__module__)
        for one in kind.__mro__:
            for name in kinds.slots(one):
                if hasattr(value, name):
                    content = getattr(value, name)
                    self._undo.append(functools.partial(_put, value, name, self._kept(content)))
                    yield content
            if not library and not kinds.is_library(one.__module__) and not kinds.is_standard(one.__module__):
                yield from self._of_class(one)

    def _stepped(self, value: Any) -> Iterator[Any]:
        """The simulation itself: its counters and switches, not what it holds."""
        plain = {name: item for name, item in vars(value).items() if isinstance(item, bool | int | float)}
        self._attributes.append((value, plain, True, False))
        yield value.cfg

    def _own_attributes(self, value: Any) -> Iterator[Any]:
        attributes = getattr(value, "__dict__", None)
        if not isinstance(attributes, dict):
            return
        module, physics = type(value).__module__, kinds.is_physics(type(value))
        kept = {name: self._kept(item) for name, item in attributes.items()}
        self._attributes.append((value, kept, kinds.is_library(module), physics))
        yield from (kinds.small(attributes.values()) if physics else attributes.values())

    def _of_class(self, kind: type) -> Iterator[Any]:
        """The attributes of a class that are data, and what its methods refer to."""
        for name, value in list(vars(kind).items()):
            if isinstance(value, classmethod | staticmethod):
                value = value.__func__
            elif isinstance(value, property):
                value = value.fget
            elif not (name.startswith("__") or callable(value) or hasattr(value, "__get__")):
                self._class_attributes.append((kind, name, self._kept(value)))
            yield value

    def _kept(self, value: Any) -> Any:
        """``value`` itself; of an iterator, which moves on when it is used, a copy."""
        if not kinds.is_iterator(type(value)):
            return value
        if id(value) not in self._iterators:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # of copies of itertools' objects
                    self._iterators[id(value)] = copy.deepcopy(value)
            except TypeError:
                self.cannot_copy.append(f"the position of {value!r}")
                self._iterators[id(value)] = value
            self._seen[id(value)] = value
        return self._iterators[id(value)]


def _put(value: Any, name: str, content: Any) -> None:
    if getattr(value, name, None) is not content:
        object.__setattr__(value, name, content)


_Action = Callable[[Snapshot, Any], Iterator[Any]]
_actions: dict[type, _Action | None] = {}


def _action(kind: type) -> _Action | None:
    """What to do with objects of a type; None to leave them."""
    _actions[kind] = _find_action(kind)
    return _actions[kind]


def _find_action(kind: type) -> _Action | None:
    by_type = {
        torch.Tensor: Snapshot._tensor,
        wp.array: Snapshot._warp_array,
        np.ndarray: Snapshot._numpy_array,
        dict: Snapshot._dict,
        (list, collections.deque): Snapshot._list,
        set: Snapshot._set,
        (bytearray, array.array): Snapshot._bytes,
        (torch.Generator, np.random.Generator, np.random.BitGenerator): Snapshot._generator,
        (random.Random, np.random.RandomState): Snapshot._generator,
        types.FunctionType: Snapshot._function,
        types.MethodType: Snapshot._method,
    }  # fmt: skip
    if issubclass(kind, kinds.PLAIN):
        return None
    for types_, action in by_type.items():
        if issubclass(kind, types_):
            return action
    if issubclass(kind, tuple | frozenset):
        return lambda _, value: iter(value)
    if f"{kind.__module__}.{kind.__qualname__}" == _STEPPED:
        return Snapshot._stepped
    return None if kinds.is_closed(kind) else Snapshot._object
