"""Worker threads that replay recordings side by side. A replay runs in C++ and does not hold the interpreter."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

import warp as wp


class ReplayPool:
    """``threads - 1`` sleeping workers; the calling thread is the first of the ``threads``."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._todo: list[queue.SimpleQueue] = [queue.SimpleQueue() for _ in range(threads - 1)]
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        for todo in self._todo:
            threading.Thread(target=self._work, args=(todo,), name="physics", daemon=True).start()

    def replay(self, groups: Sequence[Sequence[wp.Graph]]) -> None:
        """Replay group 0 on this thread and group ``i`` on worker ``i``; return when all are done.

        Raises:
            RuntimeError: A replay failed.
        """
        helpers = len(groups) - 1
        for todo, graphs in zip(self._todo, groups[1:], strict=False):
            todo.put(graphs)
        error = _replay(groups[0])
        for _ in range(helpers):
            error = self._done.get() or error
        if error is not None:
            raise error

    def close(self) -> None:
        """End the workers."""
        for todo in self._todo:
            todo.put(None)

    def _work(self, todo: queue.SimpleQueue) -> None:
        while (graphs := todo.get()) is not None:
            self._done.put(_replay(graphs))


def _replay(graphs: Sequence[wp.Graph]) -> BaseException | None:
    try:
        for graph in graphs:
            wp.capture_launch(graph)
    except BaseException as error:  # handed to the caller's thread, which raises it
        return error
    return None
