"""Work in copies of this process, each on a core of its own.

Isaac Lab keeps one simulation per process, and Python runs one thread at a time. A copy (``fork``) has the simulation
with all its memory from the first moment on, without making it again; what it does to it stays in the copy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from cartpole_lab.session.surroundings import cores


def rounds_at_once(env: Any) -> int:
    """How many rounds of an evaluation can be played at the same time: one per core, on Newton, where forks work."""
    alone = getattr(env.unwrapped.sim.physics_manager, "on_one_thread", None)
    return cores() if alone is not None and can_copy() else 1


@contextlib.contextmanager
def play_rounds[Result](env: Any, rounds: Sequence[Callable[[], Result]]) -> Iterator[Sequence[Callable[[], Result]]]:
    """Play the first round here when it is asked for, and each other one in a fork that starts at once."""
    if len(rounds) < 2:
        yield rounds
        return
    with env.unwrapped.sim.physics_manager.on_one_thread(), started(rounds[1:]) as others:
        yield [rounds[0], *others]


def can_copy() -> bool:
    """Whether a copy of this process would work: on Linux, as long as nothing has been done on a GPU."""
    if sys.platform != "linux" or cores() < 2 or multiprocessing.current_process().daemon:
        return False
    import torch

    return not torch.cuda.is_initialized()


@contextlib.contextmanager
def started[Result](works: Sequence[Callable[[], Result]]) -> Iterator[list[Callable[[], Result]]]:
    """Start every work in a copy of this process; at the end of the block, end those that still run.

    Args:
        works: Functions whose results can be pickled.

    Yields:
        For each a function that waits for its result. It raises what the work has raised, and does the work here if
        its copy has died.
    """
    fork = multiprocessing.get_context("fork")
    copies: list[tuple[Any, Connection]] = []
    try:
        for work in works:
            receive, send = fork.Pipe(duplex=False)
            copy = fork.Process(target=_do, args=(work, send), daemon=True)
            with warnings.catch_warnings():  # the other threads of this process sleep, and a copy doesn't need them
                warnings.simplefilter("ignore", DeprecationWarning)
                copy.start()
            send.close()
            copies.append((copy, receive))
        yield [lambda work=work, pipe=pipe: _result(work, pipe) for work, (_, pipe) in zip(works, copies, strict=True)]
    finally:
        for copy, pipe in copies:
            copy.kill()
            copy.join()
            pipe.close()


def _do(work: Callable[[], Any], send: Connection) -> None:
    """Body of a copy. It leaves without a farewell: exits, files and widgets are the business of the original."""
    try:
        try:
            _on_one_thread()
            answer = pickle.dumps((work(), None))  # not send(), with which PyTorch would share its memory
        except Exception as error:
            answer = pickle.dumps((None, error))
        send.send_bytes(answer)
    finally:
        os._exit(0)


def _on_one_thread() -> None:
    """A copy has one thread. PyTorch's other ones stayed behind, and OpenMP would wait for them for ever."""
    import torch

    torch.set_num_threads(1)


def _result[Result](work: Callable[[], Result], pipe: Connection) -> Result:
    try:
        result, error = pickle.loads(pipe.recv_bytes())
    except EOFError:  # killed, say for want of memory
        return work()
    if error is not None:
        raise error
    return result
