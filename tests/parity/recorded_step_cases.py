"""Tasks and changes in mid-run that a recorded step has to get right; shared by the tests and the GPU's check."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

CONSTANTS = {"bonus": 1.0}
SEEN: list[torch.Tensor] = []


@dataclass(frozen=True)
class Case:
    """One variant of the task.

    Attributes:
        cfg: Changes the environment config, or returns another one.
        change: Called with the environment half-way through the run.
        refused: Pieces of the step that have to run as Isaac Lab runs them.
        before_step: Called before every step with the environment and the number of the step.
        often: Whether something changes at every step, so that nothing is recorded for long.
    """

    cfg: Callable[[Any], Any] = lambda cfg: None
    change: Callable[[Any], None] | None = None
    refused: frozenset[str] = frozenset()
    before_step: Callable[[Any, int], None] | None = None
    often: bool = False


# -- terms of a reader's own ---------------------------------------------------------------------------------------


def upright(env: Any) -> torch.Tensor:
    return CONSTANTS["bonus"] * torch.exp(-env.scene["robot"].data.joint_pos.torch[:, 1].square())


class Smooth:
    """An observation with a buffer of its own, written in place."""

    def __init__(self) -> None:
        self.mean: torch.Tensor | None = None

    def __call__(self, env: Any) -> torch.Tensor:
        now = env.scene["robot"].data.joint_vel.torch
        if self.mean is None:
            self.mean = torch.zeros_like(now)
        self.mean.mul_(0.9).add_(now, alpha=0.1)
        return self.mean


def rebinding(env: Any) -> torch.Tensor:
    """An observation that leaves a new tensor on the environment at every step."""
    now = env.scene["robot"].data.joint_vel.torch
    before = getattr(env, "velocity_before", torch.zeros_like(now))
    env.velocity_before = now.clone()
    return now - before


def counting(env: Any) -> torch.Tensor:
    """A reward that follows a number counted in Python."""
    return torch.ones(env.num_envs, device=env.device) * min(env.common_step_counter, 50)


def leaning(env: Any) -> torch.Tensor:
    return env.scene["robot"].data.joint_pos.torch[:, 1].abs() > 0.6


def last_observation(env: Any) -> torch.Tensor:
    """A reward that looks at what was observed one step ago."""
    return env.obs_buf["policy"][:, 2].abs()


def acceleration(env: Any) -> torch.Tensor:
    return env.scene["robot"].data.joint_acc.torch


def tip(env: Any) -> torch.Tensor:
    """Height of the pole's body and gravity as it sees it: both are computed when they are asked for."""
    data = env.scene["robot"].data
    return torch.cat([data.body_link_vel_w.torch[:, -1, :3], data.projected_gravity_b.torch], dim=-1)


def push(env: Any, env_ids: Any, speed: float) -> None:
    """A sudden push of the cart."""
    robot = env.scene["robot"]
    velocity = robot.data.joint_vel.torch[env_ids].clone()
    velocity[:, 0] += speed
    robot.write_joint_velocity_to_sim_index(velocity=velocity, env_ids=env_ids)


def stray(env: Any, env_ids: Any) -> None:
    """An event that writes past the methods that know masks."""
    env.scene["robot"].data.joint_vel.torch[env_ids] *= 0.5


# -- configs ---------------------------------------------------------------------------------------------------------


def _reward(function: Callable) -> Callable[[Any], None]:
    def edit(cfg: Any) -> None:
        from isaaclab.managers import RewardTermCfg

        cfg.rewards.own = RewardTermCfg(func=function, weight=0.5)

    return edit


def _observation(function: Callable, **settings: Any) -> Callable[[Any], None]:
    def edit(cfg: Any) -> None:
        from isaaclab.managers import ObservationTermCfg

        cfg.observations.policy.own = ObservationTermCfg(func=function() if isinstance(function, type) else function)
        for name, value in settings.items():
            setattr(cfg.observations.policy.own, name, value)

    return edit


def _event(function: Any, mode: str, settings: dict[str, Any] | None = None, **params: Any) -> Callable[[Any], None]:
    def edit(cfg: Any) -> None:
        from isaaclab.envs import mdp
        from isaaclab.managers import EventTermCfg, SceneEntityCfg

        term = getattr(mdp, function) if isinstance(function, str) else function
        if isinstance(function, str) and "gravity" not in function:
            names = {"body_names": ".*"} if "body" in function else {"joint_names": ".*"}
            params["asset_cfg"] = SceneEntityCfg("robot", **names)
        cfg.events.own = EventTermCfg(func=term, mode=mode, params=params, **(settings or {}))

    return edit


def _noise(cfg: Any) -> None:
    from isaaclab.utils.noise import UniformNoiseCfg

    cfg.observations.policy.enable_corruption = True
    cfg.observations.policy.joint_pos_rel.noise = UniformNoiseCfg(n_min=0.02, n_max=0.02)


def _history(cfg: Any) -> None:
    cfg.observations.policy.joint_pos_rel.history_length = 3


def _delay(cfg: Any) -> None:
    cfg.observations.policy.joint_pos_rel.delay_min_lag = cfg.observations.policy.joint_pos_rel.delay_max_lag = 2


def _curriculum(cfg: Any) -> None:
    from isaaclab.envs import mdp
    from isaaclab.managers import CurriculumTermCfg
    from isaaclab.utils import configclass

    @configclass
    class Curriculum:
        harder = CurriculumTermCfg(
            func=mdp.modify_reward_weight, params={"term_name": "pole_pos", "weight": -3.0, "num_steps": 40}
        )

    cfg.curriculum = Curriculum()


def _actuator(kind: str) -> Callable[[Any], None]:
    def edit(cfg: Any) -> None:
        import isaaclab.actuators as actuators

        more = {"min_delay": 1, "max_delay": 1} if kind == "DelayedPDActuatorCfg" else {}
        if kind == "DCMotorCfg":
            more = {"saturation_effort": 80.0, "actuator_velocity_limit": 30.0, "actuator_effort_limit": 60.0}
        cfg.scene.robot.actuators["cart_actuator"] = getattr(actuators, kind)(
            joint_names_expr=["slider_to_cart"], stiffness=0.0, damping=5.0, **more
        )

    return edit


def _termination(cfg: Any) -> None:
    from isaaclab.managers import TerminationTermCfg

    cfg.terminations.own = TerminationTermCfg(func=leaning)


def _ten_seconds(cfg: Any) -> None:
    cfg.episode_length_s = 10.0
    cfg.terminations.cart_out_of_bounds.params["bounds"] = (-0.6, 0.6)


def _swing_up(cfg: Any) -> None:
    """The task of lesson 12, as far as the step is concerned: own observations and rewards, a pole that hangs."""
    from isaaclab.managers import ObservationTermCfg, RewardTermCfg

    def direction(env: Any) -> torch.Tensor:
        angle = env.scene["robot"].data.joint_pos.torch[:, 1:]
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

    def height(env: Any) -> torch.Tensor:
        return env.scene["robot"].data.joint_pos.torch[:, 1].cos()

    cfg.observations.policy.joint_pos_rel = ObservationTermCfg(func=direction)
    cfg.rewards.alive = None
    cfg.rewards.pole_pos = RewardTermCfg(func=height, weight=1.0)
    cfg.events.reset_pole_position.params["position_range"] = (0.75 * math.pi, 1.25 * math.pi)


# -- changes in mid-run ------------------------------------------------------------------------------------------------


def _weight(env: Any) -> None:
    term = env.reward_manager.get_term_cfg("pole_pos")
    term.weight = -5.0
    env.reward_manager.set_term_cfg("pole_pos", term)


def _function(env: Any) -> None:
    env.reward_manager.get_term_cfg("cart_vel").func = lambda env, asset_cfg: upright(env)


def _params_in_place(env: Any) -> None:
    env.termination_manager.get_term_cfg("cart_out_of_bounds").params["bounds"] = (-0.6, 0.6)


def _constant(env: Any) -> None:
    CONSTANTS["bonus"] = 3.0


def _decimation(env: Any) -> None:
    env.cfg.decimation = 3


def _episode_length(env: Any) -> None:
    env.cfg.episode_length_s = 0.5


def _replaced_buffer(env: Any) -> None:
    env.episode_length_buf = torch.full_like(env.episode_length_buf, env.max_episode_length - 10)


def _masses(env: Any) -> None:
    robot = env.scene["robot"]
    robot.set_masses_index(masses=robot.data.body_mass.torch.clone() * 2.0)


def _gains(env: Any) -> None:
    env.scene["robot"].write_joint_damping_to_sim_index(damping=torch.full((env.num_envs, 2), 4.0, device=env.device))


def _gravity(env: Any) -> None:
    from isaaclab_newton.physics import NewtonManager
    from newton import ModelFlags

    NewtonManager.get_model().set_gravity((0.0, 0.0, -3.7))
    NewtonManager.add_model_change(ModelFlags.MODEL_PROPERTIES)


def _reset_all(env: Any) -> None:
    env.reset()


def _reads_between(env: Any, number: int) -> None:
    """A reader who looks at lazily computed data between two steps, now and then."""
    if number % 7 == 3:
        data = env.scene["robot"].data
        SEEN[:] = [data.body_link_pose_w.torch.clone(), data.joint_acc.torch.clone()]


RESTART = frozenset({"restart"})
CASES: dict[str, Case] = {
    "default": Case(),
    "own_reward": Case(_reward(upright), change=_constant),
    "own_observation_with_buffer": Case(_observation(Smooth)),
    "observation_left_on_env": Case(_observation(rebinding), refused=frozenset({"observe"}), often=True),
    "reward_counts_steps": Case(_reward(counting), refused=frozenset({"judge"})),
    "reward_of_last_observation": Case(_reward(last_observation), change=_reset_all),
    "accelerations": Case(_observation(acceleration), before_step=_reads_between),
    "lazily_computed": Case(_observation(tip), before_step=_reads_between),
    "weight": Case(change=_weight),
    "function": Case(change=_function),
    "params_in_place": Case(change=_params_in_place),
    "decimation": Case(change=_decimation),
    "episode_length": Case(change=_episode_length),
    "replaced_buffer": Case(change=_replaced_buffer),
    "masses_in_mid_run": Case(change=_masses),
    "gains_in_mid_run": Case(change=_gains),
    "gravity_in_mid_run": Case(change=_gravity),
    "interval_push": Case(_event(push, "interval", {"interval_range_s": (0.3, 0.3)}, speed=1.0)),
    "stray_event": Case(_event(stray, "reset"), refused=RESTART),
    "random_masses": Case(
        _event("randomize_rigid_body_mass", "reset", mass_distribution_params=(0.5, 2.0), operation="scale"),
        refused=RESTART,
    ),
    "random_gravity": Case(
        _event(
            "randomize_physics_scene_gravity",
            "reset",
            gravity_distribution_params=([0.0, 0.0, -1.0], [0.0, 0.0, 1.0]),
            operation="add",
        ),
        refused=RESTART,
    ),
    "random_gains": Case(
        _event("randomize_actuator_gains", "reset", damping_distribution_params=(0.0, 9.0), operation="abs"),
        refused=RESTART,
    ),
    "noise": Case(_noise),
    "history": Case(_history, refused=RESTART),
    "delay": Case(_delay, refused=RESTART),
    "curriculum": Case(_curriculum),
    "ideal_pd": Case(_actuator("IdealPDActuatorCfg")),
    "dc_motor": Case(_actuator("DCMotorCfg")),
    "delayed_pd": Case(_actuator("DelayedPDActuatorCfg"), refused=RESTART),
    "another_termination": Case(_termination),
    "ten_seconds": Case(_ten_seconds),
    "swing_up": Case(_swing_up),
}


def still(cfg: Any) -> None:
    """Start states without chance in them: the masked restart draws other numbers than Isaac Lab's."""
    for term in (cfg.events.reset_cart_position, cfg.events.reset_pole_position):
        low, high = term.params["position_range"]
        term.params["position_range"] = ((low + high) / 2 + 0.3,) * 2
        term.params["velocity_range"] = (0.1, 0.1)


def make(case: Case, num_envs: int, device: str) -> Any:
    """The environment of a case with Isaac Lab's own step, with a first reset."""
    from cartpole_lab.session.configs import load_cfg
    from cartpole_lab.session.env import make_env
    from cartpole_lab.speed.recorded_step import remove

    cfg, _ = load_cfg(agent=None)
    case.cfg(cfg)
    if "restart" not in case.refused:
        still(cfg)
    cfg.episode_length_s = min(cfg.episode_length_s, 0.6) if cfg.episode_length_s < 10 else 10.0
    env = make_env(cfg, num_envs=num_envs, device=device, seed=3).unwrapped
    remove(env)
    env.reset()
    return env


def trace(env: Any, case: Case, steps: int, scale: float = 0.7) -> list[tuple[torch.Tensor, ...]]:
    """Observations, rewards, both dones, logs of ``steps`` steps under random pushes."""
    generator = torch.Generator().manual_seed(0)
    CONSTANTS["bonus"] = 1.0
    SEEN.clear()
    found = []
    for number in range(steps):
        if case.change is not None and number == steps // 2:
            case.change(env)
        if case.before_step is not None:
            case.before_step(env, number)
        action = torch.randn(env.num_envs, 1, generator=generator).to(env.device) * scale
        obs, reward, terminated, truncated, extras = env.step(action)
        log = extras.get("log", {})
        logged = torch.tensor([float(log[k]) for k in sorted(log)])
        looked = [x for x in SEEN]
        found.append(tuple(x.clone() for x in (obs["policy"], reward, terminated, truncated, logged, *looked)))
    return found


def first_difference(one: list, other: list) -> str | None:
    """Where two traces part, or None; logs may differ by rounding, since sums are taken in another order."""
    names = ("observations", "rewards", "terminated", "truncated", "log", "poses", "accelerations")
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        if len(a) != len(b):
            return f"step {number}: {len(a)} and {len(b)} values"
        for name, x, y in zip(names, a, b, strict=False):
            same = torch.equal(x, y) if name != "log" else x.shape == y.shape and torch.allclose(x, y, atol=2e-6)
            if not same:
                return f"step {number}: {name}, by {float((x.float() - y.float()).abs().max()):.3g}"
    return None
