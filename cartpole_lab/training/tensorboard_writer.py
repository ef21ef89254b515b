"""TensorBoard's numbers of a training: the lesser part of it, so that a disk that takes none of them ends nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from cartpole_lab.session.held_output import announce


def outlive_the_disk(writer: Any) -> None:
    """Let a writer of tensorboardX go on without a disk.

    Its thread dies of the first event that cannot be written; ten events later the training would wait for it for ever.

    Args:
        writer: A ``SummaryWriter``; one of another library, or None, stays as it is.
    """
    events = getattr(getattr(getattr(writer, "file_writer", None), "event_writer", None), "_ev_writer", None)
    said: list[str] = []
    for name in ("write_event", "flush", "close") if events is not None else ():
        setattr(events, name, _forgiven(getattr(events, name), said))


def _forgiven[**P, R](method: Callable[P, R], said: list[str]) -> Callable[P, R | None]:
    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(*args, **kwargs)
        except (OSError, ValueError) as error:  # the latter of a file that is closed
            if not said:
                said.append(str(error))
                announce(f"TensorBoard's numbers cannot be written ({error}): the training goes on without them")
            return None

    return wrapper
