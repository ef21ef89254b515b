"""From what a user calls a policy to what acts in an environment: read, checked, on its device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cartpole_lab.policies.by_hand import for_env
from cartpole_lab.policies.checkpoint import Checkpoint
from cartpole_lab.policies.checkpoint_lookup import open_any
from cartpole_lab.policies.loading import load_policy
from cartpole_lab.policies.network import NetworkPolicy, Policy
from cartpole_lab.policies.runs import Run
from cartpole_lab.session.env_settings import check_sizes
from cartpole_lab.session.task_lookup import DEFAULT_TASK

if TYPE_CHECKING:
    import gymnasium as gym


def opened(policy: Policy | str | Path | Checkpoint | Run) -> Policy | Checkpoint:
    """A policy as it is; else the checkpoint that a path names, or the best one of a run."""
    return policy if callable(policy) else open_any(policy)


def settings_for(policy: Policy | Checkpoint, task_or_cfg: Any = None) -> Any:
    """What to simulate: what was asked for, else what a checkpoint was trained in, else the cart-pole."""
    if task_or_cfg is not None:
        return task_or_cfg
    return policy.env if isinstance(policy, Checkpoint) else DEFAULT_TASK


def acting(policy: Policy | Checkpoint, env: gym.Env) -> Policy:
    """What acts in an environment, on its device.

    Raises:
        UserError: A network sees other observations than the environment gives, or gives other actions than it takes.
    """
    raw, trained = env.unwrapped, None
    given = tuple(raw.single_observation_space["policy"].shape)
    if isinstance(policy, Checkpoint):
        trained = policy.env
        policy = load_policy(policy, device=raw.device, obs_shape=given)
    if isinstance(policy, NetworkPolicy):
        check_sizes(env, trained, policy.obs_shape)
        check_sizes(env, trained, None, policy(torch.zeros(2, *given, device=raw.device)).shape[1])
    return for_env(policy, env)
