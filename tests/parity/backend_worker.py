"""Runs one engine in a process of its own and writes what it did: engines can't share a process.

python tests/parity/backend_worker.py JOBS.json OUT.npz
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np
import torch
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_tasks.core.cartpole.cartpole_manager_env_cfg import CartpoleEnvCfg as UpstreamEnvCfg

from cartpole_lab import shortcuts
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg
from cartpole_lab.tasks.robot import CARTPOLE_CFG, GROUND_CFG

SPEED = os.environ.get(shortcuts.SWITCH, "on")


def config(*, upstream: bool = False, eager: bool = False, whole_solver: bool = False, asset: str | None = None) -> Any:
    """The environment of this repository, or Isaac Lab's own with this repository's files in it."""
    cfg = UpstreamEnvCfg() if upstream else CartpoleEnvCfg()
    if upstream:
        cfg.scene.ground.spawn = GROUND_CFG  # Isaac Lab's would be downloaded
    cfg.scene.robot.spawn.usd_path = asset or CARTPOLE_CFG.spawn.usd_path
    shortcuts.use("-idle_solver" if whole_solver and SPEED != "off" else SPEED)
    if eager:
        cfg.sim.physics = NewtonCfg(
            solver_cfg=MJWarpSolverCfg(njmax=5, nconmax=3, cone="pyramidal", impratio=1, integrator="implicitfast"),
            num_substeps=1,
        )
    return cfg


def random_actions(cfg: Any, physics: str, *, num_envs: int, steps: int) -> dict[str, np.ndarray]:
    """Observations, rewards and ends under random actions, the same ones for every caller."""
    words = [f"physics={physics}"] if hasattr(cfg.sim.physics, physics) else []  # a config may have just the one
    env = make_env(cfg, num_envs=num_envs, device="cpu", seed=11, overrides=words)
    chance = torch.Generator().manual_seed(5)
    obs, _ = env.reset()
    rows: list[list[np.ndarray]] = [[obs["policy"].numpy().copy()]]
    for _ in range(steps):
        obs, reward, terminated, truncated, _ = env.step(torch.rand(num_envs, 1, generator=chance) * 2 - 1)
        rows.append([x.numpy().copy() for x in (obs["policy"], reward, terminated, truncated)])
    names = ("rewards", "terminated", "truncated")
    return {"observations": np.stack([row[0] for row in rows])} | {
        name: np.stack([row[i + 1] for row in rows[1:]]) for i, name in enumerate(names)
    }


def motion(physics: str, *, steps: int, angle: float, push: float) -> dict[str, np.ndarray]:
    """Joint positions and velocities of two cart-poles: one let go at ``angle`` [rad], one pushed with ``push`` [N]."""
    env = make_env(config(), num_envs=2, device="cpu", seed=0, overrides=[f"physics={physics}"])
    env.reset()
    robot = env.unwrapped.scene["robot"]
    robot.write_joint_position_to_sim_index(position=torch.tensor([[0.0, angle], [0.0, 0.0]]))
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros(2, 2))
    actions = torch.tensor([[0.0], [push / 100.0]])
    rows = []
    for _ in range(steps):
        env.step(actions)
        rows.append(torch.cat([robot.data.joint_pos.torch, robot.data.joint_vel.torch], dim=1).numpy().copy())
    return {"state": np.stack(rows)}


def main(jobs_path: str, out_path: str) -> None:
    """Do every job of a file: name → keyword arguments."""
    with open(jobs_path) as file:
        jobs = json.load(file)
    results = {}
    for name, job in jobs.items():
        kind = job.pop("kind")
        arrays = motion(**job) if kind == "motion" else random_actions(config(**job.pop("config")), **job)
        results |= {f"{name}/{key}": value for key, value in arrays.items()}
    close_env()
    np.savez(out_path, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
