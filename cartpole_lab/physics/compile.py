"""The very first run on a machine: compile the physics kernels on every core, and say so.

Warp compiles a module when its first kernel is launched, one after the other, and keeps the result in the user's cache.
:func:`prepare` starts the large modules side by side instead. Left out are modules that Newton or Isaac Lab compile
again for every combination of types or settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import warp as wp

SECONDS = 25
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
"""Modules whose kernels every cart-pole on Newton launches, slowest to compile first (together 70 % of the time)."""


def prepare(
    device: str = "cpu", say: Callable[[str], None] | None = None, meanwhile: Callable[[], None] | None = None
) -> bool:
    """Compile the large kernel modules for a CPU if this machine has never done so.

    Args:
        device: Device of the simulation; on CUDA nothing is done here.
        say: Takes the one line of progress; by default it goes to standard error.
        meanwhile: Called while the compilers work.

    Returns:
        Whether anything was compiled.
    """
    if device != "cpu":
        return False
    wp.init()
    done = Path(wp.config.kernel_cache_dir) / f"cartpole_lab_{_fingerprint()}.done"
    if done.exists():
        return False
    line = f"first run on this machine: compiling the physics kernels, about {SECONDS} s, once"
    (say or (lambda text: print(text, file=sys.stderr, flush=True)))(line)
    modules = []
    for name in MODULES:
        try:
            importlib.import_module(name)
            modules.append(wp.get_module(name))
        except ImportError:  # another version keeps its kernels elsewhere; they compile when they are needed
            continue
    with contextlib.suppress(ImportError):  # slow to compile, and a module of its own
        from newton._src.geometry.inertia import validate_and_correct_inertia_kernel

        modules.append(validate_and_correct_inertia_kernel.module)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # a launch on a CPU has one thread to a block, and that is part of what is compiled
        loading = [pool.submit(module.load, wp.get_device("cpu"), block_dim=1) for module in modules]
        if meanwhile is not None:
            meanwhile()
        for load in loading:
            load.result()
    done.parent.mkdir(parents=True, exist_ok=True)
    done.touch()
    return True


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
