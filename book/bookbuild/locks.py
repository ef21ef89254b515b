"""Two builds, or two test runs, at once: what they share is used by one at a time, what they need alone is theirs."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_own: dict[Path, tuple[Path, FileLock]] = {}


def own_folder(wanted: Path) -> Path:
    """A folder that no other process uses as long as this one lives: the wanted one, or one beside it if that is taken.

    Args:
        wanted: Its path. It need not exist.

    Returns:
        ``wanted``, or ``wanted-2``, ``wanted-3`` and so on. The same call gives the same folder.
    """
    if wanted in _own:
        return _own[wanted][0]
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            _own[wanted] = folder, lock
            return folder
    raise AssertionError("numbers do not end")


@contextlib.contextmanager
def turn(path: Path, what: str) -> Iterator[None]:
    """Hold a lock in the block. While another process holds it, say so in a line and wait; it ends with its holder.

    Args:
        path: The lock's file.
        what: What the other one is doing, such as ``"running lesson 03"``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another process is {what}: waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
