"""Puts the stand-in for Isaac Sim where Python finds it, with the distributions that pip would have installed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

STANDIN = Path(__file__).parent / "standin_isaacsim"
PARTS = ("isaacsim-kernel", "isaacsim-core", "isaacsim-extscache-kit", "isaacsim-extscache-kit-sdk")


def install_standin(
    folder: Path, *, without: Sequence[str] = (), accepted: bool = False, version: str = "6.2.0.0"
) -> Path:
    """Copy the stand-in and write the metadata of its distributions.

    Args:
        folder: Where to; belongs on ``sys.path``.
        without: Distributions that are missing.
        accepted: Whether its own file says that the licence is accepted.
    """
    version = "6.2.0.0"
    shutil.copytree(STANDIN, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("isaacsim", *PARTS):
        if name in without:
            continue
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        if name == "isaacsim":
            lines += ["Provides-Extra: all", "Provides-Extra: extscache"]
            lines += [f"Requires-Dist: isaacsim-kernel=={version}"]
            lines += [f'Requires-Dist: isaacsim-core=={version}; extra == "all"']
            lines += [f'Requires-Dist: {part}=={version}; extra == "extscache"' for part in PARTS[2:]]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
    if accepted:
        (folder / "isaacsim" / "kit").mkdir(exist_ok=True)
        (folder / "isaacsim" / "kit" / "EULA_ACCEPTED").write_text("yes\n")
    return folder
