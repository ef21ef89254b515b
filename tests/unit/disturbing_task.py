"""A cart-pole that keeps state wherever an environment can keep any: what an evaluation must leave alone."""

from __future__ import annotations

import collections
import itertools
import random
from types import SimpleNamespace
from typing import Any

import isaaclab.envs.mdp as mdp
import numpy as np
import torch
from isaaclab.managers import CurriculumTermCfg, EventTermCfg, ManagerTermBase, ObservationTermCfg, SceneEntityCfg
from isaaclab.managers import RewardTermCfg as RewTerm
from isaaclab.utils import configclass
from isaaclab.utils.modifiers import DigitalFilterCfg
from isaaclab.utils.noise import NoiseModelWithAdditiveBiasCfg, UniformNoiseCfg

from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg, EventCfg, ObservationsCfg, RewardsCfg

CALLS = 0
"""A module's variable that a term counts in."""


class Remembers(ManagerTermBase):
    """A reward term with a memory of every kind. What it pays depends on all of it."""

    seen_by_all = 0

    def __init__(self, cfg: Any, env: Any) -> None:
        super().__init__(cfg, env)
        self.count = 0
        self.nested = SimpleNamespace(inner={"list": [0.0], "set": {0}, "deque": collections.deque(maxlen=3)})
        self.average = torch.zeros(env.num_envs, device=env.device)
        self.array = np.zeros(env.num_envs)
        self.numpy_stream = np.random.default_rng(1)
        self.torch_stream = torch.Generator().manual_seed(2)
        self.python_stream = random.Random(3)
        self.steps = itertools.count()
        self.turns = itertools.cycle([0.1, 0.2, 0.3])
        self.network = torch.nn.Linear(1, 1)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.01)

    def reset(self, env_ids: Any = None) -> None:
        self.count = 0

    def __call__(self, env: Any) -> torch.Tensor:
        self.count += 1
        Remembers.seen_by_all += 1
        if not hasattr(self, "late"):
            self.late = 0.0
        self.late += 0.01
        inner = self.nested.inner
        inner["list"][0] += 0.5
        inner["set"].add(len(inner["set"]))
        inner["deque"].append(self.count)
        inner[f"key{len(inner)}"] = 1
        self.average += 0.1 * (env.episode_length_buf - self.average)
        self.array += self.numpy_stream.random()
        with torch.enable_grad():
            loss = (self.network(torch.ones(1, 1)) - self.count).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        number = (
            self.count + Remembers.seen_by_all + self.late + inner["list"][0] + len(inner["set"]) + sum(inner["deque"])
            + len(inner) + float(self.array[0]) + float(torch.rand(1, generator=self.torch_stream))
            + self.python_stream.random() + next(self.steps) + next(self.turns) + float(self.network.weight.detach())
        )  # fmt: skip
        return 1e-4 * (self.average + number)


def make_counter() -> Any:
    """A function that counts in its closure, its default argument and an attribute."""
    total = 0

    def counts(env: Any, memory: list[float] = [0.0]) -> torch.Tensor:  # noqa: B006
        nonlocal total
        global CALLS
        CALLS += 1
        total += 1
        memory[0] += 1
        counts.calls = getattr(counts, "calls", 0) + 1
        value = total + memory[0] + counts.calls + CALLS
        return torch.full((env.num_envs,), 1e-5 * value, device=env.device)

    return counts


def harder(env: Any, env_ids: Any, old: Any, at_step: int) -> Any:
    """A curriculum that changes a parameter once, at a common step."""
    return (-0.2, 0.2) if env.common_step_counter >= at_step else mdp.modify_env_param.NO_CHANGE


@configclass
class DisturbingRewardsCfg(RewardsCfg):
    remembers = RewTerm(func=Remembers, weight=1.0)
    counts = RewTerm(func=make_counter(), weight=1.0)


@configclass
class DisturbingEventCfg(EventCfg):
    mass = EventTermCfg(
        func=mdp.randomize_rigid_body_mass,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names="pole"),
            "mass_distribution_params": (0.8, 1.3),
            "operation": "scale",
        },
    )
    gains = EventTermCfg(
        func=mdp.randomize_actuator_gains,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["slider_to_cart"]),
            "damping_distribution_params": (0.5, 1.5),
            "operation": "scale",
        },
    )
    joints = EventTermCfg(
        func=mdp.randomize_joint_parameters,
        mode="reset",
        min_step_count_between_reset=20,
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["cart_to_pole"]),
            "friction_distribution_params": (0.0, 0.02),
            "armature_distribution_params": (0.0, 0.01),
            "operation": "abs",
        },
    )
    gravity = EventTermCfg(
        func=mdp.randomize_physics_scene_gravity,
        mode="interval",
        is_global_time=True,
        interval_range_s=(0.2, 0.5),
        params={"gravity_distribution_params": ([0.0, 0.0, -0.5], [0.0, 0.0, 0.5]), "operation": "add"},
    )
    push = EventTermCfg(
        func=mdp.reset_joints_by_offset,
        mode="interval",
        interval_range_s=(0.3, 0.9),
        params={
            "asset_cfg": SceneEntityCfg("robot", joint_names=["slider_to_cart"]),
            "position_range": (-0.1, 0.1),
            "velocity_range": (-0.1, 0.1),
        },
    )


@configclass
class CurriculumCfg:
    reset_range = CurriculumTermCfg(
        func=mdp.modify_term_cfg,
        params={
            "address": "events.reset_pole_position.params.position_range",
            "modify_fn": harder,
            "modify_params": {"at_step": 100},
        },
    )
    weight = CurriculumTermCfg(
        func=mdp.modify_reward_weight, params={"term_name": "cart_vel", "weight": -0.1, "num_steps": 120}
    )


@configclass
class DisturbingObservationsCfg(ObservationsCfg):
    @configclass
    class PolicyCfg(ObservationsCfg.PolicyCfg):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.enable_corruption = True
            self.joint_pos_rel = ObservationTermCfg(
                func=mdp.joint_pos_rel,
                history_length=2,
                noise=NoiseModelWithAdditiveBiasCfg(
                    noise_cfg=UniformNoiseCfg(n_min=-0.01, n_max=0.01),
                    bias_noise_cfg=UniformNoiseCfg(n_min=-0.01, n_max=0.01),
                ),
            )
            self.joint_vel_rel = ObservationTermCfg(
                func=mdp.joint_vel_rel,
                delay_max_lag=2,
                modifiers=[DigitalFilterCfg(A=[0.1], B=[0.5, 0.4])],
            )

    policy: PolicyCfg = PolicyCfg()


@configclass
class DisturbingEnvCfg(CartpoleEnvCfg):
    """The cart-pole with all of that."""

    observations: DisturbingObservationsCfg = DisturbingObservationsCfg()
    events: DisturbingEventCfg = DisturbingEventCfg()
    rewards: DisturbingRewardsCfg = DisturbingRewardsCfg()
    curriculum: CurriculumCfg = CurriculumCfg()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.episode_length_s = 2.0
