"""Open JupyterLab on the lessons: ``python book/lab.py [--reset 03] [--sources] [JupyterLab options]``.

It opens your copies, in ``work/``, and brings them up to date first; what you changed stays. ``--sources`` opens the
lessons themselves, for those who write them. It listens on this machine only, asks for a token, and starts without the
two dialogs that would stand in the way (news, and a build that an add-on of another package recommends). Your own
JupyterLab settings stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bookbuild import paths
from bookbuild.isolation import OF_PYTHON, isolate

_PAGE_CONFIG = {"buildCheck": False, "buildAvailable": False}
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    # without it, a notebook that is opened again says "model not found" where its widgets were
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}


def lab_options(arguments: Sequence[str] = ()) -> list[str]:
    """JupyterLab's options: ours, then those of the command line, which win."""
    # The repository is the root, so that the lessons' pictures in book/ can be shown.
    root = paths.ROOT if paths.WORK.is_relative_to(paths.ROOT) else paths.WORK
    return [
        f"--ServerApp.root_dir={root}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.contents_manager_class=bookbuild.jupyter_contents.StandInContents",
        f"--LabApp.default_url=/lab/tree/{(paths.WORK / 'README.md').relative_to(root).as_posix()}",
        f"--LabApp.workspaces_dir={paths.BUILD / 'lab' / 'workspaces'}",
        *arguments,
    ]


def lab_environment(folder: Path) -> dict[str, str]:
    """This process's environment, plus settings that switch the dialogs off, written below ``folder``.

    The kernel that lessons ask for, ``python3``, is this interpreter, whatever other environments have registered.
    """
    from ipykernel.kernelspec import get_kernel_dict

    settings, kernel = folder / "labconfig", folder / "share" / "kernels" / "python3"
    for place in (settings, kernel):
        place.mkdir(parents=True, exist_ok=True)
    (settings / "page_config.json").write_text(json.dumps(_PAGE_CONFIG), encoding="utf-8")
    (settings / "default_setting_overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")
    # what "Save and Export" writes; jupyter nbconvert reads the same from the environment itself
    exports = paths.BOOK / "installed" / "etc" / "jupyter" / "jupyter_nbconvert_config.json"
    (folder / "jupyter_server_config.json").write_text(exports.read_text(encoding="utf-8"), encoding="utf-8")
    spec = get_kernel_dict() | {"env": {"PYTHONNOUSERSITE": "1"}}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    environment = dict(os.environ)
    first = {
        "JUPYTER_CONFIG_PATH": str(folder),
        "JUPYTER_PATH": str(folder / "share"),
        "PYTHONPATH": str(paths.ROOT),
    }
    for name, value in first.items():
        environment[name] = os.pathsep.join(part for part in (value, os.environ.get(name, "")) if part)
    return environment


def _copies(reset: str) -> None:
    """Bring the learner's copies up to date and say what was done; end the process where ``reset`` is wrong."""
    from bookbuild.learner_copies import ResetError, update_copies

    try:
        for line in update_copies(paths.WORK, paths.lesson_paths(paths.SOURCES), reset):
            print(line, flush=True)
    except (ResetError, OSError) as error:
        print(f"make lab: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run JupyterLab in this process until it is stopped, then end the process with its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--reset", default="", help="lessons to start afresh, such as 03; your copies are kept")
    parser.add_argument("--sources", action="store_true", help="open notebooks/ itself, for who writes lessons")
    ours, arguments = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    status: Any = 1
    try:
        if ours.sources:
            paths.WORK = paths.SOURCES
        else:
            _copies(ours.reset)
        sys.path.insert(0, str(paths.ROOT))
        import bookbuild.jupyter_contents  # noqa: F401  JupyterLab finds it among what is imported already

        import cartpole_lab.session  # noqa: F401  it finds other places where the home takes no files

        os.environ.update(lab_environment(paths.BUILD / "lab" / "config"))
        os.chdir(paths.ROOT)
        here = Path(__file__).resolve().parent  # its modules have everyday names, such as build
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
        from jupyterlab.labapp import main as run

        sys.argv[0] = "jupyter-lab"
        status = run(lab_options(arguments))
    except ModuleNotFoundError as error:
        print(f"JupyterLab is not installed here ({error.name} is missing); 'make lab' installs it", file=sys.stderr)
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    # The server has ended by now, and its kernels with it. A thread of its that still waits for files to read would
    # keep the process, and whoever stopped it, waiting for ever.
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    isolate((*OF_PYTHON, "JUPYTER_PATH"))
    main()
