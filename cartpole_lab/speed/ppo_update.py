"""The gradient of PPO's loss, written out: rl-games' update of a small network in a little over half the time.

Between the network and the loss of PPO lie some sixty tiny operations on a minibatch, and PyTorch's automatic
differentiation walks through all of them again, backwards. Here the derivative of that part is written down, and only
the network itself is differentiated automatically. The numbers are rl-games' own up to rounding; whatever this class
does not cover is left to rl-games.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
import torch.distributed as dist
from rl_games.algos_torch import torch_ext
from rl_games.algos_torch.a2c_continuous import A2CAgent
from rl_games.common.common_losses import actor_loss
from rl_games.common.diagnostics import DefaultDiagnostics
from torch.autograd.graph import _engine_run_backward

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
# PyTorch's own thread for the backward pass on a GPU says so once, then does what it says; nothing is amiss
warnings.filterwarnings("ignore", message="Attempting to run cuBLAS, but there was no current CUDA context")


class LeanA2CAgent(A2CAgent):
    """rl-games' continuous PPO agent with the derivative of its loss in closed form.

    The loss is PPO's clipped one (Schulman et al., "Proximal Policy Optimization Algorithms", 2017, equations 7 and 9)
    with rl-games' clipped value loss and its penalty on means beyond 1.1.
    """

    def covers(self) -> bool:
        """Whether the settings are those that the closed form is for."""
        return (
            self.actor_loss_func is actor_loss
            and self.ppo
            and self.bound_loss_type == "bound"
            and self.bounds_loss_coef is not None
            and self.has_value_loss
            and type(self.model).__qualname__ == "ModelA2CContinuousLogStd.Network"
            and self.model.get_aux_loss() is None
            and type(self.diagnostics) is DefaultDiagnostics
            and not (self.is_rnn or self.mixed_precision)
        )

    def calc_gradients(self, input_dict: dict[str, torch.Tensor]) -> None:
        """Compute the gradients of one minibatch and take a step.

        Args:
            input_dict: rl-games' minibatch of ``n`` samples: ``obs``, ``actions``, ``mu``, ``sigma`` ``(n, actions)``,
                ``old_logp_actions``, ``advantages`` ``(n,)``, ``old_values``, ``returns`` ``(n, 1)``.
        """
        if not self.covers():
            super().calc_gradients(input_dict)
            return
        obs = self.model.norm_obs(self._preproc_obs(input_dict["obs"]))
        a_loss, c_loss, entropy, kl, b_loss, mu, sigma = self.minibatch(obs, input_dict)
        self.aux_loss_dict: dict[str, Any] = {}
        self.train_result = (a_loss, c_loss, entropy, kl, self.last_lr, 1.0, mu, sigma, b_loss)

    def minibatch(self, obs: torch.Tensor, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Take a step along the gradients of one minibatch.

        Args:
            obs: Normalized observations ``(n, ...)``.
            batch: As for :meth:`calc_gradients`.

        Returns:
            Losses of actor and critic, entropy, KL divergence (of several processes the mean), loss of bounds; then
            means and standard deviations of the actions ``(n, actions)``.
        """
        mu, logstd, value, _ = self.model.a2c_network({"is_train": True, "obs": obs})
        parameters = self.optimizer.param_groups[0]["params"]  # to ask the model for them takes longer than to use them
        for parameter in parameters:
            parameter.grad = None
        with torch.no_grad():
            n, sigma = len(mu), logstd.exp()
            losses, gradients = self._loss(batch, mu, logstd, sigma, value)
        # torch.autograd.backward, less the check of shapes for which it imports a library of symbolic algebra
        gradients = tuple(gradient.div_(n) for gradient in gradients)
        _engine_run_backward(
            (mu, logstd, value), gradients, False, False, (), allow_unreachable=True, accumulate_grad=True
        )
        with torch.no_grad():
            kl = torch_ext.policy_kl(mu, sigma, batch["mu"], batch["sigma"], True)
        if self.multi_gpu:
            kl = self._share([*(p.grad for p in parameters if p.grad is not None), kl])
        if self.truncate_grads:
            torch.nn.utils.clip_grad_norm_(parameters, self.grad_norm)
        self.optimizer.step()
        a_loss, c_loss, entropy, b_loss = (loss.mean() for loss in losses)
        return a_loss, c_loss, entropy, kl, b_loss, mu.detach(), sigma

    @torch.no_grad()
    def _share(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        """Average tensors over the processes of a distributed training, in one message; return the last one."""
        everything = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(everything)
        everything /= self.world_size
        for tensor, part in zip(tensors, everything.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))
        return tensors[-1]

    def _loss(
        self,
        batch: dict[str, torch.Tensor],
        mu: torch.Tensor,
        logstd: torch.Tensor,
        sigma: torch.Tensor,
        value: torch.Tensor,
    ) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """The four losses of each sample, and ``n`` times the gradients of their weighted mean: mu, logstd, value."""
        # negative log-probability of the actions that were taken
        z = (batch["actions"] - mu) / sigma
        neg_log_prob = (0.5 * z * z + logstd + HALF_LOG_2PI).sum(dim=-1)
        advantage = batch["advantages"]
        ratio = torch.exp(batch["old_logp_actions"] - neg_log_prob)
        plain, clipped = advantage * ratio, advantage * ratio.clamp(1 - self.e_clip, 1 + self.e_clip)
        a_loss = -torch.min(plain, clipped)
        pull = torch.where(plain <= clipped, plain, 0.0).unsqueeze(-1)  # beyond the clip nothing pulls any more

        excess = (mu - 1.1).clamp_min(0.0) + (mu + 1.1).clamp_max(0.0)
        b_loss = (excess * excess).sum(dim=-1)
        g_mu = -pull * z / sigma + 2 * self.bounds_loss_coef * excess
        g_logstd = pull * (1 - z * z) - self.entropy_coef
        entropy = (logstd + (0.5 + HALF_LOG_2PI)).sum(dim=-1)

        error = value - batch["returns"]
        c_loss = error * error
        g_value = self.critic_coef * error
        if self.clip_value:
            moved = value - batch["old_values"]
            held = (batch["old_values"] + moved.clamp(-self.e_clip, self.e_clip) - batch["returns"]).square()
            g_value = torch.where((c_loss >= held) | (moved.abs() <= self.e_clip), g_value, 0.0)
            c_loss = torch.max(c_loss, held)
        return (a_loss, c_loss, entropy, b_loss), (g_mu, g_logstd, g_value)
