"""Learning from depth pictures on a CPU: return over training for a few seeds, judged on fresh episodes.

    python tests/benchmarks/depth.py [--seeds 1 2 3] [--epochs 100]

Small pictures (64 x 32), 256 environments. Writes ``_build/bench/depth.json`` after every seed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from cartpole_lab import evaluation, libraries, policies, session

TASK = "Isaac-Cartpole-Depth-v0"
SMALL = (
    "env.scene.tiled_camera.width=64",
    "env.scene.tiled_camera.height=32",
    "env.observations.policy.image.params.frame_stack=4",
    "env.observations.policy.image.params.max_depth=5.0",
)
"""Small pictures, four in a row so that speeds show, distances as shares of 5 m."""
SHAPE = (4, 32, 64)
OUT = Path("_build/bench/depth.json")


def curve(log_dir: Path) -> list[tuple[int, float]]:
    """(epoch, return of the last games) as the trainer wrote them down."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(next((log_dir / "summaries").glob("events*"))))
    events.Reload()
    return [(point.step, round(point.value, 3)) for point in events.Scalars("rewards/iter")]


def load(checkpoint: Path) -> Any:
    """The policy of a checkpoint, run by rl-games' own network code."""
    params = policies.agent_params(checkpoint)
    return policies.policy_from_model(policies.read_checkpoint(checkpoint)["model"], params, SHAPE)


def judge(policy: Any, episodes: int) -> dict[str, float]:
    """Return and time-outs of a policy over fresh episodes."""
    result = evaluation.evaluate(policy, task_or_cfg=TASK, episodes=episodes, device="cpu", overrides=SMALL)
    return {"return": round(result.mean_return, 3), "timeouts": round(result.timeout_share, 4)}


def main() -> None:
    """Train and judge each seed; print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--num-envs", type=int, default=256)
    parser.add_argument("--episodes", type=int, default=256)
    args, words = parser.parse_known_args()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {"never pushing": judge(policies.zero_policy, args.episodes)}
    for seed in args.seeds:
        start = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            run = libraries.train_with_library(
                "rl_games",
                TASK,
                agent="rl_games_fast_cfg_entry_point",
                num_envs=args.num_envs,
                device="cpu",
                seed=seed,
                max_iterations=args.epochs,
                overrides=[*SMALL, *words],
            )
        wall_s = time.perf_counter() - start
        session.close_env()
        found = sorted((run.log_dir / "nn").glob("*.pth"), key=lambda path: path.stat().st_mtime)[-3:]
        judged = {path.name: judge(load(path), args.episodes) for path in found}
        rows[f"seed {seed}"] = {
            "wall_s": round(wall_s, 1),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "threads": torch.get_num_threads(),
            "samples": args.epochs * 32 * args.num_envs,
            "curve": curve(run.log_dir),
            "judged": judged,
        }
        OUT.write_text(json.dumps(rows, indent=1))
        print(f"seed {seed}: {wall_s:.0f} s, {judged}", flush=True)


if __name__ == "__main__":
    main()
