"""Open JupyterLab on the table of lessons: ``python book/lab.py [JupyterLab options]``.

It listens on this machine only, asks for a token, and starts without the two dialogs that would stand in the way (news,
and a build that an add-on of another package recommends). Your own JupyterLab settings stay as they are.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bookbuild import paths

_PAGE_CONFIG = {"buildCheck": False, "buildAvailable": False}
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
}
_FIRST_PAGE = "/lab/tree/notebooks/README.md"


def lab_options(arguments: Sequence[str] = ()) -> list[str]:
    """JupyterLab's options: ours, then those of the command line, which win."""
    return [
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


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run JupyterLab in this process until it is stopped, then end the process with its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    os.environ.update(lab_environment(paths.BUILD / "lab" / "config"))
    os.chdir(paths.ROOT)
    here = Path(__file__).resolve().parent  # its modules have everyday names, such as build
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    status: Any = 1
    try:
        from jupyterlab.labapp import main as run

        sys.argv[0] = "jupyter-lab"
        status = run(lab_options(arguments))
    except ModuleNotFoundError:
        print("JupyterLab is not installed; 'make lab' installs it")
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    # The server has ended by now, and its kernels with it. A thread of its that still waits for files to read would
    # keep the process, and whoever stopped it, waiting for ever.
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    main()
