"""What the front page shows: a film of a policy trained and evaluated here, and a playground with that policy.

Both are kept by the hash of what they were made from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import paths
from .digest import package_digest
from .isolation import kernel_environment
from .locks import turn
from .stage import Staging

_SCRIPT = paths.BOOK / "film.py"


def make_showcase(*, stale: bool = False) -> Path | None:
    """Train and film in a fresh process, or take the stored film.

    Args:
        stale: Take a stored film whatever it was made from, if there is one (for drafts).

    Returns:
        The folder that ``film.py`` filled; None when it failed, which is printed.
    """
    with turn(paths.CACHE / "showcase.lock", "filming for the front page"):
        return _film_or_take(stale)


def _film_or_take(stale: bool) -> Path | None:
    key = hashlib.sha256((package_digest() + _SCRIPT.read_text(encoding="utf-8")).encode()).hexdigest()[:20]
    folder = paths.CACHE / f"showcase-{key}"
    if stale:
        folder = next((path.parent for path in paths.CACHE.glob("showcase-*/epochs.json")), folder)
    if _complete(folder):
        return folder
    print("training and filming a policy for the front page …", flush=True)
    for old in paths.CACHE.glob("showcase-*"):
        shutil.rmtree(old)
    folder.mkdir(parents=True)
    with (folder / "film.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, str(_SCRIPT), str(folder)]
        status = subprocess.run(command, env=kernel_environment(folder), stdout=log, stderr=log, check=False)
    if status.returncode == 0 and _complete(folder):
        return folder
    tail = (folder / "film.log").read_text(encoding="utf-8").strip().splitlines()[-3:]
    print("no film for the front page: " + " | ".join(tail), flush=True)
    return None


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("result.json", "epochs.json"))


def stage_showcase(staging: Staging, folder: Path | None, *, playground: bool) -> None:
    """Write the front page's film, the paragraph about it and the playground, which the page includes.

    Args:
        staging: Takes the files.
        folder: What :func:`make_showcase` returned; without a film these parts of the page are empty.
        playground: Whether the scripts that bring a widget to life are at hand.
    """
    if folder is None:
        staging.write("book/generated/film.txt", "")
        staging.write("book/generated/playground.txt", "")
        return
    epochs = json.loads((folder / "epochs.json").read_text(encoding="utf-8"))
    staging.write("book/generated/playground.txt", playground_text(epochs) if playground else "")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    staging.write("book/generated/showcase.mp4", (folder / "showcase.mp4").read_bytes())
    staging.write("book/generated/showcase.png", (folder / "showcase.png").read_bytes())
    staging.write("book/generated/preview.png", preview_picture(folder / "showcase.png"))
    staging.write("book/generated/film.txt", film_text(result))


def preview_picture(poster: Path) -> bytes:
    """The film's first picture with the book's name, in the size that links are shown in: 1200 x 630 pixels, PNG."""
    import io

    import matplotlib.image
    from matplotlib.figure import Figure

    picture = matplotlib.image.imread(poster)
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#10161c")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    tall, wide = picture.shape[:2]
    axes.imshow(picture, aspect="auto")
    axes.set(xlim=(0, wide), ylim=(min(tall, wide * 630 / 1200), 0))
    title = {"color": "white", "ha": "left", "va": "bottom", "transform": axes.transAxes}
    box = {"facecolor": "#10161c", "edgecolor": "none", "alpha": 0.75, "pad": 14}
    axes.text(0.03, 0.05, "Cart-pole with Isaac Lab", fontsize=44, fontweight="bold", bbox=box, **title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def film_text(result: dict[str, Any]) -> str:
    """The player and its caption, which says what the film is and what the policy in it reached."""
    share = 100 * result["timeout_share"]
    caption = (
        f"Made while this book was built: {result['env_steps']:,} environment steps of rl-games training, "
        f"{result['seconds']:.0f} s on {result['machine']}. Over 1024 fresh episodes this policy returns "
        f"{result['mean_return']:.2f} of at most 5.00 and keeps {share:.1f}% of the poles up to the end."
    )
    return (
        "```{film} generated/showcase.mp4\n:poster: generated/showcase.png\n"
        ":alt: Several carts on their rails balance their poles\n```\n\n"
        f"```{{div}} film-caption\n{caption}\n```\n"
    )


def playground_text(epochs: dict[str, Any]) -> str:
    """A section with the playground as a live widget, driven by the film's policy or by the reader.

    Args:
        epochs: Exported weights by epoch of the training.
    """
    from ipywidgets.embed import embed_data

    from cartpole_lab.teaching.widgets import Playground

    widget = Playground({"the policy of the film": {int(epoch): weights for epoch, weights in epochs.items()}})
    data = embed_data(views=[widget], drop_defaults=False)
    widget.close()
    state, view = (json.dumps(part).replace("</", "<\\/") for part in (data["manager_state"], data["view_specs"][0]))
    return (
        "## Push it\n\n"
        "The policy of the film, in your browser. Push the cart. Set *other carts* to 48 and go back through the\n"
        "epochs of its training. Or choose *you*, a level, and the policy beside you. This is a copy of the physics\n"
        "in JavaScript; everything else in the book ran in Isaac Lab.\n\n"
        f'```{{raw}} html\n<script type="application/vnd.jupyter.widget-state+json">{state}</script>\n'
        f'<div><script type="application/vnd.jupyter.widget-view+json">{view}</script></div>\n'
        '<script defer src="../_static/widgets.js"></script>\n```\n'
    )
