# Copyright (c) 2022-2026, The Isaac Lab Project Developers.
# Copyright (c) 2026, the Cartpole Lab developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The manager-based cart-pole, in the order in which the lessons build it: scene, MDP terms, environment."""

from __future__ import annotations

import math

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import EventTermCfg as EventTerm
from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import RewardTermCfg as RewTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.managers import TerminationTermCfg as DoneTerm
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass, replace
from isaaclab.visualizers import VisualizerCfg

from cartpole_lab.physics import CartpolePhysicsCfg
from cartpole_lab.tasks import mdp
from cartpole_lab.tasks.robot import CARTPOLE_CFG, GROUND_CFG
from cartpole_lab.tasks.success import CartpoleSuccessCfg, SuccessCfg

##
# Scene
##


@configclass
class CartpoleSceneCfg(InteractiveSceneCfg):
    """The set: a floor, a cart-pole for every environment, and light."""

    # floor, shared by all environments
    ground = AssetBaseCfg(prim_path="/World/ground", spawn=GROUND_CFG)

    # cart-pole, one in every environment
    robot: ArticulationCfg = replace(CARTPOLE_CFG, prim_path="{ENV_REGEX_NS}/Robot")

    # light from the whole sky
    dome_light = AssetBaseCfg(
        prim_path="/World/DomeLight",
        spawn=sim_utils.DomeLightCfg(color=(0.9, 0.9, 0.9), intensity=500.0),
    )


##
# MDP
##


@configclass
class ActionsCfg:
    """What the policy can do: push the cart."""

    joint_effort = mdp.JointEffortActionCfg(asset_name="robot", joint_names=["slider_to_cart"], scale=100.0)


@configclass
class ObservationsCfg:
    """What the policy can see."""

    @configclass
    class PolicyCfg(ObsGroup):
        """Four numbers: both joint positions, then both joint velocities."""

        # the order of the terms is the order of the numbers
        joint_pos_rel = ObsTerm(func=mdp.joint_pos_rel)
        joint_vel_rel = ObsTerm(func=mdp.joint_vel_rel)

        def __post_init__(self) -> None:
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()


@configclass
class EventCfg:
    """How an episode starts."""

    reset_cart_position = EventTerm(
        func=mdp.reset_joints_by_offset,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["slider_to_cart"]),
            "position_range": (-1.0, 1.0),
            "velocity_range": (-0.5, 0.5),
        },
    )

    reset_pole_position = EventTerm(
        func=mdp.reset_joints_by_offset,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["cart_to_pole"]),
            "position_range": (-0.25 * math.pi, 0.25 * math.pi),
            "velocity_range": (-0.25 * math.pi, 0.25 * math.pi),
        },
    )


@configclass
class RewardsCfg:
    """What counts as good. Every weight is a rate per second."""

    # (1) Paid for every second alive
    alive = RewTerm(func=mdp.is_alive, weight=1.0)
    # (2) Cost of failing
    terminating = RewTerm(func=mdp.is_terminated, weight=-2.0)
    # (3) The task itself: pole upright
    pole_pos = RewTerm(
        func=mdp.joint_pos_target_l2,
        weight=-1.0,
        params={"asset_cfg": SceneEntityCfg("robot", joint_names=["cart_to_pole"]), "target": 0.0},
    )
    # (4) Good manners: a slow cart
    cart_vel = RewTerm(
        func=mdp.joint_vel_l1,
        weight=-0.01,
        params={"asset_cfg": SceneEntityCfg("robot", joint_names=["slider_to_cart"])},
    )
    # (5) Good manners: a quiet pole
    pole_vel = RewTerm(
        func=mdp.joint_vel_l1,
        weight=-0.005,
        params={"asset_cfg": SceneEntityCfg("robot", joint_names=["cart_to_pole"])},
    )


@configclass
class TerminationsCfg:
    """When an episode ends."""

    # (1) The time is up: not the policy's fault
    time_out = DoneTerm(func=mdp.time_out, time_out=True)
    # (2) The cart left the stage: failure
    cart_out_of_bounds = DoneTerm(
        func=mdp.joint_pos_out_of_manual_limit,
        params={"asset_cfg": SceneEntityCfg("robot", joint_names=["slider_to_cart"]), "bounds": (-3.0, 3.0)},
    )


##
# Environment
##


@configclass
class CartpoleEnvCfg(ManagerBasedRLEnvCfg):
    """Everything above in one place, plus time."""

    # scene
    scene: CartpoleSceneCfg = CartpoleSceneCfg(num_envs=4096, env_spacing=4.0, clone_in_fabric=True)
    # what the policy sees and does
    observations: ObservationsCfg = ObservationsCfg()
    actions: ActionsCfg = ActionsCfg()
    # start, reward and end
    events: EventCfg = EventCfg()
    rewards: RewardsCfg = RewardsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    # when it counts as solved
    success: SuccessCfg = CartpoleSuccessCfg()

    def __post_init__(self) -> None:
        # one action lasts two physics steps
        self.decimation = 2
        self.episode_length_s = 5.0
        # time and physics
        self.sim.dt = 1 / 120
        self.sim.render_interval = self.decimation
        self.sim.physics = CartpolePhysicsCfg()
        # where a viewer stands
        self.sim.default_visualizer_cfg = VisualizerCfg(eye=(8.0, 0.0, 5.0))
