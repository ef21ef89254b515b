"""Where a training stood when it was saved: so that one that goes on is the one that never stopped, to the last bit.

A checkpoint of rl-games holds what has been learned. Left out are the carts in the midst of their episodes and the
random streams; a training that goes on would start all episodes anew. Here they come along, as plain numbers.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from rl_games.algos_torch.a2c_continuous import A2CAgent

ENTRY = "cartpole_lab_standing"
"""Name of the entry in a checkpoint; rl-games does not look at it."""
MOST_ENVS = 16_384
"""Environments beyond which it is left out: a checkpoint is to stay small."""
_ROLLOUT = ("current_rewards", "current_shaped_rewards", "current_lengths", "dones")
_METERS = ("game_rewards", "game_shaped_rewards", "game_lengths")


def standing(algo: A2CAgent) -> dict[str, Any] | None:
    """What a training stands at after an epoch, as tensors and numbers; None for a very large one."""
    raw = algo.vec_env.env.unwrapped
    if raw.num_envs > MOST_ENVS or not hasattr(algo, "dones"):
        return None
    return {
        "joints": {
            name: {"pos": robot.data.joint_pos.torch.clone(), "vel": robot.data.joint_vel.torch.clone()}
            for name, robot in raw.scene.articulations.items()
        },
        "episode_length": raw.episode_length_buf.clone(),
        "episode_length_s": float(raw.cfg.episode_length_s),
        "common_step": int(raw.common_step_counter),
        "actions": [raw.action_manager._action.clone(), raw.action_manager._prev_action.clone()],
        "rollout": {name: getattr(algo, name).clone() for name in _ROLLOUT},
        "meters": {name: [getattr(algo, name).mean.clone(), int(getattr(algo, name).current_size)] for name in _METERS},
        "streams": _streams(raw.device),
    }


def stand(algo: A2CAgent, saved: Any) -> Any:
    """Put a training, whose environment has just been reset, back to where it stood.

    Args:
        algo: The agent, with its weights and counters restored.
        saved: What :func:`standing` gave.

    Returns:
        The first observations, as the environment's wrapper gives them; None if the numbers are those of another number
        of environments or of another robot, and nothing has been touched.
    """
    raw = algo.vec_env.env.unwrapped
    if not _fits(algo, raw, saved):
        return None
    for name, robot in raw.scene.articulations.items():
        joints = saved["joints"][name]
        robot.write_joint_position_to_sim_index(position=joints["pos"].to(raw.device))
        robot.write_joint_velocity_to_sim_index(velocity=joints["vel"].to(raw.device))
    raw.episode_length_buf.copy_(saved["episode_length"])
    raw.cfg.episode_length_s = saved["episode_length_s"]
    raw.common_step_counter = saved["common_step"]
    raw.action_manager._action.copy_(saved["actions"][0])
    raw.action_manager._prev_action.copy_(saved["actions"][1])
    for name, value in saved["rollout"].items():
        getattr(algo, name).copy_(value)
    for name, (mean, size) in saved["meters"].items():
        getattr(algo, name).mean = mean.to(algo.ppo_device)  # its shape is another one before the first episode
        getattr(algo, name).current_size = size
    raw.scene.write_data_to_sim()
    raw.sim.forward()
    raw.scene.update(dt=0.0)
    raw.obs_buf = raw.observation_manager.compute(update_history=True)
    obs = algo.vec_env.env._process_obs(dict(raw.obs_buf))
    _set_streams(saved["streams"])  # last: looking at things may have drawn from them
    return obs


def _fits(algo: A2CAgent, raw: Any, saved: Any) -> bool:
    try:
        joints = {name: tuple(j["pos"].shape) for name, j in saved["joints"].items()}
        rollout = {name: tuple(value.shape) for name, value in saved["rollout"].items()}
        meters = {name: mean.numel() for name, (mean, _) in saved["meters"].items()}
        kept = {"episode_length_s", "common_step", "actions", "streams"} <= set(saved)
        lengths = tuple(saved["episode_length"].shape)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return (
        kept
        and joints == {name: tuple(r.data.joint_pos.torch.shape) for name, r in raw.scene.articulations.items()}
        and rollout == {name: tuple(getattr(algo, name).shape) for name in _ROLLOUT}
        and meters == {name: getattr(algo, name).mean.numel() for name in _METERS}
        and lengths == tuple(raw.episode_length_buf.shape)
    )


def _streams(device: str) -> dict[str, Any]:
    """States of the random streams: PyTorch's, NumPy's and Python's."""
    kind, keys, *rest = np.random.get_state()
    version, inner, gauss = random.getstate()
    cuda = torch.cuda.get_rng_state(device) if str(device).startswith("cuda") else None
    return {
        "torch": torch.get_rng_state(),
        "cuda": cuda,
        "numpy": [str(kind), torch.from_numpy(keys.astype(np.int64)), int(rest[0]), int(rest[1]), float(rest[2])],
        "python": [int(version), torch.tensor(inner), gauss],
    }


def _set_streams(states: Any) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    version, inner, gauss = states["python"]
    random.setstate((version, tuple(inner.tolist()), gauss))
