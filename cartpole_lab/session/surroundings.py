"""What surrounds the process: its cores, packages of another Python on its path, a cache folder that cannot be written.

The last two come from outside and both end in errors that name something else: a ``PYTHONPATH`` made for ROS brings
another NumPy, a machine without a writable home stops Warp in the middle of an import. Standard library only: this runs
before anything else is imported.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import site
import sys
import sysconfig
import tempfile
from pathlib import Path

from cartpole_lab.session.held_output import announce

_EVERYDAY = {"test", "tests", "docs", "doc", "examples", "scripts", "bin", "build", "src", "tools", "share"}
"""Folders that many trees have; one of them is no sign of another Python's packages."""

_HOMES = ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
"""Where others write below the home."""

left_out: dict[str, str] = {}
"""What this process has left out so far, as :func:`foreign_packages` describes it."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def foreign_packages() -> dict[str, str]:
    """Entries of the path that came from outside and hold what this environment has too.

    Returns:
        By entry: what is wrong with it, such as ``"other copies of numpy, torch"``.
    """
    outside = _of_python_path()
    if site.ENABLE_USER_SITE and (user := site.getusersitepackages()) in sys.path:
        outside.append(user)
    if not outside:  # as nearly always: what follows takes longer than all the rest
        return {}
    own_folders = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    # Isaac Sim's own Python brings its packages in by PYTHONPATH: there they are this environment.
    simulators = [Path(os.environ[name]) for name in ("ISAAC_PATH", "CARB_APP_PATH") if os.environ.get(name)]
    outside = [
        entry
        for entry in dict.fromkeys(outside)
        if os.path.realpath(entry) not in own_folders and not any(Path(entry).is_relative_to(s) for s in simulators)
    ]
    if not outside:
        return {}
    own = set().union(*map(_packages, own_folders)) - _EVERYDAY
    if "isaaclab" not in own:  # this environment is not the one that holds the packages: nothing to compare with
        return {}
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    found: dict[str, str] = {}
    for entry in outside:
        same = sorted(_packages(entry) & own)
        versions = re.findall(r"python(\d\.\d+)(?=[/\\]|$)", entry)
        if versions and versions[-1] != ours:
            found[entry] = f"packages of Python {versions[-1]}"
        elif same:
            found[entry] = f"other copies of {', '.join(same[:3])}" + (", …" if len(same) > 3 else "")
    return found


def _of_python_path() -> list[str]:
    """Entries of ``PYTHONPATH`` as Python reads them: absolute, and an empty one is the current folder."""
    if not (given := os.environ.get("PYTHONPATH", "")):
        return []
    try:
        return [os.path.abspath(entry) for entry in given.split(os.pathsep)]
    except FileNotFoundError:  # the current folder is gone
        return [entry for entry in given.split(os.pathsep) if os.path.isabs(entry)]


def leave_out_foreign_packages() -> dict[str, str]:
    """Take such entries off this process's path and its children's, and say so in a line each.

    Returns:
        What was left out now; :data:`left_out` holds it too.
    """
    found = foreign_packages()
    if not found:
        return found
    left_out.update(found)
    sys.path[:] = [entry for entry in sys.path if not entry or os.path.abspath(entry) not in found]
    before = _of_python_path()
    kept = os.pathsep.join(entry for entry in before if entry not in found)
    if kept:
        os.environ["PYTHONPATH"] = kept
    else:
        os.environ.pop("PYTHONPATH", None)
    os.environ["PYTHONNOUSERSITE"] = "1"
    for entry, why in found.items():
        origin = "PYTHONPATH" if entry in before else "the user site"
        cure = "unset PYTHONPATH" if origin == "PYTHONPATH" else "export PYTHONNOUSERSITE=1"
        announce(f"left out: {entry} of {origin} ({why}); to be rid of this line: {cure}")
    return found


def name_other_versions() -> str | None:
    """Say in a line that Isaac Lab is missing here, or that another PyTorch than its own is installed, as on Colab.

    Returns:
        The line, None where all is well.
    """
    here = f"in {sys.executable}"
    own = "make setup, in the folder of this repository, builds an environment of its own beside it (.venv)"
    wanted = {"isaaclab": "3.0.0", "torch": "2.11.0"}
    for name, version in wanted.items():
        try:
            found = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            line = f"{name} is not installed {here}: {own}"
        else:
            if found == version:
                continue
            line = f"{name} {found} is installed {here}, and this package is made for {version}: {own}"
        announce(line)
        return line
    return None


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


def _packages(folder: str) -> set[str]:
    """Names that could be imported from a folder, guessed from its files; empty where it is no folder."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return set()
    names = {entry.name for entry in entries if entry.name.isidentifier() and entry.is_dir()} - {"__pycache__"}
    return names | {entry.name.split(".")[0] for entry in entries if entry.name.endswith((".py", ".so", ".pyd"))}
