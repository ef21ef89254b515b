"""What a rollout of rl-games notes on the device, so that the host has to ask only once, at its end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class RolloutNotes:
    """The agent's part of every step, on buffers that stay where they are.

    Args:
        agent: rl-games' agent, with its buffers made.
    """

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        n, horizon, device = agent.num_actors, agent.horizon_length, agent.ppo_device
        wrapper = agent.vec_env.env
        self._wrapper = wrapper
        self._bootstraps = agent.value_bootstrap and not wrapper.unwrapped.cfg.is_finite_horizon
        self.obs = agent.obs["obs"].clone()
        """Observations that the next action is for ``(n, ...)``."""
        self.env_actions = torch.zeros(n, agent.actions_num, device=device)
        """Actions for the environment."""
        self.values = torch.zeros(n, 1, device=device)
        self.dones = torch.zeros(n, device=device, dtype=torch.uint8)
        self.rewards = torch.zeros(n, device=device)
        self.terminated = torch.zeros(n, device=device, dtype=torch.bool)
        self.truncated = torch.zeros(n, device=device, dtype=torch.bool)
        self.next_obs: dict[str, torch.Tensor] = {}
        self.step = torch.zeros(1, device=device, dtype=torch.long)
        self.all_dones = torch.zeros(horizon, n, device=device, dtype=torch.bool)
        self.all_time_outs = torch.zeros(horizon, n, device=device, dtype=torch.bool)
        self.pay = torch.zeros(horizon, 1, device=device)
        """What each step paid, mean over the environments; NaN if anything observed is not a number."""
        self.ended = torch.zeros(horizon, 4, device=device)
        """For each step: episodes that ended, and the sums of their returns, shaped returns and lengths."""
        self.returns = torch.zeros(horizon, n, 1, device=device)
        stats = (agent.model.value_mean_std,) if agent.normalize_value else ()
        stats += (agent.model.running_mean_std,) if agent.normalize_input else ()
        self._stats = [(m, m.running_mean.clone(), m.running_var.clone()) for m in stats]
        self._infos: list[dict[str, Any]] = []

    # -- the host's part ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin a rollout: take over what others have changed since the last one."""
        agent = self.agent
        if agent.obs["obs"] is not self.obs:
            self.obs.copy_(agent.obs["obs"])
            agent.obs = {"obs": self.obs}
        if agent.dones is not self.dones:
            self.dones.copy_(agent.dones)
            agent.dones = self.dones
        for module, mean, var in self._stats:  # PyTorch's scripts bind new tensors when they learn
            mean.copy_(module.running_mean)
            var.copy_(module.running_var)
        self.step.zero_()
        self._infos = []

    def take(
        self, obs: dict[str, Any], reward: torch.Tensor, terminated: torch.Tensor, truncated: torch.Tensor, extras: Any
    ) -> None:
        """Take over what a step of the environment has returned."""
        if not self.next_obs:
            self.next_obs = {key: value.clone() for key, value in obs.items()}
        for key, value in obs.items():
            self.next_obs[key].copy_(value)
        self.rewards.copy_(reward)
        self.terminated.copy_(terminated)
        self.truncated.copy_(truncated)
        infos = dict(extras)
        if "log" in infos:
            infos["episode"] = infos.pop("log")
        self._infos.append(infos)

    def tell(self) -> None:
        """Let rl-games' running means and its observers hear of the steps, in their order."""
        agent = self.agent
        agent.dones = self.dones
        where = self.all_dones.nonzero()
        ended = self.ended.cpu().numpy()
        meters = (agent.game_rewards, agent.game_shaped_rewards, agent.game_lengths)
        means = [meter.mean.cpu().numpy().reshape(-1) for meter in meters]
        finite = self._wrapper.unwrapped.cfg.is_finite_horizon
        indices = where[:, 1:].split(ended[:, 0].astype(int).tolist())
        pay, time_outs = self.pay.cpu(), self.all_time_outs.cpu()  # whoever looks at a step's does not wait each time
        self._gather_logs()
        for number, (infos, done) in enumerate(zip(self._infos, indices, strict=True)):
            count = int(ended[number, 0])
            if count:
                for i, meter in enumerate(meters):  # rl_games.algos_torch.torch_ext.AverageMeter.update
                    size = min(count, meter.max_size)
                    old = min(meter.max_size - size, meter.current_size)
                    meter.current_size = old + size
                    new = np.float32(ended[number, i + 1] / count)
                    means[i] = (means[i] * old + new * size) / np.float32(old + size)
            infos["step_rewards"] = pay[number]
            if not finite:
                infos["time_outs"] = time_outs[number]
            agent.algo_observer.process_infos(infos, done)
        for meter, mean, shape in zip(meters, means, ((1, 1), (1, 1), (1,)), strict=True):
            if meter.current_size:  # in the shapes that rl-games' own indexing gives
                meter.mean = torch.as_tensor(mean, device=meter.mean.device, dtype=torch.float32).reshape(shape)

    def _gather_logs(self) -> None:
        """Give the last step the logs of all, each number a column: the observer means over all of them."""
        logs = [infos.get("episode") for infos in self._infos]
        names = list(logs[0] or ())
        numbers = [[log.get(name) for name in names] if log and list(log) == names else [None] for log in logs]
        if not names or not all(isinstance(x, torch.Tensor) and x.ndim == 0 for row in numbers for x in row):
            return
        for infos in self._infos[:-1]:
            del infos["episode"]
        columns = torch.stack([torch.stack(row) for row in numbers]).unbind(dim=1)
        self._infos[-1]["episode"] = dict(zip(names, columns, strict=True))

    # -- the device's part ----------------------------------------------------------------------------------------

    def _scaled(self, x: torch.Tensor, index: int, back: bool) -> torch.Tensor:
        """rl-games' ``RunningMeanStd`` with statistics that are not learned."""
        module, mean, var = self._stats[index]
        std = torch.sqrt(var.float() + module.epsilon)
        if back:
            return std * torch.clamp(x, min=-5.0, max=5.0) + mean.float()
        return torch.clamp((x - mean.float()) / std, min=-5.0, max=5.0)

    def _network(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mean, log standard deviation and value of the observations."""
        agent = self.agent
        obs = agent._preproc_obs(self.obs)
        if agent.normalize_input:
            obs = self._scaled(obs, len(self._stats) - 1, back=False)
        mu, logstd, value, _ = agent.model.a2c_network({"is_train": False, "obs": obs})
        return mu, logstd, self._scaled(value, 0, back=True) if agent.normalize_value else value

    @torch.no_grad()
    def act(self) -> None:
        """Draw actions, and note what they were drawn from."""
        agent, buffers = self.agent, self.agent.experience_buffer.tensor_dict
        mu, logstd, value = self._network()
        sigma = logstd.exp()
        actions = torch.empty_like(mu).normal_().mul_(sigma).add_(mu)  # torch.normal, without its look at sigma
        surprise = 0.5 * (((actions - mu) / sigma) ** 2).sum(dim=-1) + _HALF_LOG_2PI * mu.shape[-1] + logstd.sum(dim=-1)
        noted = {"obses": self.obs, "dones": self.dones, "actions": actions, "neglogpacs": surprise}
        noted |= {"values": value, "mus": mu, "sigmas": sigma}
        for name, now in noted.items():
            buffers[name].index_copy_(0, self.step, now.unsqueeze(0))
        self.values.copy_(value)
        limit = self._wrapper._clip_actions
        self.env_actions.copy_(torch.clamp(agent.preprocess_actions(actions), -limit, limit))

    @torch.no_grad()
    def note(self) -> None:
        """Note what a step of the environment has brought."""
        agent = self.agent
        obs = self._wrapper._process_obs(dict(self.next_obs))["obs"]
        self.obs.copy_(obs)
        rewards = self.rewards.unsqueeze(1)
        done = self.terminated | self.truncated
        shaped = agent.rewards_shaper(rewards)
        if self._bootstraps:
            shaped = shaped + agent.gamma * self.values * self.truncated.unsqueeze(1).float()
        agent.experience_buffer.tensor_dict["rewards"].index_copy_(0, self.step, shaped.unsqueeze(0))
        agent.current_rewards.add_(rewards)
        agent.current_shaped_rewards.add_(shaped)
        agent.current_lengths.add_(1)
        over = done.float()
        sums = (
            over.sum(),
            (agent.current_rewards[:, 0] * over).sum(),
            (agent.current_shaped_rewards[:, 0] * over).sum(),
            (agent.current_lengths * over).sum(),
        )
        self.ended.index_copy_(0, self.step, torch.stack(sums).unsqueeze(0))
        self.all_dones.index_copy_(0, self.step, done.unsqueeze(0))
        self.all_time_outs.index_copy_(0, self.step, self.truncated.unsqueeze(0))
        self.pay.index_copy_(0, self.step, (self.rewards.mean() + 0.0 * obs.sum()).reshape(1, 1))
        going_on = (1.0 - over).unsqueeze(1)
        agent.current_rewards.mul_(going_on)
        agent.current_shaped_rewards.mul_(going_on)
        agent.current_lengths.mul_(going_on.squeeze(1))
        self.dones.copy_(done)
        self.step += 1

    @torch.no_grad()
    def close(self) -> None:
        """Returns of the rollout, by rl-games' generalized advantage estimation."""
        agent, buffers = self.agent, self.agent.experience_buffer.tensor_dict
        mu, _, last = self._network()
        torch.empty_like(mu).normal_()  # rl-games draws actions there too: the random stream goes on alike
        dones, values, rewards = buffers["dones"].float(), buffers["values"], buffers["rewards"]
        self.returns.copy_(agent.discount_values(self.dones.float(), last, dones, values, rewards) + values)
