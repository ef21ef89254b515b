"""The very first run on a machine: compile the physics kernels on every core, and say so.

Warp compiles a module when its first kernel is launched, one after the other, and keeps the result in the user's cache.
:func:`compiling` starts the large modules while Python still imports and builds, and :func:`modules_of` finds those of
a step, many of which are made for this very model. Left to their first launch are modules that Newton or Isaac Lab
compile again for every combination of types.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import warp as wp
from warp._src.context import Module

from cartpole_lab.session.surroundings import cores

SECONDS = 15
"""What a first compilation takes on two cores, roughly; printed so that nobody thinks it hangs."""

MODULES = (
    "mujoco_warp._src.smooth",
    "mujoco_warp._src.passive",
    "newton._src.sim.articulation",
    "newton._src.utils.selection",
    "mujoco_warp._src.derivative",
    "isaaclab_newton.assets.articulation.kernels",
    "mujoco_warp._src.forward",
    "mujoco_warp._src.io",
    "mujoco_warp._src.solver",
    "newton._src.geometry.bvh",
    "isaaclab.actuators.actuator_kernels",
)
"""Modules whose kernels every cart-pole on Newton launches, slowest to compile first (together 70% of the time)."""


class Ahead:
    """Compiles kernel modules on the other cores, before somebody launches their kernels.

    Whoever needs a module that is still waiting compiles it on the spot; whoever needs one that is being compiled
    takes on another one meanwhile.
    """

    def __init__(self) -> None:
        self._cpu = wp.get_device("cpu")
        self._pool = ThreadPoolExecutor(max_workers=max(1, cores() - 1))
        self._waiting: dict[Module, Future] = {}
        self._load = Module.load

    def add(self, *modules: Module) -> None:
        """Compile these too."""
        for module in modules:
            if module not in self._waiting:
                # a launch on a CPU has one thread to a block, and that is part of what is compiled
                self._waiting[module] = self._pool.submit(self._load, module, self._cpu, block_dim=1)

    def add_step(self, manager: Any) -> None:
        """Compile the kernels of a step of this physics manager too, many of which are made for this very model."""
        if hasattr(manager, "kernel_modules"):
            self.add(*manager.kernel_modules())

    def finish(self) -> None:
        """Return when everything is compiled."""
        for module in list(self._waiting):
            self._get(module)
            self._load(module, self._cpu, block_dim=1)

    def _get(self, module: Module) -> None:
        """Return when nobody else works on ``module``; it may still have to be compiled."""
        future = self._waiting.pop(module, None)
        if future is None or future.cancel():
            return
        while not future.done() and (other := self._take()) is not None:
            self._load(other, self._cpu, block_dim=1)
        future.result()

    def _take(self) -> Module | None:
        """A module that nobody has begun, from the end of the line."""
        for module, future in reversed(self._waiting.items()):
            if future.cancel():
                del self._waiting[module]
                return module
        return None

    def __enter__(self) -> Ahead:
        def load(module: Module, device: Any, *args: Any, **more: Any) -> Any:
            self._get(module)
            return self._load(module, device, *args, **more)

        Module.load = load
        return self

    def __exit__(self, *error: object) -> None:
        Module.load = self._load
        self._pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def compiling(device: str = "cpu", say: Callable[[str], None] | None = None) -> Iterator[Ahead | None]:
    """On the very first run on a machine, compile on every core what the block will need.

    Args:
        device: Device of the simulation; on CUDA nothing is done here.
        say: Takes the one line of progress; by default it goes to standard error.

    Yields:
        What takes further modules, or None if everything is in the cache.
    """
    if device != "cpu":
        yield None
        return
    wp.init()
    done = Path(wp.config.kernel_cache_dir) / f"cartpole_lab_{_fingerprint()}.done"
    if done.exists():
        yield None
        return
    line = f"first run on this machine: compiling the physics kernels, about {SECONDS} s, once"
    (say or (lambda text: print(text, file=sys.stderr, flush=True)))(line)
    with Ahead() as ahead:
        for name in MODULES:
            # another version keeps its kernels elsewhere; they compile when they are needed
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
                ahead.add(wp.get_module(name))
        from newton._src.geometry.inertia import validate_and_correct_inertia_kernel

        ahead.add(validate_and_correct_inertia_kernel.module)  # slow to compile, and a module of its own
        yield ahead
        ahead.finish()
    done.parent.mkdir(parents=True, exist_ok=True)
    done.touch()


def modules_of(launches: Callable[[], None]) -> list[Module]:
    """Modules of the kernels that ``launches`` issues, found by recording it without running anything.

    Args:
        launches: Issues launches on a CPU.
    """
    found: dict[Module, None] = {}

    def note(kernel: wp.Kernel, dim: Any, inputs: Sequence = (), outputs: Sequence = (), **_: Any) -> None:
        if np.prod(dim) == 0:
            return
        if kernel.is_generic:
            kernel = kernel.add_overload(kernel.infer_argument_types([*inputs, *outputs]))
        found[kernel.module] = None

    originals = wp.launch, wp.launch_tiled
    wp.launch = wp.launch_tiled = note
    try:
        with wp.ScopedCapture(device="cpu"):
            launches()
    finally:
        wp.launch, wp.launch_tiled = originals
    return list(found)


def _fingerprint() -> str:
    """Short name of everything that decides what the cache has to hold."""
    packages = ("warp-lang", "newton", "mujoco-warp", "isaaclab")
    versions = []
    for package in packages:
        try:
            versions.append(importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            versions.append("-")
    return hashlib.sha256(repr((versions, wp.config.enable_backward)).encode()).hexdigest()[:12]
