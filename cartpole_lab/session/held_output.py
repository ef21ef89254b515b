"""Hold back what Isaac Lab and native code print, and show it when something goes wrong."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from cartpole_lab.errors import UserError

_real_stderr: list[int] = []


def announce(line: str) -> None:
    """Print one line to the real standard error, even while :func:`quietly` holds everything back."""
    os.write(_real_stderr[-1] if _real_stderr else 2, f"{line}\n".encode())


def is_held() -> bool:
    """Whether :func:`quietly` holds back what is printed now."""
    return bool(_real_stderr)


def _held() -> IO[str]:
    """A file to hold output: in memory where the system can, so that a full disk takes nothing from anybody."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("held output"), "w+", errors="replace")
    return tempfile.TemporaryFile(mode="w+", errors="replace")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Hold back everything printed in the block, from native code too; print it all if the block raises.

    An error that is the user's to mend needs no report, nor does being asked to stop:
    :class:`~cartpole_lab.errors.UserError`, what :mod:`~cartpole_lab.session.explained` can say in a line, and
    :class:`KeyboardInterrupt` print nothing.
    """
    with _held() as held:
        sys.stdout.flush()
        sys.stderr.flush()
        saved = [os.dup(1), os.dup(2)]
        _real_stderr.append(saved[1])
        os.dup2(held.fileno(), 1)
        os.dup2(held.fileno(), 2)
        show = False
        try:
            with contextlib.redirect_stdout(held), contextlib.redirect_stderr(held):
                yield
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:
            from cartpole_lab.session.explained import explain

            show = explain(error) is None
            raise
        finally:
            _real_stderr.pop()
            held.flush()
            for saved_fd, fd in zip(saved, (1, 2), strict=True):
                os.dup2(saved_fd, fd)
                os.close(saved_fd)
            if show:
                held.seek(0)
                sys.stderr.write(held.read())
