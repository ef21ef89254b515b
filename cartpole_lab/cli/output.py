"""Output that never costs anybody their work: closed, full or plain, what is printed is the lesser part."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys

from cartpole_lab.files import Forgiving

_PLAIN = {"…": "...", "±": "+-", "×": "x", "–": "-", "−": "-", "→": "->", "²": "2", "≥": ">=", "≤": "<=", "µ": "u"}


def forgive() -> None:
    """Make standard output and error forgiving, and open to every terminal: what it can't show is shown plainly."""
    codecs.register_error("plainly", _plainly)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file would take its place, and be written into
            os.open(os.devnull, os.O_RDWR)
        stream = getattr(sys, name)
        if stream is None:
            stream = os.fdopen(number, mode, closefd=False)
        if mode == "w" and not isinstance(stream, Forgiving):
            with contextlib.suppress(AttributeError, ValueError, OSError):
                stream.reconfigure(errors="plainly")
            stream = Forgiving(stream)
        setattr(sys, name, stream)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, "?") for letter in lacking), error.end
