"""Recording launches on a CPU: upstream's launches in upstream's order, less those that can have no effect.

While a recording is made, ``warp.launch`` and ``warp.launch_tiled`` are wrapped (and put back afterwards). The wrapper
changes three things, none of which changes a number:

* A launch over nothing is left out, and so is one that sums over the tendons of a model without any.
* A kernel whose first statement returns when there is no contact (or no candidate for one) is recorded behind that very
  condition. It is tested at every replay, so contacts work as soon as there is one.
* A kernel that uses Warp tiles keeps them in memory of its module, so one module must not run on two threads at once.
  Each worker thread gets its own copy of such a module, loaded from the same cached binary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import warp as wp
from torch.utils._python_dispatch import TorchDispatchMode

from cartpole_lab.replaced import replaced

NEEDS_CANDIDATES = ("_primitive_narrowphase",)
"""Kernels that do nothing unless the broad phase found a pair (``ncollision``)."""

NEEDS_CONTACTS = (
    "_efc_contact_init",
    "_efc_contact_jac_dense",
    "_efc_contact_update",
    "_preprocess_tactile_contacts",
)
"""Kernels that do nothing unless there is a contact (``nacon``)."""


NEEDS_TENDONS = ("_qderiv_tendon_damping",)
"""Kernels that subtract a sum over tendons, whose number is their first input."""


class ModuleCopies:
    """For each worker thread its own executables of the modules that use tiles."""

    def __init__(self) -> None:
        self._execs: dict[tuple[int, Any], dict] = {}

    @contextlib.contextmanager
    def use(self, module: Any, worker: int) -> Iterator[None]:
        """Let ``module`` launch worker ``worker``'s copy of its executable; worker 0 uses the original."""
        if worker == 0:
            yield
            return
        with replaced(module, execs=self._execs.setdefault((worker, module), {})):
            yield


class NoTorch(TorchDispatchMode):
    """Refuses every operation of PyTorch but views: it would run once, and not be part of the recording."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """PyTorch would ask its compiler to leave this alone, and import it for that: five seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        schema = func._schema
        writes = any(argument.alias_info is not None and argument.alias_info.is_write for argument in schema.arguments)
        if writes or not all(result.alias_info is not None for result in schema.returns):
            raise RuntimeError(f"PyTorch computes {schema.name} where only kernels can be recorded")
        return func(*args, **(kwargs or {}))


def record(launches: Callable[[], None], data: Any, worker: int, copies: ModuleCopies) -> wp.Graph:
    """Record what ``launches`` issues, without running it.

    Args:
        launches: Issues the launches.
        data: MuJoCo-Warp data whose contact counters decide which kernels have work.
        worker: Number of the thread that will replay the recording; 0 is the calling thread.
        copies: Executables of the worker threads.

    Returns:
        The recording, to be replayed with :func:`warp.capture_launch`.
    """

    def wrap(original: Callable) -> Callable:
        def launch(kernel: Any, *args: Any, **kwargs: Any) -> Any:
            dim = kwargs["dim"] if "dim" in kwargs else args[0]  # a tiled launch takes it by name only
            if np.prod(dim) == 0 or (kernel.key.startswith(NEEDS_TENDONS) and kwargs["inputs"][0] == 0):
                return None
            guard = None
            if kernel.key.startswith(NEEDS_CANDIDATES):
                guard = data.ncollision
            elif kernel.key.startswith(NEEDS_CONTACTS):
                guard = data.nacon
            with copies.use(kernel.module, worker) if "tile" in kernel.adj.source else contextlib.nullcontext():
                if guard is None:
                    return original(kernel, *args, **kwargs)
                return wp.capture_if(guard, on_true=lambda: original(kernel, *args, **kwargs))

        return launch

    wrapped = replaced(wp, launch=wrap(wp.launch), launch_tiled=wrap(wp.launch_tiled))
    with wrapped, wp.ScopedCapture(device="cpu") as capture:
        launches()
    return capture.graph
