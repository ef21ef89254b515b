"""Which objects belong to a library, to the physics or to a user's code, and what of them is looked into."""

from __future__ import annotations

import enum
import functools
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

_LIBRARIES = {
    *("isaaclab", "isaaclab_newton", "isaaclab_physx", "isaaclab_ov", "isaaclab_rl", "isaaclab_assets"),
    *("isaaclab_contrib", "isaaclab_experimental", "isaaclab_visualizers", "cartpole_lab"),
    *("newton", "mujoco_warp", "mujoco", "warp", "torch", "numpy", "gymnasium", "rl_games"),
}
"""Their objects keep attributes that they have made meanwhile: buffers made when first needed, which recorded steps
know by their address."""
_PHYSICS = ("isaaclab_newton.physics", "newton", "mujoco_warp")
_CLOSED = (
    *("pxr", "omni", "carb", "usdrt", "mujoco", "warp", "matplotlib", "PIL", "h5py", "wandb", "tensorboardX"),
    *("isaaclab.ui", "isaaclab.app", "isaaclab.visualizers", "isaaclab_visualizers", "newton._src.viewer"),
    *("cartpole_lab.speed", "cartpole_lab.video", "gymnasium.spaces", "torch._dynamo", "torch._inductor"),
)
"""What is not looked into: scene files, windows, recordings, and libraries whose state no step changes."""
_CLOSED_NAMES = ("View", "Visualizer", "Recorder", "RecorderManager", "Builder", "Renderer", "DataProvider", "Context")
_LONG = 64
"""Entries from which a container of the physics is such a table."""
PLAIN: tuple[Any, ...] = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type,
    slice,
    range,
    torch.dtype,
    torch.device,
)
PLAIN += (types.ModuleType, types.BuiltinFunctionType, torch.Size, np.dtype)
_ITERATORS = ("builtins", "itertools")


@functools.cache
def is_closed(kind: type) -> bool:
    """Whether objects of a type are left alone: they cannot change, or a step does not change them."""
    module = kind.__module__
    if issubclass(kind, PLAIN) or issubclass(kind, enum.Enum | type):
        return True
    if is_library(module) and kind.__name__.endswith(_CLOSED_NAMES):
        return True
    if issubclass(kind, torch.nn.Module) or is_physics(kind):
        return False
    known = kind in (functools.partial, types.SimpleNamespace, types.FunctionType, types.MethodType)
    return within(module, _CLOSED) or (is_standard(module) and not known)


def is_library(module: str) -> bool:
    """Whether a module belongs to a library whose own state is known."""
    return module.partition(".")[0] in _LIBRARIES


def within(module: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of some packages or lies in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def is_standard(module: str) -> bool:
    """Whether a module belongs to Python."""
    return module.partition(".")[0] in sys.stdlib_module_names


@functools.cache
def is_iterator(kind: type) -> bool:
    """Whether objects of a type move on when they are used."""
    return kind.__module__ in _ITERATORS and hasattr(kind, "__next__")


@functools.cache
def is_physics(kind: type) -> bool:
    """Whether objects of a type are part of the physics, whose recorded steps know addresses."""
    return any(within(one.__module__, _PHYSICS) for one in kind.__mro__)


def small(values: Iterable[Any]) -> Iterator[Any]:
    """All but the long tables of a physics model: labels and topology, which no step changes."""
    return (value for value in values if not (isinstance(value, dict | list) and len(value) > _LONG))


def names(code: types.CodeType) -> Iterator[str]:
    """Names that some code looks up in its module, functions inside it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names(constant)


def slots(kind: type) -> tuple[str, ...]:
    """Attributes that a class keeps outside of `__dict__`."""
    found = vars(kind).get("__slots__", ())
    return tuple(
        name for name in ((found,) if isinstance(found, str) else found) if name not in ("__dict__", "__weakref__")
    )
