"""Run the checks of one world in this process, and write what they saw.

    python -m tests.surprises.worker newton OUT.json [NAME …]

A check that raises is written down as such and does not keep the others from running.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.surprises import entries


def seen(entry: entries.Surprise, world: str) -> dict[str, Any]:
    """What one check saw, and where the reasons stand."""
    start = time.process_time()
    try:
        found = {"values": entry.seen_in(world), "places": [place.find() for place in entry.places]}
    except Exception:
        found = {"values": {}, "places": [], "error": traceback.format_exc()}
    return {**found, "versions": entry.versions(), "cpu_s": round(time.process_time() - start, 2)}


def main(world: str, out: str, *names: str) -> None:
    """Run the checks of a world, or those of the names."""
    chosen = [e for e in entries.ENTRIES.values() if world in e.worlds() and (not names or e.name in names)]
    results: dict[str, Any] = {}
    for entry in chosen:
        results[entry.name] = seen(entry, world)
        Path(out).write_text(json.dumps(results, indent=1))  # what there is, should a later check end the process
    if world != "plain":
        from tests.surprises.isaac_lab import close

        close()


if __name__ == "__main__":
    main(*sys.argv[1:])
