"""What keeps others from slowing the simulator down: Python's garbage collector at the start, PyTorch's threads later.

Newton and MuJoCo-Warp parse the source of every kernel when they are imported. The collector walks over all of that,
again and again, and once more when the process ends: two seconds of every start and three of every end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
from collections.abc import Iterator

_frozen = False


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the garbage collector from running in the block."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def import_simulator(newton: bool) -> None:
    """Import what an environment is made of, and take it out of the collector's rounds.

    What is imported lives as long as the process. It is set aside before an environment exists, so that environments
    and all they hold are collected as ever.

    Args:
        newton: Whether Newton simulates; its solver would otherwise be imported in the midst of making it.
    """
    global _frozen
    importlib.import_module("isaaclab.envs")
    if newton:
        importlib.import_module("cartpole_lab.physics.replay")
        importlib.import_module("newton.solvers").SolverMuJoCo.import_mujoco()
    if not _frozen:
        gc.freeze()
        _frozen = True


@contextlib.contextmanager
def one_torch_thread(when: bool = True) -> Iterator[None]:
    """Let PyTorch work on one thread in the block, unless ``OMP_NUM_THREADS`` says how many.

    A network with 32 units a layer gains nothing from a second thread, while PyTorch's idle threads spin on the cores
    that physics needs: 4096 environments stepped a third slower, and beside another busy program training became
    twenty-five times slower. It also makes the numbers of a run independent of the number of cores.

    Args:
        when: Whether to do anything.
    """
    import torch

    threads = torch.get_num_threads()
    if when and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
