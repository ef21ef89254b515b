"""Stands in for Isaac Sim where it cannot be installed: it starts nothing and writes down how it was called.

It behaves as the real package does. Its first import asks for the licence, unless ``OMNI_KIT_ACCEPT_EULA`` is y, yes or
1, or its own file says yes; on an open pipe or a terminal it waits for an answer without end, with nothing on its
input it exits with a text, and on a "No" it exits with code 0. A kernel alone has no ``SimulationApp``, and missing
extensions end the process with code 1.
"""

import json
import os
import sys
from pathlib import Path

_FILE = Path(__file__).parent / "kit" / "EULA_ACCEPTED"


def _accepted() -> bool:
    if os.environ.get("OMNI_KIT_ACCEPT_EULA", "").lower() in ("y", "yes", "1"):
        return True
    return _FILE.is_file() and _FILE.read_text().strip() == "yes"


if not _accepted():
    if os.environ.get("STANDIN_ASKED"):
        Path(os.environ["STANDIN_ASKED"]).touch()
    print("NVIDIA Isaac Sim Additional Software and Materials License: the text of the licence", flush=True)
    try:
        _answer = input("Do you accept the EULA? (Yes/No): ")
    except EOFError:
        raise SystemExit("The EULA has to be accepted: set OMNI_KIT_ACCEPT_EULA") from None
    if _answer.strip().lower() not in ("y", "yes"):
        sys.exit(0)
    _FILE.parent.mkdir(exist_ok=True)
    _FILE.write_text("yes")


sys.path.append(str(Path(__file__).parent / "exts"))  # where the modules of its extensions lie


class _SimulationApp:
    """Takes Isaac Lab's call in place of Isaac Sim's own class of this name."""

    def __init__(self, launch_config: dict, experience: str = "") -> None:
        import omni.kit.app

        if os.environ.get("STANDIN_WITHOUT_EXTENSIONS"):
            sys.exit(1)
        record = {
            "config": launch_config,
            "experience": experience,
            "argv": sys.argv,
            "eula": os.environ.get("OMNI_KIT_ACCEPT_EULA"),
            "physics": os.environ.get("CARTPOLE_LAB_PHYSICS"),
            "renderer": os.environ.get("CARTPOLE_LAB_RENDERER"),
        }
        with open(os.environ["STANDIN_RECORD"], "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if os.environ.get("STANDIN_FAILS"):
            raise RuntimeError("no GPU for rendering")
        print("noise that Kit prints while it starts")
        omni.kit.app.running = True

    def update(self) -> None:
        """Nothing to update."""

    def close(self, **_: object) -> None:
        """Nothing to close."""


SimulationApp = None if os.environ.get("STANDIN_KERNEL_ONLY") else _SimulationApp
