"""Run lessons: ``python book/run_notebooks.py [--test] [--no-cache] [NAME…]``.

The build of the book and the tests run the lessons with the same code.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bookbuild.isolation import isolate

if __name__ == "__main__":
    isolate()  # before the first import of something that another Python may have too

import nbformat
from bookbuild import paths
from bookbuild.digest import package_digest
from bookbuild.notebooks import NotebookRun, load_parameters, parameter_names, run_notebook
from bookbuild.slow_cells import broken_promises


def run_lessons(
    sources: Sequence[Path],
    *,
    test: bool = False,
    cache: bool = True,
    stale: bool = False,
    jobs: int = 1,
    exercises: bool = True,
    everywhere: Mapping[str, int] | None = None,
) -> list[NotebookRun]:
    """Run lessons and print a line about each.

    Args:
        sources: The notebooks.
        test: Take the small parameters of the tests instead of the lessons' own.
        cache: Use and store results by the hash of notebook, package and parameters.
        stale: Take the newest stored result of each, old or not, and run only what has none (for drafts).
        jobs: Lessons that run at a time. More than one is quicker in all, and the times that lessons print are longer.
        exercises: Stubs have to fail their checks and solutions to pass them; False for a learner's copies.
        everywhere: Values for the parameters of these names in all lessons that have them, such as ``seed``.

    Returns:
        One run a notebook, failed ones included, in the order of ``sources``.
    """
    parameters = load_parameters(paths.TEST_PARAMETERS) if test else {}
    package = package_digest() if cache else None
    # The lessons' statements are about the book's runs; the tests' are too small for some.
    options = {"package": package, "stale": stale, "claims": not test and exercises, "exercises": exercises}
    calls = []
    for path in sources:
        known = parameter_names(path) if everywhere else []
        changed = {name: value for name, value in (everywhere or {}).items() if name in known}
        calls.append(partial(run_notebook, path, {**parameters.get(path.stem, {}), **changed}, **options))
    runs: list[NotebookRun] = []
    if jobs <= 1:
        for number, call in enumerate(calls, start=1):
            print(f"[{number:2d}/{len(sources)}] {sources[number - 1].stem} …", flush=True)
            runs.append(call())
            _report(runs[-1])
        return runs
    # Fresh processes, not threads: each sets the environment of its kernel.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_leave_stopping_to_us) as pool:
        print(f"{len(sources)} lessons, {jobs} at a time …", flush=True)
        try:
            for future in [pool.submit(call) for call in calls]:
                runs.append(future.result())
                _report(runs[-1])
        except KeyboardInterrupt:
            for process in list(pool._processes.values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return runs


def _leave_stopping_to_us() -> None:
    """Ctrl-C reaches every process of the terminal; one of them says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _report(run: NotebookRun) -> None:
    """A line about a run, and one for each thing that went wrong."""
    state = "failed" if run.problems else "unchanged" if run.cached else "ok"
    print(f"        {run.name}: {state}, {run.seconds:.1f} s" + (" when it last ran" if run.cached else ""), flush=True)
    for problem in run.problems:
        print(f"        {run.name}: {problem}", flush=True)
    for noise in run.noise:
        print(f"        {run.name}: note: {noise}", flush=True)
    for slow in broken_promises(nbformat.read(run.executed, as_version=4)) if Path(run.executed).is_file() else []:
        print(f"        {run.name}: note: {slow}", flush=True)
    if run.problems:
        print(f"        the executed notebook is kept: {run.executed}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named lessons, or all; exit status 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="lessons, by the start of their file name; all when none is given")
    parser.add_argument("--test", action="store_true", help="the small parameters of the tests")
    parser.add_argument("--no-cache", action="store_true", help="run in any case")
    parser.add_argument("--jobs", type=int, default=1, help="lessons that run at a time (default: 1)")
    parser.add_argument("--keep", type=Path, help="copy the executed notebooks to this folder")
    args = parser.parse_args(argv)
    sources = [p for p in paths.lesson_paths() if not args.names or any(p.stem.startswith(n) for n in args.names)]
    if not sources:
        parser.error(f"no lesson starts with {' or '.join(args.names)}" if args.names else "there are no lessons yet")
    try:
        runs = run_lessons(sources, test=args.test, cache=not args.no_cache, jobs=args.jobs)
    except KeyboardInterrupt:
        print("\nstopped; lessons that ended are kept", file=sys.stderr)
        return 130
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        for run in runs:
            if Path(run.executed).is_file():
                shutil.copyfile(run.executed, args.keep / Path(run.executed).name)
    noisy = args.test and any(run.noise for run in runs)
    return 1 if noisy or any(run.problems for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
