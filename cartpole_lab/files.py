"""Files that are whole or not there: what a run writes, a kill or a full disk may not leave half written."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cartpole_lab.errors import UserError

if TYPE_CHECKING:
    import numpy as np

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of a disk that takes nothing more: it is full, a quota or a limit is reached, it can only be read."""
CLOSED = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""Errors of a name that leads nowhere: it is somebody else's, no folder, too long, or goes round in circles."""


def write_whole(path: str | Path, data: bytes | str, *, overwrite: bool = True) -> Path:
    """Write a file under a temporary name beside it, see it onto the disk, then give it its name.

    Args:
        path: The file; its folder must be there.
        data: Its content; text is written as UTF-8.
        overwrite: Whether an older file of that name is replaced, whole for whole.

    Raises:
        UserError: A file of that name is there, and may not be replaced.
        OSError: It cannot be written; nothing is left behind, and an older file is as it was.
    """
    path = Path(path)
    try:
        return _write_whole(path, data, overwrite)
    except OSError as error:  # a full disk does not say which file it was
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_target(path: str | Path, *, overwrite: bool, keep: Path | None = None, what: str = "out") -> Path:
    """Return where a file may be written; its folder is made, and tried, so that nothing fails after the work.

    Args:
        path: The file.
        overwrite: Whether one that is there may be replaced.
        keep: A file that never may, such as the checkpoint that is read.
        what: What names it, for the message.

    Raises:
        UserError: It is a folder, ``keep``, a file that may not be replaced, or nothing can be written there.
    """
    path, said = Path(path), f"{what} {str(path)[:200]!r}"
    try:
        if keep is not None and (real(path) == real(keep) or (path.exists() and path.samefile(keep))):
            raise UserError(f"{said} is the checkpoint itself: choose another name")
        if path.is_dir():
            raise UserError(f"{said} is a folder, expected a file")
        if path.exists():
            if not path.is_file():
                raise UserError(f"{said} is no plain file: choose another name")
            if not overwrite:
                force = ", or replace it with --force" if what == "out" else ""
                raise UserError(f"{said} is there already: choose another name{force}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # too long a name, or one with a zero in it
    except UserError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{said} cannot be written ({why}): choose another name or folder") from error
    return path


def real(path: str | Path) -> Path:
    """The absolute path, links followed; where they go in circles the path itself, which then cannot be opened."""
    return Path(os.path.realpath(path))


def into_place(partial: str | Path, path: Path, *, overwrite: bool) -> None:
    """Give a file that is whole its name.

    Raises:
        UserError: A file of that name has come up meanwhile, and may not be replaced.
    """
    if not overwrite:
        try:
            os.link(partial, path)  # as a rename, but never over another file
        except FileExistsError as error:
            raise UserError(f"{str(path)!r} is there already: another command has just written it") from error
        except OSError:  # a file system without links
            if path.exists():
                raise UserError(f"{str(path)!r} is there already: another command has just written it") from None
        else:
            os.unlink(partial)
            return
    os.replace(partial, path)


def free_name(path: Path, *others: str) -> Path:
    """``path``, or the first of ``<stem>_2``, ``<stem>_3``, … at which neither it nor its ``others`` stand.

    Args:
        path: The file.
        *others: Endings of the files that stand beside it, such as ``".png"``.
    """
    number, free = 1, path
    while any(free.with_suffix(ending).exists() for ending in (path.suffix, *others)):
        number += 1
        free = path.with_name(f"{path.stem}_{number}{path.suffix}")
    return free


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


def _write_whole(path: Path, data: bytes | str, overwrite: bool) -> Path:
    handle, partial = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        into_place(partial, path, overwrite=overwrite)
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
    """A text stream that goes quiet when nobody reads it any more, or its disk is full.

    Attributes:
        lost: Why its disk took no more, such as ``"No space left on device"``; empty where it has taken everything.
    """

    def __init__(self, stream: Any) -> None:
        self._stream, self.lost = stream, ""

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError) as error:
            self._go_quiet(error)
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._go_quiet(error)

    def _go_quiet(self, error: Exception) -> None:
        """Let this stream end in nothing, native code's part included, so that Python's last flush is quiet too."""
        if isinstance(error, OSError) and error.errno in DISK:
            self.lost = error.strerror or str(error)
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
        with contextlib.redirect_stdout(stream):
            try:
                yield
            finally:
                stream.flush()


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file that ``numpy.savez`` wrote. Pickled objects are refused.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is damaged, or of another kind.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes of the readers
        raise ValueError(str(error) or type(error).__name__) from error
