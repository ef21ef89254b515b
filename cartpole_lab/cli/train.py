"""``cartpole-lab train``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cartpole_lab import shortcuts
from cartpole_lab.cli._common import film, process_start, short, show
from cartpole_lab.training.distributed import launched, rank, started_by_torchrun
from cartpole_lab.training.option_checks import check_options
from cartpole_lab.training.options import TrainOptions, add_flags, from_args

if TYPE_CHECKING:
    from cartpole_lab.training.training_run import TrainingRun

HELP = "train a policy, evaluate it, and film it with --film"
TAKES_OVERRIDES = True
"""Whether overrides such as ``physics=ovphysx`` may follow the flags."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags: one for each field of :class:`TrainOptions`, and what comes after the training."""
    add_flags(parser, TrainOptions, groups={"launcher": "handed to Isaac Lab's launcher"})
    parser.add_argument("--film", action="store_true", help="film the trained policy afterwards")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Train, print the verdict and where everything lies."""
    options: TrainOptions = from_args(TrainOptions, args, overrides=overrides)
    if options.distributed and not started_by_torchrun():
        with shortcuts.imports():
            from cartpole_lab.cli.launching import launch

            return launch(check_options(options), ["--film"] if args.film else [])
    if launched() or not options.distributed:  # else each process has yet to learn which GPU is its own
        shortcuts.gpu(options.device, overrides)
    with shortcuts.imports():
        from cartpole_lab.training.rl_games_train import train

    done = train(options=options, started=process_start())
    if rank() == 0:
        _show(done, _film(options, done.checkpoint) if args.film else None)
    return _verdict(done, options)


def _show(done: TrainingRun, shot: Path | None) -> None:
    print(f"\n{done.evaluation.table()}\n")
    times = f"{done.processes} × " if done.processes > 1 else ""
    rows = [
        ("epochs", f"{done.epochs} of {times}{done.num_envs} environments, {done.env_steps / 1e6:.2f} million steps"),
        ("training", f"{done.wall_s_train:.1f} s; from start to evaluated policy {done.wall_s_total:.1f} s"),
        *([("solved", f"{done.solved_s:.1f} s after the start, said an evaluation")] if done.solved_s else []),
        ("checkpoint", done.checkpoint),
        ("curve", done.log_dir / "curve.png"),
        ("numbers", done.log_dir / "summary.json"),
        *([("film", shot)] if shot else []),
    ]
    show(rows)


def _verdict(done: TrainingRun, options: TrainOptions) -> int:
    """Exit code, and what to do next where it is not 0."""
    if done.stopped:
        print(f"\nstopped by {done.stopped}: go on with --checkpoint {short(done.log_dir)}", file=sys.stderr)
        return 128 + signal.Signals[done.stopped]
    if done.evaluation.nan_share:
        print("\nthe policy's episodes hold what is not a number: see above", file=sys.stderr)
        return 1
    if options.stop_when_solved and not done.solved:
        print("\nnot solved: train longer with --max_iterations, or look at the curve", file=sys.stderr)
        return 1
    return 0


def _film(options: TrainOptions, path: Path) -> Path:
    from cartpole_lab.policies.checkpoint import open_checkpoint

    return film(open_checkpoint(path), device=options.device, seconds=5.0, num_envs=9)  # one episode
