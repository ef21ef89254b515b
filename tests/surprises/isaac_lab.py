"""Isaac Lab's environment as Isaac Lab makes it: nothing of this package's session and none of its shortcuts."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch

from cartpole_lab import shortcuts

shortcuts.use("off")

from isaaclab.envs import ManagerBasedRLEnv  # noqa: E402
from isaaclab.sim import SimulationContext  # noqa: E402
from isaaclab.utils import replace  # noqa: E402
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg  # noqa: E402

from cartpole_lab.physics import CartpolePhysicsCfg  # noqa: E402
from cartpole_lab.session import quietly  # noqa: E402
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg  # noqa: E402

NEWTON = NewtonCfg(
    solver_cfg=MJWarpSolverCfg(njmax=5, nconmax=3, cone="pyramidal", impratio=1, integrator="implicitfast"),
    num_substeps=1,
)
"""Isaac Lab's own settings for the cart-pole."""
PHYSICS = {"newton": NEWTON, "ovphysx": CartpolePhysicsCfg().ovphysx}
_live: list[ManagerBasedRLEnv] = []


def config(engine: str, *, num_envs: int = 4, spread: bool = True) -> CartpoleEnvCfg:
    """The cart-pole of lesson 4 on an engine; ``spread=False`` starts every episode at rest, upright, in the middle."""
    cfg = CartpoleEnvCfg()
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = num_envs, "cpu", 42
    cfg.sim.physics = deepcopy(PHYSICS[engine])
    if not spread:
        for start in (cfg.events.reset_cart_position, cfg.events.reset_pole_position):
            start.params = {**start.params, "position_range": (0.0, 0.0), "velocity_range": (0.0, 0.0)}
    return cfg


def make(cfg: Any) -> ManagerBasedRLEnv:
    """A fresh environment, after closing the one before."""
    close()
    with quietly():
        _live.append(ManagerBasedRLEnv(cfg=cfg))
    return _live[-1]


def close() -> None:
    """Close the live environment, if there is one."""
    while _live:
        with quietly():
            _live.pop().close()
    if SimulationContext.instance() is not None:
        SimulationContext.clear_instance()


def put(env: Any, position: tuple[float, float], velocity: tuple[float, float]) -> None:
    """Place every cart-pole: cart and pole, [m] and [rad], [m/s] and [rad/s]."""
    robot = env.scene["robot"]
    robot.write_joint_position_to_sim_index(position=torch.tensor([position] * env.num_envs))
    robot.write_joint_velocity_to_sim_index(velocity=torch.tensor([velocity] * env.num_envs))


def state(env: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Joint positions and velocities, shape ``(num_envs, 2)`` each, as copies."""
    data = env.scene["robot"].data
    return data.joint_pos.torch.clone(), data.joint_vel.torch.clone()


def idle(env: Any, steps: int, each: Callable[[], None] = lambda: None) -> None:
    """Steps without a push."""
    for _ in range(steps):
        env.step(torch.zeros(env.num_envs, 1))
        each()


def energy(position: torch.Tensor, velocity: torch.Tensor) -> float:
    """Mechanical energy [J] of the first cart-pole: cart 1 kg, pole 1 kg, 0.47 m to its centre, box of 0.06 m x 1 m."""
    x, t = velocity[0].double().tolist()
    angle = position[0, 1].double().item()
    mass, lever, inertia = 1.0, 0.47, (0.06**2 + 1.0**2) / 12
    kinetic = 0.5 * 2.0 * x**2 + 0.5 * (inertia + mass * lever**2) * t**2 - mass * lever * math.cos(angle) * x * t
    return kinetic + mass * 9.81 * lever * math.cos(angle)


__all__ = ["NEWTON", "PHYSICS", "close", "config", "energy", "idle", "make", "put", "replace", "state"]
