"""Run the checks of all worlds, a process each: engines cannot share one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.surprises.entries import ENTRIES, WORLDS, Surprise

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1500
"""Seconds that a world may take; on two quiet cores all of them together take a tenth of it."""


def run_all(names: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """What every check saw and whether it is as the page says, in the order of the entries.

    Args:
        names: Entries to run; all if there are none.
    """
    chosen = [entry for entry in ENTRIES.values() if not names or entry.name in names]
    worlds = [world for world in WORLDS if any(world in entry.worlds() for entry in chosen)]
    with tempfile.TemporaryDirectory() as folder:
        running = [start(world, Path(folder), names) for world in worlds]
        try:
            parts = {world: finish(*started) for world, started in zip(worlds, running, strict=True)}
        finally:
            for process, _, _ in running:
                if process.poll() is None:
                    process.kill()
                process.wait()
    return {entry.name: together(entry, parts) for entry in chosen}


def start(world: str, folder: Path, names: tuple[str, ...]) -> tuple[subprocess.Popen, Path, Path]:
    """The process of a world, the file that it writes and what it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CARTPOLE_LAB_SPEED": "off", "PYTHONHASHSEED": "0"}
    out, log = folder / f"{world}.json", folder / f"{world}.txt"
    command = [sys.executable, "-m", "tests.surprises.worker", world, str(out), *names]
    with log.open("w") as file:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file), out, log


def finish(process: subprocess.Popen, out: Path, log: Path) -> tuple[dict[str, Any], str]:
    """What a process wrote, and how it ended."""
    code = process.wait(timeout=LIMIT)
    seen = json.loads(out.read_text()) if out.is_file() else {}
    return seen, f"the process ended with {code}:\n{log.read_text(errors='replace')[-3000:]}"


def together(entry: Surprise, parts: dict[str, tuple[dict[str, Any], str]]) -> dict[str, Any]:
    """One entry's results of all worlds that it ran in."""
    found: dict[str, Any] = {"holds": False, "values": {}, "places": [], "versions": entry.versions(), "cpu_s": 0.0}
    for world in entry.worlds():
        seen, end = parts[world]
        part = seen.get(entry.name, {"error": end})
        if "error" in part:
            return {**found, "values": {}, "error": part["error"]}
        found["values"] |= part["values"]
        found["places"] = part["places"]
        found["cpu_s"] = round(found["cpu_s"] + part["cpu_s"], 2)
    return {**found, "holds": bool(entry.holds(found["values"]))}
