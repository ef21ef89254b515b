"""Pages that are made from other things: run times, the command reference, the API reference, pictures of exercises."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import nbformat

from . import paths
from .api_reference import api_pages
from .command_reference import commands_page
from .exercises import tags_of
from .gallery import stage_gallery
from .mdp_terms import terms_page
from .notebooks import NotebookRun
from .package_map import package_map, shortcuts_table
from .stage import Staging, without_missing


def stage_generated(staging: Staging, runs: Sequence[NotebookRun]) -> None:
    """Write the generated pages into the staging folder."""
    staging.write("book/run_times.md", run_times_page(runs))
    staging.write("book/commands.md", commands_page())
    for name, text in api_pages(paths.PACKAGE).items():
        staging.write(f"book/{name}.md", without_missing(text, {run.name for run in runs}))
    stage_gallery(staging, runs)
    staging.write("book/package_map.txt", package_map(paths.PACKAGE))
    staging.write("book/shortcuts.txt", shortcuts_table())
    staging.write("book/mdp_terms.md", without_missing(terms_page(), {run.name for run in runs}))


def run_times_page(runs: Sequence[NotebookRun]) -> str:
    """How long each lesson ran when the book was built, and on what."""
    lines = [
        "# Run times",
        "",
        "Each lesson of this book was run from top to bottom, in a fresh process, when the book was built. The times",
        "include starting the kernel and Isaac Lab. The very first run on a machine is slower, by half a minute to a",
        "minute: Warp compiles its kernels then, and keeps them.",
        "",
        "| Lesson | Seconds | Finished (UTC) |",
        "| --- | ---: | --- |",
    ]
    for run in runs:
        title = lesson_title(run.name)
        lines.append(f"| [{title}](../notebooks/{run.name}.ipynb) | {run.seconds:.1f} | {run.finished} |")
    if runs:
        total = sum(run.seconds for run in runs)
        lines += [f"| **All {len(runs)}** | **{total:.0f}** | |", ""]
        lines += ["The machine:", ""] + [f"- {machine}" for machine in sorted({run.machine for run in runs})]
    return "\n".join([*lines, ""])


def lesson_title(name: str) -> str:
    """The heading of a lesson, such as ``3 · Resets, rewards, terminations``."""
    notebook = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return name


def write_exercise_figures(runs: Sequence[NotebookRun]) -> None:
    """Save the picture of each ``expected`` cell to ``book/figures/exercise_LL_K.png``, for readers in JupyterLab."""
    for run in runs:
        exercise = 0
        for cell in nbformat.read(run.executed, as_version=4).cells:
            exercise += "exercise" in tags_of(cell)
            pictures = [o["data"]["image/png"] for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
            if "expected" in tags_of(cell) and pictures:
                path = paths.BOOK / "figures" / f"exercise_{run.name[:2]}_{exercise}.png"
                path.write_bytes(base64.b64decode(pictures[0]))
                print(f"wrote {path.relative_to(paths.ROOT)}")
