"""Functions without arguments as CUDA graphs, each recorded at its second call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cartpole_lab.session.held_output import announce
from cartpole_lab.speed.startup import gpu_is_ready, paused_collector


def leave_capture() -> None:
    """Bring PyTorch's generators out of a capture that has failed: they are in the midst of it until one succeeds.

    With a state of their own instead they would work, but not in the graphs that were recorded before.
    """
    with torch.cuda.graph(torch.cuda.CUDAGraph(), stream=torch.cuda.Stream(), capture_error_mode="thread_local"):
        torch.zeros(1, device="cuda")


class FunctionGraphs:
    """Functions of no arguments, each run once as it is and recorded when it is next asked for."""

    def __init__(self, key: tuple, device: str, **functions: Callable[[], None]) -> None:
        self.key, self._functions = key, functions
        self._cuda = str(device).startswith("cuda")
        self._graphs: dict[str, Any] = {}
        self._warm: set[str] = set()
        self._pool: Any = None

    def replay(self, name: str) -> None:
        """Run function ``name``."""
        if name in self._graphs:
            self._graphs[name].replay()
        elif not self._cuda or name not in self._warm:
            self._warm.add(name)  # what is allocated or compiled once is not part of the recording
            self._functions[name]()
        elif self._record(name):
            self._graphs[name].replay()
        else:
            self._functions[name]()

    def release(self) -> None:
        """Let go of what was recorded: NCCL ends only after every graph that holds a message of its."""
        for graph in self._graphs.values():
            graph.reset()
        self._graphs.clear()

    def _record(self, name: str) -> bool:
        """Record function ``name``; one that cannot be recorded is called from now on, and that is said."""
        if self._pool is None:
            self._pool, self._stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        graph = torch.cuda.CUDAGraph()
        gpu_is_ready()
        try:
            with (
                paused_collector(),  # what it would free may be the GPU's, and nothing of that is freed in a capture
                torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            ):
                self._functions[name]()
        except RuntimeError as error:
            leave_capture()
            self._cuda = False
            announce(f"this training is not recorded from here on: {name}: {str(error).splitlines()[0]}")
            return False
        self._graphs[name] = graph
        return True
