"""On what the task runs: the physics presets, under Isaac Lab's own names."""

# ruff: noqa: E402  (a setting of Warp comes before the imports that it is for)
from __future__ import annotations

import warp as wp

# Nobody differentiates through the cart-pole: without the backward half of every kernel the very first run
# compiles a third faster. It has to be said before the modules that define kernels are imported.
wp.config.enable_backward = False

from isaaclab.utils import configclass
from isaaclab_newton.physics import NewtonCfg
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg
from isaaclab_tasks.utils import PresetCfg

from cartpole_lab.physics.availability import PhysicsUnavailable, check_available
from cartpole_lab.physics.config import ReplayMJWarpSolverCfg
from cartpole_lab.speed.kernel_compilation import compiling
from cartpole_lab.speed.launch_shortcuts import shortcuts

__all__ = ["CartpolePhysicsCfg", "PhysicsUnavailable", "check_available", "compiling", "shortcuts"]


@configclass
class CartpolePhysicsCfg(PresetCfg):
    """Physics backends of the cart-pole; choose one with ``physics=<name>``."""

    # PhysX inside Isaac Sim
    isaacsim_physx: PhysxCfg = PhysxCfg()
    # PhysX without Isaac Sim; the module named here adds what a machine without a CUDA driver needs
    ovphysx: OvPhysxCfg = OvPhysxCfg(class_type="cartpole_lab.physics.ovphysx:OvPhysxManager")
    # MuJoCo on Warp with Isaac Lab's settings for the cart-pole; a CPU records the step and replays it
    newton_mjwarp: NewtonCfg = NewtonCfg(
        solver_cfg=ReplayMJWarpSolverCfg(njmax=5, nconmax=3, cone="pyramidal", impratio=1, integrator="implicitfast"),
        num_substeps=1,
    )
    default: NewtonCfg = newton_mjwarp
