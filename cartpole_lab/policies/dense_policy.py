"""A small network that acts: what is left of a trained agent when its library is gone."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn

from cartpole_lab.errors import UserError
from cartpole_lab.policies.network import ACTIVATIONS


class DensePolicy(nn.Module):
    """Normalise the observations, send them through dense layers, limit the actions.

    Args:
        layers: Dense layers with their activations, from the numbers of an observation to those of an action.
        action_limit: Actions are limited to plus or minus this; None leaves them as they are.
    """

    def __init__(self, layers: nn.Sequential, action_limit: float | None = None) -> None:
        super().__init__()
        inputs = next(layer for layer in layers if isinstance(layer, nn.Linear)).in_features
        self.layers = layers
        self.action_limit = action_limit
        self.observation_limit: float | None = None
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))

    @classmethod
    def from_layers(
        cls,
        state: Mapping[str, torch.Tensor],
        *prefixes: str,
        activation: str = "elu",
        action_limit: float | None = None,
    ) -> DensePolicy:
        """Build the network out of a checkpoint's weights.

        Args:
            state: Weights by name.
            *prefixes: Which names belong to the network; the order is the order of the layers.
            activation: Between the layers: elu, relu, tanh or selu.
            action_limit: As for the class.

        Raises:
            UserError: No dense layer under the prefixes, or an unknown activation.
        """
        if activation.lower() not in ACTIVATIONS:
            raise UserError(f"activation {activation!r} is not known: expected one of {', '.join(ACTIVATIONS)}")
        names = [name for prefix in prefixes for name in _in_order(state, prefix)]
        if not names:
            raise UserError(f"the checkpoint has no dense layers named {' or '.join(prefixes)}")
        layers: list[nn.Module] = []
        for name in names:
            weight = state[f"{name}weight"]
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": state[f"{name}bias"]})
            layers += [layer, ACTIVATIONS[activation.lower()]()]
        return cls(nn.Sequential(*layers[:-1]), action_limit)

    def set_normalizer(self, mean: torch.Tensor, scale: torch.Tensor, limit: float | None = None) -> None:
        """Set what the trainer did to the observations: ``(obs - mean) / scale``, then limited to ±``limit``."""
        self.mean = mean.reshape(-1).float()
        self.scale = scale.reshape(-1).float()
        self.observation_limit = limit

    @torch.no_grad()
    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Deterministic actions ``(n, actions)`` for observations ``(n, numbers)``."""
        obs = (obs - self.mean) / self.scale
        if self.observation_limit is not None:
            obs = obs.clamp(-self.observation_limit, self.observation_limit)
        actions = self.layers(obs)
        return actions if self.action_limit is None else actions.clamp(-self.action_limit, self.action_limit)


def _in_order(state: Mapping[str, torch.Tensor], prefix: str) -> list[str]:
    """Names of the dense layers under a prefix, by their number, each ending in a dot."""
    found = [name.removesuffix("weight") for name in state if re.fullmatch(re.escape(prefix) + r"(\d+\.)?weight", name)]
    return sorted(found, key=lambda name: int((re.findall(r"\d+", name.removeprefix(prefix)) or ["0"])[-1]))
