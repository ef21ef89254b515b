"""Learning from depth pictures on a CPU: return over training for a few seeds, judged on fresh episodes.

    python tests/benchmarks/depth.py [--seeds 1 2 3] [--epochs 100]

The settings of lesson 10: strips of 64 x 16 pixels, four of them at 30 a second, 256 environments. Writes
``_build/bench/depth.json`` after every seed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from cartpole_lab import evaluate, load_cfg, train, zero_policy

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
OUT = Path("_build/bench/depth.json")
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
    parser.add_argument("--device")
    args = parser.parse_args()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    nothing = evaluate(zero_policy, task_or_cfg=TASK, episodes=256, device=args.device, overrides=SMALL)
    rows: list[dict[str, Any]] = []
    print(f"doing nothing: return {nothing.mean_return:.2f}", flush=True)
    for seed in args.seeds:
        run = train(
            TASK,
            agent=AGENT,
            agent_cfg=agent_cfg(),
            num_envs=args.num_envs,
            device=args.device,
            seed=seed,
            max_iterations=args.epochs,
            eval_interval=25,
            eval_episodes=args.num_envs,
            log_root=tempfile.mkdtemp(),
            overrides=SMALL,
            progress=False,
        )
        row = {
            "seed": seed,
            "epochs": run.epochs,
            "env_steps": run.env_steps,
            "wall_s": round(run.wall_s_total, 1),
            "cores": len(os.sched_getaffinity(0)),
            "return": run.evaluation.mean_return,
            "timeouts": run.evaluation.timeout_share,
            "curve": {name: run.curve[name].tolist() for name in ("epoch", "return", "eval_epoch", "eval_return")},
        }
        rows.append(row)
        OUT.write_text(json.dumps({"doing_nothing": nothing.mean_return, "mark": MARK, "runs": rows}, indent=1))
        print(
            f"seed {seed}: {row['wall_s']:.0f} s, {row['env_steps']} steps, return {row['return']:.2f}, "
            f"{'above' if row['return'] > MARK else 'BELOW'} the mark of {MARK}, time-outs {row['timeouts']:.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
