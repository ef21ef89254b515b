"""Which pinned packages have a wheel where: ``python .ci/platforms.py``, or ``make platforms``.

Asks uv to resolve the lock file for each system, without installing anything and without building from source, and
writes ``book/measured/platforms.json``. It needs a package index; the tests only hold the result against the lock file,
the set-up page and the installed wheels.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "book" / "measured" / "platforms.json"
SYSTEMS = {
    "Linux, x86-64, glibc 2.35 or newer": "x86_64-manylinux_2_35",
    "Linux, x86-64, glibc 2.34": "x86_64-manylinux_2_34",
    "Linux, ARM, glibc 2.39": "aarch64-manylinux_2_39",
    "Windows, x86-64": "x86_64-pc-windows-msvc",
    "macOS 13 or newer, Apple silicon": "aarch64-apple-darwin",
    "macOS 13 or newer, Intel": "x86_64-apple-darwin",
}


def pins() -> list[str]:
    """The lines of the lock file that name a package, without hashes."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line.rstrip(" \\") for line in lines if re.match(r"[A-Za-z0-9]", line)]


def pins_hash() -> str:
    """What the record was made from."""
    return hashlib.sha256("\n".join(pins()).encode()).hexdigest()


def without_wheel(platform: str) -> tuple[int, list[str]]:
    """Resolve for a platform, leaving out one package after the other that has no wheel there.

    Returns:
        How many packages have one, and the names of those that do not.

    Raises:
        RuntimeError: uv failed for another reason, such as no network.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "in.txt")
        while True:
            kept = [line for line in pins() if re.split(r"==| ;", line)[0] not in missing]
            wanted.write_text("\n".join(kept), encoding="utf-8")
            command = [uv, "pip", "compile", "--quiet", "--no-deps", "--no-build", "--no-header", "--no-annotate"]
            command += ["--python-version", "3.12", "--python-platform", platform, str(wanted)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return sum("==" in line for line in done.stdout.splitlines()), sorted(missing)
            text = " ".join(done.stderr.split())
            found = re.search(r"Because ([A-Za-z0-9._-]+)(?:\{[^}]*\})?==\S+ has no (?:usable )?wheels", text)
            if found is None or found[1] in missing:
                raise RuntimeError(f"uv could not resolve for {platform}: {text[:300]}")
            missing.append(found[1])


def main() -> int:
    """Write the record; exit status 2 where uv cannot ask an index."""
    record = {"date": datetime.date.today().isoformat(), "pins": pins_hash(), "python": "3.12", "systems": {}}
    try:
        for name, platform in SYSTEMS.items():
            wheels, missing = without_wheel(platform)
            record["systems"][name] = {"platform": platform, "wheels": wheels, "without_wheel": missing}
            print(f"{name}: {wheels} with a wheel, without: {', '.join(missing) or 'none'}", flush=True)
    except RuntimeError as error:
        print(f"make platforms: error: {error}", file=sys.stderr)
        return 2
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
