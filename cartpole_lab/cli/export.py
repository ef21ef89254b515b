"""``cartpole-lab export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cartpole_lab.cli._common import add_checkpoint, named_checkpoint, short
from cartpole_lab.training.options import DEFAULT_TASK

HELP = "write a checkpoint as ONNX, or as the playground's weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_checkpoint(parser)
    parser.add_argument("--task", default=DEFAULT_TASK, help=argparse.SUPPRESS)
    parser.add_argument("--format", choices=("onnx", "json"), default="onnx", help="what to write (default: onnx)")
    parser.add_argument("--out", help="file to write (default: beside the checkpoint)")


def run(args: argparse.Namespace, words: list[str]) -> int:
    """Export a checkpoint."""
    from cartpole_lab.policies.export import export_onnx, export_weights

    checkpoint = named_checkpoint(args)
    out = Path(args.out) if args.out else checkpoint.with_suffix(f".{args.format}")
    (export_onnx if args.format == "onnx" else export_weights)(checkpoint, out)
    print(f"{args.format:<14}{short(out)}")
    return 0
