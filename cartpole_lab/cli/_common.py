"""What several commands share: flags, the checkpoint that they name, paths as they are printed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NoReturn

from cartpole_lab.errors import UserError
from cartpole_lab.training.options import DEFAULT_TASK, RUNS


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Print the complaint and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add ``--task`` and ``--device``."""
    parser.add_argument("--task", default=DEFAULT_TASK, help=f"registered task (default: {DEFAULT_TASK})")
    parser.add_argument("--device", help="cpu, cuda or cuda:<index> (default: the GPU if there is one)")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add ``--checkpoint``."""
    parser.add_argument(
        "--checkpoint", default="best", help="path, or latest or best of the newest run (default: best)"
    )


def named_checkpoint(args: argparse.Namespace) -> Path:
    """The checkpoint that the command line names; checked, so that a wrong one costs no start-up."""
    from cartpole_lab.policies.from_json import load_weights
    from cartpole_lab.policies.network import read_checkpoint
    from cartpole_lab.session.env import check_task
    from cartpole_lab.training.run_folder import find_checkpoint

    folders = sorted(p for p in Path(RUNS).glob("*") if p.is_dir()) or [Path(RUNS)]
    check_task(args.task)
    errors: list[UserError] = []
    for folder in folders:
        try:
            path = find_checkpoint(args.checkpoint, task=args.task, folder=folder)
            break
        except UserError as error:
            errors.append(error)
    else:
        raise errors[-1]
    if path.suffix == ".json":
        load_weights(path)
    elif path.suffix not in (".pt", ".zip") or not path.is_file():
        read_checkpoint(path)
    return path


def film(
    checkpoint: Path,
    *,
    task: str,
    device: str | None,
    words: list[str],
    out: str | None = None,
    seconds: float = 5.0,
    num_envs: int = 9,
    seed: int = 7,
) -> Path:
    """Film a checkpoint, by default into its run's folder; after a training one episode."""
    from cartpole_lab.video.rollout import record_video

    return record_video(
        checkpoint,
        Path(out) if out else checkpoint.resolve().parent.parent / "videos" / "play" / "film.mp4",
        task_or_cfg=task,
        seconds=seconds,
        num_envs=num_envs,
        seed=seed,
        device=device,
        overrides=[word for word in words if not word.startswith("agent.")],
    )


def process_start() -> float:
    """When this process began, so that imports count."""
    try:
        import psutil

        start = psutil.Process().create_time()
        if hasattr(time, "CLOCK_BOOTTIME"):  # Linux knows it to 10 ms since boot, but the moment of booting to 1 s only
            start += time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) - psutil.boot_time()
        return start
    except Exception:  # a convenience: without it the clock starts here
        return time.time()


def short(path: Any) -> str:
    """A path as seen from here, other text as it is."""
    if isinstance(path, Path) and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return str(path)
