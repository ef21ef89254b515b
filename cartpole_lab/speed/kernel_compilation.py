"""The very first run on a machine: compile the physics kernels on every core, and say so.

Warp compiles a module when its first kernel is launched, one after the other, and keeps the result in the user's cache.
Several may be compiled at once: :func:`compiling` begins with the large ones while an environment is made, and
:func:`modules_of` finds those of its step, many of which are made for this very model. Left to their first launch are
modules that Newton or Isaac Lab compile again for every combination of types.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import warp as wp
from warp._src.context import Module

from cartpole_lab.replaced import replaced
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


@contextlib.contextmanager
def compiling(device: str = "cpu", say: Callable[[str], None] | None = None) -> Iterator[Callable[[Any], None] | None]:
    """On the very first run on a machine, compile on every core what the block will need.

    Args:
        device: Device of the simulation; on CUDA nothing is done here.
        say: Takes the one line of progress; by default it goes to standard error.

    Yields:
        What compiles the kernels of a physics manager's step ahead too, or None if everything is in the cache.
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
    for name in MODULES:
        importlib.import_module(name)
    from newton._src.geometry.inertia import validate_and_correct_inertia_kernel

    with meanwhile() as add:
        add(map(wp.get_module, MODULES))
        add([validate_and_correct_inertia_kernel.module])  # slow to compile, and a module of its own
        yield lambda manager: add(manager.kernel_modules() if hasattr(manager, "kernel_modules") else [])
    done.parent.mkdir(parents=True, exist_ok=True)
    done.touch()


@contextlib.contextmanager
def meanwhile() -> Iterator[Callable[[Iterable[Module]], None]]:
    """Compile modules on the other cores while the block runs, and on all cores at its end.

    The block compiles what it needs at once, if nobody has begun with that, and other modules while somebody does.

    Yields:
        What takes modules to compile.
    """
    load, cpu, waiting = Module.load, wp.get_device("cpu"), dict[Module, Future]()
    # a launch on a CPU has one thread to a block, and that is part of what is compiled
    now = functools.partial(load, device=cpu, block_dim=1)

    def add(modules: Iterable[Module]) -> None:
        waiting.update({module: pool.submit(now, module) for module in modules if module not in waiting})

    def needed(module: Module, *args: Any, **more: Any) -> Any:
        future = waiting.pop(module, None)
        if future is not None and not future.cancel():
            for other in reversed(list(waiting)):
                if not future.done() and waiting[other].cancel():
                    del waiting[other]
                    now(other)
            future.result()
        return load(module, *args, **more)

    pool = ThreadPoolExecutor(max_workers=max(1, cores() - 1))
    try:
        with replaced(Module, load=needed):
            yield add
            for module in list(waiting):
                needed(module, cpu, block_dim=1)
    finally:
        pool.shutdown(cancel_futures=True)  # who stops in the midst of it does not wait for what nobody has begun


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

    with replaced(wp, launch=note, launch_tiled=note), wp.ScopedCapture(device="cpu"):
        launches()
    return list(found)


def _fingerprint() -> str:
    """Short name of everything that decides what the cache has to hold."""
    versions = [importlib.metadata.version(name) for name in ("warp-lang", "newton", "mujoco-warp", "isaaclab")]
    return hashlib.sha256(repr((versions, wp.config.enable_backward)).encode()).hexdigest()[:12]
