# Copyright (c) 2022-2026, The Isaac Lab Project Developers.
# Copyright (c) 2026, the Cartpole Lab developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The cart-pole as an articulation, and the floor below it. Both are files of this package: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from isaaclab_newton.sim.schemas import NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxRigidBodyCfg

ASSETS = Path(__file__).resolve().parent / "assets"
"""Folder of the USD files."""

##
# Robot
##

CARTPOLE_CFG = ArticulationCfg(
    # what it is made of
    spawn=sim_utils.UsdFileCfg(
        usd_path=str(ASSETS / "cartpole.usda"),
        # limits and iteration counts; a physics engine reads the entries that carry its name
        rigid_props=[
            sim_utils.UsdPhysicsRigidBodyCfg(rigid_body_enabled=True),
            PhysxRigidBodyCfg(
                max_linear_velocity=1000.0,
                max_angular_velocity=1000.0,  # [deg/s]: PhysX brakes what turns faster than 17.45 rad/s
                max_depenetration_velocity=100.0,
                enable_gyroscopic_forces=True,
            ),
        ],
        articulation_props=[
            PhysxArticulationCfg(
                enabled_self_collisions=False,
                solver_position_iteration_count=4,
                solver_velocity_iteration_count=0,
                sleep_threshold=0.005,
                stabilization_threshold=0.001,
            ),
            NewtonArticulationCfg(self_collision_enabled=False),
        ],
    ),
    # where it starts: 2 m above the floor, so that a hanging pole clears it
    init_state=ArticulationCfg.InitialStateCfg(
        pos=(0.0, 0.0, 2.0), joint_pos={"slider_to_cart": 0.0, "cart_to_pole": 0.0}
    ),
    # what can push it: zero stiffness and damping leave a joint to the effort alone
    actuators={
        # the rail brakes the cart with 10 N per m/s
        "cart_actuator": ImplicitActuatorCfg(
            joint_names_expr=["slider_to_cart"], joint_effort_limit=400.0, stiffness=0.0, damping=10.0
        ),
        # the hinge has no friction and no motor
        "pole_actuator": ImplicitActuatorCfg(
            joint_names_expr=["cart_to_pole"], joint_effort_limit=400.0, stiffness=0.0, damping=0.0
        ),
    },
)
"""The cart-pole of :file:`assets/cartpole.usda`, hung 2 m above the floor, driven by the cart's effort [N]."""

##
# Ground
##

GROUND_CFG = sim_utils.GroundPlaneCfg(usd_path=str(ASSETS / "ground.usda"), size=(100.0, 100.0))
"""The floor of :file:`assets/ground.usda`, 100 m x 100 m of it visible."""
