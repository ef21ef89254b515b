"""Open JupyterLab on the table of lessons: ``python book/lab.py [JupyterLab options]``.

It listens on this machine only, asks for a token, and starts without the two dialogs that would stand in the way (news,
and a build that an add-on of another package recommends). Your own JupyterLab settings stay as they are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bookbuild import paths

_PAGE_CONFIG = {"buildCheck": False, "buildAvailable": False}
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
}
_FIRST_PAGE = "/lab/tree/notebooks/README.md"


def lab_command(arguments: Sequence[str] = ()) -> list[str]:
    """The command line that starts JupyterLab.

    Raises:
        FileNotFoundError: JupyterLab is not installed.
    """
    script = shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)) or shutil.which("jupyter-lab")
    if script is None:
        raise FileNotFoundError("jupyter-lab is not installed; 'make lab' installs it")
    return [
        script,
        # The repository is the root, so that the lessons' pictures in book/ can be shown.
        f"--ServerApp.root_dir={paths.ROOT}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url={_FIRST_PAGE}",
        f"--LabApp.workspaces_dir={paths.BUILD / 'lab' / 'workspaces'}",
        *arguments,
    ]


def lab_environment(folder: Path) -> dict[str, str]:
    """This process's environment, plus settings that switch the dialogs off, written below ``folder``."""
    settings = folder / "labconfig"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "page_config.json").write_text(json.dumps(_PAGE_CONFIG), encoding="utf-8")
    (settings / "default_setting_overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")
    environment = dict(os.environ)
    for name, value in {"JUPYTER_CONFIG_PATH": str(folder), "PYTHONPATH": str(paths.ROOT)}.items():
        environment[name] = os.pathsep.join(part for part in (value, os.environ.get(name, "")) if part)
    return environment


def main(argv: Sequence[str] | None = None) -> int:
    """Run JupyterLab until it is stopped; its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command = lab_command(arguments)
    except FileNotFoundError as error:
        print(error)
        return 1
    environment = lab_environment(paths.BUILD / "lab" / "config")
    os.chdir(paths.ROOT)
    if os.name == "posix":  # JupyterLab takes this process's place, so whatever ends this ends that
        os.execve(command[0], command, environment)
    try:
        return subprocess.call(command, env=environment)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
