"""A second process for the trainer's runs.

Training belongs in a process of its own. Isaac Lab allows one live environment a process: the notebook keeps its own.
rl-games prints a lot: the notebook keeps its standard output. And cells stay as quick as ever while a run is on.
The process stays for the next run, so that only the first one waits for imports.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any

import cloudpickle

Emit = Callable[[str, Any], None]


def carry_out(task: dict[str, Any], emit: Emit, stopped: Callable[[], bool]) -> None:
    """Train, then film; report with ``emit(kind, value)``: ``epoch`` any number of times, ``run``, then ``film``.

    Args:
        task: ``train_fn``, ``film_fn`` (or None), ``weights``, ``ppo``.
        emit: Takes the reports.
        stopped: Whether the run shall end after this epoch.
    """

    def on_epoch(info: Any) -> bool:
        emit("epoch", {name: getattr(info, name, None) for name in ("epoch", "max_epochs", "wall_s", "mean_return")})
        return not stopped()

    run = task["train_fn"](task["weights"], task["ppo"], on_epoch)
    emit("run", run)
    if task["film_fn"] is not None:
        emit("film", task["film_fn"](run))


def _serve(connection: Connection, stop: Event) -> None:
    """The second process: take tasks until the first one hangs up."""

    def emit(kind: str, value: Any) -> None:
        connection.send_bytes(cloudpickle.dumps((kind, value)))

    while True:
        try:
            task = cloudpickle.loads(connection.recv_bytes())
        except EOFError:
            return
        try:
            carry_out(task, emit, stop.is_set)
            emit("done", None)
        except Exception as error:
            emit("error", (f"{type(error).__name__}: {error}", traceback.format_exc()))


class Worker:
    """The handle on the second process, which starts with the first task."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._connection: Any = None
        self._stop: Any = None

    def carry_out(self, task: dict[str, Any], emit: Emit, stopped: Callable[[], bool]) -> None:
        """As the function of that name, in the second process.

        Raises:
            RuntimeError: The task failed there (with its traceback), or the process ended.
        """
        if self._process is None or not self._process.is_alive():
            self._start()
        self._stop.clear()
        self._connection.send_bytes(cloudpickle.dumps(task))
        while True:
            if stopped():
                self._stop.set()
            try:
                if not self._connection.poll(0.05):
                    if not self._process.is_alive():
                        raise EOFError
                    continue
                kind, value = cloudpickle.loads(self._connection.recv_bytes())
            except (EOFError, OSError) as error:
                self._process.join(5)
                raise RuntimeError(f"the training process ended with exit code {self._process.exitcode}") from error
            if kind == "done":
                return
            if kind == "error":
                raise RuntimeError(value[0]) from RuntimeError(value[1])
            emit(kind, value)

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._stop = self._context.Event()
        self._process = self._context.Process(target=_serve, args=(theirs, self._stop), daemon=True)
        self._process.start()
        theirs.close()

    def close(self) -> None:
        """End the process. Nothing happens if there is none."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
            self._process.join(10)
        self._process = None
