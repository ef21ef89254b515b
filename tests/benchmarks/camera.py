"""Steps a second of the camera tasks, each in the pictures that it has by default; frozen networks with random weights.

    python tests/benchmarks/camera.py [--num_envs 16 64 256] [--rounds 5] [--device cpu]

Writes ``_build/bench/camera.json``, on a GPU ``camera_gpu.json``: medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import torch

from cartpole_lab import make_env
from cartpole_lab.session.configs import check_device

DRY = ("env.observations.policy.image.params.weights=random",)  # as quick as trained weights, and no download
TASKS = {
    "Isaac-Cartpole-RGB-v0": (),
    "Isaac-Cartpole-Depth-v0": (),
    "Isaac-Cartpole-RGB-ResNet18-v0": DRY,
    "Isaac-Cartpole-RGB-TheiaTiny-v0": DRY,
}
OUT = Path("_build/bench")


def rate(task: str, num_envs: int, rounds: int, device: str | None) -> float:
    """Environment steps a second under random pushes, median of the rounds."""
    env = make_env(task, num_envs=num_envs, device=device, overrides=TASKS[task])
    pushes = torch.randn(16, num_envs, 1, device=env.unwrapped.device)
    env.reset()
    rates = []
    for number in range(rounds + 1):
        started = time.perf_counter()
        for push in pushes[: 4 if num_envs > 64 else 16]:
            env.step(push)
        if pushes.is_cuda:
            torch.cuda.synchronize()
        if number:  # the first round warms up
            rates.append(num_envs * (4 if num_envs > 64 else 16) / (time.perf_counter() - started))
    return statistics.median(rates)


def main() -> None:
    """Measure and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_envs", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device")
    args = parser.parse_args()
    rows = []
    for task in TASKS:
        for num_envs in args.num_envs:
            rows.append(
                {"task": task, "num_envs": num_envs, "steps_per_s": rate(task, num_envs, args.rounds, args.device)}
            )
            print(f"{task:<34}{num_envs:>5} environments {rows[-1]['steps_per_s']:>8,.0f} steps/s", flush=True)
    on_gpu = check_device(args.device) != "cpu"
    where = {"gpu": torch.cuda.get_device_name(args.device)} if on_gpu else {"cores": len(os.sched_getaffinity(0))}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / ("camera_gpu.json" if on_gpu else "camera.json")).write_text(json.dumps({**where, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
