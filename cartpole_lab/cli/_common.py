"""What several commands share: flags, the checkpoint that they name, paths as they are printed."""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cartpole_lab import shortcuts
from cartpole_lab.errors import UserError
from cartpole_lab.session.held_output import announce, quietly

if TYPE_CHECKING:
    from cartpole_lab.policies.checkpoint import Checkpoint

LOGS = "logs"
"""Folder below which the runs of all libraries lie."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, and to which a flag is the whole word: ``--seed`` is not ``--seeds``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Print the complaint and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add ``--task`` and ``--device``."""
    parser.add_argument("--task", help="task to act in (default: the one that the checkpoint was trained on)")
    parser.add_argument("--device", help="cpu, cuda or cuda:<index> (default: the GPU if there is one)")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add ``--checkpoint`` and where to look for it."""
    parser.add_argument(
        "--checkpoint",
        default="best",
        help="a file, a run's folder, or latest or best of the newest run (default: best)",
    )
    parser.add_argument("--log_root", default=LOGS, help=f"folder of all runs (default: {LOGS})")
    parser.add_argument("--agent_cfg", help="the agent's settings as YAML, for a file that does not carry them")


@dataclass(frozen=True)
class Named:
    """What a command line names: a checkpoint, what to simulate, and how that differs from its training.

    Attributes:
        checkpoint: The checkpoint, read.
        task_or_cfg: What to simulate: the settings that it was trained with, or another task.
        trained_with: Overrides for the settings of the training.
        now: Overrides for what the command line changes about them.
    """

    checkpoint: Checkpoint
    task_or_cfg: Any
    trained_with: list[str]
    now: list[str]

    def rows(self, verb: str) -> list[tuple[str, str]]:
        """What to print about it."""
        epoch = f", epoch {self.checkpoint.epoch}" if self.checkpoint.epoch is not None else ""
        rows = [
            ("checkpoint", f"{short(self.checkpoint.path)}{epoch}"),
            ("trained with", _pasteable(self.trained_with)),
        ]
        return [*rows, (f"{verb} with", _pasteable(self.now))] if self.now else rows


def _pasteable(words: Iterable[str]) -> str:
    """Words as a shell takes them; what says that there are none is no word of a command."""
    return " ".join(word if word.startswith("(") else shlex.quote(word) for word in words)


def named(args: argparse.Namespace, overrides: list[str]) -> Named:
    """The checkpoint that the command line names; read and checked, so that a wrong one costs no start-up."""
    shortcuts.gpu(args.device, overrides)
    with shortcuts.imports(), quietly():
        from cartpole_lab.policies.checkpoint_lookup import find_checkpoint
        from cartpole_lab.session.configs import configure
        from cartpole_lab.session.env_settings import describe, differences, record
        from cartpole_lab.session.task_lookup import check_task, is_task

        task = check_task(args.task) if args.task else None
        checkpoint = find_checkpoint(
            args.checkpoint, log_root=args.log_root, task=task, agent_cfg=args.agent_cfg, say=announce
        )
        same = task is None or is_task(args.task, checkpoint.env.task)  # a config class of one's own is another
        task_or_cfg = checkpoint.env if same else args.task
        trained, now = [checkpoint.env.task if checkpoint.library != "json" else "(the file does not say)"], []
        with contextlib.suppress(UserError):  # a task of the user's own file, which only --task brings in
            trained += describe(checkpoint.env)
        if overrides or not same:
            cfg = configure(task_or_cfg, device=args.device, overrides=overrides)[1]
            now = differences(checkpoint.env, record(task or checkpoint.env.task, cfg, overrides))
            if not checkpoint.env.values:  # a file that does not say how it was trained
                now += [word for word in overrides if word not in now]
        return Named(checkpoint, task_or_cfg, trained, now)


def film(checkpoint: Checkpoint, *, out: str | None = None, force: bool = False, **shot: Any) -> Path:
    """Film a checkpoint, by default into its run's folder under a name that says which and is free.

    Args:
        checkpoint: What to film.
        out: File to write.
        force: Whether a file that is there may be replaced.
        **shot: Handed to :func:`cartpole_lab.record_video`.
    """
    from cartpole_lab.files import check_target, free_name
    from cartpole_lab.video.film import film_name, record_video

    if out:
        path = check_target(film_name(out), overwrite=force, keep=checkpoint.path)
    else:
        path = free_name(_film_of(checkpoint), ".png")
    return record_video(checkpoint, path, overwrite=force, **shot)


def _film_of(checkpoint: Checkpoint) -> Path:
    """Where the film of a checkpoint goes by default: its name says which one it is, and of which epoch."""
    from cartpole_lab.files import real
    from cartpole_lab.policies.runs import Run

    folder = real(checkpoint.path).parent
    name = re.sub(r"_rew_.*", "", checkpoint.path.stem)  # rl-games' own mean, often -inf, says nothing of a film
    folder = folder.parent if (folder.parent / "run.json").is_file() else folder
    with contextlib.suppress(UserError):  # a checkpoint on its own is none of a run
        best = Run.open(folder).best
        name = "best" if best and real(best.path) == real(checkpoint.path) else name
    if checkpoint.epoch is not None and str(checkpoint.epoch) not in re.findall(r"\d+", name):
        name += f"_epoch_{checkpoint.epoch}"
    return folder / "videos" / "play" / f"{name}.mp4"


def process_start() -> float:
    """When this process began, so that imports count."""
    try:
        import psutil

        start = psutil.Process().create_time()
        if hasattr(time, "CLOCK_BOOTTIME"):  # Linux knows it to 10 ms since boot, but the moment of booting to 1 s only
            # the process may stand still between the two clocks: the largest of some differences is the true one
            booted = max(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) for _ in range(5))
            start += booted - psutil.boot_time()
        return start
    except Exception:  # a convenience: without it the clock starts here
        return time.time()


def show(rows: Iterable[tuple[str, Any]], width: int = 14) -> None:
    """Print rows of a name and a value; paths as seen from here."""
    for name, value in rows:
        print(f"{name:<{width}}{short(value)}")


def short(path: Any) -> str:
    """A path as seen from here, other text as it is."""
    if isinstance(path, Path) and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return str(path)
