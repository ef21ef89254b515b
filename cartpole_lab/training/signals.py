"""Ctrl-C and SIGTERM: a signal ends a training between two steps, with what was learned in safety; its exit codes.

Ctrl-C in a terminal sends SIGINT; containers, Slurm and ``timeout`` send SIGTERM, and kill some seconds later.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked: signal.Signals | None = None
_patient = False
_heard = -math.inf
_at_first: list[Callable[[], Any]] = []
SAME_S = 0.5
"""Seconds in which a signal that comes again is the same one.

A terminal and the program that started this one may both send it, and Linux tells a child of a process that is killed
once for every thread of that. One of several processes that learn together would leave at the second, and the others
wait for it.
"""


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

    Elsewhere than in the main thread, and where somebody else listens to a signal, nothing changes. A signal that comes
    while Python ends an object's life is lost on the way, for such code cannot raise: it is sent once more. One that
    somebody has caught and forgotten ends the function when it returns. One that somebody has made another error of, as
    a compiled module does that is being imported, is a :class:`Stopped` again.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        global _asked, _heard
        if threading.current_thread() is not threading.main_thread():
            return function(*args, **kwargs)
        defaults: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        ours = [number for number in SIGNALS if signal.getsignal(number) == defaults[number]]
        if not ours:  # the outermost one listens
            return function(*args, **kwargs)
        _asked, _heard = None, -math.inf
        for number in ours:
            signal.signal(number, _hear)
        report, sys.unraisablehook = sys.unraisablehook, functools.partial(_lost, sys.unraisablehook)
        try:
            result = function(*args, **kwargs)
            check()
            return result
        except Exception as error:
            if _asked is not None and _is_behind(error):
                raise Stopped(_asked) from error
            raise
        finally:
            sys.unraisablehook = report
            for number in ours:
                signal.signal(number, defaults[number])

    return wrapper


def _is_behind(error: BaseException | None) -> bool:
    """Whether being asked to stop has led to this error."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__cause__ or error.__context__
    return error is not None


def _hear(number: int, frame: Any) -> None:
    """Remember the signal where the next step will look; else, or when asked again, stop at once."""
    global _asked, _heard
    now = time.monotonic()
    if now - _heard < SAME_S:
        return
    at_once = not _patient or _asked is not None
    _asked, _heard = signal.Signals(number), now
    for call in _at_first:
        call()
    if at_once:
        raise Stopped(number)


def _lost(report: Callable[[Any], Any], unraisable: Any) -> None:
    """Send a signal again that came where nothing can be raised; report all else as ever."""
    global _asked, _heard
    error = unraisable.exc_value
    if not isinstance(error, Stopped):
        report(unraisable)
        return
    _asked, _heard = None, -math.inf
    again = threading.Timer(0.05, _send, [error.signal])
    again.daemon = True
    again.start()


def _send(number: signal.Signals) -> None:
    if hasattr(signal, "pthread_kill"):  # it wakes the main thread where that waits for something
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(number)


def at_first(call: Callable[[], Any]) -> None:
    """Have something done when a signal is heard, before it has its effect."""
    _at_first.append(call)


def answered() -> None:
    """Say that a signal has had its effect: what was learned is kept, and the rest goes on."""
    global _asked
    _asked = None


@contextlib.contextmanager
def between_steps() -> Iterator[None]:
    """In the block a first signal waits for :func:`check`, so that no step, update or file is cut in two."""
    global _patient
    check()
    _patient = True
    try:
        yield
        check()
    finally:
        _patient = False


def asked() -> bool:
    """Whether a signal has asked the program to stop."""
    return _asked is not None


def check() -> None:
    """Stop here if a signal has asked for it.

    Raises:
        Stopped: It has.
    """
    if _asked is not None:
        raise Stopped(_asked)
