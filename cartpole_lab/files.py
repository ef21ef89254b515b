"""Files that are whole or not there: what a run writes, a kill or a full disk may not leave half written."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cartpole_lab.errors import UserError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of a disk that takes nothing more: it is full, a quota or a limit is reached, it can only be read."""


def write_whole(path: str | Path, data: bytes | str) -> Path:
    """Write a file under a temporary name beside it, see it onto the disk, then give it its name.

    Args:
        path: The file; its folder must be there. An older file of that name is replaced, whole for whole.
        data: Its content; text is written as UTF-8.

    Raises:
        OSError: It cannot be written; nothing is left behind, and an older file is as it was.
    """
    path = Path(path)
    try:
        return _write_whole(path, data)
    except OSError as error:  # a full disk does not say which file it was
        raise OSError(error.errno, error.strerror, str(path)) from error


def save_somewhere(path: str | Path, data: bytes) -> Path:
    """As :func:`write_whole`, for what must not be lost: into the folder for temporary files if the disk is full.

    Raises:
        UserError: It does not lie at ``path``; says why, and where it lies instead.
    """
    try:
        return write_whole(path, data)
    except OSError as error:
        try:
            aside = Path(tempfile.mkdtemp(prefix="cartpole-lab-saved-")) / Path(path).name
            where = f"what was learned lies in {write_whole(aside, data)}, move it to where there is room"
        except OSError:
            where = "nor in the folder for temporary files; files that were there before are as they were"
        raise UserError(f"{path} cannot be written ({error.strerror}): {where}") from error


def _write_whole(path: Path, data: bytes | str) -> Path:
    handle, partial = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    return path


def check_name(name: object, what: str) -> str:
    """Return a name that can stand as one folder or file below another, and nowhere else.

    Args:
        name: The name.
        what: What it names, for the message.

    Raises:
        UserError: It is empty or too long, has a separator in it, or leads out of the folder.
    """
    text = str(name)
    bad = not text.strip() or text != text.strip() or text.startswith(".") or any(c in '/\\:*?"<>|' for c in text)
    if bad or not text.isprintable() or len(text.encode()) > 150:
        raise UserError(
            f"{what} is {text[:80]!r}, expected a plain name such as cartpole: no '/', no '.' first, at most 150 bytes"
        )
    return text


class Forgiving:
    """A text stream that goes quiet when nobody reads it any more, or its disk is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._go_quiet()
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._go_quiet()

    def _go_quiet(self) -> None:
        """Let this stream end in nothing, native code's part included, so that Python's last flush is quiet too."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def output_in(path: str | Path) -> Iterator[None]:
    """Write what is printed in the block into a file; a disk that takes no more of it ends nothing."""
    with open(path, "w", encoding="utf-8") as file:
        stream = Forgiving(file)
        with contextlib.redirect_stdout(stream):  # type: ignore[type-var]
            try:
                yield
            finally:
                stream.flush()
