"""An actor and a critic that cannot tell left from right, as a network of rl-games: ``symmetric_actor_critic``.

A cart-pole in a mirror is a cart-pole. When every observed number changes its sign, the best action changes its sign
too, and the value stays. A network made this way knows from the start about the left what it learns on the right.
The idea is an old one: Zinkevich and Balch, "Symmetry in Markov Decision Processes and its Implications for Single
Agent and Multi Agent Learning", ICML 2001.
"""

from __future__ import annotations

from typing import Any

import torch
from rl_games.algos_torch.model_builder import register_network
from rl_games.algos_torch.network_builder import A2CBuilder


class SymmetricActorCriticBuilder(A2CBuilder):
    """Builds rl-games' perceptron with an odd actor and an even critic.

    Layers without bias and an odd activation such as tanh make every hidden unit an odd function of the observation:
    a sum of them is an odd action, a sum of their squares an even value. The biases stay in the checkpoint, all zero,
    so that whatever reads a checkpoint of ``actor_critic`` reads this one.
    """

    def build(self, name: str, **kwargs: Any) -> Network:
        """Build the network.

        Args:
            name: Unused; rl-games passes it.
            **kwargs: As for rl-games' ``A2CBuilder``.

        Raises:
            ValueError: The settings ask for something that has no such symmetry.
        """
        return SymmetricActorCriticBuilder.Network(self.params, **kwargs)

    class Network(A2CBuilder.Network):
        """``a = sum w_i h_i(obs)`` and ``V = b + sum u_i h_i(obs)^2``, with hidden units ``h_i(-obs) = -h_i(obs)``."""

        def __init__(self, params: dict[str, Any], **kwargs: Any) -> None:
            super().__init__(params, **kwargs)
            if self.activation != "tanh" or self.has_cnn or self.has_rnn or self.separate or not self.fixed_sigma:
                raise ValueError(
                    "symmetric_actor_critic is a tanh perceptron with separate: False and fixed_sigma: True, without "
                    f"cnn and rnn; these settings have activation {self.activation!r}: choose actor_critic for others"
                )
            for layer in (*self.actor_mlp, self.mu):
                if isinstance(layer, torch.nn.Linear):
                    layer.bias.requires_grad_(False).zero_()

        def forward(self, obs_dict: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Any]:
            """Mean ``(n, actions)``, log standard deviation ``(n, actions)``, value ``(n, 1)``, recurrent states."""
            hidden = self.actor_mlp(obs_dict["obs"].flatten(1))
            mu = self.mu(hidden)
            return mu, self.sigma.expand_as(mu), self.value(hidden.square()), obs_dict.get("rnn_states")


register_network("symmetric_actor_critic", SymmetricActorCriticBuilder)
