"""Checks of lesson 5: an entry in Gymnasium's registry, and a wrapper that fits a batch."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import torch

from cartpole_lab.teaching.exercises.acting import tensor_of_shape
from cartpole_lab.teaching.exercises.checking import Hint, says

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnvCfg


def is_isaac_labs(entry_point: Any) -> bool:
    """Whether an entry point, as text or as a class, is Isaac Lab's manager-based environment."""
    from isaaclab.envs import ManagerBasedRLEnv

    if isinstance(entry_point, str) and ":" in entry_point:
        entry_point = gym.envs.registration.load_env_creator(entry_point)
    return entry_point is ManagerBasedRLEnv


CONFIG = "CartpoleDepthCameraEnvCfg"
AGENT = "rl_games_camera_ppo_cfg.yaml"


@says("in the phone book: the name leads to a config and to an agent")
def check_registered(task: str, entry: Mapping[str, Any]) -> None:
    """Register ``entry`` under ``task`` for a moment and look up what it leads to.

    Args:
        task: The id.
        entry: Arguments for :func:`gymnasium.register`, without ``id``.
    """
    from isaaclab_tasks.utils import load_cfg_from_registry

    kwargs = entry.get("kwargs", {})
    if "id" in entry:
        raise Hint("leave the id out of the dictionary; the check brings it")
    for key, text in (("env_cfg_entry_point", f"…:{CONFIG}"), ("rl_games_cfg_entry_point", f"…:{AGENT}")):
        if key not in kwargs:
            raise Hint(f"kwargs has no {key!r}, expected one that names {text}")
        value = kwargs[key]
        if isinstance(value, str) and ":" not in value:
            raise Hint(f"{key} is {value!r}: between the module and the name stands a colon, 'package.module:Name'")
    if not is_isaac_labs(entry.get("entry_point")):
        raise Hint(f"entry_point is {entry.get('entry_point')!r}, expected 'isaaclab.envs:ManagerBasedRLEnv'")
    if not entry.get("disable_env_checker"):
        raise Hint("Gymnasium's checker expects one environment, not a batch: disable_env_checker=True")
    gym.registry.pop(task, None)
    try:
        gym.register(id=task, **entry)
        with contextlib.redirect_stdout(io.StringIO()):  # Isaac Lab says which files it reads
            env_cfg: ManagerBasedRLEnvCfg = load_cfg_from_registry(task, "env_cfg_entry_point")
            agent_cfg = load_cfg_from_registry(task, "rl_games_cfg_entry_point")
    finally:
        gym.registry.pop(task, None)
    if type(env_cfg).__name__ != CONFIG:
        raise Hint(f"the id leads to {type(env_cfg).__name__}, expected {CONFIG}")
    if not str(kwargs["rl_games_cfg_entry_point"]).endswith(f":{AGENT}") or "params" not in agent_cfg:
        raise Hint(f"the agent is {kwargs['rl_games_cfg_entry_point']!r}, expected the file {AGENT}")


@says("it works on all environments at once, so it fits")
def check_push_limit(push_limit: Callable[..., gym.ActionWrapper], env: gym.Env) -> None:
    """Check a wrapper that clips actions.

    Args:
        push_limit: The wrapper's class; takes an environment and a limit.
        env: A live environment. It is not stepped.
    """
    actions = torch.tensor([[-5.0], [-0.1], [0.0], [0.2], [3.0]])
    for limit in (0.25, 1.0):
        wrapped = push_limit(env, limit)
        if not isinstance(wrapped, gym.ActionWrapper):
            raise Hint("this is no gym.ActionWrapper: derive the class from it and call super().__init__(env)")
        given = actions.clone()
        got = tensor_of_shape(wrapped.action(given), (5, 1), "clip every entry and keep the shape")
        if torch.equal(got, actions):
            raise Hint("actions of ±5 come through unchanged: tensor.clamp(low, high) clips")
        if torch.equal(got, actions * limit):
            raise Hint("this scales every action; clipping leaves small ones as they are")
        if torch.equal(got, actions.clamp(max=limit)):
            raise Hint("pushes to the left come through unclipped: clamp needs a lower limit too")
        if torch.equal(got, actions.clamp(-1.0, 1.0)) and limit != 1.0:
            raise Hint("this clips to ±1 whatever the limit is: use self.limit")
        if not torch.allclose(got, actions.clamp(-limit, limit)):
            expected = actions.clamp(-limit, limit).flatten().tolist()
            raise Hint(f"with a limit of {limit}, actions become {got.flatten().tolist()}, expected {expected}")
        if not torch.equal(given, actions):
            raise Hint("the caller's tensor changed: clamp() makes a new one, clamp_() overwrites")
