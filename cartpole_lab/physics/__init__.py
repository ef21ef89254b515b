# Copyright (c) 2022-2026, The Isaac Lab Project Developers.
# Copyright (c) 2026, the Cartpole Lab developers.
# SPDX-License-Identifier: BSD-3-Clause

"""On what the task runs: the physics presets, under Isaac Lab's own names, and whether they are installed."""

from __future__ import annotations

import importlib.util
from typing import Any

from cartpole_lab import isaac_sim, shortcuts

with shortcuts.imports():
    from isaaclab.utils import configclass
    from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
    from isaaclab_ov.physics import OvPhysxCfg
    from isaaclab_physx.physics import PhysxCfg
    from isaaclab_tasks.utils import PresetCfg

from cartpole_lab.errors import PhysicsUnavailable

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


def check_available(physics: Any) -> None:
    """Return if the physics config can run here.

    Args:
        physics: Resolved physics config, such as ``cfg.sim.physics``.

    Raises:
        PhysicsUnavailable: Isaac Sim or ovphysx is missing; the message names what to install.
    """
    kinds = [kind.__name__ for kind in type(physics).__mro__]
    if "PhysxCfg" in kinds:
        isaac_sim.check(["physics=isaacsim_physx"])
    if "OvPhysxCfg" in kinds and importlib.util.find_spec("ovphysx") is None:
        raise PhysicsUnavailable(
            "physics=ovphysx is not installed: "
            'pip install "isaaclab[ovphysx]==3.0.0" (Linux and Windows), or choose physics=newton_mjwarp'
        )
