"""The very first run on a machine: compile the physics kernels on every core, and say so.

Warp compiles a module when its first kernel is launched, one after the other, and keeps the result in the user's cache.
It compiles several at once when it is told which: :func:`compiling` begins with the large ones while an environment is
made, and :func:`modules_of` finds those of its step, many of which are made for this very model. Left to their first
launch are modules that Newton or Isaac Lab compile again for every combination of types.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        What compiles the kernels of a physics manager's step too, or None if everything is in the cache.
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

    # the last one is slow to compile, and a module of its own
    modules = [*map(wp.get_module, MODULES), validate_and_correct_inertia_kernel.module]

    def compile_step(manager: Any) -> None:
        step = manager.kernel_modules() if hasattr(manager, "kernel_modules") else []
        wp.force_load("cpu", [*modules, *step], block_dim=1, max_workers=cores())

    with meanwhile(modules):
        yield compile_step
    done.parent.mkdir(parents=True, exist_ok=True)
    done.touch()


@contextlib.contextmanager
def meanwhile(modules: Sequence[Module]) -> Iterator[None]:
    """Compile modules on the other cores while the block runs, which waits only for what it needs at once."""
    load, cpu = Module.load, wp.get_device("cpu")
    with ThreadPoolExecutor(max_workers=max(1, cores() - 1)) as pool:
        # a launch on a CPU has one thread to a block, and that is part of what is compiled
        begun = {module: pool.submit(load, module, cpu, block_dim=1) for module in modules}

        def needed(module: Module, device: Any, *args: Any, **more: Any) -> Any:
            future = begun.pop(module, None)
            if future is not None and not future.cancel():
                future.result()
            return load(module, device, *args, **more)

        with replaced(Module, load=needed):
            yield


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
