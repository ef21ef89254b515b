"""Writes THIRD_PARTY_NOTICES.md: every package that the lock file names, with the licence that it declares.

With ``--check`` nothing is written; exit code 1 if the file does not fit the lock file.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "THIRD_PARTY_NOTICES.md"
HEAD = """# Third-party notices

No file of another project is part of this repository, except where a file's head says that it derives from Isaac Lab
(BSD-3-Clause, Copyright (c) 2022-2026, The Isaac Lab Project Developers). What is installed beside it comes from the
package registry, each package under its own licence. The table is written by `make notices` from the lock file and from
what the installed packages declare; a package for another platform has no licence here.

The pages of the book load JavaScript that the build fetches from npm: see `book/bookbuild/vendor.json`.

| Package | Version | Licence |
| --- | --- | --- |
"""


def main() -> int:
    """Write or check."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M)
    if "--check" in sys.argv:
        rows = re.findall(r"^\| (\S+) \| (\S+) \|", OUT.read_text(encoding="utf-8"), re.M) if OUT.exists() else []
        if missing := set(pins) - set(rows):
            print(
                f"{OUT.name} does not know {', '.join(map('=='.join, sorted(missing)))}: make notices", file=sys.stderr
            )
        return bool(missing)
    OUT.write_text(HEAD + "".join(f"| {name} | {version} | {licence(name)} |\n" for name, version in pins))
    print(f"{OUT.name}: {len(pins)} packages")
    return 0


def licence(package: str) -> str:
    """What the installed package says of its licence, in a few words."""
    try:
        data = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed on this platform"
    classified = [c.rpartition(" :: ")[2] for c in data.get_all("Classifier", []) if c.startswith("License :: ")]
    declared = (
        data.get("License-Expression") or ", ".join(c for c in classified if c != "OSI Approved") or data.get("License")
    )
    return re.sub(r"\s+", " ", (declared or "see the package").replace("|", "/"))[:80]


if __name__ == "__main__":
    sys.exit(main())
