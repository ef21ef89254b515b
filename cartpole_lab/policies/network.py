"""The one network that acts, whichever library trained it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

Policy = Callable[[torch.Tensor], torch.Tensor]
"""Observations ``(n, obs_dim)`` to actions ``(n, act_dim)``, without exploring."""


class NetworkPolicy(nn.Module):
    """The deterministic part of a trained agent: what its library does from an observation to the action it takes.

    Limit the observation, normalise it, ask the network for its mean action, scale and limit that.

    Attributes:
        network: The library's network from normalised observation to mean action.
        obs_shape: Shape of one observation.
        mean, std: Normalisation of the observations; 0 and 1 where the agent doesn't normalise.
        normalises: Whether it does.
        clip_obs: Limit of an observation before normalisation, ``clip_normalized`` after it.
        limit_mean: Limit of the network's answer before it is scaled.
        scale: What the limited answer is multiplied by.
        clip_actions: Limit of the action.
        layers: The network as plain layers one after the other, or None if it is more than that.
    """

    def __init__(
        self,
        network: nn.Module,
        obs_shape: tuple[int, ...],
        *,
        clip_obs: float = math.inf,
        normalizer: tuple[torch.Tensor, torch.Tensor] | None = None,
        clip_normalized: float = math.inf,
        limit_mean: float = math.inf,
        scale: float = 1.0,
        clip_actions: float = math.inf,
        layers: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.obs_shape, self.normalises = network, tuple(obs_shape), normalizer is not None
        self.clip_obs, self.clip_normalized = float(clip_obs), float(clip_normalized)
        self.limit_mean, self.scale, self.clip_actions = float(limit_mean), float(scale), float(clip_actions)
        self.layers = None if layers is None else list(layers)
        mean, std = normalizer or (torch.zeros(obs_shape), torch.ones(obs_shape))
        self.register_buffer("mean", mean.detach().clone().float())
        self.register_buffer("std", std.detach().clone().float())
        self.requires_grad_(False)
        self.eval()

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Mean action for each observation.

        Args:
            obs: Shape ``(n, *obs_shape)``.

        Returns:
            Shape ``(n, act_dim)``, within ``±clip_actions``.
        """
        obs = _limit(obs, self.clip_obs)
        if self.normalises:
            obs = _limit((obs - self.mean) / self.std, self.clip_normalized)
        action = _limit(self.network(obs), self.limit_mean)
        return _limit(action * self.scale if self.scale != 1.0 else action, self.clip_actions)


def _limit(values: torch.Tensor, limit: float) -> torch.Tensor:
    return values if math.isinf(limit) else values.clamp(-limit, limit)
