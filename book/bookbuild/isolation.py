"""Run in this environment only: what other Pythons and other Jupyters left in the surroundings stays outside.

A ``PYTHONPATH`` for ROS, a user site, a ``JUPYTER_PATH`` of a conda base: each can put another kernel or another NumPy
into a lesson, whose numbers would then be stored as this environment's. Standard library only, because whatever else is
imported first may be the wrong copy.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

OF_PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")
OF_JUPYTER = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH")
_AGAIN = "CARTPOLE_BOOK_ISOLATED"


def isolate(names: Collection[str] = (*OF_PYTHON, *OF_JUPYTER)) -> None:
    """Start this script again without these variables and the user site, if there are any; say in a line which.

    Args:
        names: Variables to leave out.
    """
    if os.environ.pop(_AGAIN, None):
        return
    found = [name for name in names if os.environ.get(name)]
    if not found and (sys.flags.no_user_site or sys.prefix != sys.base_prefix):  # an environment of venv has none
        return
    for name in found:
        print(f"left out, because it belongs to another environment: {name}={os.environ[name]}", flush=True)
    environment = {key: value for key, value in os.environ.items() if key not in found}
    environment |= {"PYTHONNOUSERSITE": "1", _AGAIN: "1"}
    command = [sys.executable, *sys.argv]
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(sys.executable, command, environment)
    raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)


def kernel_environment(folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of a lesson's process.

    Args:
        folder: Where the lesson runs; its IPython profile is made there, so that nobody's start-up files run.
        environ: The variables to start from.

    Returns:
        They, without what belongs to another Python. The package is that of this checkout; Matplotlib draws with its
        own defaults.
    """
    from . import paths

    cleaned = {key: value for key, value in environ.items() if key not in (*OF_PYTHON, *OF_JUPYTER)}
    cleaned |= {"PYTHONPATH": str(paths.ROOT), "PYTHONNOUSERSITE": "1", "IPYTHONDIR": str(folder / ".ipython")}
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        cleaned["MATPLOTLIBRC"] = str(Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc")
    return cleaned
