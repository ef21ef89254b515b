"""``cartpole-lab kernel``."""

from __future__ import annotations

import argparse

HELP = "install or remove the Jupyter kernel that runs inside Isaac Sim"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("action", choices=("install", "remove"), help="what to do with the kernel")
    parser.add_argument("--isaacsim", action="store_true", help="the kernel to install; there is only this one")
    parser.add_argument("--isaacsim-path", help="folder of an Isaac Sim that was not installed with pip")
    parser.add_argument("--accept-eula", action="store_true", help="accept NVIDIA's Omniverse licence without asking")


def run(args: argparse.Namespace, overrides: list[str]) -> int:
    """Install or remove the kernel."""
    from cartpole_lab import jupyter_kernel as kernel

    if args.action == "remove":
        print(f"removed       {kernel.remove()}")
    else:
        folder = kernel.install(accept_eula=args.accept_eula or None, isaacsim_path=args.isaacsim_path)
        print(f"installed     {folder}")
    return 0
