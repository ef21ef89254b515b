"""What recorded launches have baked in: every number, array and function that a step of the managers refers to.

A recording holds addresses and numbers, not Python code. :class:`BakedValues` walks over the managers, their terms and
settings, and the robots, and remembers what it finds: plain numbers by value, arrays and objects by identity. A later
look takes some tens of microseconds, and says where something is no longer what it was.

Some attributes change at every step by themselves. Those that a step only writes, so that nothing recorded depends on
them, are *outputs*; they are left out here, and put back by whoever replays.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import warp as wp

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, torch.dtype, torch.device)
_ARRAYS = (torch.Tensor, wp.array)
_MISSING = object()
_FOREIGN = ("torch", "warp", "newton", "mujoco", "pxr", "numpy", "logging", "weakref", "gymnasium", "omni", "carb")
_CLOSED = {"SimulationContext", "ArticulationView", "InteractiveScene", "VideoRecorder", "NewtonActuatorControl"}
"""Classes that are not looked into: what they hold is reached otherwise, or is no part of a step of the managers."""

_NOT_READ = ("_env", "_asset", "_backend", "_descriptor", "_torch_cache")
"""Attributes that lead back, describe, or are made of others when they are asked for."""

_BY_ITSELF = ("curriculum_manager", "command_manager", "recorder_manager", "video_recorders")
"""Parts of an environment that run in Python at every step, recorded or not."""

CLOCKS = {"_sim_timestamp", "timestamp", "_body_state_dirty", "_sim_step_counter", "common_step_counter"}
"""Attributes that tell the time of lazily computed data and of the environment; a replay moves them on."""

OUTPUTS = {
    "obs_buf": "env",
    "reset_buf": "env",
    "reward_buf": "env",
    "reset_terminated": "env",
    "reset_time_outs": "env",
    "extras": "env",
    "step": "env",
    "render_enabled": "env",
    "_obs_buffer": "isaaclab.managers.observation_manager",
    "_curriculum_state": "isaaclab.managers.curriculum_manager",
    "_processed_actions": "isaaclab.envs.mdp.actions",
    "computed_effort": "isaaclab.actuators",
    "applied_effort": "isaaclab.actuators",
}
"""Attributes that a step binds anew and reads at most after it has: name, and where the class that does so stands."""


class BakedValues:
    """The values that a step of ``env`` refers to, as they are now."""

    def __init__(self, env: Any) -> None:
        self.slots: list[tuple[Any, Any, Any, str]] = []
        """Container, key, value, and the name to call it by."""
        self.outputs: list[tuple[dict, str, str]] = []
        """Containers and names of what a step binds anew."""
        self._sizes: list[tuple[Any, int, str]] = []
        self._seen: set[int] = set()
        for name, value in vars(env).items():
            if name in CLOCKS or name in _BY_ITSELF or OUTPUTS.get(name) == "env":
                continue
            self.slots.append((vars(env), name, value, f"env.{name}"))
            if name == "cfg" or name.endswith("_manager"):
                self._look(value, f"env.{name}", 0)
        self._sizes.append((vars(env), len(vars(env)), "env"))
        for kind in ("articulations", "rigid_objects"):
            for name, asset in getattr(env.scene, kind).items():
                self._look(asset.data, f"{name}.data", 0)
                for part in ("actuators", "_instantaneous_wrench_composer", "_permanent_wrench_composer", "cfg"):
                    if hasattr(asset, part):
                        self._look(getattr(asset, part), f"{name}.{part}", 0)
        self._seen.clear()  # nothing is walked any more
        self._groups = list(self._grouped())

    def changed(self) -> str | None:
        """Name of the first value that is no longer what it was, or None."""
        is_ = operator.is_
        try:
            for container, get, values, size in self._groups:
                if len(container) != size or not all(map(is_, get(container), values)):
                    break
            else:
                return None
        except (KeyError, IndexError):
            pass
        for name, _, _ in self.all_changed():
            return name
        self.slots = [(container, key, container[key], name) for container, key, _, name in self.slots]
        self._groups = list(self._grouped())  # equal numbers, other objects
        return None

    def _grouped(self) -> Iterator[tuple[Any, Callable, tuple, int]]:
        """The slots container by container: one look fetches all values of one."""
        sizes = {id(container): size for container, size, _ in self._sizes}
        by_container: dict[int, tuple[Any, list, list]] = {}
        for container, key, value, _ in self.slots:
            _, keys, values = by_container.setdefault(id(container), (container, [], []))
            keys.append(key)
            values.append(value)
        for container, _, _ in self._sizes:  # empty ones may be filled
            by_container.setdefault(id(container), (container, [], []))
        for container, keys, values in by_container.values():
            get = operator.itemgetter(*keys) if len(keys) > 1 else _getter(keys)
            yield container, get, tuple(values), sizes.get(id(container), len(container))

    def all_changed(self) -> Iterator[tuple[str, Any, Any]]:
        """Name, value then and value now of everything that has changed."""
        for container, key, value, name in self.slots:
            try:
                now = container[key]
            except (KeyError, IndexError):
                now = _MISSING
            if now is not value and not _equal(now, value):
                yield name, value, now
        for container, size, name in self._sizes:
            if len(container) != size:
                yield f"{name} ({len(container) - size:+d} entries)", size, len(container)

    def arrays(self) -> Iterator[Any]:
        """Every PyTorch and Warp array among the values."""
        for _, _, value, _ in self.slots:
            if isinstance(value, _ARRAYS):
                yield value

    # -- the walk -------------------------------------------------------------------------------------------------

    def _look(self, value: Any, name: str, depth: int) -> None:
        if isinstance(value, (*_PLAIN, *_ARRAYS, type, types.ModuleType)) or id(value) in self._seen or depth > 10:
            return
        self._seen.add(id(value))
        if isinstance(value, dict):
            self._entries(value, value, name, depth)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                self.slots.append((value, i, item, f"{name}[{i}]"))
                self._look(item, f"{name}[{i}]", depth + 1)
            self._sizes.append((value, len(value), name))
        elif isinstance(value, tuple | set | frozenset):
            for item in value:
                self._look(item, name, depth + 1)
        elif isinstance(value, types.FunctionType):
            self._function(value, name, depth)
        elif isinstance(value, types.MethodType):
            self._function(value.__func__, name, depth)
            self._look(value.__self__, name, depth + 1)
        elif self._open(value):
            self._entries(vars(value), value, name, depth)
            for base in type(value).__mro__:  # what a term of its own class does when it is called
                if isinstance(call := vars(base).get("__call__"), types.FunctionType):
                    self._function(call, name, depth)
                    break

    def _entries(self, entries: dict, owner: Any, name: str, depth: int) -> None:
        for key, item in entries.items():
            path = f"{name}[{key!r}]" if entries is owner else f"{name}.{key}"
            if entries is not owner and is_output(owner, key):
                self.outputs.append((entries, key, path))
                continue
            if entries is not owner and key in (*CLOCKS, *_NOT_READ):
                continue
            self.slots.append((entries, key, item, path))
            self._look(item, path, depth + 1)
        self._sizes.append((entries, len(entries), name))

    def _function(self, function: types.FunctionType, name: str, depth: int) -> None:
        """A function's code names globals and variables around it; they count as much as its parameters do."""
        code = function.__code__
        for free, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self.slots.append((_Cell(cell), "cell_contents", _cell(cell), f"{free} in {name}"))
            self._look(_cell(cell), f"{free} in {name}", depth + 1)
        if function.__module__.startswith(("isaaclab.", "isaaclab_", *_FOREIGN)):
            return
        for used in code.co_names:
            if used in function.__globals__:
                item = function.__globals__[used]
                self.slots.append((function.__globals__, used, item, f"{used} in {name}"))
                if not isinstance(item, types.FunctionType) or item.__module__ == function.__module__:
                    self._look(item, f"{used} in {name}", depth + 1)

    @staticmethod
    def _open(value: Any) -> bool:
        kind = type(value)
        module = kind.__module__.partition(".")[0]
        return (
            hasattr(value, "__dict__")
            and module not in _FOREIGN
            and module != "builtins"
            and kind.__name__ not in _CLOSED
            and not kind.__name__.endswith("Env")
        )


def _getter(keys: list) -> Callable[[Any], tuple]:
    """``operator.itemgetter`` for one key or none, as a tuple too."""
    return lambda container: tuple(container[key] for key in keys)


class _Cell:
    """A function's cell, to be asked like a dictionary of one entry."""

    def __len__(self) -> int:
        return 1

    def __init__(self, cell: Any) -> None:
        self._contents = cell

    def __getitem__(self, key: str) -> Any:
        return _cell(self._contents)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return _MISSING


def is_output(owner: Any, key: str) -> bool:
    """Whether ``owner.key`` is bound anew by every step, and read at most after that."""
    where = OUTPUTS.get(key)
    if where is None or where == "env":
        return False
    return any(base.__module__.startswith(where) and key_is_theirs(base, key) for base in type(owner).__mro__)


def key_is_theirs(base: type, key: str) -> bool:
    """Whether the code of ``base`` itself binds ``key``."""
    return any(
        key in function.__code__.co_names
        for function in vars(base).values()
        if isinstance(function, types.FunctionType)
    )


def _equal(one: Any, other: Any) -> bool:
    """Whether two plain values are the same; arrays and objects that are not identical never are."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(a is b or _equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, types.MethodType):
        return one.__func__ is other.__func__ and one.__self__ is other.__self__
    return isinstance(one, _PLAIN) and (one == other or (one != one and other != other))
