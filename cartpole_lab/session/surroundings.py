"""What surrounds the process: its cores, packages of another Python on its path, other versions than this package's.

A ``PYTHONPATH`` made for ROS brings another NumPy, and ends in errors that name something else. Standard library only:
this runs before anything else is imported.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import site
import sys
import sysconfig
from pathlib import Path

from cartpole_lab.session.held_output import announce

_EVERYDAY = {"test", "tests", "docs", "doc", "examples", "scripts", "bin", "build", "src", "tools", "share"}
"""Folders that many trees have; one of them is no sign of another Python's packages."""

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


def _packages(folder: str) -> set[str]:
    """Names that could be imported from a folder, guessed from its files; empty where it is no folder."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return set()
    names = {entry.name for entry in entries if entry.name.isidentifier() and entry.is_dir()} - {"__pycache__"}
    return names | {entry.name.split(".")[0] for entry in entries if entry.name.endswith((".py", ".so", ".pyd"))}
