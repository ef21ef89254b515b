"""``cartpole-lab play``."""

from __future__ import annotations

import argparse

from cartpole_lab.cli._common import add_checkpoint, add_task, film, named, show

HELP = "film a checkpoint"
TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_task(parser)
    add_checkpoint(parser)
    parser.add_argument("--num_envs", type=int, default=9, help="carts in the picture (default: 9)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the film (default: 10)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the start states (default: 7)")
    parser.add_argument(
        "--out", help="mp4 to write (default: below videos/play in the run's folder, named after the checkpoint)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file that --out names")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Film a checkpoint."""
    what = named(args, overrides)
    shot = film(
        what.checkpoint,
        task_or_cfg=what.task_or_cfg,
        device=args.device,
        overrides=overrides,
        out=args.out,
        force=args.force,
        seconds=args.seconds,
        num_envs=args.num_envs,
        seed=args.seed,
    )
    show([("film", shot), ("poster", shot.with_suffix(".png")), *what.rows("played")], width=16)
    return 0
