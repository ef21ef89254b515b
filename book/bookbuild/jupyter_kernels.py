"""The process in which a lesson runs: this interpreter, whatever kernels are registered on the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

from .isolation import kernel_environment

KERNEL = "python3"


def own_kernel(folder: Path) -> type[AsyncKernelManager]:
    """A kernel manager for papermill.

    Args:
        folder: Where the lesson runs.

    Returns:
        A class whose only kernel is this interpreter's own, in an environment without what belongs to another Python.
        A ``python3`` that another environment has registered would run the lesson there.
    """

    class OwnKernelManager(AsyncKernelManager):
        """Talks to the kernel through files where the system can: nothing listens on a port, nothing warns of it."""

        @default("transport")
        def _local_transport(self) -> str:
            return "ipc" if os.name == "posix" else "tcp"

        @default("kernel_spec_manager")
        def _no_registered_kernels(self) -> KernelSpecManager:
            return KernelSpecManager(parent=self, kernel_dirs=[])

        async def start_kernel(self, **options: Any) -> None:
            """Start it with a cleaned environment."""
            await super().start_kernel(**{"env": kernel_environment(folder), **options})

        async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
            """After Ctrl-C at once: a kernel that is asked while a cell runs complains at length of a lost answer."""
            stopped = isinstance(sys.exc_info()[1], KeyboardInterrupt)
            await super().shutdown_kernel(now=now or stopped, restart=restart)

    return OwnKernelManager
