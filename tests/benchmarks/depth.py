"""Learning from depth pictures: return over training for a few seeds, judged on fresh episodes.

    python tests/benchmarks/depth.py [--seeds 1 2 3] [--epochs 100]
    python tests/benchmarks/depth.py --device cuda:0 --settings lesson --num_envs 2048 --epochs 2000 \\
        --eval_interval 20 --minutes 1.6
    python tests/benchmarks/depth.py --device cuda:0 --settings shipped --num_envs 512 --epochs 2000 --minutes 5

The settings of lesson 10: strips of 64 x 16 pixels, four of them at 30 a second, 256 environments. ``shipped`` takes
the task as it is, two pictures of 96 x 96 pixels at 60 a second, and Isaac Lab's own agent settings. Writes
``_build/bench/depth.json`` after every seed; on a GPU ``depth_<settings>_gpu.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from cartpole_lab import evaluate, load_cfg, train, zero_policy
from cartpole_lab.session.configs import DEFAULT_AGENT, check_device
from cartpole_lab.training.progress import EpochInfo

TASK = "Isaac-Cartpole-Depth-v0"
AGENT = "rl_games_fast_cfg_entry_point"
SMALL = (
    "env.scene.tiled_camera.width=64",
    "env.scene.tiled_camera.height=16",
    "env.scene.tiled_camera.offset.pos=[-5.0,0.0,2.45]",
    "env.observations.policy.image.params.frame_stack=4",
    "env.observations.policy.image.params.max_depth=5.0",
    "env.decimation=4",
)
OUT = Path("_build/bench")
MARK = 0.0
"""A return that no seed had before it learned: doing nothing ends near -20."""


def agent_cfg() -> dict[str, Any]:
    """The agent of lesson 10: layers for low strips, larger steps, shorter rounds."""
    _, agent = load_cfg(TASK, agent=AGENT)
    network, config = agent["params"]["network"], agent["params"]["config"]
    network["cnn"]["convs"] = [
        {"filters": 16, "kernel_size": 4, "strides": 4, "padding": 0},
        {"filters": 16, "kernel_size": 3, "strides": 1, "padding": 0},
    ]
    config |= {"horizon_length": 16, "gamma": 0.97, "kl_threshold": 0.03}
    for part in (config, config["central_value_config"]):
        part |= {"learning_rate": 3e-3, "minibatch_size_per_env": 4}
    return agent


def main() -> None:
    """Train and judge each seed; print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--num_envs", type=int, default=256)
    parser.add_argument("--settings", choices=("lesson", "shipped"), default="lesson")
    parser.add_argument("--eval_interval", type=int, default=25)
    parser.add_argument("--minutes", type=float, help="stop a seed when it is solved or after so long")
    parser.add_argument("--device")
    args = parser.parse_args()
    device = check_device(args.device)
    lesson = args.settings == "lesson"
    agent, overrides = (AGENT, SMALL) if lesson else (DEFAULT_AGENT, ())
    path = OUT / ("depth.json" if device == "cpu" else f"depth_{args.settings}_gpu.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    nothing = evaluate(zero_policy, task_or_cfg=TASK, episodes=256, device=device, overrides=overrides)
    rows: list[dict[str, Any]] = []
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    print(f"doing nothing: return {nothing.mean_return:.2f}", flush=True)
    for seed in args.seeds:
        started = time.time()

        def go_on(info: EpochInfo, started: float = started) -> bool:
            if info.evaluation is not None:
                found = f"return {info.evaluation.mean_return:.3f}, time-outs {info.evaluation.timeout_share:.2%}"
                # standard output is rl-games' while it trains
                print(f"  epoch {info.epoch}, {time.time() - started:.0f} s: {found}", file=sys.stderr)
            if args.minutes is None:
                return True
            # some margin, so that fresh episodes agree
            solved = info.evaluation is not None and info.evaluation.solved and info.evaluation.timeout_share > 0.998
            return not solved and time.time() - started < 60 * args.minutes

        run = train(
            TASK,
            agent=agent,
            agent_cfg=agent_cfg() if lesson else None,
            num_envs=args.num_envs,
            device=device,
            seed=seed,
            max_iterations=args.epochs,
            eval_interval=args.eval_interval,
            eval_episodes=args.num_envs,
            log_root=tempfile.mkdtemp(),
            overrides=overrides,
            progress=False,
            on_epoch=go_on,
        )
        result = run.evaluation
        if args.num_envs < 1024 and device != "cpu":
            result = evaluate(run.checkpoint, task_or_cfg=TASK, seed=20_000 + seed, device=device, overrides=overrides)
        row = {
            "seed": seed,
            "num_envs": run.num_envs,
            "epochs": run.epochs,
            "env_steps": run.env_steps,
            "wall_s": round(run.wall_s_total, 1),
            "cores": len(os.sched_getaffinity(0)),
            "device": "cpu" if device == "cpu" else torch.cuda.get_device_name(device),
            "return": result.mean_return,
            "timeouts": result.timeout_share,
            "episodes": result.episodes,
            "solved": result.solved,
            "curve": {name: values.tolist() for name, values in run.curve.items()},
        }
        rows.append(row)
        report = {"doing_nothing": nothing.mean_return, "mark": MARK, "commit": commit, "runs": rows}
        path.write_text(json.dumps(report, indent=1))
        print(
            f"seed {seed}: {row['wall_s']:.0f} s, {row['env_steps']} steps, return {row['return']:.2f}, "
            f"{'above' if row['return'] > MARK else 'BELOW'} the mark of {MARK}, time-outs {row['timeouts']:.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
