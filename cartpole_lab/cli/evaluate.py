"""``cartpole-lab evaluate``."""

from __future__ import annotations

import argparse
import json

from cartpole_lab.cli._common import add_checkpoint, add_task, named_checkpoint, short

HELP = "measure a checkpoint over fresh episodes"
TAKES_WORDS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_task(parser)
    add_checkpoint(parser)
    parser.add_argument("--episodes", type=int, default=1024, help="episodes to play (default: 1024)")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the start states (default: 1000)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, words: list[str]) -> int:
    """Measure a checkpoint and print the verdict. The exit code is 1 if an episode held what is not a number."""
    from cartpole_lab.evaluation import evaluate
    from cartpole_lab.session.env import check_num_envs

    check_num_envs(args.episodes)
    checkpoint = named_checkpoint(args)
    result = evaluate(
        checkpoint, task_or_cfg=args.task, episodes=args.episodes, seed=args.seed, device=args.device, overrides=words
    )
    if args.json:
        numbers = {"checkpoint": str(checkpoint), "task": args.task, **result.as_dict()}
        print(json.dumps(numbers, indent=2, allow_nan=False))
    else:
        print(f"{result.table()}\n{'checkpoint':<14}{short(checkpoint)}")
    return 1 if result.nan_share else 0
