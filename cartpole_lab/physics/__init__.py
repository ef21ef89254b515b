"""On what the task runs: the physics presets, under Isaac Lab's own names."""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_newton.physics import NewtonCfg
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg
from isaaclab_tasks.utils import PresetCfg

from cartpole_lab.physics.config import ReplayMJWarpSolverCfg


@configclass
class CartpolePhysicsCfg(PresetCfg):
    """Physics backends of the cart-pole; choose one with ``physics=<name>``."""

    isaacsim_physx: PhysxCfg = PhysxCfg()
    ovphysx: OvPhysxCfg = OvPhysxCfg()
    newton_mjwarp: NewtonCfg = NewtonCfg(
        solver_cfg=ReplayMJWarpSolverCfg(njmax=5, nconmax=3, cone="pyramidal", impratio=1, integrator="implicitfast"),
        num_substeps=1,
    )
    default: NewtonCfg = newton_mjwarp
