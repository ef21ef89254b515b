# Copyright (c) 2022-2026, The Isaac Lab Project Developers.
# Copyright (c) 2026, the Cartpole Lab developers.
# SPDX-License-Identifier: BSD-3-Clause

"""On what the task runs: the physics presets, under Isaac Lab's own names."""

from __future__ import annotations

from cartpole_lab import shortcuts

with shortcuts.imports():
    from isaaclab.utils import configclass
    from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
    from isaaclab_ov.physics import OvPhysxCfg
    from isaaclab_physx.physics import PhysxCfg
    from isaaclab_tasks.utils import PresetCfg

from cartpole_lab.physics.availability import PhysicsUnavailable, check_available

__all__ = ["CartpolePhysicsCfg", "PhysicsUnavailable", "check_available"]


@configclass
class CartpolePhysicsCfg(PresetCfg):
    """Physics backends of the cart-pole; choose one with ``physics=<name>``."""

    # PhysX inside Isaac Sim
    isaacsim_physx: PhysxCfg = PhysxCfg()
    # PhysX without Isaac Sim; the module named here adds what a machine without a CUDA driver needs
    ovphysx: OvPhysxCfg = OvPhysxCfg(class_type="cartpole_lab.physics.ovphysx:OvPhysxManager")
    # MuJoCo on Warp with Isaac Lab's settings for the cart-pole; the module named here lets a shortcut step in
    newton_mjwarp: NewtonCfg = NewtonCfg(
        solver_cfg=MJWarpSolverCfg(
            class_type="cartpole_lab.physics.newton:NewtonManager",
            njmax=5,
            nconmax=3,
            cone="pyramidal",
            impratio=1,
            integrator="implicitfast",
        ),
        num_substeps=1,
    )
    default: NewtonCfg = newton_mjwarp
