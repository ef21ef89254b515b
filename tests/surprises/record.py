"""The recorded run in ``book/measured/surprises.json``: what was seen, by which versions, where and when."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.surprises.entries import ENTRIES

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "book" / "measured" / "surprises.json"


def read() -> dict[str, Any]:
    """The record; empty if there is none yet."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {"entries": {}}


def write(found: dict[str, dict[str, Any]], *, keep: bool = False) -> None:
    """Write what a run saw; with ``keep``, entries that did not run keep what was recorded."""
    sys.path.insert(0, str(ROOT / "book"))
    from bookbuild.machine import describe_machine

    before = read()["entries"] if keep else {}
    found = {name: {k: v for k, v in entry.items() if k != "error"} for name, entry in found.items()}
    entries = {name: found.get(name) or before[name] for name in ENTRIES if name in found or name in before}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    record = {"machine": describe_machine(), "commit": commit.strip(), "entries": entries}
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def differences(recorded: dict[str, Any], values: dict[str, Any], close: float) -> list[str]:
    """Values that a run has otherwise than the record; numbers may be ``close`` apart, as a share of the larger."""
    found = []
    for name in sorted(recorded.keys() | values.keys()):
        old, new = recorded.get(name), values.get(name)
        if isinstance(old, float) or isinstance(new, float):
            alike = None not in (old, new) and math.isclose(old, new, rel_tol=close, abs_tol=1e-6)
        else:
            alike = old == new
        if not alike:
            found.append(f"{name}: recorded {old!r}, now {new!r}")
    return found
