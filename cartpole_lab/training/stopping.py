"""Being asked to stop: a signal ends a training between two steps, with what was learned in safety.

Ctrl-C in a terminal sends SIGINT; containers, Slurm and ``timeout`` send SIGTERM, and kill some seconds later.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked: signal.Signals | None = None
_patient = False


class Stopped(KeyboardInterrupt):
    """Somebody asked the program to stop.

    Attributes:
        signal: With which signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = signal.Signals(number)


def exit_code(error: KeyboardInterrupt) -> int:
    """Exit code of a program that a signal has stopped: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + getattr(error, "signal", signal.SIGINT)


def reason(error: KeyboardInterrupt) -> str:
    """Name of the signal that stopped a program."""
    return signal.Signals(getattr(error, "signal", signal.SIGINT)).name


def stoppable[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Let SIGINT and SIGTERM raise :class:`Stopped` in a function; :func:`between_steps` puts the moment off.

    Elsewhere than in the main thread, and where somebody else listens to a signal, nothing changes.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        global _asked
        if threading.current_thread() is not threading.main_thread():
            return function(*args, **kwargs)
        defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        ours = [number for number in SIGNALS if signal.getsignal(number) == defaults[number]]
        _asked = None
        for number in ours:
            signal.signal(number, _hear)
        try:
            return function(*args, **kwargs)
        finally:
            for number in ours:
                signal.signal(number, defaults[number])

    return wrapper


def _hear(number: int, frame: Any) -> None:
    """Remember the signal where the next step will look; else, or when asked again, stop at once."""
    global _asked
    at_once = not _patient or _asked is not None
    _asked = signal.Signals(number)
    if at_once:
        raise Stopped(number)


@contextlib.contextmanager
def between_steps() -> Iterator[None]:
    """In the block a first signal waits for :func:`check`, so that no step, update or file is cut in two."""
    global _patient
    _patient = True
    try:
        yield
        check()
    finally:
        _patient = False


def check() -> None:
    """Stop here if a signal has asked for it.

    Raises:
        Stopped: It has.
    """
    if _asked is not None:
        raise Stopped(_asked)
