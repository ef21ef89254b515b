"""What a policy does, kept: rollouts as arrays with the reward taken apart."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cartpole_lab.errors import UserError
from cartpole_lab.files import check_target, read_arrays, write_whole
from cartpole_lab.policies.acting import acting, opened, settings_for
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.runs import Run
from cartpole_lab.session.env import make_env

if TYPE_CHECKING:
    import gymnasium as gym

    from cartpole_lab.policies.network import Policy

_DICTS = ("reward_terms", "weights")


@dataclass(frozen=True)
class Rollout:
    """A stretch of simulation: ``T`` steps of ``N`` environments, in NumPy arrays.

    State arrays hold one row more than the others: row ``t`` is what the policy saw before step ``t``. Isaac Lab resets
    an environment within the step that ends its episode, so where ``terminated`` or ``truncated`` is true at step
    ``t``, row ``t + 1`` is the start of the next episode.

    Attributes:
        step_dt: Length of a step [s].
        joint_names: Names of the joints, in the order of the last axis of the joint arrays.
        joint_pos: Joint positions, cart [m] and pole [rad], shape ``(T + 1, N, joints)``.
        joint_vel: Joint velocities, cart [m/s] and pole [rad/s], shape ``(T + 1, N, joints)``.
        observations: What the policy saw, shape ``(T + 1, N, …)``.
        actions: What it answered, shape ``(T, N, action_dim)``.
        effort: Force on the cart [N], shape ``(T, N)``: what the action asks for, or what the actuator makes of one
            that asks for something else.
        rewards: Reward of each step, shape ``(T, N)``: the sum of weight × term × ``step_dt``.
        reward_terms: Value of each term before its weight, shape ``(T, N)``. Isaac Lab doesn't compute a term of weight
            0: it reads 0 here.
        weights: Weight of each term, a rate per second.
        terminated: True where a step ended the episode as a failure, shape ``(T, N)``.
        truncated: True where a step used the episode's time up, shape ``(T, N)``.
    """

    step_dt: float
    joint_names: tuple[str, ...]
    joint_pos: np.ndarray
    joint_vel: np.ndarray
    observations: np.ndarray
    actions: np.ndarray
    effort: np.ndarray
    rewards: np.ndarray
    reward_terms: dict[str, np.ndarray]
    weights: dict[str, float]
    terminated: np.ndarray
    truncated: np.ndarray

    @property
    def steps(self) -> int:
        """Number of steps, ``T``."""
        return len(self.rewards)

    @property
    def num_envs(self) -> int:
        """Number of environments, ``N``."""
        return self.rewards.shape[1]

    @property
    def time(self) -> np.ndarray:
        """Time of each state [s], shape ``(T + 1,)``; step ``t`` lasts from ``time[t]`` to ``time[t + 1]``."""
        return np.arange(self.steps + 1) * self.step_dt

    def joint(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity of one joint, shape ``(T + 1, N)`` each.

        Raises:
            KeyError: There is no such joint.
        """
        if name not in self.joint_names:
            raise KeyError(f"joint {name!r} is not in this rollout: expected one of {', '.join(self.joint_names)}")
        index = self.joint_names.index(name)
        return self.joint_pos[..., index], self.joint_vel[..., index]

    def contributions(self, weights: dict[str, float] | None = None) -> dict[str, np.ndarray]:
        """What each term paid in each step: weight × term × ``step_dt``, shape ``(T, N)``.

        With the weights of the recording these sum to :attr:`rewards`.

        Args:
            weights: Other weights for some of the terms: what the same motion would have paid under them.

        Raises:
            KeyError: A weight is given for a term that this rollout doesn't have.
        """
        weights = {**self.weights, **(weights or {})}
        if unknown := set(weights) - set(self.reward_terms):
            raise KeyError(f"no reward term {sorted(unknown)}: expected some of {', '.join(self.reward_terms)}")
        return {name: weights[name] * term * self.step_dt for name, term in self.reward_terms.items()}

    def save(self, path: str | Path) -> Path:
        """Write everything to one compressed ``.npz`` file, whole or not at all, and return its path.

        ``.npz`` is put behind a name that lacks it: ``run.v1`` becomes ``run.v1.npz``. An older rollout of that name is
        replaced, any other file is left alone.

        Raises:
            UserError: Something else is there, such as a run's curve, or nothing can be written there.
        """
        path = Path(path)
        path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
        check_target(path, overwrite=_is_rollout(path), what="path")
        arrays = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name not in _DICTS}
        for name in _DICTS:
            arrays |= {f"{name}/{key}": np.asarray(value) for key, value in getattr(self, name).items()}
        np.savez_compressed(content := io.BytesIO(), **arrays)
        return write_whole(path, content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Rollout:
        """Read a file that :meth:`save` wrote.

        Raises:
            FileNotFoundError: There is no file at ``path``.
            ValueError: The file holds something else.
        """
        path = Path(path)
        try:
            arrays = read_arrays(path)
        except ValueError as error:
            raise UserError(f"{path} is not a rollout: it is damaged, or of another kind ({error})") from error
        dicts: dict[str, dict[str, Any]] = {name: {} for name in _DICTS}
        for name in [key for key in arrays if "/" in key]:
            group, _, key = name.partition("/")
            dicts.setdefault(group, {})[key] = arrays.pop(name)
        if set(arrays) | set(dicts) != {f.name for f in fields(cls)}:
            raise UserError(f"{path} is not a rollout: it holds {', '.join(sorted(arrays)) or 'nothing'}")
        try:
            dicts["weights"] = {key: float(value) for key, value in dicts["weights"].items()}
            plain: dict[str, Any] = {**arrays, **dicts}
            plain["step_dt"], plain["joint_names"] = float(plain["step_dt"]), tuple(plain["joint_names"].tolist())
        except (TypeError, ValueError) as error:
            raise UserError(f"{path} is not a rollout: {error}") from error
        return cls(**plain)


def _is_rollout(path: Path) -> bool:
    """Whether a file is a rollout, as its list of contents says."""
    try:
        with zipfile.ZipFile(path) as file:
            return {"step_dt.npy", "joint_names.npy"} <= set(file.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False


def record_rollout(
    policy: Policy | str | Path | Checkpoint | Run,
    *,
    task_or_cfg: Any = None,
    env: gym.Env | None = None,
    steps: int = 300,
    num_envs: int = 4,
    seed: int = 7,
    device: str | None = None,
    overrides: Sequence[str] = (),
) -> Rollout:
    """Let a policy act and keep everything that happens.

    Args:
        policy: A policy, a checkpoint (its path too), or a run (the path of its folder too), which stands for its best.
        task_or_cfg: Registered id or config, as for :func:`cartpole_lab.make_env`; by default what a
            checkpoint was trained with, else the cart-pole.
        env: A live environment to use instead of making one. It is reset, and left where the recording ends.
        steps: How long to record; 300 steps are one episode of 5 s.
        num_envs: Number of environments to make, if none is given.
        seed: Seed of the start states.
        device: Where to simulate.
        overrides: As for :func:`cartpole_lab.load_cfg`.

    Returns:
        The recording, on the CPU.
    """
    policy = opened(policy)
    if env is None:
        task_or_cfg = settings_for(policy, task_or_cfg)
        env = make_env(task_or_cfg, num_envs=num_envs, device=device, seed=seed, overrides=overrides)
    raw = env.unwrapped
    policy = acting(policy, env)
    robot, rewards = raw.scene["robot"], raw.reward_manager
    weights = {name: float(rewards.get_term_cfg(name).weight) for name in rewards.active_terms}
    states, events = _play(env, policy, steps, seed)
    joint_pos, joint_vel, observations = states
    actions, effort, reward, paid, terminated, truncated = events
    return Rollout(
        step_dt=raw.step_dt,
        joint_names=tuple(robot.joint_names),
        joint_pos=joint_pos,
        joint_vel=joint_vel,
        observations=observations,
        actions=actions,
        effort=effort,
        rewards=reward,
        # the manager keeps weight × term
        reward_terms={n: paid[..., i] / w if w else paid[..., i] * 0.0 for i, (n, w) in enumerate(weights.items())},
        weights=weights,
        terminated=terminated,
        truncated=truncated,
    )


def _play(env: gym.Env, policy: Policy, steps: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What is seen before and after each step, and what happens in it, each array with time first."""
    import torch
    from isaaclab.envs.mdp import JointEffortActionCfg

    raw = env.unwrapped
    robot, rewards = raw.scene["robot"], raw.reward_manager
    action_term = raw.action_manager.get_term(raw.action_manager.active_terms[0])
    # an action that asks for a position or a velocity is in its unit: the force is what the actuator makes of it
    asks_effort = isinstance(action_term.cfg, JointEffortActionCfg)
    names = getattr(action_term.cfg, "joint_names", None) or [".*"]
    pushed = robot.find_joints(names)[0][0]
    states: list[tuple[torch.Tensor, ...]] = []
    events: list[tuple[torch.Tensor, ...]] = []

    def keep_state(obs: dict[str, torch.Tensor]) -> None:
        states.append(tuple(x.clone() for x in (robot.data.joint_pos.torch, robot.data.joint_vel.torch, obs["policy"])))

    with torch.no_grad():
        obs, _ = env.reset(seed=seed)
        keep_state(obs)
        for _ in range(steps):
            action = policy(obs["policy"])
            obs, reward, terminated, truncated, _ = env.step(action)
            paid = rewards._step_reward
            effort = action_term.processed_actions[:, 0] if asks_effort else robot.data.applied_torque.torch[:, pushed]
            events.append(tuple(x.clone() for x in (action, effort, reward, paid, terminated, truncated)))
            keep_state(obs)
    stacked = [[torch.stack(x).cpu().numpy() for x in zip(*rows, strict=True)] for rows in (states, events)]
    return stacked[0], stacked[1]
