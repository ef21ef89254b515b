"""A shortcut past checks that Warp repeats at every launch on a CPU. The numbers stay the same.

A step of an environment issues a dozen small kernel launches from Python, a reset ten more. ``warp.launch`` looks at
every argument in some ten ways before it hands over an address, which takes several times longer than the kernel
itself. Here Warp does all of that for the first launch of a kernel. Later launches write what changed since the one
before, and whatever they do not recognise goes to Warp.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import warp as wp
import warp._src.context as context
from warp._src.types import array_t

_NUMBERS = (int, float, bool)
_MOST_SHAPES = 1024
"""Shapes remembered for one argument, and sizes for one kernel; a reset makes tensors of every length."""
_CHANGING = object()
"""Stands for a value that has to be written again at every launch."""


@dataclass(slots=True)
class _Argument:
    """What a kernel expects at one place."""

    name: str
    label: str
    type: Any
    ndim: int | None
    """Dimensions of an array; None if it isn't one."""
    views: dict[tuple, Any] = field(default_factory=dict)
    """Warp's descriptions of tensors, by data type, shape and strides."""

    def put(self, args: ctypes.Structure, value: Any, kernel: wp.Kernel, device: Any) -> Any:
        """Write ``value`` into the arguments of a launch, as Warp would.

        Returns:
            What tells that a later value is the same: Warp's description of an array, a number itself.

        Raises:
            RuntimeError: The kernel does not take such a value; the message is Warp's.
        """
        kind = type(value)
        if kind is wp.array and value.ndim == self.ndim and value.dtype is self.type.dtype:
            mark = value.__ctype__()
            setattr(args, self.name, mark)
            return mark
        if kind in _NUMBERS and self.ndim is None:
            setattr(args, self.name, value)
            return value
        if kind is torch.Tensor and self.ndim is not None and value.is_cpu and not value.requires_grad:
            key = value.dtype, value.shape, value.stride()
            view = self.views.get(key)
            if view is None:
                view = context.pack_arg(kernel, self.type, self.label, value, device)
                del view._ref  # only the shape is remembered, not the tensor
                if len(self.views) >= _MOST_SHAPES:
                    self.views.clear()
                self.views[key] = view
            setattr(args, self.name, view)
            getattr(args, self.name).data = value.data_ptr()
            return _CHANGING
        setattr(args, self.name, context.pack_arg(kernel, self.type, self.label, value, device))
        return None if value is None else _CHANGING


@dataclass(slots=True)
class _Filled:
    """Arguments of the last launch. Most of them are those of the next."""

    args: ctypes.Structure
    marks: list[Any]

    @classmethod
    def empty(cls, struct: type[ctypes.Structure], length: int) -> _Filled:
        """Nothing filled in yet."""
        return cls(struct(), [_CHANGING] * length)


@dataclass(slots=True)
class _Plan:
    """How to launch one kernel."""

    struct: type[ctypes.Structure]
    arguments: tuple[_Argument, ...]
    bounds: dict[Any, Any] = field(default_factory=dict)
    filled: list[_Filled] = field(default_factory=list)
    """One, or none while a launch uses it."""
    loaded: tuple[Any, Any] = (None, None)
    """What Warp replaces when the kernel's module changes or is unloaded."""
    forward: Callable | None = None
    """The compiled kernel."""

    @classmethod
    def of(cls, kernel: wp.Kernel) -> _Plan | None:
        """Read off what Warp found out at the first launch; None if arguments may be of several kinds."""
        if kernel.is_generic or len(kernel._invoke_cache) != 1:
            return None
        ((_, adjoint), (struct, fields)) = next(iter(kernel._invoke_cache.items()))
        if adjoint:
            return None
        arguments = (
            _Argument(name, arg.label, arg.type, arg.type.ndim if ctype is array_t else None)
            for (name, ctype), arg in zip(fields, kernel.adj.args, strict=True)
        )
        return cls(struct, tuple(arguments))

    def launch(self, kernel: wp.Kernel, dim: int | Sequence[int], values: Sequence[Any], device: Any) -> None:
        """Run ``kernel`` over ``dim`` on the CPU ``device``."""
        key = dim if type(dim) is int else tuple(dim)
        bounds = self.bounds.get(key)
        if bounds is None:
            bounds = context._build_kernel_launch_bounds(dim, kernel, 1)
            if len(self.bounds) >= _MOST_SHAPES:
                self.bounds.clear()
            self.bounds[key] = bounds
        if bounds.size == 0:
            return
        # Taken out while in use: a launch on another thread fills its own.
        try:
            filled = self.filled.pop()
        except IndexError:
            filled = _Filled.empty(self.struct, len(self.arguments))
        args, marks = filled.args, filled.marks
        for index, (value, mark) in enumerate(zip(values, marks, strict=True)):
            if value is not mark and (type(value) is not wp.array or value.__ctype__() is not mark):
                marks[index] = self.arguments[index].put(args, value, kernel, device)
        module = kernel.module
        if module.hashers is not self.loaded[0] or module.execs is not self.loaded[1]:
            self.forward = module.load(device, 1).get_kernel_hooks(kernel).forward
            self.loaded = module.hashers, module.execs
        self.forward(ctypes.byref(bounds), ctypes.byref(args))
        self.filled.append(filled)


@contextlib.contextmanager
def shortcuts() -> Iterator[None]:
    """Make plain launches on a CPU quick in the block."""
    wp.init()
    original, runtime, settings = wp.launch, context.runtime, vars(wp.config)
    plans: dict[wp.Kernel, _Plan] = {}

    def launch(
        kernel: wp.Kernel,
        dim: int | Sequence[int],
        inputs: Sequence = (),
        outputs: Sequence = (),
        *rest: Any,
        device: Any = None,
        **more: Any,
    ) -> Any:
        unwatched = not settings["print_launches"] and not settings["launch_array_access_mode"]
        if unwatched and not rest and not more and runtime.tape is None and runtime._apic_capture is None:
            place = device if type(device) is context.Device else runtime.get_device(device)
            if place.is_cpu:
                plan = plans.get(kernel)
                if plan is not None:
                    return plan.launch(kernel, dim, (*inputs, *outputs), place)
                original(kernel, dim, inputs, outputs, device=place)
                if (plan := _Plan.of(kernel)) is not None:
                    plans[kernel] = plan
                return None
        if device is not None:
            more["device"] = device
        return original(kernel, dim, inputs, outputs, *rest, **more)

    wp.launch = launch
    try:
        yield
    finally:
        wp.launch = original
