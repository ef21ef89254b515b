"""Where caches go: the usual folder, or one among the temporary files where the home cannot be written.

A machine without a writable home stops Warp in the middle of an import. Standard library only, as in
:mod:`.surroundings`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from cartpole_lab.session.held_output import announce

_HOMES = ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
"""Where others write below the home."""


def use_writable_caches() -> Path | None:
    """Send caches (Warp's compiled kernels, fonts) to a folder for temporary files where the home takes none.

    Where only the home takes none, and another cache was named, what others write below the home goes to that cache.

    Returns:
        The folder, None where the usual one is good. Its owner is this user, or it is a fresh one.
    """
    if os.name != "posix":
        return None
    home = Path(os.environ.get("HOME") or "/nonexistent")
    below = home / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or below)
    if "WARP_CACHE_PATH" in os.environ or _takes_files(usual):
        if not os.access(home, os.W_OK) and _takes_files(usual):
            _send(_HOMES, usual / "cartpole-lab")
        return None
    try:
        folder = own_temporary_folder()
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="cartpole-lab-"))
    os.environ.pop("XDG_CACHE_HOME", None)  # it is what could not be written
    _send(("WARP_CACHE_PATH", "XDG_CACHE_HOME", *_HOMES), folder)
    announce(f"{usual} cannot be written: compiled kernels are kept in {folder}; WARP_CACHE_PATH names another place")
    return folder


def own_temporary_folder() -> Path:
    """The folder of this user's own among the temporary files, made where it is not there.

    Raises:
        OSError: It cannot be made, or somebody else has made it.
    """
    folder = Path(tempfile.gettempdir(), f"cartpole-lab-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or not is_own(folder):
        raise PermissionError(folder)
    return folder


def is_own(path: Path) -> bool:
    """Whether a file or folder is this user's."""
    return path.stat().st_uid == os.getuid()


def _takes_files(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _send(names: tuple[str, ...], folder: Path) -> None:
    """Let variables that nobody has set name folders below one."""
    for name in names:
        if name not in os.environ:
            os.environ[name] = str(folder / name.lower())
            Path(os.environ[name]).mkdir(parents=True, exist_ok=True)
