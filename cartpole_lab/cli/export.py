"""``cartpole-lab export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cartpole_lab.cli._common import add_checkpoint, short
from cartpole_lab.errors import UserError

HELP = "write a checkpoint as ONNX, or as the playground's weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_checkpoint(parser)
    parser.add_argument("--task", help="task that the newest run must have trained (default: any)")
    parser.add_argument("--format", choices=("onnx", "json"), default="onnx", help="what to write (default: onnx)")
    parser.add_argument("--out", help="file to write (default: beside the checkpoint)")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Export a checkpoint."""
    from cartpole_lab.policies.checkpoint_lookup import find_checkpoint
    from cartpole_lab.policies.export import export_onnx, export_weights

    ending = Path(args.out).suffix if args.out else ""
    if ending in (".onnx", ".json") and ending != f".{args.format}":
        raise UserError(
            f"out {args.out!r} ends in {ending}, and the format is {args.format}: add --format {ending[1:]}"
        )
    checkpoint = find_checkpoint(args.checkpoint, log_root=args.log_root, task=args.task, agent_cfg=args.agent_cfg)
    path = checkpoint.path
    out = Path(args.out) if args.out else path.with_suffix(f".{args.format}")
    (export_onnx if args.format == "onnx" else export_weights)(checkpoint, out, overwrite=args.force)
    print(f"{args.format:<14}{short(out)}\n{'checkpoint':<14}{short(path)}")
    return 0
