"""From what a user calls a checkpoint to the checkpoint: a word over runs, a file, the folder of a run.

Which policy of a training is the best is decided while it trains, in ``training/best_policy.py``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path

from cartpole_lab.errors import UserError
from cartpole_lab.policies.checkpoint import Checkpoint, open_checkpoint
from cartpole_lab.policies.runs import Run, to_stderr

SELECTORS = ("best", "latest")


def find_runs(
    log_root: str | Path, *, task: str | None = None, agent: str | None = None, library: str | None = None
) -> list[Run]:
    """All runs below a folder, the newest first.

    Args:
        log_root: The folder; runs may lie a few folders deep.
        task, agent, library: What the run must have trained; None for any.
    """
    runs = []
    for log_dir in _folders(Path(log_root)):
        try:
            run = Run.open(log_dir)
        except UserError:
            continue
        if task in (None, run.task) and agent in (None, run.agent) and library in (None, run.library):
            runs.append(run)
    return sorted(runs, key=lambda run: (run.created_at, run.log_dir.name), reverse=True)


def find_checkpoint(
    which: str | Path,
    *,
    log_root: str | Path,
    task: str | None = None,
    agent: str | None = None,
    library: str | None = None,
    agent_cfg: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Checkpoint:
    """Read the checkpoint that a word or a path names.

    Args:
        which: ``"best"`` or ``"latest"`` of the newest run, a file, or the folder of a run, which stands for its best.
        log_root: Folder that holds the runs.
        task, agent, library: What the run must have trained; None for any. A path is not held against them.
        agent_cfg: The agent's settings as YAML, for a file that doesn't carry them.
        say: Called with a line where another checkpoint is taken than the word names; by default it goes to stderr.

    Raises:
        UserError: There is none that can be read.
    """
    if str(which) not in SELECTORS:
        near = difflib.get_close_matches(str(which).lower(), SELECTORS, n=1, cutoff=0.7)
        if near and not Path(which).exists():
            raise UserError(f"checkpoint {str(which)!r} is neither a file nor a folder: did you mean {near[0]}?")
        return open_any(which, agent_cfg=agent_cfg, task=task, say=say)
    if agent_cfg is not None:
        raise UserError(f"agent_cfg says what a file means that does not say so itself: name that file, not {which}")
    say = say or to_stderr
    runs = find_runs(log_root, task=task, agent=agent, library=library)
    for run in runs:
        if not run.checkpoints:
            if len(runs) > 1:
                say(f"run {run.log_dir.name} has no checkpoint: looking at an older one")
            continue
        try:
            return run.load(str(which), say=say)
        except UserError as error:
            say(f"{error}: looking at an older run")
    of = f" of {task}" if task else ""
    by = f" by {agent}" if agent else ""
    raise UserError(
        f"no {which} checkpoint{of}{by} in {str(log_root)!r}: run `cartpole-lab train` first, name the folder of the "
        "runs with --log_root, or give a path"
    )


def open_any(
    path: str | Path | Checkpoint | Run,
    *,
    agent_cfg: str | Path | None = None,
    task: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Checkpoint:
    """Read a checkpoint from its file, or the best one of a run from its folder.

    Raises:
        UserError: It is neither, or can't be read.
    """
    if isinstance(path, Checkpoint):
        return path
    if isinstance(path, Run):
        return path.load("best", say=say)
    if Path(path).is_dir():
        if agent_cfg is not None:
            raise UserError(f"agent_cfg says what a file means, and {str(path)!r} is a folder: name the file in it")
        return Run.open(path).load("best", say=say)
    return open_checkpoint(path, agent_cfg=agent_cfg, task=task)


def _folders(root: Path, depth: int = 3) -> Iterator[Path]:
    """Folders below a root that hold a ``run.json``, the root too; what cannot be looked into is passed by."""
    try:
        if (root / "run.json").is_file():
            yield root
        elif depth:
            for folder in root.iterdir():
                if folder.is_dir() and not folder.is_symlink():
                    yield from _folders(folder, depth - 1)
    except OSError:
        return
