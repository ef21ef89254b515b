"""``cartpole-lab sweep``."""

from __future__ import annotations

import argparse
import sys

from cartpole_lab.cli._common import short, show
from cartpole_lab.errors import UserError
from cartpole_lab.training.options import TrainOptions, add_flags, from_args
from cartpole_lab.training.sweep.options import NOT_FOR_TRIALS, SweepOptions, check_extra

HELP = "train with many settings and seeds, and rank them; NAME=A,B,C tries values"
TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the task, the flags of the sweep, and those of ``train`` that its trials take."""
    parser.add_argument("task", nargs="?", help="registered task (default: Isaac-Cartpole-v0)")
    parser.add_argument("--task", dest="task_flag", metavar="TASK", help="the same, as a flag")
    add_flags(parser, SweepOptions)
    add_flags(parser, TrainOptions, leave_out=NOT_FOR_TRIALS)


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Run the sweep; print its ranking and where everything lies."""
    check_extra()
    task: str | None = args.task
    if task is not None and "=" in task:
        overrides, task = [task, *overrides], None
    if task and args.task_flag:
        raise UserError(f"task is said twice, {task!r} and --task {args.task_flag!r}: leave one out")
    task = task or args.task_flag
    options: SweepOptions = from_args(SweepOptions, args)
    train: TrainOptions | None = from_args(TrainOptions, args, task=None, log_root=TrainOptions.log_root)
    from cartpole_lab.training.sweep.engine import sweep

    if options.resume is not None and train == TrainOptions():
        train = None
    done = sweep(task, overrides, options, train=train)
    print(f"\n{done}\n")
    rows = [
        ("trials", f"{len(done.table)} of {done.total}, {done.failed} of them without a result"),
        ("table", done.folder / "results.csv"),
        ("report", done.report),
        ("curves", f"tensorboard --logdir {short(done.folder / 'runs')}"),
    ]
    show(rows)
    for name, reason in done.lost.items():
        print(f"\ntrial {name} was given up: {reason}", file=sys.stderr)
    if done.failed or done.unfinished:
        print(f"\nnot every trial has a result: cartpole-lab sweep --resume {done.folder.name}", file=sys.stderr)
        return 1
    return 0
