"""What keeps others from slowing the simulator down: Python's garbage collector at the start, PyTorch's threads later.

Newton and MuJoCo-Warp parse the source of every kernel when they are imported. The collector walks over all of that,
again and again, and once more when the process ends: two seconds of every start and three of every end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

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
    # MuJoCo imports it for its window, and it tries every library that it finds in a process of its own.
    sys.modules.setdefault("glfw", _Later("glfw"))
    importlib.import_module("isaaclab.envs")
    if newton:
        with _untracked_kernels():
            importlib.import_module("newton.solvers").SolverMuJoCo.import_mujoco()
        importlib.import_module("cartpole_lab.physics.replay")
    if not _frozen:
        gc.freeze()
        _frozen = True


@contextlib.contextmanager
def _untracked_kernels() -> Iterator[None]:
    """Spare Warp the list of which module calls which: it serves kernels that are rewritten while a program runs."""
    from warp._src.context import Module

    original = Module._find_references
    Module._find_references = lambda self, adj: None
    try:
        yield
    finally:
        Module._find_references = original


class _Later(types.ModuleType):
    """Stands for a module until something is asked of it that only the module itself can answer."""

    def __getattr__(self, name: str) -> Any:
        if name in ("__file__", "__warningregistry__"):  # which others ask of every module there is
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _Compiler(_Later):
    """Stands for ``torch._dynamo``, and answers what is asked of it where nothing is compiled."""

    config = types.SimpleNamespace()

    @staticmethod
    def disable(function: Callable, *args: Any, **kwargs: Any) -> Callable:
        return function

    @staticmethod
    def graph_break() -> None:
        """Nothing is compiled, so there is no graph to break."""


@contextlib.contextmanager
def import_rl_games(compiled: bool = False) -> Iterator[None]:
    """Import rl-games in the block without PyTorch's compiler: two seconds of imports for what is not used.

    rl-games sets an option of the compiler and decorates a network of its tests with ``torch.compile``, and PyTorch's
    optimizers ask the compiler to leave them alone. Each of these imports it, whether or not anything is compiled.

    Args:
        compiled: Whether networks are to be compiled; then nothing is held back.
    """
    import torch

    name = "torch._dynamo"
    if compiled or not isinstance(sys.modules.setdefault(name, _Compiler(name)), _Compiler):
        yield
        return
    compile_ = torch.compile
    torch.compile = lambda model=None, **kwargs: model if model is not None else lambda function: function
    try:
        yield
    finally:
        torch.compile = compile_


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
