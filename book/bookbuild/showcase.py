"""The film of the front page: trained, evaluated and filmed here, kept by the hash of what it was made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import paths
from .notebooks import package_digest
from .stage import Staging

_SCRIPT = paths.BOOK / "film.py"


def make_showcase(*, stale: bool = False) -> Path | None:
    """Train and film in a fresh process, or take the stored film.

    Args:
        stale: Take a stored film whatever it was made from, if there is one (for drafts).

    Returns:
        The folder with ``showcase.mp4``, ``showcase.png`` and ``result.json``; None when it failed, which is printed.
    """
    key = hashlib.sha256((package_digest() + _SCRIPT.read_text(encoding="utf-8")).encode()).hexdigest()[:20]
    folder = paths.CACHE / f"showcase-{key}"
    if stale:
        folder = next((path.parent for path in paths.CACHE.glob("showcase-*/result.json")), folder)
    if (folder / "result.json").is_file():
        return folder
    print("training and filming a policy for the front page …", flush=True)
    for old in paths.CACHE.glob("showcase-*"):
        shutil.rmtree(old)
    folder.mkdir(parents=True)
    path = os.pathsep.join(p for p in (str(paths.ROOT), os.environ.get("PYTHONPATH", "")) if p)
    with (folder / "film.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, str(_SCRIPT), str(folder)]
        status = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log, check=False)
    if status.returncode == 0 and (folder / "result.json").is_file():
        return folder
    tail = (folder / "film.log").read_text(encoding="utf-8").strip().splitlines()[-3:]
    print("no film for the front page: " + " | ".join(tail), flush=True)
    return None


def stage_showcase(staging: Staging, folder: Path | None) -> None:
    """Write the front page's film and the paragraph about it, which the page includes."""
    if folder is None:
        staging.write("book/generated/film.txt", "")
        return
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    staging.write("book/generated/showcase.mp4", (folder / "showcase.mp4").read_bytes())
    staging.write("book/generated/showcase.png", (folder / "showcase.png").read_bytes())
    staging.write("book/generated/film.txt", film_text(result))


def film_text(result: dict[str, Any]) -> str:
    """The player and its caption, which says what the film is and what the policy in it reached."""
    share = 100 * result["timeout_share"]
    caption = (
        f"Made while this book was built: {result['env_steps']:,} environment steps of rl-games training, "
        f"{result['seconds']:.0f} s on {result['machine']}. Over 1024 fresh episodes this policy returns "
        f"{result['mean_return']:.2f} of at most 5.00 and keeps {share:.1f} % of the poles up to the end."
    )
    return (
        "```{film} generated/showcase.mp4\n:poster: generated/showcase.png\n"
        ":alt: Several carts on their rails balance their poles\n```\n\n"
        f"```{{div}} film-caption\n{caption}\n```\n"
    )
