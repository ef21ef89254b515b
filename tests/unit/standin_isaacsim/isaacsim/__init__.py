"""Stands in for Isaac Sim where it cannot be installed: it starts nothing and writes down how it was called."""

import json
import os
import sys


class SimulationApp:
    """Takes Isaac Lab's call in place of Isaac Sim's own class of this name."""

    def __init__(self, launch_config: dict, experience: str = "") -> None:
        import omni.kit.app

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
