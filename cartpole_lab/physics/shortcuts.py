"""Shortcuts past checks that Warp and Isaac Lab repeat at every call on a CPU. The numbers stay the same.

A step of an environment issues a dozen small kernel launches from Python, a reset ten more. ``warp.launch`` looks at
every argument in some ten ways before it hands over an address, which takes several times longer than the kernel
itself. Here Warp does all of that for the first launch of a kernel; later launches only compare types, and whatever
they do not recognise goes to Warp.

Isaac Lab asks of every tensor of indices whether it equals ``slice(None)``. It never does, and PyTorch takes as long
over the answer as a small kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import warp as wp
import warp._src.context as context
from warp._src.types import array_t

_DEVICE = {"device"}
_NUMBERS = (int, float, bool)
_MOST_SHAPES = 1024
"""Shapes remembered for one argument, and sizes for one kernel; a reset makes tensors of every length."""


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

    def put(self, args: ctypes.Structure, value: Any, kernel: wp.Kernel, device: Any) -> None:
        """Write ``value`` into the arguments of a launch, as Warp would.

        Raises:
            RuntimeError: The kernel does not take such a value; the message is Warp's.
        """
        kind = type(value)
        if kind is wp.array and value.ndim == self.ndim and value.dtype is self.type.dtype:
            setattr(args, self.name, value.__ctype__())
        elif kind in _NUMBERS and self.ndim is None:
            setattr(args, self.name, value)
        elif kind is torch.Tensor and self.ndim is not None and value.is_cpu and not value.requires_grad:
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
        else:
            setattr(args, self.name, context.pack_arg(kernel, self.type, self.label, value, device))


@dataclass(slots=True)
class _Plan:
    """How to launch one kernel."""

    struct: type[ctypes.Structure]
    arguments: tuple[_Argument, ...]
    bounds: dict[Any, Any] = field(default_factory=dict)

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
        args = self.struct()
        for argument, value in zip(self.arguments, values, strict=True):
            argument.put(args, value, kernel, device)
        hooks = kernel.module.load(device, 1).get_kernel_hooks(kernel)
        hooks.forward(ctypes.byref(bounds), ctypes.byref(args))


@contextlib.contextmanager
def shortcuts() -> Iterator[None]:
    """Take the shortcuts in the block: on a CPU, with Newton."""
    with _quick_launches(), _quick_indices():
        yield


@contextlib.contextmanager
def _quick_launches() -> Iterator[None]:
    """Make plain launches on a CPU quick."""
    wp.init()
    original, runtime, settings = wp.launch, context.runtime, vars(wp.config)
    plans: weakref.WeakKeyDictionary[wp.Kernel, _Plan] = weakref.WeakKeyDictionary()

    def launch(
        kernel: wp.Kernel, dim: int | Sequence[int], inputs: Sequence = (), outputs: Sequence = (), *rest, **more
    ) -> Any:
        plain = not rest and (not more or more.keys() == _DEVICE)
        unwatched = not settings["print_launches"] and not settings["launch_array_access_mode"]
        if plain and unwatched and runtime.tape is None and runtime._apic_capture is None:
            device = runtime.get_device(more.get("device"))
            if device.is_cpu:
                plan = plans.get(kernel)
                if plan is not None:
                    return plan.launch(kernel, dim, (*inputs, *outputs), device)
                original(kernel, dim, inputs, outputs, device=device)
                if (plan := _Plan.of(kernel)) is not None:
                    plans[kernel] = plan
                return None
        return original(kernel, dim, inputs, outputs, *rest, **more)

    wp.launch = launch
    try:
        yield
    finally:
        wp.launch = original


@contextlib.contextmanager
def _quick_indices() -> Iterator[None]:
    """Let Newton's articulations take tensors of indices as they are."""
    from isaaclab_newton.assets.articulation.articulation import Articulation

    originals = {name: getattr(Articulation, name) for name in ("_resolve_env_ids", "_resolve_joint_ids")}

    def shortened(resolve: Callable) -> Callable:
        return lambda self, ids: ids if type(ids) is torch.Tensor else resolve(self, ids)

    for name, resolve in originals.items():
        setattr(Articulation, name, shortened(resolve))
    try:
        yield
    finally:
        for name, resolve in originals.items():
            setattr(Articulation, name, resolve)
