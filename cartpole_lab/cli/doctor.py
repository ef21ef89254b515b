"""``cartpole-lab doctor``."""

from __future__ import annotations

import argparse
import json

HELP = "say what this machine can run, and why not"
PRINTS_RESULT = True
"""Whether what it prints is all that is left of it, so that a full disk costs it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Probe the machine; exit code 1 where something that is needed is missing."""
    from cartpole_lab.doctor import as_dicts, doctor, healthy, table

    checks = doctor()
    print(json.dumps(as_dicts(checks), indent=2) if args.json else table(checks))
    return 0 if healthy(checks) else 1
