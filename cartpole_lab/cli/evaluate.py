"""``cartpole-lab evaluate``."""

from __future__ import annotations

import argparse
import json

from cartpole_lab.cli._common import add_checkpoint, add_task, named, show

HELP = "measure a checkpoint over fresh episodes"
TAKES_OVERRIDES = True
PRINTS_RESULT = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_task(parser)
    add_checkpoint(parser)
    parser.add_argument("--episodes", type=int, help="episodes to play (default: 1024)")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the start states (default: 1000)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Measure a checkpoint and print the verdict. The exit code is 1 if an episode held what is not a number."""
    from cartpole_lab.evaluation import EPISODES, evaluate
    from cartpole_lab.session.configs import check_num_envs

    episodes = EPISODES if args.episodes is None else check_num_envs(args.episodes, "episodes")
    what = named(args, overrides)
    result = evaluate(
        what.checkpoint,
        task_or_cfg=what.task_or_cfg,
        episodes=episodes,
        seed=args.seed,
        device=args.device,
        overrides=overrides,
    )
    if args.json:
        head = {"checkpoint": str(what.checkpoint.path), "task": what.trained_with[0] if not args.task else args.task}
        settings = {"trained_with": what.trained_with, "evaluated_with": what.now}
        print(json.dumps({**head, **result.as_dict(), **settings}, indent=2, allow_nan=False))
    else:
        print(f"{result.table()}\n")
        show(what.rows("evaluated"), width=16)
    return 1 if result.nan_share else 0
