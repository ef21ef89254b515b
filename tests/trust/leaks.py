"""What a process holds after many environments and trainings: memory, threads, handles."""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def holds() -> dict[str, float]:
    """What this process holds now: resident memory that is its own [MB], threads, handles."""
    gc.collect()
    process = psutil.Process()
    return {
        "memory_mb": process.memory_full_info().uss / 2**20,
        "threads": process.num_threads(),
        "python_threads": threading.active_count(),
        "handles": process.num_fds(),
    }


def rebuild() -> None:
    """Make an environment, play some steps, close it."""
    import torch

    from cartpole_lab import close_env, make_env

    env = make_env(num_envs=64, device="cpu", seed=3)
    env.reset(seed=3)
    for _ in range(3):
        env.step(torch.zeros(64, 1))
    close_env()


def training(root: Path) -> Callable[[], None]:
    """A short training into a folder."""

    def run() -> None:
        from cartpole_lab.training import train

        few = {"num_envs": 64, "max_iterations": 4, "eval_interval": 2, "eval_episodes": 64}
        train(**few, device="cpu", progress=False, log_root=root)

    return run


def measure(work: Callable[[], None], times: int, warm: int = 2, seconds: float = math.inf) -> list[dict[str, float]]:
    """What the process holds after each round, from the last of the first ``warm`` rounds on; none begins late."""
    began = time.monotonic()
    for _ in range(warm):
        work()
    found = [holds()]
    for _ in range(times):
        if time.monotonic() - began > seconds:
            break
        work()
        found.append(holds())
    return found


if __name__ == "__main__":
    import tempfile

    rebuilds, trainings, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    began, seconds = time.monotonic(), float((*sys.argv, "inf")[4])
    with tempfile.TemporaryDirectory() as folder:
        trained = measure(training(Path(folder)), trainings, seconds=seconds / 2)
    rebuilt = measure(rebuild, rebuilds, seconds=seconds - (time.monotonic() - began))
    results = {"rebuilds": rebuilt, "trainings": trained}
    out.write_text(json.dumps(results, indent=1))
    for name, rows in results.items():
        print(name, rows[0], rows[-1], os.getpid())
