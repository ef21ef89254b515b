"""Files that are whole or not there: what a run writes, a kill or a full disk may not leave half written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cartpole_lab.errors import UserError


def write_whole(path: str | Path, data: bytes | str) -> Path:
    """Write a file under a temporary name beside it, see it onto the disk, then give it its name.

    Args:
        path: The file; its folder must be there. An older file of that name is replaced, whole for whole.
        data: Its content; text is written as UTF-8.

    Raises:
        OSError: It cannot be written; nothing is left behind, and an older file is as it was.
    """
    path = Path(path)
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
