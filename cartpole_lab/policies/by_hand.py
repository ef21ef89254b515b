"""Policies made by hand, to compare trained ones with."""

from __future__ import annotations

import functools
from typing import Any

import torch

from cartpole_lab.policies.network import Policy


def zero_policy(obs: torch.Tensor, actions: int = 1) -> torch.Tensor:
    """Never push.

    Args:
        obs: Shape ``(n, …)``.
        actions: Numbers of an action; evaluations and recordings fill in their environment's.
    """
    return torch.zeros(len(obs), actions, device=obs.device)


zero_policy.any_actions = True  # type: ignore[attr-defined]


def for_env(policy: Policy, env: Any) -> Policy:
    """A policy that has no mind of its own about the size of an action, with that of an environment."""
    actions = env.unwrapped.action_manager.total_action_dim
    if actions == 1 or not getattr(policy, "any_actions", False):
        return policy
    return functools.partial(policy, actions=actions)  # type: ignore[call-arg]


def random_policy(seed: int = 0) -> Policy:
    """Push at random, evenly between full left and full right.

    Args:
        seed: Seed of a random stream of its own.
    """
    generator = torch.Generator().manual_seed(seed)

    def act(obs: torch.Tensor, actions: int = 1) -> torch.Tensor:
        return (2 * torch.rand(len(obs), actions, generator=generator) - 1).to(obs.device)

    act.any_actions = True  # type: ignore[attr-defined]
    return act


def pd_policy(
    cart_p: float = 0.1, pole_p: float = -3.0, cart_d: float = 0.25, pole_d: float = -0.6, clip: float = 1.0
) -> Policy:
    """A hand-written controller: the action is a weighted sum of the four observed numbers.

    Args:
        cart_p: Action per metre of cart position.
        pole_p: Action per radian of pole angle.
        cart_d: Action per metre per second.
        pole_d: Action per radian per second.
        clip: Largest action.
    """
    gains = torch.tensor([cart_p, pole_p, cart_d, pole_d])

    def act(obs: torch.Tensor) -> torch.Tensor:
        return (obs @ gains.to(obs.device)).clamp(-clip, clip).unsqueeze(-1)

    return act
