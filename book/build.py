"""Build the book: ``python book/build.py``. The result is ``_build/html/index.html``.

It runs each lesson (papermill, a fresh process each), makes the film of the front page, fetches the pages' scripts,
generates the reference pages and has Jupyter Book render it all, with every warning an error. What did not change is
not run again. Exit status 0 means a complete book without a warning, in which every statement holds.

``--seed 2 --threads 2`` builds the book of another run: its numbers differ, its sentences must hold.
``CARTPOLE_BOOK_OUTPUT=FOLDER`` builds elsewhere, so that two books can be laid side by side.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bookbuild.isolation import isolate

if __name__ == "__main__":
    isolate()  # before the first import of something that another Python may have too
    if "--work" in sys.argv:  # bookbuild.paths reads both when it is imported
        _root = Path(__file__).resolve().parents[1]
        os.environ.setdefault("CARTPOLE_BOOK_NOTEBOOKS", os.environ.get("CARTPOLE_BOOK_WORK") or str(_root / "work"))
        os.environ.setdefault("CARTPOLE_BOOK_OUTPUT", str(_root / "_build" / "work"))

from bookbuild import generated, paths, showcase
from bookbuild.locks import turn
from bookbuild.stage import (
    Staging,
    clear,
    downloadable_notebooks,
    stage_notebooks,
    stage_sources,
    stage_toc,
    tidy_pages,
)
from bookbuild.vendor import IntegrityError, NoNetworkError, vendor_scripts
from run_notebooks import run_lessons


def main(argv: Sequence[str] | None = None) -> int:
    """Build; exit status 1 when a lesson failed or the rendering gave a warning, 2 when something has to be mended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="run only lessons whose name starts so (a draft)")
    parser.add_argument("--test", action="store_true", help="the tests' small parameters: quick, plots less smooth")
    parser.add_argument("--no-lessons", action="store_true", help="render the pages without the lessons (a draft)")
    parser.add_argument("--no-film", action="store_true", help="leave the front page's film out (a draft)")
    parser.add_argument("--stale", action="store_true", help="take stored results, old or not (a draft, for prose)")
    parser.add_argument("--jobs", type=int, default=1, help="lessons that run at a time (default: 1)")
    parser.add_argument("--fresh", action="store_true", help="forget every stored result first")
    parser.add_argument("--refresh-figures", action="store_true", help="write the exercises' pictures to book/figures")
    parser.add_argument("--online-scripts", action="store_true", help="let the pages load their scripts from servers")
    parser.add_argument("--seed", type=int, help="of every lesson that has one, instead of its own")
    parser.add_argument("--threads", type=int, help="of PyTorch, in every lesson that says how many")
    parser.add_argument("--work", action="store_true", help="from your copies in work/, to _build/work/_build/html")
    args = parser.parse_args(argv)
    if args.work and not paths.lesson_paths():
        parser.error(f"there are no lessons in {paths.NOTEBOOKS}: make lab puts your copies there")
    try:
        with turn(paths.BUILD / "build.lock", f"building into {paths.BUILD}"):
            return build(args)
    except (IntegrityError, NoNetworkError) as error:
        print(f"the book: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; lessons that ended are kept, so the next build goes on from there", file=sys.stderr)
        return 130


def build(args: argparse.Namespace) -> int:
    """The steps of the build, in order; its exit status."""
    start = time.perf_counter()
    if args.fresh:
        for folder in (paths.CACHE, paths.STAGING, paths.HTML, paths.BUILD / ".doctrees"):
            clear(folder)

    local_scripts = vendor_scripts(online=args.online_scripts)
    if args.online_scripts:
        os.environ["CARTPOLE_BOOK_ONLINE_SCRIPTS"] = "1"  # for the part of Sphinx that puts them on the pages
    staging = Staging()
    film = None if args.no_film else showcase.make_showcase(stale=args.stale)
    showcase.stage_showcase(staging, film, playground=local_scripts)

    lessons = [] if args.no_lessons else paths.lesson_paths()
    if args.only is not None:
        lessons = [p for p in lessons if any(p.stem.startswith(name) for name in args.only)]
    everywhere = {n: v for n, v in (("seed", args.seed), ("threads", args.threads)) if v is not None}
    how = {"test": args.test, "stale": args.stale, "jobs": args.jobs, "everywhere": everywhere}
    runs = run_lessons(lessons, exercises=not args.work, **how)
    good = [run for run in runs if not run.problems]
    stage_sources(staging, [run.name for run in good])
    stage_notebooks(staging, good)
    if args.refresh_figures:
        generated.write_exercise_figures(good)
    generated.stage_generated(staging, good)
    missing = stage_toc(staging)
    staging.finish()
    if missing:
        print(f"left out, because not there: {', '.join(missing)}")

    status = render()
    tidy_pages(paths.HTML)
    downloadable_notebooks(paths.HTML)
    failed = [run.name for run in runs if run.problems]
    print(f"\n{len(good)} lessons, {len(list(paths.HTML.rglob('*.html')))} pages, {time.perf_counter() - start:.0f} s")
    if failed:
        print(f"failed lessons: {', '.join(failed)} (see above)")
    if status:
        print("the rendering gave warnings or errors (see above)")
    if not failed and not status:
        print(f"open {paths.HTML / 'index.html'}" + ("" if local_scripts else " (needs a network)"))
    return 1 if failed or status else 0


def render() -> int:
    """Have Jupyter Book render the staging folder; its exit status."""
    # The script, not the module: 'python -m jupyter_book.cli.main' exits 0 without doing anything.
    script = shutil.which("jupyter-book", path=str(Path(sys.executable).parent)) or shutil.which("jupyter-book")
    if script is None:
        print("jupyter-book is not installed; 'make book' installs it")
        return 1
    command = [script, "build", str(paths.STAGING), "--path-output", str(paths.OUTPUT), "--config", str(paths.CONFIG)]
    command += ["--toc", str(paths.STAGING / "_toc.yml"), "-W", "--keep-going", "-q"]
    return subprocess.run(command, cwd=paths.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
